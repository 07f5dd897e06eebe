//! A complete pretraining: every default written out, every name checked. It is stored in the run.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything that determines the tables of a pretraining.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainConfig {
    /// Version of this format.
    pub schema: u32,
    /// `pretrain`.
    pub kind: String,
    /// Names the folder of the runs.
    pub id: String,
    /// One sentence.
    pub question: String,
    /// Seed of weights, order, masks and dropout.
    pub seed: u64,
    /// The cells.
    pub data: PretrainData,
    /// The shape of the network.
    pub network: NetworkSettings,
    /// Genes, bins, length of rows.
    pub encoder: EncoderSettings,
    /// What is hidden.
    pub mask: MaskSettings,
    /// How it learns.
    pub train: TrainSettings,
}

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Phenotypes and binned genes in two streams.
    PolygeneV2,
}

impl NetworkKind {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolygeneV2 => "polygene_v2",
        }
    }
}

/// The input file and the meaning of its columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PretrainData {
    /// A file of cells with counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A token table in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<PathBuf>,
    /// The vocabulary of the token table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab: Option<PathBuf>,
    /// `X`, `raw` or `layers/NAME`.
    pub matrix: String,
    /// Columns of obs whose values are phenotypes.
    pub phenotypes: Vec<String>,
    /// Where the data come from.
    pub citation: String,
    /// Column of obs to the values that are kept.
    pub keep: BTreeMap<String, Vec<String>>,
    /// Cells that nothing is learnt from and nothing is chosen by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<CellFilter>,
    /// Cells that decide when to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<CellFilter>,
}

impl PretrainData {
    /// The file that rows come from.
    pub fn input(&self) -> Option<&PathBuf> {
        self.path.as_ref().or(self.tokens.as_ref())
    }
}

/// Cells by a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellFilter {
    /// Column of obs.
    pub column: String,
    /// Its values.
    pub values: Vec<String>,
}

/// The shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// Which network.
    pub kind: NetworkKind,
    /// Width of the stream.
    pub d: usize,
    /// Width between the two maps of a block.
    pub d_inner: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Heads of each block.
    pub n_heads: usize,
    /// While training.
    pub dropout: f64,
}

/// Genes, bins, length of rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderSettings {
    /// Genes of the vocabulary.
    pub n_genes: usize,
    /// Longest row.
    pub max_len: usize,
    /// `hvg`, `expression` or `sample`.
    pub truncate: String,
    /// `cam`, `linear` or `binary`; `numbers` for edges of one's own.
    pub edges: String,
    /// Edges of one's own, for counts; empty otherwise.
    pub edge_values: Vec<f64>,
}

/// What is hidden: see [`cellstone_rank::MaskLaw`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskSettings {
    /// Probability that a gene is masked.
    pub gene: f64,
    /// Probability that a phenotype is masked.
    pub phenotype: f64,
    /// Share of the masked phenotypes that is dropped.
    pub drop: f64,
    /// Probability that a row has unexpressed genes among its masked ones.
    pub negative_rows: f64,
    /// `detection` or `uniform`.
    pub negatives: String,
}

/// How it learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainSettings {
    /// Steps of the optimizer; 0 for as many as the epochs make.
    pub steps: u64,
    /// Times that every cell is seen; 0 for as often as the steps make.
    pub epochs: u64,
    /// Minutes after which it ends; 0 for never.
    pub max_minutes: f64,
    /// Tokens of a batch, padding counted.
    pub tokens_per_batch: usize,
    /// Batches of a step.
    pub accumulate: usize,
    /// Highest learning rate.
    pub lr: f64,
    /// Steps of its rise.
    pub warmup: u64,
    /// `linear`, `cosine` or `constant`.
    pub decay: String,
    /// Pull of matrices towards zero.
    pub weight_decay: f64,
    /// Largest norm of all gradients; 0 for none.
    pub clip: f64,
    /// Share of the target that is spread over the competing ids.
    pub label_smoothing: f64,
    /// Weight of the genes in the loss.
    pub gene_weight: f64,
    /// Weight of the phenotypes.
    pub phenotype_weight: f64,
    /// One cross-entropy over all ids, as published.
    pub all_ids: bool,
    /// Steps between looks at the validation cells.
    pub eval_every: u64,
    /// Validation cells that are looked at.
    pub eval_cells: usize,
    /// Looks without a better loss after which it ends; 0 for never.
    pub patience: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Cells that are mixed.
    pub shuffle: usize,
    /// `auto`, `f32` or `f16`.
    pub precision: String,
}

impl PretrainConfig {
    /// The configuration as TOML, every default written out.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("invariant: a resolved configuration has string keys only")
    }
}
