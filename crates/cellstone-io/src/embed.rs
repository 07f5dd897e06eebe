//! Gene and perturbation embeddings from any file that holds one named vector a row.

use crate::fields::{TextTable, is_missing, missing_column};
use crate::h5ad::{H5ad, Matrix};
use crate::npz::{NpyArray, NpyData, Npz, read_npy};
use crate::parquet;
use crate::text::{Lines, line_error};
use cellstone_core::{Embedding, Error, ObsTable, Result, quoted};
use ndarray::Array2;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What to read from an embedding file.
///
/// # Parameters
/// | name | default | meaning |
/// |---|---|---|
/// | `name` | empty | what the embedding is called |
/// | `key` | none | `.h5ad`: `X`, `layers/NAME` or an `obsm` key (default `X`); `.npz`: the matrix (default: the only one with two axes) |
/// | `id_column` | none | `.h5ad`: a column of obs (default: its index); `.npz`: the array of ids (default: the only text vector); tables: the column of ids (default: the first) |
/// | `ids` | none | `.npy` only: a text file with one id a line |
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbeddingOptions {
    /// What the embedding is called in a configuration.
    pub name: String,
    /// Which matrix of the file.
    pub key: Option<String>,
    /// Where the ids are.
    pub id_column: Option<String>,
    /// A text file with one id a line.
    pub ids: Option<PathBuf>,
}

/// An embedding and what happened to repeated ids on the way.
#[derive(Debug, Clone)]
pub struct LoadedEmbedding {
    /// One vector per distinct id, in order of first appearance.
    pub embedding: Embedding,
    /// Rows in the file.
    pub n_rows: usize,
    /// Ids that stood in several rows; their vectors are averaged.
    pub n_repeated: usize,
}

/// Reads an embedding; vectors of a repeated id are averaged. See [`load_embedding`] for how many there were.
///
/// # Errors
/// As [`load_embedding`].
pub fn read_embedding(path: &Path, options: &EmbeddingOptions) -> Result<Embedding> {
    load_embedding(path, options).map(|it| it.embedding)
}

/// Reads an embedding from `.h5ad`, `.npz`, `.npy`, csv or tsv (gzipped or not) or parquet, told by the ending.
///
/// The mean of a repeated id is taken in file order, in 64-bit floats.
///
/// # Errors
/// If the matrix or the ids are not in the file (it lists those that are), if their lengths differ, if an id is
/// missing, or if a value is missing, no number or not finite.
///
/// # Examples
/// ```
/// use cellstone_io::{EmbeddingOptions, load_embedding};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("e.csv");
/// std::fs::write(&path, "gene,d1,d2\nTP53,1,2\nAHR,0,1\nTP53,3,4\n").unwrap();
/// let loaded = load_embedding(&path, &EmbeddingOptions { name: "e".into(), ..Default::default() })?;
/// assert_eq!((loaded.n_rows, loaded.n_repeated), (3, 1));
/// assert_eq!(loaded.embedding.get("TP53").unwrap().to_vec(), [2.0, 3.0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn load_embedding(path: &Path, options: &EmbeddingOptions) -> Result<LoadedEmbedding> {
    // A missing file is that, whatever its ending.
    std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    let (ids, values) = match ending(path).as_str() {
        "h5ad" => from_h5ad(path, options)?,
        "npz" => from_npz(path, options)?,
        "npy" => from_npy(path, options)?,
        "parquet" | "pq" => from_parquet(path, options)?,
        "csv" | "tsv" | "txt" => from_text(path, options)?,
        other => {
            return Err(Error::config(format!(
                "`{}` ends in `.{other}`, expected an embedding as .h5ad, .npz, .npy, .parquet, .csv or .tsv (also .gz)",
                path.display()
            )));
        }
    };
    if ids.len() != values.nrows() {
        return Err(Error::invalid_input(format!(
            "`{}` has {} ids for {} rows, expected as many",
            path.display(),
            ids.len(),
            values.nrows()
        )));
    }
    average(path, options, ids, values)
}

