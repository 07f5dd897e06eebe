//! Methods that predict the mean profile of a perturbation.

use crate::{Error, FitCtx, QueryView, Result, TrainView};
use ndarray::Array2;
use std::borrow::Cow;

/// What a method is to the reader of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// An uninformative reference every method must beat.
    Floor,
    /// A simple method with a name in the literature.
    Baseline,
    /// A model under test.
    Model,
    /// Sees what it must not: marks what is possible, never ranked.
    Oracle,
}

/// What a method says about itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PredictorInfo {
    /// Lower snake case, unique in a registry.
    pub id: Cow<'static, str>,
    /// For people.
    pub name: Cow<'static, str>,
    /// What it is to the reader.
    pub role: Role,
    /// The prediction, as a formula or a sentence.
    pub summary: Cow<'static, str>,
    /// Paper DOI or repository and path; empty for our own.
    pub source: Cow<'static, str>,
    /// Whether it needs combinations or their constituents in training to be more than its fallback.
    pub needs_singles: bool,
}

/// Whether a prediction is the method's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Native {
    /// It is.
    Yes,
    /// It is the documented fallback, and why.
    Fallback {
        /// The rule that stood in (`mean_delta`, `additive_partial`).
        rule: &'static str,
        /// The kind of reason (`no embedding`, `target not in training`).
        reason: &'static str,
    },
}

/// Predicted profiles, in the order of the query.
#[derive(Debug, Clone)]
pub struct Prediction {
    profiles: Array2<f64>,
    native: Vec<Native>,
}

impl Prediction {
    /// Profiles `[n_query, n_vars]` on the scale of the controls (absolute, not deltas) and where they come from.
    ///
    /// # Errors
    /// If the two lengths differ.
    pub fn new(profiles: Array2<f64>, native: Vec<Native>) -> Result<Self> {
        if profiles.nrows() != native.len() {
            return Err(Error::invalid_input(format!(
                "{} predicted profiles but {} origins",
                profiles.nrows(),
                native.len()
            )));
        }
        Ok(Self { profiles, native })
    }

    /// Profiles of the control plus predicted deltas `[n_query, n_vars]`.
    ///
    /// # Errors
    /// If shapes differ from the query.
    pub fn from_deltas(query: &QueryView, mut deltas: Array2<f64>, native: Vec<Native>) -> Result<Self> {
        let expected = (query.rows().len(), query.controls().var.len());
        if deltas.dim() != expected {
            return Err(Error::invalid_input(format!(
                "predicted deltas have shape {:?}, expected {expected:?}",
                deltas.dim()
            )));
        }
        for (at, mut delta) in deltas.rows_mut().into_iter().enumerate() {
            delta += &query.control(at);
        }
        Self::new(deltas, native)
    }

    /// Predicted profiles, `[n_query, n_vars]`.
    pub fn profiles(&self) -> &Array2<f64> {
        &self.profiles
    }

    /// Where each comes from.
    pub fn native(&self) -> &[Native] {
        &self.native
    }
}

/// A method: hyper-parameters at construction, data at `fit`.
///
/// The same data and seed give the same bits, whatever the number of threads.
pub trait PerturbationPredictor: Send + Sync {
    /// What it says about itself.
    fn info(&self) -> &PredictorInfo;

    /// Learns from train conditions and controls.
    ///
    /// # Errors
    /// If the view lacks what the method cannot do without; a single unseen target is no error but a fallback.
    fn fit(&self, train: &TrainView, ctx: &mut FitCtx<'_>) -> Result<Box<dyn FittedPredictor>>;
}

/// A fitted method.
pub trait FittedPredictor: Send + Sync {
    /// Predicts every row of the query, in its order.
    ///
    /// # Errors
    /// If the query has other genes or contexts than the training view.
    fn predict(&self, query: &QueryView) -> Result<Prediction>;
}
