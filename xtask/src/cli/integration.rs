//! The flags of `integration`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Integration {
    /// `.h5ad` with embeddings in `obsm`; the matrix is not read.
    pub(crate) input: PathBuf,
    /// Column of obs with the batch.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) batch: String,
    /// Column of obs with the label, usually the cell type.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: String,
    /// Entries of `obsm` to measure, separated by commas.
    #[arg(long, value_delimiter = ',', required = true, value_name = "KEY[,KEY]")]
    pub(crate) embed: Vec<String>,
    /// Entry of `obsm` with the cells before integration; `X_pca` where there is one.
    #[arg(long, value_name = "KEY")]
    pub(crate) pre: Option<String>,
    /// Column of obs with pseudotime before integration: adds the trajectory metrics.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) pseudotime: Option<String>,
    /// Whose rules hold where packages differ; values of different conventions must not be compared.
    #[arg(long, value_enum, default_value_t = ConventionArg::Cellstone, value_name = "C")]
    pub(crate) convention: ConventionArg,
    /// Metric ids, separated by commas; all unless said.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub(crate) metrics: Vec<String>,
    /// Measure embeddings with a known answer too, and set every value between theirs.
    #[arg(long)]
    pub(crate) controls: bool,
    /// Seed of communities, k-means and controls.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) seed: u64,
    /// A page with the summary table.
    #[arg(long, value_name = "F.html")]
    pub(crate) report: Option<PathBuf>,
    /// The values by label, `.parquet` or `.csv`.
    #[arg(long, value_name = "F")]
    pub(crate) labels_out: Option<PathBuf>,
    /// `.parquet` or `.csv` (`embedding, metric, value, status, reason`).
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace files that are there.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Rules of the packages of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConventionArg {
    /// Exact neighbours, undefined values stay undefined, BRAS in the totals.
    Cellstone,
    /// theislab/scib.
    Scib,
    /// YosefLab/scib-metrics.
    ScibMetrics,
}
