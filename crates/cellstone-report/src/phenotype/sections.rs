//! Sections of the page about scores and trust.

use super::data::{NETWORK, PhenotypeReport, category_name, metric_name};
use super::figures::reliability;
use super::parts::{Files, figure, name, number, p_cell, swap, table, with_interval};
use super::schema::{PhenotypeScoreRow, ReliabilityTableRow};
use crate::fmt::{count, percent, sig3};
use crate::svg::{Forest, ForestRow, Layout, forest};
use maud::{Markup, html};

/// Metrics of the table, in its order.
const METRICS: [&str; 7] = ["macro_f1", "balanced_accuracy", "top1", "top3", "mrr", "auroc_macro", "nll"];

/// Scores of every model and baseline, category by category.
pub(super) fn scores(data: &PhenotypeReport, files: &mut Files) -> Markup {
    let parts: Vec<Markup> = data.categories().iter().map(|it| category(data, it, files)).collect();
    html! {
        @if !parts.is_empty() {
            h2 id="scores" { "Scores" }
            p.note { "Candidates are the classes seen in training. Networks are asked under conditions: " b { "masked" } " hides all phenotypes, " b { "visible" } " shows the others, " b { "dropped" } " leaves them out, " b { "no genes" } " shows the other phenotypes and no gene. Majority is the floor. Every cell counts alike; ties count against the model." }
            @for it in &parts { (it) }
        }
    }
}

fn role(model: &str) -> &'static str {
    match model {
        NETWORK => "model",
        "majority" => "floor",
        _ => "baseline",
    }
}

fn category(data: &PhenotypeReport, category: &str, files: &mut Files) -> Markup {
    let series = data.series(category);
    let f1 = |it: &(&str, &str)| data.score(category, it.0, it.1, "macro_f1");
    let floor = series.iter().find(|it| it.0 == "majority").and_then(|it| f1(it)?.value);
    let gap =
        |value: Option<f64>| value.zip(floor).filter(|it| it.1 < 1.0).map(|(it, floor)| (it - floor) / (1.0 - floor));
    let row = |it: &(&str, &str)| -> Option<ForestRow> {
        let score = f1(it)?;
        Some(ForestRow {
            label: data.label(it.0, it.1),
            role: role(it.0),
            mean: score.value,
            lo: score.ci_lo,
            hi: score.ci_hi,
            gap: gap(score.value),
            title: score.reason.clone().unwrap_or_default(),
        })
    };
    let plot = Forest {
        axis: format!("Macro-F1 of {}", category_name(category)),
        rows: series.iter().filter_map(row).collect(),
        floor,
        floor_name: "majority".to_owned(),
        ceiling: None,
        lower_is_better: false,
    };
    let over = if data.cluster(category) == "cell" { "over cells" } else { "over donors" };
    let caption =
        html! { "Macro-F1 with 95 % intervals " (over) "; gap closed: the share of the way from the floor to 1." };
    let drawn = swap(
        &format!("scores-{category}"),
        &forest(&plot, Layout::Wide),
        &forest(&plot, Layout::Narrow),
        &caption,
        files,
    );
    let why = series.iter().filter_map(f1).find_map(|it| it.reason.clone().filter(|_| it.ci_lo.is_none()));
    html! {
        h3 id={ "scores-" (category) } { (super::page::title(category)) }
        @if let Some(it) = why { p.warning { b { "No intervals. " } (it) "." } }
        (drawn)
        (score_table(data, category, &series))
        (differences(data, category))
        (classes(data, category))
    }
}

fn score_table(data: &PhenotypeReport, category: &str, series: &[(&str, &str)]) -> Markup {
    let cell = |it: Option<&PhenotypeScoreRow>| {
        with_interval(it.and_then(|it| it.value), it.and_then(|it| it.ci_lo), it.and_then(|it| it.ci_hi))
    };
    let rows: Vec<Markup> = series
        .iter()
        .map(|it| {
            html! {
                td.method title=(data.label(it.0, it.1)) { span class={ "role " (role(it.0)) } {} (data.label(it.0, it.1)) }
                @for metric in METRICS { (cell(data.score(category, it.0, it.1, metric))) }
            }
        })
        .collect();
    let mut heads = vec![("Model", false)];
    heads.extend(METRICS.map(|it| (metric_name(it), true)));
    let first = series.first().and_then(|it| data.score(category, it.0, it.1, "top1"));
    let chance = |metric: &str| {
        let (model, condition) = series.first()?;
        data.score(category, model, condition, metric)?.chance.map(sig3)
    };
    html! {
        (table(&format!("scores-table-{category}"), &format!("Scores of {}", category_name(category)), &heads, &rows))
        @if let Some(it) = first { p.note { (count(it.n_cells.unsigned_abs())) " test cells; a guess has top-1 " (chance("top1").unwrap_or_default()) " and top-3 " (chance("top3").unwrap_or_default()) "." } }
    }
}

