//! Entropy of a law in every unit of the tables.

use ndarray::{ArrayView1, ArrayView2};
use std::f64::consts::{LN_2, LN_10};

/// Entropy in every unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntropyRow {
    /// `H = −Σ p ln p`.
    pub nats: f64,
    /// `H/ln 2`.
    pub bits: f64,
    /// `H/ln 10`, the unit of the published figures.
    pub log10: f64,
    /// `H/ln C`, in [0, 1]; 0 of one class.
    pub normalized: f64,
    /// `e^H`: how many equally likely classes would be as undecided.
    pub perplexity: f64,
}

/// `−Σ p ln p` in nats, with `0 ln 0 = 0`.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::entropy;
/// assert_eq!(entropy(ndarray::array![0.0, 1.0].view()), 0.0);
/// assert!((entropy(ndarray::array![0.5, 0.25, 0.25].view()) - 1.5 * 2.0_f64.ln()).abs() < 1e-15);
/// ```
pub fn entropy(p: ArrayView1<'_, f64>) -> f64 {
    // Never below 0, also where a probability is above 1 by rounding.
    p.iter().filter(|it| **it > 0.0).map(|it| -it * it.ln()).sum::<f64>().max(0.0)
}

/// Entropy of every row of `p` `[n_obs, n_classes]`, in nats.
pub fn entropies(p: ArrayView2<'_, f64>) -> Vec<f64> {
    p.rows().into_iter().map(entropy).collect()
}

/// Entropy of the softmax of every row of logits, in nats, without forming probabilities.
///
/// For laws over a whole vocabulary: `H = ln Z − Σ p z`, `Z` the sum of exponentials.
pub fn log_softmax_entropies(logits: ArrayView2<'_, f64>) -> Vec<f64> {
    let one = |row: ArrayView1<'_, f64>| {
        let top = row.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
        let (mut z, mut weighted) = (0.0, 0.0);
        for gap in row.iter().map(|it| it - top).filter(|it| it.is_finite()) {
            let e = gap.exp();
            z += e;
            weighted += e * gap;
        }
        (z.ln() - weighted / z).max(0.0)
    };
    logits.rows().into_iter().map(one).collect()
}

/// The units of an entropy in nats over `n_classes` classes.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::phenotype::entropy_row(4.0_f64.ln(), 4);
/// assert_eq!((it.bits, it.normalized), (2.0, 1.0));
/// assert!((it.perplexity - 4.0).abs() < 1e-12);
/// ```
pub fn entropy_row(nats: f64, n_classes: usize) -> EntropyRow {
    let most = (n_classes.max(1) as f64).ln();
    EntropyRow {
        nats,
        bits: nats / LN_2,
        log10: nats / LN_10,
        normalized: if most > 0.0 { (nats / most).clamp(0.0, 1.0) } else { 0.0 },
        perplexity: nats.exp(),
    }
}
