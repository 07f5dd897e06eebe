//! Parquet in and out; the one file that knows polars.

use super::checksum::checksum;
use super::{ColumnData, Table};
use cellstone_core::{Error, Result};
use polars::prelude::{
    Column, DataFrame, DataType, Float32Type, IntoColumn, IntoSeries, KeyValueMetadata, ListBuilderTrait,
    ListPrimitiveChunkedBuilder, NamedFrom, ParquetCompression, ParquetReader, ParquetWriter, PolarsResult, SerReader,
    Series,
};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Fixed, so that the bytes do not depend on the number of threads.
const ROW_GROUP: usize = 65_536;

/// The key in the footer under which a file of ours says what its values hash to.
const CHECKSUM: &str = "cellstone:sha256";

/// What to do about a damaged file.
const AGAIN: &str = "copy the file again; a table of a run is written anew by `run --resume`";

/// The table as a parquet file: zstd, one chunk, fixed row groups, encoded in order, its checksum in the footer.
pub(crate) fn to_parquet(table: &Table) -> Result<Vec<u8>> {
    let columns = table.names().iter().zip(table.columns()).map(|(name, it)| to_polars(name, it)).collect();
    let mut frame = DataFrame::new(table.n_rows(), columns).map_err(|it| failed(&it))?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Zstd(None))
        .with_row_group_size(Some(ROW_GROUP))
        .set_parallel(false)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(vec![(CHECKSUM.to_owned(), checksum(table))])))
        .finish(&mut frame)
        .map_err(|it| failed(&it))?;
    Ok(bytes)
}

/// A parquet file as a table. Files of other writers carry no checksum and are taken as they decode.
///
/// # Errors
/// If the bytes are truncated, corrupt, decode to other values than were written, or hold a type that no table of ours
/// has.
pub(crate) fn from_parquet(bytes: Vec<u8>, path: &Path) -> Result<Table> {
    let name = path.display().to_string();
    if bytes.len() < 12 || !bytes.starts_with(b"PAR1") || !bytes.ends_with(b"PAR1") {
        let message = format!("`{name}`: found no parquet markers at start and end, expected a complete parquet file");
        return Err(Error::invalid_input(message).with_hint("the file may be truncated; run again with --resume"));
    }
    let corrupt = |why: String| Error::invalid_input(format!("`{name}`: corrupt parquet file: {why}")).with_hint(AGAIN);
    // A damaged page can make the decoder panic; to the caller that is one more way to be corrupt.
    let (frame, written) = catch_unwind(AssertUnwindSafe(|| decode(bytes)))
        .map_err(|_| corrupt("the decoder gave up".to_owned()))?
        .map_err(|it| corrupt(it.to_string()))?;
    let columns = frame.columns().iter().map(|it| Ok((it.name().to_string(), from_polars(it, &name)?)));
    let table = columns.collect::<Result<_>>().and_then(Table::new);
    match written {
        // Other values than were written explain whatever else is wrong with them.
        Some(sum) if !table.as_ref().is_ok_and(|it| checksum(it) == sum) => {
            Err(corrupt("the values are not those that were written (their checksum differs)".to_owned()))
        }
        _ => table.map_err(|it| it.context(format!("`{name}`"))),
    }
}

/// The values, and the checksum the writer noted.
fn decode(bytes: Vec<u8>) -> PolarsResult<(DataFrame, Option<String>)> {
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let notes = reader.get_metadata()?.key_value_metadata.as_ref();
    let sum = notes.and_then(|it| it.iter().find(|it| it.key == CHECKSUM)).and_then(|it| it.value.clone());
    Ok((reader.finish()?, sum))
}

fn to_polars(name: &str, column: &ColumnData) -> Column {
    match column {
        ColumnData::Str(it) => Series::new(name.into(), it).into_column(),
        ColumnData::Int(it) => Series::new(name.into(), it).into_column(),
        ColumnData::Float(it) => Series::new(name.into(), it).into_column(),
        ColumnData::Bool(it) => Series::new(name.into(), it).into_column(),
        ColumnData::Floats(it) => {
            let total = it.iter().flatten().map(Vec::len).sum();
            let mut builder =
                ListPrimitiveChunkedBuilder::<Float32Type>::new(name.into(), it.len(), total, DataType::Float32);
            for row in it {
                match row {
                    Some(row) => builder.append_slice(row),
                    None => builder.append_null(),
                }
            }
            builder.finish().into_series().into_column()
        }
    }
}

fn from_polars(column: &Column, file: &str) -> Result<ColumnData> {
    let bad = |why: String| Error::invalid_input(format!("`{file}`: column `{}`: {why}", column.name()));
    let cast = |to: &DataType| column.cast(to).map_err(|it| bad(it.to_string()));
    Ok(match column.dtype() {
        DataType::String | DataType::Null => {
            let column = cast(&DataType::String)?;
            let values = column.str().map_err(|it| bad(it.to_string()))?;
            ColumnData::Str(values.iter().map(|it| it.map(str::to_owned)).collect())
        }
        DataType::Boolean => ColumnData::Bool(column.bool().map_err(|it| bad(it.to_string()))?.iter().collect()),
        DataType::Int64 | DataType::Int32 | DataType::UInt32 => {
            let column = cast(&DataType::Int64)?;
            ColumnData::Int(column.i64().map_err(|it| bad(it.to_string()))?.iter().collect())
        }
        DataType::Float64 | DataType::Float32 => {
            let column = cast(&DataType::Float64)?;
            ColumnData::Float(column.f64().map_err(|it| bad(it.to_string()))?.iter().collect())
        }
        // Tokens are whole numbers below 2²⁴, which f32 holds exactly.
        DataType::List(inner) if matches!(**inner, DataType::Float32 | DataType::Int32) => {
            let column = cast(&DataType::List(Box::new(DataType::Float32)))?;
            let lists = column.list().map_err(|it| bad(it.to_string()))?;
            let rows = (0..lists.len()).map(|row| match lists.get_as_series(row) {
                None => Ok(None),
                Some(it) => {
                    let values = it.f32().map_err(|it| bad(it.to_string()))?;
                    Ok(Some(values.iter().map(|it| it.unwrap_or(f32::NAN)).collect::<Vec<f32>>()))
                }
            });
            ColumnData::Floats(rows.collect::<Result<_>>()?)
        }
        other => return Err(bad(format!("found type {other}, expected text, integer, float, boolean or list of f32"))),
    })
}

fn failed(error: &polars::prelude::PolarsError) -> Error {
    Error::invalid_input(format!("cannot encode table: {error}"))
}
