//! How alike cells are: exact measures of one pair, and streaming summaries of all pairs.

mod pair;

mod block;
mod cells;
mod dense;
mod distribution;
mod engine;
mod exact;
mod fold;
mod joint;
mod lists;
mod options;
mod prepare;
mod purity;
mod scale;
mod separation;
mod sparse;
mod summaries;

pub use distribution::Distribution;
pub use engine::{all_pairs, all_pairs_with};
pub use exact::{ExactQuantiles, exact_quantiles};
pub use joint::{JOINT_BINS, JointHistogram, Measure, joint_histogram};
pub use lists::NeighborLists;
pub use options::{Grid, MAX_BINS, PairOptions, Relation, Rows, Similarity};
pub use pair::{
    MIN_CODETECTED, Overlap, SparseRow, TopOverlap, cosine, cosine_sparse, kendall_tau_b, kendall_tau_b_sparse,
    pearson, pearson_sparse, rank_biased_overlap, rank_biased_overlap_ties, spearman, spearman_codetected,
    spearman_codetected_sparse, spearman_sparse, top_k_overlap, weighted_tau, weighted_tau_sparse,
};
pub use purity::{Purity, purity_at_k};
pub use separation::Separation;
pub use summaries::{MacroMean, PairSummaries};
