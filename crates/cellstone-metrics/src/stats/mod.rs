//! Statistics over conditions and splits: intervals, tests, corrections, ranks.
//!
//! A *cluster* is what recurs over splits, seeds and contexts and is therefore one observation: the perturbed gene of a
//! single, the unordered pair of a double.

mod bootstrap;
mod intervals;
mod multiple;
mod paired;
mod permutation;
mod ranks;
mod resample;
#[cfg(test)]
mod tests;

pub use bootstrap::{bootstrap_ci, cluster_means, mean_ci, pigeonhole_ci};
pub use intervals::{Tost, quantile, quantiles, tost, wilson};
pub use multiple::{benjamini_hochberg, holm};
pub use paired::{Paired, PairedParams, paired};
pub use permutation::sign_flip_p;
pub use ranks::{Friedman, friedman, mean_ranks, midranks, nemenyi_cd};
pub use resample::{bootstrap_sums, central_95, sign_flip_ps};
