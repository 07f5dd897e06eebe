//! From probabilities to scores, differences and the table of predictions.

use super::cells::Cells;
use super::series::Series;
use super::task::Task;
use super::unit::{NETWORK, NO_GENES};
use cellstone_core::{Result, Score, Seed};
use cellstone_metrics::phenotype::{
    BootstrapParams, ClassMetric, DonorScores, EvalParams, Evaluation, Interval, Predictions, Weighting, decisions,
    entropies, entropy_row, evaluate, paired_difference, restrict, true_ranks,
};
use cellstone_metrics::stats::holm;
use cellstone_report::phenotype::schema::{ClassScoreRow, DifferenceRow, PhenotypeScoreRow, PredictionRow};
use ndarray::Axis;
use std::collections::BTreeSet;

/// Flips of the test of a difference.
const FLIPS: usize = 9_999;

pub(crate) fn number(score: Score) -> (Option<f64>, Option<String>) {
    match score {
        Score::Value(it) => (Some(it), None),
        Score::Undefined(why) => (None, Some(why.as_str().to_owned())),
    }
}

pub(crate) fn ends(interval: &Interval) -> (Option<f64>, Option<f64>) {
    interval.best().map_or((None, None), |it| (Some(it.0), Some(it.1)))
}

/// Bootstrap of a study.
pub(crate) fn bootstrap(draws: usize, seed: u64) -> BootstrapParams {
    BootstrapParams { draws, ..BootstrapParams::protocol(Seed::new(seed).derive("phenotype.bootstrap")) }
}

/// Scores over closed and present candidates, and class by class.
///
/// # Errors
/// As the metrics say.
pub(crate) fn scores(
    cells: &Cells,
    task: &Task,
    series: &Series<'_>,
    params: &BootstrapParams,
) -> Result<(Vec<PhenotypeScoreRow>, Vec<ClassScoreRow>)> {
    let params = EvalParams { bootstrap: *params, areas: true };
    let predictions = Predictions::new(series.before.view(), &series.truth, &series.cluster)?;
    let closed = evaluate(&predictions, &params)?;
    let mut rows = score_rows(task, series, "closed", &closed);
    let present: BTreeSet<u32> = series.truth.iter().copied().collect();
    if present.len() < task.classes.len() && present.len() > 1 {
        let columns: Vec<u32> = present.iter().copied().collect();
        let mut p = series.before.clone();
        for mut row in p.axis_iter_mut(Axis(0)) {
            if columns.iter().all(|it| row[*it as usize] <= 0.0) {
                columns.iter().for_each(|it| row[*it as usize] = 1.0);
            }
        }
        let p = restrict(p.view(), &columns)?;
        let truth: Vec<u32> =
            series.truth.iter().filter_map(|it| columns.binary_search(it).ok()).map(|it| it as u32).collect();
        let found = evaluate(&Predictions::new(p.view(), &truth, &series.cluster)?, &params)?;
        rows.extend(score_rows(task, series, "present", &found));
    }
    let classes = closed
        .per_class
        .iter()
        .map(|it| ClassScoreRow {
            model: series.model.clone(),
            category: task.name.clone(),
            condition: series.condition.clone(),
            class: cells.labels[task.at].ids[task.classes[it.class as usize] as usize].clone(),
            support: it.support,
            predicted: it.predicted,
            recall: it.recall.value(),
            precision: it.precision.value(),
            f1: it.f1.value(),
        })
        .collect();
    Ok((rows, classes))
}

fn score_rows(task: &Task, series: &Series<'_>, candidates: &str, found: &Evaluation) -> Vec<PhenotypeScoreRow> {
    found
        .rows
        .iter()
        .map(|it| {
            let (value, why) = number(it.interval.estimate);
            let (ci_lo, ci_hi) = ends(&it.interval);
            PhenotypeScoreRow {
                model: series.model.clone(),
                category: task.name.clone(),
                condition: series.condition.clone(),
                candidates: candidates.to_owned(),
                weighting: it.weighting.as_str().to_owned(),
                metric: it.metric.to_owned(),
                value,
                ci_lo,
                ci_hi,
                chance: it.chance,
                n_cells: found.n_obs as i64,
                n_donors: found.n_donors as i64,
                tied_share: found.tied_share,
                status: if value.is_some() { "ok" } else { "undefined" }.to_owned(),
                reason: why.or_else(|| it.interval.suppressed.as_ref().map(ToString::to_string)),
            }
        })
        .collect()
}

