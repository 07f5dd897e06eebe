//! From scores to what the report says: means with intervals, floors, ceilings, paired differences, ranks.

use super::resampling::{Clusters, Pair, Resampled, Resampling};
use super::unit::{CurveSum, REPLICATE};
use crate::config::Metrics;
use crate::variant::Variant;
use cellstone_core::{CeilingRule, Direction, MetricLevel, Score, Seed, sum};
use cellstone_metrics::ceilings::ceiling_from_halves;
use cellstone_metrics::rescale::{drf, gap_closed};
use cellstone_metrics::stats::{friedman, holm, mean_ranks, nemenyi_cd, quantile};
use cellstone_report::schema::{CoverageRow, CurveRow, PairRow, RankRow, ScoreRow, SummaryRow};
use ndarray::Array2;
use std::collections::{BTreeMap, BTreeSet};

/// The summary tables of a run.
#[derive(Debug, Clone, Default)]
pub struct SummaryTables {
    /// One row per set, context, method and metric.
    pub summary: Vec<SummaryRow>,
    /// One row per comparison with the reference.
    pub pairs: Vec<PairRow>,
    /// Mean ranks per context and metric.
    pub ranks: Vec<RankRow>,
    /// Stratified error curves.
    pub curves: Vec<CurveRow>,
}

/// What the summary needs to know of the run.
pub struct SummaryInput<'a> {
    /// Reference, draws and flips.
    pub metrics: &'a Metrics,
    /// Methods in table order, without the replicate.
    pub methods: &'a [String],
    /// What was measured.
    pub variants: &'a [Variant],
    /// All scores.
    pub scores: &'a [ScoreRow],
    /// Which predictions are the methods' own.
    pub coverage: &'a [CoverageRow],
    /// Cells of each half of each condition: `(context, perturbation)` to `(first, second)`.
    pub halves: &'a BTreeMap<(String, String), (u64, u64)>,
}

/// Values of one method and metric in one context: split and perturbation to the value.
type Values = BTreeMap<(String, String), Option<f64>>;

struct Index<'a> {
    values: BTreeMap<(&'a str, &'a str, &'a str), Values>,
}

impl<'a> Index<'a> {
    fn new(scores: &'a [ScoreRow]) -> Self {
        let mut values = BTreeMap::<_, Values>::new();
        for it in scores {
            let slot = values.entry((it.context.as_str(), it.metric.as_str(), it.method.as_str())).or_default();
            slot.insert((it.split.clone(), it.perturbation.clone()), it.value);
        }
        Self { values }
    }

    fn get(&self, context: &'a str, metric: &'a str, method: &'a str) -> Option<&Values> {
        self.values.get(&(context, metric, method))
    }
}

/// Computes every summary table.
pub fn summarize<'a>(input: &SummaryInput<'a>) -> SummaryTables {
    let index = Index::new(input.scores);
    let contexts: BTreeSet<&'a str> = input.scores.iter().map(|it| it.context.as_str()).collect();
    let common = common_set(input.methods, input.coverage);
    let mut jobs: Vec<(&'a str, &'a Variant)> = Vec::new();
    for context in &contexts {
        for variant in input.variants {
            jobs.push((*context, variant));
        }
    }
    let done = sum::map_ordered(jobs.len(), |at| summarize_metric(input, &index, &common, jobs[at].0, jobs[at].1));
    let mut tables = SummaryTables::default();
    for it in done {
        tables.summary.extend(it.summary);
        tables.pairs.extend(it.pairs);
        tables.ranks.extend(it.ranks);
    }
    verdicts(&mut tables.pairs, input.variants);
    tables
}

/// `(context, split, perturbation)` that every method predicts by itself.
fn common_set(methods: &[String], coverage: &[CoverageRow]) -> BTreeSet<(String, String, String)> {
    let mut counts = BTreeMap::new();
    for it in coverage.iter().filter(|it| it.native) {
        *counts.entry((it.context.clone(), it.split.clone(), it.perturbation.clone())).or_insert(0) += 1;
    }
    counts.into_iter().filter(|(_, n)| *n == methods.len()).map(|(key, _)| key).collect()
}

