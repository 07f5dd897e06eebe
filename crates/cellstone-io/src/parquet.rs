//! Parquet tables: annotation and dense matrices. polars stays inside this file.

use crate::cells::check_unique_cells;
use crate::fields::missing_column;
use crate::memory::MemorySource;
use crate::narrow::widened_footer;
use cellstone_core::{Column, Csr, Error, ObsTable, Result, Scale, Var};
use ndarray::Array2;
use pl::SerReader;
use polars::prelude as pl;
use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// What pandas calls an index that has no name.
const PANDAS_INDEX: &str = "__index_level_0__";

/// Whether the ending says parquet.
pub(crate) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|it| it.eq_ignore_ascii_case("parquet") || it.eq_ignore_ascii_case("pq"))
}

/// Reads a parquet table; its first column, or the unnamed pandas index, names the rows.
pub(crate) fn read_table(path: &Path) -> Result<ObsTable> {
    let frame = read_frame(path)?;
    let index_at = index_position(&frame);
    let mut index = Vec::new();
    if let Some(column) = frame.columns().get(index_at) {
        index = row_names(path, column)?;
    }
    let mut table = ObsTable::new(index);
    for (at, column) in frame.columns().iter().enumerate() {
        if at != index_at {
            table.insert(column.name().to_string(), convert(path, column)?)?;
        }
    }
    Ok(table)
}

/// Reads a dense parquet matrix: row names in the first column (or the pandas index), numbers in all others.
///
/// Rows are cells and columns genes, or the reverse with `transposed`. The result is held in memory, sparse.
///
/// # Errors
/// Names file and column of what is no number or missing, a repeated cell or gene, or a value that contradicts `scale`.
pub fn read_parquet_counts(path: &Path, scale: Scale, transposed: bool) -> Result<MemorySource> {
    let (rows, columns, dense) = read_dense(path, None)?;
    let x = Csr::from_dense(&dense.mapv(|it| it as f32));
    let (x, cells, genes) = if transposed { (x.transposed(), columns, rows) } else { (x, rows, columns) };
    let name = path.display().to_string();
    check_unique_cells(&name, &cells)?;
    let var = Var::from_ids(genes).map_err(|error| error.context(format!("`{name}`")))?;
    MemorySource::new(name, x, var, ObsTable::new(cells), scale)
}

/// Row names (from the column `index`), column names and values `[rows, columns]` of a numeric table.
pub(crate) fn read_dense(path: &Path, index: Option<&str>) -> Result<(Vec<String>, Vec<String>, Array2<f64>)> {
    let frame = read_frame(path)?;
    let index_at = match index {
        Some(name) => frame.columns().iter().position(|it| it.name() == name).ok_or_else(|| {
            let names: Vec<String> = frame.columns().iter().map(|it| it.name().to_string()).collect();
            missing_column(path, name, &names)
        })?,
        None => index_position(&frame),
    };
    let Some(first) = frame.columns().get(index_at) else {
        return Err(Error::invalid_input(format!("`{}` has no columns", path.display())));
    };
    let rows = row_names(path, first)?;
    let others: Vec<&pl::Column> =
        frame.columns().iter().enumerate().filter(|(at, _)| *at != index_at).map(|it| it.1).collect();
    let mut dense = Array2::zeros((rows.len(), others.len()));
    for (col, column) in others.iter().enumerate() {
        for (row, value) in numbers(path, column)?.into_iter().enumerate() {
            dense[[row, col]] = value.ok_or_else(|| {
                Error::invalid_input(format!(
                    "`{}` column `{}` row {row} is missing, expected a number",
                    path.display(),
                    column.name()
                ))
            })?;
        }
    }
    Ok((rows, others.iter().map(|it| it.name().to_string()).collect(), dense))
}

fn read_frame(path: &Path) -> Result<pl::DataFrame> {
    let mut file = File::open(path).map_err(|error| Error::io(path, error))?;
    let unreadable = |why: String| {
        Error::invalid_input(format!("`{}` is not readable as parquet ({why})", path.display()))
            .with_hint("the file may be truncated: copy or download it again and compare its checksum")
    };
    let footer = widened_footer(path, &mut file)?;
    // A damaged page can make the decoder panic; to the caller that is one more way to be unreadable.
    catch_unwind(AssertUnwindSafe(|| decode(path, file, footer)))
        .unwrap_or_else(|_| Ok(Err("the decoder gave up".to_owned())))?
        .map_err(unreadable)
}

