//! Principal component scores of genes: genes are observations, conditions are variables.

use cellstone_core::Result;
use cellstone_prep::{gram, matmul, sym_eig};
use ndarray::{Array2, ArrayView2, Axis};

/// Directions whose share of the largest eigenvalue is smaller than this are rounding.
pub(crate) const RANK_TOLERANCE: f64 = 1e-12;

/// Scores of the genes on the first `k` components of `conditions` (`[n, n_vars]`), as rows: `[k', n_vars]`, `k' ≤ k`.
///
/// Every condition is centred over genes and not scaled. `k'` is smaller where the rank is. The eigenproblem is that
/// of the `n × n` matrix of inner products, so its cost does not grow with the number of genes. Component signs are
/// arbitrary; nothing in this crate depends on them.
pub(crate) fn gene_scores(conditions: &ArrayView2<'_, f64>, k: usize) -> Result<Array2<f64>> {
    let (n, n_vars) = conditions.dim();
    let mut centred = conditions.as_standard_layout().into_owned();
    for mut row in centred.rows_mut() {
        let mean = row.sum() / n_vars.max(1) as f64;
        row -= mean;
    }
    let (values, vectors) = sym_eig(&gram(&centred.view()))?;
    let floor = values.last().copied().unwrap_or(0.0) * RANK_TOLERANCE;
    let kept: Vec<usize> = (0..n).rev().filter(|it| values[*it] > floor && values[*it] > 0.0).take(k).collect();
    Ok(matmul(&vectors.select(Axis(1), &kept).t(), &centred.view()))
}
