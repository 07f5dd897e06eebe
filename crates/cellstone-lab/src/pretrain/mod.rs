//! Pretraining: from a file of cells to a network that predicts hidden genes and phenotypes.

mod assess;
mod config;
mod corpus;
mod driver;
mod execute;
mod masking;
mod rows;
mod setup;
mod state;
mod stream;
mod table;

pub use config::{
    CellFilter, EncoderSettings, MaskSettings, NetworkKind, NetworkSettings, PretrainConfig, PretrainData, RawData,
    RawEncoder, RawHeldOut, RawMask, RawNetwork, RawPretrain, RawTrain, TrainSettings, load_pretrain, parse_pretrain,
    resolve_pretrain,
};
pub use execute::{plan_pretrain, run_pretrain};
