//! The commands `annotate` and `entropy`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What `annotate` and `entropy` share.
#[derive(Debug, Args)]
pub(crate) struct PhenotypeQueryArgs {
    /// `.h5ad`, 10x `.h5`, mtx folder, `.csv`: counts.
    pub(crate) input: PathBuf,
    /// `X`, `raw` or `layers/NAME`.
    #[arg(long, default_value = "X", value_name = "M")]
    pub(crate) matrix: String,
    /// A directory that `pretrain` wrote, such as RUN/checkpoints/best.
    #[arg(long, value_name = "DIR")]
    pub(crate) checkpoint: PathBuf,
    /// Category of the vocabulary, such as `cell_type`; read from the column of obs with this name where it is there.
    #[arg(long, value_name = "C")]
    pub(crate) category: String,
    /// What the network is shown of the other phenotypes.
    #[arg(long, value_enum, default_value_t = ConditionArg::Masked, value_name = "CONDITION")]
    pub(crate) condition: ConditionArg,
    /// `.parquet` or `.csv`: one row a cell.
    #[arg(long, value_name = "F")]
    pub(crate) out: PathBuf,
    /// Replace the file if it is there.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Annotate {
    #[command(flatten)]
    pub(crate) query: PhenotypeQueryArgs,
    /// Number of best classes that are named.
    #[arg(long, default_value_t = 5, value_name = "K")]
    pub(crate) top: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Entropy {
    #[command(flatten)]
    pub(crate) query: PhenotypeQueryArgs,
}

/// What a network is shown of the other phenotypes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConditionArg {
    /// All phenotypes are hidden: genes alone.
    Masked,
    /// The others are shown.
    Visible,
    /// The others are left out.
    Dropped,
}
