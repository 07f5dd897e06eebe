//! Intervals and tests of one metric: every method meets the same draws of perturbations, which are made once.

use cellstone_core::{Seed, sum};
use cellstone_metrics::stats::{bootstrap_sums, central_95, sign_flip_ps, wilson};
use ndarray::Array2;
use std::collections::{BTreeMap, BTreeSet};

/// Values of one metric by perturbation.
pub(super) type Clusters = BTreeMap<String, f64>;

/// What is resampled.
pub(super) struct Resampling<'a> {
    /// One map per method.
    pub(super) methods: &'a [Clusters],
    /// Floor of the gap, among the methods.
    pub(super) floor: Option<usize>,
    /// Ceiling of the gap.
    pub(super) ceiling: Option<&'a Clusters>,
    /// Methods whose gap has a value.
    pub(super) with_gap: &'a [bool],
    /// Method that the others are compared with.
    pub(super) reference: Option<usize>,
    /// 1 where lower is better, else −1: a win is a negative signed difference.
    pub(super) sign: f64,
    /// Bootstrap draws.
    pub(super) draws: usize,
    /// Sign flips.
    pub(super) flips: usize,
    /// The only source of randomness.
    pub(super) seed: Seed,
}

/// Intervals and tests by method.
#[derive(Debug, Clone)]
pub(super) struct Resampled {
    /// Of the mean; none for one perturbation.
    pub(super) means: Vec<Option<(f64, f64)>>,
    /// Of the share of the gap that is closed; draws without room between floor and ceiling are left out.
    pub(super) gaps: Vec<Option<(f64, f64)>>,
    /// Against the reference; none for the reference and for one perturbation.
    pub(super) pairs: Vec<Option<Pair>>,
    /// Perturbations shared with the reference.
    pub(super) n_shared: Vec<usize>,
}

/// A method beside the reference, in signed differences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    pub(super) mean: f64,
    pub(super) interval: (f64, f64),
    pub(super) p: f64,
    pub(super) win_share: f64,
    pub(super) win: (f64, f64),
}

/// Perturbations, sorted.
type Keys<'a> = Vec<&'a str>;

