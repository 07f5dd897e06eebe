//! Cutting a stored matrix into blocks of rows with bounded memory, whatever its layout.

use super::matrix::{Located, MatrixKind, check_line};
use crate::h5::Carry;
use cellstone_core::Result;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Stored values a block of a sparse matrix aims at.
const BLOCK_NNZ: usize = 1 << 21;
/// Rows a block never exceeds, so that blocks of near-empty cells stay small too.
const BLOCK_ROWS: usize = 1 << 16;
/// Values of a dense window, unless one band of chunks needs more.
const DENSE_VALUES: usize = 1 << 23;
/// Values of the widest band of chunks that is still read as a whole.
const DENSE_BAND: usize = 1 << 25;
/// Values that one pass over a matrix stored by columns collects.
const CSC_NNZ: usize = 1 << 24;

/// Rows as they come from the file, not yet checked.
pub(crate) struct Raw {
    pub(crate) start: usize,
    pub(crate) indptr: Vec<usize>,
    pub(crate) indices: Vec<u32>,
    pub(crate) data: Vec<f32>,
}

/// Reads a matrix block by block.
pub(crate) struct Reader {
    located: Arc<Located>,
    next: usize,
    carry: (Carry, Carry),
    /// Stored values per cell, once counted: only for a matrix by columns.
    counts: Option<Vec<u32>>,
}

impl Reader {
    pub(crate) fn new(located: Arc<Located>, start: usize) -> Self {
        Self { located, next: start, carry: Default::default(), counts: None }
    }

    /// The next block, or `None` after the last row.
    pub(crate) fn next(&mut self) -> Option<Result<Raw>> {
        if self.next >= self.located.shape.0 {
            return None;
        }
        let block = match self.located.kind {
            MatrixKind::Csr => self.next_csr(),
            MatrixKind::Dense => self.next_dense(),
            MatrixKind::Csc => self.next_csc(),
        };
        if let Ok(it) = &block {
            self.next = it.start + it.indptr.len() - 1;
        }
        Some(block)
    }

    fn next_csr(&mut self) -> Result<Raw> {
        let (start, n) = (self.next, self.located.shape.0);
        let indptr = &self.located.pattern().indptr;
        let limit = n.min(start + BLOCK_ROWS);
        let last = indptr[start..=limit].partition_point(|it| *it <= indptr[start] + BLOCK_NNZ);
        let end = (start + last - 1).max(start + 1);
        let (indptr, indices, data) = self.located.csr_rows(start..end, &mut self.carry)?;
        Ok(Raw { start, indptr, indices, data })
    }

    fn next_dense(&mut self) -> Result<Raw> {
        let (n, width) = self.located.shape;
        let start = self.next;
        let room = |values: usize| (values / width.max(1)).clamp(1, BLOCK_ROWS);
        let rows = match self.located.data.chunk() {
            // Whole bands of chunks: each chunk is inflated once.
            Some([height, ..]) if *height <= room(DENSE_BAND) => {
                let bands = (room(DENSE_VALUES) / height).max(1);
                (start / height + bands) * height - start
            }
            _ => room(DENSE_VALUES),
        };
        let end = n.min(start + rows);
        let values: Vec<f32> = self.located.data.read_rows(start..end, &mut self.carry.0)?;
        Ok(compress(start, end - start, width, &values))
    }

