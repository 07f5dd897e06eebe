//! A directory that appears whole or not at all.

use crate::weights::{Weights, write_safetensors};
use cellstone_core::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// A directory under another name, until [`Folder::finish`].
pub(super) struct Folder {
    part: PathBuf,
    dir: PathBuf,
    hashes: BTreeMap<String, String>,
    done: bool,
}

/// `dir` with something behind its name.
fn sibling(dir: &Path, ending: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    dir.with_file_name(name)
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    move |error| Error::io(path, error)
}

impl Folder {
    pub(super) fn beside(dir: &Path) -> Result<Self> {
        recover(dir)?;
        let part = sibling(dir, ".part");
        if part.exists() {
            fs::remove_dir_all(&part).map_err(io(&part))?;
        }
        fs::create_dir_all(&part).map_err(io(&part))?;
        Ok(Self { part, dir: dir.to_owned(), hashes: BTreeMap::new(), done: false })
    }

    fn place(&self, name: &str) -> Result<PathBuf> {
        let path = self.part.join(name);
        match path.parent() {
            Some(it) => fs::create_dir_all(it).map_err(io(it))?,
            None => return Err(Error::config(format!("`{name}` is no path in a checkpoint"))),
        }
        Ok(path)
    }

    /// What went wrong with a file, under the name that it would have had.
    fn failed(&self, error: Error) -> Error {
        error
            .context(format!("checkpoint `{}` is not written", self.dir.display()))
            .with_hint("an earlier checkpoint of that name is as it was; with space on the disk, --resume goes on")
    }

    pub(super) fn json<T: Serialize>(&mut self, name: &str, it: &T) -> Result<()> {
        let path = self.place(name)?;
        let text = serde_json::to_string_pretty(it).map_err(|it| Error::invalid_input(format!("`{name}`: {it}")))?;
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.map_err(|it| self.failed(Error::io(&path, it)))?;
        self.hashes.insert(name.to_owned(), sha256(&path)?);
        Ok(())
    }

    pub(super) fn weights(&mut self, name: &str, it: &Weights) -> Result<()> {
        let path = self.place(name)?;
        write_safetensors(it, &path).map_err(|it| self.failed(it))?;
        File::open(&path).and_then(|it| it.sync_all()).map_err(|it| self.failed(Error::io(&path, it)))?;
        self.hashes.insert(name.to_owned(), sha256(&path)?);
        Ok(())
    }

    pub(super) fn hashes(&self) -> BTreeMap<String, String> {
        self.hashes.clone()
    }

    /// Gives the directory its name. Between the two renames neither name is there, but both directories are:
    /// [`recover`] puts the earlier one back.
    pub(super) fn finish(mut self) -> Result<()> {
        let old = sibling(&self.dir, ".old");
        if self.dir.exists() {
            fs::rename(&self.dir, &old).map_err(io(&self.dir))?;
        }
        fs::rename(&self.part, &self.dir).map_err(io(&self.dir))?;
        self.done = true;
        if old.exists() {
            fs::remove_dir_all(&old).map_err(io(&old))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.done {
            // Nothing half-written stays behind; that it cannot be removed is not what went wrong.
            let _ = fs::remove_dir_all(&self.part);
        }
    }
}

/// Puts an earlier directory back that a kill between two renames left under another name.
pub(super) fn recover(dir: &Path) -> Result<()> {
    let old = sibling(dir, ".old");
    if !old.exists() {
        return Ok(());
    }
    if dir.exists() {
        return fs::remove_dir_all(&old).map_err(io(&old));
    }
    fs::rename(&old, dir).map_err(io(&old))
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).map_err(io(path))?;
    serde_json::from_str(&text).map_err(|it| {
        Error::invalid_input(format!("`{}`: {it}", path.display()))
            .with_hint("the file may be cut short or of another program")
    })
}

/// Compares files with the checksums that were written with them.
pub(super) fn verify(dir: &Path, files: &BTreeMap<String, String>, which: impl Fn(&str) -> bool) -> Result<()> {
    for (name, expected) in files.iter().filter(|it| which(it.0)) {
        let path = dir.join(name);
        let found = sha256(&path)?;
        if found != *expected {
            let n = fs::metadata(&path).map_or(0, |it| it.len());
            return Err(Error::invalid_input(format!(
                "`{}`: {n} bytes with checksum {found}, expected {expected}",
                path.display()
            ))
            .with_hint("the file is cut short or was changed after the checkpoint was written"));
        }
    }
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(io(path))?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let n = file.read(&mut buffer).map_err(io(path))?;
        if n == 0 {
            return Ok(hasher.finalize().iter().map(|it| format!("{it:02x}")).collect());
        }
        hasher.update(&buffer[..n]);
    }
}
