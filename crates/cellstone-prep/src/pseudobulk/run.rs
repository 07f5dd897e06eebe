//! The passes over the source: median, sums, jackknife.

use super::accumulate::{Accumulator, Layout, TILE, bytes_per_gene};
use super::bulk::{BULK_TARGET, Totals, finish_tile, jackknife};
use super::finish::{Finish, Output};
use super::params::{PseudobulkLog, PseudobulkParams};
use super::plan::Plan;
use crate::labels::CellLabels;
use crate::normalize::{Target, library_sizes, nonzero_median, normalize_block, source_libraries};
use cellstone_core::{Averaging, CountSource, Error, Pseudobulk, PseudobulkRow, Result, Scale, quoted};
use ndarray::Array2;
use std::ops::Range;

/// Sums held at once; more genes than fit are left to further passes over the source.
const MEMORY_BUDGET: usize = 1 << 30;

/// Averages the cells of every group, in one pass over the source (plus one for a median target or for the jackknife).
///
/// With `X` the normalized values, `n` cells, `β` batches of a condition (PB numbers as in the protocol):
///
/// | averaging | profile | sampling variance of a gene |
/// |---|---|---|
/// | `Cells` (PB1) | `Σ X / n` | `s² / n` |
/// | `Batches` (PB2) | mean over batches of batch means | `Σ_b s²_b / n_b / β²`; a batch of one cell borrows the pooled `s²` inside batches |
/// | `BatchesMatched` (PB3) | `y_0 + mean_b (y_b − y_0b)` | as PB2 plus `Σ_b s²_0b / n_0b / β²` |
/// | `CellsMatched` (PB4) | `y_0 + mean_i (X_i − y_0,b(i))` | `s² / n` of the differences, plus `Σ_b (n_b/n)² s²_0b / n_0b` |
/// | `Bulk` (PB5) | `ln(1 + 5e4 Σ N_g / Σ N)` | delete-one jackknife |
///
/// `s²` has `n − 1`. A condition without a second cell borrows the mean `s²` of the conditions of its context (PB5: 0), and
/// its replicate halves are NaN. Under PB2 the log also holds the variance between batches. Batches with too few control cells take the control of the context; its variance counts
/// once. The `y_0` of a matched control is PB2 of the control for PB3 and PB1 for PB4, and its own row is not matched.
/// Replicate halves are averaged like the whole, each against its own half of the control.
///
/// Values are normalized in f32 and summed in f64 in file order: threads and block lengths change no bit.
/// `progress` hears the cells done in the current pass.
///
/// # Errors
/// If labels and source differ in length, the parameters do not fit the scale, a context loses its last control cell,
/// or the source cannot be read.
///
/// # References
/// PB1, PB2 and PB3 are the averages of published benchmarks (doi:10.1038/s41592-025-02772-6,
/// doi:10.64898/2026.02.18.706454), PB5 that of ArcInstitute/cell-eval2.
pub fn pseudobulk(
    source: &dyn CountSource,
    labels: &CellLabels,
    params: &PseudobulkParams,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(Pseudobulk, PseudobulkLog)> {
    params.check(source)?;
    labels.check_cells(source)?;
    let is_control: Vec<bool> = labels.groups.iter().map(|it| it.condition.is_control()).collect();
    let transform = Transform::new(source, labels, params)?;
    let mut empty = transform.empty.clone();
    let mut log = PseudobulkLog::default();
    let (bulk, plan) = loop {
        let plan = Plan::new(labels, &empty, params.n_replicates, params.seed);
        check_left(&plan, labels, source.name(), &mut log)?;
        let run = Run { source, labels, params, plan: &plan, is_control: &is_control, transform: &transform, progress };
        match run.all(&mut log)? {
            Passed::Done(bulk) => break (*bulk, plan),
            // Halves and batch weights depend on which cells count, so the sums begin again without the empty ones.
            Passed::Empty(found) => {
                empty = found;
                log = PseudobulkLog::default();
            }
        }
    };
    log.n_dropped_empty = (0..empty.len()).filter(|it| empty[*it] && labels.group_of[*it].is_some()).count();
    if log.n_dropped_empty > 0 {
        log.warnings.push(format!("{} cells without a single count are dropped", log.n_dropped_empty));
    }
    let single = plan.groups.iter().filter(|it| it.n == 1).count();
    if single > 0 {
        log.warnings.push(format!("{single} conditions have one cell: variance borrowed, no replicate halves"));
    }
    Ok((bulk, log))
}

/// How values are made from what the source holds.
struct Transform {
    /// Library size to bring cells to, and whether a logarithm follows; `None` leaves values as they are.
    normalize: Option<(Option<f64>, bool)>,
    scale: Scale,
    /// Cells known to be empty; empty while that is not known.
    empty: Vec<bool>,
}

impl Transform {
    fn new(source: &dyn CountSource, labels: &CellLabels, params: &PseudobulkParams) -> Result<Self> {
        let counts = source.scale() == Scale::Counts;
        let mut empty = Vec::new();
        if params.averaging == Averaging::Bulk {
            return Ok(Self { normalize: None, scale: Scale::LogNorm { target_sum: Some(BULK_TARGET) }, empty });
        }
        let Some(normalize) = params.normalize.filter(|_| counts) else {
            return Ok(Self { normalize: None, scale: source.scale(), empty });
        };
        let target = match normalize.target {
            Target::Sum(it) => Some(it),
            Target::None => None,
            Target::Median => {
                let libraries = source_libraries(source)?;
                let labeled = libraries.iter().zip(&labels.group_of).filter(|it| it.1.is_some()).map(|it| *it.0);
                empty = libraries.iter().map(|it| *it == 0.0).collect();
                Some(nonzero_median(&labeled.collect::<Vec<f64>>()).ok_or_else(|| {
                    Error::invalid_input(format!("every labeled cell of `{}` is empty", source.name()))
                })?)
            }
        };
        let scale = normalize.scale(target.unwrap_or_default())?;
        Ok(Self { normalize: Some((target, normalize.log1p)), scale, empty })
    }
}

enum Passed {
    Done(Box<Pseudobulk>),
    /// Labeled cells without counts were met; which ones.
    Empty(Vec<bool>),
}

struct Run<'a> {
    source: &'a dyn CountSource,
    labels: &'a CellLabels,
    params: &'a PseudobulkParams,
    plan: &'a Plan,
    is_control: &'a [bool],
    transform: &'a Transform,
    progress: &'a (dyn Fn(usize) + Sync),
}

