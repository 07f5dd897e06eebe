//! Rank sums of all groups at once: the non-zero values of a gene are sorted once, zeros enter in closed form.
//!
//! Ranks are counted as integers (twice the average rank is whole), so neither the order of the cells nor the number of
//! threads can move a bit.

use super::columns::Columns;
use super::design::Design;
use super::finish::{Tests, Verdict};
use super::params::{DeParams, Level};
use super::sort::{Sorter, ZERO_KEY, value_of};
use super::tails::{LANES, normal_two_sided_lanes};
use rayon::prelude::*;
use std::ops::Range;

/// Genes that one core takes at once; a cache line of a dense row.
const TILE: usize = 16;

/// What remains of the cells of a group for one gene.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// Twice the distance of the rank sum (or U) from its mean under no difference.
    off: f64,
    /// Sum of the values, and of what fold changes are made from.
    sum: f64,
    level: f64,
    /// `1 − Σ(t³ − t) / (N³ − N)`.
    ties: f64,
}

/// Sums of the reference of one gene; for the rest, those of all cells, from which a group is subtracted. The small
/// parts carry the rounding of the large ones, so that the subtraction cancels nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Other {
    sum: (f64, f64),
    level: (f64, f64),
}

/// Rank statistics of a range of genes.
pub(super) struct Ranks<'a> {
    design: &'a Design,
    level: Level,
    continuity: bool,
    first: usize,
    records: Vec<Record>,
    others: Vec<Other>,
    /// `n m (N + 1) / 12` of each group: the variance of its rank sum without ties.
    variances: Vec<f64>,
}

/// Bytes of one (group, gene) pair while its genes are worked on.
pub(super) const PAIR_BYTES: usize = size_of::<Record>();

/// Counts of one code within one gene.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Twice the rank sum, or twice U.
    twice: u64,
    n: u64,
    /// Cells in the current run of equal values.
    run: u64,
    /// `Σ (t³ − t)` over runs, beyond that of the reference alone.
    ties: u128,
    sum: f64,
    level: f64,
}

#[derive(Default)]
struct Scratch {
    lists: Vec<Vec<u64>>,
    sorter: Sorter,
    tallies: Vec<Tally>,
    touched: Vec<usize>,
}

impl<'a> Ranks<'a> {
    pub(super) fn new(
        columns: &Columns<'_>,
        genes: Range<usize>,
        design: &'a Design,
        level: Level,
        params: &DeParams,
    ) -> Self {
        let k = design.k();
        let mut records = vec![Record::default(); k * genes.len()];
        let mut others = vec![Other::default(); genes.len()];
        let tiles = records.par_chunks_mut(TILE * k).zip(others.par_chunks_mut(TILE)).enumerate();
        tiles.for_each_init(Scratch::default, |scratch, (tile, (records, others))| {
            let first = genes.start + tile * TILE;
            scratch.lists.resize_with(others.len(), Vec::new);
            let mut lists = std::mem::take(&mut scratch.lists);
            columns.gather(first..first + others.len(), &mut lists);
            for ((words, records), other) in lists.iter_mut().zip(records.chunks_exact_mut(k)).zip(others) {
                scratch.sorter.sort_by_key(words);
                scratch.tallies.clear();
                scratch.tallies.resize(k + 1, Tally::default());
                if design.against_rest {
                    let ties = rank(words, design.n(), &mut scratch.tallies, level.transform());
                    finish_rest(design, params, ties, &mut scratch.tallies, words, records);
                } else {
                    let base = count(words, design, scratch, level.transform());
                    finish_group(design, params, base, &scratch.tallies, records);
                }
                *other = Other::new(&scratch.tallies, design.against_rest);
            }
            scratch.lists = lists;
        });
        let variance = |group: usize| {
            let (n, m) = (design.sizes[group] as f64, design.n_reference(group) as f64);
            n * m * (n + m + 1.0) / 12.0
        };
        let variances = (0..k).map(variance).collect();
        Self { design, level, continuity: params.continuity, first: genes.start, records, others, variances }
    }
}

