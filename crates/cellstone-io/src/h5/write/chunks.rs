//! A dataset of unknown length, written chunk by chunk: compressed on all cores, indexed by a B-tree at the end.

use super::message::Elem;
use super::out::{Attr, H5Out, Sink};
use cellstone_core::Result;
use flate2::{Compress, Compression, FlushCompress, Status};
use rayon::prelude::*;

/// Bytes of a chunk before compression: small enough for h5py's cache of 1 MiB, large enough to compress well.
const CHUNK: usize = 1 << 18;
/// Chunks compressed at a time.
const BATCH: usize = 32;
/// Entries of a B-tree node: twice the library's default K of 32.
const FANOUT: usize = 64;

/// Rows that become a chunked dataset.
pub(crate) struct Chunks {
    elem: Elem,
    /// Elements of a row: 1 where there is one axis.
    width: usize,
    rows: usize,
    pending: Vec<u8>,
    written: Vec<(u64, u32)>,
}

impl Chunks {
    /// An empty dataset of rows of `width` elements.
    pub(crate) fn new(elem: Elem, width: usize) -> Self {
        let row = (width * elem.size()).max(1);
        Self { elem, width, rows: (CHUNK / row).max(1), pending: Vec::new(), written: Vec::new() }
    }

    fn size(&self) -> usize {
        self.rows * self.width * self.elem.size()
    }

    /// Appends elements in row-major order.
    pub(crate) fn push(&mut self, out: &mut H5Out, bytes: impl ExactSizeIterator<Item = u8>) -> Result<()> {
        self.pending.extend(bytes);
        self.settle(out)
    }

    /// Appends the little-endian bytes of numbers.
    pub(crate) fn push_all<T: Copy, const N: usize>(
        &mut self,
        out: &mut H5Out,
        values: &[T],
        bytes: impl Fn(T) -> [u8; N],
    ) -> Result<()> {
        // Piecewise, so that what waits stays bounded whatever the length of the block.
        for piece in values.chunks(1 << 20) {
            let at = self.pending.len();
            self.pending.resize(at + piece.len() * N, 0);
            for (slot, value) in self.pending[at..].as_chunks_mut::<N>().0.iter_mut().zip(piece) {
                *slot = bytes(*value);
            }
            self.settle(out)?;
        }
        Ok(())
    }

    fn settle(&mut self, out: &mut H5Out) -> Result<()> {
        let size = self.size();
        if size == 0 || self.pending.len() < BATCH * size {
            return Ok(());
        }
        let whole = self.pending.len() / size * size;
        self.write(out, whole)?;
        self.pending.drain(..whole);
        Ok(())
    }

    fn write(&mut self, out: &mut H5Out, until: usize) -> Result<()> {
        let (size, elem, level) = (self.size(), self.elem.size(), out.level());
        let Some(level) = level else {
            for chunk in self.pending[..until].chunks(size) {
                self.written.push((out.sink().put(chunk)?, size as u32));
            }
            return Ok(());
        };
        for batch in self.pending[..until].chunks(size * BATCH) {
            let packed: Vec<Vec<u8>> = batch
                .par_chunks(size)
                .map_init(
                    || (Compress::new(Compression::new(level), true), Vec::new()),
                    |(compress, planes), chunk| {
                        shuffle(chunk, elem, planes);
                        deflate(compress, planes)
                    },
                )
                .collect();
            for chunk in packed {
                self.written.push((out.sink().put(&chunk)?, chunk.len() as u32));
            }
        }
        Ok(())
    }

