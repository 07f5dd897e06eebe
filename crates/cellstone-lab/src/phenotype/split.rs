//! Which cells train, calibrate and test: whole groups, and a check that nothing leaks.

use super::cells::{Cells, Groups, Labels};
use super::config::PhenotypeConfig;
use cellstone_core::{Csr, Error, Result, Seed, cell_seed, quoted};
use std::collections::{BTreeMap, BTreeSet};

/// A part of the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Train,
    Calibration,
    Test,
}

/// The part of every cell in one fold; `None` for cells that are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fold {
    pub(crate) parts: Vec<Option<Part>>,
    /// Group of every cell.
    pub(crate) groups: Groups,
    /// Whether calibration cells are of test groups.
    pub(crate) shared: bool,
}

impl Fold {
    /// The cells of a part, ascending.
    pub(crate) fn cells(&self, part: Part) -> Vec<usize> {
        (0..self.parts.len()).filter(|it| self.parts[*it] == Some(part)).collect()
    }
}

/// The groups that a finished network has not seen, by its own record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unseen {
    /// Whether each cell was held out of its training.
    pub(crate) cells: Vec<bool>,
}

/// The folds of a study.
///
/// Groups are donors (with their data set), data sets, assays, or single cells for the control that leaks. Chosen groups
/// are balanced over the classes of the first category: they are dealt in seeded order, each to the part that lacks its
/// classes most.
///
/// # Errors
/// `SplitLeak` if a cell that the network was trained on would be tested; if a group that is named does not occur, or a
/// part has no cell.
pub(crate) fn folds(config: &PhenotypeConfig, cells: &Cells, unseen: Option<&Unseen>) -> Result<Vec<Fold>> {
    let split = &config.split;
    let seed = Seed::new(config.seeds[0]).derive("phenotype.split");
    let groups = match split.by.as_str() {
        "donor" => cells.donors.clone(),
        "dataset" => cells.datasets.clone(),
        "assay" => cells.assays.clone().ok_or_else(|| Error::config("split.by = \"assay\" needs data.assay_col"))?,
        _ => Groups { codes: (0..cells.n_obs() as u32).collect(), names: cells.ids.clone() },
    };
    for it in split.test.iter().chain(&split.calibration) {
        if !groups.names.contains(it) {
            let shown: Vec<String> = groups.names.iter().take(12).cloned().collect();
            return Err(Error::invalid_input(format!(
                "[split] names `{it}`, which is no {} (there are {})",
                split.by,
                quoted(&shown)
            )));
        }
    }
    let folds: Vec<Fold> = if split.folds > 1 {
        k_folds(config, cells, &groups, seed)
    } else {
        vec![hold_out(config, cells, &groups, unseen, seed)?]
    };
    for fold in &folds {
        for part in [Part::Train, Part::Test] {
            if fold.cells(part).is_empty() {
                return Err(Error::invalid_input(format!("no cell is left to {part:?} on").to_lowercase())
                    .with_hint("name groups with split.test and split.calibration, or change their shares"));
            }
        }
        if let Some(unseen) = unseen {
            check_unseen(fold, unseen)?;
        }
    }
    Ok(folds)
}

fn check_unseen(fold: &Fold, unseen: &Unseen) -> Result<()> {
    let mut leaked: BTreeSet<&str> = BTreeSet::new();
    for part in [Part::Calibration, Part::Test] {
        let seen = fold.cells(part).into_iter().filter(|it| !unseen.cells[*it]);
        leaked.extend(seen.map(|it| fold.groups.names[fold.groups.codes[it] as usize].as_str()));
    }
    if leaked.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = leaked.iter().take(5).map(|it| (*it).to_owned()).collect();
    Err(Error::invalid_input(format!(
        "SplitLeak: {} groups of the test were in the training of the network ({})",
        leaked.len(),
        quoted(&shown)
    ))
    .with_hint("test on groups that pretraining held out, or pretrain again with those held out"))
}

