//! Whether the order of cells along a process survives integration.

use cellstone_core::{Csr, Result};
use cellstone_metrics::integration::{Trajectory, trajectory_cells, trajectory_conservation, trajectory_root};
use cellstone_neighbors::{diffusion_map, diffusion_pseudotime, subgraph};

/// Components of the diffusion map, as scanpy makes by default.
const N_COMPS: usize = 15;
/// Components that pseudotime uses, as scanpy does by default.
const N_TIME: usize = 10;
/// Components by which cells vote for the root.
const N_VOTES: usize = 3;

/// Compares pseudotime before integration (NaN where a cell has none) with diffusion pseudotime in `graph`.
///
/// Among the cells that have a pseudotime the largest connected part of the graph is taken; the root is a cell of the
/// earliest label. Without a root the order is lost: 0, as scib has it.
pub(super) fn trajectory(graph: &Csr<f64>, labels: &[u32], before: &[f64]) -> Result<Trajectory> {
    let after = times_after(graph, labels, before)?;
    trajectory_conservation(before, after.as_deref(), None)
}

fn times_after(graph: &Csr<f64>, labels: &[u32], before: &[f64]) -> Result<Option<Vec<f64>>> {
    let cells = trajectory_cells(graph, before)?;
    if cells.len() <= N_VOTES {
        return Ok(None);
    }
    let ids: Vec<u32> = cells.iter().map(|it| *it as u32).collect();
    let part = subgraph(graph, &ids)?;
    let map = diffusion_map(&part, N_COMPS)?;
    let Some(root) = trajectory_root(&cells, labels, before, map.components.view())? else { return Ok(None) };
    let Ok(at) = cells.binary_search(&root) else { return Ok(None) };
    let times = diffusion_pseudotime(&part, &map, at, N_TIME.min(map.eigenvalues.len()))?;
    let mut after = vec![f64::NAN; before.len()];
    cells.iter().zip(times).for_each(|(cell, time)| after[*cell] = time.unwrap_or(f64::NAN));
    Ok(Some(after))
}
