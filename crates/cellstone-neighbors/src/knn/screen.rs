//! Candidates from single-precision products of blocks, with a bound on what rounding can hide.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use super::Rows;
use crate::wide::{Body, wide};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Simd;
use rayon::prelude::*;
use std::ops::Range;

/// Queries of a block.
pub(super) const QUERIES: usize = 256;
/// References of a tile: with [`QUERIES`] the products are a megabyte, which a second-level cache holds.
/// A multiple of 96, the height of faer's micro-kernel, and of [`CHUNK`].
const TILE: usize = 960;
/// Values compared at a time before anything branches.
const CHUNK: usize = 32;
/// Above every score, and below that of the padding.
const UNBOUNDED: f32 = f32::MAX / 2.0;

/// The rows in single precision, centred and scaled, as one side of the product.
///
/// For query `q` and reference `r` the score is `‖r‖² − 2⟨q, r⟩`: the squared distance up to a constant of the query.
/// The norm is one more coordinate of the product.
pub(super) struct Screen {
    n: usize,
    /// Inner dimension: coordinates and the norm.
    inner: usize,
    k: usize,
    /// `[n, inner]`: `(−2q, 1)`.
    queries: Vec<f32>,
    norms: Vec<f32>,
    /// Twice the largest rounding error of a score, for each query.
    slack: Vec<f32>,
}

/// References as the other side of the product: tiles of `[inner, TILE]`, `(r, ‖r‖²)`; the last is padded with scores
/// that never win.
pub(super) struct Tiles {
    values: Vec<f32>,
    n: usize,
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Workspace {
    scores: Vec<f32>,
    heaps: Vec<Nearest>,
    minima: Vec<f32>,
}

impl Screen {
    pub(super) fn new(rows: &Rows, k: usize) -> Self {
        let (n, d) = (rows.len(), rows.dim());
        let inner = d + 1;
        let (centre, scale) = frame(rows);
        let place = |row: usize, col: usize| ((rows.row(row)[col] - centre[col]) * scale) as f32;
        let mut queries = vec![1.0_f32; n * inner];
        queries.par_chunks_mut(inner).enumerate().for_each(|(row, out)| {
            (0..d).for_each(|col| out[col] = -2.0 * place(row, col));
        });
        let norms: Vec<f64> = queries
            .par_chunks(inner)
            .map(|it| it[..d].iter().map(|v| 0.25 * f64::from(*v) * f64::from(*v)).sum())
            .collect();
        let largest = norms.iter().fold(0.0_f64, |it, v| it.max(*v)).sqrt();
        // A sum of `inner` products errs by at most `inner · u` of the sum of magnitudes, whatever its order, and the
        // rounding of the inputs adds four more units; a few to spare for the bound's own rounding.
        let unit = (inner as f64 + 12.0) * f64::from(f32::EPSILON) / 2.0;
        let slack = norms.iter().map(|it| (2.0 * unit * largest * (2.0 * it.sqrt() + largest)) as f32).collect();
        Self { n, inner, k, queries, norms: norms.iter().map(|it| *it as f32).collect(), slack }
    }

    /// Blocks of consecutive queries.
    pub(super) fn n_blocks(&self) -> usize {
        self.n.div_ceil(QUERIES)
    }

    pub(super) fn block(&self, block: usize) -> Range<u32> {
        (block * QUERIES) as u32..self.n.min((block + 1) * QUERIES) as u32
    }

    /// Coordinate `col` of a row in the frame of the search.
    pub(super) fn place(&self, row: usize, col: usize) -> f32 {
        -0.5 * self.queries[row * self.inner + col]
    }

    pub(super) fn tiles(&self, references: &[u32]) -> Tiles {
        let (inner, d, n) = (self.inner, self.inner - 1, references.len());
        let mut values = vec![0.0_f32; n.div_ceil(TILE) * TILE * inner];
        for (tile, out) in values.chunks_mut(TILE * inner).enumerate() {
            for at in 0..TILE {
                let Some(row) = references.get(tile * TILE + at).map(|it| *it as usize) else {
                    out[d * TILE + at] = f32::MAX;
                    continue;
                };
                (0..d).for_each(|col| out[col * TILE + at] = self.place(row, col));
                out[d * TILE + at] = self.norms[row];
            }
        }
        Tiles { values, n }
    }

    /// For each of at most [`QUERIES`] queries, positions in `tiles` among which its `k` nearest references are, with
    /// their scores.
    pub(super) fn candidates<'a>(
        &self,
        queries: &[u32],
        tiles: &Tiles,
        space: &'a mut Workspace,
    ) -> impl Iterator<Item = &'a [(f32, u32)]> + use<'a> {
        let (m, inner) = (queries.len(), self.inner);
        space.scores.resize(QUERIES * TILE, 0.0);
        space.heaps.resize_with(QUERIES, Nearest::default);
        let mut left = Vec::with_capacity(m * inner);
        for (heap, own) in space.heaps.iter_mut().zip(queries.iter().map(|it| *it as usize)) {
            heap.reset(self.k, self.slack[own]);
            left.extend_from_slice(&self.queries[own * inner..(own + 1) * inner]);
        }
        let left = MatRef::from_column_major_slice(&left, inner, m);
        for (tile, references) in tiles.values.chunks(TILE * inner).enumerate() {
            let references = MatRef::from_column_major_slice(references, TILE, inner);
            let out = MatMut::from_column_major_slice_mut(&mut space.scores[..TILE * m], TILE, m);
            matmul(out, Accum::Replace, references, left, 1.0, Par::Seq);
            let start = tile * TILE;
            // One dispatch for the whole block.
            wide(Offer {
                heaps: &mut space.heaps[..m],
                scores: &space.scores,
                valid: TILE.min(tiles.n - start),
                start: start as u32,
                minima: &mut space.minima,
            });
        }
        space.heaps[..m].iter_mut().map(|it| {
            it.prune();
            it.kept.as_slice()
        })
    }
}

