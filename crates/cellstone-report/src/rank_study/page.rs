//! The page itself: answer, data, figures, tables, limits.

use super::answer::answer;
use super::data::StudyData;
use super::parts::{Files, name, number, table, with_interval};
use super::{neighbors, sections};
use crate::fmt::{count, list, p_value, sig3};
use crate::html::{FIGURE_STYLE, SCRIPT, STYLE};
use crate::run_dir::{RunDir, RunStatus};
use cellstone_core::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What only this page needs.
const OWN_STYLE: &str = include_str!("style.css");

/// The page as text, and the figures as files.
pub(super) fn page(run: &RunDir) -> Result<(String, Files)> {
    let data = StudyData::load(run)?;
    let mut files = Files::new();
    let parts = [
        ("published", "Figure", sections::published(&data, &mut files)),
        ("treatment", "Treatment", sections::treatment(&data, &mut files)),
        ("relations", "Relations", sections::relations(&data, &mut files)),
        ("purity", "Purity", neighbors::purity(&data, &mut files)),
        ("batches", "Batches", neighbors::batches(&data, &mut files)),
        ("thinning", "Depth", neighbors::thinning(&data, &mut files)),
        ("transfer", "Transfer", neighbors::transfer(&data)),
        ("graded", "Known likeness", neighbors::graded(&data)),
        ("why", "Why", neighbors::why(&data)),
        ("agreement", "Agreement", neighbors::agreement(&data)),
    ];
    let shown: Vec<_> = parts.iter().filter(|it| !it.2.0.is_empty()).collect();
    let manifest = &data.manifest;
    let title = if manifest.question.is_empty() { &manifest.experiment } else { &manifest.question };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="generator" content="cellstone";
                title { (manifest.experiment) " · cellstone rank study" }
                style { (PreEscaped(FIGURE_STYLE)) (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                (header(&data, title))
                nav aria-label="Sections" { ul {
                    li { a href="#answer" { "Answer" } }
                    li { a href="#hypotheses" { "Hypotheses" } }
                    li { a href="#data" { "Data" } }
                    @for (id, text, _) in &shown { li { a href={ "#" (id) } { (text) } } }
                    li { a href="#limits" { "Limits" } }
                    li { a href="#reproduce" { "Reproduce" } }
                } }
                main {
                    (state(&data))
                    (answer_section(&data))
                    (hypotheses(&data))
                    (data_card(&data))
                    @for (_, _, part) in &shown { (part) }
                    (limits(&data))
                    (reproduce(&data))
                }
                footer { "Made by cellstone from the tables, manifest and configuration of this run, and from nothing else." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok((page.into_string(), files))
}

fn header(data: &StudyData, title: &str) -> Markup {
    let manifest = &data.manifest;
    let seeds: Vec<String> = manifest.seeds.iter().map(u64::to_string).collect();
    let cells = data.runs.iter().map(|it| it.n_cells).max().unwrap_or(0);
    let pairs = data.runs.iter().map(|it| it.n_pairs).max().unwrap_or(0);
    html! {
        header { div.inner {
            div.bar-top {
                span { "cellstone rank study · " b { (manifest.experiment) } }
                button.theme id="theme" type="button" hidden { "Light / dark" }
            }
            h1 { (title) }
            ul.meta {
                li { span class={ "chip " (manifest.status.as_str()) } { (manifest.status.as_str()) } }
                @if cells > 0 { li { (count(cells.unsigned_abs())) " cells" } }
                @if pairs > 0 { li { (count(pairs.unsigned_abs())) " pairs" } }
                li { (data.types.iter().filter(|it| it.n_used > 0).count()) " types" }
                li { (data.units.len()) " units" }
                @if !seeds.is_empty() { li { (if seeds.len() == 1 { "seed " } else { "seeds " }) (seeds.join(", ")) } }
            }
        } }
    }
}

fn state(data: &StudyData) -> Markup {
    let manifest = &data.manifest;
    let failed: Vec<_> = data.runs.iter().filter(|it| it.status == "error").collect();
    html! {
        @if !matches!(manifest.status, RunStatus::Complete) {
            p.warning { b { "This run is not complete" } " (status " (manifest.status.as_str()) ")." @if let Some(it) = &manifest.error { " " (it) } " What follows rests on the tables written so far." }
        }
        @if !failed.is_empty() {
            p.warning { b { (failed.len()) " units failed." } @for it in failed.iter().take(4) { " " (data.label(&it.unit)) ": " (it.reason.as_deref().unwrap_or("no reason given")) "." } }
        }
    }
}

fn answer_section(data: &StudyData) -> Markup {
    let answer = answer(data);
    let few = data.hypotheses.iter().any(|it| it.verdict == "open" && it.reason.is_some());
    html! {
        h2 id="answer" { "Answer" }
        div.answer.no[answer.worse == Some(true)] {
            p { (answer.head) }
            @for it in &answer.sentences { p { (it) } }
        }
        p.note { "A direction is named only where its 95 % interval leaves out zero; “holds” and “contradicted” besides need a Holm-adjusted p below 0.05. Differences are first minus second." @if few { " Some comparisons are over so few types or strata that p cannot be below 0.05 whatever the data say: they stay open." } }
    }
}

fn hypotheses(data: &StudyData) -> Markup {
    let rows: Vec<Markup> = data
        .hypotheses
        .iter()
        .map(|it| {
            let p = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), p_value);
            let compared = if it.unit_a.is_empty() {
                it.reason.clone().unwrap_or_default()
            } else {
                format!("{} − {}", data.label(&it.unit_a), data.label(&it.unit_b))
            };
            html! {
                td.nowrap title=(it.claim) { b { (it.hypothesis) } }
                td.verdict class=(it.verdict) title=(it.reason.as_deref().unwrap_or_default()) { (it.verdict) }
                td.wrap { (compared) }
                td { (it.statistic.replace('_', " ")) }
                td { (it.scope.replace('_', " ")) }
                td { (it.over) }
                (with_interval(it.difference, it.ci_lo, it.ci_hi))
                (number(it.effect))
                td.n data-v=(it.p_holm.map_or_else(String::new, |it| it.to_string())) { (p(it.p_holm)) }
                td.n { (it.n) }
            }
        })
        .collect();
    let mut claims: Vec<(&str, &str)> = Vec::new();
    for it in &data.hypotheses {
        if !claims.iter().any(|claim| claim.0 == it.hypothesis) {
            claims.push((&it.hypothesis, &it.claim));
        }
    }
    let heads = [
        ("", false),
        ("Verdict", false),
        ("Compared", false),
        ("Statistic", false),
        ("Pairs", false),
        ("Over", false),
        ("Difference [95 % interval]", true),
        ("Effect", true),
        ("p (Holm)", true),
        ("n", true),
    ];
    html! {
        h2 id="hypotheses" { "Hypotheses, stated before the run" }
        dl { @for (id, claim) in &claims { dt { b { (id) } } dd { (claim) } } }
        (table("hypotheses-table", "Hypotheses", &heads, &rows))
        p.note { "Effect: mean difference over the standard deviation of the differences. p: two-sided sign flips, Holm-adjusted inside each hypothesis. H2 compares half of the loss of rank with what is left of it without zeros: above zero, more than half is gone." }
    }
}

fn data_card(data: &StudyData) -> Markup {
    let inputs: Vec<Markup> = data
        .manifest
        .inputs
        .iter()
        .map(|it| {
            let file = it.path.rsplit('/').next().unwrap_or(&it.path);
            html! {
                td.nowrap title=(it.path) { (file) } td { (it.role) } td.n { (count(it.n_obs)) } td.n { (count(it.n_vars)) }
                td.mono { (it.sha256.chars().take(12).collect::<String>()) }
            }
        })
        .collect();
    let strata = data.types.iter().any(|it| it.n_strata > 0);
    let terms = data.types.iter().any(|it| it.term.is_some());
    let types: Vec<Markup> = data
        .types
        .iter()
        .map(|it| {
            html! {
                (name(&it.cell_type))
                @if terms { td.nowrap { (it.term.as_deref().unwrap_or("–")) } }
                td.n data-v=(it.n_available) { (count(it.n_available.unsigned_abs())) } td.n data-v=(it.n_used) { (count(it.n_used.unsigned_abs())) }
                @if strata { td.n { (it.n_strata) } }
                (number(it.median_total)) (number(it.detected))
                @if terms { td.nowrap { @if let (Some(near), Some(d)) = (&it.nearest, it.nearest_distance) { (near) " (" (d) ")" } @else { "–" } } }
                td { (it.remark.as_deref().unwrap_or("")) }
            }
        })
        .collect();
    let plural = data.strata();
    let mut heads = vec![("Type", false)];
    if terms {
        heads.push(("Term", false));
    }
    heads.extend([("Cells", true), ("Used", true)]);
    if strata {
        heads.push((plural, true));
    }
    heads.extend([("Median counts", true), ("Genes detected", true)]);
    if terms {
        heads.push(("Nearest type (edges)", false));
    }
    heads.push(("Remark", false));
    let (warnings, infos): (Vec<_>, Vec<_>) = data.notes.iter().partition(|it| it.level == "warning");
    html! {
        h2 id="data" { "Data" }
        @for it in &warnings { p.warning { b { "Careful. " } (it.text) "." } }
        (table("inputs-table", "Inputs", &[("File", false), ("Role", false), ("Cells", true), ("Genes", true), ("SHA-256", false)], &inputs))
        h3 { "Types" }
        (table("types-table", "Types", &heads, &types))
        @if !infos.is_empty() { details { summary { "Remarks of the run (" (infos.len()) ")" } ul { @for it in &infos { li { (it.text) } } } } }
    }
}

fn limits(data: &StudyData) -> Markup {
    let warnings = data.notes.iter().filter(|it| it.level == "warning").count();
    html! {
        h2 id="limits" { "Limits" }
        ul {
            li { "Medians and histograms are exact to half a bin of 4,096." }
            li { "Intervals are drawn over types and over " (data.strata()) ": they say how far a result carries to other types and " (data.strata()) " of data like these." }
            li { "Genes, moments and medians are estimated from training cells; similarities are computed for all cells of the sample." }
            @if data.scope() == "all" { li { "All cells share one stratum: likeness inside a type is partly technical." } }
            @if warnings > 0 { li { (warnings) @if warnings == 1 { " warning stands" } @else { " warnings stand" } " under " a href="#data" { "data" } "." } }
        }
    }
}

fn reproduce(data: &StudyData) -> Markup {
    let manifest = &data.manifest;
    let command = "cargo xtask rank-study config.toml   # the configuration below, from this run's folder\ncargo xtask report RUN_FOLDER        # this page again, from the tables alone";
    html! {
        h2 id="reproduce" { "Reproduce" }
        pre tabindex="0" { (command) }
        dl {
            @if let Some(it) = &manifest.git_revision { dt { "Revision" } dd { code { (it) } @if manifest.git_dirty == Some(true) { " with changes" } } }
            dt { "Configuration" } dd { "sha256 " code { (manifest.config_hash) } }
            dt { "Device" } dd { (manifest.device) ", " (manifest.threads) " threads" }
            @if let Some(it) = manifest.peak_memory_bytes { dt { "Peak memory" } dd { (sig3(it as f64 / 1_073_741_824.0)) " GiB" } }
            @if !manifest.phases.is_empty() {
                dt { "Time" } dd { (list(&manifest.phases.iter().map(|it| format!("{} {} s", it.name, sig3(it.seconds))).collect::<Vec<_>>())) }
            }
        }
        details { summary { "Configuration" }
            @match &data.config {
                Some(it) => pre tabindex="0" { (it) },
                None => p.note { "The run folder has no config.toml." },
            }
        }
    }
}
