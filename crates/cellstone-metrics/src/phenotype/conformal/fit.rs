//! Thresholds from calibration cells, per cell, per donor or per class.

use super::super::input::{Donors, check_cells, check_laws, check_truth};
use super::scores::ConformalScore;
use cellstone_core::{Error, Result, Seed};
use ndarray::ArrayView2;
use rand::RngExt;

/// What is taken as exchangeable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConformalMode {
    /// Cells: naive, since cells of a donor are alike.
    Cell,
    /// Donors: each has weight 1, and a new one may be stranger than all.
    Donor,
    /// Cells within each class.
    Class,
}

impl ConformalMode {
    /// The word of the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cell => "cell",
            Self::Donor => "donor",
            Self::Class => "class",
        }
    }
}

/// Fitted thresholds: what makes sets for new cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Conformal {
    score: ConformalScore,
    /// One per class.
    thresholds: Vec<f64>,
}

impl Conformal {
    /// Finds thresholds at miscoverage `alpha`.
    ///
    /// `cell`: the `⌈(n+1)(1−α)⌉`-th smallest score of the true classes, infinite beyond n. `donor`: every donor
    /// spreads a mass of `1/(D+1)` over its scores and the rest is at infinity; the `1−α` quantile of that law.
    /// `class`: as `cell`, within the calibration cells of each class; a class with fewer than `⌈1/α⌉−1` is in every
    /// set.
    ///
    /// # Errors
    /// If alpha is not in (0, 1), lengths differ, a class is out of range or a row is no law.
    ///
    /// # References
    /// Vovk et al. 2005, doi:10.1007/b106715; Dunn et al. 2023, doi:10.1080/01621459.2022.2060112 (groups).
    pub fn fit(
        p: ArrayView2<'_, f64>,
        truth: &[u32],
        donor: &[u32],
        score: ConformalScore,
        mode: ConformalMode,
        alpha: f64,
        seed: Seed,
    ) -> Result<Self> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(Error::config(format!("miscoverage {alpha}, expected a number between 0 and 1")));
        }
        check_truth(truth, p.nrows(), p.ncols())?;
        check_cells("donors", donor.len(), truth.len())?;
        check_laws(p)?;
        let seed = seed.derive("conformal").derive("calibration");
        let scores: Vec<f64> = p
            .rows()
            .into_iter()
            .zip(truth)
            .enumerate()
            .map(|(cell, (row, y))| score.of(row, uniform(seed, cell))[*y as usize])
            .collect();
        let thresholds = match mode {
            ConformalMode::Cell => vec![order_statistic(&scores, alpha); p.ncols()],
            ConformalMode::Donor => {
                let donors = Donors::new(donor);
                vec![weighted_quantile(&scores, &donors, alpha); p.ncols()]
            }
            ConformalMode::Class => {
                let of = |class: usize| -> Vec<f64> {
                    scores.iter().zip(truth).filter(|it| *it.1 as usize == class).map(|it| *it.0).collect()
                };
                (0..p.ncols()).map(|class| order_statistic(&of(class), alpha)).collect()
            }
        };
        Ok(Self { score, thresholds })
    }

    /// The largest score that is in the set, per class; infinite where the class is in every set.
    pub fn thresholds(&self) -> &[f64] {
        &self.thresholds
    }

    /// The set of every cell, classes ascending; a set may be empty.
    ///
    /// # Errors
    /// If the number of classes differs or a row is no law.
    pub fn sets(&self, p: ArrayView2<'_, f64>, seed: Seed) -> Result<Vec<Vec<u32>>> {
        if p.ncols() != self.thresholds.len() {
            return Err(Error::invalid_input(format!(
                "{} classes, the calibration cells have {}",
                p.ncols(),
                self.thresholds.len()
            )));
        }
        check_laws(p)?;
        let seed = seed.derive("conformal").derive("test");
        let set = |(cell, row)| {
            let scores = self.score.of(row, uniform(seed, cell));
            (0..scores.len() as u32).filter(|it| scores[*it as usize] <= self.thresholds[*it as usize]).collect()
        };
        Ok(p.rows().into_iter().enumerate().map(set).collect())
    }
}

fn uniform(seed: Seed, cell: usize) -> f64 {
    seed.derive_index(cell as u64).rng().random()
}

/// The `⌈(n+1)(1−α)⌉`-th smallest, infinite beyond n.
fn order_statistic(scores: &[f64], alpha: f64) -> f64 {
    // (n+1)(1−α) is a whole number more often than its rounding error lets it be.
    let place = ((scores.len() + 1) as f64 * (1.0 - alpha) - 1e-9).ceil().max(1.0) as usize;
    if place > scores.len() {
        return f64::INFINITY;
    }
    let mut sorted = scores.to_vec();
    let (_, found, _) = sorted.select_nth_unstable_by(place - 1, f64::total_cmp);
    *found
}

/// The `1−α` quantile of scores in which every donor has mass `1/(D+1)`, the rest being at infinity.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{Donors, weighted_quantile};
/// let donors = Donors::new(&[0, 0, 1, 2]);
/// // Masses 1/8, 1/8, 1/4, 1/4 and 1/4 at infinity.
/// assert_eq!(weighted_quantile(&[0.1, 0.4, 0.2, 0.3], &donors, 0.3), 0.4);
/// assert_eq!(weighted_quantile(&[0.1, 0.4, 0.2, 0.3], &donors, 0.1), f64::INFINITY);
/// ```
pub fn weighted_quantile(scores: &[f64], donors: &Donors, alpha: f64) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(a.cmp(b)));
    let unit = 1.0 / (donors.len() + 1) as f64;
    let mut mass = 0.0;
    for cell in order {
        mass += unit / f64::from(donors.sizes[donors.of[cell] as usize]);
        if mass >= 1.0 - alpha - 1e-9 {
            return scores[cell];
        }
    }
    f64::INFINITY
}
