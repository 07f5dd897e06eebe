//! The fuzzy simplicial set of UMAP: connectivities with a scale of their own for every cell.

use super::{check_knn, directed, others, symmetric};
use cellstone_core::sum::ordered_sum;
use cellstone_core::{Csr, Error, KnnGraph, Result};
use rayon::prelude::*;

/// Steps of the bisection for σ.
const N_STEPS: usize = 64;
/// Where the bisection stops.
const TOLERANCE: f64 = 1e-5;
/// The floor of σ, as a share of the mean distance.
const MIN_SCALE: f64 = 1e-3;

/// Parameters of [`fuzzy_graph`]; the default is what umap-learn and scanpy use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FuzzyParams {
    /// Neighbours that count as connected for certain: the distance to this one is subtracted. At least 0; between
    /// two whole numbers the distances are interpolated.
    pub local_connectivity: f64,
    /// From 0, the intersection `w ∘ wᵀ`, to 1, the union `w + wᵀ − w ∘ wᵀ`.
    pub set_op_mix_ratio: f64,
}

impl Default for FuzzyParams {
    fn default() -> Self {
        Self { local_connectivity: 1.0, set_op_mix_ratio: 1.0 }
    }
}

/// Connectivities `[n_obs, n_obs]` as umap-learn's `fuzzy_simplicial_set` and scanpy's `method="umap"`.
///
/// With ρ the distance to the nearest cell that is not at 0, and σ such that `Σⱼ exp(−max(0, dⱼ − ρ)/σ) = log₂ k` over
/// the other cells, `wⱼ = exp(−max(0, dⱼ − ρ)/σ)`; then the fuzzy union of both directions. `k` counts the cell itself,
/// whether the graph stores it or not. The result is symmetric, its diagonal empty.
///
/// Source: McInnes, Healy & Melville 2018, arXiv:1802.03426; constants from umap-learn 0.5 (`umap/umap_.py`), which
/// computes in single precision: its weights differ in the sixth digit.
///
/// # Errors
/// If a parameter is out of range or a neighbour does not exist.
pub fn fuzzy_graph(knn: &KnnGraph, params: &FuzzyParams) -> Result<Csr<f64>> {
    let mix = params.set_op_mix_ratio;
    if !(0.0..=1.0).contains(&mix) {
        return Err(Error::config(format!("set_op_mix_ratio is {mix}, expected 0 to 1")));
    }
    if !(params.local_connectivity >= 0.0 && params.local_connectivity.is_finite()) {
        return Err(Error::config(format!("local_connectivity is {}, expected at least 0", params.local_connectivity)));
    }
    check_knn(knn)?;
    let n = knn.n_obs();
    let per_row = others(knn, 0).0.len();
    let n_neighbors = (per_row + 1) as f64;
    let row_means: Vec<f64> =
        (0..n).into_par_iter().map(|it| others(knn, it).1.iter().sum::<f64>() / n_neighbors).collect();
    let mean = ordered_sum(&row_means) / n as f64;
    let mut weights = vec![0.0; n * per_row];
    weights.par_chunks_mut(per_row).enumerate().for_each(|(obs, out)| {
        let distances = others(knn, obs).1;
        let rho = nearest_distance(distances, params.local_connectivity);
        let floor = MIN_SCALE * if rho > 0.0 { row_means[obs] } else { mean };
        let sigma = scale(distances, rho, n_neighbors.log2()).max(floor);
        for (weight, distance) in out.iter_mut().zip(distances) {
            *weight = if *distance <= rho || sigma == 0.0 { 1.0 } else { (-(distance - rho) / sigma).exp() };
        }
    });
    symmetric(&directed(knn, &weights)?, |a, b| {
        let (a, b) = (a.unwrap_or(0.0), b.unwrap_or(0.0));
        mix * (a + b - a * b) + (1.0 - mix) * (a * b)
    })
}

/// ρ: the distance to the `rank`-th cell that is not at distance 0, interpolated between ranks.
fn nearest_distance(distances: &[f64], rank: f64) -> f64 {
    let apart = &distances[distances.partition_point(|it| *it <= 0.0)..];
    let (whole, part) = (rank.floor() as usize, rank.fract());
    if (apart.len() as f64) < rank {
        return apart.last().copied().unwrap_or(0.0);
    }
    match whole {
        0 => apart.first().map_or(0.0, |it| part * it),
        _ if part > TOLERANCE => apart[whole - 1] + part * (apart[whole] - apart[whole - 1]),
        _ => apart[whole - 1],
    }
}

/// σ by bisection, from 1 and doubling until the target is enclosed.
fn scale(distances: &[f64], rho: f64, target: f64) -> f64 {
    let (mut low, mut high, mut sigma) = (0.0_f64, f64::INFINITY, 1.0_f64);
    for _ in 0..N_STEPS {
        let total: f64 = distances.iter().map(|it| (-(it - rho).max(0.0) / sigma).exp()).sum();
        if (total - target).abs() < TOLERANCE {
            break;
        }
        if total > target {
            high = sigma;
        } else {
            low = sigma;
        }
        sigma = if high.is_infinite() { 2.0 * sigma } else { 0.5 * (low + high) };
    }
    sigma
}
