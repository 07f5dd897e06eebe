//! Transition probabilities of a graph, made symmetric and independent of the density of the cells.

use crate::graph::check_graph;
use cellstone_core::{Csr, Error, Result};

/// The density-normalised symmetric transition matrix of a weighted graph, `[n_obs, n_obs]`.
///
/// With strengths `qᵢ = Σⱼ wᵢⱼ`, `K = Q⁻¹ W Q⁻¹` forgets how densely the cells were sampled; with `zᵢ = Σⱼ Kᵢⱼ` the result
/// is `Z^{−1/2} K Z^{−1/2}`. It has the eigenvalues of the transition matrix `Z⁻¹ K`, the largest of which is 1, once for
/// every connected part. Equal to scanpy's `transitions_sym`.
///
/// Source: Coifman & Lafon 2006, doi:10.1016/j.acha.2006.04.006.
///
/// # Errors
/// If the graph is not symmetric and non-negative, or a cell has no edge.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// let path = Csr::from_dense(&ndarray::array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
/// let matrix = cellstone_neighbors::transitions(&path)?.to_dense();
/// assert!((matrix[[0, 1]] - 0.5_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn transitions(weights: &Csr<f64>) -> Result<Csr<f64>> {
    check_graph(weights)?;
    let mut matrix = weights.clone();
    let strengths = row_sums(&matrix);
    if let Some(cell) = strengths.iter().position(|it| *it <= 0.0) {
        return Err(Error::invalid_input(format!("cell {cell} has no edge: nothing moves to it or from it"))
            .with_hint("leave out cells without neighbours, or use more neighbours"));
    }
    scale(&mut matrix, &strengths);
    let roots: Vec<f64> = row_sums(&matrix).iter().map(|it| it.sqrt()).collect();
    scale(&mut matrix, &roots);
    Ok(matrix)
}

fn row_sums(matrix: &Csr<f64>) -> Vec<f64> {
    (0..matrix.shape().0).map(|row| matrix.row(row).1.iter().sum()).collect()
}

/// Divides every entry by the numbers of its row and its column.
fn scale(matrix: &mut Csr<f64>, by: &[f64]) {
    for row in 0..by.len() {
        let (cols, values) = matrix.row_mut(row);
        for (col, value) in cols.iter().zip(values) {
            *value /= by[row] * by[*col as usize];
        }
    }
}
