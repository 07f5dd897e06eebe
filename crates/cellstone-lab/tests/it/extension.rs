//! A method and a metric from outside the tree take part in an experiment.

use crate::common::{EXPERIMENT, cells, config, run_into};
use cellstone_core::{
    FitCtx, FittedPredictor, Native, PerturbationPredictor, Prediction, PredictorInfo, QueryView, Result, Role,
    TrainView,
};
use cellstone_lab::{Entry, PredictorEntry, Registry, parse_config, resolve};
use ndarray::Array2;
use std::sync::Arc;

/// Predicts the control plus one.
struct PlusOne(PredictorInfo);

impl PerturbationPredictor for PlusOne {
    fn info(&self) -> &PredictorInfo {
        &self.0
    }

    fn fit(&self, _: &TrainView, _: &mut FitCtx<'_>) -> Result<Box<dyn FittedPredictor>> {
        Ok(Box::new(Fitted))
    }
}

struct Fitted;

impl FittedPredictor for Fitted {
    fn predict(&self, query: &QueryView) -> Result<Prediction> {
        let shape = (query.rows().len(), query.controls().var.len());
        Prediction::from_deltas(query, Array2::ones(shape), vec![Native::Yes; shape.0])
    }
}

#[test]
fn an_outsider_takes_part() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let info = PredictorInfo {
        id: "plus_one".into(),
        name: "Plus one".into(),
        role: Role::Model,
        summary: "control + 1".into(),
        source: "".into(),
        needs_singles: false,
    };
    let registry = Registry::builtin().with(Entry::Predictor(PredictorEntry::fixed(Arc::new(PlusOne(info)))));
    let text = format!("{EXPERIMENT}\n[[model]]\nid = \"plus_one\"\n");
    assert!(config(dir.path(), &text, &[]).is_err(), "the built-in registry does not know it");
    let config = resolve(parse_config(&text, &["seeds=[1]".to_owned()]).expect("parses"), dir.path(), &registry)
        .expect("resolves");
    let outcome = run_into(&config, &registry, &dir.path().join("run"), false).expect("runs");
    let rows: Vec<cellstone_report::schema::ScoreRow> =
        cellstone_report::read_table(&outcome.dir.join("tables"), "scores").expect("scores");
    assert!(rows.iter().any(|it| it.method == "plus_one" && it.metric == "l2" && it.value.is_some()));
    let page = std::fs::read_to_string(outcome.report).expect("report");
    assert!(page.contains("Plus one"));
}
