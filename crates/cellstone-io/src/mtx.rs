//! Matrix Market coordinate files, read entry by entry. Which axis holds the cells is decided elsewhere.

use crate::cells::RowsBuilder;
use crate::text::{Chunk, Chunks, Lines, line_error};
use cellstone_core::{Csr, Error, Result};
use std::path::{Path, PathBuf};

/// What the first lines of a Matrix Market file declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MtxHeader {
    pub n_rows: usize,
    pub n_cols: usize,
    pub nnz: u64,
    /// Entries have no value; each stands for 1.
    pub pattern: bool,
}

/// One stored entry, indices from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry {
    pub row: u32,
    pub col: u32,
    pub value: f32,
}

/// The entries of a file, in file order.
pub(crate) struct MtxReader {
    path: PathBuf,
    header: MtxHeader,
    chunks: Chunks,
    chunk: Chunk,
    at: usize,
    line: usize,
    seen: u64,
}

/// Reads a Matrix Market coordinate file (`general`; `integer`, `real` or `pattern`; gzipped or not), `[rows, columns]`.
///
/// Entries may come in any order; stored zeros are dropped.
///
/// # Errors
/// Names file and line of a header or entry that cannot be read, an index out of range, or an entry that stands twice.
pub fn read_mtx(path: &Path) -> Result<Csr<f32>> {
    let mut reader = MtxReader::open(path)?;
    let header = reader.header();
    let rows = collect_rows(&mut reader, header.n_rows, header.n_cols, |it| (it.row, it.col))?;
    rows.map_err(|(row, col)| {
        Error::invalid_input(format!("`{}`: entry {} {} stands twice, expected once", path.display(), row + 1, col + 1))
    })
}

/// All entries sorted by the major index that `key` gives; the inner error is a `(major, minor)` that stands twice.
pub(crate) fn collect_rows(
    reader: &mut MtxReader,
    n_major: usize,
    n_minor: usize,
    key: impl Fn(Entry) -> (u32, u32),
) -> Result<std::result::Result<Csr<f32>, (u32, u32)>> {
    let (mut major, mut entries, mut ordered) = (Vec::new(), Vec::new(), true);
    while let Some(entry) = reader.next_entry()? {
        let (at, minor) = key(entry);
        ordered &= major.last().is_none_or(|it| *it <= at);
        major.push(at);
        entries.push((minor, entry.value));
    }
    let mut bounds = vec![0_usize; n_major + 1];
    for at in &major {
        bounds[*at as usize + 1] += 1;
    }
    for at in 0..n_major {
        bounds[at + 1] += bounds[at];
    }
    if !ordered {
        // A counting sort keeps the file's order inside a row.
        let mut next = bounds.clone();
        let mut sorted = vec![(0, 0.0); entries.len()];
        for (at, entry) in major.iter().zip(&entries) {
            sorted[next[*at as usize]] = *entry;
            next[*at as usize] += 1;
        }
        entries = sorted;
    }
    drop(major);
    let mut rows = RowsBuilder::with_capacity(n_minor, n_major, entries.len());
    for at in 0..n_major {
        for (minor, value) in &entries[bounds[at]..bounds[at + 1]] {
            rows.push(*minor, *value);
        }
        if let Err(minor) = rows.end_row() {
            return Ok(Err((at as u32, minor)));
        }
    }
    rows.finish().map(Ok)
}

