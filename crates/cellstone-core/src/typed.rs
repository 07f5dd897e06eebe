//! Small checked values that crates hand to each other: neighbour graphs, clusterings, token rows.

use crate::{Error, Result};

/// The k nearest neighbours of every cell, nearest first.
///
/// Every row has the same length `k`. Whether a cell is its own first neighbour, at distance 0, is part of the value
/// ([`KnnGraph::includes_self`]), because packages count differently: scanpy's `n_neighbors` counts the cell itself.
#[derive(Debug, Clone, PartialEq)]
pub struct KnnGraph {
    k: usize,
    includes_self: bool,
    indices: Vec<u32>,
    distances: Vec<f64>,
}

impl KnnGraph {
    /// A checked graph without the cells themselves; both vectors are `[n_obs · k]`, row by row.
    ///
    /// # Errors
    /// If lengths do not fit or distances of a cell are negative, not a number or not ascending.
    pub fn new(k: usize, indices: Vec<u32>, distances: Vec<f64>) -> Result<Self> {
        if k == 0 || !indices.len().is_multiple_of(k) || indices.len() != distances.len() {
            return Err(Error::invalid_input(format!(
                "{} neighbours and {} distances do not make rows of {k}",
                indices.len(),
                distances.len()
            )));
        }
        // Not `w[0] > w[1]`: a NaN must fail too.
        let ascends = |it: &[f64]| it[0] >= 0.0 && it.windows(2).all(|w| w[0] <= w[1]);
        if let Some(row) = distances.chunks(k).position(|it| !ascends(it)) {
            return Err(Error::invalid_input(format!("distances of cell {row} are not ascending from 0 or above")));
        }
        Ok(Self { k, includes_self: false, indices, distances })
    }

    /// As [`KnnGraph::new`], for rows whose first neighbour is the cell itself.
    ///
    /// # Errors
    /// As [`KnnGraph::new`], and if a row does not start with its own cell at distance 0.
    pub fn with_self(k: usize, indices: Vec<u32>, distances: Vec<f64>) -> Result<Self> {
        let graph = Self::new(k, indices, distances)?;
        let own = |row: &usize| graph.indices[row * k] as usize == *row && graph.distances[row * k] == 0.0;
        if let Some(row) = (0..graph.n_obs()).find(|it| !own(it)) {
            return Err(Error::invalid_input(format!(
                "the first neighbour of cell {row} is {} at distance {}, expected the cell itself at 0",
                graph.indices[row * k],
                graph.distances[row * k]
            )));
        }
        Ok(Self { includes_self: true, ..graph })
    }

    /// Neighbours per cell, the cell itself counted if it is stored.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Whether every cell is its own first neighbour.
    pub fn includes_self(&self) -> bool {
        self.includes_self
    }

    /// Number of cells.
    pub fn n_obs(&self) -> usize {
        self.indices.len() / self.k
    }

    /// Neighbours of a cell and their distances, nearest first.
    pub fn neighbors(&self, obs: usize) -> (&[u32], &[f64]) {
        let range = obs * self.k..(obs + 1) * self.k;
        (&self.indices[range.clone()], &self.distances[range])
    }

    /// The first `k` neighbours of every cell: a smaller graph without a second search.
    ///
    /// # Errors
    /// If `k` is 0 or larger than [`KnnGraph::k`].
    pub fn prefix(&self, k: usize) -> Result<Self> {
        if k == 0 || k > self.k {
            return Err(Error::invalid_input(format!("{k} neighbours of {} stored ones", self.k))
                .with_hint("search once with the largest k that is needed"));
        }
        let indices = self.indices.chunks(self.k).flat_map(|it| &it[..k]).copied().collect();
        let distances = self.distances.chunks(self.k).flat_map(|it| &it[..k]).copied().collect();
        Ok(Self { k, includes_self: self.includes_self, indices, distances })
    }
}

/// A cluster for every cell, numbered from 0 without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clustering {
    labels: Vec<u32>,
    n_clusters: usize,
}

impl Clustering {
    /// Labels renumbered by first appearance.
    pub fn new(labels: &[u32]) -> Self {
        let mut seen = std::collections::BTreeMap::new();
        let labels = labels
            .iter()
            .map(|it| {
                let next = seen.len() as u32;
                *seen.entry(*it).or_insert(next)
            })
            .collect();
        Self { labels, n_clusters: seen.len() }
    }

    /// Labels renumbered by falling size, ties by first appearance: cluster 0 is the largest.
    pub fn by_size(labels: &[u32]) -> Self {
        let first = Self::new(labels);
        let mut sizes = vec![0_usize; first.n_clusters];
        first.labels.iter().for_each(|it| sizes[*it as usize] += 1);
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|it| std::cmp::Reverse(sizes[*it]));
        let mut rank = vec![0; sizes.len()];
        order.iter().enumerate().for_each(|(at, it)| rank[*it] = at as u32);
        Self { labels: first.labels.iter().map(|it| rank[*it as usize]).collect(), n_clusters: first.n_clusters }
    }

    /// Cluster of each cell.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Number of clusters.
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }
}

/// The tokens of one cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenRow {
    /// Token ids.
    pub input_ids: Vec<u32>,
    /// A value per token, for encoders that have them.
    pub values: Option<Vec<f32>>,
    /// A second id per token, for encoders with two streams.
    pub type_ids: Option<Vec<u32>>,
    /// The cell as text, for encoders that write sentences.
    pub sentence: Option<String>,
    /// Expressed genes of the vocabulary, before anything was cut.
    pub n_genes: u32,
    /// Expressed genes of the vocabulary that were cut or not sampled.
    pub n_truncated: u32,
    /// Sum of the values that lead to genes of the vocabulary, on the scale of the input.
    pub mapped: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_are_checked() {
        let graph = KnnGraph::with_self(2, vec![0, 1, 1, 0], vec![0.0, 1.5, 0.0, 1.5]).expect("rows start with self");
        assert_eq!(graph.prefix(1).expect("a prefix").neighbors(1), (&[1][..], &[0.0][..]));
        assert!(graph.prefix(3).is_err());
        let error = KnnGraph::with_self(1, vec![1, 0], vec![0.0, 0.0]).expect_err("not self");
        assert!(error.to_string().contains("the first neighbour of cell 0 is 1"), "{error}");
        for distances in [vec![1.0, 0.5], vec![f64::NAN, 1.0], vec![-1.0, 1.0], vec![0.5, f64::NAN]] {
            assert!(KnnGraph::new(2, vec![1, 1], distances).is_err());
        }
    }

    #[test]
    fn clusters_by_size() {
        let clusters = Clustering::by_size(&[7, 3, 3, 9, 9]);
        assert_eq!(clusters.labels(), [2, 0, 0, 1, 1]);
        assert_eq!(clusters.n_clusters(), 3);
    }
}