/// Deals groups to `shares` of the cells, balanced over classes and, where they are known, life stages.
///
/// Returns the part of each group; the last part takes what the others leave.
fn deal(cells: &Cells, groups: &Groups, among: &[bool], shares: &[f64], seed: Seed) -> BTreeMap<u32, usize> {
    let strata = strata(cells);
    let n_strata = strata.iter().map(|it| *it as usize + 1).max().unwrap_or(1);
    let mut counts: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let mut total = vec![0.0; n_strata];
    for row in (0..cells.n_obs()).filter(|it| cells.kept[*it] && among[*it]) {
        let at = strata[row] as usize;
        counts.entry(groups.codes[row]).or_insert_with(|| vec![0.0; n_strata])[at] += 1.0;
        total[at] += 1.0;
    }
    let mut order: Vec<u32> = counts.keys().copied().collect();
    order.sort_by_cached_key(|it| cell_seed(seed, "group", &groups.names[*it as usize]).value());
    // Large groups first: small ones then even out.
    order.sort_by_key(|it| std::cmp::Reverse(counts[it].iter().sum::<f64>() as u64 / 50));
    let mut filled = vec![vec![0.0; n_strata]; shares.len()];
    let mut part = BTreeMap::new();
    for group in order {
        let of = &counts[&group];
        let lack = |it: usize| -> f64 {
            (0..n_strata).map(|at| of[at] * (shares[it] * total[at] - filled[it][at]) / total[at].max(1.0)).sum::<f64>()
                / shares[it].max(1e-9)
        };
        let open = (0..shares.len()).filter(|it| shares[*it] > 0.0);
        let Some(chosen) = open.max_by(|a, b| lack(*a).total_cmp(&lack(*b)).then(b.cmp(a))) else { continue };
        filled[chosen].iter_mut().zip(of).for_each(|(sum, it)| *sum += it);
        part.insert(group, chosen);
    }
    part
}

/// Class of the first category and life stage together.
fn strata(cells: &Cells) -> Vec<u32> {
    let empty = Labels::default();
    let classes = cells.labels.first().unwrap_or(&empty);
    let stages: Vec<String> = match &cells.stages {
        Some(it) => it.iter().map(|it| it.clone().unwrap_or_default()).collect(),
        None => vec![String::new(); cells.n_obs()],
    };
    let key = |row: usize| (classes.codes.get(row).copied().flatten(), stages[row].as_str());
    let all: BTreeSet<_> = (0..cells.n_obs()).map(key).collect();
    let place: BTreeMap<_, u32> = all.into_iter().zip(0..).collect();
    (0..cells.n_obs()).map(|it| place[&key(it)]).collect()
}

