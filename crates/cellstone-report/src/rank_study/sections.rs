//! Sections of the page: what separates types, and under which treatment.

use super::data::{StudyData, encoder_name, metric_name, projection_name, scope_name};
use super::figures::{Dot, DotRow, Dots, Medians, distribution, dots, medians};
use super::parts::{Files, figure, name, number, swap, table, with_interval};
use super::schema::{SummaryRow, UnitRow};
use crate::fmt::sig3;
use crate::svg::{Curve, Layout, curves};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Classes of curves, in the order of the chosen units.
const CURVES: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

/// The published figure: distributions, medians against medians, and the numbers behind them.
pub(super) fn published(data: &StudyData, files: &mut Files) -> Markup {
    let stratum = data.stratum();
    let scope = data.scope();
    let drawn: Vec<Markup> = data
        .chosen()
        .into_iter()
        .filter_map(|unit| {
            let rows: Vec<_> = data.distributions.iter().filter(|it| it.unit == unit.unit).collect();
            let plot = distribution(&rows, &data.label(&unit.unit))?;
            let auroc = data.get(&unit.unit, "auroc_macro", scope, None, "types").and_then(|it| it.value);
            let caption =
                html! { b { (data.label(&unit.unit)) } ": AUROC " (auroc.map_or_else(|| "–".to_owned(), sig3)) "." };
            Some(figure(&format!("distribution-{}", unit.unit), &plot, &caption, files))
        })
        .collect();
    html! {
        h2 id="published" { "The published figure, with numbers" }
        p.note { "Every unit is about " (super::data::genes_name(data.first_genes())) @if data.units.iter().any(|it| it.genes != data.first_genes()) { " unless another gene set is named" } "." }
        p { "Similarity inside types and between them, " (scope_name(scope, stratum)) ", first seed. Each area holds all pairs of its kind; where they overlap, a cut-off cannot tell them apart." }
        div.pair { @for it in &drawn { (it) } }
        (median_figures(data, files))
        (figure_numbers(data))
        p.note { "Reading rules: medians of pairs describe, intervals come from types; UMAP rows stand here for comparison with the published figure alone; a distance and a correlation are compared by rank statistics (AUROC, purity, Cliff’s delta), never by their raw scale." }
    }
}

/// Medians of type pairs under the published pairs of measures, and at equal projection.
fn median_figures(data: &StudyData, files: &mut Files) -> Markup {
    let published = [
        data.find("lognorm", &["euclidean"], "umap_5").or(data.find("lognorm", &["euclidean"], "pca_50")),
        data.rank_unit(),
    ];
    let equal = [data.raw_unit(), data.rank_unit()];
    let projected = [data.find("lognorm", &["cosine"], "pca_50"), data.find("rank_all", &["cosine"], "pca_50")];
    let cases = [
        ("medians-published", "As published: a distance on a projection against rank without one.", published),
        ("medians-equal", "Equal treatment: both without a projection.", equal),
        ("medians-projected", "Equal treatment: both on 50 components.", projected),
    ];
    let scope = data.scope();
    let mut shown = Vec::new();
    for (file, text, pair) in cases {
        let [Some(x), Some(y)] = pair else { continue };
        let (a, b) = (data.label(&x.unit), data.label(&y.unit));
        let plot = Medians { x_axis: &a, y_axis: &b, points: median_points(data, x, y, scope) };
        if let Some(drawn) = medians(&plot) {
            shown.push(figure(file, &drawn, &html! { (text) }, files));
        }
    }
    html! {
        @if !shown.is_empty() {
            h3 { "Medians of types and pairs of types" }
            div.pair { @for it in &shown { (it) } }
        }
    }
}

fn median_points(data: &StudyData, x: &UnitRow, y: &UnitRow, scope: &str) -> Vec<(f64, f64, bool, String)> {
    let seed = data.pairs.iter().map(|it| it.seed).min();
    let of = |unit: &str| -> BTreeMap<(&str, &str), f64> {
        data.pairs
            .iter()
            .filter(|it| it.unit == unit && it.scope == scope && Some(it.seed) == seed)
            .filter_map(|it| Some(((it.type_a.as_str(), it.type_b.as_str()), it.q50?)))
            .collect()
    };
    let (xs, ys) = (of(&x.unit), of(&y.unit));
    xs.into_iter()
        .filter_map(|(pair, x)| {
            let title = if pair.0 == pair.1 { pair.0.to_owned() } else { format!("{} and {}", pair.0, pair.1) };
            Some((x, *ys.get(&pair)?, pair.0 == pair.1, title))
        })
        .collect()
}

