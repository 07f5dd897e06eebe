//! The page itself: answer, data, scores, calibration, entropy, limits.

use super::answer::answer;
use super::data::{PhenotypeReport, category_name};
use super::parts::{Files, name, table};
use super::{entropy, sections};
use crate::fmt::{count, list, percent, sig3};
use crate::html::{FIGURE_STYLE, SCRIPT, STYLE};
use crate::run_dir::{RunDir, RunStatus};
use cellstone_core::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// What only this page needs.
const OWN_STYLE: &str = include_str!("style.css");

/// A category as a heading.
pub(super) fn title(category: &str) -> String {
    let name = category_name(category);
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |it| it.to_uppercase().chain(chars).collect())
}

/// The page as text, and the figures as files.
pub(super) fn page(run: &RunDir) -> Result<(String, Files)> {
    let data = PhenotypeReport::load(run)?;
    let mut files = Files::new();
    let parts = [
        ("scores", "Scores", sections::scores(&data, &mut files)),
        ("hierarchy", "Ontology", sections::hierarchy(&data)),
        ("calibration", "Calibration", sections::calibration(&data, &mut files)),
        ("conformal", "Sets", sections::conformal(&data)),
        ("entropy", "Entropy", entropy::entropy(&data, &mut files)),
        ("recovery", "Planted", entropy::recovery(&data)),
        ("information", "Information", sections::information(&data)),
        ("cam", "Published protocol", sections::cam(&data)),
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
                title { (manifest.experiment) " · cellstone phenotypes" }
                style { (PreEscaped(FIGURE_STYLE)) (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                (header(&data, title))
                nav aria-label="Sections" { ul {
                    li { a href="#answer" { "Answer" } }
                    li { a href="#data" { "Data" } }
                    @for (id, text, _) in &shown { li { a href={ "#" (id) } { (text) } } }
                    li { a href="#limits" { "Limits" } }
                    li { a href="#reproduce" { "Reproduce" } }
                } }
                main {
                    (state(&data))
                    (answer_section(&data))
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

fn header(data: &PhenotypeReport, title: &str) -> Markup {
    let manifest = &data.manifest;
    let cells = data.tasks.iter().map(|it| it.n_test).max().unwrap_or(0);
    let groups = data.tasks.iter().map(|it| it.test_groups).max().unwrap_or(0);
    let split = data.tasks.first().map_or("group", |it| it.split.as_str());
    html! {
        header { div.inner {
            div.bar-top {
                span { "cellstone phenotypes · " b { (manifest.experiment) } }
                button.theme id="theme" type="button" hidden { "Light / dark" }
            }
            h1 { (title) }
            ul.meta {
                li { span class={ "chip " (manifest.status.as_str()) } { (manifest.status.as_str()) } }
                @if cells > 0 { li { (count(cells.unsigned_abs())) " test cells" } }
                @if groups > 0 { li { (groups) " held-out " (split) @if groups != 1 { "s" } } }
                li { (data.categories().len()) " categories" }
                @if !manifest.device.is_empty() { li { (manifest.device) } }
                @for it in &manifest.seeds { li { "seed " (it) } }
            }
        } }
    }
}

fn state(data: &PhenotypeReport) -> Markup {
    let manifest = &data.manifest;
    html! {
        @if !matches!(manifest.status, RunStatus::Complete) {
            p.warning { b { "This run is not complete" } " (status " (manifest.status.as_str()) ")." @if let Some(it) = &manifest.error { " " (it) } " What follows rests on the tables written so far." }
        }
    }
}

fn answer_section(data: &PhenotypeReport) -> Markup {
    let answer = answer(data);
    html! {
        h2 id="answer" { "Answer" }
        div.answer.no[answer.beaten == Some(true)] {
            p { (answer.head) }
            @for it in &answer.sentences { p { (it) } }
        }
        p.note { "“Beats” and “loses” mean a paired 95 % interval of the difference in macro-F1 that leaves out zero." }
    }
}

fn data_card(data: &PhenotypeReport) -> Markup {
    let inputs: Vec<Markup> = data
        .manifest
        .inputs
        .iter()
        .map(|it| {
            let file = it.path.rsplit('/').next().unwrap_or(&it.path);
            let n = |value: u64| if value > 0 { count(value) } else { "–".to_owned() };
            html! {
                td.nowrap title=(it.path) { (file) } td { (it.role) } td.n { (n(it.n_obs)) } td.n { (n(it.n_vars)) }
                td.mono { (it.sha256.chars().take(12).collect::<String>()) }
            }
        })
        .collect();
    let tasks: Vec<Markup> = data
        .tasks
        .iter()
        .map(|it| {
            let n = |cells: i64, groups: i64| format!("{} ({})", count(cells.unsigned_abs()), groups);
            html! {
                (name(&title(&it.category))) td.n { (it.fold) }
                td.n data-v=(it.n_train) { (n(it.n_train, it.train_groups)) } td.n data-v=(it.n_calibration) { (n(it.n_calibration, it.calibration_groups)) }
                td.n data-v=(it.n_test) { (n(it.n_test, it.test_groups)) } td.n { (it.n_classes) } td.n { (it.n_test_classes) }
                td.n { (percent(it.unseen_share)) } td { (it.cluster) } td.wrap { (it.reason.as_deref().unwrap_or("")) }
            }
        })
        .collect();
    let classes: Vec<Markup> = data
        .classes
        .iter()
        .filter(|it| it.fold == 0)
        .map(|it| {
            html! {
                (name(&title(&it.category))) td.nowrap { (it.label) } td.mono { @if it.class != it.label.to_lowercase() { (it.class) } }
                td.n data-v=(it.n_train) { (count(it.n_train.unsigned_abs())) } td.n data-v=(it.n_calibration) { (count(it.n_calibration.unsigned_abs())) }
                td.n data-v=(it.n_test) { (count(it.n_test.unsigned_abs())) } td.n { (it.n_groups) }
            }
        })
        .collect();
    let excluded: Vec<Markup> = data
        .excluded
        .iter()
        .map(|it| html! { (name(&if it.category.is_empty() { "all".to_owned() } else { title(&it.category) })) td { (it.reason) } td.n { (count(it.n.unsigned_abs())) } })
        .collect();
    let (warnings, infos): (Vec<_>, Vec<_>) = data.notes.iter().partition(|it| it.level == "warning");
    html! {
        h2 id="data" { "Data" }
        @for it in &warnings { p.warning { b { "Careful. " } (it.text) "." } }
        (table("inputs-table", "Inputs", &[("File", false), ("Role", false), ("Cells", true), ("Genes", true), ("SHA-256", false)], &inputs))
        h3 { "What is predicted" }
        (table("tasks-table", "Categories", &[
            ("Category", false), ("Fold", true), ("Train (groups)", true), ("Calibrate", true), ("Test", true), ("Classes", true), ("In the test", true),
            ("Never seen", true), ("Intervals over", false), ("Remark", false),
        ], &tasks))
        details { summary { "Classes (" (classes.len()) ")" }
            (table("all-classes-table", "Classes", &[("Category", false), ("Class", false), ("Id", false), ("Train", true), ("Calibrate", true), ("Test", true), ("Donors", true)], &classes))
        }
        @if !excluded.is_empty() {
            h3 { "Left out" }
            (table("excluded-table", "Left out", &[("Category", false), ("Reason", false), ("Cells", true)], &excluded))
        }
        h3 { "Models" }
        dl { @for it in &data.models { dt { (it.name) } dd { (it.summary) } } }
        @if !infos.is_empty() { details { summary { "Remarks of the run (" (infos.len()) ")" } ul { @for it in &infos { li { (it.text) } } } } }
    }
}

fn limits(data: &PhenotypeReport) -> Markup {
    let by_cell = data.tasks.iter().any(|it| it.cluster == "cell");
    let leaky = data.tasks.iter().any(|it| it.split == "random");
    html! {
        h2 id="limits" { "Limits" }
        ul {
            li { "Intervals are drawn over " (if by_cell { "cells where there are too few donors: they say nothing about other donors" } else { "donors: they say how far a result carries to other donors of data like these" }) "." }
            li { "Genes, components and hyper-parameters of the baselines, and temperatures, come from cells that are not tested on." }
            @if leaky { li { "The split is random by cell, a control: donors are in training and test." } }
            li { "Not done here: cells thinned to a common depth, entropy without gene sets, novelty and rejection." }
            li { "A score of a network is that of one seed of its training." }
        }
    }
}

fn reproduce(data: &PhenotypeReport) -> Markup {
    let manifest = &data.manifest;
    let command = "cargo xtask run config.toml           # the configuration below, from this run's folder\ncargo xtask report RUN_FOLDER        # this page again, from the tables alone";
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