/// Sums by the perturbations drawn from, and by series.
type Draws<'k> = BTreeMap<(&'k [&'k str], usize), Vec<f64>>;

fn column<'d>(draws: &'d Draws<'d>, keys: &'d [&'d str], series: usize) -> &'d [f64] {
    &draws[&(keys, series)]
}

impl Resampling<'_> {
    pub(super) fn run(&self) -> Resampled {
        let n = self.methods.len();
        // The ceiling counts as one more series.
        let of_means: Vec<Keys<'_>> = (0..n).map(|it| self.shared(&[it])).collect();
        let of_gaps: Vec<Option<(usize, Keys<'_>)>> = (0..n)
            .map(|it| {
                let floor = self.floor.filter(|_| self.ceiling.is_some() && self.with_gap[it])?;
                Some((floor, self.shared(&[it, floor, n])))
            })
            .collect();
        let of_pairs: Vec<Option<(usize, Keys<'_>)>> = (0..n)
            .map(|it| self.reference.filter(|reference| *reference != it).map(|r| (r, self.shared(&[it, r]))))
            .collect();
        let mut wanted = BTreeMap::<&[&str], BTreeSet<usize>>::new();
        for it in 0..n {
            wanted.entry(&of_means[it]).or_default().insert(it);
            if let Some((floor, keys)) = &of_gaps[it] {
                wanted.entry(keys).or_default().extend([it, *floor, n]);
            }
            if let Some((reference, keys)) = &of_pairs[it] {
                wanted.entry(keys).or_default().extend([it, *reference]);
            }
        }
        let draws = self.draw(&wanted);
        let means = |it: usize| {
            let keys = &of_means[it];
            let scale = keys.len() as f64;
            let mut values: Vec<f64> = column(&draws, keys, it).iter().map(|sum| sum / scale).collect();
            central_95(&mut values).filter(|_| keys.len() > 1)
        };
        let gaps = |it: usize| {
            let (floor, keys) = of_gaps[it].as_ref()?;
            let (own, floor, ceiling) =
                (column(&draws, keys, it), column(&draws, keys, *floor), column(&draws, keys, n));
            let closed = |at: usize| {
                let room = floor[at] - ceiling[at];
                (room != 0.0).then(|| (floor[at] - own[at]) / room)
            };
            central_95(&mut (0..own.len()).filter_map(closed).collect::<Vec<f64>>())
        };
        let p = self.tests(&of_pairs);
        let pairs = |it: usize| {
            let (reference, keys) = of_pairs[it].as_ref()?;
            let scale = self.sign / keys.len() as f64;
            let drawn = column(&draws, keys, it).iter().zip(column(&draws, keys, *reference));
            let interval = central_95(&mut drawn.map(|(own, base)| scale * (own - base)).collect::<Vec<f64>>())?;
            let diffs = self.diffs(it, *reference, keys);
            let wins = diffs.iter().filter(|it| **it < 0.0).count();
            (keys.len() > 1).then_some(Pair {
                mean: sum::mean(&diffs)?,
                interval,
                p: p[it]?,
                win_share: wins as f64 / diffs.len() as f64,
                win: wilson(wins as u64, diffs.len() as u64)?,
            })
        };
        Resampled {
            means: (0..n).map(means).collect(),
            gaps: (0..n).map(gaps).collect(),
            pairs: (0..n).map(pairs).collect(),
            n_shared: of_pairs.iter().map(|it| it.as_ref().map_or(0, |it| it.1.len())).collect(),
        }
    }

    fn series(&self, at: usize) -> Option<&Clusters> {
        self.methods.get(at).or(self.ceiling)
    }

    fn value(&self, series: usize, key: &str) -> Option<f64> {
        self.series(series).and_then(|it| it.get(key)).copied()
    }

    /// The perturbations that several series have.
    fn shared(&self, series: &[usize]) -> Keys<'_> {
        let (first, others) = (series[0], &series[1..]);
        let keys = self.series(first).into_iter().flat_map(BTreeMap::keys).map(String::as_str);
        keys.filter(|key| others.iter().all(|it| self.value(*it, key).is_some())).collect()
    }

    /// Sums of every series over draws of the perturbations it is wanted on.
    fn draw<'k>(&self, wanted: &BTreeMap<&'k [&'k str], BTreeSet<usize>>) -> Draws<'k> {
        let mut draws = BTreeMap::new();
        for (keys, series) in wanted {
            if keys.is_empty() {
                draws.extend(series.iter().map(|it| ((*keys, *it), Vec::new())));
                continue;
            }
            let series: Vec<usize> = series.iter().copied().collect();
            let table = Array2::from_shape_fn((keys.len(), series.len()), |(row, column)| {
                self.value(series[column], keys[row]).expect("invariant: the keys are those the series share")
            });
            let sums = bootstrap_sums(table.view(), self.draws, self.seed);
            draws.extend(series.into_iter().map(|it| (*keys, it)).zip(sums));
        }
        draws
    }

    /// Sign-flip tests, together for the methods that share the same perturbations with the reference.
    fn tests(&self, of_pairs: &[Option<(usize, Keys<'_>)>]) -> Vec<Option<f64>> {
        let mut together = BTreeMap::<&[&str], Vec<usize>>::new();
        for (it, pair) in of_pairs.iter().enumerate() {
            if let Some((_, keys)) = pair.as_ref().filter(|it| it.1.len() > 1) {
                together.entry(keys).or_default().push(it);
            }
        }
        let mut p = vec![None; of_pairs.len()];
        for (keys, methods) in together {
            let columns: Vec<Vec<f64>> = methods
                .iter()
                .map(|it| self.diffs(*it, self.reference.expect("invariant: pairs have a reference"), keys))
                .collect();
            let table = Array2::from_shape_fn((keys.len(), methods.len()), |(row, column)| columns[column][row]);
            for (method, value) in methods.into_iter().zip(sign_flip_ps(table.view(), self.flips, self.seed)) {
                p[method] = value;
            }
        }
        p
    }

    /// Signed differences from the reference.
    fn diffs(&self, method: usize, reference: usize, keys: &[&str]) -> Vec<f64> {
        let diff = |key: &&str| Some(self.sign * (self.value(method, key)? - self.value(reference, key)?));
        keys.iter().filter_map(diff).collect()
    }
}
