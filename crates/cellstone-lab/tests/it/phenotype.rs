//! Phenotype studies from end to end on simulated donors: planted entropy is found, a stopped study goes on, leaks are
//! refused, and what is wrong is named.

use cellstone_core::{Error, Result, Seed};
use cellstone_fixtures::{PhenotypeSpec, simulate_phenotypes_to_h5ad};
use cellstone_io::WriteOptions;
use cellstone_lab::phenotype::{PhenotypeConfig, parse_phenotype, plan_phenotype, run_phenotype};
use cellstone_lab::{RunOptions, RunOutcome, Silent};
use cellstone_report::phenotype::schema::{
    CalibrationRow, ConformalRow, DifferenceRow, EntropyGroupRow, EntropyRow, ExcludedRow, PermutationRow,
    PhenotypeScoreRow, PredictionRow, RecoveryRow, RegressionRow, TaskRow,
};
use cellstone_report::{Row, read_table};
use std::path::Path;
use std::sync::atomic::AtomicBool;

const STUDY: &str = r#"
schema = 1
kind = "phenotype"
id = "tiny"
question = "Does it work?"
[data]
path = "cells.h5ad"
donor_col = "donor_id"
dataset_col = "dataset_id"
age_col = "age"
stage_col = "development_stage_ontology_term_id"
planted_col = "planted_entropy"
planted_hit_col = "planted_hit"
[[category]]
name = "cell_type"
term_col = "cell_type_ontology_term_id"
[[category]]
name = "sex"
[[category]]
name = "tissue"
[split]
test_share = 0.34
calibration_share = 0.25
[evaluation]
bootstrap = 200
permutations = 199
components = 20
[entropy]
by = ["development_stage"]
"#;

/// Cells of twelve donors; programs are strong, so that little data shows them.
fn cells(dir: &Path) {
    let spec = PhenotypeSpec { n_obs: 720, n_donors: 24, type_sd: 2.0, program_share: 0.3, ..tiny() };
    simulate_phenotypes_to_h5ad(spec, Seed::new(5), &dir.join("cells.h5ad"), &WriteOptions::default(), &mut |_, _| ())
        .expect("simulated");
}

fn tiny() -> PhenotypeSpec {
    PhenotypeSpec::preset("phenotypes_tiny").expect("preset")
}

fn config(dir: &Path, overrides: &[&str]) -> Result<PhenotypeConfig> {
    let overrides: Vec<String> = overrides.iter().map(|it| (*it).to_owned()).collect();
    parse_phenotype(STUDY, &overrides, dir)
}

fn run(config: &PhenotypeConfig, out: &Path, resume: bool) -> Result<RunOutcome> {
    let cancel = AtomicBool::new(false);
    let options = RunOptions {
        out: Some(out.to_owned()),
        resume,
        force: false,
        progress: &Silent,
        cancel: &cancel,
        threads: 2,
        device: "cpu".into(),
    };
    run_phenotype(config, &options)
}

fn table<R: Row>(out: &Path) -> Vec<R> {
    read_table(&out.join("tables"), R::TABLE).expect("a table")
}

