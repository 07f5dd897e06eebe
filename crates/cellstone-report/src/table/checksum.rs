//! A checksum of what a table says, kept in the file itself: parquet pages carry none, so that a changed byte would
//! otherwise come back as another number.

use super::{ColumnData, Table};
use sha2::{Digest, Sha256};

/// SHA-256 over names, kinds and values in order, lower-case hexadecimal; independent of compression and row groups.
pub(super) fn checksum(table: &Table) -> String {
    let mut hash = Sha256::new();
    for (name, column) in table.names().iter().zip(table.columns()) {
        text(&mut hash, name);
        text(&mut hash, column.kind());
        hash.update((column.len() as u64).to_le_bytes());
        add(&mut hash, column);
    }
    super::row::hex(&hash.finalize())
}

fn add(hash: &mut Sha256, column: &ColumnData) {
    match column {
        ColumnData::Str(it) => each(hash, it, |hash, it| text(hash, it)),
        ColumnData::Int(it) => each(hash, it, |hash, it| hash.update(it.to_le_bytes())),
        ColumnData::Float(it) => each(hash, it, |hash, it| hash.update(it.to_le_bytes())),
        ColumnData::Bool(it) => each(hash, it, |hash, it| hash.update([u8::from(*it)])),
        ColumnData::Floats(it) => each(hash, it, |hash, it| {
            hash.update((it.len() as u64).to_le_bytes());
            let bytes: Vec<u8> = it.iter().flat_map(|it| it.to_le_bytes()).collect();
            hash.update(bytes);
        }),
    }
}

fn each<T>(hash: &mut Sha256, values: &[Option<T>], add: impl Fn(&mut Sha256, &T)) {
    for value in values {
        hash.update([u8::from(value.is_some())]);
        if let Some(it) = value {
            add(hash, it);
        }
    }
}

/// The length first, so that no two lists of texts run together to the same bytes.
fn text(hash: &mut Sha256, it: &str) {
    hash.update((it.len() as u64).to_le_bytes());
    hash.update(it.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts() {
        let table = |name: &str, values: &[Option<&str>]| {
            let column = values.iter().map(|it| it.map(str::to_owned)).collect();
            Table::new(vec![(name.to_owned(), ColumnData::Str(column))]).expect("a table")
        };
        let tables = [
            table("a", &[Some("x"), Some("y")]),
            table("b", &[Some("x"), Some("y")]),
            table("a", &[Some("y"), Some("x")]),
            table("a", &[Some("xy"), Some("")]),
            table("a", &[Some("xy"), None]),
            Table::new(vec![("a".to_owned(), ColumnData::Int(vec![Some(1), Some(2)]))]).expect("a table"),
            Table::new(vec![("a".to_owned(), ColumnData::Float(vec![Some(0.0), Some(2.0)]))]).expect("a table"),
            Table::new(vec![("a".to_owned(), ColumnData::Float(vec![Some(-0.0), Some(2.0)]))]).expect("a table"),
        ];
        let sums: std::collections::BTreeSet<String> = tables.iter().map(checksum).collect();
        assert_eq!(sums.len(), tables.len());
    }
}
