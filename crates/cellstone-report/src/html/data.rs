//! Everything a report reads, loaded once, with the look-ups its sections share.

use crate::fmt::slug;
use crate::run_dir::{Manifest, RunDir};
use crate::schema::{
    CoverageRow, CurveRow, EffectRow, FitRow, MethodRow, MetricRow, NoteRow, PairRow, RankRow, ScoreRow, SplitRow,
    SummaryRow,
};
use crate::table::{Row, read_table_if_present};
use cellstone_core::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The set of conditions that the report leads with.
pub(crate) const FULL: &str = "full";
/// The set of conditions that every method predicts natively.
pub(crate) const COMMON: &str = "common";

/// The tables, manifest and configuration of one run.
pub(crate) struct ReportData {
    pub(crate) manifest: Manifest,
    pub(crate) config: Option<String>,
    pub(crate) scores: Vec<ScoreRow>,
    pub(crate) summary: Vec<SummaryRow>,
    pub(crate) pairs: Vec<PairRow>,
    pub(crate) ranks: Vec<RankRow>,
    pub(crate) curves: Vec<CurveRow>,
    pub(crate) effects: Vec<EffectRow>,
    pub(crate) fits: Vec<FitRow>,
    pub(crate) splits: Vec<SplitRow>,
    pub(crate) coverage: Vec<CoverageRow>,
    pub(crate) notes: Vec<NoteRow>,
    /// Names of tables that are not in the run.
    pub(crate) missing: Vec<&'static str>,
    methods: Vec<MethodRow>,
    metrics: Vec<MetricRow>,
    contexts: Vec<String>,
    cells: BTreeMap<(String, String, String, String), usize>,
}

impl ReportData {
    /// Loads what is there.
    ///
    /// # Errors
    /// If the manifest or a table that is there cannot be read.
    pub(crate) fn load(run: &RunDir) -> Result<Self> {
        let mut missing = Vec::new();
        let mut data = Self {
            manifest: run.manifest()?,
            config: run.config()?,
            scores: load(run, &mut missing)?,
            summary: load(run, &mut missing)?,
            pairs: load(run, &mut missing)?,
            ranks: load(run, &mut missing)?,
            curves: load(run, &mut missing)?,
            effects: load(run, &mut missing)?,
            fits: load(run, &mut missing)?,
            splits: load(run, &mut missing)?,
            coverage: load(run, &mut missing)?,
            notes: load(run, &mut missing)?,
            methods: load(run, &mut missing)?,
            metrics: load(run, &mut missing)?,
            missing: Vec::new(),
            contexts: Vec::new(),
            cells: BTreeMap::new(),
        };
        data.missing = missing;
        data.add_unlisted();
        data.contexts = data.find_contexts();
        let key = |it: &SummaryRow| (it.set.clone(), it.context.clone(), it.metric.clone(), it.method.clone());
        data.cells = data.summary.iter().enumerate().map(|(at, it)| (key(it), at)).collect();
        Ok(data)
    }

    /// Methods and metrics that have scores but no row of their own still get a place, under their id.
    fn add_unlisted(&mut self) {
        let known: BTreeSet<String> = self.methods.iter().map(|it| it.method.clone()).collect();
        let summary = self.summary.iter().map(|it| (&it.method, &it.metric));
        let scores = self.scores.iter().map(|it| (&it.method, &it.metric));
        let (methods, metrics): (BTreeSet<&String>, BTreeSet<&String>) = summary.chain(scores).unzip();
        for it in methods.into_iter().filter(|it| !known.contains(*it)) {
            let role = "baseline".to_owned();
            self.methods.push(MethodRow { method: it.clone(), name: it.clone(), role, ..MethodRow::default() });
        }
        let known: BTreeSet<String> = self.metrics.iter().map(|it| it.metric.clone()).collect();
        for it in metrics.into_iter().filter(|it| !known.contains(*it)) {
            let direction = "lower_is_better".to_owned();
            self.metrics.push(MetricRow { metric: it.clone(), name: it.clone(), direction, ..MetricRow::default() });
        }
    }