#[test]
fn planted_phenotypes_and_their_entropy_are_found() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), &[]).expect("valid");
    let plan = plan_phenotype(&config).expect("a plan");
    assert!(plan.contains("cells        720 of 720") && plan.contains("cell_type: 3 values"), "{plan}");
    let out = dir.path().join("run");
    run(&config, &out, false).expect("runs");

    let tasks: Vec<TaskRow> = table(&out);
    assert_eq!(tasks.len(), 3);
    assert!(tasks.iter().all(|it| it.status == "ok" && it.cluster == "donor" && it.n_calibration > 50));
    let scores: Vec<PhenotypeScoreRow> = table(&out);
    let f1 = |category: &str, model: &str| {
        scores
            .iter()
            .find(|it| {
                (it.category.as_str(), it.model.as_str(), it.metric.as_str()) == (category, model, "macro_f1")
                    && it.weighting == "cell"
                    && it.candidates == "closed"
            })
            .and_then(|it| it.value)
            .expect("a score")
    };
    assert!(f1("cell_type", "logistic") > f1("cell_type", "majority") + 0.3);
    assert!(f1("sex", "logistic") > 0.9, "two genes of each sex: {}", f1("sex", "logistic"));
    let differences: Vec<DifferenceRow> = table(&out);
    let verdict = |model: &str, baseline: &str| {
        let found =
            differences.iter().find(|it| it.category == "cell_type" && it.model == model && it.baseline == baseline);
        found.map(|it| it.verdict.clone()).expect("a difference")
    };
    assert_eq!(verdict("logistic", "majority"), "beats");

    let groups: Vec<EntropyGroupRow> = table(&out);
    let mean = |place: i64| {
        let it = groups.iter().find(|it| it.model == "logistic" && it.category == "cell_type" && it.place == place);
        it.and_then(|it| it.mean).expect("a group")
    };
    assert!(mean(1) > mean(0) + 0.2, "the old are less sure: {} and {}", mean(0), mean(1));
    let recovery: Vec<RecoveryRow> = table(&out);
    let order = recovery.iter().find(|it| it.model == "logistic" && it.what.starts_with("order")).expect("an order");
    assert!(order.recovered, "{order:?}");

    let regression: Vec<RegressionRow> = table(&out);
    let slope =
        regression.iter().find(|it| it.category == "cell_type" && it.model == "logistic" && it.stratum == "headline");
    assert!(slope.and_then(|it| it.slope_per_decade).expect("a slope") > 0.03, "{slope:?}");
    let permuted: Vec<PermutationRow> = table(&out);
    assert!(permuted.iter().all(|it| it.p.is_some() || it.reason.is_some()));
    let conformal: Vec<ConformalRow> = table(&out);
    let row = |mode: &str, alpha: f64| {
        let it = conformal.iter().find(|it| {
            it.model == "logistic"
                && it.category == "cell_type"
                && it.score == "aps"
                && it.mode == mode
                && (it.alpha - alpha).abs() < 1e-12
        });
        it.expect("a row").clone()
    };
    assert!(
        row("donor", 0.1).coverage.is_some_and(|it| it > 1.0 - 1e-12),
        "six donors cannot promise 90 %: sets hold everything"
    );
    assert!(row("donor", 0.1).reason.is_some_and(|it| it.contains("calibration donors are fewer")));
    assert!((row("cell", 0.2).coverage.expect("covered") - 0.8).abs() < 0.12, "{:?}", row("cell", 0.2));
    let calibration: Vec<CalibrationRow> = table(&out);
    assert!(calibration.iter().any(|it| it.stage == "after" && (it.temperature - 1.0).abs() > 1e-6));
    let predictions: Vec<PredictionRow> = table(&out);
    assert!(predictions.iter().all(|it| it.p_top5.len() <= 5 && it.rank >= 1 && it.entropy_norm <= 1.0 + 1e-9));
    let entropy: Vec<EntropyRow> = table(&out);
    assert!(entropy.iter().all(|it| it.age_mid.is_some() && it.age_bin.is_some() && !it.prenatal));
    let page = std::fs::read_to_string(out.join("report/index.html")).expect("a page");
    assert!(page.contains("No network was judged") && page.contains("Planted and found"));
}

