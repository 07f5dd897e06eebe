//! The parameters of a simulated phenotype atlas and what makes them valid.

use super::names::{STAGES, TISSUES, TYPES};
use crate::Dispersion;
use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A simulated atlas whose phenotypes are written in its genes, with an uncertainty that is known.
///
/// A cell of library `L`, type `k`, tissue `t` and donor `d` (of stage `s`, one sex, one data set) has counts
/// `x_g ~ NB(mean = L · p_g, size = θ_g)` with `p ∝ exp(base + type_k + tissue_t + stage_s + sex + donor_d)`.
/// With probability `β_s = blur_first + (blur_last − blur_first) · s / (n_stages − 1)` a cell is *blurred*: in place of
/// `type_k` it has the mean of all types, so that nothing in its genes says what it is called. With types of equal
/// frequency the entropy of the type given the genes then grows with the stage by the law `H(s) ≈ β_s ln n_types`
/// and the accuracy of the best classifier is `1 − β_s (1 − 1 / n_types)`; the exact posterior of every cell is known
/// ([`super::PhenotypeAtlas::posteriors`]).
///
/// # Examples
/// ```
/// use cellstone_fixtures::PhenotypeSpec;
/// let spec = PhenotypeSpec::preset("phenotypes")?;
/// assert_eq!((spec.n_obs, spec.n_vars, spec.n_donors, spec.n_stages), (6_000, 600, 72, 4));
/// assert!((spec.blur(3) - spec.blur_last).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhenotypeSpec {
    /// Number of cells; donors get equal numbers, the first ones one more where they do not divide.
    pub n_obs: usize,
    /// Number of genes.
    pub n_vars: usize,
    /// Number of cell types, at most 8.
    pub n_types: usize,
    /// Number of tissues, at most 5; every donor gives all of them.
    pub n_tissues: usize,
    /// Number of life stages, at most 8, the last one the oldest.
    pub n_stages: usize,
    /// Number of donors; donor `d` is of stage `d mod n_stages`.
    pub n_donors: usize,
    /// Number of data sets; donor `d` is in data set `(d / n_stages) mod n_datasets`.
    pub n_datasets: usize,
    /// Share of the genes in the program of one type, tissue or stage.
    pub program_share: f64,
    /// Standard deviation of the log effects of a type on the genes of its program.
    pub type_sd: f64,
    /// The same for a tissue.
    pub tissue_sd: f64,
    /// The same for a stage.
    pub stage_sd: f64,
    /// Log effect of sex on four genes: two go up in one sex and two in the other.
    pub sex_effect: f64,
    /// Standard deviation of the log frequency of a type in a tissue; types are equally frequent at 0.
    pub composition_sd: f64,
    /// Standard deviation of the log effect of a donor on a gene.
    pub donor_sd: f64,
    /// Standard deviation of the log effect of a data set on a gene.
    pub dataset_sd: f64,
    /// Share of blurred cells in the first stage.
    pub blur_first: f64,
    /// Share of blurred cells in the last stage.
    pub blur_last: f64,
    /// Median number of molecules of a cell.
    pub library_median: f64,
    /// Standard deviation of the log number of molecules.
    pub library_sd: f64,
    /// Expected number of non-zero genes in a cell of median library; sets the spread of expression.
    pub genes_per_cell: f64,
    /// Overdispersion of the genes.
    pub dispersion: Dispersion,
}

/// Genes that tell the sexes apart.
pub(super) const SEX_GENES: usize = 4;

impl PhenotypeSpec {
    /// Share of blurred cells in a stage.
    pub fn blur(&self, stage: usize) -> f64 {
        let steps = (self.n_stages.max(2) - 1) as f64;
        self.blur_first + (self.blur_last - self.blur_first) * stage as f64 / steps
    }

