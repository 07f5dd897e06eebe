//! Folds over target genes.

use super::conditions::{SplitCondition, perturbed};
use super::protocol::{Draw, SplitParams, folds};
use cellstone_core::{Error, Part, Perturbation, Result, Split};
use std::collections::BTreeSet;
use std::ops::Range;

/// One split a fold: a condition is test if any of its targets is in the fold, so no held-out gene trains.
pub(super) fn kfold(conditions: &[SplitCondition], params: &SplitParams, draw: Draw) -> Result<Vec<Split>> {
    let all = perturbed(conditions);
    let held_out = gene_folds(conditions, params.k, draw)?;
    let mut splits = Vec::new();
    for fold in folds(params, params.k)? {
        let mut split = draw.split("gene_kfold", &format!("_f{fold}"));
        for (raw, perturbation) in &all {
            let test = perturbation.targets().iter().any(|it| held_out[fold].contains(it.as_str()));
            split.assign(*raw, if test { Part::Test } else { Part::Train })?;
        }
        splits.push(split);
    }
    Ok(splits)
}

/// Target genes in `k` folds: sorted, permuted, cut into consecutive blocks, the first `n mod k` one longer.
pub(super) fn gene_folds(conditions: &[SplitCondition], k: usize, draw: Draw) -> Result<Vec<BTreeSet<&str>>> {
    let genes = targets_of(conditions);
    if k < 2 || k > genes.len() {
        return Err(Error::config(format!("k is {k}, expected 2 to {} for {} target genes", genes.len(), genes.len())));
    }
    let order = draw.restart().permutation(genes.len());
    Ok(blocks(genes.len(), k).map(|block| order[block].iter().map(|it| genes[*it]).collect()).collect())
}

/// Every target gene, sorted.
pub(super) fn targets_of(conditions: &[SplitCondition]) -> Vec<&str> {
    let targets = conditions.iter().filter_map(|it| it.condition.perturbation()).flat_map(Perturbation::targets);
    let distinct: BTreeSet<&str> = targets.map(String::as_str).collect();
    distinct.into_iter().collect()
}

/// `n` items in `k` consecutive blocks, the first `n mod k` one longer.
fn blocks(n: usize, k: usize) -> impl Iterator<Item = Range<usize>> {
    let start = move |fold: usize| fold * (n / k) + fold.min(n % k);
    (0..k).map(move |fold| start(fold)..start(fold + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_blocks_are_longer() {
        let lengths: Vec<usize> = blocks(12, 5).map(|it| it.len()).collect();
        assert_eq!(lengths, [3, 3, 2, 2, 2]);
        assert_eq!(blocks(12, 5).last(), Some(10..12));
    }
}
