//! Folds over groups of related genes: how much skill comes from near-duplicates in train?

use super::conditions::{SplitCondition, perturbed};
use super::genes::targets_of;
use super::protocol::{Draw, SplitParams, folds};
use cellstone_core::{Error, Part, Result, Split};
use std::collections::{BTreeMap, BTreeSet};

/// One split a fold: target genes that a chain of edges connects are in one fold, else as `gene_kfold`.
pub(super) fn kfold(conditions: &[SplitCondition], params: &SplitParams, draw: Draw) -> Result<Vec<Split>> {
    if params.edges.is_empty() {
        return Err(Error::config("group_kfold needs the edges of a gene graph, found none")
            .with_hint("give pairs of related genes (paralogs, complexes, STRING), or use gene_kfold"));
    }
    let held_out = group_folds(conditions, params, draw)?;
    let all = perturbed(conditions);
    let mut splits = Vec::new();
    for fold in folds(params, params.k)? {
        let mut split = draw.split("group_kfold", &format!("_f{fold}"));
        for (raw, perturbation) in &all {
            let test = perturbation.targets().iter().any(|it| held_out[fold].contains(it.as_str()));
            split.assign(*raw, if test { Part::Test } else { Part::Train })?;
        }
        splits.push(split);
    }
    Ok(splits)
}

/// Target genes in `k` folds: groups in a drawn order, then from the largest to the smallest, each into the fold with the
/// fewest genes, the first of those.
fn group_folds<'a>(
    conditions: &'a [SplitCondition],
    params: &SplitParams,
    draw: Draw,
) -> Result<Vec<BTreeSet<&'a str>>> {
    let groups = components(&targets_of(conditions), &params.edges);
    let k = params.k;
    if k < 2 || k > groups.len() {
        return Err(Error::config(format!(
            "k is {k}, expected 2 to {} for {} groups of target genes",
            groups.len(),
            groups.len()
        )));
    }
    let order = draw.restart().permutation(groups.len());
    let mut drawn: Vec<&Vec<&str>> = order.iter().map(|it| &groups[*it]).collect();
    // The sort is stable: groups of one size keep the drawn order.
    drawn.sort_by_key(|it| std::cmp::Reverse(it.len()));
    let mut folds = vec![BTreeSet::new(); k];
    for group in drawn {
        let smallest = (0..k).min_by_key(|it| folds[*it].len()).unwrap_or_default();
        folds[smallest].extend(group);
    }
    Ok(folds)
}

/// The connected components of the graph that hold a target, by their targets; sorted by their first.
///
/// A chain may pass through genes that are no targets.
fn components<'a>(targets: &[&'a str], edges: &[(String, String)]) -> Vec<Vec<&'a str>> {
    let mut at = BTreeMap::<&str, usize>::new();
    let names = targets.iter().copied().chain(edges.iter().flat_map(|(a, b)| [a.as_str(), b.as_str()]));
    for name in names {
        let next = at.len();
        at.entry(name).or_insert(next);
    }
    let mut parent: Vec<usize> = (0..at.len()).collect();
    for (a, b) in edges {
        let (a, b) = (root(&mut parent, at[a.as_str()]), root(&mut parent, at[b.as_str()]));
        parent[a.max(b)] = a.min(b);
    }
    let mut groups = BTreeMap::<usize, Vec<&'a str>>::new();
    for target in targets {
        groups.entry(root(&mut parent, at[target])).or_default().push(*target);
    }
    // Targets come first and sorted, and a root is the smallest of its component.
    groups.into_values().collect()
}

fn root(parent: &mut [usize], mut at: usize) -> usize {
    while parent[at] != at {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_connect() {
        let edges = [("B", "x"), ("x", "D"), ("E", "A"), ("y", "z")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(components(&["A", "B", "C", "D", "E"], &edges), [vec!["A", "E"], vec!["B", "D"], vec!["C"]]);
    }
}
