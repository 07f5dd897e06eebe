//! The most similar cells of every row, kept while blocks pass by.

use super::block::Block;
use super::cells::{Cells, Task};
use super::options::Similarity;
use crate::wide::{Body, wide};
use cellstone_core::{Error, KnnGraph, Result};
use pulp::Simd;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Values compared at a time before anything branches.
const WIDTH: usize = 8;

/// The most similar cells of every row, most similar first, equal ones by lower index; the row itself is left out.
///
/// Rows may have fewer than `k`: those without a similarity have none.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborLists {
    k: usize,
    similarity: Option<Similarity>,
    starts: Vec<usize>,
    indices: Vec<u32>,
    similarities: Vec<f64>,
}

impl NeighborLists {
    /// The neighbours of a graph, without the cells themselves; similarities are negative distances.
    pub fn from_graph(graph: &KnnGraph) -> Self {
        let n = graph.n_obs();
        let skip = usize::from(graph.includes_self());
        let k = graph.k() - skip;
        let (mut indices, mut similarities) = (Vec::with_capacity(n * k), Vec::with_capacity(n * k));
        for row in 0..n {
            let (near, distances) = graph.neighbors(row);
            indices.extend_from_slice(&near[skip..]);
            similarities.extend(distances[skip..].iter().map(|it| -it));
        }
        Self { k, similarity: None, starts: (0..=n).map(|it| it * k).collect(), indices, similarities }
    }

    /// The largest number of neighbours of a row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Number of rows.
    pub fn n_obs(&self) -> usize {
        self.starts.len() - 1
    }

    /// Neighbours of a row and their similarities, falling.
    pub fn neighbors(&self, row: usize) -> (&[u32], &[f64]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.indices[range.clone()], &self.similarities[range])
    }

    /// The first `k` neighbours of every row as a graph of distances: `1 − similarity`, or the distance itself for
    /// Euclidean similarities.
    ///
    /// # Errors
    /// If a row has fewer than `k` neighbours.
    pub fn to_graph(&self, k: usize) -> Result<KnnGraph> {
        let offset = match self.similarity {
            Some(Similarity::Cosine | Similarity::Pearson | Similarity::Spearman) => 1.0,
            Some(Similarity::Euclidean) | None => 0.0,
        };
        let n = self.n_obs();
        let (mut indices, mut distances) = (Vec::with_capacity(n * k), Vec::with_capacity(n * k));
        for row in 0..n {
            let (near, similarities) = self.neighbors(row);
            if near.len() < k {
                return Err(Error::invalid_input(format!("row {row} has {} neighbours, expected {k}", near.len()))
                    .with_hint("take a smaller k, or drop constant rows first"));
            }
            indices.extend_from_slice(&near[..k]);
            distances.extend(similarities[..k].iter().map(|it| (offset - it).max(0.0)));
        }
        KnnGraph::new(k, indices, distances)
    }
}

/// The best candidates of one row so far.
#[derive(Debug, Clone)]
struct Best {
    /// Values below this are not among the best.
    threshold: f32,
    kept: Vec<(f32, u32)>,
}

impl Best {
    fn new() -> Self {
        Self { threshold: f32::NEG_INFINITY, kept: Vec::new() }
    }

    /// Takes a candidate whose value reaches the threshold; returns the threshold from now on.
    fn offer(&mut self, k: usize, value: f32, row: u32) -> f32 {
        // Adding 0 makes −0 a 0, so that both are equal in the order below.
        self.kept.push((value + 0.0, row));
        if self.kept.len() >= 2 * k + 16 {
            self.prune(k);
        }
        self.threshold
    }

    fn prune(&mut self, k: usize) {
        if self.kept.len() >= k {
            self.kept.select_nth_unstable_by(k - 1, |a, b| better(*a, *b));
            self.kept.truncate(k);
            self.threshold = self.threshold.max(self.kept[k - 1].0);
        }
    }
}

