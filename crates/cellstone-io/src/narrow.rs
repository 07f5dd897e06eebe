//! Whole numbers of 8 and 16 bits in parquet, read as 32 bits.
//!
//! Parquet stores them as 32-bit integers; only two notes in the footer say that the values are narrow. The polars
//! build of this workspace holds no such type, so the notes are changed, in place, before polars reads the footer.
//! Layout: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>, encoded as in
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use cellstone_core::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const MAGIC: &[u8; 4] = b"PAR1";

/// Converted types as they stand in the file (zigzag): narrow ones, and the one of 32 bits of the same sign.
const CONVERTED: [(u8, u8); 4] = [(22, 26), (24, 26), (30, 34), (32, 34)];

/// The end of a parquet file, between two markers so that it reads as a file of its own, with narrow integers widened.
///
/// # Errors
/// If the file cannot be read or does not end in a footer.
pub(crate) fn widened_footer(path: &Path, file: &mut File) -> Result<Vec<u8>> {
    let io = |error| Error::io(path, error);
    let cut = |why: &str| {
        Error::invalid_input(format!("`{}` is not readable as parquet ({why})", path.display()))
            .with_hint("the file may be truncated: copy or download it again and compare its checksum")
    };
    let length = file.seek(SeekFrom::End(0)).map_err(io)?;
    let mut end = [0; 8];
    if length < 12 {
        return Err(cut(&format!("it has {length} bytes, expected at least 12")));
    }
    file.seek(SeekFrom::Start(length - 8)).map_err(io)?;
    file.read_exact(&mut end).map_err(io)?;
    if &end[4..] != MAGIC {
        return Err(cut("no end marker found, expected PAR1"));
    }
    let size = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if size > length - 12 {
        return Err(cut(&format!("its footer would have {size} of {length} bytes")));
    }
    file.seek(SeekFrom::Start(length - 8 - size)).map_err(io)?;
    let mut tail = MAGIC.to_vec();
    file.take(size + 8).read_to_end(&mut tail).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let body = 4..tail.len() - 8;
    // What this walk does not understand is left to polars, which says what is wrong with it.
    let _ = widen(&mut tail[body]);
    Ok(tail)
}

/// Changes the notes of every column of `FileMetaData.schema`; `None` if the bytes are no such thing.
fn widen(footer: &mut [u8]) -> Option<()> {
    let mut walk = Walk { bytes: footer, at: 0 };
    walk.fields(&mut |walk, field, kind| {
        if (field, kind) != (2, LIST) {
            return walk.skip(kind, 0);
        }
        let (n, element) = walk.list()?;
        if element != STRUCT {
            return None;
        }
        (0..n).try_for_each(|_| walk.fields(&mut Walk::schema_element))
    })
}

const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A place in a compact Thrift struct.
struct Walk<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

type Visit<'v, 'a> = dyn FnMut(&mut Walk<'a>, i64, u8) -> Option<()> + 'v;

impl<'a> Walk<'a> {
    /// `SchemaElement`: field 6 is the converted type, field 10 the union `LogicalType`.
    fn schema_element(&mut self, field: i64, kind: u8) -> Option<()> {
        match field {
            6 => {
                let byte = self.bytes.get_mut(self.at)?;
                if let Some((_, wide)) = CONVERTED.iter().find(|it| it.0 == *byte) {
                    *byte = *wide;
                }
                self.skip(kind, 0)
            }
            10 if kind == STRUCT => self.fields(&mut Self::logical_type),
            _ => self.skip(kind, 0),
        }
    }

    /// `LogicalType`: member 10 is `IntType`, whose field 1 is the number of bits, one byte.
    fn logical_type(&mut self, member: i64, kind: u8) -> Option<()> {
        if (member, kind) != (10, STRUCT) {
            return self.skip(kind, 0);
        }
        self.fields(&mut |walk, field, kind| {
            if field == 1 {
                let bits = walk.bytes.get_mut(walk.at)?;
                if matches!(*bits, 8 | 16) {
                    *bits = 32;
                }
            }
            walk.skip(kind, 0)
        })
    }

    /// Calls `visit` for every field of the struct that begins here, with the place at the value.
    fn fields(&mut self, visit: &mut Visit<'_, 'a>) -> Option<()> {
        let mut field = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            field = if head >> 4 == 0 { self.zigzag()? } else { field + i64::from(head >> 4) };
            visit(self, field, head & 15)?;
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        // Deeper than any footer; a damaged one must not exhaust the stack.
        if depth > 32 {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.byte().map(|_| ()),
            4..=6 => self.varint().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let n = self.varint()?;
                self.advance(n)
            }
            LIST | 10 => {
                let (n, element) = self.list()?;
                (0..n).try_for_each(|_| self.skip_element(element, depth))
            }
            11 => {
                let n = self.varint()?;
                let kinds = if n == 0 { 0 } else { self.byte()? };
                (0..n).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 15, depth)
                })
            }
            STRUCT => self.fields(&mut |walk, _, kind| walk.skip(kind, depth + 1)),
            _ => None,
        }
    }

    /// In a list a truth value takes a byte; in a field it is part of the type.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        if matches!(kind, 1 | 2) { self.advance(1) } else { self.skip(kind, depth + 1) }
    }

    /// Number and type of the elements of a list.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let n = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((n, head & 15))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn advance(&mut self, n: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(n).ok()?).filter(|it| *it <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let it = self.varint()?;
        Some((it >> 1) as i64 ^ -((it & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_of_narrow_columns_change_and_nothing_else() {
        // version 1; schema of two elements: INT_8 with IntType(8, signed), then UTF8; num_rows 3.
        let narrow = [0x15, 2, 0x25, 0, 0x18, 1, b'n', 0x25, 30, 0x4c, 0xac, 0x13, 8, 0x11, 0, 0, 0];
        let text = [0x15, 12, 0x38, 1, b't', 0x25, 0, 0];
        let mut footer = vec![0x15, 2, 0x19, 0x2c];
        footer.extend(narrow);
        footer.extend(text);
        footer.extend([0x16, 6, 0]);
        let mut want = footer.clone();
        want[4 + 8] = 34;
        want[4 + 12] = 32;
        widen(&mut footer).expect("a footer");
        assert_eq!(footer, want);
        for keep in 0..footer.len() {
            assert_eq!(widen(&mut footer[..keep].to_vec()), None, "cut after {keep} bytes");
        }
    }

    #[test]
    fn numbers_as_thrift_writes_them() {
        let mut bytes = [0xac, 0x02, 0x01, 0x04];
        let mut walk = Walk { bytes: &mut bytes, at: 0 };
        assert_eq!((walk.varint(), walk.zigzag(), walk.zigzag(), walk.byte()), (Some(300), Some(-1), Some(2), None));
    }
}
