//! Split protocols: which conditions are trained on, which are validated and tested.

mod conditions;
mod contexts;
mod file;
mod gears;
mod gears_modes;
mod genes;
mod groups;
mod norman;
mod protocol;

pub use conditions::{SplitCondition, read_condition_list};
pub use file::{SplitMeta, pool_hash, split_from_json, split_to_json};
pub use protocol::{ProtocolInfo, SplitParams, make_splits, protocols};
