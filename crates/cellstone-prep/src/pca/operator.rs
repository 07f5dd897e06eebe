//! Sparse rows as the operator that PCA iterates on, one block of cells at a time, summed in the order of the cells.
//!
//! Every number is a sum over cells in their order, whatever the blocks and the threads: parallel work is split by
//! output row, never by summand.

use super::gram::Gram;
use crate::fastmath::{Loop, vectorized};
use cellstone_core::{CountSource, Csr, Error, Result};
use ndarray::{Array1, Array2, ArrayViewMut2, Axis, Slice};
use rayon::prelude::*;
use std::ops::Range;

/// Cells whose entries are held by column: a piece of their rows, 32 columns wide, stays in the first-level cache.
pub(super) const STEP_ROWS: usize = 128;

/// Cells of a block, some steps.
pub(super) const BLOCK_ROWS: usize = 4 * STEP_ROWS;

/// Steps that are turned around at once: enough for every core to get some.
const BATCH: usize = 32 * BLOCK_ROWS / STEP_ROWS;

/// Changes a block in flight, for instance by normalising it.
pub(super) type Prepare<'a> = &'a (dyn Fn(&mut Csr<f32>) + Sync);

/// Where the rows come from.
pub(super) enum Rows<'a> {
    /// In memory, with the entries by column where they are kept.
    Memory(&'a Csr<f32>, Option<Vec<ColumnIndex>>),
    Stream(&'a dyn CountSource, Prepare<'a>),
}

/// The entries of at most [`STEP_ROWS`] cells by column: for each, its row among these and its value.
pub(super) struct ColumnIndex {
    starts: Vec<u32>,
    entries: Vec<(u32, f32)>,
}

/// A block of at most [`BLOCK_ROWS`] consecutive cells in both orders.
pub(super) struct Block<'a> {
    x: &'a Csr<f32>,
    rows: Range<usize>,
    /// The same entries by column, step by step.
    pub(super) steps: &'a [ColumnIndex],
}

impl ColumnIndex {
    fn new(x: &Csr<f32>, rows: Range<usize>) -> Self {
        let (from, to) = (x.indptr()[rows.start], x.indptr()[rows.end]);
        let mut starts = vec![0_u32; x.shape().1 + 1];
        for col in &x.indices()[from..to] {
            starts[*col as usize + 1] += 1;
        }
        for col in 1..starts.len() {
            starts[col] += starts[col - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0.0); to - from];
        for (at, row) in rows.enumerate() {
            let (cols, values) = x.row(row);
            for (col, value) in cols.iter().zip(values) {
                let slot = &mut next[*col as usize];
                entries[*slot as usize] = (at as u32, *value);
                *slot += 1;
            }
        }
        Self { starts, entries }
    }

    /// Rows and values of the entries of a column, ascending.
    #[inline]
    pub(super) fn column(&self, col: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[col] as usize..self.starts[col + 1] as usize]
    }
}

impl Block<'_> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds each column's sum and sum of squares.
    fn add_moments(&self, moments: &mut [(f64, f64)]) {
        moments.par_iter_mut().with_min_len(64).enumerate().for_each(|(col, (sum, squares))| {
            for (_, value) in self.steps.iter().flat_map(|it| it.column(col)) {
                let value = f64::from(*value);
                *sum += value;
                *squares += value * value;
            }
        });
    }

    /// `out += xᵀ · y`.
    fn add_transposed_times(&self, y: &Array2<f64>, out: &mut Array2<f64>) {
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(col, mut sums)| {
            let sums = sums.as_slice_mut().expect("invariant: standard layout");
            for (step, entries) in self.steps.iter().map(|it| it.column(col)).enumerate() {
                vectorized(ColumnTimes { entries, first: step * STEP_ROWS, y, sums });
            }
        });
    }
}

/// `out = x · q` for some rows.
fn times(x: &Csr<f32>, rows: Range<usize>, q: &Array2<f64>, out: ArrayViewMut2<'_, f64>) {
    let width = out.ncols().max(1);
    let out = out.into_slice().expect("invariant: standard layout");
    out.par_chunks_exact_mut(width).with_min_len(16).enumerate().for_each(|(row, sums)| {
        sums.fill(0.0);
        let (cols, values) = x.row(rows.start + row);
        vectorized(RowTimes { cols, values, q, sums });
    });
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
    entries: &'a [(u32, f32)],
    /// Row of `y` that belongs to row 0.
    first: usize,
    y: &'a Array2<f64>,
    sums: &'a mut [f64],
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
        for (row, value) in self.entries {
            let value = f64::from(*value);
            let y = self.y.row(self.first + *row as usize).to_slice().expect("invariant: standard layout");
            self.sums.iter_mut().zip(y).for_each(|(sum, it)| *sum += value * it);
        }
    }
}

