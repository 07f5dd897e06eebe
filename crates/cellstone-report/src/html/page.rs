//! The page: head, answer, one panel per context, and the sections about the run.

use super::answer::{Answer, answer};
use super::context::{Files, panel};
use super::data::ReportData;
use super::tables;
use crate::fmt::maybe;
use crate::run_dir::RunStatus;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) const FIGURE_STYLE: &str = include_str!("figure.css");
pub(crate) const STYLE: &str = include_str!("style.css");
pub(crate) const SCRIPT: &str = include_str!("script.js");

/// The page as text, and the figures as files.
pub(crate) fn page(data: &ReportData) -> (String, Files) {
    let contexts = data.contexts();
    let answers: Vec<(&String, Answer)> = contexts.iter().map(|it| (it, answer(data, it))).collect();
    let mut files = Vec::new();
    let tabbed = contexts.len() > 1;
    let panels: Vec<Markup> = contexts.iter().map(|it| panel(data, it, tabbed, &mut files)).collect();
    let manifest = &data.manifest;
    let title = if manifest.question.is_empty() { &manifest.experiment } else { &manifest.question };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="generator" content="cellstone";
                title { (manifest.experiment) " · cellstone report" }
                style { (PreEscaped(FIGURE_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                (header(data, title))
                (navigation(data, contexts))
                main {
                    (run_state(data))
                    (answer_section(data, &answers))
                    @if tabbed { (tabs(data, contexts)) }
                    @for it in &panels { (it) }
                    (tables::coverage(data))
                    (tables::fits(data))
                    (tables::inputs(data))
                    (tables::notes(data))
                    (tables::definitions(data))
                    (tables::reproduce(data))
                }
                footer { "Made by cellstone from the tables, manifest and configuration of this run, and from nothing else." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    (page.into_string(), files)
}

fn header(data: &ReportData, title: &str) -> Markup {
    let manifest = &data.manifest;
    let revision = manifest.git_revision.as_ref().map(|it| {
        let dirty = if manifest.git_dirty == Some(true) { " with changes" } else { "" };
        format!("revision {}{dirty}", it.chars().take(10).collect::<String>())
    });
    let seeds: Vec<String> = manifest.seeds.iter().map(u64::to_string).collect();
    html! {
        header { div.inner {
            div.bar-top {
                span { "cellstone report · " b { (manifest.experiment) } }
                button.theme id="theme" type="button" hidden { "Light / dark" }
            }
            h1 { (title) }
            ul.meta {
                li { span class={ "chip " (manifest.status.as_str()) } { (manifest.status.as_str()) } }
                @if !manifest.started.is_empty() { li { (time(&manifest.started)) } }
                @if !manifest.device.is_empty() { li { (manifest.device) } }
                @if !seeds.is_empty() { li { (if seeds.len() == 1 { "seed " } else { "seeds " }) (seeds.join(", ")) } }
                @if let Some(it) = revision { li { (it) } }
            }
        } }
    }
}

/// `20261121T133000Z` as `2026-11-21 13:30 UTC`; other text as it is.
fn time(utc: &str) -> String {
    let digits = utc.len() == 16 && utc.is_ascii() && utc.as_bytes()[8] == b'T' && utc.ends_with('Z');
    if !digits {
        return utc.to_owned();
    }
    format!("{}-{}-{} {}:{} UTC", &utc[..4], &utc[4..6], &utc[6..8], &utc[9..11], &utc[11..13])
}

fn navigation(data: &ReportData, contexts: &[String]) -> Markup {
    html! {
        nav aria-label="Sections" { ul {
            li { a href="#answer" { "Answer" } }
            @for it in contexts { li { a href={ "#context-" (data.context_id(it)) } { @if contexts.len() > 1 { (it) } @else { "Results" } } } }
            @for (id, text) in [("coverage", "Coverage"), ("fits", "Fits"), ("data", "Data"), ("notes", "Notes"), ("methods", "Methods"), ("metrics", "Metrics"), ("reproduce", "Reproduce"), ("config", "Configuration")] {
                li { a href={ "#" (id) } { (text) } }
            }
        } }
    }
}

/// A run that has not ended well says so before anything else.
fn run_state(data: &ReportData) -> Markup {
    let manifest = &data.manifest;
    let n_failed = data.scores.iter().filter(|it| it.status == "error").count();
    html! {
        @if !matches!(manifest.status, RunStatus::Complete) {
            p.warning { b { "This run is not complete" } " (status " (manifest.status.as_str()) ")." @if let Some(it) = &manifest.error { " " (it) } " What follows rests on the tables written so far." }
        }
        @if n_failed > 0 { p.warning { b { (n_failed) " scores failed." } " They are listed under " a href="#undefined" { "scores without a value" } "." } }
    }
}

fn answer_section(data: &ReportData, answers: &[(&String, Answer)]) -> Markup {
    let tested: Vec<bool> = answers.iter().filter_map(|it| it.1.any_beats_floor).collect();
    let n_yes = tested.iter().filter(|it| **it).count();
    let n_warnings = data.notes.iter().filter(|it| it.level == "warning").count();
    html! {
        h2 id="answer" { "Answer" }
        @if answers.len() > 1 && !tested.is_empty() {
            p { "In " b { (n_yes) " of " (tested.len()) } " contexts at least one method beats the floor on the first headline metric." }
        }
        @for (context, it) in answers {
            div.answer.no[it.any_beats_floor == Some(false)] {
                @if answers.len() > 1 { h3 { (context) } }
                @for sentence in &it.sentences { p { (sentence) } }
            }
            @for warning in &it.warnings { p.warning { b { "Careful. " } @if answers.len() > 1 { (context) ": " } (warning) } }
            @if !it.lines.is_empty() { (headline_table(context, it)) }
        }
        @if answers.is_empty() { p { "This run has no scores yet." } }
        @if n_warnings > 0 { p.note { "The run left " (n_warnings) @if n_warnings == 1 { " warning" } @else { " warnings" } ": see " a href="#notes" { "notes" } "." } }
        p.note { "“Beats” means: Holm-adjusted p below 0.05 and a 95 % interval of the paired difference that leaves out zero, in the full set and in the set that every method predicts natively." }
    }
}

fn headline_table(context: &str, answer: &Answer) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Headline metrics in " (context) } { table.tight {
            thead { tr {
                th scope="col" { "Headline metric" } th scope="col" { "Best method" }
                @for it in ["Mean", "Floor", "Ceiling", "Gap closed", "Beat the floor", "Beat the reference", "Dynamic range"] { th.n scope="col" { (it) } }
            } }
            tbody { @for it in &answer.lines { tr {
                td.nowrap title=(it.title) { (it.metric) } td.method { (it.best) }
                td.n { (maybe(it.mean)) } td.n { (maybe(it.floor)) } td.n { (maybe(it.ceiling)) } td.n { (it.gap) }
                td.n { (it.beat_floor) } td.n { (it.beat_reference) } td.n { (maybe(it.drf)) }
            } } }
        } }
    }
}

/// Tabs over the contexts; without a script all panels are shown.
fn tabs(data: &ReportData, contexts: &[String]) -> Markup {
    html! {
        div.tabs role="tablist" aria-label="Contexts" {
            @for it in contexts {
                button type="button" role="tab" id={ "tab-" (data.context_id(it)) } aria-controls={ "context-" (data.context_id(it)) } { (it) }
            }
        }
    }
}