/// Mean over splits of each perturbation, with a stable number per perturbation.
fn by_cluster(values: &Values, keep: &dyn Fn(&str, &str) -> bool) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::<String, (f64, f64)>::new();
    for ((split, perturbation), value) in values {
        if let Some(value) = value
            && keep(split, perturbation)
        {
            let slot = sums.entry(perturbation.clone()).or_default();
            slot.0 += value;
            slot.1 += 1.0;
        }
    }
    sums.into_iter().map(|(key, (sum, n))| (key, sum / n)).collect()
}

fn summarize_metric<'a>(
    input: &SummaryInput<'a>,
    index: &Index<'a>,
    common: &BTreeSet<(String, String, String)>,
    context: &'a str,
    variant: &'a Variant,
) -> SummaryTables {
    let mut tables = SummaryTables::default();
    let info = variant.metric.info();
    let seed = Seed::new(0).derive("summary").derive(context).derive(&variant.id);
    // Where every method predicts everything by itself, the common set is the full one and is not drawn again.
    let mut last: Option<(Vec<Clusters>, Option<Clusters>, Resampled)> = None;
    for set in ["full", "common"] {
        let in_set = |split: &str, perturbation: &str| {
            set == "full"
                || perturbation == "*"
                || common.contains(&(context.to_owned(), split.to_owned(), perturbation.to_owned()))
        };
        let clusters: Vec<BTreeMap<String, f64>> = input
            .methods
            .iter()
            .map(|it| index.get(context, &variant.id, it).map(|v| by_cluster(v, &in_set)).unwrap_or_default())
            .collect();
        let floor_at = floor_method(input.methods, &clusters);
        let floor = floor_at.map(|at| &clusters[at]);
        let ceiling = ceiling_clusters(input, index, context, variant, &in_set);
        let ranks = rank_rows(input, set, context, variant, &clusters);
        let gaps: Vec<Option<f64>> =
            clusters.iter().map(|it| GapInput::new(it, floor?, ceiling.as_ref()?).closed()).collect();
        let resampled = match last.take() {
            Some((old, old_ceiling, it)) if old == clusters && old_ceiling == ceiling => it,
            _ => Resampling {
                methods: &clusters,
                floor: floor_at,
                ceiling: ceiling.as_ref(),
                with_gap: &gaps.iter().map(Option::is_some).collect::<Vec<_>>(),
                reference: (input.methods.iter().position(|it| *it == input.metrics.reference))
                    .filter(|_| info.level == MetricLevel::Perturbation),
                sign: if info.direction == Direction::LowerIsBetter { 1.0 } else { -1.0 },
                draws: input.metrics.draws,
                flips: input.metrics.flips,
                seed,
            }
            .run(),
        };
        for (at, method) in input.methods.iter().enumerate() {
            let values = index.get(context, &variant.id, method);
            let mut row = summary_row(input, set, context, method, variant, values, &clusters[at], &in_set);
            (row.ci_lo, row.ci_hi) = resampled.means[at].unzip();
            row.floor = floor.and_then(mean);
            row.ceiling = ceiling.as_ref().and_then(mean);
            row.gap_closed = gaps[at];
            (row.gap_lo, row.gap_hi) = resampled.gaps[at].unzip();
            row.drf = raw_replicate(index, context, variant, &in_set)
                .and_then(|it| dynamic_range(&it, floor, info.best, info.direction));
            row.mean_rank = ranks.iter().find(|it| it.method == *method).map(|it| it.mean_rank);
            tables.summary.push(row);
        }
        if set == "full" {
            tables.ranks.extend(ranks);
        }
        if info.level == MetricLevel::Perturbation {
            tables.pairs.extend(pair_rows(input, set, context, variant, &resampled));
        }
        last = Some((clusters, ceiling, resampled));
    }
    tables
}

