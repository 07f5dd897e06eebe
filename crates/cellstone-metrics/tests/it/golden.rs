//! Equality with the reference packages on stored random data.

use crate::common::scores;
use cellstone_core::{Direction, MetricInput, Score};
use cellstone_metrics::stats;
use ndarray::{Array1, Array2, ArrayView1};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Golden {
    keys: Vec<String>,
    targets: Vec<Vec<usize>>,
    truth: Vec<Vec<f64>>,
    pred: Vec<Vec<f64>>,
    control: Vec<f64>,
    pred_control: Vec<f64>,
    expected: BTreeMap<String, Vec<Option<f64>>>,
}

fn read<T: for<'a> Deserialize<'a>>(subject: &str) -> T {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../data-fixtures/golden/metrics")
        .join(subject)
        .join("golden.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("rows of one width")
}

/// Every expected table of a package, under the mask of the metric and the prediction's own control.
fn check_package(subject: &str, n_ids: usize) {
    let golden: Golden = read(subject);
    let (truth, pred) = (matrix(&golden.truth), matrix(&golden.pred));
    assert_eq!(golden.expected.len(), n_ids);
    for (id, expected) in &golden.expected {
        let input = MetricInput {
            truth: truth.view(),
            pred: pred.view(),
            control: ArrayView1::from(&golden.control),
            pred_control: Some(ArrayView1::from(&golden.pred_control)),
            train_mean: None,
            train_profiles: None,
            weights: None,
            targets: &golden.targets,
            keys: &golden.keys,
            genes: None,
            mask: cellstone_metrics::by_id(id).expect("built in").default_mask(),
        };
        for ((score, want), key) in scores(id, &input).into_iter().zip(expected).zip(&golden.keys) {
            match (score, want) {
                (Score::Value(got), Some(want)) => {
                    assert!((got - want).abs() <= 1e-9 + 1e-6 * want.abs(), "{id} of {key}: {got}, expected {want}");
                }
                (Score::Undefined(_), None) => {}
                (got, want) => panic!("{id} of {key}: {got:?}, expected {want:?}"),
            }
        }
    }
}

#[test]
fn cell_eval_ids_equal_the_package() {
    check_package("cell_eval", 8);
}

#[test]
fn cell_eval2_ids_equal_the_package() {
    check_package("cell_eval2", 8);
}

#[derive(Deserialize)]
struct Statistics {
    x: Vec<f64>,
    y: Vec<f64>,
    pearson: f64,
    spearman: f64,
    midranks: Vec<f64>,
    p: Vec<f64>,
    holm: Vec<f64>,
    bh: Vec<f64>,
    scores: Vec<Vec<f64>>,
    friedman: [f64; 2],
    quantiles: Vec<f64>,
    diffs: Vec<f64>,
    tost: [f64; 3],
    wilson: Vec<[f64; 2]>,
    nemenyi: Vec<f64>,
}

#[test]
fn statistics_equal_scipy_and_statsmodels() {
    let it: Statistics = read("scipy");
    let near = |what: &str, got: f64, want: f64| {
        assert!((got - want).abs() <= 1e-12 + 1e-9 * want.abs(), "{what}: {got}, expected {want}");
    };
    let all = |what: &str, got: &[f64], want: &[f64]| {
        assert_eq!(got.len(), want.len());
        got.iter().zip(want).for_each(|(got, want)| near(what, *got, *want));
    };
    let (x, y) = (Array1::from(it.x.clone()), Array1::from(it.y));
    near("pearson", cellstone_metrics::pearson(x.view(), y.view()).value().expect("defined"), it.pearson);
    near("spearman", cellstone_metrics::spearman(x.view(), y.view()).value().expect("defined"), it.spearman);
    all("midranks", &stats::midranks(&it.x), &it.midranks);
    all("holm", &stats::holm(&it.p), &it.holm);
    all("bh", &stats::benjamini_hochberg(&it.p), &it.bh);
    let table = matrix(&it.scores);
    let friedman = stats::friedman(table.view()).expect("enough clusters");
    all("friedman", &[friedman.chi2, friedman.p], &it.friedman);
    let ranks = stats::mean_ranks(table.view(), Direction::LowerIsBetter).expect("clusters");
    near("sum of mean ranks", ranks.iter().sum(), 15.0);
    all("quantiles", &stats::quantiles(&it.diffs, &[0.0, 0.025, 0.3, 0.975, 1.0]).expect("values"), &it.quantiles);
    let tost = stats::tost(&it.diffs, 0.3).expect("values");
    all("tost", &[tost.p_lower, tost.p_upper, tost.p], &it.tost);
    for (hits, want) in [1, 6, 12].into_iter().zip(it.wilson) {
        let (low, high) = stats::wilson(hits, 13).expect("trials");
        all("wilson", &[low, high], &want);
    }
    for (k, want) in (2..=12).zip(it.nemenyi) {
        let q = stats::nemenyi_cd(k, 1).expect("in the table") / ((k * (k + 1)) as f64 / 6.0).sqrt();
        assert!((q - want).abs() < 6e-4, "q of {k}: {q}, expected {want}");
    }
}
