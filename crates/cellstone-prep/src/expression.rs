//! Where the values of an analysis come from: a matrix in memory or a stream, with its scale as part of what it is.

use cellstone_core::{CountSource, Counts, Csr, Error, LogNorm, Result, Scale, Var};
use rayon::prelude::*;

/// 2²³: the first of the floats that are all whole.
const WHOLE: f32 = 8_388_608.0;

/// Fewest genes of one task of a pass that sums by gene: its sums stay in the second-level cache, and runs of a row are
/// long enough to be fetched ahead.
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
    pub(crate) fn each(&self, work: &mut dyn FnMut(usize, &Csr<f32>) -> Result<()>) -> Result<()> {
        match self {
            Self::Counts(it) => work(0, it.x()),
            Self::LogNorm(it) => work(0, it.x()),
            Self::Source(source) => streamed(*source, work),
        }
    }
}

fn streamed(source: &dyn CountSource, work: &mut dyn FnMut(usize, &Csr<f32>) -> Result<()>) -> Result<()> {
    let (mut next, n_vars) = (0, source.var().len());
    for block in source.blocks(0)? {
        let block = block?;
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

/// What is done to a run of values of a row before they are used: `change(row, values)`.
pub(crate) type Change<'a> = &'a (dyn Fn(usize, &mut [f32]) + Sync);

/// Calls `add(sums of the gene, gene, row, value)` for every stored entry, `width` sums for each gene.
///
/// Tasks are ranges of genes and meet the cells in order, so no bit depends on threads or on the length of blocks.
pub(crate) fn add_by_gene<T: Send>(
    x: &Csr<f32>,
    sums: &mut [T],
    width: usize,
    change: Option<Change<'_>>,
    add: impl Fn(&mut [T], usize, usize, f32) + Sync,
) {
    let (n_rows, n_genes) = x.shape();
    let length = n_genes.div_ceil(2 * rayon::current_num_threads()).max(TILE);
    sums.par_chunks_mut(length * width).with_max_len(1).enumerate().for_each_init(Vec::new, |changed, (tile, sums)| {
        let (from, to) = (tile * length, tile * length + sums.len() / width);
        for row in 0..n_rows {
            let (cols, values) = x.row(row);
            let run = first_from(cols, from, n_genes)..first_from(cols, to, n_genes);
            let (cols, mut values) = (&cols[run.clone()], &values[run]);
            if let Some(change) = change {
                changed.clear();
                changed.extend_from_slice(values);
                change(row, changed);
                values = changed;
            }
            let entries = cols.iter().map(|it| *it as usize).zip(values);
            if width == 1 {
                entries.for_each(|(gene, value)| add(std::slice::from_mut(&mut sums[gene - from]), gene, row, *value));
            } else {
                entries.for_each(|(gene, value)| add(&mut sums[(gene - from) * width..][..width], gene, row, *value));
            }
        }
    });
}

/// Number of ascending columns below `target`: looked for where it is if they are spread evenly, so that few far lines
/// of memory are touched.
fn first_from(cols: &[u32], target: usize, n_cols: usize) -> usize {
    let guess = (cols.len() * target / n_cols.max(1)).min(cols.len());
    let (mut low, mut high, mut step) = (guess, guess, 16);
    while low > 0 && cols[low - 1] as usize >= target {
        high = low - 1;
        low = low.saturating_sub(step);
        step *= 2;
    }
    while high < cols.len() && (cols[high] as usize) < target {
        low = high + 1;
        high = cols.len().min(high + step);
        step *= 2;
    }
    low + cols[low..high].partition_point(|it| (*it as usize) < target)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_are_found(mut cols in prop::collection::vec(0_u32..300, 0..200), target in 0_usize..301, lie in 1_usize..400) {
            cols.sort_unstable();
            cols.dedup();
            // Wherever the columns are said to end, the answer is right.
            prop_assert_eq!(first_from(&cols, target, lie), cols.partition_point(|it| (*it as usize) < target));
        }
    }
}
