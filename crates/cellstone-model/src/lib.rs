//! Networks on Burn, and the choice of the device they run on.
//!
//! [`DeviceChoice`] is what a user asks for, [`probe`] what the machine has, [`select`] what is used: WGPU where there
//! is a hardware adapter, the CPU backend otherwise. A software adapter runs the same kernels far slower than the CPU
//! backend, so it counts as none unless it is asked for.
//!
//! ```
//! use cellstone_model::{DeviceChoice, select};
//! let device = select(DeviceChoice::Cpu)?;
//! assert_eq!(device.name(), "cpu (burn flex)");
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! [`Network`] is a published network with its weights: [`Network::load`] takes those of a checkpoint
//! ([`read_weights`]), [`Network::fresh`] draws them from a seed.
//!
//! ```
//! use cellstone_core::{Seed, TokenRow};
//! use cellstone_model::{BertConfig, DeviceChoice, Network, NetworkConfig, TokenBatch, select};
//! let shape = NetworkConfig::Bert(BertConfig::geneformer(100, 32, [16, 2, 2, 32]));
//! let network = Network::fresh(shape, Seed::new(1), &select(DeviceChoice::Cpu)?)?;
//! let cell = TokenRow { input_ids: vec![7, 3, 42], ..TokenRow::default() };
//! let outputs = network.run(&TokenBatch::new(&[cell], 0, 0.0)?)?;
//! assert_eq!(outputs.hidden.len(), 3);
//! assert_eq!(outputs.hidden[2].dim(), (1, 3, 16));
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! [`Trainer`] fits a network to masked tokens, step by step, and resumes exactly.
//!
//! [`open_checkpoint`] opens a directory of ours or one that others published; [`ModelEmbedder`] turns cells into vectors
//! with it, [`edit_effects`] says what happens if genes are deleted or over-expressed.
//!
//! No Burn type appears in a public signature.

#![forbid(unsafe_code)]

mod checkpoint;
mod device;
mod embed;
mod import;
mod insilico;
mod nets;
mod phenotype;
mod run;
mod train;
mod weights;

pub use checkpoint::{
    Checkpoint, CheckpointConfig, CheckpointEncoder, CheckpointVocab, DataFile, EncoderConfig, HeldOut, Provenance,
    TrainingPart, read as read_checkpoint, read_config as read_checkpoint_config, read_training,
    write as write_checkpoint,
};
pub use device::{Adapter, DeviceChoice, Selected, probe, select, self_test};
pub use embed::{
    CellStates, ContextualGenes, EmbedOptions, GeneStates, Layer, ModelEmbedder, Pool, TokenKinds, batch_tokens,
};
pub use import::open_checkpoint;
pub use insilico::{Edit, EditEffect, EditKind, edit_effects};
pub use nets::{
    BertConfig, PolyGeneConfig, ScBert, ScBertConfig, ScFoundationConfig, ScFoundationNet, ScGptConfig, TokenBatch,
};
pub use phenotype::{PhenotypeQuery, phenotype_logits};
pub use run::{Network, NetworkConfig, Outputs};
pub use train::{
    AdamWConfig, Decay, Evaluation, MaskedBatch, Objective, Schedule, Slot, SlotEvaluation, StepReport, TrainState,
    Trainer, masked_batch,
};
pub use weights::{HostTensor, ImportReport, Weights, read_weights, write_safetensors};
