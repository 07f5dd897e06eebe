//! The one loop over stored entries: adds every cell to the sums of its group.
//!
//! Work is divided into (group, range of genes); a task owns its sums and meets the cells of its group in file order.
//! So no bit depends on threads or on the block length, and a group's sums stay in cache while its cells pass.

use super::plan::Plan;
use cellstone_core::{Csr, RowBlock};
use rayon::prelude::*;
use std::ops::Range;

/// Genes in one task: the sums of one group and task (16 lanes at most, usually 8) fit into the second-level cache.
pub(super) const TILE: usize = 4096;

/// How the sums of a group are laid out: lane 0 holds Σ w x, lane 1 Σ w x², the others sums over replicate halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[Σ x, Σ x², first half of each replicate]`; second halves are differences.
    Plain,
    /// Sums of every unit, and weighted sums over both halves of each replicate.
    ByBatch {
        /// Whether a half averages its batches (PB2, PB3) instead of its cells (PB4).
        batch_means: bool,
        /// Whether the control needs the halves of every batch.
        matched: bool,
    },
}

/// The sums of one group over one range of genes.
#[derive(Debug, Clone)]
pub(super) struct Sums {
    /// `[n_genes · lanes]`.
    pub(super) main: Vec<f64>,
    /// Per unit `[n_genes · 2]`: Σ x and Σ x².
    pub(super) units: Vec<Vec<f64>>,
    /// Per unit of a control `[n_genes · lanes]`, unweighted sums over halves in the lanes of the halves.
    pub(super) unit_halves: Vec<Vec<f64>>,
}

/// The sums of all groups over some ranges of genes.
pub(super) struct Accumulator<'a> {
    plan: &'a Plan,
    layout: Layout,
    lanes: usize,
    tiles: Vec<Range<usize>>,
    /// `[tile][group]`.
    sums: Vec<Vec<Sums>>,
}

/// Lanes come in fours, so that a gene's sums fill whole vector registers.
pub(super) fn n_lanes(layout: Layout, n_replicates: usize) -> usize {
    match layout {
        Layout::Plain => (2 + n_replicates).next_multiple_of(4),
        Layout::ByBatch { .. } => (2 + 2 * n_replicates).next_multiple_of(4),
    }
}

/// Bytes of sums per gene.
pub(super) fn bytes_per_gene(plan: &Plan, layout: Layout, is_control: &[bool]) -> usize {
    let lanes = n_lanes(layout, plan.n_replicates);
    let doubles: usize = (plan.groups.iter().zip(is_control))
        .map(|(group, control)| match layout {
            Layout::Plain => lanes,
            Layout::ByBatch { matched, .. } => {
                lanes + group.units.len() * (2 + if matched && *control { lanes } else { 0 })
            }
        })
        .sum();
    doubles * size_of::<f64>()
}

impl<'a> Accumulator<'a> {
    pub(super) fn new(plan: &'a Plan, layout: Layout, is_control: &[bool], tiles: Vec<Range<usize>>) -> Self {
        let lanes = n_lanes(layout, plan.n_replicates);
        let sums = tiles
            .iter()
            .map(|tile| {
                let zeros = |lanes: usize, n: usize| vec![vec![0.0; tile.len() * lanes]; n];
                let group = |(group, control): (&super::plan::GroupPlan, &bool)| {
                    let (n_units, n_halves) = match layout {
                        Layout::Plain => (0, 0),
                        Layout::ByBatch { matched, .. } => {
                            (group.units.len(), if matched && *control { group.units.len() } else { 0 })
                        }
                    };
                    Sums {
                        main: vec![0.0; tile.len() * lanes],
                        units: zeros(2, n_units),
                        unit_halves: zeros(lanes, n_halves),
                    }
                };
                plan.groups.iter().zip(is_control).map(group).collect()
            })
            .collect();
        Self { plan, layout, lanes, tiles, sums }
    }

    /// Adds a block of cells.
    pub(super) fn add(&mut self, block: &RowBlock) {
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.plan.groups.len()];
        for row in 0..block.x.shape().0 {
            if let Some(group) = self.plan.group_of[block.start + row] {
                rows[group as usize].push(row as u32);
            }
        }
        let job = Job { plan: self.plan, layout: self.layout, block };
        let lanes = self.lanes;
        let tiles = &self.tiles;
        let tasks: Vec<(usize, usize, &mut Sums)> = self
            .sums
            .iter_mut()
            .enumerate()
            .flat_map(|(tile, groups)| groups.iter_mut().enumerate().map(move |(group, it)| (tile, group, it)))
            .filter(|(_, group, _)| !rows[*group].is_empty())
            .collect();
        tasks.into_par_iter().with_max_len(1).for_each(|(tile, group, sums)| {
            let (tile, rows) = (&tiles[tile], &rows[group]);
            match lanes {
                4 => job.add_group::<4>(group, tile, rows, sums),
                8 => job.add_group::<8>(group, tile, rows, sums),
                12 => job.add_group::<12>(group, tile, rows, sums),
                16 => job.add_group::<16>(group, tile, rows, sums),
                20 => job.add_group::<20>(group, tile, rows, sums),
                24 => job.add_group::<24>(group, tile, rows, sums),
                28 => job.add_group::<28>(group, tile, rows, sums),
                32 => job.add_group::<32>(group, tile, rows, sums),
                it => job.add_group_wide(it, group, tile, rows, sums),
            }
        });
    }

    /// The ranges of genes and the sums of every group over each.
    pub(super) fn into_sums(self) -> impl Iterator<Item = (Range<usize>, Vec<Sums>)> {
        self.tiles.into_iter().zip(self.sums)
    }
}

