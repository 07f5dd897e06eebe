//! What the report shows for one context: figures, heat table, sortable scores, paired comparisons.

use super::answer::decided;
use super::data::{COMMON, FULL, ReportData, lower_is_better, metric_name};
use super::figures::{self, Drawn, gap_text, heat_class};
use super::tables::{method_cell, number, number_with};
use crate::fmt::{interval, maybe, p_value, percent, sig3, signed};
use crate::schema::{MetricRow, PairRow, SummaryRow};
use crate::svg::standalone;
use maud::{Markup, PreEscaped, html};

/// File name without ending, and content, of every figure so far.
pub(crate) type Files = Vec<(String, String)>;

/// The panel of one context.
pub(crate) fn panel(data: &ReportData, context: &str, tabbed: bool, files: &mut Files) -> Markup {
    let id = data.context_id(context);
    let headlines = data.headlines(context);
    html! {
        section.panel.tabbed[tabbed] id={ "context-" (id) } role=[tabbed.then_some("tabpanel")] aria-labelledby=[tabbed.then(|| format!("tab-{id}"))] {
            h2 { "Results in " (context) }
            @if let Some(first) = headlines.first() {
                (forests(data, context, &id, &headlines, files))
                (gaps(data, context, &id, files))
                (heat(data, context, &id))
                (per_perturbation(data, context, &id, first, files))
                (curves(data, context, &id, files))
                (ranks(data, context, &id, &headlines, files))
                (scores(data, context, &id, first))
                (pairs(data, context, &id, first))
            } @else {
                p.note { "This run has no summary table for this context." }
            }
        }
    }
}

/// A figure in its layouts, with a caption; also kept as a file.
fn figure(drawn: &Drawn, caption: &Markup, files: &mut Files) -> Markup {
    files.push((drawn.name.clone(), standalone(&drawn.wide)));
    let swaps = !drawn.narrow.is_empty();
    html! {
        figure.swap[swaps] {
            (PreEscaped(drawn.wide.inline(if swaps { "wide swap" } else { "wide" })))
            @for it in &drawn.narrow { (PreEscaped(it.inline("narrow"))) }
            figcaption { (caption) }
        }
    }
}

fn legend(data: &ReportData, context: &str) -> Markup {
    html! {
        div.legend { @for it in figures::roles(data, context) { span { span class={ "role " (it.as_str()) } {} (it.as_str()) } } }
    }
}

fn forests(data: &ReportData, context: &str, id: &str, metrics: &[&MetricRow], files: &mut Files) -> Markup {
    let plots: Vec<(&MetricRow, Drawn)> =
        metrics.iter().filter_map(|it| Some((*it, figures::forest(data, context, it)?))).collect();
    let caption = |metric: &MetricRow| {
        html! {
            "Mean over perturbations with its 95 % interval (bootstrap over perturbed genes), best first. The dashed line is the floor, an uninformative prediction; the dotted line is the ceiling, what a replicate of the truth would score. An arrow marks a value outside the axis."
            @if !metric.formula.is_empty() { " " (metric_name(metric)) ": " (metric.formula) "." }
        }
    };
    html! {
        h3 id={ (id) "-forest" } { "Every method between floor and ceiling" }
        (legend(data, context))
        @for (at, (metric, drawn)) in plots.iter().enumerate() {
            @if at == 0 {
                (figure(drawn, &caption(metric), files))
            } @else {
                details { summary { "The same for " (metric_name(metric)) } (figure(drawn, &caption(metric), files)) }
            }
        }
    }
}

fn gaps(data: &ReportData, context: &str, id: &str, files: &mut Files) -> Markup {
    let plots = figures::gaps(data, context);
    html! {
        h3 id={ (id) "-gap" } { "Gap closed" }
        @if plots.is_empty() {
            p.note { "No metric has both a floor and a ceiling far enough apart." }
        }
        @for it in &plots {
            (figure(it, &html! { "Share of the way from floor (0 %) to ceiling (100 %) on each headline metric, with 95 % intervals. A bar to the left of the floor is worse than an uninformative prediction." }, files))
        }
    }
}

