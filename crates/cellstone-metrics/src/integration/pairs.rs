//! Sums of Euclidean distances from every cell to the cells of every class, each pair computed once.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use super::labels::Groups;
use super::wide::{Body, wide};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a strip.
const ROWS: usize = 128;
/// Columns of a tile: with [`ROWS`] half a megabyte of products, which a second-level cache holds.
const COLS: usize = 512;
/// Share of the norms below which the product formula has lost digits and the difference is taken instead.
const CLOSE: f64 = 1e-4;
/// Lanes of the sums. Changing it changes last bits.
const LANES: usize = 8;

/// `Σ_{j in class} √Σ (x_i − x_j)²` for every row i and class: `[n, n_classes]`, classes by position in the groups.
///
/// Memory is `O(n · n_classes)`. Only pairs i < j are computed, by blocks: `‖x‖² + ‖y‖² − 2⟨x, y⟩` in f64, with the
/// difference of the rows where that loses digits. Bits do not depend on the number of threads. `x` must be finite.
pub(super) fn class_sums(x: ArrayView2<'_, f64>, groups: &Groups) -> Array2<f64> {
    let (n, n_classes) = (x.nrows(), groups.len());
    let order: Vec<usize> = groups.members.iter().flatten().copied().collect();
    let (sorted, scale) = Sorted::new(x, &order, groups);
    let n_strips = n.div_ceil(ROWS);
    let mut sums = vec![0.0; n * n_classes];
    // Strips are added in order, so the length of a wave only decides how much memory waits to be added.
    let wave = 2 * rayon::current_num_threads();
    for first in (0..n_strips).step_by(wave) {
        let strips: Vec<Strip> =
            (first..n_strips.min(first + wave)).into_par_iter().map(|it| sorted.strip(it)).collect();
        let blocks = sums.par_chunks_mut(ROWS * n_classes).enumerate().skip(first);
        blocks.for_each(|(block, out)| strips.iter().for_each(|it| it.add_to(block, out, n_classes)));
    }
    let mut out = Array2::zeros((n, n_classes));
    for (row, values) in order.iter().zip(sums.chunks(n_classes)) {
        out.row_mut(*row).iter_mut().zip(values).for_each(|(it, value)| *it = value * scale);
    }
    out
}

/// Rows in the order of their classes, centred (differences stay, digits are saved) and brought near 1.
pub(super) struct Sorted {
    d: usize,
    rows: Vec<f64>,
    norms: Vec<f64>,
    /// Class of every row, ascending.
    classes: Vec<u32>,
    n_classes: usize,
}

/// What one strip of rows has to add: to its own rows, and to those after it.
struct Strip {
    index: usize,
    /// `[rows, n_classes]`.
    own: Vec<f64>,
    /// First row after the strip.
    end: usize,
    /// The classes of its rows and their sums for every row from `end` on: `[classes, n − end]`.
    classes: Vec<u32>,
    below: Vec<f64>,
}

impl Sorted {
    /// The rows, and the factor that turns distances between them into distances of `x`.
    pub(super) fn new(x: ArrayView2<'_, f64>, order: &[usize], groups: &Groups) -> (Self, f64) {
        let mut table = x.select(Axis(0), order);
        if let Some(mean) = table.mean_axis(Axis(0)) {
            table -= &mean;
        }
        let largest = table.iter().fold(0.0_f64, |it, v| it.max(v.abs()));
        // A power of two changes no digits, and squares cannot overflow.
        let exponent = if largest > 0.0 { largest.log2().floor().clamp(-900.0, 900.0) as i32 } else { 0 };
        let shrink = 2.0_f64.powi(-exponent);
        let rows: Vec<f64> = table.iter().map(|it| it * shrink).collect();
        let d = table.ncols();
        let norms = rows.chunks(d).map(|it| it.iter().map(|v| v * v).sum()).collect();
        let classes = order.iter().map(|it| groups.of[*it]).collect();
        (Self { d, rows, norms, classes, n_classes: groups.len() }, 2.0_f64.powi(exponent))
    }

