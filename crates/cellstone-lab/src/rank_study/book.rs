//! Every statistic of every unit by type, by stratum and by seed: what the summary and the hypotheses read.

use super::resample::{Medians, TypePairs};
use cellstone_report::rank_study::schema::{NeighborRow, PairRow, SeedRow, StratumRow};
use std::collections::{BTreeMap, BTreeSet};

/// Unit, statistic, scope, number of neighbours.
pub(crate) type Key = (String, String, String, Option<i64>);

/// One statistic of one unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Values {
    /// Mean over seeds, by type.
    pub(crate) by_type: BTreeMap<String, f64>,
    /// Mean over seeds of the mean over types, by stratum.
    pub(crate) by_stratum: BTreeMap<String, f64>,
    /// Mean over types, by seed.
    pub(crate) by_seed: BTreeMap<i64, f64>,
    /// The pairs of types behind `by_type`, for intervals that draw them together; the types in their order.
    pub(crate) pairs: Option<(Vec<String>, TypePairs)>,
}

/// The medians of a unit in one scope, mean over seeds, and by seed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) types: Vec<String>,
    pub(crate) medians: Medians,
    pub(crate) by_seed: BTreeMap<i64, Medians>,
}

/// All statistics.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) values: BTreeMap<Key, Values>,
    pub(crate) figures: BTreeMap<(String, String), Figure>,
    /// Statistics of a whole unit, by seed.
    pub(crate) whole: BTreeMap<Key, BTreeMap<i64, f64>>,
}

/// A weighted mean in the making.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    weight: f64,
}

impl Mean {
    fn add(&mut self, value: f64, weight: f64) {
        self.sum += value * weight;
        self.weight += weight;
    }

    fn get(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sum = Mean::default();
    values.into_iter().for_each(|it| sum.add(it, 1.0));
    sum.get()
}

impl Book {
    /// Gathers the rows of all units and seeds.
    pub(crate) fn new(pairs: &[PairRow], strata: &[StratumRow], neighbors: &[NeighborRow], seeds: &[SeedRow]) -> Self {
        let mut book = Self::default();
        book.add_pairs(pairs);
        book.add_strata(strata);
        book.add_neighbors(neighbors);
        for row in seeds {
            if let Some(value) = row.value {
                let key = (row.unit.clone(), row.statistic.clone(), row.scope.clone(), row.k);
                book.whole.entry(key).or_default().insert(row.seed, value);
            }
        }
        book
    }

    fn add_pairs(&mut self, rows: &[PairRow]) {
        let mut groups = BTreeMap::<(&str, &str), Vec<&PairRow>>::new();
        for row in rows {
            groups.entry((&row.unit, &row.scope)).or_default().push(row);
        }
        for ((unit, scope), rows) in groups {
            // A type without a pair inside it has no place: nothing can be compared with it.
            let inside: BTreeSet<&String> =
                rows.iter().filter(|it| it.type_a == it.type_b).map(|it| &it.type_a).collect();
            let types: Vec<String> = inside.into_iter().cloned().collect();
            let seeds: BTreeSet<i64> = rows.iter().map(|it| it.seed).collect();
            let all = type_pairs(&types, rows.iter().copied());
            let mut values = Values::default();
            for (kind, value) in types.iter().zip(all.rows()) {
                values.by_type.extend(value.map(|it| (kind.clone(), it)));
            }
            let mut by_seed = BTreeMap::new();
            for seed in seeds {
                let of_seed = || rows.iter().copied().filter(|it| it.seed == seed);
                let found = type_pairs(&types, of_seed()).macro_mean(&vec![1; types.len()]);
                values.by_seed.extend(found.map(|it| (seed, it)));
                by_seed.insert(seed, medians(&types, of_seed()));
            }
            let figure = Figure { medians: medians(&types, rows.iter().copied()), by_seed, types: types.clone() };
            values.pairs = Some((types, all));
            self.figures.insert((unit.to_owned(), scope.to_owned()), figure);
            self.values.insert((unit.to_owned(), "auroc_macro".to_owned(), scope.to_owned(), None), values);
        }
    }

