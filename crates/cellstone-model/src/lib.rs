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
//! What is not here yet: networks. They join behind `cellstone_core::Embedder` and
//! `cellstone_core::PerturbationPredictor`; no Burn type appears in a public signature of another crate.

#![forbid(unsafe_code)]

mod device;

pub use device::{Adapter, DeviceChoice, Selected, probe, select, self_test};
