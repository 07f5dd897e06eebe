//! Text files as chunks of whole lines, gzipped or not, decompressed on a thread of their own.

use cellstone_core::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

/// Bytes read before a chunk is cut at its last line end.
const CHUNK: usize = 1 << 22;

/// Whole lines of a file.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Number of the first line, counted from 1.
    pub first_line: usize,
    /// The lines, each ended by `\n` except perhaps the last of the file.
    pub bytes: Vec<u8>,
}

/// The chunks of a file, in order.
pub(crate) struct Chunks {
    receiver: Receiver<Result<Chunk>>,
}

impl Chunks {
    /// Opens a file and starts to read ahead; gzip is recognised by its first two bytes, not by the name.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let reader = open_bytes(path)?;
        let (sender, receiver) = sync_channel(2);
        let path = path.to_path_buf();
        // The thread ends when the file does or when nobody listens any more.
        std::thread::spawn(move || {
            let mut cutter = Cutter { path, reader, rest: Vec::new(), first_line: 1, done: false };
            while let Some(chunk) = cutter.next_chunk() {
                let failed = chunk.is_err();
                if sender.send(chunk).is_err() || failed {
                    break;
                }
            }
        });
        Ok(Self { receiver })
    }

    /// The next chunk; `None` at the end of the file.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        self.receiver.recv().ok().transpose()
    }
}

/// Lines one by one, for files that are small or read once.
pub(crate) struct Lines {
    path: PathBuf,
    chunks: Chunks,
    chunk: Chunk,
    at: usize,
    line: usize,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let chunk = Chunk { first_line: 1, bytes: Vec::new() };
        Ok(Self { path: path.to_path_buf(), chunks: Chunks::open(path)?, chunk, at: 0, line: 0 })
    }

    /// The next line without its end; `None` at the end of the file.
    pub(crate) fn next_line(&mut self) -> Result<Option<&[u8]>> {
        if self.at >= self.chunk.bytes.len() {
            match self.chunks.next_chunk()? {
                Some(chunk) => (self.chunk, self.at) = (chunk, 0),
                None => return Ok(None),
            }
        }
        let rest = &self.chunk.bytes[self.at..];
        let (line, used) = cut_line(rest);
        self.at += used;
        self.line += 1;
        Ok(Some(line))
    }

    /// The next line as text.
    pub(crate) fn next_text(&mut self) -> Result<Option<String>> {
        let Some(text) = self.next_line()?.map(|it| std::str::from_utf8(it).map(str::to_owned)) else {
            return Ok(None);
        };
        text.map(Some).map_err(|_| self.error("is not UTF-8 text"))
    }

    /// An error at the line read last.
    pub(crate) fn error(&self, what: impl std::fmt::Display) -> Error {
        line_error(&self.path, self.line, what)
    }

    /// Number of the line read last, counted from 1.
    pub(crate) fn number(&self) -> usize {
        self.line
    }

    /// The chunks behind the lines read so far; what is left of the current chunk comes first.
    pub(crate) fn into_chunks(self) -> (Chunk, Chunks) {
        let rest = self.chunk.bytes.get(self.at..).unwrap_or_default().to_vec();
        (Chunk { first_line: self.line + 1, bytes: rest }, self.chunks)
    }
}

/// The first line of `bytes` without its end, and how many bytes it took.
pub(crate) fn cut_line(bytes: &[u8]) -> (&[u8], usize) {
    let end = bytes.iter().position(|it| *it == b'\n');
    let line = &bytes[..end.unwrap_or(bytes.len())];
    (line.strip_suffix(b"\r").unwrap_or(line), end.map_or(bytes.len(), |it| it + 1))
}

/// An error that names file and line.
pub(crate) fn line_error(path: &Path, line: usize, what: impl std::fmt::Display) -> Error {
    Error::invalid_input(format!("`{}` line {line}: {what}", path.display()))
}

/// The bytes of a file, decompressed where they are gzip.
pub(crate) fn open_bytes(path: &Path) -> Result<Box<dyn Read + Send>> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let head = reader.fill_buf().map_err(|error| Error::io(path, error))?;
    if head.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(MultiGzDecoder::new(reader)));
    }
    Ok(Box::new(reader))
}

/// Cuts a byte stream at line ends.
struct Cutter {
    path: PathBuf,
    reader: Box<dyn Read + Send>,
    rest: Vec<u8>,
    first_line: usize,
    done: bool,
}

impl Cutter {
    fn next_chunk(&mut self) -> Option<Result<Chunk>> {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.reserve(CHUNK);
        while !self.done {
            match self.reader.by_ref().take(CHUNK as u64).read_to_end(&mut bytes) {
                Ok(0) => self.done = true,
                Ok(_) => {
                    // A line longer than a chunk keeps the loop reading.
                    if let Some(end) = bytes.iter().rposition(|it| *it == b'\n') {
                        self.rest = bytes.split_off(end + 1);
                        break;
                    }
                }
                Err(error) => return Some(Err(self.failed(&bytes, error))),
            }
        }
        if bytes.is_empty() {
            return None;
        }
        let first_line = self.first_line;
        self.first_line += count_lines(&bytes);
        Some(Ok(Chunk { first_line, bytes }))
    }

    fn failed(&self, bytes: &[u8], error: std::io::Error) -> Error {
        let line = self.first_line + count_lines(bytes);
        match error.kind() {
            ErrorKind::UnexpectedEof => {
                line_error(&self.path, line, "the gzip stream ends early: the file is truncated")
                    .with_hint("copy or download the file again and compare its checksum")
            }
            ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                line_error(&self.path, line, format!("the gzip stream is corrupt ({error})"))
                    .with_hint("copy or download the file again and compare its checksum")
            }
            _ => Error::io(&self.path, error),
        }
    }
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|it| **it == b'\n').count()
}
