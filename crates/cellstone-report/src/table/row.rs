//! Rows as plain structs: the mapping between a slice of structs and a table, and reading and writing it.

use super::{ColumnData, Table, atomic::write_atomic, csv, parquet};
use cellstone_core::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// A struct that is a row of a table of ours.
///
/// Implemented by the types of [`crate::schema`]; [`crate::table_row!`] makes more.
pub trait Row: Sized {
    /// The file stem, e.g. `scores`.
    const TABLE: &'static str;

    /// The rows as columns, in the order of the fields.
    fn to_columns(rows: &[Self]) -> Vec<(String, ColumnData)>;

    /// The columns as rows; columns that are not fields are ignored, so that newer files stay readable.
    ///
    /// # Errors
    /// If a column is missing, has another type, or has a null where the field has none.
    fn from_table(table: &Table) -> Result<Vec<Self>>;
}

/// A field of a row: one column.
pub trait Field: Sized {
    /// Gathers the values into a column.
    fn gather<'a>(values: impl Iterator<Item = &'a Self>) -> ColumnData
    where
        Self: 'a;

    /// Takes the values out of a column; the error says what was found and expected.
    ///
    /// # Errors
    /// If the type differs or a null stands where none may.
    fn take(column: &ColumnData) -> Result<Vec<Self>, String>;
}

macro_rules! field {
    ($type:ty, $variant:ident) => {
        impl Field for $type {
            fn gather<'a>(values: impl Iterator<Item = &'a Self>) -> ColumnData {
                ColumnData::$variant(values.map(|it| Some(it.clone())).collect())
            }
            fn take(column: &ColumnData) -> Result<Vec<Self>, String> {
                let values = <Option<$type> as Field>::take(column)?;
                let null = || "found a null, expected a value".to_owned();
                let row = |(row, it): (usize, Option<$type>)| it.ok_or_else(|| format!("row {row}: {}", null()));
                values.into_iter().enumerate().map(row).collect()
            }
        }
        impl Field for Option<$type> {
            fn gather<'a>(values: impl Iterator<Item = &'a Self>) -> ColumnData {
                ColumnData::$variant(values.cloned().collect())
            }
            fn take(column: &ColumnData) -> Result<Vec<Self>, String> {
                match column {
                    ColumnData::$variant(it) => Ok(it.clone()),
                    other => {
                        let empty = ColumnData::$variant(Vec::new());
                        Err(format!("found {}, expected {}", other.kind(), empty.kind()))
                    }
                }
            }
        }
    };
}

field!(String, Str);
field!(i64, Int);
field!(f64, Float);
field!(bool, Bool);
field!(Vec<f32>, Floats);

/// Defines a row struct and its table. Usable by other crates for tables of their own.
///
/// # Examples
/// ```
/// cellstone_report::table_row! {
///     /// One gene of a ranking.
///     #[derive(Default)]
///     pub struct RankedGene in "rankings" {
///         /// The gene.
///         gene: String,
///         /// Its score.
///         score: Option<f64>,
///     }
/// }
/// let folder = tempfile::tempdir()?;
/// let rows = vec![RankedGene { gene: "KLF1".into(), score: Some(0.5) }];
/// cellstone_report::write_table(folder.path(), "rankings", &rows)?;
/// assert_eq!(cellstone_report::read_table::<RankedGene>(folder.path(), "rankings")?, rows);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! table_row {
    ($(#[$meta:meta])* pub struct $name:ident in $table:literal { $($(#[$doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[$doc])* pub $field: $type,)+ }

        impl $crate::Row for $name {
            const TABLE: &'static str = $table;

            fn to_columns(rows: &[Self]) -> Vec<(String, $crate::ColumnData)> {
                vec![$((
                    stringify!($field).to_owned(),
                    <$type as $crate::Field>::gather(rows.iter().map(|it| &it.$field)),
                ),)+]
            }

            fn from_table(table: &$crate::Table) -> $crate::CoreResult<Vec<Self>> {
                $(let mut $field = $crate::take_column::<$type>(table, stringify!($field))?.into_iter();)+
                let row = |_| Some(Self { $($field: $field.next()?,)+ });
                Ok((0..table.n_rows()).map_while(row).collect())
            }
        }
    };
}

