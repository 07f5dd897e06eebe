//! Checkpoint directories: a network with everything that a new file of cells needs to be read by it.
//!
//! ```text
//! config.json         format, architecture, shape of the network, encoder with its options, smoothing, where it comes from
//! model.safetensors   weights, single precision, published names
//! vocab.json          token -> id: special tokens, phenotypes, bins or genes
//! tokenizer/          what else the encoder is made from: `polygene.json`, `medians.json`, `gene_mapping.json`
//! training/           moments of the optimizer and the place in the data, for a later process to go on
//! ```
//!
//! A directory has its name only when it is whole: it is written beside and renamed.

mod config;
mod encoder;
mod files;
mod folder;
mod vocab;

pub use config::{CheckpointConfig, DataFile, EncoderConfig, HeldOut, Provenance};
pub use encoder::CheckpointEncoder;
pub use files::{Checkpoint, TrainingPart, read, read_config, read_training, write};
pub use vocab::CheckpointVocab;
