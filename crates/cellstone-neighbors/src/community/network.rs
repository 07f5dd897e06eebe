//! The graph that is moved on, and its aggregates.

use super::Objective;
use cellstone_core::{Clustering, Csr};

/// A weighted undirected graph of nodes that may stand for many cells.
///
/// Both objectives are `Σ_c (A_cc − γ' N_c²)`, where `A_cc` sums the weights inside (both directions and the diagonal)
/// and `N_c` the node weights: strengths with `γ' = γ/2m` for modularity, numbers of cells with `γ' = γ` for CPM.
pub(super) struct Network {
    pub(super) indptr: Vec<usize>,
    /// Neighbours, the node itself left out.
    pub(super) indices: Vec<u32>,
    pub(super) weights: Vec<f64>,
    /// Weight inside each node.
    pub(super) inner: Vec<f64>,
    pub(super) node_weights: Vec<f64>,
    /// γ'.
    pub(super) resolution: f64,
    /// Sum of the whole matrix, 2m.
    pub(super) total: f64,
    /// Mean weight of an edge of the cells: the unit of what counts as an improvement.
    pub(super) unit: f64,
}

impl Network {
    pub(super) fn new(graph: &Csr<f64>, objective: Objective) -> Self {
        let n = graph.shape().0;
        let mut indptr = Vec::with_capacity(n + 1);
        indptr.push(0);
        let (mut indices, mut weights) = (Vec::with_capacity(graph.nnz()), Vec::with_capacity(graph.nnz()));
        let (mut inner, mut strengths) = (vec![0.0; n], vec![0.0; n]);
        for row in 0..n {
            for (col, weight) in std::iter::zip(graph.row(row).0, graph.row(row).1) {
                strengths[row] += weight;
                if *col as usize == row {
                    inner[row] = *weight;
                } else if *weight > 0.0 {
                    indices.push(*col);
                    weights.push(*weight);
                }
            }
            indptr.push(indices.len());
        }
        let total: f64 = strengths.iter().sum();
        let unit = if weights.is_empty() { 1.0 } else { weights.iter().sum::<f64>() / weights.len() as f64 };
        let (node_weights, resolution) = match objective {
            Objective::Modularity { resolution } => (strengths, if total > 0.0 { resolution / total } else { 0.0 }),
            Objective::Cpm { resolution } => (vec![1.0; n], resolution),
        };
        Self { indptr, indices, weights, inner, node_weights, resolution, total, unit }
    }

    pub(super) fn len(&self) -> usize {
        self.inner.len()
    }

    pub(super) fn neighbors(&self, node: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.indptr[node]..self.indptr[node + 1];
        self.indices[range.clone()].iter().map(|it| *it as usize).zip(self.weights[range].iter().copied())
    }

    /// `Σ_c (A_cc − γ' N_c²)`.
    pub(super) fn quality(&self, labels: &[u32], n_labels: usize) -> f64 {
        let (mut inside, mut sizes) = (vec![0.0; n_labels], vec![0.0; n_labels]);
        for node in 0..self.len() {
            let own = labels[node];
            sizes[own as usize] += self.node_weights[node];
            let shared: f64 = self.neighbors(node).filter(|it| labels[it.0] == own).map(|it| it.1).sum();
            inside[own as usize] += self.inner[node] + shared;
        }
        inside.iter().zip(&sizes).map(|(a, size)| a - self.resolution * size * size).sum()
    }

    /// One node per cluster, weights summed.
    pub(super) fn aggregate(&self, clusters: &Clustering) -> Self {
        let (labels, n) = (clusters.labels(), clusters.n_clusters());
        let members = Members::new(clusters);
        let (mut inner, mut node_weights) = (vec![0.0; n], vec![0.0; n]);
        let mut indptr = Vec::with_capacity(n + 1);
        indptr.push(0);
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        let mut sums = Sums::new(n);
        for cluster in 0..n {
            for node in members.of(cluster) {
                inner[cluster] += self.inner[*node as usize];
                node_weights[cluster] += self.node_weights[*node as usize];
                for (other, weight) in self.neighbors(*node as usize) {
                    sums.add(labels[other], weight);
                }
            }
            for (other, weight) in sums.drain() {
                if other as usize == cluster {
                    inner[cluster] += weight;
                } else {
                    indices.push(other);
                    weights.push(weight);
                }
            }
            indptr.push(indices.len());
        }
        Self { indptr, indices, weights, inner, node_weights, ..*self }
    }
}

/// The nodes of every cluster, ascending.
pub(super) struct Members {
    starts: Vec<usize>,
    nodes: Vec<u32>,
}

impl Members {
    pub(super) fn new(clusters: &Clustering) -> Self {
        let mut starts = vec![0; clusters.n_clusters() + 1];
        clusters.labels().iter().for_each(|it| starts[*it as usize + 1] += 1);
        (1..starts.len()).for_each(|it| starts[it] += starts[it - 1]);
        let mut next = starts.clone();
        let mut nodes = vec![0; clusters.labels().len()];
        for (node, label) in clusters.labels().iter().enumerate() {
            nodes[next[*label as usize]] = node as u32;
            next[*label as usize] += 1;
        }
        Self { starts, nodes }
    }

    pub(super) fn of(&self, cluster: usize) -> &[u32] {
        &self.nodes[self.starts[cluster]..self.starts[cluster + 1]]
    }
}

/// Sums by small integer key: a dense table and the list of keys in use, in order of first use.
pub(super) struct Sums {
    values: Vec<f64>,
    keys: Vec<u32>,
}

impl Sums {
    pub(super) fn new(n: usize) -> Self {
        Self { values: vec![0.0; n], keys: Vec::new() }
    }

    #[inline]
    pub(super) fn add(&mut self, key: u32, value: f64) {
        let slot = &mut self.values[key as usize];
        if *slot == 0.0 {
            self.keys.push(key);
        }
        *slot += value;
    }

    pub(super) fn get(&self, key: u32) -> f64 {
        self.values[key as usize]
    }

    pub(super) fn keys(&self) -> &[u32] {
        &self.keys
    }

    pub(super) fn clear(&mut self) {
        for key in self.keys.drain(..) {
            self.values[key as usize] = 0.0;
        }
    }

    fn drain(&mut self) -> impl Iterator<Item = (u32, f64)> {
        self.keys.drain(..).map(|key| (key, std::mem::take(&mut self.values[key as usize])))
    }
}