fn hold_out(
    config: &PhenotypeConfig,
    cells: &Cells,
    groups: &Groups,
    unseen: Option<&Unseen>,
    seed: Seed,
) -> Result<Fold> {
    let split = &config.split;
    let named = |list: &[String], row: usize| list.contains(&groups.names[groups.codes[row] as usize]);
    let shared = split.calibrate_on == "cells";
    // A network has trained on what it has seen; the rest is dealt.
    let among: Vec<bool> = match unseen {
        Some(it) => it.cells.clone(),
        None => vec![true; cells.n_obs()],
    };
    let (test_share, mut calibration_share) = (split.test_share, split.calibration_share);
    let calibration_named = !split.calibration.is_empty();
    if shared || calibration_named {
        calibration_share = 0.0;
    }
    let dealt = if split.test.is_empty() {
        let shares = match unseen {
            // All of what is unseen is used: calibration takes its share of it.
            Some(_) => [1.0 - calibration_share, calibration_share, 0.0],
            None => [test_share, calibration_share, 1.0 - test_share - calibration_share],
        };
        if shares[2] < 0.0 {
            return Err(Error::config("split.test_share and split.calibration_share leave nothing to train on"));
        }
        deal(cells, groups, &among, &shares, seed)
    } else if !calibration_named && calibration_share > 0.0 {
        let rest: Vec<bool> = (0..cells.n_obs()).map(|it| among[it] && !named(&split.test, it)).collect();
        let shares = match unseen {
            Some(_) => [0.0, 1.0, 0.0],
            None => [0.0, calibration_share, 1.0 - calibration_share],
        };
        deal(cells, groups, &rest, &shares, seed)
    } else {
        BTreeMap::new()
    };
    let of_cell = |row: usize| -> Option<Part> {
        if !cells.kept[row] {
            return None;
        }
        let in_test = named(&split.test, row)
            || (split.test.is_empty() && among[row] && dealt.get(&groups.codes[row]) == Some(&0));
        if named(&split.calibration, row) {
            return Some(Part::Calibration);
        }
        if in_test {
            let half = cell_seed(seed, "half", &cells.ids[row]).value().is_multiple_of(2);
            return Some(if shared && half { Part::Calibration } else { Part::Test });
        }
        match (dealt.get(&groups.codes[row]), unseen) {
            (Some(1), _) if among[row] => Some(Part::Calibration),
            // What the network has not seen and nobody asked for stays out.
            (_, Some(it)) if it.cells[row] => None,
            _ => Some(Part::Train),
        }
    };
    let parts = (0..cells.n_obs()).map(of_cell).collect();
    Ok(Fold { parts, groups: groups.clone(), shared })
}

/// Fold `k` tests one part of the groups and calibrates on the next.
fn k_folds(config: &PhenotypeConfig, cells: &Cells, groups: &Groups, seed: Seed) -> Vec<Fold> {
    let k = config.split.folds;
    let shares = vec![1.0 / k as f64; k];
    let dealt = deal(cells, groups, &vec![true; cells.n_obs()], &shares, seed);
    let shared = config.split.calibrate_on == "cells";
    let calibrates = !shared && k > 2 && config.split.calibration_share > 0.0;
    let fold = |at: usize| {
        let of_cell = |row: usize| {
            if !cells.kept[row] {
                return None;
            }
            let part = dealt.get(&groups.codes[row]).copied()?;
            let half = cell_seed(seed, "half", &cells.ids[row]).value().is_multiple_of(2);
            Some(match part {
                it if it == at && shared && half => Part::Calibration,
                it if it == at => Part::Test,
                it if it == (at + 1) % k && calibrates => Part::Calibration,
                _ => Part::Train,
            })
        };
        Fold { parts: (0..cells.n_obs()).map(of_cell).collect(), groups: groups.clone(), shared }
    };
    (0..k).map(fold).collect()
}

/// Whether one count vector stands in two parts: the same cell under two names.
///
/// # Errors
/// `SplitLeak` with up to five pairs of cells.
pub(crate) fn check_twins(rows: &[usize], x: &Csr<f32>, fold: &Fold, ids: &[String]) -> Result<()> {
    let mut seen: BTreeMap<(Vec<u32>, Vec<u32>), usize> = BTreeMap::new();
    let mut twins = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let (genes, counts) = x.row(at);
        if genes.is_empty() {
            continue;
        }
        let key = (genes.to_vec(), counts.iter().map(|it| it.to_bits()).collect());
        match seen.get(&key) {
            Some(other) if fold.parts[*other] != fold.parts[*row] => {
                twins.push(format!("{} and {}", ids[*other], ids[*row]));
            }
            Some(_) => {}
            None => {
                seen.insert(key, *row);
            }
        }
    }
    if twins.is_empty() {
        return Ok(());
    }
    let n = twins.len();
    twins.truncate(5);
    Err(Error::invalid_input(format!("SplitLeak: {n} count vectors stand in two parts ({})", quoted(&twins)))
        .with_hint("remove cells that stand in the file twice"))
}
