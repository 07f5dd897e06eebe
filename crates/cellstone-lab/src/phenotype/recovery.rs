//! What was planted in simulated cells, and whether it was found.

use super::cells::Cells;
use super::config::PhenotypeConfig;
use super::tables::PhenotypeTables;
use super::task::Task;
use super::unit::NETWORK;
use cellstone_report::phenotype::schema::{EntropyGroupRow, RecoveryRow};

/// How far a mean entropy may be from what was planted, nats: a model has to find the donor out, the planted posterior
/// knows it.
const NEAR: f64 = 0.15;

/// Compares with the planted truth, where the cells carry it.
pub(crate) fn recovery(
    config: &PhenotypeConfig,
    cells: &Cells,
    tasks: &[Task],
    tables: &PhenotypeTables,
) -> Vec<RecoveryRow> {
    let Some(task) = tasks.first().filter(|it| it.skipped.is_none()) else { return Vec::new() };
    if cells.planted.is_none() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let columns: Vec<&String> = config.entropy.iter().flat_map(|it| &it.by).take(1).collect();
    for model in tables.models_of_groups() {
        for column in &columns {
            let mut groups: Vec<&EntropyGroupRow> = tables
                .groups
                .iter()
                .filter(|it| it.model == model && it.category == task.name && it.column == **column)
                .collect();
            groups.sort_by_key(|it| it.place);
            rows.extend(stages(&groups));
            rows.extend(order(&groups));
        }
    }
    rows.extend(accuracy(config, cells, task, tables));
    rows.extend(coverage(config, task, tables));
    rows
}

impl PhenotypeTables {
    /// Models that have entropies by group, the network first.
    fn models_of_groups(&self) -> Vec<String> {
        let mut models: Vec<String> = Vec::new();
        for it in &self.groups {
            if !models.contains(&it.model) {
                models.push(it.model.clone());
            }
        }
        models.sort_by_key(|it| it != NETWORK);
        models
    }
}

fn base(group: &EntropyGroupRow) -> RecoveryRow {
    RecoveryRow {
        model: group.model.clone(),
        category: group.category.clone(),
        condition: group.condition.clone(),
        ..RecoveryRow::default()
    }
}

/// Mean entropy of every stage beside the planted one.
fn stages(groups: &[&EntropyGroupRow]) -> Vec<RecoveryRow> {
    let row = |it: &&EntropyGroupRow| {
        let (found, planted) = (it.mean?, it.planted?);
        let inside = it.ci_lo.zip(it.ci_hi).is_some_and(|(lo, hi)| lo <= planted && planted <= hi);
        let near = (found - planted).abs() <= NEAR;
        Some(RecoveryRow {
            what: format!("entropy of {}", it.group),
            planted: Some(planted),
            found: Some(found),
            ci_lo: it.ci_lo,
            ci_hi: it.ci_hi,
            recovered: inside || near,
            note: match (inside, near) {
                (true, _) => "the interval holds the planted value".to_owned(),
                (false, true) => format!("within {NEAR} nats of the planted value"),
                _ => "apart from the planted value".to_owned(),
            },
            ..base(it)
        })
    };
    groups.iter().filter_map(row).collect()
}

/// Whether the stages are in the planted order.
fn order(groups: &[&EntropyGroupRow]) -> Option<RecoveryRow> {
    let pairs: Vec<(f64, f64)> = groups.iter().filter_map(|it| it.planted.zip(it.mean)).collect();
    if pairs.len() < 2 {
        return None;
    }
    let (mut right, mut all) = (0, 0);
    for (at, a) in pairs.iter().enumerate() {
        for b in &pairs[at + 1..] {
            all += 1;
            right += usize::from((a.0 < b.0) == (a.1 < b.1));
        }
    }
    Some(RecoveryRow {
        what: "order of the stages by entropy".to_owned(),
        planted: Some(1.0),
        found: Some(right as f64 / all as f64),
        recovered: right == all,
        note: format!("{right} of {all} pairs of stages are in the planted order"),
        ..base(groups[0])
    })
}

/// Accuracy beside the best there can be.
fn accuracy(config: &PhenotypeConfig, cells: &Cells, task: &Task, tables: &PhenotypeTables) -> Vec<RecoveryRow> {
    let Some(hits) = &cells.planted_hits else { return Vec::new() };
    let tested: Vec<f64> = task.folds.iter().flat_map(|it| &it.test).map(|it| hits[it.0]).collect();
    let ceiling = tested.iter().sum::<f64>() / tested.len().max(1) as f64;
    tables
        .scores
        .iter()
        .filter(|it| {
            it.category == task.name && it.metric == "top1" && it.candidates == "closed" && it.weighting == "cell"
        })
        .filter(|it| it.model != NETWORK || it.condition == config.headline())
        .filter(|it| it.condition == "genes" || it.model == NETWORK)
        .filter_map(|it| {
            let found = it.value?;
            let inside = it.ci_hi.is_some_and(|hi| hi >= ceiling - 0.05);
            Some(RecoveryRow {
                model: it.model.clone(),
                category: it.category.clone(),
                condition: it.condition.clone(),
                what: "top-1 beside the best there can be".to_owned(),
                planted: Some(ceiling),
                found: Some(found),
                ci_lo: it.ci_lo,
                ci_hi: it.ci_hi,
                recovered: inside || found >= ceiling - 0.05,
                note: "recovered: within 0.05 of the exact posterior, or the interval reaches there".to_owned(),
            })
        })
        .collect()
}

/// Coverage of conformal sets beside what was asked for.
fn coverage(config: &PhenotypeConfig, task: &Task, tables: &PhenotypeTables) -> Vec<RecoveryRow> {
    let alpha = config.evaluation.alpha.first().copied().unwrap_or(0.1);
    let modes = ["donor", "cell"];
    let of_mode = |mode: &str| tables.conformal.iter().any(|it| it.mode == mode);
    let Some(mode) = modes.into_iter().find(|it| of_mode(it)) else { return Vec::new() };
    tables
        .conformal
        .iter()
        .filter(|it| {
            it.category == task.name && it.mode == mode && (it.alpha - alpha).abs() < 1e-12 && it.score == "aps"
        })
        .map(|it| {
            let wanted = 1.0 - alpha;
            let inside = it.ci_lo.zip(it.ci_hi).is_some_and(|(lo, hi)| lo <= wanted && wanted <= hi);
            RecoveryRow {
                model: it.model.clone(),
                category: it.category.clone(),
                condition: it.condition.clone(),
                what: format!("coverage of {mode} conformal sets"),
                planted: Some(wanted),
                found: it.coverage,
                ci_lo: it.ci_lo,
                ci_hi: it.ci_hi,
                recovered: inside || it.reached == Some(true),
                note: if inside {
                    "the interval holds the coverage that was asked for".to_owned()
                } else if it.reached == Some(true) {
                    "above the coverage that was asked for".to_owned()
                } else {
                    "below the coverage that was asked for".to_owned()
                },
            }
        })
        .collect()
}
