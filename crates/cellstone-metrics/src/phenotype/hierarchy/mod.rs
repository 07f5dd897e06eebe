//! Scores that know that some classes are kinds of others: closures, hierarchical F, distances, cut-back predictions.

mod closure;
mod cutback;
mod scores;

pub use closure::{Closure, frequent_terms, information_content, mixed_granularity_share};
pub use cutback::{CutBack, CutBackScores, cut_back, cut_back_scores, term_probabilities};
pub use scores::{HierarchicalScores, Hierarchy, Relation, Relations};
