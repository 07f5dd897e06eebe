//! Fields of a delimited line, quoted or not.

use cellstone_core::Result;
use std::borrow::Cow;

/// The separator of a table, told by its first line: the commonest of tab, comma and semicolon outside quotes.
pub(crate) fn sniff_separator(header: &[u8]) -> u8 {
    let mut counts = [(0_usize, b'\t'), (0, b','), (0, b';')];
    let mut quoted = false;
    for byte in header {
        quoted ^= *byte == b'"';
        for (count, separator) in &mut counts {
            *count += usize::from(!quoted && byte == separator);
        }
    }
    // The first of equals wins: a line without any separator is one column.
    counts.iter().rev().max_by_key(|it| it.0).map_or(b'\t', |it| it.1)
}

/// The fields of a line. A quoted field may hold separators; `""` in it is one quote.
///
/// The error is a fragment for the caller to place.
pub(crate) fn split_line(line: &str, separator: u8) -> std::result::Result<Vec<Cow<'_, str>>, String> {
    let bytes = line.as_bytes();
    let (mut fields, mut at) = (Vec::new(), 0);
    loop {
        if bytes.get(at) == Some(&b'"') {
            let (field, end) = quoted_field(line, at + 1)
                .ok_or_else(|| format!("column {} opens a quote that is not closed", fields.len() + 1))?;
            fields.push(field);
            at = end;
            match bytes.get(at) {
                None => return Ok(fields),
                Some(it) if *it == separator => at += 1,
                Some(_) => return Err(format!("column {} has text behind its closing quote", fields.len())),
            }
        } else {
            let end = bytes[at..].iter().position(|it| *it == separator).map_or(bytes.len(), |it| at + it);
            fields.push(Cow::Borrowed(&line[at..end]));
            if end == bytes.len() {
                return Ok(fields);
            }
            at = end + 1;
        }
    }
}

/// The text from `start` to its closing quote, and where the rest of the line begins.
fn quoted_field(line: &str, start: usize) -> Option<(Cow<'_, str>, usize)> {
    let (mut field, mut from) = (String::new(), start);
    loop {
        let end = from + line.get(from..)?.find('"')?;
        if line.as_bytes().get(end + 1) != Some(&b'"') {
            if field.is_empty() {
                return Some((Cow::Borrowed(&line[from..end]), end + 1));
            }
            field.push_str(&line[from..end]);
            return Some((Cow::Owned(field), end + 1));
        }
        field.push_str(&line[from..=end]);
        from = end + 2;
    }
}

/// Text without a byte-order mark.
pub(crate) fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Words that stand for a missing value, as R and pandas write it.
pub(crate) fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA" | "N/A" | "NaN" | "nan" | "-nan" | "null" | "NULL" | "<NA>" | "#N/A")
}

/// The header and rows of a small table as text, every row as wide as the header.
#[derive(Debug)]
pub(crate) struct TextTable {
    pub header: Vec<String>,
    /// One vector per column.
    pub columns: Vec<Vec<String>>,
    /// Line of each row, for messages.
    pub lines: Vec<usize>,
}

impl TextTable {
    /// Reads csv, tsv or semicolon-separated text with a header, gzipped or not.
    pub(crate) fn read(path: &std::path::Path) -> Result<Self> {
        let mut lines = crate::text::Lines::open(path)?;
        let Some(first) = lines.next_text()? else {
            return Err(cellstone_core::Error::invalid_input(format!(
                "`{}` is empty, expected a table with a header",
                path.display()
            )));
        };
        let separator = sniff_separator(first.as_bytes());
        let fields = split_line(without_bom(&first), separator).map_err(|it| lines.error(it))?;
        let mut header: Vec<String> = fields.iter().map(|it| it.trim().to_owned()).collect();
        let (mut columns, mut numbers) = (vec![Vec::new(); header.len()], Vec::new());
        while let Some(text) = lines.next_text()? {
            if text.is_empty() {
                continue;
            }
            let fields = split_line(&text, separator).map_err(|it| lines.error(it))?;
            // R writes no name for the column of row names.
            if numbers.is_empty() && fields.len() == header.len() + 1 {
                header.insert(0, String::new());
                columns.push(Vec::new());
            }
            if fields.len() != header.len() {
                return Err(lines.error(format!(
                    "{} fields, expected {} as in the header",
                    fields.len(),
                    header.len()
                )));
            }
            for (column, field) in columns.iter_mut().zip(fields) {
                column.push(field.trim().to_owned());
            }
            numbers.push(lines.number());
        }
        Ok(Self { header, columns, lines: numbers })
    }

    /// Position of a column that must be there.
    pub(crate) fn position(&self, path: &std::path::Path, name: &str) -> Result<usize> {
        self.header.iter().position(|it| it == name).ok_or_else(|| missing_column(path, name, &self.header))
    }
}

/// The error for a column that is not there.
pub(crate) fn missing_column(path: &std::path::Path, name: &str, columns: &[String]) -> cellstone_core::Error {
    let error = cellstone_core::Error::invalid_input(format!(
        "column `{name}` not found in `{}` (columns: {})",
        path.display(),
        cellstone_core::quoted(columns)
    ));
    match cellstone_core::nearest(name, columns.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields() {
        let check = |line: &str, want: &[&str]| assert_eq!(split_line(line, b',').expect("valid"), want);
        check("a,b,", &["a", "b", ""]);
        check("\"a,b\",c", &["a,b", "c"]);
        check("\"say \"\"hi\"\"\",x", &["say \"hi\"", "x"]);
        check("", &[""]);
        check("\"\",\"\"\"\"", &["", "\""]);
        assert_eq!(split_line("a,\"b", b',').expect_err("open"), "column 2 opens a quote that is not closed");
        assert_eq!(split_line("\"a\"b", b',').expect_err("text"), "column 1 has text behind its closing quote");
    }

    #[test]
    fn separators_are_told_by_the_header() {
        assert_eq!(sniff_separator(b"a\tb,c\td"), b'\t');
        assert_eq!(sniff_separator(b"\"a\tb\",c"), b',');
        assert_eq!(sniff_separator(b"a;b"), b';');
        assert_eq!(sniff_separator(b"a"), b'\t');
    }
}
