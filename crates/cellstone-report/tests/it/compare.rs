//! Two runs side by side.

use crate::common::{Plan, write_run};
use cellstone_report::schema::ScoreRow;
use cellstone_report::{compare, read_table, write_table};

#[test]
fn a_planted_shift_is_found_and_the_rest_listed() {
    let base = tempfile::tempdir().expect("folder");
    let plan = Plan { n_perturbations: 12, curves: false, contexts: vec!["K562"], ..Plan::default() };
    let a = write_run(&base.path().join("a"), &plan);
    let b = write_run(&base.path().join("b"), &plan);
    let mut rows = read_table::<ScoreRow>(&b.tables_dir(), "scores").expect("scores");
    rows.retain(|it| it.metric != "mae" && it.perturbation != "KLF1");
    for it in rows.iter_mut().filter(|it| it.method == "ridge_pca" && it.metric == "rmse") {
        it.value = it.value.map(|it| it - 0.5);
    }
    write_table(&b.tables_dir(), "scores", &rows).expect("write");
    let found = compare(&a, &b).expect("comparison");
    let of = |metric: &str, method: &str| {
        found.rows.iter().find(|it| it.metric == metric && it.method == method).expect("row")
    };
    let shifted = of("rmse", "ridge_pca");
    assert!((shifted.diff.expect("shared") + 0.5).abs() < 1e-12);
    let (lo, hi) = shifted.ci.expect("interval");
    assert!((lo + 0.5).abs() < 1e-12 && (hi + 0.5).abs() < 1e-12);
    assert_eq!(shifted.n_clusters, 11);
    assert_eq!(of("rmse", "additive").diff, Some(0.0));
    assert_eq!(of("mae", "additive").diff, None);
    assert_eq!(of("mae", "additive").n_clusters, 0);
    let text = found.to_text();
    let line = text.lines().find(|it| it.contains("rmse") && it.contains("ridge_pca")).expect("line");
    assert!(line.ends_with('*'), "{line}");
    assert_eq!(compare(&a, &b).expect("again"), found);
}

#[test]
fn what_one_run_alone_has_is_listed() {
    let base = tempfile::tempdir().expect("folder");
    let plan = Plan { n_perturbations: 3, curves: false, ..Plan::default() };
    let mut less = Plan { n_perturbations: 3, curves: false, ..Plan::default() };
    less.methods.retain(|it| it.0 != "graph_net");
    less.metrics.truncate(10);
    let a = write_run(&base.path().join("a"), &plan);
    let b = write_run(&base.path().join("b"), &less);
    let found = compare(&a, &b).expect("comparison");
    assert_eq!(found.methods_only, (vec!["graph_net".to_owned()], vec![]));
    assert_eq!(found.metrics_only.0, ["centroid_accuracy", "mse_topk_20"]);
    assert!(found.to_text().contains("methods in a only: graph_net"));
}
