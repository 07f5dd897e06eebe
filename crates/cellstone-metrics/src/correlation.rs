//! Agreement of two vectors whatever their length: correlations, cosine, explained variance.

use crate::errors::{NEGLIGIBLE, finite};
use crate::kernels::{dot, same_len, slice_of, sum, sum_sq, sum1, sum2, sum3};
use crate::stats::midranks;
use cellstone_core::{Score, Why};
use ndarray::ArrayView1;

/// Correlates two vectors across genes.
///
/// `Σ(x−x̄)(y−ȳ) / √(Σ(x−x̄)² Σ(y−ȳ)²)`; both `[n_vars]`. On raw profiles the value is about 0.99 for every method, no
/// change included: use [`pearson_delta`] to rank.
///
/// # Undefined
/// [`Why::TooFewGenes`] below 3 genes; [`Why::ConstantVector`] if either vector is constant up to rounding;
/// [`Why::NotFinite`] if an input is not finite.
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::pearson(array![1.0, 2.0, 3.0].view(), array![1.0, 2.0, 4.0].view());
/// assert!((score.value().unwrap() - 0.981_980_506).abs() < 1e-9);
/// ```
/// # References
/// Ahlmann-Eltze et al. 2025, doi:10.1038/s41592-025-02772-6 (there under the name `r2`).
pub fn pearson(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Score {
    same_len("pearson", x.len(), y.len());
    pearson_of(&slice_of(&x), &slice_of(&y), 0.0, 0.0)
}

/// Correlates the predicted with the observed shift from control, across genes.
///
/// [`pearson`] of `ŷ − y_0` and `y − y_0`, both `[n_vars]` on the log1p scale in one gene order; the control is that of
/// the same context. Averaging over perturbations is the caller's job.
///
/// # Undefined
/// As for [`pearson`]: a prediction of no change has no correlation.
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let control = array![1.0, 2.0, 3.0, 4.0];
/// let (pred, truth) = (array![1.5, 2.5, 3.0, 3.0] - &control, array![2.0, 2.0, 3.0, 3.0] - &control);
/// let score = cellstone_metrics::pearson_delta(pred.view(), truth.view());
/// assert!((score.value().unwrap() - 0.866_025_4).abs() < 1e-7);
/// ```
/// # Example: a prediction of "no change" has no correlation
/// ```
/// # use cellstone_metrics::{Score, Why, pearson_delta}; use ndarray::array;
/// let score = pearson_delta(array![0.0, 0.0, 0.0].view(), array![1.0, 2.0, 4.0].view());
/// assert_eq!(score, Score::Undefined(Why::ConstantVector));
/// ```
/// # References
/// `ArcInstitute/cell-eval src/cell_eval/metrics/_anndata.py` (0.8.2); golden test `cell_eval_ids_equal_the_package`.
pub fn pearson_delta(pred_delta: ArrayView1<'_, f64>, true_delta: ArrayView1<'_, f64>) -> Score {
    pearson(pred_delta, true_delta)
}

/// Correlates the ranks of two vectors; tied values share the mean of their ranks.
///
/// Shapes and undefined cases as for [`pearson`].
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::spearman(array![0.1, 0.2, 9.0].view(), array![1.0, 5.0, 6.0].view());
/// assert_eq!(score.value(), Some(1.0));
/// ```
/// # References
/// Spearman 1904, doi:10.2307/1412159.
pub fn spearman(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Score {
    same_len("spearman", x.len(), y.len());
    spearman_of(&slice_of(&x), &slice_of(&y), 0.0, 0.0)
}

/// Measures the cosine of the angle between two vectors, `⟨x, y⟩ / (‖x‖ ‖y‖)`.
///
/// # Undefined
/// [`Why::TooFewGenes`] without genes; [`Why::ZeroVector`] if either vector is zero; [`Why::NotFinite`].
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let score = cellstone_metrics::cosine(array![0.5, 0.5, 0.0, -1.0].view(), array![1.0, 0.0, 0.0, -1.0].view());
/// assert!((score.value().unwrap() - 0.866_025_4).abs() < 1e-7);
/// ```
/// # References
/// `altoslabs/perturbench src/perturbench/analysis/benchmarks/metrics.py`.
pub fn cosine(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> Score {
    same_len("cosine", x.len(), y.len());
    cosine_of(&slice_of(&x), &slice_of(&y), 0.0, 0.0)
}

/// Measures the share of the variance of the truth that a prediction explains, with a weight per gene.
///
/// `1 − Σ w(t − p)² / Σ w(t − t̄_w)²`, truth second, `w = 1` without weights; range (−∞, 1].
///
/// # Undefined
/// [`Why::TooFewGenes`] below 2 genes; [`Why::ZeroWeights`] if `Σ w = 0`; [`Why::ConstantVector`] if the truth has no
/// (weighted) variance; [`Why::NotFinite`].
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let (pred, truth) = (array![0.5, 0.5, 0.0, -1.0], array![1.0, 0.0, 0.0, -1.0]);
/// assert_eq!(cellstone_metrics::r2(pred.view(), truth.view(), None).value(), Some(0.75));
/// ```
/// # References
/// Miller et al. 2025, doi:10.1101/2025.10.20.683304.
pub fn r2(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>, weights: Option<ArrayView1<'_, f64>>) -> Score {
    same_len("r2", pred.len(), truth.len());
    let weights = weights.map(|it| {
        same_len("r2", pred.len(), it.len());
        slice_of(&it)
    });
    r2_of(&slice_of(&pred), &slice_of(&truth), weights.as_deref(), 0.0)
}

/// Pearson's r. `scale` is the length of what each vector was computed from: a spread below its rounding is none.
pub(crate) fn pearson_of(x: &[f64], y: &[f64], scale_x: f64, scale_y: f64) -> Score {
    if x.len() < 3 {
        return Score::Undefined(Why::TooFewGenes);
    }
    let n = x.len() as f64;
    let (mean_x, mean_y) = (sum(x) / n, sum(y) / n);
    let (xx, yy) = (sum1(x, |v| (v - mean_x) * (v - mean_x)), sum1(y, |v| (v - mean_y) * (v - mean_y)));
    if !(xx + yy).is_finite() {
        return Score::Undefined(Why::NotFinite);
    }
    let floor_x = NEGLIGIBLE * scale_x.max(mean_x.abs() * n.sqrt());
    let floor_y = NEGLIGIBLE * scale_y.max(mean_y.abs() * n.sqrt());
    if xx.sqrt() <= floor_x || yy.sqrt() <= floor_y {
        return Score::Undefined(Why::ConstantVector);
    }
    let xy = sum2(x, y, |a, b| (a - mean_x) * (b - mean_y));
    finite((xy / product_of_lengths(xx, yy)).clamp(-1.0, 1.0))
}

/// Pearson's r of midranks.
pub(crate) fn spearman_of(x: &[f64], y: &[f64], scale_x: f64, scale_y: f64) -> Score {
    spearman_given(x, y, scale_x, scale_y, || std::borrow::Cow::Owned(midranks(y)))
}

/// [`spearman_of`] where the midranks of `y` may be known.
pub(crate) fn spearman_given<'a>(
    x: &[f64],
    y: &[f64],
    scale_x: f64,
    scale_y: f64,
    ranks_y: impl FnOnce() -> std::borrow::Cow<'a, [f64]>,
) -> Score {
    // Undefined exactly where Pearson is: ranks of rounding noise would look like signal.
    if let undefined @ Score::Undefined(_) = pearson_of(x, y, scale_x, scale_y) {
        return undefined;
    }
    pearson_of(&midranks(x), &ranks_y(), 0.0, 0.0)
}

/// The cosine; `scale` as in [`pearson_of`].
pub(crate) fn cosine_of(x: &[f64], y: &[f64], scale_x: f64, scale_y: f64) -> Score {
    if x.is_empty() {
        return Score::Undefined(Why::TooFewGenes);
    }
    let (xx, yy) = (sum_sq(x), sum_sq(y));
    if !(xx + yy).is_finite() {
        return Score::Undefined(Why::NotFinite);
    }
    if xx.sqrt() <= NEGLIGIBLE * scale_x || yy.sqrt() <= NEGLIGIBLE * scale_y {
        return Score::Undefined(Why::ZeroVector);
    }
    finite((dot(x, y) / product_of_lengths(xx, yy)).clamp(-1.0, 1.0))
}

/// `√(aa·bb)`, and not `√aa·√bb`: then a vector has correlation exactly 1 with itself.
pub(crate) fn product_of_lengths(aa: f64, bb: f64) -> f64 {
    let product = aa * bb;
    // Only where the product over- or underflows is the other order needed.
    if product.is_normal() { product.sqrt() } else { aa.sqrt() * bb.sqrt() }
}

/// Explained variance of the truth; `scale` as in [`pearson_of`].
pub(crate) fn r2_of(pred: &[f64], truth: &[f64], weights: Option<&[f64]>, scale: f64) -> Score {
    if pred.len() < 2 {
        return Score::Undefined(Why::TooFewGenes);
    }
    let (total, mean, spread, error) = match weights {
        None => {
            let total = pred.len() as f64;
            let mean = sum(truth) / total;
            let spread = sum1(truth, |t| (t - mean) * (t - mean));
            (total, mean, spread, sum2(pred, truth, |p, t| (t - p) * (t - p)))
        }
        Some(weights) => {
            let total = sum(weights);
            if total == 0.0 {
                return Score::Undefined(Why::ZeroWeights);
            }
            let mean = dot(weights, truth) / total;
            let spread = sum2(weights, truth, |w, t| w * (t - mean) * (t - mean));
            (total, mean, spread, sum3(weights, pred, truth, |w, p, t| w * (t - p) * (t - p)))
        }
    };
    if !(spread + error).is_finite() {
        return Score::Undefined(Why::NotFinite);
    }
    if spread.max(0.0).sqrt() <= NEGLIGIBLE * scale.max(mean.abs() * total.sqrt()) {
        return Score::Undefined(Why::ConstantVector);
    }
    finite(1.0 - error / spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn constants_have_no_correlation_whatever_their_rounding() {
        let y = array![1.0, 5.0, 2.0, 7.0];
        for constant in [0.0, 0.1, 1e9, -3.3e-7] {
            let x = ndarray::Array1::from_elem(4, constant);
            assert_eq!(pearson(x.view(), y.view()), Score::Undefined(Why::ConstantVector), "{constant}");
            assert_eq!(spearman(y.view(), x.view()), Score::Undefined(Why::ConstantVector), "{constant}");
            assert_eq!(r2(y.view(), x.view(), None), Score::Undefined(Why::ConstantVector), "{constant}");
        }
        assert_eq!(cosine(array![0.0, 0.0].view(), array![1.0, 0.0].view()), Score::Undefined(Why::ZeroVector));
    }

    #[test]
    fn rounding_noise_is_not_a_delta() {
        // What is left of a mean after subtracting the same mean summed in another order.
        let noise = [1e-16, -2e-16, 0.0, 1e-16];
        assert_eq!(pearson_of(&noise, &[1.0, 2.0, 0.0, 4.0], 5.0, 5.0), Score::Undefined(Why::ConstantVector));
        assert_eq!(cosine_of(&noise, &[1.0, 2.0, 0.0, 4.0], 5.0, 5.0), Score::Undefined(Why::ZeroVector));
    }

    #[test]
    fn too_few_genes() {
        assert_eq!(pearson(array![1.0, 2.0].view(), array![1.0, 2.0].view()), Score::Undefined(Why::TooFewGenes));
        assert_eq!(r2(array![1.0].view(), array![2.0].view(), None), Score::Undefined(Why::TooFewGenes));
    }
}
