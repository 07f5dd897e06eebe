//! Against NumPy and scikit-learn, on values written by `data-fixtures/golden/baselines/generate.py`.

use crate::support::{controls, row, run_with, view};
use cellstone_core::{Embedding, Priors, TrainView, ViewRow};
use ndarray::Array2;
use serde_json::{Value, json};
use std::path::Path;

struct Golden(Value);

impl Golden {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/baselines/golden.json");
        let text = std::fs::read_to_string(&path).expect("golden file is part of the repository");
        Self(serde_json::from_str(&text).expect("valid JSON"))
    }

    fn matrix(&self, key: &str) -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(self.0[key].clone()).expect("a matrix");
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
    }

    fn setting(&self) -> (TrainView, Vec<ViewRow>, Priors) {
        let genes: Vec<String> = serde_json::from_value(self.0["genes"].clone()).expect("names");
        let control: Vec<f64> = serde_json::from_value(self.0["control"].clone()).expect("a vector");
        let n_train = self.0["n_train"].as_u64().expect("a number") as usize;
        let control = Array2::from_shape_vec((1, genes.len()), control).expect("one value per gene");
        let deltas = &self.matrix("profiles") - &control;
        let rows: Vec<ViewRow> = genes.iter().map(|it| row(it)).collect();
        let train = view(&controls(&genes, &["c"], control), rows[..n_train].to_vec(), &deltas);
        let priors = Priors::new().with(Embedding::new("e", genes, self.matrix("embedding")).expect("valid"));
        (train, rows[n_train..].to_vec(), priors)
    }
}

fn check(id: &str, given: &[(&str, Value)], key: &str) {
    let golden = Golden::read();
    let (train, asked, priors) = golden.setting();
    let out = run_with(id, given, &train, &asked, &priors);
    let want = golden.matrix(key);
    for at in 0..asked.len() {
        assert_eq!(out.fallback(at), None);
        let gap = crate::support::gap(&out.delta(at), &want.row(at).to_owned());
        assert!(gap < 1e-9, "{id} {key} row {at}: {gap:e}");
    }
}

#[test]
fn linear_published_equals_the_formula() {
    check("linear_published", &[("k", json!(4)), ("p", json!("training"))], "linear_training");
    check("linear_published", &[("k", json!(4)), ("p", json!("e")), ("lambda", json!(0.7))], "linear_given");
}

#[test]
fn ridge_and_knn_equal_scikit_learn() {
    check("ridge", &[("embedding", json!("e")), ("lambda", json!(0.3))], "ridge");
    check("knn", &[("embedding", json!("e")), ("k", json!(3))], "knn_3");
}

#[test]
fn ridge_leave_one_out_equals_refitting() {
    let golden = Golden::read();
    let (train, asked, priors) = golden.setting();
    let note = |given: &[(&str, Value)], key: &str| -> f64 {
        run_with("ridge", given, &train, &asked, &priors).note(key).parse().expect("a number")
    };
    let fixed = [("embedding", json!("e")), ("lambda", json!(0.3))];
    let want = golden.0["ridge_loo_0.3"].as_f64().expect("a number");
    assert!((note(&fixed, "loo_l2") - want).abs() < 1e-6);
    let best: Vec<f64> = serde_json::from_value(golden.0["ridge_loo_best"].clone()).expect("two numbers");
    assert!((note(&fixed[..1], "loo_l2") - best[1]).abs() < 1e-6);
    assert!((note(&fixed[..1], "lambda") / best[0] - 1.0).abs() < 1e-3);
}
