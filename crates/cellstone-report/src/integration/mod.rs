//! A page about integrated embeddings: how much biology they keep, how much of the batches they remove.

mod curve;
mod heat;
mod page;

use crate::table_row;
use serde::{Deserialize, Serialize};

pub use page::render_integration;

table_row! {
    /// One metric of one embedding. The table that `integration` writes.
    #[derive(Default, Serialize, Deserialize)]
    pub struct IntegrationRow in "integration" {
        /// Name of the embedding; `control:…` for those made to have a known answer.
        embedding: String,
        /// Metric id; with `_scaled` at its end the value between the controls.
        metric: String,
        /// The value; null unless status is `ok`.
        value: Option<f64>,
        /// `ok` or `undefined`.
        status: String,
        /// Why there is no value, or what a reader must know about it.
        reason: Option<String>,
    }
}

table_row! {
    /// One metric of one embedding for the cells of one label.
    #[derive(Default, Serialize, Deserialize)]
    pub struct IntegrationLabelRow in "integration_labels" {
        /// Name of the embedding.
        embedding: String,
        /// Metric id.
        metric: String,
        /// The label.
        label: String,
        /// Its cells.
        n_obs: i64,
        /// The value; null unless status is `ok`.
        value: Option<f64>,
        /// `ok` or `undefined`.
        status: String,
        /// Why there is no value.
        reason: Option<String>,
    }
}

/// What a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricGroup {
    /// Whether labels stay apart.
    Bio,
    /// Whether batches are mixed.
    Batch,
    /// A mean of others.
    Total,
    /// Neither: shown among all values alone.
    Other,
}

impl MetricGroup {
    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Bio => "Bio conservation",
            Self::Batch => "Batch correction",
            Self::Total => "Totals",
            Self::Other => "Other",
        }
    }
}

/// A column of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricColumn {
    /// Metric id, as in the table.
    pub id: String,
    /// For people: `Leiden NMI`.
    pub title: String,
    /// What it is about.
    pub group: MetricGroup,
    /// Which way is better.
    pub higher_is_better: bool,
    /// Whether it counts in the totals of the convention.
    pub in_total: bool,
    /// What it measures, in one sentence.
    pub meaning: String,
}

/// Agreement of a clustering with the labels at one resolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResolutionPoint {
    /// Resolution of the communities.
    pub resolution: f64,
    /// Normalised mutual information.
    pub nmi: f64,
    /// Adjusted Rand index.
    pub ari: f64,
    /// Number of communities.
    pub n_clusters: usize,
}

/// Everything the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegrationPage {
    /// The file that was read.
    pub input: String,
    /// Whose rules were followed: `cellstone`, `scib`, `scib-metrics`.
    pub convention: String,
    /// Column with the batches.
    pub batch: String,
    /// Column with the labels.
    pub label: String,
    /// Cells of the file.
    pub n_obs: usize,
    /// Cells with a batch and a label.
    pub n_used: usize,
    /// Number of batches.
    pub n_batches: usize,
    /// Number of labels.
    pub n_labels: usize,
    /// Metrics, in the order of the table.
    pub columns: Vec<MetricColumn>,
    /// Every value.
    pub rows: Vec<IntegrationRow>,
    /// Values by label.
    pub labels: Vec<IntegrationLabelRow>,
    /// Agreement of communities with the labels by resolution, for each embedding.
    pub curves: Vec<(String, Vec<ResolutionPoint>)>,
    /// What makes the values hard to read, most serious first.
    pub warnings: Vec<String>,
    /// Parameters and whatever else a reader must know: name and text.
    pub notes: Vec<(String, String)>,
}

impl IntegrationPage {
    /// The row of a metric of an embedding.
    fn row(&self, embedding: &str, metric: &str) -> Option<&IntegrationRow> {
        self.rows.iter().find(|it| it.embedding == embedding && it.metric == metric)
    }

    /// Whether values between controls are there.
    fn is_scaled(&self) -> bool {
        self.rows.iter().any(|it| it.metric.ends_with(SCALED))
    }

    /// Embeddings in the order of the table, controls apart or alone.
    fn embeddings(&self, controls: bool) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for it in &self.rows {
            if it.embedding.starts_with(CONTROL) == controls && !found.contains(&it.embedding.as_str()) {
                found.push(&it.embedding);
            }
        }
        found
    }

    /// Embeddings by falling total; those without one last, in the order of the table.
    fn ranked(&self) -> Vec<&str> {
        let mut order = self.embeddings(false);
        let total = |it: &str| self.row(it, "total").and_then(|it| it.value).unwrap_or(f64::NEG_INFINITY);
        order.sort_by(|a, b| total(b).total_cmp(&total(a)));
        order
    }

    fn group(&self, group: MetricGroup) -> Vec<&MetricColumn> {
        self.columns.iter().filter(|it| it.group == group).collect()
    }
}

/// The end of the id of a value between controls.
const SCALED: &str = "_scaled";

/// The start of the name of an embedding with a known answer.
const CONTROL: &str = "control:";
