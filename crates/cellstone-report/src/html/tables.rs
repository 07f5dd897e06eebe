//! The sections about the run as a whole: coverage, fits, data, notes, methods, metrics, configuration.

use super::data::{ReportData, metric_name};
use crate::fmt::{count, list, maybe, sig3};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Names shown of a long list.
const SHOWN: usize = 6;

/// A cell with a method's mark and name.
pub(crate) fn method_cell(data: &ReportData, id: &str) -> Markup {
    let (name, role) = (data.method_name(id), data.role(id).as_str());
    html! { td.method title={ (name) " (" (id) ", " (role) ")" } { span class={ "role " (role) } {} (name) } }
}

/// A right-aligned number that sorts by its full value.
pub(crate) fn number(value: Option<f64>) -> Markup {
    number_with(value, "", &html! { (maybe(value)) })
}

/// The same with a tooltip and another text.
pub(crate) fn number_with(value: Option<f64>, title: &str, shown: &Markup) -> Markup {
    let key = value.map_or_else(String::new, |it| it.to_string());
    html! { td.n data-v=(key) title=[(!title.is_empty()).then_some(title)] { (shown) } }
}

fn shown(names: &BTreeSet<&str>) -> String {
    let mut first: Vec<String> = names.iter().take(SHOWN).map(|it| (*it).to_owned()).collect();
    if names.len() > SHOWN {
        first.push(format!("{} more", names.len() - SHOWN));
    }
    list(&first)
}

/// How many predictions rest on a rule, and of which perturbations.
type Ruled<'a> = (usize, BTreeSet<&'a str>);

/// Which predictions rest on a fallback rule, and why.
pub(crate) fn coverage(data: &ReportData) -> Markup {
    let mut totals: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let mut rules: BTreeMap<[&str; 4], Ruled<'_>> = BTreeMap::new();
    for it in &data.coverage {
        let total = totals.entry((&it.context, &it.method)).or_default();
        *total = (total.0 + usize::from(it.native), total.1 + 1);
        if !it.native {
            let rule = it.rule.as_deref().unwrap_or("no rule: left out");
            let reason = it.reason.as_deref().unwrap_or("no reason given");
            let entry = rules.entry([&it.context, &it.method, rule, reason]).or_default();
            entry.0 += 1;
            entry.1.insert(&it.perturbation);
        }
    }
    html! {
        h2 id="coverage" { "Coverage" }
        @if data.coverage.is_empty() {
            p.note { "This run has no coverage table." }
        } @else if rules.is_empty() {
            p { "Every method predicted every condition it was asked for by itself (" (count(data.coverage.len() as u64)) " predictions)." }
        } @else {
            p.note { "Where a method cannot predict by itself, its documented rule stands in; those scores count in the full set and are left out of the common set. Methods not listed predicted everything by themselves." }
            div.scroll tabindex="0" role="region" aria-label="Coverage" { table.sortable id="coverage-table" {
                thead { tr { th scope="col" { "Method" } th scope="col" { "Context" } th.n scope="col" { "By rule" } th scope="col" { "Rule" } th scope="col" { "Reason" } th scope="col" { "Perturbations" } } }
                tbody { @for ([context, method, rule, reason], (n, names)) in &rules { tr {
                    (method_cell(data, method))
                    td.nowrap { (context) }
                    @let total = totals[&(*context, *method)].1;
                    (number_with(Some(*n as f64), "", &html! { (n) "/" (total) }))
                    td { (rule) } td.wrap { (reason) } td.wrap { (shown(names)) }
                } } }
            } }
        }
        (holes(data))
    }
}

/// Scores without a value, by reason.
fn holes(data: &ReportData) -> Markup {
    let mut reasons: BTreeMap<(&str, &str, &str, &str), usize> = BTreeMap::new();
    for it in data.scores.iter().filter(|it| it.status != "ok") {
        let reason = it.reason.as_deref().unwrap_or("no reason given");
        *reasons.entry((&it.status, &it.metric, &it.method, reason)).or_default() += 1;
    }
    html! {
        @if !reasons.is_empty() {
            h3 id="undefined" { "Scores without a value" }
            div.scroll tabindex="0" role="region" aria-label="Scores without a value" { table.sortable id="undefined-table" {
                thead { tr { th scope="col" { "Method" } th scope="col" { "Metric" } th scope="col" { "Status" } th scope="col" { "Reason" } th.n scope="col" { "Scores" } } }
                tbody { @for ((status, metric, method, reason), n) in &reasons { tr {
                    (method_cell(data, method))
                    td.nowrap { (data.metric(metric).map_or(*metric, metric_name)) }
                    td { (status) } td.wrap { (reason) }
                    (number_with(Some(*n as f64), "", &html! { (n) }))
                } } }
            } }
        }
    }
}

