//! Gene weights from the truth: how strongly each gene tells a condition from the other cells of its context.

use cellstone_core::{Averaging, ContextId, Error, Pseudobulk, Result};
use ndarray::{Array2, ArrayView1};
use rayon::prelude::*;

/// Weights of every gene for every row, `[n_rows, n_vars]`, from a t statistic with overestimated variance.
///
/// `t_g = (m1 − m2) / √(s1²/n1 + s2²/n1)` of the condition against **all other cells** of its context, controls among
/// them, with the size of the condition in both terms; `w_g = ((|t_g| − min|t|) / (max|t| − min|t|))²`.
/// The other cells come from group means, variances (n − 1) and counts, so no cell is read again.
/// Where both variances are zero, t is 0 for equal means and otherwise the largest finite |t| of the row.
///
/// Rows of controls, of conditions with fewer than two cells, and of constant |t| are zero: no weight is defined.
///
/// # Errors
/// If the means are not over cells (PB1) or come without variances.
///
/// # References
/// shiftbioscience/Perturbation-Models-Outperform-Baselines, cellsimbench/core/data_manager.py; the statistic is
/// `t-test_overestim_var` of scanpy.
pub fn de_weights(bulk: &Pseudobulk) -> Result<Array2<f64>> {
    let sampling_var = bulk.sampling_var().filter(|_| bulk.averaging() == Averaging::Cells).ok_or_else(|| {
        Error::invalid_input("gene weights need means over cells with their variance").with_hint(
            "average with averaging = \"cells\" from a file of cells; effect vectors and batch means have none",
        )
    })?;
    let mut weights = Array2::zeros(bulk.profiles().dim());
    for context in bulk.contexts() {
        let all = Moments::of_context(bulk, sampling_var, context);
        let rows: Vec<usize> = (0..bulk.rows().len())
            .filter(|it| {
                let row = &bulk.rows()[*it];
                row.context == *context && !row.condition.is_control() && row.n_cells >= 2
            })
            .collect();
        let computed: Vec<Vec<f64>> = rows
            .par_iter()
            .map(|it| {
                let n = bulk.rows()[*it].n_cells as f64;
                from_t(all.t_against_rest(n, bulk.profiles().row(*it), sampling_var.row(*it)))
            })
            .collect();
        for (row, values) in rows.into_iter().zip(computed) {
            weights.row_mut(row).assign(&ArrayView1::from(&values));
        }
    }
    Ok(weights)
}

/// Count, mean and sum of squares about the mean of all cells of a context.
struct Moments {
    n: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    fn of_context(bulk: &Pseudobulk, sampling_var: &Array2<f64>, context: &ContextId) -> Self {
        let n_genes = bulk.var().len();
        let mut it = Self { n: 0.0, mean: vec![0.0; n_genes], squares: vec![0.0; n_genes] };
        let rows: Vec<usize> = (0..bulk.rows().len()).filter(|at| bulk.rows()[*at].context == *context).collect();
        for row in &rows {
            let n = bulk.rows()[*row].n_cells as f64;
            it.n += n;
            for (mean, value) in it.mean.iter_mut().zip(bulk.profiles().row(*row)) {
                *mean += n * value;
            }
        }
        it.mean.iter_mut().for_each(|mean| *mean /= it.n);
        for row in rows {
            let n = bulk.rows()[row].n_cells as f64;
            for gene in 0..n_genes {
                let off = bulk.profiles()[[row, gene]] - it.mean[gene];
                // The variance of a mean times n is the variance of a cell.
                it.squares[gene] += (n - 1.0) * n * sampling_var[[row, gene]] + n * off * off;
            }
        }
        it
    }

    /// t of `n` cells with the given means and variances of the mean against the other cells.
    fn t_against_rest(&self, n: f64, mean: ArrayView1<'_, f64>, var_of_mean: ArrayView1<'_, f64>) -> Vec<f64> {
        let n_rest = self.n - n;
        (0..self.mean.len())
            .map(|gene| {
                let off = mean[gene] - self.mean[gene];
                let off_rest = -off * n / n_rest;
                let own = (n - 1.0) * n * var_of_mean[gene] + n * off * off;
                let squares = (self.squares[gene] - own - n_rest * off_rest * off_rest).max(0.0);
                let var_rest = if n_rest > 1.0 { squares / (n_rest - 1.0) } else { 0.0 };
                let difference = off - off_rest;
                if difference == 0.0 { 0.0 } else { difference / (var_of_mean[gene] + var_rest / n).sqrt() }
            })
            .collect()
    }
}

fn from_t(mut t: Vec<f64>) -> Vec<f64> {
    let largest = t.iter().map(|it| it.abs()).filter(|it| it.is_finite()).fold(0.0, f64::max);
    for it in &mut t {
        *it = it.abs().min(largest);
    }
    let smallest = t.iter().copied().fold(f64::INFINITY, f64::min);
    let range = largest - smallest;
    t.iter().map(|it| if range > 0.0 { ((it - smallest) / range).powi(2) } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_span_zero_to_one() {
        assert_eq!(from_t(vec![-3.0, 1.0, 2.0]), [1.0, 0.0, 0.25]);
        assert_eq!(from_t(vec![2.0, -2.0]), [0.0, 0.0]);
        assert_eq!(from_t(vec![f64::INFINITY, 2.0, 1.0]), [1.0, 1.0, 0.0]);
    }
}
