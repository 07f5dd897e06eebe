//! Header messages: datatypes, dataspaces, attributes, and the checksum of the headers that hold them.

/// Element types that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elem {
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    /// h5py's boolean: an 8-bit enumeration of `FALSE` and `TRUE`.
    Bool,
    /// A reference to a UTF-8 string of any length in a global heap.
    Str,
}

impl Elem {
    /// Bytes of an element.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::I8 | Self::Bool => 1,
            Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
            Self::Str => 16,
        }
    }

    /// The datatype message.
    pub(crate) fn datatype(self) -> Vec<u8> {
        let size = self.size() as u32;
        let head = |class: u8, bits: [u8; 3]| {
            let mut bytes = vec![0x10 | class, bits[0], bits[1], bits[2]];
            bytes.extend(size.to_le_bytes());
            bytes
        };
        match self {
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => {
                // Bit 3: signed. Then bit offset and precision.
                let mut bytes = head(0, [0x08, 0, 0]);
                bytes.extend([0, 0]);
                bytes.extend((size as u16 * 8).to_le_bytes());
                bytes
            }
            Self::F32 | Self::F64 => {
                // Implied leading mantissa bit; the sign bit is the highest.
                let mut bytes = head(1, [0x20, size as u8 * 8 - 1, 0]);
                bytes.extend([0, 0]);
                bytes.extend((size as u16 * 8).to_le_bytes());
                let (at, wide, mantissa, bias) =
                    if self == Self::F32 { (23, 8, 23, 127_u32) } else { (52, 11, 52, 1023) };
                bytes.extend([at, wide, 0, mantissa]);
                bytes.extend(bias.to_le_bytes());
                bytes
            }
            Self::Bool => {
                let mut bytes = head(8, [2, 0, 0]);
                bytes.extend(Self::I8.datatype());
                bytes.extend(b"FALSE\0\0\0TRUE\0\0\0\0\0\x01");
                bytes
            }
            Self::Str => {
                // A string (1) ended by NUL (0 << 4), in UTF-8 (1), of unsigned bytes.
                let mut bytes = head(9, [0x01, 0x01, 0]);
                bytes.extend([0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0]);
                bytes
            }
        }
    }
}

/// The dataspace message: a scalar, or an array of fixed extents.
pub(crate) fn dataspace(shape: Option<&[usize]>) -> Vec<u8> {
    let Some(shape) = shape else { return vec![2, 0, 0, 0] };
    let mut bytes = vec![2, shape.len() as u8, 0, 1];
    for it in shape {
        bytes.extend((*it as u64).to_le_bytes());
    }
    bytes
}

/// An attribute message.
pub(crate) fn attribute(name: &str, elem: Elem, shape: Option<&[usize]>, value: &[u8]) -> Vec<u8> {
    let (datatype, dataspace) = (elem.datatype(), dataspace(shape));
    let mut bytes = vec![3, 0];
    for size in [name.len() + 1, datatype.len(), dataspace.len()] {
        bytes.extend((size as u16).to_le_bytes());
    }
    // The name is UTF-8 and ends with NUL.
    bytes.push(1);
    bytes.extend(name.as_bytes());
    bytes.push(0);
    bytes.extend(datatype);
    bytes.extend(dataspace);
    bytes.extend(value);
    bytes
}

/// A hard link to an object, by a UTF-8 name.
pub(crate) fn link(name: &str, address: u64) -> Vec<u8> {
    // Version 1; a two-byte name length (1) and a character set field (1 << 4).
    let mut bytes = vec![1, 0x11, 1];
    bytes.extend((name.len() as u16).to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.extend(address.to_le_bytes());
    bytes
}

/// An object header of the given messages (type, body).
pub(crate) fn object_header(messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let size: usize = messages.iter().map(|it| 4 + it.1.len()).sum();
    // Version 2; the size that follows has four bytes (2).
    let mut bytes = b"OHDR\x02\x02".to_vec();
    bytes.extend((size as u32).to_le_bytes());
    for (kind, body) in messages {
        bytes.push(*kind);
        bytes.extend((body.len() as u16).to_le_bytes());
        bytes.push(0);
        bytes.extend(body);
    }
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Bob Jenkins' lookup3 (`hashlittle`, public domain), the checksum of HDF5 metadata.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    let tail = if bytes.is_empty() { 0 } else { (bytes.len() - 1) / 12 * 12 };
    let add = |state: &mut [u32; 3], bytes: &[u8]| {
        let mut block = [0; 12];
        block[..bytes.len()].copy_from_slice(bytes);
        for (word, raw) in state.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = word.wrapping_add(u32::from_le_bytes(*raw));
        }
    };
    for block in bytes[..tail].chunks_exact(12) {
        add(&mut state, block);
        let [mut a, mut b, mut c] = state;
        for shifts in [[4, 6, 8], [16, 19, 4]] {
            a = a.wrapping_sub(c) ^ c.rotate_left(shifts[0]);
            c = c.wrapping_add(b);
            b = b.wrapping_sub(a) ^ a.rotate_left(shifts[1]);
            a = a.wrapping_add(c);
            c = c.wrapping_sub(b) ^ b.rotate_left(shifts[2]);
            b = b.wrapping_add(a);
        }
        state = [a, b, c];
    }
    if bytes.is_empty() {
        return state[2];
    }
    add(&mut state, &bytes[tail..]);
    let [mut a, mut b, mut c] = state;
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_the_reference() {
        // Values printed by `driver5` of lookup3.c (Bob Jenkins, 2006), initial value 0.
        assert_eq!(checksum(b""), 0xdead_beef);
        assert_eq!(checksum(b"Four score and seven years ago"), 0x1777_0551);
    }
}