    /// The methods, in the order of the run.
    pub(crate) fn methods(&self) -> &[MethodRow] {
        &self.methods
    }

    /// The metrics, in the order of the run.
    pub(crate) fn metrics(&self) -> &[MetricRow] {
        &self.metrics
    }

    /// A method by id.
    pub(crate) fn method(&self, id: &str) -> Option<&MethodRow> {
        self.methods.iter().find(|it| it.method == id)
    }

    /// The name of a method, or its id.
    pub(crate) fn method_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.method(id).map(|it| it.name.as_str()).filter(|it| !it.is_empty()).unwrap_or(id)
    }

    /// The role of a method.
    pub(crate) fn role(&self, id: &str) -> Role {
        self.method(id).map_or(Role::Baseline, |it| Role::parse(&it.role))
    }

    /// A metric by id.
    pub(crate) fn metric(&self, id: &str) -> Option<&MetricRow> {
        self.metrics.iter().find(|it| it.metric == id)
    }

    /// The contexts, in order of appearance.
    pub(crate) fn contexts(&self) -> &[String] {
        &self.contexts
    }

    fn find_contexts(&self) -> Vec<String> {
        let summary = self.summary.iter().map(|it| &it.context);
        let mut seen = Vec::new();
        for it in summary.chain(self.scores.iter().map(|it| &it.context)).chain(self.ranks.iter().map(|it| &it.context))
        {
            // Tables are grouped by context: the last seen is nearly always the one.
            if seen.last() != Some(it) && !seen.contains(it) {
                seen.push(it.clone());
            }
        }
        seen
    }

    /// An id for HTML and file names, unique among the contexts.
    pub(crate) fn context_id(&self, context: &str) -> String {
        let id = slug(context);
        let earlier = self.contexts.iter().take_while(|it| *it != context).filter(|it| slug(it) == id).count();
        if earlier == 0 { id } else { format!("{id}-n{}", earlier + 1) }
    }

    /// The summary of a method on a metric.
    pub(crate) fn cell(&self, set: &str, context: &str, metric: &str, method: &str) -> Option<&SummaryRow> {
        let key = (set.to_owned(), context.to_owned(), metric.to_owned(), method.to_owned());
        self.cells.get(&key).map(|at| &self.summary[*at])
    }

    /// The metrics that have a summary in a context, in the order of the run.
    pub(crate) fn metrics_of(&self, context: &str) -> Vec<&MetricRow> {
        let present: BTreeSet<&str> =
            self.summary.iter().filter(|it| it.context == context).map(|it| it.metric.as_str()).collect();
        self.metrics.iter().filter(|it| present.contains(it.metric.as_str())).collect()
    }

    /// The headline metrics of a context; all of its metrics if none is marked.
    pub(crate) fn headlines(&self, context: &str) -> Vec<&MetricRow> {
        let all = self.metrics_of(context);
        let marked: Vec<_> = all.iter().copied().filter(|it| it.headline).collect();
        if marked.is_empty() { all } else { marked }
    }

    /// The full summaries of a metric, best first; without a mean last.
    pub(crate) fn ordered(&self, context: &str, metric: &MetricRow) -> Vec<&SummaryRow> {
        let methods = self.methods.iter();
        let mut rows: Vec<_> = methods.filter_map(|it| self.cell(FULL, context, &metric.metric, &it.method)).collect();
        // A stable sort keeps the order of the run among equals.
        rows.sort_by(|a, b| badness(a, metric).total_cmp(&badness(b, metric)));
        rows
    }

    /// Floor and ceiling of a metric in a context.
    pub(crate) fn floor_and_ceiling(&self, context: &str, metric: &str) -> (Option<f64>, Option<f64>) {
        let rows = || self.summary.iter().filter(|it| it.set == FULL && it.context == context && it.metric == metric);
        (rows().find_map(|it| it.floor), rows().find_map(|it| it.ceiling))
    }

    /// The method whose mean is the floor of a metric, if one is.
    pub(crate) fn floor_method(&self, context: &str, metric: &str) -> Option<&MethodRow> {
        let floor = self.floor_and_ceiling(context, metric).0;
        let mean = |it: &MethodRow| self.cell(FULL, context, metric, &it.method).and_then(|it| it.mean);
        let floors: Vec<_> = self.methods.iter().filter(|it| Role::parse(&it.role) == Role::Floor).collect();
        let exact = floors.iter().find(|it| match (mean(it), floor) {
            (Some(mean), Some(floor)) => (mean - floor).abs() <= 1e-9 * floor.abs().max(1.0),
            _ => false,
        });
        exact.or_else(|| floors.iter().find(|it| mean(it).is_some())).or_else(|| floors.first()).copied()
    }

    /// The best method that competes (no floor, oracle or ceiling).
    pub(crate) fn best(&self, context: &str, metric: &MetricRow) -> Option<&SummaryRow> {
        self.ordered(context, metric).into_iter().find(|it| it.mean.is_some() && self.role(&it.method).competes())
    }

    /// Score per perturbation of a method: mean over splits and seeds.
    pub(crate) fn per_perturbation(&self, context: &str, metric: &str, method: &str) -> BTreeMap<&str, f64> {
        let mut sums: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
        for it in &self.scores {
            if it.method == method
                && it.metric == metric
                && it.context == context
                && it.perturbation != "*"
                && let Some(value) = it.value
            {
                let entry = sums.entry(&it.perturbation).or_default();
                *entry = (entry.0 + value, entry.1 + 1);
            }
        }
        sums.into_iter().map(|(key, (sum, n))| (key, sum / n as f64)).collect()
    }

    /// The commonest reason why a method has no value on a metric.
    pub(crate) fn why_undefined(&self, context: &str, metric: &str, method: &str) -> String {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for it in &self.scores {
            if it.value.is_none() && it.method == method && it.metric == metric && it.context == context {
                *reasons.entry(it.reason.as_deref().unwrap_or(&it.status)).or_default() += 1;
            }
        }
        let most = reasons.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)));
        most.map_or_else(|| "not computed".to_owned(), |(why, n)| format!("undefined: {why} ({n} scores)"))
    }
}

