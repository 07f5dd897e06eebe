//! Who is averaged with whom: cells to groups, batches and replicate halves, fixed before the first value is read.

use crate::labels::CellLabels;
use cellstone_core::{ContextId, Seed};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// The cells of one group in one batch.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) batch: u32,
    pub(super) n: u64,
    /// Cells in the first and second half of each replicate: `[2 r]` and `[2 r + 1]`.
    pub(super) n_half: Vec<u64>,
}

/// The cells of one group.
#[derive(Debug, Clone)]
pub(super) struct GroupPlan {
    pub(super) n: u64,
    /// Cells in the halves, as in [`Unit::n_half`].
    pub(super) n_half: Vec<u64>,
    /// Batches that each half has a cell in.
    pub(super) n_batches_half: Vec<u64>,
    /// Sorted by batch.
    pub(super) units: Vec<Unit>,
}

/// The plan of a whole file.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) n_replicates: usize,
    /// Group of each cell; `None` if it is not used.
    pub(super) group_of: Vec<Option<u32>>,
    /// Unit of each used cell inside its group.
    pub(super) unit_of: Vec<u32>,
    /// Bit r: whether the cell is in the second half of replicate r.
    pub(super) half_of: Vec<u32>,
    pub(super) groups: Vec<GroupPlan>,
    /// Contexts and the group of their control.
    pub(super) control_of: BTreeMap<ContextId, usize>,
    /// Largest number of batches inside one context.
    pub(super) n_batches: usize,
}

impl Plan {
    /// Plans the labeled cells that are not listed as empty.
    pub(super) fn new(labels: &CellLabels, empty: &[bool], n_replicates: usize, seed: Seed) -> Self {
        let n_obs = labels.group_of.len();
        let group_of: Vec<Option<u32>> =
            (0..n_obs).map(|it| labels.group_of[it].filter(|_| !empty.get(it).copied().unwrap_or(false))).collect();
        let mut cells: Vec<Vec<u32>> = vec![Vec::new(); labels.groups.len()];
        for (cell, group) in group_of.iter().enumerate() {
            if let Some(group) = group {
                cells[*group as usize].push(cell as u32);
            }
        }
        let half_of = halves(n_obs, &cells, n_replicates, seed);
        let mut unit_of = vec![0; n_obs];
        let groups = cells.iter().map(|it| plan_group(it, labels, &half_of, n_replicates, &mut unit_of)).collect();
        let control_of = labels
            .groups
            .iter()
            .enumerate()
            .filter(|(_, it)| it.condition.is_control())
            .map(|(at, it)| (it.context.clone(), at))
            .collect();
        let mut plan = Self { n_replicates, group_of, unit_of, half_of, groups, control_of, n_batches: 0 };
        plan.n_batches = plan.most_batches(labels);
        plan
    }

    fn most_batches(&self, labels: &CellLabels) -> usize {
        let mut batches: BTreeMap<&ContextId, Vec<u32>> = BTreeMap::new();
        for (group, plan) in labels.groups.iter().zip(&self.groups) {
            batches.entry(&group.context).or_default().extend(plan.units.iter().map(|it| it.batch));
        }
        let distinct = |mut it: Vec<u32>| {
            it.sort_unstable();
            it.dedup();
            it.len()
        };
        batches.into_values().map(distinct).max().unwrap_or(0)
    }
}

impl GroupPlan {
    /// Number of batches the group has a cell in.
    pub(super) fn n_batches(&self) -> usize {
        self.units.len()
    }
}

/// Splits the cells of every group into halves that differ by at most one cell, the first one never smaller.
///
/// The order is decided by a key of seed, replicate and cell index, so neither threads nor blocks matter.
fn halves(n_obs: usize, cells: &[Vec<u32>], n_replicates: usize, seed: Seed) -> Vec<u32> {
    let second_halves: Vec<Vec<u32>> = cells
        .par_iter()
        .map(|cells| {
            let mut bits = vec![0_u32; cells.len()];
            for replicate in 0..n_replicates {
                let stream = seed.derive("replicate").derive_index(replicate as u64);
                let mut order: Vec<(u64, u32)> = cells
                    .iter()
                    .zip(0..)
                    .map(|(cell, at)| (stream.derive_index(u64::from(*cell)).value(), at))
                    .collect();
                order.sort_unstable();
                for (_, at) in &order[cells.len().div_ceil(2)..] {
                    bits[*at as usize] |= 1 << replicate;
                }
            }
            bits
        })
        .collect();
    let mut half_of = vec![0; n_obs];
    for (cells, bits) in cells.iter().zip(second_halves) {
        for (cell, bits) in cells.iter().zip(bits) {
            half_of[*cell as usize] = bits;
        }
    }
    half_of
}

fn plan_group(
    cells: &[u32],
    labels: &CellLabels,
    half_of: &[u32],
    n_replicates: usize,
    unit_of: &mut [u32],
) -> GroupPlan {
    let mut batches: Vec<u32> = cells.iter().map(|it| labels.batch(*it as usize)).collect();
    batches.sort_unstable();
    batches.dedup();
    let unit = |batch: &u32| Unit { batch: *batch, n: 0, n_half: vec![0; 2 * n_replicates] };
    let mut units: Vec<Unit> = batches.iter().map(unit).collect();
    let mut n_half = vec![0; 2 * n_replicates];
    for cell in cells {
        let cell = *cell as usize;
        let at = batches.binary_search(&labels.batch(cell)).expect("invariant: the batch was just collected");
        unit_of[cell] = at as u32;
        units[at].n += 1;
        for replicate in 0..n_replicates {
            let half = 2 * replicate + usize::from(half_of[cell] >> replicate & 1 == 1);
            units[at].n_half[half] += 1;
            n_half[half] += 1;
        }
    }
    let n_batches_half =
        (0..n_half.len()).map(|half| units.iter().filter(|it| it.n_half[half] > 0).count() as u64).collect();
    GroupPlan { n: cells.len() as u64, n_half, n_batches_half, units }
}
