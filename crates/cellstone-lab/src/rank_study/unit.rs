//! One unit of the grid in one seed: its rows, all its pairs or the sampled ones, its neighbours.

use super::classes::Classes;
use super::config::{PairMetric, Unit};
use super::encode::CellRows;
use super::purity::{chance_purity, neighbor_means};
use super::resample::auroc;
use super::sampled::{PairOptions as SampledOptions, score};
use super::study::Study;
use cellstone_core::{Clustering, Result, Seed};
use cellstone_metrics::integration::{LisiParams, Neighborhood, clisi, ilisi, lisi_of};
use cellstone_neighbors::{
    Distribution, NeighborLists, PairOptions, PairSummaries, Relation, Separation, Similarity, all_pairs_with,
};
use cellstone_report::rank_study::schema::{
    DistributionRow, ListRow, NeighborRow, PairRow, RelationRow, SampledRow, SeedRow, StratumRow, UnitRunRow,
};
use rand::seq::SliceRandom;

/// Largest number of type-by-stratum groups for which strata are told apart pair by pair.
const MAX_GROUPS: usize = 120;
/// Largest number of cells for which they are: it is a second pass over all pairs.
const MAX_CELLS: usize = 20_000;
/// Permutations of labels behind a floor.
const PERMUTATIONS: usize = 20;
/// Neighbours whose overlap says how far two units agree.
pub(crate) const AGREEMENT_K: usize = 15;

/// Everything that is kept of a unit in one seed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct UnitTables {
    pub(crate) runs: Vec<UnitRunRow>,
    pub(crate) pairs: Vec<PairRow>,
    pub(crate) strata: Vec<StratumRow>,
    pub(crate) neighbors: Vec<NeighborRow>,
    pub(crate) relations: Vec<RelationRow>,
    pub(crate) distributions: Vec<DistributionRow>,
    pub(crate) seeds: Vec<SeedRow>,
    pub(crate) lists: Vec<ListRow>,
    pub(crate) sampled: Vec<SampledRow>,
}

/// A similarity that the engine takes for all pairs.
pub(crate) fn similarity(metric: PairMetric) -> Option<Similarity> {
    match metric {
        PairMetric::Euclidean => Some(Similarity::Euclidean),
        PairMetric::Cosine => Some(Similarity::Cosine),
        PairMetric::Pearson => Some(Similarity::Pearson),
        PairMetric::Spearman => Some(Similarity::Spearman),
        _ => None,
    }
}

/// Computes a unit on its rows; `done` hears of finished pairs.
///
/// # Errors
/// As the engine and the measures say.
pub(crate) fn run_unit(
    study: &Study<'_>,
    unit: &Unit,
    rows: &CellRows,
    n_genes: usize,
    done: &(dyn Fn(u64) + Sync),
) -> Result<UnitTables> {
    let work = Work { study, name: unit.name() };
    let options = SampledOptions { rbo_p: study.config.pairs.rbo_p, top_k: study.config.pairs.top_k };
    let sampled = score(rows, unit.metric, &study.pairs.cells, options)?;
    let mut tables = UnitTables::default();
    work.permuted_pairs(&sampled, &mut tables);
    work.summarize_sampled(&sampled, &mut tables);
    let (mut n_pairs, mut n_constant) = (sampled.iter().flatten().count() as u64, 0);
    if let Some(similarity) = similarity(unit.metric) {
        let summaries = work.all_pairs(rows, similarity, done)?;
        n_pairs = summaries.within(Relation::All).n() + summaries.between(Relation::All).n();
        n_constant = summaries.excluded().len() as i64;
        work.summarize(&summaries, &mut tables);
        work.neighbors(&summaries, &mut tables);
        if let Some(lists) = summaries.neighbors() {
            work.lisi(lists, similarity, &mut tables)?;
        }
        work.strata(rows, similarity, &mut tables)?;
    }
    tables.sampled = sampled.into_iter().map(|value| SampledRow { value }).collect();
    tables.runs.push(UnitRunRow {
        seed: study.seed as i64,
        unit: work.name,
        n_cells: study.types.len() as i64,
        n_genes: n_genes as i64,
        n_pairs: n_pairs as i64,
        n_constant,
        status: "ok".to_owned(),
        reason: None,
    });
    Ok(tables)
}

