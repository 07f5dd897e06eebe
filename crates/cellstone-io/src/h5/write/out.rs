//! The file being written: where the next byte goes, groups and datasets, and how it gets its final name.

use super::chunks::Chunks;
use super::heap::{self, Reserved};
use super::message::{self, Elem};
use crate::atomic::{publish, temporary_beside};
use cellstone_core::{Error, Result};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Bytes of the superblock.
const SUPERBLOCK: usize = 48;
/// Datasets below this are written whole and uncompressed: a chunk index would cost more than it saves.
const SMALL: usize = 4096;
/// What a header message can hold.
const MESSAGE: usize = u16::MAX as usize;

/// Members of a group: name and address.
pub(crate) type Links = Vec<(String, u64)>;

/// Value of an attribute.
#[derive(Debug, Clone)]
pub(crate) enum Attr {
    Str(String),
    Strs(Vec<String>),
    Ints(Vec<i64>),
    Bool(bool),
}

impl From<&str> for Attr {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

/// Bytes, appended.
pub(crate) struct Sink {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    at: u64,
}

impl Sink {
    /// Appends bytes at the next multiple of eight; returns where they went.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<u64> {
        let at = self.at;
        let pad = bytes.len().next_multiple_of(8) - bytes.len();
        let done = self.file.write_all(bytes).and_then(|()| self.file.write_all(&[0; 8][..pad]));
        done.map_err(|it| self.failed(it))?;
        self.at += (bytes.len() + pad) as u64;
        Ok(at)
    }

    /// Where the next bytes go.
    pub(crate) fn position(&self) -> u64 {
        self.at
    }

    /// Replaces bytes already written.
    pub(crate) fn put_at(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let file = &mut self.file;
        let done = file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes));
        let done = done.and_then(|()| file.seek(SeekFrom::Start(self.at)));
        done.map(|_| ()).map_err(|it| self.failed(it))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let error = Error::io(&self.path, error).context("writing");
        if full { error.with_hint("free space on that disk, or write elsewhere") } else { error }
    }
}

/// An HDF5 file being written under a temporary name; dropped unfinished, it leaves nothing.
pub(crate) struct H5Out {
    sink: Sink,
    heap: Reserved,
    level: Option<u32>,
    overwrite: bool,
}

impl H5Out {
    /// Starts a file that will be called `path`.
    pub(crate) fn create(path: &Path, overwrite: bool, level: Option<u32>) -> Result<Self> {
        if let Some(it) = level.filter(|it| *it > 9) {
            return Err(Error::config(format!("gzip level {it}, expected 0 to 9")));
        }
        let file = temporary_beside(path, overwrite)?;
        let mut sink = Sink { path: path.to_owned(), file: BufWriter::with_capacity(1 << 20, file), at: 0 };
        // Until the end this is no HDF5 file, so that nobody takes half of one for a whole.
        sink.put(&[0; SUPERBLOCK])?;
        Ok(Self { sink, heap: Reserved::default(), level, overwrite })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.sink.path
    }

    pub(crate) fn sink(&mut self) -> &mut Sink {
        &mut self.sink
    }

    /// The gzip level of chunked datasets.
    pub(crate) fn level(&self) -> Option<u32> {
        self.level
    }

    /// Writes the header of a group.
    pub(crate) fn group(&mut self, links: &Links, attrs: &[(&str, Attr)]) -> Result<u64> {
        // Link info without a heap or an index (links stand in the header), and default group info.
        let mut info = vec![0, 0];
        info.extend([0xff; 16]);
        let mut messages = vec![(2, info), (10, vec![0, 0])];
        for (name, address) in links {
            if name.is_empty() || name.contains('/') || name == "." {
                return Err(Error::invalid_input(format!(
                    "`{}`: name `{name}` cannot be written, expected one that is not empty and has no slash",
                    self.sink.path.display()
                )));
            }
            messages.push((6, message::link(name, *address)));
        }
        self.header(messages, attrs)
    }

    /// Writes numbers that are in memory, `bytes` in row-major order; the address of the dataset.
    pub(crate) fn array(
        &mut self,
        elem: Elem,
        shape: Option<&[usize]>,
        bytes: &[u8],
        attrs: &[(&str, Attr)],
    ) -> Result<u64> {
        if let Some(shape) = shape
            && bytes.len() >= SMALL
            && self.level.is_some()
            && elem != Elem::Str
            && shape.len() <= 2
        {
            let mut chunks = Chunks::new(elem, shape[1..].iter().product());
            chunks.push(self, bytes.iter().copied())?;
            return chunks.finish(self, shape, attrs);
        }
        let address = if bytes.is_empty() { u64::MAX } else { self.sink.put(bytes)? };
        let mut layout = vec![3, 1];
        layout.extend(address.to_le_bytes());
        layout.extend((bytes.len() as u64).to_le_bytes());
        self.dataset_header(elem, shape, layout, None, attrs)
    }

