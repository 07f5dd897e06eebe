//! Checkpoints: reading published weights, saying what was used, writing our own.

mod files;
mod tensors;
mod torch;

pub(crate) use files::FILES;
pub use files::{ImportReport, read_weights, write_safetensors};
pub use tensors::{HostTensor, Weights};
