//! The answer in words, worked out from the paired comparisons and the summary.

use super::data::{COMMON, FULL, ReportData, lower_is_better, metric_name};
use crate::fmt::{interval, percent, shorten, sig3};
use crate::schema::{MetricRow, PairRow, SummaryRow};
use std::collections::BTreeSet;

/// Below this dynamic-range fraction a metric hardly tells a replicate from the mean.
const SMALL_RANGE: f64 = 0.1;
/// Level of the adjusted p values.
const ALPHA: f64 = 0.05;

/// What a context's tables say about the question.
pub(crate) struct Answer {
    /// Whether any method beats the floor on the first headline metric; `None` where that was not tested.
    pub(crate) any_beats_floor: Option<bool>,
    /// One sentence each, most important first.
    pub(crate) sentences: Vec<String>,
    /// What to be careful about.
    pub(crate) warnings: Vec<String>,
    /// One row per headline metric.
    pub(crate) lines: Vec<HeadlineRow>,
}

/// The answer on one headline metric.
pub(crate) struct HeadlineRow {
    pub(crate) metric: String,
    pub(crate) title: String,
    pub(crate) best: String,
    pub(crate) mean: Option<f64>,
    pub(crate) floor: Option<f64>,
    pub(crate) ceiling: Option<f64>,
    pub(crate) gap: String,
    pub(crate) beat_floor: String,
    pub(crate) beat_reference: String,
    pub(crate) drf: Option<f64>,
}

/// The outcome of comparing methods with one reference.
struct Tested {
    winners: Vec<String>,
    losers: Vec<String>,
    n: usize,
    /// Whether the common set was there to confirm it.
    confirmed: bool,
}

/// Works the answer out for one context.
pub(crate) fn answer(data: &ReportData, context: &str) -> Answer {
    let headlines = data.headlines(context);
    let mut out = Answer { any_beats_floor: None, sentences: Vec::new(), warnings: Vec::new(), lines: Vec::new() };
    if let Some(metric) = headlines.first() {
        first_metric(data, context, metric, &mut out);
    } else {
        out.sentences.push("There is no summary table, so there is no answer yet.".to_owned());
    }
    for metric in &headlines {
        out.lines.push(line(data, context, metric));
        if let Some(drf) = drf(data, context, metric).filter(|it| *it < SMALL_RANGE) {
            let name = metric_name(metric);
            out.warnings.push(format!(
                "{name} has almost no dynamic range on these data (dynamic-range fraction {}): even a replicate of the truth scores hardly better than the floor, so differences between methods mean little.",
                format_args!("{drf:.2}")
            ));
        }
    }
    out
}

fn first_metric(data: &ReportData, context: &str, metric: &MetricRow, out: &mut Answer) {
    let name = metric_name(metric);
    let floor = data.floor_method(context, &metric.metric);
    let floor_name = floor.map_or("the floor", |it| data.method_name(&it.method)).to_owned();
    let mut worse = None;
    match test_against_floor(data, context, metric) {
        Some(it) => {
            out.any_beats_floor = Some(!it.winners.is_empty());
            out.sentences.push(beats_sentence(&it, &format!("the floor ({floor_name})"), name));
            worse = worse_sentence(&it, "the floor");
            if !it.confirmed {
                out.warnings.push(format!("On {name} there is no table of commonly predicted conditions: the comparison rests on the full table alone."));
            }
        }
        None => out.sentences.push(format!("No method was tested against the floor ({floor_name}) on {name}.")),
    }
    if let Some(best) = data.best(context, metric) {
        out.sentences.push(gap_sentence(data, context, metric, best));
    }
    for reference in declared_references(data, context, metric) {
        if let Some(it) = test_against(data, context, metric, &reference) {
            let shown = format!("the declared reference ({})", data.method_name(&reference));
            out.sentences.push(beats_sentence(&it, &shown, name));
            out.sentences.extend(worse_sentence(&it, "that reference"));
        }
    }
    out.sentences.extend(worse);
}

fn beats_sentence(tested: &Tested, reference: &str, metric: &str) -> String {
    let all = tested.n;
    if tested.winners.is_empty() {
        return format!("No method beats {reference} on {metric} ({all} tested).");
    }
    let n = tested.winners.len();
    let verb = if n == 1 { "beats" } else { "beat" };
    format!("{n} of {all} methods {verb} {reference} on {metric}: {}.", short_list(&tested.winners))
}

/// The losers of a comparison; a sentence of its own, said after the rest.
fn worse_sentence(tested: &Tested, reference: &str) -> Option<String> {
    let names = &tested.losers;
    (!names.is_empty()).then(|| format!("Reliably worse than {reference}: {}.", short_list(names)))
}

/// Names may hold commas, so they are set apart by semicolons.
fn short_list(names: &[String]) -> String {
    let short: Vec<String> = names.iter().take(6).map(|it| shorten(it, 48)).collect();
    let more = if names.len() > 6 { format!("; and {} more", names.len() - 6) } else { String::new() };
    format!("{}{more}", short.join("; "))
}

