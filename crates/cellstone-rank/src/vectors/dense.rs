//! Encoders after which no value is zero, and dense rows of all others.

use super::encoder::{CountRows, RowEncoder};
use super::sparse::encode_rows;
use cellstone_core::Result;
use ndarray::{Array2, ArrayViewMut1, Axis};
use rayon::prelude::*;

/// Rows that one thread takes at a time.
const BLOCK: usize = 64;

/// Rows of a matrix under any encoder, dense, `[n_obs, n_vars]`. Ranks over all genes are offsets, as in
/// [`encode_rows`].
///
/// # Errors
/// If a value is negative or not finite, or parameters do not fit the matrix.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_rank::{CountRows, PearsonResiduals, RowEncoder, encode_rows_dense};
/// let x = Csr::from_dense(&ndarray::array![[1.0, 1.0], [0.0, 2.0]]);
/// let cells = CountRows::new(&x);
/// let residuals = PearsonResiduals::fit(&cells, f64::INFINITY, None)?;
/// let y = encode_rows_dense(&cells, &RowEncoder::Pearson(residuals))?;
/// // Gene shares 1/4 and 3/4 of two counts each: means 0.5 and 1.5.
/// assert!((y[[0, 0]] - 0.5 / 0.5_f32.sqrt()).abs() < 1e-6);
/// assert!((y[[1, 1]] - 0.5 / 1.5_f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn encode_rows_dense(cells: &CountRows<'_>, encoder: &RowEncoder) -> Result<Array2<f32>> {
    if !encoder.is_dense() {
        return Ok(encode_rows(cells, encoder)?.to_dense());
    }
    cells.check()?;
    encoder.check(cells)?;
    let mut out = Array2::zeros(cells.x.shape());
    out.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate().for_each(|(block, mut rows)| {
        for (at, row) in rows.rows_mut().into_iter().enumerate() {
            fill(cells, encoder, block * BLOCK + at, row);
        }
    });
    Ok(out)
}

fn fill(cells: &CountRows<'_>, encoder: &RowEncoder, row: usize, mut out: ArrayViewMut1<'_, f32>) {
    let (columns, values) = cells.x.row(row);
    match encoder {
        RowEncoder::ZScore(it) => {
            out.iter_mut().enumerate().for_each(|(gene, score)| *score = it.score(gene, 0.0));
            let total = cells.total(row);
            for (column, value) in columns.iter().zip(values).filter(|it| *it.1 > 0.0) {
                let value = (f64::from(*value) / total * it.target).ln_1p();
                out[*column as usize] = it.score(*column as usize, value);
            }
        }
        RowEncoder::Pearson(it) => {
            // The sum over the genes of the matrix: the null is fitted to them.
            let n: f64 = values.iter().map(|it| f64::from(*it)).sum();
            out.iter_mut().enumerate().for_each(|(gene, residual)| *residual = it.residual(gene, 0.0, n));
            for (column, value) in columns.iter().zip(values) {
                out[*column as usize] = it.residual(*column as usize, f64::from(*value), n);
            }
        }
        // Made sparse before.
        _ => {}
    }
}