/// The columns, what is wrong with the bytes, or what is wrong with a type.
fn decode(path: &Path, file: File, footer: Vec<u8>) -> Result<std::result::Result<pl::DataFrame, String>> {
    let mut head = pl::ParquetReader::new(Cursor::new(footer));
    let mut metadata = match head.get_metadata() {
        Ok(it) => (**it).clone(),
        Err(error) => return Ok(Err(error.to_string())),
    };
    // Writers note the type a column had in memory (pandas: a categorical). Without that note its stored type counts,
    // which for categories is their text.
    metadata.key_value_metadata = None;
    let mut reader = pl::ParquetReader::new(file);
    reader.set_metadata(Arc::new(metadata));
    let schema = match reader.schema() {
        Ok(it) => it,
        Err(error) => return Ok(Err(error.to_string())),
    };
    for (name, field) in schema.iter() {
        if !is_supported(&field.dtype) {
            return Err(Error::invalid_input(format!(
                "`{}` column `{name}` is stored as {:?}, expected text, truth values or numbers",
                path.display(),
                field.dtype
            ))
            .with_hint("in Python, before df.to_parquet: df[name].astype(str)"));
        }
    }
    Ok(reader.finish().map_err(|error| error.to_string()))
}

/// The types that the polars build of this workspace can hold, once narrow integers are widened.
fn is_supported(dtype: &pl::ArrowDataType) -> bool {
    use pl::ArrowDataType as D;
    matches!(
        dtype,
        D::Null
            | D::Boolean
            | D::Int32
            | D::Int64
            | D::UInt32
            | D::UInt64
            | D::Float32
            | D::Float64
            | D::Utf8
            | D::LargeUtf8
            | D::Utf8View
    )
}

fn index_position(frame: &pl::DataFrame) -> usize {
    frame.columns().iter().position(|it| it.name() == PANDAS_INDEX).unwrap_or(0)
}

fn row_names(path: &Path, column: &pl::Column) -> Result<Vec<String>> {
    let converted = convert(path, column)?;
    (0..converted.len())
        .map(|row| {
            converted.text(row).ok_or_else(|| {
                Error::invalid_input(format!(
                    "`{}` column `{}` row {row} is missing, expected the name of the row",
                    path.display(),
                    column.name()
                ))
            })
        })
        .collect()
}

fn convert(path: &Path, column: &pl::Column) -> Result<Column> {
    let failed = |error: pl::PolarsError| bad_column(path, column, &error.to_string());
    let dtype = column.dtype();
    if dtype.is_float() {
        return Ok(Column::Float(numbers(path, column)?.into_iter().map(|it| it.unwrap_or(f64::NAN)).collect()));
    }
    if dtype.is_integer() {
        let cast = column.cast(&pl::DataType::Int64).map_err(failed)?;
        return Ok(Column::Int(cast.i64().map_err(failed)?.iter().collect()));
    }
    match dtype {
        pl::DataType::Boolean => Ok(Column::Bool(column.bool().map_err(failed)?.iter().collect())),
        pl::DataType::String => {
            Ok(Column::Str(column.str().map_err(failed)?.iter().map(|it| it.map(str::to_owned)).collect()))
        }
        pl::DataType::Null => Ok(Column::Str(vec![None; column.len()])),
        other => Err(bad_column(path, column, &format!("type {other}, expected text, numbers or truth values"))),
    }
}

fn numbers(path: &Path, column: &pl::Column) -> Result<Vec<Option<f64>>> {
    let failed = |error: pl::PolarsError| bad_column(path, column, &error.to_string());
    let dtype = column.dtype();
    if !(dtype.is_float() || dtype.is_integer() || *dtype == pl::DataType::Boolean) {
        return Err(bad_column(path, column, &format!("type {dtype}, expected numbers")));
    }
    let cast = column.cast(&pl::DataType::Float64).map_err(failed)?;
    Ok(cast.f64().map_err(failed)?.iter().collect())
}

fn bad_column(path: &Path, column: &pl::Column, what: &str) -> Error {
    Error::invalid_input(format!("`{}` column `{}`: {what}", path.display(), column.name()))
}