fn gap_sentence(data: &ReportData, context: &str, metric: &MetricRow, best: &SummaryRow) -> String {
    let name = data.method_name(&best.method);
    let mean = best.mean.map_or_else(String::new, sig3);
    let head = format!("The best mean is that of {name}: {mean}, 95 % interval {}", interval(best.ci_lo, best.ci_hi));
    let (floor, ceiling) = data.floor_and_ceiling(context, &metric.metric);
    match (best.gap_closed, floor, ceiling) {
        (Some(gap), Some(floor), Some(ceiling)) => {
            let ci = best.gap_lo.zip(best.gap_hi);
            let ci = ci.map_or_else(String::new, |(lo, hi)| format!(" [{} to {}]", percent(lo), percent(hi)));
            let what = if gap < 0.0 { "it lies below the floor, at" } else { "it closes" };
            format!(
                "{head}; {what} {}{ci} of the gap from floor ({}) to ceiling ({}).",
                percent(gap),
                sig3(floor),
                sig3(ceiling)
            )
        }
        (None, Some(_), Some(_)) => {
            format!("{head}; the share of the gap it closes is not defined, floor and ceiling are too close.")
        }
        _ => format!("{head}; without a floor and a ceiling there is no gap to close."),
    }
}

fn line(data: &ReportData, context: &str, metric: &MetricRow) -> HeadlineRow {
    let name = metric_name(metric);
    let best = data.best(context, metric);
    let (floor, ceiling) = data.floor_and_ceiling(context, &metric.metric);
    let tested =
        |it: Option<Tested>| it.map_or_else(|| "–".to_owned(), |it| format!("{} of {}", it.winners.len(), it.n));
    let reference = declared_references(data, context, metric).into_iter().next();
    let gap = best.and_then(|it| it.gap_closed).map_or_else(|| "–".to_owned(), percent);
    HeadlineRow {
        metric: name.to_owned(),
        title: metric.formula.clone(),
        best: best.map_or_else(|| "–".to_owned(), |it| data.method_name(&it.method).to_owned()),
        mean: best.and_then(|it| it.mean),
        floor,
        ceiling,
        gap,
        beat_floor: tested(test_against_floor(data, context, metric)),
        beat_reference: tested(reference.and_then(|it| test_against(data, context, metric, &it))),
        drf: drf(data, context, metric),
    }
}

fn drf(data: &ReportData, context: &str, metric: &MetricRow) -> Option<f64> {
    data.ordered(context, metric).into_iter().find_map(|it| it.drf)
}

/// References other than the method that is the floor.
pub(crate) fn declared_references(data: &ReportData, context: &str, metric: &MetricRow) -> Vec<String> {
    let floor = data.floor_method(context, &metric.metric).map(|it| it.method.as_str());
    let mut seen = Vec::new();
    for it in data.pairs.iter().filter(|it| it.context == context && it.metric == metric.metric) {
        if Some(it.reference.as_str()) != floor && !seen.contains(&it.reference) {
            seen.push(it.reference.clone());
        }
    }
    seen
}

/// By paired comparison where there is one, else by the interval of the gap closed.
fn test_against_floor(data: &ReportData, context: &str, metric: &MetricRow) -> Option<Tested> {
    let floor = data.floor_method(context, &metric.metric).map(|it| it.method.clone());
    if let Some(tested) = floor.and_then(|it| test_against(data, context, metric, &it)) {
        return Some(tested);
    }
    let rows = data.ordered(context, metric);
    let rows: Vec<_> = rows.into_iter().filter(|it| data.role(&it.method).competes()).collect();
    let decided: Vec<_> = rows.iter().filter(|it| it.gap_lo.is_some() && it.gap_hi.is_some()).collect();
    let names = |keep: &dyn Fn(&SummaryRow) -> bool| -> Vec<String> {
        decided.iter().filter(|it| keep(it)).map(|it| data.method_name(&it.method).to_owned()).collect()
    };
    let (winners, losers) = (names(&|it| it.gap_lo > Some(0.0)), names(&|it| it.gap_hi < Some(0.0)));
    (!decided.is_empty()).then_some(Tested { winners, losers, n: decided.len(), confirmed: true })
}

fn test_against(data: &ReportData, context: &str, metric: &MetricRow, reference: &str) -> Option<Tested> {
    let of = |set: &'static str| {
        data.pairs.iter().filter(move |it| {
            it.set == set && it.context == context && it.metric == metric.metric && it.reference == reference
        })
    };
    let competing = |it: &&PairRow| data.role(&it.method).competes() && it.method != reference;
    let full: Vec<&PairRow> = of(FULL).filter(competing).filter(|it| it.diff.is_some()).collect();
    if full.is_empty() {
        return None;
    }
    let common: Vec<&PairRow> = of(COMMON).filter(competing).collect();
    let agree = |sign: f64| -> BTreeSet<&str> {
        let side = |it: &&&PairRow| decided(it, metric) == Some(sign);
        let in_common: BTreeSet<&str> = common.iter().filter(side).map(|it| it.method.as_str()).collect();
        let in_full = full.iter().filter(side).map(|it| it.method.as_str());
        in_full.filter(|it| common.is_empty() || in_common.contains(it)).collect()
    };
    let names = |ids: BTreeSet<&str>| {
        let ordered = data.ordered(context, metric).into_iter().map(|it| it.method.as_str());
        ordered.filter(|it| ids.contains(it)).map(|it| data.method_name(it).to_owned()).collect()
    };
    Some(Tested {
        winners: names(agree(1.0)),
        losers: names(agree(-1.0)),
        n: full.len(),
        confirmed: !common.is_empty(),
    })
}

/// 1 where the method is better, −1 where worse, beyond doubt: adjusted p below the level and an interval off zero.
pub(crate) fn decided(pair: &PairRow, metric: &MetricRow) -> Option<f64> {
    let (lo, hi, p) = (pair.ci_lo?, pair.ci_hi?, pair.p_holm?);
    if p >= ALPHA || (lo <= 0.0 && hi >= 0.0) {
        return None;
    }
    let lower = hi < 0.0;
    Some(if lower == lower_is_better(metric) { 1.0 } else { -1.0 })
}