/// A tile of scores offered to every query of a block.
struct Offer<'a> {
    heaps: &'a mut [Nearest],
    scores: &'a [f32],
    valid: usize,
    start: u32,
    minima: &'a mut Vec<f32>,
}

impl Body for Offer<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (heap, scores) in self.heaps.iter_mut().zip(self.scores.chunks_exact(TILE)) {
            heap.offer(simd, scores, self.valid, self.start, self.minima);
        }
    }
}

/// The candidates of one query so far.
#[derive(Default)]
struct Nearest {
    k: usize,
    slack: f32,
    /// Scores above this cannot be among the nearest.
    threshold: f32,
    capacity: usize,
    kept: Vec<(f32, u32)>,
}

impl Nearest {
    fn reset(&mut self, k: usize, slack: f32) {
        self.k = k;
        self.slack = slack;
        self.threshold = UNBOUNDED;
        self.capacity = k + k / 2 + 24;
        self.kept.clear();
    }

    /// Takes what a tile of scores has below the threshold; scores from `valid` on are padding.
    #[inline(always)]
    fn offer<S: Simd>(&mut self, simd: S, scores: &[f32], valid: usize, start: u32, minima: &mut Vec<f32>) {
        if self.threshold == UNBOUNDED {
            self.first_threshold(&scores[..valid], minima);
        }
        for (chunk, values) in scores.chunks_exact(CHUNK).enumerate() {
            let (vectors, _) = S::as_simd_f32s(values);
            let least = vectors[1..].iter().fold(vectors[0], |it, v| simd.min_f32s(it, *v));
            if any_below(simd, least, self.threshold) {
                for (at, vector) in vectors.iter().enumerate() {
                    if any_below(simd, *vector, self.threshold) {
                        let offset = at * S::F32_LANES;
                        self.take(&values[offset..offset + S::F32_LANES], start + (chunk * CHUNK + offset) as u32);
                    }
                }
            }
        }
    }

    /// The k-th smallest minimum of groups: an upper bound of the k-th smallest value, for much less than sorting.
    #[inline(always)]
    fn first_threshold(&mut self, scores: &[f32], minima: &mut Vec<f32>) {
        let n_groups = (2 * self.k).next_multiple_of(CHUNK);
        if scores.len() < 2 * n_groups {
            return;
        }
        minima.clear();
        minima.extend_from_slice(&scores[..n_groups]);
        for values in scores[n_groups..].chunks_exact(n_groups) {
            for (least, value) in minima.iter_mut().zip(values) {
                *least = if *value < *least { *value } else { *least };
            }
        }
        let bound = *minima.select_nth_unstable_by(self.k - 1, f32::total_cmp).1;
        self.threshold = bound + self.slack;
    }

    #[inline(always)]
    fn take(&mut self, values: &[f32], start: u32) {
        for (lane, value) in values.iter().enumerate() {
            if *value <= self.threshold {
                self.kept.push((*value, start + lane as u32));
            }
        }
        if self.kept.len() >= self.capacity {
            self.prune();
            // Many equal distances: give room, so that pruning stays rare.
            self.capacity = self.capacity.max(2 * self.kept.len());
        }
    }

    /// Drops what cannot be among the `k` nearest.
    #[inline(never)]
    fn prune(&mut self) {
        if self.kept.len() <= self.k {
            return;
        }
        let kth = self.kept.select_nth_unstable_by(self.k - 1, |a, b| a.0.total_cmp(&b.0)).1.0;
        self.threshold = self.threshold.min(kth + self.slack);
        let threshold = self.threshold;
        self.kept.retain(|it| it.0 <= threshold);
    }
}

#[inline(always)]
fn any_below<S: Simd>(simd: S, values: S::f32s, threshold: f32) -> bool {
    simd.first_true_m32s(simd.less_than_or_equal_f32s(values, simd.splat_f32s(threshold))) < S::F32_LANES
}

/// Mean of every coordinate, and a factor that brings the largest deviation from it to 1.
fn frame(rows: &Rows) -> (Vec<f64>, f64) {
    let mut centre = vec![0.0; rows.dim()];
    for row in 0..rows.len() {
        centre.iter_mut().zip(rows.row(row)).for_each(|(it, v)| *it += v / rows.len() as f64);
    }
    let largest = (0..rows.len())
        .flat_map(|row| rows.row(row).iter().zip(&centre).map(|(v, c)| (v - c).abs()))
        .fold(0.0_f64, f64::max);
    (centre, if largest > 0.0 && largest.is_finite() { largest.recip() } else { 1.0 })
}
