//! Protocols that hold out combinations while all singles train.

use super::conditions::{SplitCondition, perturbed};
use super::protocol::{Draw, SplitParams, folds};
use crate::mt19937::truncated;
use cellstone_core::{Error, Part, Result, Split};

/// The published doubles protocol: of `n` doubles, sorted by raw name, `⌊n/2⌋` train; of the rest, `⌊rest/2⌋` drawn on the
/// same stream are test, the others val. 124 doubles give 62, 31 and 31.
pub(super) fn doubles(conditions: &[SplitCondition], draw: Draw) -> Result<Vec<Split>> {
    let all = perturbed(conditions);
    if let Some((raw, it)) = all.iter().find(|it| it.1.targets().len() > 2) {
        return Err(Error::invalid_input(format!(
            "norman_doubles knows singles and doubles, but `{raw}` has {} targets",
            it.targets().len()
        )));
    }
    let doubles: Vec<&str> = all.iter().filter(|it| !it.1.is_single()).map(|it| it.0).collect();
    if doubles.len() < 4 {
        return Err(Error::invalid_input(format!("norman_doubles needs 4 doubles or more, found {}", doubles.len()))
            .with_hint("use gene_kfold for data of single perturbations"));
    }
    let mut split = draw.split("norman_doubles", "");
    for (raw, _) in all.iter().filter(|it| it.1.is_single()) {
        split.assign(*raw, Part::Train)?;
    }
    let mut rng = draw.restart();
    let in_train = chosen(doubles.len(), &rng.choice(doubles.len(), truncated(doubles.len(), 0.5)));
    let rest: Vec<&str> = doubles.iter().zip(&in_train).filter(|it| !it.1).map(|it| *it.0).collect();
    let in_test = chosen(rest.len(), &rng.choice(rest.len(), truncated(rest.len(), 0.5)));
    for (raw, _) in doubles.iter().zip(&in_train).filter(|it| *it.1) {
        split.assign(*raw, Part::Train)?;
    }
    for (raw, test) in rest.iter().zip(in_test) {
        split.assign(*raw, if test { Part::Test } else { Part::Val })?;
    }
    Ok(vec![split])
}

/// Combinations in two halves of a permutation of the sorted names, the first `⌈n/2⌉` long; each is the test part once.
pub(super) fn combos_2fold(conditions: &[SplitCondition], params: &SplitParams, draw: Draw) -> Result<Vec<Split>> {
    let all = perturbed(conditions);
    let combos: Vec<&str> = all.iter().filter(|it| !it.1.is_single()).map(|it| it.0).collect();
    if combos.len() < 2 {
        return Err(Error::invalid_input(format!("combos_2fold needs 2 combinations or more, found {}", combos.len())));
    }
    let order = draw.restart().permutation(combos.len());
    let (first, second) = order.split_at(combos.len().div_ceil(2));
    let mut splits = Vec::new();
    for fold in folds(params, 2)? {
        let mut split = draw.split("combos_2fold", &format!("_f{fold}"));
        for (raw, _) in all.iter().filter(|it| it.1.is_single()) {
            split.assign(*raw, Part::Train)?;
        }
        let (test, train) = if fold == 0 { (first, second) } else { (second, first) };
        for (part, members) in [(Part::Test, test), (Part::Train, train)] {
            for it in members {
                split.assign(combos[*it], part)?;
            }
        }
        splits.push(split);
    }
    Ok(splits)
}

/// Drawn indices as flags, so that what is left keeps its order.
pub(super) fn chosen(n: usize, drawn: &[usize]) -> Vec<bool> {
    let mut flags = vec![false; n];
    for it in drawn {
        flags[*it] = true;
    }
    flags
}
