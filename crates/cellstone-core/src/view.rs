//! What a method may see: views that do not contain held-out truth, because they are copies without it.

use crate::{
    Condition, ContextId, Embedding, Error, Part, Perturbation, Priors, Pseudobulk, Result, Scale, Seed, Split, Var,
};
use ndarray::{Array2, ArrayView1, Axis};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// One training or query condition.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewRow {
    /// Index into the contexts of the view.
    pub context: usize,
    /// What was done.
    pub perturbation: Perturbation,
    /// The name in the file.
    pub raw: String,
}

/// The contexts of a view with their control profiles: controls are training data in every split.
#[derive(Debug, Clone)]
pub struct Controls {
    /// The genes.
    pub var: Var,
    /// The scale of every profile.
    pub scale: Scale,
    /// The contexts, sorted.
    pub contexts: Vec<ContextId>,
    /// Control profile of each context, `[n_contexts, n_vars]`.
    pub profiles: Array2<f64>,
}

/// Everything a fit may see: control profiles and the profiles of the train conditions.
#[derive(Debug, Clone)]
pub struct TrainView {
    controls: Arc<Controls>,
    rows: Vec<ViewRow>,
    profiles: Array2<f64>,
    n_cells: Vec<u64>,
    /// `T_c` of each row, where cells were seen.
    noise: Option<Vec<f64>>,
}

/// What is asked for: which perturbation in which context. No profile of a queried condition is in here.
#[derive(Debug, Clone)]
pub struct QueryView {
    controls: Arc<Controls>,
    rows: Vec<ViewRow>,
}

/// The truth of the queried conditions, for the metric side alone.
#[derive(Debug, Clone)]
pub struct TruthView {
    /// The queried conditions, in the order of the [`QueryView`].
    pub rows: Vec<ViewRow>,
    /// Row of each in the [`Pseudobulk`].
    pub source_rows: Vec<usize>,
    /// Truth profiles, `[n_query, n_vars]`.
    pub profiles: Array2<f64>,
}

/// Splits means into what a fit sees, what is asked, and the truth.
///
/// `scored` lists the parts that are asked for (usually test; the published doubles protocol scores val as well).
///
/// # Errors
/// If nothing is left to train on or to ask, or if a condition is not named by the split.
pub fn views(bulk: &Pseudobulk, split: &Split, scored: &[Part]) -> Result<(TrainView, QueryView, TruthView)> {
    let contexts: Vec<ContextId> = bulk.contexts().cloned().collect();
    let control_rows: Vec<usize> = contexts.iter().filter_map(|it| bulk.control_row(it)).collect();
    let controls = Arc::new(Controls {
        var: bulk.var().clone(),
        scale: bulk.scale(),
        profiles: bulk.profiles().select(Axis(0), &control_rows),
        contexts,
    });
    let (mut train, mut query) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for (at, row) in bulk.rows().iter().enumerate() {
        let Condition::Perturbed(perturbation) = &row.condition else { continue };
        let context =
            controls.contexts.binary_search(&row.context).expect("invariant: every row's context has a control");
        let view_row = ViewRow { context, perturbation: perturbation.clone(), raw: row.raw.clone() };
        match split.part(&row.context, &row.raw) {
            Some(Part::Train) => {
                train.0.push(view_row);
                train.1.push(at);
            }
            Some(part) if scored.contains(&part) => {
                query.0.push(view_row);
                query.1.push(at);
            }
            // Neither seen nor asked: an unscored validation part, or a condition outside the split's pool.
            _ => {}
        }
    }
    if train.0.is_empty() {
        return Err(Error::invalid_input(format!("split `{}` leaves no perturbation to train on", split.name)));
    }
    if query.0.is_empty() {
        return Err(Error::invalid_input(format!("split `{}` leaves no perturbation to predict", split.name)));
    }
    let noise = bulk.sampling_var().map(|all| train.1.iter().map(|it| all.row(*it).sum()).collect());
    let train_view = TrainView {
        controls: Arc::clone(&controls),
        profiles: bulk.profiles().select(Axis(0), &train.1),
        n_cells: train.1.iter().map(|it| bulk.rows()[*it].n_cells).collect(),
        rows: train.0,
        noise,
    };
    let truth =
        TruthView { rows: query.0.clone(), profiles: bulk.profiles().select(Axis(0), &query.1), source_rows: query.1 };
    Ok((train_view, QueryView { controls, rows: query.0 }, truth))
}

