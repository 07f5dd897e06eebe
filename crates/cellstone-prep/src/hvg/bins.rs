//! Bins of the mean: equal widths (`seurat`) or equal numbers (`cell_ranger`), right-closed, as pandas cuts them.

use cellstone_core::{Error, Result};

/// Edges of `n` bins of equal width over the range of the values, the lowest lowered by 0.1 % of the range.
pub(super) fn equal_width(values: &[f64], n: usize) -> Vec<f64> {
    let (mut low, mut high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |acc, it| (acc.0.min(*it), acc.1.max(*it)));
    let lowered = if low == high {
        let margin = if low == 0.0 { 0.001 } else { 0.001 * low.abs() };
        (low, high) = (low - margin, high + margin);
        0.0
    } else {
        (high - low) * 0.001
    };
    let step = (high - low) / n as f64;
    let mut edges: Vec<f64> = (0..=n).map(|it| it as f64 * step + low).collect();
    edges[n] = high;
    edges[0] -= lowered;
    edges
}

/// Edges at −∞, the percentiles 10, 15, …, 100 of the values, and ∞.
///
/// # Errors
/// If two percentiles are equal: the bins are degenerate.
pub(super) fn percentiles(values: &[f64]) -> Result<Vec<f64>> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut edges = vec![f64::NEG_INFINITY];
    edges.extend((0..19).map(|it| quantile(&sorted, f64::from(10 + 5 * it) / 100.0)));
    edges.push(f64::INFINITY);
    match (1..19).find(|it| edges[*it] == edges[it + 1]) {
        None => Ok(edges),
        Some(at) => Err(Error::invalid_input(format!(
            "degenerate bins: percentiles {} and {} of the mean expression are both {}, flavor `cell_ranger` expects \
             20 different ones",
            5 + 5 * at,
            10 + 5 * at,
            edges[at]
        ))
        .with_hint("drop genes without counts first (min_cells = 1), or use flavor = \"seurat\"")),
    }
}

/// Linear interpolation between order statistics, in NumPy's order of operations.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = (sorted.len() - 1) as f64 * q;
    let below = at.floor();
    let (a, b) = (sorted[below as usize], sorted[(below as usize + 1).min(sorted.len() - 1)]);
    let t = at - below;
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

/// The bin of a value: the one whose upper edge is the first not below it.
pub(super) fn bin_of(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|it| *it < value).clamp(1, edges.len() - 1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_follow_pandas_and_numpy() {
        assert_eq!(equal_width(&[0.0, 10.0], 2), [-0.01, 5.0, 10.0]);
        assert_eq!(equal_width(&[0.0, 0.0], 2), [-0.001, 0.0, 0.001]);
        let edges = percentiles(&(0..=100).map(f64::from).collect::<Vec<_>>()).expect("distinct");
        assert_eq!((edges.len(), edges[1], edges[2], edges[19]), (21, 10.0, 15.0, 100.0));
        assert_eq!((bin_of(&edges, 10.0), bin_of(&edges, 10.5), bin_of(&edges, 100.0)), (0, 1, 18));
        let error = percentiles(&[0.0; 40]).expect_err("equal");
        assert!(error.to_string().contains("percentiles 10 and 15 of the mean expression are both 0"), "{error}");
    }
}
