//! What a weighted undirected graph must be.

use cellstone_core::{Csr, Error, Result};

/// Relative difference at which two directions of an edge count as equal: files keep single precision.
const TOLERANCE: f64 = 1e-6;

/// Checks that a matrix is the adjacency of a weighted undirected graph: square, finite, not negative, symmetric.
///
/// # Errors
/// Names the first entry that is at fault.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// let graph = Csr::from_dense(&ndarray::array![[0.0, 1.0], [0.5, 0.0]]);
/// let error = cellstone_neighbors::check_graph(&graph).unwrap_err();
/// assert_eq!(error.to_string(), "edge 0–1 has weight 1 one way and 0.5 the other");
/// ```
pub fn check_graph(graph: &Csr<f64>) -> Result<()> {
    let (n_rows, n_cols) = graph.shape();
    if n_rows != n_cols {
        return Err(Error::invalid_input(format!("a graph of {n_rows} × {n_cols}, expected a square matrix")));
    }
    for row in 0..n_rows {
        let (cols, weights) = graph.row(row);
        if let Some((col, weight)) = cols.iter().zip(weights).find(|it| !(it.1.is_finite() && *it.1 >= 0.0)) {
            return Err(Error::invalid_input(format!("edge {row}–{col} has weight {weight}, expected 0 or above"))
                .with_hint("pass connectivities (large means close), not distances or signed correlations"));
        }
    }
    let mirror = graph.transposed();
    for row in 0..n_rows {
        let ((cols, weights), (mirror_cols, mirror_weights)) = (graph.row(row), mirror.row(row));
        if cols != mirror_cols {
            let only = |a: &[u32], b: &[u32]| a.iter().copied().find(|it| b.binary_search(it).is_err());
            let col = only(cols, mirror_cols).or_else(|| only(mirror_cols, cols)).unwrap_or_default();
            return Err(asymmetric(format!("edge {row}–{col} goes one way only")));
        }
        let unequal = |it: &(usize, &u32)| {
            let (a, b) = (weights[it.0], mirror_weights[it.0]);
            (a - b).abs() > TOLERANCE * a.max(b)
        };
        if let Some((at, col)) = cols.iter().enumerate().find(unequal) {
            let (one, other) = (weights[at], mirror_weights[at]);
            return Err(asymmetric(format!("edge {row}–{col} has weight {one} one way and {other} the other")));
        }
    }
    Ok(())
}

fn asymmetric(message: String) -> Error {
    Error::invalid_input(message)
        .with_hint("make a symmetric graph first: fuzzy_graph or gauss_graph of the neighbours")
}
