//! Files that appear whole or not at all.

use cellstone_core::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

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
    refuse_existing(path, overwrite)?;
    let (mut file, temporary) = create_beside(path)?;
    let guard = Cleanup(Some(temporary));
    let value = write(&mut file)?;
    file.sync_all().map_err(|error| Error::io(path, error))?;
    drop(file);
    refuse_existing(path, overwrite)?;
    guard.rename_to(path)?;
    Ok(value)
}

/// Refuses to touch an existing file unless told to overwrite it.
fn refuse_existing(path: &Path, overwrite: bool) -> Result<()> {
    if overwrite || !path.exists() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("`{}` exists already and is not overwritten", path.display()))
        .with_hint("choose another path, or pass --force to overwrite"))
}

/// A new file in the folder of `path`, under a name that nothing else has.
fn create_beside(path: &Path) -> Result<(File, PathBuf)> {
    let Some(name) = path.file_name() else {
        return Err(Error::config(format!("`{}` does not name a file", path.display())));
    };
    let folder = match path.parent() {
        Some(it) if !it.as_os_str().is_empty() => it,
        _ => Path::new("."),
    };
    // The process id keeps two runs apart, the number two writers of one run.
    for number in 0..10_000_u32 {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}-{number}.partial", std::process::id()));
        let temporary = folder.join(hidden);
        match OpenOptions::new().read(true).write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(path, error)),
        }
    }
    Err(Error::io(path, std::io::Error::other("no free temporary name beside it")))
}

/// Removes the temporary file unless it was renamed.
struct Cleanup(Option<PathBuf>);

impl Cleanup {
    fn rename_to(mut self, path: &Path) -> Result<()> {
        if let Some(temporary) = self.0.as_deref() {
            std::fs::rename(temporary, path).map_err(|error| Error::io(path, error))?;
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Some(temporary) = &self.0
            && let Err(error) = std::fs::remove_file(temporary)
        {
            tracing::warn!(path = %temporary.display(), %error, "a partial file could not be removed");
        }
    }
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
