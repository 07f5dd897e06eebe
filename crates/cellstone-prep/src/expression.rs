//! Where the values of an analysis come from: a matrix in memory or a stream, with its scale as part of what it is.

use crate::fastmath::exp_m1_in_place;
use crate::normalize::normalize_rows;
use cellstone_core::{CountSource, Counts, Csr, Error, LogNorm, Result, Scale, Var};
use rayon::prelude::*;

/// Rows that are copied at a time where values of a matrix in memory have to be changed for a pass.
const BLOCK_ROWS: usize = 4096;

/// 2²³: the first of the floats that are all whole.
const WHOLE: f32 = 8_388_608.0;

/// Genes of one task of a pass that sums by gene: its sums stay in the second-level cache.
const TILE: usize = 2048;

/// Cells × genes as an analysis takes them.
#[derive(Clone, Copy)]
pub enum Expression<'a> {
    /// Counts in memory.
    Counts(&'a Counts),
    /// Log-normalised values in memory.
    LogNorm(&'a LogNorm),
    /// A stream of either; it is read once for every pass.
    Source(&'a dyn CountSource),
}

/// What is done to the values of a block before they are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Prepare {
    /// Nothing.
    Keep,
    /// Counts are brought to a library size, and `ln(1 + x)` follows.
    Normalize(f64),
    /// Log-normalised values, or counts after [`Prepare::Normalize`], go back to the linear scale: `exp(x) − 1`.
    Linear(Option<f64>),
}

impl<'a> From<&'a Counts> for Expression<'a> {
    fn from(counts: &'a Counts) -> Self {
        Self::Counts(counts)
    }
}

impl<'a> From<&'a LogNorm> for Expression<'a> {
    fn from(values: &'a LogNorm) -> Self {
        Self::LogNorm(values)
    }
}

impl<'a> From<&'a dyn CountSource> for Expression<'a> {
    fn from(source: &'a dyn CountSource) -> Self {
        Self::Source(source)
    }
}

impl Expression<'_> {
    /// What to call it in messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Counts(_) => "counts",
            Self::LogNorm(_) => "log-normalised values",
            Self::Source(source) => source.name(),
        }
    }

    /// Number of cells.
    pub fn n_obs(&self) -> usize {
        match self {
            Self::Counts(it) => it.x().shape().0,
            Self::LogNorm(it) => it.x().shape().0,
            Self::Source(source) => source.n_obs(),
        }
    }

    /// The genes.
    pub fn var(&self) -> &Var {
        match self {
            Self::Counts(it) => it.var(),
            Self::LogNorm(it) => it.var(),
            Self::Source(source) => source.var(),
        }
    }

    /// The scale of the values.
    pub fn scale(&self) -> Scale {
        match self {
            Self::Counts(_) => Scale::Counts,
            Self::LogNorm(it) => Scale::LogNorm { target_sum: it.target_sum() },
            Self::Source(source) => source.scale(),
        }
    }

    /// Calls `work(first cell, rows)` for every block of consecutive cells, in order.
    pub(crate) fn each(&self, prepare: Prepare, work: &mut dyn FnMut(usize, &Csr<f32>) -> Result<()>) -> Result<()> {
        match self {
            Self::Counts(it) => in_memory(it.x(), prepare, work),
            Self::LogNorm(it) => in_memory(it.x(), prepare, work),
            Self::Source(source) => streamed(*source, prepare, work),
        }
    }
}

impl Prepare {
    fn apply(self, x: &mut Csr<f32>) {
        if let Self::Normalize(target) | Self::Linear(Some(target)) = self {
            normalize_rows(x, Some(target), true);
        }
        if let Self::Linear(_) = self {
            x.data_mut().par_chunks_mut(1 << 14).for_each(exp_m1_in_place);
        }
    }
}