/// The hyper-parameters that fits chose.
pub(crate) fn fits(data: &ReportData) -> Markup {
    let mut chosen: BTreeMap<(&str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for it in &data.fits {
        *chosen.entry((&it.method, &it.key)).or_default().entry(&it.value).or_default() += 1;
    }
    let values = |it: &BTreeMap<&str, usize>| {
        let total: usize = it.values().sum();
        let mut by_count: Vec<_> = it.iter().collect();
        by_count.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let text =
            |(value, n): &(&&str, &usize)| if total == 1 { (**value).to_owned() } else { format!("{value} (×{n})") };
        let mut texts: Vec<String> = by_count.iter().take(8).map(text).collect();
        if by_count.len() > 8 {
            texts.push(format!("{} other values", by_count.len() - 8));
        }
        texts.join(", ")
    };
    html! {
        h2 id="fits" { "Chosen hyper-parameters" }
        @if chosen.is_empty() {
            p.note { "No method reported a choice." }
        } @else {
            p.note { "What each method chose inside its training data; in brackets, how many fits chose it." }
            div.scroll.tall tabindex="0" role="region" aria-label="Chosen hyper-parameters" { table.sortable id="fits-table" {
                thead { tr { th scope="col" { "Method" } th scope="col" { "Parameter" } th scope="col" { "Values" } } }
                tbody { @for ((method, key), it) in &chosen { tr { (method_cell(data, method)) td.nowrap { (key) } td.wrap { (values(it)) } } } }
            } }
        }
    }
}

/// Inputs with checksums, gene coverage, and what the splits look like.
pub(crate) fn inputs(data: &ReportData) -> Markup {
    let manifest = &data.manifest;
    html! {
        h2 id="data" { "Data" }
        @if !manifest.inputs.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="Inputs" { table {
                thead { tr { th scope="col" { "Input" } th scope="col" { "Role" } th.n scope="col" { "Cells" } th.n scope="col" { "Genes" } th scope="col" { "SHA-256" } } }
                tbody { @for it in &manifest.inputs { tr {
                    td.wrap { (it.path) } td { (it.role) } td.n { (count(it.n_obs)) } td.n { (count(it.n_vars)) }
                    td { code title=(it.sha256) { (it.sha256.chars().take(16).collect::<String>()) @if it.sha256.len() > 16 { "…" } } }
                } } }
            } }
        } @else { p.note { "The manifest names no input file." } }
        @if let Some(it) = &manifest.gene_coverage {
            p { (count(it.n_used)) " of " (count(it.n_genes)) " genes are used."
                @for (resource, n) in &it.by_resource { " " (resource) ": " (count(*n)) " found." } }
        }
        (splits(data))
        (effects(data))
    }
}

