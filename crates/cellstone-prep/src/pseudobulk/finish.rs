//! From sums to means, their sampling variance and replicate halves, one range of genes at a time.

use super::accumulate::{Layout, Sums, n_lanes};
use super::plan::{GroupPlan, Plan, Unit};
use crate::labels::CellLabels;
use cellstone_core::{Averaging, Replicate};
use ndarray::{Array2, ArrayViewMut1, Axis, Slice};
use std::collections::BTreeMap;
use std::ops::Range;

/// What the sums are made into; rows are the groups that have a cell.
pub(super) struct Output {
    /// Group of each row.
    pub(super) group_of_row: Vec<usize>,
    pub(super) profiles: Array2<f64>,
    /// `None` once a variance turned out to have no estimate at all.
    pub(super) sampling_var: Option<Array2<f64>>,
    pub(super) replicates: Vec<Replicate>,
    /// Variance between batches of each row, summed over the genes done so far.
    pub(super) between: Vec<Option<f64>>,
}

/// Fewest batches whose spread says something about the variance of their mean.
const MIN_BATCHES: usize = 3;

/// Everything the formulas need besides the sums.
pub(super) struct Finish<'a> {
    pub(super) plan: &'a Plan,
    pub(super) labels: &'a CellLabels,
    pub(super) layout: Layout,
    pub(super) averaging: Averaging,
    pub(super) min_control_batch: u64,
}

/// The control of one context over one range of genes.
struct Control {
    mean: Vec<f64>,
    /// Variance of the mean.
    var: Vec<f64>,
    /// Means of the halves, by half.
    halves: Vec<Vec<f64>>,
    /// The batches with enough control cells.
    batches: BTreeMap<u32, ControlBatch>,
}

struct ControlBatch {
    mean: Vec<f64>,
    var: Vec<f64>,
    /// Means of the halves that have a cell.
    halves: Vec<Option<Vec<f64>>>,
}

impl Output {
    pub(super) fn new(plan: &Plan, n_genes: usize) -> Self {
        let group_of_row: Vec<usize> = (0..plan.groups.len()).filter(|it| plan.groups[*it].n > 0).collect();
        let zeros = || Array2::zeros((group_of_row.len(), n_genes));
        let counts = |half: usize| group_of_row.iter().map(|it| plan.groups[*it].n_half[half]).collect();
        let replicates = (0..plan.n_replicates)
            .map(|it| Replicate {
                first: zeros(),
                second: zeros(),
                n_first: counts(2 * it),
                n_second: counts(2 * it + 1),
            })
            .collect();
        let enough = |it: &usize| (plan.groups[*it].n_batches() >= MIN_BATCHES).then_some(0.0);
        let between = group_of_row.iter().map(enough).collect();
        Self { profiles: zeros(), sampling_var: Some(zeros()), replicates, between, group_of_row }
    }

    /// The genes of `tile` of one half of one row.
    pub(super) fn half_mut(&mut self, half: usize, row: usize, tile: &Range<usize>) -> ArrayViewMut1<'_, f64> {
        let replicate = &mut self.replicates[half / 2];
        part_of_row(if half.is_multiple_of(2) { &mut replicate.first } else { &mut replicate.second }, row, tile)
    }
}

