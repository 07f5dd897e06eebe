//! Models that turn cells or genes into vectors.

use crate::{CountSource, Result, Var};
use ndarray::Array2;

/// Gene vectors, with a mask of the genes the model knows.
#[derive(Debug, Clone)]
pub struct GeneVectors {
    /// `[n_genes, d]`; rows of unknown genes are zero.
    pub values: Array2<f32>,
    /// Whether the model knows each gene.
    pub present: Vec<bool>,
}

/// A model that embeds.
pub trait Embedder: Send + Sync {
    /// Lower snake case, unique in a registry.
    fn id(&self) -> &str;

    /// Cell embeddings, `[n_obs, d]`.
    ///
    /// # Errors
    /// If the source cannot be read or shares too few genes with the model.
    fn embed_cells(&self, cells: &dyn CountSource) -> Result<Array2<f32>>;

    /// Gene embeddings, `[n_genes, d]`, with a presence mask.
    ///
    /// # Errors
    /// If the model has none.
    fn embed_genes(&self, var: &Var) -> Result<GeneVectors>;
}
