//! Products of dense rows.

use super::cells::Cells;
use super::options::LANE;
use super::scale::Scratch;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;

/// Genes that are summed before the sum is added to that of the genes before. The order of summation of a pair, and so
/// its last bits, depend on this alone.
///
/// Counts and their ranks have few levels, so many products of a pair are equal, and adding an equal number to a sum
/// errs the same way every time: the error grows with the length of a panel, not with its root. For 2,435 genes the
/// largest was 1e-5 in one sum, 1.8e-6 with 512 genes at a time and 5e-7 with 128, of which half is the adding up of
/// panels. Short panels cost little: blocks are small enough for their sums to stay in the second-level cache.
// DIVERGES(pair-panels): the protocol adds panels of 512 genes in f64.
const PANEL: usize = 128;

/// Rows in single precision, one after the other; zero rows fill the last block.
pub(super) struct DenseRows {
    values: Vec<f32>,
    n_padded: usize,
    n_genes: usize,
    stride: usize,
}

impl DenseRows {
    /// Calls `fill(row of the input, out, scratch)` for every cell in order; what it returns goes into `centres`.
    pub(super) fn new(
        cells: &Cells,
        n_genes: usize,
        fill: impl Fn(usize, &mut [f32], &mut Scratch) -> f64 + Sync,
        centres: &mut [f32],
    ) -> Self {
        let n_padded = cells.len().next_multiple_of(LANE);
        let stride = stride(n_genes);
        let mut values = vec![0.0; n_padded * stride];
        let rows = values.par_chunks_mut(stride).zip(centres).zip(&cells.order);
        rows.for_each_init(Scratch::default, |scratch, ((out, centre), row)| {
            *centre = fill(*row as usize, &mut out[..n_genes], scratch) as f32;
        });
        Self { values, n_padded, n_genes, stride }
    }

    /// Memory for `n` rows.
    pub(super) fn bytes(n: usize, n_genes: usize) -> u64 {
        4 * n.next_multiple_of(LANE) as u64 * stride(n_genes) as u64
    }

    /// `out[i, j] = ⟨rowᵢ, rowⱼ⟩`, in standard order, on the calling thread.
    ///
    /// The sizes are multiples of [`LANE`], so every product runs through the same inner loop, whatever the block.
    pub(super) fn product(&self, rows: &Range<usize>, cols: &Range<usize>, out: &mut [f32]) {
        let all = MatRef::from_row_major_slice_with_stride(&self.values, self.n_padded, self.n_genes, self.stride);
        let (left, right) = (all.subrows(rows.start, rows.len()), all.subrows(cols.start, cols.len()));
        let mut start = 0;
        while start < self.n_genes {
            // Never a single gene: that is another kind of product.
            let rest = self.n_genes - start;
            let genes = if rest <= PANEL + 1 { rest } else { PANEL };
            let out = MatMut::from_row_major_slice_mut(&mut *out, rows.len(), cols.len());
            let accum = if start == 0 { Accum::Replace } else { Accum::Add };
            let (left, right) = (left.subcols(start, genes), right.subcols(start, genes).transpose());
            matmul(out, accum, left, right, 1.0, Par::Seq);
            start += genes;
        }
    }

    /// Squared length of every row, and 0 for the filling.
    pub(super) fn squared_lengths(&self) -> Vec<f32> {
        self.values
            .par_chunks(self.stride)
            .map(|row| row.iter().map(|it| f64::from(*it) * f64::from(*it)).sum::<f64>() as f32)
            .collect()
    }
}

/// Values from row to row: whole cache lines, and no power of two, which would map all rows to the same ones.
fn stride(n_genes: usize) -> usize {
    let stride = n_genes.next_multiple_of(16);
    if stride.is_multiple_of(256) { stride + 16 } else { stride }
}
