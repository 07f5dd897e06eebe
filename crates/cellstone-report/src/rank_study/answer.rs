//! The answer in words, from the hypotheses. A direction is named only where the interval leaves out zero.

use super::data::StudyData;
use super::schema::HypothesisRow;
use crate::fmt::{interval, sig3, signed};

/// What a study says.
pub(super) struct Answer {
    /// The first sentence.
    pub(super) head: String,
    /// One sentence for each hypothesis.
    pub(super) sentences: Vec<String>,
    /// Whether the wording "worse" was earned.
    pub(super) worse: Option<bool>,
}

/// What each hypothesis asks, and the sentence for each outcome.
struct Question {
    id: &'static str,
    /// The difference is above zero.
    more: &'static str,
    /// The difference is below zero.
    less: &'static str,
    /// Neither is beyond doubt.
    open: &'static str,
    unit: &'static str,
}

const QUESTIONS: [Question; 5] = [
    Question {
        id: "H1",
        more: "Spearman on all genes separates types better than the cosine of log-normalised values",
        less: "Spearman on all genes separates types less well than the cosine of log-normalised values",
        open: "No difference beyond doubt between Spearman on all genes and the cosine of log-normalised values",
        unit: "AUROC",
    },
    Question {
        id: "H2",
        more: "More than half of the loss of rank is gone without zeros",
        less: "More than half of the loss of rank stays without zeros",
        open: "Whether zeros cause half of the loss of rank is not beyond doubt",
        unit: "AUROC",
    },
    Question {
        id: "H3",
        more: "Neighbours by rank are more of the own batch than neighbours by log-normalised values",
        less: "Neighbours by rank are less of the own batch than neighbours by log-normalised values",
        open: "No difference beyond doubt in how far neighbours are chosen by batch",
        unit: "excess share",
    },
    Question {
        id: "H4",
        more: "Scaling by gene medians raises the purity of neighbours over plain ranks",
        less: "Scaling by gene medians lowers the purity of neighbours below plain ranks",
        open: "No difference beyond doubt in purity between median-scaled and plain ranks",
        unit: "purity",
    },
    Question {
        id: "H5",
        more: "Neighbours by the first 100 genes are purer than by the first 2,048",
        less: "Neighbours by the first 100 genes are less pure than by the first 2,048",
        open: "No difference beyond doubt in purity between the first 100 and the first 2,048 genes",
        unit: "purity",
    },
];

/// Works the answer out.
pub(super) fn answer(data: &StudyData) -> Answer {
    let of = |id: &str| -> Vec<&HypothesisRow> { data.hypotheses.iter().filter(|it| it.hypothesis == id).collect() };
    let sentences = QUESTIONS.iter().filter_map(|it| sentence(data, it, &of(it.id))).collect();
    let (head, worse) = head(data, &of("H1"));
    Answer { head, sentences, worse }
}

