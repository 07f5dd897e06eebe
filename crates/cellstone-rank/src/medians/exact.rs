//! Exact medians of a stream by radix selection: which leading bits the middle value has, then the next, then the last.

use super::corpus::Found;
use super::stream::{Values, genes_per_worker, pass};
use crate::vocab::BoundGenes;
use cellstone_core::{CountSource, Error, Result};
use rayon::prelude::*;

/// Cells of a gene's table: one set for the first digit, two of half the size (lower and upper middle) for the others.
const CELLS: usize = 1 << 11;

/// Where the digits of a positive f32 lie: its 31 bits rise with the value.
const DIGITS: [Digit; 3] =
    [Digit { shift: 20, width: 11 }, Digit { shift: 10, width: 10 }, Digit { shift: 0, width: 10 }];

#[derive(Clone, Copy)]
struct Digit {
    shift: u32,
    width: u32,
}

/// How far one of the two middle values of a gene is known.
#[derive(Clone, Copy, Default)]
struct Middle {
    /// Its leading bits.
    prefix: u32,
    /// Values that share them and come before it.
    rank: u64,
}

/// Both middle values of a gene; the same one where the number of values is odd.
#[derive(Clone, Copy, Default)]
struct Middles {
    lower: Middle,
    upper: Middle,
}

pub(super) fn exact_medians(sources: &[&dyn CountSource], bound: &[BoundGenes], n_genes: usize) -> Result<Found> {
    let mut tables = vec![0_u32; n_genes * CELLS];
    let mut middles = vec![Middles::default(); n_genes];
    let mut detected = Vec::new();
    let mut n_empty = 0;
    for digit in DIGITS {
        tables.fill(0);
        n_empty = pass(sources, bound, |values| count(values, digit, &middles, &mut tables))?;
        if detected.is_empty() {
            detected = tables.par_chunks(CELLS).map(|it| it.iter().map(|it| u64::from(*it)).sum()).collect();
            for (it, n) in middles.iter_mut().zip(&detected) {
                it.lower.rank = u64::saturating_sub(*n, 1) / 2;
                it.upper.rank = *n / 2;
            }
        }
        let expressed = middles.par_iter_mut().zip(tables.par_chunks(CELLS)).zip(&detected).filter(|it| *it.1 > 0);
        if !expressed.map(|((it, table), _)| it.narrow(digit, table)).reduce(|| true, |a, b| a && b) {
            return Err(changed(sources));
        }
    }
    let value = |it: &Middle| f64::from(f32::from_bits(it.prefix));
    let medians = middles.iter().map(|it| (value(&it.lower) + value(&it.upper)) / 2.0).collect();
    Ok(Found { detected, medians, n_empty })
}

/// Adds the values of a block to the tables. Every worker owns the tables of some genes.
fn count(values: &Values, digit: Digit, middles: &[Middles], tables: &mut [u32]) {
    let n = genes_per_worker(middles.len());
    tables.par_chunks_mut(n * CELLS).zip(middles.par_chunks(n)).enumerate().for_each(|(at, (tables, middles))| {
        let from = at * n;
        values.each(from, from + middles.len(), |gene, value| {
            if value > 0.0 {
                let table = &mut tables[(gene - from) * CELLS..][..CELLS];
                middles[gene - from].count(digit, value.to_bits(), table);
            }
        });
    });
}

impl Digit {
    /// The bits before this digit.
    fn before(self, bits: u32) -> u32 {
        bits >> (self.shift + self.width)
    }

    fn of(self, bits: u32) -> usize {
        ((bits >> self.shift) & ((1 << self.width) - 1)) as usize
    }
}

impl Middles {
    fn count(&self, digit: Digit, bits: u32, table: &mut [u32]) {
        let before = digit.before(bits);
        if before == self.lower.prefix {
            table[digit.of(bits)] += 1;
        } else if before == self.upper.prefix {
            // The first digit has no bits before it, so the second set is only ever of the shorter ones.
            table[CELLS / 2 + digit.of(bits)] += 1;
        }
    }

    /// Whether the table holds both ranks.
    fn narrow(&mut self, digit: Digit, table: &[u32]) -> bool {
        let apart = self.lower.prefix != self.upper.prefix;
        let lower = self.lower.narrow(digit, table);
        lower && self.upper.narrow(digit, if apart { &table[CELLS / 2..] } else { table })
    }
}

impl Middle {
    /// Finds the digit: the one whose values hold the rank. Whether there is one.
    fn narrow(&mut self, digit: Digit, table: &[u32]) -> bool {
        for (found, n) in (0..).zip(&table[..1 << digit.width]) {
            if self.rank < u64::from(*n) {
                self.prefix = self.prefix << digit.width | found;
                return true;
            }
            self.rank -= u64::from(*n);
        }
        false
    }
}

/// A source that yields other values at a later reading leaves ranks that no digit holds.
fn changed(sources: &[&dyn CountSource]) -> Error {
    let names: Vec<String> = sources.iter().map(|it| format!("`{}`", it.name())).collect();
    Error::invalid_input(format!("{} yielded other cells when read again", names.join(", "))).with_hint(
        "do not write to the files of a corpus while its medians are taken, or take them by digest, in one pass",
    )
}
