//! The page itself: one file, no network.

use super::curve::resolution_curves;
use super::heat::{Shown, by_label, heat, two};
use super::{IntegrationPage, IntegrationRow, MetricGroup};
use crate::fmt::count;
use crate::html::{FIGURE_STYLE, STYLE};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What only this page needs.
const OWN_STYLE: &str = "main,header .inner,footer{max-width:1280px}\
.dots td.v{text-align:center;vertical-align:middle;padding:.3em .2em;border:0;border-bottom:1px solid var(--grid)}\
.dots th{text-align:center;min-width:3.3em;padding:.4em .15em;font-size:.8rem}\
.dots th[scope=row]{font-size:.9rem;color:var(--fg);min-width:9em;max-width:14em;white-space:normal;border-bottom:1px solid var(--grid);vertical-align:middle}\
.dots th:first-child{background:var(--card);text-align:left;padding-left:.7em}\
.dots th.group{border-bottom:1px solid var(--line);color:var(--fg)}\
.dots thead tr:nth-child(2) th:first-child{position:static;text-align:center;min-width:3.3em;max-width:none;padding-left:.15em}\
.dots td.n{vertical-align:middle;border:0;border-bottom:1px solid var(--grid)}\
.dot{display:inline-block;width:2.75em;line-height:2.75em;border-radius:50%;text-align:center;font-size:.86rem;color:var(--fg)}\
.s0{background:var(--card)}.s1{background:color-mix(in srgb,var(--good) 11%,var(--bg))}\
.s2{background:color-mix(in srgb,var(--good) 22%,var(--bg))}.s3{background:color-mix(in srgb,var(--good) 33%,var(--bg))}\
.s4{background:color-mix(in srgb,var(--good) 44%,var(--bg))}.s5{background:color-mix(in srgb,var(--good) 56%,var(--bg))}\
.below{background:color-mix(in srgb,var(--bad) 40%,var(--bg))}\
.total{display:block;min-width:3.9em;margin:0 .15em;padding:.32em .4em;border-radius:4px;text-align:left;font-weight:600;font-size:.9rem;\
background:linear-gradient(to right,color-mix(in srgb,var(--ceiling) 38%,var(--bg)) var(--v),var(--card) var(--v))}\
.dash{color:var(--muted)}\
.key{display:flex;flex-wrap:wrap;align-items:center;gap:6px 10px;font-size:.88rem;color:var(--muted);margin:.5em 0}\
.key .dot{font-size:.74rem}\
.fig .best{stroke:var(--bg);stroke-width:1}.fig .best.k0{fill:var(--k0)}.fig .best.k1{fill:var(--k1)}.fig .best.k2{fill:var(--k2)}\
.fig .best.k3{fill:var(--k3)}.fig .best.k4{fill:var(--k4)}\
@media (max-width:820px){.dots th,.dots th:first-child{min-width:3.6em}.dots th[scope=row]{min-width:7.6em;max-width:9.5em}}\
@media print{.dots .dot{width:auto;line-height:inherit;padding:.1em .35em;border-radius:3px}.dots{font-size:7pt!important}.total{min-width:0}}";

