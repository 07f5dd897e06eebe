//! BRAS: the silhouette of batches inside labels, adapted to batch removal.

use super::labels::{Groups, LabelScore, PerLabel, check_embedding, same_cells};
use super::silhouette::{batches_can_be_compared, mixed, silhouette};
use cellstone_core::Result;
use cellstone_core::sum::map_ordered;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// Mean distances below this are rounding of unit vectors: an angle of 1e-14.
const ZERO: f64 = 1e-28;

/// What a cell's own batch is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BrasMode {
    /// The mean distance to all cells of all other batches.
    #[default]
    MeanOther,
    /// The largest of the mean distances to another batch.
    Furthest,
}

/// The result of [`bras`].
#[derive(Debug, Clone, PartialEq)]
pub struct Bras {
    /// The mean over labels, and every label.
    pub scores: PerLabel,
    /// Cells at the origin: they have no direction and were left out.
    pub n_zero_vectors: usize,
}

/// Batch removal adapted silhouette: per label the mean of `1 − |sᵢ|`, then the mean over labels. 1 is mixed.
///
/// `x` is `[n_obs, d]`. `sᵢ = (bᵢ − aᵢ) / max(aᵢ, bᵢ)` with cosine distances `1 − cos`: `aᵢ` is the mean to the other
/// cells of the label in the own batch, `bᵢ` by `mode`. Singletons and 0/0 count 0. Unlike the batch silhouette it does
/// not reward overlap with the nearest batch alone. It does not change with the scale of `x`, but with its origin.
///
/// A mean of cosine distances is linear in the unit vectors, so no pair is visited: `O(n · batches · d)`. Sums are
/// taken around the mean direction of the label, which keeps the digits of cells that point nearly the same way.
///
/// # Undefined
/// As [`silhouette_batch`](super::silhouette_batch).
///
/// # Errors
/// If labels or batches do not fit, or a coordinate is not finite.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::{BrasMode, bras};
/// let x = ndarray::array![[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [1.0, 1.0], [0.7, 0.9]];
/// let value = bras(x.view(), &[0; 6], &[0, 0, 1, 1, 2, 2], BrasMode::MeanOther)?.scores.value.value().unwrap();
/// assert!((value - 0.017_097_554_0).abs() < 5e-11);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Rautenstrauch & Ohler 2025, doi:10.1038/s41587-025-02743-4; YosefLab/scib-metrics
/// `src/scib_metrics/metrics/_silhouette.py`.
pub fn bras(x: ArrayView2<'_, f64>, labels: &[u32], batch: &[u32], mode: BrasMode) -> Result<Bras> {
    check_embedding(x)?;
    same_cells("labels", labels.len(), x.nrows())?;
    same_cells("batches", batch.len(), x.nrows())?;
    let labels = Groups::new(labels);
    let parts = map_ordered(labels.len(), |at| {
        let members = &labels.members[at];
        // DIVERGES(bras-zero-vectors): a cell without a direction is left out and counted.
        let cells: Vec<usize> = members.iter().copied().filter(|it| x.row(*it).iter().any(|v| *v != 0.0)).collect();
        let batches = Groups::among(batch, &cells);
        let score = batches_can_be_compared(&batches, cells.len())
            .unwrap_or_else(|| mixed(&silhouettes(&directions(x, &cells), &batches, mode)));
        (LabelScore { label: labels.codes[at], n: cells.len(), score }, members.len() - cells.len())
    });
    let n_zero_vectors = parts.iter().map(|it| it.1).sum();
    Ok(Bras { scores: PerLabel::mean_of(parts.into_iter().map(|it| it.0).collect()), n_zero_vectors })
}

/// Unit vectors of the cells, minus their mean: `[cells, d]`.
fn directions(x: ArrayView2<'_, f64>, cells: &[usize]) -> Array2<f64> {
    let mut rows = x.select(Axis(0), cells);
    for mut row in rows.rows_mut() {
        // The largest first, so that squares neither overflow nor vanish.
        let largest = row.iter().fold(0.0_f64, |it, v| it.max(v.abs()));
        row /= largest;
        let norm = row.dot(&row).sqrt();
        row /= norm;
    }
    if let Some(mean) = rows.mean_axis(Axis(0)) {
        rows -= &mean;
    }
    rows
}

