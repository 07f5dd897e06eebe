//! Baselines for perturbation prediction: the simple methods that a model has to beat.
//!
//! Every method is a [`PerturbationPredictor`](cellstone_core::PerturbationPredictor) behind one table, [`entries`].
//! Means and learned maps are per context of the query. A row that a method cannot predict gets the documented rule
//! and says so (`Native::Fallback`): `mean_delta` for one target; for several, `additive` if each alone is in train,
//! else `additive_partial` (the means and `mean_other_context`: always `mean_delta`); in a context without any train
//! perturbation, its own control plus the mean delta of the other contexts (`mean_delta_other_contexts`). `mean_delta`
//! there is over the train conditions with as many targets as the query, or over all where there are none.
//!
//! ```
//! use cellstone_baselines::{Params, make};
//! use cellstone_core::{ContextId, Controls, FitCtx, Perturbation, Priors, QueryView, Scale, Seed, TrainView, Var, ViewRow};
//! use std::sync::Arc;
//! let controls = Arc::new(Controls {
//!     var: Var::from_ids(["x", "y"])?, scale: Scale::Effect,
//!     contexts: vec![ContextId::default_context()], profiles: ndarray::array![[1.0, 1.0]],
//! });
//! let row = |targets: &[&str]| ViewRow {
//!     context: 0, perturbation: Perturbation::new(targets.iter().copied()).unwrap(), raw: targets.join("+"),
//! };
//! let train = TrainView::new(
//!     Arc::clone(&controls), vec![row(&["A"]), row(&["B"])], ndarray::array![[3.0, 1.0], [1.0, 0.0]], vec![20, 30],
//! )?;
//! let priors = Priors::new();
//! let fitted = make("additive", &Params::new())?.fit(&train, &mut FitCtx::new(Seed::new(0), &priors))?;
//! let prediction = fitted.predict(&QueryView::new(controls, vec![row(&["A", "B"])]))?;
//! assert_eq!(prediction.profiles(), ndarray::array![[3.0, 0.0]]);
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! What is not here: metrics, splits, replicate ceilings, and models that are trained by gradient descent.

#![forbid(unsafe_code)]

mod additive;
pub mod classify;
mod features;
mod gene_scores;
mod head;
mod knn;
mod linear;
mod loo;
mod means;
mod method;
mod params;
mod recipe;
mod registry;
mod ridge;
mod shrunk;
mod train;

pub use linear::LinearSystem;
pub use loo::LeaveOneOut;
pub use params::{ParamInfo, Params};
pub use registry::{BaselineEntry, entries, make};
