//! Dense count tables as text: csv and tsv, gzipped or not.

use crate::cells::{RowsBuilder, check_unique_cells};
use crate::fields::{is_missing, sniff_separator, split_line, without_bom};
use crate::memory::MemorySource;
use crate::text::{Chunk, Lines, cut_line, line_error};
use cellstone_core::{Csr, Error, ObsTable, Result, Scale, Var};
use rayon::prelude::*;
use std::path::Path;

/// Reads a dense table with a header line and row names in the first column; zeros are not kept.
///
/// Rows are cells and columns genes, or the reverse with `transposed` (as GEO and R write them). The separator is told
/// by the header. The header may lack a name for the first column. The result is held in memory, sparse.
///
/// # Errors
/// Names file, line and column of a ragged row, a missing value or text that is no number; a repeated cell or gene;
/// a value that contradicts `scale`.
///
/// # Examples
/// ```
/// use cellstone_core::{CountSource, Scale};
/// let dir = tempfile::tempdir().unwrap();
/// let path = dir.path().join("counts.csv");
/// std::fs::write(&path, "cell,g1,g2\na,1,0\nb,0,2\n").unwrap();
/// let source = cellstone_io::read_count_table(&path, Scale::Counts, false)?;
/// assert_eq!((source.n_obs(), source.var().ids()[1].as_str()), (2, "g2"));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn read_count_table(path: &Path, scale: Scale, transposed: bool) -> Result<MemorySource> {
    let name = path.display().to_string();
    let table = read_dense_text(path)?;
    let (x, cells, genes) = if transposed {
        (table.x.transposed(), table.columns, table.rows)
    } else {
        (table.x, table.rows, table.columns)
    };
    check_unique_cells(&name, &cells)?;
    let var = Var::from_ids(genes).map_err(|error| {
        let error = error.context(format!("`{name}`"));
        if transposed { error } else { error.with_hint("if the rows of the table are genes, set transpose") }
    })?;
    MemorySource::new(name, x, var, ObsTable::new(cells), scale).map_err(|error| {
        if transposed { error.with_hint("cell and gene are counted after the table was transposed") } else { error }
    })
}

/// Row names, column names and the values between them.
struct DenseText {
    rows: Vec<String>,
    columns: Vec<String>,
    x: Csr<f32>,
}

/// What a line must look like.
#[derive(Clone, Copy)]
struct Shape<'a> {
    path: &'a Path,
    separator: u8,
    columns: &'a [String],
}

fn read_dense_text(path: &Path) -> Result<DenseText> {
    let mut lines = Lines::open(path)?;
    let Some(first) = lines.next_text()? else {
        return Err(Error::invalid_input(format!("`{}` is empty, expected a header line", path.display())));
    };
    let separator = sniff_separator(first.as_bytes());
    let fields = split_line(without_bom(&first), separator).map_err(|it| lines.error(it))?;
    let mut columns: Vec<String> = fields.iter().map(|it| it.trim().to_owned()).collect();
    let (mut chunk, mut chunks) = lines.into_chunks();
    let mut rows = Vec::new();
    let mut builder = None;
    loop {
        let cells = whole_lines(&chunk);
        if let Some((_, line)) = cells.first()
            && builder.is_none()
        {
            drop_corner(&mut columns, count_fields(line, separator));
            builder = Some(RowsBuilder::new(columns.len()));
        }
        if let Some(builder) = &mut builder {
            let shape = Shape { path, separator, columns: &columns };
            let parsed: Vec<Result<Row>> = cells.par_iter().map(|(at, line)| shape.parse(*at, line)).collect();
            for row in parsed {
                let row = row?;
                for (col, value) in row.entries {
                    builder.push(col, value);
                }
                builder.end_row().expect("invariant: columns of a line rise");
                rows.push(row.name);
            }
        }
        match chunks.next_chunk()? {
            Some(next) => chunk = next,
            None => break,
        }
    }
    let Some(builder) = builder else {
        return Err(Error::invalid_input(format!("`{}` has a header but no rows", path.display())));
    };
    debug_assert_eq!(builder.n_rows(), rows.len());
    Ok(DenseText { rows, columns, x: builder.finish()? })
}

