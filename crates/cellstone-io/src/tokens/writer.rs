//! Writing a token table: rows as they come, groups as they fill, the final name when all is there.

use super::buffer::{ObsValues, Rejects, Rows, Shape};
use super::partial::{Partial, folder_of};
use crate::atomic::atomic_write;
use cellstone_core::{Error, ErrorKind, Result, TokenRow};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Tokens after which a row group ends, so that long rows do not fill the memory.
const GROUP_TOKENS: usize = 1 << 23;
/// Cells after which a row group ends at the latest.
const GROUP_CELLS: usize = 1 << 16;

/// What a token table is made of besides its rows.
///
/// # Parameters
/// | name | meaning |
/// |---|---|
/// | `config` | everything that the rows depend on, as JSON: a table is continued only with the same |
/// | `dataset_id` | names the data set in every row |
/// | `obs` | annotation that rows carry along |
/// | `group_cells` | cells of a row group, 65,536 at most; it ends earlier after 8,388,608 tokens |
/// | `overwrite` | whether a table, or a part of one, may be replaced |
/// | `resume` | whether a part of a table is continued, where there is one |
#[derive(Debug, Clone)]
pub struct TokenTable {
    /// Everything that the rows depend on, as JSON.
    pub config: String,
    /// Names the data set in every row.
    pub dataset_id: String,
    /// Annotation that rows carry along.
    pub obs: Vec<ObsValues>,
    /// Cells of a row group.
    pub group_cells: usize,
    /// Whether what is there may be replaced.
    pub overwrite: bool,
    /// Whether a part of a table is continued.
    pub resume: bool,
}

/// The cell that a row is about.
#[derive(Debug, Clone, Copy)]
pub struct TokenCell<'a> {
    /// Its name.
    pub id: &'a str,
    /// Its row in the source.
    pub row: usize,
    /// Its total over all features.
    pub n_counts: f64,
}

/// What stands beside a table: texts of its coverage and manifest, and the note in its footer.
#[derive(Debug, Clone)]
pub struct Sidecars {
    /// JSON for the footer, under the key `cellstone.tokenizer`.
    pub tokenizer: String,
    /// JSON for `NAME.coverage.json`.
    pub coverage: String,
    /// JSON for `NAME.manifest.json`.
    pub manifest: String,
}

/// What a table begins with.
pub enum Start {
    /// Rows are to be written, from [`TokenWriter::next_row`] on.
    Write(Box<TokenWriter>),
    /// The table was completed with these settings before.
    Complete,
}

/// A token table that is being written.
///
/// Rows and rejects come in the order of their cells. Whenever [`TokenWriter::is_full`], the group is closed and may be
/// committed; where groups end depends on the rows alone, so that the bytes of the table depend neither on commits nor
/// on how often it was continued.
///
/// # Examples
/// ```
/// use cellstone_core::TokenRow;
/// use cellstone_io::{Sidecars, Start, TokenCell, TokenFile, TokenTable, TokenWriter};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("t.parquet");
/// let table = TokenTable {
///     config: "{}".into(), dataset_id: "example".into(), obs: Vec::new(), group_cells: 100, overwrite: false, resume: false,
/// };
/// let Start::Write(mut writer) = TokenWriter::start(&path, table)? else { panic!("nothing is there yet") };
/// let row = TokenRow { input_ids: vec![7, 3], n_genes: 2, mapped: 5.0, ..TokenRow::default() };
/// writer.push(TokenCell { id: "AAC", row: 0, n_counts: 10.0 }, row)?;
/// writer.reject(TokenCell { id: "AAG", row: 1, n_counts: 0.0 }, "no_known_gene", "0 of 0 genes".into());
/// writer.close_group(2)?;
/// assert!(!path.exists());
/// writer.finish(&Sidecars { tokenizer: "{}".into(), coverage: "{}".into(), manifest: "{}".into() })?;
/// let file = TokenFile::open(&path)?;
/// let batch = file.batches(0).next().unwrap()?;
/// assert_eq!((batch.tokens(0), file.n_rows()), (&[7, 3][..], 1));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub struct TokenWriter {
    path: PathBuf,
    table: TokenTable,
    partial: Partial,
    rows: Rows,
    rejects: Rejects,
    n_rows: u64,
}

