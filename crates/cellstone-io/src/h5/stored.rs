//! A numeric dataset on disk: where its bytes are, and reading ranges of rows with all cores.
//!
//! The chunk index comes from `hdf5-pure`; the bytes are read at their positions, and inflated and converted in
//! parallel, each chunk straight into its part of the result. Layouts met once in a thousand files (unallocated
//! chunks, other filters) go through `hdf5-pure`, which is slower but knows them all.

use super::decode::{Decoder, Pipeline};
use super::num::{NumType, Target};
use cellstone_core::{Error, Result};
use hdf5_pure::{ChunkIndex, Dataset, Layout};
use rayon::prelude::*;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Bytes of a contiguous dataset that one task reads.
const PIECE: usize = 1 << 20;

/// A numeric dataset, ready to be read.
pub(crate) struct Stored {
    /// How messages call it: file and dataset.
    label: String,
    file: Arc<std::fs::File>,
    dataset: Dataset,
    shape: Vec<usize>,
    ty: NumType,
    place: Place,
    chunk: Option<Vec<usize>>,
    compression: Option<String>,
}

enum Place {
    Contiguous(u64),
    Chunked {
        chunk: Vec<usize>,
        chunks: Vec<ChunkAt>,
        pipeline: Pipeline,
    },
    /// Left to the HDF5 library.
    Library,
}

#[derive(Clone, Copy)]
struct ChunkAt {
    address: u64,
    stored: usize,
    skipped: u32,
}

/// The last chunk that a window cut through, kept for the window that follows.
#[derive(Default)]
pub(crate) struct Carry(Option<(usize, Vec<u8>)>);

/// One chunk and the part of the result it fills.
struct Job<'a, T> {
    chunk: usize,
    /// First element wanted, and whether more of the chunk follows the last one wanted.
    from: usize,
    cut: bool,
    out: &'a mut [T],
}

impl Stored {
    /// Looks up where the dataset is; reads no data.
    pub(crate) fn new(path: &Path, name: &str, file: Arc<std::fs::File>, dataset: Dataset) -> Result<Self> {
        let label = format!("`{}` dataset `{name}`", path.display());
        let wrap = |error: hdf5_pure::Error| corrupt(&label, &error.to_string());
        let datatype = dataset.datatype().map_err(wrap)?;
        let ty = NumType::of(&datatype).ok_or_else(|| {
            Error::invalid_input(format!("{label} has elements of type {datatype}, expected numbers"))
                .with_hint("in Python: convert it with astype(\"float32\") and write the file again")
        })?;
        let shape: Vec<usize> = dataset.shape().map_err(wrap)?.iter().map(|it| *it as usize).collect();
        let filters = dataset.filter_pipeline();
        let length = file.metadata().map_err(|it| Error::io(path, it))?.len();
        let mut stored = Self {
            compression: Pipeline::describe(&filters),
            chunk: None,
            place: Place::Library,
            label,
            file,
            shape,
            ty,
            dataset,
        };
        let wrap = |error: hdf5_pure::Error| corrupt(&stored.label, &error.to_string());
        let pipeline = Pipeline::of(&filters, ty.size);
        let mut capacity = u64::MAX;
        match stored.dataset.layout().map_err(wrap)? {
            Layout::Contiguous { address: Some(address), .. } => {
                capacity = length.saturating_sub(address);
                stored.place = Place::Contiguous(address);
            }
            Layout::Chunked { chunk_shape, index } => {
                let chunk: Vec<usize> = chunk_shape.iter().map(|it| *it as usize).collect();
                stored.chunk = Some(chunk.clone());
                // Chunks under a version-2 B-tree are not enumerated by `hdf5-pure`.
                if let Some(pipeline) = pipeline.filter(|_| index != ChunkIndex::BTreeV2) {
                    capacity = length.saturating_mul(pipeline.expansion());
                    if let Some(chunks) = stored.locate(&chunk, length)? {
                        stored.place = Place::Chunked { chunk, chunks, pipeline };
                    }
                }
            }
            _ => {}
        }
        let needed = stored.shape.iter().try_fold(ty.size as u64, |all, it| all.checked_mul(*it as u64));
        // Unallocated storage reads as zeros, so only allocated layouts can contradict the length of the file.
        if matches!(stored.place, Place::Library) || needed.is_some_and(|it| it <= capacity) {
            return Ok(stored);
        }
        Err(corrupt(&stored.label, &format!("shape {:?} does not fit a file of {length} bytes", stored.shape)))
    }

