//! From places in a sentence back to expression: a line in the logarithm of the rank.

use crate::vectors::average_ranks;
use cellstone_core::sum::ordered_sum;
use cellstone_core::{Error, Result};

/// Ranks whose logarithm to base ten is at or above this do not enter the fit.
const LOG_RANK_LIMIT: f64 = 3.0;

/// `x = intercept + slope · log₁₀(1 + rank)`, and how well it holds.
///
/// # Examples
/// ```
/// use cellstone_rank::fit_rank_inverse;
/// // Values that lie on the line 3 − log₁₀(1 + rank).
/// let cell: Vec<f64> = (0..20).map(|rank| 3.0 - f64::from(1 + rank).log10()).collect();
/// let fit = fit_rank_inverse(&[&cell])?;
/// assert!((fit.intercept - 3.0).abs() < 1e-12 && (fit.slope + 1.0).abs() < 1e-12);
/// assert!((fit.r2 - 1.0).abs() < 1e-12 && (fit.spearman - 1.0).abs() < 1e-12);
/// assert!((fit.expression(9) - 2.0).abs() < 1e-12);
/// // Far down the sentence the line is below zero, expression is not.
/// assert_eq!(fit.expression(1_000_000), 0.0);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// `vandijklab/cell2sentence src/cell2sentence/utils.py` (`benchmark_expression_conversion`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankFit {
    /// Value at rank 0.
    pub intercept: f64,
    /// Change per unit of `log₁₀(1 + rank)`.
    pub slope: f64,
    /// `1 − Σ (x − x̂)² / Σ (x − x̄)²` over all values, those outside the fit too.
    pub r2: f64,
    /// Pearson correlation of values and line.
    pub pearson: f64,
    /// Spearman correlation of values and line, average ranks.
    pub spearman: f64,
    /// Values that the line was fitted to.
    pub n_fitted: usize,
    /// Values in all.
    pub n: usize,
}

impl RankFit {
    /// The value that the line gives to a place in a sentence, counted from 0; never below zero.
    pub fn expression(&self, rank: usize) -> f64 {
        // DIVERGES(c2s-inverse-clip): the reference returns what the line gives, negative values too.
        (self.intercept + self.slope * log_rank(rank)).max(0.0)
    }

    /// Expression of the genes of a vocabulary from a sentence: `genes` are positions in it, in the order of the words.
    /// Genes that the sentence lacks are 0, and so are positions beyond `n_genes`.
    pub fn reconstruct(&self, genes: &[u32], n_genes: usize) -> Vec<f32> {
        let mut expression = vec![0.0; n_genes];
        for (rank, gene) in genes.iter().enumerate() {
            if let Some(it) = expression.get_mut(*gene as usize) {
                *it = self.expression(rank) as f32;
            }
        }
        expression
    }
}

fn log_rank(rank: usize) -> f64 {
    (1.0 + rank as f64).log10()
}

/// Fits the line by least squares to the non-zero values of cells, each in falling order, so that a place in the slice
/// is a rank among all genes. Values from rank 999 on do not enter the fit, but the figures of its quality.
///
/// The order of equal values does not matter: a value has its rank whichever gene carries it.
///
/// # Errors
/// If a cell is not in falling order, holds a value that is no positive number, or fewer than two values are left or
/// none differs from the others.
pub fn fit_rank_inverse(cells: &[&[f64]]) -> Result<RankFit> {
    for (cell, values) in cells.iter().enumerate() {
        if let Some(at) = values.iter().position(|it| !(*it > 0.0 && it.is_finite())) {
            return Err(Error::invalid_input(format!("cell {cell} has the value {}, expected above 0", values[at])));
        }
        if let Some(at) = values.windows(2).position(|it| it[0] < it[1]) {
            return Err(Error::invalid_input(format!(
                "values of cell {cell} rise at rank {at}, expected falling ones"
            )));
        }
    }
    let pairs: Vec<(f64, f64)> = cells
        .iter()
        .flat_map(|values| values.iter().enumerate().map(|(rank, value)| (log_rank(rank), *value)))
        .collect();
    let fitted: Vec<(f64, f64)> = pairs.iter().filter(|it| it.0 < LOG_RANK_LIMIT).copied().collect();
    let line = Moments::of(&fitted);
    let all = Moments::of(&pairs);
    if fitted.len() < 2 || line.xx == 0.0 || all.yy == 0.0 {
        return Err(Error::invalid_input(format!(
            "{} values whose ranks or values do not differ have no line, expected at least two that do",
            pairs.len()
        )));
    }
    let slope = line.xy / line.xx;
    let intercept = line.y - slope * line.x;
    let errors: Vec<f64> = pairs.iter().map(|(x, y)| (y - (intercept + slope * x)).powi(2)).collect();
    // A straight line keeps or turns the order of the ranks, so both correlations are those with the logarithms.
    let sign = if slope < 0.0 { -1.0 } else { 1.0 };
    Ok(RankFit {
        intercept,
        slope,
        r2: 1.0 - ordered_sum(&errors) / all.yy,
        pearson: sign * all.correlation(),
        spearman: sign * spearman(&pairs),
        n_fitted: fitted.len(),
        n: pairs.len(),
    })
}