impl TrainView {
    /// A view from parts: for tests, and for callers that hold means of their own.
    ///
    /// # Errors
    /// If shapes do not fit.
    pub fn new(controls: Arc<Controls>, rows: Vec<ViewRow>, profiles: Array2<f64>, n_cells: Vec<u64>) -> Result<Self> {
        if profiles.dim() != (rows.len(), controls.var.len()) || n_cells.len() != rows.len() {
            return Err(Error::invalid_input(format!(
                "train profiles have shape {:?}, expected {} × {}",
                profiles.dim(),
                rows.len(),
                controls.var.len()
            )));
        }
        if let Some(row) = rows.iter().find(|it| it.context >= controls.contexts.len()) {
            return Err(Error::invalid_input(format!(
                "train row `{}` names context {} of {}",
                row.raw,
                row.context,
                controls.contexts.len()
            )));
        }
        Ok(Self { controls, rows, profiles, n_cells, noise: None })
    }

    /// Adds the sampling noise `T_c` of each row.
    #[must_use]
    pub fn with_noise(mut self, noise: Vec<f64>) -> Self {
        self.noise = (noise.len() == self.rows.len()).then_some(noise);
        self
    }

    /// Control profiles, genes, scale.
    pub fn controls(&self) -> &Arc<Controls> {
        &self.controls
    }

    /// The genes.
    pub fn var(&self) -> &Var {
        &self.controls.var
    }

    /// The train conditions.
    pub fn rows(&self) -> &[ViewRow] {
        &self.rows
    }

    /// Their mean profiles, `[n_train, n_vars]`.
    pub fn profiles(&self) -> &Array2<f64> {
        &self.profiles
    }

    /// Their numbers of cells.
    pub fn n_cells(&self) -> &[u64] {
        &self.n_cells
    }

    /// `T_c`, the expected squared error of each mean, where cells were seen.
    pub fn noise(&self) -> Option<&[f64]> {
        self.noise.as_deref()
    }

    /// `profile − control of the same context`, `[n_train, n_vars]`.
    pub fn deltas(&self) -> Array2<f64> {
        let mut deltas = self.profiles.clone();
        for (mut delta, row) in deltas.rows_mut().into_iter().zip(&self.rows) {
            delta -= &self.controls.profiles.row(row.context);
        }
        deltas
    }

    /// The chosen conditions alone, for selection inside the training data.
    #[must_use]
    pub fn subset(&self, rows: &[usize]) -> Self {
        Self {
            controls: Arc::clone(&self.controls),
            rows: rows.iter().map(|it| self.rows[*it].clone()).collect(),
            profiles: self.profiles.select(Axis(0), rows),
            n_cells: rows.iter().map(|it| self.n_cells[*it]).collect(),
            noise: self.noise.as_ref().map(|all| rows.iter().map(|it| all[*it]).collect()),
        }
    }

    /// The chosen conditions as a query, for selection inside the training data.
    pub fn as_query(&self, rows: &[usize]) -> QueryView {
        QueryView { controls: Arc::clone(&self.controls), rows: rows.iter().map(|it| self.rows[*it].clone()).collect() }
    }
}

impl QueryView {
    /// A query from parts.
    pub fn new(controls: Arc<Controls>, rows: Vec<ViewRow>) -> Self {
        Self { controls, rows }
    }

    /// Control profiles, genes, scale.
    pub fn controls(&self) -> &Arc<Controls> {
        &self.controls
    }

    /// The conditions asked for.
    pub fn rows(&self) -> &[ViewRow] {
        &self.rows
    }

    /// Control profile of a row's context.
    pub fn control(&self, row: usize) -> ArrayView1<'_, f64> {
        self.controls.profiles.row(self.rows[row].context)
    }
}

/// What a fit is given besides data: its seed, prior knowledge, and a way to be stopped.
#[derive(Debug)]
pub struct FitCtx<'a> {
    /// The only source of randomness.
    pub seed: Seed,
    /// Prior knowledge by name.
    pub priors: &'a Priors,
    cancel: Option<&'a AtomicBool>,
    notes: Vec<(String, String)>,
}

impl<'a> FitCtx<'a> {
    /// A context with a seed and prior knowledge.
    pub fn new(seed: Seed, priors: &'a Priors) -> Self {
        Self { seed, priors, cancel: None, notes: Vec::new() }
    }

    /// Lets a fit be stopped from outside.
    #[must_use]
    pub fn with_cancel(mut self, cancel: &'a AtomicBool) -> Self {
        self.cancel = Some(cancel);
        self
    }

    /// The embedding of that name.
    ///
    /// # Errors
    /// If it was not given.
    pub fn embedding(&self, name: &str) -> Result<&'a Embedding> {
        self.priors.embedding(name)
    }

    /// Records what the fit chose (a penalty, a rank), for the run's tables.
    pub fn note(&mut self, key: impl Into<String>, value: impl ToString) {
        self.notes.push((key.into(), value.to_string()));
    }

    /// What was recorded.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    /// Fails if the caller asked to stop: call it between pieces of work.
    ///
    /// # Errors
    /// With `is_cancelled`.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_some_and(|it| it.load(Ordering::Relaxed)) {
            return Err(Error::new(crate::ErrorKind::Cancelled, "stopped on request"));
        }
        Ok(())
    }
}