fn differences(data: &PhenotypeReport, category: &str) -> Markup {
    let rows: Vec<Markup> = data
        .differences
        .iter()
        .filter(|it| it.category == category)
        .map(|it| {
            let baseline = match it.baseline.split_once(':') {
                Some((model, condition)) => data.label(model, condition),
                None => data.name(&it.baseline),
            };
            html! {
                (name(&data.label(&it.model, &it.condition))) (name(&baseline))
                (with_interval(it.difference, it.ci_lo, it.ci_hi)) (p_cell(it.p)) (p_cell(it.p_holm))
                td class={ "verdict " (it.verdict) } title=(it.reason.as_deref().unwrap_or_default()) { (it.verdict) }
            }
        })
        .collect();
    let heads = [
        ("Model", false),
        ("Against", false),
        ("Difference in macro-F1", true),
        ("p", true),
        ("p (Holm)", true),
        ("Verdict", false),
    ];
    html! {
        @if !rows.is_empty() {
            details open[rows.len() < 10] { summary { "Paired differences (" (rows.len()) ")" }
                (table(&format!("differences-table-{category}"), &format!("Differences of {}", category_name(category)), &heads, &rows))
                p.note { "Both models see the same cells; resamples are of the same " (if data.cluster(category) == "cell" { "cells" } else { "donors" }) ". A verdict needs an interval without zero." }
            }
        }
    }
}

fn classes(data: &PhenotypeReport, category: &str) -> Markup {
    let Some((model, condition)) = data.chosen(category) else { return html! {} };
    let rows: Vec<Markup> = data
        .class_scores
        .iter()
        .filter(|it| it.category == category && it.model == model && it.condition == condition)
        .map(|it| {
            html! {
                td.nowrap title=(it.class) { (data.class_name(category, &it.class)) }
                td.n data-v=(it.support) { (count(it.support as u64)) } (number(it.recall)) (number(it.precision)) (number(it.f1))
            }
        })
        .collect();
    let heads = [("Class", false), ("Test cells", true), ("Recall", true), ("Precision", true), ("F1", true)];
    html! {
        @if !rows.is_empty() {
            details { summary { "Class by class, " (data.label(model, condition)) }
                (table(&format!("classes-table-{category}"), &format!("Classes of {}", category_name(category)), &heads, &rows))
            }
        }
    }
}

/// Calibration before and after, with reliability diagrams.
pub(super) fn calibration(data: &PhenotypeReport, files: &mut Files) -> Markup {
    let diagrams: Vec<Markup> = data.categories().iter().filter_map(|it| diagram(data, it, files)).collect();
    let headline = data.headline().unwrap_or_default();
    let rows: Vec<Markup> = data
        .calibration
        .iter()
        .filter(|it| it.model != NETWORK || it.condition == headline)
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition))) td { (it.stage) }
                td.n { @if it.stage == "after" { (sig3(it.temperature)) @if it.boundary { " (end of range)" } } @else { "–" } }
                (number(it.nll)) (number(it.brier)) (number(it.ece_width)) (number(it.ece_mass)) (number(it.ece_perfect)) (number(it.ece_classwise)) (number(it.mce))
            }
        })
        .collect();
    let heads = [
        ("Category", false),
        ("Model", false),
        ("Temperature", false),
        ("T", true),
        ("NLL", true),
        ("Brier", true),
        ("ECE, width", true),
        ("ECE, mass", true),
        ("ECE by chance", true),
        ("ECE by class", true),
        ("Worst bin", true),
    ];
    html! {
        @if !rows.is_empty() {
            h2 id="calibration" { "Calibration" }
            p { "Can a probability be taken at its word? Of the cells that are called something with 80 %, 80 % should be right. The temperature is fitted on calibration cells that are neither trained nor tested on." }
            div.pair { @for it in &diagrams { (it) } }
            (table("calibration-table", "Calibration", &heads, &rows))
            p.note { "ECE by chance is what a perfectly calibrated model would have with so many cells and bins: an error near it is no error. Bins of equal mass, 15 of them." }
        }
    }
}

fn diagram(data: &PhenotypeReport, category: &str, files: &mut Files) -> Option<Markup> {
    let (model, condition) = data.chosen(category)?;
    let of = |stage: &str| -> Vec<&ReliabilityTableRow> {
        data.reliability
            .iter()
            .filter(|it| it.category == category && it.model == model && it.condition == condition && it.stage == stage)
            .collect()
    };
    let drawn = reliability(&of("before"), &of("after"))?;
    let caption = html! { b { (super::page::title(category)) } ", " (data.label(model, condition)) "." };
    Some(figure(&format!("reliability-{category}"), &drawn, &caption, files))
}

