//! Quantiles, intervals of shares, and tests of equivalence.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The 97.5 % quantile of the standard normal distribution.
const Z_975: f64 = 1.959_963_984_540_054;

/// The quantile of values by linear interpolation between order statistics; `None` of nothing or of NaN.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_metrics::stats::quantile(&[4.0, 1.0, 2.0, 3.0], 0.5), Some(2.5));
/// assert_eq!(cellstone_metrics::stats::quantile(&[], 0.5), None);
/// ```
/// # References
/// Hyndman and Fan 1996, type 7, doi:10.1080/00031305.1996.10473566.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    quantiles(values, &[q])?.pop()
}

/// Several quantiles of the same values; see [`quantile`].
pub fn quantiles(values: &[f64], at: &[f64]) -> Option<Vec<f64>> {
    if values.iter().any(|it| it.is_nan()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    at.iter().map(|q| quantile_sorted(&sorted, *q)).collect()
}

fn quantile_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let place = q.clamp(0.0, 1.0) * (sorted.len().checked_sub(1)?) as f64;
    let (low, share) = (place.floor() as usize, place.fract());
    let value = sorted[low];
    // Without this test, 0 · ∞ would be NaN.
    if share == 0.0 { Some(value) } else { Some(value + share * (sorted[low + 1] - value)) }
}

/// The 95 % Wilson interval of a share; `None` of no trial.
///
/// # Examples
/// ```
/// let (low, high) = cellstone_metrics::stats::wilson(8, 10).unwrap();
/// assert!((low - 0.490_162).abs() < 1e-6 && (high - 0.943_318).abs() < 1e-6);
/// ```
/// # References
/// Wilson 1927, doi:10.1080/01621459.1927.10502953.
pub fn wilson(hits: u64, trials: u64) -> Option<(f64, f64)> {
    if trials == 0 || hits > trials {
        return None;
    }
    let (n, p, z2) = (trials as f64, hits as f64 / trials as f64, Z_975 * Z_975);
    let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_975 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // At the ends the bound is exactly 0 or 1; rounding must not push it past.
    let low = if hits == 0 { 0.0 } else { (center - half).max(0.0) };
    let high = if hits == trials { 1.0 } else { (center + half).min(1.0) };
    Some((low, high))
}

/// The result of [`tost`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tost {
    /// p-value against a mean at or below −margin.
    pub p_lower: f64,
    /// p-value against a mean at or above +margin.
    pub p_upper: f64,
    /// The larger of the two: equivalence is claimed below 0.05.
    pub p: f64,
}

/// Tests that the mean of cluster differences lies within ±`margin`, by two one-sided t-tests.
///
/// The protocol's margin is 1 % of the floor. `None` below two values, for a margin that is not positive, or if values
/// are not finite.
///
/// # Examples
/// ```
/// let same = cellstone_metrics::stats::tost(&[0.1, -0.1, 0.05, -0.05], 1.0).unwrap();
/// let other = cellstone_metrics::stats::tost(&[2.1, 1.9, 2.05, 1.95], 1.0).unwrap();
/// assert!(same.p < 0.001 && other.p > 0.99);
/// ```
/// # References
/// Schuirmann 1987, doi:10.1007/BF01068419.
pub fn tost(diffs: &[f64], margin: f64) -> Option<Tost> {
    if diffs.len() < 2 || !(margin.is_finite() && margin > 0.0) || diffs.iter().any(|it| !it.is_finite()) {
        return None;
    }
    let n = diffs.len() as f64;
    let mean = crate::kernels::sum(diffs) / n;
    let se = (crate::kernels::sum1(diffs, |it| (it - mean) * (it - mean)) / (n - 1.0) / n).sqrt();
    let tail = |t: f64| -> Option<f64> { Some(StudentsT::new(0.0, 1.0, n - 1.0).ok()?.sf(t)) };
    let p = |gap: f64| {
        if se > 0.0 { tail(gap / se) } else { Some(if gap > 0.0 { 0.0 } else { 1.0 }) }
    };
    let (p_lower, p_upper) = (p(mean + margin)?, p(margin - mean)?);
    Some(Tost { p_lower, p_upper, p: p_lower.max(p_upper) })
}