impl Run<'_> {
    fn all(&self, log: &mut PseudobulkLog) -> Result<Passed> {
        let n_genes = self.source.var().len();
        let layout = self.layout();
        let mut out = Output::new(self.plan, n_genes);
        let finish = Finish {
            plan: self.plan,
            labels: self.labels,
            layout,
            averaging: self.params.averaging,
            min_control_batch: self.params.min_control_batch as u64,
        };
        let mut bulk: Option<(Totals, Array2<f64>)> = None;
        let tiles: Vec<Range<usize>> = (0..n_genes).step_by(TILE).map(|it| it..(it + TILE).min(n_genes)).collect();
        let per_tile = bytes_per_gene(self.plan, layout, self.is_control).max(1) * TILE;
        for tiles in tiles.chunks((MEMORY_BUDGET / per_tile).max(1)) {
            let mut sums = Accumulator::new(self.plan, layout, self.is_control, tiles.to_vec());
            let libraries = self.pass(&mut sums)?;
            if let Some(found) = self.empty_cells(&libraries) {
                return Ok(Passed::Empty(found));
            }
            for (tile, sums) in sums.into_sums() {
                if self.params.averaging == Averaging::Bulk {
                    let (totals, all) = bulk
                        .get_or_insert_with(|| (Totals::new(self.plan, &libraries), Array2::zeros(out.profiles.dim())));
                    finish_tile(self.plan, totals, &tile, &sums, &mut out, all);
                } else {
                    finish.tile(&tile, &sums, &mut out);
                }
            }
        }
        if let Some((totals, all)) = &bulk {
            out.sampling_var = Some(jackknife(self.source, self.plan, totals, &out, all, self.progress)?);
        }
        log.n_fallback_batches = finish.n_fallback_batches();
        if log.n_fallback_batches > 0 {
            log.warnings.push(format!(
                "{} batches have fewer than {} control cells and take the control of their context",
                log.n_fallback_batches, self.params.min_control_batch
            ));
        }
        if self.params.averaging == Averaging::Batches {
            log.between_batches.clone_from(&out.between);
        }
        if out.sampling_var.is_none() {
            log.warnings.push("no condition has two cells: the sampling variance is unknown".to_owned());
        }
        self.assemble(out).map(|it| Passed::Done(Box::new(it)))
    }

    /// One batch needs no sums of its own, and PB2 is then PB1 to the last bit.
    fn layout(&self) -> Layout {
        match self.params.averaging {
            Averaging::Batches if self.plan.n_batches > 1 => Layout::ByBatch { batch_means: true, matched: false },
            Averaging::BatchesMatched => Layout::ByBatch { batch_means: true, matched: true },
            Averaging::CellsMatched => Layout::ByBatch { batch_means: false, matched: true },
            _ => Layout::Plain,
        }
    }

    /// Adds every cell to the sums; returns the library sizes of counts, nothing for other scales.
    fn pass(&self, sums: &mut Accumulator<'_>) -> Result<Vec<f64>> {
        let counts = self.source.scale() == Scale::Counts;
        let mut libraries = Vec::new();
        let mut done = 0;
        for block in self.source.blocks(0)? {
            let mut block = block?;
            let n_rows = block.x.shape().0;
            if block.start != done || done + n_rows > self.source.n_obs() {
                return Err(Error::invalid_input(format!(
                    "`{}` gave cells {}..{} after {done} of {} cells",
                    self.source.name(),
                    block.start,
                    block.start + n_rows,
                    self.source.n_obs()
                )));
            }
            match self.transform.normalize {
                Some((target, log1p)) => libraries.extend(normalize_block(&mut block, target, log1p)),
                None if counts => libraries.extend(library_sizes(&block.x)),
                None => {}
            }
            sums.add(&block);
            done += n_rows;
            (self.progress)(done);
        }
        if done != self.source.n_obs() {
            return Err(Error::invalid_input(format!(
                "`{}` ended after {done} of {} cells",
                self.source.name(),
                self.source.n_obs()
            )));
        }
        Ok(libraries)
    }

    /// The empty cells, if one of them was averaged.
    fn empty_cells(&self, libraries: &[f64]) -> Option<Vec<bool>> {
        let empty: Vec<bool> = libraries.iter().map(|it| *it == 0.0).collect();
        let averaged = |it: usize| empty[it] && self.plan.group_of[it].is_some();
        (0..empty.len()).any(averaged).then_some(empty)
    }

    fn assemble(&self, out: Output) -> Result<Pseudobulk> {
        let rows = out.group_of_row.iter().map(|it| {
            let (group, plan) = (&self.labels.groups[*it], &self.plan.groups[*it]);
            PseudobulkRow {
                context: group.context.clone(),
                condition: group.condition.clone(),
                raw: group.raw.clone(),
                n_cells: plan.n,
                n_batches: plan.n_batches() as u32,
            }
        });
        let mut bulk = Pseudobulk::new(
            self.source.var().clone(),
            self.transform.scale,
            self.params.averaging,
            rows.collect(),
            out.profiles,
        )?;
        if let Some(sampling_var) = out.sampling_var {
            bulk = bulk.with_sampling_var(sampling_var)?;
        }
        bulk.with_replicates(out.replicates)
    }
}

/// Names the groups that lost their last cell; refuses to go on without a control.
fn check_left(plan: &Plan, labels: &CellLabels, source: &str, log: &mut PseudobulkLog) -> Result<()> {
    let lost: Vec<usize> = (0..plan.groups.len()).filter(|it| plan.groups[*it].n == 0).collect();
    if let Some(control) = lost.iter().find(|it| labels.groups[**it].condition.is_control()) {
        return Err(Error::invalid_input(format!(
            "every control cell of context `{}` of `{source}` is without a single count",
            labels.groups[*control].context
        )));
    }
    if !lost.is_empty() {
        let raws: Vec<String> = lost.iter().map(|it| labels.groups[*it].raw.clone()).collect();
        log.warnings.push(format!("{} conditions have no cell with counts: {}", raws.len(), quoted(&raws)));
    }
    Ok(())
}
