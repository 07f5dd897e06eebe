//! A checkpoint as an [`Embedder`].

use super::cells::CellStates;
use super::kinds::TokenKinds;
use super::options::EmbedOptions;
use crate::NetworkConfig;
use crate::checkpoint::Checkpoint;
use cellstone_core::{
    BoundTokenizer, CellInput, CountSource, Embedder, Encoded, Error, GeneVectors, Result, Seed, Tokenizer, Var,
    cell_seed,
};
use ndarray::Array2;
use std::sync::Arc;

/// A checkpoint with its encoder: cells in, vectors out.
///
/// Cells are encoded without phenotypes. Vectors of genes are the rows of the network's table, without context; for
/// means over cells see [`GeneStates`](crate::GeneStates).
///
/// # Examples
/// ```no_run
/// use cellstone_core::{Embedder, Seed};
/// use cellstone_model::{DeviceChoice, EmbedOptions, Layer, ModelEmbedder, Pool, open_checkpoint, select};
/// # fn cells() -> Box<dyn cellstone_core::CountSource> { unimplemented!() }
/// let checkpoint = open_checkpoint("Geneformer-V2-104M".as_ref(), &select(DeviceChoice::Auto)?)?;
/// let options = EmbedOptions { layer: Layer::parse("geneformer-upstream")?, pool: Pool::Mean, batch_tokens: 8192 };
/// let embedder = ModelEmbedder::new(checkpoint, None, options, Seed::new(0))?;
/// let vectors = embedder.embed_cells(cells().as_ref())?;
/// assert_eq!(vectors.ncols(), 768);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub struct ModelEmbedder {
    checkpoint: Checkpoint,
    kinds: TokenKinds,
    tokenizer: Arc<dyn Tokenizer>,
    options: EmbedOptions,
    seed: Seed,
}

impl ModelEmbedder {
    /// From a checkpoint; `gene_table` helps where files use other names than its vocabulary.
    ///
    /// # Errors
    /// If the encoder cannot be made: a vocabulary or medians are missing.
    pub fn new(
        checkpoint: Checkpoint,
        gene_table: Option<Arc<cellstone_core::genes::GeneTable>>,
        options: EmbedOptions,
        seed: Seed,
    ) -> Result<Self> {
        let tokenizer = checkpoint.encoder.tokenizer(&checkpoint.vocab, gene_table)?;
        options.layer.index(checkpoint.network.n_layers())?;
        Ok(Self { kinds: TokenKinds::of(&checkpoint), checkpoint, tokenizer, options, seed })
    }

    /// The encoder.
    pub fn tokenizer(&self) -> &dyn Tokenizer {
        self.tokenizer.as_ref()
    }

    /// The key of the gene that a column leads to: that of the token which a cell with nothing else has.
    fn key(&self, bound: &dyn BoundTokenizer, column: u32) -> Option<u32> {
        let (columns, values) = (&[column][..], &[1.0][..]);
        let cell = CellInput { columns, values, n_counts: 1.0, phenotypes: &[], seed: Seed::new(0) };
        let Encoded::Row(row) = bound.encode(&cell) else { return None };
        (0..row.input_ids.len()).find_map(|it| self.kinds.gene(&row, it))
    }
}

impl Embedder for ModelEmbedder {
    fn id(&self) -> &str {
        &self.checkpoint.config.architecture
    }

    fn embed_cells(&self, cells: &dyn CountSource) -> Result<Array2<f32>> {
        let bound = self.tokenizer.bind(cells.var(), cells.scale())?;
        let mut states = CellStates::new(&self.checkpoint.network, &self.kinds, self.options)?;
        for block in cells.blocks(0)? {
            let block = block?;
            for row in 0..block.x.shape().0 {
                let (columns, values) = block.x.row(row);
                let n_counts = values.iter().map(|it| f64::from(*it)).sum();
                let id = &cells.obs().index()[block.start + row];
                let seed = cell_seed(self.seed, cells.name(), id);
                let named = |error: Error| error.context(format!("cell `{id}` of `{}`", cells.name()));
                match bound.encode(&CellInput { columns, values, n_counts, phenotypes: &[], seed }) {
                    Encoded::Row(it) => states.push(self.kinds.without_phenotypes(it)).map_err(named)?,
                    Encoded::Rejected { reason, detail } => {
                        return Err(named(Error::invalid_input(format!("no tokens: {reason} ({detail})"))));
                    }
                };
            }
        }
        states.finish()
    }

    fn embed_genes(&self, var: &Var) -> Result<GeneVectors> {
        let name = match self.checkpoint.network.config() {
            NetworkConfig::Bert(_) => "bert.embeddings.word_embeddings.weight",
            NetworkConfig::ScGpt(_) => "encoder.embedding.weight",
            NetworkConfig::PolyGene(_) => "embeddings.token_type_embeddings.weight",
        };
        let bound = self.tokenizer.bind(var, cellstone_core::Scale::Counts)?;
        let weights = self.checkpoint.network.weights()?;
        let table = weights.get(name).ok_or_else(|| Error::invalid_input(format!("no table `{name}`")))?;
        let d = table.shape[1];
        let keys: Vec<Option<u32>> = (0..var.len() as u32).map(|it| self.key(bound.as_ref(), it)).collect();
        let mut values = Array2::zeros((var.len(), d));
        for (mut row, key) in values.rows_mut().into_iter().zip(&keys) {
            if let Some(key) = key {
                let from = *key as usize * d;
                row.iter_mut().zip(&table.data[from..from + d]).for_each(|(to, it)| *to = *it);
            }
        }
        Ok(GeneVectors { values, present: keys.iter().map(Option::is_some).collect() })
    }
}
