//! One split: fit every method, predict, measure. Units are independent, so that a killed run keeps those it finished.

use crate::config::Config;
use crate::registry::Registry;
use crate::variant::Variant;
use cellstone_core::{
    ContextId, Error, FitCtx, Mask, MetricInput, MetricLevel, Native, Part, Prediction, Priors, Pseudobulk, Result,
    Score, Scores, Seed, Split, TrainView, TruthView, Why, sum, views,
};
use cellstone_metrics::curves::{strat_de, strat_expr};
use cellstone_metrics::genes::top_by_control;
use cellstone_metrics::{Request, Scorer};
use cellstone_report::schema::{CoverageRow, FitRow, PredictionRow, ScoreRow};
use ndarray::{Array1, Array2, ArrayView1, Axis};

/// The name under which one half of the cells, predicting the other, stands in the tables.
pub const REPLICATE: &str = "replicate";

/// What all units of a run share.
pub struct Bundle<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Methods.
    pub registry: &'a Registry,
    /// Condition means.
    pub bulk: &'a Pseudobulk,
    /// Gene weights per row of the means, where cells were seen.
    pub weights: Option<&'a Array2<f64>>,
    /// Prior knowledge.
    pub priors: &'a Priors,
    /// What is measured.
    pub variants: &'a [Variant],
}

cellstone_report::table_row! {
    /// Sums of a stratified error curve, from which means over splits follow.
    pub struct CurveSum in "curve_sums" {
        /// Context.
        context: String,
        /// Method.
        method: String,
        /// `strat_expr` or `strat_de`.
        kind: String,
        /// Number of genes.
        rank: i64,
        /// Σ over conditions.
        sum: f64,
        /// Σ of squares over conditions.
        sum_sq: f64,
        /// Number of conditions.
        n: i64,
    }
}

/// What one unit leaves.
#[derive(Debug, Clone, Default)]
pub struct UnitTables {
    /// Scores.
    pub scores: Vec<ScoreRow>,
    /// Which predictions are the methods' own.
    pub coverage: Vec<CoverageRow>,
    /// What fits chose.
    pub fits: Vec<FitRow>,
    /// Predicted values at the kept genes.
    pub predictions: Vec<PredictionRow>,
    /// Curve sums.
    pub curves: Vec<CurveSum>,
}

impl UnitTables {
    fn append(&mut self, mut other: Self) {
        self.scores.append(&mut other.scores);
        self.coverage.append(&mut other.coverage);
        self.fits.append(&mut other.fits);
        self.predictions.append(&mut other.predictions);
        self.curves.append(&mut other.curves);
    }
}

/// The queried rows of one context, with everything the metric side knows of them.
pub(crate) struct Panel {
    pub(crate) context: ContextId,
    /// Rows of the query.
    pub(crate) rows: Vec<usize>,
    pub(crate) keys: Vec<String>,
    pub(crate) targets: Vec<Vec<usize>>,
    pub(crate) truth: Array2<f64>,
    pub(crate) control: Array1<f64>,
    pub(crate) train_mean: Option<Array1<f64>>,
    pub(crate) train_profiles: Option<Array2<f64>>,
    pub(crate) weights: Option<Array2<f64>>,
    pub(crate) top_control: Vec<usize>,
}

/// Runs one split.
///
/// # Errors
/// If a method cannot be fitted at all. A prediction that is not finite is a row with status `error`.
pub fn run_unit(bundle: &Bundle<'_>, split: &Split, replicate: usize) -> Result<UnitTables> {
    let (train, query, truth) = views(bundle.bulk, split, &bundle.config.split.scored)?;
    let panels = panels(bundle, &train, &truth);
    let scorers: Vec<Scorer<'_>> = panels.iter().map(|it| it.scorer(bundle.variants)).collect::<Result<_>>()?;
    let methods = &bundle.config.method;
    let results = sum::map_ordered(methods.len(), |at| {
        let method = &methods[at];
        let run = || -> Result<UnitTables> {
            let predictor = bundle.registry.make_predictor(&method.id, &method.params)?;
            let mut ctx = FitCtx::new(Seed::new(split.seed).derive(&method.label), bundle.priors);
            let prediction = predictor.fit(&train, &mut ctx)?.predict(&query)?;
            let mut tables = UnitTables::default();
            for (key, value) in ctx.notes() {
                tables.fits.push(FitRow {
                    method: method.label.clone(),
                    split: split.name.clone(),
                    seed: split.seed as i64,
                    key: key.clone(),
                    value: value.clone(),
                });
            }
            if prediction.native().len() != truth.rows.len() || prediction.profiles().ncols() != bundle.bulk.var().len()
            {
                return Err(Error::invalid_input(format!(
                    "predicted {:?} values for {} conditions × {} genes",
                    prediction.profiles().dim(),
                    truth.rows.len(),
                    bundle.bulk.var().len()
                )));
            }
            for (panel, scorer) in panels.iter().zip(&scorers) {
                tables.append(measure(bundle, split, &method.label, panel, scorer, &prediction)?);
            }
            Ok(tables)
        };
        run().map_err(|error| error.context(format!("method `{}` on split `{}`", method.label, split.name)))
    });
    let mut tables = UnitTables::default();
    for it in results {
        tables.append(it?);
    }
    for panel in &panels {
        tables.scores.extend(replicate_scores(bundle, split, panel, &truth, replicate)?);
    }
    Ok(tables)
}