    /// The same atlas with another number of cells or genes; `genes_per_cell` and the molecules follow the genes.
    ///
    /// # Errors
    /// If the new size does not fit the rest of the specification.
    pub fn with_size(mut self, n_obs: Option<usize>, n_vars: Option<usize>) -> Result<Self> {
        self.n_obs = n_obs.unwrap_or(self.n_obs);
        if let Some(n_vars) = n_vars {
            let ratio = n_vars as f64 / self.n_vars as f64;
            self.genes_per_cell *= ratio;
            self.library_median *= ratio;
            self.n_vars = n_vars;
        }
        self.validate()?;
        Ok(self)
    }

    /// Checks that the atlas can be simulated.
    ///
    /// # Errors
    /// Names the field, what it is and what it can be.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("n_vars", self.n_vars, 2 * SEX_GENES, u32::MAX as usize),
            ("n_types", self.n_types, 2, TYPES.len()),
            ("n_tissues", self.n_tissues, 1, TISSUES.len()),
            ("n_stages", self.n_stages, 1, STAGES.len()),
            ("n_donors", self.n_donors, self.n_stages, usize::from(u16::MAX)),
            ("n_datasets", self.n_datasets, 1, self.n_donors),
            ("n_obs", self.n_obs, self.n_donors, usize::MAX),
        ];
        if let Some((name, found, low, high)) = ranges.iter().find(|it| it.1 < it.2 || it.1 > it.3) {
            let most = if *high < usize::MAX { format!(" to {high}") } else { " or more".to_owned() };
            return Err(Error::config(format!("{name} is {found}, expected {low}{most}")));
        }
        let positive = [
            ("library_median", self.library_median),
            ("genes_per_cell", self.genes_per_cell),
            ("dispersion.theta_median", self.dispersion.theta_median),
        ];
        let spread = [
            ("type_sd", self.type_sd),
            ("tissue_sd", self.tissue_sd),
            ("stage_sd", self.stage_sd),
            ("sex_effect", self.sex_effect),
            ("composition_sd", self.composition_sd),
            ("donor_sd", self.donor_sd),
            ("dataset_sd", self.dataset_sd),
            ("library_sd", self.library_sd),
            ("dispersion.theta_sd", self.dispersion.theta_sd),
        ];
        let shares =
            [("program_share", self.program_share), ("blur_first", self.blur_first), ("blur_last", self.blur_last)];
        let wrong = |fields: &[(&'static str, f64)], low: f64, high: f64| {
            fields.iter().find(|it| !(it.1.is_finite() && it.1 >= low && it.1 <= high)).copied()
        };
        let found = wrong(&positive, f64::MIN_POSITIVE, f64::MAX)
            .map(|it| (it, "a positive number"))
            .or_else(|| wrong(&spread, 0.0, 10.0).map(|it| (it, "0 to 10")))
            .or_else(|| wrong(&shares, 0.0, 1.0).map(|it| (it, "0 to 1")));
        match found {
            Some(((name, it), want)) => Err(Error::config(format!("{name} is {it}, expected {want}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_simulated_is_named() {
        let check = |change: fn(&mut PhenotypeSpec), want: &str| {
            let mut spec = PhenotypeSpec::preset("phenotypes_tiny").expect("preset");
            change(&mut spec);
            let error = spec.validate().expect_err("invalid");
            assert!(error.is_config() && error.to_string().contains(want), "{error}");
        };
        check(|it| it.n_types = 9, "n_types is 9, expected 2 to 8");
        check(|it| it.n_obs = 3, "n_obs is 3, expected 12 or more");
        check(|it| it.n_donors = 1, "n_donors is 1, expected");
        check(|it| it.blur_last = 1.5, "blur_last is 1.5, expected 0 to 1");
        check(|it| it.type_sd = f64::NAN, "type_sd is NaN, expected 0 to 10");
        check(|it| it.library_median = 0.0, "library_median is 0, expected a positive number");
    }

    #[test]
    fn blur_grows_by_the_law() {
        let spec = PhenotypeSpec::preset("phenotypes").expect("preset");
        let found: Vec<f64> = (0..spec.n_stages).map(|it| spec.blur(it)).collect();
        assert!(found.windows(2).all(|it| it[1] > it[0]));
        assert!((found[1] - found[0] - (found[3] - found[2])).abs() < 1e-12, "a straight line");
    }
}
