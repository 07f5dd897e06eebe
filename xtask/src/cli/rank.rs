//! The command `rank-study`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct RankStudy {
    /// The study.
    #[arg(value_name = "FILE.toml")]
    pub(crate) file: PathBuf,
    /// Change one key: `--set data.path=other.h5ad --set seeds=[1]`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
    /// Run folder; `runs/ID/TIME-HASH` unless said.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Go on with the newest incomplete run of this configuration, or with the one in `--out`.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Replace a run that is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Say what the study would do, without doing it.
    #[arg(long)]
    pub(crate) plan: bool,
}
