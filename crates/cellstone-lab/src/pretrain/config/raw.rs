//! What a person types in the file of a pretraining; every key is optional that can have a default.

use super::resolved::NetworkKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One file as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPretrain {
    /// Version of this format; 1.
    pub schema: u32,
    /// `pretrain`.
    pub kind: String,
    /// Lower snake case; names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seed of weights, order, masks and dropout.
    #[serde(default = "one")]
    pub seed: u64,
    /// The cells.
    pub data: RawData,
    /// The shape of the network.
    #[serde(default)]
    pub network: RawNetwork,
    /// Genes, bins, length of rows.
    #[serde(default)]
    pub encoder: RawEncoder,
    /// What is hidden.
    #[serde(default)]
    pub mask: RawMask,
    /// How it learns.
    #[serde(default)]
    pub train: RawTrain,
}

fn one() -> u64 {
    1
}

/// The input file and the meaning of its columns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawData {
    /// A file of cells with counts; relative to the experiment file.
    pub path: Option<PathBuf>,
    /// A token table in its place.
    pub tokens: Option<PathBuf>,
    /// The vocabulary of the token table: `polygene.json` of a checkpoint, or a dictionary of genes and ids.
    pub vocab: Option<PathBuf>,
    /// `X`, `raw` or `layers/NAME`.
    pub matrix: Option<String>,
    /// Columns of obs whose values are phenotypes, under the name of the column.
    #[serde(default)]
    pub phenotypes: Vec<String>,
    /// Column of obs to the values that are kept.
    #[serde(default)]
    pub keep: BTreeMap<String, Vec<String>>,
    /// Cells that nothing is learnt from and nothing is chosen by.
    pub held_out: Option<RawHeldOut>,
    /// Cells that decide when to stop; the held-out ones unless said.
    pub validation: Option<RawHeldOut>,
    /// Where the data come from.
    pub citation: Option<String>,
}

/// Cells by a column: whole donors, whole batches.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawHeldOut {
    /// Column of obs.
    pub column: String,
    /// Its values.
    pub values: Vec<String>,
}

/// The shape of the network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawNetwork {
    /// `polygene_v2`.
    pub kind: Option<NetworkKind>,
    /// `nano`, `tiny`, `small`.
    pub preset: Option<String>,
    /// Width of the stream.
    pub d: Option<usize>,
    /// Width between the two maps of a block.
    pub d_inner: Option<usize>,
    /// Number of blocks.
    pub n_layers: Option<usize>,
    /// Heads of each block.
    pub n_heads: Option<usize>,
    /// While training.
    pub dropout: Option<f64>,
}

/// Genes, bins, length of rows.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEncoder {
    /// Genes of the vocabulary: the most variable ones of the training cells.
    pub n_genes: Option<usize>,
    /// Longest row.
    pub max_len: Option<usize>,
    /// `hvg`, `expression` or `sample`.
    pub truncate: Option<String>,
    /// `cam`, `linear`, `binary`, or edges in ascending order.
    pub edges: Option<toml::Value>,
}

/// What is hidden.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMask {
    /// Probability that a gene is masked.
    pub gene: Option<f64>,
    /// Probability that a phenotype is masked.
    pub phenotype: Option<f64>,
    /// Share of the masked phenotypes that is dropped.
    pub drop: Option<f64>,
    /// Probability that a row has unexpressed genes among its masked ones.
    pub negative_rows: Option<f64>,
    /// `detection` or `uniform`.
    pub negatives: Option<String>,
}

/// How it learns.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawTrain {
    /// Steps of the optimizer.
    pub steps: Option<u64>,
    /// Times that every cell is seen; the training ends with whichever comes first.
    pub epochs: Option<u64>,
    /// Minutes after which it ends.
    pub max_minutes: Option<f64>,
    /// Tokens of a batch, padding counted.
    pub tokens_per_batch: Option<usize>,
    /// Batches of a step.
    pub accumulate: Option<usize>,
    /// Highest learning rate.
    pub lr: Option<f64>,
    /// Steps of its rise.
    pub warmup: Option<u64>,
    /// `linear`, `cosine` or `constant`.
    pub decay: Option<String>,
    /// Pull of matrices towards zero.
    pub weight_decay: Option<f64>,
    /// Largest norm of all gradients; 0 for none.
    pub clip: Option<f64>,
    /// Share of the target that is spread over the competing ids.
    pub label_smoothing: Option<f64>,
    /// Weight of the genes in the loss.
    pub gene_weight: Option<f64>,
    /// Weight of the phenotypes.
    pub phenotype_weight: Option<f64>,
    /// One cross-entropy over all ids, as published, in place of one for each category.
    pub all_ids: Option<bool>,
    /// Steps between looks at the validation cells.
    pub eval_every: Option<u64>,
    /// Validation cells that are looked at.
    pub eval_cells: Option<usize>,
    /// Looks without a better loss after which it ends; 0 for never.
    pub patience: Option<u64>,
    /// Steps between checkpoints.
    pub checkpoint_every: Option<u64>,
    /// Cells that are mixed.
    pub shuffle: Option<usize>,
    /// `auto`, `f32` or `f16`.
    pub precision: Option<String>,
}