struct Work<'a> {
    study: &'a Study<'a>,
    name: String,
}

impl Work<'_> {
    fn all_pairs(&self, rows: &CellRows, similarity: Similarity, done: &(dyn Fn(u64) + Sync)) -> Result<PairSummaries> {
        let study = self.study;
        let k = study.config.max_k().min(study.types.len() - 1);
        let strata = study.stratum_codes().filter(|_| study.has_other_strata());
        let options = PairOptions {
            strata,
            k,
            k_other: if strata.is_some() { k } else { 0 },
            ..PairOptions::new(&study.types, study.n_types())
        };
        all_pairs_with(rows.view(), similarity, &options, done)
    }

    /// Which pairs are told apart: all, and where there are strata those inside and between them.
    fn scopes(&self) -> &'static [Relation] {
        if self.study.has_other_strata() { &[Relation::All, Relation::Same, Relation::Other] } else { &[Relation::All] }
    }

    /// The scope that conclusions rest on.
    fn headline(&self) -> Relation {
        if self.study.has_other_strata() { Relation::Other } else { Relation::All }
    }

    fn seed_row(&self, statistic: &str, scope: &str, k: Option<usize>, value: Option<f64>) -> SeedRow {
        SeedRow {
            seed: self.study.seed as i64,
            unit: self.name.clone(),
            statistic: statistic.to_owned(),
            scope: scope.to_owned(),
            k: k.map(|it| it as i64),
            value: value.filter(|it| it.is_finite()),
        }
    }

    fn summarize(&self, summaries: &PairSummaries, tables: &mut UnitTables) {
        for scope in self.scopes() {
            let within: Vec<Distribution> =
                (0..self.study.n_types() as u32).map(|it| summaries.pair(it, it, *scope)).collect();
            for a in 0..within.len() as u32 {
                for b in a..within.len() as u32 {
                    let pairs = if a == b { within[a as usize].clone() } else { summaries.pair(a, b, *scope) };
                    tables.pairs.extend(self.pair_row(a, b, *scope, &pairs, &within));
                }
            }
            let whole = summaries.separation(*scope);
            tables.seeds.push(self.seed_row("auroc_global", scope.id(), None, whole.auroc.value()));
            tables.seeds.push(self.seed_row("d_prime", scope.id(), None, whole.d_prime.value()));
        }
        let classes = Classes::new(summaries, self.study, self.headline());
        tables.relations = classes.calls(self.study, &self.name, self.headline().id());
        tables.distributions = classes.bars(&self.name, self.headline().id());
    }

    fn pair_row(
        &self,
        a: u32,
        b: u32,
        scope: Relation,
        pairs: &Distribution,
        within: &[Distribution],
    ) -> Option<PairRow> {
        if pairs.n() == 0 {
            return None;
        }
        let against = |kind: u32| {
            let inside = &within[kind as usize];
            if a == b { None } else { Separation::of_distributions(inside, pairs).auroc.value() }
        };
        Some(PairRow {
            seed: self.study.seed as i64,
            unit: self.name.clone(),
            scope: scope.id().to_owned(),
            type_a: self.study.type_names[a as usize].clone(),
            type_b: self.study.type_names[b as usize].clone(),
            relation: self.study.relations.kinship(a, b).as_str().to_owned(),
            n: pairs.n() as i64,
            mean: pairs.mean(),
            sd: pairs.sd(),
            q05: pairs.quantile(0.05),
            q25: pairs.quantile(0.25),
            q50: pairs.median(),
            q75: pairs.quantile(0.75),
            q95: pairs.quantile(0.95),
            auroc_a: against(a),
            auroc_b: against(b),
        })
    }

    /// The same rows from sampled pairs: all there is of costly metrics, and what others are compared with them by.
    fn summarize_sampled(&self, values: &[Option<f64>], tables: &mut UnitTables) {
        let n = self.study.n_types();
        let mut of_pair = vec![Vec::new(); n * n];
        for ((a, b), value) in self.study.pairs.types.iter().zip(values) {
            of_pair[*a as usize * n + *b as usize].extend(*value);
        }
        let quantiles = |values: &[f64]| {
            cellstone_metrics::stats::quantiles(values, &[0.05, 0.25, 0.5, 0.75, 0.95]).unwrap_or_default()
        };
        for a in 0..n {
            for b in a..n {
                let pairs = &of_pair[a * n + b];
                if pairs.is_empty() {
                    continue;
                }
                let q = quantiles(pairs);
                let count = pairs.len() as f64;
                let mean = pairs.iter().sum::<f64>() / count;
                let scatter: f64 = pairs.iter().map(|it| (it - mean).powi(2)).sum();
                let against = |kind: usize| if a == b { None } else { auroc(&of_pair[kind * n + kind], pairs) };
                tables.pairs.push(PairRow {
                    seed: self.study.seed as i64,
                    unit: self.name.clone(),
                    scope: "sampled".to_owned(),
                    type_a: self.study.type_names[a].clone(),
                    type_b: self.study.type_names[b].clone(),
                    relation: self.study.relations.kinship(a as u32, b as u32).as_str().to_owned(),
                    n: pairs.len() as i64,
                    mean: Some(mean),
                    sd: (pairs.len() > 1).then(|| (scatter / (count - 1.0)).sqrt()),
                    q05: q.first().copied(),
                    q25: q.get(1).copied(),
                    q50: q.get(2).copied(),
                    q75: q.get(3).copied(),
                    q95: q.get(4).copied(),
                    auroc_a: against(a),
                    auroc_b: against(b),
                });
            }
        }
    }

    fn neighbors(&self, summaries: &PairSummaries, tables: &mut UnitTables) {
        let known = self.study.known();
        let ks: Vec<usize> = self.study.config.k.iter().copied().filter(|it| *it < self.study.types.len()).collect();
        let lists = [("all", summaries.neighbors()), ("other", summaries.other_neighbors())];
        for (scope, lists) in lists {
            let Some(lists) = lists else { continue };
            let list = |cell: usize| lists.neighbors(cell).0;
            for it in neighbor_means(&known, &list, &ks, scope == "all") {
                tables.neighbors.push(NeighborRow {
                    seed: self.study.seed as i64,
                    unit: self.name.clone(),
                    statistic: it.statistic.to_owned(),
                    scope: scope.to_owned(),
                    k: it.k as i64,
                    cell_type: self.study.type_names[it.kind as usize].clone(),
                    stratum: it.stratum.map_or_else(String::new, |it| self.stratum_name(it)),
                    n: it.n as i64,
                    mean: Some(it.mean),
                });
            }
            tables.seeds.push(self.seed_row("purity_chance", scope, None, chance_purity(&known, scope == "other")));
            tables.seeds.push(self.permuted_purity(lists, scope));
        }
        if let Some(lists) = summaries.neighbors() {
            let first = |cell: usize| lists.neighbors(cell).0.iter().take(AGREEMENT_K).map(|it| *it as f32).collect();
            tables.lists = (0..self.study.types.len()).map(|it| ListRow { neighbors: first(it) }).collect();
        }
    }

    /// How many types and how many batches a neighbourhood effectively holds, brought to 0 to 1: 1 is pure, 1 is mixed.
    fn lisi(&self, lists: &NeighborLists, similarity: Similarity, tables: &mut UnitTables) -> Result<()> {
        let distance = |it: f64| if similarity == Similarity::Euclidean { -it } else { (1.0 - it).max(0.0) };
        let around = |cell: usize| {
            let (near, similarities) = lists.neighbors(cell);
            (near.to_vec(), similarities.iter().map(|it| distance(*it)).collect())
        };
        let neighborhoods: Vec<Neighborhood> = (0..self.study.types.len()).map(around).collect();
        let types = Clustering::new(&self.study.types);
        let batches = self.study.batches.as_ref().map(|it| Clustering::new(&it.codes));
        let mut sets = vec![types.labels()];
        sets.extend(batches.as_ref().map(Clustering::labels));
        let k = lists.k();
        if k < 3 {
            return Ok(());
        }
        let values = lisi_of(&neighborhoods, &sets, k, &LisiParams::default())?;
        let pure = clisi(&values[0], types.labels())?.value.value();
        tables.seeds.push(self.seed_row("clisi", "all", Some(k), pure));
        if let (Some(batches), Some(values)) = (&batches, values.get(1)) {
            let mixed = ilisi(values, batches.labels())?.value.value();
            tables.seeds.push(self.seed_row("ilisi", "all", Some(k), mixed));
        }
        Ok(())
    }

    fn stratum_name(&self, code: u32) -> String {
        self.study.strata.as_ref().map_or_else(String::new, |it| it.names[code as usize].clone())
    }

    /// Labels put on cells at random, inside strata where there are some.
    fn permuted_types(&self, seed: Seed) -> Vec<u32> {
        let mut groups = std::collections::BTreeMap::<u32, Vec<usize>>::new();
        for cell in 0..self.study.types.len() {
            let stratum = self.study.stratum_codes().map_or(0, |it| it[cell]);
            groups.entry(stratum).or_default().push(cell);
        }
        let mut types = self.study.types.clone();
        let mut rng = seed.rng();
        for cells in groups.into_values() {
            let mut labels: Vec<u32> = cells.iter().map(|it| self.study.types[*it]).collect();
            labels.shuffle(&mut rng);
            cells.into_iter().zip(labels).for_each(|(cell, label)| types[cell] = label);
        }
        types
    }

    fn permuted_purity(&self, lists: &NeighborLists, scope: &str) -> SeedRow {
        let seed = self.study.root.derive("permutation");
        let k = AGREEMENT_K.min(lists.k());
        let mut means = Vec::new();
        for draw in 0..PERMUTATIONS {
            let types = self.permuted_types(seed.derive_index(draw as u64));
            let known = super::purity::Known { types: &types, ..self.study.known() };
            let rows = neighbor_means(&known, &|it| lists.neighbors(it).0, &[k], false);
            let mut of_type = std::collections::BTreeMap::<u32, (f64, f64)>::new();
            for it in rows.iter().filter(|it| it.statistic == "purity") {
                let slot = of_type.entry(it.kind).or_default();
                *slot = (slot.0 + it.mean * it.n as f64, slot.1 + it.n as f64);
            }
            let types: Vec<f64> = of_type.values().map(|it| it.0 / it.1).collect();
            means.extend(cellstone_core::sum::mean(&types));
        }
        self.seed_row("purity_permuted", scope, Some(k), cellstone_core::sum::mean(&means))
    }

    /// The chance that a sampled pair inside a type is more alike than one between types, as labelled and permuted.
    fn permuted_pairs(&self, values: &[Option<f64>], tables: &mut UnitTables) {
        let mut order: Vec<usize> = (0..values.len()).filter(|it| values[*it].is_some()).collect();
        let value = |at: usize| values[at].unwrap_or(f64::NAN);
        order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
        let of = |types: &[u32]| {
            let inside = |at: usize| {
                let (a, b) = self.study.pairs.cells[at];
                types[a as usize] == types[b as usize]
            };
            sorted_auroc(&order, &value, &inside)
        };
        tables.seeds.push(self.seed_row("auroc_global", "sampled", None, of(&self.study.types)));
        let seed = self.study.root.derive("permutation");
        let permuted: Vec<f64> =
            (0..PERMUTATIONS).filter_map(|it| of(&self.permuted_types(seed.derive_index(it as u64)))).collect();
        tables.seeds.push(self.seed_row("auroc_permuted", "sampled", None, cellstone_core::sum::mean(&permuted)));
    }

    /// The AUROC of every type for the cells of one stratum against those of the others: a second pass, with a group for
    /// every type and stratum.
    fn strata(&self, rows: &CellRows, similarity: Similarity, tables: &mut UnitTables) -> Result<()> {
        let (Some(strata), true) = (&self.study.strata, self.study.has_other_strata()) else { return Ok(()) };
        let (n_types, n_strata) = (self.study.n_types(), strata.names.len());
        if n_types * n_strata > MAX_GROUPS || self.study.types.len() > MAX_CELLS {
            return Ok(());
        }
        let group = |kind: usize, stratum: usize| (kind * n_strata + stratum) as u32;
        let groups: Vec<u32> =
            self.study.types.iter().zip(&strata.codes).map(|(a, b)| group(*a as usize, *b as usize)).collect();
        let summaries =
            all_pairs_with(rows.view(), similarity, &PairOptions::new(&groups, n_types * n_strata), &|_| ())?;
        for own in 0..n_strata {
            let others = || (0..n_strata).filter(|it| *it != own);
            let add = |sum: &mut Vec<u64>, a: u32, b: u32| {
                let pairs = summaries.pair(a, b, Relation::All);
                sum.resize(sum.len().max(pairs.counts().len()), 0);
                sum.iter_mut().zip(pairs.counts()).for_each(|(sum, it)| *sum += it);
            };
            for kind in 0..n_types {
                let (mut within, mut between) = (Vec::new(), Vec::new());
                for other in others() {
                    add(&mut within, group(kind, own), group(kind, other));
                    for another in (0..n_types).filter(|it| *it != kind) {
                        add(&mut between, group(kind, own), group(another, other));
                    }
                }
                tables.strata.push(StratumRow {
                    seed: self.study.seed as i64,
                    unit: self.name.clone(),
                    stratum: strata.names[own].clone(),
                    cell_type: self.study.type_names[kind].clone(),
                    auroc: histogram_auroc(&within, &between),
                });
            }
        }
        Ok(())
    }
}

