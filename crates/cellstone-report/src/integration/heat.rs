//! The summary as a table of coloured numbers: embeddings by metrics on a desktop, metrics by embeddings on a phone.

use super::{IntegrationPage, IntegrationRow, MetricColumn, MetricGroup, SCALED};
use maud::{Markup, html};

/// Two digits after the point, with a true minus sign.
pub(super) fn two(value: f64) -> String {
    let text = format!("{value:.2}").replace('-', "−");
    if text == "−0.00" { "0.00".to_owned() } else { text }
}

/// Which values a table shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As they are.
    Raw,
    /// Between the controls, where there are any.
    Scaled,
}

impl Shown {
    pub(super) fn row<'a>(
        self,
        page: &'a IntegrationPage,
        embedding: &str,
        metric: &MetricColumn,
    ) -> Option<&'a IntegrationRow> {
        let scaled = format!("{}{SCALED}", metric.id);
        match self {
            Self::Scaled if metric.group != MetricGroup::Total => page.row(embedding, &scaled),
            _ => page.row(embedding, &metric.id),
        }
    }
}

/// The groups that a table has, with their columns.
fn groups(page: &IntegrationPage, with_totals: bool) -> Vec<(MetricGroup, Vec<&MetricColumn>)> {
    // Totals first: they are in sight where the others must be scrolled to.
    let all = [MetricGroup::Total, MetricGroup::Bio, MetricGroup::Batch];
    let wanted = all.into_iter().filter(|it| with_totals || *it != MetricGroup::Total);
    wanted.map(|it| (it, page.group(it))).filter(|it| !it.1.is_empty()).collect()
}

/// Shade of a value: 0 to 5, or one for those below 0.
fn shade(value: f64) -> &'static str {
    const SHADES: [&str; 6] = ["s0", "s1", "s2", "s3", "s4", "s5"];
    if value < -0.005 { "below" } else { SHADES[((value * 5.0).round().clamp(0.0, 5.0)) as usize] }
}

fn cell(row: Option<&IntegrationRow>, column: &MetricColumn) -> Markup {
    let Some(row) = row else { return html! { td.v { span.dash title="not computed" { "–" } } } };
    let Some(value) = row.value else {
        return html! { td.v { span.dash title=(row.reason.as_deref().unwrap_or("undefined")) { "–" } } };
    };
    let title = format!("{}: {value:.6}", column.title);
    if column.group == MetricGroup::Total {
        let width = (100.0 * value.clamp(0.0, 1.0)).round();
        return html! { td.v { span.total title=(title) style={ "--v:" (width) "%" } { (two(value)) } } };
    }
    // The shade says how good, so it runs the other way where lower is better.
    let good = if column.higher_is_better { value } else { 1.0 - value };
    html! { td.v { span class={ "dot " (shade(good)) } title=(title) { (two(value)) } } }
}

/// A name that may be broken after colons and underscores.
fn breakable(name: &str) -> Markup {
    html! { @for part in name.split_inclusive([':', '_']) { (part) wbr; } }
}

fn mark(column: &MetricColumn) -> &'static str {
    if column.higher_is_better { "▴" } else { "▾" }
}

/// Both layouts of one table; a page shows the one that fits.
pub(super) fn heat(page: &IntegrationPage, embeddings: &[&str], shown: Shown, with_totals: bool, name: &str) -> Markup {
    let groups = groups(page, with_totals);
    html! {
        div."scroll wide swap" tabindex="0" role="region" aria-label=(name) { (by_embedding(page, embeddings, shown, &groups)) }
        div."scroll narrow" tabindex="0" role="region" aria-label=(name) { (by_metric(page, embeddings, shown, &groups)) }
    }
}

type Groups<'a> = [(MetricGroup, Vec<&'a MetricColumn>)];

fn by_embedding(page: &IntegrationPage, embeddings: &[&str], shown: Shown, groups: &Groups<'_>) -> Markup {
    html! {
        table.heat.dots {
            thead {
                tr {
                    th scope="col" rowspan="2" { "Embedding" }
                    @for (group, columns) in groups { th.group scope="colgroup" colspan=(columns.len()) { (group.title()) } }
                }
                tr { @for (_, columns) in groups { @for (at, it) in columns.iter().enumerate() {
                    th.first[at == 0] scope="col" title=(it.meaning) { (it.title) " " (mark(it)) }
                } } }
            }
            tbody { @for embedding in embeddings { tr {
                th scope="row" title=(embedding) { (breakable(embedding)) }
                @for (_, columns) in groups { @for it in columns { (cell(shown.row(page, embedding, it), it)) } }
            } } }
        }
    }
}

fn by_metric(page: &IntegrationPage, embeddings: &[&str], shown: Shown, groups: &Groups<'_>) -> Markup {
    html! {
        table.heat.dots {
            thead { tr {
                th scope="col" { "Metric" }
                @for it in embeddings { th scope="col" title=(it) { (breakable(it)) } }
            } }
            @for (group, columns) in groups {
                tbody {
                    tr { th.group scope="rowgroup" colspan=(embeddings.len() + 1) { (group.title()) } }
                    @for it in columns { tr {
                        th scope="row" title=(it.meaning) { (it.title) " " (mark(it)) }
                        @for embedding in embeddings { (cell(shown.row(page, embedding, it), it)) }
                    } }
                }
            }
        }
    }
}

/// The values of one embedding by label: labels by metrics.
pub(super) fn by_label(page: &IntegrationPage, embedding: &str) -> Markup {
    let rows: Vec<_> = page.labels.iter().filter(|it| it.embedding == embedding).collect();
    let (mut labels, mut metrics): (Vec<(&str, i64)>, Vec<&MetricColumn>) = (Vec::new(), Vec::new());
    for it in &rows {
        if !labels.iter().any(|known| known.0 == it.label) {
            labels.push((&it.label, it.n_obs));
        }
    }
    for it in &page.columns {
        if rows.iter().any(|row| row.metric == it.id) {
            metrics.push(it);
        }
    }
    let find = |label: &str, metric: &str| rows.iter().find(|it| it.label == label && it.metric == metric);
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Labels in " (embedding) } { table.heat.dots {
            thead { tr {
                th scope="col" { "Label" } th scope="col" { "Cells" }
                @for it in &metrics { th scope="col" title=(it.meaning) { (it.title) " " (mark(it)) } }
            } }
            tbody { @for (label, n) in &labels { tr {
                th scope="row" title=(label) { (label) }
                td.n { (crate::fmt::count((*n).max(0) as u64)) }
                @for it in &metrics {
                    @let as_row = find(label, &it.id).map(|row| IntegrationRow {
                        value: row.value, reason: row.reason.clone(), ..IntegrationRow::default()
                    });
                    (cell(as_row.as_ref(), it))
                }
            } } }
        } }
    }
}
