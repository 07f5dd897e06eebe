//! From the statistics of all seeds to one number each, with intervals over types and strata.

use super::book::{Book, Key, Values};
use super::resample::{FigureStatistic, SortedMedians, over_types};
use cellstone_core::Seed;
use cellstone_metrics::stats::bootstrap_ci;
use cellstone_report::rank_study::schema::{SeedRow, SummaryRow};
use std::collections::BTreeMap;

/// How intervals are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    pub(crate) n: usize,
    pub(crate) seed: Seed,
}

/// Every statistic of every unit, in the order of `units`.
pub(crate) fn summarize(units: &[String], book: &Book, draws: Draws) -> Vec<SummaryRow> {
    let mut rows = Vec::new();
    for unit in units {
        for (key, values) in book.values.iter().filter(|it| it.0.0 == *unit) {
            rows.extend(rows_of(key, values, book, draws));
        }
        rows.extend(enrichment(unit, book, draws));
        for ((of, scope), figure) in book.figures.iter().filter(|it| it.0.0 == *unit) {
            let sorted = SortedMedians::new(&figure.medians);
            let n = figure.types.len();
            let seeds: BTreeMap<i64, SortedMedians> =
                figure.by_seed.iter().map(|(seed, it)| (*seed, SortedMedians::new(it))).collect();
            for what in FigureStatistic::ALL {
                let once = |it: &SortedMedians| it.statistic(what, &vec![1; n]);
                let by_seed = seeds.iter().filter_map(|(seed, it)| Some((*seed, once(it)?))).collect();
                let key = (of.clone(), what.as_str().to_owned(), scope.clone(), None);
                let interval = over_types(n, draws.n, draws.seed, |times| sorted.statistic(what, times));
                rows.push(row(&key, "types", once(&sorted), interval, &by_seed, n));
            }
        }
        for (key, by_seed) in book.whole.iter().filter(|it| it.0.0 == *unit && !is_floor(&it.0.1)) {
            let value = mean(by_seed.values().copied());
            let floor =
                (key.1 == "auroc_global").then(|| book.whole(unit, "auroc_permuted", "sampled", None)).flatten();
            rows.push(SummaryRow { floor, ..row(key, "", value, None, by_seed, by_seed.len()) });
        }
    }
    rows
}

/// Statistics of permuted labels stand beside others, not alone.
fn is_floor(statistic: &str) -> bool {
    ["purity_chance", "purity_permuted", "auroc_permuted"].contains(&statistic)
}

fn rows_of(key: &Key, values: &Values, book: &Book, draws: Draws) -> Vec<SummaryRow> {
    let (unit, statistic, scope, _) = key;
    let types: Vec<f64> = values.by_type.values().copied().collect();
    let interval = match &values.pairs {
        Some((names, pairs)) => over_types(names.len(), draws.n, draws.seed, |times| pairs.macro_mean(times)),
        None => several(&types, draws),
    };
    let floor = match statistic.as_str() {
        "purity" => book.whole(unit, "purity_chance", scope, None),
        "auroc_macro" => book.whole(unit, "auroc_permuted", "sampled", None),
        _ => None,
    };
    let mut rows = Vec::new();
    if !types.is_empty() {
        let it = row(key, "types", mean(types.iter().copied()), interval, &values.by_seed, types.len());
        rows.push(SummaryRow { floor, ..it });
    }
    let strata: Vec<f64> = values.by_stratum.values().copied().collect();
    if strata.len() > 1 {
        let it =
            row(key, "strata", mean(strata.iter().copied()), several(&strata, draws), &BTreeMap::new(), strata.len());
        rows.push(SummaryRow { floor, ..it });
    }
    rows
}

/// `log2(observed / expected)` of the neighbours from the own batch.
fn enrichment(unit: &str, book: &Book, draws: Draws) -> Vec<SummaryRow> {
    let of = |statistic: &str| -> BTreeMap<&Key, &Values> {
        book.values.iter().filter(|it| it.0.0 == unit && it.0.1 == statistic).collect()
    };
    let mut rows = Vec::new();
    for (key, observed) in of("batch_observed") {
        let Some(expected) = book.get(unit, "batch_expected", &key.2, key.3) else { continue };
        let both: Vec<(f64, f64)> =
            observed.by_type.iter().filter_map(|(kind, it)| Some((*it, *expected.by_type.get(kind)?))).collect();
        let ratio = |times: &[u32]| {
            let sum = |of: fn(&(f64, f64)) -> f64| -> f64 {
                both.iter().zip(times).map(|(it, n)| of(it) * f64::from(*n)).sum()
            };
            let (observed, expected) = (sum(|it| it.0), sum(|it| it.1));
            (observed > 0.0 && expected > 0.0).then(|| (observed / expected).log2())
        };
        let key = (unit.to_owned(), "batch_log2_ratio".to_owned(), key.2.clone(), key.3);
        let interval = over_types(both.len(), draws.n, draws.seed, ratio);
        rows.push(row(&key, "types", ratio(&vec![1; both.len()]), interval, &BTreeMap::new(), both.len()));
    }
    rows
}

/// An interval needs two values.
fn several(values: &[f64], draws: Draws) -> Option<(f64, f64)> {
    (values.len() > 1).then(|| bootstrap_ci(values, draws.n, draws.seed)).flatten()
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.into_iter().fold((0.0, 0.0), |(sum, n), it| (sum + it, n + 1.0));
    (n > 0.0).then(|| sum / n)
}

fn row(
    key: &Key,
    over: &str,
    value: Option<f64>,
    interval: Option<(f64, f64)>,
    by_seed: &BTreeMap<i64, f64>,
    n: usize,
) -> SummaryRow {
    let fold = |pick: fn(f64, f64) -> f64| by_seed.values().copied().reduce(pick);
    SummaryRow {
        unit: key.0.clone(),
        statistic: key.1.clone(),
        scope: key.2.clone(),
        k: key.3,
        over: over.to_owned(),
        value: value.filter(|it| it.is_finite()),
        ci_lo: interval.map(|it| it.0),
        ci_hi: interval.map(|it| it.1),
        seed_lo: fold(f64::min),
        seed_hi: fold(f64::max),
        floor: None,
        n: n as i64,
        reason: value.is_none().then(|| "no type or pair of types has a value".to_owned()),
    }
}

/// The statistics of every seed: those of whole units, and means over types.
pub(crate) fn seed_rows(units: &[String], book: &Book) -> Vec<SeedRow> {
    let mut rows = Vec::new();
    for unit in units {
        let values = book.values.iter().map(|(key, it)| (key, &it.by_seed));
        for (key, by_seed) in values.chain(&book.whole).filter(|it| it.0.0 == *unit) {
            rows.extend(by_seed.iter().map(|(seed, value)| SeedRow {
                seed: *seed,
                unit: unit.clone(),
                statistic: key.1.clone(),
                scope: key.2.clone(),
                k: key.3,
                value: Some(*value),
            }));
        }
    }
    rows
}
