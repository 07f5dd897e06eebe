//! Where the match of every query stands among the references, exactly and fast.
//!
//! Euclidean and cosine distances come from one matrix product. Where its rounding could change an order or a tie, the
//! pair is computed again directly, so every rank is the one that direct summation gives: identical references tie
//! exactly, and neither blocking nor the instruction set of the machine shows.

use crate::correlation::product_of_lengths;
use crate::kernels::{abs_diff, dot, slice_of, sq_diff};
use crate::retrieval::points::Points;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis};

/// How far apart two effects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// `Σ|a − b|`.
    L1,
    /// `√Σ(a − b)²`.
    L2,
    /// `1 − ⟨a, b⟩/(‖a‖‖b‖)`, clipped to [0, 2]; 1 where a vector is zero.
    Cosine,
}

/// Where the match of one query stands among the references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchRank {
    /// References strictly nearer to the query than its match.
    pub closer: usize,
    /// Other references at exactly the distance of the match.
    pub tied: usize,
    /// Those of them that stand before the match.
    pub tied_before: usize,
}

impl MatchRank {
    /// Rank from 0, ties sharing the mean of the positions they span.
    pub fn midrank(self) -> f64 {
        self.closer as f64 + 0.5 * self.tied as f64
    }
}

/// Ranks, for each query `i`, reference `i` among all references by distance to the query.
///
/// `queries` is `[P, G]`, `references` `[Q, G]` with Q ≥ P: the first P references are the matches, further ones are
/// distractors. Rows are effects (deltas) or profiles, whatever is to be compared.
///
/// # Errors
/// If the widths differ, there are fewer references than queries, or a value is not finite.
///
/// # Examples
/// ```
/// use cellstone_metrics::{Distance, match_ranks};
/// use ndarray::array;
/// // Distances of the first query to (own, a, b, c) are 0.2, 0.2, 0.5, 0.1: one nearer, one tied.
/// let ranks = match_ranks(array![[0.0]].view(), array![[0.2], [-0.2], [0.5], [0.1]].view(), Distance::L2)?;
/// assert_eq!((ranks[0].closer, ranks[0].tied), (1, 1));
/// assert_eq!(1.0 - ranks[0].midrank() / 3.0, 0.5);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// `ArcInstitute/cell-eval2 src/cell_eval2/metrics/discrimination.py` (0.20.0).
pub fn match_ranks(
    queries: ArrayView2<'_, f64>,
    references: ArrayView2<'_, f64>,
    distance: Distance,
) -> Result<Vec<MatchRank>> {
    if queries.ncols() != references.ncols() || references.nrows() < queries.nrows() {
        return Err(Error::invalid_input(format!(
            "{:?} references for {:?} queries: expected one width and a match for every query",
            references.dim(),
            queries.dim()
        )));
    }
    let points = |of: &ArrayView2<'_, f64>| {
        Points::new(of.nrows(), of.ncols(), |at, row| {
            row.copy_from_slice(&slice_of(&of.row(at)));
            0.0
        })
    };
    let (queries, references) = (points(&queries), points(&references));
    for (what, it) in [("query", &queries), ("reference", &references)] {
        if let Some(at) = it.first_not_finite() {
            return Err(Error::invalid_input(format!("{what} {at} holds a value that is not finite")));
        }
    }
    Ok(rank_all(&queries, &references, distance, &[]))
}

/// [`match_ranks`] of checked points; `drops[i]` lists the columns that query `i` leaves out of every comparison.
pub(crate) fn rank_all(
    queries: &Points,
    references: &Points,
    distance: Distance,
    drops: &[Vec<usize>],
) -> Vec<MatchRank> {
    let rough = match distance {
        Distance::L1 => l1_matrix(queries, references),
        Distance::L2 | Distance::Cosine => products(queries, references),
    };
    map_ordered(queries.n, |i| {
        let drop = drops.get(i).map_or(&[][..], Vec::as_slice);
        let pair = Pair { queries, references, drop, distance };
        let own = pair.exact(i, i);
        let mut rank = MatchRank { closer: 0, tied: 0, tied_before: 0 };
        for j in (0..references.n).filter(|j| *j != i) {
            let (near, slack) = pair.rough(i, j, rough[[i, j]]);
            // Only a pair too near to call is worth a pass over the genes.
            let far = if (near - own).abs() > slack { near } else { pair.exact(i, j) };
            if far < own {
                rank.closer += 1;
            } else if far == own {
                rank.tied += 1;
                rank.tied_before += usize::from(j < i);
            }
        }
        rank
    })
}

/// One query against one reference. Euclidean distances are compared squared.
struct Pair<'a> {
    queries: &'a Points,
    references: &'a Points,
    drop: &'a [usize],
    distance: Distance,
}

