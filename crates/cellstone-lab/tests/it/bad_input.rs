//! Experiment files and data that are wrong say what, where, and what to do.

use crate::common::{EXPERIMENT, cells, config, run_into};
use cellstone_core::{Column, Csr, ObsTable};
use cellstone_io::{Extras, H5adWriter, WriteOptions};
use cellstone_lab::Registry;
use std::path::Path;

/// Resolves an altered experiment and checks the message and its hint.
fn check(from: &str, to: &str, want: &str, hint: &str) {
    let dir = tempfile::tempdir().expect("folder");
    let text = EXPERIMENT.replacen(from, to, 1);
    assert_ne!(text, EXPERIMENT, "nothing was replaced");
    let error = config(dir.path(), &text, &[]).expect_err("wrong");
    assert!(error.to_string().contains(want), "found: {error}");
    assert!(error.hints().iter().any(|it| it.contains(hint)) || hint.is_empty(), "hints: {:?}", error.hints());
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn wrong_experiment_files() {
    check("schema = 1", "schema = 2", "schema = 2, expected 1", "");
    check("scale = \"counts\"", "scal = \"counts\"", "unknown field `scal`", "did you mean `scale`?");
    check("scale = \"counts\"", "", "data.scale is missing", "inspect");
    check("scale = \"counts\"", "scale = \"log\"", "data.scale = \"log\"", "");
    check("id = \"additive\"", "id = \"aditive\"", "unknown method `aditive`", "did you mean `additive`?");
    check("draws = 200", "ids = [\"l3\"]", "unknown metric `l3`", "");
    check("draws = 200", "headline = \"mae2\"", "metrics.headline = \"mae2\" is not among metrics.ids", "");
    check("draws = 200", "reference = \"mean\"", "is no method of this experiment", "");
    check("seeds = [1, 2]", "seeds = []", "seeds is empty", "");
    check("seeds = [1, 2]", "seeds = [1, 1]", "names a seed twice", "");
    check("scored = [\"test\", \"val\"]", "scored = [\"train\"]", "never scored", "");
    check("n_replicates = 2", "averaging = \"mean\"", "prep.averaging = \"mean\"", "");
    check("n_replicates = 2", "target_sum = -1", "prep.target_sum = -1, expected a positive number", "");
    check("id = \"knn\"", "id = \"additive\"", "two methods are called `additive`", "label");
    check("id = \"knn\"", "id = \"knn\"\nparams = { kk = 3 }", "kk", "");
}

#[test]
fn an_experiment_needs_a_baseline() {
    let dir = tempfile::tempdir().expect("folder");
    let text = EXPERIMENT.split("[[baseline]]").next().expect("head");
    let error = config(dir.path(), text, &[]).expect_err("no baseline");
    assert!(error.to_string().contains("no [[baseline]]"), "{error}");
}

#[test]
fn a_wrong_protocol_or_column_is_named() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let registry = Registry::builtin();
    let run = |set: &str, name: &str| {
        let config = config(dir.path(), EXPERIMENT, &[set]).expect("resolves");
        run_into(&config, &registry, &dir.path().join(name), false).expect_err("wrong")
    };
    let error = run("split.protocol=norman_double", "a");
    assert!(error.to_string().contains("norman_double"), "{error}");
    let error = run("data.pert_col=perturbatio", "b");
    assert!(error.to_string().contains("`perturbatio`"), "{error}");
    assert!(!error.hints().is_empty());
    let error = run("data.path=missing.h5ad", "c");
    assert!(error.to_string().contains("missing.h5ad"), "{error}");
    let manifest = std::fs::read_to_string(dir.path().join("c/manifest.json")).expect("manifest");
    assert!(manifest.contains("\"failed\""), "a failed run says so: {manifest}");
}

/// Six cells of two genes with the given labels and values.
fn write_cells(path: &Path, labels: &[&str], values: &[f32], names: &[&str]) {
    let x = ndarray::Array2::from_shape_vec((labels.len(), 2), values.to_vec()).expect("shape");
    let mut writer = H5adWriter::create(path, &WriteOptions::default(), 2).expect("writer");
    writer.write_rows(&Csr::from_dense(&x)).expect("rows");
    let mut obs = ObsTable::new(names.iter().map(ToString::to_string).collect());
    obs.insert("perturbation", Column::categorical(labels)).expect("column");
    let var = ObsTable::new(vec!["A".to_owned(), "B".to_owned()]);
    writer.finish(&obs, &var, &Extras::default()).expect("written");
}

#[test]
fn wrong_cells() {
    let registry = Registry::builtin();
    let check = |labels: &[&str], values: &[f32], names: &[&str], set: &str, want: &str| {
        let dir = tempfile::tempdir().expect("folder");
        write_cells(&dir.path().join("cells.h5ad"), labels, values, names);
        let config =
            config(dir.path(), EXPERIMENT, &[set, "split.protocol=gene_kfold", "split.k=2"]).expect("resolves");
        let error = run_into(&config, &registry, &dir.path().join("run"), false).expect_err("wrong cells");
        assert!(error.to_string().contains(want), "found: {error}");
        assert!(error.to_string().contains("cells.h5ad"), "the file is named: {error}");
    };
    let names = ["c1", "c2", "c3", "c4"];
    let labels = ["control", "A", "A", "B"];
    let good = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0, 1.0, 1.0];
    let with = |at: usize, value: f32| {
        let mut values = good;
        values[at] = value;
        values
    };
    let counts = "data.scale=counts";
    check(&labels, &with(2, 0.5), &names, counts, "fractional");
    check(&labels, &with(2, -1.0), &names, counts, "negative");
    check(&labels, &with(2, f32::NAN), &names, "data.scale=lognorm", "non-finite");
    check(&["A", "A", "B", "B"], &good, &names, counts, "control");
    check(&labels, &good, &["c1", "c1", "c3", "c4"], counts, "`c1`");
}

#[test]
fn single_cells_and_empty_cells_are_no_crash() {
    let dir = tempfile::tempdir().expect("folder");
    let labels = ["control", "control", "A", "B", "C", "C"];
    let names = ["c1", "c2", "c3", "c4", "c5", "c6"];
    write_cells(&dir.path().join("cells.h5ad"), &labels, &[1., 0., 2., 1., 5., 3., 1., 1., 0., 0., 4., 1.], &names);
    let config = config(dir.path(), EXPERIMENT, &["split.protocol=gene_kfold", "split.k=2"]).expect("resolves");
    run_into(&config, &Registry::builtin(), &dir.path().join("run"), false).expect("runs");
    let rows: Vec<cellstone_report::schema::ScoreRow> =
        cellstone_report::read_table(&dir.path().join("run/tables"), "scores").expect("scores");
    assert!(rows.iter().any(|it| it.status == "undefined" && it.reason.as_deref() == Some("too few cells")));
    assert!(rows.iter().all(|it| (it.status == "ok") == it.value.is_some()));
}

#[test]
fn an_existing_run_is_not_replaced_unasked() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), EXPERIMENT, &["seeds=[1]"]).expect("resolves");
    let out = dir.path().join("run");
    run_into(&config, &Registry::builtin(), &out, false).expect("runs");
    let error = run_into(&config, &Registry::builtin(), &out, false).expect_err("exists");
    assert!(error.hints().iter().any(|it| it.contains("force")), "{error:?}");
}
