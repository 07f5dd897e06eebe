//! From input to table: measure every embedding, run the controls, add totals and warnings.

use super::catalogue::{columns, in_totals, wanted};
use super::controls::{self, UNINTEGRATED};
use super::input::{Cells, IntegrationInput};
use super::measure::{Measured, Plan, explained_by, measure};
use crate::progress::Progress;
use cellstone_core::{Error, Result, Score, Seed, Why};
use cellstone_metrics::integration::{
    Convention, Totals, Warning, design_warnings, embedding_warnings, isolated_labels, metrics, over_integration,
    totals, totals_of,
};
use cellstone_report::integration::{IntegrationLabelRow, IntegrationPage, IntegrationRow, ResolutionPoint};
use ndarray::Array2;

/// How to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationParams {
    /// Whose rules hold where the packages of the family differ.
    pub convention: Convention,
    /// Metric ids; all where empty.
    pub metrics: Vec<String>,
    /// Whether to run embeddings with a known answer and set every value between theirs.
    pub controls: bool,
    /// Communities, k-means and controls.
    pub seed: Seed,
}

impl IntegrationParams {
    /// All metrics under a convention, without controls.
    pub const fn new(convention: Convention, seed: Seed) -> Self {
        Self { convention, metrics: Vec::new(), controls: false, seed }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegrationOutcome {
    /// The table.
    pub rows: Vec<IntegrationRow>,
    /// Metrics that have a value for every label.
    pub labels: Vec<IntegrationLabelRow>,
    /// Every embedding as it was measured, controls last.
    pub measured: Vec<Measured>,
    /// What makes the values hard to read.
    pub warnings: Vec<String>,
    /// Everything for the page but the name of the input.
    pub page: IntegrationPage,
}

/// Pairs of a metric and its value.
type Values = Vec<(&'static str, Score)>;

/// Measures how well embeddings mix batches and keep labels apart.
///
/// Neighbours are exact, Euclidean, and searched once for each embedding; a cell without a batch or a label is left out.
/// A metric that cannot be computed has a row with the reason. Memory grows with the number of cells, never with its
/// square. One seed gives one result, whatever the number of threads.
///
/// # Errors
/// If parts do not fit each other, a coordinate is not finite, too few cells are left, nothing could be measured, or a
/// metric id does not exist.
pub fn integrate(
    input: &IntegrationInput,
    params: &IntegrationParams,
    progress: &dyn Progress,
) -> Result<IntegrationOutcome> {
    let convention = params.convention;
    let wanted = wanted(&params.metrics, input.pseudotime.is_some())?;
    check_names(input)?;
    let cells = Cells::new(input)?;
    let mut all: Vec<(String, Array2<f64>)> = Vec::with_capacity(input.embeddings.len());
    for (name, x) in &input.embeddings {
        all.push((name.clone(), cells.of(name, x)?));
    }
    let before = input.pre.as_ref().map(|it| cells.of(&it.name, &it.x)).transpose()?;
    let explained = match (&input.pre, &before) {
        (Some(pre), Some(x)) => explained_by(x, pre.variances.as_deref(), &cells.batch, convention)?,
        _ => Score::Undefined(Why::NotGiven),
    };
    let pseudotime = input.pseudotime.as_ref().map(|it| cells.values(it));
    if pseudotime.as_ref().is_some_and(|it| !it.iter().any(|it| it.is_finite())) {
        return Err(Error::invalid_input("no cell with a batch and a label has a pseudotime"));
    }
    let plan = Plan {
        cells: &cells,
        convention,
        seed: params.seed,
        isolated: isolated_labels(&cells.label, &cells.batch, None, convention)?,
        before: explained,
        pseudotime,
        wanted,
    };
    let n_own = all.len();
    if params.controls {
        all.extend(controls::embeddings(&cells, &all[0].1, before.as_ref(), params.seed)?);
    }
    let measured = all.iter().map(|(name, x)| measure(&plan, name, x, progress)).collect::<Result<Vec<_>>>()?;
    let (own, others) = measured.split_at(n_own);
    let scaled: Vec<Values> =
        if params.controls { own.iter().map(|it| controls::scaled(it, others)).collect() } else { Vec::new() };
    let mut totals = all_totals(own, &scaled, convention)?;
    for it in &mut totals {
        only_if_it_says_something(it, &cells);
    }
    let rows = table(&measured, &scaled, &totals);
    let labels = label_rows(own, &cells);
    let counted = in_totals(&plan.wanted, convention)?;
    let mut warnings = warnings(input, &cells, &all[..n_own])?;
    warnings.extend(too_far(input, &measured, n_own, convention)?);
    warnings.extend(left_out_of_totals(&totals, &counted));
    let page = IntegrationPage {
        input: String::new(),
        convention: convention.as_str().to_owned(),
        batch: input.batch.column.clone(),
        label: input.label.column.clone(),
        n_obs: cells.n_obs,
        n_used: cells.len(),
        n_batches: cells.batch_names.len(),
        n_labels: cells.label_names.len(),
        columns: columns(&plan.wanted, &counted),
        rows: rows.clone(),
        labels: labels.clone(),
        curves: own.iter().filter(|it| !it.curve.is_empty()).map(|it| (it.name.clone(), curve(it))).collect(),
        warnings: warnings.clone(),
        notes: notes(input, params, &plan, own, &totals),
    };
    Ok(IntegrationOutcome { rows, labels, measured, warnings, page })
}

fn check_names(input: &IntegrationInput) -> Result<()> {
    let names: Vec<&str> = input.embeddings.iter().map(|it| it.0.as_str()).collect();
    if names.is_empty() {
        return Err(Error::config("no embedding to measure"));
    }
    if let Some(at) = (1..names.len()).find(|it| names[..*it].contains(&names[*it])) {
        return Err(Error::config(format!("embedding `{}` is named twice", names[at])));
    }
    Ok(())
}

/// Totals of every embedding: of scaled values where there are some.
fn all_totals(own: &[Measured], scaled: &[Values], convention: Convention) -> Result<Vec<Totals>> {
    if scaled.is_empty() {
        return totals_of(&own.iter().map(of_family).collect::<Vec<_>>(), convention);
    }
    totals_of(scaled, convention)
}

/// The values that totals are made of.
fn of_family(found: &Measured) -> Values {
    metrics().iter().filter_map(|it| Some((it.id, found.score(it.id)?))).collect()
}

/// A single batch cannot be mixed, and a single label cannot be kept apart: what connectivity or depth say then is no total.
fn only_if_it_says_something(totals: &mut Totals, cells: &Cells) {
    if cells.label_names.len() < 2 {
        totals.bio = Score::Undefined(Why::SingleLabel);
        totals.total = totals.bio;
    }
    if cells.batch_names.len() < 2 {
        totals.batch = Score::Undefined(Why::SingleBatch);
        totals.total = totals.batch;
    }
}

fn table(measured: &[Measured], scaled: &[Values], totals: &[Totals]) -> Vec<IntegrationRow> {
    let mut rows = Vec::new();
    for (at, it) in measured.iter().enumerate() {
        rows.extend(it.values.iter().map(|value| row(&it.name, value.metric, value.score)));
        for (metric, score) in scaled.get(at).into_iter().flatten() {
            rows.push(row(&it.name, &format!("{metric}_scaled"), *score));
        }
        if let Some(totals) = totals.get(at) {
            let parts = [("bio_conservation", totals.bio), ("batch_correction", totals.batch), ("total", totals.total)];
            rows.extend(parts.map(|(metric, score)| row(&it.name, metric, score)));
        }
    }
    rows
}

fn row(embedding: &str, metric: &str, score: Score) -> IntegrationRow {
    let (value, status, reason) = parts(metric, score);
    IntegrationRow { embedding: embedding.to_owned(), metric: metric.to_owned(), value, status, reason }
}

fn parts(metric: &str, score: Score) -> (Option<f64>, String, Option<String>) {
    match score {
        Score::Value(it) => (Some(it), "ok".to_owned(), None),
        Score::Undefined(why) => {
            let reason = match why {
                Why::NotGiven if metric.starts_with("pcr") => "no embedding before integration was given",
                Why::NotGiven if ["bio_conservation", "batch_correction", "total"].contains(&metric) => {
                    "no metric that it is made of has a value in every embedding"
                }
                Why::NoLabel if metric.starts_with("isolated") => "no label is isolated: every label is in every batch",
                _ => why.as_str(),
            };
            (None, "undefined".to_owned(), Some(reason.to_owned()))
        }
    }
}

fn label_rows(own: &[Measured], cells: &Cells) -> Vec<IntegrationLabelRow> {
    let mut rows = Vec::new();
    for embedding in own {
        for it in &embedding.labels {
            let (value, status, reason) = parts(it.metric, it.score);
            rows.push(IntegrationLabelRow {
                embedding: embedding.name.clone(),
                metric: it.metric.to_owned(),
                label: cells.label_names.get(it.label as usize).cloned().unwrap_or_default(),
                n_obs: it.n as i64,
                value,
                status,
                reason,
            });
        }
    }
    rows
}

fn curve(found: &Measured) -> Vec<ResolutionPoint> {
    let point = |it: &cellstone_metrics::integration::Agreement| ResolutionPoint {
        resolution: it.resolution,
        nmi: it.nmi,
        ari: it.ari,
        n_clusters: it.n_clusters,
    };
    found.curve.iter().map(point).collect()
}

/// Warnings about the design, the input and the embeddings.
fn warnings(input: &IntegrationInput, cells: &Cells, all: &[(String, Array2<f64>)]) -> Result<Vec<String>> {
    let mut found: Vec<String> = design_warnings(&cells.label, &cells.batch)?
        .iter()
        .map(|it| match it {
            Warning::LabelsInOneBatch { labels } => {
                let names: Vec<String> = labels.iter().map(|it| cells.label_names[*it as usize].clone()).collect();
                format!("{it} ({})", cellstone_core::quoted(&names))
            }
            other => other.to_string(),
        })
        .collect();
    if cells.batch_names.len() < 2 {
        found.push(format!("all cells are of the batch `{}`: metrics of batches do not exist", cells.batch_names[0]));
    }
    if cells.label_names.len() < 2 {
        found.push(format!("all cells have the label `{}`: metrics of labels do not exist", cells.label_names[0]));
    }
    let k = super::measure::K_LISI.min(cells.len());
    if k < super::measure::K_LISI {
        found.push(Warning::FewNeighbors { k }.to_string());
    }
    let depth = input.depth.as_ref().map(|it| cells.values(it)).filter(|it| it.iter().all(|it| it.is_finite()));
    for (name, x) in all {
        let is_pre = input.pre.as_ref().is_some_and(|it| it.name == *name);
        let own = embedding_warnings(x.view(), super::measure::K_LISI, depth.as_deref().filter(|_| is_pre))?;
        found.extend(own.iter().map(|it| format!("`{name}`: {it}")));
    }
    Ok(found)
}

/// Whether an embedding mixed batches by giving up labels, where the data before integration were measured too.
fn too_far(
    input: &IntegrationInput,
    measured: &[Measured],
    n_own: usize,
    convention: Convention,
) -> Result<Vec<String>> {
    let is_before =
        |it: &&Measured| it.name == UNINTEGRATED || input.pre.as_ref().is_some_and(|pre| pre.name == it.name);
    let Some(before) = measured.iter().find(is_before) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for it in measured[..n_own].iter().filter(|it| !is_before(it)) {
        // Both over the metrics that both have.
        let both = |id: &str| [it, before].iter().all(|it| it.score(id).is_some_and(|it| it.value().is_some()));
        let of =
            |it: &Measured| totals(&of_family(it).into_iter().filter(|it| both(it.0)).collect::<Vec<_>>(), convention);
        found.extend(over_integration(&of(before)?, &of(it)?).map(|warning| format!("`{}`: {warning}", it.name)));
    }
    Ok(found)
}

/// Says which metrics the totals had to do without.
fn left_out_of_totals(totals: &[Totals], counted: &[&'static str]) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for id in totals.iter().flat_map(|it| &it.left_out).filter(|it| counted.contains(it)) {
        if !missing.iter().any(|it| it == id) {
            missing.push((*id).to_owned());
        }
    }
    if missing.is_empty() {
        return Vec::new();
    }
    vec![format!("totals are made without {}: not every embedding has a value", cellstone_core::quoted(&missing))]
}

/// What a reader needs to make the numbers again.
fn notes(
    input: &IntegrationInput,
    params: &IntegrationParams,
    plan: &Plan<'_>,
    own: &[Measured],
    totals: &[Totals],
) -> Vec<(String, String)> {
    let cells = plan.cells;
    let mut notes = vec![(
        "Neighbours".to_owned(),
        "exact, Euclidean, the cell itself counted: 90 for LISI, 50 for kBET, 15 for communities and connectivity"
            .to_owned(),
    )];
    let communities = match params.convention {
        Convention::Cellstone => "Leiden until stable at resolutions 0.2 to 2, the best modularity of three seeds",
        Convention::Scib => "Leiden until stable at resolutions 0.2 to 2, one seed",
        Convention::ScibMetrics => "Leiden in two passes at resolutions 0.2 to 2, one seed",
    };
    notes.push(("Communities".to_owned(), communities.to_owned()));
    let before = input.pre.as_ref().map_or("not given", |it| it.name.as_str());
    notes.push(("Before integration".to_owned(), before.to_owned()));
    notes.push(("Totals".to_owned(), totals_in_words(totals)));
    notes.push(("Seed".to_owned(), params.seed.value().to_string()));
    for (what, column, n) in
        [("batch", &input.batch.column, cells.n_without_batch), ("label", &input.label.column, cells.n_without_label)]
    {
        if n > 0 {
            notes.push((format!("Without a {what}"), format!("{n} cells (`{column}`)")));
        }
    }
    for it in own {
        for (metric, why, n) in &it.left_out {
            notes.push((format!("Left out of {metric}"), format!("{n} cells of `{}`: {why}", it.name)));
        }
    }
    notes
}

/// The metrics that were averaged; under the rules of the packages they can differ between embeddings.
fn totals_in_words(totals: &[Totals]) -> String {
    let mut used: Vec<&str> = Vec::new();
    for id in totals.iter().flat_map(|it| &it.used) {
        if !used.contains(id) {
            used.push(id);
        }
    }
    if used.is_empty() { "of nothing".to_owned() } else { format!("of {}", used.join(", ")) }
}
