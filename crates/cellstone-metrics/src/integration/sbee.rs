//! sBEE: composition of the neighbourhood and distances between batches, inside labels.

use super::connectivity::check_neighbors;
use super::labels::{Groups, LabelScore, PerLabel, check_embedding, mean_defined, same_cells};
use super::pairs::Sorted;
use cellstone_core::sum::map_ordered;
use cellstone_core::{KnnGraph, Result, Score, Why};
use ndarray::ArrayView2;
use std::ops::Range;

/// How fast the score of the distances falls with their ratio.
const SENSITIVITY: f64 = 0.15;
/// Rows whose distances are computed together.
const ROWS: usize = 64;
/// Smallest count of a batch, so that shares have logarithms.
const SMALLEST: f64 = 1e-10;

/// Single-cell batch effect evaluator, in `[0, 1]`; 1 is mixed.
///
/// `knn` should hold the cell itself, which is counted once in any case. Per cell: `j = 1 − JS₂(local, global)`, local
/// counts of batches among the cells of its label in the first `min(k, n_label)` neighbours, global those of the label,
/// square-root Jensen–Shannon distance to base 2; `q = exp(−|1 − min(r, 1)| / 0.15)`, r the median distance to its label
/// in its batch over that to its label in other batches (1 in a label with one batch); their harmonic mean. Then means
/// over the cells of each label and batch, over batches, over labels. In no total. `O(Σ n_label² d)`.
///
/// # Undefined
/// [`Why::TooFewCells`] for a label none of whose cells has a ratio: it has none if either median is 0 or of nothing.
/// Cells without one are left out of the means; scib-metrics counts them 0.
///
/// # Errors
/// If shapes do not fit or a coordinate is not finite.
///
/// # References
/// YosefLab/scib-metrics `src/scib_metrics/metrics/_sbee.py`.
pub fn sbee(x: ArrayView2<'_, f64>, knn: &KnnGraph, labels: &[u32], batch: &[u32]) -> Result<PerLabel> {
    check_embedding(x)?;
    check_neighbors(knn)?;
    for (what, got) in [("labels", labels.len()), ("batches", batch.len()), ("lists of neighbours", knn.n_obs())] {
        same_cells(what, got, x.nrows())?;
    }
    let (labels, batches) = (Groups::new(labels), Groups::new(batch));
    let input = Input { x, knn, labels: &labels, batches: &batches };
    Ok(PerLabel::mean_of(map_ordered(labels.len(), |at| input.label(at))))
}

struct Input<'a> {
    x: ArrayView2<'a, f64>,
    knn: &'a KnnGraph,
    labels: &'a Groups,
    batches: &'a Groups,
}

impl Input<'_> {
    fn label(&self, at: usize) -> LabelScore {
        // By batch, so that the distances inside a batch are a run.
        let mut cells = self.labels.members[at].clone();
        cells.sort_by_key(|it| self.batches.of[*it]);
        let mut global = vec![0.0; self.batches.len()];
        cells.iter().for_each(|it| global[self.batches.of[*it] as usize] += 1.0);
        let (rows, _) = Sorted::new(self.x, &cells, self.batches);
        let mut runs: Vec<Range<usize>> = Vec::with_capacity(cells.len());
        for run in cells.chunk_by(|a, b| self.batches.of[*a] == self.batches.of[*b]) {
            let start = runs.len();
            runs.resize(start + run.len(), start..start + run.len());
        }
        let blocks = map_ordered(cells.len().div_ceil(ROWS), |block| {
            let range = block * ROWS..cells.len().min((block + 1) * ROWS);
            let lines = rows.squares(range.clone());
            let value = |(at, line): (usize, &[f64])| {
                Some(self.cell(cells[at], cells.len(), &global, ratio(at, &runs[at], line)?))
            };
            range.zip(lines.chunks(cells.len())).map(value).collect::<Vec<Option<f64>>>()
        });
        let values = blocks.concat();
        let mut batches = Vec::new();
        for run in runs.chunk_by(|a, b| a == b) {
            let own: Vec<f64> = values[run[0].clone()].iter().filter_map(|it| *it).collect();
            let mean = cellstone_core::sum::mean(&own);
            batches.push(mean.map_or(Score::Undefined(Why::TooFewCells), Score::Value));
        }
        LabelScore { label: self.labels.codes[at], n: cells.len(), score: mean_defined(&batches) }
    }

    fn cell(&self, cell: usize, n_label: usize, global: &[f64], ratio: f64) -> f64 {
        let composition = 1.0 - jensen_shannon(&self.local(cell, n_label), global);
        let distances = (-(1.0 - ratio.min(1.0)).abs() / SENSITIVITY).exp();
        let sum = composition + distances;
        if sum > 0.0 { 2.0 * composition * distances / sum } else { 0.0 }
    }

    /// Batches of the nearest cells that have the label, the cell itself first.
    fn local(&self, cell: usize, n_label: usize) -> Vec<f64> {
        let others = &self.knn.neighbors(cell).0[usize::from(self.knn.includes_self())..];
        let own = self.labels.of[cell];
        let near = std::iter::once(cell).chain(others.iter().map(|it| *it as usize)).take(n_label);
        let mut counts = vec![0.0; self.batches.len()];
        near.filter(|it| self.labels.of[*it] == own).for_each(|it| counts[self.batches.of[it] as usize] += 1.0);
        counts
    }
}

