//! The folder of a table that is being written: its two files without their footers, the descriptions of their row
//! groups, and the last commit. Whatever came after the last commit is cut off when the table is continued.

use super::buffer::Shape;
use super::pq::{Group, PqOut};
use crate::atomic::atomic_write;
use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Version of the layout of the folder.
const VERSION: u32 = 1;
/// Files of the folder.
const CONFIG: &str = "config.json";
const COMMIT: &str = "commit.json";
const GROUPS: &str = "groups.jsonl";
const ROWS: &str = "rows.part";
const REJECTS: &str = "rejects.part";
const LOCK: &str = "lock";

/// What is certain to be written.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Commit {
    /// Lengths of the files.
    rows_at: u64,
    rejects_at: u64,
    groups_at: u64,
    next_row: usize,
    shape: Option<Shape>,
    /// What the caller has counted so far.
    state: serde_json::Value,
}

/// One row group of either file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Rows(Group),
    Reject(Group),
}

/// The folder, open for writing by this process alone.
pub(super) struct Partial {
    dir: PathBuf,
    /// Locked as long as it is open.
    pub(super) lock: File,
    pub(super) rows: PqOut,
    pub(super) rejects: PqOut,
    journal: File,
    pub(super) row_groups: Vec<Group>,
    pub(super) reject_groups: Vec<Group>,
    pub(super) next_row: usize,
    pub(super) shape: Option<Shape>,
    /// The state of the last commit, where there is one.
    pub(super) state: Option<serde_json::Value>,
}

/// The folder of a table.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

impl Partial {
    /// A new folder.
    ///
    /// # Errors
    /// If it exists, or the disk fails.
    pub(super) fn create(dir: &Path, config: &str) -> Result<Self> {
        std::fs::create_dir(dir).map_err(|error| Error::io(dir, error))?;
        Self::fill(dir, config).inspect_err(|_| {
            // Best effort: the error that matters is the first one.
            let _ = std::fs::remove_dir_all(dir);
        })
    }

    fn fill(dir: &Path, config: &str) -> Result<Self> {
        let failed = |error| Error::io(dir, error);
        let lock = lock(dir)?;
        let text = serde_json::json!({ "version": VERSION, "config": config }).to_string();
        std::fs::write(dir.join(CONFIG), text).map_err(failed)?;
        Ok(Self {
            lock,
            rows: PqOut::open(&dir.join(ROWS), None)?,
            rejects: PqOut::open(&dir.join(REJECTS), None)?,
            journal: File::create(dir.join(GROUPS)).map_err(failed)?,
            row_groups: Vec::new(),
            reject_groups: Vec::new(),
            next_row: 0,
            shape: None,
            state: None,
            dir: dir.to_owned(),
        })
    }