    fn strip(&self, index: usize) -> Strip {
        let n = self.norms.len();
        let rows = index * ROWS..n.min((index + 1) * ROWS);
        let (end, runs) = (rows.end, runs(&self.classes[rows.clone()]));
        let mut own = vec![0.0; rows.len() * self.n_classes];
        let mut below = vec![0.0; runs.len() * (n - end)];
        let mut products = vec![0.0; ROWS * COLS];
        // Inside the strip both sides of a pair are rows: what would go below is thrown away.
        let mut thrown = vec![0.0; runs.len() * ROWS];
        let mut tile = Tile { sorted: self, rows: rows.clone(), runs: &runs, own: &mut own, products: &mut products };
        tile.add(rows.clone(), &mut thrown, rows.len(), 0);
        for start in (end..n).step_by(COLS) {
            tile.add(start..n.min(start + COLS), &mut below, n - end, start - end);
        }
        Strip { index, own, end, classes: runs.iter().map(|it| it.0).collect(), below }
    }

    /// Squared distances, on the scale of the sorted rows, of some rows to all: a line for each.
    pub(super) fn squares(&self, rows: Range<usize>) -> Vec<f64> {
        let (m, n, d) = (rows.len(), self.norms.len(), self.d);
        let mut lines = vec![0.0; m * n];
        let left = MatRef::from_row_major_slice(&self.rows, n, d);
        let right = MatRef::from_column_major_slice(self.rows(rows.clone()), d, m);
        matmul(MatMut::from_column_major_slice_mut(&mut lines, n, m), Accum::Replace, left, right, -2.0, Par::Seq);
        wide(Squares { sorted: self, rows, lines: &mut lines });
        lines
    }

    fn rows(&self, range: Range<usize>) -> &[f64] {
        &self.rows[range.start * self.d..range.end * self.d]
    }

    /// Squared distances of close pairs from the differences of their rows.
    #[inline(never)]
    fn exact(&self, own: usize, start: usize, values: &mut [f64]) {
        for (at, value) in values.iter_mut().enumerate() {
            let other = start + at;
            if *value < CLOSE * (self.norms[own] + self.norms[other]) {
                let pairs = self.rows(own..own + 1).iter().zip(self.rows(other..other + 1));
                *value = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
            }
        }
    }
}

impl Strip {
    fn add_to(&self, block: usize, out: &mut [f64], n_classes: usize) {
        if block == self.index {
            out.iter_mut().zip(&self.own).for_each(|(it, value)| *it += value);
        }
        let start = block * ROWS;
        if start < self.end {
            return;
        }
        let width = self.below.len() / self.classes.len();
        for (class, below) in self.classes.iter().zip(self.below.chunks(width)) {
            for (row, value) in out.chunks_mut(n_classes).zip(&below[start - self.end..]) {
                row[*class as usize] += value;
            }
        }
    }
}

/// A strip against the columns of a tile.
struct Tile<'a> {
    sorted: &'a Sorted,
    rows: Range<usize>,
    /// Runs of equal classes among the rows.
    runs: &'a [(u32, usize)],
    own: &'a mut [f64],
    products: &'a mut [f64],
}

impl Tile<'_> {
    /// Adds the distances of a tile to the rows, and at `offset` of each run's line of `below`, `stride` long.
    fn add(&mut self, cols: Range<usize>, below: &mut [f64], stride: usize, offset: usize) {
        let (m, t, d) = (self.rows.len(), cols.len(), self.sorted.d);
        let left = MatRef::from_row_major_slice(self.sorted.rows(cols.clone()), t, d);
        let right = MatRef::from_column_major_slice(self.sorted.rows(self.rows.clone()), d, m);
        let out = MatMut::from_column_major_slice_mut(&mut self.products[..t * m], t, m);
        matmul(out, Accum::Replace, left, right, -2.0, Par::Seq);
        let col_runs = runs(&self.sorted.classes[cols.clone()]);
        wide(Sums { tile: self, cols, col_runs: &col_runs, below, stride, offset });
    }
}