/// The page as self-contained HTML: light and dark, readable at phone width, printable.
///
/// # Examples
/// ```
/// use cellstone_report::integration::{IntegrationPage, IntegrationRow, MetricColumn, MetricGroup, render_integration};
/// let column = |id: &str, title: &str, group| MetricColumn {
///     id: id.into(), title: title.into(), group, higher_is_better: true, in_total: true, meaning: String::new(),
/// };
/// let row = |metric: &str, value| IntegrationRow {
///     embedding: "X_scvi".into(), metric: metric.into(), value: Some(value), status: "ok".into(), reason: None,
/// };
/// let page = IntegrationPage {
///     input: "cells.h5ad".into(), convention: "cellstone".into(), batch: "donor".into(), label: "cell_type".into(),
///     n_obs: 100, n_used: 98, n_batches: 2, n_labels: 5,
///     columns: vec![column("bras", "BRAS", MetricGroup::Batch), column("total", "Total", MetricGroup::Total)],
///     rows: vec![row("bras", 0.81), row("total", 0.64)],
///     labels: vec![], curves: vec![], warnings: vec!["2 labels are in one batch alone".into()], notes: vec![],
/// };
/// let html = render_integration(&page);
/// assert!(html.contains("0.81") && html.contains("2 labels are in one batch alone") && !html.contains("http"));
/// ```
pub fn render_integration(page: &IntegrationPage) -> String {
    let name =
        std::path::Path::new(&page.input).file_name().map_or(page.input.as_str().into(), |it| it.to_string_lossy());
    let ranked = page.ranked();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="generator" content="cellstone";
                title { "Integration of " (name) " · cellstone" }
                style { (PreEscaped(FIGURE_STYLE)) (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                header { div.inner {
                    div.bar-top { span { "cellstone · integration" } }
                    h1 { "Which embedding of " (name) " mixes batches and keeps cell types apart?" }
                    ul.meta {
                        li { span.chip { "convention " (page.convention) } }
                        li { (count(page.n_used as u64)) " cells" }
                        li { (count(page.n_batches as u64)) " batches (" code { (page.batch) } ")" }
                        li { (count(page.n_labels as u64)) " labels (" code { (page.label) } ")" }
                    }
                } }
                main {
                    div.answer { @for it in answer(page, &ranked) { p { (it) } } }
                    @for it in &page.warnings { p.warning { b { "Careful. " } (with_code(it)) } }
                    (summary(page, &ranked))
                    (raw(page, &ranked))
                    (resolutions(page))
                    (labels(page, &ranked))
                    (undefined(page))
                    (metrics(page))
                    (method(page))
                }
                footer { "Made by cellstone." }
            }
        }
    }
    .into_string()
}