fn silhouettes(rows: &Array2<f64>, batches: &Groups, mode: BrasMode) -> Vec<f64> {
    let norms = rows.map_axis(Axis(1), |it| it.dot(&it));
    let sizes = batches.sizes();
    let mut sums = Array2::zeros((batches.len(), rows.ncols()));
    let mut norm_sums = vec![0.0; batches.len()];
    for (batch, members) in batches.members.iter().enumerate() {
        for member in members {
            sums.row_mut(batch).scaled_add(1.0, &rows.row(*member));
            norm_sums[batch] += norms[*member];
        }
    }
    // 1 − cos = ‖u − v‖² / 2 for unit vectors, whatever is taken off both.
    let distances = |row: ArrayView1<'_, f64>, norm: f64| -> Vec<f64> {
        let product = sums.dot(&row);
        let of_batch = |it: usize| 0.5 * (sizes[it] * norm + norm_sums[it]) - product[it];
        (0..sizes.len()).map(|it| if of_batch(it) > ZERO * sizes[it] { of_batch(it) } else { 0.0 }).collect()
    };
    let n: f64 = sizes.iter().sum();
    map_ordered(rows.nrows(), |cell| {
        let (own, sums) = (batches.of[cell] as usize, distances(rows.row(cell), norms[cell]));
        let others = sums.iter().zip(&sizes).enumerate().filter(|it| it.0 != own);
        let b = match mode {
            BrasMode::MeanOther => others.map(|it| it.1.0).sum::<f64>() / (n - sizes[own]),
            BrasMode::Furthest => others.map(|(_, (sum, size))| sum / size).fold(0.0, f64::max),
        };
        silhouette(sums[own], sizes[own], b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::{Score, Why};
    use ndarray::array;

    /// By its definition, pair by pair.
    fn naive(x: &Array2<f64>, batch: &[u32], mode: BrasMode) -> Vec<f64> {
        let n = x.nrows();
        let cos =
            |i: usize, j: usize| x.row(i).dot(&x.row(j)) / (x.row(i).dot(&x.row(i)) * x.row(j).dot(&x.row(j))).sqrt();
        let distance = |i: usize, j: usize| (1.0 - cos(i, j)).clamp(0.0, 2.0);
        let mean = |i: usize, keep: &dyn Fn(usize) -> bool| {
            let all: Vec<f64> = (0..n).filter(|j| keep(*j)).map(|j| distance(i, j)).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let of = |i: usize| {
            let a = mean(i, &|j| j != i && batch[j] == batch[i]);
            let b = match mode {
                BrasMode::MeanOther => mean(i, &|j| batch[j] != batch[i]),
                BrasMode::Furthest => {
                    (0..3).filter(|it| *it != batch[i]).map(|it| mean(i, &|j| batch[j] == it)).fold(0.0, f64::max)
                }
            };
            (b - a) / a.max(b)
        };
        (0..n).map(of).collect()
    }

    #[test]
    fn sums_of_directions_equal_pairs() {
        let x = Array2::from_shape_fn((40, 5), |(i, j)| ((i * 7 + j * 13) % 23) as f64 - 9.0 + 0.01 * i as f64);
        let batch: Vec<u32> = (0..40).map(|it| (it * it % 7) as u32 % 3).collect();
        for mode in [BrasMode::MeanOther, BrasMode::Furthest] {
            let cells: Vec<usize> = (0..40).collect();
            let got = silhouettes(&directions(x.view(), &cells), &Groups::new(&batch), mode);
            for (got, want) in got.iter().zip(naive(&x, &batch, mode)) {
                assert!((got - want).abs() < 1e-12, "{mode:?}: {got}, expected {want}");
            }
        }
    }

    #[test]
    fn one_direction_is_mixed_and_the_origin_is_counted() {
        let mut x = Array2::from_shape_fn((9, 3), |(i, j)| (i + 1) as f64 * [0.3, -1.7, 1e3][j]);
        let batch = [0, 0, 0, 0, 1, 1, 1, 1, 0];
        let result = bras(x.view(), &[0; 9], &batch, BrasMode::MeanOther).expect("valid");
        assert_eq!((result.scores.value, result.n_zero_vectors), (Score::Value(1.0), 0));
        x.row_mut(8).fill(0.0);
        let result = bras(x.view(), &[0; 9], &batch, BrasMode::Furthest).expect("valid");
        assert_eq!((result.scores.value, result.n_zero_vectors), (Score::Value(1.0), 1));
        let zeros = array![[0.0, 0.0], [0.0, 0.0]];
        let result = bras(zeros.view(), &[0, 0], &[0, 1], BrasMode::MeanOther).expect("valid");
        assert_eq!((result.scores.value, result.n_zero_vectors), (Score::Undefined(Why::TooFewCells), 2));
    }
}
