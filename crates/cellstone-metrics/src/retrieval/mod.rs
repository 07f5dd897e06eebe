//! Discrimination: is the prediction for a perturbation nearer to its own truth than to the other truths?

mod chance;
mod manhattan;
mod metrics;
mod pairs;
mod points;
mod ranks;
#[cfg(test)]
mod tests;

pub use chance::ChanceBand;
pub(crate) use chance::chance;
pub(crate) use metrics::{Retrieval, metrics};
pub(crate) use pairs::{PairCache, TruthPoints, truth_points};
pub use ranks::{Distance, MatchRank, match_ranks};
