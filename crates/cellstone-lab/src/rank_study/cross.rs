//! Similarities of some cells to some others, a dense block at a time: for queries, where pairs of all are too many.

use super::config::PairMetric;
use super::encode::CellRows;
use cellstone_prep::matmul;
use cellstone_rank::average_ranks;
use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

/// Rows made ready for products.
pub(crate) struct Ready {
    /// For correlations and cosine at length 1; as they are for distances.
    rows: Array2<f32>,
    /// Squared lengths, for distances.
    squares: Array1<f64>,
    /// Whether each row has a direction; always for distances.
    defined: Vec<bool>,
    metric: PairMetric,
}

impl Ready {
    /// Makes some rows ready for a metric that takes all pairs.
    pub(crate) fn new(rows: &CellRows, which: &[usize], metric: PairMetric) -> Self {
        let mut dense = rows.dense(which);
        let defined: Vec<bool> = dense
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .map(|mut row| {
                if metric == PairMetric::Euclidean {
                    return true;
                }
                if metric == PairMetric::Spearman {
                    let values: Vec<f64> = row.iter().map(|it| f64::from(*it)).collect();
                    let ranks = average_ranks(&values);
                    row.iter_mut().zip(ranks).for_each(|(slot, it)| *slot = it as f32);
                }
                let n = row.len() as f64;
                let sum: f64 = row.iter().map(|it| f64::from(*it)).sum();
                let mean = if metric == PairMetric::Cosine { 0.0 } else { sum / n };
                let length = row.iter().map(|it| (f64::from(*it) - mean).powi(2)).sum::<f64>().sqrt();
                let size = row.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
                let defined = length > 1e-6 * size;
                let scale = if defined { 1.0 / length } else { 0.0 };
                row.mapv_inplace(|it| ((f64::from(it) - mean) * scale) as f32);
                defined
            })
            .collect();
        let squares = dense.rows().into_iter().map(|it| it.iter().map(|v| f64::from(*v).powi(2)).sum()).collect();
        Self { rows: dense, squares, defined, metric }
    }

    /// The similarity of each of these rows to each of the others, `[self, others]`; −∞ where one has none.
    pub(crate) fn against(&self, others: &Self) -> Array2<f32> {
        let mut block = matmul(&self.rows.view(), &others.rows.t());
        for (at, mut row) in block.axis_iter_mut(Axis(0)).enumerate() {
            for (other, value) in row.iter_mut().enumerate() {
                if !self.defined[at] || !others.defined[other] {
                    *value = f32::NEG_INFINITY;
                } else if self.metric == PairMetric::Euclidean {
                    let square = self.squares[at] + others.squares[other] - 2.0 * f64::from(*value);
                    *value = -(square.max(0.0).sqrt() as f32);
                }
            }
        }
        block
    }
}

/// The `k` largest of the values that are not left out, largest first, ties by place; −∞ is no value.
pub(crate) fn top(values: &[f32], k: usize, left_out: Option<usize>) -> Vec<u32> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    for (at, value) in values.iter().enumerate() {
        let last = best.get(k - 1).map_or(f32::NEG_INFINITY, |it| it.0);
        if Some(at) == left_out || *value <= last {
            continue;
        }
        // Equal values stay behind earlier ones, so that lower places come first.
        let place = best.partition_point(|it| it.0 >= *value);
        best.insert(place, (*value, at as u32));
        best.truncate(k);
    }
    best.into_iter().map(|it| it.1).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sampled::{PairOptions, score};
    use super::*;
    use ndarray::array;

    #[test]
    fn blocks_hold_the_similarity_of_every_pair() {
        let rows = CellRows::Dense(array![
            [0.0_f32, 2.0, 0.0, 1.0, 5.0],
            [1.0, 0.0, 0.0, 3.0, 4.0],
            [2.0, 2.0, 2.0, 2.0, 2.0],
            [4.0, 1.0, 0.0, 0.0, 0.5]
        ]);
        let options = PairOptions { rbo_p: 0.9, top_k: 2 };
        for name in ["euclidean", "cosine", "pearson", "spearman"] {
            let metric: PairMetric = name.parse().expect("a name");
            let block = Ready::new(&rows, &[0, 2], metric).against(&Ready::new(&rows, &[1, 3], metric));
            let want = score(&rows, metric, &[(0, 1), (0, 3), (2, 1), (2, 3)], options).expect("scored");
            for (found, want) in block.iter().zip(want) {
                match want {
                    Some(want) => assert!((f64::from(*found) - want).abs() < 1e-5, "{name}: {found} {want}"),
                    None => assert_eq!(*found, f32::NEG_INFINITY, "{name}"),
                }
            }
        }
    }

    #[test]
    fn the_largest_come_first_and_ties_by_place() {
        let values = [0.5, 0.9, f32::NEG_INFINITY, 0.9, 0.1];
        assert_eq!(top(&values, 3, None), [1, 3, 0]);
        assert_eq!(top(&values, 2, Some(1)), [3, 0]);
        assert_eq!(top(&values, 9, None), [1, 3, 0, 4]);
    }
}
