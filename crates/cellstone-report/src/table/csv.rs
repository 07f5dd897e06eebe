//! Comma-separated values, RFC 4180: a quoted empty field is empty text, an unquoted one is null.

use super::Table;
use cellstone_core::{Error, Result};

/// The fields of a line; `None` is null.
type Record = Vec<Option<String>>;

/// The table as csv with a header line.
pub(crate) fn to_csv(table: &Table) -> String {
    let mut out = String::new();
    out.push_str(&table.names().iter().map(|it| field(Some(it))).collect::<Vec<_>>().join(","));
    out.push('\n');
    for row in 0..table.n_rows() {
        let line: Vec<String> = table.columns().iter().map(|it| field(it.text(row).as_deref())).collect();
        out.push_str(&line.join(","));
        out.push('\n');
    }
    out
}

fn field(text: Option<&str>) -> String {
    match text {
        None => String::new(),
        Some("") => "\"\"".to_owned(),
        Some(it) if it.contains(['"', ',', '\n', '\r']) => format!("\"{}\"", it.replace('"', "\"\"")),
        Some(it) => it.to_owned(),
    }
}

/// Header and records of a csv text; `None` is an unquoted empty field.
///
/// # Errors
/// If a quote is left open or a record has another number of fields than the header.
pub(crate) fn parse_csv(text: &str) -> Result<(Vec<String>, Vec<Record>)> {
    let mut records = records(text)?.into_iter();
    let header: Vec<String> = records.next().unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect();
    let rows: Vec<_> = records.collect();
    if let Some(at) = rows.iter().position(|it| it.len() != header.len()) {
        let message = format!("record {}: found {} fields, expected {}", at + 1, rows[at].len(), header.len());
        return Err(Error::invalid_input(message));
    }
    Ok((header, rows))
}

fn records(text: &str) -> Result<Vec<Record>> {
    let (mut records, mut record) = (Vec::new(), Vec::new());
    let (mut current, mut quoted, mut open) = (String::new(), false, false);
    let mut chars = text.chars().peekable();
    let finish = |current: &mut String, quoted: &mut bool| {
        let value = std::mem::take(current);
        let keep = std::mem::take(quoted) || !value.is_empty();
        keep.then_some(value)
    };
    while let Some(it) = chars.next() {
        match it {
            '"' if open && chars.peek() == Some(&'"') => {
                chars.next();
                current.push('"');
            }
            '"' if open => open = false,
            '"' if current.is_empty() => (open, quoted) = (true, true),
            ',' if !open => record.push(finish(&mut current, &mut quoted)),
            '\r' if !open => {}
            '\n' if !open => {
                record.push(finish(&mut current, &mut quoted));
                records.push(std::mem::take(&mut record));
            }
            other => current.push(other),
        }
    }
    if open {
        return Err(Error::invalid_input(format!("record {}: a quote is not closed", records.len())));
    }
    if !record.is_empty() || !current.is_empty() || quoted {
        record.push(finish(&mut current, &mut quoted));
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::ColumnData;

    #[test]
    fn text_survives_quotes_commas_newlines_and_null() {
        let values = ["a,b", "say \"hi\"", "two\nlines", "", "plain", "\"lead"];
        let mut column: Vec<Option<String>> = values.iter().map(|it| Some((*it).to_owned())).collect();
        column.push(None);
        let other = ColumnData::Int((0..7).map(Some).collect());
        let table =
            Table::new(vec![("a".into(), ColumnData::Str(column.clone())), ("b".into(), other)]).expect("a table");
        let (header, rows) = parse_csv(&to_csv(&table)).expect("csv");
        assert_eq!(header, ["a", "b"]);
        assert_eq!(rows.into_iter().map(|it| it[0].clone()).collect::<Vec<_>>(), column);
    }

    #[test]
    fn ragged_and_unclosed_are_errors() {
        assert_eq!(parse_csv("a,b\n1\n").expect_err("refused").to_string(), "record 1: found 1 fields, expected 2");
        assert_eq!(parse_csv("a\n\"1\n").expect_err("refused").to_string(), "record 1: a quote is not closed");
    }
}
