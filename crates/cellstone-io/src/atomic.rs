//! Files that appear whole or not at all.

use cellstone_core::{Error, Result};
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes a file under a temporary name in the same folder, syncs it, and renames it to `path` when `write` succeeded.
///
/// Whatever fails, nothing is left behind and nothing stands under the final name that was not there before.
/// Without `overwrite`, an existing `path` is refused before `write` runs and again before the rename.
///
/// # Errors
/// The error of `write`, or one that names the path.
///
/// # Examples
/// ```
/// use std::io::Write;
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("a.txt");
/// let write = |text: &'static str| move |file: &mut std::fs::File| {
///     file.write_all(text.as_bytes()).map_err(|error| cellstone_core::Error::config(error.to_string()))
/// };
/// cellstone_io::atomic_write(&path, false, write("one"))?;
/// assert!(cellstone_io::atomic_write(&path, false, write("two")).is_err());
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn atomic_write<T>(path: &Path, overwrite: bool, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let mut file = temporary_beside(path, overwrite)?;
    let value = write(file.as_file_mut())?;
    publish(file, path, overwrite)?;
    Ok(value)
}

/// A new file in the folder of `path`, hidden and under a name that nothing else has; dropped, it is gone.
///
/// # Errors
/// If `path` exists and may not be replaced, names no file, or its folder cannot be written to.
pub(crate) fn temporary_beside(path: &Path, overwrite: bool) -> Result<NamedTempFile> {
    if !overwrite && path.exists() {
        return Err(exists(path));
    }
    let Some(name) = path.file_name() else {
        return Err(Error::config(format!("`{}` does not name a file", path.display())));
    };
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = OsString::from(".");
    prefix.push(name);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".partial");
    #[cfg(unix)]
    // The umask still applies: the permissions of any other new file, not those of a secret one.
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|it| Error::io(path, bare(it)))
}

/// Syncs a temporary file and gives it its name.
///
/// # Errors
/// If a file of that name has come up meanwhile and may not be replaced, or the disk fails.
pub(crate) fn publish(file: NamedTempFile, path: &Path, overwrite: bool) -> Result<()> {
    let failed = |it: std::io::Error| Error::io(path, it).context("writing");
    file.as_file().sync_all().map_err(failed)?;
    let named = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    match named {
        Ok(_) => Ok(()),
        Err(it) if it.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(it) => Err(failed(it.error)),
    }
}

/// The error without the temporary path that `tempfile` appends: nobody asked for a file of that name.
fn bare(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((what, _)) => std::io::Error::new(error.kind(), what.to_owned()),
        None => error,
    }
}

fn exists(path: &Path) -> Error {
    Error::config(format!("`{}` exists already and is not overwritten", path.display()))
        .with_hint("choose another path, or pass --force to overwrite")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("readable");
        entries.map(|it| it.expect("entry").file_name().into_string().expect("text")).collect()
    }

    #[test]
    fn failure_leaves_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("out.bin");
        let error = atomic_write::<()>(&path, false, |file| {
            file.write_all(b"half").map_err(|error| Error::io(Path::new("out.bin"), error))?;
            Err(Error::invalid_input("stopped half way"))
        })
        .expect_err("the writer failed");
        assert_eq!(error.to_string(), "stopped half way");
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn overwriting_is_asked_for() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("out.bin");
        let put = |overwrite, bytes: &'static [u8]| {
            atomic_write(&path, overwrite, |file| {
                file.write_all(bytes).map_err(|error| Error::io(Path::new("x"), error))
            })
        };
        put(false, b"one").expect("new");
        let error = put(false, b"two").expect_err("exists");
        assert!(error.to_string().ends_with("out.bin` exists already and is not overwritten"), "{error}");
        assert_eq!(error.hints(), ["choose another path, or pass --force to overwrite"]);
        assert_eq!(std::fs::read(&path).expect("readable"), b"one");
        put(true, b"two").expect("overwritten");
        assert_eq!(std::fs::read(&path).expect("readable"), b"two");
        assert_eq!(names(dir.path()), ["out.bin"]);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let error = atomic_write(&dir.path().join("no/out.bin"), false, |_| Ok(())).expect_err("no folder");
        assert!(error.to_string().contains("no/out.bin`: "), "{error}");
    }
}