/// Turns the products of a tile into distances and adds them up.
struct Sums<'a, 'b> {
    tile: &'a mut Tile<'b>,
    cols: Range<usize>,
    col_runs: &'a [(u32, usize)],
    below: &'a mut [f64],
    stride: usize,
    offset: usize,
}

impl Body for Sums<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (sorted, t) = (self.tile.sorted, self.cols.len());
        let norms = &sorted.norms[self.cols.clone()];
        let mut at = 0;
        for (run, (_, len)) in self.tile.runs.iter().enumerate() {
            let from = run * self.stride + self.offset;
            let below = &mut self.below[from..from + t];
            for _ in 0..*len {
                let row = self.tile.rows.start + at;
                let values = &mut self.tile.products[at * t..(at + 1) * t];
                if squares(values, sorted.norms[row], norms) {
                    sorted.exact(row, self.cols.start, values);
                }
                let own = &mut self.tile.own[at * sorted.n_classes..(at + 1) * sorted.n_classes];
                let mut col = 0;
                for (class, len) in self.col_runs {
                    own[*class as usize] += roots(&values[col..col + len], &mut below[col..col + len]);
                    col += len;
                }
                at += 1;
            }
        }
    }
}

/// Turns lines of products into squared distances.
struct Squares<'a> {
    sorted: &'a Sorted,
    rows: Range<usize>,
    lines: &'a mut [f64],
}

impl Body for Squares<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let norms = self.sorted.norms.as_slice();
        for (row, line) in self.rows.zip(self.lines.chunks_exact_mut(norms.len())) {
            if squares(line, norms[row], norms) {
                self.sorted.exact(row, 0, line);
            }
            line.iter_mut().for_each(|it| *it = if *it > 0.0 { *it } else { 0.0 });
        }
    }
}

/// Turns `−2⟨x, y⟩` into squared distances; whether some have lost digits.
#[inline(always)]
fn squares(values: &mut [f64], norm: f64, norms: &[f64]) -> bool {
    let ((blocks, tail), (norm_blocks, norm_tail)) = (values.as_chunks_mut::<LANES>(), norms.as_chunks::<LANES>());
    let mut least = [f64::INFINITY; LANES];
    for (values, norms) in blocks.iter_mut().zip(norm_blocks) {
        for lane in 0..LANES {
            let both = norm + norms[lane];
            values[lane] += both;
            let room = values[lane] - CLOSE * both;
            least[lane] = if room < least[lane] { room } else { least[lane] };
        }
    }
    let mut close = least.iter().any(|it| *it < 0.0);
    for (value, other) in tail.iter_mut().zip(norm_tail) {
        let both = norm + other;
        *value += both;
        close |= *value < CLOSE * both;
    }
    close
}

/// The sum of the roots, each also added to `below`.
#[inline(always)]
fn roots(values: &[f64], below: &mut [f64]) -> f64 {
    let ((blocks, tail), (below_blocks, below_tail)) = (values.as_chunks::<LANES>(), below.as_chunks_mut::<LANES>());
    let mut lanes = [0.0; LANES];
    for (values, below) in blocks.iter().zip(below_blocks) {
        for lane in 0..LANES {
            let square = if values[lane] > 0.0 { values[lane] } else { 0.0 };
            let distance = square.sqrt();
            lanes[lane] += distance;
            below[lane] += distance;
        }
    }
    let mut rest = 0.0;
    for (value, below) in tail.iter().zip(below_tail) {
        let distance = if *value > 0.0 { value.sqrt() } else { 0.0 };
        rest += distance;
        *below += distance;
    }
    lanes.iter().sum::<f64>() + rest
}

/// Runs of equal values, with their lengths.
fn runs(sorted: &[u32]) -> Vec<(u32, usize)> {
    sorted.chunk_by(|a, b| a == b).map(|it| (it[0], it.len())).collect()
}