fn splits(data: &ReportData) -> Markup {
    let mut parts: BTreeMap<(&str, &str, i64, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for it in &data.splits {
        *parts.entry((&it.split, &it.protocol, it.seed, &it.context)).or_default().entry(&it.part).or_default() += 1;
    }
    html! {
        @if !parts.is_empty() {
            h3 id="splits" { "Splits" }
            div.scroll.tall tabindex="0" role="region" aria-label="Splits" { table {
                thead { tr { th scope="col" { "Split" } th scope="col" { "Protocol" } th.n scope="col" { "Seed" } th scope="col" { "Context" } @for it in ["train", "val", "test"] { th.n scope="col" { (it) } } } }
                tbody { @for ((split, protocol, seed, context), n) in &parts { tr {
                    td.nowrap { (split) } td { (protocol) } td.n { (seed) } td.nowrap { (context) }
                    @for it in ["train", "val", "test"] { td.n { (n.get(it).copied().unwrap_or(0)) } }
                } } }
            } }
        }
    }
}

fn effects(data: &ReportData) -> Markup {
    let mut contexts: BTreeMap<&str, Vec<&crate::schema::EffectRow>> = BTreeMap::new();
    for it in &data.effects {
        contexts.entry(&it.context).or_default().push(it);
    }
    let sentence = |rows: &[&crate::schema::EffectRow]| {
        let mut norms: Vec<f64> = rows.iter().map(|it| it.delta_norm).collect();
        norms.sort_by(f64::total_cmp);
        let cells: i64 = rows.iter().map(|it| it.n_cells).sum();
        let signal: f64 = rows.iter().filter(|it| it.noise.is_some()).map(|it| it.delta_norm * it.delta_norm).sum();
        let noise: f64 = rows.iter().filter_map(|it| it.noise).sum();
        let noise = if signal > 0.0 {
            format!("; sampling noise is {} of the squared effect", crate::fmt::percent(noise / signal))
        } else {
            String::new()
        };
        format!(
            "{} perturbations, {} perturbed cells, median effect size {}{noise}.",
            rows.len(),
            count(cells.unsigned_abs()),
            sig3(norms[norms.len() / 2])
        )
    };
    html! {
        @if !contexts.is_empty() {
            h3 id="effects" { "Effects" }
            dl { @for (context, rows) in &contexts { dt { (context) } dd { (sentence(rows)) } } }
        }
    }
}

/// Notes and warnings of the run.
pub(crate) fn notes(data: &ReportData) -> Markup {
    let (warnings, infos): (Vec<_>, Vec<_>) = data.notes.iter().partition(|it| it.level == "warning");
    html! {
        h2 id="notes" { "Notes" }
        @for it in &warnings { p.warning { b { "Warning. " } (it.text) } }
        @if data.notes.is_empty() { p.note { "The run left no notes." } }
        @if !infos.is_empty() { ul { @for it in &infos { li { (it.text) } } } }
        @if !data.missing.is_empty() { p.note { "Tables this run does not have: " (list(&data.missing.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())) "." } }
    }
}

/// What the methods and metrics are.
pub(crate) fn definitions(data: &ReportData) -> Markup {
    html! {
        h2 id="methods" { "Methods" }
        div.scroll tabindex="0" role="region" aria-label="Methods" { table {
            thead { tr { th scope="col" { "Method" } th scope="col" { "Id" } th scope="col" { "Role" } th scope="col" { "What it does" } th scope="col" { "Source" } } }
            tbody { @for it in data.methods() { tr { (method_cell(data, &it.method)) td { code { (it.method) } } td { (it.role) } td.wrap { (it.summary) } td.wrap { (it.source) } } } }
        } }
        h2 id="metrics" { "Metrics" }
        div.scroll tabindex="0" role="region" aria-label="Metrics" { table {
            thead { tr { th scope="col" { "Metric" } th scope="col" { "Id" } th scope="col" { "Better" } th.n scope="col" { "Best" } th scope="col" { "Definition" } th scope="col" { "Genes" } th scope="col" { "Mask" } th scope="col" { "Source" } } }
            tbody { @for it in data.metrics() { tr {
                td.nowrap { (metric_name(it)) @if it.headline { " ★" } }
                td { code { (it.metric) } }
                td { (if it.direction == "higher_is_better" { "higher" } else { "lower" }) }
                td.n { (sig3(it.best)) } td.wrap { (it.formula) @if !it.unit.is_empty() { " [" (it.unit) "]" } } td { (it.genes) } td { (it.mask) } td.wrap { (it.source) }
            } } }
        } }
        p.note { "★ headline metric." }
    }
}

/// The exact configuration, and how to run it again.
pub(crate) fn reproduce(data: &ReportData) -> Markup {
    let manifest = &data.manifest;
    let checkout = manifest.git_revision.as_ref().map(|it| {
        let dirty = if manifest.git_dirty == Some(true) { "   # the tree had changes on top of this" } else { "" };
        format!("git checkout {it}{dirty}\n")
    });
    let command = format!(
        "{}cargo xtask run config.toml          # the configuration below, from this run's folder\ncargo xtask report RUN_FOLDER        # this page again, from the tables alone",
        checkout.unwrap_or_default()
    );
    html! {
        h2 id="reproduce" { "Reproduce" }
        pre tabindex="0" { (command) }
        dl {
            dt { "Status" } dd { (manifest.status.as_str()) @if let Some(it) = manifest.exit_code { ", exit code " (it) } }
            @if let Some(it) = &manifest.error { dt { "Error" } dd { (it) } }
            dt { "Configuration" } dd { "sha256 " code { (manifest.config_hash) } }
            dt { "Device" } dd { (manifest.device) ", " (manifest.threads) " threads" }
            @if let Some(it) = manifest.peak_memory_bytes { dt { "Peak memory" } dd { (sig3(it as f64 / 1_073_741_824.0)) " GiB" } }
            @if !manifest.phases.is_empty() {
                dt { "Time" } dd { (list(&manifest.phases.iter().map(|it| format!("{} {} s", it.name, sig3(it.seconds))).collect::<Vec<_>>())) }
            }
            @if !manifest.versions.is_empty() {
                dt { "Versions" } dd { (list(&manifest.versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>())) }
            }
        }
        h2 id="config" { "Configuration" }
        @match &data.config {
            Some(it) => pre tabindex="0" { (it) },
            None => p.note { "The run folder has no config.toml." },
        }
    }
}