fn figure_numbers(data: &StudyData) -> Markup {
    let scope = data.scope();
    let get = |unit: &UnitRow, statistic: &str| {
        let scope = if unit.all_pairs { scope } else { "sampled" };
        data.get(&unit.unit, statistic, scope, None, "types")
    };
    let cell = |it: Option<&SummaryRow>| {
        with_interval(it.and_then(|it| it.value), it.and_then(|it| it.ci_lo), it.and_then(|it| it.ci_hi))
    };
    let rows: Vec<Markup> = data
        .units
        .iter()
        .filter(|it| get(it, "cliffs_delta").is_some())
        .map(|unit| {
            let value = |statistic: &str| number(get(unit, statistic).and_then(|it| it.value));
            html! {
                (name(&data.label(&unit.unit)))
                (cell(get(unit, "cliffs_delta"))) (cell(get(unit, "cohens_d"))) (cell(get(unit, "auroc_medians")))
                (value("median_within")) (value("iqr_within")) (value("median_between")) (value("iqr_between"))
            }
        })
        .collect();
    let heads = [
        ("Encoding · metric", false),
        ("Cliff’s δ", true),
        ("Cohen’s d", true),
        ("AUROC of medians", true),
        ("Median within", true),
        ("IQR", true),
        ("Median between", true),
        ("IQR", true),
    ];
    html! {
        h3 { "Numbers behind the medians" }
        p.note { "One median a type against one for every two types, mean over seeds; 95 % intervals by drawing types, which draws their pairs with them." }
        (table("figure-table", "Numbers behind the medians", &heads, &rows))
    }
}

/// Every encoder under every projection: the figure of equal treatment.
pub(super) fn treatment(data: &StudyData, files: &mut Files) -> Markup {
    let (scope, stratum) = (data.scope(), data.stratum());
    let mut projections: Vec<&str> = Vec::new();
    for it in data.units.iter().filter(|it| it.all_pairs) {
        if !projections.contains(&it.projection.as_str()) && projections.len() < 4 {
            projections.push(&it.projection);
        }
    }
    let shown = |unit: &UnitRow| {
        let it = data.get(&unit.unit, "auroc_macro", scope, None, "types")?;
        Some((it.value?, it.ci_lo.zip(it.ci_hi)))
    };
    let mut groups: BTreeMap<(String, String, String), Vec<&UnitRow>> = BTreeMap::new();
    for it in data.units.iter().filter(|it| it.all_pairs && shown(it).is_some()) {
        groups.entry((it.genes.clone(), it.encoder.clone(), it.metric.clone())).or_default().push(it);
    }
    let mut rows: Vec<(f64, DotRow)> = groups
        .into_iter()
        .map(|((genes, encoder, metric), units)| {
            let metric = if metric == "cosine" { String::new() } else { format!(" · {}", metric_name(&metric)) };
            let label = format!("{}{metric}{}", encoder_name(&encoder), data.genes_suffix(&genes));
            let dots: Vec<Dot> = units
                .iter()
                .filter_map(|unit| {
                    let (value, ci) = shown(unit)?;
                    let series = projections.iter().position(|it| *it == unit.projection)?;
                    let title = format!(
                        "{}: {}",
                        data.label(&unit.unit),
                        super::answer::number(Some(value), ci.map(|it| it.0), ci.map(|it| it.1))
                    );
                    Some(Dot { series, value, ci, title })
                })
                .collect();
            let best = dots.iter().map(|it| it.value).fold(0.0, f64::max);
            (best, DotRow { label, dots })
        })
        .filter(|it| !it.1.dots.is_empty())
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let series = projections
        .iter()
        .map(|it| if *it == "none" { "no projection".to_owned() } else { projection_name(it) })
        .collect();
    let plot = Dots {
        axis: "AUROC of pairs inside a type against pairs with others, mean over types",
        series,
        rows: rows.into_iter().map(|it| it.1).collect(),
        floor: Some(0.5),
    };
    let caption = html! { "Each encoder under each projection, best first, by cosine unless another metric is named, " (scope_name(scope, stratum)) ". Whiskers: 95 % interval by drawing types. The dashed line at 0.5, where it is shown, is what permuted labels give." };
    html! {
        h2 id="treatment" { "Equal treatment" }
        @if let (Some(wide), Some(narrow)) = (dots(&plot, Layout::Wide), dots(&plot, Layout::Narrow)) {
            (swap("treatment", &wide, &narrow, &caption, files))
        } @else { p.note { "This run has no AUROC yet." } }
        (separation(data))
    }
}

