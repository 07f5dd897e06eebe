//! One number that makes a model as sure as it should be.

use super::super::input::{Donors, Weighting, check_cells, check_truth, softmax};
use cellstone_core::sum::{map_ordered, pairwise};
use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView2};

/// The range of temperatures that are tried.
const RANGE: (f64, f64) = (0.05, 20.0);
/// Width of `ln T` at which the search ends.
const WIDTH: f64 = 1e-9;
/// Cells that are summed together.
const BLOCK: usize = 1024;

/// A fitted temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature {
    /// The temperature: above 1 the model was too sure.
    pub t: f64,
    /// Negative log-likelihood at 1, every donor counting alike.
    pub nll_before: f64,
    /// The same at `t`.
    pub nll_after: f64,
    /// Whether the best temperature is an end of the range: a warning.
    pub boundary: bool,
}

/// Finds the temperature T at which `softmax(z/T)` has the least negative log-likelihood, every donor counting alike.
///
/// `logits` `[n_obs, n_classes]` may be logarithms of probabilities ([`super::log_of`]). Golden-section search on `ln
/// T` from `ln 0.05` to `ln 20`: the loss is convex in 1/T, so it has one valley. Give calibration cells whose donors
/// are neither in training nor in test.
///
/// # Errors
/// If there is no cell, lengths differ, a class is out of range, or a logit is not finite.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::fit_temperature;
/// // Twice as sure as the three of four that are right: ln 3 / T = ln 3 needs T = 2 from logits of 2 ln 3.
/// let z = 2.0 * 3.0_f64.ln();
/// let logits = ndarray::array![[z, 0.0], [z, 0.0], [z, 0.0], [z, 0.0]];
/// let it = fit_temperature(logits.view(), &[0, 0, 0, 1], &[0, 0, 0, 0])?;
/// assert!((it.t - 2.0).abs() < 1e-6 && it.nll_after < it.nll_before && !it.boundary);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Guo et al. 2017, arXiv:1706.04599.
pub fn fit_temperature(logits: ArrayView2<'_, f64>, truth: &[u32], donor: &[u32]) -> Result<Temperature> {
    check_truth(truth, logits.nrows(), logits.ncols())?;
    check_cells("donors", donor.len(), truth.len())?;
    if truth.is_empty() {
        return Err(Error::invalid_input("no calibration cell to fit a temperature on")
            .with_hint("hold out donors for calibration"));
    }
    if let Some(((cell, class), value)) = logits.indexed_iter().find(|(_, it)| !it.is_finite()) {
        return Err(Error::invalid_input(format!(
            "cell {cell} class {class} has logit {value}, expected a finite number"
        ))
        .with_hint("take logarithms of probabilities with a floor"));
    }
    let weights = Donors::new(donor).weights(Weighting::Donor);
    let total = pairwise(&weights);
    let logits = logits.as_standard_layout();
    let loss = |ln_t: f64| {
        let scale = (-ln_t).exp();
        let block = |block: usize| {
            let cells = block * BLOCK..truth.len().min((block + 1) * BLOCK);
            let parts: Vec<f64> = cells
                .map(|cell| {
                    let row = logits.row(cell);
                    let top = row.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
                    let sum: f64 = row.iter().map(|it| ((it - top) * scale).exp()).sum();
                    weights[cell] * (sum.ln() - (row[truth[cell] as usize] - top) * scale)
                })
                .collect();
            pairwise(&parts)
        };
        pairwise(&map_ordered(truth.len().div_ceil(BLOCK), block)) / total
    };
    let (low, high) = (RANGE.0.ln(), RANGE.1.ln());
    let ln_t = golden_section(low, high, &loss);
    // An end may be better than anything inside by less than the search can see.
    let best = [ln_t, low, high].into_iter().min_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap_or(ln_t);
    Ok(Temperature {
        t: best.exp(),
        nll_before: loss(0.0),
        nll_after: loss(best),
        boundary: best - low < 1e-6 || high - best < 1e-6,
    })
}

/// The lowest point of a function with one valley.
fn golden_section(mut low: f64, mut high: f64, f: &impl Fn(f64) -> f64) -> f64 {
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut left, mut right) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut at_left, mut at_right) = (f(left), f(right));
    while high - low > WIDTH {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - ratio * (high - low);
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + ratio * (high - low);
            at_right = f(right);
        }
    }
    0.5 * (low + high)
}

/// `softmax(z/T)` of every row.
///
/// # Errors
/// If T is not a positive number.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{scale_temperature, softmax};
/// let z = ndarray::array![[1.0, -2.0, 0.5]];
/// assert_eq!(scale_temperature(z.view(), 1.0)?, softmax(z.view()));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn scale_temperature(logits: ArrayView2<'_, f64>, t: f64) -> Result<Array2<f64>> {
    if !(t.is_finite() && t > 0.0) {
        return Err(Error::config(format!("temperature {t}, expected a positive number")));
    }
    if t == 1.0 {
        return Ok(softmax(logits));
    }
    Ok(softmax((&logits / t).view()))
}