    /// Writes what is left, the index and the header; returns the address of the dataset.
    pub(crate) fn finish(mut self, out: &mut H5Out, shape: &[usize], attrs: &[(&str, Attr)]) -> Result<u64> {
        if self.written.is_empty() {
            // Nothing is written yet: a chunk need not be longer than the dataset.
            self.rows = self.rows.min(shape[0]).max(1);
        }
        let size = self.size();
        if !self.pending.is_empty() {
            let padded = self.pending.len().next_multiple_of(size);
            self.pending.resize(padded, 0);
            self.write(out, padded)?;
        }
        let chunk: Vec<usize> = if shape.len() == 1 { vec![self.rows] } else { vec![self.rows, self.width.max(1)] };
        let tree = index(out.sink(), &self.written, &chunk, self.elem.size())?;
        let mut layout = vec![3, 2, shape.len() as u8 + 1];
        layout.extend(tree.to_le_bytes());
        for extent in chunk.iter().chain([&self.elem.size()]) {
            layout.extend((*extent as u32).to_le_bytes());
        }
        let pipeline = out.level().map(|level| {
            // Shuffle (2) with the element size, then deflate (1) with the level; both optional, as h5py writes them.
            let mut bytes = vec![2, 2, 2, 0, 1, 0, 1, 0];
            bytes.extend((self.elem.size() as u32).to_le_bytes());
            bytes.extend([1, 0, 1, 0, 1, 0]);
            bytes.extend(level.to_le_bytes());
            bytes
        });
        out.dataset_header(self.elem, Some(shape), layout, pipeline, attrs)
    }
}

fn shuffle(elements: &[u8], size: usize, planes: &mut Vec<u8>) {
    planes.resize(elements.len(), 0);
    let n = elements.len() / size;
    for (plane, out) in planes.chunks_exact_mut(n.max(1)).enumerate().take(size) {
        for (at, slot) in out.iter_mut().enumerate() {
            *slot = elements[at * size + plane];
        }
    }
}

fn deflate(compress: &mut Compress, bytes: &[u8]) -> Vec<u8> {
    compress.reset();
    // The bound of zlib's `compressBound`, with room to spare.
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + 128);
    let status = compress.compress_vec(bytes, &mut out, FlushCompress::Finish);
    assert!(matches!(status, Ok(Status::StreamEnd)), "invariant: the output has room for incompressible input");
    out
}

/// Writes a version-1 B-tree over chunks stacked along the first axis; returns the address of its root.
fn index(sink: &mut Sink, written: &[(u64, u32)], chunk: &[usize], elem: usize) -> Result<u64> {
    if written.is_empty() {
        return Ok(u64::MAX);
    }
    let key = |at: usize, stored: u32| {
        let last = at == written.len();
        let mut bytes = stored.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(((at * chunk[0]) as u64).to_le_bytes());
        // The key that ends the tree lies beyond the last chunk on every axis.
        for extent in chunk[1..].iter().chain([&elem]) {
            bytes.extend((if last { *extent as u64 } else { 0 }).to_le_bytes());
        }
        bytes
    };
    let key_size = key(0, 0).len();
    let full = 24 + FANOUT * (key_size + 8) + key_size;
    // Children of the level being written: the chunk each starts at, and its address.
    let mut children: Vec<(usize, u64)> = written.iter().enumerate().map(|(at, it)| (at, it.0)).collect();
    for level in 0_u8.. {
        let n_nodes = children.len().div_ceil(FANOUT);
        let first = sink.position();
        let address = |node: usize| first + (node * full) as u64;
        let mut parents = Vec::with_capacity(n_nodes);
        for (node, part) in children.chunks(FANOUT).enumerate() {
            let mut bytes = b"TREE\x01".to_vec();
            bytes.push(level);
            bytes.extend((part.len() as u16).to_le_bytes());
            let neighbor = |there: bool, node: usize| if there { address(node) } else { u64::MAX };
            bytes.extend(neighbor(node > 0, node.wrapping_sub(1)).to_le_bytes());
            bytes.extend(neighbor(node + 1 < n_nodes, node + 1).to_le_bytes());
            for (at, child) in part {
                bytes.extend(key(*at, written[*at].1));
                bytes.extend(child.to_le_bytes());
            }
            let end = children.get((node + 1) * FANOUT).map_or(written.len(), |it| it.0);
            bytes.extend(key(end, written.get(end).map_or(0, |it| it.1)));
            bytes.resize(full, 0);
            let got = sink.put(&bytes)?;
            assert_eq!(got, address(node), "invariant: nodes of one level follow each other");
            parents.push((part[0].0, got));
        }
        if parents.len() == 1 {
            return Ok(parents[0].1);
        }
        children = parents;
    }
    unreachable!("a level has at most a 64th of the nodes of the one below")
}
