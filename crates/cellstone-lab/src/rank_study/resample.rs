//! Intervals over types: a draw of types draws their pairs with them.

use cellstone_core::Seed;
use cellstone_core::sum::map_ordered;
use cellstone_metrics::stats::central_95;
use rand::RngExt;

/// How often each of `n` types is drawn when `n` are drawn with replacement.
fn times(n: usize, seed: Seed) -> Vec<u32> {
    let mut rng = seed.rng();
    let mut times = vec![0; n];
    (0..n).for_each(|_| times[rng.random_range(0..n)] += 1);
    times
}

/// The 95 % percentile interval of a statistic of drawn types; `None` with fewer than two types, or where the statistic
/// is undefined in most draws.
///
/// `statistic` takes how often each type was drawn. A pair of types counts as often as the product of its two; pairs of
/// a type with its own copy are pairs inside that type and must not be counted between types. Draws without a value are
/// left out.
pub(crate) fn over_types(
    n: usize,
    draws: usize,
    seed: Seed,
    statistic: impl Fn(&[u32]) -> Option<f64> + Sync + Send,
) -> Option<(f64, f64)> {
    if n < 2 {
        return None;
    }
    let seed = seed.derive("types");
    let values = map_ordered(draws, |draw| statistic(&times(n, seed.derive_index(draw as u64))));
    let mut defined: Vec<f64> = values.into_iter().flatten().collect();
    if 2 * defined.len() < draws {
        return None;
    }
    central_95(&mut defined)
}

/// A square table of a value for every ordered pair of types, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TypePairs {
    pub(crate) n: usize,
    /// The value, and its weight; a weight of 0 is no value.
    pub(crate) cells: Vec<(f64, f64)>,
}

impl TypePairs {
    pub(crate) fn new(n: usize) -> Self {
        Self { n, cells: vec![(0.0, 0.0); n * n] }
    }

    /// The weighted mean of a row, other types counted as often as `times` says.
    fn row(&self, row: usize, times: &[u32]) -> Option<f64> {
        let (mut sum, mut weight) = (0.0, 0.0);
        for (other, (value, n)) in self.cells[row * self.n..(row + 1) * self.n].iter().enumerate() {
            let n = n * f64::from(times[other]);
            sum += n * value;
            weight += n;
        }
        (weight > 0.0).then(|| sum / weight)
    }

    /// Mean of every row.
    pub(crate) fn rows(&self) -> Vec<Option<f64>> {
        (0..self.n).map(|it| self.row(it, &vec![1; self.n])).collect()
    }

    /// Mean over types of the mean of their row, types counted as often as `times` says; `None` where no row has a value.
    pub(crate) fn macro_mean(&self, times: &[u32]) -> Option<f64> {
        let (mut sum, mut weight) = (0.0, 0.0);
        for row in (0..self.n).filter(|it| times[*it] > 0) {
            if let Some(value) = self.row(row, times) {
                sum += f64::from(times[row]) * value;
                weight += f64::from(times[row]);
            }
        }
        (weight > 0.0).then(|| sum / weight)
    }
}

/// One median a type and one for every two types: the points of the published figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Medians {
    /// Median inside each type.
    pub(crate) within: Vec<Option<f64>>,
    /// Median between two types: `(lower type, higher type, median)`.
    pub(crate) between: Vec<(usize, usize, f64)>,
}

/// What is said about the two clouds of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FigureStatistic {
    /// Median of the points inside types.
    MedianWithin,
    /// Their interquartile range.
    IqrWithin,
    /// Median of the points between types.
    MedianBetween,
    /// Their interquartile range.
    IqrBetween,
    /// Difference of means over the pooled standard deviation.
    CohensD,
    /// `P(within > between) − P(within < between)`.
    CliffsDelta,
    /// `P(within > between) + P(equal) / 2`.
    AurocMedians,
}

impl FigureStatistic {
    pub(crate) const ALL: [Self; 7] = [
        Self::MedianWithin,
        Self::IqrWithin,
        Self::MedianBetween,
        Self::IqrBetween,
        Self::CohensD,
        Self::CliffsDelta,
        Self::AurocMedians,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::MedianWithin => "median_within",
            Self::IqrWithin => "iqr_within",
            Self::MedianBetween => "median_between",
            Self::IqrBetween => "iqr_between",
            Self::CohensD => "cohens_d",
            Self::CliffsDelta => "cliffs_delta",
            Self::AurocMedians => "auroc_medians",
        }
    }
}

