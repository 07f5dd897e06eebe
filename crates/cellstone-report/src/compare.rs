//! Two runs side by side: means, and paired differences with a clustered bootstrap.

use crate::fmt::{maybe, shorten, signed};
use crate::run_dir::RunDir;
use crate::schema::{ScoreRow, SummaryRow};
use crate::table::{read_table, read_table_if_present};
use cellstone_core::{Result, Seed, sum};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};

/// Draws of the bootstrap.
const DRAWS: usize = 2000;
/// The seed of the bootstrap: fixed, so that a comparison is a function of the two runs.
const SEED: Seed = Seed::new(0);

/// A metric of a method in a context, in both runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ComparisonRow {
    /// Context.
    pub context: String,
    /// Metric id.
    pub metric: String,
    /// Method id.
    pub method: String,
    /// Mean over the full set in the first run.
    pub a: Option<f64>,
    /// Mean over the full set in the second run.
    pub b: Option<f64>,
    /// Mean paired difference second − first over shared (context, perturbation, split), averaged per perturbation.
    pub diff: Option<f64>,
    /// 95 % percentile interval of it, perturbations drawn with replacement; `None` with fewer than two.
    pub ci: Option<(f64, f64)>,
    /// Shared perturbations.
    pub n_clusters: usize,
}

/// What [`compare`] finds.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct Comparison {
    /// Names of the two runs: experiment and start.
    pub names: (String, String),
    /// What both runs have.
    pub rows: Vec<ComparisonRow>,
    /// Methods of one run only: first, second.
    pub methods_only: (Vec<String>, Vec<String>),
    /// Metrics of one run only: first, second.
    pub metrics_only: (Vec<String>, Vec<String>),
    /// What to be careful about.
    pub notes: Vec<String>,
}

/// Joins the summaries of two runs, and pairs their scores.
///
/// The difference is second − first. Scores are paired by (context, perturbation, split), averaged over seeds before
/// and over splits after; the interval is a percentile bootstrap over perturbations, with a fixed seed.
///
/// # Errors
/// If a manifest, or the scores or summary of a run, cannot be read.
///
/// # Undefined
/// No difference where no score is shared, no interval below two shared perturbations.
pub fn compare(a: &RunDir, b: &RunDir) -> Result<Comparison> {
    let (left, right) = (Side::load(a)?, Side::load(b)?);
    let only = |x: &BTreeSet<String>, y: &BTreeSet<String>| x.difference(y).cloned().collect::<Vec<_>>();
    let both = |x: &Side, y: &Side, of: fn(&Side) -> BTreeSet<String>| (only(&of(x), &of(y)), only(&of(y), &of(x)));
    let mut notes = Vec::new();
    if left.inputs != right.inputs {
        notes.push("the two runs have different inputs".to_owned());
    }
    let shared = left.means.keys().filter(|it| right.means.contains_key(*it));
    Ok(Comparison {
        names: (left.name.clone(), right.name.clone()),
        rows: shared.map(|it| row(&left, &right, it)).collect(),
        methods_only: both(&left, &right, |it| it.means.keys().map(|it| it.2.clone()).collect()),
        metrics_only: both(&left, &right, |it| it.means.keys().map(|it| it.1.clone()).collect()),
        notes,
    })
}

/// Context, metric, method.
type Key = (String, String, String);
/// Sum and number of scores by perturbation and split.
type Cells = BTreeMap<(String, String), (f64, usize)>;

struct Side {
    name: String,
    inputs: Vec<String>,
    means: BTreeMap<Key, Option<f64>>,
    scores: BTreeMap<Key, Cells>,
}

impl Side {
    fn load(run: &RunDir) -> Result<Self> {
        let manifest = run.manifest()?;
        let summary: Vec<SummaryRow> = read_table_if_present(&run.tables_dir(), "summary")?.unwrap_or_default();
        let rows: Vec<ScoreRow> = read_table(&run.tables_dir(), "scores")?;
        let mut scores: BTreeMap<Key, Cells> = BTreeMap::new();
        for it in rows {
            let cells = scores.entry((it.context, it.metric, it.method)).or_default();
            if let Some(value) = it.value {
                let cell = cells.entry((it.perturbation, it.split)).or_default();
                *cell = (cell.0 + value, cell.1 + 1);
            }
        }
        let full = summary.into_iter().filter(|it| it.set == "full");
        let mut means: BTreeMap<Key, Option<f64>> =
            full.map(|it| ((it.context, it.metric, it.method), it.mean)).collect();
        for (key, cells) in &scores {
            // A run without a summary (scores alone) still compares.
            means.entry(key.clone()).or_insert_with(|| {
                let values: Vec<f64> = cells.values().map(|(sum, n)| sum / *n as f64).collect();
                sum::mean(&values)
            });
        }
        let inputs = manifest.inputs.iter().map(|it| it.sha256.clone()).collect();
        Ok(Self { name: format!("{} {}", manifest.experiment, manifest.started), inputs, means, scores })
    }
}

