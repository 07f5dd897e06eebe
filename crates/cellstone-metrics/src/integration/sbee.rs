//! sBEE: composition of the neighbourhood and distances between batches, inside labels.

use super::connectivity::check_neighbors;
use super::labels::{Groups, LabelScore, PerLabel, check_embedding, mean_defined, median, same_cells};
use crate::kernels::sq_diff;
use cellstone_core::sum::map_ordered;
use cellstone_core::{KnnGraph, Result, Score, Why};
use ndarray::ArrayView2;

/// How fast the score of the distances falls with their ratio.
const SENSITIVITY: f64 = 0.15;
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
    let values: Vec<f64> = x.iter().copied().collect();
    let input = Input { x: &values, d: x.ncols(), knn, labels: &labels, batches: &batches };
    Ok(PerLabel::mean_of(map_ordered(labels.len(), |at| input.label(at))))
}

struct Input<'a> {
    /// `[n_obs, d]`, row by row.
    x: &'a [f64],
    d: usize,
    knn: &'a KnnGraph,
    labels: &'a Groups,
    batches: &'a Groups,
}

impl Input<'_> {
    fn label(&self, at: usize) -> LabelScore {
        let cells = &self.labels.members[at];
        let mut global = vec![0.0; self.batches.len()];
        cells.iter().for_each(|it| global[self.batches.of[*it] as usize] += 1.0);
        let values = map_ordered(cells.len(), |it| self.cell(cells[it], cells, &global));
        let inside = Groups::among(&self.batches.of, cells);
        let of_batch = |members: &Vec<usize>| {
            let own: Vec<f64> = members.iter().filter_map(|it| values[*it]).collect();
            cellstone_core::sum::mean(&own).map_or(Score::Undefined(Why::TooFewCells), Score::Value)
        };
        let score = mean_defined(&inside.members.iter().map(of_batch).collect::<Vec<_>>());
        LabelScore { label: self.labels.codes[at], n: cells.len(), score }
    }

    fn cell(&self, cell: usize, cells: &[usize], global: &[f64]) -> Option<f64> {
        let composition = 1.0 - jensen_shannon(&self.local(cell, cells.len()), global);
        let distances = (-(1.0 - self.ratio(cell, cells)?.min(1.0)).abs() / SENSITIVITY).exp();
        let sum = composition + distances;
        Some(if sum > 0.0 { 2.0 * composition * distances / sum } else { 0.0 })
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

    /// Median distance to the label inside the batch, over that outside of it.
    // DIVERGES(sbee-undefined-cells): such a cell is left out, it does not count 0.
    fn ratio(&self, cell: usize, cells: &[usize]) -> Option<f64> {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let row = |cell: usize| &self.x[cell * self.d..(cell + 1) * self.d];
        for other in cells.iter().filter(|it| **it != cell) {
            let side = if self.batches.of[*other] == self.batches.of[cell] { &mut inside } else { &mut outside };
            side.push(sq_diff(row(cell), row(*other)).sqrt());
        }
        let own = median(&mut inside).filter(|it| *it > 0.0)?;
        if outside.is_empty() {
            return Some(1.0);
        }
        median(&mut outside).filter(|it| *it > 0.0).map(|it| own / it)
    }
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
