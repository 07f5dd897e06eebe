//! Scores of foreign predictions equal the published formulas.

use cellstone_core::{Column, Csr, ObsTable, Scale, Seed};
use cellstone_io::{Extras, H5adWriter, WriteOptions};
use cellstone_lab::{Registry, RunOptions, RunOutcome, ScoreConfig, Silent, score};
use cellstone_report::schema::ScoreRow;
use ndarray::{Array1, Array2, Axis};
use rand::RngExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

const GENES: usize = 30;
const PERTURBATIONS: usize = 12;
const CELLS: usize = 4;

/// Control and twelve perturbations of four cells each, `[cells, genes]`, and their labels.
fn random_cells(seed: u64, with_control: bool) -> (Array2<f32>, Vec<String>) {
    let mut rng = Seed::new(seed).rng();
    let mut labels = Vec::new();
    for at in 0..=PERTURBATIONS {
        let name = if at == 0 { "ctrl".to_owned() } else { format!("G{at}") };
        if at > 0 || with_control {
            labels.extend(std::iter::repeat_n(name, CELLS));
        }
    }
    let x = Array2::from_shape_simple_fn((labels.len(), GENES), || (rng.random::<f32>() * 3.0 - 1.0).max(0.0));
    (x, labels)
}

fn write(path: &Path, x: &Array2<f32>, labels: &[String], genes: &[usize]) {
    let x = x.select(Axis(1), genes);
    let mut writer = H5adWriter::create(path, &WriteOptions::default(), genes.len()).expect("writer");
    writer.write_rows(&Csr::from_dense(&x)).expect("rows");
    let mut obs = ObsTable::new((0..labels.len()).map(|it| format!("c{it}")).collect());
    obs.insert("target", Column::categorical(labels)).expect("column");
    let var = ObsTable::new(genes.iter().map(|it| format!("G{it}")).collect());
    writer.finish(&obs, &var, &Extras::default()).expect("written");
}

fn means(x: &Array2<f32>, labels: &[String], name: &str) -> Array1<f64> {
    let rows: Vec<usize> = (0..labels.len()).filter(|it| labels[*it] == name).collect();
    x.select(Axis(0), &rows).mapv(f64::from).mean_axis(Axis(0)).expect("cells")
}

fn run_score(dir: &Path, metrics: &[&str]) -> cellstone_core::Result<RunOutcome> {
    let config = ScoreConfig {
        truth: dir.join("truth.h5ad"),
        pred: dir.join("pred.h5ad"),
        pert_col: "target".into(),
        control: "ctrl".into(),
        context_col: None,
        metrics: metrics.iter().map(ToString::to_string).collect(),
        genes: vec!["all".into()],
        masks: vec!["none".into()],
        own_control: false,
        scale: Scale::LogNorm { target_sum: None },
        name: "pred".into(),
        draws: 100,
        flips: 100,
    };
    let cancel = AtomicBool::new(false);
    let options = RunOptions {
        out: Some(dir.join("scored")),
        resume: false,
        force: true,
        progress: &Silent,
        cancel: &cancel,
        threads: 1,
        device: "cpu".to_owned(),
    };
    score(&config, &Registry::builtin(), &options)
}

fn rows(outcome: &RunOutcome) -> Vec<ScoreRow> {
    cellstone_report::read_table(&outcome.dir.join("tables"), "scores").expect("scores")
}