/// Text with what stands in back-ticks as code.
fn with_code(text: &str) -> Markup {
    html! { @for (at, part) in text.split('`').enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}

/// The answer in words, most important first.
fn answer(page: &IntegrationPage, ranked: &[&str]) -> Vec<String> {
    let value = |embedding: &str, metric: &str| page.row(embedding, metric).and_then(|it| it.value);
    let mut said = Vec::new();
    let totals: Vec<(&str, f64)> = ranked.iter().filter_map(|it| Some((*it, value(it, "total")?))).collect();
    let Some((best, total)) = totals.first() else {
        said.push("No embedding has a total: not every metric that it is made of has a value.".to_owned());
        return said;
    };
    let parts = match (value(best, "bio_conservation"), value(best, "batch_correction")) {
        (Some(bio), Some(batch)) => {
            format!(" ({} for conserving biology, {} for removing batches)", two(bio), two(batch))
        }
        _ => String::new(),
    };
    said.push(match totals.get(1) {
        None => format!("{best} has a total of {}{parts}.", two(*total)),
        Some((next, second)) if total - second < 0.005 => {
            format!("{best} and {next} are level with totals of {} and {}.", two(*total), two(*second))
        }
        Some((next, second)) => {
            format!("{best} has the highest total, {}{parts}; {next} follows with {}.", two(*total), two(*second))
        }
    });
    if totals.len() > 1 {
        said.push("Totals have no interval: differences of a few hundredths decide nothing.".to_owned());
    }
    said
}

fn summary(page: &IntegrationPage, ranked: &[&str]) -> Markup {
    let scaled = page.is_scaled();
    html! {
        h2 id="summary" { "Summary" }
        p.note {
            @if scaled {
                "Every value lies between controls that were run on these cells: 0 is as bad as the worst of them, 1 as good as the best. "
            } @else {
                "Values as they are; they were not set between controls, so a metric with a narrow range weighs less than it seems. "
            }
            "▴ higher is better, ▾ lower is better. A dash is a value that does not exist; the reasons are below."
        }
        div.key aria-hidden="true" {
            @for (class, text) in [("s0", "0.0"), ("s1", "0.2"), ("s2", "0.4"), ("s3", "0.6"), ("s4", "0.8"), ("s5", "1.0")] {
                span class={ "dot " (class) } { (text) }
            }
            @if scaled { span.dot.below { "< 0" } span { "worse than the controls" } }
        }
        (heat(page, ranked, if scaled { Shown::Scaled } else { Shown::Raw }, true, "Summary"))
        p.note { "Total = 0.6 × bio conservation + 0.4 × batch correction, each the plain mean of its metrics." }
    }
}

/// Raw values with the controls, where the summary does not show them already.
fn raw(page: &IntegrationPage, ranked: &[&str]) -> Markup {
    let controls = page.embeddings(true);
    if !page.is_scaled() && controls.is_empty() {
        return html! {};
    }
    let rows: Vec<&str> = ranked.iter().copied().chain(controls).collect();
    html! {
        h2 id="raw" { "Values as they are" }
        p.note {
            "Rows that start with " code { "control:" } " are embeddings with a known answer: noise, labels alone, batches alone, and the cells of every label shuffled."
        }
        (heat(page, &rows, Shown::Raw, false, "Values as they are"))
    }
}

fn resolutions(page: &IntegrationPage) -> Markup {
    let Some(figure) = resolution_curves(&page.curves) else { return html! {} };
    html! {
        h2 id="resolution" { "Communities against labels" }
        div.pair { figure {
            (PreEscaped(figure.inline("")))
            figcaption { "Communities of the graph of neighbours at ten resolutions. The mark is the best agreement: there NMI and ARI are read." }
        } }
    }
}

fn labels(page: &IntegrationPage, ranked: &[&str]) -> Markup {
    if page.labels.is_empty() {
        return html! {};
    }
    html! {
        h2 id="labels" { "Label by label" }
        @for (at, it) in ranked.iter().enumerate() {
            details open[at == 0] { summary { (it) } (by_label(page, it)) }
        }
    }
}

fn undefined(page: &IntegrationPage) -> Markup {
    let rows: Vec<&IntegrationRow> = page.rows.iter().filter(|it| it.value.is_none()).collect();
    if rows.is_empty() {
        return html! {};
    }
    html! {
        h2 id="undefined" { "Values that do not exist" }
        div.scroll { table {
            thead { tr { th scope="col" { "Embedding" } th scope="col" { "Metric" } th scope="col" { "Why" } } }
            tbody { @for it in rows { tr {
                td { (it.embedding) } td { code { (it.metric) } } td.wrap { (it.reason.as_deref().unwrap_or("undefined")) }
            } } }
        } }
    }
}

fn metrics(page: &IntegrationPage) -> Markup {
    html! {
        h2 id="metrics" { "Metrics" }
        div.scroll { table {
            thead { tr { @for it in ["Metric", "Id", "About", "Better", "In total", "Meaning"] { th scope="col" { (it) } } } }
            tbody { @for it in page.columns.iter().filter(|it| it.group != MetricGroup::Total) { tr {
                td.nowrap { (it.title) } td { code { (it.id) } } td.nowrap { (it.group.title()) }
                td.nowrap { @if it.higher_is_better { "higher ▴" } @else { "lower ▾" } }
                td { @if it.in_total { "yes" } @else { "no" } }
                td.wrap { (it.meaning) }
            } } }
        } }
    }
}

fn method(page: &IntegrationPage) -> Markup {
    let n_dropped = page.n_obs - page.n_used.min(page.n_obs);
    html! {
        h2 id="method" { "How it was made" }
        dl {
            dt { "Input" } dd { code { (page.input) } }
            dt { "Cells" } dd {
                (count(page.n_used as u64)) " of " (count(page.n_obs as u64))
                @if n_dropped > 0 { "; " (count(n_dropped as u64)) " without a batch or a label were left out" }
            }
            dt { "Convention" } dd { code { (page.convention) } ". Values under different conventions must not be compared." }
            @for (name, text) in &page.notes { dt { (name) } dd { (with_code(text)) } }
        }
    }
}
