//! What the neighbours of cells say: how many are of the cell's type, how many of its batch.

use super::relations::Relations;
use cellstone_core::sum::map_ordered;
use std::collections::BTreeMap;

/// The labels of the cells of a sample.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Type of each cell.
    pub(crate) types: &'a [u32],
    /// Number of types.
    pub(crate) n_types: usize,
    /// Donor or batch of each cell: what other-stratum neighbours differ in.
    pub(crate) strata: Option<&'a [u32]>,
    /// Data set or batch of each cell: what neighbours must not be chosen by. The strata where there is no batch.
    pub(crate) batches: Option<&'a [u32]>,
    /// Relations of the types.
    pub(crate) relations: &'a Relations,
}

/// A mean over the cells of one type and stratum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroupMean {
    pub(crate) statistic: &'static str,
    pub(crate) k: usize,
    pub(crate) kind: u32,
    pub(crate) stratum: Option<u32>,
    pub(crate) n: u64,
    pub(crate) mean: f64,
}

/// Sum and number of values by statistic, k, type and stratum.
type Sums = BTreeMap<(&'static str, usize, u32, Option<u32>), (f64, u64)>;

/// Measures on the first `k` neighbours of every cell, averaged over the cells of a type and stratum.
///
/// `purity` is the share of neighbours of the cell's type; `graded_purity` the mean of `exp(−d/2)` with `d` the distance
/// in the ontology, where there is one. With `batches`, `batch_observed` is the share of neighbours of the cell's batch,
/// `batch_expected` the share that batch has among the other cells of the type, `batch_excess` their difference; a type
/// of one cell has none. A cell with fewer neighbours is judged by those it has, one without any is left out.
pub(crate) fn neighbor_means<'n>(
    known: &Known<'_>,
    lists: &(dyn Fn(usize) -> &'n [u32] + Sync),
    ks: &[usize],
    with_batches: bool,
) -> Vec<GroupMean> {
    let expected = with_batches.then(|| expected_batches(known)).flatten();
    let of_cell = |cell: usize| -> Vec<(&'static str, usize, f64)> {
        let kind = known.types[cell];
        let mut values = Vec::new();
        let all = lists(cell);
        for k in ks {
            let near = &all[..all.len().min(*k)];
            if near.is_empty() {
                continue;
            }
            let mean = |of: &dyn Fn(u32) -> f64| near.iter().map(|it| of(*it)).sum::<f64>() / near.len() as f64;
            let is = |hit: bool| f64::from(u8::from(hit));
            values.push(("purity", *k, mean(&|it| is(known.types[it as usize] == kind))));
            if known.relations.known {
                values.push((
                    "graded_purity",
                    *k,
                    mean(&|it| known.relations.closeness(kind, known.types[it as usize])),
                ));
            }
            if let (Some(batches), Some(expected)) = (known.batches, &expected) {
                let Some(expected) = expected[cell] else { continue };
                let observed = mean(&|it| is(batches[it as usize] == batches[cell]));
                values.push(("batch_observed", *k, observed));
                values.push(("batch_expected", *k, expected));
                values.push(("batch_excess", *k, observed - expected));
            }
        }
        values
    };
    let mut sums = Sums::new();
    for (cell, values) in map_ordered(known.types.len(), of_cell).into_iter().enumerate() {
        let stratum = known.strata.map(|it| it[cell]);
        for (statistic, k, value) in values {
            let slot = sums.entry((statistic, k, known.types[cell], stratum)).or_default();
            *slot = (slot.0 + value, slot.1 + 1);
        }
    }
    sums.into_iter()
        .map(|((statistic, k, kind, stratum), (sum, n))| GroupMean {
            statistic,
            k,
            kind,
            stratum,
            n,
            mean: sum / n as f64,
        })
        .collect()
}

/// The share of a cell's batch among the other cells of its type.
// DIVERGES(batch-excess-without-self): the cell itself counts on neither side.
fn expected_batches(known: &Known<'_>) -> Option<Vec<Option<f64>>> {
    let batches = known.batches?;
    let mut of_type = vec![0_u64; known.n_types];
    let mut of_both = BTreeMap::<(u32, u32), u64>::new();
    for (kind, batch) in known.types.iter().zip(batches) {
        of_type[*kind as usize] += 1;
        *of_both.entry((*kind, *batch)).or_default() += 1;
    }
    let share = |(kind, batch): (&u32, &u32)| {
        let others = of_type[*kind as usize] - 1;
        (others > 0).then(|| (of_both[&(*kind, *batch)] - 1) as f64 / others as f64)
    };
    Some(known.types.iter().zip(batches).map(share).collect())
}

/// Mean over types of the purity that neighbours drawn at random have: among all other cells, or those of other strata.
pub(crate) fn chance_purity(known: &Known<'_>, other_strata: bool) -> Option<f64> {
    let n = known.types.len();
    let mut types = vec![0_u64; known.n_types];
    known.types.iter().for_each(|it| types[*it as usize] += 1);
    let strata = known.strata.filter(|_| other_strata);
    let mut of_stratum = BTreeMap::<u32, u64>::new();
    let mut of_both = BTreeMap::<(u32, u32), u64>::new();
    for (cell, kind) in known.types.iter().enumerate() {
        if let Some(strata) = strata {
            *of_stratum.entry(strata[cell]).or_default() += 1;
            *of_both.entry((*kind, strata[cell])).or_default() += 1;
        }
    }
    let mut sums = vec![(0.0, 0_u64); known.n_types];
    for (cell, kind) in known.types.iter().enumerate() {
        let (hits, others) = match strata {
            None => (types[*kind as usize] - 1, n as u64 - 1),
            Some(strata) => {
                (types[*kind as usize] - of_both[&(*kind, strata[cell])], n as u64 - of_stratum[&strata[cell]])
            }
        };
        if others > 0 {
            let slot = &mut sums[*kind as usize];
            *slot = (slot.0 + hits as f64 / others as f64, slot.1 + 1);
        }
    }
    let means: Vec<f64> = sums.iter().filter(|it| it.1 > 0).map(|it| it.0 / it.1 as f64).collect();
    cellstone_core::sum::mean(&means)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known<'a>(types: &'a [u32], strata: &'a [u32], relations: &'a Relations) -> Known<'a> {
        Known { types, n_types: 2, strata: Some(strata), batches: Some(strata), relations }
    }

    fn value(means: &[GroupMean], statistic: &str, k: usize, kind: u32, stratum: u32) -> Option<(f64, u64)> {
        let of =
            |it: &&GroupMean| it.statistic == statistic && it.k == k && it.kind == kind && it.stratum == Some(stratum);
        means.iter().find(of).map(|it| (it.mean, it.n))
    }

    #[test]
    fn shares_are_those_of_the_neighbours() {
        let relations = Relations::none(2);
        let (types, strata) = ([0, 0, 0, 1, 1], [0, 0, 1, 0, 1]);
        let known = known(&types, &strata, &relations);
        let lists: [&[u32]; 5] = [&[1, 3], &[0, 2], &[4, 3], &[], &[2, 3]];
        let means = neighbor_means(&known, &|it| lists[it], &[1, 2], true);
        assert_eq!(value(&means, "purity", 1, 0, 0), Some((1.0, 2)));
        assert_eq!(value(&means, "purity", 2, 0, 0), Some((0.75, 2)));
        assert_eq!(value(&means, "purity", 2, 0, 1), Some((0.0, 1)));
        assert_eq!(value(&means, "purity", 2, 1, 0), None, "a cell without neighbours has no purity");
        // Cell 0: neighbours 1 and 3 are both of its batch; of the two others of its type one is.
        let excess = value(&means, "batch_excess", 2, 0, 0).expect("there");
        assert!((excess.0 - f64::midpoint(1.0 - 0.5, 0.5 - 0.5)).abs() < 1e-12);
        assert!(means.iter().all(|it| it.statistic != "graded_purity"), "no ontology, no grades");
    }

    #[test]
    fn chance_is_the_share_of_the_own_type() {
        let relations = Relations::none(2);
        let (types, strata) = ([0, 0, 0, 1, 1], [0, 0, 1, 0, 1]);
        let known = known(&types, &strata, &relations);
        let all = chance_purity(&known, false).expect("types");
        assert!((all - f64::midpoint(2.0 / 4.0, 1.0 / 4.0)).abs() < 1e-12);
        // Type 0: cells 0, 1 see 1 of 2 others, cell 2 sees 2 of 3; type 1: 1 of 2, 1 of 3.
        let other = chance_purity(&known, true).expect("types");
        let (a, b) = ((0.5 + 0.5 + 2.0 / 3.0) / 3.0, (0.5 + 1.0 / 3.0) / 2.0);
        assert!((other - f64::midpoint(a, b)).abs() < 1e-12);
    }
}
