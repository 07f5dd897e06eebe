//! How undecided a law is, what floor label smoothing puts under that, and how it differs between groups of cells.

mod floor;
mod groups;
mod values;

pub use floor::{Floor, FloorReport, floor_report, smoothing_floor};
pub use groups::{GroupRow, group_entropy};
pub use values::{EntropyRow, entropies, entropy, entropy_row, log_softmax_entropies};
