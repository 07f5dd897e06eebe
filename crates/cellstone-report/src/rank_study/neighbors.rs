//! Sections of the page: neighbours, batches, thinning, transfer, agreement.

use super::data::StudyData;
use super::parts::{Files, figure, name, number, table, with_interval};
use super::schema::{SummaryRow, UnitRow};
use crate::fmt::{maybe, percent, sig3};
use crate::svg::{Curve, Line, Point, Scatter, curves, scatter};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

const CURVES: [&str; 5] = ["k0", "k1", "k2", "k3", "k4"];

fn cell(it: Option<&SummaryRow>) -> Markup {
    with_interval(it.and_then(|it| it.value), it.and_then(|it| it.ci_lo), it.and_then(|it| it.ci_hi))
}

/// Purity of neighbours.
pub(super) fn purity(data: &StudyData, files: &mut Files) -> Markup {
    let (scope, ks) = (data.scope(), data.ks());
    let mut lines: Vec<Curve> = data
        .chosen()
        .iter()
        .zip(CURVES)
        .map(|(unit, class)| Curve {
            label: data.short(&unit.unit),
            class,
            points: ks
                .iter()
                .filter_map(|k| {
                    let it = data.get(&unit.unit, "purity", scope, Some(*k), "types")?;
                    let band = (class == "k0").then(|| Some((it.ci_hi? - it.ci_lo?) / 2.0)).flatten();
                    Some((*k as f64, it.value?, band))
                })
                .collect(),
        })
        .filter(|it| it.points.len() > 1)
        .collect();
    let chance = data.chosen().first().and_then(|unit| {
        let it = data.get(&unit.unit, "purity", scope, Some(data.k()), "types")?;
        Some((it.floor?, *ks.first()? as f64, *ks.last()? as f64))
    });
    if let Some((floor, first, last)) = chance {
        let points = vec![(first, floor, None), (last, floor, None)];
        lines.push(Curve { label: "random labels".to_owned(), class: "kf", points });
    }
    let graded = data.summary.iter().any(|it| it.statistic == "graded_purity");
    let k = data.k();
    let rows: Vec<Markup> = data
        .units
        .iter()
        .filter(|it| data.get(&it.unit, "purity", "all", Some(k), "types").is_some())
        .map(|unit| {
            let of = |statistic: &str, scope: &str, k: i64, over: &str| data.get(&unit.unit, statistic, scope, Some(k), over);
            html! {
                (name(&data.label(&unit.unit)))
                @for k in &ks { (cell(of("purity", scope, *k, "types"))) }
                @if scope == "other" { (cell(of("purity", "other", k, "strata"))) (number(of("purity", "all", k, "types").and_then(|it| it.value))) }
                @if graded { (cell(of("graded_purity", scope, k, "types"))) }
                (number(data.whole(&unit.unit, "clisi")))
            }
        })
        .collect();
    let at: Vec<String> = ks.iter().map(|it| format!("k = {it}")).collect();
    let over = format!("k = {k}, over {}", data.strata());
    let all = format!("k = {k}, all neighbours");
    let mut heads = vec![("Encoding · metric", false)];
    heads.extend(at.iter().map(|it| (it.as_str(), true)));
    if scope == "other" {
        heads.extend([(over.as_str(), true), (all.as_str(), true)]);
    }
    if graded {
        heads.push(("graded", true));
    }
    heads.push(("cLISI", true));
    let whose = if scope == "other" {
        format!("Neighbours from other {} only", data.strata())
    } else {
        "All neighbours".to_owned()
    };
    html! {
        h2 id="purity" { "Neighbours of the same type" }
        p { (whose) ", the cell itself left out; mean over types, so that a rare type counts as much as a frequent one." }
        @if !lines.is_empty() {
            (figure("purity", &curves(&lines, "Neighbours", "Share of the same type", "Purity against the number of neighbours"), &html! { "Purity against the number of neighbours; the band is the 95 % interval over types of the first line." }, files))
        }
        (table("purity-table", "Purity of neighbours", &heads, &rows))
        p.note { "cLISI: how few types a neighbourhood effectively holds, 1 for one type." @if graded { " Graded: the mean of exp(−d/2) with d the number of edges between the two types in the ontology." } }
    }
}

