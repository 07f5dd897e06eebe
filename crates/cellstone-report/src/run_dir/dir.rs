//! Creating, opening and checking a run directory.

use super::{EventLog, Manifest, RunStatus};
use crate::table::{sha256_hex, write_atomic};
use cellstone_core::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const MANIFEST: &str = "manifest.json";

/// The folder of one run: `manifest.json`, `config.toml`, `events.jsonl`, `tables/`, `checkpoints/`, `state/`, `report/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes `base/<experiment>/<utc>-<hash8>/`.
    ///
    /// # Errors
    /// If it exists and is not empty, or cannot be made.
    pub fn create(base: &Path, experiment: &str, utc: &str, hash8: &str) -> Result<Self> {
        let plain = |it: &str| !it.is_empty() && !it.contains(['/', '\\']) && it != "." && it != "..";
        if !plain(experiment) {
            return Err(Error::config(format!("experiment id `{experiment}` found, expected a plain folder name")));
        }
        Self::create_at(&base.join(experiment).join(format!("{utc}-{hash8}")), false)
    }

    /// Makes the run in `dir` itself. An incomplete run of ours there is kept, so that it can be resumed; a complete
    /// one is replaced with `force` only.
    ///
    /// # Errors
    /// If `dir` is a file, a folder with other things in it, or holds a complete run and `force` is not set.
    pub fn create_at(dir: &Path, force: bool) -> Result<Self> {
        let run = Self { path: dir.to_owned() };
        if dir.exists() {
            run.check_replaceable(force)?;
        }
        for it in [run.tables_dir(), run.checkpoints_dir(), run.state_dir(), run.report_dir()] {
            fs::create_dir_all(&it).map_err(|source| Error::io(&it, source))?;
        }
        Ok(run)
    }

    fn check_replaceable(&self, force: bool) -> Result<()> {
        let shown = self.path.display();
        if !self.path.is_dir() {
            return Err(Error::config(format!("`{shown}`: found a file, expected a folder or nothing"))
                .with_hint("choose another --out folder"));
        }
        let is_ours = self.path.join(MANIFEST).exists();
        if !is_ours {
            if Self::is_unstarted(&self.path) {
                return Ok(());
            }
            return Err(Error::config(format!("`{shown}`: found a folder that is not empty and not a run"))
                .with_hint("choose another --out folder"));
        }
        if force {
            return self.clear();
        }
        match self.manifest() {
            Ok(it) if it.status == RunStatus::Complete => {
                Err(Error::config(format!("`{shown}`: found a complete run, expected nothing to overwrite"))
                    .with_hint("choose another --out folder, or pass --force to replace it"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.with_hint("or pass --force to replace it")),
        }
    }

    /// Removes what a run writes, and nothing else.
    fn clear(&self) -> Result<()> {
        for it in [self.tables_dir(), self.checkpoints_dir(), self.state_dir(), self.report_dir()] {
            if it.exists() {
                fs::remove_dir_all(&it).map_err(|source| Error::io(&it, source))?;
            }
        }
        // The manifest goes last: until then the folder is recognisably ours.
        for it in ["events.jsonl", "config.toml", MANIFEST].map(|it| self.path.join(it)) {
            if it.exists() {
                fs::remove_file(&it).map_err(|source| Error::io(&it, source))?;
            }
        }
        Ok(())
    }

    /// Whether `dir` is a folder with nothing but what a run makes before its manifest: what a process that is killed
    /// with its first breath leaves behind.
    pub fn is_unstarted(dir: &Path) -> bool {
        let empty = |it: &Path| fs::read_dir(it).is_ok_and(|mut entries| entries.next().is_none());
        let ours = |entry: std::io::Result<fs::DirEntry>| {
            let Ok(entry) = entry else { return false };
            let name = entry.file_name().to_string_lossy().into_owned();
            let unfinished = [MANIFEST, "config.toml"].iter().any(|it| name.starts_with(&format!(".{it}.")));
            let frame = ["tables", "checkpoints", "state", "report"].contains(&name.as_str()) && empty(&entry.path());
            unfinished || frame || name == "config.toml"
        };
        !dir.join(MANIFEST).exists() && fs::read_dir(dir).is_ok_and(|mut entries| entries.all(ours))
    }

    /// Opens a run by its folder or its manifest.
    ///
    /// # Errors
    /// If there is no manifest, or it is corrupt or too new.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let is_manifest = path.file_name().is_some_and(|it| it == MANIFEST);
        let folder = if is_manifest { path.parent().unwrap_or(path) } else { path };
        let run = Self { path: folder.to_owned() };
        if !run.path.join(MANIFEST).is_file() {
            let message = format!("`{}`: no `{MANIFEST}` found, expected a run folder", folder.display());
            return Err(Error::config(message).with_hint("a run folder looks like runs/<experiment>/<time>-<hash>/"));
        }
        run.manifest()?;
        Ok(run)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where tables go.
    pub fn tables_dir(&self) -> PathBuf {
        self.path.join("tables")
    }

    /// Where the report goes.
    pub fn report_dir(&self) -> PathBuf {
        self.path.join("report")
    }

    /// Where checkpoints go.
    pub fn checkpoints_dir(&self) -> PathBuf {
        self.path.join("checkpoints")
    }

    fn state_dir(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Replaces the manifest atomically.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        write_atomic(&self.path.join(MANIFEST), manifest.to_json().as_bytes())
    }

    /// The manifest as it stands.
    ///
    /// # Errors
    /// If it is missing, corrupt or too new.
    pub fn manifest(&self) -> Result<Manifest> {
        let path = self.path.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        Manifest::from_json(&text, &path)
    }

    /// Writes the resolved configuration.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_config(&self, toml: &str) -> Result<()> {
        write_atomic(&self.path.join("config.toml"), toml.as_bytes())
    }

    /// The resolved configuration, if it was written.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn config(&self) -> Result<Option<String>> {
        let path = self.path.join("config.toml");
        if !path.exists() {
            return Ok(None);
        }
        fs::read_to_string(&path).map(Some).map_err(|source| Error::io(&path, source))
    }

    /// The event log.
    pub fn events(&self) -> EventLog {
        EventLog::new(self.path.join("events.jsonl"))
    }

    /// Marks a stage as done and pins the tables it wrote: file name, or path as seen from `tables/`, to SHA-256.
    ///
    /// # Errors
    /// If the name is no plain file name or the marker cannot be written.
    pub fn mark_stage(&self, name: &str, tables: &BTreeMap<String, String>) -> Result<()> {
        let path = self.stage_path(name)?;
        let mut text = serde_json::to_string_pretty(tables).expect("invariant: text maps always serialise");
        text.push('\n');
        write_atomic(&path, text.as_bytes())
    }

    /// Whether a stage is done and every table it pinned is still there with the same bytes.
    pub fn stage_done(&self, name: &str) -> bool {
        self.stage_problem(name).is_ok_and(|it| it.is_none())
    }

    /// The tables a done stage pinned.
    ///
    /// # Errors
    /// If there is no such marker or it is corrupt.
    pub fn stage_tables(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let path = self.stage_path(name)?;
        let text = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
        serde_json::from_str(&text)
            .map_err(|why| Error::invalid_input(format!("`{}`: corrupt stage marker: {why}", path.display())))
    }

    fn stage_path(&self, name: &str) -> Result<PathBuf> {
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(Error::config(format!("stage `{name}` found, expected a plain file name")));
        }
        Ok(self.state_dir().join(format!("{name}.json")))
    }

    fn stage_problem(&self, name: &str) -> Result<Option<String>> {
        for (file, expected) in self.stage_tables(name)? {
            let path = self.tables_dir().join(&file);
            let Ok(bytes) = fs::read(&path) else {
                return Ok(Some(format!("`{}` is missing", path.display())));
            };
            let found = sha256_hex(&bytes);
            if found != expected {
                return Ok(Some(format!("`{}`: found sha256 {found}, expected {expected}", path.display())));
            }
        }
        Ok(None)
    }

    /// Checks that the run is complete and that every table is, byte for byte, what its stage wrote.
    ///
    /// # Errors
    /// [`cellstone_core::ErrorKind::Incomplete`] if the run has not completed; invalid input if a table changed.
    pub fn verify(&self) -> Result<()> {
        let state = self.state_dir();
        if state.is_dir() {
            let entries = fs::read_dir(&state).map_err(|source| Error::io(&state, source))?;
            let mut names: Vec<String> = entries
                .filter_map(|it| it.ok()?.file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
                .filter(|it| !it.starts_with('.'))
                .collect();
            names.sort();
            for name in names {
                if let Some(problem) = self.stage_problem(&name)? {
                    return Err(Error::invalid_input(format!("stage `{name}`: {problem}"))
                        .with_hint("run again with --resume to write it anew"));
                }
            }
        }
        let status = self.manifest()?.status;
        if status == RunStatus::Complete {
            return Ok(());
        }
        let message = format!("`{}`: status `{}` found, expected `complete`", self.path.display(), status.as_str());
        Err(Error::new(cellstone_core::ErrorKind::Incomplete, message).with_hint("continue it with --resume"))
    }
}