    fn add_strata(&mut self, rows: &[StratumRow]) {
        let mut means = BTreeMap::<(&str, &str), BTreeMap<(i64, &str), f64>>::new();
        for row in rows {
            if let Some(value) = row.auroc {
                let of_unit = means.entry((&row.unit, &row.stratum)).or_default();
                of_unit.insert((row.seed, &row.cell_type), value);
            }
        }
        for ((unit, stratum), values) in means {
            let key = (unit.to_owned(), "auroc_macro".to_owned(), "other".to_owned(), None);
            let value = mean(values.into_values());
            self.values.entry(key).or_default().by_stratum.extend(value.map(|it| (stratum.to_owned(), it)));
        }
    }

    fn add_neighbors(&mut self, rows: &[NeighborRow]) {
        let mut groups = BTreeMap::<(&str, &str, &str, i64), Vec<&NeighborRow>>::new();
        for row in rows {
            groups.entry((&row.unit, &row.statistic, &row.scope, row.k)).or_default().push(row);
        }
        for ((unit, statistic, scope, k), rows) in groups {
            let by = |of: &dyn Fn(&NeighborRow) -> (i64, String)| {
                let mut means = BTreeMap::<(i64, String), BTreeMap<&str, Mean>>::new();
                for row in &rows {
                    if let Some(value) = row.mean {
                        let slot = means.entry(of(row)).or_default().entry(&row.cell_type).or_default();
                        slot.add(value, row.n as f64);
                    }
                }
                means
            };
            let mut values = Values::default();
            for ((_, kind), means) in by(&|it| (0, it.cell_type.clone())) {
                values.by_type.extend(mean(means.into_values().filter_map(Mean::get)).map(|it| (kind, it)));
            }
            for ((_, stratum), means) in by(&|it| (0, it.stratum.clone())) {
                let value = mean(means.into_values().filter_map(Mean::get));
                values.by_stratum.extend(value.filter(|_| !stratum.is_empty()).map(|it| (stratum, it)));
            }
            for ((seed, _), means) in by(&|it| (it.seed, String::new())) {
                values.by_seed.extend(mean(means.into_values().filter_map(Mean::get)).map(|it| (seed, it)));
            }
            self.values.insert((unit.to_owned(), statistic.to_owned(), scope.to_owned(), Some(k)), values);
        }
    }

    /// A statistic of a unit.
    pub(crate) fn get(&self, unit: &str, statistic: &str, scope: &str, k: Option<i64>) -> Option<&Values> {
        self.values.get(&(unit.to_owned(), statistic.to_owned(), scope.to_owned(), k))
    }

    /// A statistic of a whole unit, mean over seeds.
    pub(crate) fn whole(&self, unit: &str, statistic: &str, scope: &str, k: Option<i64>) -> Option<f64> {
        let key = (unit.to_owned(), statistic.to_owned(), scope.to_owned(), k);
        mean(self.whole.get(&key)?.values().copied())
    }
}

/// The chance that a pair inside the first type is more alike than one with the second, weighted by pairs.
fn type_pairs<'a>(types: &[String], rows: impl Iterator<Item = &'a PairRow>) -> TypePairs {
    let n = types.len();
    let mut means = vec![Mean::default(); n * n];
    for row in rows.filter(|it| it.type_a != it.type_b) {
        let (a, b) = (types.binary_search(&row.type_a), types.binary_search(&row.type_b));
        for (at, other, value) in [(a.ok(), b.ok(), row.auroc_a), (b.ok(), a.ok(), row.auroc_b)] {
            if let (Some(at), Some(other), Some(value)) = (at, other, value) {
                means[at * n + other].add(value, row.n as f64);
            }
        }
    }
    let mut out = TypePairs::new(n);
    for (slot, it) in out.cells.iter_mut().zip(means) {
        *slot = it.get().map_or((0.0, 0.0), |value| (value, it.weight));
    }
    out
}

