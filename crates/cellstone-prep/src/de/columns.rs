//! The non-zero values of a gene with the group of each: from columns, from dense rows, or from cells turned around.

use super::design::EXCLUDED;
use super::sort::pack;
use cellstone_core::{Csc, Csr};
use ndarray::ArrayView2;
use rayon::prelude::*;
use std::ops::Range;

/// Values of a chunk: the words that one core scatters stay in its cache.
const CHUNK_WORDS: usize = 1 << 17;

/// Fewest and most rows of a chunk.
const CHUNK_ROWS: (usize, usize) = (64, 1 << 14);

/// Share of the budget that a shrunken range of genes is expected to fill once all cells are read.
const FILL: f64 = 0.9;

/// Some cells by gene: packed words, for a range of genes.
pub(super) struct Chunk {
    /// Boundaries of the genes in `words`, from 0.
    pub(super) starts: Vec<u32>,
    pub(super) words: Vec<u64>,
}

impl Chunk {
    /// `codes` are those of `rows`.
    fn new(x: &Csr<f32>, rows: Range<usize>, codes: &[u16], genes: &Range<usize>) -> Self {
        let whole = genes.len() == x.shape().1;
        let part = |row: usize| {
            let (cols, values) = x.row(row);
            if whole {
                return (cols, values);
            }
            let from = cols.partition_point(|it| (*it as usize) < genes.start);
            let to = cols.partition_point(|it| (*it as usize) < genes.end);
            (&cols[from..to], &values[from..to])
        };
        let mut starts = vec![0_u32; genes.len() + 1];
        for (row, code) in rows.clone().zip(codes) {
            if *code == EXCLUDED {
                continue;
            }
            let (cols, values) = part(row);
            for (col, value) in cols.iter().zip(values) {
                starts[*col as usize - genes.start + 1] += u32::from(*value != 0.0);
            }
        }
        for gene in 1..starts.len() {
            starts[gene] += starts[gene - 1];
        }
        let mut words = vec![0; starts[genes.len()] as usize];
        let mut next = starts.clone();
        for (row, code) in rows.zip(codes) {
            if *code == EXCLUDED {
                continue;
            }
            let (cols, values) = part(row);
            for (col, value) in cols.iter().zip(values) {
                if *value == 0.0 {
                    continue;
                }
                let slot = &mut next[*col as usize - genes.start];
                words[*slot as usize] = pack(*value, *code);
                *slot += 1;
            }
        }
        Self { starts, words }
    }

    fn truncate(&mut self, n_genes: usize) {
        self.starts.truncate(n_genes + 1);
        self.words.truncate(self.starts[n_genes] as usize);
        self.words.shrink_to_fit();
    }

    fn gene(&self, at: usize) -> &[u64] {
        &self.words[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}

/// Cells turned around, for as many genes as fit the budget.
pub(super) struct Held {
    chunks: Vec<Chunk>,
    /// The genes that are complete once every cell was pushed.
    pub(super) genes: Range<usize>,
    words: usize,
    budget: usize,
    n_seen: usize,
    n_obs: usize,
}

impl Held {
    /// Starts with `genes`; the end moves down when `budget` words are exceeded, to one gene at least.
    pub(super) fn new(genes: Range<usize>, budget: usize, n_obs: usize) -> Self {
        Self { chunks: Vec::new(), genes, words: 0, budget, n_seen: 0, n_obs }
    }

    /// Adds consecutive cells; `codes` are theirs.
    pub(super) fn push(&mut self, x: &Csr<f32>, codes: &[u16]) {
        let n_rows = x.shape().0;
        let share = x.shape().1 / self.genes.len().max(1);
        let per_row = (x.nnz() / n_rows.max(1)).max(1);
        let length = (CHUNK_WORDS * share.max(1) / per_row).clamp(CHUNK_ROWS.0, CHUNK_ROWS.1);
        let starts: Vec<usize> = (0..n_rows).step_by(length).collect();
        // A budget is only kept if memory is looked at between chunks: two rounds of the cores at a time.
        for starts in starts.chunks(32) {
            let genes = &self.genes;
            let chunk = |start: &usize| {
                let rows = *start..n_rows.min(start + length);
                Chunk::new(x, rows.clone(), &codes[rows], genes)
            };
            let chunks: Vec<Chunk> = starts.par_iter().map(chunk).collect();
            self.words += chunks.iter().map(|it| it.words.len()).sum::<usize>();
            self.n_seen += starts.len() * length;
            self.chunks.extend(chunks);
            while self.words > self.budget && self.genes.len() > 1 {
                self.shrink();
            }
        }
        self.n_seen = self.n_seen.min(self.n_obs);
    }

    /// All cells of some genes.
    pub(super) fn complete(chunks: Vec<Chunk>, genes: Range<usize>) -> Self {
        Self { chunks, genes, words: 0, budget: usize::MAX, n_seen: 0, n_obs: 0 }
    }

    /// Hands over what is held if that is more than `words`.
    pub(super) fn take_beyond(&mut self, words: usize) -> Option<Vec<Chunk>> {
        if self.words <= words {
            return None;
        }
        self.words = 0;
        Some(std::mem::take(&mut self.chunks))
    }

    /// Gives up the last genes, as many as the cells to come are expected to need room for.
    fn shrink(&mut self) {
        let seen = (self.n_seen as f64 / self.n_obs.max(1) as f64).clamp(1e-9, 1.0);
        let room = (self.budget as f64 * FILL * seen) as usize;
        let mut held = 0;
        let mut keep = 0;
        while keep < self.genes.len() - 1 {
            held += self.chunks.iter().map(|it| it.gene(keep).len()).sum::<usize>();
            if held > room {
                break;
            }
            keep += 1;
        }
        let keep = keep.max(1);
        self.chunks.par_iter_mut().for_each(|it| it.truncate(keep));
        self.genes.end = self.genes.start + keep;
        self.words = self.chunks.iter().map(|it| it.words.len()).sum();
    }
}

/// Access by gene.
pub(super) enum Columns<'a> {
    Held(&'a Held),
    Csc(&'a Csc<f32>, &'a [u16]),
    Dense(ArrayView2<'a, f32>, &'a [u16]),
}

impl Columns<'_> {
    /// The packed non-zero values of consecutive genes, one list for each.
    pub(super) fn gather(&self, genes: Range<usize>, lists: &mut [Vec<u64>]) {
        lists.iter_mut().for_each(Vec::clear);
        match self {
            Self::Held(held) => {
                for (gene, list) in genes.zip(lists) {
                    for chunk in &held.chunks {
                        list.extend_from_slice(chunk.gene(gene - held.genes.start));
                    }
                }
            }
            Self::Csc(x, codes) => {
                for (gene, list) in genes.zip(lists) {
                    let (rows, values) = x.col(gene);
                    for (row, value) in rows.iter().zip(values) {
                        let code = codes[*row as usize];
                        if code != EXCLUDED && *value != 0.0 {
                            list.push(pack(*value, code));
                        }
                    }
                }
            }
            Self::Dense(x, codes) => {
                for (row, code) in x.rows().into_iter().zip(*codes) {
                    if *code == EXCLUDED {
                        continue;
                    }
                    for (gene, list) in genes.clone().zip(lists.iter_mut()) {
                        let value = row[gene];
                        if value != 0.0 {
                            list.push(pack(value, *code));
                        }
                    }
                }
            }
        }
    }
}