/// Means and centred sums of products.
struct Moments {
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Moments {
    fn of(pairs: &[(f64, f64)]) -> Self {
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| ordered_sum(&pairs.iter().map(of).collect::<Vec<_>>());
        let n = pairs.len() as f64;
        let (x, y) = (sum(&|it| it.0) / n, sum(&|it| it.1) / n);
        Self {
            x,
            y,
            xx: sum(&|it| (it.0 - x).powi(2)),
            xy: sum(&|it| (it.0 - x) * (it.1 - y)),
            yy: sum(&|it| (it.1 - y).powi(2)),
        }
    }

    fn correlation(&self) -> f64 {
        self.xy / (self.xx * self.yy).sqrt()
    }
}

fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let ranks: Vec<(f64, f64)> = average_ranks(&x).into_iter().zip(average_ranks(&y)).collect();
    Moments::of(&ranks).correlation()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_by_hand() {
        // Ranks 0 and 1 of two cells: x = 0, log10(2); values (4, 2) and (2, 2), so means 3 and 2.
        let fit = fit_rank_inverse(&[&[4.0, 2.0], &[2.0, 2.0]]).expect("a line");
        assert!((fit.intercept - 3.0).abs() < 1e-12, "{fit:?}");
        assert!((fit.slope + 1.0 / 2.0_f64.log10()).abs() < 1e-12, "{fit:?}");
        // Errors 1, 1, 0, 0 against 2.25 + 3 · 0.25.
        assert!((fit.r2 - (1.0 - 2.0 / 3.0)).abs() < 1e-12, "{fit:?}");
        assert!((fit.pearson - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{fit:?}");
        assert!((fit.spearman - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{fit:?}");
        assert_eq!((fit.n_fitted, fit.n), (4, 4));
        assert_eq!(fit.reconstruct(&[2, 0], 3), [(3.0 + fit.slope * 2.0_f64.log10()) as f32, 0.0, 3.0]);
    }

    #[test]
    fn far_ranks_do_not_move_the_line() {
        let mut cell: Vec<f64> = (0..1500).map(|rank| 5.0 - 1.2 * f64::from(1 + rank).log10()).collect();
        cell[999..].iter_mut().for_each(|it| *it *= 0.5);
        let fit = fit_rank_inverse(&[&cell]).expect("a line");
        assert!((fit.slope + 1.2).abs() < 1e-9 && fit.n_fitted == 999 && fit.n == 1500, "{fit:?}");
        assert!(fit.r2 < 0.9, "{fit:?}");
    }

    #[test]
    fn bad_cells_are_named() {
        let said = |cells: &[&[f64]]| fit_rank_inverse(cells).expect_err("bad").to_string();
        assert_eq!(said(&[&[1.0], &[1.0, 2.0]]), "values of cell 1 rise at rank 0, expected falling ones");
        assert_eq!(said(&[&[1.0, 0.0]]), "cell 0 has the value 0, expected above 0");
        assert!(said(&[&[1.0]]).contains("have no line"));
    }
}
