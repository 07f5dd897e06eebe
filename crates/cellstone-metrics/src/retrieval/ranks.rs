//! Where the match of every query stands among the references, exactly and fast.
//!
//! Euclidean and cosine distances come from one matrix product, L1 distances from sums in single precision. Where their
//! rounding could change an order or a tie, the pair is computed again directly, so every rank is the one that direct
//! summation gives: identical references tie exactly, and neither blocking nor the instruction set of the machine shows.

use crate::correlation::{pearson_of, product_of_lengths};
use crate::input::without;
use crate::kernels::{abs_diff, dot, slice_of, sq_diff};
use crate::retrieval::manhattan::{l1_matrix, l1_slack};
use crate::retrieval::points::Points;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// How far apart two effects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// `Σ|a − b|`.
    L1,
    /// `√Σ(a − b)²`.
    L2,
    /// `1 − ⟨a, b⟩/(‖a‖‖b‖)`, clipped to [0, 2]; 1 where a vector is zero.
    Cosine,
    /// `1 − r` of Pearson's correlation, clipped to [0, 2]; 1 where a vector is constant.
    Correlation,
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
    let pairs = Pairs::new(Arc::new(queries), Arc::new(references));
    Ok(pairs.view(false).ranks(distance, &[], &Among::default()))
}

/// Two sets of points and the matrices between them, each made when first asked for.
pub(crate) struct Pairs {
    left: Arc<Points>,
    right: Arc<Points>,
    /// Inner products of distinct rows.
    products: OnceLock<Array2<f64>>,
    /// `Σ|a − b|` of distinct rows, in single precision.
    l1: OnceLock<Array2<f64>>,
}

impl Pairs {
    pub(crate) fn new(left: Arc<Points>, right: Arc<Points>) -> Self {
        Self { left, right, products: OnceLock::new(), l1: OnceLock::new() }
    }

    /// The left points as queries among the right ones, or, flipped, the right ones among the left.
    pub(crate) fn view(&self, flipped: bool) -> Ranking<'_> {
        let (queries, references) = if flipped { (&self.right, &self.left) } else { (&self.left, &self.right) };
        Ranking { pairs: self, flipped, queries, references }
    }
}

/// Which references a query is compared with, and in which order they stand where they tie.
#[derive(Debug, Default)]
pub(crate) struct Among {
    /// The references of each query, its match left out; `None` is all.
    pub(crate) lists: Option<Vec<Vec<usize>>>,
    /// The place of each of the first references in the order of ties; `None` is the order of the rows.
    pub(crate) places: Option<Vec<usize>>,
}

impl Among {
    /// Whether reference `j` stands before reference `i` where they tie.
    pub(crate) fn before(&self, j: usize, i: usize) -> bool {
        let place = |at: usize| self.places.as_ref().and_then(|it| it.get(at)).copied().unwrap_or(at);
        place(j) < place(i)
    }

    /// Where reference `own` stands among the references of `own`, by the distances of one query to all references.
    pub(super) fn rank(&self, distances: &[f64], own: usize) -> MatchRank {
        let mut rank = MatchRank { closer: 0, tied: 0, tied_before: 0 };
        let mut count = |j: usize| {
            if distances[j] < distances[own] {
                rank.closer += 1;
            } else if j != own && distances[j] == distances[own] {
                rank.tied += 1;
                rank.tied_before += usize::from(self.before(j, own));
            }
        };
        match &self.lists {
            None => (0..distances.len()).for_each(&mut count),
            Some(lists) => lists[own].iter().copied().for_each(&mut count),
        }
        rank
    }
}

/// Queries among references.
#[derive(Clone, Copy)]
pub(crate) struct Ranking<'a> {
    pairs: &'a Pairs,
    flipped: bool,
    queries: &'a Points,
    references: &'a Points,
}

