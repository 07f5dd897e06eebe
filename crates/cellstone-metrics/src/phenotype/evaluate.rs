//! All scores of one table of predictions at once: the long table of the report.

use super::auc::{DonorPairs, Sweep, mean_defined};
use super::bootstrap::{BootstrapParams, Interval, bootstrap_scores, donor_bootstrap};
use super::confusion::{ClassMetric, ClassRow};
use super::donor_scores::DonorScores;
use super::input::{Predictions, Weighting};
use super::ranks::true_ranks;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Result, Score, Seed};

/// Areas under the precision-recall curve are resampled up to this many cells × classes × draws.
const SWEEP_LIMIT: usize = 4_000_000_000;

/// What [`evaluate`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvalParams {
    /// Resampling of donors.
    pub bootstrap: BootstrapParams,
    /// Whether to compute areas under curves, the slowest part.
    pub areas: bool,
}

impl EvalParams {
    /// As the protocol has it.
    pub fn protocol(seed: Seed) -> Self {
        Self { bootstrap: BootstrapParams::protocol(seed), areas: true }
    }
}

/// One row of the long table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricRow {
    /// Id of the metric.
    pub metric: &'static str,
    /// Whether cells or donors count alike.
    pub weighting: Weighting,
    /// Value and interval.
    pub interval: Interval,
    /// What a guess gets, where that is one number.
    pub chance: Option<f64>,
}

/// All scores of one table of predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Number of cells.
    pub n_obs: usize,
    /// Number of donors.
    pub n_donors: usize,
    /// Number of candidates.
    pub n_classes: usize,
    /// Candidates with test cells.
    pub n_test_classes: usize,
    /// Share of cells whose true class ties with another.
    pub tied_share: f64,
    /// One row per metric and weighting.
    pub rows: Vec<MetricRow>,
    /// Numbers of every class, cells counting alike.
    pub per_class: Vec<ClassRow>,
}

impl Evaluation {
    /// The row of a metric.
    pub fn row(&self, metric: &str, weighting: Weighting) -> Option<&MetricRow> {
        self.rows.iter().find(|it| it.metric == metric && it.weighting == weighting)
    }
}

/// Scores a table of predictions: every [`ClassMetric`] and macro one-vs-rest areas, cell- and donor-weighted.
///
/// Ids of the areas: `auroc_macro`, `auprc_macro`. Classes without test cells have no area and are left out of the
/// mean.
///
/// # Errors
/// None beyond those of [`Predictions::new`].
pub fn evaluate(predictions: &Predictions<'_>, params: &EvalParams) -> Result<Evaluation> {
    let k = predictions.n_classes();
    let mut rows = Vec::new();
    let mut per_class = Vec::new();
    for weighting in Weighting::ALL {
        let scores = DonorScores::new(predictions, weighting)?;
        let intervals = bootstrap_scores(&scores, &ClassMetric::ALL, &params.bootstrap);
        rows.extend(ClassMetric::ALL.iter().zip(intervals).map(|(metric, interval)| MetricRow {
            metric: metric.id(),
            weighting,
            interval,
            chance: metric.chance(k),
        }));
        if params.areas {
            rows.extend(areas(predictions, weighting, &params.bootstrap));
        }
        if weighting == Weighting::Cell {
            per_class = scores.per_class();
        }
    }
    Ok(Evaluation {
        n_obs: predictions.n_obs(),
        n_donors: predictions.donors().len(),
        n_classes: k,
        n_test_classes: per_class.iter().filter(|it| it.support > 0.0).count(),
        tied_share: true_ranks(predictions.p(), predictions.truth())?.tied_share(),
        rows,
        per_class,
    })
}

fn areas(predictions: &Predictions<'_>, weighting: Weighting, params: &BootstrapParams) -> Vec<MetricRow> {
    let donors = predictions.donors();
    let positives: Vec<Vec<bool>> = (0..predictions.n_classes())
        .map(|class| predictions.truth().iter().map(|it| *it as usize == class).collect())
        .collect();
    // A class without test cells has no area in any resample.
    let tested: Vec<usize> = (0..positives.len()).filter(|it| positives[*it].contains(&true)).collect();
    let column = |class: usize| predictions.p().column(class).to_vec();
    let pairs = map_ordered(tested.len(), |at| {
        DonorPairs::new(&column(tested[at]), &positives[tested[at]], donors, weighting).ok()
    });
    let roc = |times: &[f64]| {
        let areas: Vec<Score> = pairs.iter().flatten().map(|it| it.auroc(times)).collect();
        vec![mean_defined(&areas)]
    };
    let sweeps = map_ordered(tested.len(), |at| Sweep::new(&column(tested[at]), &positives[tested[at]]).ok());
    let weights = donors.weights(weighting);
    let precision = |times: &[f64]| {
        let weight = |cell: usize| times[donors.of[cell] as usize] * weights[cell];
        let areas: Vec<Score> = sweeps.iter().flatten().map(|it| it.numbers(weight).auprc).collect();
        vec![mean_defined(&areas)]
    };
    let cost = predictions.n_obs() * tested.len().max(1);
    // Too many cells: fewer resamples, never fewer cells.
    let draws = params.draws.min((SWEEP_LIMIT / cost.max(1)).max(200));
    let row =
        |metric, interval| MetricRow { metric, weighting, interval, chance: (metric == "auroc_macro").then_some(0.5) };
    vec![
        row("auroc_macro", donor_bootstrap(donors.len(), params, roc)[0]),
        row("auprc_macro", donor_bootstrap(donors.len(), &BootstrapParams { draws, ..*params }, precision)[0]),
    ]
}