/// The entries by column of some rows, step by step.
fn index(x: &Csr<f32>, rows: Range<usize>) -> Vec<ColumnIndex> {
    let starts: Vec<usize> = rows.clone().step_by(STEP_ROWS).collect();
    starts.par_iter().map(|start| ColumnIndex::new(x, *start..rows.end.min(start + STEP_ROWS))).collect()
}

impl<'a> Rows<'a> {
    /// Rows in memory; `keep` the entries by column where they are needed more than once.
    pub(super) fn memory(x: &'a Csr<f32>, keep: bool) -> Self {
        Self::Memory(x, keep.then(|| index(x, 0..x.shape().0)))
    }

    fn name(&self) -> &str {
        match self {
            Self::Memory(..) => "matrix",
            Self::Stream(source, _) => source.name(),
        }
    }

    /// Calls `work(rows, index of the first)` for all rows in order, as they come.
    fn each_part(&self, mut work: impl FnMut(&Csr<f32>, usize) -> Result<()>) -> Result<()> {
        match self {
            Self::Memory(x, _) => work(x, 0),
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
                    if next + block.x.shape().0 > source.n_obs() {
                        return Err(Error::invalid_input(format!(
                            "`{}` hands on more than {} rows",
                            source.name(),
                            source.n_obs()
                        )));
                    }
                    prepare(&mut block.x);
                    work(&block.x, next)?;
                    next += block.x.shape().0;
                }
                if next == source.n_obs() {
                    return Ok(());
                }
                Err(Error::invalid_input(format!(
                    "`{}` ended after {next} rows, expected {}",
                    source.name(),
                    source.n_obs()
                )))
            }
        }
    }

    /// Calls `work` for every block in order.
    pub(super) fn each(&self, mut work: impl FnMut(&Block<'_>) -> Result<()>) -> Result<()> {
        let kept = match self {
            Self::Memory(_, kept) => kept.as_deref(),
            Self::Stream(..) => None,
        };
        self.each_part(|x, _| {
            let n = x.shape().0;
            for from in (0..n).step_by(BATCH * STEP_ROWS) {
                let to = n.min(from + BATCH * STEP_ROWS);
                let made;
                let steps = if let Some(kept) = kept {
                    &kept[from / STEP_ROWS..to.div_ceil(STEP_ROWS)]
                } else {
                    made = index(x, from..to);
                    &made
                };
                for (start, steps) in (from..to).step_by(BLOCK_ROWS).zip(steps.chunks(BLOCK_ROWS / STEP_ROWS)) {
                    work(&Block { x, rows: start..to.min(start + BLOCK_ROWS), steps })?;
                }
            }
            Ok(())
        })
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
        let sums = sums.get_or_insert_with(|| {
            gram = with_gram(p).then(|| Gram::new(block, p));
            vec![(0.0, 0.0); p]
        });
        if sums.len() != p {
            return Err(Error::invalid_input(format!(
                "`{}` hands on a block of {p} columns after blocks of {}",
                rows.name(),
                sums.len()
            )));
        }
        let is_bad = |row: &usize| block.x.row(*row).1.iter().any(|it| !it.is_finite());
        if let Some(row) = block.rows.clone().find(is_bad) {
            let row = n + row - block.rows.start;
            return Err(Error::invalid_input(format!("`{}` row {row} holds a value that is not finite", rows.name())));
        }
        block.add_moments(sums);
        if let Some(gram) = &mut gram {
            gram.add(block);
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
    let gram = gram.map(|it| it.centered(n, &mean));
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
        times(block.x, block.rows.clone(), q, y.view_mut());
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
    rows.each_part(|x, start| {
        let n = x.shape().0;
        times(x, 0..n, loadings, scores.slice_axis_mut(Axis(0), Slice::from(start..start + n)));
        Ok(())
    })?;
    scores -= &moments.mean.dot(loadings);
    Ok(scores)
}
