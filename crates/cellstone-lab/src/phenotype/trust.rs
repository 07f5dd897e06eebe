//! How far probabilities can be trusted: calibration, reliability, conformal sets.

use super::scores::{ends, number};
use super::series::Series;
use super::task::Task;
use cellstone_core::{Result, Seed};
use cellstone_metrics::phenotype::{
    Binning, BootstrapParams, CalibrationParams, Conformal, ConformalMode, ConformalScore, Donors, Predictions,
    Weighting, calibration, coverage, donor_mean_interval, reliability,
};
use cellstone_report::phenotype::schema::{CalibrationRow, ConformalRow, ReliabilityTableRow};
use ndarray::{Array2, Axis};

/// Bins of calibration errors and diagrams.
const BINS: usize = 15;

/// Calibration and the reliability diagram, before and after the temperature.
///
/// # Errors
/// As the metrics say.
pub(crate) fn trust(
    task: &Task,
    series: &Series<'_>,
    params: &BootstrapParams,
) -> Result<(Vec<CalibrationRow>, Vec<ReliabilityTableRow>)> {
    let (mut rows, mut bins) = (Vec::new(), Vec::new());
    let stages: [(&str, &Array2<f64>); 2] = [("before", &series.before), ("after", &series.after)];
    for (stage, p) in stages.into_iter().take(if series.n_calibration() > 0 { 2 } else { 1 }) {
        let predictions = Predictions::new(p.view(), &series.truth, &series.cluster)?;
        let found = calibration(&predictions, &CalibrationParams::protocol(params.seed.derive("calibration")))?;
        rows.push(CalibrationRow {
            model: series.model.clone(),
            category: task.name.clone(),
            condition: series.condition.clone(),
            stage: stage.to_owned(),
            temperature: if stage == "after" { series.t() } else { 1.0 },
            boundary: stage == "after" && series.folds.iter().any(|it| it.boundary),
            nll: number(found.nll).0,
            brier: number(found.brier).0,
            ece_width: number(found.ece_width).0,
            ece_mass: number(found.ece_mass).0,
            ece_perfect: Some(found.perfect_mass.0),
            ece_perfect_hi: Some(found.perfect_mass.2),
            ece_classwise: number(found.classwise).0,
            mce: number(found.max_error).0,
            n_cells: series.test.len() as i64,
            n_calibration: series.n_calibration() as i64,
        });
        for it in reliability(&predictions, Binning::EqualMass, BINS, params) {
            let (ci_lo, ci_hi) = ends(&it.accuracy);
            bins.push(ReliabilityTableRow {
                model: series.model.clone(),
                category: task.name.clone(),
                condition: series.condition.clone(),
                stage: stage.to_owned(),
                bin: it.bin as i64,
                n: it.n_obs as i64,
                n_donors: it.n_donors as i64,
                confidence: it.confidence,
                accuracy: it.accuracy.estimate.value().unwrap_or_default(),
                ci_lo,
                ci_hi,
            });
        }
    }
    Ok((rows, bins))
}

/// Conformal sets for every score, mode and miscoverage.
///
/// # Errors
/// As the sets say.
pub(crate) fn conformal(
    task: &Task,
    series: &Series<'_>,
    alphas: &[f64],
    by_cell: bool,
    params: &BootstrapParams,
) -> Result<Vec<ConformalRow>> {
    if series.n_calibration() == 0 {
        return Ok(Vec::new());
    }
    let mut rows = Vec::new();
    for score in [ConformalScore::Lac, ConformalScore::Aps, ConformalScore::RAPS] {
        for mode in [ConformalMode::Donor, ConformalMode::Cell, ConformalMode::Class] {
            // Where donors are cells, the two modes are one.
            if by_cell && mode == ConformalMode::Donor {
                continue;
            }
            for alpha in alphas {
                rows.push(one(task, series, score, mode, *alpha, params)?);
            }
        }
    }
    Ok(rows)
}

fn one(
    task: &Task,
    series: &Series<'_>,
    score: ConformalScore,
    mode: ConformalMode,
    alpha: f64,
    params: &BootstrapParams,
) -> Result<ConformalRow> {
    let mut sets: Vec<Vec<u32>> = vec![Vec::new(); series.test.len()];
    let mut donors = 0;
    for (fold, it) in series.folds.iter().enumerate() {
        let seed: Seed = params.seed.derive("conformal").derive_index(fold as u64);
        let fitted =
            Conformal::fit(it.calibration.view(), &it.truth, &it.cluster, score, mode, alpha, seed.derive("fit"))?;
        let places = series.of_fold(fold);
        let p = series.after.select(Axis(0), &places);
        for (place, set) in places.into_iter().zip(fitted.sets(p.view(), seed.derive("sets"))?) {
            sets[place] = set;
        }
        donors += Donors::new(&it.cluster).len();
    }
    let found = coverage(&sets, &series.truth, &series.cluster, task.classes.len())?;
    let hits: Vec<f64> = sets.iter().zip(&series.truth).map(|(set, y)| f64::from(u8::from(set.contains(y)))).collect();
    let interval = donor_mean_interval(&hits, &series.cluster, Weighting::Cell, params)?;
    let (ci_lo, ci_hi) = ends(&interval);
    let worst = found.worst_class.and_then(|it| found.per_class[it as usize].value());
    let full = mode == ConformalMode::Donor && ((donors / series.folds.len().max(1) + 1) as f64) < 1.0 / alpha;
    Ok(ConformalRow {
        model: series.model.clone(),
        category: task.name.clone(),
        condition: series.condition.clone(),
        score: score.id().to_owned(),
        mode: mode.as_str().to_owned(),
        alpha,
        coverage: Some(found.coverage),
        ci_lo,
        ci_hi,
        worst_class: worst,
        worst_donor: found.per_donor.iter().copied().reduce(f64::min),
        mean_size: Some(found.mean_size),
        singleton: Some(found.singleton),
        empty: Some(found.empty),
        n_cells: found.n_obs as i64,
        n_calibration: series.n_calibration() as i64,
        calibration_donors: donors as i64,
        reached: ci_hi.map(|it| it >= 1.0 - alpha - 1e-12),
        reason: full
            .then(|| format!("{donors} calibration donors are fewer than 1/{alpha} − 1: sets hold everything"))
            .or_else(|| interval.suppressed.as_ref().map(ToString::to_string)),
    })
}
