//! Communities of a weighted undirected graph: Leiden, Louvain, and the qualities they optimise;
//! and k-means, which needs no graph.

mod kmeans;
mod leiden;
mod moving;
mod network;
mod quality;
mod refine;

pub use kmeans::{Kmeans, KmeansParams, kmeans};
pub use leiden::{LeidenParams, leiden, louvain};
pub use quality::{Objective, quality};
