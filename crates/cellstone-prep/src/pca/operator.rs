//! Sparse rows as the operator that PCA iterates on, one block of cells at a time, summed in the order of the cells.
//!
//! Every number is a sum over cells in their order, whatever the blocks and the threads: parallel work is split by
//! output row, never by summand.

use crate::fastmath::{Loop, vectorized};
use cellstone_core::{CountSource, Csr, Error, Result};
use ndarray::{Array1, Array2, ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;
use std::borrow::Cow;

/// Cells of a block: their entries stay in the second-level cache while every column passes over them.
const BLOCK_ROWS: usize = 512;

/// Changes a block in flight, for instance by normalising it.
pub(super) type Prepare<'a> = &'a (dyn Fn(&mut Csr<f32>) + Sync);

/// Where the rows come from.
pub(super) enum Rows<'a> {
    Memory(&'a Csr<f32>, Vec<ColumnIndex>),
    Stream(&'a dyn CountSource, Prepare<'a>),
}

/// The entries of a block by column: for each, its row and its place in the row-wise arrays.
#[derive(Clone)]
pub(super) struct ColumnIndex {
    starts: Vec<usize>,
    entries: Vec<(u32, u32)>,
}

/// A block of consecutive cells in both orders.
pub(super) struct Block<'a> {
    x: &'a Csr<f32>,
    rows: std::ops::Range<usize>,
    /// Index of the first cell in the whole matrix.
    pub(super) start: usize,
    by_column: Cow<'a, ColumnIndex>,
}

impl ColumnIndex {
    fn new(x: &Csr<f32>, rows: std::ops::Range<usize>) -> Self {
        let (from, to) = (x.indptr()[rows.start], x.indptr()[rows.end]);
        let mut starts = vec![0; x.shape().1 + 1];
        for col in &x.indices()[from..to] {
            starts[*col as usize + 1] += 1;
        }
        for col in 1..starts.len() {
            starts[col] += starts[col - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); to - from];
        for row in rows.clone() {
            for (place, col) in x.row(row).0.iter().enumerate() {
                let slot = &mut next[*col as usize];
                entries[*slot] = ((row - rows.start) as u32, place as u32);
                *slot += 1;
            }
        }
        Self { starts, entries }
    }

    fn column(&self, col: usize) -> &[(u32, u32)] {
        &self.entries[self.starts[col]..self.starts[col + 1]]
    }
}

impl Block<'_> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, row: u32) -> (&[u32], &[f32]) {
        self.x.row(self.rows.start + row as usize)
    }

    /// Adds each column's sum and sum of squares.
    fn add_moments(&self, moments: &mut [(f64, f64)]) {
        moments.par_iter_mut().enumerate().for_each(|(col, (sum, squares))| {
            for (row, place) in self.by_column.column(col) {
                let value = f64::from(self.row(*row).1[*place as usize]);
                *sum += value;
                *squares += value * value;
            }
        });
    }

    /// Adds `xᵀ x` to the upper triangle.
    fn add_gram(&self, gram: &mut Array2<f64>) {
        gram.axis_iter_mut(Axis(0)).into_par_iter().with_min_len(8).enumerate().for_each(|(col, mut sums)| {
            let sums = sums.as_slice_mut().expect("invariant: standard layout");
            vectorized(GramRow { block: self, col, sums });
        });
    }

    /// `out = x · q` for the rows of this block.
    pub(super) fn times(&self, q: &Array2<f64>, out: ArrayViewMut2<'_, f64>) {
        out.into_par_iter_rows().enumerate().for_each(|(row, sums)| {
            sums.fill(0.0);
            let (cols, values) = self.row(row as u32);
            vectorized(RowTimes { cols, values, q, sums });
        });
    }

    /// `out += xᵀ · y`.
    fn add_transposed_times(&self, y: &Array2<f64>, out: &mut Array2<f64>) {
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(col, mut sums)| {
            let sums = sums.as_slice_mut().expect("invariant: standard layout");
            vectorized(ColumnTimes { block: self, col, y, sums });
        });
    }
}

