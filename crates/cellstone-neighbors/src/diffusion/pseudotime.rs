//! Diffusion pseudotime from a root.

use super::DiffusionMap;
use crate::graph::connected_parts;
use cellstone_core::{Csr, Error, Result};

/// Eigenvalues from here on count as 1: those of stationary states.
const STATIONARY: f64 = 0.9994;

/// Diffusion pseudotime of every cell: its diffusion distance from the root, the farthest at 1; `None` where no path
/// leads to the root.
///
/// `d² = Σⱼ (λⱼ/(1 − λⱼ))² (ψ_root,j − ψ_j)²` over the first `n_comps` components with `λⱼ < 0.9994`, plus the plain
/// squares `(ψ_root,j − ψ_j)²` of the others, as in scanpy's `tl.dpt` (where unreachable cells are infinite).
/// `weights` is the graph that `map` was made of.
///
/// Source: Haghverdi et al. 2016, doi:10.1038/nmeth.3971; the extension to several connected parts from Wolf et al.
/// 2019, doi:10.1186/s13059-019-1663-x.
///
/// # Errors
/// If the root does not exist, the map has another number of cells or fewer than `n_comps` components.
pub fn diffusion_pseudotime(
    weights: &Csr<f64>,
    map: &DiffusionMap,
    root: usize,
    n_comps: usize,
) -> Result<Vec<Option<f64>>> {
    let (n, stored) = map.components.dim();
    if weights.shape().0 != n {
        return Err(Error::invalid_input(format!("a diffusion map of {n} cells for a graph of {}", weights.shape().0)));
    }
    if root >= n {
        return Err(Error::invalid_input(format!("root cell {root} of {n} cells, counted from 0")));
    }
    if n_comps == 0 || n_comps > stored {
        return Err(Error::config(format!("{n_comps} components of a diffusion map of {stored}"))
            .with_hint("make the map with more components first"));
    }
    let factors: Vec<f64> =
        map.eigenvalues.iter().take(n_comps).map(|it| if *it < STATIONARY { it / (1.0 - it) } else { 1.0 }).collect();
    let from = map.components.row(root);
    let distance = |cell: usize| {
        let own = map.components.row(cell);
        let squares = factors.iter().zip(from).zip(own).map(|((factor, a), b)| (factor * (a - b)).powi(2));
        squares.sum::<f64>().sqrt()
    };
    let mut times = vec![None; n];
    let parts = connected_parts(weights);
    let reached = parts.iter().find(|it| it.binary_search(&(root as u32)).is_ok());
    for cell in reached.into_iter().flatten() {
        times[*cell as usize] = Some(distance(*cell as usize));
    }
    let farthest = times.iter().flatten().copied().fold(0.0, f64::max);
    if farthest > 0.0 {
        times.iter_mut().flatten().for_each(|it| *it /= farthest);
    }
    Ok(times)
}