    /// The folder of a table that was not finished, cut back to its last commit; `None` if there is no commit yet.
    ///
    /// # Errors
    /// If it was begun with other settings or by another version, if another process writes to it, or if its files are
    /// not what the commit says.
    pub(super) fn reopen(dir: &Path, config: &str) -> Result<Option<Self>> {
        let lock = lock(dir)?;
        let Some(begun) = read(&dir.join(CONFIG))? else { return Ok(None) };
        check_config(dir, &begun, config)?;
        let Some(text) = read(&dir.join(COMMIT))? else { return Ok(None) };
        let commit: Commit = serde_json::from_str(&text).map_err(|error| damaged(&dir.join(COMMIT), &error))?;
        let path = dir.join(GROUPS);
        let failed = |error| Error::io(&path, error);
        let mut journal = File::options().read(true).write(true).open(&path).map_err(failed)?;
        journal.set_len(commit.groups_at).map_err(failed)?;
        let (mut row_groups, mut reject_groups) = (Vec::new(), Vec::new());
        for line in BufReader::new(&mut journal).lines() {
            let line = line.map_err(failed)?;
            match serde_json::from_str(&line).map_err(|error| damaged(&path, &error))? {
                Line::Rows(it) => row_groups.push(it),
                Line::Reject(it) => reject_groups.push(it),
            }
        }
        journal.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Some(Self {
            lock,
            rows: PqOut::open(&dir.join(ROWS), Some(commit.rows_at))?,
            rejects: PqOut::open(&dir.join(REJECTS), Some(commit.rejects_at))?,
            journal,
            row_groups,
            reject_groups,
            next_row: commit.next_row,
            shape: commit.shape,
            state: Some(commit.state),
            dir: dir.to_owned(),
        }))
    }

    pub(super) fn rows_path(&self) -> PathBuf {
        self.dir.join(ROWS)
    }

    pub(super) fn rejects_path(&self) -> PathBuf {
        self.dir.join(REJECTS)
    }

    /// Notes a row group of the tokens.
    pub(super) fn add_rows(&mut self, group: Group) -> Result<()> {
        self.note(&Line::Rows(group.clone()))?;
        self.row_groups.push(group);
        Ok(())
    }

    /// Notes a row group of the rejects.
    pub(super) fn add_rejects(&mut self, group: Group) -> Result<()> {
        self.note(&Line::Reject(group.clone()))?;
        self.reject_groups.push(group);
        Ok(())
    }

    fn note(&mut self, line: &Line) -> Result<()> {
        let path = self.dir.join(GROUPS);
        let mut text = serde_json::to_string(line).map_err(|error| damaged(&path, &error))?;
        text.push('\n');
        self.journal.write_all(text.as_bytes()).map_err(|error| Error::io(&path, error))
    }

    /// Makes everything written so far certain.
    pub(super) fn commit(&mut self, next_row: usize, state: serde_json::Value) -> Result<()> {
        self.rows.sync()?;
        self.rejects.sync()?;
        let path = self.dir.join(GROUPS);
        let groups_at = self.journal.sync_data().and_then(|()| self.journal.stream_position());
        let commit = Commit {
            rows_at: self.rows.position(),
            rejects_at: self.rejects.position(),
            groups_at: groups_at.map_err(|error| Error::io(&path, error))?,
            next_row,
            shape: self.shape,
            state,
        };
        let path = self.dir.join(COMMIT);
        let text = serde_json::to_string(&commit).map_err(|error| damaged(&path, &error))?;
        atomic_write(&path, true, |file| file.write_all(text.as_bytes()).map_err(|error| Error::io(&path, error)))?;
        self.state = Some(commit.state);
        Ok(())
    }
}

/// Keeps other processes out of the folder until the file is closed.
pub(super) fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::config(format!("`{}` is being written by another process", dir.display()))
                .with_hint("wait until it is done, or choose another path"))
        }
        Err(TryLockError::Error(error)) => Err(Error::io(&path, error)),
    }
}

/// Refuses a folder that was begun with other settings, and says which.
fn check_config(dir: &Path, begun: &str, config: &str) -> Result<()> {
    let path = dir.join(CONFIG);
    let begun: serde_json::Value = serde_json::from_str(begun).map_err(|error| damaged(&path, &error))?;
    let found = begun["config"].as_str().unwrap_or_default();
    if begun["version"] == VERSION && found == config {
        return Ok(());
    }
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let mut names = Vec::new();
    differences(&parse(found), &parse(config), "", &mut names);
    let what =
        if names.is_empty() { "by another version".to_owned() } else { format!("with another {}", names.join(", ")) };
    Err(Error::config(format!("`{}` was begun {what}", dir.display()))
        .with_hint("give the same input and options as before, or start over with --force"))
}

/// Names of the settings that differ.
fn differences(a: &serde_json::Value, b: &serde_json::Value, name: &str, out: &mut Vec<String>) {
    if a == b {
        return;
    }
    let (Some(left), Some(right)) = (a.as_object(), b.as_object()) else {
        out.push(format!("`{name}`"));
        return;
    };
    for key in left.keys().chain(right.keys().filter(|it| !left.contains_key(*it))) {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        differences(&a[key], &b[key], &name, out);
    }
}

/// The text of a file that may not be there.
fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(it) => Ok(Some(it)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path, error)),
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> Error {
    Error::invalid_input(format!("`{}` is damaged: {error}", path.display())).with_hint("start over with --force")
}
