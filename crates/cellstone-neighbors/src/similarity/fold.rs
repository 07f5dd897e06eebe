//! From a block of values to counts, sums and extremes, in whole numbers: the order of addition cannot show.

use super::block::Block;
use super::distribution::Tally;
use super::options::Grid;
use crate::wide::{Body, wide};
use pulp::Simd;
use std::ops::Range;

/// Slots of a tile: below the range, the bins, above the range.
pub(super) const SLOTS: usize = 8192;

/// Bits of a place below the whole bin.
const FRACTION: u32 = 10;

/// 2²³: numbers from here to 2²⁴ are the whole ones, so adding it rounds, and leaves the result in the low bits.
const WHOLE: f32 = 8_388_608.0;

/// 1.5 · 2²³ and its bits: the same for numbers of both signs.
const SIGNED: f32 = 12_582_912.0;
const SIGNED_BITS: i32 = 0x4B40_0000;

/// Parts into which a unit of value is cut for sums.
pub(super) const QUANTA: f64 = 4_194_304.0;

/// Values taken at a time: a vector of most machines.
const WIDTH: usize = 8;

/// Finds the bin of a value by one product, one sum and a shift. The place is first rounded to 1/1024 of a bin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binning {
    factor: f32,
    offset: f32,
    low: f32,
    high: f32,
    quanta: f32,
}

impl Binning {
    /// Bins of `grid` for values of which each unit is `unit` of similarity, and which lie within `bounds`. With
    /// `closed` a value on or beyond a border of the range is in the outermost bin; else it is counted outside.
    pub(super) fn new(grid: &Grid, unit: f64, bounds: (f32, f32), closed: bool) -> Self {
        let scale = f64::from(1_u32 << FRACTION);
        let per_value = grid.n_bins as f64 / (grid.high - grid.low) * unit;
        let shift = 1.0 - grid.low / unit * per_value;
        let place = |slot: f64| WHOLE + (slot * scale) as f32;
        let n_bins = grid.n_bins as f64;
        let (low, high) = if closed { (place(1.0), place(n_bins + 1.0) - 1.0) } else { (WHOLE, place(n_bins + 1.0)) };
        let largest = bounds.0.abs().max(bounds.1.abs());
        Self {
            factor: (per_value * scale) as f32,
            offset: (f64::from(WHOLE) + shift * scale) as f32,
            low,
            high,
            quanta: (QUANTA / f64::from(largest)) as f32,
        }
    }

    /// 0 below the range, then the bins from 1, then above.
    #[inline(always)]
    pub(super) fn slot(&self, value: f32) -> u32 {
        let place = value * self.factor + self.offset;
        let place = if place < self.low { self.low } else { place };
        let place = if place > self.high { self.high } else { place };
        (place.to_bits() & 0x7F_FFFF) >> FRACTION
    }

    /// The value as a whole number of quanta, at most ± [`QUANTA`].
    #[inline(always)]
    fn quantised(&self, value: f32) -> i32 {
        (value * self.quanta + SIGNED).to_bits() as i32 - SIGNED_BITS
    }
}

/// Counts of one thread for one pair of groups; two of each, so that equal values one after the other do not wait for
/// each other's sum.
pub(super) struct Tile {
    even: Box<[u32; SLOTS]>,
    odd: Box<[u32; SLOTS]>,
    n: u64,
    sum: i64,
    squares: u128,
    min: f32,
    max: f32,
}

impl Tile {
    pub(super) fn new() -> Self {
        Self {
            even: Box::new([0; SLOTS]),
            odd: Box::new([0; SLOTS]),
            n: 0,
            sum: 0,
            squares: 0,
            min: f32::INFINITY,
            max: f32::NEG_INFINITY,
        }
    }

    /// Whether nothing has been counted.
    pub(super) fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Counts the pairs of two ranges of positions, each pair once.
    pub(super) fn fold(&mut self, binning: &Binning, block: &Block<'_>, rows: &Range<usize>, cols: &Range<usize>) {
        wide(Fold { binning, block, rows, cols, tile: self });
    }

    /// Moves everything into a tally.
    pub(super) fn flush(&mut self, binning: &Binning, n_bins: usize, into: &mut Tally) {
        if self.is_empty() {
            return;
        }
        into.counts.resize(n_bins + 2, 0);
        // Slots rise with values, so the rest is empty.
        let touched = binning.slot(self.min) as usize..=binning.slot(self.max) as usize;
        let counts = &mut into.counts[touched.clone()];
        let (even, odd) = (&mut self.even[touched.clone()], &mut self.odd[touched]);
        for ((count, even), odd) in counts.iter_mut().zip(even).zip(odd) {
            *count += u64::from(*even + *odd);
            (*even, *odd) = (0, 0);
        }
        into.n += self.n;
        into.sum += i128::from(self.sum);
        into.squares += self.squares;
        into.min = into.min.min(self.min);
        into.max = into.max.max(self.max);
        (self.n, self.sum, self.squares) = (0, 0, 0);
        (self.min, self.max) = (f32::INFINITY, f32::NEG_INFINITY);
    }
}

