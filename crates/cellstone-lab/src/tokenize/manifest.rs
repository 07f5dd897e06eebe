//! What a token table says about where it comes from.

use super::tally::Tally;
use cellstone_core::{CountSource, Error, Result, Scale, Seed, TokenizerInfo};
use cellstone_io::{sha256_bytes, sha256_file};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// Bytes at either end of a file that stand for it until all of it has been hashed.
const ENDS: u64 = 1 << 20;

/// A small file that the encoder was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EncoderFile {
    /// What it is for: `vocab`, `medians`, ….
    pub role: String,
    /// Its name without folders.
    pub name: String,
    /// Its SHA-256.
    pub sha256: String,
}

impl EncoderFile {
    /// Hashes a file.
    ///
    /// # Errors
    /// Names the file if it cannot be read.
    pub fn new(role: &str, path: &Path) -> Result<Self> {
        Ok(Self { role: role.to_owned(), name: base_name(path), sha256: sha256_file(path)? })
    }
}

/// Everything that the rows of a table depend on; a table is continued only with the same.
#[derive(Debug, Serialize)]
pub(super) struct Config<'a> {
    pub(super) cellstone: &'static str,
    pub(super) encoder: &'a TokenizerInfo,
    pub(super) files: &'a [EncoderFile],
    pub(super) seed: Seed,
    pub(super) scale: Scale,
    pub(super) dataset_id: &'a str,
    pub(super) obs: &'a [String],
    pub(super) phenotypes: &'a [(String, String)],
    pub(super) n_counts: super::NCounts,
    pub(super) row_group_size: usize,
    pub(super) input: InputMark,
}

/// What an input is known by before all of it has been read.
#[derive(Debug, Serialize)]
pub(super) struct InputMark {
    name: String,
    matrix: String,
    n_obs: usize,
    n_vars: usize,
    /// SHA-256 of names of cells and genes, of sizes and of the ends of the files.
    mark: String,
}

impl InputMark {
    pub(super) fn new(source: &dyn CountSource, path: &Path, matrix: &str) -> Result<Self> {
        let mut marks = String::new();
        for names in [source.obs().index(), source.var().ids()] {
            marks += &sha256_bytes(names.iter().flat_map(|it| [it.as_bytes(), &b"\n"[..]]));
        }
        for file in files_of(path)? {
            marks += &ends(&file)?;
        }
        let mark = sha256_bytes([marks.as_bytes()]);
        let name = base_name(path);
        Ok(Self { name, matrix: matrix.to_owned(), n_obs: source.n_obs(), n_vars: source.var().len(), mark })
    }
}

/// Length and hash of both ends of a file.
fn ends(path: &Path) -> Result<String> {
    let failed = |error| Error::io(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    file.by_ref().take(ENDS).read_to_end(&mut head).map_err(failed)?;
    file.seek(SeekFrom::Start(length.saturating_sub(ENDS))).map_err(failed)?;
    file.take(ENDS).read_to_end(&mut tail).map_err(failed)?;
    Ok(sha256_bytes([&length.to_le_bytes()[..], &head, &tail]))
}

/// An input file and its checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputFile {
    /// Its name without folders.
    pub name: String,
    /// Its SHA-256.
    pub sha256: String,
}

/// Hashes inputs while cells are encoded: a large file takes seconds, and the result is needed last.
pub(super) struct Hashing(JoinHandle<Result<Vec<InputFile>>>);

impl Hashing {
    pub(super) fn start(path: &Path) -> Result<Self> {
        let files = files_of(path)?;
        let hash = |it: &PathBuf| Ok(InputFile { name: base_name(it), sha256: sha256_file(it)? });
        Ok(Self(std::thread::spawn(move || files.iter().map(hash).collect())))
    }

    pub(super) fn finish(self) -> Result<Vec<InputFile>> {
        self.0.join().unwrap_or_else(|_| Err(Error::invalid_input("the input cannot be hashed")))
    }
}

/// The file, or the files of a folder in the order of their names.
fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io(path, error);
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(path).map_err(failed)?.collect();
    let mut files: Vec<PathBuf> =
        entries.map_err(failed)?.iter().map(|it| it.path()).filter(|it| it.is_file()).collect();
    files.sort();
    Ok(files)
}

fn base_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |it| it.to_string_lossy().into_owned())
}

/// The manifest beside a table.
#[derive(Debug, Serialize)]
pub(super) struct Manifest<'a> {
    pub(super) format: u32,
    pub(super) config: &'a serde_json::Value,
    pub(super) inputs: &'a [InputFile],
    /// What a sample of the values looked like, where one was taken.
    pub(super) detected: Option<super::DetectedScale>,
    pub(super) coverage_rule: cellstone_rank::CoverageRule,
    pub(super) n_cells: u64,
    pub(super) n_rows: u64,
    pub(super) n_tokens: u64,
    pub(super) n_cells_truncated: u64,
    pub(super) n_genes_truncated: u64,
    pub(super) n_filtered: u64,
    pub(super) rejected: &'a BTreeMap<String, u64>,
    pub(super) warnings: &'a [String],
}

impl<'a> Manifest<'a> {
    pub(super) fn new(
        config: &'a serde_json::Value,
        inputs: &'a [InputFile],
        tally: &'a Tally,
        warnings: &'a [String],
        options: &super::TokenizeOptions<'_>,
    ) -> Self {
        Self {
            format: 1,
            config,
            inputs,
            detected: options.detected,
            coverage_rule: options.rule,
            n_cells: tally.n_cells() + tally.n_filtered,
            n_rows: tally.n_rows,
            n_tokens: tally.n_tokens,
            n_cells_truncated: tally.n_cells_truncated,
            n_genes_truncated: tally.n_genes_truncated,
            n_filtered: tally.n_filtered,
            rejected: &tally.rejected,
            warnings,
        }
    }
}

/// JSON of a value of ours, which cannot fail for want of a form.
pub(super) fn json(value: &impl Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::config(error.to_string()))
}

/// The same as text for people.
pub(super) fn pretty(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::config(error.to_string()))?;
    Ok(text + "\n")
}
