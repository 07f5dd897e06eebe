//! Metrics of predicted perturbation responses, with what is needed to read them.
//!
//! Pure functions on arrays ([`l2`], [`pearson_delta`], [`match_ranks`], …), one ordered list of everything that can be
//! asked for by id ([`builtin`]), and beside every score its context: noise ceilings and debiased errors
//! ([`ceilings`]), rescaling between floor and ceiling ([`rescale`]), what a whole panel looks like ([`panel`]),
//! error curves over ranked genes ([`curves`]), and statistics over conditions and splits ([`stats`]).
//!
//! ```
//! use cellstone_core::{Mask, MetricInput, Scores, Score};
//! use ndarray::array;
//! let (truth, pred, control) = (array![[2.0, 2.0, 3.0, 3.0]], array![[1.5, 2.5, 3.0, 3.0]], array![1.0, 2.0, 3.0, 4.0]);
//! let input = MetricInput {
//!     truth: truth.view(), pred: pred.view(), control: control.view(), pred_control: None, train_mean: None,
//!     train_profiles: None, weights: None, targets: &[vec![]], keys: &["A".to_owned()], genes: None, mask: Mask::None,
//! };
//! let metric = cellstone_metrics::by_id("pearson_delta")?;
//! let Scores::PerPerturbation(scores) = metric.compute(&input)? else { unreachable!() };
//! assert!((scores[0].value().unwrap() - 0.866_025_4).abs() < 1e-7);
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! Many metrics of one panel are computed together by a [`Scorer`], which reads every row once and keeps what depends on
//! the truth alone; [`chance_band`] says what a discrimination metric is worth by chance.
//!
//! Every result is the same to the last bit with one thread and with many. A value that does not exist is
//! [`Score::Undefined`] with a reason, never NaN and never 0.
//!
//! What is not here: models, files, averaging over conditions unasked, and metrics that need cells (differential
//! expression, energy distance, clustering).

#![forbid(unsafe_code)]

pub mod ceilings;
mod clustering;
mod clustering_silhouette;
mod correlation;
pub mod curves;
mod errors;
pub mod genes;
mod info;
mod input;
pub mod integration;
pub mod jackknife;
mod kernels;
pub mod panel;
mod per_row;
pub mod phenotype;
mod registry;
pub mod rescale;
mod retrieval;
mod scorer;
pub mod stats;

pub use cellstone_core::{Score, Why};
pub use clustering::{ami, ari, nmi};
pub use clustering_silhouette::{CellDistance, class_distance_sums, silhouette, silhouette_samples};
pub use correlation::{cosine, pearson, pearson_delta, r2, spearman};
pub use errors::{l2, mae, mse, rmse, sq_norm, wmse, wmse_weights};
pub use registry::{builtin, by_id};
pub use retrieval::{ChanceBand, Distance, MatchRank, match_ranks};
pub use scorer::{Request, Scorer, chance_band};