/// Whether neighbours are chosen by batch.
pub(super) fn batches(data: &StudyData, files: &mut Files) -> Markup {
    let k = data.k();
    let of = |unit: &str, statistic: &str, over: &str| data.get(unit, statistic, "all", Some(k), over);
    let units: Vec<&UnitRow> = data.units.iter().filter(|it| of(&it.unit, "batch_excess", "types").is_some()).collect();
    if units.is_empty() {
        return html! { h2 id="batches" { "Neighbours of the same batch" } p.note { "The data have one batch: there is nothing to hide." } };
    }
    let ranked = |encoder: &str| {
        encoder.starts_with("rank") || encoder.starts_with("geneformer_rank") || encoder.starts_with("top_")
    };
    let points: Vec<Point> = units
        .iter()
        .filter_map(|unit| {
            let x = of(&unit.unit, "batch_excess", "types")?.value?;
            let scope = data.scope();
            let y = data.get(&unit.unit, "purity", scope, Some(k), "types")?.value?;
            let class = if ranked(&unit.encoder) || unit.metric == "spearman" { "u-rank" } else { "u-value" };
            Some(Point {
                x,
                y,
                class,
                title: format!("{}: excess {}, purity {}", data.label(&unit.unit), sig3(x), sig3(y)),
            })
        })
        .collect();
    let plot = Scatter {
        label: "Batch excess against purity".to_owned(),
        x_axis: "Excess of neighbours from the own batch".to_owned(),
        y_axis: "Purity across strata".to_owned(),
        points,
        line: Line::None,
        log_x: false,
        sides: ("pure, mixed".to_owned(), "by batch".to_owned()),
    };
    let rows: Vec<Markup> = units
        .iter()
        .map(|unit| {
            html! {
                (name(&data.label(&unit.unit)))
                (cell(of(&unit.unit, "batch_excess", "types"))) (cell(of(&unit.unit, "batch_excess", "strata")))
                (cell(of(&unit.unit, "batch_log2_ratio", "types")))
                (number(of(&unit.unit, "batch_observed", "types").and_then(|it| it.value)))
                (number(of(&unit.unit, "batch_expected", "types").and_then(|it| it.value)))
                (cell(data.get(&unit.unit, "purity", data.scope(), Some(k), "types")))
                (number(data.whole(&unit.unit, "ilisi")))
            }
        })
        .collect();
    let heads = [
        ("Encoding · metric", false),
        ("Excess, over types", true),
        ("Excess, over strata", true),
        ("log2 observed / expected", true),
        ("Observed", true),
        ("Expected", true),
        ("Purity across strata", true),
        ("iLISI", true),
    ];
    html! {
        h2 id="batches" { "Neighbours of the same batch" }
        p { "For every cell: the share of its " (k) " neighbours from its own batch, minus the share that batch has among the other cells of its type. Low excess with low purity is no merit, so both stand together. iLISI: how many batches a neighbourhood effectively holds, 1 for all alike." }
        (figure("batches", &scatter(&plot), &html! { span.dotmark.value {} "encodings of values " span.dotmark.rank {} "encodings of ranks. Better is up and to the left." }, files))
        (table("batch-table", "Neighbours of the same batch", &heads, &rows))
    }
}

