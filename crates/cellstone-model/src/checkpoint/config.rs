//! `config.json` of a checkpoint.

use crate::{NetworkConfig, Objective};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `config.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointConfig {
    /// Version of the layout of the directory; 1.
    pub format: u32,
    /// `polygene_v2`, `polygene_v1`, `geneformer`, …: what the network and the encoder are together.
    pub architecture: String,
    /// Shape of the network.
    pub network: NetworkConfig,
    /// Registry id of the encoder, its options by name, its longest row.
    pub encoder: EncoderConfig,
    /// Share of the target that was spread over the competing ids: a floor of every predicted entropy.
    pub label_smoothing: f64,
    /// What was minimized; `None` for imported networks.
    #[serde(default)]
    pub objective: Option<Objective>,
    /// SHA-256 of every other file of the directory, by its path in it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Where the weights come from.
    #[serde(default)]
    pub provenance: Provenance,
}

/// The encoder, as `config.json` names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Id in the registry of encoders.
    pub id: String,
    /// Options by name; others have their defaults.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Longest row; `None` for the default of the encoder.
    #[serde(default)]
    pub max_len: Option<usize>,
}

/// Where the weights of a checkpoint come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provenance {
    /// Files of cells that were trained on.
    #[serde(default)]
    pub data: Vec<DataFile>,
    /// The rule by which cells were kept from training; `None` if there was none.
    #[serde(default)]
    pub held_out: Option<HeldOut>,
    /// Cells that were kept from training, and cells that were trained on.
    #[serde(default)]
    pub n_held_out: u64,
    /// Cells that were trained on.
    #[serde(default)]
    pub n_train: u64,
    /// Steps of the optimizer.
    #[serde(default)]
    pub steps: u64,
    /// Cells seen, each as often as it was.
    #[serde(default)]
    pub cells_seen: u64,
    /// Tokens seen.
    #[serde(default)]
    pub tokens_seen: u64,
    /// Seed of the run.
    #[serde(default)]
    pub seed: u64,
    /// Version of the program.
    #[serde(default)]
    pub version: String,
    /// For imported weights: what they were read from.
    #[serde(default)]
    pub imported: Option<String>,
}

/// A file of cells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// Its name without folders.
    pub name: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Cells in it.
    pub n_obs: u64,
    /// Features in it.
    pub n_vars: u64,
}

/// The rule by which cells are kept from training: whole donors or batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Column of the annotation.
    pub column: String,
    /// Its values that are held out.
    pub values: Vec<String>,
}
