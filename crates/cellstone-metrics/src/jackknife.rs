//! The sampling noise of a bulk profile, by leaving out one cell at a time.

use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Error, Result};

/// Cells of a fixed block; changing it changes last bits.
const BLOCK: usize = 32;

/// Estimates the expected squared error of `ln(1 + s·P/ΣP)`, the bulk profile of a group of cells.
///
/// `C = ((n−1)/n) Σ_g Σ_i (v_ig − v̄_g)²` with `v_ig = ln(1 + s(P_g − N_ig)/(S − ℓ_i))`, where `P_g` sums the counts of gene g,
/// `ℓ_i` those of cell i, and `S` all; `s` is `target_sum` (5e4 in the protocol). `x` holds counts, `rows` the cells of the
/// group. 0 for fewer than two cells. A replica that is left without counts contributes the zero profile.
///
/// # Errors
/// If a row does not exist.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_metrics::jackknife::jackknife_bulk;
/// let x = Csr::from_dense(&ndarray::array![[1.0_f32, 0.0], [0.0, 1.0]]);
/// // Leaving out either cell moves all the mass to one gene.
/// let c = jackknife_bulk(&x, &[0, 1], 1.0)?;
/// assert!((c - 0.5 * 2.0_f64.ln().powi(2)).abs() < 1e-12);
/// assert_eq!(jackknife_bulk(&x, &[0], 1.0)?, 0.0);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// `ArcInstitute/cell-eval2 src/cell_eval2/moments.py` (0.20.0); Efron and Stein 1981, doi:10.1214/aos/1176345462.
pub fn jackknife_bulk(x: &Csr<f32>, rows: &[usize], target_sum: f64) -> Result<f64> {
    let (n_rows, n_cols) = x.shape();
    if let Some(row) = rows.iter().find(|it| **it >= n_rows) {
        return Err(Error::invalid_input(format!("cell {row} asked for, but there are {n_rows}")));
    }
    let n = rows.len();
    if n < 2 {
        return Ok(0.0);
    }
    let mut pooled = vec![0.0; n_cols];
    let mut sizes = Vec::with_capacity(n);
    for row in rows {
        let (cols, values) = x.row(*row);
        for (col, value) in cols.iter().zip(values) {
            pooled[*col as usize] += f64::from(*value);
        }
        sizes.push(values.iter().map(|it| f64::from(*it)).sum::<f64>());
    }
    let total: f64 = sizes.iter().sum();
    if total == 0.0 {
        return Ok(0.0);
    }
    // Sums are taken around the full profile, from which a replica differs little: no digits are lost.
    let full: Vec<f64> = pooled.iter().map(|it| (target_sum * it / total).ln_1p()).collect();
    let parts = map_ordered(n.div_ceil(BLOCK), |block| {
        let (mut sum, mut squares) = (vec![0.0; n_cols], vec![0.0; n_cols]);
        let mut replica = vec![0.0; n_cols];
        for at in block * BLOCK..((block + 1) * BLOCK).min(n) {
            leave_out(x, rows[at], &pooled, target_sum, total - sizes[at], &mut replica);
            for col in 0..n_cols {
                let shift = replica[col] - full[col];
                sum[col] += shift;
                squares[col] += shift * shift;
            }
        }
        (sum, squares)
    });
    let (mut sum, mut squares) = (vec![0.0; n_cols], vec![0.0; n_cols]);
    for (part_sum, part_squares) in parts {
        for col in 0..n_cols {
            sum[col] += part_sum[col];
            squares[col] += part_squares[col];
        }
    }
    let n = n as f64;
    let spread: Vec<f64> = (0..n_cols).map(|col| (squares[col] - sum[col] * sum[col] / n).max(0.0)).collect();
    Ok((n - 1.0) / n * crate::kernels::sum(&spread))
}

/// The bulk profile without one cell.
fn leave_out(x: &Csr<f32>, row: usize, pooled: &[f64], target_sum: f64, rest: f64, out: &mut [f64]) {
    if rest <= 0.0 {
        out.fill(0.0);
        return;
    }
    let factor = target_sum / rest;
    for (out, pooled) in out.iter_mut().zip(pooled) {
        *out = if *pooled == 0.0 { 0.0 } else { (factor * pooled).ln_1p() };
    }
    let (cols, values) = x.row(row);
    for (col, value) in cols.iter().zip(values) {
        let col = *col as usize;
        out[col] = (factor * (pooled[col] - f64::from(*value))).ln_1p();
    }
}
