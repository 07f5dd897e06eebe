//! Ranks of methods over clusters, and whether they differ.

use cellstone_core::Direction;
use ndarray::ArrayView2;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::cell::RefCell;

/// Ranks values from 1; tied values share the mean of the ranks they span.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_metrics::stats::midranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
/// ```
pub fn midranks(values: &[f64]) -> Vec<f64> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.keys.clear();
        scratch.keys.extend(values.iter().map(|it| sort_key(*it)));
        scratch.sort();
        let (keys, order) = (&scratch.keys, &scratch.order);
        let mut ranks = vec![0.0; values.len()];
        let mut from = 0;
        while from < order.len() {
            let key = keys[order[from] as usize];
            let run = order[from..].iter().take_while(|it| keys[**it as usize] == key).count();
            let rank = from as f64 + (run + 1) as f64 / 2.0;
            for at in &order[from..from + run] {
                ranks[*at as usize] = rank;
            }
            from += run;
        }
        ranks
    })
}

thread_local! {
    /// Kept from one call to the next: fresh memory of this size costs as much as the sort.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What [`midranks`] works with.
#[derive(Default)]
struct Scratch {
    keys: Vec<u64>,
    /// Positions by ascending key.
    order: Vec<u32>,
    items: Vec<u64>,
    other: Vec<u64>,
    starts: [Vec<u32>; 3],
}

/// Bits of each digit of the radix sort: three digits cover the upper half of a key.
const DIGIT: u32 = 11;

impl Scratch {
    /// Fills `order` with the positions of `keys` by ascending key.
    ///
    /// A radix sort of the upper halves of the keys, several times faster than comparing, and ranking is most of the cost
    /// of Spearman. Keys that agree in their upper half are few, or equal, and are sorted afterwards.
    fn sort(&mut self) {
        let Self { keys, order, items, other, starts } = self;
        let by_key = |it: &u32| (keys[*it as usize], *it);
        order.clear();
        order.extend(0..keys.len() as u32);
        if keys.len() < 512 {
            order.sort_unstable_by_key(by_key);
            return;
        }
        items.clear();
        items.extend(keys.iter().zip(0_u64..).map(|(key, at)| key >> 32 << 32 | at));
        other.resize(items.len(), 0);
        let digit = |item: u64, pass: usize| (item >> (32 + DIGIT * pass as u32)) as usize & ((1 << DIGIT) - 1);
        for counts in starts.iter_mut() {
            counts.clear();
            counts.resize(1 << DIGIT, 0);
        }
        for item in items.iter() {
            for (pass, counts) in starts.iter_mut().enumerate() {
                counts[digit(*item, pass)] += 1;
            }
        }
        for (pass, counts) in starts.iter_mut().enumerate() {
            if counts.contains(&(items.len() as u32)) {
                continue;
            }
            let mut total = 0;
            for count in counts.iter_mut() {
                total += std::mem::replace(count, total);
            }
            for item in items.iter() {
                let slot = &mut counts[digit(*item, pass)];
                other[*slot as usize] = *item;
                *slot += 1;
            }
            std::mem::swap(items, other);
        }
        let mut from = 0;
        for run in items.chunk_by(|a, b| a >> 32 == b >> 32) {
            let order = &mut order[from..from + run.len()];
            for (slot, item) in order.iter_mut().zip(run) {
                *slot = *item as u32;
            }
            let first = keys[order[0] as usize];
            if run.len() > 1 && order.iter().any(|it| keys[*it as usize] != first) {
                order.sort_unstable_by_key(by_key);
            }
            from += run.len();
        }
    }
}

/// An integer that orders as the number does, 0.0 and -0.0 being one.
fn sort_key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The mean rank of each method over clusters, 1 the best; `scores` is `[N clusters, k methods]`.
///
/// `None` without clusters or methods.
///
/// # Examples
/// ```
/// use cellstone_core::Direction;
/// use ndarray::array;
/// let scores = array![[0.1, 0.2, 0.3], [0.1, 0.1, 0.3]];
/// let ranks = cellstone_metrics::stats::mean_ranks(scores.view(), Direction::LowerIsBetter);
/// assert_eq!(ranks.unwrap(), [1.25, 1.75, 3.0]);
/// ```
pub fn mean_ranks(scores: ArrayView2<'_, f64>, direction: Direction) -> Option<Vec<f64>> {
    let (n, k) = scores.dim();
    if n == 0 || k == 0 {
        return None;
    }
    let mut totals = vec![0.0; k];
    for row in scores.rows() {
        let sign = if direction == Direction::LowerIsBetter { 1.0 } else { -1.0 };
        let row: Vec<f64> = row.iter().map(|it| sign * it).collect();
        for (total, rank) in totals.iter_mut().zip(midranks(&row)) {
            *total += rank;
        }
    }
    Some(totals.into_iter().map(|it| it / n as f64).collect())
}

/// The result of [`friedman`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Friedman {
    /// The statistic, corrected for ties.
    pub chi2: f64,
    /// Degrees of freedom, k − 1.
    pub df: usize,
    /// Its p-value by the χ² approximation.
    pub p: f64,
}

