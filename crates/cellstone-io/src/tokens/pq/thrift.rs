//! The compact Thrift encoding, as far as page headers and footers need it.
//!
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>

/// Types of fields and elements.
pub(super) const I32: u8 = 5;
pub(super) const BINARY: u8 = 8;
pub(super) const STRUCT: u8 = 12;
const I64: u8 = 6;
const LIST: u8 = 9;

/// A struct being written; fields come in ascending order of their ids.
#[derive(Debug, Default)]
pub(super) struct Thrift {
    bytes: Vec<u8>,
    /// Id of the last field of every open struct, the innermost last.
    last: Vec<i16>,
    id: i16,
}

impl Thrift {
    pub(super) fn i32(&mut self, id: i16, value: i32) {
        self.field(id, I32);
        self.zigzag(i64::from(value));
    }

    pub(super) fn i64(&mut self, id: i16, value: i64) {
        self.field(id, I64);
        self.zigzag(value);
    }

    pub(super) fn text(&mut self, id: i16, value: &str) {
        self.field(id, BINARY);
        self.element_text(value);
    }

    /// A struct as a field, closed by [`Thrift::end`].
    pub(super) fn begin(&mut self, id: i16) {
        self.field(id, STRUCT);
        self.begin_element();
    }

    /// A struct as an element of a list, closed by [`Thrift::end`].
    pub(super) fn begin_element(&mut self) {
        self.last.push(self.id);
        self.id = 0;
    }

    pub(super) fn end(&mut self) {
        self.bytes.push(0);
        self.id = self.last.pop().unwrap_or(0);
    }

    /// A list, followed by its `n` elements.
    pub(super) fn list(&mut self, id: i16, element: u8, n: usize) {
        self.field(id, LIST);
        if n < 15 {
            self.bytes.push((n as u8) << 4 | element);
        } else {
            self.bytes.push(0xf0 | element);
            self.varint(n as u64);
        }
    }

    pub(super) fn element_text(&mut self, value: &str) {
        self.varint(value.len() as u64);
        self.bytes.extend(value.as_bytes());
    }

    pub(super) fn element_i32(&mut self, value: i32) {
        self.zigzag(i64::from(value));
    }

    /// The outermost struct, closed.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    fn field(&mut self, id: i16, kind: u8) {
        let step = id - self.id;
        if (1..=15).contains(&step) {
            self.bytes.push((step as u8) << 4 | kind);
        } else {
            self.bytes.push(kind);
            self.zigzag(i64::from(id));
        }
        self.id = id;
    }

    fn zigzag(&mut self, value: i64) {
        self.varint((value << 1 ^ value >> 63) as u64);
    }

    fn varint(&mut self, value: u64) {
        varint(&mut self.bytes, value);
    }
}

/// Seven bits a byte, the lowest first.
pub(super) fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_as_the_specification_has_them() {
        let mut thrift = Thrift::default();
        thrift.i32(1, 1);
        thrift.begin(5);
        thrift.i64(1, -1);
        thrift.text(20, "ab");
        thrift.end();
        thrift.list(6, I32, 2);
        thrift.element_i32(3);
        thrift.element_i32(-300);
        assert_eq!(thrift.finish(), [0x15, 2, 0x4c, 0x16, 1, 0x08, 40, 2, b'a', b'b', 0, 0x19, 0x25, 6, 0xd7, 4, 0]);
    }
}
