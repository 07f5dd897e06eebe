//! Undoing label smoothing: the map from a law to its smoothed law is known, so it can be inverted.

use super::super::input::{check_candidates, restrict};
use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis};

/// Laws over the candidates without the floor that label smoothing leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Desmoothed {
    /// `[n_obs, n_candidates]`, rows of sum 1.
    pub p: Array2<f64>,
    /// Cells whose candidates were all below the floor: they keep their restricted softmax.
    pub n_fallback: usize,
}

/// Removes smoothing `e` over all V classes, then restricts to the candidates and divides by the sum.
///
/// `p_k = max(0, q_k − e/V)/(1 − e)` on the full softmax `q` `[n_obs, V]`. If the network fits the smoothed targets
/// this is exact. A cell whose candidates all fall to 0 keeps its restricted softmax and is counted.
///
/// # Errors
/// If `e` is not in `[0, 1)`, or a candidate is out of range or given twice.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::desmooth_restrict;
/// // A certain law over 4 classes, smoothed by 0.2.
/// let q = ndarray::array![[0.85, 0.05, 0.05, 0.05]];
/// let it = desmooth_restrict(q.view(), &[0, 2], 0.2)?;
/// assert!((it.p[[0, 0]] - 1.0).abs() < 1e-15 && it.n_fallback == 0);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn desmooth_restrict(q: ArrayView2<'_, f64>, candidates: &[u32], e: f64) -> Result<Desmoothed> {
    if !(0.0..1.0).contains(&e) {
        return Err(Error::config(format!("label smoothing {e}, expected a number from 0 to below 1")));
    }
    let columns = check_candidates(candidates, q.ncols())?;
    let floor = e / q.ncols() as f64;
    // A probability at the floor up to the rounding of single precision is at the floor.
    let tolerance = if e > 0.0 { 1e-6 * floor } else { 0.0 };
    let lifted = |it: f64| if it - floor > tolerance { (it - floor) / (1.0 - e) } else { 0.0 };
    let mut p = q.select(Axis(1), &columns).as_standard_layout().mapv(lifted);
    let plain = restrict(q, candidates)?;
    let mut n_fallback = 0;
    for (mut row, plain) in p.axis_iter_mut(Axis(0)).zip(plain.rows()) {
        let total = row.sum();
        if total > 0.0 {
            row.mapv_inplace(|it| it / total);
        } else {
            row.assign(&plain);
            n_fallback += 1;
        }
    }
    Ok(Desmoothed { p, n_fallback })
}
