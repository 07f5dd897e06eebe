//! Entropy: cell by cell, against life stages and ages, its floor, and what it says about information.

use super::cells::{Cells, Groups};
use super::config::{EntropyPlan, PhenotypeConfig};
use super::counts::StudyCounts;
use super::scores::{ends, number};
use super::series::Series;
use super::task::Task;
use super::unit::NETWORK;
use cellstone_core::{Result, Score};
use cellstone_metrics::phenotype::{
    BootstrapParams, Predictions, Stage, StageKind, age_bin, entropies, entropy_row, floor_report, group_entropy,
    mutual_information, stage,
};
use cellstone_report::phenotype::schema::{EntropyGroupRow, EntropyRow, FloorRow, InformationRow};
use std::collections::BTreeMap;

/// Ages of all cells.
pub(crate) struct Ages {
    stages: Vec<Option<Stage>>,
    years: Option<Vec<f64>>,
}

impl Ages {
    /// Ages by column, life stages by HsapDv id or label.
    pub(crate) fn of(cells: &Cells) -> Self {
        let mut known: BTreeMap<&str, Stage> = BTreeMap::new();
        let stages = match &cells.stages {
            Some(it) => it
                .iter()
                .map(|text| text.as_deref().map(|text| *known.entry(text).or_insert_with(|| stage(text))))
                .collect(),
            None => vec![None; cells.n_obs()],
        };
        Self { stages, years: cells.ages.clone() }
    }

    /// Age for regressions: that of the donor where it is given, else the middle of a narrow stage.
    pub(crate) fn years(&self, cell: usize) -> Option<f64> {
        let given = self.years.as_ref().map(|it| it[cell]).filter(|it| it.is_finite());
        given.or_else(|| self.stages[cell].as_ref().and_then(Stage::for_regression))
    }

    fn interval(&self, cell: usize) -> (Option<f64>, Option<f64>) {
        match self.stages[cell].as_ref().map(|it| &it.kind) {
            Some(StageKind::Years { lo, hi }) => (Some(*lo), *hi),
            _ => (None, None),
        }
    }

    fn bin(&self, cell: usize) -> Option<String> {
        self.stages[cell].as_ref().and_then(age_bin).map(|it| it.to_string())
    }

    fn prenatal(&self, cell: usize) -> bool {
        self.stages[cell].as_ref().is_some_and(|it| matches!(it.kind, StageKind::Prenatal { .. }))
    }
}

/// Whether the entropy of a model is kept.
pub(crate) fn is_wanted(plan: &EntropyPlan, model: &str) -> bool {
    plan.models.is_empty() || plan.models.iter().any(|it| it == model)
}

/// Label smoothing, ids it was spread over: 0 and the candidates for a model without.
pub(crate) type Smoothing = (f64, usize);

/// One row a test cell.
pub(crate) fn cell_rows(
    cells: &Cells,
    counts: &StudyCounts,
    ages: &Ages,
    task: &Task,
    series: &Series<'_>,
    (e, v): Smoothing,
) -> Vec<EntropyRow> {
    let h = entropies(series.after.view());
    let c = task.classes.len();
    let planted = cells.planted.as_ref().filter(|_| task.at == 0);
    let row = |(at, row): (usize, &&super::unit::ProbabilityRow)| {
        let cell = row.cell as usize;
        let place = counts.place(cell);
        let (age_lo, age_hi) = ages.interval(cell);
        let p_true = series.after[[at, series.truth[at] as usize]];
        EntropyRow {
            cell_id: cells.ids[cell].clone(),
            dataset_id: name(&cells.datasets, cell),
            donor: name(&cells.donors, cell),
            category: task.name.clone(),
            condition: series.condition.clone(),
            model: series.model.clone(),
            age_lo,
            age_hi,
            age_mid: ages.years(cell),
            age_bin: ages.bin(cell),
            prenatal: ages.prenatal(cell),
            ln_counts: place.map_or(0.0, |it| counts.totals[it].ln()),
            ln_genes: place.map_or(0.0, |it| (counts.n_genes(it).max(1) as f64).ln()),
            h_nats: h[at],
            h_norm: entropy_row(h[at], c).normalized,
            h_published: row.h_full.map(|it| it / std::f64::consts::LN_10),
            nll: -p_true.max(f64::EPSILON).ln(),
            p_true,
            t: series.folds[series.fold[at]].t,
            e,
            v: v as i64,
            c: c as i64,
            planted: planted.map(|it| it[cell]).filter(|it| it.is_finite()),
        }
    };
    series.test.iter().enumerate().map(row).collect()
}

fn name(groups: &Groups, cell: usize) -> String {
    groups.names[groups.codes[cell] as usize].clone()
}