impl TokenWriter {
    /// Opens a folder beside `path` for a new table, or the one that is there to continue it.
    ///
    /// # Errors
    /// If the table or a file beside it exists and may not be replaced, if a part of a table exists and is neither
    /// continued nor replaced, if it was begun with other settings or is being written by another process, or if the
    /// disk fails.
    pub fn start(path: &Path, table: TokenTable) -> Result<Start> {
        if path.file_name().is_none() {
            return Err(Error::config(format!("`{}` does not name a file", path.display())));
        }
        let dir = folder_of(path);
        if table.resume && !table.overwrite && path.exists() {
            return complete(path, &dir, &table.config);
        }
        let goes_on = table.resume && dir.exists();
        if !table.overwrite && !goes_on {
            refuse_existing(path)?;
            // A run that was stopped between the last steps has left files beside the table: it can be continued.
            make_room(&dir, false)?;
            beside(path).iter().try_for_each(|it| refuse_existing(it))?;
        }
        let partial = if goes_on { Partial::reopen(&dir, &table.config)? } else { None };
        let partial = match partial {
            Some(it) => it,
            None => {
                make_room(&dir, table.overwrite || table.resume)?;
                Partial::create(&dir, &table.config)?
            }
        };
        let n_rows = partial.row_groups.iter().map(|it| it.rows).sum();
        let (rows, rejects) = (Rows::default(), Rejects::default());
        Ok(Start::Write(Box::new(Self { path: path.to_owned(), table, partial, rows, rejects, n_rows })))
    }

    /// The first row of the source that is not in the table.
    pub fn next_row(&self) -> usize {
        self.partial.next_row
    }

    /// What the caller passed to the last commit; `None` for a new table.
    pub fn state(&self) -> Option<&serde_json::Value> {
        self.partial.state.as_ref()
    }

    /// Rows with tokens so far.
    pub fn n_rows(&self) -> u64 {
        self.n_rows
    }

    /// Adds the tokens of a cell.
    ///
    /// # Errors
    /// If its streams differ in length, if an id is too large or a value not finite, or if it has other streams than
    /// the rows before it.
    pub fn push(&mut self, cell: TokenCell<'_>, tokens: TokenRow) -> Result<()> {
        let shape = Shape::of(&tokens);
        if *self.partial.shape.get_or_insert(shape) != shape {
            return Err(Error::invalid_input(format!(
                "cell `{}` has other columns than the cells before it, expected the same for all",
                cell.id
            )));
        }
        self.rows.push(cell.id, cell.row, cell.n_counts, tokens)?;
        self.n_rows += 1;
        Ok(())
    }

    /// Adds a cell that has no tokens, and why.
    pub fn reject(&mut self, cell: TokenCell<'_>, reason: &str, detail: String) {
        self.rejects.push(cell.id, cell.row, reason, detail);
    }

    /// Whether the group is to be closed before another cell is added.
    pub fn is_full(&self) -> bool {
        let cells = self.rows.len() + self.rejects.len();
        cells >= self.table.group_cells.clamp(1, GROUP_CELLS) || self.rows.n_tokens() >= GROUP_TOKENS
    }

