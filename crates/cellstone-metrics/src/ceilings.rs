//! Noise ceilings: how well anything could score, given how well the truth is known.
//!
//! A truth profile is `y = μ + ε` with `E‖ε‖² = T`. Two ceilings, always named: the *perfect mean* predicts μ and pays T;
//! a *replicate* is another sample of equal depth and pays 2T.

use crate::kernels::{same_len, slice_of, sq_diff, sum, sum_sq};
use cellstone_core::{CeilingRule, Score, Why};
use ndarray::ArrayView1;

/// Turns the score of one half of the cells against the other into the ceiling for the full data.
///
/// With `n = n1 + n2` cells, the squared distance of the halves is `T·n²/(n1·n2)` on average while a perfect mean pays
/// `T`: errors shrink by `√(n1·n2)/n`, squared errors by `n1·n2/n²` (½ and ¼ for equal halves). Reliabilities grow by
/// Spearman–Brown, `2r/(1+r)`. Ranks stay as they are.
///
/// # Undefined
/// [`Why::TooFewCells`] if a half is empty; [`Why::NoRoom`] for a reliability that is not positive;
/// [`Why::NotFinite`] for a score that is not finite.
///
/// # Examples
/// ```
/// use cellstone_core::CeilingRule;
/// use cellstone_metrics::ceilings::ceiling_from_halves;
/// assert_eq!(ceiling_from_halves(CeilingRule::LinearError, 2.0, 50, 50).value(), Some(1.0));
/// assert_eq!(ceiling_from_halves(CeilingRule::SquaredError, 2.0, 75, 25).value(), Some(0.375));
/// let r = ceiling_from_halves(CeilingRule::Reliability, 0.6, 50, 50).value().unwrap();
/// assert!((r - 0.75).abs() < 1e-12);
/// ```
/// # References
/// Spearman 1910, doi:10.1111/j.2044-8295.1910.tb00206.x; Brown 1910, doi:10.1111/j.2044-8295.1910.tb00207.x.
pub fn ceiling_from_halves(rule: CeilingRule, half_score: f64, n1: u64, n2: u64) -> Score {
    if n1 == 0 || n2 == 0 {
        return Score::Undefined(Why::TooFewCells);
    }
    let (n1, n2) = (n1 as f64, n2 as f64);
    let share = (n1 / (n1 + n2)) * (n2 / (n1 + n2));
    let value = match rule {
        CeilingRule::LinearError => half_score * share.sqrt(),
        CeilingRule::SquaredError => half_score * share,
        CeilingRule::Reliability if half_score <= 0.0 => return Score::Undefined(Why::NoRoom),
        CeilingRule::Reliability => 2.0 * half_score / (1.0 + half_score),
        CeilingRule::AsIs => half_score,
    };
    Score::finite_or(value, Why::NotFinite)
}

/// Estimates `T`, the expected squared error of a mean over all cells, from the means of two disjoint halves.
///
/// `T̂ = ‖ȳ1 − ȳ2‖²·n1·n2/n²`: unbiased, in squared profile units.
///
/// # Undefined
/// [`Why::TooFewCells`] if a half is empty (its mean does not exist); [`Why::NotFinite`].
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let t = cellstone_metrics::ceilings::noise_from_halves(array![1.0, 0.0].view(), array![0.0, 1.0].view(), 10, 10);
/// assert_eq!(t.value(), Some(0.5));
/// ```
pub fn noise_from_halves(first: ArrayView1<'_, f64>, second: ArrayView1<'_, f64>, n1: u64, n2: u64) -> Score {
    same_len("noise_from_halves", first.len(), second.len());
    ceiling_from_halves(CeilingRule::SquaredError, sq_diff(&slice_of(&first), &slice_of(&second)), n1, n2)
}

/// Predicts the L2 that a perfect mean would score, `E‖ε‖ ≈ √T·(1 − tr(Σ²)/(4 n² T²))`.
///
/// `t` is `T = tr Σ/n`; `trace_sq` is `tr(Σ²)/n²`, 0 where it is not known: with thousands of genes √T suffices. The
/// squared entries of the sampling variance of a mean add up to `trace_sq` when genes are independent
/// ([`perfect_mean_l2_of`]). Average this over conditions the way the metric is averaged.
///
/// # Undefined
/// [`Why::ZeroDenominator`] if `t` is not positive; [`Why::NotFinite`].
///
/// # Examples
/// ```
/// let score = cellstone_metrics::ceilings::perfect_mean_l2(4.0, 0.0);
/// assert_eq!(score.value(), Some(2.0));
/// ```
pub fn perfect_mean_l2(t: f64, trace_sq: f64) -> Score {
    if !(t + trace_sq).is_finite() {
        return Score::Undefined(Why::NotFinite);
    }
    if t <= 0.0 {
        return Score::Undefined(Why::ZeroDenominator);
    }
    // The expansion is asymptotic: with one gene it still stays above the true value of √(2/π).
    Score::Value(t.sqrt() * (1.0 - (trace_sq / (4.0 * t * t)).min(0.25)))
}

/// [`perfect_mean_l2`] from the sampling variance of each gene's mean, `[n_vars]`, genes taken as independent.
///
/// # Undefined
/// As [`perfect_mean_l2`].
pub fn perfect_mean_l2_of(sampling_var: ArrayView1<'_, f64>) -> Score {
    let var = slice_of(&sampling_var);
    perfect_mean_l2(sum(&var), sum_sq(&var))
}

