//! Means and variances of every group and gene, and Welch's test on them.
//!
//! Sums carry their rounding errors along: a variance from plain sums of squares loses digits where the mean is large,
//! and subtracting a group from all cells loses more.

use super::design::{Design, EXCLUDED};
use super::finish::{Tests, Verdict};
use super::params::{DeMethod, Level};
use super::tails::t_two_sided;
use cellstone_core::Csr;
use rayon::prelude::*;
use std::ops::Range;

/// Genes that one task sums.
const SEGMENT: usize = 2048;

/// A variance below this share of the mean square is rounding: single-precision values that differ at all are further
/// apart.
const ROUNDING: f64 = 1e-26;

/// A sum and the rounding error it made.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let total = self.high + value;
        let shadow = total - self.high;
        self.low += (self.high - (total - shadow)) + (value - shadow);
        self.high = total;
    }

    fn plus(mut self, other: Self) -> Self {
        self.add(other.high);
        self.low += other.low;
        self
    }

    fn minus(mut self, other: Self) -> Self {
        self.add(-other.high);
        self.low -= other.low;
        self
    }

    fn value(self) -> f64 {
        self.high + self.low
    }
}

/// Sums of one gene over one group of cells.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    sum: Sum,
    squares: Sum,
    level: Sum,
}

/// Bytes of one (group, gene) pair.
pub(super) const PAIR_BYTES: usize = size_of::<Moment>();

impl Moment {
    fn plus(self, other: Self) -> Self {
        Self {
            sum: self.sum.plus(other.sum),
            squares: self.squares.plus(other.squares),
            level: self.level.plus(other.level),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            sum: self.sum.minus(other.sum),
            squares: self.squares.minus(other.squares),
            level: self.level.minus(other.level),
        }
    }

    /// Mean and variance (n − 1) over `n` cells.
    fn mean_variance(self, n: f64) -> (f64, f64) {
        let sum = self.sum.value();
        let low = (self.sum.high - sum) + self.sum.low;
        // sum² / n to twice the precision.
        let square = sum * sum;
        let square_low = sum.mul_add(sum, -square) + 2.0 * sum * low;
        let part = square / n;
        let part_low = ((-part).mul_add(n, square) + square_low) / n;
        let mut off = self.squares;
        off.add(-part);
        off.low -= part_low;
        let off = off.value();
        let variance = if off > ROUNDING * self.squares.high { off / (n - 1.0) } else { 0.0 };
        (sum / n, variance)
    }
}

/// Sums of all groups over a range of genes, filled cell by cell.
pub(super) struct Moments<'a> {
    design: &'a Design,
    level: Level,
    overestimate: bool,
    genes: Range<usize>,
    /// `[k + 1, genes]`.
    sums: Vec<Moment>,
    /// The reference of every gene; for the rest, all cells.
    others: Vec<Moment>,
}

impl<'a> Moments<'a> {
    pub(super) fn new(genes: Range<usize>, design: &'a Design, level: Level, method: DeMethod) -> Self {
        let sums = vec![Moment::default(); (design.k() + 1) * genes.len()];
        Self { design, level, overestimate: method == DeMethod::TTestOverestimVar, genes, sums, others: Vec::new() }
    }

    /// Adds consecutive cells; `codes` are theirs. Cells of one group are added in order, so threads move no bit.
    pub(super) fn push(&mut self, x: &Csr<f32>, codes: &[u16]) {
        let by_code = rows_by_code(codes, self.design.k() + 1);
        let (first, width, transform) = (self.genes.start, self.genes.len(), self.level.transform());
        self.sums.par_chunks_mut(width.max(1)).zip(by_code).for_each(|(sums, rows)| {
            if rows.is_empty() {
                return;
            }
            sums.par_chunks_mut(SEGMENT).enumerate().for_each(|(segment, sums)| {
                let start = first + segment * SEGMENT;
                let end = start + sums.len();
                for row in &rows {
                    let (cols, values) = x.row(*row as usize);
                    let from = cols.partition_point(|it| (*it as usize) < start);
                    for (col, value) in cols[from..].iter().zip(&values[from..]) {
                        if *col as usize >= end {
                            break;
                        }
                        let value = f64::from(*value);
                        let moment = &mut sums[*col as usize - start];
                        moment.sum.add(value);
                        // The square of a single-precision number is exact.
                        moment.squares.add(value * value);
                        if let Some(of) = transform {
                            moment.level.add(of(value));
                        }
                    }
                }
            });
        });
    }

    /// To be called once, when every cell was added.
    pub(super) fn close(&mut self) {
        let (width, k) = (self.genes.len(), self.design.k());
        let codes = if self.design.against_rest { 0..k + 1 } else { k..k + 1 };
        self.others = (0..width)
            .into_par_iter()
            .map(|gene| codes.clone().fold(Moment::default(), |all, code| all.plus(self.sums[code * width + gene])))
            .collect();
    }
}

fn rows_by_code(codes: &[u16], n_codes: usize) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); n_codes];
    for (row, code) in codes.iter().enumerate() {
        if *code != EXCLUDED {
            rows[usize::from(*code)].push(row as u32);
        }
    }
    rows
}

impl Tests for Moments<'_> {
    fn verdict(&self, group: usize, gene: usize) -> Verdict {
        let at = gene - self.genes.start;
        let own = self.sums[group * self.genes.len() + at];
        let other = if self.design.against_rest { self.others[at].minus(own) } else { self.others[at] };
        let n = self.design.sizes[group] as f64;
        let m = self.design.n_reference(group) as f64;
        let (mean_group, var_group) = own.mean_variance(n);
        let (mean_reference, var_reference) = other.mean_variance(m);
        let divisor = if self.overestimate { n } else { m };
        let (statistic, pvalue) = welch(mean_group - mean_reference, (var_group, n), (var_reference, divisor));
        let lfc = if self.level.transform().is_some() {
            self.level.lfc(own.level.value() / n, other.level.value() / m)
        } else {
            self.level.lfc(mean_group, mean_reference)
        };
        Verdict { statistic, pvalue, lfc, mean_group, mean_reference }
    }
}

/// t and its two-sided p from a difference and two (variance, size). Without any variance t is 0 for equal means and
/// infinite otherwise.
fn welch(difference: f64, group: (f64, f64), reference: (f64, f64)) -> (f64, f64) {
    let (a, b) = (group.0 / group.1, reference.0 / reference.1);
    if a + b == 0.0 {
        return if difference == 0.0 { (0.0, 1.0) } else { (f64::INFINITY.copysign(difference), 0.0) };
    }
    let t = difference / (a + b).sqrt();
    let df = (a + b) * (a + b) / (a * a / (group.1 - 1.0) + b * b / (reference.1 - 1.0));
    (t, t_two_sided(t, df))
}