/// The network against every baseline, and its conditions against each other; without a network every baseline that reads
/// genes against those that do not.
///
/// # Errors
/// As the comparison says.
pub(crate) fn differences(task: &Task, all: &[Series<'_>], params: &BootstrapParams) -> Result<Vec<DifferenceRow>> {
    let has_network = all.iter().any(|it| it.model == NETWORK);
    let mut rows = Vec::new();
    for a in all {
        for b in all {
            let is_baseline = b.model != NETWORK;
            let wanted = if has_network {
                let own = a.model == NETWORK && a.condition != NO_GENES;
                let gap =
                    !is_baseline && a.condition == "visible" && (b.condition == "masked" || b.condition == NO_GENES);
                own && (is_baseline || gap)
            } else {
                a.condition == "genes" && b.condition != "genes"
            };
            // Cells without a token are missing in one of the two.
            if wanted && a.test.len() == b.test.len() {
                rows.push(difference(task, a, b, params)?);
            }
        }
    }
    Ok(rows)
}

fn difference(task: &Task, a: &Series<'_>, b: &Series<'_>, params: &BootstrapParams) -> Result<DifferenceRow> {
    let of = |it: &Series<'_>| -> Result<DonorScores> {
        DonorScores::new(&Predictions::new(it.before.view(), &it.truth, &it.cluster)?, Weighting::Cell)
    };
    let found = paired_difference(&of(a)?, &of(b)?, ClassMetric::MacroF1, params, FLIPS)?;
    let (difference, why) = number(found.difference.estimate);
    let (ci_lo, ci_hi) = ends(&found.difference);
    let verdict = match (ci_lo, ci_hi) {
        (Some(lo), _) if lo > 0.0 => "beats",
        (_, Some(hi)) if hi < 0.0 => "loses",
        (Some(_), Some(_)) => "open",
        _ => "undefined",
    };
    let baseline = if b.model == NETWORK { format!("{NETWORK}:{}", b.condition) } else { b.model.clone() };
    Ok(DifferenceRow {
        category: task.name.clone(),
        model: a.model.clone(),
        condition: a.condition.clone(),
        baseline,
        metric: ClassMetric::MacroF1.id().to_owned(),
        difference,
        ci_lo,
        ci_hi,
        p: found.p,
        p_holm: None,
        n_donors: found.n_donors as i64,
        verdict: verdict.to_owned(),
        reason: why.or_else(|| found.difference.suppressed.as_ref().map(ToString::to_string)),
    })
}

/// Adjusts the p values of a whole table.
pub(crate) fn adjust(rows: &mut [DifferenceRow]) {
    let with: Vec<usize> = (0..rows.len()).filter(|it| rows[*it].p.is_some()).collect();
    let p: Vec<f64> = with.iter().filter_map(|it| rows[*it].p).collect();
    for (at, adjusted) in with.into_iter().zip(holm(&p)) {
        rows[at].p_holm = Some(adjusted);
    }
}

/// One row a test cell.
///
/// # Errors
/// As the ranks say.
pub(crate) fn predictions(cells: &Cells, task: &Task, series: &Series<'_>) -> Result<Vec<PredictionRow>> {
    let ranks = true_ranks(series.before.view(), &series.truth)?;
    let decided = decisions(series.before.view(), &series.truth)?;
    let h = entropies(series.before.view());
    let labels = &cells.labels[task.at];
    let id = |class: u32| labels.ids[task.classes[class as usize] as usize].clone();
    let rows = series.test.iter().enumerate().map(|(at, row)| {
        let cell = row.cell as usize;
        let p = series.before.row(at);
        let mut order: Vec<u32> = (0..p.len() as u32).collect();
        order.sort_by(|a, b| p[*b as usize].total_cmp(&p[*a as usize]).then(a.cmp(b)));
        order.truncate(5);
        PredictionRow {
            cell_id: cells.ids[cell].clone(),
            dataset_id: cells.datasets.names[cells.datasets.codes[cell] as usize].clone(),
            donor: cells.donors.names[cells.donors.codes[cell] as usize].clone(),
            category: task.name.clone(),
            condition: series.condition.clone(),
            y_true: id(series.truth[at]),
            y_pred: id(decided[at]),
            rank: i64::from(ranks.rank[at]),
            p_true: p[series.truth[at] as usize],
            // DIVERGES(phenotype-top5-columns)
            top5: order.iter().map(|it| id(*it)).collect::<Vec<_>>().join(";"),
            p_top5: order.iter().map(|it| p[*it as usize] as f32).collect(),
            entropy_nats: h[at],
            entropy_norm: entropy_row(h[at], p.len()).normalized,
            energy: row.energy,
            fold: series.fold[at] as i64,
            model: series.model.clone(),
        }
    });
    Ok(rows.collect())
}
