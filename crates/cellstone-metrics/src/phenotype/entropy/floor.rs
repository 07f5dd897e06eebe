//! The least entropy that a network trained with label smoothing can state.

use crate::stats::quantiles;
use cellstone_core::{Error, Result};

/// What smoothing allows at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// Entropy of a perfectly certain smoothed law, in nats.
    pub nats: f64,
    /// Its largest probability, `1 − e + e/V`.
    pub q_max: f64,
}

/// The floor of smoothing `e` over `v` classes: `H(1 − e + e/V, e/V, …, e/V)`.
///
/// # Errors
/// If `e` is not in [0, 1] or there is no class.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::phenotype::smoothing_floor(0.5, 1087)?;
/// assert!((it.nats - 4.1851).abs() < 5e-5 && (it.nats / 10.0_f64.ln() - 1.8175).abs() < 1e-4);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn smoothing_floor(e: f64, v: usize) -> Result<Floor> {
    if !(0.0..=1.0).contains(&e) || v == 0 {
        return Err(Error::config(format!("smoothing {e} over {v} classes, expected 0 to 1 over at least one")));
    }
    let low = e / v as f64;
    let q_max = 1.0 - e + low;
    let part = |q: f64| if q > 0.0 { -q * q.ln() } else { 0.0 };
    Ok(Floor { nats: part(q_max) + (v - 1) as f64 * part(low), q_max })
}

/// Observed entropies beside the floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloorReport {
    /// The floor.
    pub floor: Floor,
    /// `ln V`: the most there can be, in nats.
    pub most: f64,
    /// Smoothing.
    pub e: f64,
    /// Classes of the whole softmax.
    pub v: usize,
    /// Candidates of the category.
    pub n_candidates: usize,
    /// Least observed entropy, in nats.
    pub min: f64,
    /// 1 % quantile.
    pub q01: f64,
    /// Median.
    pub median: f64,
    /// Median minus floor.
    pub above_floor: f64,
    /// Whether the median is within 5 % of the floor: then the scale carries hardly any signal.
    pub floor_dominated: bool,
}

/// Compares entropies of the whole, uncalibrated softmax (nats) with the floor.
///
/// # Errors
/// As [`smoothing_floor`], or if there is no entropy or one is NaN.
pub fn floor_report(h: &[f64], e: f64, v: usize, n_candidates: usize) -> Result<FloorReport> {
    let floor = smoothing_floor(e, v)?;
    let Some([min, q01, median]) = quantiles(h, &[0.0, 0.01, 0.5]).and_then(|it| <[f64; 3]>::try_from(it).ok()) else {
        return Err(Error::invalid_input("no entropy, or one that is not a number"));
    };
    Ok(FloorReport {
        floor,
        most: (v as f64).ln(),
        e,
        v,
        n_candidates,
        min,
        q01,
        median,
        above_floor: median - floor.nats,
        floor_dominated: floor.nats > 0.0 && (median - floor.nats).abs() <= 0.05 * floor.nats,
    })
}