    /// Writes strings; a scalar where `shape` is `None`.
    pub(crate) fn strings<'a>(
        &mut self,
        texts: impl IntoIterator<Item = &'a str>,
        shape: Option<&[usize]>,
        attrs: &[(&str, Attr)],
    ) -> Result<u64> {
        let references = heap::put_all(&mut self.sink, texts)?;
        self.array(Elem::Str, shape, references.as_flattened(), attrs)
    }

    /// Writes the header of a dataset.
    pub(crate) fn dataset_header(
        &mut self,
        elem: Elem,
        shape: Option<&[usize]>,
        layout: Vec<u8>,
        pipeline: Option<Vec<u8>>,
        attrs: &[(&str, Attr)],
    ) -> Result<u64> {
        // Version 3 fill value: zero, allocated late (contiguous) or as chunks come, written if set.
        let chunked = layout[1] == 2;
        let fill = vec![3, if chunked { 0x0b } else { 0x0a }];
        let mut messages = vec![(1, message::dataspace(shape)), (3, elem.datatype()), (5, fill), (8, layout)];
        messages.extend(pipeline.map(|it| (11, it)));
        self.header(messages, attrs)
    }

    fn header(&mut self, mut messages: Vec<(u8, Vec<u8>)>, attrs: &[(&str, Attr)]) -> Result<u64> {
        for (name, value) in attrs {
            let body = self.attribute(name, value)?;
            messages.push((12, body));
        }
        if let Some((_, body)) = messages.iter().find(|it| it.1.len() > MESSAGE) {
            return Err(Error::invalid_input(format!(
                "`{}`: a list of names takes {} bytes, expected at most {MESSAGE}",
                self.sink.path.display(),
                body.len()
            ))
            .with_hint("a table written to .h5ad has at most about 4,000 columns"));
        }
        self.sink.put(&message::object_header(&messages))
    }

    fn attribute(&mut self, name: &str, value: &Attr) -> Result<Vec<u8>> {
        Ok(match value {
            Attr::Bool(it) => message::attribute(name, Elem::Bool, None, &[u8::from(*it)]),
            Attr::Ints(all) => {
                let bytes: Vec<u8> = all.iter().flat_map(|it| it.to_le_bytes()).collect();
                message::attribute(name, Elem::I64, Some(&[all.len()]), &bytes)
            }
            Attr::Str(it) => {
                let reference = self.heap.put(&mut self.sink, it)?;
                message::attribute(name, Elem::Str, None, &reference)
            }
            Attr::Strs(all) => {
                let mut bytes = Vec::new();
                for it in all {
                    bytes.extend(self.heap.put(&mut self.sink, it)?);
                }
                message::attribute(name, Elem::Str, Some(&[all.len()]), &bytes)
            }
        })
    }

    /// Writes the superblock over the root group, syncs, and gives the file its name.
    pub(crate) fn finish(mut self, root: u64) -> Result<()> {
        self.heap.flush(&mut self.sink)?;
        let mut bytes = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00".to_vec();
        // Base address, no extension, end of file, root group.
        for it in [0, u64::MAX, self.sink.at, root] {
            bytes.extend(it.to_le_bytes());
        }
        bytes.extend(message::checksum(&bytes).to_le_bytes());
        self.sink.put_at(0, &bytes)?;
        let Sink { path, file, .. } = self.sink;
        let failed = |it: std::io::Error| Error::io(&path, it).context("writing");
        let file = file.into_inner().map_err(|it| failed(it.into_error()))?;
        publish(file, &path, self.overwrite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_named_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("out.h5ad");
        let mut out = H5Out::create(&path, false, None).expect("creates");
        // The device of Linux that is always full, in place of the temporary file.
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("exists on Linux");
        let old = out.sink.file.get_mut();
        let temporary = NamedTempFile::new_in(dir.path()).expect("creates").into_temp_path();
        *old = NamedTempFile::from_parts(full, temporary);
        let written = (0..64).try_for_each(|_| out.sink().put(&[1; 1 << 16]).map(|_| ()));
        let error = written.expect_err("nothing fits");
        assert!(error.to_string().starts_with("writing: "), "{error}");
        assert!(error.to_string().contains("out.h5ad`: No space left on device"), "{error}");
        assert_eq!(error.hints(), ["free space on that disk, or write elsewhere"]);
        drop(out);
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
    }
}
