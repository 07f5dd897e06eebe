//! Products of sparse rows: one side is spread out, panel by panel, and the stored values of the other pass over it.

use super::cells::Cells;
use super::options::LANE;
use super::scale::Scratch;
use crate::wide::{Body, wide};
use cellstone_core::Csr;
use pulp::Simd;
use std::ops::Range;

/// Genes of a panel: spread out for [`LANE`] rows it takes 384 KiB, which a second-level cache holds. The order of
/// summation of a pair depends on this alone.
const PANEL: usize = 1024;

/// Stored values in single precision, in the order of the cells.
pub(super) struct SparseRows {
    /// Ends of the panels of every row: entry `row · n_panels + panel` begins a panel, the next one ends it.
    starts: Vec<usize>,
    n_panels: usize,
    /// Gene inside its panel.
    genes: Vec<u16>,
    values: Vec<f32>,
    n_rows: usize,
}

impl SparseRows {
    /// `scale(stored values, scratch)` leaves what is to be stored in `scratch.offsets` and returns the row's centre.
    pub(super) fn new(
        x: &Csr<f32>,
        cells: &Cells,
        scale: impl Fn(&[f32], &mut Scratch) -> f64,
        centres: &mut [f32],
    ) -> Self {
        let n_panels = x.shape().1.div_ceil(PANEL);
        let mut out = Self {
            starts: Vec::with_capacity(cells.len() * n_panels + 1),
            n_panels,
            genes: Vec::with_capacity(x.nnz()),
            values: Vec::with_capacity(x.nnz()),
            n_rows: cells.len(),
        };
        let mut scratch = Scratch::default();
        for (row, centre) in cells.order.iter().zip(centres) {
            let (genes, values) = x.row(*row as usize);
            *centre = scale(values, &mut scratch) as f32;
            let mut at = 0;
            for panel in 0..n_panels {
                out.starts.push(out.genes.len());
                while at < genes.len() && (genes[at] as usize) < (panel + 1) * PANEL {
                    out.genes.push((genes[at] as usize - panel * PANEL) as u16);
                    out.values.push(scratch.offsets[at] as f32);
                    at += 1;
                }
            }
        }
        out.starts.push(out.genes.len());
        out
    }

    fn panel(&self, row: usize, panel: usize) -> (&[u16], &[f32]) {
        let at = row * self.n_panels + panel;
        let range = self.starts[at]..self.starts[at + 1];
        (&self.genes[range.clone()], &self.values[range])
    }

    /// As [`super::dense::DenseRows::product`]; `spread` is a buffer.
    pub(super) fn product(&self, rows: &Range<usize>, cols: &Range<usize>, out: &mut [f32], spread: &mut Vec<f32>) {
        spread.resize(PANEL * LANE, 0.0);
        let stride = cols.len();
        for first in (0..stride).step_by(LANE) {
            for panel in 0..self.n_panels {
                spread.fill(0.0);
                for lane in 0..LANE.min(self.n_rows.saturating_sub(cols.start + first)) {
                    let (genes, values) = self.panel(cols.start + first + lane, panel);
                    for (gene, value) in genes.iter().zip(values) {
                        spread[*gene as usize * LANE + lane] = *value;
                    }
                }
                wide(Pass { all: self, rows, panel, spread, out, stride, first });
            }
        }
    }

    /// Squared length of every row, and 0 for the filling.
    pub(super) fn squared_lengths(&self) -> Vec<f32> {
        let mut lengths: Vec<f32> = (0..self.n_rows)
            .map(|row| {
                let range = self.starts[row * self.n_panels]..self.starts[(row + 1) * self.n_panels];
                self.values[range].iter().map(|it| f64::from(*it) * f64::from(*it)).sum::<f64>() as f32
            })
            .collect();
        lengths.resize(self.n_rows.next_multiple_of(LANE), 0.0);
        lengths
    }
}

/// Adds one panel's share of the products of some rows with [`LANE`] columns.
struct Pass<'a> {
    all: &'a SparseRows,
    rows: &'a Range<usize>,
    panel: usize,
    spread: &'a [f32],
    out: &'a mut [f32],
    stride: usize,
    /// First column.
    first: usize,
}

impl Body for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        // Sums of a row stay in registers.
        match S::F32_LANES {
            16 => self.lanes::<S, 6>(simd),
            8 => self.lanes::<S, 12>(simd),
            4 => self.lanes::<S, 24>(simd),
            _ => self.lanes::<S, LANE>(simd),
        }
    }
}

impl Pass<'_> {
    #[inline(always)]
    fn lanes<S: Simd, const VECTORS: usize>(self, simd: S) {
        let end = self.rows.end.min(self.all.n_rows);
        let (spread, _) = S::as_simd_f32s(self.spread);
        let (spread, _) = spread.as_chunks::<VECTORS>();
        for row in self.rows.start..end {
            let (genes, values) = self.all.panel(row, self.panel);
            let mut sums = [simd.splat_f32s(0.0); VECTORS];
            for (gene, value) in genes.iter().zip(values) {
                let (value, others) = (simd.splat_f32s(*value), &spread[*gene as usize]);
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum = simd.mul_add_e_f32s(value, *other, *sum);
                }
            }
            let at = (row - self.rows.start) * self.stride + self.first;
            let (out, _) = S::as_mut_simd_f32s(&mut self.out[at..at + LANE]);
            for (it, sum) in out.iter_mut().zip(&sums) {
                *it = if self.panel == 0 { *sum } else { simd.add_f32s(*it, *sum) };
            }
        }
    }
}
