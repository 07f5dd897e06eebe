//! The sign-flip permutation test of paired differences.

use super::resample::sign_flip_ps;
use cellstone_core::Seed;
use ndarray::{ArrayView1, Axis};

/// Tests that paired differences have mean zero, two-sided, by flipping signs.
///
/// The statistic is `|Σ d|`. With `2^n ≤ flips` every sign pattern is tried and p is the exact share of patterns at
/// least as extreme; else `p = (1 + #)/(1 + flips)`. Zero differences stay. `None` without differences or if one is not
/// finite.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::stats::sign_flip_p;
/// // Of the 8 patterns of 3 signs, only all-plus and all-minus reach a sum of 6.
/// assert_eq!(sign_flip_p(&[1.0, 2.0, 3.0], 100_000, Seed::new(1)), Some(0.25));
/// ```
/// # References
/// Fisher 1935, *The Design of Experiments*, §21; Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
pub fn sign_flip_p(diffs: &[f64], flips: usize, seed: Seed) -> Option<f64> {
    sign_flip_ps(ArrayView1::from(diffs).insert_axis(Axis(1)), flips, seed).pop()?
}
