//! Two models on the same cells: difference, interval on the same resamples, and a test by swapping donors.

use super::bootstrap::{BootstrapParams, Interval, donor_bootstrap};
use super::confusion::ClassMetric;
use super::donor_scores::DonorScores;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result, Score};
use rand::Rng;

/// Swaps per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 256;

/// The difference of two models.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// First minus second, with intervals over the same resamples of donors.
    pub difference: Interval,
    /// Two-sided p-value; `None` where the difference does not exist.
    pub p: Option<f64>,
    /// Whether every pattern of swaps was tried.
    pub exact: bool,
    /// Number of donors.
    pub n_donors: usize,
}

/// Compares two models on the same donors.
///
/// The interval draws the same donors for both. The test swaps the results of the two models donor by donor and asks
/// how often the difference is at least as large in size: for a mean over donors that is the sign flip of their
/// differences, and for a macro score it is the same idea without needing a score per donor (DIVERGES(donor-swap)).
/// With `2^D ≤ flips` all patterns are tried and p is exact; else `p = (1 + #)/(1 + flips)`. Holm's correction over a
/// table is [`crate::stats::holm`].
///
/// # Errors
/// If the donors or the number of classes differ.
pub fn paired_difference(
    a: &DonorScores,
    b: &DonorScores,
    metric: ClassMetric,
    params: &BootstrapParams,
    flips: usize,
) -> Result<PairedDifference> {
    if a.ids() != b.ids() || a.width() != b.width() {
        return Err(Error::invalid_input(format!(
            "two models with {} and {} donors, or with other classes, expected the same cells",
            a.n_donors(),
            b.n_donors()
        )));
    }
    let minus = |a: Score, b: Score| match (a, b) {
        (Score::Value(a), Score::Value(b)) => Score::Value(a - b),
        (it @ Score::Undefined(_), _) | (_, it) => it,
    };
    let n_donors = a.n_donors();
    let stat = |times: &[f64]| vec![minus(a.with_counts(times, metric), b.with_counts(times, metric))];
    let difference = donor_bootstrap(n_donors, params, stat)[0];
    let exact = n_donors < 63 && (1_u64 << n_donors) <= flips as u64;
    let p = difference.estimate.value().and_then(|it| {
        let swapped = Swapped::new(a, b, metric);
        if exact { Some(swapped.exact(it)) } else { swapped.sampled(it, flips, params) }
    });
    Ok(PairedDifference { difference, p, exact, n_donors })
}

/// Both models, with donors changing sides.
struct Swapped<'a> {
    a: &'a DonorScores,
    metric: ClassMetric,
    /// Sums of the first model over all donors, and of the second.
    totals: [Vec<f64>; 2],
    /// What a swap adds to the first model, per donor.
    gains: Vec<Vec<f64>>,
}

impl<'a> Swapped<'a> {
    fn new(a: &'a DonorScores, b: &DonorScores, metric: ClassMetric) -> Self {
        let gain = |donor: usize| b.row(donor).iter().zip(a.row(donor)).map(|(b, a)| b - a).collect();
        Self { a, metric, totals: [a.summed(None), b.summed(None)], gains: (0..a.n_donors()).map(gain).collect() }
    }

    /// The difference after swapping the donors whose bit is set; 0 where a side has no score.
    fn difference(&self, swapped: impl Fn(usize) -> bool) -> f64 {
        let [mut first, mut second] = self.totals.clone();
        for (_, gain) in self.gains.iter().enumerate().filter(|it| swapped(it.0)) {
            first.iter_mut().zip(gain).for_each(|(sum, it)| *sum += it);
            second.iter_mut().zip(gain).for_each(|(sum, it)| *sum -= it);
        }
        let score = |sums: &[f64]| self.a.score_of(sums, self.metric).value();
        score(&first).zip(score(&second)).map_or(0.0, |(a, b)| a - b)
    }

    fn exact(&self, observed: f64) -> f64 {
        let (n, reached) = (1_usize << self.gains.len(), reached(observed));
        let blocks = map_ordered(n.div_ceil(BLOCK), |block| {
            let patterns = block * BLOCK..n.min((block + 1) * BLOCK);
            patterns.filter(|it| self.difference(|donor| it >> donor & 1 == 1).abs() >= reached).count()
        });
        blocks.into_iter().sum::<usize>() as f64 / n as f64
    }

    fn sampled(&self, observed: f64, flips: usize, params: &BootstrapParams) -> Option<f64> {
        if flips == 0 {
            return None;
        }
        let (seed, reached) = (params.seed.derive("donor_swap"), reached(observed));
        let n_words = self.gains.len().div_ceil(64);
        let blocks = map_ordered(flips.div_ceil(BLOCK), |block| {
            let mut rng = seed.derive_index(block as u64).rng();
            let count = BLOCK.min(flips - block * BLOCK);
            (0..count)
                .filter(|_| {
                    let words: Vec<u64> = (0..n_words).map(|_| rng.next_u64()).collect();
                    self.difference(|donor| words[donor / 64] >> (donor % 64) & 1 == 1).abs() >= reached
                })
                .count()
        });
        Some((1 + blocks.into_iter().sum::<usize>()) as f64 / (1 + flips) as f64)
    }
}

/// The size of a difference from which a swap counts as at least as extreme: sums in another order must count as equal.
fn reached(observed: f64) -> f64 {
    observed.abs() - 1e-12 * (1.0 + observed.abs())
}