impl Ranking<'_> {
    pub(crate) fn n_references(&self) -> usize {
        self.references.n
    }

    /// [`match_ranks`]; `drops[i]` lists the columns that query `i` leaves out of every comparison.
    pub(crate) fn ranks(&self, distance: Distance, drops: &[Vec<usize>], among: &Among) -> Vec<MatchRank> {
        self.prepare(distance);
        map_ordered(self.queries.n, |i| {
            let query = self.query(i, distance, drops);
            let own = query.exact(i);
            let mut sides: Vec<Option<Ordering>> = vec![None; self.references.n_classes()];
            let mut rank = MatchRank { closer: 0, tied: 0, tied_before: 0 };
            let mut count = |j: usize| {
                if j == i {
                    return;
                }
                // Equal references stand on one side, so each is looked at once.
                match *sides[self.references.class(j)].get_or_insert_with(|| query.side(j, own)) {
                    Ordering::Less => rank.closer += 1,
                    Ordering::Equal => {
                        rank.tied += 1;
                        rank.tied_before += usize::from(among.before(j, i));
                    }
                    Ordering::Greater => {}
                }
            };
            match &among.lists {
                None => (0..self.references.n).for_each(&mut count),
                Some(lists) => lists[i].iter().copied().for_each(&mut count),
            }
            rank
        })
    }

    /// Distances of a query to every reference as the matrices give them; equal references are equally far.
    pub(crate) fn distances(&self, i: usize, distance: Distance, drops: &[Vec<usize>]) -> Vec<f64> {
        self.prepare(distance);
        let query = self.query(i, distance, drops);
        let near = |j: usize| match query.rough(j) {
            (near, slack) if slack.is_finite() => near,
            _ => query.exact(j),
        };
        (0..self.references.n).map(near).collect()
    }

    /// Fills the matrix before threads ask for it.
    fn prepare(&self, distance: Distance) {
        self.matrix(distance);
    }

    fn matrix(&self, distance: Distance) -> &Array2<f64> {
        let (left, right) = (&self.pairs.left, &self.pairs.right);
        match distance {
            Distance::L1 => self.pairs.l1.get_or_init(|| l1_matrix(left, right)),
            Distance::L2 | Distance::Cosine | Distance::Correlation => {
                self.pairs.products.get_or_init(|| products(left, right))
            }
        }
    }

    fn query<'q>(&'q self, i: usize, distance: Distance, drops: &'q [Vec<usize>]) -> Query<'q> {
        let drop = drops.get(i).map_or(&[][..], Vec::as_slice);
        let class = self.queries.class(i);
        let matrix = self.matrix(distance);
        let values = if self.flipped { matrix.column(class) } else { matrix.row(class) };
        Query { i, queries: self.queries, references: self.references, drop, distance, values }
    }
}

/// One query against the references. Euclidean distances are compared squared.
struct Query<'a> {
    i: usize,
    queries: &'a Points,
    references: &'a Points,
    drop: &'a [usize],
    distance: Distance,
    /// From the matrix, by class of the reference.
    values: ArrayView1<'a, f64>,
}