/// Worse only where it holds under equal projection, on pairs of two strata, for every gene set.
fn head(data: &StudyData, rows: &[&HypothesisRow]) -> (String, Option<bool>) {
    let tested: Vec<&&HypothesisRow> =
        rows.iter().filter(|it| it.over == "types" && it.verdict != "undefined").collect();
    if tested.is_empty() {
        return ("This run has no comparison of rank with log-normalised values yet.".to_owned(), None);
    }
    let genes = |it: &HypothesisRow| data.unit(&it.unit_a).map(|it| it.genes.clone()).unwrap_or_default();
    let projected = |it: &HypothesisRow| data.unit(&it.unit_a).is_some_and(|it| it.projection != "none");
    let mut sets: Vec<String> = tested.iter().map(|it| genes(it)).collect();
    sets.sort();
    sets.dedup();
    let all = |verdict: &str| tested.iter().all(|it| it.verdict == verdict);
    let strict = tested.iter().any(|it| projected(it))
        && tested.iter().any(|it| !projected(it))
        && sets.len() > 1
        && tested.iter().all(|it| it.scope == "other");
    if all("holds") {
        let text = if strict {
            "On these data rank is worse: it separates cell types less well than log-normalised expression, with and without a projection, for pairs of two strata and for every gene set."
        } else {
            "On these data rank separates cell types less well than log-normalised expression in every comparison that was made; not every condition that the wording “worse” needs was tested (both projections, two gene sets, pairs of two strata)."
        };
        return (text.to_owned(), Some(true));
    }
    if all("contradicted") {
        let text = "On these data rank separates cell types better than log-normalised expression in every comparison.";
        return (text.to_owned(), Some(false));
    }
    if all("open") {
        let text = format!(
            "No comparison of rank with log-normalised expression is beyond doubt on these data ({} made).",
            tested.len()
        );
        return (text, None);
    }
    let n = |verdict: &str| tested.iter().filter(|it| it.verdict == verdict).count();
    let (less, more, open) = (n("holds"), n("contradicted"), n("open"));
    let mut parts = Vec::new();
    if less > 0 {
        parts.push(format!("less well in {less}"));
    }
    if more > 0 {
        parts.push(format!("better in {more}"));
    }
    if open > 0 {
        parts.push(format!("neither way beyond doubt in {open}"));
    }
    let text = format!(
        "Of {} comparisons with log-normalised expression, rank separates cell types {}.",
        tested.len(),
        crate::fmt::list(&parts)
    );
    (text, None)
}

fn sentence(data: &StudyData, question: &Question, rows: &[&HypothesisRow]) -> Option<String> {
    let tested: Vec<&&HypothesisRow> = rows.iter().filter(|it| it.difference.is_some()).collect();
    if tested.is_empty() {
        let reason = rows.first().and_then(|it| it.reason.clone())?;
        return Some(format!("{}: not tested ({reason}).", question.id));
    }
    let one = |row: &HypothesisRow| {
        let difference = row.difference.unwrap_or(0.0);
        let said = match (row.ci_lo, row.ci_hi) {
            (Some(lo), _) if lo > 0.0 => question.more,
            (_, Some(hi)) if hi < 0.0 => question.less,
            _ => question.open,
        };
        let place = place(data, row);
        format!(
            "{said} ({place}: {} {} {}, over {} {})",
            question.unit,
            signed(difference),
            interval(row.ci_lo, row.ci_hi),
            row.n,
            if row.over == "types" { "types".to_owned() } else { plural(data) },
        )
    };
    // One row says it: the first over types; the table has the others.
    let first = tested.iter().find(|it| it.over == "types").or(tested.first())?;
    let verdict = match first.verdict.as_str() {
        "holds" => "holds",
        "contradicted" => "is contradicted",
        _ => "stays open",
    };
    let p = first.p_holm.map_or_else(String::new, |it| format!(", adjusted p {}", crate::fmt::p_value(it)));
    let others = tested.len() - 1;
    let more = if others > 0 {
        let agree = tested.iter().filter(|it| it.verdict == first.verdict).count() - 1;
        format!(" {agree} of {others} other comparisons agree.")
    } else {
        String::new()
    };
    Some(format!("{} {verdict}{p}. {}.{more}", question.id, one(first)))
}

/// Which units a row is about, in a few words.
fn place(data: &StudyData, row: &HypothesisRow) -> String {
    let Some(unit) = data.unit(&row.unit_a) else { return row.comparison.clone() };
    let projection = super::data::projection_name(&unit.projection);
    let projection = if unit.projection == "none" { "no projection".to_owned() } else { projection };
    format!("{}, {projection}", super::data::genes_name(&unit.genes))
}

fn plural(data: &StudyData) -> String {
    data.strata().to_owned()
}

/// A short sentence on one number with its interval.
pub(super) fn number(value: Option<f64>, lo: Option<f64>, hi: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |it| format!("{} {}", sig3(it), interval(lo, hi)))
}
