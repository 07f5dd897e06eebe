//! Files that appear whole or not at all.

use cellstone_core::{Error, Result};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `bytes` beside `path` under a temporary name, syncs, and renames over `path`.
///
/// # Errors
/// If the folder cannot be made, or writing or renaming fails; the temporary file is removed then.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, true)
}

/// The same without waiting for the disk, for files that can be made again: a report has dozens of figures.
///
/// # Errors
/// As [`write_atomic`].
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, false)
}

fn write(path: &Path, bytes: &[u8], sync: bool) -> Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(parent).map_err(|source| Error::io(parent, source))?;
    let temporary = temporary_name(path);
    let written = fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| if sync { file.sync_all() } else { Ok(()) }))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|source| {
        // Best effort: the error that matters is the one of the write.
        let _ = fs::remove_file(&temporary);
        Error::io(path, source)
    })
}

fn temporary_name(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(|| "file".to_owned(), |it| it.to_string_lossy().into_owned());
    path.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}
