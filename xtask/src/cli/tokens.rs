//! Commands that turn cells into tokens: `tokenize`, `medians`.

use super::MatrixInput;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Tokenize {
    #[command(flatten)]
    pub(crate) input: MatrixInput,
    /// `geneformer_v1`, `geneformer_v2`, `scgpt`, …; `list encoders` names them and their options.
    #[arg(long, value_name = "ID")]
    pub(crate) encoder: String,
    /// Tokens of the model: the published `.json` (also `.gz`), `.pkl` (read as data), `vocab.txt` or `.tsv`.
    #[arg(long, value_name = "F")]
    pub(crate) vocab: Option<PathBuf>,
    /// Gene medians of the model's corpus: `.json` (also `.gz`), `.pkl`, `.csv` or `.parquet`.
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
    /// Values of the phenotypes that rows carry as tokens: `{"sex": ["female", …]}` as `.json` or `.pkl`.
    #[arg(long, value_name = "F")]
    pub(crate) phenotypes: Option<PathBuf>,
    /// Where genes lie, for UCE: `gene, token, chromosome, start`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F")]
    pub(crate) locations: Option<PathBuf>,
    /// Longest row, special tokens counted; that of the model unless said.
    #[arg(long, value_name = "N")]
    pub(crate) max_len: Option<usize>,
    /// An option of the encoder, repeated for more.
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub(crate) options: Vec<String>,
    /// How much of the file must be found in the vocabulary.
    #[arg(long, value_enum, default_value_t = ModeArg::Strict, value_name = "MODE")]
    pub(crate) mode: ModeArg,
    /// What the numbers are, where a look at them does not tell.
    #[arg(long, value_enum, value_name = "SCALE")]
    pub(crate) assume_scale: Option<AssumedArg>,
    /// The numbers are `ln(1 + x)` of scaled counts: find the counts behind them.
    #[arg(long, conflicts_with = "assume_scale")]
    pub(crate) recover_counts: bool,
    /// Column of var that holds the ids of the genes; found by itself where it holds Ensembl ids and row names do not.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) gene_id_col: Option<String>,
    /// Where the total of a cell comes from.
    #[arg(long, value_enum, default_value_t = NCountsArg::Computed, value_name = "FROM")]
    pub(crate) n_counts: NCountsArg,
    /// Name of the data set, in every row; that of the file unless said. Random draws depend on it.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset_id: Option<String>,
    /// Columns of obs that rows carry along, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) obs: Vec<String>,
    /// Column of obs that holds a phenotype under another name, repeated for more.
    #[arg(long = "phenotype-col", value_name = "PHENOTYPE=COLUMN")]
    pub(crate) phenotype_cols: Vec<String>,
    /// Seed of every random draw.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// Cells of a row group, 65536 at most; it ends earlier where rows are long.
    #[arg(long, default_value_t = 65_536, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(crate) row_group_size: u32,
    /// The table; beside it `NAME.rejects.parquet`, `NAME.coverage.json` and `NAME.manifest.json`.
    #[arg(long, value_name = "T.parquet")]
    pub(crate) out: PathBuf,
    /// Go on with a table that was not finished; the result is the same to the last byte.
    #[arg(long, conflicts_with = "force")]
    pub(crate) resume: bool,
    /// Replace the files if they are there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// How strictly coverage is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// For full transcriptomes: 80 % of the counts, half of the vocabulary, no ambiguous gene.
    Strict,
    /// For what is known to fit badly: 20 % of the counts.
    Lenient,
    /// For a choice of genes or a targeted assay: half of the features.
    Panel,
}

/// What numbers are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AssumedArg {
    /// Raw molecule counts.
    Counts,
    /// `ln(1 + x)` of library-size normalised counts.
    Lognorm,
}

/// Where totals come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NCountsArg {
    /// The sum over all features of the matrix.
    Computed,
    /// The column `n_counts` of obs, for a matrix that lacks features of the raw data.
    Obs,
}

#[derive(Debug, Args)]
pub(crate) struct Medians {
    /// Raw counts: `.h5ad`, 10x `.h5`, mtx folder, `.csv`. Read in the order of their names.
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// `X`, `raw` or `layers/NAME`.
    #[arg(long, default_value = "X", value_name = "M")]
    pub(crate) matrix: String,
    /// Genome, where a 10x file holds several.
    #[arg(long, value_name = "G")]
    pub(crate) genome: Option<String>,
    /// Genes to find medians of, by Ensembl id; those of the files unless said.
    #[arg(long, value_name = "F")]
    pub(crate) vocab: Option<PathBuf>,
    /// Genes of the species, where files use symbols: `ensembl_id, symbol`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F")]
    pub(crate) gene_table: Option<PathBuf>,
    /// Aliases and previous symbols: `alias, symbol`; `.csv` or `.tsv`, also `.gz`.
    #[arg(long, value_name = "F", requires = "gene_table")]
    pub(crate) alias: Option<PathBuf>,
    /// How medians are found.
    #[arg(long, value_enum, default_value_t = MedianArg::Exact, value_name = "M")]
    pub(crate) method: MedianArg,
    /// Mark genes that fewer cells express.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) min_detected: u64,
    /// `.json` (`{"gene": median}`, as models publish them), `.csv` or `.parquet` (with numbers of cells).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Ways to a median.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MedianArg {
    /// Exact, in three passes over the files.
    Exact,
    /// By a t-digest, in one pass: within half a per cent of rank.
    Tdigest,
}
