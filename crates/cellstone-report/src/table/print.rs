//! Prints any table this project wrote, as aligned text or csv, filtered.

use super::{ColumnData, Table, csv, row::read_any};
use cellstone_core::Result;
use std::path::Path;

/// Longest cell of the text form; longer text is cut with an ellipsis. Csv is never cut.
const MAX_WIDTH: usize = 60;

/// How [`print_table`] prints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// Csv in place of aligned text.
    pub csv: bool,
    /// Keep the rows in which every named column, as text, equals the value; null equals the empty text.
    pub where_: Vec<(String, String)>,
    /// At most this many rows.
    pub limit: Option<usize>,
}

/// Any parquet or csv table as aligned text (numbers to the right, null as `–`, a last line counting rows) or as csv.
///
/// # Errors
/// If the file cannot be read, or a filter names a column that is not there: the hint has the nearest.
pub fn print_table(path: &Path, options: &PrintOptions) -> Result<String> {
    let table = read_any(path)?;
    let in_file = |it: cellstone_core::Error| it.context(format!("`{}`", path.display()));
    let filters = options.where_.iter().map(|(name, value)| Ok((table.position(name)?, value.as_str())));
    let filters: Vec<(usize, &str)> = filters.collect::<Result<_>>().map_err(in_file)?;
    let matches =
        |row: &usize| filters.iter().all(|(at, value)| table.columns()[*at].text(*row).unwrap_or_default() == *value);
    let rows: Vec<usize> = (0..table.n_rows()).filter(matches).collect();
    let n_matching = rows.len();
    let rows = &rows[..options.limit.map_or(n_matching, |it| it.min(n_matching))];
    if options.csv {
        return Ok(csv::to_csv(&select(&table, rows)?));
    }
    let mut text = aligned(&table, rows);
    text.push_str(&format!("({} of {} rows)\n", rows.len(), table.n_rows()));
    Ok(text)
}

fn select(table: &Table, rows: &[usize]) -> Result<Table> {
    fn pick<T: Clone>(values: &[T], rows: &[usize]) -> Vec<T> {
        rows.iter().map(|it| values[*it].clone()).collect()
    }
    let column = |it: &ColumnData| match it {
        ColumnData::Str(it) => ColumnData::Str(pick(it, rows)),
        ColumnData::Int(it) => ColumnData::Int(pick(it, rows)),
        ColumnData::Float(it) => ColumnData::Float(pick(it, rows)),
        ColumnData::Bool(it) => ColumnData::Bool(pick(it, rows)),
        ColumnData::Floats(it) => ColumnData::Floats(pick(it, rows)),
    };
    Table::new(table.names().iter().cloned().zip(table.columns().iter().map(column)).collect())
}

fn aligned(table: &Table, rows: &[usize]) -> String {
    let cells = |column: &ColumnData| -> Vec<String> { rows.iter().map(|row| cell(column, *row)).collect() };
    let texts: Vec<Vec<String>> = table.columns().iter().map(cells).collect();
    let width = |it: &str| it.chars().count();
    let widths: Vec<usize> = table
        .names()
        .iter()
        .zip(&texts)
        .map(|(name, cells)| cells.iter().map(|it| width(it)).max().unwrap_or(0).max(width(name)))
        .collect();
    let line = |cells: Vec<&str>| {
        let parts = cells.iter().zip(table.columns()).zip(&widths).map(|((cell, column), width)| {
            if column.is_number() { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        format!("{}\n", parts.collect::<Vec<_>>().join("  ").trim_end())
    };
    let mut text = line(table.names().iter().map(String::as_str).collect());
    text.push_str(&line(
        widths.iter().map(|it| "─".repeat(*it)).collect::<Vec<_>>().iter().map(String::as_str).collect(),
    ));
    for row in 0..rows.len() {
        text.push_str(&line(texts.iter().map(|it| it[row].as_str()).collect()));
    }
    text
}

fn cell(column: &ColumnData, row: usize) -> String {
    let text = match column {
        ColumnData::Floats(it) => it[row].as_ref().map(|it| format!("[{} values]", it.len())),
        other => other.text(row),
    };
    let text = text.unwrap_or_else(|| "–".to_owned()).replace(['\n', '\r'], " ");
    if text.chars().count() <= MAX_WIDTH {
        return text;
    }
    text.chars().take(MAX_WIDTH - 1).chain(['…']).collect()
}
