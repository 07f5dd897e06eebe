//! A complete configuration: every default written out, every name checked. It is stored in the run.

use cellstone_core::{Averaging, Part, Scale};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that determines the tables of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Version of this format.
    pub schema: u32,
    /// Names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seeds of the splits.
    pub seeds: Vec<u64>,
    /// The input.
    pub data: Data,
    /// How cells become means.
    pub prep: Prep,
    /// What is held out.
    pub split: SplitConfig,
    /// What is measured.
    pub metrics: Metrics,
    /// What is kept.
    pub output: Output,
    /// Methods in the order of the tables, floors first.
    pub method: Vec<Method>,
    /// Prior knowledge.
    pub embedding: Vec<EmbeddingConfig>,
}

/// The input file and the meaning of its columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The file.
    pub path: PathBuf,
    /// `X`, `raw` or `layers/NAME`.
    pub matrix: String,
    /// Column of obs with the perturbation; found by name when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pert_col: Option<String>,
    /// Labels that mean control, besides the usual ones.
    pub control_pert: Vec<String>,
    /// Column of obs with the context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_col: Option<String>,
    /// Contexts to keep; all when empty.
    pub contexts: Vec<String>,
    /// Column of obs with the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_col: Option<String>,
    /// For effect vectors: array with the condition names.
    pub names_key: String,
    /// For effect vectors: array with the vectors.
    pub values_key: String,
    /// Where the data come from.
    pub citation: String,
    /// Column of obs to the values that are kept.
    pub keep: BTreeMap<String, Vec<String>>,
    /// What the numbers are.
    pub scale: Scale,
}

/// How cells become means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prep {
    /// Library size counts are brought to before `log1p`.
    pub target_sum: f64,
    /// Order of averaging.
    pub averaging: Averaging,
    /// Seeded half splits of the cells.
    pub n_replicates: usize,
}

/// What is held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitConfig {
    /// Id of a protocol.
    pub protocol: String,
    /// Parts that are scored.
    pub scored: Vec<Part>,
    /// Number of folds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<usize>,
    /// Variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Fraction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f64>,
}

/// One method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Name in tables.
    pub label: String,
    /// Id in the registry.
    pub id: String,
    /// Parameters by name.
    pub params: BTreeMap<String, serde_json::Value>,
}

/// One embedding file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingConfig {
    /// What methods call it.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// `obsm` entry or array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Column or array with the ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_column: Option<String>,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Metric ids, in order.
    pub ids: Vec<String>,
    /// The metric of the answer.
    pub headline: String,
    /// Gene sets.
    pub genes: Vec<String>,
    /// Masks.
    pub masks: Vec<String>,
    /// Method all others are compared with.
    pub reference: String,
    /// Bootstrap draws.
    pub draws: usize,
    /// Sign flips.
    pub flips: usize,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// `none`, or a gene set.
    pub predictions: String,
}

impl Config {
    /// The configuration as TOML, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("invariant: a resolved configuration has string keys only")
    }
}
