//! Errors of one predicted profile against one observed profile.

use crate::kernels::{abs_diff, same_len, slice_of, sq_diff, sum1, sum2, sum3};
use cellstone_core::{Score, Why};
use ndarray::ArrayView1;

/// A finite value, or the reason that an input was not finite.
pub(crate) fn finite(value: f64) -> Score {
    Score::finite_or(value, Why::NotFinite)
}

/// A function of two non-empty slices.
fn on_genes(
    what: &str,
    pred: ArrayView1<'_, f64>,
    truth: ArrayView1<'_, f64>,
    f: fn(&[f64], &[f64]) -> Score,
) -> Score {
    same_len(what, pred.len(), truth.len());
    f(&slice_of(&pred), &slice_of(&truth))
}

/// Measures the Euclidean distance of two profiles.
///
/// `√Σ_g (ŷ_g − y_g)²`; both `[n_vars]` on one scale, in profile units. The control drops out, so the value is the same on
/// profiles and on deltas that share a control. It grows with the number of genes: state the gene set.
///
/// # Undefined
/// [`Why::TooFewGenes`] without genes; [`Why::NotFinite`] if an input is not finite.
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::l2(array![1.5, 2.5, 3.0, 3.0].view(), array![2.0, 2.0, 3.0, 3.0].view());
/// assert!((score.value().unwrap() - 0.707_106_8).abs() < 1e-7);
/// ```
/// # References
/// Ahlmann-Eltze et al. 2025, doi:10.1038/s41592-025-02772-6.
pub fn l2(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>) -> Score {
    on_genes("l2", pred, truth, l2_of)
}

pub(crate) fn l2_of(pred: &[f64], truth: &[f64]) -> Score {
    map(sq_norm_of(pred, truth), f64::sqrt)
}

/// Measures the squared Euclidean distance of two profiles, `Σ_g (ŷ_g − y_g)²`.
///
/// Shapes and undefined cases as for [`l2`]. Some evaluations call this "mse".
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::sq_norm(array![1.5, 2.5, 3.0, 3.0].view(), array![2.0, 2.0, 3.0, 3.0].view());
/// assert_eq!(score.value(), Some(0.5));
/// ```
/// # References
/// `ekernf01/pereggrn pereggrn/evaluator.py`.
pub fn sq_norm(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>) -> Score {
    on_genes("sq_norm", pred, truth, sq_norm_of)
}

pub(crate) fn sq_norm_of(pred: &[f64], truth: &[f64]) -> Score {
    if pred.is_empty() { Score::Undefined(Why::TooFewGenes) } else { finite(sq_diff(pred, truth)) }
}

/// Averages the squared differences of two profiles, `(1/G) Σ_g (ŷ_g − y_g)²`.
///
/// Shapes and undefined cases as for [`l2`].
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::mse(array![1.5, 2.5, 3.0, 3.0].view(), array![2.0, 2.0, 3.0, 3.0].view());
/// assert_eq!(score.value(), Some(0.125));
/// ```
/// # References
/// `ArcInstitute/cell-eval src/cell_eval/metrics/_anndata.py` (0.8.2); golden test `cell_eval_ids_equal_the_package`.
pub fn mse(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>) -> Score {
    on_genes("mse", pred, truth, mse_of)
}

pub(crate) fn mse_of(pred: &[f64], truth: &[f64]) -> Score {
    map(sq_norm_of(pred, truth), |it| it / pred.len() as f64)
}

/// Takes the root of the mean squared difference, `√((1/G) Σ_g (ŷ_g − y_g)²)`.
///
/// The mean of this over conditions is not the root of the mean [`mse`]: never convert after averaging.
/// Shapes and undefined cases as for [`l2`].
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::rmse(array![1.5, 2.5, 3.0, 3.0].view(), array![2.0, 2.0, 3.0, 3.0].view());
/// assert!((score.value().unwrap() - 0.353_553_4).abs() < 1e-7);
/// ```
/// # References
/// `altoslabs/perturbench src/perturbench/analysis/benchmarks/metrics.py`.
pub fn rmse(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>) -> Score {
    on_genes("rmse", pred, truth, rmse_of)
}

pub(crate) fn rmse_of(pred: &[f64], truth: &[f64]) -> Score {
    map(mse_of(pred, truth), f64::sqrt)
}

/// Averages the absolute differences of two profiles, `(1/G) Σ_g |ŷ_g − y_g|`.
///
/// Shapes and undefined cases as for [`l2`].
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::mae(array![1.5, 2.5, 3.0, 3.0].view(), array![2.0, 2.0, 3.0, 3.0].view());
/// assert_eq!(score.value(), Some(0.25));
/// ```
/// # References
/// `ArcInstitute/cell-eval src/cell_eval/metrics/_anndata.py` (0.8.2); golden test `cell_eval_ids_equal_the_package`.
pub fn mae(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>) -> Score {
    on_genes("mae", pred, truth, mae_of)
}

pub(crate) fn mae_of(pred: &[f64], truth: &[f64]) -> Score {
    if pred.is_empty() {
        return Score::Undefined(Why::TooFewGenes);
    }
    finite(abs_diff(pred, truth) / pred.len() as f64)
}

