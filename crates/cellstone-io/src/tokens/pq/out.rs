//! The file being written: row groups at its end, the footer last.

use super::chunk::{Columns, encode};
use super::footer::{Field, footer};
use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 4] = b"PAR1";

/// Where a row group is and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) rows: u64,
    pub(crate) chunks: Vec<Chunk>,
}

/// Where a column of a row group is and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Chunk {
    /// Place of its first page.
    pub(crate) at: u64,
    /// Length of the dictionary page with its header; 0 where there is none.
    pub(crate) dictionary_bytes: u64,
    /// Values and nulls.
    pub(crate) entries: u64,
    /// Length before compression, headers counted.
    pub(crate) raw: u64,
    /// Length in the file.
    pub(crate) stored: u64,
}

/// A Parquet file without its footer.
pub(crate) struct PqOut {
    path: PathBuf,
    file: File,
    at: u64,
}

impl PqOut {
    /// A new file, or an old one cut back to `at`, the end of a row group.
    ///
    /// # Errors
    /// If the file cannot be opened, or is shorter than `at`.
    pub(crate) fn open(path: &Path, at: Option<u64>) -> Result<Self> {
        let failed = |error| Error::io(path, error);
        let mut file =
            File::options().write(true).create(at.is_none()).truncate(at.is_none()).open(path).map_err(failed)?;
        let Some(at) = at else {
            file.write_all(MAGIC).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), file, at: MAGIC.len() as u64 });
        };
        let length = file.metadata().map_err(failed)?.len();
        if length < at {
            return Err(Error::invalid_input(format!(
                "`{}` has {length} bytes, expected at least {at}: it was changed or cut since it was written",
                path.display()
            ))
            .with_hint("start over with --force"));
        }
        file.set_len(at).and_then(|()| file.seek(SeekFrom::Start(at))).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, at })
    }

    /// Where the next row group goes.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Appends a row group of `rows` rows.
    ///
    /// # Errors
    /// If it is too large for the format, or the disk fails.
    pub(crate) fn append(&mut self, rows: usize, columns: &Columns) -> Result<Group> {
        let mut chunks = Vec::with_capacity(columns.len());
        for mut encoded in encode(columns)? {
            encoded.chunk.at = self.at;
            for page in &encoded.pages {
                self.put(&page.bytes)?;
            }
            chunks.push(encoded.chunk);
        }
        Ok(Group { rows: rows as u64, chunks })
    }

    /// Appends the footer and syncs. The file is a Parquet file from here on.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn finish(mut self, fields: &[Field], groups: &[Group], notes: &[(String, String)]) -> Result<()> {
        let footer = footer(fields, groups, notes);
        self.put(&footer)?;
        self.put(&(footer.len() as u32).to_le_bytes())?;
        self.put(MAGIC)?;
        self.sync()
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| Error::io(&self.path, error))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::io(&self.path, error))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}
