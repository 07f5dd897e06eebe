//! The registry of encoders, by id, with inputs and options by name.

mod entries;
mod list;
mod options;

pub use list::{EncoderEntry, EncoderInputs, Need, OptionInfo, encoder, encoders};