impl Finish<'_> {
    /// Fills the columns of `tile`.
    pub(super) fn tile(&self, tile: &Range<usize>, sums: &[Sums], out: &mut Output) {
        let own: Vec<Option<Vec<f64>>> =
            (0..sums.len()).map(|it| self.cell_variance(it, &sums[it], tile.len(), None)).collect();
        let mut controls = BTreeMap::new();
        for (context, group) in &self.plan.control_of {
            if self.plan.groups[*group].n > 0 {
                let s2 = own[*group].clone().or_else(|| self.borrowed(*group, &own));
                controls.insert(context, self.control(*group, &sums[*group], s2.as_deref(), tile.len()));
            }
        }
        // Under a matched control the variance of a cell is that of its difference from the control of its batch.
        let residual: Vec<Option<Vec<f64>>> = if self.averaging == Averaging::CellsMatched {
            let of = |it: usize| {
                let control = controls.get(&self.labels.groups[it].context);
                self.cell_variance(it, &sums[it], tile.len(), control.filter(|_| !self.is_control(it)))
            };
            (0..sums.len()).map(of).collect()
        } else {
            own
        };
        for row in 0..out.group_of_row.len() {
            let group = out.group_of_row[row];
            let s2 = residual[group].clone().or_else(|| self.borrowed(group, &residual));
            let mut mean = self.mean(group, &sums[group], tile.len());
            if let Some(between) = &mut out.between[row] {
                *between += self.between_batches(group, &sums[group], &mean);
            }
            let var = s2.map(|it| self.mean_variance(group, &sums[group], &it));
            let mut halves = self.halves(group, &sums[group], tile.len());
            let control = controls.get(&self.labels.groups[group].context);
            let var = match control {
                Some(control) if self.is_matched() && !self.is_control(group) => {
                    self.match_control(group, control, &mut mean, &mut halves);
                    var.map(|it| self.with_control_variance(group, control, it))
                }
                _ => var,
            };
            assign(part_of_row(&mut out.profiles, row, tile), &mean);
            match (&mut out.sampling_var, var) {
                (Some(all), Some(var)) => assign(part_of_row(all, row, tile), &var),
                (all, _) => *all = None,
            }
            for (half, values) in halves.iter().enumerate() {
                let slot = out.half_mut(half, row, tile);
                if self.plan.groups[group].n < 2 {
                    assign(slot, &vec![f64::NAN; tile.len()]);
                } else {
                    assign(slot, values);
                }
            }
        }
    }

    fn is_control(&self, group: usize) -> bool {
        self.labels.groups[group].condition.is_control()
    }

    fn is_matched(&self) -> bool {
        matches!(self.averaging, Averaging::BatchesMatched | Averaging::CellsMatched)
    }

    /// Whether the mean of a group is the mean of its batches.
    fn averages_batches(&self) -> bool {
        matches!(self.averaging, Averaging::Batches | Averaging::BatchesMatched)
    }

    fn mean(&self, group: usize, sums: &Sums, n_genes: usize) -> Vec<f64> {
        let plan = &self.plan.groups[group];
        let lanes = n_lanes(self.layout, self.plan.n_replicates);
        (0..n_genes)
            .map(|gene| match self.layout {
                Layout::Plain => sums.main[gene * lanes] / plan.n as f64,
                Layout::ByBatch { batch_means, .. } => {
                    let units = plan.units.iter().zip(&sums.units);
                    if batch_means {
                        units.map(|(it, sum)| sum[2 * gene] / it.n as f64).sum::<f64>() / plan.n_batches() as f64
                    } else {
                        units.map(|(_, sum)| sum[2 * gene]).sum::<f64>() / plan.n as f64
                    }
                }
            })
            .collect()
    }

    /// The variance between cells that one more cell would tell about, with n − 1; `None` where there is no second cell.
    ///
    /// Over all cells (PB1), pooled inside batches (PB2, PB3), or of differences from the batch's control (PB4).
    fn cell_variance(&self, group: usize, sums: &Sums, n_genes: usize, control: Option<&Control>) -> Option<Vec<f64>> {
        let plan = &self.plan.groups[group];
        let freedom = if self.averages_batches() && self.layout != Layout::Plain {
            plan.n - plan.n_batches() as u64
        } else {
            plan.n.saturating_sub(1)
        };
        if freedom == 0 {
            return None;
        }
        let lanes = n_lanes(self.layout, self.plan.n_replicates);
        let n = plan.n as f64;
        let squares = |gene: usize| match self.layout {
            Layout::Plain => about_mean(sums.main[gene * lanes], sums.main[gene * lanes + 1], n),
            Layout::ByBatch { batch_means: true, .. } => {
                plan.units.iter().zip(&sums.units).map(|(it, sum)| unit_squares(it.n, sum, gene)).sum()
            }
            Layout::ByBatch { batch_means: false, .. } => {
                let (mut sum, mut square) = (0.0, 0.0);
                for (unit, own) in plan.units.iter().zip(&sums.units) {
                    let (n, s, q) = (unit.n as f64, own[2 * gene], own[2 * gene + 1]);
                    let m = control.map_or(0.0, |it| it.batch_mean(unit.batch)[gene]);
                    sum += s - n * m;
                    square += q - 2.0 * m * s + n * m * m;
                }
                about_mean(sum, square, n)
            }
        };
        Some((0..n_genes).map(|gene| squares(gene) / freedom as f64).collect())
    }

    /// The mean variance of the other conditions of the context, of all contexts where those have none.
    fn borrowed(&self, group: usize, own: &[Option<Vec<f64>>]) -> Option<Vec<f64>> {
        let context = &self.labels.groups[group].context;
        let near = |it: &usize| self.labels.groups[*it].context == *context;
        let mean = |lenders: Vec<&Vec<f64>>| {
            let first = lenders.first()?;
            let over = |gene: usize| lenders.iter().map(|it| it[gene]).sum::<f64>() / lenders.len() as f64;
            Some((0..first.len()).map(over).collect())
        };
        mean((0..own.len()).filter(near).filter_map(|it| own[it].as_ref()).collect())
            .or_else(|| mean(own.iter().flatten().collect()))
    }

    /// The variance of the mean of a group whose cells vary by `s2`.
    fn mean_variance(&self, group: usize, sums: &Sums, s2: &[f64]) -> Vec<f64> {
        let plan = &self.plan.groups[group];
        if self.layout == Layout::Plain || !self.averages_batches() {
            return s2.iter().map(|it| it / plan.n as f64).collect();
        }
        let n_batches = plan.n_batches() as f64;
        let of = |(gene, pooled): (usize, &f64)| {
            let units = plan.units.iter().zip(&sums.units);
            units.map(|(it, sum)| unit_variance(it.n, sum, gene, *pooled) / it.n as f64).sum::<f64>()
                / (n_batches * n_batches)
        };
        s2.iter().enumerate().map(of).collect()
    }

    /// `Σ (y_b − y)² / (β (β − 1))` over batches and genes.
    fn between_batches(&self, group: usize, sums: &Sums, mean: &[f64]) -> f64 {
        let plan = &self.plan.groups[group];
        let n_batches = plan.n_batches() as f64;
        let unit = |(unit, sum): (&Unit, &Vec<f64>)| -> f64 {
            let gap = |(gene, mean): (usize, &f64)| (sum[2 * gene] / unit.n as f64 - mean).powi(2);
            mean.iter().enumerate().map(gap).sum()
        };
        plan.units.iter().zip(&sums.units).map(unit).sum::<f64>() / (n_batches * (n_batches - 1.0))
    }

    /// Means of the halves, by half; zeros where a half has no cell.
    fn halves(&self, group: usize, sums: &Sums, n_genes: usize) -> Vec<Vec<f64>> {
        let plan = &self.plan.groups[group];
        let lanes = n_lanes(self.layout, self.plan.n_replicates);
        let of = |half: usize| {
            let n = plan.n_half[half].max(1) as f64;
            (0..n_genes)
                .map(|gene| match self.layout {
                    Layout::Plain => {
                        let (all, first) = (sums.main[gene * lanes], sums.main[gene * lanes + 2 + half / 2]);
                        if half.is_multiple_of(2) { first / n } else { rest(all, first) / n }
                    }
                    Layout::ByBatch { .. } => sums.main[gene * lanes + 2 + half],
                })
                .collect()
        };
        (0..plan.n_half.len()).map(of).collect()
    }

    fn control(&self, group: usize, sums: &Sums, s2: Option<&[f64]>, n_genes: usize) -> Control {
        let plan = &self.plan.groups[group];
        let mean = self.mean(group, sums, n_genes);
        let zeros = vec![0.0; n_genes];
        let s2 = s2.unwrap_or(&zeros);
        let lanes = n_lanes(self.layout, self.plan.n_replicates);
        let mut batches = BTreeMap::new();
        for (at, unit) in plan.units.iter().enumerate().filter(|(_, it)| it.n >= self.min_control_batch.max(1)) {
            let (Some(own), Some(halves)) = (sums.units.get(at), sums.unit_halves.get(at)) else { continue };
            let n = unit.n as f64;
            let half = |half: usize| {
                let n_half = unit.n_half[half];
                let mean = |gene: usize| halves[gene * lanes + 2 + half] / n_half as f64;
                (n_half > 0).then(|| (0..n_genes).map(mean).collect())
            };
            batches.insert(
                unit.batch,
                ControlBatch {
                    mean: (0..n_genes).map(|gene| own[2 * gene] / n).collect(),
                    var: (0..n_genes).map(|gene| unit_variance(unit.n, own, gene, s2[gene]) / n).collect(),
                    halves: (0..unit.n_half.len()).map(half).collect(),
                },
            );
        }
        Control { var: self.mean_variance(group, sums, s2), halves: self.halves(group, sums, n_genes), mean, batches }
    }

    /// Turns means into `control of the context + matched delta`.
    fn match_control(&self, group: usize, control: &Control, mean: &mut [f64], halves: &mut [Vec<f64>]) {
        let plan = &self.plan.groups[group];
        for (gene, value) in mean.iter_mut().enumerate() {
            let own = |(batch, weight)| weight * control.batch_mean(batch)[gene];
            *value += control.mean[gene] - self.batch_weights(plan, None).map(own).sum::<f64>();
        }
        for (half, values) in halves.iter_mut().enumerate() {
            let global = &control.halves[half];
            for (gene, value) in values.iter_mut().enumerate() {
                let own = |(batch, weight)| {
                    let batch = control.batches.get(&batch).and_then(|it| it.halves[half].as_ref());
                    weight * batch.unwrap_or(global)[gene]
                };
                *value += global[gene] - self.batch_weights(plan, Some(half)).map(own).sum::<f64>();
            }
        }
    }

    /// Adds the variance of the matched controls: those of batches are independent, the shared one counts together.
    fn with_control_variance(&self, group: usize, control: &Control, mut var: Vec<f64>) -> Vec<f64> {
        let plan = &self.plan.groups[group];
        let weights: Vec<(u32, f64)> = self.batch_weights(plan, None).collect();
        let shared: f64 = weights.iter().filter(|it| !control.batches.contains_key(&it.0)).map(|it| it.1).sum();
        for (gene, value) in var.iter_mut().enumerate() {
            *value += shared * shared * control.var[gene];
            for (batch, weight) in &weights {
                *value += control.batches.get(batch).map_or(0.0, |it| weight * weight * it.var[gene]);
            }
        }
        var
    }

    /// The share of every batch in the mean of a group or of one of its halves.
    fn batch_weights<'a>(
        &self,
        plan: &'a GroupPlan,
        half: Option<usize>,
    ) -> impl Iterator<Item = (u32, f64)> + use<'a> {
        let batch_means = self.averages_batches();
        let n_batches = half.map_or(plan.n_batches() as u64, |it| plan.n_batches_half[it]).max(1) as f64;
        let n = half.map_or(plan.n, |it| plan.n_half[it]).max(1) as f64;
        plan.units.iter().filter_map(move |unit| {
            let own = half.map_or(unit.n, |it| unit.n_half[it]);
            (own > 0).then_some((unit.batch, if batch_means { 1.0 / n_batches } else { own as f64 / n }))
        })
    }

    /// Pairs of context and batch whose conditions take the control of the context.
    pub(super) fn n_fallback_batches(&self) -> usize {
        if !self.is_matched() {
            return 0;
        }
        let mut needed = std::collections::BTreeSet::new();
        for (group, plan) in self.labels.groups.iter().zip(&self.plan.groups).filter(|it| !it.0.condition.is_control())
        {
            let control = self.plan.control_of.get(&group.context).map(|it| &self.plan.groups[*it]);
            for unit in &plan.units {
                let own = control.and_then(|it| it.units.iter().find(|it| it.batch == unit.batch));
                if own.is_none_or(|it| it.n < self.min_control_batch.max(1)) {
                    needed.insert((&group.context, unit.batch));
                }
            }
        }
        needed.len()
    }
}

