//! Proper scores: negative log-likelihood and Brier.

use super::super::input::check_truth;
use cellstone_core::{Result, Score, Why};
use ndarray::{Array2, ArrayView2};

/// Natural logarithms of probabilities, as logits; those below `f64::EPSILON` count as that.
///
/// Feeds [`super::fit_temperature`] where a model gives probabilities and no logits.
pub fn log_of(p: ArrayView2<'_, f64>) -> Array2<f64> {
    p.mapv(|it| it.max(f64::EPSILON).ln())
}

/// `−mean ln p_y`, in nats; probabilities below `f64::EPSILON` count as that, as in scikit-learn.
///
/// # Undefined
/// `TooFewCells` without cells; `ZeroWeights` without weight.
///
/// # Errors
/// If lengths differ or a class is out of range.
///
/// # Examples
/// ```
/// let p = ndarray::array![[0.5, 0.5], [0.25, 0.75]];
/// let it = cellstone_metrics::phenotype::nll(p.view(), &[0, 1], None)?;
/// assert!((it.value().unwrap() - (2.0_f64.ln() + (4.0_f64 / 3.0).ln()) / 2.0).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn nll(p: ArrayView2<'_, f64>, truth: &[u32], weights: Option<&[f64]>) -> Result<Score> {
    check_truth(truth, p.nrows(), p.ncols())?;
    Ok(mean(truth.len(), weights, |cell| -p[[cell, truth[cell] as usize]].max(f64::EPSILON).ln()))
}

/// `mean Σ_k (p_k − 1[y=k])²`, from 0 (certain and right) to 2 (certain and wrong).
///
/// # Undefined
/// As [`nll`].
///
/// # Errors
/// As [`nll`].
///
/// # Examples
/// ```
/// let p = ndarray::array![[1.0, 0.0], [1.0, 0.0]];
/// assert_eq!(cellstone_metrics::phenotype::brier(p.view(), &[0, 1], None)?.value(), Some(1.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
pub fn brier(p: ArrayView2<'_, f64>, truth: &[u32], weights: Option<&[f64]>) -> Result<Score> {
    check_truth(truth, p.nrows(), p.ncols())?;
    Ok(mean(truth.len(), weights, |cell| {
        let y = truth[cell] as usize;
        p.row(cell).iter().enumerate().map(|(k, it)| (it - f64::from(u8::from(k == y))).powi(2)).sum()
    }))
}

fn mean(n: usize, weights: Option<&[f64]>, value: impl Fn(usize) -> f64) -> Score {
    if n == 0 {
        return Score::Undefined(Why::TooFewCells);
    }
    let weight = |cell: usize| weights.map_or(1.0, |it| it[cell]);
    let (mut sum, mut total) = (0.0, 0.0);
    for cell in 0..n {
        sum += weight(cell) * value(cell);
        total += weight(cell);
    }
    if total > 0.0 { Score::finite_or(sum / total, Why::NotFinite) } else { Score::Undefined(Why::ZeroWeights) }
}
