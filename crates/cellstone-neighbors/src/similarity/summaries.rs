//! What is kept of all pairs: distributions by pair of groups and relation, and the nearest rows.

use super::cells::pair_index;
use super::distribution::{Distribution, Tally, Units};
use super::engine::relation_index;
use super::lists::NeighborLists;
use super::options::{Grid, Relation};
use super::separation::Separation;
use cellstone_core::{Score, Why};

/// Similarities of all pairs of rows, by unordered pair of groups and by whether the rows share a stratum.
#[derive(Debug, Clone, PartialEq)]
pub struct PairSummaries {
    pub(super) grid: Grid,
    pub(super) units: Units,
    pub(super) n_groups: usize,
    /// 1 without strata, else 2.
    pub(super) n_relations: usize,
    /// By pair of groups and then relation.
    pub(super) tallies: Vec<Tally>,
    pub(super) neighbors: Option<NeighborLists>,
    pub(super) other_neighbors: Option<NeighborLists>,
    pub(super) excluded: Vec<u32>,
}

/// A mean over those groups that have a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MacroMean {
    /// The mean, undefined without any group.
    pub mean: Score,
    /// Groups with a value.
    pub n_defined: usize,
    /// All groups.
    pub n_groups: usize,
}

impl MacroMean {
    /// The mean of what there is.
    pub(super) fn of(values: &[Option<f64>]) -> Self {
        let defined: Vec<f64> = values.iter().copied().flatten().collect();
        let mean = if defined.is_empty() {
            Score::Undefined(Why::TooFewCells)
        } else {
            Score::Value(defined.iter().sum::<f64>() / defined.len() as f64)
        };
        Self { mean, n_defined: defined.len(), n_groups: values.len() }
    }
}

impl PairSummaries {
    /// Number of groups.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Whether pairs are split by stratum. Without strata only [`Relation::All`] has pairs.
    pub fn has_strata(&self) -> bool {
        self.n_relations == 2
    }

    /// The bins of every distribution.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Rows that have no similarity and are in no pair, ascending.
    pub fn excluded(&self) -> &[u32] {
        &self.excluded
    }

    /// The most similar rows of every row, if they were asked for.
    pub fn neighbors(&self) -> Option<&NeighborLists> {
        self.neighbors.as_ref()
    }

    /// The most similar rows of other strata, if they were asked for.
    pub fn other_neighbors(&self) -> Option<&NeighborLists> {
        self.other_neighbors.as_ref()
    }

    /// Pairs of a row of group `a` and one of group `b`.
    ///
    /// # Panics
    /// If a group is out of range.
    pub fn pair(&self, a: u32, b: u32, relation: Relation) -> Distribution {
        assert!((a.max(b) as usize) < self.n_groups, "groups {a} and {b} of {}", self.n_groups);
        self.sum_of([(a, b)], relation)
    }

    /// Pairs of rows of one group, whichever it is.
    pub fn within(&self, relation: Relation) -> Distribution {
        self.sum_of(self.groups().map(|it| (it, it)), relation)
    }

    /// Pairs of rows of two groups, whichever they are.
    pub fn between(&self, relation: Relation) -> Distribution {
        self.sum_of(self.groups().flat_map(|a| (0..a).map(move |b| (a, b))), relation)
    }

    /// Pairs of a row of this group and one of any other.
    ///
    /// # Panics
    /// If the group is out of range.
    pub fn between_of(&self, group: u32, relation: Relation) -> Distribution {
        assert!((group as usize) < self.n_groups, "group {group} of {}", self.n_groups);
        self.sum_of(self.groups().filter(|it| *it != group).map(|it| (group, it)), relation)
    }

    /// How far pairs within groups are from pairs between groups.
    pub fn separation(&self, relation: Relation) -> Separation {
        Separation::of_distributions(&self.within(relation), &self.between(relation))
    }

    /// How far pairs within a group are from those between it and the others.
    ///
    /// # Panics
    /// If the group is out of range.
    pub fn separation_of(&self, group: u32, relation: Relation) -> Separation {
        Separation::of_distributions(&self.pair(group, group, relation), &self.between_of(group, relation))
    }

    /// Mean over groups of the AUROC of each.
    pub fn macro_auroc(&self, relation: Relation) -> MacroMean {
        let values: Vec<Option<f64>> = self.groups().map(|it| self.separation_of(it, relation).auroc.value()).collect();
        MacroMean::of(&values)
    }

    /// Median of the pairs within each group; `None` where there are no such pairs.
    pub fn within_medians(&self, relation: Relation) -> Vec<Option<f64>> {
        self.groups().map(|it| self.pair(it, it, relation).median()).collect()
    }

    /// Median of the pairs between each two groups, `(a, b, median)` with `a < b`; those without pairs are left out.
    pub fn between_medians(&self, relation: Relation) -> Vec<(u32, u32, f64)> {
        let pairs = self.groups().flat_map(|a| (a + 1..self.n_groups as u32).map(move |b| (a, b)));
        pairs.filter_map(|(a, b)| self.pair(a, b, relation).median().map(|it| (a, b, it))).collect()
    }

    fn groups(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.n_groups as u32
    }

    fn sum_of(&self, pairs: impl IntoIterator<Item = (u32, u32)>, relation: Relation) -> Distribution {
        let mut sum = Distribution::empty(self.grid, self.units);
        for (a, b) in pairs {
            let first = pair_index(a, b, self.n_groups) * self.n_relations;
            match relation {
                Relation::All => self.tallies[first..first + self.n_relations].iter().for_each(|it| sum.add(it)),
                Relation::Same | Relation::Other if self.has_strata() => {
                    sum.add(&self.tallies[first + relation_index(relation)]);
                }
                Relation::Same | Relation::Other => {}
            }
        }
        sum
    }
}
