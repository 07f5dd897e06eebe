//! The rule that calls a cell novel, with the rate at which it errs on known types.

use super::super::bootstrap::check_finite;
use super::super::input::{Donors, check_cells};
use cellstone_core::Result;

/// Calibrated strangeness of known cells.
///
/// `p(s) = (1 + Σ_d #{s_c ≥ s in donor d}/n_d)/(D + 1)`: the conformal p-value `(1 + #{s_c ≥ s})/(n+1)` with donors in
/// place of cells, since cells of a donor are alike. Reject at 0.05.
#[derive(Debug, Clone, PartialEq)]
pub struct NoveltyRule {
    /// Calibration scores, falling.
    scores: Vec<f64>,
    /// Mass of the scores up to each, and at least as large.
    mass: Vec<f64>,
    n_donors: usize,
}

impl NoveltyRule {
    /// Takes strangeness of calibration cells of known types.
    ///
    /// # Errors
    /// If lengths differ or a score is not finite.
    pub fn fit(score: &[f64], donor: &[u32]) -> Result<Self> {
        check_cells("donors", donor.len(), score.len())?;
        check_finite("score", score)?;
        let donors = Donors::new(donor);
        let mut order: Vec<usize> = (0..score.len()).collect();
        order.sort_by(|a, b| score[*b].total_cmp(&score[*a]).then(a.cmp(b)));
        let mut total = 0.0;
        let mut mass = Vec::with_capacity(order.len());
        for cell in &order {
            total += 1.0 / f64::from(donors.sizes[donors.of[*cell] as usize]);
            mass.push(total);
        }
        Ok(Self { scores: order.into_iter().map(|it| score[it]).collect(), mass, n_donors: donors.len() })
    }

    /// The p-value of every cell: small where nothing known is as strange.
    ///
    /// # Examples
    /// ```
    /// let rule = cellstone_metrics::phenotype::NoveltyRule::fit(&[0.1, 0.2, 0.3], &[0, 0, 1])?;
    /// assert_eq!(rule.p_values(&[0.4, 0.3, 0.15, 0.0]), [1.0 / 3.0, 2.0 / 3.0, 2.5 / 3.0, 1.0]);
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn p_values(&self, score: &[f64]) -> Vec<f64> {
        let one = |s: &f64| {
            let n = self.scores.partition_point(|it| it >= s);
            let mass = n.checked_sub(1).map_or(0.0, |at| self.mass[at]);
            ((1.0 + mass) / (self.n_donors + 1) as f64).min(1.0)
        };
        score.iter().map(one).collect()
    }
}
