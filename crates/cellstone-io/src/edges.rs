//! Edge lists of networks: two or three columns, or the ten of STRING.

use crate::fields::{sniff_separator, split_line, without_bom};
use crate::text::{Lines, line_error};
use cellstone_core::{Error, Result};
use std::path::Path;

/// An edge as it stands in the file: direction and repeats are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The first node.
    pub source: String,
    /// The second node.
    pub target: String,
    /// The weight; 1 where the file has none.
    pub weight: f64,
}

/// Header words of the weight column, in order of preference. STRING calls it `combined_score` (0 to 1000).
const WEIGHTS: [&str; 6] = ["combined_score", "weight", "score", "importance", "value", "confidence"];

/// Which columns hold what.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layout {
    separator: u8,
    width: usize,
    weight: Option<usize>,
}

/// Reads an edge list: csv, tsv or blank-separated, gzipped or not; nodes in the first two columns.
///
/// A first line is a header if it names a weight column, if its third field is no number where the next line has one,
/// or, of two columns, if it is a usual pair such as `source,target`, `from,to` or `Gene1,Gene2`.
/// The weight is the column `combined_score` (STRING), `weight`, `score`, `importance`, `value` or `confidence`,
/// else the third of three columns, else 1.
///
/// # Errors
/// Names file and line of a ragged row, an empty node, or a weight that is no finite number; refuses an empty file.
pub fn read_edges(path: &Path) -> Result<Vec<Edge>> {
    let mut lines = Lines::open(path)?;
    let mut rows: Vec<(usize, String)> = Vec::new();
    while rows.len() < 2
        && let Some(text) = lines.next_text()?
    {
        if !text.trim().is_empty() && !text.starts_with('#') {
            rows.push((lines.number(), without_bom(&text).to_owned()));
        }
    }
    let Some((number, first)) = rows.first() else {
        return Err(Error::invalid_input(format!("`{}` is empty, expected an edge list", path.display())));
    };
    let separator = match sniff_separator(first.as_bytes()) {
        b'\t' if !first.contains('\t') => b' ',
        it => it,
    };
    let head = fields(path, *number, first, separator)?;
    let second = rows.get(1).map(|(number, text)| fields(path, *number, text, separator)).transpose()?;
    let (layout, header) = detect(path, *number, separator, &head, second.as_deref())?;
    let mut edges = Vec::new();
    for (number, text) in rows.iter().skip(usize::from(header)) {
        edges.push(edge(path, *number, text, layout)?);
    }
    while let Some(text) = lines.next_text()? {
        if !text.trim().is_empty() {
            edges.push(edge(path, lines.number(), &text, layout)?);
        }
    }
    Ok(edges)
}

fn fields(path: &Path, number: usize, text: &str, separator: u8) -> Result<Vec<String>> {
    if separator == b' ' {
        return Ok(text.split_whitespace().map(str::to_owned).collect());
    }
    let fields = split_line(text, separator).map_err(|it| line_error(path, number, it))?;
    Ok(fields.iter().map(|it| it.trim().to_owned()).collect())
}

fn detect(
    path: &Path,
    number: usize,
    separator: u8,
    head: &[String],
    second: Option<&[String]>,
) -> Result<(Layout, bool)> {
    let width = head.len();
    if width < 2 {
        return Err(line_error(path, number, format!("{width} column, expected two nodes and perhaps a weight")));
    }
    let lower: Vec<String> = head.iter().map(|it| it.to_lowercase()).collect();
    let named = WEIGHTS.iter().find_map(|name| lower.iter().skip(2).position(|it| it == name).map(|it| it + 2));
    let is_number = |it: Option<&String>| it.is_some_and(|it| it.parse::<f64>().is_ok());
    let header = named.is_some()
        || is_pair_of_headers(&lower[0], &lower[1])
        || (width > 2 && !is_number(head.get(2)) && is_number(second.and_then(|it| it.get(2))));
    if width > 3 && named.is_none() {
        return Err(line_error(
            path,
            number,
            format!("{width} columns and none is named as a weight, expected two or three columns"),
        )
        .with_hint("name the weight column `weight`, or keep the two nodes and the weight only"));
    }
    let third_is_weight = width == 3 && is_number(if header { second.and_then(|it| it.get(2)) } else { head.get(2) });
    if width == 3 && named.is_none() && !third_is_weight && second.is_some() {
        return Err(line_error(path, number, "the third column holds no number, expected a weight"));
    }
    Ok((Layout { separator, width, weight: named.or(third_is_weight.then_some(2)) }, header))
}

