//! Two similarities of the same pairs against each other.

use super::block::{Block, for_each_block};
use super::cells::Cells;
use super::fold::Binning;
use super::options::{Grid, PairOptions, Relation, Rows, Similarity};
use super::prepare::Prepared;
use super::scale::undefined;
use crate::wide::{Body, wide};
use cellstone_core::{Error, Result};
use pulp::Simd;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Bins of a side of a joint histogram.
pub const JOINT_BINS: usize = 256;

/// One of the two similarities of [`joint_histogram`].
#[derive(Debug, Clone, Copy)]
pub struct Measure<'a> {
    /// The rows, in the encoding that belongs to this measure.
    pub rows: Rows<'a>,
    /// The similarity.
    pub similarity: Similarity,
    /// Range of the histogram; the natural one without. Values outside are in the outermost bins.
    pub range: Option<(f64, f64)>,
}

/// Counts of pairs by both similarities, [`JOINT_BINS`]² of them, apart for pairs within and between groups.
#[derive(Debug, Clone, PartialEq)]
pub struct JointHistogram {
    /// Bins of the first similarity.
    pub x: Grid,
    /// Bins of the second similarity.
    pub y: Grid,
    /// Pairs of one group at `bin_x · 256 + bin_y`.
    pub within: Vec<u64>,
    /// Pairs of two groups.
    pub between: Vec<u64>,
    /// Rows that one of the two leaves without a similarity; they are in no pair.
    pub excluded: Vec<u32>,
}

/// Counts all pairs of cells by two similarities, for pairs of one relation.
///
/// Both measures have a row for every cell, in the same order. Of the options, groups, strata, block and memory count.
///
/// # Errors
/// As [`super::all_pairs`], and if the measures have different numbers of rows.
pub fn joint_histogram(
    x: Measure<'_>,
    y: Measure<'_>,
    options: &PairOptions<'_>,
    relation: Relation,
) -> Result<JointHistogram> {
    options.check(&x.rows)?;
    options.check(&y.rows)?;
    let (of_x, of_y) = (undefined(&x.rows, x.similarity)?, undefined(&y.rows, y.similarity)?);
    if relation != Relation::All && options.strata.is_none() {
        return Err(Error::invalid_input(format!(
            "pairs of relation `{}` were asked for, but no strata given",
            relation.id()
        )));
    }
    let either: Vec<bool> = of_x.iter().zip(&of_y).map(|(x, y)| *x || *y).collect();
    let cells = Cells::new(options, &either)?;
    let prepare = |it: &Measure<'_>| Prepared::new(&it.rows, it.similarity, &cells, options);
    let (first, second) = (prepare(&x)?, prepare(&y)?);
    let (grid_x, binning_x) = bins(&x, &first);
    let (grid_y, binning_y) = bins(&y, &second);
    let counts: [Mutex<Vec<u64>>; 2] = std::array::from_fn(|_| Mutex::new(vec![0; JOINT_BINS * JOINT_BINS]));
    let visit = |tiles: &mut [Vec<u32>; 2], blocks: &[Block<'_>]| {
        let cols = cells.runs_in(&blocks[0].task.cols).concat();
        for a in cells.runs_in(&blocks[0].task.rows).concat() {
            for b in cols.iter().filter(|b| relation == Relation::All || cells.relation(&a, b) == relation) {
                let tile = &mut tiles[usize::from(a.group != b.group)];
                wide(Cross { binnings: [binning_x, binning_y], blocks, rows: &a.at, cols: &b.at, tile });
            }
        }
        for (tile, counts) in tiles.iter_mut().zip(&counts) {
            let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.iter_mut().zip(tile).for_each(|(it, more)| *it += u64::from(std::mem::take(more)));
        }
    };
    let tiles = || std::array::from_fn(|_| vec![0; JOINT_BINS * JOINT_BINS]);
    for_each_block(&cells, &[&first, &second], options.block_rows(cells.len()), tiles, visit, &|_| ());
    let [within, between] = counts.map(|it| it.into_inner().unwrap_or_else(PoisonError::into_inner));
    Ok(JointHistogram { x: grid_x, y: grid_y, within, between, excluded: cells.excluded })
}

fn bins(measure: &Measure<'_>, prepared: &Prepared) -> (Grid, Binning) {
    let (low, high) = prepared.bounds;
    let natural = (f64::from(low) * prepared.unit, f64::from(high) * prepared.unit);
    let (low, high) = measure.range.unwrap_or(natural);
    let grid = Grid { low, high, n_bins: JOINT_BINS };
    (grid, Binning::new(&grid, prepared.unit, prepared.bounds, true))
}

struct Cross<'a> {
    binnings: [Binning; 2],
    blocks: &'a [Block<'a>],
    rows: &'a Range<usize>,
    cols: &'a Range<usize>,
    tile: &'a mut [u32],
}

impl Body for Cross<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let [of_x, of_y] = self.binnings;
        for row in self.rows.clone() {
            let (x, y) = (self.blocks[0].after(row, self.cols).1, self.blocks[1].after(row, self.cols).1);
            for (x, y) in x.iter().zip(y) {
                // Slots begin at 1.
                self.tile[(of_x.slot(*x) as usize - 1) * JOINT_BINS + of_y.slot(*y) as usize - 1] += 1;
            }
        }
    }
}
