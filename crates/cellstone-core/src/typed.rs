//! Small checked values that crates hand to each other: neighbour graphs, clusterings, token rows.

use crate::{Error, Result};

/// The k nearest neighbours of every cell, nearest first, self excluded.
#[derive(Debug, Clone, PartialEq)]
pub struct KnnGraph {
    k: usize,
    indices: Vec<u32>,
    distances: Vec<f32>,
}

impl KnnGraph {
    /// A checked graph; both vectors are `[n_obs · k]`, row by row.
    ///
    /// # Errors
    /// If lengths do not fit or distances of a cell are not ascending.
    pub fn new(k: usize, indices: Vec<u32>, distances: Vec<f32>) -> Result<Self> {
        if k == 0 || indices.len() % k != 0 || indices.len() != distances.len() {
            return Err(Error::invalid_input(format!(
                "{} neighbours and {} distances do not make rows of {k}",
                indices.len(),
                distances.len()
            )));
        }
        if let Some(row) = distances.chunks(k).position(|it| it.windows(2).any(|w| w[0] > w[1])) {
            return Err(Error::invalid_input(format!("distances of cell {row} are not ascending")));
        }
        Ok(Self { k, indices, distances })
    }

    /// Neighbours per cell.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Number of cells.
    pub fn n_obs(&self) -> usize {
        self.indices.len() / self.k
    }

    /// Neighbours of a cell and their distances, nearest first.
    pub fn neighbors(&self, obs: usize) -> (&[u32], &[f32]) {
        let range = obs * self.k..(obs + 1) * self.k;
        (&self.indices[range.clone()], &self.distances[range])
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
    /// A segment per token, for encoders that have them.
    pub type_ids: Option<Vec<u8>>,
}
