//! The command `pretrain`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Clone, Args)]
pub(crate) struct Pretrain {
    /// The experiment.
    #[arg(value_name = "FILE.toml")]
    pub(crate) file: PathBuf,
    /// Change one key: `--set data.path=other.h5ad --set train.steps=200`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Run folder; `runs/ID/TIME-HASH` unless said.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Go on with the newest incomplete run of this configuration, or with the one in `--out`: the losses are those of
    /// a run that was not stopped.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Replace a run that is there.
    #[arg(long)]
    pub(crate) force: bool,
}