/// The values of the named column. For [`crate::table_row!`].
///
/// # Errors
/// If it is missing or of another type.
#[doc(hidden)]
pub fn take_column<T: Field>(table: &Table, name: &str) -> Result<Vec<T>> {
    let at = table.position(name).map_err(|it| Error::invalid_input(it.to_string()))?;
    T::take(&table.columns()[at]).map_err(|why| Error::invalid_input(format!("column `{name}`: {why}")))
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTable {
    /// Where.
    pub path: PathBuf,
    /// SHA-256 of the bytes, lower-case hexadecimal.
    pub sha256: String,
    /// Number of rows.
    pub n_rows: usize,
}

/// `dir/name`, with `.parquet` unless `name` already ends in `.parquet` or `.csv`.
pub fn table_path(dir: &Path, name: &str) -> PathBuf {
    let has_ending = ["parquet", "csv"].iter().any(|it| Path::new(name).extension().is_some_and(|e| e == *it));
    dir.join(if has_ending { name.to_owned() } else { format!("{name}.parquet") })
}

/// Writes rows as `dir/name.parquet`, or as csv if `name` ends in `.csv`; whole or not at all, the same bytes for the same rows.
///
/// # Errors
/// If a value is NaN or infinite, or the file cannot be written.
pub fn write_table<R: Row>(dir: &Path, name: &str, rows: &[R]) -> Result<WrittenTable> {
    let path = table_path(dir, name);
    let table = Table::new(R::to_columns(rows)).map_err(|it| it.context(format!("writing `{}`", path.display())))?;
    let sha256 = write_columns(&path, &table)?;
    Ok(WrittenTable { sha256, n_rows: rows.len(), path })
}

/// Writes any table as parquet, or as csv if `path` ends in `.csv`; whole or not at all. Returns the SHA-256 of the bytes.
///
/// # Errors
/// If the file cannot be written.
pub fn write_columns(path: &Path, table: &Table) -> Result<String> {
    let bytes = if path.extension().is_some_and(|it| it == "csv") {
        csv::to_csv(table).into_bytes()
    } else {
        parquet::to_parquet(table).map_err(|it| it.context(format!("writing `{}`", path.display())))?
    };
    write_atomic(path, &bytes)?;
    Ok(sha256_hex(&bytes))
}

/// Reads the rows of `dir/name.parquet`, or of a csv file if `name` ends in `.csv`.
///
/// # Errors
/// If the file is missing, truncated or corrupt, or its columns are not those of `R`; the file is named.
pub fn read_table<R: Row>(dir: &Path, name: &str) -> Result<Vec<R>> {
    let path = table_path(dir, name);
    let table = if path.extension().is_some_and(|it| it == "csv") {
        let columns = R::to_columns(&[]).into_iter();
        let types: Vec<(String, ColumnData)> = columns.collect();
        csv_typed(&path, &types)?
    } else {
        read_any(&path)?
    };
    R::from_table(&table).map_err(|it| it.context(format!("`{}`", path.display())))
}

/// Like [`read_table`], or `None` where there is no such file.
///
/// # Errors
/// As [`read_table`], except for a missing file.
pub fn read_table_if_present<R: Row>(dir: &Path, name: &str) -> Result<Option<Vec<R>>> {
    if table_path(dir, name).exists() { read_table(dir, name).map(Some) } else { Ok(None) }
}

/// Reads any table; csv columns are text.
pub(crate) fn read_any(path: &Path) -> Result<Table> {
    let bytes = fs::read(path).map_err(|source| Error::io(path, source))?;
    match path.extension().and_then(|it| it.to_str()) {
        Some("parquet") => parquet::from_parquet(bytes, path),
        Some("csv") => csv_text(bytes, path),
        _ => Err(Error::config(format!("`{}`: found another ending, expected .parquet or .csv", path.display()))
            .with_hint("`inspect` says what is in files of other kinds")),
    }
}

fn csv_text(bytes: Vec<u8>, path: &Path) -> Result<Table> {
    let at = |it: Error| it.context(format!("`{}`", path.display()));
    let text = String::from_utf8(bytes).map_err(|it| at(Error::invalid_input(it.to_string())))?;
    let (names, rows) = csv::parse_csv(&text).map_err(at)?;
    let column = |at: usize| ColumnData::Str(rows.iter().map(|it| it[at].clone()).collect());
    Table::new(names.into_iter().enumerate().map(|(at, name)| (name, column(at))).collect()).map_err(at)
}

fn csv_typed(path: &Path, types: &[(String, ColumnData)]) -> Result<Table> {
    let text = read_any(path)?;
    let at = |it: Error| it.context(format!("`{}`", path.display()));
    let column = |(name, kind): &(String, ColumnData)| {
        let position = text.position(name).map_err(at)?;
        let source = &text.columns()[position];
        let values = (0..text.n_rows()).map(|row| source.text(row));
        let typed = parse_column(values, kind);
        typed
            .map(|it| (name.clone(), it))
            .map_err(|why| at(Error::invalid_input(format!("column `{name}`, {why}, expected {}", kind.kind()))))
    };
    Table::new(types.iter().map(column).collect::<Result<_>>()?).map_err(at)
}

fn parse_column(values: impl Iterator<Item = Option<String>>, kind: &ColumnData) -> Result<ColumnData, String> {
    fn all<T>(
        values: impl Iterator<Item = Option<String>>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<Option<T>>, String> {
        let one = |(row, text): (usize, Option<String>)| match text {
            None => Ok(None),
            Some(text) => parse(&text).map(Some).ok_or_else(|| format!("row {row}: found `{text}`")),
        };
        values.enumerate().map(one).collect()
    }
    let floats = |text: &str| text.split(';').filter(|it| !it.is_empty()).map(|it| it.parse().ok()).collect();
    Ok(match kind {
        ColumnData::Str(_) => ColumnData::Str(values.collect()),
        ColumnData::Int(_) => ColumnData::Int(all(values, |it| it.parse().ok())?),
        ColumnData::Float(_) => ColumnData::Float(all(values, |it| it.parse().ok())?),
        ColumnData::Bool(_) => ColumnData::Bool(all(values, |it| it.parse().ok())?),
        ColumnData::Floats(_) => ColumnData::Floats(all(values, floats)?),
    })
}

/// SHA-256 as lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from(b"0123456789abcdef"[it as usize]);
    bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
}
