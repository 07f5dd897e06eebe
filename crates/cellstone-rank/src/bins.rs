//! Quantile bins of the non-zero values of one cell, as scGPT draws them.

use crate::draw::uniform;
use cellstone_core::{Error, Result, SeedRng};

/// Which bin a value takes that lies on several edges at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BinTies {
    /// One of the bins between them, each with the same probability: the published law.
    #[default]
    Random,
    /// The highest of them.
    Upper,
    /// The lowest of them.
    Lower,
    /// The middle one, rounded down.
    Middle,
}

/// Edges at the quantiles of the non-zero values of a cell.
///
/// With `E = n_bins − 1` edges at `q_i = i · (1 / (E − 1))` (the last is 1), `h = (n − 1) q_i`, `j = ⌊h⌋`, `g = h − j`
/// and the order statistics `a = x_(j)`, `b = x_(j+1)`, an edge is `a + (b − a) g` where `g < 1/2` and
/// `b − (b − a)(1 − g)` otherwise. Edges that coincide stay. Every operation is in double precision and in this order,
/// because whether a value equals an edge decides its bin.
///
/// A value `x` with `l` edges at or below it and `r` edges below it belongs to bin `l` if `l − r ≤ 1`, and to any of
/// `r + 1 ..= l` otherwise. Bins run from 1 to `n_bins − 1`; 0 is left for zeros.
///
/// # Examples
/// ```
/// use cellstone_rank::QuantileBins;
/// let mut bins = QuantileBins::new(51)?;
/// bins.fit(&[1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 8.0]);
/// assert_eq!(bins.allowed(1.0), (1, 15));
/// assert_eq!(bins.allowed(3.0), (36, 36));
/// assert_eq!(bins.allowed(8.0), (50, 50));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// `bowang-lab/scGPT scgpt/preprocess.py` (`binning`, `_digitize`); the interpolation is that of `numpy.quantile`.
#[derive(Debug, Clone)]
pub struct QuantileBins {
    n_edges: usize,
    edges: Vec<f64>,
    sorted: Vec<f64>,
}

impl QuantileBins {
    /// Bins without edges yet.
    ///
    /// # Errors
    /// If there are fewer than three bins (zeros and two others).
    pub fn new(n_bins: usize) -> Result<Self> {
        if n_bins < 3 {
            return Err(Error::config(format!(
                "{n_bins} bins, expected at least 3: one for zeros and two for the rest"
            )));
        }
        Ok(Self { n_edges: n_bins - 1, edges: Vec::new(), sorted: Vec::new() })
    }

    /// Sets the edges from the non-zero values of a cell, in any order. Without values there are no edges.
    pub fn fit(&mut self, values: &[f64]) {
        self.fit_from(values.iter().copied());
    }

    pub(crate) fn fit_from(&mut self, values: impl Iterator<Item = f64>) {
        self.sorted.clear();
        self.sorted.extend(values);
        self.sorted.sort_unstable_by(f64::total_cmp);
        self.edges.clear();
        if !self.sorted.is_empty() {
            self.edges.extend((0..self.n_edges).map(|it| edge(&self.sorted, it, self.n_edges)));
        }
    }

    /// The edges, ascending; some may coincide.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// Edges at or below a value, and edges below it: `(l, r)`.
    pub fn place(&self, value: f64) -> (u32, u32) {
        let below = self.edges.partition_point(|it| *it < value);
        let more = self.edges[below..].partition_point(|it| *it <= value);
        ((below + more) as u32, below as u32)
    }

    /// The lowest and the highest bin that a value may take.
    pub fn allowed(&self, value: f64) -> (u32, u32) {
        let (upto, below) = self.place(value);
        ((below + 1).min(upto), upto)
    }

    /// The bin of a value. Under [`BinTies::Random`] one number is drawn whether or not it decides.
    pub fn bin(&self, value: f64, ties: BinTies, rng: &mut SeedRng) -> u32 {
        let (upto, below) = self.place(value);
        let lowest = (below + 1).min(upto);
        match ties {
            BinTies::Random => {
                let (left, right) = (f64::from(upto), f64::from(below));
                (uniform(rng) * (right - left) + left).ceil() as u32
            }
            BinTies::Upper => upto,
            BinTies::Lower => lowest,
            BinTies::Middle => (lowest + upto) / 2,
        }
    }
}