fn heat(data: &ReportData, context: &str, id: &str) -> Markup {
    let metrics = data.metrics_of(context);
    let Some(first) = data.headlines(context).into_iter().next() else { return html! {} };
    let order: Vec<&SummaryRow> = data.ordered(context, first);
    html! {
        h3 id={ (id) "-heat" } { "All metrics at a glance" }
        p.note { "Values are means; color is the share of the gap closed. ▾ lower is better, ▴ higher is better. A dash is a value that is not defined: its tooltip has the reason." }
        div.steps aria-hidden="true" {
            @for (class, text) in [("h-3", "≤ −50 %"), ("h-2", "−50"), ("h-1", "−20"), ("h0", "0"), ("h1", "< 20"), ("h2", "20"), ("h3", "40"), ("h4", "60"), ("h5", "≥ 80 %")] {
                span class=(class) { (text) }
            }
        }
        div.scroll tabindex="0" role="region" aria-label="Heat table" {
            table.heat {
                thead { tr {
                    th scope="col" { "Method" }
                    @for it in &metrics { th scope="col" title=(it.formula) { (breakable(metric_name(it))) " " (if lower_is_better(it) { "▾" } else { "▴" }) } }
                } }
                tbody { @for row in &order { tr {
                    (method_cell(data, &row.method))
                    @for metric in &metrics { (heat_cell(data, context, metric, &row.method)) }
                } } }
            }
        }
    }
}

fn heat_cell(data: &ReportData, context: &str, metric: &MetricRow, method: &str) -> Markup {
    let row = data.cell(FULL, context, &metric.metric, method);
    if let Some((row, mean)) = row.and_then(|row| Some((row, row.mean?))) {
        let title = format!(
            "{}, {}: {} {}, {}",
            data.method_name(method),
            metric_name(metric),
            sig3(mean),
            interval(row.ci_lo, row.ci_hi),
            gap_text(row)
        );
        html! { td class=(heat_class(row.gap_closed)) title=(title) { (sig3(mean)) } }
    } else {
        html! { td.gn title=(data.why_undefined(context, &metric.metric, method)) { "–" } }
    }
}

/// Lets long ids wrap after an underscore.
fn breakable(text: &str) -> Markup {
    let parts: Vec<&str> = text.split_inclusive('_').collect();
    html! { @for (at, part) in parts.iter().enumerate() { @if at > 0 { wbr; } (part) } }
}

fn per_perturbation(data: &ReportData, context: &str, id: &str, metric: &MetricRow, files: &mut Files) -> Markup {
    let plots = figures::scatters(data, context, metric);
    html! {
        h3 id={ (id) "-scatter" } { "Perturbation by perturbation" }
        @if plots.is_empty() {
            p.note { "This run has no scores per perturbation of both the best method and the floor." }
        } @else {
            p.note { "One point is one perturbation, its score averaged over splits and seeds: filled where the best method beats the floor, open where it does not. Hover for the name." }
            div.pair { @for it in &plots {
                @let caption = if it.name.contains("-effect-") { "Gain over the floor against the size of the true effect (logarithmic axis)." } else { "Best method against the floor; the shaded half is where it does better." };
                (figure(it, &html! { (caption) }, files))
            } }
        }
    }
}

fn curves(data: &ReportData, context: &str, id: &str, files: &mut Files) -> Markup {
    let plots = figures::curves(data, context);
    html! {
        h3 id={ (id) "-curves" } { "Stratified error" }
        @if plots.is_empty() {
            p.note { "This run has no stratified error curves." }
        } @else {
            p.note { "Cumulative error over the genes, taken one after the other. In the first plot genes are ranked by their expression in control, in the second by the size of their true shift in that perturbation. The five best methods and the floor are named, from best to worst on the first headline metric." }
            div.pair { @for it in &plots { (figure(it, &html! {}, files)) } }
        }
    }
}