/// The points in ascending order, for many draws.
pub(crate) struct SortedMedians {
    /// `(value, type)`.
    within: Vec<(f64, usize)>,
    /// `(value, type, type)`.
    between: Vec<(f64, usize, usize)>,
}

impl SortedMedians {
    pub(crate) fn new(medians: &Medians) -> Self {
        let mut within: Vec<(f64, usize)> =
            medians.within.iter().enumerate().filter_map(|(kind, it)| it.map(|it| (it, kind))).collect();
        within.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut between: Vec<(f64, usize, usize)> = medians.between.iter().map(|(a, b, it)| (*it, *a, *b)).collect();
        between.sort_by(|x, y| x.0.total_cmp(&y.0).then((x.1, x.2).cmp(&(y.1, y.2))));
        Self { within, between }
    }

    /// A statistic, with types counted as often as `times` says.
    pub(crate) fn statistic(&self, what: FigureStatistic, times: &[u32]) -> Option<f64> {
        let inside: Vec<(f64, f64)> =
            self.within.iter().map(|it| (it.0, f64::from(times[it.1]))).filter(|it| it.1 > 0.0).collect();
        let across: Vec<(f64, f64)> = self
            .between
            .iter()
            .map(|it| (it.0, f64::from(times[it.1]) * f64::from(times[it.2])))
            .filter(|it| it.1 > 0.0)
            .collect();
        match what {
            FigureStatistic::MedianWithin => weighted_quantile(&inside, 0.5),
            FigureStatistic::IqrWithin => Some(weighted_quantile(&inside, 0.75)? - weighted_quantile(&inside, 0.25)?),
            FigureStatistic::MedianBetween => weighted_quantile(&across, 0.5),
            FigureStatistic::IqrBetween => Some(weighted_quantile(&across, 0.75)? - weighted_quantile(&across, 0.25)?),
            FigureStatistic::CohensD => cohens_d(&inside, &across),
            FigureStatistic::CliffsDelta => dominance(&inside, &across).map(|it| 2.0 * it - 1.0),
            FigureStatistic::AurocMedians => dominance(&inside, &across),
        }
    }
}

/// The least value below which lies so large a share of the weight, midway where the share falls between two values.
fn weighted_quantile(sorted: &[(f64, f64)], q: f64) -> Option<f64> {
    let goal = q * sorted.iter().map(|it| it.1).sum::<f64>();
    let mut below = 0.0;
    for (at, (value, weight)) in sorted.iter().enumerate() {
        below += weight;
        if (below - goal).abs() < 1e-9 * goal.max(1.0) {
            let next = sorted.get(at + 1).map_or(*value, |it| it.0);
            return Some(f64::midpoint(*value, next));
        }
        if below > goal {
            return Some(*value);
        }
    }
    sorted.last().map(|it| it.0)
}

fn moments(values: &[(f64, f64)]) -> Option<(f64, f64, f64)> {
    let n: f64 = values.iter().map(|it| it.1).sum();
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().map(|it| it.0 * it.1).sum::<f64>() / n;
    let scatter: f64 = values.iter().map(|it| it.1 * (it.0 - mean).powi(2)).sum();
    Some((n, mean, scatter))
}

fn cohens_d(a: &[(f64, f64)], b: &[(f64, f64)]) -> Option<f64> {
    let ((n_a, mean_a, scatter_a), (n_b, mean_b, scatter_b)) = (moments(a)?, moments(b)?);
    let pooled = ((scatter_a + scatter_b) / (n_a + n_b - 2.0)).sqrt();
    (pooled > 0.0).then(|| (mean_a - mean_b) / pooled)
}

/// `P(a > b) + P(a = b) / 2` for ascending values with weights.
fn dominance(a: &[(f64, f64)], b: &[(f64, f64)]) -> Option<f64> {
    let (n_a, n_b) = (a.iter().map(|it| it.1).sum::<f64>(), b.iter().map(|it| it.1).sum::<f64>());
    if n_a <= 0.0 || n_b <= 0.0 {
        return None;
    }
    let (mut below, mut up_to, mut i, mut j) = (0.0, 0.0, 0, 0);
    let mut sum = 0.0;
    for (value, weight) in a {
        while i < b.len() && b[i].0 < *value {
            below += b[i].1;
            i += 1;
        }
        while j < b.len() && b[j].0 <= *value {
            up_to += b[j].1;
            j += 1;
        }
        sum += weight * f64::midpoint(below, up_to);
    }
    Some(sum / (n_a * n_b))
}