/// More similar first, then the lower row: no two candidates are equal, so the best `k` do not depend on their order.
// DIVERGES(pair-neighbor-ties)
fn better(a: (f32, u32), b: (f32, u32)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// The lists that all threads fill.
pub(super) struct Lists {
    k: usize,
    best: Vec<Mutex<Best>>,
}

impl Lists {
    /// Lists for `n` positions.
    pub(super) fn new(n: usize, k: usize) -> Self {
        Self { k, best: (0..n).map(|_| Mutex::new(Best::new())).collect() }
    }

    /// Memory of full lists.
    pub(super) fn bytes(n: usize, k: usize) -> u64 {
        (n * (2 * k + 24) * 8) as u64
    }

    /// By row instead of position, sorted; similarities are values times `unit`.
    pub(super) fn finish(self, cells: &Cells, similarity: Similarity, unit: f64) -> NeighborLists {
        let mut by_row: Vec<Vec<(f32, u32)>> = vec![Vec::new(); cells.n_rows];
        for (best, row) in self.best.into_iter().zip(&cells.order) {
            let mut kept = best.into_inner().unwrap_or_else(PoisonError::into_inner).kept;
            kept.sort_unstable_by(|a, b| better(*a, *b));
            kept.truncate(self.k);
            by_row[*row as usize] = kept;
        }
        let mut starts = vec![0];
        let (mut indices, mut similarities) = (Vec::new(), Vec::new());
        for kept in by_row {
            indices.extend(kept.iter().map(|it| it.1));
            similarities.extend(kept.iter().map(|it| f64::from(it.0) * unit));
            starts.push(indices.len());
        }
        NeighborLists { k: self.k, similarity: Some(similarity), starts, indices, similarities }
    }
}

/// What one thread has found in the current block, for both sides of its pairs.
pub(super) struct LocalLists<'a> {
    lists: &'a Lists,
    order: &'a [u32],
    task: Task,
    rows: Side,
    cols: Side,
}

#[derive(Default)]
struct Side {
    best: Vec<Best>,
    /// The same as in `best`, next to each other.
    thresholds: Vec<f32>,
}

impl<'a> LocalLists<'a> {
    pub(super) fn new(lists: &'a Lists, cells: &'a Cells) -> Self {
        let task = Task { rows: 0..0, cols: 0..0 };
        Self { lists, order: &cells.order, task, rows: Side::default(), cols: Side::default() }
    }

    /// Begins a block: nothing found yet, and what all threads know is the bar.
    pub(super) fn begin(&mut self, task: &Task) {
        self.task.clone_from(task);
        self.rows.begin(&self.lists.best[task.rows.clone()]);
        self.cols.begin(&self.lists.best[task.cols.clone()]);
    }

    /// Looks at the pairs of two ranges of positions.
    pub(super) fn scan(&mut self, block: &Block<'_>, rows: &Range<usize>, cols: &Range<usize>) {
        wide(Scan { block, rows, cols, local: self });
    }

    /// Ends a block: hands over what was found.
    pub(super) fn end(&mut self) {
        let k = self.lists.k;
        self.rows.hand_over(k, &self.lists.best[self.task.rows.clone()]);
        self.cols.hand_over(k, &self.lists.best[self.task.cols.clone()]);
    }

    /// Offers the pairs of `row` with the `WIDTH` or fewer positions from `col` on to both sides.
    #[inline(never)]
    fn take(&mut self, row: usize, col: usize, values: &[f32]) {
        let k = self.lists.k;
        let own = row - self.task.rows.start;
        for (at, value) in values.iter().enumerate() {
            let other = col + at - self.task.cols.start;
            if *value >= self.rows.thresholds[own] {
                self.rows.thresholds[own] = self.rows.best[own].offer(k, *value, self.order[col + at]);
            }
            if *value >= self.cols.thresholds[other] {
                self.cols.thresholds[other] = self.cols.best[other].offer(k, *value, self.order[row]);
            }
        }
    }
}

impl Side {
    fn begin(&mut self, all: &[Mutex<Best>]) {
        self.best.resize_with(all.len().max(self.best.len()), Best::new);
        self.thresholds.clear();
        for (best, all) in self.best.iter_mut().zip(all) {
            best.kept.clear();
            best.threshold = all.lock().unwrap_or_else(PoisonError::into_inner).threshold;
            self.thresholds.push(best.threshold);
        }
    }

    fn hand_over(&mut self, k: usize, all: &[Mutex<Best>]) {
        for (best, all) in self.best.iter_mut().zip(all).filter(|it| !it.0.kept.is_empty()) {
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            for (value, row) in best.kept.drain(..) {
                if value >= all.threshold {
                    all.offer(k, value, row);
                }
            }
            all.prune(k);
        }
    }
}

struct Scan<'a, 'b> {
    block: &'a Block<'a>,
    rows: &'a Range<usize>,
    cols: &'a Range<usize>,
    local: &'a mut LocalLists<'b>,
}

impl Body for Scan<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let local = self.local;
        for row in self.rows.clone() {
            let (first, values) = self.block.after(row, self.cols);
            let (chunks, rest) = values.as_chunks::<WIDTH>();
            let mut col = first;
            for chunk in chunks {
                let own = local.rows.thresholds[row - local.task.rows.start];
                let at = col - local.task.cols.start;
                let mut hits = 0_u32;
                for (value, other) in chunk.iter().zip(&local.cols.thresholds[at..at + WIDTH]) {
                    hits |= u32::from(*value >= own) | u32::from(*value >= *other);
                }
                if hits != 0 {
                    local.take(row, col, chunk);
                }
                col += WIDTH;
            }
            local.take(row, col, rest);
        }
    }
}
