//! Which cells a study takes: the same number of every type, shared out over donors.

use super::config::Subsample;
use cellstone_core::{Seed, cell_seed};
use std::collections::BTreeMap;

/// Donors of a type from which on no donor may dominate it.
const MIN_DONORS: usize = 3;

/// The cells of one seed, and the types that have too few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sampled {
    /// Rows of the file, ascending.
    pub(crate) rows: Vec<usize>,
    /// Types with fewer cells than the minimum and how many there are: left out.
    pub(crate) too_few: Vec<(u32, usize)>,
    /// Types that are in with fewer cells than asked for, and how many they have.
    pub(crate) short: Vec<(u32, usize)>,
    /// Whether some type had more cells than were taken: otherwise every seed takes the same cells.
    pub(crate) is_random: bool,
}

/// Takes up to `n_per_type` cells of every type by the smallest hash of their id.
///
/// Where a type has three donors or more, at most `max_donor_share` of its cells come from one of them: the number of
/// its cells is then the largest `m ≤ n_per_type` for which `Σ_d min(n_d, ⌊share · m⌋) ≥ m`. The hash is keyed on the
/// seed, the data set and the cell, so that other cells of the file change nothing.
///
/// `types[row]` is `None` for a cell without a type; `donors` may be absent.
pub(crate) fn stratified(
    types: &[Option<u32>],
    donors: Option<&[u32]>,
    ids: &[String],
    data_set: &str,
    seed: Seed,
    how: &Subsample,
) -> Sampled {
    let mut by_type = BTreeMap::<u32, Vec<usize>>::new();
    for (row, kind) in types.iter().enumerate() {
        if let Some(kind) = kind {
            by_type.entry(*kind).or_default().push(row);
        }
    }
    let mut out = Sampled { rows: Vec::new(), too_few: Vec::new(), short: Vec::new(), is_random: false };
    for (kind, mut cells) in by_type {
        let n_all = cells.len();
        cells.sort_by_cached_key(|row| (cell_seed(seed, data_set, &ids[*row]).value(), &ids[*row]));
        let taken = take(&cells, donors, how);
        if taken.len() < how.min_per_type {
            out.too_few.push((kind, taken.len()));
            continue;
        }
        if taken.len() < how.n_per_type {
            out.short.push((kind, taken.len()));
        }
        out.is_random |= taken.len() < n_all;
        out.rows.extend(taken);
    }
    out.rows.sort_unstable();
    out
}

/// The first cells in the given order that the limits allow.
fn take(cells: &[usize], donors: Option<&[u32]>, how: &Subsample) -> Vec<usize> {
    let n = how.n_per_type.min(cells.len());
    let mut counts = BTreeMap::<u32, usize>::new();
    if let Some(donors) = donors {
        cells.iter().for_each(|it| *counts.entry(donors[*it]).or_default() += 1);
    }
    let Some(donors) = donors.filter(|_| counts.len() >= MIN_DONORS) else { return cells[..n].to_vec() };
    let cap = |m: usize| (how.max_donor_share * m as f64 + 1e-9).floor() as usize;
    let fits = |m: &usize| counts.values().map(|it| (*it).min(cap(*m))).sum::<usize>() >= *m;
    let m = (1..=n).rev().find(fits).unwrap_or(0);
    let mut left: BTreeMap<u32, usize> = counts.keys().map(|it| (*it, cap(m))).collect();
    let mut taken = Vec::with_capacity(m);
    for row in cells {
        let room = left.entry(donors[*row]).or_default();
        if *room > 0 && taken.len() < m {
            *room -= 1;
            taken.push(*row);
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Subsample = Subsample { n_per_type: 10, min_per_type: 3, max_donor_share: 0.4 };

    fn ids(n: usize) -> Vec<String> {
        (0..n).map(|it| format!("cell{it}")).collect()
    }

    fn per_donor(sampled: &Sampled, donors: &[u32]) -> Vec<usize> {
        (0..3).map(|donor| sampled.rows.iter().filter(|it| donors[**it] == donor).count()).collect()
    }

    #[test]
    fn no_donor_has_more_than_its_share() {
        let types = vec![Some(0); 60];
        let donors: Vec<u32> = (0..60).map(|it| if it < 50 { 0 } else { 1 + it % 2 }).collect();
        let it = stratified(&types, Some(&donors), &ids(60), "d", Seed::new(1), &HOW);
        assert_eq!(it.rows.len(), 10);
        assert_eq!(per_donor(&it, &donors)[0], 4);
        assert!(it.is_random && it.short.is_empty());
    }

    #[test]
    fn few_cells_of_the_others_make_a_type_small() {
        // 1 + 2 others: of 5 cells one donor may give 2, of 6 only 2 as well.
        let types = vec![Some(0); 53];
        let donors: Vec<u32> = (0..53).map(|it| if it < 50 { 0 } else { 1 + u32::from(it > 50) }).collect();
        let it = stratified(&types, Some(&donors), &ids(53), "d", Seed::new(1), &HOW);
        assert_eq!((it.rows.len(), per_donor(&it, &donors)), (5, vec![2, 1, 2]));
        assert_eq!(it.short, [(0, 5)]);
    }

    #[test]
    fn two_donors_have_no_limit_and_small_types_are_listed() {
        let types: Vec<Option<u32>> = (0..40).map(|it| [Some(0), Some(0), None, Some(1)][it % 4]).collect();
        let mut types = types;
        types[3..].iter_mut().filter(|it| **it == Some(1)).skip(1).for_each(|it| *it = None);
        let donors = vec![0; 40];
        let it = stratified(&types, Some(&donors), &ids(40), "d", Seed::new(1), &HOW);
        assert_eq!(it.rows.len(), 10);
        assert_eq!(it.too_few, [(1, 1)]);
    }

    #[test]
    fn a_cell_is_drawn_by_its_id_alone() {
        let types = vec![Some(0); 40];
        let names = ids(40);
        let all = stratified(&types, None, &names, "d", Seed::new(1), &HOW);
        let chosen: Vec<&String> = all.rows.iter().map(|it| &names[*it]).collect();
        // The same cells in another order, and others that have no type.
        let turned: Vec<String> = names.iter().rev().cloned().chain(["x".to_owned(), "y".to_owned()]).collect();
        let mut types = types;
        types.extend([None, None]);
        let again = stratified(&types, None, &turned, "d", Seed::new(1), &HOW);
        let mut found: Vec<&String> = again.rows.iter().map(|it| &turned[*it]).collect();
        found.sort_by_key(|it| names.iter().position(|name| name == *it));
        assert_eq!(found, chosen);
        let other =
            stratified(&turned.iter().map(|_| Some(0)).collect::<Vec<_>>(), None, &turned, "d", Seed::new(2), &HOW);
        assert_ne!(other.rows, again.rows);
    }
}