struct Fold<'a> {
    binning: &'a Binning,
    block: &'a Block<'a>,
    rows: &'a Range<usize>,
    cols: &'a Range<usize>,
    tile: &'a mut Tile,
}

/// Sums and extremes, one per lane of a vector. A block has at most 1920² values, so that a lane stays in range:
/// squares of quanta are below 2⁴⁵ and there are fewer than 2¹⁹ of them.
struct Lanes {
    sum: [i64; WIDTH],
    squares: [u64; WIDTH],
    min: [f32; WIDTH],
    max: [f32; WIDTH],
}

impl Lanes {
    #[inline(always)]
    fn add(&mut self, lane: usize, value: f32, quanta: i32) {
        let quanta = i64::from(quanta);
        self.sum[lane] += quanta;
        self.squares[lane] += (quanta * quanta) as u64;
        self.min[lane] = if value < self.min[lane] { value } else { self.min[lane] };
        self.max[lane] = if value > self.max[lane] { value } else { self.max[lane] };
    }
}

impl Body for Fold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (binning, tile) = (*self.binning, self.tile);
        let (even, odd) = (&mut *tile.even, &mut *tile.odd);
        let mut lanes = Lanes {
            sum: [0; WIDTH],
            squares: [0; WIDTH],
            min: [f32::INFINITY; WIDTH],
            max: [f32::NEG_INFINITY; WIDTH],
        };
        for row in self.rows.clone() {
            let (_, values) = self.block.after(row, self.cols);
            tile.n += values.len() as u64;
            let (chunks, rest) = values.as_chunks::<WIDTH>();
            for chunk in chunks {
                let mut slots = [0_u32; WIDTH];
                for lane in 0..WIDTH {
                    slots[lane] = binning.slot(chunk[lane]);
                }
                for lane in 0..WIDTH {
                    lanes.add(lane, chunk[lane], binning.quantised(chunk[lane]));
                }
                for pair in slots.as_chunks::<2>().0 {
                    even[pair[0] as usize % SLOTS] += 1;
                    odd[pair[1] as usize % SLOTS] += 1;
                }
            }
            for (lane, value) in rest.iter().enumerate() {
                lanes.add(lane, *value, binning.quantised(*value));
                even[binning.slot(*value) as usize % SLOTS] += 1;
            }
        }
        tile.sum += lanes.sum.iter().sum::<i64>();
        tile.squares += lanes.squares.iter().map(|it| u128::from(*it)).sum::<u128>();
        tile.min = lanes.min.iter().fold(tile.min, |it, v| it.min(*v));
        tile.max = lanes.max.iter().fold(tile.max, |it, v| it.max(*v));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_those_of_the_grid() {
        let grid = Grid { low: -1.0, high: 1.0, n_bins: 4096 };
        let closed = Binning::new(&grid, 1.0, (-1.0, 1.0), true);
        for bin in 0..4096_u32 {
            assert_eq!(closed.slot(grid.center(bin as usize) as f32), bin + 1);
            assert_eq!(
                closed.slot((grid.low + f64::from(bin) * grid.width()) as f32),
                bin + 1,
                "a lower border is inside"
            );
        }
        assert_eq!((closed.slot(-1.0), closed.slot(1.0)), (1, 4096));
        let open = Binning::new(&Grid { low: -0.5, high: 0.25, n_bins: 3 }, 1.0, (-1.0, 1.0), false);
        let found: Vec<u32> = [-1.0, -0.51, -0.5, -0.3, 0.1, 0.249, 0.25, 1.0].map(|it| open.slot(it)).to_vec();
        assert_eq!(found, [0, 0, 1, 1, 3, 3, 4, 4]);
    }

    #[test]
    fn distances_use_their_own_unit() {
        // Values of −2 to 0 that stand for −14 to 0.
        let grid = Grid { low: -14.0, high: 0.0, n_bins: 7 };
        let binning = Binning::new(&grid, 7.0, (-2.0, 0.0), true);
        let found: Vec<u32> = [-2.0, -1.8, -1.0, -0.1, 0.0].map(|it| binning.slot(it)).to_vec();
        assert_eq!(found, [1, 1, 4, 7, 7]);
        assert_eq!((binning.quantised(-2.0), binning.quantised(0.0)), (-(QUANTA as i32), 0));
    }

    #[test]
    fn quanta_are_whole_and_signed() {
        let grid = Grid { low: -1.0, high: 1.0, n_bins: 16 };
        let binning = Binning::new(&grid, 1.0, (-1.0, 1.0), true);
        assert_eq!((binning.quantised(1.0), binning.quantised(-1.0)), (QUANTA as i32, -(QUANTA as i32)));
        assert_eq!(binning.quantised(0.25), QUANTA as i32 / 4);
        assert_eq!(binning.quantised(-1e-9), 0);
    }
}
