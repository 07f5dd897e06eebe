//! Annotation tables: csv, tsv and parquet to [`ObsTable`], and joining them to cells by name.

use crate::fields::{TextTable, is_missing};
use crate::parquet;
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, RowBlock, Scale, Var};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads an annotation table; the first column (of parquet: the pandas index, where there is one) names the rows.
///
/// Text columns become `Bool`, `Int`, `Float` or `Str`, the first that fits every value; a number with a leading zero
/// keeps its column text. Missing are the empty field, `NA`, `N/A`, `NaN`, `nan`, `null`, `NULL`, `<NA>`, `#N/A`.
///
/// # Errors
/// Names file and line of a ragged row, a repeated column, or the rows of a repeated name.
///
/// # Examples
/// ```
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("obs.tsv");
/// std::fs::write(&path, "barcode\tbatch\tscore\nAAC\t1\t0.5\nAAG\t2\tNA\n").unwrap();
/// let obs = cellstone_io::read_obs_table(&path)?;
/// assert_eq!(obs.index(), ["AAC", "AAG"]);
/// assert_eq!(obs.column("batch")?, &cellstone_core::Column::Int(vec![Some(1), Some(2)]));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_obs_table(path: &Path) -> Result<ObsTable> {
    let table = if parquet::is_parquet(path) { parquet::read_table(path)? } else { read_text(path)? };
    if let Some((name, first, second)) = table.first_duplicate() {
        return Err(Error::invalid_input(format!(
            "`{}`: row name `{name}` stands at rows {first} and {second}, expected once",
            path.display()
        )));
    }
    Ok(table)
}

fn read_text(path: &Path) -> Result<ObsTable> {
    let text = TextTable::read(path)?;
    check_columns(path, &text.header)?;
    let mut columns = text.columns.into_iter();
    let mut table = ObsTable::new(columns.next().unwrap_or_default());
    for (name, values) in text.header.iter().skip(1).zip(columns) {
        table.insert(name.clone(), infer(values))?;
    }
    Ok(table)
}

/// Refuses columns of the same name.
pub(crate) fn check_columns(path: &Path, names: &[String]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name, at) {
            return Err(Error::invalid_input(format!(
                "`{}`: column `{name}` stands at positions {} and {}, expected once",
                path.display(),
                first + 1,
                at + 1
            )));
        }
    }
    Ok(())
}

/// The narrowest kind of column that holds every value.
fn infer(values: Vec<String>) -> Column {
    if values.iter().all(|it| is_missing(it)) {
        return Column::Str(vec![None; values.len()]);
    }
    if let Some(it) = optional(&values, parse_bool) {
        return Column::Bool(it);
    }
    if let Some(it) = optional(&values, parse_int) {
        return Column::Int(it);
    }
    if let Some(it) = optional(&values, parse_float) {
        return Column::Float(it.into_iter().map(|it| it.unwrap_or(f64::NAN)).collect());
    }
    Column::Str(values.into_iter().map(|it| (!is_missing(&it)).then_some(it)).collect())
}

fn optional<T>(values: &[String], parse: fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    values.iter().map(|it| if is_missing(it) { Some(None) } else { parse(it).map(Some) }).collect()
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "True" | "TRUE" | "true" => Some(true),
        "False" | "FALSE" | "false" => Some(false),
        _ => None,
    }
}

fn parse_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0');
    (!padded && !text.starts_with('+')).then(|| text.parse().ok()).flatten()
}

fn parse_float(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let padded = digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
    (!padded).then(|| text.parse().ok()).flatten()
}

/// The rows of `table` in the order of `cells`.
///
/// # Errors
/// Names some of the cells that have no row, and some of the rows that have no cell.
pub fn align_obs(cells: &[String], table: &ObsTable) -> Result<ObsTable> {
    let at: BTreeMap<&str, usize> = table.index().iter().enumerate().map(|(row, it)| (it.as_str(), row)).collect();
    let missing: Vec<String> = cells.iter().filter(|it| !at.contains_key(it.as_str())).cloned().collect();
    let rows: Vec<usize> = cells.iter().filter_map(|it| at.get(it.as_str()).copied()).collect();
    let mut used = vec![false; table.n_rows()];
    for row in &rows {
        used[*row] = true;
    }
    let extra: Vec<String> =
        table.index().iter().zip(&used).filter(|(_, used)| !**used).map(|(it, _)| it.clone()).collect();
    if !missing.is_empty() || !extra.is_empty() {
        return Err(not_the_same(&missing, &extra, cells, table));
    }
    let mut aligned = ObsTable::new(cells.to_vec());
    for name in table.names() {
        aligned.insert(name.clone(), select(table.column(name)?, &rows))?;
    }
    Ok(aligned)
}