/// The floor of the gap: the train mean, or no change where the mean has no value by construction.
fn floor_method(methods: &[String], clusters: &[BTreeMap<String, f64>]) -> Option<usize> {
    ["mean_pb", "mean_truth", "no_change"]
        .iter()
        .filter_map(|id| methods.iter().position(|it| it == id))
        .find(|at| !clusters[*at].is_empty())
}

fn mean(clusters: &BTreeMap<String, f64>) -> Option<f64> {
    let values: Vec<f64> = clusters.values().copied().collect();
    sum::mean(&values)
}

fn raw_replicate<'a>(
    index: &Index<'a>,
    context: &'a str,
    variant: &'a Variant,
    in_set: &dyn Fn(&str, &str) -> bool,
) -> Option<BTreeMap<String, f64>> {
    index.get(context, &variant.id, REPLICATE).map(|it| by_cluster(it, in_set)).filter(|it| !it.is_empty())
}

/// The ceiling of each perturbation: half-to-half scores brought to full depth by the rule of the metric.
fn ceiling_clusters<'a>(
    input: &SummaryInput<'a>,
    index: &Index<'a>,
    context: &'a str,
    variant: &'a Variant,
    in_set: &dyn Fn(&str, &str) -> bool,
) -> Option<BTreeMap<String, f64>> {
    let rule: CeilingRule = variant.metric.info().ceiling;
    let raw = raw_replicate(index, context, variant, in_set)?;
    let out: BTreeMap<String, f64> = raw
        .into_iter()
        .filter_map(|(key, value)| {
            let (n1, n2) = input.halves.get(&(context.to_owned(), key.clone())).copied().unwrap_or((1, 1));
            ceiling_from_halves(rule, value, n1, n2).value().map(|it| (key, it))
        })
        .collect();
    (!out.is_empty()).then_some(out)
}

/// Method, floor and ceiling of the perturbations that have all three.
struct GapInput(Vec<[f64; 3]>);

impl GapInput {
    fn new(method: &BTreeMap<String, f64>, floor: &BTreeMap<String, f64>, ceiling: &BTreeMap<String, f64>) -> Self {
        let both = |key: &String, value: &f64| Some([*value, *floor.get(key)?, *ceiling.get(key)?]);
        Self(method.iter().filter_map(|(key, value)| both(key, value)).collect())
    }

    fn column(&self, at: usize) -> Vec<f64> {
        self.0.iter().map(|it| it[at]).collect()
    }

    /// Undefined where floor and ceiling lie within two standard errors of their paired difference.
    fn closed(&self) -> Option<f64> {
        let n = self.0.len() as f64;
        let room: Vec<f64> = self.0.iter().map(|it| it[1] - it[2]).collect();
        let mean = sum::mean(&room)?;
        let squares: Vec<f64> = room.iter().map(|it| (it - mean) * (it - mean)).collect();
        let se = if n > 1.0 { (sum::ordered_sum(&squares) / (n - 1.0) / n).sqrt() } else { 0.0 };
        gap_closed(sum::mean(&self.column(0))?, sum::mean(&self.column(1))?, sum::mean(&self.column(2))?, se).value()
    }
}

/// Median over perturbations of the dynamic-range fraction; `None` where nothing is defined.
fn dynamic_range(
    replicate: &BTreeMap<String, f64>,
    floor: Option<&BTreeMap<String, f64>>,
    best: f64,
    direction: Direction,
) -> Option<f64> {
    let floor = floor?;
    let (r, b): (Vec<Score>, Vec<Score>) =
        replicate.iter().filter_map(|(key, r)| floor.get(key).map(|b| (Score::Value(*r), Score::Value(*b)))).unzip();
    drf(direction, best, &r, &b).value()
}

