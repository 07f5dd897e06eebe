//! Bins of expression that all genes share.

use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Ascending edges and the scale they are for. A value belongs to bin `#{edges ≤ x}`; bin 0 is not expressed.
///
/// # Examples
/// ```
/// use cellstone_rank::BinEdges;
/// let edges = BinEdges::cam();
/// assert_eq!([0.4, 0.5, 1.0, 7.9, 300.0].map(|it| edges.bin(it)), [0, 1, 2, 8, 9]);
/// assert_eq!(BinEdges::linear().values()[9], 9.0);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BinEdges {
    values: Vec<f64>,
    /// Whether the edges are for raw counts; for log-normalised values otherwise.
    counts: bool,
}

impl BinEdges {
    /// Edges of one's own.
    ///
    /// # Errors
    /// If there is none, or they are not above 0 and strictly ascending.
    pub fn new(values: Vec<f64>, counts: bool) -> Result<Self> {
        let ascend = values.windows(2).all(|it| it[0] < it[1]);
        if values.is_empty() || !ascend || values.iter().any(|it| *it <= 0.0 || !it.is_finite()) {
            return Err(Error::config(format!("bin edges {values:?}, expected numbers above 0 that ascend")));
        }
        Ok(Self { values, counts })
    }

    /// For raw counts: 0.5, then 1 to 8.
    pub fn cam() -> Self {
        let mut values = vec![0.5];
        values.extend((1..9).map(f64::from));
        Self { values, counts: true }
    }

    /// For log-normalised values: expressed from 0.1 on or not.
    pub fn binary() -> Self {
        Self { values: vec![0.1], counts: false }
    }

    /// For log-normalised values: ten edges at equal distances from 0.1 to 9.
    pub fn linear() -> Self {
        Self { values: linspace(0.1, 9.0, 10), counts: false }
    }

    /// The edges.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Whether they are for raw counts; for log-normalised values otherwise.
    pub fn is_for_counts(&self) -> bool {
        self.counts
    }

    /// The bin of a value.
    pub fn bin(&self, value: f64) -> u32 {
        self.values.partition_point(|it| *it <= value) as u32
    }
}

/// `n` numbers at equal distances, both ends among them, rounded as `numpy.linspace` rounds.
pub(super) fn linspace(from: f64, to: f64, n: usize) -> Vec<f64> {
    let step = (to - from) / (n.max(2) - 1) as f64;
    let mut values: Vec<f64> = (0..n).map(|it| it as f64 * step + from).collect();
    if let (true, Some(last)) = (n > 1, values.last_mut()) {
        *last = to;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_those_published() {
        assert_eq!(BinEdges::cam().values(), [0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let linear = BinEdges::linear();
        assert!((linear.values()[1] - linear.values()[0] - 0.988_89).abs() < 1e-5);
        assert_eq!([0.09, 0.1, 5.0].map(|it| BinEdges::binary().bin(it)), [0, 1, 1]);
        for bad in [vec![], vec![0.0, 1.0], vec![1.0, 1.0], vec![2.0, 1.0], vec![f64::NAN], vec![1.0, f64::INFINITY]] {
            assert!(BinEdges::new(bad, true).is_err());
        }
    }
}