/// What down-sampling does.
pub(super) fn thinning(data: &StudyData, files: &mut Files) -> Markup {
    if data.thinning.is_empty() {
        return html! {};
    }
    // The chosen units first: the first five have lines of their own.
    let chosen = data.chosen();
    let is_thinned = |unit: &&str| data.thinning.iter().any(|it| it.unit == **unit);
    let mut units: Vec<&str> = chosen.iter().map(|it| it.unit.as_str()).filter(is_thinned).collect();
    for it in &data.thinning {
        if !units.contains(&it.unit.as_str()) {
            units.push(&it.unit);
        }
    }
    let lines = |statistic: &str| -> Vec<Curve> {
        units
            .iter()
            .enumerate()
            .map(|(at, unit)| {
                let mut points: Vec<(f64, f64, Option<f64>)> = data
                    .thinning
                    .iter()
                    .filter(|it| it.unit == *unit && it.mode == "share" && it.statistic == statistic)
                    .filter_map(|it| Some((100.0 * it.rate, it.value?, None)))
                    .collect();
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                Curve { label: data.short(unit), class: CURVES.get(at).copied().unwrap_or("kx"), points }
            })
            .filter(|it| it.points.len() > 1)
            .collect()
    };
    let pictures = [
        ("auroc", "AUROC of thinned cells", "Thinned cells among themselves: how far types stay apart."),
        (
            "mrr",
            "Mean reciprocal rank",
            "A thinned cell looks for itself among all whole cells: 1 is found first, by every cell.",
        ),
        (
            "purity_full",
            "Purity of 15 neighbours",
            "Whole cells that are nearest to a thinned one: the share of its type.",
        ),
    ];
    let mut rates: BTreeSet<u64> = BTreeSet::new();
    data.thinning.iter().filter(|it| it.mode == "share" && it.statistic == "auroc").for_each(|it| {
        rates.insert(it.rate.to_bits());
    });
    let rates: Vec<f64> = rates.into_iter().rev().map(f64::from_bits).collect();
    let value = |unit: &str, mode: &str, rate: Option<f64>, statistic: &str| {
        data.thinning.iter().find(|it| {
            it.unit == unit && it.mode == mode && it.statistic == statistic && rate.is_none_or(|rate| it.rate == rate)
        })
    };
    let shown = |it: Option<&super::schema::ThinningSummaryRow>| {
        with_interval(it.and_then(|it| it.value), it.and_then(|it| it.ci_lo), it.and_then(|it| it.ci_hi))
    };
    let last = rates.last().copied();
    let rows: Vec<Markup> = units
        .iter()
        .map(|unit| {
            html! {
                (name(&data.label(unit)))
                @for rate in &rates { (number(value(unit, "share", Some(*rate), "auroc").and_then(|it| it.value))) }
                (shown(value(unit, "share", None, "slope_auroc")))
                (number(value(unit, "equal_depth", None, "auroc").and_then(|it| it.value)))
                (shown(value(unit, "share", last, "mrr"))) (shown(value(unit, "share", last, "top1")))
                (number(value(unit, "share", last, "self_similarity").and_then(|it| it.value)))
            }
        })
        .collect();
    let at: Vec<String> = rates.iter().map(|it| format!("AUROC at {}", percent(*it))).collect();
    let found = last.map_or_else(String::new, percent);
    let (mrr, top1, own) =
        (format!("MRR at {found}"), format!("found first at {found}"), format!("self-similarity at {found}"));
    let mut heads = vec![("Encoding · metric", false)];
    heads.extend(at.iter().map(|it| (it.as_str(), true)));
    heads.extend([
        ("per halving", true),
        ("AUROC at equal depth", true),
        (mrr.as_str(), true),
        (top1.as_str(), true),
        (own.as_str(), true),
    ]);
    html! {
        h2 id="thinning" { "Fewer molecules" }
        p { "Every molecule is kept with the same chance. What an encoding loses then, it loses by depth." }
        div.pair { @for (statistic, axis, caption) in pictures {
            @let lines = lines(statistic);
            @if !lines.is_empty() {
                (figure(&format!("thinning-{statistic}"), &curves(&lines, "Molecules kept, %", axis, axis), &html! { (caption) }, files))
            }
        } }
        (table("thinning-table", "Thinning", &heads, &rows))
    }
}

/// Labels from one data set to another.
pub(super) fn transfer(data: &StudyData) -> Markup {
    if data.transfer.is_empty() {
        return html! {};
    }
    let mean = |unit: &str, control: &str, genes: &str| {
        let values: Vec<f64> = data
            .transfer
            .iter()
            .filter(|it| it.unit == unit && it.control == control && it.genes == genes)
            .filter_map(|it| it.macro_f1)
            .collect();
        let least = values.iter().copied().reduce(f64::min);
        ((!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64), least)
    };
    let both = data.transfer.iter().any(|it| it.genes == "both");
    let rows: Vec<Markup> = data
        .units
        .iter()
        .filter(|it| data.transfer.iter().any(|row| row.unit == it.unit))
        .map(|unit| {
            let (all, least) = mean(&unit.unit, "none", "all");
            html! {
                (name(&data.label(&unit.unit))) (number(all)) (number(least))
                @if both { (number(mean(&unit.unit, "none", "both").0)) }
                (number(mean(&unit.unit, "shuffled", "all").0))
            }
        })
        .collect();
    let mut heads = vec![("Encoding · metric", false), ("Macro-F1", true), ("worst pair", true)];
    if both {
        heads.push(("genes of both sets", true));
    }
    heads.push(("shuffled labels", true));
    let pairs: BTreeSet<(&str, &str)> = data.transfer.iter().map(|it| (it.from.as_str(), it.to.as_str())).collect();
    html! {
        h2 id="transfer" { "Labels from one data set to another" }
        p { "The nearest cells of one data set vote on the type of the cells of another; mean over " (pairs.len()) " ordered pairs of data sets, shared types only." }
        (table("transfer-table", "Transfer of labels", &heads, &rows))
    }
}

