//! Token tables read back, a row group at a time: ours, and those that Python wrote.

use crate::narrow::widened_footer;
use cellstone_core::{Column, Error, Result};
use pl::SerReader;
use polars::prelude as pl;
use std::fs::File;
use std::io::Cursor;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Columns of lists, in the order of [`TokenBatch`].
const LISTS: [&str; 3] = ["input_ids", "type_ids", "values"];

/// A token table, open for reading. Only its footer is in memory.
///
/// Any Parquet file with a column `input_ids` of lists of whole numbers is one; what else there is, is optional.
///
/// # Examples
/// See [`TokenWriter`](super::TokenWriter).
pub struct TokenFile {
    path: PathBuf,
    metadata: pl::FileMetadataRef,
    tokenizer: Option<String>,
    columns: Vec<String>,
    /// First row of every row group, and the number of rows.
    starts: Vec<usize>,
}

/// Consecutive rows of a token table.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBatch {
    /// Index of the first row in the table.
    pub start: usize,
    /// Names of the cells, where the table has them.
    pub cell_ids: Option<Vec<String>>,
    /// Ends of the rows in the streams below, and 0 before them.
    pub bounds: Vec<usize>,
    /// Tokens of all rows.
    pub input_ids: Vec<u32>,
    /// The second stream, where the table has one.
    pub type_ids: Option<Vec<u32>>,
    /// A value per token, where the table has them.
    pub values: Option<Vec<f32>>,
}

impl TokenBatch {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Tokens of a row.
    pub fn tokens(&self, row: usize) -> &[u32] {
        &self.input_ids[self.bounds[row]..self.bounds[row + 1]]
    }

    /// Second stream of a row, where the table has one.
    pub fn types(&self, row: usize) -> Option<&[u32]> {
        self.type_ids.as_ref().map(|it| &it[self.bounds[row]..self.bounds[row + 1]])
    }

    /// Values of a row, where the table has them.
    pub fn values(&self, row: usize) -> Option<&[f32]> {
        self.values.as_ref().map(|it| &it[self.bounds[row]..self.bounds[row + 1]])
    }
}