fn load<R: Row>(run: &RunDir, missing: &mut Vec<&'static str>) -> Result<Vec<R>> {
    Ok(read_table_if_present(&run.tables_dir(), R::TABLE)?.unwrap_or_else(|| {
        missing.push(R::TABLE);
        Vec::new()
    }))
}

fn badness(row: &SummaryRow, metric: &MetricRow) -> f64 {
    let sign = if lower_is_better(metric) { 1.0 } else { -1.0 };
    row.mean.map_or(f64::INFINITY, |it| sign * it)
}

/// Whether a smaller value of the metric is better.
pub(crate) fn lower_is_better(metric: &MetricRow) -> bool {
    metric.direction != "higher_is_better"
}

/// The name of a metric, or its id.
pub(crate) fn metric_name(metric: &MetricRow) -> &str {
    if metric.name.is_empty() { &metric.metric } else { &metric.name }
}

/// Axis title: name, unit, and which way is better.
pub(crate) fn axis_title(metric: &MetricRow) -> String {
    let unit = if metric.unit.is_empty() { String::new() } else { format!(", {}", metric.unit) };
    let way = if lower_is_better(metric) { "lower is better" } else { "higher is better" };
    format!("{}{unit} ({way})", metric_name(metric))
}

/// What a method is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Floor,
    Baseline,
    Model,
    Oracle,
    Ceiling,
}

impl Role {
    fn parse(text: &str) -> Self {
        match text {
            "floor" => Self::Floor,
            "model" => Self::Model,
            "oracle" => Self::Oracle,
            "ceiling" => Self::Ceiling,
            _ => Self::Baseline,
        }
    }

    /// Word and CSS class.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Baseline => "baseline",
            Self::Model => "model",
            Self::Oracle => "oracle",
            Self::Ceiling => "ceiling",
        }
    }

    /// Whether it takes part in the question: floors, oracles and ceilings only frame it.
    pub(crate) fn competes(self) -> bool {
        matches!(self, Self::Baseline | Self::Model)
    }
}
