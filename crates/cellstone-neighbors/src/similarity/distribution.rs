//! The distribution of the similarities of some pairs: a histogram with exact counts, sums and extremes.

use super::fold::QUANTA;
use super::options::Grid;
use cellstone_core::Why;

/// Counts in whole numbers, so that tallies add up to the same whatever their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tally {
    /// Below the range, the bins, above; empty as long as nothing was counted.
    pub(super) counts: Vec<u64>,
    pub(super) n: u64,
    /// Sum of values in quanta, and of their squares.
    pub(super) sum: i128,
    pub(super) squares: u128,
    pub(super) min: f32,
    pub(super) max: f32,
}

impl Default for Tally {
    fn default() -> Self {
        Self { counts: Vec::new(), n: 0, sum: 0, squares: 0, min: f32::INFINITY, max: f32::NEG_INFINITY }
    }
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            self.counts.iter_mut().zip(&other.counts).for_each(|(it, more)| *it += more);
        }
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// Scales of values: what a quantum and a unit of value are as similarity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Units {
    pub(super) value: f64,
    pub(super) quantum: f64,
}

impl Units {
    /// For values within `bounds`, a unit of which is `unit` of similarity.
    pub(super) fn new(unit: f64, bounds: (f32, f32)) -> Self {
        Self { value: unit, quantum: unit * f64::from(bounds.0.abs().max(bounds.1.abs())) / QUANTA }
    }
}

/// Similarities of some pairs of cells.
///
/// Counts are exact and do not depend on the order in which pairs were seen. Means and deviations come from values
/// rounded to 2⁻²² of the largest, quantiles from the histogram, extremes are those of the values.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    pub(super) grid: Grid,
    pub(super) units: Units,
    pub(super) tally: Tally,
}

impl Distribution {
    pub(super) fn empty(grid: Grid, units: Units) -> Self {
        Self { grid, units, tally: Tally::default() }
    }

    /// Number of pairs.
    pub fn n(&self) -> u64 {
        self.tally.n
    }

    /// The bins.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Pairs in each bin; empty if there are no pairs.
    pub fn counts(&self) -> &[u64] {
        match self.tally.counts.len() {
            0 => &[],
            n => &self.tally.counts[1..n - 1],
        }
    }

    /// Pairs below and above the range.
    pub fn outside(&self) -> (u64, u64) {
        let first = self.tally.counts.first().copied().unwrap_or(0);
        (first, self.tally.counts.last().copied().unwrap_or(0))
    }

    /// Mean similarity; `None` without pairs.
    pub fn mean(&self) -> Option<f64> {
        (self.tally.n > 0).then(|| self.tally.sum as f64 / self.tally.n as f64 * self.units.quantum)
    }

    /// Sample variance, with `n − 1`; `None` below two pairs.
    pub fn variance(&self) -> Option<f64> {
        let (n, sum) = (i128::from(self.tally.n), self.tally.sum);
        if n < 2 {
            return None;
        }
        // Σx² − (Σx)²/n without cancellation: quotient and remainder of the mean are whole numbers.
        let (mean, rest) = (sum.div_euclid(n), sum.rem_euclid(n));
        let about_mean = self.tally.squares as i128 - mean * (2 * sum - n * mean);
        let scatter = about_mean as f64 - (rest as f64) * (rest as f64) / n as f64;
        Some((scatter / (n - 1) as f64).max(0.0) * self.units.quantum * self.units.quantum)
    }

    /// Sample standard deviation; `None` below two pairs.
    pub fn sd(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }

    /// Smallest similarity; `None` without pairs.
    pub fn min(&self) -> Option<f64> {
        (self.tally.n > 0).then(|| f64::from(self.tally.min) * self.units.value)
    }

    /// Largest similarity; `None` without pairs.
    pub fn max(&self) -> Option<f64> {
        (self.tally.n > 0).then(|| f64::from(self.tally.max) * self.units.value)
    }

    /// The median, to within half a bin; `None` without pairs. See [`Distribution::quantile`].
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The `q`-quantile, interpolated linearly between the two values around `q (n − 1)`, as NumPy does.
    ///
    /// Each of the two is taken to be in the middle of its bin, so the result is within half a bin of the exact one, as
    /// long as neither is outside the range. Those below or above it are taken to be the smallest or largest value.
    /// `None` without pairs, or if `q` is not between 0 and 1.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let ranks = QuantileRanks::new(self.tally.n, q)?;
        let value = |rank: u64| self.value_of_slot(self.slot_of_rank(rank).0);
        let (low, high) = (value(ranks.low), value(ranks.high));
        let inside = |it: f64| it.clamp(self.min().unwrap_or(it), self.max().unwrap_or(it));
        Some(inside(low + (high - low) * ranks.share))
    }

    fn value_of_slot(&self, slot: usize) -> f64 {
        if slot == 0 {
            self.min().unwrap_or(self.grid.low)
        } else if slot > self.grid.n_bins {
            self.max().unwrap_or(self.grid.high)
        } else {
            self.grid.center(slot - 1)
        }
    }

    /// Slot of the value of this rank, from 0, and the number of values in the slots before.
    pub(super) fn slot_of_rank(&self, rank: u64) -> (usize, u64) {
        let mut before = 0;
        for (slot, count) in self.tally.counts.iter().enumerate() {
            if before + count > rank {
                return (slot, before);
            }
            before += count;
        }
        (self.tally.counts.len().saturating_sub(1), before)
    }

    /// Adds the pairs of another distribution over the same bins.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.tally.add(tally);
    }

    /// `mean`, or why there is none.
    pub(super) fn moments(&self) -> Result<(f64, f64, f64), Why> {
        match (self.mean(), self.variance()) {
            (Some(mean), Some(variance)) => Ok((self.tally.n as f64, mean, variance)),
            _ => Err(Why::TooFewCells),
        }
    }
}

/// The two ranks, from 0, between which a quantile lies, and how far.
pub(super) struct QuantileRanks {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) share: f64,
}

impl QuantileRanks {
    pub(super) fn new(n: u64, q: f64) -> Option<Self> {
        if n == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let at = q * (n - 1) as f64;
        let low = (at.floor() as u64).min(n - 1);
        Some(Self { low, high: (low + 1).min(n - 1), share: at - at.floor() })
    }
}
