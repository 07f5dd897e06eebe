//! Diffusion maps: eigenvectors of the transition matrix as coordinates.

use super::lanczos::leading_pairs;
use super::transitions::transitions;
use crate::graph::{connected_parts, subgraph};
use cellstone_core::{Csr, Error, Result};
use ndarray::{Array1, Array2, Axis};

/// Distance from 1 below which an eigenvalue is that of another connected part.
const NEAREST: f64 = 1e-12;

/// Eigenvalues and eigenvectors of the symmetric transition matrix of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct DiffusionMap {
    /// Falling; the first is 1, and as many more as the graph has further connected parts.
    pub eigenvalues: Array1<f64>,
    /// Eigenvectors as columns of unit length, `[n_obs, n_comps]`; the entry of largest modulus is positive.
    pub components: Array2<f64>,
}

impl DiffusionMap {
    /// Coordinates in which Euclidean distance is diffusion distance summed over all times: `ψⱼ · λⱼ / (1 − λⱼ)`.
    ///
    /// The first component, which belongs to the stationary state, stays as it is. Source: Haghverdi et al. 2016,
    /// doi:10.1038/nmeth.3971.
    pub fn coordinates(&self) -> Array2<f64> {
        let mut coordinates = self.components.clone();
        for (mut column, value) in coordinates.axis_iter_mut(Axis(1)).zip(&self.eigenvalues).skip(1) {
            let factor = value / (1.0 - value).max(NEAREST);
            column.mapv_inplace(|it| it * factor);
        }
        coordinates
    }
}

/// The leading eigenpairs of the density-normalised transition matrix of a weighted graph (see [`transitions`]).
///
/// `weights` is `[n_obs, n_obs]`, symmetric and not negative. The `n_comps` eigenvalues of largest magnitude are found,
/// at most `n_obs − 1`, to a residual of 1e-9. Equal to scanpy's `tl.diffmap` up to signs and single precision.
///
/// [`transitions`]: crate::transitions
///
/// # Errors
/// If the graph is no undirected graph, has fewer than two cells or one without an edge, or `n_comps` is 0.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// let path = Csr::from_dense(&ndarray::array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
/// let map = cellstone_neighbors::diffusion_map(&path, 2)?;
/// assert!((map.eigenvalues[0] - 1.0).abs() < 1e-14 && (map.eigenvalues[1] + 1.0).abs() < 1e-14);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn diffusion_map(weights: &Csr<f64>, n_comps: usize) -> Result<DiffusionMap> {
    let n = weights.shape().0;
    if n_comps == 0 {
        return Err(Error::config("0 diffusion components, expected at least 1"));
    }
    if n < 2 {
        return Err(Error::invalid_input(format!("a graph of {n} cells has no diffusion map, expected at least 2")));
    }
    let (matrix, k) = (transitions(weights)?, n_comps.min(n - 1));
    let parts = connected_parts(&matrix);
    let (eigenvalues, components) =
        if parts.len() == 1 { leading_pairs(&matrix, k)? } else { pairs_of_parts(&matrix, &parts, k)? };
    Ok(DiffusionMap { eigenvalues, components })
}

/// The leading pairs of a graph that falls apart: those of its parts together. A search in the whole graph could miss that
/// an eigenvalue occurs once for every part.
fn pairs_of_parts(matrix: &Csr<f64>, parts: &[Vec<u32>], k: usize) -> Result<(Array1<f64>, Array2<f64>)> {
    let mut found = Vec::new();
    for cells in parts {
        let (values, vectors) = leading_pairs(&subgraph(matrix, cells)?, k.min(cells.len()))?;
        found.extend(values.into_iter().zip(vectors.columns().into_iter().map(|it| (cells, it.to_owned()))));
    }
    // Stable: of equal values the part that comes first.
    found.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then(b.0.total_cmp(&a.0)));
    found.truncate(k);
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut components = Array2::zeros((matrix.shape().0, found.len()));
    for (mut column, (_, (cells, vector))) in components.columns_mut().into_iter().zip(&found) {
        cells.iter().zip(vector).for_each(|(cell, value)| column[*cell as usize] = *value);
    }
    Ok((found.iter().map(|it| it.0).collect(), components))
}
