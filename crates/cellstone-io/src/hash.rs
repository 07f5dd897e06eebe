//! Checksums of files.

use cellstone_core::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The SHA-256 of a file as 64 lower-case hexadecimal digits, read in pieces of 1 MiB.
///
/// # Errors
/// Names the file if it cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|error| Error::io(path, error))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    Ok(hasher.finalize().iter().map(|it| format!("{it:02x}")).collect())
}

/// The SHA-256 of bytes, given in pieces, as 64 lower-case hexadecimal digits.
pub fn sha256_bytes<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    pieces.into_iter().for_each(|it| hasher.update(it));
    hasher.finalize().iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").expect("written");
        // FIPS 180-4, example B.1.
        assert_eq!(
            sha256_file(&path).expect("readable"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let error = sha256_file(&dir.path().join("absent")).expect_err("absent");
        assert!(error.to_string().contains("absent`: "), "{error}");
    }
}