fn medians<'a>(types: &[String], rows: impl Iterator<Item = &'a PairRow>) -> Medians {
    let mut means = BTreeMap::<(usize, usize), Mean>::new();
    for row in rows {
        let (a, b) = (types.binary_search(&row.type_a), types.binary_search(&row.type_b));
        if let (Ok(a), Ok(b), Some(value)) = (a, b, row.q50) {
            means.entry((a.min(b), a.max(b))).or_default().add(value, 1.0);
        }
    }
    let within = (0..types.len()).map(|it| means.get(&(it, it)).and_then(|it| it.get())).collect();
    let between = means.iter().filter(|it| it.0.0 != it.0.1);
    Medians { within, between: between.filter_map(|((a, b), it)| it.get().map(|it| (*a, *b, it))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: i64, a: &str, b: &str, n: i64, q50: f64, auroc: Option<(f64, f64)>) -> PairRow {
        PairRow {
            seed,
            unit: "u".into(),
            scope: "all".into(),
            type_a: a.into(),
            type_b: b.into(),
            n,
            q50: Some(q50),
            auroc_a: auroc.map(|it| it.0),
            auroc_b: auroc.map(|it| it.1),
            ..PairRow::default()
        }
    }

    #[test]
    fn pairs_become_values_by_type_and_seed() {
        let rows = [
            pair(1, "A", "A", 10, 0.8, None),
            pair(1, "A", "B", 10, 0.2, Some((0.9, 0.7))),
            pair(1, "B", "B", 10, 0.6, None),
            pair(2, "A", "A", 10, 0.6, None),
            pair(2, "A", "B", 30, 0.4, Some((0.5, 0.3))),
            pair(2, "B", "B", 10, 0.6, None),
            pair(2, "A", "C", 30, 0.4, Some((0.1, 0.1))),
        ];
        let book = Book::new(&rows, &[], &[], &[]);
        let values = book.get("u", "auroc_macro", "all", None).expect("there");
        // Weighted by pairs; type C has no pair inside it and is left out.
        assert_eq!(values.by_type, BTreeMap::from([("A".into(), 0.6), ("B".into(), 0.4)]));
        assert_eq!(values.by_seed.iter().map(|it| *it.0).collect::<Vec<_>>(), [1, 2]);
        assert!((values.by_seed[&1] - 0.8).abs() < 1e-12 && (values.by_seed[&2] - 0.4).abs() < 1e-12);
        let figure = &book.figures[&("u".to_owned(), "all".to_owned())];
        assert_eq!(figure.medians.within, [Some(0.7), Some(0.6)]);
        assert!((figure.medians.between[0].2 - 0.3).abs() < 1e-12);
    }

    #[test]
    fn neighbours_weigh_types_alike() {
        let row = |seed, kind: &str, stratum: &str, n, value| NeighborRow {
            seed,
            unit: "u".into(),
            statistic: "purity".into(),
            scope: "all".into(),
            k: 5,
            cell_type: kind.into(),
            stratum: stratum.into(),
            n,
            mean: Some(value),
        };
        let rows = [row(1, "A", "x", 10, 1.0), row(1, "A", "y", 30, 0.5), row(1, "B", "x", 1, 0.2)];
        let book = Book::new(&[], &[], &rows, &[]);
        let values = book.get("u", "purity", "all", Some(5)).expect("there");
        assert_eq!(values.by_type["A"], 0.625);
        assert_eq!(values.by_stratum, BTreeMap::from([("x".into(), 0.6), ("y".into(), 0.5)]));
        assert!((values.by_seed[&1] - f64::midpoint(0.625, 0.2)).abs() < 1e-12);
    }
}