    /// Chunks in grid order; `None` if some are not allocated or the index is of a kind left to the library.
    fn locate(&self, chunk: &[usize], length: u64) -> Result<Option<Vec<ChunkAt>>> {
        if self.shape.len() > 2 || chunk.len() != self.shape.len() || chunk.contains(&0) {
            return Ok(None);
        }
        let grid: Vec<usize> = self.shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).collect();
        let total = grid.iter().try_fold(1_usize, |all, it| all.checked_mul(*it));
        let listed = self.dataset.chunks().map_err(|it| corrupt(&self.label, &format!("chunk index: {it}")))?;
        if total != Some(listed.len()) {
            return Ok(None);
        }
        let mut chunks = vec![None; listed.len()];
        for it in &listed {
            let mut cell = 0;
            for axis in 0..grid.len() {
                cell = cell * grid[axis] + (it.offset[axis] as usize / chunk[axis]).min(grid[axis] - 1);
            }
            if it.address.checked_add(it.storage_size).is_none_or(|end| end > length) {
                return Err(corrupt(
                    &self.label,
                    &format!("chunk at {:?} lies beyond the {length} bytes of the file", it.offset),
                )
                .with_hint("the file is truncated: copy or download it again"));
            }
            chunks[cell] =
                Some(ChunkAt { address: it.address, stored: it.storage_size as usize, skipped: it.filter_mask });
        }
        Ok(chunks.into_iter().collect())
    }

    /// Extents of the dataset.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Type of an element.
    pub(crate) fn ty(&self) -> NumType {
        self.ty
    }

    /// Extents of a chunk, where the dataset is chunked.
    pub(crate) fn chunk(&self) -> Option<&[usize]> {
        self.chunk.as_deref()
    }

    /// The filters, in words.
    pub(crate) fn compression(&self) -> Option<&str> {
        self.compression.as_deref()
    }

    /// How messages call it.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Every element, in row-major order.
    pub(crate) fn read_all<T: Target>(&self) -> Result<Vec<T>> {
        if let Some(n) = self.shape.first() {
            self.read_rows(0..*n, &mut Carry::default())
        } else {
            let bytes = self.dataset.read_raw().map_err(|it| corrupt(&self.label, &it.to_string()))?;
            let mut out = vec![T::default()];
            self.convert(&bytes, &mut out, 0)?;
            Ok(out)
        }
    }

    /// A window of rows (elements, where there is one axis), in row-major order.
    pub(crate) fn read_rows<T: Target>(&self, rows: Range<usize>, carry: &mut Carry) -> Result<Vec<T>> {
        if rows.end > self.shape[0] {
            return Err(Error::invalid_input(format!(
                "{} has {} rows, expected at least {}",
                self.label, self.shape[0], rows.end
            )));
        }
        let width: usize = self.shape[1..].iter().product();
        let mut out = vec![T::default(); rows.len() * width];
        match &self.place {
            _ if out.is_empty() => {}
            Place::Contiguous(address) => self.read_contiguous(*address, rows.start * width, &mut out)?,
            Place::Chunked { chunk, chunks, pipeline } if chunk.len() == 1 || chunk[1] == width => {
                self.read_bands(chunk[0], chunks, pipeline, width, rows, carry, &mut out)?;
            }
            Place::Chunked { chunk, chunks, pipeline } => {
                self.read_tiles(chunk, chunks, pipeline, rows, &mut out)?;
            }
            Place::Library => {
                let bytes = self
                    .dataset
                    .read_raw_rows(rows.start as u64, rows.len() as u64)
                    .map_err(|it| corrupt(&self.label, &it.to_string()))?;
                if bytes.len() != out.len() * self.ty.size {
                    return Err(corrupt(&self.label, &format!("rows {rows:?} come as {} bytes", bytes.len())));
                }
                self.convert(&bytes, &mut out, rows.start * width)?;
            }
        }
        Ok(out)
    }

    fn read_contiguous<T: Target>(&self, address: u64, first: usize, out: &mut [T]) -> Result<()> {
        let size = self.ty.size;
        out.par_chunks_mut(PIECE / size).enumerate().try_for_each_init(Vec::new, |bytes, (at, out)| {
            let first = first + at * (PIECE / size);
            bytes.resize(out.len() * size, 0);
            read_at(&self.file, bytes, address + (first * size) as u64)
                .map_err(|it| corrupt(&self.label, &it.to_string()))?;
            self.convert(bytes, out, first)
        })
    }

    /// Chunks that span the whole width: each fills one contiguous piece of the result.
    #[expect(clippy::too_many_arguments, reason = "the parts of one layout, split by the caller's match")]
    fn read_bands<T: Target>(
        &self,
        height: usize,
        chunks: &[ChunkAt],
        pipeline: &Pipeline,
        width: usize,
        rows: Range<usize>,
        carry: &mut Carry,
        out: &mut [T],
    ) -> Result<()> {
        let mut jobs = Vec::new();
        let mut rest = out;
        for chunk in rows.start / height..=(rows.end - 1) / height {
            let from = rows.start.max(chunk * height);
            let end = rows.end.min((chunk + 1) * height);
            let (head, tail) = rest.split_at_mut((end - from) * width);
            rest = tail;
            let stop = self.shape[0].min((chunk + 1) * height);
            jobs.push(Job { chunk, from: (from - chunk * height) * width, cut: end < stop, out: head });
        }
        let kept = carry.0.take();
        let keep = Mutex::new(None);
        let expect = height * width * self.ty.size;
        jobs.into_par_iter().try_for_each_init(Decoder::default, |decoder, job| {
            match &kept {
                Some((chunk, bytes)) if *chunk == job.chunk => decoder.bytes.clone_from(bytes),
                _ => self.fetch(job.chunk, &chunks[job.chunk], pipeline, expect, decoder)?,
            }
            let size = self.ty.size;
            let wanted = job.from * size..(job.from + job.out.len()) * size;
            self.convert(&decoder.bytes[wanted], job.out, job.chunk * height * width + job.from)?;
            if job.cut {
                *keep.lock().expect("invariant: no task panics") =
                    Some((job.chunk, std::mem::take(&mut decoder.bytes)));
            }
            Ok::<(), Error>(())
        })?;
        carry.0 = keep.into_inner().expect("invariant: no task panics");
        Ok(())
    }

    /// Chunks narrower than the dataset: decoded apart, then laid side by side.
    fn read_tiles<T: Target>(
        &self,
        chunk: &[usize],
        chunks: &[ChunkAt],
        pipeline: &Pipeline,
        rows: Range<usize>,
        out: &mut [T],
    ) -> Result<()> {
        let (height, breadth, width) = (chunk[0], chunk[1], self.shape[1]);
        let across = width.div_ceil(breadth);
        for band in rows.start / height..=(rows.end - 1) / height {
            let from = rows.start.max(band * height);
            let end = rows.end.min((band + 1) * height);
            let tiles: Vec<Vec<T>> = (0..across)
                .into_par_iter()
                .map_init(Decoder::default, |decoder, tile| {
                    let at = band * across + tile;
                    self.fetch(at, &chunks[at], pipeline, height * breadth * self.ty.size, decoder)?;
                    let first = (from - band * height) * breadth;
                    let mut values = vec![T::default(); (end - from) * breadth];
                    let size = self.ty.size;
                    let bytes = &decoder.bytes[first * size..(first + values.len()) * size];
                    self.convert(bytes, &mut values, from * width + tile * breadth)?;
                    Ok(values)
                })
                .collect::<Result<_>>()?;
            let band_out = &mut out[(from - rows.start) * width..(end - rows.start) * width];
            band_out.par_chunks_mut(width).enumerate().for_each(|(row, out)| {
                for (tile, values) in tiles.iter().enumerate() {
                    let cols = tile * breadth..width.min((tile + 1) * breadth);
                    let n = cols.len();
                    out[cols].copy_from_slice(&values[row * breadth..row * breadth + n]);
                }
            });
        }
        Ok(())
    }

    fn fetch(
        &self,
        number: usize,
        at: &ChunkAt,
        pipeline: &Pipeline,
        expect: usize,
        decoder: &mut Decoder,
    ) -> Result<()> {
        let named = |what: &str| corrupt(&self.label, &format!("chunk {number}: {what}"));
        decoder.bytes.resize(at.stored, 0);
        read_at(&self.file, &mut decoder.bytes, at.address).map_err(|it| named(&it.to_string()))?;
        pipeline.decode(at.skipped, expect, decoder).map_err(|it| named(&it))
    }

    fn convert<T: Target>(&self, bytes: &[u8], out: &mut [T], first: usize) -> Result<()> {
        self.ty.decode(bytes, out).map_err(|at| {
            let mut value = [0.0_f64];
            let size = self.ty.size;
            // Only for the message: a value that even this cannot hold is shown as its type alone.
            let shown = match self.ty.decode(&bytes[at * size..(at + 1) * size], &mut value) {
                Ok(()) => value[0].to_string(),
                Err(_) => format!("a large {}", self.ty.name()),
            };
            Error::invalid_input(format!(
                "{} element {} is {shown} ({}), expected {}",
                self.label,
                first + at,
                self.ty.name(),
                T::EXPECTED
            ))
        })
    }
}

/// Data that a file promises but does not hold.
pub(crate) fn corrupt(label: &str, what: &str) -> Error {
    Error::invalid_input(format!("{label} is corrupt: {what}"))
        .with_hint("copy or download the file again and compare its checksum")
}

#[cfg(unix)]
pub(crate) fn read_at(file: &std::fs::File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &std::fs::File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes = &mut bytes[n..];
        at += n as u64;
    }
    Ok(())
}
