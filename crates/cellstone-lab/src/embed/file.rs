//! Models that are known by their vectors alone: files behind the same trait as networks.

use cellstone_core::{CountSource, Embedder, Embedding, Error, GeneVectors, Result, Var};
use cellstone_io::{EmbeddingOptions, read_embedding};
use ndarray::Array2;
use std::path::Path;

/// Vectors of cells, of genes, or of both, looked up by name.
///
/// # Examples
/// ```
/// use cellstone_core::{Embedder, Embedding, Var};
/// use cellstone_lab::FileEmbedder;
/// let genes = Embedding::new("genept", vec!["TP53".into()], ndarray::array![[1.0, 2.0]])?;
/// let model = FileEmbedder::new("genept", None, Some(genes))?;
/// let found = model.embed_genes(&Var::new(vec!["ENSG1".into(), "ENSG2".into()], Some(vec!["TP53".into(), "X".into()]))?)?;
/// assert_eq!(found.present, [true, false]);
/// assert_eq!(found.values.row(0).to_vec(), [1.0, 2.0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FileEmbedder {
    id: String,
    cells: Option<Embedding>,
    genes: Option<Embedding>,
}

impl FileEmbedder {
    /// From vectors at hand.
    ///
    /// # Errors
    /// If there are neither.
    pub fn new(id: impl Into<String>, cells: Option<Embedding>, genes: Option<Embedding>) -> Result<Self> {
        let id = id.into();
        if cells.is_none() && genes.is_none() {
            return Err(Error::config(format!("embedder `{id}` has vectors neither of cells nor of genes")));
        }
        Ok(Self { id, cells, genes })
    }

    /// From files: `.h5ad` (`X`, a layer or an `obsm` key), `.npz`, `.npy`, csv, tsv or parquet, told by the ending.
    /// Vectors of a repeated name are averaged.
    ///
    /// # Errors
    /// As [`read_embedding`], and if there are neither.
    pub fn open(
        id: &str,
        cells: Option<(&Path, &EmbeddingOptions)>,
        genes: Option<(&Path, &EmbeddingOptions)>,
    ) -> Result<Self> {
        let read = |it: Option<(&Path, &EmbeddingOptions)>| it.map(|it| read_embedding(it.0, it.1)).transpose();
        Self::new(id, read(cells)?, read(genes)?)
    }
}

impl Embedder for FileEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    fn embed_cells(&self, cells: &dyn CountSource) -> Result<Array2<f32>> {
        let vectors = self.cells.as_ref().ok_or_else(|| {
            Error::config(format!("embedder `{}` has vectors of genes alone, expected some of cells", self.id))
        })?;
        let names = cells.obs().index();
        let absent: Vec<String> = names.iter().filter(|it| vectors.get(it).is_none()).cloned().collect();
        if let Some(first) = absent.first() {
            return Err(Error::invalid_input(format!(
                "embedder `{}` has no vector for {} of {} cells of `{}`, the first of them `{first}`",
                self.id,
                absent.len(),
                names.len(),
                cells.name()
            )));
        }
        let mut out = Array2::zeros((names.len(), vectors.width()));
        for (mut row, name) in out.rows_mut().into_iter().zip(names) {
            row.iter_mut().zip(vectors.get(name).into_iter().flatten()).for_each(|(to, it)| *to = *it as f32);
        }
        Ok(out)
    }

    fn embed_genes(&self, var: &Var) -> Result<GeneVectors> {
        let vectors = self.genes.as_ref().ok_or_else(|| {
            Error::config(format!("embedder `{}` has vectors of cells alone, expected some of genes", self.id))
        })?;
        let mut values = Array2::zeros((var.len(), vectors.width()));
        let mut present = vec![false; var.len()];
        for (at, mut row) in values.rows_mut().into_iter().enumerate() {
            let symbol = var.symbols().map(|it| it[at].as_str());
            let found = vectors.get(&var.ids()[at]).or_else(|| vectors.get(symbol?));
            let Some(vector) = found else { continue };
            present[at] = true;
            row.iter_mut().zip(vector).for_each(|(to, it)| *to = *it as f32);
        }
        Ok(GeneVectors { values, present })
    }
}