/// Predicts the L2 that an independent sample of equal depth would score: √2 times [`perfect_mean_l2`].
///
/// # Undefined
/// As [`perfect_mean_l2`].
pub fn replicate_l2(t: f64, trace_sq: f64) -> Score {
    match perfect_mean_l2(t, trace_sq) {
        Score::Value(it) => Score::Value(std::f64::consts::SQRT_2 * it),
        undefined @ Score::Undefined(_) => undefined,
    }
}

/// Predicts the squared L2 of the perfect mean and of a replicate: `(T, 2T)`.
pub fn perfect_mean_and_replicate_sq(t: f64) -> (f64, f64) {
    (t, 2.0 * t)
}

/// Removes the expected noise from a squared error: `‖ŷ − y‖² − T`, in squared profile units.
///
/// An unbiased estimate of the squared distance to the true mean; negative values are kept, since clipping each
/// condition would bias their sum.
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let error = cellstone_metrics::ceilings::err_debiased(array![1.0, 0.0].view(), array![0.0, 0.0].view(), 0.25);
/// assert_eq!(error.value(), Some(0.75));
/// ```
///
/// # Undefined
/// [`Why::TooFewGenes`] without genes; [`Why::NotFinite`].
pub fn err_debiased(pred: ArrayView1<'_, f64>, truth: ArrayView1<'_, f64>, t: f64) -> Score {
    same_len("err_debiased", pred.len(), truth.len());
    if pred.is_empty() {
        return Score::Undefined(Why::TooFewGenes);
    }
    Score::finite_or(sq_diff(&slice_of(&pred), &slice_of(&truth)) - t, Why::NotFinite)
}

/// What [`r2_debiased`] needs of one condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Debiased {
    /// `‖ŷ − y‖² − T`, see [`err_debiased`].
    pub error: f64,
    /// `‖y − y_0‖²`.
    pub effect: f64,
    /// `T` of the condition.
    pub t: f64,
    /// `T` of the control.
    pub t0: f64,
}

/// Explains the share of the true (noise-free) effect that predictions capture, over conditions.
///
/// `1 − Σ e² / Σ(‖y − y_0‖² − T − T_0)`; higher is better, 1 is the perfect mean, 0 is no change, range (−∞, ∞) since both
/// sums are estimates.
///
/// # Undefined
/// [`Why::TooFewConditions`] without conditions; [`Why::ZeroDenominator`] if noise explains the whole effect.
///
/// # Examples
/// ```
/// use cellstone_metrics::ceilings::{Debiased, r2_debiased};
/// let one = Debiased { error: 1.0, effect: 5.0, t: 0.5, t0: 0.5 };
/// assert_eq!(r2_debiased(&[one]).value(), Some(0.75));
/// ```
pub fn r2_debiased(conditions: &[Debiased]) -> Score {
    if conditions.is_empty() {
        return Score::Undefined(Why::TooFewConditions);
    }
    let error: f64 = conditions.iter().map(|it| it.error).sum();
    let effect: f64 = conditions.iter().map(|it| it.effect - it.t - it.t0).sum();
    if effect <= 0.0 {
        return Score::Undefined(Why::ZeroDenominator);
    }
    Score::finite_or(1.0 - error / effect, Why::NotFinite)
}

/// The share of the observed effects that is noise, `ΣT / Σ‖y − y_0‖²`, with one `(T, ‖y − y_0‖²)` per condition.
///
/// # Undefined
/// [`Why::ZeroDenominator`] if no condition has an effect.
pub fn noise_share(conditions: &[(f64, f64)]) -> Score {
    let (noise, effect) = conditions.iter().fold((0.0, 0.0), |(n, e), (t, d)| (n + t, e + d));
    if effect <= 0.0 {
        Score::Undefined(Why::ZeroDenominator)
    } else {
        Score::finite_or(noise / effect, Why::NotFinite)
    }
}

/// The variance of a two-stage resampling (batches, then cells within each) relative to the true variance of the mean.
///
/// `(1 − 1/B) + (1 − 1/m)` for B batches of m cells without batch effect: such a resampling counts the noise almost twice
/// and is no ceiling.
///
/// # Examples
/// ```
/// let factor = cellstone_metrics::ceilings::two_stage_factor(44.0, 3.4);
/// assert!((factor - 1.683).abs() < 1e-3);
/// ```
pub fn two_stage_factor(batches: f64, cells_per_batch: f64) -> f64 {
    (1.0 - 1.0 / batches) + (1.0 - 1.0 / cells_per_batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ceiling_without_a_half_or_a_reliability() {
        assert_eq!(ceiling_from_halves(CeilingRule::AsIs, 1.0, 0, 3), Score::Undefined(Why::TooFewCells));
        assert_eq!(ceiling_from_halves(CeilingRule::Reliability, -0.1, 3, 3), Score::Undefined(Why::NoRoom));
        assert_eq!(ceiling_from_halves(CeilingRule::AsIs, f64::NAN, 3, 3), Score::Undefined(Why::NotFinite));
        assert_eq!(perfect_mean_l2(0.0, 0.0), Score::Undefined(Why::ZeroDenominator));
        assert_eq!(r2_debiased(&[]), Score::Undefined(Why::TooFewConditions));
        assert_eq!(noise_share(&[(1.0, 2.0), (1.0, 6.0)]), Score::Value(0.25));
    }
}