/// Adds the products of one column with itself and all later ones.
struct GramRow<'a> {
    block: &'a Block<'a>,
    col: usize,
    sums: &'a mut [f64],
}

/// Adds the product of a sparse row with a dense matrix.
struct RowTimes<'a> {
    cols: &'a [u32],
    values: &'a [f32],
    q: &'a Array2<f64>,
    sums: &'a mut [f64],
}

/// Adds the product of a sparse column with a dense matrix.
struct ColumnTimes<'a> {
    block: &'a Block<'a>,
    col: usize,
    y: &'a Array2<f64>,
    sums: &'a mut [f64],
}

impl Loop for GramRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (row, place) in self.block.by_column.column(self.col) {
            let (cols, values) = self.block.row(*row);
            let (cols, values) = (&cols[*place as usize..], &values[*place as usize..]);
            let own = f64::from(values[0]);
            for (other, value) in cols.iter().zip(values) {
                self.sums[*other as usize] += own * f64::from(*value);
            }
        }
    }
}

impl Loop for RowTimes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (col, value) in self.cols.iter().zip(self.values) {
            let value = f64::from(*value);
            let q = self.q.row(*col as usize).to_slice().expect("invariant: standard layout");
            self.sums.iter_mut().zip(q).for_each(|(sum, it)| *sum += value * it);
        }
    }
}

impl Loop for ColumnTimes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (row, place) in self.block.by_column.column(self.col) {
            let value = f64::from(self.block.row(*row).1[*place as usize]);
            let y = self.y.row(*row as usize).to_slice().expect("invariant: standard layout");
            self.sums.iter_mut().zip(y).for_each(|(sum, it)| *sum += value * it);
        }
    }
}

/// Rows of a standard-layout view as slices, in parallel.
trait ParRows<'a> {
    fn into_par_iter_rows(self) -> rayon::slice::ChunksExactMut<'a, f64>;
}

impl<'a> ParRows<'a> for ArrayViewMut2<'a, f64> {
    fn into_par_iter_rows(self) -> rayon::slice::ChunksExactMut<'a, f64> {
        let width = self.ncols().max(1);
        self.into_slice().expect("invariant: standard layout").par_chunks_exact_mut(width)
    }
}

impl<'a> Rows<'a> {
    pub(super) fn memory(x: &'a Csr<f32>) -> Self {
        let n = x.shape().0;
        let starts: Vec<usize> = (0..n).step_by(BLOCK_ROWS).collect();
        let index = |start: &usize| ColumnIndex::new(x, *start..n.min(start + BLOCK_ROWS));
        Self::Memory(x, starts.par_iter().map(index).collect())
    }

    fn name(&self) -> &str {
        match self {
            Self::Memory(..) => "matrix",
            Self::Stream(source, _) => source.name(),
        }
    }