/// Whether two lower-case words are the usual names of the node columns.
fn is_pair_of_headers(first: &str, second: &str) -> bool {
    const PAIRS: [(&str, &str); 10] = [
        ("source", "target"),
        ("from", "to"),
        ("gene1", "gene2"),
        ("gene_1", "gene_2"),
        ("genea", "geneb"),
        ("gene_a", "gene_b"),
        ("protein1", "protein2"),
        ("node1", "node2"),
        ("tf", "target"),
        ("regulator", "target"),
    ];
    PAIRS.contains(&(first, second))
}

fn edge(path: &Path, number: usize, text: &str, layout: Layout) -> Result<Edge> {
    let fields = fields(path, number, text, layout.separator)?;
    if fields.len() != layout.width {
        let what = format!("{} columns, expected {} as in the first line", fields.len(), layout.width);
        return Err(line_error(path, number, what));
    }
    let weight = match layout.weight {
        None => 1.0,
        Some(at) => match fields[at].parse::<f64>() {
            Ok(it) if it.is_finite() => it,
            _ => {
                let what = format!("column {} holds `{}`, expected a finite weight", at + 1, fields[at]);
                return Err(line_error(path, number, what));
            }
        },
    };
    let mut nodes = fields.into_iter();
    let (source, target) = (nodes.next().unwrap_or_default(), nodes.next().unwrap_or_default());
    if source.is_empty() || target.is_empty() {
        return Err(line_error(path, number, "an empty node, expected two names"));
    }
    Ok(Edge { source, target, weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Edge>> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("e.csv");
        std::fs::write(&path, text).expect("written");
        read_edges(&path)
    }

    #[test]
    fn headers_are_detected() {
        let check = |text: &str, want: &[(&str, &str, f64)]| {
            let edges = read(text).expect("valid");
            let found: Vec<_> = edges.iter().map(|it| (it.source.as_str(), it.target.as_str(), it.weight)).collect();
            assert_eq!(found, want);
        };
        check("Gene1,Gene2\nA,B\n", &[("A", "B", 1.0)]);
        check("A,B\nC,D\n", &[("A", "B", 1.0), ("C", "D", 1.0)]);
        check("x\ty\tw\nA\tB\t0.5\n", &[("A", "B", 0.5)]);
        check("A\tB\t2\n", &[("A", "B", 2.0)]);
        check("protein1 protein2 a b c d e f g combined_score\nP Q 0 0 0 0 0 0 1 900\n", &[("P", "Q", 900.0)]);
    }

    #[test]
    fn bad_files_are_named() {
        let check = |text: &str, want: &str| {
            let error = read(text).expect_err("bad").to_string();
            assert!(error.ends_with(want), "{error}");
        };
        check("", "e.csv` is empty, expected an edge list");
        check("A\n", "line 1: 1 column, expected two nodes and perhaps a weight");
        check("A,B\nC\n", "line 2: 1 columns, expected 2 as in the first line");
        check("A,B,1\nC,D,x\n", "line 2: column 3 holds `x`, expected a finite weight");
        check("A,B,1\nC,,2\n", "line 2: an empty node, expected two names");
        check("A,B,C,1\n", "4 columns and none is named as a weight, expected two or three columns");
    }
}