fn row(left: &Side, right: &Side, key: &Key) -> ComparisonRow {
    let empty = Cells::new();
    let (a, b) = (left.scores.get(key).unwrap_or(&empty), right.scores.get(key).unwrap_or(&empty));
    let mut clusters: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (cell, (sum_a, n_a)) in a {
        if let Some((sum_b, n_b)) = b.get(cell) {
            clusters.entry(&cell.0).or_default().push(sum_b / *n_b as f64 - sum_a / *n_a as f64);
        }
    }
    let diffs: Vec<f64> = clusters.values().filter_map(|it| sum::mean(it)).collect();
    let (context, metric, method) = key.clone();
    let seed = SEED.derive(&context).derive(&metric).derive(&method);
    ComparisonRow {
        a: left.means[key],
        b: right.means[key],
        diff: sum::mean(&diffs),
        ci: bootstrap(&diffs, seed),
        n_clusters: diffs.len(),
        context,
        metric,
        method,
    }
}

fn bootstrap(diffs: &[f64], seed: Seed) -> Option<(f64, f64)> {
    if diffs.len() < 2 {
        return None;
    }
    let mut rng = seed.rng();
    let draw = |_| (0..diffs.len()).map(|_| diffs[rng.random_range(0..diffs.len())]).sum::<f64>() / diffs.len() as f64;
    let mut means: Vec<f64> = (0..DRAWS).map(draw).collect();
    means.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = q * (DRAWS - 1) as f64;
        let below = at.floor() as usize;
        means[below] + (means[(below + 1).min(DRAWS - 1)] - means[below]) * at.fract()
    };
    Some((quantile(0.025), quantile(0.975)))
}

impl Comparison {
    /// As aligned text; a star marks a difference whose interval leaves out zero.
    pub fn to_text(&self) -> String {
        let mut text = format!("a: {}\nb: {}\n", self.names.0, self.names.1);
        for it in &self.notes {
            text.push_str(&format!("note: {it}\n"));
        }
        let head = ["context", "metric", "method", "a", "b", "b - a", "95 % interval", "n", ""];
        let mut lines: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
        lines.extend(self.rows.iter().map(cells));
        let n = head.len();
        let widths: Vec<usize> =
            (0..n).map(|at| lines.iter().map(|it| it[at].chars().count()).max().unwrap_or(0)).collect();
        for line in &lines {
            let pad = |(at, cell): (usize, &String)| {
                let width = widths[at];
                if (3..8).contains(&at) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            };
            let joined = line.iter().enumerate().map(pad).collect::<Vec<_>>().join("  ");
            text.push_str(joined.trim_end());
            text.push('\n');
        }
        let only = [("methods", &self.methods_only), ("metrics", &self.metrics_only)];
        for (what, (a, b)) in only {
            for (run, ids) in [("a", a), ("b", b)] {
                if !ids.is_empty() {
                    text.push_str(&format!("{what} in {run} only: {}\n", ids.join(", ")));
                }
            }
        }
        text
    }
}

fn cells(row: &ComparisonRow) -> Vec<String> {
    let ci = row.ci.map_or_else(|| "–".to_owned(), |(lo, hi)| format!("[{}, {}]", signed(lo), signed(hi)));
    let off_zero = row.ci.is_some_and(|(lo, hi)| lo > 0.0 || hi < 0.0);
    vec![
        shorten(&row.context, 24),
        shorten(&row.metric, 32),
        shorten(&row.method, 32),
        maybe(row.a),
        maybe(row.b),
        row.diff.map_or_else(|| "–".to_owned(), signed),
        ci,
        row.n_clusters.to_string(),
        if off_zero { "*" } else { "" }.to_owned(),
    ]
}
