//! The neighbours inside a label that kBET tests.

use cellstone_core::{Csr, Error, KnnGraph, Result};
use cellstone_metrics::integration::{Convention, KbetLabel};
use cellstone_neighbors::{
    DistanceMetric, KnnParams, connected_parts, diffusion_map, exact_knn_with, subgraph, walk_neighbors,
};

/// Components of the diffusion map of a label.
const N_COMPS: usize = 100;
/// Longest random walks under the rules of scib.
const MAX_STEPS: usize = 26;

/// `k0` neighbours of every cell of a label and the cell itself, as the convention finds them.
///
/// By default the nearest in the diffusion map of the label's own graph, part by part, exactly.
// DIVERGES(kbet-components): scib-metrics carries the number of components of its smallest label so far over to the next.
pub(super) fn label_neighbors(label: &KbetLabel<'_>, convention: Convention) -> Result<KnnGraph> {
    if convention == Convention::Scib {
        // The cell itself is one of the k0 that are tested.
        return walks(label.graph, label.k0.saturating_sub(1));
    }
    let graph = label.graph;
    let parts = connected_parts(graph);
    let smallest = parts.iter().map(Vec::len).min().unwrap_or(0);
    let k = (label.k0 + 1).min(smallest);
    let n = graph.shape().0;
    let (mut indices, mut distances) = (vec![0; n * k], vec![0.0; n * k]);
    for part in &parts {
        let own = if parts.len() == 1 { None } else { Some(subgraph(graph, part)?) };
        let map = diffusion_map(own.as_ref().unwrap_or(graph), N_COMPS)?;
        let params = KnnParams { metric: DistanceMetric::Euclidean, k, include_self: true };
        let near = exact_knn_with(map.coordinates().view(), &params)?;
        for (at, cell) in part.iter().enumerate() {
            let start = *cell as usize * k;
            let (others, far) = near.neighbors(at);
            indices[start..start + k].iter_mut().zip(others).for_each(|(it, other)| *it = part[*other as usize]);
            distances[start..start + k].copy_from_slice(far);
        }
    }
    KnnGraph::with_self(k, indices, distances)
}

/// Neighbours by short random walks; ranks stand in for distances.
fn walks(graph: &Csr<f64>, k: usize) -> Result<KnnGraph> {
    let n = graph.shape().0;
    let Some(found) = walk_neighbors(graph, k, MAX_STEPS)? else {
        return Err(Error::invalid_input(format!("some cell has fewer than {k} others within {MAX_STEPS} steps")));
    };
    let (mut indices, mut distances) = (Vec::with_capacity(n * (k + 1)), Vec::with_capacity(n * (k + 1)));
    for (cell, near) in found.chunks(k).enumerate() {
        indices.push(cell as u32);
        indices.extend_from_slice(near);
        distances.extend((0..=k).map(|it| it as f64));
    }
    KnnGraph::with_self(k + 1, indices, distances)
}
