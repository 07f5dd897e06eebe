//! Gaussian connectivities with a width of their own for every cell.

use super::{check_knn, directed, others, symmetric};
use cellstone_core::{Csr, KnnGraph, Result};
use rayon::prelude::*;

/// Connectivities `[n_obs, n_obs]` as scanpy's `method="gauss"`.
///
/// `w_ij = √(2 σᵢ σⱼ / (σᵢ² + σⱼ²)) · exp(−d²ᵢⱼ / (σᵢ² + σⱼ²))`, σᵢ² the median squared distance from i to its other
/// neighbours; an edge is there if either cell is among the neighbours of the other. Two cells whose widths are both 0
/// (each among copies of itself) get weight 1 at distance 0.
///
/// Source: Haghverdi et al. 2016, doi:10.1038/nmeth.3971; the median from scanpy (`neighbors/_connectivity.py`).
///
/// # Errors
/// If a neighbour does not exist.
pub fn gauss_graph(knn: &KnnGraph) -> Result<Csr<f64>> {
    check_knn(knn)?;
    let n = knn.n_obs();
    let per_row = others(knn, 0).0.len();
    let squared_widths: Vec<f64> = (0..n).into_par_iter().map(|it| median_of_squares(others(knn, it).1)).collect();
    let mut weights = vec![0.0; n * per_row];
    weights.par_chunks_mut(per_row).enumerate().for_each(|(obs, out)| {
        let (indices, distances) = others(knn, obs);
        for ((weight, other), distance) in out.iter_mut().zip(indices).zip(distances) {
            *weight = kernel(squared_widths[obs], squared_widths[*other as usize], *distance);
        }
    });
    symmetric(&directed(knn, &weights)?, |a, b| a.or(b).unwrap_or(0.0))
}

/// Distances ascend, so the median is at the middle.
fn median_of_squares(distances: &[f64]) -> f64 {
    let (low, high) = (distances[(distances.len() - 1) / 2], distances[distances.len() / 2]);
    0.5 * (low * low + high * high)
}

fn kernel(a: f64, b: f64, distance: f64) -> f64 {
    let sum = a + b;
    if sum == 0.0 {
        return f64::from(u8::from(distance == 0.0));
    }
    (2.0 * a.sqrt() * b.sqrt() / sum).sqrt() * (-distance * distance / sum).exp()
}
