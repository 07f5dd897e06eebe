//! Edits of the tokens of a cell, and how far they move its state.

mod edit;
mod effect;

pub use edit::{Edit, EditKind};
pub use effect::{EditEffect, edit_effects};
