//! Vectors of cells and genes from a checkpoint or from a file of vectors, and what edits of genes do to cells.

mod file;
mod memory;
mod rows;
mod run;

pub use file::FileEmbedder;
pub use memory::available_memory;
pub use rows::{CellTokens, TokenSource, chosen_cells};
pub use run::{
    CellVectors, EditRow, EmbedParams, GeneVectorsOverCells, embed_cells, embed_genes_over_cells, insilico_edits,
};
