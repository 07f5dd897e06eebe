//! Leiden and Louvain.

use super::moving::move_nodes;
use super::network::Network;
use super::quality::Objective;
use super::refine::{connected_parts, refine};
use crate::graph::check_graph;
use cellstone_core::{Clustering, Csr, Error, Result, Seed, SeedRng};

/// Passes after which a search for stability gives up: quality rises with every pass, so this is never reached in
/// practice.
const MAX_ITERATIONS: usize = 200;

/// Parameters of [`leiden`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeidenParams {
    /// What is maximised.
    pub objective: Objective,
    /// Passes, each from the partition of the one before; `None` goes on until a pass improves nothing.
    pub n_iterations: Option<usize>,
    /// θ of the refinement, in mean edge weights; 0 always takes the best part.
    pub randomness: f64,
    /// Order of visits and choices of the refinement.
    pub seed: Seed,
}

impl LeidenParams {
    /// Modularity at this resolution until stable, with the published θ = 0.01.
    pub const fn new(resolution: f64, seed: Seed) -> Self {
        Self { objective: Objective::Modularity { resolution }, n_iterations: None, randomness: 0.01, seed }
    }
}

/// Communities by the Leiden algorithm, cluster 0 the largest; every one of them is connected.
///
/// A pass moves nodes to the best community, refines the communities from single nodes and continues on the aggregate of
/// the refined ones, until nothing is left to aggregate. `graph` is weighted and undirected: symmetric, not negative.
/// One seed gives one result, whatever the number of threads.
///
/// Source: Traag, Waltman & van Eck 2019, doi:10.1038/s41598-019-41695-z.
///
/// # Errors
/// If the graph is not symmetric and non-negative, or a parameter is out of range.
///
/// # Examples
/// ```
/// use cellstone_core::{Csr, Seed};
/// use cellstone_neighbors::{LeidenParams, leiden};
/// let pairs = Csr::from_dense(&ndarray::array![[0., 1., 0., 0.], [1., 0., 0., 0.], [0., 0., 0., 1.], [0., 0., 1., 0.]]);
/// let clusters = leiden(&pairs, &LeidenParams::new(1.0, Seed::new(0)))?;
/// assert_eq!(clusters.labels(), [0, 0, 1, 1]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn leiden(graph: &Csr<f64>, params: &LeidenParams) -> Result<Clustering> {
    params.objective.check()?;
    if !(params.randomness >= 0.0 && params.randomness.is_finite()) {
        return Err(Error::config(format!("randomness is {}, expected 0 or above", params.randomness)));
    }
    if params.n_iterations == Some(0) {
        return Err(Error::config("n_iterations is 0, expected at least 1"));
    }
    check_graph(graph)?;
    let network = Network::new(graph, params.objective);
    let mut rng = params.seed.derive("leiden").rng();
    let mut clusters = Clustering::new(&(0..network.len() as u32).collect::<Vec<_>>());
    let mut best = network.quality(clusters.labels(), clusters.n_clusters());
    for _ in 0..params.n_iterations.unwrap_or(MAX_ITERATIONS) {
        let next = pass(&network, &clusters, Some(params.randomness), &mut rng);
        let value = network.quality(next.labels(), next.n_clusters());
        // A pass that only exchanged communities of equal quality is stable too.
        let improved = value > best + 1e-12 * network.total.max(network.unit);
        if value >= best {
            (clusters, best) = (next, value);
        }
        if !improved && params.n_iterations.is_none() {
            break;
        }
    }
    // The algorithm leaves nothing disconnected; ties that rounding decides must not either.
    Ok(Clustering::by_size(connected_parts(&network, &clusters).labels()))
}

/// Communities by the Louvain algorithm with a queue of nodes, cluster 0 the largest.
///
/// The levels of one pass: nodes move, communities become nodes. Communities can be disconnected: [`leiden`] is better
/// in every respect and this is here for comparison. Source: Blondel et al. 2008, doi:10.1088/1742-5468/2008/10/P10008.
///
/// # Errors
/// As [`leiden`].
pub fn louvain(graph: &Csr<f64>, objective: Objective, seed: Seed) -> Result<Clustering> {
    objective.check()?;
    check_graph(graph)?;
    let network = Network::new(graph, objective);
    let start = Clustering::new(&(0..network.len() as u32).collect::<Vec<_>>());
    let clusters = pass(&network, &start, None, &mut seed.derive("louvain").rng());
    Ok(Clustering::by_size(clusters.labels()))
}

/// One pass of all levels from a partition of the cells; without `randomness` there is no refinement.
fn pass(base: &Network, start: &Clustering, randomness: Option<f64>, rng: &mut SeedRng) -> Clustering {
    let mut aggregated: Option<Network> = None;
    let mut node_of: Vec<u32> = (0..base.len() as u32).collect();
    let mut partition = start.clone();
    loop {
        let network = aggregated.as_ref().unwrap_or(base);
        let moved;
        (partition, moved) = move_nodes(network, &partition, rng);
        if partition.n_clusters() == network.len() || (randomness.is_none() && !moved) {
            break;
        }
        let mut parts = match randomness {
            Some(randomness) => refine(network, &partition, randomness, rng),
            None => partition.clone(),
        };
        if parts.n_clusters() == network.len() {
            // Refinement merged nothing, by chance or by rounding: aggregate what is connected instead.
            parts = connected_parts(network, &partition);
            if parts.n_clusters() == network.len() {
                partition = parts;
                break;
            }
        }
        for it in &mut node_of {
            *it = parts.labels()[*it as usize];
        }
        let mut of_part = vec![0; parts.n_clusters()];
        parts.labels().iter().zip(partition.labels()).for_each(|(part, it)| of_part[*part as usize] = *it);
        let next = network.aggregate(&parts);
        partition = Clustering::new(&of_part);
        aggregated = Some(next);
    }
    Clustering::new(&node_of.iter().map(|it| partition.labels()[*it as usize]).collect::<Vec<_>>())
}