impl MtxReader {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut lines = Lines::open(path)?;
        let pattern = read_banner(&mut lines, path)?;
        let header = read_size(&mut lines, path, pattern)?;
        let line = lines.number();
        let (chunk, chunks) = lines.into_chunks();
        Ok(Self { path: path.to_path_buf(), header, chunks, chunk, at: 0, line, seen: 0 })
    }

    pub(crate) fn header(&self) -> MtxHeader {
        self.header
    }

    /// The next entry; `None` after as many as the header declares.
    pub(crate) fn next_entry(&mut self) -> Result<Option<Entry>> {
        loop {
            if self.at >= self.chunk.bytes.len() {
                match self.chunks.next_chunk()? {
                    Some(chunk) => (self.chunk, self.at) = (chunk, 0),
                    None => return self.end(),
                }
                continue;
            }
            self.line += 1;
            let rest = &self.chunk.bytes[self.at..];
            match parse_entry(rest, self.header.pattern) {
                Parsed::Entry { row, col, value, used } => {
                    self.at += used;
                    return self.checked(row, col, value).map(Some);
                }
                Parsed::Blank { used } => self.at += used,
                Parsed::Bad => return Err(self.bad_line()),
            }
        }
    }

    fn end(&self) -> Result<Option<Entry>> {
        if self.seen == self.header.nnz {
            return Ok(None);
        }
        Err(self
            .error(format!(
                "the file ends after {} entries, expected {} as its header says",
                self.seen, self.header.nnz
            ))
            .with_hint("the file is truncated: copy or download it again"))
    }

    fn checked(&mut self, row: u64, col: u64, value: f32) -> Result<Entry> {
        self.seen += 1;
        let MtxHeader { n_rows, n_cols, nnz, .. } = self.header;
        if self.seen > nnz {
            return Err(self.error(format!("an entry after the {nnz} that the header declares")));
        }
        if row == 0 || row > n_rows as u64 {
            return Err(self.error(format!("row index {row}, expected 1 to {n_rows}")));
        }
        if col == 0 || col > n_cols as u64 {
            return Err(self.error(format!("column index {col}, expected 1 to {n_cols}")));
        }
        Ok(Entry { row: (row - 1) as u32, col: (col - 1) as u32, value })
    }

    fn bad_line(&self) -> Error {
        let (line, _) = crate::text::cut_line(&self.chunk.bytes[self.at..]);
        let expected = if self.header.pattern { "`row column`" } else { "`row column value`" };
        self.error(format!("`{}`, expected {expected}", shortened(line)))
    }

    /// An error at the line read last.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> Error {
        line_error(&self.path, self.line, what)
    }
}

/// The start of a line that is quoted in a message.
fn shortened(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(60)]).into_owned();
    if line.len() > 60 { format!("{text}…") } else { text }
}

/// The first line; whether the entries have no value.
fn read_banner(lines: &mut Lines, path: &Path) -> Result<bool> {
    let Some(banner) = lines.next_text()? else {
        return Err(Error::invalid_input(format!("`{}` is empty, expected a Matrix Market file", path.display())));
    };
    let words: Vec<String> = banner.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["%%matrixmarket", "matrix", "coordinate", "pattern", "general"] => Ok(true),
        ["%%matrixmarket", "matrix", "coordinate", "integer" | "real" | "unsigned-integer" | "double", "general"] => {
            Ok(false)
        }
        _ => Err(lines.error(format!(
            "`{}`, expected `%%MatrixMarket matrix coordinate integer general` (or `real`, `pattern`)",
            shortened(banner.as_bytes())
        ))),
    }
}

/// The comments and the size line.
fn read_size(lines: &mut Lines, path: &Path, pattern: bool) -> Result<MtxHeader> {
    loop {
        let Some(text) = lines.next_text()? else {
            return Err(Error::invalid_input(format!(
                "`{}` ends before its size line `rows columns entries`",
                path.display()
            )));
        };
        if text.starts_with('%') || text.trim().is_empty() {
            continue;
        }
        let sizes: Vec<u64> = text.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let &[n_rows, n_cols, nnz] = &sizes[..] else {
            return Err(
                lines.error(format!("`{}`, expected the size line `rows columns entries`", shortened(text.as_bytes())))
            );
        };
        if n_rows > u64::from(u32::MAX) || n_cols > u64::from(u32::MAX) {
            return Err(lines.error(format!("a matrix of {n_rows} x {n_cols}, expected at most {} a side", u32::MAX)));
        }
        return Ok(MtxHeader { n_rows: n_rows as usize, n_cols: n_cols as usize, nnz, pattern });
    }
}

enum Parsed {
    Entry { row: u64, col: u64, value: f32, used: usize },
    Blank { used: usize },
    Bad,
}