#[expect(clippy::too_many_arguments, reason = "one call site; the parts are independent")]
fn summary_row(
    input: &SummaryInput<'_>,
    set: &str,
    context: &str,
    method: &str,
    variant: &Variant,
    values: Option<&Values>,
    clusters: &BTreeMap<String, f64>,
    in_set: &dyn Fn(&str, &str) -> bool,
) -> SummaryRow {
    let in_rows = || values.into_iter().flatten().filter(|((split, perturbation), _)| in_set(split, perturbation));
    let per_cluster: Vec<f64> = clusters.values().copied().collect();
    let native = input.coverage.iter().filter(|it| it.method == method && it.context == context && it.native);
    SummaryRow {
        set: set.to_owned(),
        context: context.to_owned(),
        method: method.to_owned(),
        metric: variant.id.clone(),
        mean: sum::mean(&per_cluster),
        median: quantile(&per_cluster, 0.5),
        q10: quantile(&per_cluster, 0.1),
        q90: quantile(&per_cluster, 0.9),
        n_defined: in_rows().filter(|(_, it)| it.is_some()).count() as i64,
        n_total: in_rows().count() as i64,
        n_native: native.filter(|it| in_set(&it.split, &it.perturbation)).count() as i64,
        ..SummaryRow::default()
    }
}

fn pair_rows(
    input: &SummaryInput<'_>,
    set: &str,
    context: &str,
    variant: &Variant,
    resampled: &Resampled,
) -> Vec<PairRow> {
    let reference = &input.metrics.reference;
    let Some(reference_at) = input.methods.iter().position(|it| it == reference) else { return Vec::new() };
    // A win is a negative difference of an error, a positive one of an agreement.
    let sign = if variant.metric.info().direction == Direction::LowerIsBetter { 1.0 } else { -1.0 };
    let mut rows = Vec::new();
    for (at, method) in input.methods.iter().enumerate().filter(|(at, _)| *at != reference_at) {
        let mut row = PairRow {
            set: set.to_owned(),
            context: context.to_owned(),
            metric: variant.id.clone(),
            method: method.clone(),
            reference: reference.clone(),
            n_clusters: resampled.n_shared[at] as i64,
            ..PairRow::default()
        };
        if let Some(Pair { mean, interval: (lo, hi), p, win_share, win }) = resampled.pairs[at] {
            row.diff = Some(sign * mean);
            let (lo, hi) = if sign > 0.0 { (lo, hi) } else { (-hi, -lo) };
            (row.ci_lo, row.ci_hi, row.p_raw) = (Some(lo), Some(hi), Some(p));
            (row.win_share, row.win_lo, row.win_hi) = (Some(win_share), Some(win.0), Some(win.1));
        }
        rows.push(row);
    }
    let tested: Vec<usize> = (0..rows.len()).filter(|it| rows[*it].p_raw.is_some()).collect();
    let raw: Vec<f64> = tested.iter().filter_map(|it| rows[*it].p_raw).collect();
    for (at, adjusted) in tested.iter().zip(holm(&raw)) {
        rows[*at].p_holm = Some(adjusted);
    }
    rows
}

fn rank_rows(
    input: &SummaryInput<'_>,
    set: &str,
    context: &str,
    variant: &Variant,
    clusters: &[BTreeMap<String, f64>],
) -> Vec<RankRow> {
    if set != "full" || variant.metric.info().level != MetricLevel::Perturbation {
        return Vec::new();
    }
    let ranked: Vec<usize> = (0..clusters.len()).filter(|it| !clusters[*it].is_empty()).collect();
    let Some(first) = ranked.first() else { return Vec::new() };
    let keys: Vec<&String> =
        clusters[*first].keys().filter(|key| ranked.iter().all(|it| clusters[*it].contains_key(*key))).collect();
    if keys.len() < 2 || ranked.len() < 2 {
        return Vec::new();
    }
    // Rows are perturbations, columns methods.
    let table = Array2::from_shape_fn((keys.len(), ranked.len()), |(row, column)| clusters[ranked[column]][keys[row]]);
    let Some(means) = mean_ranks(table.view(), variant.metric.info().direction) else { return Vec::new() };
    let test = friedman(table.view());
    ranked
        .iter()
        .zip(&means)
        .map(|(at, mean_rank)| RankRow {
            context: context.to_owned(),
            metric: variant.id.clone(),
            method: input.methods[*at].clone(),
            mean_rank: *mean_rank,
            critical_difference: nemenyi_cd(ranked.len(), keys.len()),
            n_clusters: keys.len() as i64,
            friedman_chi2: test.as_ref().map(|it| it.chi2).filter(|it| it.is_finite()),
            friedman_p: test.as_ref().map(|it| it.p).filter(|it| it.is_finite()),
        })
        .collect()
}

