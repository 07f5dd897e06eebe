//! Sections of the page about entropy, and about what was planted.

use super::data::{NETWORK, PhenotypeReport, category_name};
use super::figures::{Dot, DotRow, Dots, dots};
use super::parts::{Files, name, number, p_cell, swap, table, with_interval};
use super::schema::EntropyGroupRow;
use crate::fmt::{count, interval, sig3};
use crate::svg::Layout;
use maud::{Markup, html};
use std::f64::consts::LN_2;

/// Entropy by group with pictures, its floor, and its change with age.
pub(super) fn entropy(data: &PhenotypeReport, files: &mut Files) -> Markup {
    let mut pictures = Vec::new();
    for category in data.categories() {
        let mut columns: Vec<&str> = Vec::new();
        for it in data.groups.iter().filter(|it| it.category == category) {
            if !columns.contains(&it.column.as_str()) {
                columns.push(&it.column);
            }
        }
        pictures.extend(columns.into_iter().filter_map(|it| picture(data, category, it, files)));
    }
    html! {
        @if !pictures.is_empty() {
            h2 id="entropy" { "Entropy" }
            p { "How unsure is a model about a cell? Zero bits: it is sure; the logarithm of the number of classes: it knows nothing. After de-smoothing, restriction to the candidates and the temperature." }
            @for it in &pictures { (it) }
            (group_table(data))
            (regression(data))
            p.note { "Reading rules: entropies of two models compare only at equal numbers of classes and after calibration. A rise with age can be depth, composition, the granularity of labels, or biology: the rows of the regression separate the first ones. A slope is evidence per donor, so the number of donors is what counts." }
        }
        (floor(data))
    }
}

fn picture(data: &PhenotypeReport, category: &str, column: &str, files: &mut Files) -> Option<Markup> {
    let of: Vec<&EntropyGroupRow> =
        data.groups.iter().filter(|it| it.category == category && it.column == column).collect();
    let mut models: Vec<(&str, &str)> = Vec::new();
    for (model, condition) in data.series(category) {
        if models.len() < 4 && of.iter().any(|it| it.model == model && it.condition == condition) {
            models.push((model, condition));
        }
    }
    let mut groups: Vec<(i64, &str)> = of.iter().map(|it| (it.place, it.group.as_str())).collect();
    groups.sort_unstable();
    groups.dedup();
    let row = |group: &(i64, &str)| {
        let here: Vec<&&EntropyGroupRow> = of.iter().filter(|it| it.group == group.1).collect();
        let dots = models
            .iter()
            .enumerate()
            .filter_map(|(series, key)| {
                let it = here.iter().find(|it| (it.model.as_str(), it.condition.as_str()) == *key)?;
                Some(Dot {
                    series,
                    value: it.mean? / LN_2,
                    ci: it.ci_lo.zip(it.ci_hi).map(|it| (it.0 / LN_2, it.1 / LN_2)),
                    hollow: it.hollow,
                    title: format!(
                        "{}: {} bits, {} cells of {} donors",
                        data.label(key.0, key.1),
                        sig3(it.mean? / LN_2),
                        it.n_cells,
                        it.n_donors
                    ),
                })
            })
            .collect();
        DotRow { label: group.1.to_owned(), dots, planted: here.iter().find_map(|it| it.planted).map(|it| it / LN_2) }
    };
    let axis = format!("Mean entropy of {}, bits", category_name(category));
    let most = of.iter().map(|it| (it.c as f64).log2()).fold(0.0, f64::max);
    let plot = Dots {
        axis: &axis,
        series: models.iter().map(|it| data.label(it.0, it.1)).collect(),
        rows: groups.iter().map(row).collect(),
        most,
    };
    let has_intervals = of.iter().any(|it| it.ci_lo.is_some());
    let caption = html! {
        b { (super::page::title(category)) " by " (category_name(column)) } ". "
        @if has_intervals { "95 % intervals over " (if data.cluster(category) == "cell" { "cells" } else { "donors" }) "; " } @else { "No intervals: fewer than 5 donors in every group; " }
        "hollow: fewer than 3 donors or 50 cells. The largest possible is " (sig3(most)) " bits."
    };
    let (wide, narrow) = (dots(&plot, Layout::Wide)?, dots(&plot, Layout::Narrow)?);
    Some(swap(&format!("entropy-{category}-{column}"), &wide, &narrow, &caption, files))
}

fn group_table(data: &PhenotypeReport) -> Markup {
    let bits = |it: Option<f64>| it.map(|it| it / LN_2);
    let planted = data.groups.iter().any(|it| it.planted.is_some());
    let mut order: Vec<&EntropyGroupRow> = data.groups.iter().collect();
    order.sort_by(|a, b| (&a.category, &a.column, &a.model, a.place).cmp(&(&b.category, &b.column, &b.model, b.place)));
    let rows: Vec<Markup> = order
        .iter()
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&category_name(&it.column))) (name(&it.group)) (name(&data.label(&it.model, &it.condition)))
                (with_interval(bits(it.mean), bits(it.ci_lo), bits(it.ci_hi))) (number(bits(it.median))) (number(it.normalised))
                @if planted { (number(bits(it.planted))) }
                td.n { (count(it.n_cells.unsigned_abs())) } td.n { (it.n_donors) @if it.hollow { " ○" } }
            }
        })
        .collect();
    let mut heads = vec![
        ("Entropy of", false),
        ("By", false),
        ("Group", false),
        ("Model", false),
        ("Mean, bits", true),
        ("Median, bits", true),
        ("Normalised", true),
    ];
    if planted {
        heads.push(("Planted, bits", true));
    }
    heads.extend([("Cells", true), ("Donors", true)]);
    html! { (table("entropy-table", "Entropy by group", &heads, &rows)) }
}

