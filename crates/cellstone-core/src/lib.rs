//! The vocabulary of cellstone: what crates hand to each other.
//!
//! Matrices whose scale is their type, conditions and contexts, condition means, splits, views that cannot leak,
//! the seams behind which methods live, one error, one source of randomness.
//!
//! ```
//! use cellstone_core::{Averaging, Condition, ContextId, Perturbation, Pseudobulk, PseudobulkRow, Scale, Var};
//! use cellstone_core::{Part, Split, views};
//! let row = |raw: &str, condition| PseudobulkRow {
//!     context: ContextId::default_context(), condition, raw: raw.into(), n_cells: 10, n_batches: 1,
//! };
//! let single = |it: &str| Condition::Perturbed(Perturbation::new([it]).unwrap());
//! let bulk = Pseudobulk::new(
//!     Var::from_ids(["A", "B"])?, Scale::LogNorm { target_sum: Some(1e4) }, Averaging::Cells,
//!     vec![row("control", Condition::Control), row("A", single("A")), row("B", single("B"))],
//!     ndarray::array![[1.0, 1.0], [3.0, 1.0], [1.0, 0.0]],
//! )?;
//! let mut split = Split::new("example", "by_hand", 0);
//! split.assign("A", Part::Train)?;
//! split.assign("B", Part::Test)?;
//! let (train, query, truth) = views(&bulk, &split, &[Part::Test])?;
//! assert_eq!(train.deltas(), ndarray::array![[2.0, 0.0]]);
//! assert_eq!(query.rows()[0].raw, "B");
//! assert_eq!(truth.profiles, ndarray::array![[1.0, 0.0]]);
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! What is not here: input and output, clocks, global state, and any algorithm that a reader would look for by name.

#![forbid(unsafe_code)]

mod condition;
mod embedding;
mod error;
pub mod genes;
mod matrix;
mod pseudobulk;
mod score;
mod seam;
mod seed;
mod sparse;
mod split;
pub mod sum;
mod table;
mod typed;
mod var;
mod view;

pub use condition::{Condition, ContextId, Perturbation};
pub use embedding::{Embedding, Priors};
pub use error::{Context, Error, ErrorKind, Result, nearest};
pub use matrix::{Counts, LogNorm, RowBlock, Scale, check_values};
pub use pseudobulk::{Averaging, Pseudobulk, PseudobulkRow, Replicate};
pub use score::{Score, Why};
pub use seam::{
    Attribution, Attributions, BoundTokenizer, CeilingRule, CellInput, CountSource, Direction, Embedder, Encoded,
    FittedPredictor, GeneRanking, GeneSelector, GeneVectors, InputScale, LabelledCells, Mask, Metric, MetricInfo,
    MetricInput, MetricLevel, Native, PerturbationPredictor, Prediction, PredictorInfo, Role, Scores, SpecialTokens,
    TokenCoverage, Tokenizer, TokenizerInfo, cell_seed,
};
pub use seed::{Seed, SeedRng};
pub use sparse::{Csc, Csr};
pub use split::{Part, Split, SplitKey};
pub use table::{Column, ObsTable, quoted};
pub use typed::{Clustering, KnnGraph, TokenRow};
pub use var::Var;
pub use view::{Controls, FitCtx, QueryView, TrainView, TruthView, ViewRow, views};
