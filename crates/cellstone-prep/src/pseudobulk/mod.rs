//! Condition means over a stream of cells, with their sampling variance and replicate halves.

mod accumulate;
mod bulk;
mod control;
mod finish;
mod given;
mod params;
mod plan;
mod run;

pub use control::split_control;
pub use given::pseudobulk_from_means;
pub use params::{PseudobulkLog, PseudobulkParams};
pub use run::pseudobulk;
