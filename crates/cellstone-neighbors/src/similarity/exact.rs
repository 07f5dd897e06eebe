//! Exact quantiles by a second pass, which keeps only values of the bins that hold them.

use super::block::{Block, for_each_block};
use super::cells::{Cells, n_group_pairs, pair_index};
use super::distribution::QuantileRanks;
use super::engine::grid;
use super::fold::Binning;
use super::options::{PairOptions, Relation, Rows, Similarity};
use super::prepare::Prepared;
use super::scale::undefined;
use super::summaries::PairSummaries;
use crate::wide::{Body, wide};
use cellstone_core::{Error, Result};
use pulp::Simd;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Values compared at a time before anything branches.
const WIDTH: usize = 8;

/// A quantile of the similarities of every pair of groups, exact up to the rounding of a similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactQuantiles {
    values: Vec<Option<f64>>,
    n_groups: usize,
}

impl ExactQuantiles {
    /// The quantile for pairs of a row of group `a` and one of group `b`; `None` if there are none.
    ///
    /// # Panics
    /// If a group is out of range.
    pub fn pair(&self, a: u32, b: u32) -> Option<f64> {
        assert!((a.max(b) as usize) < self.n_groups, "groups {a} and {b} of {}", self.n_groups);
        self.values[pair_index(a, b, self.n_groups)]
    }
}

/// The `q`-quantile of every pair of groups, interpolated as [`super::Distribution::quantile`] does, without the bins.
///
/// `summaries` are those of the same rows, similarity and options. The similarities are computed again, and the values
/// in the bin or two around each quantile kept and sorted.
///
/// # Errors
/// As [`super::all_pairs`]; if `q` is not between 0 and 1; if the summaries are of other rows or options; if the values
/// to be kept take more memory than `max_bytes`.
pub fn exact_quantiles(
    rows: Rows<'_>,
    similarity: Similarity,
    options: &PairOptions<'_>,
    summaries: &PairSummaries,
    relation: Relation,
    q: f64,
) -> Result<ExactQuantiles> {
    options.check(&rows)?;
    if !(0.0..=1.0).contains(&q) {
        return Err(Error::invalid_input(format!("quantile {q}, expected between 0 and 1")));
    }
    let cells = Cells::new(options, &undefined(&rows, similarity)?)?;
    let prepared = Prepared::new(&rows, similarity, &cells, options)?;
    let grid = grid(&prepared, options);
    if summaries.grid != grid || summaries.n_groups != options.n_groups || summaries.excluded != cells.excluded {
        return Err(Error::invalid_input("the summaries are of other rows or options than the second pass"));
    }
    let n_groups = options.n_groups;
    let mut targets: Vec<Target> = Vec::with_capacity(n_group_pairs(n_groups));
    for a in 0..n_groups as u32 {
        targets.extend((a..n_groups as u32).map(|b| Target::new(summaries, (a, b), relation, q)));
    }
    let kept: u64 = targets.iter().map(|it| it.n_expected).sum();
    options.check_memory(4 * kept, "values around the quantiles")?;
    let binning = Binning::new(&grid, prepared.unit, prepared.bounds, options.range.is_none());
    let block_rows = options.block_rows(cells.len());
    let visit = |found: &mut Vec<f32>, blocks: &[Block<'_>]| {
        let task = blocks[0].task;
        let cols = cells.runs_in(&task.cols).concat();
        for a in cells.runs_in(&task.rows).concat() {
            for b in &cols {
                if relation != Relation::All && cells.relation(&a, b) != relation {
                    continue;
                }
                let target = &targets[pair_index(a.group, b.group, n_groups)];
                target.collect(&binning, &blocks[0], &a.at, &b.at, found);
            }
        }
    };
    for_each_block(&cells, &[&prepared], block_rows, Vec::new, visit, &|_| ());
    let values: Result<Vec<Option<f64>>> = targets.into_iter().map(|it| it.finish(prepared.unit)).collect();
    Ok(ExactQuantiles { values: values?, n_groups })
}

/// The slots around a quantile and what was found in them.
struct Target {
    ranks: Option<QuantileRanks>,
    slots: (u32, u32),
    /// Values in the slots before.
    before: u64,
    n_expected: u64,
    found: Mutex<Vec<f32>>,
}

impl Target {
    fn new(summaries: &PairSummaries, (a, b): (u32, u32), relation: Relation, q: f64) -> Self {
        let pairs = summaries.pair(a, b, relation);
        let ranks = QuantileRanks::new(pairs.n(), q);
        let Some(at) = &ranks else {
            return Self { ranks, slots: (u32::MAX, 0), before: 0, n_expected: 0, found: Mutex::default() };
        };
        let ((low, before), (high, _)) = (pairs.slot_of_rank(at.low), pairs.slot_of_rank(at.high));
        let n_expected = pairs.tally.counts[low..=high].iter().sum();
        Self { ranks, slots: (low as u32, high as u32), before, n_expected, found: Mutex::default() }
    }

    fn collect(
        &self,
        binning: &Binning,
        block: &Block<'_>,
        rows: &Range<usize>,
        cols: &Range<usize>,
        found: &mut Vec<f32>,
    ) {
        if self.ranks.is_none() {
            return;
        }
        found.clear();
        wide(Collect { binning, block, rows, cols, slots: self.slots, found });
        if !found.is_empty() {
            self.found.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(found);
        }
    }

    fn finish(self, unit: f64) -> Result<Option<f64>> {
        let Some(ranks) = self.ranks else { return Ok(None) };
        let mut found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if found.len() as u64 != self.n_expected {
            return Err(Error::invalid_input("the summaries are of other rows than the second pass"));
        }
        found.sort_unstable_by(f32::total_cmp);
        let value = |rank: u64| f64::from(found[(rank - self.before) as usize]) * unit;
        let (low, high) = (value(ranks.low), value(ranks.high));
        Ok(Some(low + (high - low) * ranks.share))
    }
}

struct Collect<'a> {
    binning: &'a Binning,
    block: &'a Block<'a>,
    rows: &'a Range<usize>,
    cols: &'a Range<usize>,
    slots: (u32, u32),
    found: &'a mut Vec<f32>,
}

impl Body for Collect<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (binning, (low, high)) = (*self.binning, self.slots);
        let is_wanted = |value: f32| {
            let slot = binning.slot(value);
            low <= slot && slot <= high
        };
        for row in self.rows.clone() {
            let (_, values) = self.block.after(row, self.cols);
            let (chunks, rest) = values.as_chunks::<WIDTH>();
            for chunk in chunks {
                let hits = chunk.iter().fold(0, |it, value| it | u32::from(is_wanted(*value)));
                if hits != 0 {
                    self.found.extend(chunk.iter().copied().filter(|it| is_wanted(*it)));
                }
            }
            self.found.extend(rest.iter().copied().filter(|it| is_wanted(*it)));
        }
    }
}