/// `P(a > b) + P(a = b) / 2` of values in any order; `None` where one side is empty.
pub(crate) fn auroc(a: &[f64], b: &[f64]) -> Option<f64> {
    let sorted = |values: &[f64]| {
        let mut it: Vec<(f64, f64)> = values.iter().map(|it| (*it, 1.0)).collect();
        it.sort_by(|x, y| x.0.total_cmp(&y.0));
        it
    };
    dominance(&sorted(a), &sorted(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_of_two_clouds() {
        let medians = Medians {
            within: vec![Some(0.9), Some(0.5), Some(0.8)],
            between: vec![(0, 1, 0.1), (0, 2, 0.6), (1, 2, 0.2)],
        };
        let sorted = SortedMedians::new(&medians);
        let once = |what| sorted.statistic(what, &[1, 1, 1]).expect("defined");
        assert_eq!(once(FigureStatistic::MedianWithin), 0.8);
        assert_eq!(once(FigureStatistic::MedianBetween), 0.2);
        // 0.5 is below 0.6 alone: 8 of 9 comparisons are won.
        assert!((once(FigureStatistic::AurocMedians) - 8.0 / 9.0).abs() < 1e-12);
        assert!((once(FigureStatistic::CliffsDelta) - 7.0 / 9.0).abs() < 1e-12);
        let (w, b) = ([0.9, 0.5, 0.8], [0.1_f64, 0.6, 0.2]);
        let mean = |it: &[f64]| it.iter().sum::<f64>() / 3.0;
        let scatter = |it: &[f64]| it.iter().map(|v| (v - mean(it)).powi(2)).sum::<f64>();
        let d = (mean(&w) - mean(&b)) / ((scatter(&w) + scatter(&b)) / 4.0).sqrt();
        assert!((once(FigureStatistic::CohensD) - d).abs() < 1e-12);
        // Without type 1 only 0.9 and 0.8 against 0.6 are left.
        assert_eq!(sorted.statistic(FigureStatistic::AurocMedians, &[1, 0, 2]), Some(1.0));
        assert_eq!(sorted.statistic(FigureStatistic::AurocMedians, &[3, 0, 0]), None, "one type has no between");
    }

    #[test]
    fn weights_are_repeats() {
        let values = [(1.0, 2.0), (3.0, 1.0), (7.0, 3.0)];
        let repeated: Vec<(f64, f64)> = [1.0, 1.0, 3.0, 7.0, 7.0, 7.0].map(|it| (it, 1.0)).to_vec();
        for q in [0.1, 0.25, 0.5, 0.6, 0.9] {
            assert_eq!(weighted_quantile(&values, q), weighted_quantile(&repeated, q), "{q}");
        }
        let ((n, mean, scatter), (m, other, spread)) =
            (moments(&values).expect("two"), moments(&repeated).expect("two"));
        assert!(n == m && (mean - other).abs() < 1e-12 && (scatter - spread).abs() < 1e-12);
        assert_eq!(weighted_quantile(&values, 0.5), Some(5.0));
        assert_eq!(auroc(&[1.0, 2.0], &[2.0, 0.0]), Some(0.625));
    }

    #[test]
    fn macro_means_weigh_types_alike() {
        let mut pairs = TypePairs::new(3);
        pairs.cells[1] = (0.9, 10.0);
        pairs.cells[2] = (0.6, 20.0);
        pairs.cells[3] = (0.5, 1.0);
        assert_eq!(pairs.rows(), [Some(0.7), Some(0.5), None]);
        assert!((pairs.macro_mean(&[1, 1, 1]).expect("defined") - 0.6).abs() < 1e-12);
        assert!((pairs.macro_mean(&[2, 1, 0]).expect("defined") - (2.0 * 0.9 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(pairs.macro_mean(&[0, 0, 3]), None);
    }

    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        // The mean of 40 types about 0: an interval of half-width near 1.96 / √40 = 0.31.
        let values: Vec<f64> = (0..40).map(|it| f64::from(it % 5 - 2) / 2.0_f64.sqrt()).collect();
        let mean = |times: &[u32]| {
            let sum: f64 = times.iter().zip(&values).map(|(n, it)| f64::from(*n) * it).sum();
            Some(sum / 40.0)
        };
        let (lo, hi) = over_types(40, 2000, Seed::new(1), mean).expect("defined");
        assert!((lo + 0.31).abs() < 0.06 && (hi - 0.31).abs() < 0.06, "{lo} {hi}");
        assert_eq!(over_types(1, 100, Seed::new(1), |_| Some(1.0)), None);
        assert_eq!(over_types(5, 100, Seed::new(1), |_| None), None);
    }
}
