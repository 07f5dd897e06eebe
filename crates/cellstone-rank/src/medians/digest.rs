//! Medians by t-digest: one pass, a few kilobytes for a gene, half a per cent of rank.

use super::corpus::Found;
use super::stream::{Values, genes_per_worker, pass};
use crate::vocab::BoundGenes;
use cellstone_core::{CountSource, Result};
use rayon::prelude::*;
use std::f64::consts::PI;

/// Values that wait for their place.
const BUFFER: usize = 512;

/// Values summed up by centroids that are small at both ends and larger in the middle.
///
/// A centroid may span at most one unit of `k(q) = δ / 2π · asin(2q − 1)`. Compression is 200; while values come in, δ is
/// twice that, as in the implementation of the authors, so that around the median a centroid is 0.8 % of the values.
///
/// # Examples
/// ```
/// let mut digest = cellstone_rank::TDigest::default();
/// (1..=100).for_each(|it| digest.add(it as f32));
/// assert_eq!((digest.n(), digest.quantile(0.5)), (100, Some(50.5)));
/// ```
///
/// # References
/// Dunning, Ertl 2019, arXiv:1902.04023 (merging digest, scale function k1).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TDigest {
    /// By ascending mean.
    centroids: Vec<Centroid>,
    buffer: Vec<f32>,
    n: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Centroid {
    mean: f64,
    weight: f64,
}

impl TDigest {
    /// The δ of the scale function.
    const DELTA: f64 = 2.0 * 200.0;

    /// Adds a value; it must not be NaN.
    pub fn add(&mut self, value: f32) {
        self.buffer.push(value);
        self.n += 1;
        if self.buffer.len() == BUFFER {
            self.flush();
        }
    }

    /// Adds what another digest holds. Not the same in another order.
    pub fn merge(&mut self, mut other: Self) {
        self.flush();
        other.flush();
        self.n += other.n;
        self.compress(&other.centroids);
    }

    /// Number of values.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The value below which the share `q` (0 to 1) of the values lies, between centroids by a straight line; `None` of
    /// nothing. Exact as long as every value has a centroid of its own.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let mut whole = self.clone();
        whole.flush();
        let wanted = q.clamp(0.0, 1.0) * whole.n as f64;
        let mut before: Option<(f64, f64)> = None;
        let mut seen = 0.0;
        for it in &whole.centroids {
            let center = seen + it.weight / 2.0;
            if wanted <= center {
                return Some(match before {
                    Some((place, mean)) => mean + (it.mean - mean) * ((wanted - place) / (center - place)),
                    None => it.mean,
                });
            }
            before = Some((center, it.mean));
            seen += it.weight;
        }
        before.map(|it| it.1)
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut values = std::mem::take(&mut self.buffer);
        values.sort_unstable_by(f32::total_cmp);
        let single: Vec<Centroid> = values.iter().map(|it| Centroid { mean: f64::from(*it), weight: 1.0 }).collect();
        self.compress(&single);
        values.clear();
        self.buffer = values;
    }

    /// Takes in more centroids, ascending, and joins neighbours as far as their size allows.
    fn compress(&mut self, more: &[Centroid]) {
        let all = merged(&self.centroids, more);
        let total: f64 = all.iter().map(|it| it.weight).sum();
        self.centroids.clear();
        let mut all = all.into_iter();
        let Some(mut current) = all.next() else { return };
        let mut before = 0.0;
        let mut limit = total * limit_after(0.0);
        for next in all {
            let weight = current.weight + next.weight;
            if before + weight <= limit {
                current.mean += (next.mean - current.mean) * (next.weight / weight);
                current.weight = weight;
            } else {
                before += current.weight;
                limit = total * limit_after(before / total);
                self.centroids.push(std::mem::replace(&mut current, next));
            }
        }
        self.centroids.push(current);
    }
}

/// Two ascending lists as one; of equal means those of the first list come first.
fn merged(a: &[Centroid], b: &[Centroid]) -> Vec<Centroid> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    std::iter::from_fn(|| match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x.mean <= y.mean => a.next(),
        (_, Some(_)) => b.next(),
        _ => a.next(),
    })
    .collect()
}

/// The share at which a centroid that begins at share `q` must end.
fn limit_after(q: f64) -> f64 {
    let k = TDigest::DELTA / (2.0 * PI) * (2.0 * q - 1.0).clamp(-1.0, 1.0).asin() + 1.0;
    if k >= TDigest::DELTA / 4.0 { 1.0 } else { ((2.0 * PI * k / TDigest::DELTA).sin() + 1.0) / 2.0 }
}

pub(super) fn digest_medians(sources: &[&dyn CountSource], bound: &[BoundGenes], n_genes: usize) -> Result<Found> {
    let mut corpus = vec![TDigest::default(); n_genes];
    let n_empty = pass(sources, bound, |values| add(values, &mut corpus))?;
    let medians = corpus.par_iter().map(|it| it.quantile(0.5).unwrap_or(0.0)).collect();
    Ok(Found { detected: corpus.iter().map(TDigest::n).collect(), medians, n_empty })
}

/// Every worker owns some genes and sees their values in the order of the cells.
fn add(values: &Values, digests: &mut [TDigest]) {
    let n = genes_per_worker(digests.len());
    digests.par_chunks_mut(n).enumerate().for_each(|(at, digests)| {
        let from = at * n;
        values.each(from, from + digests.len(), |gene, value| {
            if value > 0.0 {
                digests[gene - from].add(value);
            }
        });
    });
}
