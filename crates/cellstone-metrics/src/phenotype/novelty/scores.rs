//! Strangeness from probabilities and logits alone; higher is stranger.

use super::super::entropy::{entropies, entropy};
use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView2};

/// `1 − max p` of every row.
pub fn max_p_score(p: ArrayView2<'_, f64>) -> Vec<f64> {
    p.rows().into_iter().map(|row| 1.0 - row.fold(0.0_f64, |acc, it| acc.max(*it))).collect()
}

/// `−T ln Σ exp(z/T)` over the candidates of every row of logits.
///
/// # Errors
/// If T is not a positive number.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::phenotype::energy(ndarray::array![[0.0, 0.0]].view(), 2.0)?;
/// assert!((it[0] + 2.0 * 2.0_f64.ln()).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Liu et al. 2020, arXiv:2010.03759.
pub fn energy(logits: ArrayView2<'_, f64>, t: f64) -> Result<Vec<f64>> {
    if !(t.is_finite() && t > 0.0) {
        return Err(Error::config(format!("temperature {t}, expected a positive number")));
    }
    let one = |row: ndarray::ArrayView1<'_, f64>| {
        let top = row.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
        -(top + t * row.iter().map(|it| ((it - top) / t).exp()).sum::<f64>().ln())
    };
    Ok(logits.rows().into_iter().map(one).collect())
}

/// `H(mean p) − mean H(p)` over several laws of the same cells: what the members disagree about.
///
/// # Errors
/// If there is no member or shapes differ.
///
/// # References
/// Depeweg et al. 2018, arXiv:1710.07283.
pub fn ensemble_disagreement(members: &[ArrayView2<'_, f64>]) -> Result<Vec<f64>> {
    let Some(first) = members.first() else {
        return Err(Error::invalid_input("no member of the ensemble"));
    };
    if let Some(other) = members.iter().find(|it| it.dim() != first.dim()) {
        return Err(Error::invalid_input(format!("members of shapes {:?} and {:?}", first.dim(), other.dim())));
    }
    let n = members.len() as f64;
    let mut mean = Array2::<f64>::zeros(first.dim());
    members.iter().for_each(|it| mean += it);
    mean /= n;
    let mut out: Vec<f64> = mean.rows().into_iter().map(entropy).collect();
    for member in members {
        out.iter_mut().zip(entropies(*member)).for_each(|(sum, it)| *sum -= it / n);
    }
    Ok(out.into_iter().map(|it| it.max(0.0)).collect())
}