/// Reads one line at the start of `bytes`; the line may end with the bytes.
fn parse_entry(bytes: &[u8], pattern: bool) -> Parsed {
    let mut at = skip_blanks(bytes, 0);
    if at == bytes.len() || bytes[at] == b'\n' {
        return Parsed::Blank { used: (at + 1).min(bytes.len()) };
    }
    let Some((row, next)) = parse_index(bytes, at) else { return Parsed::Bad };
    at = skip_blanks(bytes, next);
    let Some((col, next)) = parse_index(bytes, at) else { return Parsed::Bad };
    at = skip_blanks(bytes, next);
    let mut value = 1.0;
    if !pattern {
        let Some((found, next)) = parse_value(bytes, at) else { return Parsed::Bad };
        value = found;
        at = skip_blanks(bytes, next);
    }
    match bytes.get(at) {
        None | Some(b'\n') => Parsed::Entry { row, col, value, used: (at + 1).min(bytes.len()) },
        Some(_) => Parsed::Bad,
    }
}

fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Digits up to a blank; too many of them are no index.
fn parse_index(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let (mut value, mut at) = (0_u64, start);
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        value = value * 10 + u64::from(digit - b'0');
        at += 1;
    }
    let length = at - start;
    (1..=15).contains(&length).then_some((value, at))
}

/// A number; whole ones of few digits take the short way.
fn parse_value(bytes: &[u8], start: usize) -> Option<(f32, usize)> {
    if let Some((whole, at)) = parse_index(bytes, start)
        && matches!(bytes.get(at), None | Some(b'\n' | b'\r' | b' ' | b'\t'))
    {
        return Some((whole as f32, at));
    }
    let mut at = start;
    while bytes.get(at).is_some_and(|it| !it.is_ascii_whitespace()) {
        at += 1;
    }
    let value = std::str::from_utf8(&bytes[start..at]).ok()?.parse::<f32>().ok()?;
    Some((value, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Csr<f32>> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("m.mtx");
        std::fs::write(&path, text).expect("written");
        read_mtx(&path)
    }

    const BANNER: &str = "%%MatrixMarket matrix coordinate integer general\n%\n";

    #[test]
    fn entries_in_any_order() {
        let x = read(&format!("{BANNER}2 3 3\n2 1 4\n1 3 2\r\n\n1  1 1e0")).expect("valid");
        assert_eq!(x.to_dense(), ndarray::array![[1.0, 0.0, 2.0], [4.0, 0.0, 0.0]]);
        let x = read("%%MatrixMarket matrix coordinate pattern general\n1 2 1\n1 2\n").expect("valid");
        assert_eq!(x.to_dense(), ndarray::array![[0.0, 1.0]]);
    }

    #[test]
    fn bad_files_are_named() {
        let check = |text: &str, want: &str| {
            let error = read(text).expect_err("bad file").to_string();
            assert!(error.ends_with(want), "{error}");
        };
        check("", "m.mtx` is empty, expected a Matrix Market file");
        check(
            "a,b\n",
            "line 1: `a,b`, expected `%%MatrixMarket matrix coordinate integer general` (or `real`, `pattern`)",
        );
        check(BANNER, "ends before its size line `rows columns entries`");
        check(&format!("{BANNER}2 3\n"), "line 3: `2 3`, expected the size line `rows columns entries`");
        check(
            &format!("{BANNER}2 3 2\n1 1 1\n"),
            "line 4: the file ends after 1 entries, expected 2 as its header says",
        );
        check(&format!("{BANNER}2 3 1\n1 1 1\n1 2 1\n"), "line 5: an entry after the 1 that the header declares");
        check(&format!("{BANNER}2 3 1\n3 1 1\n"), "line 4: row index 3, expected 1 to 2");
        check(&format!("{BANNER}2 3 1\n1 0 1\n"), "line 4: column index 0, expected 1 to 3");
        check(&format!("{BANNER}2 3 1\n1 1 x\n"), "line 4: `1 1 x`, expected `row column value`");
        check(&format!("{BANNER}2 3 1\n1 1\n"), "line 4: `1 1`, expected `row column value`");
        check(&format!("{BANNER}2 3 1\n1 1 1 1\n"), "line 4: `1 1 1 1`, expected `row column value`");
        check(&format!("{BANNER}2 3 2\n2 3 1\n2 3 1\n"), "m.mtx`: entry 2 3 stands twice, expected once");
        check(&format!("{BANNER}2 99999999999 0\n"), "a matrix of 2 x 99999999999, expected at most 4294967295 a side");
    }
}