fn stratum(id: &str) -> &str {
    match id {
        "headline" => "depth, composition and data set held fixed",
        "donor_means" => "the same, donors counting alike",
        "within_class" => "and the true class held fixed",
        "spline" => "a curve against the line",
        other => other,
    }
}

fn regression(data: &PhenotypeReport) -> Markup {
    let rows: Vec<Markup> = data
        .regression
        .iter()
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition))) td { (stratum(&it.stratum)) }
                (with_interval(it.slope_per_decade, it.ci_lo, it.ci_hi)) (number(it.se)) td.nowrap { (it.method.replace('_', " ")) } (p_cell(it.p))
                td.n { (it.n_donors) } td.wrap { (it.reason.as_deref().unwrap_or("")) }
            }
        })
        .collect();
    let permuted: Vec<Markup> = data
        .permutation
        .iter()
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition))) (number(it.observed)) (p_cell(it.p))
                td.n { (count(it.draws.unsigned_abs())) } td.n { (it.single_strata) } td.wrap { (it.reason.as_deref().unwrap_or("")) }
            }
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            h3 id="age" { "Change with age" }
            (table("regression-table", "Regression on age", &[
                ("Entropy of", false), ("Model", false), ("Fit", false), ("Nats a decade", true), ("SE", true), ("Test", false), ("p", true), ("Donors", true), ("Remark", false),
            ], &rows))
            p.note { "Errors are clustered by donor; with fewer than 40 donors the wild bootstrap (Webb weights) gives p and interval." }
        }
        @if !permuted.is_empty() {
            (table("permutation-table", "Permutation of ages", &[
                ("Entropy of", false), ("Model", false), ("Observed, nats a decade", true), ("p", true), ("Permutations", true), ("Strata of one donor", true), ("Remark", false),
            ], &permuted))
            p.note { "Ages are permuted between donors inside data set and assay; p is that of the size of the slope." }
        }
    }
}

fn floor(data: &PhenotypeReport) -> Markup {
    let bits = |it: Option<f64>| number(it.map(|it| it / LN_2));
    let rows: Vec<Markup> = data
        .floors
        .iter()
        .map(|it| {
            html! {
                (name(&category_name(&it.category))) (name(&data.label(&it.model, &it.condition))) td.n { (sig3(it.e)) } td.n { (it.v) } td.n { (it.c) }
                (bits(Some(it.h_floor))) (number(Some(it.q_max))) (bits(it.min)) (bits(it.q01)) (bits(it.median))
                td { (if it.floor_dominated { "yes" } else { "no" }) } td.n { (it.n_fallback) }
            }
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            h3 id="floor" { "Floor due to label smoothing" }
            p { "A network that was trained with a share e of its target spread over V ids cannot be surer than its floor. The entropies above are after this is undone; here they are as the network says them." }
            (table("floor-table", "Floor of the entropy", &[
                ("Category", false), ("Model", false), ("e", true), ("V", true), ("C", true), ("Floor, bits", true), ("Largest p", true),
                ("Least seen", true), ("1 %", true), ("Median", true), ("At the floor", false), ("Clipped cells", true),
            ], &rows))
        }
    }
}

/// Planted and found.
pub(super) fn recovery(data: &PhenotypeReport) -> Markup {
    let shown = data.recovery.iter();
    let rows: Vec<Markup> = shown
        .map(|it| {
            html! {
                (name(&data.label(&it.model, &it.condition))) td { (it.what) } (number(it.planted)) (number(it.found))
                td.n { (if it.ci_lo.is_some() { interval(it.ci_lo, it.ci_hi) } else { "–".to_owned() }) }
                td class={ "verdict " (if it.recovered { "yes" } else { "no-td" }) } { (if it.recovered { "yes" } else { "no" }) } td.wrap { (it.note) }
            }
        })
        .collect();
    let n = data.recovery.iter().filter(|it| it.model == NETWORK).count();
    html! {
        @if !rows.is_empty() {
            h2 id="recovery" { "Planted and found" }
            p { "These cells are simulated: how unsure a perfect model would be is known for every cell, from the exact posterior given its genes and its donor. Entropies are in nats." @if n == 0 { " No network was judged." } }
            (table("recovery-table", "Planted and found", &[
                ("Model", false), ("What", false), ("Planted", true), ("Found", true), ("Interval", true), ("Recovered", false), ("Remark", false),
            ], &rows))
        }
    }
}
