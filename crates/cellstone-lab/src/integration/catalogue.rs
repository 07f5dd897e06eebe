//! The metrics of the command: those of the family that need no expression, and a few more numbers beside them.

use cellstone_core::{Error, Result, Score, nearest};
use cellstone_metrics::integration::{Convention, Group, metrics, totals};
use cellstone_report::integration::{MetricColumn, MetricGroup};
use std::collections::BTreeSet;

/// Metrics of the family that need expression before and after.
const OF_EXPRESSION: [&str; 3] = ["cell_cycle", "hvg_overlap", "morans_i"];

/// Metrics that need pseudotime: computed by default where there is some.
const OF_TIME: [&str; 2] = ["trajectory", "trajectory_reachable"];

/// Only on request.
const ON_REQUEST: [&str; 1] = ["graph_connectivity_directed"];

/// A number that is no score of the family: id, title, whether higher is better, and what it is.
type Beside = (&'static str, &'static str, bool, &'static str);

const BESIDE: [Beside; 5] = [
    (
        "graph_connectivity_directed",
        "Graph connectivity, directed",
        true,
        "as graph connectivity, by strong components of the directed graph of 15 neighbours",
    ),
    (
        "trajectory_reachable",
        "Trajectory, reachable",
        true,
        "as trajectory, without cells that the root does not reach",
    ),
    ("pcr_before", "PCR before", false, "share of the variance that batches explain before integration"),
    ("pcr", "PCR after", false, "share of the variance that batches explain in the embedding"),
    ("pcr_difference", "PCR difference", false, "PCR after minus before: above 0 the batches gained"),
];

/// Ids of every metric of the command, in the order of the table.
///
/// # Examples
/// ```
/// assert!(cellstone_lab::integration_metrics().contains(&"kbet_per_label"));
/// ```
pub fn integration_metrics() -> Vec<&'static str> {
    let family = metrics().iter().map(|it| it.id).filter(|it| !OF_EXPRESSION.contains(it));
    family.chain(BESIDE.iter().map(|it| it.0)).collect()
}

/// The metrics to compute: those asked for, or those of the command; with pseudotime also those of trajectories.
///
/// # Errors
/// If an id does not exist (the nearest is named) or needs a pseudotime that is not there.
pub(super) fn wanted(asked: &[String], has_pseudotime: bool) -> Result<BTreeSet<&'static str>> {
    let ids = integration_metrics();
    if asked.is_empty() {
        let usual = |it: &&str| !ON_REQUEST.contains(it) && (has_pseudotime || !OF_TIME.contains(it));
        return Ok(ids.into_iter().filter(usual).collect());
    }
    let find = |id: &String| match ids.iter().find(|it| *it == id) {
        Some(id) => Ok(*id),
        None => {
            let error = Error::config(format!("unknown metric `{id}` (metrics: `{}`)", ids.join("`, `")));
            Err(match nearest(id, ids.iter().copied()) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            })
        }
    };
    let found: BTreeSet<&'static str> = asked.iter().map(find).collect::<Result<_>>()?;
    match OF_TIME.iter().find(|it| found.contains(*it)) {
        Some(id) if !has_pseudotime => {
            Err(Error::config(format!("metric `{id}` needs the pseudotime of the cells before integration")))
        }
        _ => Ok(found),
    }
}

/// The metrics of these that count in the totals of a convention.
pub(super) fn in_totals(ids: &BTreeSet<&'static str>, convention: Convention) -> Result<Vec<&'static str>> {
    let family = metrics().iter().filter(|it| ids.contains(it.id));
    let scores: Vec<(&str, Score)> = family.map(|it| (it.id, Score::Value(0.0))).collect();
    Ok(totals(&scores, convention)?.used)
}

/// The columns of the page: the metrics that were computed, and the totals.
pub(super) fn columns(wanted: &BTreeSet<&'static str>, counted: &[&'static str]) -> Vec<MetricColumn> {
    let column = |id: &str, title: &str, group: MetricGroup, higher: bool, meaning: &str| MetricColumn {
        id: id.to_owned(),
        title: title.to_owned(),
        group,
        higher_is_better: higher,
        in_total: counted.contains(&id),
        meaning: meaning.to_owned(),
    };
    let family = metrics().iter().filter(|it| wanted.contains(it.id)).map(|it| {
        let group = if it.group == Group::Bio { MetricGroup::Bio } else { MetricGroup::Batch };
        column(it.id, it.name, group, true, it.formula)
    });
    let beside = BESIDE.iter().filter(|it| wanted.contains(it.0));
    let beside = beside.map(|(id, title, higher, meaning)| column(id, title, MetricGroup::Other, *higher, meaning));
    let totals = [("bio_conservation", "Bio"), ("batch_correction", "Batch"), ("total", "Total")];
    let totals = totals.map(|(id, title)| column(id, title, MetricGroup::Total, true, ""));
    family.chain(beside).chain(totals).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_or_named() {
        let usual = wanted(&[], false).expect("all");
        assert!(usual.contains("sbee") && !usual.contains("trajectory"));
        assert!(wanted(&[], true).expect("all").contains("trajectory"));
        let error = wanted(&["kbet_per_labels".into()], false).expect_err("misspelt");
        assert_eq!(error.hints(), ["did you mean `kbet_per_label`?"]);
        assert!(wanted(&["trajectory".into()], false).is_err());
        let counted = in_totals(&usual, Convention::Cellstone).expect("known");
        assert!(counted.contains(&"bras") && !counted.contains(&"silhouette_batch") && !counted.contains(&"pcr"));
    }
}