fn not_the_same(missing: &[String], extra: &[String], cells: &[String], table: &ObsTable) -> Error {
    let mut parts = Vec::new();
    for (names, what) in [(missing, "cells have no row"), (extra, "rows have no cell")] {
        if !names.is_empty() {
            let some = &names[..names.len().min(3)];
            let dots = if names.len() > 3 { ", …" } else { "" };
            parts.push(format!("{} {what} ({}{dots})", names.len(), cellstone_core::quoted(some)));
        }
    }
    let error = Error::invalid_input(format!(
        "the annotation has {} rows for {} cells: {}",
        table.n_rows(),
        cells.len(),
        parts.join(", ")
    ));
    let bare = |it: &String| it.split('-').next().unwrap_or_default().to_owned();
    let same_without_suffix =
        missing.first().is_some_and(|cell| extra.iter().any(|row| bare(row) == bare(cell) && row != cell));
    if same_without_suffix {
        return error.with_hint("the names differ in their suffix (`-1`) only: write them the same way in both files");
    }
    error
}

fn select(column: &Column, rows: &[usize]) -> Column {
    fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|it| values[*it].clone()).collect()
    }
    match column {
        Column::Categorical { codes, categories, ordered } => {
            Column::Categorical { codes: pick(codes, rows), categories: categories.clone(), ordered: *ordered }
        }
        Column::Str(it) => Column::Str(pick(it, rows)),
        Column::Int(it) => Column::Int(pick(it, rows)),
        Column::Float(it) => Column::Float(pick(it, rows)),
        Column::Bool(it) => Column::Bool(pick(it, rows)),
    }
}

/// A source whose cells are annotated by a table of another file.
pub struct AnnotatedSource {
    inner: Box<dyn CountSource>,
    obs: ObsTable,
}

impl AnnotatedSource {
    /// Joins `table` to the cells of `inner` by name; columns that `inner` has already are kept, same names replaced.
    ///
    /// # Errors
    /// As [`align_obs`].
    pub fn new(inner: Box<dyn CountSource>, table: &ObsTable) -> Result<Self> {
        let aligned = align_obs(inner.obs().index(), table)
            .map_err(|error| error.context(format!("joining the annotation to `{}`", inner.name())))?;
        let mut obs = inner.obs().clone();
        for name in aligned.names() {
            obs.insert(name.clone(), aligned.column(name)?.clone())?;
        }
        Ok(Self { inner, obs })
    }
}

impl CountSource for AnnotatedSource {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn n_obs(&self) -> usize {
        self.inner.n_obs()
    }

    fn var(&self) -> &Var {
        self.inner.var()
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        self.inner.scale()
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        self.inner.blocks(start_row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_inferred() {
        let texts = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(infer(texts(&["1", "", "-3"])), Column::Int(vec![Some(1), None, Some(-3)]));
        assert_eq!(infer(texts(&["True", "false"])), Column::Bool(vec![Some(true), Some(false)]));
        assert_eq!(infer(texts(&["1", "2.5"])), Column::Float(vec![1.0, 2.5]));
        assert_eq!(infer(texts(&["01", "2"])), Column::Str(vec![Some("01".into()), Some("2".into())]));
        assert_eq!(infer(texts(&["", "NA"])), Column::Str(vec![None, None]));
        assert_eq!(infer(texts(&["0", "0.5"])), Column::Float(vec![0.0, 0.5]));
    }

    #[test]
    fn rows_follow_the_cells() {
        let mut table = ObsTable::new(vec!["b".into(), "a".into()]);
        table.insert("n", Column::Int(vec![Some(2), Some(1)])).expect("fits");
        table.insert("kind", Column::categorical(&["y", "x"])).expect("fits");
        let cells = ["a".to_owned(), "b".to_owned()];
        let aligned = align_obs(&cells, &table).expect("same names");
        assert_eq!(aligned.column("n").expect("there"), &Column::Int(vec![Some(1), Some(2)]));
        assert_eq!(aligned.column("kind").expect("there").text(0).as_deref(), Some("x"));
        let error = align_obs(&["a-1".to_owned(), "b".to_owned()], &table).expect_err("different");
        assert_eq!(
            error.to_string(),
            "the annotation has 2 rows for 2 cells: 1 cells have no row (`a-1`), 1 rows have no cell (`a`)"
        );
        assert_eq!(
            error.hints(),
            ["the names differ in their suffix (`-1`) only: write them the same way in both files"]
        );
    }
}