/// The lower-case ending of a file name, a `.gz` behind it left out.
pub(crate) fn ending(path: &Path) -> String {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.').map_or(String::new(), |it| it.1.to_owned())
}

/// One row per distinct id.
fn average(path: &Path, options: &EmbeddingOptions, ids: Vec<String>, values: Array2<f64>) -> Result<LoadedEmbedding> {
    let n_rows = ids.len();
    let (mut at, mut names, mut row_of) = (BTreeMap::new(), Vec::new(), Vec::with_capacity(n_rows));
    for id in ids {
        let next = names.len();
        let slot = *at.entry(id.clone()).or_insert(next);
        if slot == next {
            names.push(id);
        }
        row_of.push(slot);
    }
    let placed = |error: Error| error.context(format!("`{}`", path.display()));
    let mut counts = vec![0_u32; names.len()];
    for slot in &row_of {
        counts[*slot] += 1;
    }
    let n_repeated = counts.iter().filter(|it| **it > 1).count();
    let values = if n_repeated == 0 {
        values
    } else {
        let mut sums = Array2::zeros((names.len(), values.ncols()));
        for (row, slot) in values.rows().into_iter().zip(&row_of) {
            let mut sum = sums.row_mut(*slot);
            sum += &row;
        }
        for (mut sum, count) in sums.rows_mut().into_iter().zip(&counts) {
            sum /= f64::from(*count);
        }
        sums
    };
    let embedding = Embedding::new(options.name.clone(), names, values).map_err(placed)?;
    if n_repeated > 0 {
        tracing::info!(file = %path.display(), n_repeated, "repeated ids of an embedding were averaged");
    }
    Ok(LoadedEmbedding { embedding, n_rows, n_repeated })
}

type Rows = (Vec<String>, Array2<f64>);

fn from_h5ad(path: &Path, options: &EmbeddingOptions) -> Result<Rows> {
    let file = H5ad::open(path)?;
    let obs = file.obs()?;
    let ids = ids_of_table(path, &obs, options.id_column.as_deref())?;
    let values = match options.key.as_deref() {
        None | Some("X") => file.dense(&Matrix::X)?,
        Some(key) => match key.strip_prefix("layers/") {
            Some(layer) => file.dense(&Matrix::Layer(layer.to_owned()))?,
            None => file.obsm(key.strip_prefix("obsm/").unwrap_or(key))?,
        },
    };
    Ok((ids, values))
}

fn ids_of_table(path: &Path, table: &ObsTable, id_column: Option<&str>) -> Result<Vec<String>> {
    let Some(name) = id_column else { return Ok(table.index().to_vec()) };
    let column = table.get(name).ok_or_else(|| missing_column(path, name, table.names()))?;
    (0..column.len())
        .map(|row| {
            column.text(row).ok_or_else(|| {
                Error::invalid_input(format!(
                    "`{}` column `{name}` row {row} is missing, expected an id",
                    path.display()
                ))
            })
        })
        .collect()
}

fn from_npz(path: &Path, options: &EmbeddingOptions) -> Result<Rows> {
    let mut file = Npz::open(path)?;
    let mut arrays: BTreeMap<String, NpyArray> = BTreeMap::new();
    // Unless both are named, the file is searched; arrays that cannot be read matter only if they are wanted.
    let (key, ids) = match (&options.key, &options.id_column) {
        (Some(key), Some(ids)) => (key.clone(), ids.clone()),
        (key, ids) => {
            for name in file.names().to_vec() {
                if let Ok(array) = file.array(&name) {
                    arrays.insert(name, array);
                }
            }
            let is_text = |it: &NpyArray| matches!(it.data(), NpyData::Str(_));
            let matrix = |it: &NpyArray| it.shape().len() == 2 && !is_text(it);
            let names = |it: &NpyArray| it.shape().len() == 1 && is_text(it);
            let key = key.clone().map_or_else(|| only(path, &arrays, "key", "matrices", matrix), Ok)?;
            (key, ids.clone().map_or_else(|| only(path, &arrays, "id_column", "text vectors", names), Ok)?)
        }
    };
    let mut take = |name: &str| arrays.remove(name).map_or_else(|| file.array(name), Ok);
    Ok((take(&ids)?.strings()?.to_vec(), take(&key)?.to_matrix()?))
}

