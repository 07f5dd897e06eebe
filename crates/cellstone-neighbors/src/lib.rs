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
mod diffusion;
mod graph;
mod knn;
mod ontology;
mod similarity;
mod umap;
mod wide;

pub use community::{Kmeans, KmeansParams, LeidenParams, Objective, kmeans, leiden, louvain, quality};
pub use diffusion::{DiffusionMap, diffusion_map, diffusion_pseudotime, transitions, walk_neighbors};
pub use graph::{FuzzyParams, check_graph, connected_parts, fuzzy_graph, gauss_graph, subgraph};
pub use knn::{
    APPROXIMATE_ABOVE, ApproximateKnnParams, DistanceMetric, KnnParams, approximate_knn, exact_knn, exact_knn_with, knn,
};
pub use ontology::Ontology;
pub use similarity::{
    Distribution, ExactQuantiles, Grid, JOINT_BINS, JointHistogram, MAX_BINS, MIN_CODETECTED, MacroMean, Measure,
    NeighborLists, Overlap, PairOptions, PairSummaries, Purity, Relation, Rows, Separation, Similarity, SparseRow,
    TopOverlap, all_pairs, all_pairs_with, cosine, cosine_sparse, exact_quantiles, joint_histogram, kendall_tau_b,
    kendall_tau_b_sparse, pearson, pearson_sparse, purity_at_k, rank_biased_overlap, rank_biased_overlap_ties,
    spearman, spearman_codetected, spearman_codetected_sparse, spearman_sparse, top_k_overlap, weighted_tau,
    weighted_tau_sparse,
};
pub use umap::{Curve, UmapInit, UmapParams, fit_curve, spectral_layout, umap};