impl Other {
    fn new(tallies: &[Tally], all: bool) -> Self {
        let mut it = Self::default();
        let tallies = if all { tallies } else { &tallies[tallies.len() - 1..] };
        for tally in tallies {
            add(&mut it.sum, tally.sum);
            add(&mut it.level, tally.level);
        }
        it
    }
}

/// Adds with the rounding error kept.
fn add(sum: &mut (f64, f64), value: f64) {
    let total = sum.0 + value;
    let shadow = total - sum.0;
    sum.1 += (sum.0 - (total - shadow)) + (value - shadow);
    sum.0 = total;
}

fn cubed(t: u64) -> u128 {
    let t = u128::from(t);
    t * t * t - t.min(t * t * t)
}

fn code(word: u64) -> usize {
    usize::from(word as u16)
}

/// Where a run of equal values ends, and its value.
fn run_end(words: &[u64], from: usize) -> (usize, f64) {
    let key = words[from] >> 32;
    let mut to = from + 1;
    while to < words.len() && words[to] >> 32 == key {
        to += 1;
    }
    (to, f64::from(value_of(key as u32)))
}

/// Ranks all cells together; returns `Σ (t³ − t)`.
fn rank(words: &[u64], n: u64, tallies: &mut [Tally], transform: Option<fn(f64) -> f64>) -> u128 {
    let n_zero = n - words.len() as u64;
    let mut ties = cubed(n_zero);
    let mut from = 0;
    while from < words.len() {
        let (to, value) = run_end(words, from);
        let below = if value > 0.0 { n_zero } else { 0 };
        // Ranks from + 1 ..= to, averaged and doubled, above the zeros where the value is.
        let twice = (from + to + 1) as u64 + 2 * below;
        let level = transform.map_or(0.0, |it| it(value));
        for word in &words[from..to] {
            let tally = &mut tallies[code(*word)];
            tally.twice += twice;
            tally.n += 1;
            tally.sum += value;
            tally.level += level;
        }
        if to - from > 1 {
            ties += cubed((to - from) as u64);
        }
        from = to;
    }
    ties
}

fn finish_rest(
    design: &Design,
    params: &DeParams,
    ties: u128,
    tallies: &mut [Tally],
    words: &[u64],
    records: &mut [Record],
) {
    let n = design.n();
    let n_zero = n - words.len() as u64;
    let n_negative = words.partition_point(|it| ((it >> 32) as u32) < ZERO_KEY) as u64;
    let factor = if params.tie_correct { share_untied(n, ties) } else { 1.0 };
    for ((tally, size), record) in tallies.iter().zip(&design.sizes).zip(records) {
        let twice = tally.twice + (size - tally.n) * (2 * n_negative + n_zero + 1);
        let off = twice as i64 - (size * (n + 1)) as i64;
        *record = Record { off: off as f64, sum: tally.sum, level: tally.level, ties: factor };
    }
}

/// `1 − Σ(t³ − t) / (N³ − N)`, the difference taken in whole numbers: with few non-zeros it is tiny.
fn share_untied(n: u64, ties: u128) -> f64 {
    let all = cubed(n);
    if all == 0 { 0.0 } else { (all - ties) as f64 / all as f64 }
}

