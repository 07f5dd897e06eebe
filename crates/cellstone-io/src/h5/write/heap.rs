//! Global heaps, where strings of any length live.

use super::out::Sink;
use cellstone_core::Result;

/// Bytes of strings that share a collection.
const COLLECTION: usize = 1 << 16;
/// The smallest collection HDF5 makes.
const LEAST: usize = 4096;

/// A collection that is filled over time at a place reserved for it.
#[derive(Default)]
pub(crate) struct Reserved {
    address: u64,
    bytes: Vec<u8>,
    n: u32,
}

impl Reserved {
    /// Stores a short string and returns the reference to it.
    pub(crate) fn put(&mut self, sink: &mut Sink, text: &str) -> Result<[u8; 16]> {
        if text.is_empty() {
            return Ok([0; 16]);
        }
        let need = 16 + text.len().next_multiple_of(8);
        if need > COLLECTION / 4 {
            return Ok(put_all(sink, [text])?[0]);
        }
        if self.bytes.is_empty() || self.bytes.len() + need > COLLECTION {
            self.flush(sink)?;
            self.address = sink.put(&vec![0; COLLECTION])?;
            self.bytes = vec![0; 16];
            self.n = 0;
        }
        self.n += 1;
        push(&mut self.bytes, self.n, text);
        Ok(reference(text, self.address, self.n))
    }

    /// Writes what was collected at its place.
    pub(crate) fn flush(&mut self, sink: &mut Sink) -> Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        close(&mut self.bytes, COLLECTION);
        sink.put_at(self.address, &self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}

/// Stores strings in collections of their own and returns a reference to each.
pub(crate) fn put_all<'a>(sink: &mut Sink, texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<[u8; 16]>> {
    let (mut references, mut open) = (Vec::new(), vec![0_u8; 16]);
    let (mut n, mut waiting) = (0, Vec::new());
    let mut seal = |open: &mut Vec<u8>, waiting: &mut Vec<&'a str>, sink: &mut Sink| -> Result<()> {
        let size = open.len().max(LEAST);
        close(open, size);
        let address = sink.put(open)?;
        let mut number = 0;
        for text in waiting.drain(..) {
            // An empty string is a reference to nothing.
            number += u32::from(!text.is_empty());
            references.push(if text.is_empty() { [0; 16] } else { reference(text, address, number) });
        }
        *open = vec![0; 16];
        Ok(())
    };
    for text in texts {
        if n > 0 && open.len() + 16 + text.len() > COLLECTION {
            seal(&mut open, &mut waiting, sink)?;
            n = 0;
        }
        if !text.is_empty() {
            n += 1;
            push(&mut open, n, text);
        }
        waiting.push(text);
    }
    if !waiting.is_empty() {
        seal(&mut open, &mut waiting, sink)?;
    }
    Ok(references)
}

fn push(bytes: &mut Vec<u8>, number: u32, text: &str) {
    bytes.extend((number as u16).to_le_bytes());
    bytes.extend([1, 0, 0, 0, 0, 0]);
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

/// Writes the head and fills a collection up to its size; what is free is object 0.
fn close(bytes: &mut Vec<u8>, size: usize) {
    let free = size - bytes.len();
    if free >= 16 {
        bytes.extend([0; 8]);
        bytes.extend((free as u64).to_le_bytes());
    }
    bytes.resize(size, 0);
    bytes[..8].copy_from_slice(b"GCOL\x01\0\0\0");
    bytes[8..16].copy_from_slice(&(size as u64).to_le_bytes());
}

fn reference(text: &str, address: u64, number: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
    bytes[4..12].copy_from_slice(&address.to_le_bytes());
    bytes[12..].copy_from_slice(&number.to_le_bytes());
    bytes
}