fn ranks(data: &ReportData, context: &str, id: &str, metrics: &[&MetricRow], files: &mut Files) -> Markup {
    let plots: Vec<(&MetricRow, Drawn)> =
        metrics.iter().filter_map(|it| Some((*it, figures::ranks(data, context, it)?))).collect();
    let caption = |metric: &MetricRow| {
        let row = data.ranks.iter().find(|it| it.context == context && it.metric == metric.metric);
        html! {
            (metric_name(metric)) ". "
            @if row.is_some_and(|it| it.critical_difference.is_some()) { "Methods joined by a bar at the right are within the critical difference: their ranks are not told apart (Nemenyi, 5 %). " }
            @if let Some(row) = row {
                @if let (Some(chi2), Some(p)) = (row.friedman_chi2, row.friedman_p) { "Friedman χ² = " (sig3(chi2)) ", p " @if p >= 1e-4 { "= " } (p_value(p)) ", " }
                (row.n_clusters) " clusters."
            }
        }
    };
    html! {
        h3 id={ (id) "-ranks" } { "Mean ranks" }
        @if plots.is_empty() { p.note { "This run has no rank table." } }
        @for (at, (metric, drawn)) in plots.iter().enumerate() {
            @if at == 0 { (figure(drawn, &caption(metric), files)) }
            @else { details { summary { "The same for " (metric_name(metric)) } (figure(drawn, &caption(metric), files)) } }
        }
    }
}

fn metric_filter(metrics: &[&MetricRow], table: &str, first: &MetricRow) -> Markup {
    html! {
        label { "Metric "
            select data-table=(table) data-key="metric" {
                option value="" { "all" }
                @for it in metrics { option value=(it.metric) selected[it.metric == first.metric] { (metric_name(it)) } }
            }
        }
    }
}

fn scores(data: &ReportData, context: &str, id: &str, first: &MetricRow) -> Markup {
    let metrics = data.metrics_of(context);
    let table = format!("{id}-scores");
    let heads = [
        "Mean",
        "95 % interval",
        "Mean, common",
        "Median",
        "10–90 %",
        "Floor",
        "Ceiling",
        "Gap closed",
        "Mean rank",
        "Defined",
        "Native",
    ];
    html! {
        h3 id={ (id) "-table" } { "Scores" }
        p.note { "Select a column's name to sort. “Defined” counts scores that have a value, “native” those predicted without a fallback rule, out of all scores asked for; “common” is the mean over the conditions that every method predicts natively." }
        div.filters { (metric_filter(&metrics, &table, first)) }
        div.scroll.tall tabindex="0" role="region" aria-label="Scores" {
            table.sortable id=(table) {
                thead { tr { th scope="col" { "Method" } @for it in heads { th.n scope="col" { (it) } } th scope="col" { "Metric" } } }
                tbody { @for metric in &metrics { @for row in data.ordered(context, metric) { (score_row(data, context, metric, row)) } } }
            }
        }
    }
}

fn score_row(data: &ReportData, context: &str, metric: &MetricRow, row: &SummaryRow) -> Markup {
    let common = data.cell(COMMON, context, &metric.metric, &row.method).and_then(|it| it.mean);
    let why = if row.mean.is_none() { data.why_undefined(context, &metric.metric, &row.method) } else { String::new() };
    let width = row.ci_lo.zip(row.ci_hi).map(|(lo, hi)| hi - lo);
    let gap = html! { @if let Some(it) = row.gap_closed { (percent(it)) } @else { "–" } };
    html! {
        tr data-metric=(metric.metric) {
            (method_cell(data, &row.method))
            (number_with(row.mean, &why, &html! { (maybe(row.mean)) }))
            (number_with(width, "sorts by width", &html! { (interval(row.ci_lo, row.ci_hi)) }))
            (number(common))
            (number(row.median))
            (number_with(row.q10, "sorts by the lower end", &html! { (interval(row.q10, row.q90)) }))
            (number(row.floor))
            (number(row.ceiling))
            (number_with(row.gap_closed, &gap_text(row), &gap))
            (number(row.mean_rank))
            (number_with(Some(row.n_defined as f64), "", &html! { (row.n_defined) "/" (row.n_total) }))
            (number_with(Some(row.n_native as f64), "", &html! { (row.n_native) "/" (row.n_total) }))
            td.nowrap title=(metric.formula) { (metric_name(metric)) }
        }
    }
}

