//! Values by gene in temporary files, for streams that do not fit into memory and are too slow to read many times.
//!
//! One pass over the cells appends every chunk to one file for each range of genes; each file is then read once.

use super::columns::Chunk;
use cellstone_core::{Error, Result};
use rayon::prelude::*;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Ranges of genes; memory holds one of them at a time.
const FILES: usize = 128;

/// Files without a name, which the system removes when they are closed.
pub(super) struct Spill {
    dir: PathBuf,
    files: Vec<(File, Range<usize>)>,
    n_chunks: usize,
}

impl Spill {
    pub(super) fn new(dir: &Path, n_genes: usize) -> Result<Self> {
        let width = n_genes.div_ceil(FILES).max(1);
        let file = |start: usize| {
            let file = tempfile::tempfile_in(dir).map_err(|it| Error::io(dir, it))?;
            Ok((file, start..n_genes.min(start + width)))
        };
        let files = (0..n_genes).step_by(width).map(file).collect::<Result<_>>()?;
        Ok(Self { dir: dir.to_owned(), files, n_chunks: 0 })
    }

    /// Appends chunks that hold all genes.
    pub(super) fn append(&mut self, chunks: &[Chunk]) -> Result<()> {
        self.n_chunks += chunks.len();
        self.files
            .par_iter_mut()
            .try_for_each(|(file, genes)| {
                let mut bytes = Vec::new();
                for chunk in chunks {
                    chunk.encode(genes.clone(), &mut bytes);
                }
                file.write_all(&bytes)
            })
            .map_err(|it| Error::io(&self.dir, it).with_hint("free some space, or name another folder in `spill`"))
    }

    /// Calls `work` with the chunks of every range of genes in turn.
    pub(super) fn each(self, mut work: impl FnMut(Vec<Chunk>, Range<usize>)) -> Result<()> {
        for (mut file, genes) in self.files {
            let read = |file: &mut File| {
                file.seek(SeekFrom::Start(0))?;
                let mut reader = BufReader::with_capacity(1 << 20, file);
                let chunks = (0..self.n_chunks).map(|_| Chunk::decode(&mut reader, genes.len()));
                chunks.collect::<std::io::Result<Vec<Chunk>>>()
            };
            work(read(&mut file).map_err(|it| Error::io(&self.dir, it))?, genes);
        }
        Ok(())
    }
}

impl Chunk {
    /// Boundaries, keys, codes: 4 bytes for each gene and 6 for each value, little-endian.
    fn encode(&self, genes: Range<usize>, bytes: &mut Vec<u8>) {
        let starts = &self.starts[genes.start..=genes.end];
        let words = &self.words[starts[0] as usize..starts[genes.len()] as usize];
        bytes.reserve(4 * starts.len() + 6 * words.len());
        bytes.extend(starts[1..].iter().flat_map(|it| (it - starts[0]).to_le_bytes()));
        bytes.extend(words.iter().flat_map(|it| ((it >> 32) as u32).to_le_bytes()));
        bytes.extend(words.iter().flat_map(|it| (*it as u16).to_le_bytes()));
    }

    fn decode(reader: &mut impl Read, n_genes: usize) -> std::io::Result<Self> {
        let mut bytes = vec![0; 4 * n_genes];
        reader.read_exact(&mut bytes)?;
        let starts: Vec<u32> =
            std::iter::once(0).chain(bytes.as_chunks().0.iter().map(|it| u32::from_le_bytes(*it))).collect();
        let n = starts[n_genes] as usize;
        bytes.resize(6 * n, 0);
        reader.read_exact(&mut bytes)?;
        let (keys, codes) = bytes.split_at(4 * n);
        let (keys, codes) = (keys.as_chunks().0.iter(), codes.as_chunks().0.iter());
        let word = |(key, code): (&[u8; 4], &[u8; 2])| {
            u64::from(u32::from_le_bytes(*key)) << 32 | u64::from(u16::from_le_bytes(*code))
        };
        Ok(Self { starts, words: keys.zip(codes).map(word).collect() })
    }
}