/// Conformal sets.
pub(super) fn conformal(data: &PhenotypeReport) -> Markup {
    let rows: Vec<Markup> = data
        .conformal
        .iter()
        .map(|it| {
            let asked = 1.0 - it.alpha;
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition))) td { (it.score.to_uppercase()) } td { (it.mode) }
                td.n data-v=(asked) { (percent(asked)) } (with_interval(it.coverage, it.ci_lo, it.ci_hi))
                td class={ "verdict " (match it.reached { Some(true) => "yes", Some(false) => "no-td", None => "undefined" }) } title=(it.reason.as_deref().unwrap_or_default()) {
                    (match it.reached { Some(true) => "yes", Some(false) => "no", None => "–" })
                }
                (number(it.worst_class)) (number(it.worst_donor)) (number(it.mean_size)) (number(it.singleton)) (number(it.empty))
            }
        })
        .collect();
    let heads = [
        ("Category", false),
        ("Model", false),
        ("Score", false),
        ("Exchangeable", false),
        ("Asked", true),
        ("Coverage", true),
        ("Reached", false),
        ("Worst class", true),
        ("Worst donor", true),
        ("Mean size", true),
        ("One class", true),
        ("Empty", true),
    ];
    let full: Vec<&String> = data.conformal.iter().filter_map(|it| it.reason.as_ref()).collect();
    html! {
        @if !rows.is_empty() {
            h2 id="conformal" { "Sets with a promised coverage" }
            p { "In place of one answer, a set of classes that is to hold the true one with a given chance. " b { "donor" } " promises it for cells of a new donor, " b { "cell" } " only for new cells of the calibration donors, " b { "class" } " class by class." }
            (table("conformal-table", "Conformal sets", &heads, &rows))
            p.note { "Reached: the upper end of the interval is not below what was asked." @if let Some(it) = full.first() { " " (it) "." } }
        }
    }
}

/// Scores that know the ontology.
pub(super) fn hierarchy(data: &PhenotypeReport) -> Markup {
    let headline = data.headline().unwrap_or_default();
    let rows: Vec<Markup> = data
        .hierarchy
        .iter()
        .filter(|it| it.model != NETWORK || it.condition == headline)
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition))) (number(Some(it.exact))) (number(it.f)) (number(it.macro_f))
                (number(it.distance)) (number(it.lin)) (number(Some(it.under_specific))) (number(Some(it.over_specific))) (number(Some(it.sibling))) (number(Some(it.other)))
                (number(Some(it.cut_coverage))) (number(it.cut_accuracy))
            }
        })
        .collect();
    let heads = [
        ("Category", false),
        ("Model", false),
        ("Exact", true),
        ("hF", true),
        ("hF, macro", true),
        ("Steps", true),
        ("Lin", true),
        ("Too general", true),
        ("Too special", true),
        ("Sibling", true),
        ("Other", true),
        ("Called at 0.8", true),
        ("of these right", true),
    ];
    html! {
        @if !rows.is_empty() {
            h2 id="hierarchy" { "Near misses in the ontology" }
            p { "A T cell called a CD8 T cell is less wrong than one called a fibroblast. hF counts shared terms of the ontology; steps lead from prediction to truth; the last two columns call the deepest term that has a probability of 0.8." }
            (table("hierarchy-table", "Scores that know the ontology", &heads, &rows))
        }
    }
}

/// Mutual information.
pub(super) fn information(data: &PhenotypeReport) -> Markup {
    let headline = data.headline().unwrap_or_default();
    let bits = |it: Option<f64>| number(it.map(|it| it / std::f64::consts::LN_2));
    let rows: Vec<Markup> = data
        .information
        .iter()
        .filter(|it| it.model != NETWORK || it.condition == headline)
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition)))
                (bits(it.h_prior)) (bits(it.model_entropy)) (bits(it.lower_bound)) (bits(it.gap)) (number(it.efficiency)) td.n { (sig3(it.n_eff)) }
            }
        })
        .collect();
    let heads = [
        ("Category", false),
        ("Model", false),
        ("H(P), bits", true),
        ("By the entropy of the model", true),
        ("Lower bound", true),
        ("Gap", true),
        ("Efficiency", true),
        ("n", true),
    ];
    html! {
        @if !rows.is_empty() {
            h2 id="information" { "Information between genes and phenotype" }
            p { "H(P) is what is unknown before a cell is seen. The lower bound holds for any prediction on held-out cells, and may be negative; the entropy of the model may be believed where it is calibrated. Their difference is a defect of calibration." }
            (table("information-table", "Mutual information", &heads, &rows))
        }
    }
}

/// The published protocol, only where the study asked for it.
pub(super) fn cam(data: &PhenotypeReport) -> Markup {
    let rows: Vec<Markup> = data
        .cam
        .iter()
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) td.n { (it.k) } (number(Some(it.score))) (number(Some(it.exact))) (number(it.published)) td.n { (count(it.n_cells.unsigned_abs())) }
            }
        })
        .collect();
    let heads = [
        ("Category", false),
        ("k", true),
        ("Fuzzy hits", true),
        ("Exact hits", true),
        ("Published", true),
        ("Cells", true),
    ];
    html! {
        @if !rows.is_empty() {
            h2 id="cam" { "The published protocol: not comparable" }
            p.warning { b { "Not comparable. " } "Flaw for flaw: the other phenotypes are shown, any id of the vocabulary competes, a name inside a longer one counts as a hit, and there is neither interval nor baseline. Published numbers are of another model on other cells." }
            (table("cam-table", "Published protocol", &heads, &rows))
        }
    }
}
