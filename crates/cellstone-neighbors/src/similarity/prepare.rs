//! Rows brought to the form in which a product of matrices gives their similarities.

use super::cells::Cells;
use super::dense::DenseRows;
use super::options::{LANE, PairOptions, Rows, Similarity};
use super::scale::{Scale, Scratch};
use super::sparse::SparseRows;
use crate::wide::{Body, wide};
use cellstone_core::{Csr, Result};
use pulp::Simd;
use std::ops::Range;

/// Above so many genes, sparse rows are multiplied as they are.
const SPARSE_ABOVE: usize = 5_000;

/// A share of stored values above which a dense product is faster all the same.
const SPARSE_BELOW: f64 = 0.25;

/// Rows of unit length (correlations, cosine) or of length at most 1 (distances), in the order of the cells.
pub(super) struct Prepared {
    stored: Stored,
    finish: Finish,
    /// Similarity of a value of 1.
    pub(super) unit: f64,
    /// Every value is in here.
    pub(super) bounds: (f32, f32),
}

enum Stored {
    Dense(DenseRows),
    Sparse(SparseRows),
}

/// From a product to a value.
enum Finish {
    /// The product is the value.
    Product,
    /// The product plus `sign · cᵢ cⱼ`. Minus: rows should be centred but are not, so that they stay sparse. Plus: they
    /// are centred although they should not be, because sums of both signs round less.
    Shifted { centres: Vec<f32>, sign: f32 },
    /// `−√(nᵢ + nⱼ − 2 · product)` with squared lengths `n`.
    Distance(Vec<f32>),
}

/// Buffers of one thread.
#[derive(Default)]
pub(super) struct Space {
    pub(super) values: Vec<f32>,
    panel: Vec<f32>,
}

impl Prepared {
    /// # Errors
    /// If the rows would take more memory than allowed.
    pub(super) fn new(
        rows: &Rows<'_>,
        similarity: Similarity,
        cells: &Cells,
        options: &PairOptions<'_>,
    ) -> Result<Self> {
        let n_genes = rows.shape().1;
        let scale = Scale::new(rows, similarity, cells);
        let mut centres = vec![0.0; cells.len().next_multiple_of(LANE)];
        let stored = match rows {
            Rows::Sparse(x) if multiplies_sparse(x) => {
                options.check_memory(8 * x.nnz() as u64, "sparse rows")?;
                let scaled = |row: &[f32], scratch: &mut Scratch| scale.sparse(row, scratch);
                Stored::Sparse(SparseRows::new(x, cells, scaled, &mut centres))
            }
            _ => {
                options.check_memory(DenseRows::bytes(cells.len(), n_genes), "dense rows")?;
                let fill = |row: usize, out: &mut [f32], scratch: &mut Scratch| scale.dense(rows, row, out, scratch);
                Stored::Dense(DenseRows::new(cells, n_genes, fill, &mut centres))
            }
        };
        let finish = match (similarity, &stored) {
            (Similarity::Euclidean, Stored::Dense(it)) => Finish::Distance(it.squared_lengths()),
            (Similarity::Euclidean, Stored::Sparse(it)) => Finish::Distance(it.squared_lengths()),
            (Similarity::Cosine, Stored::Dense(_)) => Finish::Shifted { centres, sign: 1.0 },
            (Similarity::Pearson | Similarity::Spearman, Stored::Sparse(_)) => Finish::Shifted { centres, sign: -1.0 },
            _ => Finish::Product,
        };
        let bounds = if similarity == Similarity::Euclidean { (-2.0, 0.0) } else { (-1.0, 1.0) };
        Ok(Self { stored, finish, unit: scale.radius, bounds })
    }

    /// Values of all pairs of two ranges into `space.values`, row by row; returns the length of a row, which is that of
    /// `cols` and padding. Both ranges start at a multiple of [`LANE`].
    ///
    /// The value of a pair is the same to the last bit in whatever ranges it comes, and on whichever side.
    pub(super) fn values(&self, rows: &Range<usize>, cols: &Range<usize>, space: &mut Space) -> usize {
        let padded = |it: &Range<usize>| it.start..it.end.next_multiple_of(LANE);
        let (rows, cols) = (padded(rows), padded(cols));
        let stride = cols.len();
        space.values.resize(rows.len() * stride, 0.0);
        let values = &mut space.values[..rows.len() * stride];
        match &self.stored {
            Stored::Dense(it) => it.product(&rows, &cols, values),
            Stored::Sparse(it) => it.product(&rows, &cols, values, &mut space.panel),
        }
        // Also clears the upper halves of the vector registers: the product leaves them dirty, which slows plain code.
        wide(FinishBlock { finish: &self.finish, rows, cols, values });
        stride
    }
}

/// Whether products of these rows skip what is not stored.
pub(super) fn multiplies_sparse(x: &Csr<f32>) -> bool {
    let (n, n_genes) = x.shape();
    n_genes > SPARSE_ABOVE && (x.nnz() as f64) < SPARSE_BELOW * n as f64 * n_genes as f64
}

/// The last step of a block of values.
struct FinishBlock<'a> {
    finish: &'a Finish,
    rows: Range<usize>,
    cols: Range<usize>,
    values: &'a mut [f32],
}

impl Body for FinishBlock<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let lines = self.rows.zip(self.values.chunks_exact_mut(self.cols.len()));
        match self.finish {
            Finish::Product => {
                for (_, line) in lines {
                    line.iter_mut().for_each(|it| *it = clamp(*it, -1.0, 1.0));
                }
            }
            Finish::Shifted { centres, sign } => {
                for (row, line) in lines {
                    let own = sign * centres[row];
                    for (it, other) in line.iter_mut().zip(&centres[self.cols.clone()]) {
                        *it = clamp(*it + own * other, -1.0, 1.0);
                    }
                }
            }
            Finish::Distance(lengths) => {
                for (row, line) in lines {
                    let own = lengths[row];
                    for (it, other) in line.iter_mut().zip(&lengths[self.cols.clone()]) {
                        // Subtracted from 0, so that no distance is a plain 0 and not −0.
                        *it = 0.0 - clamp((own + other) - 2.0 * *it, 0.0, 4.0).sqrt();
                    }
                }
            }
        }
    }
}

/// Two comparisons, which vectors have as instructions, unlike the standard library's way with NaN.
#[inline(always)]
fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}
