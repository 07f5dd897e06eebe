//! Two methods on the same conditions: difference, interval, test, wins.

use super::bootstrap::{bootstrap_ci, cluster_means};
use super::intervals::wilson;
use super::permutation::sign_flip_p;
use cellstone_core::Seed;

/// How [`paired`] and [`super::mean_ci`] draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairedParams {
    /// Bootstrap draws of clusters; 10,000 in the protocol.
    pub draws: usize,
    /// Sign flips; 100,000 in the protocol.
    pub flips: usize,
    /// The only source of randomness.
    pub seed: Seed,
}

impl PairedParams {
    /// The numbers of the protocol: 10,000 draws, 100,000 flips.
    pub fn protocol(seed: Seed) -> Self {
        Self { draws: 10_000, flips: 100_000, seed }
    }
}

/// The comparison of two methods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// Mean difference over clusters.
    pub mean: f64,
    /// Lower end of its 95 % bootstrap interval.
    pub ci_lo: f64,
    /// Upper end.
    pub ci_hi: f64,
    /// Two-sided sign-flip p-value.
    pub p: f64,
    /// Number of clusters.
    pub n_clusters: usize,
    /// Share of clusters with a negative difference: for errors, those the first method wins.
    pub win_share: f64,
    /// Lower end of its 95 % Wilson interval.
    pub win_lo: f64,
    /// Upper end.
    pub win_hi: f64,
}

/// Compares two methods by their paired differences, cluster by cluster.
///
/// `diffs` holds `(cluster, score of A − score of B)` for every condition, split and seed; differences of a cluster are
/// averaged first, since they are one observation. Give agreements (higher is better) with their sign turned, so that
/// negative means that A wins. The interval and the test draw whole clusters. `None` without differences or if one is
/// not finite.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::stats::{PairedParams, paired};
/// let diffs: Vec<(u32, f64)> = (0..40).map(|it| (it, -1.0 + 0.1 * f64::from(it % 4))).collect();
/// let it = paired(&diffs, &PairedParams::protocol(Seed::new(1))).unwrap();
/// assert!((it.mean + 0.85).abs() < 1e-12 && it.ci_hi < 0.0 && it.p < 1e-4);
/// assert_eq!((it.n_clusters, it.win_share), (40, 1.0));
/// ```
pub fn paired(diffs: &[(u32, f64)], params: &PairedParams) -> Option<Paired> {
    let values: Vec<f64> = cluster_means(diffs).into_iter().map(|it| it.1).collect();
    let (ci_lo, ci_hi) = bootstrap_ci(&values, params.draws, params.seed)?;
    let p = sign_flip_p(&values, params.flips, params.seed)?;
    let n = values.len();
    let wins = values.iter().filter(|it| **it < 0.0).count();
    let (win_lo, win_hi) = wilson(wins as u64, n as u64)?;
    let mean = crate::kernels::sum(&values) / n as f64;
    Some(Paired { mean, ci_lo, ci_hi, p, n_clusters: n, win_share: wins as f64 / n as f64, win_lo, win_hi })
}
