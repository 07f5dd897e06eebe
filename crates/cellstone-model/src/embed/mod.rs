//! Vectors of cells and genes from the states of a network.

mod batches;
mod cells;
mod embedder;
mod genes;
mod kinds;
mod options;
mod states;

pub(crate) use batches::batches;
pub use cells::CellStates;
pub use embedder::ModelEmbedder;
pub use genes::{ContextualGenes, GeneStates};
pub use kinds::TokenKinds;
pub(crate) use kinds::kept;
pub use options::{EmbedOptions, Layer, Pool, batch_tokens};
