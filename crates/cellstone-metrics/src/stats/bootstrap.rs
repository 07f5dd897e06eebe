//! Percentile bootstrap over clusters.

use super::paired::PairedParams;
use super::resample::{bootstrap_sums, central_95};
use cellstone_core::Seed;
use cellstone_core::sum::map_ordered;
use ndarray::{ArrayView1, Axis};
use rand::Rng;
use std::collections::BTreeMap;

/// Draws per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 256;

/// Averages values per cluster; clusters in ascending order of their id.
///
/// # Examples
/// ```
/// use cellstone_metrics::stats::cluster_means;
/// assert_eq!(cluster_means(&[(7, 1.0), (2, 5.0), (7, 3.0)]), [(2, 5.0), (7, 2.0)]);
/// ```
pub fn cluster_means(values: &[(u32, f64)]) -> Vec<(u32, f64)> {
    let mut sums = BTreeMap::<u32, (f64, f64)>::new();
    for (cluster, value) in values {
        let slot = sums.entry(*cluster).or_default();
        slot.0 += value;
        slot.1 += 1.0;
    }
    sums.into_iter().map(|(cluster, (sum, n))| (cluster, sum / n)).collect()
}

/// The mean over clusters with a 95 % percentile bootstrap interval: `(mean, low, high)`.
///
/// Values are averaged per cluster, then clusters are drawn with replacement. `None` without values or with one that is
/// not finite.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::stats::{PairedParams, mean_ci};
/// let params = PairedParams { draws: 10_000, flips: 100_000, seed: Seed::new(1) };
/// let values: Vec<(u32, f64)> = (0..50).map(|it| (it, f64::from(it % 5))).collect();
/// let (mean, low, high) = mean_ci(&values, &params).unwrap();
/// assert_eq!(mean, 2.0);
/// assert!((1.5..1.7).contains(&low) && (2.3..2.5).contains(&high));
/// ```
/// # References
/// Efron and Tibshirani 1993, doi:10.1201/9780429246593.
pub fn mean_ci(values: &[(u32, f64)], params: &PairedParams) -> Option<(f64, f64, f64)> {
    let means: Vec<f64> = cluster_means(values).into_iter().map(|it| it.1).collect();
    let (low, high) = bootstrap_ci(&means, params.draws, params.seed)?;
    Some((crate::kernels::sum(&means) / means.len() as f64, low, high))
}

/// The 2.5 % and 97.5 % quantiles of the mean of `values` drawn with replacement.
///
/// `None` without values or draws, or if a value is not finite.
pub fn bootstrap_ci(values: &[f64], draws: usize, seed: Seed) -> Option<(f64, f64)> {
    if values.is_empty() || draws == 0 || values.iter().any(|it| !it.is_finite()) {
        return None;
    }
    let n = values.len() as f64;
    let mut means = bootstrap_sums(ArrayView1::from(values).insert_axis(Axis(1)), draws, seed).pop()?;
    for mean in &mut means {
        *mean /= n;
    }
    central_95(&mut means)
}

/// A 95 % interval of the mean over pairs when both members of a pair recur: genes are drawn, not pairs.
///
/// Each value carries its two genes; a draw gives every gene a multiplicity and a pair the product of its two. The
/// result is the percentile interval of the weighted mean; draws in which no pair survives are repeated. Report it for
/// doubles where it is wider than [`bootstrap_ci`]. `None` as there, or if there is only one gene.
///
/// # References
/// Owen 2007, doi:10.1214/07-AOAS122.
pub fn pigeonhole_ci(values: &[(u32, u32, f64)], draws: usize, seed: Seed) -> Option<(f64, f64)> {
    let mut genes: Vec<u32> = values.iter().flat_map(|it| [it.0, it.1]).collect();
    genes.sort_unstable();
    genes.dedup();
    if genes.len() < 2 || draws == 0 || values.iter().any(|it| !it.2.is_finite()) {
        return None;
    }
    let at = |gene: u32| genes.binary_search(&gene).expect("invariant: the list holds every gene");
    let pairs: Vec<(usize, usize, f64)> = values.iter().map(|it| (at(it.0), at(it.1), it.2)).collect();
    let seed = seed.derive("pigeonhole");
    interval(draws, |block, count| {
        let mut rng = seed.derive_index(block as u64).rng();
        (0..count).map(|_| weighted_mean(&pairs, genes.len(), &mut rng)).collect()
    })
}

fn weighted_mean(pairs: &[(usize, usize, f64)], n_genes: usize, rng: &mut impl Rng) -> f64 {
    loop {
        let mut times = vec![0_u32; n_genes];
        for _ in 0..n_genes {
            times[(((rng.next_u64() >> 32) * n_genes as u64) >> 32) as usize] += 1;
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for (a, b, value) in pairs {
            let weight = f64::from(times[*a]) * f64::from(times[*b]);
            sum += weight * value;
            total += weight;
        }
        if total > 0.0 {
            return sum / total;
        }
    }
}

/// The 95 % percentile interval of `draws` values made in blocks.
fn interval(draws: usize, make: impl Fn(usize, usize) -> Vec<f64> + Sync + Send) -> Option<(f64, f64)> {
    let blocks = map_ordered(draws.div_ceil(BLOCK), |block| make(block, BLOCK.min(draws - block * BLOCK)));
    central_95(&mut blocks.concat())
}