    /// Writes the cells since the last group; `next_row` is the row of the source behind them.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn close_group(&mut self, next_row: usize) -> Result<()> {
        let (rows, rejects) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.rejects));
        if let Some(shape) = self.partial.shape
            && rows.len() > 0
        {
            let n = rows.len();
            let columns = rows.into_columns(shape, &self.table.dataset_id, &self.table.obs);
            let group = self.partial.rows.append(n, &columns)?;
            self.partial.add_rows(group)?;
        }
        if rejects.len() > 0 {
            let n = rejects.len();
            let group = self.partial.rejects.append(n, &rejects.into_columns(&self.table.dataset_id))?;
            self.partial.add_rejects(group)?;
        }
        self.partial.next_row = next_row;
        Ok(())
    }

    /// Makes all closed groups certain, with what the caller has counted over them.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn commit(&mut self, state: serde_json::Value) -> Result<()> {
        self.partial.commit(self.partial.next_row, state)
    }

    /// Writes footers and what stands beside the table, and gives the table its name.
    ///
    /// # Errors
    /// If no cell has tokens, or the disk fails. Nothing has the final name of the table then; a part that was
    /// committed stays if the disk was at fault.
    pub fn finish(self, sidecars: &Sidecars) -> Result<()> {
        let (dir, committed) = (folder_of(&self.path), self.partial.state.is_some());
        self.publish(&dir, sidecars).inspect_err(|error| {
            if !(committed && error.kind() == ErrorKind::Io) {
                // Best effort: the error that matters is the first one.
                let _ = remove(&dir);
            }
        })
    }

    fn publish(self, dir: &Path, sidecars: &Sidecars) -> Result<()> {
        let Self { path, table, partial, .. } = self;
        let Some(shape) = partial.shape else {
            return Err(Error::invalid_input("no cell has tokens, so that there is no table"));
        };
        let overwrite = table.overwrite || table.resume;
        let note = vec![("cellstone.tokenizer".to_owned(), sidecars.tokenizer.clone())];
        let (from, rejected) = (partial.rows_path(), partial.rejects_path());
        let Partial { rows, rejects, row_groups, reject_groups, lock, .. } = partial;
        rows.finish(&shape.fields(&table.obs), &row_groups, &note)?;
        rejects.finish(&Rejects::fields(), &reject_groups, &[])?;
        let [rejects_path, coverage, manifest] = beside(&path);
        atomic_write(&rejects_path, overwrite, |file| {
            let copied = File::open(&rejected).and_then(|mut it| std::io::copy(&mut it, file));
            copied.map(|_| ()).map_err(|error| Error::io(&rejects_path, error))
        })?;
        for (path, text) in [(&coverage, &sidecars.coverage), (&manifest, &sidecars.manifest)] {
            atomic_write(path, overwrite, |file| {
                file.write_all(text.as_bytes()).map_err(|error| Error::io(path, error))
            })?;
        }
        // Last: whoever finds the table finds what stands beside it too.
        std::fs::rename(&from, &path).map_err(|error| Error::io(&path, error))?;
        drop(lock);
        remove(dir)
    }

    /// Stops and leaves the folder, from which the table can be continued; removes it if nothing was committed.
    ///
    /// Gives whether there is anything to continue.
    pub fn keep(self) -> bool {
        let committed = self.partial.state.is_some();
        if !committed {
            self.discard();
        }
        committed
    }

    /// Stops and leaves nothing.
    pub fn discard(self) {
        let dir = folder_of(&self.path);
        drop(self);
        // Best effort: the error that matters is the one that led here.
        let _ = remove(&dir);
    }
}

fn refuse_existing(path: &Path) -> Result<()> {
    if !path.exists() {
        return Ok(());
    }
    Err(Error::config(format!("`{}` exists already and is not overwritten", path.display()))
        .with_hint("choose another path, or pass --force to overwrite"))
}

/// The files beside a table: rejects, coverage, manifest.
fn beside(path: &Path) -> [PathBuf; 3] {
    let stem = path.file_stem().unwrap_or_default().to_owned();
    ["rejects.parquet", "coverage.json", "manifest.json"].map(|ending| {
        let mut name = stem.clone();
        name.push(".");
        name.push(ending);
        path.with_file_name(name)
    })
}

/// A table that is there already: whether it is the one that is asked for.
fn complete(path: &Path, dir: &Path, config: &str) -> Result<Start> {
    let file = super::TokenFile::open(path)?;
    let same = file.tokenizer().and_then(|it| serde_json::from_str::<serde_json::Value>(it).ok());
    let parsed = serde_json::from_str::<serde_json::Value>(config).ok();
    if !same.is_some_and(|it| parsed.is_some_and(|parsed| it["config"] == parsed)) {
        return Err(Error::config(format!("`{}` exists already and was made with other settings", path.display()))
            .with_hint("choose another path, or pass --force to overwrite"));
    }
    // Stopped between the last two steps.
    if dir.exists() {
        remove(dir)?;
    }
    Ok(Start::Complete)
}

/// Removes a part of a table, if that is allowed.
fn make_room(dir: &Path, allowed: bool) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    if !allowed {
        return Err(Error::config(format!("`{}` holds a table that was not finished", dir.display()))
            .with_hint("pass --resume to continue it, or --force to start over"));
    }
    // A process that still writes to it holds the lock.
    drop(super::partial::lock(dir)?);
    remove(dir)
}

fn remove(dir: &Path) -> Result<()> {
    std::fs::remove_dir_all(dir).map_err(|error| Error::io(dir, error))
}