fn separation(data: &StudyData) -> Markup {
    let has_strata = data.scope() == "other";
    let stratum = data.stratum();
    let row = |unit: &UnitRow| {
        let cell = |scope: &str, over: &str| {
            let it = data.get(&unit.unit, "auroc_macro", scope, None, over);
            with_interval(it.and_then(|it| it.value), it.and_then(|it| it.ci_lo), it.and_then(|it| it.ci_hi))
        };
        let main = if unit.all_pairs { data.scope() } else { "sampled" };
        let whole = |statistic: &str| number(data.get(&unit.unit, statistic, main, None, "").and_then(|it| it.value));
        let it = data.get(&unit.unit, "auroc_macro", main, None, "types");
        let seeds = it.and_then(|it| Some(format!("{} to {}", sig3(it.seed_lo?), sig3(it.seed_hi?))));
        html! {
            (name(&data.label(&unit.unit)))
            (cell(main, "types"))
            @if has_strata { (cell("other", "strata")) (cell("same", "types")) }
            (cell("sampled", "types"))
            (whole("auroc_global")) (whole("d_prime"))
            td.n { (seeds.unwrap_or_else(|| "–".to_owned())) }
        }
    };
    let rows: Vec<Markup> = data.units.iter().map(row).collect();
    let over = format!("over {}", data.strata());
    let one = format!("one {stratum}");
    let mut heads = vec![("Encoding · metric", false), ("AUROC (mean over types)", true)];
    if has_strata {
        heads.extend([(over.as_str(), true), (one.as_str(), true)]);
    }
    heads.extend([("Sampled pairs", true), ("AUROC, all types at once", true), ("d′", true), ("Seeds", true)]);
    html! {
        h3 { "Separation of types" }
        p.note { "AUROC: the chance that a pair inside a type is more alike than a pair of that type with another. Metrics that are too costly for all pairs stand in the column of the sampled pairs, which are the same for every row." }
        (table("separation-table", "Separation of types", &heads, &rows))
    }
}

/// What is called alike at a cut-off.
pub(super) fn relations(data: &StudyData, files: &mut Files) -> Markup {
    let chosen = data.chosen();
    let known = data.pairs.iter().any(|it| it.relation == "similar" || it.relation == "different");
    // A share of 10 % is in the table; the picture is about the most similar pairs.
    let rate = |rule: &str| rule.strip_prefix("top_").and_then(|it| it.parse::<f64>().ok()).filter(|it| *it < 0.1);
    let lines: Vec<Curve> = chosen
        .iter()
        .zip(CURVES)
        .map(|(unit, class)| {
            let mut points = BTreeMap::<u64, (f64, f64, f64)>::new();
            for it in data.relations.iter().filter(|it| it.unit == unit.unit) {
                if let (Some(rate), Some(share)) = (rate(&it.rule), it.share_same) {
                    let slot = points.entry(rate.to_bits()).or_default();
                    *slot = (rate, slot.1 + share, slot.2 + 1.0);
                }
            }
            let points = points.into_values().map(|(rate, sum, n)| (1e4 * rate, sum / n, None)).collect();
            Curve { label: data.short(&unit.unit), class, points }
        })
        .filter(|it: &Curve| !it.points.is_empty())
        .collect();
    let mean = |unit: &str, rule: &str, of: fn(&super::schema::RelationRow) -> Option<f64>| {
        let values: Vec<f64> =
            data.relations.iter().filter(|it| it.unit == unit && it.rule == rule).filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let rows: Vec<Markup> = data
        .units
        .iter()
        .filter(|it| data.relations.iter().any(|row| row.unit == it.unit))
        .map(|unit| {
            let at = |rule: &str, of| number(mean(&unit.unit, rule, of));
            html! {
                (name(&data.label(&unit.unit)))
                (at("youden", |it| it.tau)) (at("youden", |it| it.share_same))
                @if known { (at("youden", |it| it.share_similar)) }
                (at("youden", |it| it.share_different)) (at("youden", |it| it.recall_same))
                (at("different_5", |it| it.tau)) (at("different_5", |it| it.recall_same))
                @if known { (at("different_5", |it| it.recall_similar)) }
                (at("top_1e-3", |it| it.share_same))
            }
        })
        .collect();
    let mut heads = vec![("Encoding · metric", false), ("Cut-off of largest J", true), ("same type", true)];
    if known {
        heads.push(("similar", true));
    }
    heads.extend([
        ("different", true),
        ("same types found", true),
        ("Cut-off at 5 % different", true),
        ("same types found", true),
    ]);
    if known {
        heads.push(("similar found", true));
    }
    heads.push(("same type, top 0.1 %", true));
    html! {
        h2 id="relations" { "Relations called at a cut-off" }
        p { "Of the most similar pairs, how many are of one type" @if known { ", of biologically similar types (near in the Cell Ontology)," } " or different?" }
        @if !lines.is_empty() {
            (figure("relations", &curves(&lines, "Most similar pairs taken, of every 10,000", "Share of one type", "Precision of calls"), &html! { "Share of pairs inside a type among the most similar ones." }, files))
        }
        (table("relations-table", "Relations at cut-offs", &heads, &rows))
    }
}
