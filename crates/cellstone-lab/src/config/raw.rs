//! What a person types: one TOML file, every key optional that can have a default.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One experiment file as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// Version of this format; 1.
    pub schema: u32,
    /// Lower snake case; names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seeds of the splits; one split (or one set of folds) each.
    #[serde(default = "five_seeds")]
    pub seeds: Vec<u64>,
    /// The input.
    pub data: RawData,
    /// How cells become means.
    #[serde(default)]
    pub prep: RawPrep,
    /// What is held out.
    pub split: RawSplit,
    /// Models under test.
    #[serde(default)]
    pub model: Vec<RawMethod>,
    /// Baselines; at least one is mandatory.
    #[serde(default)]
    pub baseline: Vec<RawMethod>,
    /// Prior knowledge by name.
    #[serde(default)]
    pub embedding: Vec<RawEmbedding>,
    /// What is measured.
    #[serde(default)]
    pub metrics: RawMetrics,
    /// What is kept.
    #[serde(default)]
    pub output: RawOutput,
}

fn five_seeds() -> Vec<u64> {
    vec![1, 2, 3, 4, 5]
}

/// The input file and the meaning of its columns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawData {
    /// A cell file, or for `scale = "effect"` an npz of effect vectors; relative to the experiment file.
    pub path: Option<PathBuf>,
    /// `counts`, `lognorm` or `effect`. Stated, never guessed.
    pub scale: Option<String>,
    /// Library size of log-normalised values, where known.
    pub target_sum: Option<f64>,
    /// `X`, `raw` or `layers/NAME`.
    pub matrix: Option<String>,
    /// Column of obs with the perturbation.
    pub pert_col: Option<String>,
    /// Labels that mean control, besides the usual ones.
    #[serde(default)]
    pub control_pert: Vec<String>,
    /// Column of obs with the context.
    pub context_col: Option<String>,
    /// Contexts to keep; all when empty.
    #[serde(default)]
    pub contexts: Vec<String>,
    /// Column of obs with the batch.
    pub batch_col: Option<String>,
    /// Column of obs to the values that are kept.
    #[serde(default)]
    pub keep: BTreeMap<String, Vec<String>>,
    /// For `scale = "effect"`: array with the condition names.
    pub names_key: Option<String>,
    /// For `scale = "effect"`: array with the vectors, one row per condition.
    pub values_key: Option<String>,
    /// Where the data come from.
    pub citation: Option<String>,
}

/// How cells become means.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPrep {
    /// Library size counts are brought to before `log1p`.
    pub target_sum: Option<f64>,
    /// `cells`, `batches`, `batches_matched`, `cells_matched` or `bulk`.
    pub averaging: Option<String>,
    /// Seeded half splits of the cells, for the ceiling.
    pub n_replicates: Option<usize>,
}

/// What is held out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSplit {
    /// Id of a protocol.
    pub protocol: Option<String>,
    /// Parts that are scored; `test` unless said.
    pub scored: Option<Vec<String>>,
    /// Number of folds, for protocols with folds.
    pub k: Option<usize>,
    /// Variant, for protocols with variants.
    pub variant: Option<String>,
    /// Fraction, for protocols with one.
    pub fraction: Option<f64>,
}

/// One method with its parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMethod {
    /// Id in the registry.
    pub id: String,
    /// Name in tables; the id unless said. Needed when one id stands twice.
    pub label: Option<String>,
    /// Parameters by name.
    #[serde(default)]
    pub params: BTreeMap<String, toml::Value>,
}

/// One embedding file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEmbedding {
    /// What methods call it.
    pub name: String,
    /// h5ad, npz, npy, csv, tsv or parquet; relative to the experiment file.
    pub path: PathBuf,
    /// `obsm` entry or array, where the file has several.
    pub key: Option<String>,
    /// Column or array with the ids.
    pub id_column: Option<String>,
}

/// What is measured.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMetrics {
    /// Metric ids; the default panel unless said.
    pub ids: Option<Vec<String>>,
    /// The metric of the answer.
    pub headline: Option<String>,
    /// Gene sets: `all`, `top1000_ctrl`.
    pub genes: Option<Vec<String>>,
    /// `none`, `self`, `panel`.
    pub masks: Option<Vec<String>>,
    /// Method all others are compared with.
    pub reference: Option<String>,
    /// Bootstrap draws.
    pub draws: Option<usize>,
    /// Sign flips of the permutation test.
    pub flips: Option<usize>,
}

/// What is kept.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawOutput {
    /// `none`, or the gene set whose predicted values are kept.
    pub predictions: Option<String>,
}
