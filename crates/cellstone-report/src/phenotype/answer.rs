//! The answer in words, from the tables. "Beats" and "loses" are said only where a paired interval leaves out zero.

use super::data::{NETWORK, PhenotypeReport, category_name};
use super::schema::DifferenceRow;
use crate::fmt::{interval, list, p_value, sig3, signed};

/// What a study says.
pub(super) struct Answer {
    /// The first sentence.
    pub(super) head: String,
    pub(super) sentences: Vec<String>,
    /// Whether the network is beaten somewhere by a baseline.
    pub(super) beaten: Option<bool>,
}

/// Works the answer out.
pub(super) fn answer(data: &PhenotypeReport) -> Answer {
    let mut sentences: Vec<String> = Vec::new();
    for category in data.categories() {
        sentences.extend(scores(data, category));
    }
    sentences.extend(leak(data));
    sentences.extend(trust(data));
    sentences.extend(entropy(data));
    sentences.extend(recovered(data));
    let (head, beaten) = head(data);
    Answer { head, sentences, beaten }
}

/// Differences of the headline from baselines.
fn headline_rows<'a>(data: &'a PhenotypeReport, category: &str) -> Vec<&'a DifferenceRow> {
    let headline = data.headline().unwrap_or_default();
    data.differences
        .iter()
        .filter(|it| it.category == category && it.model == NETWORK && it.condition == headline)
        .filter(|it| !it.baseline.contains(':'))
        .collect()
}

fn head(data: &PhenotypeReport) -> (String, Option<bool>) {
    let categories = data.categories();
    if categories.is_empty() {
        return ("This run has no score yet.".to_owned(), None);
    }
    if data.headline().is_none() {
        let text = format!(
            "No network was judged: the page compares baselines in {} {}.",
            categories.len(),
            plural(categories.len(), "category", "categories")
        );
        return (text, None);
    }
    let network = data.name(NETWORK);
    let name = |it: &str| lower(&data.name(it));
    let mut beaten_by: Vec<String> = Vec::new();
    let (mut floors, mut with_intervals) = (0, 0);
    for category in &categories {
        let rows = headline_rows(data, category);
        let is_floor = |it: &&&DifferenceRow| it.baseline == "majority" || it.baseline == "conditional_frequency";
        let over: Vec<&&DifferenceRow> = rows.iter().filter(is_floor).collect();
        floors += usize::from(!over.is_empty() && over.iter().all(|it| it.verdict == "beats"));
        with_intervals += usize::from(rows.iter().any(|it| it.verdict != "undefined"));
        for it in rows.iter().filter(|it| it.verdict == "loses") {
            let text = name(&it.baseline);
            if !beaten_by.contains(&text) {
                beaten_by.push(text);
            }
        }
    }
    let n = categories.len();
    let text = if with_intervals == 0 {
        format!(
            "{network} is set beside baselines by its values alone: no category has enough donors for an interval, so nothing here is beyond doubt."
        )
    } else {
        let floor = format!(
            "{network} beats both floors, majority and conditional frequency, in {floors} of {n} {}",
            plural(n, "category", "categories")
        );
        if beaten_by.is_empty() {
            format!("{floor}; no baseline beats it beyond doubt.")
        } else {
            format!(
                "{floor}; {} {} it in at least one.",
                list(&beaten_by),
                if beaten_by.len() == 1 { "beats" } else { "beat" }
            )
        }
    };
    (text, Some(!beaten_by.is_empty()))
}

fn plural<'a>(n: usize, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// One category: the headline beside the baselines.
fn scores(data: &PhenotypeReport, category: &str) -> Option<String> {
    let (model, condition) = data.chosen(category)?;
    let own = data.score(category, model, condition, "macro_f1")?;
    let others: Vec<String> = data
        .series(category)
        .into_iter()
        .filter(|it| it.0 != model && it.0 != NETWORK)
        .filter_map(|it| {
            Some(format!("{} {}", lower(&data.name(it.0)), sig3(data.score(category, it.0, it.1, "macro_f1")?.value?)))
        })
        .collect();
    let cells = if data.cluster(category) == "cell" {
        format!("{} cells, the interval over cells", own.n_cells)
    } else {
        format!("{} cells of {} {}", own.n_cells, own.n_donors, plural(own.n_donors as usize, "donor", "donors"))
    };
    let mut text = format!(
        "{}: {} has a macro-F1 of {}{} on {cells}; {}.",
        capital(&category_name(category)),
        if model == NETWORK { data.label(model, condition) } else { lower(&data.name(model)) },
        own.value.map_or_else(|| "–".to_owned(), sig3),
        own.ci_lo.zip(own.ci_hi).map_or_else(String::new, |it| format!(" {}", interval(Some(it.0), Some(it.1)))),
        list(&others)
    );
    let rows = headline_rows(data, category);
    let of = |verdict: &str| -> Vec<String> {
        rows.iter().filter(|it| it.verdict == verdict).map(|it| lower(&data.name(&it.baseline))).collect()
    };
    let (beats, loses, open) = (of("beats"), of("loses"), of("open"));
    let mut said = Vec::new();
    if !beats.is_empty() {
        said.push(format!("it beats {}", list(&beats)));
    }
    if !loses.is_empty() {
        said.push(format!("loses to {}", list(&loses)));
    }
    if !open.is_empty() {
        said.push(format!("cannot be told from {}", list(&open)));
    }
    if !said.is_empty() {
        text.push_str(&format!(" By the paired intervals {}.", said.join(", ")));
    }
    Some(text)
}