fn panels(bundle: &Bundle<'_>, train: &TrainView, truth: &TruthView) -> Vec<Panel> {
    let controls = train.controls();
    let mut out = Vec::new();
    for (at, context) in controls.contexts.iter().enumerate() {
        let rows: Vec<usize> = (0..truth.rows.len()).filter(|it| truth.rows[*it].context == at).collect();
        if rows.is_empty() {
            continue;
        }
        let train_rows: Vec<usize> = (0..train.rows().len()).filter(|it| train.rows()[*it].context == at).collect();
        let train_profiles = (!train_rows.is_empty()).then(|| train.profiles().select(Axis(0), &train_rows));
        let source_rows: Vec<usize> = rows.iter().map(|it| truth.source_rows[*it]).collect();
        let targets =
            rows.iter().map(|it| target_columns(bundle.bulk, truth.rows[*it].perturbation.targets())).collect();
        let control = controls.profiles.row(at).to_owned();
        out.push(Panel {
            context: context.clone(),
            keys: rows.iter().map(|it| truth.rows[*it].perturbation.to_string()).collect(),
            targets,
            truth: truth.profiles.select(Axis(0), &rows),
            top_control: top_by_control(control.view(), crate::variant::TOP_CONTROL),
            control,
            train_mean: train_profiles.as_ref().and_then(|it| it.mean_axis(Axis(0))),
            train_profiles,
            weights: bundle.weights.map(|it| it.select(Axis(0), &source_rows)),
            rows,
        });
    }
    out
}

/// The columns of every target, each once, ascending.
pub(crate) fn target_columns(bulk: &Pseudobulk, targets: &[String]) -> Vec<usize> {
    let mut columns: Vec<usize> =
        targets.iter().flat_map(|it| bulk.var().columns_of(it)).map(|it| *it as usize).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

fn measure(
    bundle: &Bundle<'_>,
    split: &Split,
    label: &str,
    panel: &Panel,
    scorer: &Scorer<'_>,
    prediction: &Prediction,
) -> Result<UnitTables> {
    let mut tables = UnitTables::default();
    let pred = prediction.profiles().select(Axis(0), &panel.rows);
    let base = RowBase { method: label, split: &split.name, seed: split.seed, context: panel.context.as_str() };
    for (at, row) in panel.rows.iter().enumerate() {
        let (native, rule, reason) = match &prediction.native()[*row] {
            Native::Yes => (true, None, None),
            Native::Fallback { rule, reason } => (false, Some((*rule).to_owned()), Some((*reason).to_owned())),
        };
        tables.coverage.push(CoverageRow {
            method: label.to_owned(),
            split: split.name.clone(),
            seed: split.seed as i64,
            context: panel.context.to_string(),
            perturbation: panel.keys[at].clone(),
            native,
            rule,
            reason,
        });
        if bundle.config.output.predictions != "none" {
            let genes: Vec<usize> = if bundle.config.output.predictions == "all" {
                (0..pred.ncols()).collect()
            } else {
                panel.top_control.clone()
            };
            tables.predictions.push(PredictionRow {
                method: label.to_owned(),
                split: split.name.clone(),
                seed: split.seed as i64,
                context: panel.context.to_string(),
                perturbation: panel.keys[at].clone(),
                genes: bundle.config.output.predictions.clone(),
                profile: genes.iter().map(|it| pred[[at, *it]] as f32).collect(),
            });
        }
    }
    tables.scores = score_panel(&base, bundle.variants, panel, scorer, &pred, None)?;
    if pred.iter().all(|it| it.is_finite()) {
        tables.curves = curve_sums(label, panel, &pred)?;
    }
    Ok(tables)
}

/// The columns all score rows of a panel share.
pub(crate) struct RowBase<'a> {
    pub(crate) method: &'a str,
    pub(crate) split: &'a str,
    pub(crate) seed: u64,
    pub(crate) context: &'a str,
}

