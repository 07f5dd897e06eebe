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
//! What is not here yet: `cellstone_core::Embedder`. No Burn type appears in a public signature.

#![forbid(unsafe_code)]

mod device;
mod nets;
mod run;
mod train;
mod weights;

pub use device::{Adapter, DeviceChoice, Selected, probe, select, self_test};
pub use nets::{BertConfig, PolyGeneConfig, ScGptConfig, TokenBatch};
pub use run::{Network, NetworkConfig, Outputs};
pub use train::{AdamWConfig, Decay, MaskedBatch, Objective, Schedule, Slot, StepReport, TrainState, Trainer};
pub use weights::{HostTensor, ImportReport, Weights, read_weights, write_safetensors};
