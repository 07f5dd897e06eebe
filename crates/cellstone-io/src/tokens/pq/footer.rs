//! The schema of a file and its footer.

use super::out::Group;
use super::page::{PLAIN, RLE, RLE_DICTIONARY};
use super::thrift::{BINARY, I32, STRUCT, Thrift};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Long,
    Float,
    Double,
    IntList,
    FloatList,
}

/// A column and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

const OPTIONAL: i32 = 1;
const REPEATED: i32 = 2;
const ZSTD: i32 = 6;

impl Kind {
    /// Number of the physical type.
    fn physical(self) -> i32 {
        match self {
            Self::Int | Self::IntList => 1,
            Self::Long => 2,
            Self::Float | Self::FloatList => 4,
            Self::Double => 5,
            Self::Text => 6,
        }
    }

    fn is_list(self) -> bool {
        matches!(self, Self::IntList | Self::FloatList)
    }
}

/// `FileMetaData`: schema, row groups and notes.
pub(super) fn footer(fields: &[Field], groups: &[Group], notes: &[(String, String)]) -> Vec<u8> {
    let mut it = Thrift::default();
    it.i32(1, 1);
    schema(&mut it, fields);
    it.i64(3, groups.iter().map(|it| it.rows as i64).sum());
    it.list(4, STRUCT, groups.len());
    groups.iter().for_each(|group| row_group(&mut it, fields, group));
    if !notes.is_empty() {
        it.list(5, STRUCT, notes.len());
        for (key, value) in notes {
            it.begin_element();
            it.text(1, key);
            it.text(2, value);
            it.end();
        }
    }
    it.text(6, concat!("cellstone version ", env!("CARGO_PKG_VERSION")));
    it.finish()
}

fn schema(it: &mut Thrift, fields: &[Field]) {
    let lists = fields.iter().filter(|it| it.kind.is_list()).count();
    it.list(2, STRUCT, 1 + fields.len() + 2 * lists);
    group(it, "schema", None, fields.len() as i32, false);
    for field in fields {
        if field.kind.is_list() {
            // Three levels, with the names that the format prescribes.
            group(it, &field.name, Some(OPTIONAL), 1, true);
            group(it, "list", Some(REPEATED), 1, false);
            leaf(it, "element", field.kind);
        } else {
            leaf(it, &field.name, field.kind);
        }
    }
}

fn group(it: &mut Thrift, name: &str, repetition: Option<i32>, children: i32, list: bool) {
    it.begin_element();
    if let Some(repetition) = repetition {
        it.i32(3, repetition);
    }
    it.text(4, name);
    it.i32(5, children);
    if list {
        // The converted type LIST and the logical type of the same name.
        it.i32(6, 3);
        it.begin(10);
        it.begin(3);
        it.end();
        it.end();
    }
    it.end();
}

fn leaf(it: &mut Thrift, name: &str, kind: Kind) {
    it.begin_element();
    it.i32(1, kind.physical());
    it.i32(3, OPTIONAL);
    it.text(4, name);
    if kind == Kind::Text {
        // The converted type UTF8 and the logical type STRING.
        it.i32(6, 0);
        it.begin(10);
        it.begin(1);
        it.end();
        it.end();
    }
    it.end();
}

fn row_group(it: &mut Thrift, fields: &[Field], group: &Group) {
    it.begin_element();
    it.list(1, STRUCT, group.chunks.len());
    for (field, chunk) in fields.iter().zip(&group.chunks) {
        let has_dictionary = chunk.dictionary_bytes > 0;
        let data_at = chunk.at + chunk.dictionary_bytes;
        it.begin_element();
        it.i64(2, chunk.at as i64);
        it.begin(3);
        it.i32(1, field.kind.physical());
        let encodings: &[i32] = if has_dictionary { &[PLAIN, RLE, RLE_DICTIONARY] } else { &[PLAIN, RLE] };
        it.list(2, I32, encodings.len());
        encodings.iter().for_each(|code| it.element_i32(*code));
        let path: &[&str] = if field.kind.is_list() { &[&field.name, "list", "element"] } else { &[&field.name] };
        it.list(3, BINARY, path.len());
        path.iter().for_each(|name| it.element_text(name));
        it.i32(4, ZSTD);
        it.i64(5, chunk.entries as i64);
        it.i64(6, chunk.raw as i64);
        it.i64(7, chunk.stored as i64);
        it.i64(9, data_at as i64);
        if has_dictionary {
            it.i64(11, chunk.at as i64);
        }
        it.end();
        it.end();
    }
    it.i64(2, group.chunks.iter().map(|it| it.raw as i64).sum());
    it.i64(3, group.rows as i64);
    it.i64(5, group.chunks.first().map_or(0, |it| it.at as i64));
    it.i64(6, group.chunks.iter().map(|it| it.stored as i64).sum());
    it.end();
}