#[test]
fn formulas_hold_whatever_the_gene_order() {
    let dir = tempfile::tempdir().expect("folder");
    let (truth, labels) = random_cells(1, true);
    let (pred, pred_labels) = random_cells(2, false);
    let forward: Vec<usize> = (0..GENES).collect();
    let backward: Vec<usize> = (0..GENES).rev().collect();
    write(&dir.path().join("truth.h5ad"), &truth, &labels, &forward);
    // No control cells, genes in another order: neither may matter.
    write(&dir.path().join("pred.h5ad"), &pred, &pred_labels, &backward);
    let outcome = run_score(dir.path(), &["l2", "mae", "rmse", "pearson_raw", "pearson_delta"]).expect("scores");
    assert_eq!(outcome.n_errors, 0);
    let control = means(&truth, &labels, "ctrl");
    for row in rows(&outcome).iter().filter(|it| it.method == "pred") {
        let (y, p) = (means(&truth, &labels, &row.perturbation), means(&pred, &pred_labels, &row.perturbation));
        let diff = &p - &y;
        let pearson = |a: &Array1<f64>, b: &Array1<f64>| {
            let (a, b) = (a - a.mean().expect("mean"), b - b.mean().expect("mean"));
            a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
        };
        let want = match row.metric.as_str() {
            "l2" => diff.dot(&diff).sqrt(),
            "mae" => diff.mapv(f64::abs).mean().expect("mean"),
            "rmse" => (diff.dot(&diff) / GENES as f64).sqrt(),
            "pearson_raw" => pearson(&p, &y),
            _ => pearson(&(&p - &control), &(&y - &control)),
        };
        let got = row.value.expect("defined");
        assert!((got - want).abs() < 1e-6, "{} {}: {got} against {want}", row.perturbation, row.metric);
    }
}

#[test]
fn truth_as_prediction_is_perfect() {
    let dir = tempfile::tempdir().expect("folder");
    let (truth, labels) = random_cells(1, true);
    let genes: Vec<usize> = (0..GENES).collect();
    write(&dir.path().join("truth.h5ad"), &truth, &labels, &genes);
    write(&dir.path().join("pred.h5ad"), &truth, &labels, &genes);
    let outcome = run_score(dir.path(), &["l2", "pearson_delta", "pds_v2_cosine"]).expect("scores");
    for row in rows(&outcome).iter().filter(|it| it.method == "pred") {
        let want = if row.metric == "l2" { 0.0 } else { 1.0 };
        assert!((row.value.expect("defined") - want).abs() < 1e-12, "{row:?}");
    }
}

#[test]
fn what_is_missing_or_not_finite_is_an_error_row() {
    let dir = tempfile::tempdir().expect("folder");
    let (truth, labels) = random_cells(1, true);
    let genes: Vec<usize> = (0..GENES).collect();
    write(&dir.path().join("truth.h5ad"), &truth, &labels, &genes);
    let (mut pred, pred_labels) = random_cells(2, false);
    pred[[0, 0]] = f32::INFINITY;
    let keep: Vec<usize> = (0..pred_labels.len()).filter(|it| pred_labels[*it] != "G5").collect();
    let kept: Vec<String> = keep.iter().map(|it| pred_labels[*it].clone()).collect();
    write(&dir.path().join("pred.h5ad"), &pred.select(Axis(0), &keep), &kept, &genes);
    let outcome = run_score(dir.path(), &["l2"]).expect("scores");
    assert_eq!(outcome.n_errors, 2);
    let rows = rows(&outcome);
    let reason = |name: &str| {
        let row = rows.iter().find(|it| it.method == "pred" && it.perturbation == name).expect("row");
        (row.status.clone(), row.reason.clone().unwrap_or_default())
    };
    assert_eq!(reason("G5"), ("error".into(), "the prediction file has no such perturbation".into()));
    assert_eq!(reason("G1"), ("error".into(), "prediction is not finite".into()));
    assert_eq!(reason("G2").0, "ok");
}

#[test]
fn other_genes_or_labels_are_named() {
    let dir = tempfile::tempdir().expect("folder");
    let (truth, labels) = random_cells(1, true);
    let genes: Vec<usize> = (0..GENES).collect();
    write(&dir.path().join("truth.h5ad"), &truth, &labels, &genes);
    write(&dir.path().join("pred.h5ad"), &truth, &labels, &genes[1..]);
    let error = run_score(dir.path(), &["l2"]).expect_err("genes differ");
    assert!(error.to_string().contains("missing in the prediction: `G0`"), "{error}");
    let renamed: Vec<String> =
        labels.iter().map(|it| if it == "ctrl" { it.clone() } else { format!("x{it}") }).collect();
    std::fs::remove_file(dir.path().join("pred.h5ad")).expect("removed");
    write(&dir.path().join("pred.h5ad"), &truth, &renamed, &genes);
    let error = run_score(dir.path(), &["l2"]).expect_err("no shared label");
    assert!(error.to_string().contains("shares no perturbation"), "{error}");
}
