//! The one list of integration metrics: tables, help and totals are made from it.

use cellstone_core::{Error, Result, nearest};

/// What a metric speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Whether biology was kept.
    Bio,
    /// Whether batches were removed.
    Batch,
}

/// What a metric says about itself. Higher is better for all of them, and 1 is best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntegrationMetric {
    /// Stable id. Where scib-metrics has the metric it is its name there.
    pub id: &'static str,
    /// The name in a table.
    pub name: &'static str,
    /// What it speaks about.
    pub group: Group,
    /// Smallest and largest value.
    pub range: (f64, f64),
    /// The definition in one line.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// In the totals of cellstone, scib and scib-metrics.
    pub(super) in_total: [bool; 3],
}

const LUECKEN: &str = "doi:10.1038/s41592-021-01336-8";
const KORSUNSKY: &str = "doi:10.1038/s41592-019-0619-0";
const BUETTNER: &str = "doi:10.1038/s41592-018-0254-1";
const ALL: [bool; 3] = [true, true, true];
const NOT_M: [bool; 3] = [true, true, false];
const ONLY_S: [bool; 3] = [false, true, false];
const ONLY_M: [bool; 3] = [false, false, true];
const NONE: [bool; 3] = [false, false, false];

const fn metric(
    id: &'static str,
    name: &'static str,
    group: Group,
    in_total: [bool; 3],
    formula: &'static str,
    source: &'static str,
) -> IntegrationMetric {
    IntegrationMetric { id, name, group, range: (0.0, 1.0), formula, source, in_total }
}

static METRICS: [IntegrationMetric; 19] = [
    metric(
        "nmi_ari_cluster_labels_leiden_nmi",
        "Leiden NMI",
        Group::Bio,
        NOT_M,
        "NMI of labels and Leiden clusters at the resolution of 0.2, 0.4, …, 2 where it is largest",
        LUECKEN,
    ),
    IntegrationMetric {
        range: (-0.5, 1.0),
        ..metric(
            "nmi_ari_cluster_labels_leiden_ari",
            "Leiden ARI",
            Group::Bio,
            NOT_M,
            "adjusted Rand index at the clustering of the best NMI",
            LUECKEN,
        )
    },
    metric(
        "nmi_ari_cluster_labels_kmeans_nmi",
        "KMeans NMI",
        Group::Bio,
        ONLY_M,
        "NMI of labels and as many k-means clusters",
        "YosefLab/scib-metrics src/scib_metrics/metrics/_nmi_ari.py",
    ),
    IntegrationMetric {
        range: (-0.5, 1.0),
        ..metric(
            "nmi_ari_cluster_labels_kmeans_ari",
            "KMeans ARI",
            Group::Bio,
            ONLY_M,
            "adjusted Rand index of labels and as many k-means clusters",
            "YosefLab/scib-metrics src/scib_metrics/metrics/_nmi_ari.py",
        )
    },
    metric("silhouette_label", "Silhouette label", Group::Bio, ALL, "(mean silhouette of labels + 1) / 2", LUECKEN),
    metric(
        "isolated_labels_f1",
        "Isolated labels F1",
        Group::Bio,
        NOT_M,
        "mean over isolated labels of the best F1 of any Leiden cluster",
        LUECKEN,
    ),
    metric(
        "isolated_labels",
        "Isolated labels",
        Group::Bio,
        ALL,
        "mean over isolated labels of (mean silhouette + 1) / 2",
        LUECKEN,
    ),
    metric(
        "clisi_knn",
        "cLISI",
        Group::Bio,
        ALL,
        "(L − median LISI of labels) / (L − 1), perplexity 30 of 90 neighbours",
        KORSUNSKY,
    ),
    metric(
        "cell_cycle",
        "Cell cycle",
        Group::Bio,
        ONLY_S,
        "mean over batches of 1 − |PCR after − before| / before on S and G2/M scores",
        LUECKEN,
    ),
    metric(
        "hvg_overlap",
        "HVG overlap",
        Group::Bio,
        ONLY_S,
        "mean over batches of the shared share of highly variable genes before and after",
        LUECKEN,
    ),
    metric(
        "trajectory",
        "Trajectory",
        Group::Bio,
        ONLY_S,
        "(Spearman of pseudotime before and after + 1) / 2",
        LUECKEN,
    ),
    metric("morans_i", "Moran's I", Group::Bio, NONE, "mean Moran's I of highly variable genes, negatives 0", LUECKEN),
    metric(
        "bras",
        "BRAS",
        Group::Batch,
        [true, false, true],
        "mean over labels of 1 − |s| of batches, cosine distance, against all other batches",
        "doi:10.1038/s41587-025-02743-4",
    ),
    metric(
        "silhouette_batch",
        "Silhouette batch",
        Group::Batch,
        ONLY_S,
        "mean over labels of 1 − |s| of batches; rewards overlap with the nearest batch alone",
        LUECKEN,
    ),
    metric(
        "ilisi_knn",
        "iLISI",
        Group::Batch,
        ALL,
        "(median LISI of batches − 1) / (B − 1), perplexity 30 of 90 neighbours",
        KORSUNSKY,
    ),
    metric(
        "kbet_per_label",
        "KBET",
        Group::Batch,
        ALL,
        "mean over labels of the share of neighbourhoods with the batches of the label, χ² at 0.05",
        BUETTNER,
    ),
    metric(
        "graph_connectivity",
        "Graph connectivity",
        Group::Batch,
        ALL,
        "mean over labels of the share of cells in the largest component of the label's graph",
        LUECKEN,
    ),
    metric(
        "pcr_comparison",
        "PCR comparison",
        Group::Batch,
        ALL,
        "max(0, (before − after) / before) of the variance that batches explain",
        BUETTNER,
    ),
    metric(
        "sbee",
        "sBEE",
        Group::Batch,
        NONE,
        "harmonic mean of neighbourhood composition and distance ratio of batches inside labels",
        "YosefLab/scib-metrics src/scib_metrics/metrics/_sbee.py",
    ),
];

/// Every metric of the family, in the order in which tables show them.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::{Group, metrics};
/// let batch: Vec<&str> = metrics().iter().filter(|it| it.group == Group::Batch).map(|it| it.id).collect();
/// assert_eq!(batch[0], "bras");
/// ```
pub fn metrics() -> &'static [IntegrationMetric] {
    &METRICS
}

/// The metric of that id.
///
/// # Errors
/// If there is none; the hint names the nearest.
pub fn metric_by_id(id: &str) -> Result<&'static IntegrationMetric> {
    METRICS.iter().find(|it| it.id == id).ok_or_else(|| {
        let error = Error::config(format!("unknown integration metric `{id}`"));
        match nearest(id, METRICS.iter().map(|it| it.id)) {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_found() {
        let ids: BTreeSet<&str> = metrics().iter().map(|it| it.id).collect();
        assert_eq!(ids.len(), metrics().len());
        assert_eq!(metric_by_id("bras").expect("there").name, "BRAS");
        let error = metric_by_id("ilisi_kn").expect_err("misspelt");
        assert_eq!(error.hints(), ["did you mean `ilisi_knn`?"]);
    }
}
