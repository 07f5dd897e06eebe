//! Intervals by resampling donors: percentile and BCa, suppressed with a reason where donors are few.

use super::confusion::ClassMetric;
use super::donor_scores::DonorScores;
use super::input::{Donors, Weighting, check_cells};
use crate::stats::quantiles;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result, Score, Seed, Why};
use rand::Rng;
use statrs::distribution::{ContinuousCDF, Normal};
use std::fmt;

/// Draws per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 64;
/// The 97.5 % quantile of the standard normal law.
const Z: f64 = 1.959_963_984_540_054;

/// How donors are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootstrapParams {
    /// Resamples; 2,000 in the protocol.
    pub draws: usize,
    /// Fewer donors than this have no interval; 5 in the protocol.
    pub min_donors: usize,
    /// The only source of randomness.
    pub seed: Seed,
}

impl BootstrapParams {
    /// The numbers of the protocol: 2,000 draws of at least 5 donors.
    pub fn protocol(seed: Seed) -> Self {
        Self { draws: 2_000, min_donors: 5, seed }
    }
}

/// Why a score has no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoInterval {
    /// Fewer donors than asked for.
    TooFewDonors {
        /// What the parameters ask for.
        needed: usize,
        /// What there is.
        found: usize,
    },
    /// The score itself does not exist.
    Undefined(Why),
    /// The score exists in fewer than half of the resamples.
    TooFewDraws {
        /// Resamples with a score.
        defined: usize,
        /// Resamples.
        draws: usize,
    },
}

impl fmt::Display for NoInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewDonors { needed, found } => write!(f, "{found} donors, an interval needs {needed}"),
            Self::Undefined(why) => why.fmt(f),
            Self::TooFewDraws { defined, draws } => write!(f, "defined in {defined} of {draws} resamples"),
        }
    }
}

/// A score with its 95 % intervals over donors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The score on the data as they are.
    pub estimate: Score,
    /// The 2.5 % and 97.5 % quantiles of the resamples.
    pub percentile: Option<(f64, f64)>,
    /// The same corrected for bias and skew; `None` where the correction does not exist.
    pub bca: Option<(f64, f64)>,
    /// Number of donors.
    pub n_donors: usize,
    /// Resamples in which the score exists.
    pub n_draws: usize,
    /// Why there is no interval.
    pub suppressed: Option<NoInterval>,
}

impl Interval {
    /// BCa where it exists, else percentile.
    pub fn best(&self) -> Option<(f64, f64)> {
        self.bca.or(self.percentile)
    }

    /// Whether the interval exists and does not contain the value: the rule by which a model beats a baseline.
    pub fn excludes(&self, value: f64) -> bool {
        self.best().is_some_and(|(low, high)| low > value || high < value)
    }

    pub(crate) fn none(estimate: Score, n_donors: usize, why: NoInterval) -> Self {
        Self { estimate, percentile: None, bca: None, n_donors, n_draws: 0, suppressed: Some(why) }
    }
}

/// Intervals of several scores that are functions of how often each donor is drawn.
///
/// `stat` gets one number per donor (1 each for the data as they are; 0 for a donor that is left out) and returns its
/// scores, always as many. Donors are drawn with replacement with all their cells. Percentile: the central 95 % of the
/// resamples. BCa: with `z₀ = Φ⁻¹(share below the estimate, ties by half)` and the acceleration
/// `a = Σ d³ / (6 (Σ d²)^{3/2})`, `d` the jackknife mean minus each leave-one-donor-out score, the quantiles at
/// `Φ(z₀ + (z₀ ± 1.96)/(1 − a(z₀ ± 1.96)))`. Resamples without a score are left out and counted.
///
/// # Examples
/// ```
/// use cellstone_core::{Score, Seed};
/// use cellstone_metrics::phenotype::{BootstrapParams, donor_bootstrap};
/// let per_donor = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let mean = |times: &[f64]| {
///     let sum: f64 = per_donor.iter().zip(times).map(|(value, n)| value * n).sum();
///     vec![Score::Value(sum / times.iter().sum::<f64>())]
/// };
/// let it = donor_bootstrap(6, &BootstrapParams::protocol(Seed::new(1)), mean)[0];
/// assert_eq!(it.estimate, Score::Value(3.5));
/// let (low, high) = it.percentile.unwrap();
/// // Standard error √(35/12/6) = 0.70.
/// assert!((1.9..2.4).contains(&low) && (4.6..5.1).contains(&high));
/// assert_eq!(donor_bootstrap(4, &BootstrapParams::protocol(Seed::new(1)), |_| vec![Score::Value(0.0)])[0].suppressed
///     .unwrap().to_string(), "4 donors, an interval needs 5");
/// ```
/// # References
/// Efron 1987, doi:10.1080/01621459.1987.10478410.
pub fn donor_bootstrap(
    n_donors: usize,
    params: &BootstrapParams,
    stat: impl Fn(&[f64]) -> Vec<Score> + Sync + Send,
) -> Vec<Interval> {
    let estimates = stat(&vec![1.0; n_donors]);
    if n_donors < params.min_donors.max(2) || params.draws == 0 {
        let why = NoInterval::TooFewDonors { needed: params.min_donors.max(2), found: n_donors };
        return estimates.into_iter().map(|it| Interval::none(it, n_donors, why)).collect();
    }
    let seed = params.seed.derive("donor_bootstrap");
    let draws: Vec<Vec<Score>> = map_ordered(params.draws.div_ceil(BLOCK), |block| {
        let mut rng = seed.derive_index(block as u64).rng();
        let count = BLOCK.min(params.draws - block * BLOCK);
        (0..count).map(|_| stat(&multiplicities(n_donors, &mut rng))).collect::<Vec<_>>()
    })
    .concat();
    let left_out: Vec<Vec<Score>> = map_ordered(n_donors, |donor| {
        let mut times = vec![1.0; n_donors];
        times[donor] = 0.0;
        stat(&times)
    });
    let of = |rows: &[Vec<Score>], at: usize| rows.iter().filter_map(|it| it[at].value()).collect::<Vec<f64>>();
    let one = |(at, estimate): (usize, Score)| {
        interval(estimate, n_donors, params.draws, &of(&draws, at), &of(&left_out, at))
    };
    estimates.into_iter().enumerate().map(one).collect()
}