/// Averages the squared differences with a weight per gene, `Σ w(ŷ − y)² / Σ w`.
///
/// All three are `[n_vars]`; weights are not negative, [`wmse_weights`] makes the published ones.
///
/// # Undefined
/// [`Why::ZeroWeights`] if `Σ w = 0`; else as for [`l2`].
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let (pred, truth) = (array![1.5, 2.5, 3.0, 3.0], array![2.0, 2.0, 3.0, 3.0]);
/// let score = cellstone_metrics::wmse(pred.view(), truth.view(), array![1.0, 0.0, 0.0, 0.0].view());
/// assert_eq!(score.value(), Some(0.25));
/// ```
/// # References
/// Miller et al. 2025, doi:10.1101/2025.10.20.683304.
pub fn wmse(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>, weights: ArrayView1<'_, f64>) -> Score {
    same_len("wmse", pred.len(), truth.len());
    same_len("wmse", pred.len(), weights.len());
    wmse_of(&slice_of(&pred), &slice_of(&truth), &slice_of(&weights))
}

pub(crate) fn wmse_of(pred: &[f64], truth: &[f64], weights: &[f64]) -> Score {
    if pred.is_empty() {
        return Score::Undefined(Why::TooFewGenes);
    }
    let total = sum1(weights, |w| w);
    if total == 0.0 {
        return Score::Undefined(Why::ZeroWeights);
    }
    finite(sum3(pred, truth, weights, |p, t, w| w * (p - t) * (p - t)) / total)
}

/// Turns the test statistic of every gene into its weight for [`wmse`].
///
/// `w_g = ((|t_g| − min|t|) / (max|t| − min|t|))²`, where `t` compares the condition with all other cells by a t-test with
/// overestimated variance. `None` if `|t|` is constant, empty or not finite.
///
/// # Examples
/// ```
/// use ndarray::array;
/// assert_eq!(cellstone_metrics::wmse_weights(array![1.0, -3.0, 2.0].view()), Some(vec![0.0, 1.0, 0.25]));
/// assert_eq!(cellstone_metrics::wmse_weights(array![1.0, -1.0].view()), None);
/// ```
/// # References
/// Miller et al. 2025, doi:10.1101/2025.10.20.683304 (`cellsimbench/core/data_manager.py`).
pub fn wmse_weights(statistic: ArrayView1<'_, f64>) -> Option<Vec<f64>> {
    let low = statistic.iter().fold(f64::INFINITY, |low, it| low.min(it.abs()));
    let high = statistic.iter().fold(f64::NEG_INFINITY, |high, it| high.max(it.abs()));
    let room = high - low;
    (room.is_finite() && room > 0.0 && statistic.iter().all(|it| it.is_finite()))
        .then(|| statistic.iter().map(|it| ((it.abs() - low) / room).powi(2)).collect())
}

/// The relative length `‖pred − truth‖ / ‖reference − truth‖`; undefined where the reference is exact.
pub(crate) fn l2_ratio_of(pred: &[f64], truth: &[f64], reference: &[f64]) -> Score {
    if pred.is_empty() {
        return Score::Undefined(Why::TooFewGenes);
    }
    let base = sq_diff(reference, truth);
    // A reference equal to the truth up to rounding leaves nothing to compare with.
    if base <= NEGLIGIBLE * NEGLIGIBLE * sum2(reference, truth, |r, t| r * r + t * t) {
        return Score::Undefined(Why::ZeroDenominator);
    }
    finite((sq_diff(pred, truth) / base).sqrt())
}

/// Differences below this share of what they were computed from are rounding, not signal.
// DIVERGES(undefined-is-not-a-number)
pub(crate) const NEGLIGIBLE: f64 = 1e-12;

fn map(score: Score, f: impl Fn(f64) -> f64) -> Score {
    match score {
        Score::Value(it) => Score::Value(f(it)),
        undefined @ Score::Undefined(_) => undefined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[test]
    fn nothing_is_undefined_and_nan_does_not_leave() {
        let none = Array1::<f64>::zeros(0);
        for f in [l2, mse, rmse, mae, sq_norm] {
            assert_eq!(f(none.view(), none.view()), Score::Undefined(Why::TooFewGenes));
            assert_eq!(f(array![f64::NAN].view(), array![0.0].view()), Score::Undefined(Why::NotFinite));
            assert_eq!(f(array![3.0].view(), array![3.0].view()), Score::Value(0.0));
        }
    }

    #[test]
    fn weights_decide() {
        let (pred, truth) = (array![1.0, 5.0], array![0.0, 0.0]);
        assert_eq!(wmse(pred.view(), truth.view(), array![3.0, 0.0].view()), Score::Value(1.0));
        assert_eq!(wmse(pred.view(), truth.view(), array![0.0, 0.0].view()), Score::Undefined(Why::ZeroWeights));
        assert_eq!(wmse(pred.view(), truth.view(), array![1.0, 1.0].view()), mse(pred.view(), truth.view()));
    }

    #[test]
    fn a_ratio_needs_a_reference_that_errs() {
        assert_eq!(l2_ratio_of(&[1.0], &[0.0], &[2.0]), Score::Value(0.5));
        assert_eq!(l2_ratio_of(&[1.0], &[0.3], &[0.1 + 0.2]), Score::Undefined(Why::ZeroDenominator));
    }
}
