//! Phenotype scores: equality with scikit-learn, SciPy, statsmodels, patsy and rapidfuzz.

use cellstone_core::Seed;
use cellstone_metrics::phenotype::{
    Binning, BootstrapParams, ClassMetric, ClusterFit, Confusion, Covariate, DonorScores, EvalParams, Mahalanobis,
    Predictions, Weighting, argmax, bca_levels, cam_partial_ratio, cluster_regression, decisions, ece, evaluate,
    knn_cosine, ledoit_wolf, natural_spline, novelty_metrics, ordinal_scores, true_ranks,
};
use ndarray::{Array2, Axis};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    p: Vec<Vec<f64>>,
    truth: Vec<u32>,
    donor: Vec<u32>,
    by_cell: BTreeMap<String, f64>,
    by_donor: BTreeMap<String, f64>,
    tied: f64,
    ece_width: f64,
    ece_mass_8: f64,
    fpr_at_95: f64,
    detection_at_5: f64,
    years: Vec<f64>,
    spearman: f64,
    spearman_donors: f64,
    bca: Bca,
    regression: Regression,
    distances: Distances,
    fuzzy: Vec<(String, String, f64)>,
}

#[derive(Deserialize)]
struct Bca {
    draws: Vec<f64>,
    jackknife: Vec<f64>,
    estimate: f64,
    levels: [f64; 2],
}

#[derive(Deserialize)]
struct Regression {
    y: Vec<f64>,
    age: Vec<f64>,
    depth: Vec<f64>,
    kind: Vec<u32>,
    cluster: Vec<u32>,
    w: Vec<f64>,
    plain: Fit,
    weighted: Fit,
    spline_residual: f64,
}

#[derive(Deserialize)]
struct Fit {
    estimate: Vec<f64>,
    se: Vec<f64>,
    p: Vec<f64>,
    interval: Vec<[f64; 2]>,
    f: f64,
    f_p: f64,
}

#[derive(Deserialize)]
struct Distances {
    x: Vec<Vec<f64>>,
    label: Vec<u32>,
    query: Vec<Vec<f64>>,
    shrinkage: f64,
    within: Vec<Vec<f64>>,
    score: Vec<f64>,
    relative: Vec<f64>,
    cosine: Vec<f64>,
}

fn read() -> Golden {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/phenotype/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid")
}

fn table(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("rows of one length")
}

#[track_caller]
fn near(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-10 + 1e-9 * want.abs(), "{what}: {got}, expected {want}");
}

#[track_caller]
fn near_all(what: &str, got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(got, want)| near(what, *got, *want));
}

#[test]
fn scores_of_decisions_and_probabilities_equal_scikit_learn() {
    let it = read();
    let p = table(&it.p);
    let predictions = Predictions::new(p.view(), &it.truth, &it.donor).expect("valid");
    let bootstrap = BootstrapParams { draws: 20, ..BootstrapParams::protocol(Seed::new(1)) };
    let found = evaluate(&predictions, &EvalParams { bootstrap, areas: true }).expect("valid");
    assert_eq!((found.n_classes, found.n_test_classes, found.n_donors), (5, 4, 7));
    near("ties", found.tied_share, it.tied);
    for (weighting, want) in [(Weighting::Cell, &it.by_cell), (Weighting::Donor, &it.by_donor)] {
        for (id, want) in want {
            let got = match id.as_str() {
                "cam_f1" => DonorScores::new(&predictions, weighting).expect("valid").score(ClassMetric::CamF1),
                id => found.row(id, weighting).unwrap_or_else(|| panic!("{id}")).interval.estimate,
            };
            near(&format!("{id} by {weighting}"), got.value().expect("defined"), *want);
        }
        assert_eq!(found.rows.iter().filter(|it| it.weighting == weighting).count(), want.len() - 1);
    }
    let pred = decisions(p.view(), &it.truth).expect("valid");
    let confusion = Confusion::new(&it.truth, &pred, 5, None).expect("valid");
    near("accuracy", confusion.score(ClassMetric::Top1).value().expect("defined"), it.by_cell["top1"]);
    assert_eq!(confusion.score(ClassMetric::Mrr).value(), None);
    let ranks = true_ranks(p.view(), &it.truth).expect("valid");
    near("top 3", ranks.top_k(3), it.by_cell["top3"]);
    near("mrr", ranks.mrr(), it.by_cell["mrr"]);
}