impl Control {
    /// The control of a batch, or of the context where the batch has too few cells.
    fn batch_mean(&self, batch: u32) -> &[f64] {
        self.batches.get(&batch).map_or(&self.mean, |it| &it.mean)
    }
}

/// Σ (x − mean)² from Σ x and Σ x².
fn about_mean(sum: f64, square: f64, n: f64) -> f64 {
    (square - sum * sum / n).max(0.0)
}

fn unit_squares(n: u64, sums: &[f64], gene: usize) -> f64 {
    if n < 2 { 0.0 } else { about_mean(sums[2 * gene], sums[2 * gene + 1], n as f64) }
}

/// The variance inside a batch; a single cell takes the pooled one.
fn unit_variance(n: u64, sums: &[f64], gene: usize, pooled: f64) -> f64 {
    if n < 2 { pooled } else { unit_squares(n, sums, gene) / (n as f64 - 1.0) }
}

/// `all − first`, with the rounding of an empty rest removed.
pub(super) fn rest(all: f64, first: f64) -> f64 {
    let rest = all - first;
    if rest.abs() <= 1e-12 * all.abs() { 0.0 } else { rest }
}

/// The genes of `tile` in one row.
pub(super) fn part_of_row<'a>(all: &'a mut Array2<f64>, row: usize, tile: &Range<usize>) -> ArrayViewMut1<'a, f64> {
    let mut part = all.row_mut(row);
    part.slice_axis_inplace(Axis(0), Slice::from(tile.clone()));
    part
}

pub(super) fn assign(mut slot: ArrayViewMut1<'_, f64>, values: &[f64]) {
    for (slot, value) in slot.iter_mut().zip(values) {
        *slot = *value;
    }
}
