//! The parameters of a simulated atlas and what makes them valid.

use crate::Dispersion;
use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A simulated atlas: sizes, the tree of types, what sets cells apart and what hides it.
///
/// A cell of library `L`, type `t` and donor `d` of data set `b` has counts
/// `x_g ~ NB(mean = (1 − a) L · p_tdg, size = θ_g) + NB(mean = a L · q_bg, size = θ_g)`, where
/// `p_td ∝ exp(base + Σ_{edges above t} effect + donor_d + batch_b)`, `q_b` is the mean of the `p` of data set `b`
/// (ambient molecules), and `L` is lognormal about `library_median` times the depth of data set and type.
///
/// # Examples
/// ```
/// use cellstone_fixtures::AtlasSpec;
/// let spec = AtlasSpec::preset("atlas")?;
/// assert_eq!((spec.n_types, spec.n_obs, spec.n_vars), (89, 44_500, 2_435));
/// let error = spec.with_size(Some(100), None).expect_err("too few cells");
/// assert_eq!(error.to_string(), "n_obs is 100, expected at least 178: 2 cells for each of 89 types");
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtlasSpec {
    /// Number of cells; types get equal numbers, the first ones one more where they do not divide.
    pub n_obs: usize,
    /// Number of genes.
    pub n_vars: usize,
    /// Number of types: the leaves of the tree.
    pub n_types: usize,
    /// Edges from the root of the tree to every type.
    pub tree_depth: usize,
    /// Number of donors; every type occurs in each, up to chance.
    pub n_donors: usize,
    /// Number of data sets; donor `d` belongs to data set `d mod n_batches`.
    pub n_batches: usize,
    /// Share of the genes that change along one edge of the tree.
    pub edge_share: f64,
    /// Standard deviation of that change, on the log scale.
    pub edge_sd: f64,
    /// Standard deviation of the log effect of a donor on a gene.
    pub donor_sd: f64,
    /// Standard deviation of the log effect of a data set on a gene.
    pub batch_sd: f64,
    /// Standard deviation of the log depth of a data set.
    pub batch_depth_sd: f64,
    /// Standard deviation of the log depth of a type: types differ in their amount of RNA.
    pub type_depth_sd: f64,
    /// Mean share of ambient molecules; in a cell it lies between nothing and twice that.
    pub ambient: f64,
    /// Median number of molecules of a cell.
    pub library_median: f64,
    /// Standard deviation of the log number of molecules inside a type and data set.
    pub library_sd: f64,
    /// Expected number of non-zero genes in a cell of median library; sets the spread of expression.
    pub genes_per_cell: f64,
    /// Overdispersion.
    pub dispersion: Dispersion,
}

/// Fewest cells of a type: one pair.
const MIN_CELLS: usize = 2;

impl AtlasSpec {
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
        let least = [
            ("n_vars", self.n_vars, 2),
            ("n_types", self.n_types, 2),
            ("tree_depth", self.tree_depth, 1),
            ("n_donors", self.n_donors, 1),
            ("n_batches", self.n_batches, 1),
        ];
        if let Some((name, found, want)) = least.iter().find(|it| it.1 < it.2) {
            return Err(Error::config(format!("{name} is {found}, expected at least {want}")));
        }
        if self.n_batches > self.n_donors || self.n_donors > usize::from(u16::MAX) {
            return Err(Error::config(format!(
                "n_batches is {} and n_donors is {}, expected at most one data set for each donor and at most {} donors",
                self.n_batches,
                self.n_donors,
                u16::MAX
            )));
        }
        let need = MIN_CELLS * self.n_types;
        if self.n_obs < need {
            return Err(Error::config(format!(
                "n_obs is {}, expected at least {need}: {MIN_CELLS} cells for each of {} types",
                self.n_obs, self.n_types
            ))
            .with_hint("ask for more cells, or choose a preset with fewer types"));
        }
        if u32::try_from(self.n_vars).is_err() {
            return Err(Error::config(format!("n_vars is {}, expected at most {}", self.n_vars, u32::MAX)));
        }
        self.check_ranges()
    }

    fn check_ranges(&self) -> Result<()> {
        let positive = [
            ("library_median", self.library_median),
            ("genes_per_cell", self.genes_per_cell),
            ("dispersion.theta_median", self.dispersion.theta_median),
        ];
        let spread = [
            ("edge_sd", self.edge_sd),
            ("donor_sd", self.donor_sd),
            ("batch_sd", self.batch_sd),
            ("batch_depth_sd", self.batch_depth_sd),
            ("type_depth_sd", self.type_depth_sd),
            ("library_sd", self.library_sd),
            ("dispersion.theta_sd", self.dispersion.theta_sd),
        ];
        let check = |fields: &[(&str, f64)], low: f64, high: f64, want: &str| match fields
            .iter()
            .find(|(_, it)| !(it.is_finite() && *it >= low && *it <= high))
        {
            Some((name, it)) => Err(Error::config(format!("{name} is {it}, expected {want}"))),
            None => Ok(()),
        };
        check(&positive, f64::MIN_POSITIVE, f64::MAX, "a positive number")?;
        check(&spread, 0.0, 10.0, "0 to 10")?;
        check(&[("edge_share", self.edge_share)], 0.0, 1.0, "0 to 1")?;
        check(&[("ambient", self.ambient)], 0.0, 0.45, "0 to 0.45")
    }

    /// Cells of every type; they add up to `n_obs`.
    pub(crate) fn cell_counts(&self) -> Vec<usize> {
        let (each, more) = (self.n_obs / self.n_types, self.n_obs % self.n_types);
        (0..self.n_types).map(|it| each + usize::from(it < more)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_simulated_is_named() {
        let check = |change: fn(&mut AtlasSpec), want: &str| {
            let mut spec = AtlasSpec::preset("atlas_tiny").expect("preset");
            change(&mut spec);
            let error = spec.validate().expect_err("invalid");
            assert!(error.is_config());
            assert!(error.to_string().contains(want), "{error}");
        };
        check(|it| it.n_types = 1, "n_types is 1, expected at least 2");
        check(|it| it.n_batches = 9, "n_batches is 9 and n_donors is 4");
        check(|it| it.ambient = 1.0, "ambient is 1, expected 0 to 0.45");
        check(|it| it.edge_sd = f64::NAN, "edge_sd is NaN, expected 0 to 10");
        check(|it| it.library_median = 0.0, "library_median is 0, expected a positive number");
    }

    #[test]
    fn every_cell_has_a_type() {
        let spec = AtlasSpec::preset("atlas_tiny").and_then(|it| it.with_size(Some(100), None)).expect("fits");
        let counts = spec.cell_counts();
        assert_eq!(counts.iter().sum::<usize>(), 100);
        assert!(counts.iter().max().expect("types") - counts.iter().min().expect("types") <= 1);
    }
}