#[test]
fn a_stopped_study_goes_on_to_the_same_bytes() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), &["entropy.models=[\"knn\"]", "evaluation.bootstrap=50"]).expect("valid");
    let (whole, stopped) = (dir.path().join("whole"), dir.path().join("stopped"));
    run(&config, &whole, false).expect("runs");
    run(&config, &stopped, false).expect("runs");
    // As if killed in the second category: its unit and everything after it is gone.
    for it in ["state/units/fold0-sex", "tables", "report"] {
        std::fs::remove_dir_all(stopped.join(it)).expect("removed");
    }
    for it in ["tables", "report"] {
        std::fs::create_dir_all(stopped.join(it)).expect("made");
    }
    let marker = std::fs::read_dir(stopped.join("state")).expect("state").flatten().map(|it| it.path());
    for it in marker.filter(|it| it.file_name().is_some_and(|it| it.to_string_lossy().contains("unit-fold0-sex"))) {
        std::fs::remove_file(it).expect("removed");
    }
    run(&config, &stopped, true).expect("goes on");
    for entry in std::fs::read_dir(whole.join("tables")).expect("tables").flatten() {
        let name = entry.file_name();
        let (a, b) = (std::fs::read(entry.path()), std::fs::read(stopped.join("tables").join(&name)));
        assert!(a.expect("read") == b.expect("read"), "{} differs", name.display());
    }
}

#[test]
fn folds_cover_every_donor_once() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let set = [
        "split.folds=3",
        "evaluation.bootstrap=50",
        "evaluation.baselines=[\"majority\",\"nearest_centroid\"]",
        "entropy.by=[]",
    ];
    let config = config(dir.path(), &set).expect("valid");
    let out = dir.path().join("run");
    run(&config, &out, false).expect("runs");
    let predictions: Vec<PredictionRow> = table(&out);
    let of: Vec<&PredictionRow> =
        predictions.iter().filter(|it| it.model == "majority" && it.category == "cell_type").collect();
    assert_eq!(of.len(), 720, "every cell is tested once");
    let donors: std::collections::BTreeSet<(&str, i64)> = of.iter().map(|it| (it.donor.as_str(), it.fold)).collect();
    assert_eq!(donors.len(), 24, "and every donor in one fold");
}

#[test]
fn what_is_wrong_is_named() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let fail = |set: &[&str]| -> Error {
        let out = dir.path().join("failed");
        let error = config(dir.path(), set).and_then(|it| run(&it, &out, false)).expect_err("fails");
        drop(std::fs::remove_dir_all(out));
        error
    };
    let error = fail(&["category=[{name=\"cell_typ\"}]"]);
    assert!(error.to_string().contains("cell_typ") && error.is_invalid_input(), "{error}");
    let error = fail(&["split.test=[\"donor99\"]"]);
    assert!(error.to_string().contains("[split] names `donor99`, which is no donor"), "{error}");
    let error = fail(&["data.keep={sex=[\"female\"]}", "category=[{name=\"sex\"}]"]);
    assert!(error.to_string().contains("TooFewClasses"), "{error}");
    let error = fail(&["data.keep={sex=[\"f\"]}"]);
    assert!(error.to_string().contains("no cell has `f` in column `sex` of data.keep"), "{error}");
    let error = fail(&["data.age_col=\"sex\""]);
    assert!(error.to_string().contains("column `sex`") && error.to_string().contains("expected numbers"), "{error}");
}

#[test]
fn one_donor_in_the_test_has_no_interval_or_one_over_cells() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let donor = "split.test=[\"dataset1:donor01\"]";
    for (cluster, clustered) in [("donor", "donor"), ("auto", "cell")] {
        let out = dir.path().join(cluster);
        let set = format!("evaluation.cluster={cluster}");
        let set = [
            donor,
            set.as_str(),
            "category=[{name=\"cell_type\"}]",
            "evaluation.bootstrap=50",
            "evaluation.baselines=[\"majority\",\"knn\"]",
        ];
        run(&config(dir.path(), &set).expect("valid"), &out, false).expect("runs");
        let scores: Vec<PhenotypeScoreRow> = table(&out);
        let it = scores.iter().find(|it| it.model == "knn" && it.metric == "macro_f1").expect("a score");
        assert_eq!(it.ci_lo.is_some(), cluster == "auto", "{it:?}");
        if cluster == "donor" {
            assert!(it.reason.as_ref().is_some_and(|it| it.contains("donors, an interval needs 5")), "{it:?}");
        }
        assert!(table::<TaskRow>(&out).iter().all(|it| it.cluster == clustered));
        assert!(table::<ExcludedRow>(&out).iter().all(|it| it.n > 0));
    }
}
