//! The integration page: what it says, how it survives hostile names, and whether it fits a phone.

use crate::browser::{browser, chromium, frames, measured};
use cellstone_report::integration::{
    IntegrationLabelRow, IntegrationPage, IntegrationRow, MetricColumn, MetricGroup, ResolutionPoint,
    render_integration,
};

const METRICS: [(&str, &str, MetricGroup, bool); 9] = [
    ("nmi_ari_cluster_labels_leiden_nmi", "Leiden NMI", MetricGroup::Bio, true),
    ("silhouette_label", "Silhouette label", MetricGroup::Bio, true),
    ("clisi_knn", "cLISI", MetricGroup::Bio, true),
    ("bras", "BRAS", MetricGroup::Batch, true),
    ("kbet_per_label", "KBET", MetricGroup::Batch, true),
    ("pcr_difference", "PCR difference", MetricGroup::Other, false),
    ("bio_conservation", "Bio", MetricGroup::Total, true),
    ("batch_correction", "Batch", MetricGroup::Total, true),
    ("total", "Total", MetricGroup::Total, true),
];

fn value(embedding: usize, metric: usize) -> f64 {
    0.15 + 0.11 * metric as f64 - 0.07 * embedding as f64
}

/// A page with four embeddings; with `scaled` also controls and values between them.
fn page(scaled: bool) -> IntegrationPage {
    let names = ["X_pca", "X_harmony", "X_scvi", "X_<b>long & hostile</b>_embedding_name"];
    let mut rows = Vec::new();
    let mut put = |embedding: &str, metric: &str, value: Option<f64>| {
        let (status, reason) = match value {
            Some(_) => ("ok", None),
            None => ("undefined", Some("only one batch".to_owned())),
        };
        let (embedding, metric, status) = (embedding.to_owned(), metric.to_owned(), status.to_owned());
        rows.push(IntegrationRow { embedding, metric, value, status, reason });
    };
    for (at, name) in names.iter().enumerate() {
        for (metric, (id, ..)) in METRICS.iter().enumerate() {
            // The second embedding lacks a value.
            put(name, id, (at != 1 || *id != "kbet_per_label").then(|| value(at, metric)));
            if scaled && metric < 5 {
                put(name, &format!("{id}_scaled"), Some(1.3 * value(at, metric) - 0.3));
            }
        }
    }
    if scaled {
        for (id, ..) in &METRICS[..5] {
            put("control:random", id, Some(0.1));
            put("control:labels", id, Some(0.95));
        }
    }
    let column = |(id, title, group, higher): &(&str, &str, MetricGroup, bool)| MetricColumn {
        id: (*id).to_owned(),
        title: (*title).to_owned(),
        group: *group,
        higher_is_better: *higher,
        in_total: *id == "bras",
        meaning: format!("what {title} means"),
    };
    let label = |at: usize| IntegrationLabelRow {
        embedding: "X_pca".into(),
        metric: "bras".into(),
        label: format!("type {at}"),
        n_obs: 1000 * at as i64,
        value: (at != 2).then_some(0.2 * at as f64),
        status: if at == 2 { "undefined" } else { "ok" }.into(),
        reason: (at == 2).then(|| "only one batch".into()),
    };
    let point = |at: usize| ResolutionPoint {
        resolution: 0.2 * (at + 1) as f64,
        nmi: 0.9 - 0.02 * (at as f64 - 4.0).powi(2),
        ari: 0.5,
        n_clusters: 3 + at,
    };
    IntegrationPage {
        input: "atlas.h5ad".into(),
        convention: "cellstone".into(),
        batch: "donor".into(),
        label: "cell_type".into(),
        n_obs: 12_345,
        n_used: 12_000,
        n_batches: 4,
        n_labels: 5,
        columns: METRICS.iter().map(column).collect(),
        rows,
        labels: (0..5).map(label).collect(),
        curves: vec![("X_pca".into(), (0..10).map(point).collect())],
        warnings: vec!["labels and batches are confounded (Cramér's V 0.61)".into()],
        notes: vec![("Seed".into(), "0".into())],
    }
}

#[test]
fn the_best_total_comes_first_and_what_is_missing_is_explained() {
    let html = render_integration(&page(false));
    assert!(
        html.contains("X_pca has the highest total, 1.03 (0.81 for conserving biology, 0.92 for removing batches)")
    );
    let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("no {text}"));
    let body = place("<tbody>");
    let order = ["X_pca", "X_harmony", "X_scvi", "X_&lt;b&gt;"].map(|it| html[body..].find(it).expect("a row"));
    assert!(order.is_sorted(), "embeddings by falling total: {order:?}");
    assert!(!html.contains("<b>long"), "names are text");
    assert!(html.contains("title=\"only one batch\"") && html.contains("Values that do not exist"));
    assert!(html.contains("Cramér") && html.contains("345 without a batch or a label were left out"));
    assert!(html.contains("lower ▾") && html.contains("higher ▴") && html.contains("best at 1 (7 communities)"));
    assert!(!html.contains("id=\"raw\""), "there are no controls");
    assert!(!html.contains("http") && !html.contains("<script"), "one file that asks for nothing");
}

#[test]
fn scaled_values_stand_first_and_raw_ones_beside_the_controls() {
    let html = render_integration(&page(true));
    let raw = html.find("Values as they are").expect("raw values");
    let of = |html: &str, value: f64| html.contains(&format!("BRAS: {value:.6}"));
    assert!(of(&html[..raw], 1.3 * value(0, 3) - 0.3) && !of(&html[..raw], value(0, 3)));
    assert!(of(&html[raw..], value(0, 3)));
    assert!(html[raw..].contains("control:random") && !html[..raw].contains("control:random"));
    assert!(html.contains("−"), "a value below the worst control is negative");
}

#[test]
fn nothing_to_rank_is_said() {
    let empty = IntegrationPage { rows: Vec::new(), labels: Vec::new(), curves: Vec::new(), ..page(false) };
    assert!(render_integration(&empty).contains("No embedding has a total"));
}

#[test]
fn the_page_fits_a_desktop_and_a_phone() {
    let Some(browser) = browser() else { return };
    let base = tempfile::tempdir().expect("folder");
    let path = base.path().join("page.html");
    std::fs::write(&path, render_integration(&page(true))).expect("written");
    let asked = [(1280, ""), (820, ""), (390, "")];
    let framed = frames(base.path(), "measured", &path, &asked);
    let url = format!("file://{}", framed.display());
    let dom = chromium(&browser, base.path(), "light", &["--dump-dom".into(), url]);
    for (at, (width, _)) in asked.iter().enumerate() {
        assert_eq!(measured(&dom, at, "overflow"), "0", "the page is wider than {width} px");
        assert_eq!(measured(&dom, at, "cut"), "", "text leaves its figure at {width} px");
        let smallest: f64 = measured(&dom, at, "smallest").parse().expect("a size");
        assert!(smallest >= 11.0, "{smallest} px text at {width} px");
    }
}