impl RowBase<'_> {
    pub(crate) fn row(&self, perturbation: &str, metric: &str, outcome: Outcome) -> ScoreRow {
        let (value, status, reason) = match outcome {
            Outcome::Score(Score::Value(it)) => (Some(it), "ok", None),
            Outcome::Score(Score::Undefined(why)) => (None, "undefined", Some(why.to_string())),
            Outcome::Error(reason) => (None, "error", Some(reason)),
        };
        ScoreRow {
            method: self.method.to_owned(),
            split: self.split.to_owned(),
            seed: self.seed as i64,
            context: self.context.to_owned(),
            perturbation: perturbation.to_owned(),
            metric: metric.to_owned(),
            value,
            status: status.to_owned(),
            reason,
        }
    }
}

pub(crate) enum Outcome {
    Score(Score),
    Error(String),
}

impl Panel {
    /// Everything that depends on the truth alone, computed once for all methods.
    ///
    /// # Errors
    /// If the truth holds a value that is not finite.
    pub(crate) fn scorer(&self, variants: &[Variant]) -> Result<Scorer<'_>> {
        // A panel without a measured target has nothing to leave out.
        let nothing_to_mask = self.targets.iter().all(Vec::is_empty);
        let request = |variant: &Variant| Request {
            metric: variant.metric.clone(),
            genes: variant.top_control.then_some(self.top_control.as_slice()),
            mask: if nothing_to_mask { Mask::None } else { variant.mask },
        };
        let input = MetricInput {
            truth: self.truth.view(),
            pred: self.truth.view(),
            control: self.control.view(),
            pred_control: None,
            train_mean: self.train_mean.as_ref().map(|it| it.view()),
            train_profiles: self.train_profiles.as_ref().map(|it| it.view()),
            weights: self.weights.as_ref().map(|it| it.view()),
            targets: &self.targets,
            keys: &self.keys,
            genes: None,
            mask: Mask::None,
        };
        Scorer::new(&input, variants.iter().map(request).collect())
    }

    /// The given conditions alone.
    fn with_rows(&self, rows: &[usize]) -> Self {
        Self {
            context: self.context.clone(),
            rows: rows.iter().map(|it| self.rows[*it]).collect(),
            keys: rows.iter().map(|it| self.keys[*it].clone()).collect(),
            targets: rows.iter().map(|it| self.targets[*it].clone()).collect(),
            truth: self.truth.select(Axis(0), rows),
            control: self.control.clone(),
            train_mean: self.train_mean.clone(),
            train_profiles: self.train_profiles.clone(),
            weights: self.weights.as_ref().map(|it| it.select(Axis(0), rows)),
            top_control: self.top_control.clone(),
        }
    }
}

/// Scores predictions of one panel by its scorer; rows that are not finite become errors and leave the panel.
pub(crate) fn score_panel(
    base: &RowBase<'_>,
    variants: &[Variant],
    panel: &Panel,
    scorer: &Scorer<'_>,
    pred: &Array2<f64>,
    pred_control: Option<ArrayView1<'_, f64>>,
) -> Result<Vec<ScoreRow>> {
    let good: Vec<usize> = (0..pred.nrows()).filter(|it| pred.row(*it).iter().all(|v| v.is_finite())).collect();
    let found = if good.len() == pred.nrows() {
        scorer.score(pred.view(), pred_control)
    } else {
        let rest = panel.with_rows(&good);
        rest.scorer(variants)?.score(pred.select(Axis(0), &good).view(), pred_control)
    };
    let mut columns = Vec::with_capacity(variants.len());
    for (variant, scores) in variants.iter().zip(found) {
        columns.push(scores.map_err(|error| error.context(format!("metric `{}`", variant.id)))?);
    }
    let mut rows = Vec::with_capacity(panel.keys.len() * variants.len());
    for (at, key) in panel.keys.iter().enumerate() {
        let place = good.binary_search(&at).ok();
        for (variant, scores) in variants.iter().zip(&columns) {
            if let Scores::PerPerturbation(scores) = scores {
                let outcome = place.map_or_else(
                    || Outcome::Error("prediction is not finite".to_owned()),
                    |it| Outcome::Score(scores[it]),
                );
                rows.push(base.row(key, &variant.id, outcome));
            }
        }
    }
    for (variant, scores) in variants.iter().zip(&columns) {
        if let Scores::One(score) = scores {
            rows.push(base.row("*", &variant.id, Outcome::Score(*score)));
        }
    }
    Ok(rows)
}