/// The only array that fits.
fn only(
    path: &Path,
    arrays: &BTreeMap<String, NpyArray>,
    option: &str,
    what: &str,
    fits: impl Fn(&NpyArray) -> bool,
) -> Result<String> {
    let found: Vec<String> = arrays.iter().filter(|it| fits(it.1)).map(|it| it.0.clone()).collect();
    match &found[..] {
        [only] => Ok(only.clone()),
        many => Err(Error::invalid_input(format!(
            "`{}` holds {} {what} ({}), expected one or a choice",
            path.display(),
            many.len(),
            quoted(many)
        ))
        .with_hint(format!("set {option} to the name of the array"))),
    }
}

fn from_npy(path: &Path, options: &EmbeddingOptions) -> Result<Rows> {
    let Some(ids) = &options.ids else {
        return Err(Error::config(format!("`{}` holds no ids", path.display()))
            .with_hint("set ids to a text file with one id a line, or save matrix and ids together as .npz"));
    };
    let mut lines = Lines::open(ids)?;
    let mut names = Vec::new();
    while let Some(text) = lines.next_text()? {
        if !text.trim().is_empty() {
            names.push(text.trim().to_owned());
        }
    }
    Ok((names, read_npy(path)?.to_matrix()?))
}

fn from_parquet(path: &Path, options: &EmbeddingOptions) -> Result<Rows> {
    let (ids, _, values) = parquet::read_dense(path, options.id_column.as_deref())?;
    Ok((ids, values))
}

fn from_text(path: &Path, options: &EmbeddingOptions) -> Result<Rows> {
    let mut table = TextTable::read(path)?;
    let at = match &options.id_column {
        Some(name) => table.position(path, name)?,
        None => 0,
    };
    refuse_numbers_as_header(path, &table)?;
    let header = std::mem::take(&mut table.header);
    let ids = table.columns.remove(at);
    if let Some(row) = ids.iter().position(std::string::String::is_empty) {
        return Err(line_error(path, table.lines[row], format!("column {} is empty, expected an id", at + 1)));
    }
    let mut values = Array2::zeros((ids.len(), table.columns.len()));
    for (col, column) in table.columns.iter().enumerate() {
        let position = if col < at { col } else { col + 1 };
        for (row, text) in column.iter().enumerate() {
            values[[row, col]] = match text.parse::<f64>() {
                Ok(it) if it.is_finite() => it,
                _ => {
                    let found = if is_missing(text) { "a missing value".to_owned() } else { format!("`{text}`") };
                    return Err(line_error(
                        path,
                        table.lines[row],
                        format!("column {} (`{}`) holds {found}, expected a number", position + 1, header[position]),
                    ));
                }
            };
        }
    }
    Ok((ids, values))
}

/// A first line of fractions is a vector, not a header.
fn refuse_numbers_as_header(path: &Path, table: &TextTable) -> Result<()> {
    let rest = &table.header[1.min(table.header.len())..];
    let fractional = |it: &String| it.parse::<f64>().is_ok_and(|it| it.fract() != 0.0);
    if !rest.is_empty() && rest.iter().all(|it| it.parse::<f64>().is_ok()) && rest.iter().any(fractional) {
        return Err(line_error(path, 1, "numbers, expected a header that names the columns")
            .with_hint("add a first line such as `gene,d1,d2,…`"));
    }
    Ok(())
}