#[test]
fn calibration_errors_and_rejection_equal_their_references() {
    let it = read();
    let p = table(&it.p);
    let top = argmax(p.view());
    let conf: Vec<f64> = p.rows().into_iter().zip(&top).map(|(row, top)| row[*top as usize]).collect();
    let hit: Vec<bool> = top.iter().zip(&it.truth).map(|(a, b)| a == b).collect();
    let value = |binning, n| ece(&conf, &hit, binning, n).expect("valid").value().expect("defined");
    near("ece_width", value(Binning::EqualWidth, 15), it.ece_width);
    near("ece_mass", value(Binning::EqualMass, 8), it.ece_mass_8);
    let strange: Vec<f64> = conf.iter().map(|it| 1.0 - it).collect();
    let wrong: Vec<bool> = hit.iter().map(|it| !it).collect();
    let params = BootstrapParams { draws: 20, ..BootstrapParams::protocol(Seed::new(1)) };
    let found = novelty_metrics(&strange, &wrong, &it.donor, &params).expect("valid");
    near("fpr", found.fpr_at_95.estimate.value().expect("defined"), it.fpr_at_95);
    near("detection", found.detection_at_5.estimate.value().expect("defined"), it.detection_at_5);
}

#[test]
fn rank_correlations_of_ages_equal_scipy() {
    let it = read();
    let p = table(&it.p);
    let pred = decisions(p.view(), &it.truth).expect("valid");
    let years = |classes: &[u32]| classes.iter().map(|at| it.years[*at as usize]).collect::<Vec<f64>>();
    let params = BootstrapParams { draws: 20, ..BootstrapParams::protocol(Seed::new(1)) };
    let found = ordinal_scores(&years(&pred), &years(&it.truth), &it.donor, Weighting::Cell, &params).expect("valid");
    near("cells", found.spearman_cells.estimate.value().expect("defined"), it.spearman);
    near("donors", found.spearman_donors.estimate.value().expect("defined"), it.spearman_donors);
}

#[test]
fn corrected_levels_equal_their_definition() {
    let it = read().bca;
    near_all("levels", &bca_levels(it.estimate, &it.draws, &it.jackknife).expect("defined"), &it.levels);
    // A correction that does nothing would prove nothing.
    assert!((it.levels[0] - 0.025).abs() > 0.003);
}

#[test]
fn clustered_errors_equal_statsmodels() {
    let it = read().regression;
    let columns = [
        Covariate::Numeric { name: "depth", values: &it.depth },
        Covariate::Factor { name: "kind", codes: &it.kind },
        Covariate::Numeric { name: "age", values: &it.age },
    ];
    for (weights, want) in [(None, &it.plain), (Some(it.w.as_slice()), &it.weighted)] {
        let fit: ClusterFit = cluster_regression(&it.y, &columns, &it.cluster, weights).expect("valid");
        assert_eq!(fit.names(), ["depth", "kind=1", "kind=2", "kind=3", "age"]);
        for (at, name) in fit.names().iter().enumerate() {
            let got = fit.coefficient(name).expect("there");
            near_all(name, &[got.estimate, got.se, got.p], &[want.estimate[at], want.se[at], want.p[at]]);
            near_all(name, &[got.lo, got.hi], &want.interval[at]);
        }
        let test = fit.wald(&["kind=1", "kind=2", "kind=3"]).expect("definite");
        near_all("wald", &[test.f, test.p], &[want.f, want.f_p]);
    }
}

#[test]
fn the_spline_spans_what_patsy_spans() {
    let it = read().regression;
    let bends = natural_spline(&it.age, 3).expect("enough values");
    let mut columns = vec![Covariate::Numeric { name: "age", values: &it.age }];
    columns.extend(bends.iter().map(|values| Covariate::Numeric { name: "bend", values }));
    let fit = cluster_regression(&it.y, &columns, &it.cluster, None).expect("valid");
    near("residual", fit.residuals().iter().map(|it| it * it).sum(), it.spline_residual);
}

#[test]
fn distances_equal_scikit_learn() {
    let it = read().distances;
    let (x, query) = (table(&it.x), table(&it.query));
    let fitted = Mahalanobis::fit(x.view(), &it.label, 4).expect("valid");
    near("shrinkage", fitted.shrinkage, it.shrinkage);
    near_all("score", &fitted.score(query.view()).expect("valid"), &it.score);
    near_all("relative", &fitted.relative(query.view()).expect("valid"), &it.relative);
    near_all("cosine", &knn_cosine(x.view(), query.view(), 10).expect("valid"), &it.cosine);
    let mut centred = x.clone();
    for class in 0..3 {
        let rows: Vec<usize> = (0..x.nrows()).filter(|row| it.label[*row] == class).collect();
        let mean = x.select(Axis(0), &rows).mean_axis(Axis(0)).expect("cells");
        rows.iter().for_each(|row| centred.row_mut(*row).zip_mut_with(&mean, |a, b| *a -= b));
    }
    let (within, _) = ledoit_wolf(centred.view()).expect("valid");
    near_all("within", within.as_slice().expect("standard order"), &it.within.concat());
}

#[test]
fn fuzzy_likeness_equals_rapidfuzz() {
    let it = read();
    assert_eq!(it.fuzzy.len(), 196);
    for (a, b, want) in &it.fuzzy {
        near(&format!("`{a}` in `{b}`"), cam_partial_ratio(a, b), *want);
    }
}
