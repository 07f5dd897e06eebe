//! `embed`: vectors of cells and genes from a model.

use super::MatrixInput;
use super::tokens::{AssumedArg, ModeArg};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Embed {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// The model: a directory that `pretrain` wrote, of Hugging Face (Geneformer), or of scGPT.
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: PathBuf,
    /// Tokens that were made before; on the way unless given.
    #[arg(long, value_name = "T.parquet")]
    pub(crate) tokens: Option<PathBuf>,
    /// Hidden state: 0 is the embedding output, -1 the last; `geneformer-upstream` and `helical` are what their `emb_layer = -1` means.
    #[arg(long, default_value = "-1", value_name = "N", allow_hyphen_values = true)]
    pub(crate) layer: String,
    /// How states become a vector; `gene` averages every gene over the cells.
    #[arg(long, value_enum, default_value_t = PoolArg::Mean, value_name = "POOL")]
    pub(crate) pool: PoolArg,
    /// Only cells with this value in a column of obs, repeated for more conditions.
    #[arg(long, value_name = "COLUMN=VALUE")]
    pub(crate) obs_filter: Vec<String>,
    /// With --pool gene: genes in fewer cells are left out.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) min_cells: u64,
    /// Remove the tokens of genes (`A+B` at once, `A,B` one after the other) and write how far each cell moves.
    #[arg(long, value_delimiter = ',', value_name = "GENES")]
    pub(crate) delete: Vec<String>,
    /// The same for genes that move to the front (ranks) or to the highest bin.
    #[arg(long, value_delimiter = ',', value_name = "GENES")]
    pub(crate) overexpress: Vec<String>,
    /// Tokens of the model, where its directory has none: the published `.json` (also `.gz`) or `.pkl` (read as data).
    #[arg(long, value_name = "F")]
    pub(crate) vocab: Option<PathBuf>,
    /// Gene medians of the model's corpus, where its directory has none.
    #[arg(long, value_name = "F")]
    pub(crate) medians: Option<PathBuf>,
    /// The model's own map from retired ids and other names to its genes, where it has one.
    #[arg(long, value_name = "F")]
    pub(crate) mapping: Option<PathBuf>,
    /// Genes of the species, where the file uses other names than the vocabulary: `ensembl_id, symbol`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F")]
    pub(crate) gene_table: Option<PathBuf>,
    /// Aliases and previous symbols: `alias, symbol`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F", requires = "gene_table")]
    pub(crate) alias: Option<PathBuf>,
    /// Longest row, special tokens counted; that of the model unless said.
    #[arg(long, value_name = "N")]
    pub(crate) max_len: Option<usize>,
    /// How much of the file must be found in the vocabulary.
    #[arg(long, value_enum, default_value_t = ModeArg::Strict, value_name = "MODE")]
    pub(crate) mode: ModeArg,
    /// What the numbers are, where a look at them does not tell.
    #[arg(long, value_enum, value_name = "SCALE")]
    pub(crate) assume_scale: Option<AssumedArg>,
    /// Tokens, padding counted, that go through the network at once; from the free memory unless said.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) batch_tokens: Option<u32>,
    /// Seed of encoders that draw.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Name of the entry of obsm; `X_` and the architecture unless said.
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// `.h5ad` (cells with an entry of obsm; with --pool gene a row per gene), `.parquet` or `.csv`.
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// How states become a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PoolArg {
    /// The state of the token of the cell.
    Cls,
    /// The mean over genes; special tokens and phenotypes are left out.
    Mean,
    /// The mean over all tokens.
    #[value(name = "mean_all")]
    MeanAll,
    /// The largest value over genes, by dimension.
    Max,
    /// A vector for every gene: the mean of its states over the cells.
    Gene,
}
