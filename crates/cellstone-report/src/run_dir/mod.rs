//! The run directory: where everything of one run lies, and how a killed run is told from a complete one.

mod dir;
mod events;
mod manifest;

pub use dir::RunDir;
pub use events::{Event, EventLog};
pub use manifest::{FormatVersion, GeneCoverage, InputRecord, Manifest, PhaseTime, RunStatus};