    /// Calls `work` for every block in order.
    pub(super) fn each(&self, mut work: impl FnMut(&Block<'_>) -> Result<()>) -> Result<()> {
        match self {
            Self::Memory(x, index) => {
                let n = x.shape().0;
                for (task, by_column) in index.iter().enumerate() {
                    let start = task * BLOCK_ROWS;
                    let rows = start..n.min(start + BLOCK_ROWS);
                    work(&Block { x, rows, start, by_column: Cow::Borrowed(by_column) })?;
                }
            }
            Self::Stream(source, prepare) => {
                let mut next = 0;
                for block in source.blocks(0)? {
                    let mut block = block?;
                    if block.start != next {
                        return Err(Error::invalid_input(format!(
                            "`{}` hands on row {} where row {next} was expected",
                            source.name(),
                            block.start
                        )));
                    }
                    prepare(&mut block.x);
                    let n_rows = block.x.shape().0;
                    for from in (0..n_rows).step_by(BLOCK_ROWS) {
                        let rows = from..n_rows.min(from + BLOCK_ROWS);
                        let by_column = Cow::Owned(ColumnIndex::new(&block.x, rows.clone()));
                        work(&Block { x: &block.x, rows, start: next + from, by_column })?;
                    }
                    next += n_rows;
                }
                if next != source.n_obs() {
                    return Err(Error::invalid_input(format!(
                        "`{}` ended after {next} rows, expected {}",
                        source.name(),
                        source.n_obs()
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Means and variances of the columns, and with them the covariance in one of two forms.
pub(super) struct Moments {
    pub(super) n: usize,
    pub(super) mean: Array1<f64>,
    /// Sum of the columns' centred sums of squares.
    pub(super) total: f64,
    /// The centred `xᵀ x`, where it was asked for.
    pub(super) gram: Option<Array2<f64>>,
}

/// One pass over the rows.
pub(super) fn moments(rows: &Rows<'_>, with_gram: impl Fn(usize) -> bool) -> Result<Moments> {
    let (mut sums, mut gram, mut n) = (None::<Vec<(f64, f64)>>, None, 0);
    rows.each(|block| {
        let p = block.x.shape().1;
        if let Some(at) = (0..block.len()).find(|row| block.row(*row as u32).1.iter().any(|it| !it.is_finite())) {
            let row = block.start + at;
            return Err(Error::invalid_input(format!("`{}` row {row} holds a value that is not finite", rows.name())));
        }
        if sums.is_none() && with_gram(p) {
            gram = Some(Array2::zeros((p, p)));
        }
        let sums = sums.get_or_insert_with(|| vec![(0.0, 0.0); p]);
        if sums.len() != p {
            return Err(Error::invalid_input(format!(
                "`{}` hands on a block of {p} columns after blocks of {}",
                rows.name(),
                sums.len()
            )));
        }
        block.add_moments(sums);
        if let Some(gram) = &mut gram {
            block.add_gram(gram);
        }
        n += block.len();
        Ok(())
    })?;
    let sums = sums.unwrap_or_default();
    let count = n.max(1) as f64;
    let mean = Array1::from_iter(sums.iter().map(|(sum, _)| sum / count));
    // A constant column may come out a rounding error below zero.
    let centered = |(sum, squares): &(f64, f64)| (squares - sum * (sum / count)).max(0.0);
    let total = sums.iter().map(centered).sum();
    if let Some(gram) = &mut gram {
        for i in 0..mean.len() {
            for j in i..mean.len() {
                gram[[i, j]] -= count * mean[i] * mean[j];
                gram[[j, i]] = gram[[i, j]];
            }
        }
    }
    Ok(Moments { n, mean, total, gram })
}

/// `(x − 1 meanᵀ)ᵀ (x − 1 meanᵀ) · q` in one pass, without forming anything dense of the size of `x`.
pub(super) fn covariance_times(rows: &Rows<'_>, moments: &Moments, q: &Array2<f64>) -> Result<Array2<f64>> {
    let mut out = Array2::zeros(q.dim());
    let mut y = Array2::zeros((0, q.ncols()));
    rows.each(|block| {
        if y.nrows() != block.len() {
            y = Array2::zeros((block.len(), q.ncols()));
        }
        block.times(q, y.view_mut());
        block.add_transposed_times(&y, &mut out);
        Ok(())
    })?;
    let shift = moments.mean.dot(q) * moments.n as f64;
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(col, mut row)| {
        row.scaled_add(-moments.mean[col], &shift);
    });
    Ok(out)
}

/// `(x − 1 meanᵀ) · loadings`, `[n_obs, k]`.
pub(super) fn project(rows: &Rows<'_>, moments: &Moments, loadings: &Array2<f64>) -> Result<Array2<f64>> {
    let mut scores = Array2::zeros((moments.n, loadings.ncols()));
    rows.each(|block| {
        block.times(loadings, scores.slice_axis_mut(Axis(0), Slice::from(block.start..block.start + block.len())));
        Ok(())
    })?;
    scores -= &moments.mean.dot(loadings);
    Ok(scores)
}