/// Counts U of every group against the reference, code `k`; returns `Σ (t³ − t)` over runs of the reference alone.
fn count(words: &[u64], design: &Design, scratch: &mut Scratch, transform: Option<fn(f64) -> f64>) -> u128 {
    let k = design.k();
    let (tallies, touched) = (&mut scratch.tallies, &mut scratch.touched);
    let zero_reference = design.sizes[k] - words.iter().filter(|it| code(**it) == k).count() as u64;
    let mut base = cubed(zero_reference);
    let (mut below, mut below_zero) = (0, 0);
    let mut passed_zero = false;
    let mut from = 0;
    while from < words.len() {
        let (to, value) = run_end(words, from);
        if value > 0.0 && !passed_zero {
            passed_zero = true;
            below_zero = below;
            below += zero_reference;
        }
        let level = transform.map_or(0.0, |it| it(value));
        if to - from == 1 {
            let code = code(words[from]);
            let tally = &mut tallies[code];
            tally.n += 1;
            tally.sum += value;
            tally.level += level;
            tally.twice += 2 * below;
            below += u64::from(code == k);
            from = to;
            continue;
        }
        for word in &words[from..to] {
            let code = code(*word);
            let tally = &mut tallies[code];
            tally.n += 1;
            tally.sum += value;
            tally.level += level;
            tally.run += 1;
            if tally.run == 1 && code != k {
                touched.push(code);
            }
        }
        let same = std::mem::take(&mut tallies[k].run);
        for code in touched.drain(..) {
            let tally = &mut tallies[code];
            let run = std::mem::take(&mut tally.run);
            tally.twice += run * (2 * below + same);
            if run + same > 1 {
                tally.ties += cubed(run + same) - cubed(same);
            }
        }
        if same > 1 {
            base += cubed(same);
        }
        below += same;
        from = to;
    }
    if !passed_zero {
        below_zero = below;
    }
    for (tally, size) in tallies[..k].iter_mut().zip(&design.sizes) {
        let run = size - tally.n;
        tally.twice += run * (2 * below_zero + zero_reference);
        tally.ties += cubed(run + zero_reference) - cubed(zero_reference);
    }
    base
}

fn finish_group(design: &Design, params: &DeParams, base: u128, tallies: &[Tally], records: &mut [Record]) {
    let n_reference = design.sizes[design.k()];
    for ((tally, size), record) in tallies.iter().zip(&design.sizes).zip(records) {
        let off = tally.twice as i64 - (size * n_reference) as i64;
        let ties = if params.tie_correct { share_untied(size + n_reference, base + tally.ties) } else { 1.0 };
        *record = Record { off: off as f64, sum: tally.sum, level: tally.level, ties };
    }
}

impl Tests for Ranks<'_> {
    fn verdict(&self, group: usize, gene: usize) -> Verdict {
        let at = gene - self.first;
        let record = self.records[at * self.design.k() + group];
        let other = self.others[at];
        let n = self.design.sizes[group] as f64;
        let m = self.design.n_reference(group) as f64;
        let deviation = (record.ties * self.variances[group]).sqrt();
        let shift = 0.5 * record.off;
        let shift = if self.continuity { shift.signum() * (shift.abs() - 0.5).max(0.0) } else { shift };
        // Without spread there is no evidence: z is 0 and p is 1.
        let statistic = if deviation > 0.0 { shift / deviation } else { 0.0 };
        let reference = |it: (f64, f64), own: f64| {
            if self.design.against_rest { (it.0 - own) + it.1 } else { it.0 + it.1 }
        };
        let (mean_group, mean_reference) = (record.sum / n, reference(other.sum, record.sum) / m);
        let lfc = if self.level.transform().is_some() {
            self.level.lfc(record.level / n, reference(other.level, record.level) / m)
        } else {
            self.level.lfc(mean_group, mean_reference)
        };
        Verdict { statistic, pvalue: f64::NAN, lfc, mean_group, mean_reference }
    }

    fn complete(&self, verdicts: &mut [Verdict]) {
        for chunk in verdicts.chunks_mut(LANES) {
            let mut z = [0.0; LANES];
            z.iter_mut().zip(&*chunk).for_each(|(z, it)| *z = it.statistic);
            for (verdict, p) in chunk.iter_mut().zip(normal_two_sided_lanes(z)) {
                verdict.pvalue = p;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubes() {
        assert_eq!([0, 1, 2, 3].map(cubed), [0, 0, 6, 24]);
    }
}