impl TokenFile {
    /// Opens a token table and checks its columns.
    ///
    /// # Errors
    /// Names the file if it is no Parquet file or is cut off, or its columns if `input_ids` is missing or no column of
    /// lists of whole numbers.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
        let footer = widened_footer(path, &mut file)?;
        let read = catch_unwind(AssertUnwindSafe(|| {
            pl::ParquetReader::new(Cursor::new(footer)).get_metadata().map(|it| (**it).clone())
        }));
        let mut metadata = read
            .map_err(|_| unreadable(path, "the decoder gave up"))?
            .map_err(|error| unreadable(path, &error.to_string()))?;
        let notes = metadata.key_value_metadata.take().unwrap_or_default();
        let tokenizer = notes.into_iter().find(|it| it.key == "cellstone.tokenizer").and_then(|it| it.value);
        let metadata = Arc::new(metadata);
        let schema = pl::infer_schema(&metadata).map_err(|error| unreadable(path, &error.to_string()))?;
        let columns: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        for (name, field) in schema.iter() {
            check_column(path, name, &field.dtype)?;
        }
        if !columns.iter().any(|it| it == LISTS[0]) {
            let names = cellstone_core::quoted(&columns);
            return Err(Error::invalid_input(format!(
                "column `input_ids` not found in `{}` (columns: {names})",
                path.display()
            ))
            .with_hint("a token table comes from `cargo xtask tokenize`, or from Python with the column `input_ids`"));
        }
        let mut starts = vec![0];
        for group in &metadata.row_groups {
            starts.push(starts[starts.len() - 1] + group.num_rows());
        }
        Ok(Self { path: path.to_owned(), metadata, tokenizer, columns, starts })
    }

    /// Where the table is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// What the encoder noted about itself, as JSON; `None` in a table of another writer.
    pub fn tokenizer(&self) -> Option<&str> {
        self.tokenizer.as_deref()
    }

    /// The rows from `start_row` to the end, a row group at a time.
    ///
    /// Each item fails on its own if its row group is damaged.
    pub fn batches(&self, start_row: usize) -> impl Iterator<Item = Result<TokenBatch>> + Send + '_ {
        self.starts
            .windows(2)
            .filter(move |it| it[1] > start_row)
            .map(move |it| self.batch(it[0].max(start_row), it[1]))
    }

    /// The rows of each row group: what is read together at the least cost.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.starts.windows(2).map(|it| it[0]..it[1])
    }

    /// Some consecutive rows.
    ///
    /// # Errors
    /// If there are no such rows, or their row group is damaged.
    pub fn rows(&self, rows: Range<usize>) -> Result<TokenBatch> {
        if rows.is_empty() || rows.end > self.n_rows() {
            return Err(unreadable(
                &self.path,
                &format!("no rows {} to {}, there are {}", rows.start, rows.end, self.n_rows()),
            ));
        }
        self.batch(rows.start, rows.end)
    }

    fn batch(&self, start: usize, end: usize) -> Result<TokenBatch> {
        let has = |name: &str| self.columns.iter().any(|it| it == name);
        let names = ["cell_id"].into_iter().chain(LISTS).filter(|it| has(it)).collect();
        let frame = self.frame(names, start, end - start)?;
        let list = |name: &str| frame.column(name).map_err(|error| self.wrong(name, &error.to_string()));
        let (bounds, inner) = self.lists(list(LISTS[0])?)?;
        let input_ids = self.ids(LISTS[0], &inner)?;
        let aligned = |name: &str| -> Result<pl::Series> {
            let (other, inner) = self.lists(list(name)?)?;
            match (0..end - start).find(|row| bounds[row + 1] != other[row + 1]) {
                None => Ok(inner),
                Some(row) => Err(self.wrong(name, &format!("row {} is not as long as its input_ids", start + row))),
            }
        };
        let type_ids = if has(LISTS[1]) { Some(self.ids(LISTS[1], &aligned(LISTS[1])?)?) } else { None };
        let values = if has(LISTS[2]) { Some(self.floats(LISTS[2], &aligned(LISTS[2])?)?) } else { None };
        let cell_ids = if has("cell_id") { Some(self.texts("cell_id", list("cell_id")?)?) } else { None };
        Ok(TokenBatch { start, cell_ids, bounds, input_ids, type_ids, values })
    }

    /// A column that holds no lists, such as `n_counts` or `obs.cell_type`, for all rows.
    ///
    /// # Errors
    /// Names the columns there are, or what is wrong with this one.
    pub fn column(&self, name: &str) -> Result<Column> {
        if !self.columns.iter().any(|it| it == name) {
            return Err(crate::fields::missing_column(&self.path, name, &self.columns));
        }
        let frame = self.frame(vec![name], 0, self.n_rows())?;
        let column = frame.column(name).map_err(|error| self.wrong(name, &error.to_string()))?;
        let failed = |error: pl::PolarsError| self.wrong(name, &error.to_string());
        Ok(match column.dtype() {
            pl::DataType::String => {
                Column::Str(column.str().map_err(failed)?.iter().map(|it| it.map(str::to_owned)).collect())
            }
            pl::DataType::Boolean => Column::Bool(column.bool().map_err(failed)?.iter().collect()),
            it if it.is_integer() => {
                let cast = column.cast(&pl::DataType::Int64).map_err(failed)?;
                Column::Int(cast.i64().map_err(failed)?.iter().collect())
            }
            it if it.is_float() => {
                let cast = column.cast(&pl::DataType::Float64).map_err(failed)?;
                Column::Float(cast.f64().map_err(failed)?.iter().map(|it| it.unwrap_or(f64::NAN)).collect())
            }
            other => return Err(self.wrong(name, &format!("found {other}, expected text or numbers"))),
        })
    }

    fn frame(&self, columns: Vec<&str>, start: usize, n: usize) -> Result<pl::DataFrame> {
        let file = File::open(&self.path).map_err(|error| Error::io(&self.path, error))?;
        let mut reader = pl::ParquetReader::new(file);
        reader.set_metadata(Arc::clone(&self.metadata));
        let names = columns.into_iter().map(str::to_owned).collect();
        // A damaged page can make the decoder panic; to the caller that is one more way to be unreadable.
        let read = catch_unwind(AssertUnwindSafe(|| {
            reader.with_columns(Some(names)).with_slice(Some((start, n))).set_rechunk(true).finish()
        }));
        let place = |why: &str| unreadable(&self.path, &format!("rows {start} to {}: {why}", start + n));
        let frame = read.map_err(|_| place("the decoder gave up"))?.map_err(|error| place(&error.to_string()))?;
        if frame.height() != n {
            return Err(place(&format!("{} rows found", frame.height())));
        }
        Ok(frame)
    }

    /// Bounds of the lists, from 0, and the values of all of them.
    fn lists(&self, column: &pl::Column) -> Result<(Vec<usize>, pl::Series)> {
        let name = column.name().as_str();
        let lists = column.list().map_err(|error| self.wrong(name, &error.to_string()))?;
        if lists.null_count() > 0 {
            return Err(self.wrong(name, "a row has no list"));
        }
        let lists = lists.rechunk();
        let Some(array) = lists.downcast_iter().next() else { return Ok((vec![0], lists.get_inner())) };
        let offsets = array.offsets().as_slice();
        let first = offsets[0];
        let bounds: Vec<usize> = offsets.iter().map(|it| (it - first) as usize).collect();
        // The values may hold more than the lists: those of rows that were cut off.
        let inner = lists.get_inner().slice(first, bounds[bounds.len() - 1]);
        Ok((bounds, inner))
    }

    fn ids(&self, name: &str, inner: &pl::Series) -> Result<Vec<u32>> {
        let failed = |error: pl::PolarsError| self.wrong(name, &error.to_string());
        let cast = inner.strict_cast(&pl::DataType::Int64).map_err(failed)?;
        let ids = cast.i64().map_err(failed)?;
        let whole = |it: Option<i64>| it.and_then(|it| u32::try_from(it).ok());
        ids.iter()
            .map(|it| whole(it).ok_or_else(|| self.wrong(name, "a token is missing, negative or above 4294967295")))
            .collect()
    }

    fn floats(&self, name: &str, inner: &pl::Series) -> Result<Vec<f32>> {
        let failed = |error: pl::PolarsError| self.wrong(name, &error.to_string());
        let cast = inner.cast(&pl::DataType::Float32).map_err(failed)?;
        let values = cast.f32().map_err(failed)?;
        values.iter().map(|it| it.ok_or_else(|| self.wrong(name, "a value is missing"))).collect()
    }

    fn texts(&self, name: &str, column: &pl::Column) -> Result<Vec<String>> {
        let texts = column.str().map_err(|error| self.wrong(name, &error.to_string()))?;
        texts.iter().map(|it| it.map(str::to_owned).ok_or_else(|| self.wrong(name, "a row has no name"))).collect()
    }

    fn wrong(&self, name: &str, what: &str) -> Error {
        Error::invalid_input(format!("`{}` column `{name}`: {what}", self.path.display()))
    }
}

