//! Encoders with figures that are estimated from training cells.

use super::encoder::CountRows;
use cellstone_core::{Error, Result};

/// Log-normalised values in standard deviations from their mean: `(x − mean_g) / sd_g`, cut at ± `clip`.
///
/// Means and standard deviations (divisor n − 1) are those of the cells it was fitted to. Genes that do not vary there
/// are 0.
#[derive(Debug, Clone, PartialEq)]
pub struct ZScore {
    pub(super) target: f64,
    pub(super) clip: f64,
    pub(super) mean: Vec<f64>,
    /// 0 for genes that do not vary.
    pub(super) inverse_sd: Vec<f64>,
}

impl ZScore {
    /// Means and standard deviations of training cells.
    ///
    /// # Errors
    /// If there are fewer than two cells, a value is no count, or `target` or `clip` is not above 0.
    pub fn fit(cells: &CountRows<'_>, target: f64, clip: f64) -> Result<Self> {
        cells.check()?;
        let (n_obs, n_vars) = cells.x.shape();
        if n_obs < 2 {
            return Err(Error::invalid_input(format!("{n_obs} cells have no standard deviation, expected at least 2")));
        }
        if !(target > 0.0 && target.is_finite() && clip > 0.0) {
            return Err(Error::config(format!("library size {target} and clip {clip}, expected both above 0")));
        }
        let (mut mean, mut squares, mut n_detected) = (vec![0.0; n_vars], vec![0.0; n_vars], vec![0_usize; n_vars]);
        // In the order of the rows, so that sums do not depend on threads.
        let each = |visit: &mut dyn FnMut(usize, f64)| {
            for row in 0..n_obs {
                let total = cells.total(row);
                let (columns, values) = cells.x.row(row);
                for (column, value) in columns.iter().zip(values).filter(|it| *it.1 > 0.0) {
                    visit(*column as usize, (f64::from(*value) / total * target).ln_1p());
                }
            }
        };
        each(&mut |gene, value| {
            mean[gene] += value;
            n_detected[gene] += 1;
        });
        mean.iter_mut().for_each(|it| *it /= n_obs as f64);
        each(&mut |gene, value| squares[gene] += (value - mean[gene]).powi(2));
        let inverse_sd = (0..n_vars).map(|gene| {
            let zeros = (n_obs - n_detected[gene]) as f64 * mean[gene].powi(2);
            let variance = (squares[gene] + zeros) / (n_obs - 1) as f64;
            if variance > 0.0 { 1.0 / variance.sqrt() } else { 0.0 }
        });
        let inverse_sd = inverse_sd.collect();
        Ok(Self { target, clip, mean, inverse_sd })
    }

    /// Number of genes.
    pub fn n_vars(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn score(&self, gene: usize, value: f64) -> f32 {
        ((value - self.mean[gene]) * self.inverse_sd[gene]).clamp(-self.clip, self.clip) as f32
    }
}

/// Pearson residuals `(c − μ) / √(μ + μ² / θ)` with `μ = n_c p_g`, cut at ± `clip`.
///
/// `n_c` is the sum of the row over the genes of the matrix and `p_g` the share of the gene in all counts of the cells it
/// was fitted to. Genes without counts there, and cells without counts, are 0.
///
/// # References
/// Lause, Berens, Kobak 2021, doi:10.1186/s13059-021-02451-7.
#[derive(Debug, Clone, PartialEq)]
pub struct PearsonResiduals {
    theta: f64,
    clip: f64,
    share: Vec<f64>,
}

impl PearsonResiduals {
    /// Shares of genes in training cells. Without `clip`, residuals are cut at the root of the number of these cells.
    ///
    /// # Errors
    /// If there is no count at all, a value is no count, or `theta` or `clip` is not above 0.
    pub fn fit(cells: &CountRows<'_>, theta: f64, clip: Option<f64>) -> Result<Self> {
        cells.check()?;
        let (n_obs, n_vars) = cells.x.shape();
        let clip = clip.unwrap_or_else(|| (n_obs as f64).sqrt());
        if !(theta > 0.0 && clip > 0.0) {
            return Err(Error::config(format!("theta {theta} and clip {clip}, expected both above 0")));
        }
        let mut share = vec![0.0; n_vars];
        // Sums of whole numbers are exact in any order up to 2⁵³.
        for (column, value) in cells.x.indices().iter().zip(cells.x.data()) {
            share[*column as usize] += f64::from(*value);
        }
        let total: f64 = share.iter().sum();
        if total <= 0.0 {
            return Err(Error::invalid_input(format!("{n_obs} cells without a count, expected some")));
        }
        share.iter_mut().for_each(|it| *it /= total);
        Ok(Self { theta, clip, share })
    }

    /// Number of genes.
    pub fn n_vars(&self) -> usize {
        self.share.len()
    }

    /// The residual of `count` in a cell of `n` counts.
    pub(super) fn residual(&self, gene: usize, count: f64, n: f64) -> f32 {
        let mean = n * self.share[gene];
        if mean <= 0.0 {
            return 0.0;
        }
        ((count - mean) / (mean + mean * mean / self.theta).sqrt()).clamp(-self.clip, self.clip) as f32
    }
}