/// How often each of `n` donors is drawn in `n` draws with replacement.
fn multiplicities(n: usize, rng: &mut impl Rng) -> Vec<f64> {
    let mut times = vec![0.0; n];
    for _ in 0..n {
        // The bias of the multiplication is below n/2³².
        times[(((rng.next_u64() >> 32) * n as u64) >> 32) as usize] += 1.0;
    }
    times
}

fn interval(estimate: Score, n_donors: usize, n_asked: usize, draws: &[f64], jackknife: &[f64]) -> Interval {
    let value = match estimate {
        Score::Value(it) => it,
        Score::Undefined(why) => return Interval::none(estimate, n_donors, NoInterval::Undefined(why)),
    };
    if 2 * draws.len() < n_asked {
        let why = NoInterval::TooFewDraws { defined: draws.len(), draws: n_asked };
        return Interval { n_draws: draws.len(), ..Interval::none(estimate, n_donors, why) };
    }
    let pair = |at: [f64; 2]| quantiles(draws, &at).map(|it| (it[0], it[1]));
    // A leave-one-out score that does not exist leaves the acceleration unknown.
    let bca = if jackknife.len() == n_donors { bca_levels(value, draws, jackknife) } else { None };
    Interval {
        estimate,
        percentile: pair([0.025, 0.975]),
        bca: bca.and_then(pair),
        n_donors,
        n_draws: draws.len(),
        suppressed: None,
    }
}

/// The two levels of the BCa interval at 95 %; `None` where all resamples are on one side of the estimate.
///
/// # Examples
/// ```
/// let draws: Vec<f64> = (0..1000).map(f64::from).collect();
/// let plain = cellstone_metrics::phenotype::bca_levels(499.5, &draws, &[1.0, 2.0, 3.0]).unwrap();
/// assert!((plain[0] - 0.025).abs() < 1e-9 && (plain[1] - 0.975).abs() < 1e-9);
/// ```
pub fn bca_levels(estimate: f64, draws: &[f64], jackknife: &[f64]) -> Option<[f64; 2]> {
    let below = draws.iter().filter(|it| **it < estimate).count() as f64;
    let equal = draws.iter().filter(|it| **it == estimate).count() as f64;
    let share = (below + 0.5 * equal) / draws.len() as f64;
    if !(share > 0.0 && share < 1.0) {
        return None;
    }
    let normal = Normal::standard();
    let z0 = normal.inverse_cdf(share);
    let mean = crate::kernels::sum(jackknife) / jackknife.len() as f64;
    let squares = crate::kernels::sum1(jackknife, |it| (mean - it).powi(2));
    let cubes = crate::kernels::sum1(jackknife, |it| (mean - it).powi(3));
    let a = if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 };
    let level = |z: f64| normal.cdf(z0 + (z0 + z) / (1.0 - a * (z0 + z)));
    Some([level(-Z), level(Z)]).filter(|it| it.iter().all(|v| v.is_finite()))
}

/// Intervals of scores of decisions, all on the same resamples of donors.
pub fn bootstrap_scores(scores: &DonorScores, metrics: &[ClassMetric], params: &BootstrapParams) -> Vec<Interval> {
    donor_bootstrap(scores.n_donors(), params, |times| scores.all_with_counts(times, metrics))
}

/// The mean of a value per cell with its interval over donors.
///
/// # Errors
/// If lengths differ or a value is not finite.
///
/// # Examples
/// ```
/// use cellstone_core::{Score, Seed};
/// use cellstone_metrics::phenotype::{BootstrapParams, Weighting, donor_mean_interval};
/// let params = BootstrapParams::protocol(Seed::new(1));
/// let it = donor_mean_interval(&[1.0, 1.0, 4.0], &[0, 0, 1], Weighting::Donor, &params)?;
/// assert_eq!((it.estimate, it.best()), (Score::Value(2.5), None));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn donor_mean_interval(
    values: &[f64],
    donor: &[u32],
    weighting: Weighting,
    params: &BootstrapParams,
) -> Result<Interval> {
    check_cells("donors", donor.len(), values.len())?;
    check_finite("value", values)?;
    let donors = Donors::new(donor);
    let mut sums = vec![(0.0, 0.0); donors.len()];
    for (cell, value) in values.iter().enumerate() {
        let weight = donors.weight(cell, weighting);
        let slot = &mut sums[donors.of[cell] as usize];
        slot.0 += weight * value;
        slot.1 += weight;
    }
    let stat = |times: &[f64]| {
        let (sum, total) = sums.iter().zip(times).fold((0.0, 0.0), |acc, (it, n)| (acc.0 + n * it.0, acc.1 + n * it.1));
        vec![if total > 0.0 { Score::Value(sum / total) } else { Score::Undefined(Why::TooFewCells) }]
    };
    Ok(donor_bootstrap(donors.len(), params, stat)[0])
}

pub(crate) fn check_finite(what: &str, values: &[f64]) -> Result<()> {
    match values.iter().position(|it| !it.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::invalid_input(format!("{what} {at} is {}, expected a finite number", values[at]))),
    }
}