/// The lines of a chunk that are not empty, with their numbers.
fn whole_lines(chunk: &Chunk) -> Vec<(usize, &[u8])> {
    let (mut lines, mut at, mut number) = (Vec::new(), 0, chunk.first_line);
    while at < chunk.bytes.len() {
        let (line, used) = cut_line(&chunk.bytes[at..]);
        if !line.is_empty() {
            lines.push((number, line));
        }
        at += used;
        number += 1;
    }
    lines
}

fn count_fields(line: &[u8], separator: u8) -> usize {
    let text = String::from_utf8_lossy(line);
    split_line(&text, separator).map_or(0, |it| it.len())
}

/// The header names the columns; where it also names the column of row names, that name goes.
fn drop_corner(columns: &mut Vec<String>, fields_of_first_row: usize) {
    if fields_of_first_row != columns.len() + 1 && !columns.is_empty() {
        columns.remove(0);
    }
}

struct Row {
    name: String,
    entries: Vec<(u32, f32)>,
}

impl Shape<'_> {
    fn error(self, line: usize, what: impl std::fmt::Display) -> Error {
        line_error(self.path, line, what)
    }

    fn parse(self, number: usize, line: &[u8]) -> Result<Row> {
        if line.contains(&b'"') {
            return self.parse_quoted(number, line);
        }
        let mut fields = line.split(|it| *it == self.separator);
        let name = self.text(number, fields.next().unwrap_or_default())?.trim().to_owned();
        let (mut entries, mut found) = (Vec::new(), 0);
        for field in fields {
            if found < self.columns.len() {
                self.take(number, found, field, &mut entries)?;
            }
            found += 1;
        }
        self.check_width(number, found)?;
        Ok(Row { name, entries })
    }

    fn parse_quoted(self, number: usize, line: &[u8]) -> Result<Row> {
        let text = self.text(number, line)?;
        let fields = split_line(text, self.separator).map_err(|it| self.error(number, it))?;
        self.check_width(number, fields.len() - 1)?;
        let mut entries = Vec::new();
        for (col, field) in fields[1..].iter().enumerate() {
            self.take(number, col, field.as_bytes(), &mut entries)?;
        }
        Ok(Row { name: fields[0].trim().to_owned(), entries })
    }

    fn text(self, number: usize, bytes: &[u8]) -> Result<&str> {
        std::str::from_utf8(bytes).map_err(|_| self.error(number, "is not UTF-8 text"))
    }

    fn check_width(self, number: usize, found: usize) -> Result<()> {
        if found == self.columns.len() {
            return Ok(());
        }
        Err(self.error(number, format!("{found} values, expected {} as in the header", self.columns.len())))
    }

    fn take(self, number: usize, col: usize, field: &[u8], entries: &mut Vec<(u32, f32)>) -> Result<()> {
        // Most fields of a count table are this one.
        if field == b"0" {
            return Ok(());
        }
        let value = parse_number(field).ok_or_else(|| self.bad_number(number, col, field))?;
        if value != 0.0 {
            entries.push((col as u32, value));
        }
        Ok(())
    }

    fn bad_number(self, number: usize, col: usize, field: &[u8]) -> Error {
        let text = String::from_utf8_lossy(field);
        let text: String = text.trim().chars().take(40).collect();
        let place = format!("column {} (`{}`)", col + 2, self.columns[col]);
        if is_missing(&text) {
            return self.error(number, format!("{place} is missing (`{text}`), expected a number"));
        }
        self.error(number, format!("{place} holds `{text}`, expected a number"))
    }
}

/// A finite number; blanks around it are allowed.
fn parse_number(field: &[u8]) -> Option<f32> {
    if !field.is_empty() && field.len() <= 7 && field.iter().all(u8::is_ascii_digit) {
        return Some(field.iter().fold(0_u32, |acc, it| acc * 10 + u32::from(it - b'0')) as f32);
    }
    let value: f32 = std::str::from_utf8(field).ok()?.trim().parse().ok()?;
    value.is_finite().then_some(value)
}
