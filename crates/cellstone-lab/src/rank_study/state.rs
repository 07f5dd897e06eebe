//! What a study keeps of finished work, so that `--resume` does not do it again.

use super::unit::UnitTables;
use cellstone_core::{Error, Result};
use cellstone_report::{Row, RunDir, WrittenTable, read_table, write_table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A piece of work: the unit of a seed, its thinning, its transfer.
pub(crate) struct Piece<'a> {
    run: &'a RunDir,
    name: String,
}

impl<'a> Piece<'a> {
    pub(crate) fn new(run: &'a RunDir, name: String) -> Self {
        Self { run, name }
    }

    fn dir(&self) -> PathBuf {
        self.run.path().join("state").join("pieces").join(&self.name)
    }

    fn stage(&self) -> String {
        format!("piece-{}", self.name)
    }

    /// Whether it was finished before.
    pub(crate) fn is_done(&self) -> bool {
        self.run.stage_done(&self.stage())
    }

    /// A table of the finished piece.
    ///
    /// # Errors
    /// If it cannot be read back although the marker says it is there.
    pub(crate) fn read<R: Row>(&self) -> Result<Vec<R>> {
        read_table(&self.dir(), R::TABLE)
    }

    /// Writes a table; it counts once the piece is finished.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub(crate) fn write<R: Row>(&self, rows: &[R]) -> Result<WrittenTable> {
        let dir = self.dir();
        std::fs::create_dir_all(&dir).map_err(|error| Error::io(&dir, error))?;
        write_table(&dir, R::TABLE, rows)
    }

    /// Marks the piece as finished; the marker comes last, so that a half-written piece is done again.
    ///
    /// # Errors
    /// If the marker cannot be written.
    pub(crate) fn finish(&self, written: Vec<WrittenTable>) -> Result<()> {
        let at = |it: &WrittenTable| format!("../state/pieces/{}/{}", self.name, file_name(&it.path));
        let hashes: BTreeMap<String, String> = written.into_iter().map(|it| (at(&it), it.sha256)).collect();
        self.run.mark_stage(&self.stage(), &hashes)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

impl UnitTables {
    pub(crate) fn save(&self, piece: &Piece<'_>) -> Result<()> {
        let written = vec![
            piece.write(&self.runs)?,
            piece.write(&self.pairs)?,
            piece.write(&self.strata)?,
            piece.write(&self.neighbors)?,
            piece.write(&self.relations)?,
            piece.write(&self.distributions)?,
            piece.write(&self.seeds)?,
            piece.write(&self.lists)?,
            piece.write(&self.sampled)?,
        ];
        piece.finish(written)
    }

    pub(crate) fn load(piece: &Piece<'_>) -> Result<Self> {
        Ok(Self {
            runs: piece.read()?,
            pairs: piece.read()?,
            strata: piece.read()?,
            neighbors: piece.read()?,
            relations: piece.read()?,
            distributions: piece.read()?,
            seeds: piece.read()?,
            lists: piece.read()?,
            sampled: piece.read()?,
        })
    }
}