struct Job<'a> {
    plan: &'a Plan,
    layout: Layout,
    block: &'a RowBlock,
}

impl Job<'_> {
    fn add_group<const L: usize>(&self, group: usize, tile: &Range<usize>, rows: &[u32], sums: &mut Sums) {
        for row in rows {
            let (cols, values) = tile_of(&self.block.x, *row as usize, tile);
            let cell = self.block.start + *row as usize;
            let mut weights = [0.0; L];
            self.weights(group, cell, &mut weights);
            add_row(&mut sums.main, cols, values, tile.start, &weights);
            if let Some(unit) = sums.units.get_mut(self.plan.unit_of[cell] as usize) {
                add_row(unit, cols, values, tile.start, &[1.0, 1.0]);
            }
            if let Some(unit) = sums.unit_halves.get_mut(self.plan.unit_of[cell] as usize) {
                let mut weights = [0.0; L];
                self.half_weights(cell, &mut weights, |_| 1.0);
                add_row(unit, cols, values, tile.start, &weights);
            }
        }
    }

    /// Many replicates of both halves: the same sums, with lanes counted at run time.
    fn add_group_wide(&self, lanes: usize, group: usize, tile: &Range<usize>, rows: &[u32], sums: &mut Sums) {
        let mut weights = vec![0.0; lanes];
        for row in rows {
            let (cols, values) = tile_of(&self.block.x, *row as usize, tile);
            let cell = self.block.start + *row as usize;
            weights.fill(0.0);
            self.weights(group, cell, &mut weights);
            add_row_wide(&mut sums.main, cols, values, tile.start, &weights);
            if let Some(unit) = sums.units.get_mut(self.plan.unit_of[cell] as usize) {
                add_row(unit, cols, values, tile.start, &[1.0, 1.0]);
            }
            if let Some(unit) = sums.unit_halves.get_mut(self.plan.unit_of[cell] as usize) {
                weights.fill(0.0);
                self.half_weights(cell, &mut weights, |_| 1.0);
                add_row_wide(unit, cols, values, tile.start, &weights);
            }
        }
    }

    /// The weight of a cell in every lane of its group.
    fn weights(&self, group: usize, cell: usize, weights: &mut [f64]) {
        let bits = self.plan.half_of[cell];
        match self.layout {
            Layout::Plain => {
                weights[..2].fill(1.0);
                for replicate in 0..self.plan.n_replicates {
                    weights[2 + replicate] = f64::from(1 - (bits >> replicate & 1));
                }
            }
            Layout::ByBatch { batch_means, .. } => {
                let plan = &self.plan.groups[group];
                let unit = &plan.units[self.plan.unit_of[cell] as usize];
                self.half_weights(cell, weights, |half| {
                    if batch_means {
                        1.0 / (plan.n_batches_half[half] as f64 * unit.n_half[half] as f64)
                    } else {
                        1.0 / plan.n_half[half] as f64
                    }
                });
            }
        }
    }

    fn half_weights(&self, cell: usize, weights: &mut [f64], weight: impl Fn(usize) -> f64) {
        for replicate in 0..self.plan.n_replicates {
            let half = 2 * replicate + (self.plan.half_of[cell] >> replicate & 1) as usize;
            weights[2 + half] = weight(half);
        }
    }
}

/// The entries of a row whose genes lie in the tile.
fn tile_of<'a>(x: &'a Csr<f32>, row: usize, tile: &Range<usize>) -> (&'a [u32], &'a [f32]) {
    let (cols, values) = x.row(row);
    let from = cols.partition_point(|it| (*it as usize) < tile.start);
    let to = from + cols[from..].partition_point(|it| (*it as usize) < tile.end);
    (&cols[from..to], &values[from..to])
}

/// Adds `w x` to every lane of each gene, and `w x²` to lane 1. No branch on the data: a zero weight adds zero.
#[inline]
fn add_row<const L: usize>(sums: &mut [f64], cols: &[u32], values: &[f32], start: usize, weights: &[f64; L]) {
    let (genes, _) = sums.as_chunks_mut::<L>();
    for (col, value) in cols.iter().zip(values) {
        let x = f64::from(*value);
        let lanes = &mut genes[*col as usize - start];
        let mut terms = [0.0; L];
        for lane in 0..L {
            terms[lane] = weights[lane] * x;
        }
        terms[1] *= x;
        for lane in 0..L {
            lanes[lane] += terms[lane];
        }
    }
}

fn add_row_wide(sums: &mut [f64], cols: &[u32], values: &[f32], start: usize, weights: &[f64]) {
    for (col, value) in cols.iter().zip(values) {
        let x = f64::from(*value);
        let at = (*col as usize - start) * weights.len();
        for (lane, slot) in sums[at..at + weights.len()].iter_mut().enumerate() {
            *slot += weights[lane] * if lane == 1 { x * x } else { x };
        }
    }
}
