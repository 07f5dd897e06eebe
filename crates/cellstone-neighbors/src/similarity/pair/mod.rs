//! Exact measures of two rows in f64: correlations of values and ranks, Kendall's and the weighted tau, overlaps of
//! token lists.
//!
//! These are definitions, for sampled pairs and as the truth behind the engine. Many pairs: [`crate::all_pairs`].

mod kendall;
mod linear;
mod overlap;
mod rank;
mod row;

pub use kendall::{kendall_tau_b, kendall_tau_b_sparse, weighted_tau, weighted_tau_sparse};
pub use linear::{
    MIN_CODETECTED, cosine, cosine_sparse, pearson, pearson_sparse, spearman, spearman_codetected,
    spearman_codetected_sparse, spearman_sparse,
};
pub use overlap::{Overlap, TopOverlap, rank_biased_overlap, rank_biased_overlap_ties, top_k_overlap};
pub(super) use rank::rank_offsets;
pub use row::SparseRow;
