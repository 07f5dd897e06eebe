//! Which cell belongs to which condition, context and batch, read from the annotation of a file.

mod cells;
mod checks;
mod columns;

pub use cells::{CellLabels, Group};
pub use columns::{LabelColumns, UsedColumns};
