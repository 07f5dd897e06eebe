//! The simulation split of GEARS: genes are unseen, combinations are grouped by how many of their genes were seen.

use super::conditions::{SplitCondition, perturbed};
use super::norman::chosen;
use super::protocol::Draw;
use crate::mt19937::truncated;
use cellstone_core::{Error, Part, Perturbation, Result, Split};
use std::collections::{BTreeMap, BTreeSet};

/// A condition by raw name with its targets.
type Named<'a> = (&'a str, &'a Perturbation);

/// One stage: what trains, and the groups that do not.
struct Stage<'a> {
    train: Vec<Named<'a>>,
    seen0: Vec<&'a str>,
    seen1: Vec<&'a str>,
    seen2: Vec<&'a str>,
    unseen_single: Vec<&'a str>,
}

/// Test from three quarters of the genes and of the combinations of seen genes, then val from nine tenths of the rest.
pub(super) fn simulation(conditions: &[SplitCondition], draw: Draw) -> Result<Vec<Split>> {
    let all = perturbed(conditions);
    let outer = stage(&all, 0.75, 0.75, draw);
    let inner = stage(&outer.train, 0.9, 0.9, draw);
    if inner.train.is_empty() || outer.train.len() == all.len() {
        return Err(Error::invalid_input(format!(
            "gears_simulation leaves a part of the {} conditions empty, expected more genes",
            all.len()
        )));
    }
    let mut split = draw.split("gears_simulation", "");
    for (raw, _) in &inner.train {
        split.assign(*raw, Part::Train)?;
    }
    for (_, raws) in inner.held_out() {
        assign_all(&mut split, &raws, Part::Val)?;
    }
    let mut subgroups = BTreeMap::new();
    for (name, raws) in outer.held_out() {
        assign_all(&mut split, &raws, Part::Test)?;
        if !raws.is_empty() {
            subgroups.insert(name.to_owned(), raws.into_iter().map(str::to_owned).collect());
        }
    }
    split.subgroups = subgroups;
    Ok(vec![split])
}

impl<'a> Stage<'a> {
    fn held_out(self) -> [(&'static str, Vec<&'a str>); 4] {
        [("seen0", self.seen0), ("seen1", self.seen1), ("seen2", self.seen2), ("unseen_single", self.unseen_single)]
    }
}

/// Draws seen genes, then, on the stream from its start again, the combinations of seen genes that train.
/// `all` is sorted by raw name.
fn stage<'a>(all: &[Named<'a>], gene_fraction: f64, combo_fraction: f64, draw: Draw) -> Stage<'a> {
    let genes: Vec<&str> = {
        let distinct: BTreeSet<&str> = all.iter().flat_map(|it| it.1.targets()).map(String::as_str).collect();
        distinct.into_iter().collect()
    };
    let drawn = draw.restart().choice(genes.len(), truncated(genes.len(), gene_fraction));
    let seen: BTreeSet<&str> = drawn.into_iter().map(|it| genes[it]).collect();
    let n_seen = |it: &Perturbation| it.targets().iter().filter(|it| seen.contains(it.as_str())).count();

    let mut out =
        Stage { train: Vec::new(), seen0: Vec::new(), seen1: Vec::new(), seen2: Vec::new(), unseen_single: Vec::new() };
    let mut both = Vec::new();
    for (raw, perturbation) in all {
        match (perturbation.is_single(), n_seen(perturbation)) {
            (true, 0) => out.unseen_single.push(*raw),
            (true, _) => out.train.push((*raw, *perturbation)),
            (false, 0) => out.seen0.push(*raw),
            (false, 1) => out.seen1.push(*raw),
            (false, _) => both.push((*raw, *perturbation)),
        }
    }
    let trains = chosen(both.len(), &draw.restart().choice(both.len(), truncated(both.len(), combo_fraction)));
    for (named, train) in both.into_iter().zip(trains) {
        if train {
            out.train.push(named);
        } else {
            out.seen2.push(named.0);
        }
    }
    out.train.sort();
    out
}

fn assign_all(split: &mut Split, raws: &[&str], part: Part) -> Result<()> {
    raws.iter().try_for_each(|it| split.assign(*it, part))
}