    fn next_csc(&mut self) -> Result<Raw> {
        if self.counts.is_none() {
            self.counts = Some(self.count_rows()?);
        }
        let counts = self.counts.as_ref().expect("invariant: counted above");
        let start = self.next;
        let mut indptr = vec![0];
        for n in &counts[start..counts.len().min(start + BLOCK_ROWS)] {
            let total = indptr[indptr.len() - 1] + *n as usize;
            if indptr.len() > 1 && total > CSC_NNZ {
                break;
            }
            indptr.push(total);
        }
        let rows = start..start + indptr.len() - 1;
        let total = indptr[indptr.len() - 1];
        let (mut next, mut indices, mut data) = (indptr.clone(), vec![0; total], vec![0.0; total]);
        // Columns come in ascending order, so every row fills in ascending order.
        self.each_piece(|cols, bounds, found, values| {
            for (col, ends) in cols.zip(bounds.windows(2)) {
                for at in ends[0]..ends[1] {
                    let row = found[at] as usize;
                    if rows.contains(&row) {
                        let slot = &mut next[row - rows.start];
                        indices[*slot] = col as u32;
                        data[*slot] = values[at];
                        *slot += 1;
                    }
                }
            }
            Ok(())
        })?;
        Ok(Raw { start, indptr, indices, data })
    }

    /// Stored values per cell of a matrix by columns, checking rows on the way.
    fn count_rows(&self) -> Result<Vec<u32>> {
        let located = &self.located;
        let mut counts = vec![0_u32; located.shape.0];
        let mut carry = Carry::default();
        for cols in pieces(&located.pattern().indptr) {
            let indptr = &located.pattern().indptr;
            let window = indptr[cols.start]..indptr[cols.end];
            let rows: Vec<u32> = located.pattern().indices.read_rows(window.clone(), &mut carry)?;
            for col in cols {
                let line = &rows[indptr[col] - window.start..indptr[col + 1] - window.start];
                check_line(col, "gene", line, located.shape.0).map_err(|it| it.context(located.label.clone()))?;
                for row in line {
                    counts[*row as usize] += 1;
                }
            }
        }
        Ok(counts)
    }

    /// Hands on every run of columns: which, their bounds, their rows, their values.
    fn each_piece(&self, mut visit: impl FnMut(Range<usize>, &[usize], &[u32], &[f32]) -> Result<()>) -> Result<()> {
        let mut carry = Default::default();
        for cols in pieces(&self.located.pattern().indptr) {
            let (bounds, rows, values) = self.located.csr_rows(cols.clone(), &mut carry)?;
            visit(cols, &bounds, &rows, &values)?;
        }
        Ok(())
    }
}

/// Runs of lines that hold about [`BLOCK_NNZ`] values each.
fn pieces(indptr: &[usize]) -> Vec<Range<usize>> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    while start + 1 < indptr.len() {
        let last = indptr[start..].partition_point(|it| *it <= indptr[start] + BLOCK_NNZ);
        let end = (start + last - 1).max(start + 1);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

/// Dense rows as sparse rows, zeros dropped, pieces in parallel.
fn compress(start: usize, n: usize, width: usize, values: &[f32]) -> Raw {
    let rows = (1_usize << 18).div_ceil(width.max(1));
    let parts: Vec<(Vec<usize>, Vec<u32>, Vec<f32>)> = values
        .par_chunks(rows * width.max(1))
        .map(|piece| {
            let (mut counts, mut indices, mut data) = (Vec::new(), Vec::new(), Vec::new());
            for row in piece.chunks(width.max(1)) {
                for (col, value) in row.iter().enumerate() {
                    if *value != 0.0 {
                        indices.push(col as u32);
                        data.push(*value);
                    }
                }
                counts.push(indices.len());
            }
            (counts, indices, data)
        })
        .collect();
    let nnz = parts.iter().map(|it| it.1.len()).sum();
    let mut raw = Raw {
        start,
        indptr: Vec::with_capacity(n + 1),
        indices: Vec::with_capacity(nnz),
        data: Vec::with_capacity(nnz),
    };
    raw.indptr.push(0);
    for (counts, indices, data) in parts {
        let base = raw.indices.len();
        raw.indptr.extend(counts.iter().map(|it| base + it));
        raw.indices.extend_from_slice(&indices);
        raw.data.extend_from_slice(&data);
    }
    // A matrix without genes still has its cells.
    raw.indptr.resize(n + 1, nnz);
    raw
}
