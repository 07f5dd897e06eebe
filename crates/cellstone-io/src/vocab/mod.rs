//! Vocabularies in the formats they are published in: token dictionaries, gene medians, name mappings, gene lists.
//!
//! JSON and text, gzipped or not, and pickles, which are read as data: nothing in them is ever run.

mod convert;
mod json;
mod pickle;
mod text;

use crate::text::open_bytes;
use cellstone_core::{Error, Result};
use convert::Scalar;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Bytes of a vocabulary, decompressed, beyond which it is not read: the largest published one has 10 MB.
const MAX_BYTES: u64 = 1 << 28;

/// Reads the tokens of a vocabulary: `(gene or special token, id)` in ascending order of ids.
///
/// | ending (also `.gz`) | content |
/// |---|---|
/// | `.json` | `{"gene": id}`, or a list of genes whose places are the ids |
/// | `.pkl`, `.pickle` | a dictionary or list of the same kind; nothing in it is run |
/// | `.txt` | one token a line, ids from 0 |
/// | `.tsv`, `.csv` | two columns, gene and id, with or without a header |
///
/// # Errors
/// Names the file and the key or line of an id that is no whole number from 0 to 2³¹ − 1, of a gene that stands twice,
/// of two genes that share an id; of a pickle that holds anything but plain values.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("vocab.json");
/// std::fs::write(&path, r#"{"<pad>": 0, "TP53": 2, "AHR": 1}"#).unwrap();
/// let tokens = cellstone_io::read_token_dictionary(&path)?;
/// assert_eq!(tokens, [("<pad>".to_owned(), 0), ("AHR".to_owned(), 1), ("TP53".to_owned(), 2)]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_token_dictionary(path: &Path) -> Result<Vec<(String, u32)>> {
    convert::tokens(path, read_entries(path, "a vocabulary")?)
}

/// Reads the median of every gene: `(gene, median)` in the order of the file.
///
/// JSON and pickles hold `{"gene": median}`; `.csv`, `.tsv` and `.parquet` have the columns `gene_id` and `median`.
///
/// # Errors
/// Names the file and the key of a median that is not finite and positive, or of a gene that stands twice.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("medians.json");
/// std::fs::write(&path, r#"{"ENSG00000141510": 1.5}"#).unwrap();
/// assert_eq!(cellstone_io::read_gene_medians(&path)?, [("ENSG00000141510".to_owned(), 1.5)]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_gene_medians(path: &Path) -> Result<Vec<(String, f64)>> {
    if matches!(kind(path).as_str(), "csv" | "tsv" | "parquet" | "pq") {
        return text::medians(path);
    }
    convert::medians(path, read_entries(path, "gene medians")?)
}

/// Reads names and the gene each leads to: `(name, gene id)` in the order of the file.
///
/// JSON and pickles hold `{"name": "gene id"}`; `.csv` and `.tsv` have two columns, name and gene, under a header.
///
/// # Errors
/// Names the file and the key of a value that is no text, or of a name that stands twice.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("mapping.json");
/// std::fs::write(&path, r#"{"7SK": "ENSG00000271394"}"#).unwrap();
/// assert_eq!(cellstone_io::read_gene_mapping(&path)?[0].1, "ENSG00000271394");
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_gene_mapping(path: &Path) -> Result<Vec<(String, String)>> {
    convert::texts(path, read_entries(path, "a gene mapping")?)
}

/// Reads the values of every category: `(category, values)` in the order of the file, from JSON or a pickle of
/// `{"category": ["value", …]}`.
///
/// # Errors
/// Names the file and the key of what is no list of texts, or of a category that stands twice.
pub fn read_category_lists(path: &Path) -> Result<Vec<(String, Vec<String>)>> {
    convert::lists(path, read_entries(path, "lists of categories")?)
}

/// Where a gene lies, and the row of a model's table that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedGene {
    /// Its symbol or id.
    pub gene: String,
    /// Row of the model's table.
    pub token: u32,
    /// Number of its chromosome, as the model counts them.
    pub chromosome: u32,
    /// First base on the chromosome.
    pub start: i64,
}

/// Reads the columns `gene`, `token`, `chromosome` and `start` of a csv or tsv table, gzipped or not.
///
/// # Errors
/// Names the file and a missing column, or the line of what is no whole number.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("locations.csv");
/// std::fs::write(&path, "gene,token,chromosome,start\nTP53,7,17,7661779\n").unwrap();
/// assert_eq!(cellstone_io::read_gene_locations(&path)?[0].start, 7_661_779);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_gene_locations(path: &Path) -> Result<Vec<LocatedGene>> {
    text::locations(path)
}

/// Keys and values, whatever the format.
fn read_entries(path: &Path, what: &str) -> Result<Vec<(String, Scalar)>> {
    // A missing file is that, whatever its ending.
    std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    match kind(path).as_str() {
        "json" => json::entries(path, &read_bytes(path)?),
        "pkl" | "pickle" => pickle::entries(path, &read_bytes(path)?),
        "txt" => text::lines(path),
        "csv" | "tsv" => text::pairs(path),
        other => Err(Error::config(format!(
            "`{}` ends in `.{other}`, expected {what} as .json, .pkl, .txt, .tsv or .csv (also .gz)",
            path.display()
        ))),
    }
}

/// The ending that tells the format, without `.gz`.
fn kind(path: &Path) -> String {
    crate::embed::ending(path)
}

/// The whole file, decompressed.
fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_bytes(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            Error::invalid_input(format!("`{}` is truncated or corrupt gzip ({error})", path.display()))
                .with_hint("copy or download the file again and compare its checksum")
        }
        _ => Error::io(path, error),
    })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::invalid_input(format!(
            "`{}` holds more than {} MiB, expected a vocabulary",
            path.display(),
            MAX_BYTES >> 20
        )));
    }
    Ok(bytes)
}
