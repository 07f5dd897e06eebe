//! Integration metrics: equality with scib-metrics, scikit-learn and scanpy on a simulated embedding.

use crate::integration_common::{brute_knn, golden};
use cellstone_core::{Csr, KnnGraph, Score};
use cellstone_metrics::integration::{
    BrasMode, Convention, Covariate, KbetLabel, KbetParams, LisiParams, asw_label, best_agreement, bras, clisi,
    graph_connectivity_directed, ilisi, isolated_label_asw, isolated_labels, kbet_acceptance, kbet_per_label,
    label_silhouettes, lisi, morans_i, pcr, pcr_comparison, pcr_full, sbee, silhouette_batch,
};
use ndarray::{Array2, Axis};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    x: Vec<Vec<f64>>,
    pre: Vec<Vec<f64>>,
    labels: Vec<u32>,
    batch: Vec<u32>,
    guess: Vec<u32>,
    scores: Vec<Vec<f64>>,
    edges: Vec<(usize, usize, f64)>,
    silhouette_samples: Vec<f64>,
    silhouette_label: f64,
    silhouette_batch: f64,
    bras: f64,
    bras_furthest: f64,
    isolated_labels: f64,
    isolated_labels_3: f64,
    isolated_labels_4: f64,
    nmi: f64,
    ari: f64,
    lisi_batch: Vec<f64>,
    lisi_label: Vec<f64>,
    ilisi: f64,
    clisi: f64,
    graph_connectivity: f64,
    pcr_pre: f64,
    pcr_post: f64,
    pcr_comparison: f64,
    pcr_difference: f64,
    pcr_number: f64,
    r2_two_scores: Vec<f64>,
    kbet_statistics: Vec<f64>,
    kbet_p_values: Vec<f64>,
    kbet: f64,
    kbet_per_label: Vec<Option<f64>>,
    sbee: f64,
    morans_i: Vec<f64>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(&std::fs::read_to_string(golden("metrics/integration/golden.json")).expect("stored"))
            .expect("valid")
    }

    fn x(&self) -> Array2<f64> {
        table(&self.x)
    }

    fn graph(&self) -> Csr<f64> {
        let n = self.x.len();
        let mut dense = Array2::zeros((n, n));
        for (i, j, weight) in &self.edges {
            dense[[*i, *j]] = *weight;
            dense[[*j, *i]] = *weight;
        }
        Csr::from_dense(&dense)
    }
}

fn table(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("rows of one length")
}

#[track_caller]
fn near(got: Score, want: f64, tolerance: f64) {
    let got = got.value().unwrap_or_else(|| panic!("{got:?}, expected {want}"));
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{got}, expected {want}");
}

#[track_caller]
fn near_all(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(got, want)| near(Score::Value(*got), *want, tolerance));
}

#[test]
fn silhouettes_equal_scikit_learn_and_scib_metrics() {
    let it = Golden::read();
    let x = it.x();
    let samples = label_silhouettes(x.view(), &it.labels).expect("valid");
    near_all(&samples, &it.silhouette_samples, 1e-10);
    near(asw_label(&samples, &it.labels), it.silhouette_label, 1e-9);
    let batch = silhouette_batch(x.view(), &it.labels, &it.batch).expect("valid");
    near(batch.value, it.silhouette_batch, 1e-9);
    // Label 4 has one batch.
    assert_eq!((batch.per_label.len(), batch.n_defined()), (5, 4));
    for (mode, want) in [(BrasMode::MeanOther, it.bras), (BrasMode::Furthest, it.bras_furthest)] {
        near(bras(x.view(), &it.labels, &it.batch, mode).expect("valid").scores.value, want, 1e-9);
    }
}

#[test]
fn isolated_labels_equal_scib_metrics() {
    let it = Golden::read();
    let samples = label_silhouettes(it.x().view(), &it.labels).expect("valid");
    let score = |threshold, convention| {
        let found = isolated_labels(&it.labels, &it.batch, threshold, convention).expect("valid");
        isolated_label_asw(&samples, &it.labels, &found).expect("valid").value
    };
    near(score(None, Convention::Cellstone), it.isolated_labels, 1e-9);
    near(score(Some(3), Convention::Cellstone), it.isolated_labels_3, 1e-9);
    near(score(Some(4), Convention::ScibMetrics), it.isolated_labels_4, 1e-9);
    assert_eq!(score(Some(4), Convention::Cellstone).value(), None);
}

#[test]
fn agreement_equals_scikit_learn() {
    let it = Golden::read();
    let one = vec![0; it.labels.len()];
    let found = best_agreement(&[(0.2, &one), (1.0, &it.guess)], &it.labels).expect("valid");
    assert_eq!(found.best, 1);
    near(Score::Value(found.nmi()), it.nmi, 1e-12);
    near(Score::Value(found.ari()), it.ari, 1e-12);
}

