//! Clusterings that labels are compared with: communities at ten resolutions, and k-means.

use cellstone_core::sum::map_ordered;
use cellstone_core::{Clustering, Csr, Result, Seed};
use cellstone_metrics::integration::{Convention, RESOLUTIONS};
use cellstone_neighbors::{LeidenParams, leiden, quality};

/// Searches for communities at every resolution, of which the one with the best quality is kept.
const N_SEEDS: u64 = 3;

/// Communities at every resolution of the family.
///
/// Every search runs until it is stable, from three seeds, and the best modularity wins. `scib` has one seed, and
/// `scib-metrics` one seed and two passes, as igraph has by default.
pub(super) fn communities(graph: &Csr<f64>, convention: Convention, seed: Seed) -> Result<Vec<(f64, Clustering)>> {
    let n_seeds = if convention == Convention::Cellstone { N_SEEDS } else { 1 };
    let n_iterations = (convention == Convention::ScibMetrics).then_some(2);
    // All searches at once: those at high resolutions take longer than those at low ones.
    let found = map_ordered(RESOLUTIONS.len() * n_seeds as usize, |at| -> Result<(f64, Clustering)> {
        let resolution = RESOLUTIONS[at / n_seeds as usize];
        let seed = Seed::new(seed.value().wrapping_add(at as u64 % n_seeds));
        let params = LeidenParams { n_iterations, ..LeidenParams::new(resolution, seed) };
        let clusters = leiden(graph, &params)?;
        let value = if n_seeds > 1 { quality(graph, clusters.labels(), params.objective)? } else { 0.0 };
        Ok((value, clusters))
    });
    let mut best: Vec<(f64, Clustering)> = Vec::with_capacity(RESOLUTIONS.len());
    let mut found = found.into_iter();
    for resolution in RESOLUTIONS {
        let mut kept: Option<(f64, Clustering)> = None;
        for it in found.by_ref().take(n_seeds as usize) {
            let (value, clusters) = it?;
            if kept.as_ref().is_none_or(|kept| value > kept.0) {
                kept = Some((value, clusters));
            }
        }
        best.extend(kept.map(|it| (resolution, it.1)));
    }
    Ok(best)
}
