//! Small views with planted truth, and short ways to fit and predict.

use cellstone_baselines::{Params, make};
use cellstone_core::{
    ContextId, Controls, FitCtx, Native, Perturbation, Prediction, Priors, QueryView, Scale, Seed, TrainView, Var,
    ViewRow,
};
use ndarray::{Array1, Array2};
use rand::RngExt;
use std::sync::Arc;

/// Uniform values in `[-0.5, 0.5)` from a named stream.
pub(crate) fn random(n: usize, m: usize, name: &str) -> Array2<f64> {
    let mut rng = Seed::new(11).derive(name).rng();
    Array2::from_shape_simple_fn((n, m), || rng.random::<f64>() - 0.5)
}

/// A row of context `context`; targets joined by `+`.
pub(crate) fn row_in(context: usize, key: &str) -> ViewRow {
    let perturbation = Perturbation::new(key.split('+')).expect("distinct targets");
    ViewRow { context, perturbation, raw: key.to_owned() }
}

/// A row of the first context.
pub(crate) fn row(key: &str) -> ViewRow {
    row_in(0, key)
}

pub(crate) fn controls(ids: &[String], contexts: &[&str], profiles: Array2<f64>) -> Arc<Controls> {
    Arc::new(Controls {
        var: Var::from_ids(ids.iter().cloned()).expect("unique"),
        scale: Scale::LogNorm { target_sum: Some(1e4) },
        contexts: contexts.iter().map(|it| ContextId::new(*it)).collect(),
        profiles,
    })
}

/// A view from rows and their deltas.
pub(crate) fn view(controls: &Arc<Controls>, rows: Vec<ViewRow>, deltas: &Array2<f64>) -> TrainView {
    let mut profiles = deltas.clone();
    for (mut profile, row) in profiles.rows_mut().into_iter().zip(&rows) {
        profile += &controls.profiles.row(row.context);
    }
    let n_cells = (0..rows.len()).map(|it| 20 + 7 * it as u64).collect();
    TrainView::new(Arc::clone(controls), rows, profiles, n_cells).expect("shapes fit")
}

pub(crate) fn params(pairs: &[(&str, serde_json::Value)]) -> Params {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

/// What a fit and a prediction gave.
pub(crate) struct Outcome {
    pub(crate) prediction: Prediction,
    pub(crate) notes: Vec<(String, String)>,
    query: QueryView,
}

impl Outcome {
    /// Predicted delta of one query row.
    pub(crate) fn delta(&self, at: usize) -> Array1<f64> {
        &self.prediction.profiles().row(at) - &self.query.control(at)
    }

    pub(crate) fn note(&self, key: &str) -> &str {
        let found = self.notes.iter().find(|(it, _)| it == key);
        &found.unwrap_or_else(|| panic!("no note `{key}` in {:?}", self.notes)).1
    }

    /// Rule and reason of a fallback.
    pub(crate) fn fallback(&self, at: usize) -> Option<(&'static str, &'static str)> {
        match self.prediction.native()[at] {
            Native::Yes => None,
            Native::Fallback { rule, reason } => Some((rule, reason)),
        }
    }
}

pub(crate) fn run_with(
    id: &str,
    given: &[(&str, serde_json::Value)],
    train: &TrainView,
    query: &[ViewRow],
    priors: &Priors,
) -> Outcome {
    let mut ctx = FitCtx::new(Seed::new(5), priors);
    let method = make(id, &params(given)).expect("known");
    let fitted = method.fit(train, &mut ctx).unwrap_or_else(|error| panic!("{id}: {error:?}"));
    let query = QueryView::new(Arc::clone(train.controls()), query.to_vec());
    let prediction = fitted.predict(&query).unwrap_or_else(|error| panic!("{id}: {error:?}"));
    assert!(prediction.profiles().iter().all(|it| it.is_finite()), "{id} predicts a value that is not finite");
    Outcome { prediction, notes: ctx.notes().to_vec(), query }
}

pub(crate) fn run(id: &str, given: &[(&str, serde_json::Value)], train: &TrainView, query: &[&str]) -> Outcome {
    let rows: Vec<ViewRow> = query.iter().map(|it| row(it)).collect();
    run_with(id, given, train, &rows, &Priors::new())
}

pub(crate) fn largest_gap(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    a.iter().zip(b).fold(0.0, |acc, (a, b)| acc.max((a - b).abs()))
}

pub(crate) fn gap(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    a.iter().zip(b).fold(0.0, |acc, (a, b)| acc.max((a - b).abs()))
}

pub(crate) fn gene_ids(n: usize) -> Vec<String> {
    (0..n).map(|it| format!("G{it:02}")).collect()
}

/// Singles of the first `n_singles` genes and doubles `Σ δ · factor + noise`, one context.
pub(crate) fn screen(
    n_genes: usize,
    n_singles: usize,
    factor: f64,
    noise: f64,
) -> (TrainView, Vec<(String, Array1<f64>)>) {
    let ids = gene_ids(n_genes);
    let controls = controls(&ids, &["K562"], random(1, n_genes, "control").mapv(|it| it + 1.0));
    let singles = random(n_singles, n_genes, "singles");
    let mut rows: Vec<ViewRow> = (0..n_singles).map(|it| row(&ids[it])).collect();
    let mut deltas: Vec<Array1<f64>> = singles.rows().into_iter().map(|it| it.to_owned()).collect();
    let wobble = random(n_singles * n_singles, n_genes, "wobble");
    let mut held_out = Vec::new();
    for a in 0..n_singles {
        for b in a + 1..n_singles {
            let delta = (&singles.row(a) + &singles.row(b)) * factor + &(&wobble.row(a * n_singles + b) * noise);
            let key = format!("{}+{}", ids[a], ids[b]);
            if (a + b) % 3 == 0 {
                held_out.push((key, delta));
            } else {
                rows.push(row(&key));
                deltas.push(delta);
            }
        }
    }
    let flat = Array2::from_shape_fn((deltas.len(), n_genes), |(i, j)| deltas[i][j]);
    (view(&controls, rows, &flat), held_out)
}
