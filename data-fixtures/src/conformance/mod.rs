//! What every implementation of a seam must do, as checks that anyone can run on their own.
//!
//! Each suite returns every [`Failure`] it finds instead of stopping at the first; [`assert_conforms`] turns a list of
//! them into one panic for tests. A check that does not apply is skipped by name, in the open, never silently.

mod example;
mod failure;
mod harness;
pub mod metric;
pub mod predictor;
pub mod source;

pub use example::{ExampleShape, example_bulk, example_split};
pub use failure::{Failure, assert_conforms};
