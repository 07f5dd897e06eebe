//! Vocabularies as text: one token a line, or two columns; medians as a table.

use super::LocatedGene;
use super::convert::{self, Scalar};
use crate::fields::{TextTable, sniff_separator, split_line, without_bom};
use crate::parquet;
use crate::text::{Lines, line_error};
use cellstone_core::{Column, Error, Result};
use std::path::Path;

/// One token a line; the first line is id 0.
pub(super) fn lines(path: &Path) -> Result<Vec<(String, Scalar)>> {
    let mut lines = Lines::open(path)?;
    let mut entries = Vec::new();
    while let Some(text) = lines.next_text()? {
        let token = if entries.is_empty() { without_bom(&text) } else { &text };
        // Blanks may be part of a token, but a token of nothing else is a mistake that would shift every id.
        if token.trim().is_empty() {
            return Err(lines.error("is empty, expected a token").with_hint("remove empty lines, also at the end"));
        }
        entries.push((token.to_owned(), Scalar::Int(entries.len() as i64)));
    }
    Ok(entries)
}

/// Two columns, a name and what it leads to. A first line whose second field is no number, where others are, is a
/// header.
pub(super) fn pairs(path: &Path) -> Result<Vec<(String, Scalar)>> {
    let mut lines = Lines::open(path)?;
    let (mut rows, mut separator) = (Vec::new(), b'\t');
    while let Some(text) = lines.next_text()? {
        if text.is_empty() {
            continue;
        }
        let line = if rows.is_empty() { without_bom(&text) } else { &text };
        if rows.is_empty() {
            separator = sniff_separator(line.as_bytes());
        }
        let fields = split_line(line, separator).map_err(|it| lines.error(it))?;
        let [name, value] = fields.as_slice() else {
            return Err(lines.error(format!("{} fields, expected two: a name and a value", fields.len())));
        };
        rows.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let whole = |it: &str| it.parse::<i64>().ok();
    let numbers = rows.iter().skip(1).filter(|it| whole(&it.1).is_some()).count();
    let header = rows.first().is_some_and(|it| whole(&it.1).is_none());
    if numbers > 0 || rows.len() == 1 {
        let value = |text: String| whole(&text).map_or(Scalar::Text(text), Scalar::Int);
        return Ok(rows.into_iter().skip(usize::from(header)).map(|(name, it)| (name, value(it))).collect());
    }
    // Names that lead to names: the first line is always a header, since nothing tells it from a row.
    Ok(rows.into_iter().skip(1).map(|(name, it)| (name, Scalar::Text(it))).collect())
}

/// The columns `gene_id` (or `gene`) and `median` of a table.
pub(super) fn medians(path: &Path) -> Result<Vec<(String, f64)>> {
    std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    let hint = |error: Error| error.with_hint("a table of medians has the columns `gene_id` and `median`");
    let entries = if parquet::is_parquet(path) {
        let table = parquet::read_table(path)?;
        // The first column names the rows, so it is no column any more.
        let column = table.column("median").map_err(|error| hint(error.context(format!("`{}`", path.display()))))?;
        let Column::Float(values) = column else {
            return Err(hint(Error::invalid_input(format!(
                "`{}` column `median` is {}, expected numbers",
                path.display(),
                column.kind()
            ))));
        };
        table.index().iter().cloned().zip(values.iter().map(|it| Scalar::Float(*it))).collect()
    } else {
        let text = TextTable::read(path)?;
        let gene = text.position(path, "gene_id").or_else(|_| text.position(path, "gene")).map_err(hint)?;
        let median = text.position(path, "median").map_err(hint)?;
        let value = |it: &String| it.parse().map_or(Scalar::Text(it.clone()), Scalar::Float);
        text.columns[gene].iter().cloned().zip(text.columns[median].iter().map(value)).collect()
    };
    convert::medians(path, entries)
}

/// The columns `gene`, `token`, `chromosome` and `start` of a table.
pub(super) fn locations(path: &Path) -> Result<Vec<LocatedGene>> {
    let text = TextTable::read(path)?;
    let column = |name: &str| {
        let at = text.position(path, name).map_err(|error| {
            error.with_hint("gene locations have the columns `gene`, `token`, `chromosome` and `start`")
        })?;
        Ok(text.columns[at].as_slice())
    };
    let (genes, tokens) = (column("gene")?, column("token")?);
    let (chromosomes, starts) = (column("chromosome")?, column("start")?);
    (0..text.lines.len())
        .map(|row| {
            let line = text.lines[row];
            Ok(LocatedGene {
                gene: genes[row].clone(),
                token: whole(path, line, "token", &tokens[row])?,
                chromosome: whole(path, line, "chromosome", &chromosomes[row])?,
                start: whole(path, line, "start", &starts[row])?,
            })
        })
        .collect()
}

fn whole<T: std::str::FromStr>(path: &Path, line: usize, name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| line_error(path, line, format!("column `{name}` holds `{text}`, expected a whole number")))
}