impl Pair<'_> {
    /// The distance by direct summation over the genes in use.
    fn exact(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.queries.row(i), self.references.row(j));
        match self.distance {
            Distance::L1 => self.over_kept(a, b, abs_diff_tiled),
            Distance::L2 => self.over_kept(a, b, sq_diff),
            Distance::Cosine => {
                if self.queries.zero[i] || self.references.zero[j] {
                    return 1.0;
                }
                let (mut aa, mut bb) = (self.queries.sq[i], self.references.sq[j]);
                if !self.drop.is_empty() {
                    (aa, bb) = (self.over_kept(a, a, dot), self.over_kept(b, b, dot));
                }
                cosine_distance(self.over_kept(a, b, dot), aa, bb)
            }
        }
    }

    /// A sum over the stretches between the columns left out.
    fn over_kept(&self, a: &[f64], b: &[f64], f: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
        let (mut from, mut total) = (0, 0.0);
        for col in self.drop {
            total += f(&a[from..*col], &b[from..*col]);
            from = col + 1;
        }
        total + f(&a[from..], &b[from..])
    }

    /// The distance from the matrix, and how far it may be from the exact one.
    fn rough(&self, i: usize, j: usize, value: f64) -> (f64, f64) {
        let unit = 4.0 * (self.queries.width + 16) as f64 * f64::EPSILON;
        let (a, b) = (self.queries.row(i), self.references.row(j));
        let left_out = |f: fn(f64, f64) -> f64| self.drop.iter().map(|col| f(a[*col], b[*col])).sum::<f64>();
        let (aa, bb) = (self.queries.sq[i], self.references.sq[j]);
        match self.distance {
            // The matrix is exact here unless something is left out.
            Distance::L1 => {
                let near = value - left_out(|a, b| (a - b).abs());
                (near, if self.drop.is_empty() { 0.0 } else { unit * value })
            }
            Distance::L2 => {
                let near = aa + bb - 2.0 * value - left_out(|a, b| (a - b) * (a - b));
                (near, unit * (aa + bb) + f64::MIN_POSITIVE)
            }
            Distance::Cosine => {
                let kept_a = aa - left_out(|a, _| a * a);
                let kept_b = bb - left_out(|_, b| b * b);
                if self.queries.zero[i] || self.references.zero[j] || kept_a <= 1e-6 * aa || kept_b <= 1e-6 * bb {
                    return (0.0, f64::INFINITY);
                }
                let near = cosine_distance(value - left_out(|a, b| a * b), kept_a, kept_b);
                (near, unit * (1.0 + aa / kept_a + bb / kept_b))
            }
        }
    }
}

fn cosine_distance(product: f64, aa: f64, bb: f64) -> f64 {
    if aa == 0.0 || bb == 0.0 {
        return 1.0;
    }
    (1.0 - product / product_of_lengths(aa, bb)).clamp(0.0, 2.0)
}

/// All inner products, in blocks whose size depends on the shape alone.
fn products(queries: &Points, references: &Points) -> Array2<f64> {
    let (a, b) = (view_of(queries), view_of(references));
    blocks(queries.n, references.n, |rows, cols| {
        let (rows, cols) = (a.slice_axis(Axis(0), rows.into()), b.slice_axis(Axis(0), cols.into()));
        let mut out = Array2::zeros((rows.nrows(), cols.nrows()));
        general_mat_mul(1.0, &rows, &cols.t(), 0.0, &mut out);
        out
    })
}

fn view_of(points: &Points) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((points.n, points.width), &points.data).expect("invariant: rows of one width")
}

/// Genes of a tile: two tiles of a block stay in the second-level cache.
const TILE: usize = 1024;

/// `Σ|a − b|` in the order of [`l1_matrix`].
fn abs_diff_tiled(a: &[f64], b: &[f64]) -> f64 {
    a.chunks(TILE).zip(b.chunks(TILE)).fold(0.0, |total, (a, b)| total + abs_diff(a, b))
}

/// All `Σ|a − b|`, tile by tile; one order of summation for every pair.
fn l1_matrix(queries: &Points, references: &Points) -> Array2<f64> {
    blocks(queries.n, references.n, |rows, cols| {
        let mut out = Array2::zeros((rows.len(), cols.len()));
        for from in (0..queries.width).step_by(TILE) {
            let to = (from + TILE).min(queries.width);
            for (i, row) in rows.clone().enumerate() {
                let a = &queries.row(row)[from..to];
                for (j, col) in cols.clone().enumerate() {
                    out[[i, j]] += abs_diff(a, &references.row(col)[from..to]);
                }
            }
        }
        out
    })
}

/// Fills a matrix block by block, in parallel.
fn blocks(
    n_rows: usize,
    n_cols: usize,
    work: impl Fn(std::ops::Range<usize>, std::ops::Range<usize>) -> Array2<f64> + Sync + Send,
) -> Array2<f64> {
    let side = if n_rows.max(n_cols) < 128 { 32 } else { 64 };
    let (tall, wide) = (n_rows.div_ceil(side), n_cols.div_ceil(side));
    let range = |at: usize, n: usize| at * side..((at + 1) * side).min(n);
    let done = map_ordered(tall * wide, |at| work(range(at / wide, n_rows), range(at % wide, n_cols)));
    let mut out = Array2::zeros((n_rows, n_cols));
    for (at, block) in done.into_iter().enumerate() {
        let (rows, cols) = (range(at / wide, n_rows), range(at % wide, n_cols));
        out.slice_axis_mut(Axis(0), rows.into()).slice_axis_mut(Axis(1), cols.into()).assign(&block);
    }
    out
}
