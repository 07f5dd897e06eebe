//! Opening checkpoint directories: our own, and those that other programs publish.

mod geneformer;
mod open;
mod problems;
mod scgpt;
mod vocab;

pub use open::open_checkpoint;
pub(crate) use vocab::n_ids;