#[test]
fn lisi_equals_scib_metrics() {
    let it = Golden::read();
    let knn = brute_knn(it.x().view(), 90);
    let sets: [&[u32]; 2] = [&it.batch, &it.labels];
    for convention in Convention::ALL {
        let found = lisi(&knn, &sets, &LisiParams { perplexity: None, convention }).expect("valid");
        for (found, want) in found.iter().zip([&it.lisi_batch, &it.lisi_label]) {
            let values: Vec<f64> = found.iter().filter_map(|it| it.value()).collect();
            near_all(&values, want, 1e-9);
        }
        near(ilisi(&found[0], &it.batch).expect("valid").value, it.ilisi, 1e-9);
        near(clisi(&found[1], &it.labels).expect("valid").value, it.clisi, 1e-9);
    }
}

#[test]
fn graph_connectivity_equals_scib_metrics() {
    let it = Golden::read();
    let knn = brute_knn(it.x().view(), 15);
    let found = graph_connectivity_directed(&knn, &it.labels).expect("valid");
    near(found.value, it.graph_connectivity, 1e-12);
    // A value that every graph has would prove nothing.
    assert!(it.graph_connectivity < 0.95);
}

#[test]
fn regressions_equal_scib_metrics_and_scikit_learn() {
    let it = Golden::read();
    let (pre, post, scores) = (table(&it.pre), it.x(), table(&it.scores));
    let of = |x: &Array2<f64>| pcr_full(x.view(), &Covariate::Categorical(&it.batch)).expect("valid");
    near(of(&pre), it.pcr_pre, 1e-9);
    near(of(&post), it.pcr_post, 1e-9);
    let found = pcr_comparison(of(&pre), of(&post));
    near(found.scaled, it.pcr_comparison, 1e-9);
    near(found.difference, it.pcr_difference, 1e-9);
    let first = scores.select(Axis(1), &[0]);
    near(pcr_full(post.view(), &Covariate::Numeric(first.view())).expect("valid"), it.pcr_number, 1e-9);
    for (at, want) in it.r2_two_scores.iter().enumerate() {
        let column = post.select(Axis(1), &[at]);
        near(pcr(column.view(), &[2.5], &Covariate::Numeric(scores.view())).expect("valid"), *want, 1e-10);
    }
}

#[test]
fn kbet_equals_scib_metrics_given_the_neighbours() {
    let it = Golden::read();
    let test = kbet_acceptance(&brute_knn(it.x().view(), 20), &it.batch, None, 0.05).expect("valid");
    near_all(&test.statistics, &it.kbet_statistics, 1e-10);
    near_all(&test.p_values, &it.kbet_p_values, 1e-10);
    for convention in [Convention::ScibMetrics, Convention::Cellstone] {
        let params = KbetParams { alpha: 0.05, convention };
        let found = kbet_per_label(&it.graph(), &it.labels, &it.batch, &params, by_walks).expect("valid");
        let scores: Vec<Option<f64>> = found.per_label.iter().map(|it| it.score.value()).collect();
        if convention == Convention::ScibMetrics {
            near(found.value, it.kbet, 1e-12);
        }
        assert_eq!(scores.len(), it.kbet_per_label.len());
        for (got, want) in scores.iter().zip(&it.kbet_per_label) {
            assert_eq!(got.is_some(), want.is_some());
            if let (Some(got), Some(want), Convention::ScibMetrics) = (got, want, convention) {
                near(Score::Value(*got), *want, 1e-12);
            }
        }
    }
}

/// Neighbours by walks of up to three steps, ties by index.
fn by_walks(label: &KbetLabel<'_>) -> cellstone_core::Result<KnnGraph> {
    let mut steps = label.graph.to_dense();
    for mut row in steps.rows_mut() {
        let total = row.sum();
        row /= total;
    }
    let two = steps.dot(&steps);
    let mut reach = &steps + &two + two.dot(&steps);
    let (n, k) = (reach.nrows(), (label.k0 + 1).min(reach.nrows()));
    let mut indices = Vec::with_capacity(n * k);
    for cell in 0..n {
        reach[[cell, cell]] = f64::INFINITY;
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_by(|a, b| reach[[cell, *b as usize]].total_cmp(&reach[[cell, *a as usize]]));
        indices.extend_from_slice(&order[..k]);
    }
    KnnGraph::with_self(k, indices, vec![0.0; n * k])
}

#[test]
fn sbee_equals_scib_metrics() {
    let it = Golden::read();
    let x = it.x();
    let found = sbee(x.view(), &brute_knn(x.view(), 90), &it.labels, &it.batch).expect("valid");
    near(found.value, it.sbee, 1e-9);
}

#[test]
fn morans_i_equals_scanpy() {
    let it = Golden::read();
    let x = it.x();
    let found = morans_i(&it.graph(), x.t()).expect("valid");
    let values: Vec<f64> = found.iter().filter_map(|it| it.value()).collect();
    near_all(&values, &it.morans_i, 1e-10);
}