/// The floor due to label smoothing, and how far from it the network is.
///
/// # Errors
/// As the report of the floor says.
pub(crate) fn floor(task: &Task, series: &Series<'_>, (e, v): Smoothing, n_fallback: i64) -> Result<Option<FloorRow>> {
    let h: Vec<f64> = series.test.iter().filter_map(|it| it.h_full).collect();
    if h.is_empty() {
        return Ok(None);
    }
    let found = floor_report(&h, e, v, task.classes.len())?;
    Ok(Some(FloorRow {
        model: series.model.clone(),
        category: task.name.clone(),
        condition: series.condition.clone(),
        e,
        v: v as i64,
        c: task.classes.len() as i64,
        h_floor: found.floor.nats,
        q_max: found.floor.q_max,
        min: Some(found.min),
        q01: Some(found.q01),
        median: Some(found.median),
        // Without smoothing there is no floor to be near to.
        floor_dominated: e > 0.0 && found.floor_dominated,
        n_fallback,
    }))
}

/// Mean entropy by the groups of every column of the plan.
///
/// # Errors
/// If a column is missing.
pub(crate) fn group_rows(
    config: &PhenotypeConfig,
    cells: &Cells,
    ages: &Ages,
    task: &Task,
    series: &Series<'_>,
    params: &BootstrapParams,
) -> Result<Vec<EntropyGroupRow>> {
    let Some(plan) = &config.entropy else { return Ok(Vec::new()) };
    let h = entropies(series.after.view());
    let c = task.classes.len();
    let mut rows = Vec::new();
    for (nth, column) in plan.by.iter().enumerate() {
        let groups = cells.groups_of(column)?;
        let order = plan.order_col.as_ref().filter(|_| nth == 0).map(|it| cells.numbers_of(it)).transpose()?;
        let codes: Vec<u32> = series.test.iter().map(|it| groups.codes[it.cell as usize]).collect();
        // Where the law of a group comes from: numbers of a column, ages, else names.
        let mut sums: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        let mut planted: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (row, code) in series.test.iter().zip(&codes) {
            let cell = row.cell as usize;
            let value = order.as_ref().map(|it| it[cell]).or_else(|| ages.years(cell)).filter(|it| it.is_finite());
            let slot = sums.entry(*code).or_default();
            *slot = (slot.0 + value.unwrap_or(0.0), slot.1 + f64::from(u8::from(value.is_some())));
            if let Some(it) = cells.planted.as_ref().filter(|_| task.at == 0) {
                let slot = planted.entry(*code).or_default();
                *slot = (slot.0 + it[cell], slot.1 + 1.0);
            }
        }
        let mean = |it: &(f64, f64)| if it.1 > 0.0 { it.0 / it.1 } else { f64::INFINITY };
        let mut places: Vec<u32> = sums.keys().copied().collect();
        places.sort_by(|a, b| mean(&sums[a]).total_cmp(&mean(&sums[b])).then(a.cmp(b)));
        for it in group_entropy(&h, &series.cluster, &codes, params)? {
            let (ci_lo, ci_hi) = ends(&it.interval);
            rows.push(EntropyGroupRow {
                model: series.model.clone(),
                category: task.name.clone(),
                condition: series.condition.clone(),
                column: column.clone(),
                group: groups.names[it.group as usize].clone(),
                place: places.iter().position(|code| *code == it.group).unwrap_or_default() as i64,
                n_cells: it.n_obs as i64,
                n_donors: it.n_donors as i64,
                mean: Some(it.mean),
                median: Some(it.median),
                ci_lo,
                ci_hi,
                normalised: Some(entropy_row(it.mean, c).normalized),
                c: c as i64,
                hollow: it.hollow,
                planted: planted.get(&it.group).map(|it| it.0 / it.1),
            });
        }
    }
    Ok(rows)
}

/// What genes say about the phenotype, in both ways.
///
/// # Errors
/// If probabilities are none.
pub(crate) fn information(task: &Task, series: &Series<'_>, params: &BootstrapParams) -> Result<InformationRow> {
    let predictions = Predictions::new(series.after.view(), &series.truth, &series.cluster)?;
    let found = mutual_information(&predictions, params);
    let value = |it: Score| number(it).0;
    Ok(InformationRow {
        model: series.model.clone(),
        category: task.name.clone(),
        condition: series.condition.clone(),
        h_prior: Some(found.h_prior),
        model_entropy: value(found.model_entropy.estimate),
        lower_bound: value(found.lower_bound.estimate),
        gap: Some(found.calibration_gap),
        efficiency: value(found.efficiency),
        n_cells: series.test.len() as i64,
        n_eff: found.n_eff as f64,
    })
}

/// Whether a series is the headline of its model: a network in the first condition, or any baseline.
pub(crate) fn is_headline(config: &PhenotypeConfig, series: &Series<'_>) -> bool {
    series.model != NETWORK || series.condition == config.headline()
}
