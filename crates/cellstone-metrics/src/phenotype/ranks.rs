//! The rank of the true class, and the class that is decided for: ties count against the model.

use super::input::check_truth;
use cellstone_core::{Error, Result};
use ndarray::{ArrayView1, ArrayView2};

/// The rank of the true class of every cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueRanks {
    /// Rank from 1; a class that ties with the true one counts as before it.
    pub rank: Vec<u32>,
    /// Whether another class has exactly the score of the true one.
    pub tied: Vec<bool>,
}

impl TrueRanks {
    /// Share of cells whose true class ties with another; 0 of no cell.
    pub fn tied_share(&self) -> f64 {
        share(self.tied.iter().filter(|it| **it).count(), self.tied.len())
    }

    /// Share of cells whose true class is among the first `k`.
    pub fn top_k(&self, k: usize) -> f64 {
        share(self.rank.iter().filter(|it| **it as usize <= k).count(), self.rank.len())
    }

    /// Mean of `1/rank`.
    pub fn mrr(&self) -> f64 {
        self.rank.iter().map(|it| 1.0 / f64::from(*it)).sum::<f64>() / self.rank.len().max(1) as f64
    }
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Ranks the true class among all, by falling score, pessimistic among ties.
///
/// `r = 1 + #{k ≠ y: s_k ≥ s_y}`; `scores` is `[n_obs, n_classes]`, probabilities or logits alike.
///
/// # Errors
/// If lengths differ, a class is out of range or a score is NaN.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::true_ranks;
/// let p = ndarray::array![[0.5, 0.3, 0.2], [0.4, 0.4, 0.2]];
/// let ranks = true_ranks(p.view(), &[2, 1])?;
/// assert_eq!((ranks.rank.as_slice(), ranks.tied_share()), (&[3, 2][..], 0.5));
/// assert_eq!((ranks.top_k(1), ranks.top_k(3)), (0.0, 1.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn true_ranks(scores: ArrayView2<'_, f64>, truth: &[u32]) -> Result<TrueRanks> {
    check(scores, truth)?;
    let (mut rank, mut tied) = (Vec::with_capacity(truth.len()), Vec::with_capacity(truth.len()));
    for (row, y) in scores.rows().into_iter().zip(truth) {
        let own = row[*y as usize];
        let equal = row.iter().filter(|it| **it == own).count();
        let above = row.iter().filter(|it| **it > own).count();
        rank.push((above + equal) as u32);
        tied.push(equal > 1);
    }
    Ok(TrueRanks { rank, tied })
}

/// The class that counts as decided for: the one of highest score, and never the true one among several.
///
/// So a decision is right exactly if the pessimistic rank is 1. Among wrong classes that tie the first wins.
///
/// # Errors
/// As [`true_ranks`].
///
/// # Examples
/// ```
/// let p = ndarray::array![[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]];
/// assert_eq!(cellstone_metrics::phenotype::decisions(p.view(), &[0, 2])?, [1, 2]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn decisions(scores: ArrayView2<'_, f64>, truth: &[u32]) -> Result<Vec<u32>> {
    check(scores, truth)?;
    let decide = |(row, y): (ArrayView1<'_, f64>, &u32)| {
        let top = row.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
        let other = row.iter().enumerate().position(|(at, it)| *it == top && at != *y as usize);
        other.map_or(*y, |it| it as u32)
    };
    Ok(scores.rows().into_iter().zip(truth).map(decide).collect())
}

/// The class of highest score of every row, the first of equals; what a user who does not know the truth gets.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_metrics::phenotype::argmax(ndarray::array![[0.4, 0.4, 0.2]].view()), [0]);
/// ```
pub fn argmax(scores: ArrayView2<'_, f64>) -> Vec<u32> {
    scores.rows().into_iter().map(first_max).collect()
}

pub(crate) fn first_max(row: ArrayView1<'_, f64>) -> u32 {
    let mut best = 0;
    for (at, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = at;
        }
    }
    best as u32
}

/// What the share among the first `k` is worth by chance: `min(k/K, 1)`.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_metrics::phenotype::chance(3, 12), 0.25);
/// assert_eq!(cellstone_metrics::phenotype::chance(5, 2), 1.0);
/// ```
pub fn chance(k: usize, n_classes: usize) -> f64 {
    (k as f64 / n_classes.max(1) as f64).min(1.0)
}

fn check(scores: ArrayView2<'_, f64>, truth: &[u32]) -> Result<()> {
    check_truth(truth, scores.nrows(), scores.ncols())?;
    match scores.rows().into_iter().position(|row| row.iter().any(|it| it.is_nan())) {
        None => Ok(()),
        Some(cell) => Err(Error::invalid_input(format!("cell {cell} has a score that is NaN"))),
    }
}
