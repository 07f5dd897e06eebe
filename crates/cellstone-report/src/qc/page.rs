//! The page itself: one file, no network.

use super::histogram::{density, histogram};
use super::{FilterRow, Measure, QcPage};
use crate::fmt::{count, percent, sig3};
use crate::html::{FIGURE_STYLE, STYLE};
use crate::svg::Figure;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What only this page needs.
const OWN_STYLE: &str = ".fig .h-in{fill:var(--good);opacity:.85}.fig .h-out{fill:var(--bad);opacity:.55}\
.fig .bound{stroke:var(--fg);stroke-width:1.4;stroke-dasharray:5 3}.fig .d-in{fill:var(--good)}.fig .d-out{fill:var(--bad)}\
.fig .d1{opacity:.25}.fig .d2{opacity:.5}.fig .d3{opacity:.75}.fig .d4{opacity:1}\
@media print{.pair{display:block}figure{break-inside:avoid;max-width:12cm}}";

/// The page as self-contained HTML: light and dark, readable at phone width, printable.
///
/// # Examples
/// ```
/// use cellstone_report::qc::{Measure, QcPage, render_qc};
/// let counts = vec![900.0, 1200.0, 30.0];
/// let page = QcPage {
///     input: "cells.h5ad".into(), n_obs: 3, n_vars: 100, n_obs_kept: 2, n_vars_kept: 100,
///     measures: vec![Measure {
///         label: "Counts per cell".into(), unit: "counts".into(), log: true, values: counts.clone(),
///         low: Some(100.0), high: None,
///     }],
///     absent: vec![],
///     scatter: (counts, vec![300.0, 500.0, 20.0], vec![]), kept: vec![true, true, false], rules: vec![],
/// };
/// let html = render_qc(&page);
/// assert!(html.contains("no filter was set") && html.contains("<svg"));
/// ```
pub fn render_qc(page: &QcPage) -> String {
    let name =
        std::path::Path::new(&page.input).file_name().map_or(page.input.as_str().into(), |it| it.to_string_lossy());
    let share = percent(page.n_obs_kept as f64 / page.n_obs.max(1) as f64);
    let answer = if page.rules.is_empty() {
        format!("{} cells and {} genes; no filter was set.", count(page.n_obs as u64), count(page.n_vars as u64))
    } else {
        format!(
            "{} of {} cells ({share}) and {} of {} genes are kept.",
            count(page.n_obs_kept as u64),
            count(page.n_obs as u64),
            count(page.n_vars_kept as u64),
            count(page.n_vars as u64)
        )
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="generator" content="cellstone";
                title { "Quality of " (name) " · cellstone" }
                style { (PreEscaped(FIGURE_STYLE)) (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                header { div class="inner" {
                    div class="bar-top" { span { "cellstone · quality control" } }
                    h1 { "Which cells and genes of " (name) " are fit for use?" }
                    p class="note" { "Read from " code { (page.input) } }
                } }
                main {
                    div class="answer" { p { (answer) } }
                    @if !page.rules.is_empty() { (rules(page)) }
                    h2 { "Distributions" }
                    p class="note" {
                        "Dashed lines are the bounds that were set; what lies outside is dropped and drawn in orange."
                        @if !page.absent.is_empty() { " Not found among the genes of this file: " (crate::fmt::list(&page.absent)) " genes." }
                    }
                    div class="pair" {
                        @for it in &page.measures { (measure(it)) }
                    }
                    @if let Some(it) = density(page) {
                        h2 { "Depth against complexity" }
                        div class="pair" {
                            (figure(&it, "Every cell by its counts and genes; darker where more cells lie (logarithmic). \
                                Orange: most cells there are dropped. Cells far below the band are often damaged, far \
                                above it often doublets."))
                        }
                    }
                    h2 { "Numbers" }
                    (summary(&page.measures))
                }
                footer { "Made by cellstone." }
            }
        }
    }
    .into_string()
}

fn unit_of(measure: &Measure) -> &'static str {
    if measure.unit == "cells" { "genes" } else { "cells" }
}

fn figure(figure: &Figure, caption: &str) -> Markup {
    html! { figure { (PreEscaped(figure.inline(""))) figcaption { (caption) } } }
}

fn measure(it: &Measure) -> Markup {
    let of = unit_of(it);
    let drawn = histogram(it, &format!("Number of {of}"));
    let median = quantile(&it.values, 0.5).map_or_else(String::new, |at| format!("Median {} {}.", sig3(at), it.unit));
    html! {
        @if let Some(drawn) = drawn { (figure(&drawn, &format!("{}: {median}", it.label))) }
    }
}

fn rules(page: &QcPage) -> Markup {
    let row = |it: &FilterRow| {
        html! { tr { td { (it.of) } td { code { (it.rule) } } td class="n" { (count(it.n_failing as u64)) }
        td class="n" { (count(it.n_dropped as u64)) } } }
    };
    html! {
        h2 { "Filters" }
        div class="scroll" { table {
            thead { tr { th { "Of" } th { "Rule" } th class="n" { "Break it" } th class="n" { "Not dropped before" } } }
            tbody { @for it in &page.rules { (row(it)) } }
        } }
    }
}

fn summary(measures: &[Measure]) -> Markup {
    let cells = |it: &Measure| -> Vec<String> {
        [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]
            .iter()
            .map(|q| quantile(&it.values, *q).map_or_else(|| "–".to_owned(), sig3))
            .collect()
    };
    html! {
        div class="scroll" { table {
            thead { tr {
                th { "Measure" } th { "Unit" }
                @for it in ["Least", "5 %", "25 %", "Median", "75 %", "95 %", "Most"] { th class="n" { (it) } }
            } }
            tbody { @for it in measures {
                tr { td { (it.label) } td { (it.unit) } @for value in cells(it) { td class="n" { (value) } } }
            } }
        } }
    }
}

/// Linear between order statistics.
fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|it| it.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = q * sorted.len().checked_sub(1)? as f64;
    let low = sorted[place as usize];
    let high = sorted[(place as usize + 1).min(sorted.len() - 1)];
    Some(low + place.fract() * (high - low))
}
