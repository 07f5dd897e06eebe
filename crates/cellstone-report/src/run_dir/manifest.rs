//! The manifest: what ran, on what, and how it ended.

use cellstone_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the run format. A newer minor version is readable, a newer major version is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FormatVersion {
    /// Grows when old readers would misread.
    pub major: u32,
    /// Grows when something is added.
    pub minor: u32,
}

impl FormatVersion {
    /// The version this crate writes.
    pub const CURRENT: Self = Self { major: 1, minor: 0 };

    /// Whether this crate can read a run of that version.
    ///
    /// # Errors
    /// If the major version is newer than this crate knows.
    pub fn check_readable(self) -> Result<()> {
        let ours = Self::CURRENT;
        if self.major <= ours.major {
            return Ok(());
        }
        let message =
            format!("run format version {}.{} found, expected at most {}.x", self.major, self.minor, ours.major);
        Err(Error::invalid_input(message).with_hint("read this run with a newer cellstone"))
    }
}

impl Default for FormatVersion {
    fn default() -> Self {
        Self::CURRENT
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Started and not yet ended, or killed.
    #[default]
    Running,
    /// Ended well.
    Complete,
    /// Ended with an error.
    Failed,
    /// Stopped by the user; can be resumed.
    Interrupted,
}

impl RunStatus {
    /// The word in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// An input file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InputRecord {
    /// As given by the user.
    pub path: String,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// Cells.
    pub n_obs: u64,
    /// Genes.
    pub n_vars: u64,
    /// What it was used as, e.g. `data`, `truth`, `prediction`.
    pub role: String,
}

/// How many genes of the data the methods and metrics could use.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GeneCoverage {
    /// Genes in the data.
    pub n_genes: u64,
    /// Genes used.
    pub n_used: u64,
    /// Coverage by resource (vocabulary, embedding, gene set): genes found in it.
    #[serde(default)]
    pub by_resource: BTreeMap<String, u64>,
}

/// Time spent in a phase.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PhaseTime {
    /// The phase.
    pub name: String,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Written first with status `running`, replaced atomically at the end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Version of the run format.
    pub format_version: FormatVersion,
    /// Id of the experiment.
    pub experiment: String,
    /// The question, one sentence.
    pub question: String,
    /// SHA-256 of the resolved configuration.
    pub config_hash: String,
    /// Commit of the source tree, if known.
    pub git_revision: Option<String>,
    /// Whether the tree had changes on top of it.
    pub git_dirty: Option<bool>,
    /// Version of each crate.
    pub versions: BTreeMap<String, String>,
    /// Device in words.
    pub device: String,
    /// Number of threads.
    pub threads: usize,
    /// Seeds of the run.
    pub seeds: Vec<u64>,
    /// Input files.
    pub inputs: Vec<InputRecord>,
    /// Gene coverage, once known.
    pub gene_coverage: Option<GeneCoverage>,
    /// Start, UTC, `20261121T133000Z`.
    pub started: String,
    /// End, UTC.
    pub ended: Option<String>,
    /// How far the run is.
    pub status: RunStatus,
    /// Exit code of the command; see [`crate::exit`].
    pub exit_code: Option<u8>,
    /// The error that ended it.
    pub error: Option<String>,
    /// Peak resident memory.
    pub peak_memory_bytes: Option<u64>,
    /// Time per phase, in order.
    pub phases: Vec<PhaseTime>,
}

impl Manifest {
    /// Pretty JSON with a final newline.
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always serialise.
        let mut text = serde_json::to_string_pretty(self).expect("invariant: a manifest is plain data");
        text.push('\n');
        text
    }

    /// Reads a manifest; unknown fields are ignored, missing ones take their default.
    ///
    /// # Errors
    /// If the text is not a manifest (the file is named), or its format is too new.
    pub fn from_json(text: &str, path: &Path) -> Result<Self> {
        let corrupt = |why: String| {
            Error::new(ErrorKind::InvalidInput, format!("`{}`: corrupt manifest: {why}", path.display()))
                .with_hint("delete this run folder and run the experiment again")
        };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|it| corrupt(it.to_string()))?;
        // The version alone first: the rest of a newer major version may not parse at all.
        let version = value.get("format_version").ok_or_else(|| corrupt("no `format_version`".to_owned()))?;
        let version: FormatVersion = serde_json::from_value(version.clone()).map_err(|it| corrupt(it.to_string()))?;
        version.check_readable().map_err(|it| it.context(format!("`{}`", path.display())))?;
        serde_json::from_value(value).map_err(|it| corrupt(it.to_string()))
    }
}
