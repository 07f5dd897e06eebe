//! Several arrays in one zip file.

use super::array::NpyArray;
use crate::atomic::atomic_write;
use cellstone_core::{Error, Result, nearest, quoted};
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// An `.npz` file; arrays are read when they are asked for.
///
/// # Examples
/// ```
/// use cellstone_io::{NpyArray, Npz, write_npz};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("effects.npz");
/// let names = NpyArray::from_strings(["control", "AHR"]);
/// let effects = NpyArray::from_matrix(&ndarray::array![[0.0, 0.0], [1.0, -2.0]]);
/// write_npz(&path, false, &[("condition", &names), ("effect", &effects)])?;
/// let mut file = Npz::open(&path)?;
/// assert_eq!(file.names(), ["condition", "effect"]);
/// assert_eq!(file.array("condition")?.strings()?[1], "AHR");
/// assert_eq!(file.array("effect")?.to_matrix()?[[1, 1]], -2.0);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub struct Npz {
    path: PathBuf,
    zip: ZipArchive<BufReader<File>>,
    names: Vec<String>,
}

impl std::fmt::Debug for Npz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Npz({}, {:?})", self.path.display(), self.names)
    }
}

impl Npz {
    /// Opens a file and lists its arrays.
    ///
    /// # Errors
    /// If the file is missing or no zip archive.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| {
            Error::invalid_input(format!("`{}` is no readable npz file ({error})", path.display()))
                .with_hint("the file may be truncated: copy or download it again and compare its checksum")
        })?;
        let mut names = Vec::new();
        for name in zip.file_names() {
            let name = name.map_err(|error| {
                Error::invalid_input(format!("`{}` has an entry without a readable name ({error})", path.display()))
            })?;
            names.push(name.strip_suffix(".npy").unwrap_or(&name).to_owned());
        }
        Ok(Self { path: path.to_owned(), zip, names })
    }

    /// The names of the arrays, in file order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there is an array of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|it| it == name)
    }

    /// Reads one array.
    ///
    /// # Errors
    /// Names the arrays there are, or what is wrong with this one: truncated, Python objects, an unknown type.
    pub fn array(&mut self, name: &str) -> Result<NpyArray> {
        if !self.contains(name) {
            let error = Error::invalid_input(format!(
                "array `{name}` not found in `{}` (arrays: {})",
                self.path.display(),
                quoted(&self.names)
            ));
            return Err(match nearest(name, self.names.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            });
        }
        let label = format!("`{}` array `{name}`", self.path.display());
        let corrupt = |error: &dyn std::fmt::Display| {
            Error::invalid_input(format!("{label} cannot be decompressed ({error})"))
                .with_hint("the file may be truncated: copy or download it again and compare its checksum")
        };
        let entry = format!("{name}.npy");
        let stored = if self.zip.index_for_name(&entry).is_some() { entry.as_str() } else { name };
        let mut bytes = Vec::new();
        self.zip
            .by_name(stored)
            .map_err(|error| corrupt(&error))?
            .read_to_end(&mut bytes)
            .map_err(|error| corrupt(&error))?;
        NpyArray::parse(&label, &bytes)
    }
}

/// Writes arrays uncompressed, whole or not at all; the same arrays give the same bytes.
///
/// # Errors
/// If `path` exists and is not to be overwritten, if a name is repeated, or if writing fails.
pub fn write_npz(path: &Path, overwrite: bool, arrays: &[(&str, &NpyArray)]) -> Result<()> {
    atomic_write(path, overwrite, |file| {
        let failed = |error: zip::result::ZipError| Error::io(path, std::io::Error::other(error));
        let mut zip = ZipWriter::new(std::io::BufWriter::new(file));
        for (name, array) in arrays {
            let bytes = array.to_bytes();
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .last_modified_time(DateTime::DEFAULT)
                .large_file(bytes.len() as u64 >= u64::from(u32::MAX));
            zip.start_file(format!("{name}.npy"), options).map_err(failed)?;
            zip.write_all(&bytes).map_err(|error| Error::io(path, error))?;
        }
        let mut rest = zip.finish().map_err(failed)?;
        rest.flush().map_err(|error| Error::io(path, error))
    })
}