/// Refuses columns of lists that hold something else than their name says.
fn check_column(path: &Path, name: &str, dtype: &pl::ArrowDataType) -> Result<()> {
    use pl::ArrowDataType as D;
    let inner = |dtype: &D| match dtype {
        D::List(it) | D::LargeList(it) => Some(it.dtype.clone()),
        _ => None,
    };
    let whole = |it: &D| matches!(it, D::Int32 | D::Int64 | D::UInt32 | D::UInt64);
    let float = |it: &D| matches!(it, D::Float32 | D::Float64);
    let (fits, expected) = match name {
        "input_ids" | "type_ids" => (inner(dtype).is_some_and(|it| whole(&it)), "lists of whole numbers"),
        "values" => (inner(dtype).is_some_and(|it| float(&it) || whole(&it)), "lists of numbers"),
        "cell_id" => (matches!(dtype, D::Utf8 | D::LargeUtf8 | D::Utf8View), "text"),
        _ => return Ok(()),
    };
    if fits {
        return Ok(());
    }
    Err(Error::invalid_input(format!(
        "`{}` column `{name}` is stored as {dtype:?}, expected {expected}",
        path.display()
    )))
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::invalid_input(format!("`{}` is not readable as a token table ({why})", path.display()))
        .with_hint("the file may be truncated or damaged: copy it again, or make it again")
}
