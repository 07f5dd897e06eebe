//! PB5: the log of the normalized sum of a group's counts, with its delete-one jackknife.

use super::accumulate::{Layout, Sums, n_lanes};
use super::finish::{Output, assign, part_of_row, rest};
use super::plan::Plan;
use cellstone_core::{CountSource, Result};
use ndarray::Array2;
use rayon::prelude::*;
use std::ops::Range;

/// The library size that the sum of a group is brought to.
pub(super) const BULK_TARGET: f64 = 5e4;

/// Library sizes of groups and halves.
pub(super) struct Totals {
    pub(super) groups: Vec<f64>,
    /// `[group][half]`.
    halves: Vec<Vec<f64>>,
}

impl Totals {
    pub(super) fn new(plan: &Plan, libraries: &[f64]) -> Self {
        let mut groups = vec![0.0; plan.groups.len()];
        let mut halves = vec![vec![0.0; 2 * plan.n_replicates]; plan.groups.len()];
        for (cell, group) in plan.group_of.iter().enumerate() {
            let Some(group) = group.map(|it| it as usize) else { continue };
            groups[group] += libraries[cell];
            for replicate in 0..plan.n_replicates {
                halves[group][2 * replicate + (plan.half_of[cell] >> replicate & 1) as usize] += libraries[cell];
            }
        }
        Self { groups, halves }
    }
}

/// `ln(1 + TS · x / total)`; zero where there is nothing.
fn profile(sum: f64, total: f64) -> f64 {
    if total > 0.0 { (BULK_TARGET * sum / total).ln_1p() } else { 0.0 }
}

/// Fills the columns of `tile` with profiles and halves. `sums_of_groups` receives the plain sums for the jackknife.
pub(super) fn finish_tile(
    plan: &Plan,
    totals: &Totals,
    tile: &Range<usize>,
    sums: &[Sums],
    out: &mut Output,
    sums_of_groups: &mut Array2<f64>,
) {
    let lanes = n_lanes(Layout::Plain, plan.n_replicates);
    for row in 0..out.group_of_row.len() {
        let group = out.group_of_row[row];
        let main = &sums[group].main;
        let all: Vec<f64> = (0..tile.len()).map(|gene| main[gene * lanes]).collect();
        let profiles: Vec<f64> = all.iter().map(|it| profile(*it, totals.groups[group])).collect();
        assign(part_of_row(&mut out.profiles, row, tile), &profiles);
        assign(part_of_row(sums_of_groups, row, tile), &all);
        for half in 0..2 * plan.n_replicates {
            let total = totals.halves[group][half];
            let of = |gene: usize| {
                let first = main[gene * lanes + 2 + half / 2];
                let sum = if half.is_multiple_of(2) { first } else { rest(all[gene], first) };
                if plan.groups[group].n < 2 { f64::NAN } else { profile(sum, total) }
            };
            let values: Vec<f64> = (0..tile.len()).map(of).collect();
            assign(out.half_mut(half, row, tile), &values);
        }
    }
}

/// The delete-one jackknife variance of every profile, `[n_rows, n_genes]`; zero for a single cell.
///
/// `C_g = (n − 1)/n · Σ_i (v_ig − v̄_g)²`, `v_ig = ln(1 + TS (P_g − N_ig) / (S − ℓ_i))`. Values are taken relative to
/// the full profile, which leaves the variance as it is and keeps its digits.
///
/// # References
/// ArcInstitute/cell-eval2, the measurement-noise term of its unbiased error.
pub(super) fn jackknife(
    source: &dyn CountSource,
    plan: &Plan,
    totals: &Totals,
    out: &Output,
    sums_of_groups: &Array2<f64>,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Array2<f64>> {
    let (n_rows, n_genes) = sums_of_groups.dim();
    let mut row_of_group = vec![None; plan.groups.len()];
    for (row, group) in out.group_of_row.iter().enumerate() {
        row_of_group[*group] = Some(row);
    }
    let mut deviations: Vec<Vec<[f64; 2]>> = vec![vec![[0.0; 2]; n_genes]; n_rows];
    for block in source.blocks(0)? {
        let block = block?;
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); n_rows];
        for row in 0..block.x.shape().0 {
            if let Some(at) = plan.group_of[block.start + row].and_then(|it| row_of_group[it as usize]) {
                rows[at].push(row);
            }
        }
        deviations.par_iter_mut().zip(rows).enumerate().for_each(|(at, (deviations, rows))| {
            let sums = sums_of_groups.row(at);
            let total = totals.groups[out.group_of_row[at]];
            for row in rows {
                let (cols, values) = block.x.row(row);
                add_cell(deviations, cols, values, sums.as_slice().unwrap_or_default(), total);
            }
        });
        progress(block.start + block.x.shape().0);
    }
    let mut variance = Array2::zeros((n_rows, n_genes));
    for (at, deviations) in deviations.iter().enumerate() {
        let n = plan.groups[out.group_of_row[at]].n as f64;
        if n >= 2.0 {
            for (slot, [sum, square]) in variance.row_mut(at).iter_mut().zip(deviations) {
                *slot = (n - 1.0) / n * (square - sum * sum / n).max(0.0);
            }
        }
    }
    Ok(variance)
}

/// Adds `v_ig − b_g` and its square for every gene of one cell.
fn add_cell(deviations: &mut [[f64; 2]], cols: &[u32], values: &[f32], sums: &[f64], total: f64) {
    let library = crate::normalize::library_size(values);
    let left = total - library;
    let mut entry = 0;
    for (gene, slot) in deviations.iter_mut().enumerate() {
        let mut sum = sums[gene];
        if sum == 0.0 {
            continue;
        }
        let full = BULK_TARGET * sum / total;
        if cols.get(entry).is_some_and(|it| *it as usize == gene) {
            sum -= f64::from(values[entry]);
            entry += 1;
        }
        let without = if left > 0.0 { BULK_TARGET * sum / left } else { 0.0 };
        // ln(1 + without) − ln(1 + full), in one logarithm.
        let deviation = ((without - full) / (1.0 + full)).ln_1p();
        slot[0] += deviation;
        slot[1] += deviation * deviation;
    }
}
