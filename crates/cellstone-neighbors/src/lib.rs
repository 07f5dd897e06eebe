//! Nearest neighbours, cell graphs, communities and UMAP.
//!
//! The usual way: [`exact_knn_with`] finds the neighbours of cells, [`fuzzy_graph`] or [`gauss_graph`] weighs them, and
//! [`leiden`] finds communities in the graph, [`umap`](umap()) draws it.
//!
//! ```
//! use cellstone_core::Seed;
//! use cellstone_neighbors::{FuzzyParams, LeidenParams, exact_knn, fuzzy_graph, leiden};
//! let cells = ndarray::array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [9.0, 9.0], [9.0, 8.0], [8.0, 9.0]];
//! let graph = fuzzy_graph(&exact_knn(cells.view(), 2)?, &FuzzyParams::default())?;
//! let clusters = leiden(&graph, &LeidenParams::new(1.0, Seed::new(0)))?;
//! assert_eq!(clusters.labels(), [0, 0, 0, 1, 1, 1]);
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! Every result is the same to the last bit with one thread and with many.

#![forbid(unsafe_code)]

mod community;
mod graph;
mod knn;
mod umap;
mod wide;

pub use community::{LeidenParams, Objective, leiden, louvain, quality};
pub use graph::{FuzzyParams, check_graph, fuzzy_graph, gauss_graph};
pub use knn::{
    APPROXIMATE_ABOVE, ApproximateKnnParams, DistanceMetric, KnnParams, approximate_knn, exact_knn, exact_knn_with, knn,
};
pub use umap::{Curve, UmapInit, UmapParams, fit_curve, spectral_layout, umap};
