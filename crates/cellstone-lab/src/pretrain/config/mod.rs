//! Files of pretraining runs: what is typed, what it resolves to.

mod raw;
mod resolve;
mod resolved;

pub use raw::{RawData, RawEncoder, RawHeldOut, RawMask, RawNetwork, RawPretrain, RawTrain};
pub use resolve::{load_pretrain, parse_pretrain, resolve_pretrain};
pub use resolved::{
    CellFilter, EncoderSettings, MaskSettings, NetworkKind, NetworkSettings, PretrainConfig, PretrainData,
    TrainSettings,
};
