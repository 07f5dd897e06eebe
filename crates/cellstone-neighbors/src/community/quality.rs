//! What a good partition is.

use super::network::Network;
use crate::graph::check_graph;
use cellstone_core::{Csr, Error, Result};

/// The quality that communities maximise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// `Q = 1/2m Σᵢⱼ (Aᵢⱼ − γ kᵢkⱼ/2m) δ(cᵢ, cⱼ)`: modularity with a resolution (Reichardt & Bornholdt 2006, the
    /// configuration model), what scanpy's `leiden` uses.
    Modularity {
        /// γ; larger values give more communities.
        resolution: f64,
    },
    /// `Σ_c (e_c − γ n_c(n_c − 1)/2)`: the constant Potts model (Traag et al. 2011), free of the resolution limit.
    Cpm {
        /// γ: the density that a community must exceed.
        resolution: f64,
    },
}

impl Default for Objective {
    fn default() -> Self {
        Self::Modularity { resolution: 1.0 }
    }
}

impl Objective {
    pub(super) fn check(self) -> Result<()> {
        let (Self::Modularity { resolution } | Self::Cpm { resolution }) = self;
        if resolution.is_finite() && resolution >= 0.0 {
            return Ok(());
        }
        Err(Error::config(format!("resolution is {resolution}, expected 0 or above"))
            .with_hint("1 is the usual start; larger values give more communities"))
    }
}

/// The quality of a partition: `Q` of the modularity in `[−1, 1]`, or the unscaled CPM sum.
///
/// `labels` has one community per row of the graph. A diagonal entry counts once, as `Aᵢᵢ`. A graph without edges has
/// modularity 0.
///
/// # Errors
/// If the graph is not symmetric and non-negative, the labels do not fit or the resolution is out of range.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_neighbors::{Objective, quality};
/// let pairs = Csr::from_dense(&ndarray::array![[0., 1., 0., 0.], [1., 0., 0., 0.], [0., 0., 0., 1.], [0., 0., 1., 0.]]);
/// assert_eq!(quality(&pairs, &[0, 0, 1, 1], Objective::Modularity { resolution: 1.0 })?, 0.5);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn quality(graph: &Csr<f64>, labels: &[u32], objective: Objective) -> Result<f64> {
    objective.check()?;
    check_graph(graph)?;
    let n = graph.shape().0;
    if labels.len() != n {
        return Err(Error::invalid_input(format!("{} labels for a graph of {n} cells", labels.len())));
    }
    let network = Network::new(graph, objective);
    let labels = cellstone_core::Clustering::new(labels);
    let value = network.quality(labels.labels(), labels.n_clusters());
    Ok(match objective {
        Objective::Modularity { .. } if network.total == 0.0 => 0.0,
        Objective::Modularity { .. } => value / network.total,
        // The network counts every pair twice and every cell with itself.
        Objective::Cpm { resolution } => 0.5 * (value + resolution * n as f64),
    })
}