/// Tests whether methods differ in rank; `scores` is `[N clusters, k methods]`.
///
/// `χ² = [12/(N k (k+1)) Σ R_j² − 3 N (k+1)] / (1 − Σ(t³ − t)/(N k (k² − 1)))`, R the rank sums, t the sizes of ties.
/// `None` below two methods or clusters, or if all scores of every cluster are tied.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let scores = array![[1.0, 2.0, 3.0], [1.0, 3.0, 2.0], [1.0, 2.0, 3.0], [2.0, 1.0, 3.0]];
/// let it = cellstone_metrics::stats::friedman(scores.view()).unwrap();
/// assert!((it.chi2 - 4.5).abs() < 1e-12 && it.df == 2);
/// assert!((it.p - (-2.25_f64).exp()).abs() < 1e-9);
/// ```
/// # References
/// Friedman 1937, doi:10.1080/01621459.1937.10503522; Demšar 2006, JMLR 7:1–30.
pub fn friedman(scores: ArrayView2<'_, f64>) -> Option<Friedman> {
    let (n, k) = scores.dim();
    if n < 2 || k < 2 {
        return None;
    }
    let (mut totals, mut ties) = (vec![0.0; k], 0.0);
    for row in scores.rows() {
        let ranks = midranks(&row.to_vec());
        for (total, rank) in totals.iter_mut().zip(&ranks) {
            *total += rank;
        }
        ties += tie_term(&ranks);
    }
    let (n, k) = (n as f64, k as f64);
    let squares: f64 = totals.iter().map(|it| it * it).sum();
    let plain = 12.0 / (n * k * (k + 1.0)) * squares - 3.0 * n * (k + 1.0);
    let correction = 1.0 - ties / (n * k * (k * k - 1.0));
    if correction <= 0.0 {
        return None;
    }
    let chi2 = (plain / correction).max(0.0);
    let p = ChiSquared::new(k - 1.0).ok()?.sf(chi2);
    Some(Friedman { chi2, df: k as usize - 1, p })
}

/// `Σ(t³ − t)` over the ties of one row of ranks.
fn tie_term(ranks: &[f64]) -> f64 {
    let mut sorted = ranks.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(|it| (it.len() as f64).powi(3) - it.len() as f64).sum()
}

/// Studentised range / √2 at 5 % for k = 2..=12 methods.
const Q_05: [f64; 11] = [1.960, 2.344, 2.569, 2.728, 2.850, 2.948, 3.031, 3.102, 3.164, 3.219, 3.268];

/// The difference of mean ranks from which two of `k` methods differ at 5 %, over `n_clusters` clusters.
///
/// `q·√(k(k+1)/(6N))`. `None` for fewer than 2 or more than 12 methods, or no cluster.
///
/// # Examples
/// ```
/// let cd = cellstone_metrics::stats::nemenyi_cd(4, 14).unwrap();
/// assert!((cd - 1.2536).abs() < 1e-4);
/// assert_eq!(cellstone_metrics::stats::nemenyi_cd(13, 14), None);
/// ```
/// # References
/// Nemenyi 1963; Demšar 2006, JMLR 7:1–30.
pub fn nemenyi_cd(k: usize, n_clusters: usize) -> Option<f64> {
    let q = Q_05.get(k.checked_sub(2)?)?;
    (n_clusters > 0).then(|| q * ((k * (k + 1)) as f64 / (6 * n_clusters) as f64).sqrt())
}