/// Median distance to the own batch, which is the run of the line, over that to the others; from squared distances.
// DIVERGES(sbee-undefined-cells): a cell without one is left out, it does not count 0.
fn ratio(at: usize, run: &Range<usize>, line: &[f64]) -> Option<f64> {
    let own = median_root(&line[run.start..at], &line[at + 1..run.end])?;
    if run.len() == line.len() {
        return Some(1.0);
    }
    median_root(&line[..run.start], &line[run.end..]).map(|it| own / it)
}

/// Median of the roots of two lists of squares together; `None` if it is 0 or of nothing.
fn median_root(a: &[f64], b: &[f64]) -> Option<f64> {
    // Numbers that are not negative have the order of their bits, which is faster to compare.
    let mut squares: Vec<u64> = a.iter().chain(b).map(|it| it.to_bits()).collect();
    let half = squares.len() / 2;
    if squares.is_empty() {
        return None;
    }
    let odd = squares.len() % 2 == 1;
    let (below, upper, _) = squares.select_nth_unstable(half);
    let lower = if odd { *upper } else { below.iter().copied().max().unwrap_or(*upper) };
    let median = f64::midpoint(f64::from_bits(lower).sqrt(), f64::from_bits(*upper).sqrt());
    (median > 0.0).then_some(median)
}

/// Square root of the Jensen–Shannon divergence of two lists of counts, to base 2.
fn jensen_shannon(a: &[f64], b: &[f64]) -> f64 {
    let shares = |counts: &[f64]| {
        let cut: Vec<f64> = counts.iter().map(|it| it.max(SMALLEST)).collect();
        let total: f64 = cut.iter().sum();
        cut.into_iter().map(|it| it / total).collect::<Vec<_>>()
    };
    let term = |(a, b): (&f64, &f64)| a * (2.0 * a / (a + b)).log2() + b * (2.0 * b / (a + b)).log2();
    (0.5 * shares(a).iter().zip(&shares(b)).map(term).sum::<f64>()).max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn divergence_of_shares() {
        assert!(jensen_shannon(&[2.0, 2.0], &[5.0, 5.0]) < 1e-9);
        assert!((jensen_shannon(&[3.0, 0.0], &[0.0, 1.0]) - 1.0).abs() < 1e-8);
        // 1/2 (3/4 log2(6/5) + 1/4 log2(2/3)) + 1/2 (1/2 log2(4/5) + 1/2 log2(4/3)), by hand: 0.0487949.
        assert!((jensen_shannon(&[3.0, 1.0], &[1.0, 1.0]).powi(2) - 0.048_794_94).abs() < 1e-7);
    }

    #[test]
    fn cells_without_a_ratio_are_left_out() {
        let x = array![[0.0], [1.0], [2.0], [9.0], [9.0]];
        let knn = KnnGraph::with_self(2, vec![0, 1, 1, 0, 2, 1, 3, 4, 4, 3], vec![0.0; 10]).expect("valid");
        // Label 0: batches 0, 0, 1; cell 2 is alone in its batch. Label 1: two cells at one place.
        let result = sbee(x.view(), &knn, &[0, 0, 0, 1, 1], &[0, 0, 1, 0, 1]).expect("valid");
        assert_eq!(result.per_label[1].score, Score::Undefined(Why::TooFewCells));
        let by_hand = |own: f64, other: f64| {
            let j = 1.0 - jensen_shannon(&[2.0, 0.0], &[2.0, 1.0]);
            let q = (-(1.0 - (own / other).min(1.0)) / 0.15).exp();
            2.0 * j * q / (j + q)
        };
        let want = 0.5 * (by_hand(1.0, 2.0) + by_hand(1.0, 1.0));
        let got = result.value.value().expect("label 0");
        assert!((got - want).abs() < 1e-12, "{got}, expected {want}");
    }
}
