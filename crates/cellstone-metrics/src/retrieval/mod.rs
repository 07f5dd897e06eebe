//! Discrimination: is the prediction for a perturbation nearer to its own truth than to the other truths?

mod metrics;
mod points;
mod ranks;
#[cfg(test)]
mod tests;

pub(crate) use metrics::metrics;
pub use ranks::{Distance, MatchRank, match_ranks};