impl Query<'_> {
    /// Whether reference `j` is nearer than `own`.
    fn side(&self, j: usize, own: f64) -> Ordering {
        let (near, slack) = self.rough(j);
        // Only a pair too near to call is worth a pass over the genes. (Where the slack is not a number, this is one.)
        let far = if (near - own).abs() > slack { near } else { self.exact(j) };
        far.total_cmp(&own)
    }

    /// The distance by direct summation over the genes in use.
    fn exact(&self, j: usize) -> f64 {
        let (i, a, b) = (self.i, self.queries.row(self.i), self.references.row(j));
        match self.distance {
            Distance::L1 => self.over_kept(a, b, abs_diff),
            Distance::L2 => self.over_kept(a, b, sq_diff),
            Distance::Cosine => {
                if self.queries.zero(i) || self.references.zero(j) {
                    return 1.0;
                }
                let (mut aa, mut bb) = (self.queries.sq(i), self.references.sq(j));
                if !self.drop.is_empty() {
                    (aa, bb) = (self.over_kept(a, a, dot), self.over_kept(b, b, dot));
                }
                cosine_distance(self.over_kept(a, b, dot), aa, bb)
            }
            Distance::Correlation => {
                let (a, b) = (without(a, self.drop), without(b, self.drop));
                let r = pearson_of(&a, &b, self.queries.scale(i), self.references.scale(j));
                (1.0 - r.value().unwrap_or(0.0)).clamp(0.0, 2.0)
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
    fn rough(&self, j: usize) -> (f64, f64) {
        let i = self.i;
        let value = self.values[self.references.class(j)];
        let unit = 4.0 * (self.queries.width + 16) as f64 * f64::EPSILON;
        let (a, b) = (self.queries.row(i), self.references.row(j));
        let left_out = |f: fn(f64, f64) -> f64| self.drop.iter().map(|col| f(a[*col], b[*col])).sum::<f64>();
        match self.distance {
            Distance::L1 => {
                let near = value - left_out(|a, b| (a - b).abs());
                (near, l1_slack(value, self.queries.abs(i) + self.references.abs(j), self.queries.width))
            }
            Distance::L2 => {
                let (aa, bb) = (self.queries.sq(i), self.references.sq(j));
                let near = aa + bb - 2.0 * value - left_out(|a, b| (a - b) * (a - b));
                (near, unit * (aa + bb) + f64::MIN_POSITIVE)
            }
            Distance::Cosine => {
                let (aa, bb) = (self.queries.sq(i), self.references.sq(j));
                let kept_a = aa - left_out(|a, _| a * a);
                let kept_b = bb - left_out(|_, b| b * b);
                if self.queries.zero(i) || self.references.zero(j) || kept_a <= 1e-6 * aa || kept_b <= 1e-6 * bb {
                    return (0.0, f64::INFINITY);
                }
                let near = cosine_distance(value - left_out(|a, b| a * b), kept_a, kept_b);
                (near, unit * (1.0 + aa / kept_a + bb / kept_b))
            }
            Distance::Correlation => {
                let (aa, bb) = (self.queries.sq(i), self.references.sq(j));
                let n = self.queries.width.saturating_sub(self.drop.len()) as f64;
                let sum_a = self.queries.sum(i) - left_out(|a, _| a);
                let sum_b = self.references.sum(j) - left_out(|_, b| b);
                let spread_a = aa - left_out(|a, _| a * a) - sum_a * sum_a / n;
                let spread_b = bb - left_out(|_, b| b * b) - sum_b * sum_b / n;
                // The negation also catches what is not a number.
                if !(n >= 3.0 && spread_a > 1e-6 * aa && spread_b > 1e-6 * bb) {
                    return (0.0, f64::INFINITY);
                }
                let near = cosine_distance(value - left_out(|a, b| a * b) - sum_a * sum_b / n, spread_a, spread_b);
                (near, unit * (1.0 + aa / spread_a + bb / spread_b))
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

/// All inner products of distinct rows, in blocks whose size depends on the shape alone.
fn products(left: &Points, right: &Points) -> Array2<f64> {
    let (a, b) = (left.matrix(), right.matrix());
    blocks(left.n_classes(), right.n_classes(), |rows, cols| {
        let (rows, cols) = (a.slice_axis(Axis(0), rows.into()), b.slice_axis(Axis(0), cols.into()));
        let mut out = Array2::zeros((rows.nrows(), cols.nrows()));
        general_mat_mul(1.0, &rows, &cols.t(), 0.0, &mut out);
        out
    })
}

/// Fills a matrix block by block, in parallel.
pub(super) fn blocks(
    n_rows: usize,
    n_cols: usize,
    work: impl Fn(Range<usize>, Range<usize>) -> Array2<f64> + Sync + Send,
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