/// Agreement with a known degree of likeness.
pub(super) fn graded(data: &StudyData) -> Markup {
    if data.graded.is_empty() {
        return html! {};
    }
    let scopes: Vec<&str> =
        ["all", "same", "other"].into_iter().filter(|it| data.graded.iter().any(|row| row.scope == *it)).collect();
    let rows: Vec<Markup> = data
        .units
        .iter()
        .filter(|it| data.graded.iter().any(|row| row.unit == it.unit))
        .map(|unit| {
            html! {
                (name(&data.label(&unit.unit)))
                @for scope in &scopes {
                    @let it = data.graded.iter().find(|it| it.unit == unit.unit && it.scope == *scope);
                    (with_interval(it.and_then(|it| it.spearman), it.and_then(|it| it.ci_lo), it.and_then(|it| it.ci_hi)))
                }
            }
        })
        .collect();
    let names: Vec<String> = scopes.iter().map(|it| super::data::scope_name(it, data.stratum())).collect();
    let mut heads = vec![("Encoding · metric", false)];
    heads.extend(names.iter().map(|it| (it.as_str(), true)));
    html! {
        h2 id="graded" { "Where the true likeness is known" }
        p { "For every cell: Spearman’s correlation, over the other cells, of similarity with true likeness; mean over cells with its 95 % interval." }
        (table("graded-table", "Agreement with known likeness", &heads, &rows))
    }
}

/// How far units agree.
pub(super) fn agreement(data: &StudyData) -> Markup {
    let mut units: Vec<&str> = data.chosen().iter().map(|it| it.unit.as_str()).collect();
    for it in data.units.iter().filter(|it| it.projection == "none" && it.genes == data.first_genes()) {
        if !units.contains(&it.unit.as_str()) && units.len() < 12 {
            units.push(&it.unit);
        }
    }
    let mut means = BTreeMap::<(&str, &str), (f64, f64, f64, f64)>::new();
    for it in &data.agreement {
        for (a, b) in [(&it.unit_a, &it.unit_b), (&it.unit_b, &it.unit_a)] {
            let slot = means.entry((a, b)).or_default();
            if let Some(rho) = it.spearman {
                *slot = (slot.0 + rho, slot.1 + 1.0, slot.2, slot.3);
            }
            if let Some(jaccard) = it.jaccard {
                *slot = (slot.0, slot.1, slot.2 + jaccard, slot.3 + 1.0);
            }
        }
    }
    if means.is_empty() || units.len() < 2 {
        return html! {};
    }
    let shade = |rho: f64| ["h0", "h1", "h2", "h3", "h4", "h5"][((rho.max(0.0) * 6.0) as usize).min(5)];
    html! {
        h2 id="agreement" { "How far the encodings agree" }
        p { "Spearman’s correlation of similarities over the sampled pairs; below it the share of their 15 nearest neighbours that two encodings have in common (Jaccard index)." }
        div.scroll tabindex="0" role="region" aria-label="Agreement of encodings" { table.heat {
            thead { tr { th scope="col" { "Encoding · metric" } @for it in &units { th scope="col" { (data.short_with_metric(it)) } } } }
            tbody { @for a in &units { tr {
                th scope="row" { (data.short_with_metric(a)) }
                @for b in &units {
                    @match means.get(&(*a, *b)).filter(|_| a != b) {
                        Some((rho, n, jaccard, m)) => {
                            @let rho = (*n > 0.0).then(|| rho / n);
                            @let jaccard = (*m > 0.0).then(|| jaccard / m);
                            td class=(rho.map_or("h0", shade)) { (maybe(rho)) br; span.gn { (maybe(jaccard)) } }
                        }
                        None => td.gn { @if a == b { "1" } @else { "–" } }
                    }
                }
            } } }
        } }
    }
}

/// The loss of rank by type against what is known about the types.
pub(super) fn why(data: &StudyData) -> Markup {
    if data.why.is_empty() {
        return html! {};
    }
    let told = |id: &str| match id {
        "mean_loss" => "mean loss",
        "log_median_total" => "depth (log of the median count)",
        "detected" => "share of genes detected",
        "n_strata" => "number of strata",
        "nearest_distance" => "distance to the nearest type",
        _ => "",
    };
    let rows: Vec<Markup> = data
        .why
        .iter()
        .filter(|it| it.coefficient.is_some())
        .map(|it| {
            html! {
                (name(&format!("{} − {}", data.label(&it.unit_a), data.label(&it.unit_b))))
                td { (told(&it.covariate)) }
                (with_interval(it.coefficient, it.ci_lo, it.ci_hi)) td.n { (it.n) }
            }
        })
        .collect();
    let heads =
        [("Loss of rank", false), ("Covariate", false), ("Change per standard deviation", true), ("Types", true)];
    html! {
        h2 id="why" { "Why: on which types does rank lose?" }
        @if rows.is_empty() {
            @if let Some(reason) = data.why.iter().find_map(|it| it.reason.as_ref()) { p.note { "Not asked: " (reason) "." } }
        } @else {
            p { "The AUROC of log-normalised values minus that of rank, type by type, on what is known about the types: least squares with HC3 intervals. Above zero, rank loses more where the covariate is large." }
            (table("why-table", "Loss of rank by type", &heads, &rows))
        }
    }
}