fn pairs(data: &ReportData, context: &str, id: &str, first: &MetricRow) -> Markup {
    let rows: Vec<&PairRow> = data.pairs.iter().filter(|it| it.context == context).collect();
    let table = format!("{id}-pair-table");
    let metrics: Vec<&MetricRow> =
        data.metrics_of(context).into_iter().filter(|it| rows.iter().any(|row| row.metric == it.metric)).collect();
    let heads = ["Difference", "95 % interval", "p, Holm", "p", "Wins", "Clusters"];
    html! {
        h3 id={ (id) "-pairs" } { "Paired comparisons" }
        @if rows.is_empty() {
            p.note { "This run has no paired comparisons." }
        } @else {
            p.note { "Method minus reference, paired by perturbed gene or pair. Intervals by bootstrap, p by sign flips, Holm over the methods. A method beats its reference where the adjusted p is below 0.05 and the interval leaves out zero, in the full and in the common set." }
            div.filters {
                (metric_filter(&metrics, &table, first))
                label { "Set " select data-table=(table) data-key="set" { option value="" { "all" } option value="full" selected { "full" } option value="common" { "common" } } }
            }
            div.scroll.tall tabindex="0" role="region" aria-label="Paired comparisons" {
                table.sortable id=(table) {
                    thead { tr { th scope="col" { "Method" } th scope="col" { "Reference" } th scope="col" { "Verdict" } @for it in heads { th.n scope="col" { (it) } } th scope="col" { "Metric" } th scope="col" { "Set" } } }
                    tbody { @for row in rows { (pair_row(data, row)) } }
                }
            }
        }
    }
}

fn pair_row(data: &ReportData, row: &PairRow) -> Markup {
    let metric = data.metric(&row.metric);
    let class = match metric.and_then(|it| decided(row, it)) {
        Some(it) if it > 0.0 => "h2",
        Some(_) => "h-1",
        None => "",
    };
    let width = row.ci_lo.zip(row.ci_hi).map(|(lo, hi)| hi - lo);
    let wins = html! { @if let Some(it) = row.win_share { (percent(it)) } @else { "–" } };
    let wins_ci = row
        .win_lo
        .zip(row.win_hi)
        .map_or_else(String::new, |(lo, hi)| format!("95 % interval {} to {}", percent(lo), percent(hi)));
    let p = |it: Option<f64>| number_with(it, "", &html! { (it.map_or_else(|| "–".to_owned(), p_value)) });
    html! {
        tr data-metric=(row.metric) data-set=(row.set) {
            (method_cell(data, &row.method))
            td.nowrap { (data.method_name(&row.reference)) }
            td.nowrap.(class) { (row.verdict) }
            (number_with(row.diff, "", &html! { (row.diff.map_or_else(|| "–".to_owned(), signed)) }))
            (number_with(width, "sorts by width", &html! { (interval(row.ci_lo, row.ci_hi)) }))
            (p(row.p_holm))
            (p(row.p_raw))
            (number_with(row.win_share, &wins_ci, &wins))
            (number_with(Some(row.n_clusters as f64), "", &html! { (row.n_clusters) }))
            td.nowrap { (metric.map_or(row.metric.as_str(), metric_name)) }
            td { (row.set) }
        }
    }
}