/// One half of the cells predicts the other, each with the control cells of its own half.
fn replicate_scores(
    bundle: &Bundle<'_>,
    split: &Split,
    panel: &Panel,
    truth: &TruthView,
    replicate: usize,
) -> Result<Vec<ScoreRow>> {
    let base = RowBase { method: REPLICATE, split: &split.name, seed: split.seed, context: panel.context.as_str() };
    let Some(halves) = bundle.bulk.replicates().get(replicate % bundle.bulk.replicates().len().max(1)) else {
        return Ok(undefined_rows(&base, bundle.variants, &panel.keys, Why::NoCells));
    };
    let sources: Vec<usize> = panel.rows.iter().map(|it| truth.source_rows[*it]).collect();
    let control_row = bundle.bulk.control_row(&panel.context).expect("invariant: every context has a control");
    let whole: Vec<usize> =
        (0..sources.len()).filter(|it| halves.n_first[sources[*it]] > 0 && halves.n_second[sources[*it]] > 0).collect();
    let lost: Vec<String> =
        (0..sources.len()).filter(|it| !whole.contains(it)).map(|it| panel.keys[it].clone()).collect();
    let rows: Vec<usize> = whole.iter().map(|it| sources[*it]).collect();
    if rows.is_empty() || halves.n_first[control_row] == 0 || halves.n_second[control_row] == 0 {
        return Ok(undefined_rows(&base, bundle.variants, &panel.keys, Why::TooFewCells));
    }
    let half_panel = Panel {
        context: panel.context.clone(),
        rows: whole.iter().map(|it| panel.rows[*it]).collect(),
        keys: whole.iter().map(|it| panel.keys[*it].clone()).collect(),
        targets: whole.iter().map(|it| panel.targets[*it].clone()).collect(),
        truth: halves.second.select(Axis(0), &rows),
        control: halves.second.row(control_row).to_owned(),
        train_mean: panel.train_mean.clone(),
        train_profiles: panel.train_profiles.clone(),
        weights: panel.weights.as_ref().map(|it| it.select(Axis(0), &whole)),
        top_control: panel.top_control.clone(),
    };
    let pred = halves.first.select(Axis(0), &rows);
    // Errors of profiles must not see the difference of the two controls, deltas must: each half brings its own.
    let scorer = half_panel.scorer(bundle.variants)?;
    let own = Some(halves.first.row(control_row));
    let mut out = score_panel(&base, bundle.variants, &half_panel, &scorer, &pred, own)?;
    out.extend(undefined_rows(&base, bundle.variants, &lost, Why::TooFewCells));
    Ok(out)
}

pub(crate) fn undefined_rows(base: &RowBase<'_>, variants: &[Variant], keys: &[String], why: Why) -> Vec<ScoreRow> {
    let per = |variant: &&Variant| variant.metric.info().level == MetricLevel::Perturbation;
    let mut rows = Vec::new();
    for key in keys {
        rows.extend(variants.iter().filter(per).map(|it| base.row(key, &it.id, Outcome::Score(Score::Undefined(why)))));
    }
    rows.extend(
        variants.iter().filter(|it| !per(it)).map(|it| base.row("*", &it.id, Outcome::Score(Score::Undefined(why)))),
    );
    rows
}

fn curve_sums(label: &str, panel: &Panel, pred: &Array2<f64>) -> Result<Vec<CurveSum>> {
    let input = MetricInput {
        truth: panel.truth.view(),
        pred: pred.view(),
        control: panel.control.view(),
        pred_control: None,
        train_mean: None,
        train_profiles: None,
        weights: None,
        targets: &panel.targets,
        keys: &panel.keys,
        genes: None,
        mask: Mask::None,
    };
    let mut out = Vec::new();
    for (kind, curve) in [("strat_expr", strat_expr(&input)?), ("strat_de", strat_de(&input)?)] {
        for (at, rank) in curve.ranks.iter().enumerate() {
            let values = curve.values.column(at).to_vec();
            let squares: Vec<f64> = values.iter().map(|it| it * it).collect();
            out.push(CurveSum {
                context: panel.context.to_string(),
                method: label.to_owned(),
                kind: kind.to_owned(),
                rank: *rank as i64,
                sum: sum::pairwise(&values),
                sum_sq: sum::pairwise(&squares),
                n: values.len() as i64,
            });
        }
    }
    Ok(out)
}

/// Parts of a split in words, for the split table.
pub fn part_name(part: Part) -> &'static str {
    match part {
        Part::Train => "train",
        Part::Val => "val",
        Part::Test => "test",
    }
}