/// "A beats B" needs an adjusted p below 0.05, an interval without 0 in the full and the common table, and the same
/// sign when the targets' own genes are left out.
fn verdicts(pairs: &mut [PairRow], variants: &[Variant]) {
    let key = |it: &PairRow, set: &str, metric: &str| {
        (set.to_owned(), it.context.clone(), metric.to_owned(), it.method.clone())
    };
    let sign: BTreeMap<_, _> = pairs.iter().map(|it| (key(it, &it.set, &it.metric), direction_of(it))).collect();
    for it in pairs.iter_mut() {
        let Some(variant) = variants.iter().find(|variant| variant.id == it.metric) else { continue };
        let lower = variant.metric.info().direction == Direction::LowerIsBetter;
        let own = direction_of(it);
        // An empty common set cannot speak against the full one.
        let common = sign.get(&key(it, "common", &it.metric)).copied().flatten();
        let common_agrees = match common {
            Some(Clear::Negative | Clear::Positive) => common == own,
            Some(Clear::No) => false,
            None => true,
        };
        let masked = sign.get(&key(it, "full", &format!("{}_self", it.metric))).copied().flatten();
        let mask_agrees = masked.is_none() || masked == own;
        let significant = it.p_holm.is_some_and(|p| p < 0.05);
        let verdict = match own {
            _ if it.p_raw.is_none() => "not tested",
            Some(side @ (Clear::Negative | Clear::Positive)) if significant && common_agrees && mask_agrees => {
                if (side == Clear::Negative) == lower { "better" } else { "worse" }
            }
            _ => "no difference shown",
        };
        verdict.clone_into(&mut it.verdict);
    }
}

/// The side of zero an interval lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clear {
    Negative,
    Positive,
    No,
}

fn direction_of(it: &PairRow) -> Option<Clear> {
    let (lo, hi) = (it.ci_lo?, it.ci_hi?);
    Some(if hi < 0.0 {
        Clear::Negative
    } else if lo > 0.0 {
        Clear::Positive
    } else {
        Clear::No
    })
}

/// Curves averaged over the conditions of all splits.
///
/// The standard error divides by the square root of the number of distinct perturbations, because a perturbation that
/// recurs over splits is one observation.
pub fn curves(sums: &[CurveSum], n_distinct: &BTreeMap<String, usize>) -> Vec<CurveRow> {
    let mut merged = BTreeMap::<(&str, &str, &str, i64), (f64, f64, i64)>::new();
    let mut order = BTreeMap::<&str, usize>::new();
    for it in sums {
        let n = order.len();
        order.entry(&it.method).or_insert(n);
        let slot = merged.entry((&it.context, &it.method, &it.kind, it.rank)).or_default();
        slot.0 += it.sum;
        slot.1 += it.sum_sq;
        slot.2 += it.n;
    }
    merged
        .into_iter()
        .filter(|(_, (_, _, n))| *n > 0)
        .map(|((context, method, kind, rank), (sum, sum_sq, n))| {
            let mean = sum / n as f64;
            let variance = (sum_sq / n as f64 - mean * mean).max(0.0);
            let distinct = n_distinct.get(context).copied().unwrap_or(n as usize).min(n as usize);
            CurveRow {
                context: context.to_owned(),
                method: method.to_owned(),
                kind: kind.to_owned(),
                rank,
                value: mean,
                se: (distinct > 1).then(|| (variance / distinct as f64).sqrt()),
            }
        })
        .collect()
}