fn in_memory(x: &Csr<f32>, prepare: Prepare, work: &mut dyn FnMut(usize, &Csr<f32>) -> Result<()>) -> Result<()> {
    if prepare == Prepare::Keep {
        return work(0, x);
    }
    let n = x.shape().0;
    for start in (0..n).step_by(BLOCK_ROWS) {
        let rows: Vec<usize> = (start..n.min(start + BLOCK_ROWS)).collect();
        let mut block = x.select_rows(&rows);
        prepare.apply(&mut block);
        work(start, &block)?;
    }
    Ok(())
}

fn streamed(
    source: &dyn CountSource,
    prepare: Prepare,
    work: &mut dyn FnMut(usize, &Csr<f32>) -> Result<()>,
) -> Result<()> {
    let (mut next, n_vars) = (0, source.var().len());
    for block in source.blocks(0)? {
        let mut block = block?;
        let (n_rows, width) = block.x.shape();
        if block.start != next || next + n_rows > source.n_obs() {
            return Err(Error::invalid_input(format!(
                "`{}` gave cells {}..{} after {next} of {} cells",
                source.name(),
                block.start,
                block.start + n_rows,
                source.n_obs()
            )));
        }
        if width != n_vars {
            return Err(Error::invalid_input(format!(
                "`{}` gave a block of {width} columns but has {n_vars} genes",
                source.name()
            )));
        }
        prepare.apply(&mut block.x);
        work(next, &block.x)?;
        next += n_rows;
    }
    if next != source.n_obs() {
        return Err(Error::invalid_input(format!(
            "`{}` ended after {next} of {} cells",
            source.name(),
            source.n_obs()
        )));
    }
    Ok(())
}

/// Calls `add(sums of the gene, gene, row, value)` for every stored entry, `width` sums for each gene.
///
/// Tasks are ranges of genes and meet the cells in order, so no bit depends on threads or on the length of blocks.
pub(crate) fn add_by_gene<T: Send>(
    x: &Csr<f32>,
    sums: &mut [T],
    width: usize,
    add: impl Fn(&mut [T], usize, usize, f32) + Sync,
) {
    let n_rows = x.shape().0;
    sums.par_chunks_mut(TILE * width).with_max_len(1).enumerate().for_each(|(tile, sums)| {
        let (from, to) = (tile * TILE, tile * TILE + sums.len() / width);
        for row in 0..n_rows {
            let (cols, values) = x.row(row);
            let first = cols.partition_point(|it| (*it as usize) < from);
            let end = first + cols[first..].partition_point(|it| (*it as usize) < to);
            for (col, value) in cols[first..end].iter().zip(&values[first..end]) {
                let gene = *col as usize;
                let at = (gene - from) * width;
                add(&mut sums[at..at + width], gene, row, *value);
            }
        }
    });
}

/// Whether a value is not a count, without a branch.
///
/// Below 2²³ adding and subtracting it rounds to a whole number; floats above are whole.
#[inline]
#[expect(
    clippy::needless_bitwise_bool,
    clippy::manual_range_contains,
    reason = "branches would keep it from vectorising"
)]
fn bad(it: f32) -> bool {
    !((it >= 0.0) & (it < f32::INFINITY)) | ((it < WHOLE) & ((it + WHOLE) - WHOLE != it))
}

/// Refuses values that are not counts, naming cell, gene and value of the first.
pub(crate) fn check_counts(x: &Csr<f32>, start: usize, var: &Var) -> Result<()> {
    let any_bad = |values: &[f32]| values.iter().fold(false, |any, it| any | bad(*it));
    if !x.data().par_chunks(1 << 16).any(any_bad) {
        return Ok(());
    }
    for row in 0..x.shape().0 {
        let (cols, values) = x.row(row);
        if let Some((col, value)) = cols.iter().zip(values).find(|(_, value)| bad(**value)) {
            return Err(Error::invalid_input(format!(
                "not counts: cell {} gene `{}` holds {value}, expected a whole number of molecules",
                start + row,
                var.ids()[*col as usize]
            ))
            .with_hint("point to the layer that holds the counts"));
        }
    }
    Ok(())
}