/// The `at`-th of `n` edges over sorted values.
fn edge(sorted: &[f64], at: usize, n: usize) -> f64 {
    let last = sorted.len() - 1;
    // The step is rounded before it is multiplied, as `numpy.linspace` does.
    let q = if at + 1 == n { 1.0 } else { at as f64 * (1.0 / (n - 1) as f64) };
    let h = last as f64 * q;
    let j = h.floor();
    let low = j as usize;
    if low >= last {
        return sorted[last];
    }
    let (a, b, g) = (sorted[low], sorted[low + 1], h - j);
    if g < 0.5 { a + (b - a) * g } else { b - (b - a) * (1.0 - g) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;
    use proptest::prelude::*;

    #[test]
    fn the_published_row() {
        let mut bins = QuantileBins::new(51).expect("enough bins");
        bins.fit(&[1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 8.0]);
        let allowed = [1.0, 2.0, 3.0, 5.0, 8.0].map(|it| bins.allowed(it));
        assert_eq!(allowed, [(1, 15), (22, 29), (36, 36), (43, 43), (50, 50)]);
        // The edge that should be 3 is a little below it.
        let near = bins.edges()[35];
        assert_eq!(3.0_f64.to_bits() - near.to_bits(), 2);
    }

    #[test]
    fn modes_stay_in_the_allowed_range() {
        let mut bins = QuantileBins::new(51).expect("enough bins");
        bins.fit(&[4.0; 9]);
        assert_eq!(bins.place(4.0), (50, 0));
        let mut rng = Seed::new(1).rng();
        let at = |ties| bins.clone().bin(4.0, ties, &mut rng.clone());
        assert_eq!([BinTies::Upper, BinTies::Lower, BinTies::Middle].map(at), [50, 1, 25]);
        // A row of equal values is noise over all bins.
        let mut seen = [0_u32; 51];
        (0..50_000).for_each(|_| seen[bins.bin(4.0, BinTies::Random, &mut rng) as usize] += 1);
        assert_eq!(seen[0], 0);
        let chi2: f64 = seen[1..].iter().map(|it| (f64::from(*it) - 1000.0).powi(2) / 1000.0).sum();
        // The 99.9 % quantile of chi-square at 49 degrees of freedom is 85.4.
        assert!(chi2 < 85.4, "{chi2}");
        assert!(QuantileBins::new(2).is_err());
        bins.fit(&[]);
        assert!(bins.edges().is_empty());
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        let counts = prop::collection::vec((1_u32..12).prop_map(f64::from), 1..80);
        let any = prop::collection::vec(1e-3_f64..30.0, 1..80);
        prop_oneof![counts, any]
    }

    proptest! {
        #[test]
        fn bins_ascend_with_the_values(values in values()) {
            let mut bins = QuantileBins::new(51).expect("enough bins");
            bins.fit(&values);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(bins.allowed(sorted[sorted.len() - 1]).1, 50);
            for pair in sorted.windows(2) {
                let (low, high) = (bins.allowed(pair[0]), bins.allowed(pair[1]));
                prop_assert!(low.0 >= 1 && high.1 <= 50);
                prop_assert!(pair[0] == pair[1] || low.1 <= high.0, "{low:?} {high:?}");
            }
        }

        #[test]
        fn powers_of_two_change_nothing(values in values(), power in -8_i32..9) {
            let mut bins = QuantileBins::new(51).expect("enough bins");
            bins.fit(&values);
            let before: Vec<_> = values.iter().map(|it| bins.place(*it)).collect();
            let scale = 2.0_f64.powi(power);
            let scaled: Vec<f64> = values.iter().map(|it| it * scale).collect();
            bins.fit(&scaled);
            prop_assert_eq!(before, scaled.iter().map(|it| bins.place(*it)).collect::<Vec<_>>());
        }
    }
}
