//! All pairs by the relation of their types: what is called alike at a cut-off, and distributions for pictures.

use super::relations::Kinship;
use super::study::Study;
use cellstone_neighbors::{PairSummaries, Relation};
use cellstone_report::rank_study::schema::{DistributionRow, RelationRow};

/// Bars of the distributions in pictures.
const BARS: usize = 80;

/// Histograms by relation of the two types.
pub(crate) struct Classes {
    low: f64,
    width: f64,
    /// By kinship and bin.
    counts: [Vec<u64>; 4],
}

/// Shares of pairs, largest similarities first, at which pairs are called alike.
const SHARES: [(&str, f64); 9] = [
    ("top_1e-1", 1e-1),
    ("top_5e-2", 5e-2),
    ("top_2e-2", 2e-2),
    ("top_1e-2", 1e-2),
    ("top_5e-3", 5e-3),
    ("top_2e-3", 2e-3),
    ("top_1e-3", 1e-3),
    ("top_5e-4", 5e-4),
    ("top_1e-4", 1e-4),
];

impl Classes {
    pub(crate) fn new(summaries: &PairSummaries, study: &Study<'_>, scope: Relation) -> Self {
        let grid = summaries.grid();
        let mut counts = [const { Vec::new() }; 4];
        counts.iter_mut().for_each(|it| it.resize(grid.n_bins, 0));
        for a in 0..study.n_types() as u32 {
            for b in a..study.n_types() as u32 {
                let pairs = summaries.pair(a, b, scope);
                let class = study.relations.kinship(a, b) as usize;
                counts[class].iter_mut().zip(pairs.counts()).for_each(|(sum, it)| *sum += it);
            }
        }
        Self { low: grid.low, width: grid.width(), counts }
    }

    /// What is called alike at every rule; pairs of unknown relation are left out. Without an ontology all pairs of two
    /// types are different.
    pub(crate) fn calls(&self, study: &Study<'_>, unit: &str, scope: &str) -> Vec<RelationRow> {
        let known = study.relations.known;
        let n_bins = self.counts[0].len();
        let class = |kinship: Kinship| &self.counts[kinship as usize];
        let different =
            |bin: usize| class(Kinship::Different)[bin] + if known { 0 } else { class(Kinship::Unknown)[bin] };
        let totals = |of: &dyn Fn(usize) -> u64| (0..n_bins).map(of).sum::<u64>();
        let all =
            [totals(&|it| class(Kinship::Same)[it]), totals(&|it| class(Kinship::Similar)[it]), totals(&different)];
        let n_all: u64 = all.iter().sum();
        // Called pairs of each class when all bins from this one up are called.
        let mut above = vec![[0_u64; 3]; n_bins + 1];
        for bin in (0..n_bins).rev() {
            above[bin] = above[bin + 1];
            let here = [class(Kinship::Same)[bin], class(Kinship::Similar)[bin], different(bin)];
            above[bin].iter_mut().zip(here).for_each(|(sum, it)| *sum += it);
        }
        let row = |rule: &str, bin: Option<usize>| {
            let called = bin.map_or([0; 3], |it| above[it]);
            let n: u64 = called.iter().sum();
            let share = |at: usize| (n > 0).then(|| called[at] as f64 / n as f64);
            let recall = |at: usize| (all[at] > 0 && bin.is_some()).then(|| called[at] as f64 / all[at] as f64);
            RelationRow {
                seed: study.seed as i64,
                unit: unit.to_owned(),
                scope: scope.to_owned(),
                rule: rule.to_owned(),
                tau: bin.map(|it| self.low + it as f64 * self.width),
                n_called: n as i64,
                share_same: share(0),
                share_similar: share(1),
                share_different: share(2),
                recall_same: recall(0),
                recall_similar: recall(1),
            }
        };
        if n_all == 0 {
            return Vec::new();
        }
        let mut rows: Vec<RelationRow> = SHARES
            .iter()
            .map(|(rule, share)| {
                // The highest cut-off that calls at least the asked share.
                let bin = (0..n_bins).rev().find(|it| above[*it].iter().sum::<u64>() as f64 >= share * n_all as f64);
                row(rule, bin)
            })
            .collect();
        let others = all[1] + all[2];
        // DIVERGES(youden-on-all-pairs): not on training donors alone.
        let youden = (0..n_bins).filter(|_| all[0] > 0 && others > 0).max_by(|x, y| {
            let j = |bin: usize| {
                above[bin][0] as f64 / all[0] as f64 - (above[bin][1] + above[bin][2]) as f64 / others as f64
            };
            // Of equal ones the higher cut-off.
            j(*x).total_cmp(&j(*y)).then(x.cmp(y))
        });
        rows.push(row("youden", youden));
        let pure = |bin: &usize| {
            let n: u64 = above[*bin].iter().sum();
            n > 0 && above[*bin][2] as f64 <= 0.05 * n as f64
        };
        rows.push(row("different_5", (0..n_bins).find(pure)));
        rows
    }

    /// Bars between the least and the largest similarity that occurs.
    pub(crate) fn bars(&self, unit: &str, scope: &str) -> Vec<DistributionRow> {
        let occurs = |bin: &usize| self.counts.iter().any(|it| it[*bin] > 0);
        let n_bins = self.counts[0].len();
        let (Some(first), Some(last)) = ((0..n_bins).find(occurs), (0..n_bins).rev().find(occurs)) else {
            return Vec::new();
        };
        let step = (last - first + 1).div_ceil(BARS);
        let mut rows = Vec::new();
        for kinship in Kinship::ALL {
            let counts = &self.counts[kinship as usize];
            let n: u64 = counts.iter().sum();
            for from in (first..=last).step_by(step).filter(|_| n > 0) {
                let to = (from + step).min(n_bins);
                rows.push(DistributionRow {
                    unit: unit.to_owned(),
                    scope: scope.to_owned(),
                    relation: kinship.as_str().to_owned(),
                    low: self.low + from as f64 * self.width,
                    high: self.low + to as f64 * self.width,
                    share: counts[from..to].iter().sum::<u64>() as f64 / n as f64,
                });
            }
        }
        rows
    }
}