/// What the other phenotypes add, and whether they alone give it.
fn leak(data: &PhenotypeReport) -> Option<String> {
    let mut said = Vec::new();
    let mut alone = Vec::new();
    for category in data.categories() {
        let f1 = |condition: &str| data.score(category, NETWORK, condition, "macro_f1").and_then(|it| it.value);
        let Some((masked, visible)) = f1("masked").zip(f1("visible")) else { continue };
        said.push(format!("{} for {}", signed(visible - masked), category_name(category)));
        if f1("no_genes").is_some_and(|it| (visible - it).abs() <= 0.02) {
            alone.push(category_name(category));
        }
    }
    if said.is_empty() {
        return None;
    }
    let rest = if alone.is_empty() {
        String::new()
    } else {
        format!(" The other phenotypes alone, without a gene, come within 0.02 of that for {}.", list(&alone))
    };
    Some(format!("Showing the network the other phenotypes changes its macro-F1 by {}.{rest}", list(&said)))
}

/// Names inside a sentence; those that are names of their own keep their capitals.
fn lower(name: &str) -> String {
    if name.starts_with("kNN") {
        return name.to_owned();
    }
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Calibration and coverage of the first category.
fn trust(data: &PhenotypeReport) -> Option<String> {
    let category = *data.categories().first()?;
    let (model, condition) = data.chosen(category)?;
    let row = |stage: &str| {
        data.calibration
            .iter()
            .find(|it| it.category == category && it.model == model && it.condition == condition && it.stage == stage)
    };
    let (before, after) = (row("before")?, row("after"));
    let Some(after) = after else {
        return Some(format!(
            "Probabilities for {} are as predicted: there are no calibration cells, so no temperature was fitted and no sets were made (calibration error {}).",
            category_name(category),
            before.ece_mass.map_or_else(|| "–".to_owned(), sig3)
        ));
    };
    let sets = data
        .conformal
        .iter()
        .find(|it| it.category == category && it.model == model && it.condition == condition && it.score == "aps")
        .map(|it| {
            let asked = sig3(100.0 * (1.0 - it.alpha));
            let found = it.coverage.map_or_else(|| "–".to_owned(), |it| sig3(100.0 * it));
            let ci = it.ci_lo.zip(it.ci_hi).map_or_else(String::new, |(lo, hi)| format!(" [{}, {}]", sig3(100.0 * lo), sig3(100.0 * hi)));
            format!("; sets that were to hold the truth in {asked} % of the cells hold it in {found} %{ci}, with {} classes on average", it.mean_size.map_or_else(|| "–".to_owned(), sig3))
        })
        .unwrap_or_default();
    let (a, b) = (before.ece_mass.unwrap_or(0.0), after.ece_mass.unwrap_or(0.0));
    Some(format!(
        "Calibration of {}: a temperature of {} takes the calibration error from {} to {} (by chance {}){sets}.",
        category_name(category),
        sig3(after.temperature),
        sig3(a),
        sig3(b),
        after.ece_perfect.map_or_else(|| "–".to_owned(), sig3)
    ))
}

/// Entropy from the first to the last group, with the slope and the permutation test.
fn entropy(data: &PhenotypeReport) -> Option<String> {
    let category = *data.categories().first()?;
    let (model, condition) = data.chosen(category)?;
    let column = &data.groups.iter().find(|it| it.category == category && it.model == model)?.column;
    let mut groups: Vec<_> = data
        .groups
        .iter()
        .filter(|it| it.category == category && it.model == model && it.condition == condition && it.column == *column)
        .collect();
    groups.sort_by_key(|it| it.place);
    let bits = |it: Option<f64>| it.map_or_else(|| "–".to_owned(), |it| sig3(it / std::f64::consts::LN_2));
    let (first, last) = (groups.first()?, groups.last()?);
    let mut text = format!(
        "The entropy of {} by {} goes from {} bits in {} to {} bits in {} (largest possible {}).",
        category_name(category),
        category_name(column),
        bits(first.mean),
        first.group,
        bits(last.mean),
        last.group,
        sig3((first.c as f64).log2())
    );
    let regression =
        data.regression.iter().find(|it| it.category == category && it.model == model && it.stratum == "headline");
    if let Some((slope, it)) = regression.and_then(|it| Some((it.slope_per_decade?, it))) {
        let p = data
            .permutation
            .iter()
            .find(|it| it.category == category && it.model == model)
            .and_then(|it| it.p)
            .map_or_else(String::new, |it| format!("; permuting ages between donors, p {}", p_value(it)));
        text.push_str(&format!(
            " With depth and composition held fixed it changes by {} nats a decade {} over {} donors{p}.",
            signed(slope),
            interval(it.ci_lo, it.ci_hi),
            it.n_donors
        ));
    }
    if groups.iter().any(|it| it.hollow) {
        text.push_str(" Hollow groups have fewer than 3 donors or 50 cells and are not tested.");
    }
    Some(text)
}

/// What was planted and found.
fn recovered(data: &PhenotypeReport) -> Option<String> {
    let category = *data.categories().first()?;
    let (model, _) = data.chosen(category)?;
    let of: Vec<_> = data.recovery.iter().filter(|it| it.model == model).collect();
    if of.is_empty() {
        return None;
    }
    let n = of.iter().filter(|it| it.recovered).count();
    let order = of
        .iter()
        .find(|it| it.what.starts_with("order"))
        .map_or_else(String::new, |it| format!(" {}.", capital(&it.note)));
    Some(format!("Of what was planted, {n} of {} checks are met.{order}", of.len()))
}