/// `P(inside > outside) + P(equal)/2` for places in ascending order of their value.
fn sorted_auroc(order: &[usize], value: &dyn Fn(usize) -> f64, inside: &dyn Fn(usize) -> bool) -> Option<f64> {
    let (mut n_in, mut n_out, mut wins) = (0.0, 0.0, 0.0);
    for ties in order.chunk_by(|a, b| value(*a) == value(*b)) {
        let hits = ties.iter().filter(|it| inside(**it)).count() as f64;
        let others = ties.len() as f64 - hits;
        wins += hits * (n_out + others / 2.0);
        n_in += hits;
        n_out += others;
    }
    (n_in > 0.0 && n_out > 0.0).then(|| wins / (n_in * n_out))
}

/// `Σ_bins h_w (H_b,below + h_b/2) / (n_w n_b)`.
fn histogram_auroc(within: &[u64], between: &[u64]) -> Option<f64> {
    let (mut below, mut wins, mut n_within) = (0_u128, 0_u128, 0_u128);
    for bin in 0..within.len().max(between.len()) {
        let of = |counts: &[u64]| u128::from(counts.get(bin).copied().unwrap_or(0));
        wins += of(within) * (2 * below + of(between));
        below += of(between);
        n_within += of(within);
    }
    (n_within > 0 && below > 0).then(|| wins as f64 / (2.0 * n_within as f64 * below as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_and_values_give_the_same_chance() {
        // Inside: bins 1, 2, 2; outside: bins 0, 2.
        assert_eq!(histogram_auroc(&[0, 1, 2], &[1, 0, 1]), Some((1.0 + 1.5 + 1.5) / 6.0));
        assert_eq!(histogram_auroc(&[1], &[]), None);
        let values = [1.0, 0.0, 2.0, 2.0, 2.0];
        let inside = [true, false, true, false, true];
        let mut order = vec![0, 1, 2, 3, 4];
        order.sort_by(|a, b| f64::total_cmp(&values[*a], &values[*b]));
        let found = sorted_auroc(&order, &|it| values[it], &|it| inside[it]);
        assert_eq!(found, Some(4.0 / 6.0));
        assert_eq!(auroc(&[1.0, 2.0, 2.0], &[0.0, 2.0]), Some(4.0 / 6.0));
    }
}
