//! How far two sets of similarities are apart: AUROC, Cliff's delta, standardised differences of means.

use super::distribution::Distribution;
use cellstone_core::{Score, Why};

/// Similarities within groups against those between groups; positive, or an AUROC above ½, if those within are larger.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Separation {
    /// Probability that a pair within is more similar than one between; equal ones count half.
    pub auroc: Score,
    /// `P(within > between) − P(within < between) = 2 AUROC − 1`.
    pub cliffs_delta: Score,
    /// Cohen's d: `(mean_w − mean_b) / s` with `s² = ((n_w − 1) s_w² + (n_b − 1) s_b²) / (n_w + n_b − 2)`.
    pub cohens_d: Score,
    /// `d′ = (mean_w − mean_b) / √((s_w² + s_b²) / 2)`: each side counts the same, however many pairs it has.
    pub d_prime: Score,
}

impl Separation {
    /// From histograms over the same bins.
    ///
    /// `AUROC = Σ_bins h_w (H_b,below + h_b / 2) / (n_w n_b)`: pairs in one bin count as equal, which changes it by at
    /// most half the probability that two pairs share a bin. Sums are exact.
    ///
    /// # Undefined
    /// All with [`Why::TooFewCells`] if a side has no pairs, the differences of means if one has fewer than two;
    /// the latter with [`Why::ZeroDenominator`] if no side varies.
    pub fn of_distributions(within: &Distribution, between: &Distribution) -> Self {
        let means = within.moments().and_then(|w| between.moments().map(|b| (w, b)));
        Self::new(histogram_auroc(within, between), means)
    }

    /// From values, by ranks: for medians of groups as points.
    ///
    /// # Undefined
    /// As [`Separation::of_distributions`].
    ///
    /// # Examples
    /// ```
    /// use cellstone_neighbors::Separation;
    /// let points = Separation::of_points(&[0.5, 0.7, 0.9], &[0.1, 0.3, 0.5, 0.2]);
    /// assert_eq!(points.auroc.value(), Some(11.5 / 12.0));
    /// ```
    pub fn of_points(within: &[f64], between: &[f64]) -> Self {
        let means = point_moments(within).and_then(|w| point_moments(between).map(|b| (w, b)));
        Self::new(point_auroc(within, between), means)
    }

    fn new(auroc: Score, means: Result<(Moments, Moments), Why>) -> Self {
        let cliffs_delta = match auroc {
            Score::Value(it) => Score::Value(2.0 * it - 1.0),
            undefined @ Score::Undefined(_) => undefined,
        };
        let over = |spread: fn(Moments, Moments) -> f64| match means {
            Ok((w, b)) => {
                let s = spread(w, b).sqrt();
                if s > 0.0 { Score::Value((w.1 - b.1) / s) } else { Score::Undefined(Why::ZeroDenominator) }
            }
            Err(why) => Score::Undefined(why),
        };
        let pooled = |w: Moments, b: Moments| ((w.0 - 1.0) * w.2 + (b.0 - 1.0) * b.2) / (w.0 + b.0 - 2.0);
        Self { auroc, cliffs_delta, cohens_d: over(pooled), d_prime: over(|w, b| (w.2 + b.2) / 2.0) }
    }
}

/// Number, mean and sample variance.
type Moments = (f64, f64, f64);

fn histogram_auroc(within: &Distribution, between: &Distribution) -> Score {
    let (n_w, n_b) = (within.n(), between.n());
    if n_w == 0 || n_b == 0 {
        return Score::Undefined(Why::TooFewCells);
    }
    // Twice the number of wins, in whole numbers.
    let (mut below, mut wins) = (0_u128, 0_u128);
    for (w, b) in within.tally.counts.iter().zip(&between.tally.counts) {
        wins += u128::from(*w) * (2 * below + u128::from(*b));
        below += u128::from(*b);
    }
    Score::Value(wins as f64 / (2.0 * n_w as f64 * n_b as f64))
}

fn point_auroc(within: &[f64], between: &[f64]) -> Score {
    if within.is_empty() || between.is_empty() {
        return Score::Undefined(Why::TooFewCells);
    }
    if within.iter().chain(between).any(|it| it.is_nan()) {
        return Score::Undefined(Why::NotFinite);
    }
    let mut between = between.to_vec();
    between.sort_unstable_by(f64::total_cmp);
    let wins: usize =
        within.iter().map(|it| between.partition_point(|b| b < it) + between.partition_point(|b| b <= it)).sum();
    Score::Value(wins as f64 / (2.0 * within.len() as f64 * between.len() as f64))
}

fn point_moments(values: &[f64]) -> Result<Moments, Why> {
    if values.len() < 2 {
        return Err(Why::TooFewCells);
    }
    if values.iter().any(|it| !it.is_finite()) {
        return Err(Why::NotFinite);
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let scatter: f64 = values.iter().map(|it| (it - mean) * (it - mean)).sum();
    Ok((n, mean, scatter / (n - 1.0)))
}
