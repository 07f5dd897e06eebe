//! Entropy, or any value per cell, against age, with what changes beside age held fixed.

use super::super::input::{Donors, Weighting, check_cells};
use super::design::Covariate;
use super::fit::{ClusterFit, Coefficient, Wald, cluster_regression};
use super::spline::natural_spline;
use super::wild::{WildTest, wild_bootstrap};
use cellstone_core::{Error, Result, Seed};

/// Fewer donors than this make the wild bootstrap the headline.
const FEW_DONORS: usize = 40;

/// A regression of a value per cell on age.
#[derive(Debug, Clone, Copy)]
pub struct AgeRegression<'a> {
    /// The value of every cell, for example entropy in nats.
    pub value: &'a [f64],
    /// Age in years after birth; cells without one are left out and counted.
    pub age: &'a [Option<f64>],
    /// Donor of every cell.
    pub donor: &'a [u32],
    /// What is held fixed: `ln` counts and genes, tissue, cell type, assay, sex, data set.
    pub covariates: &'a [Covariate<'a>],
    /// Whether cells or donors count alike.
    pub weighting: Weighting,
    /// Draws of the wild bootstrap; 9,999 in the protocol.
    pub draws: usize,
    /// The only source of randomness.
    pub seed: Seed,
}

/// Which error is the headline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeMethod {
    /// CR1 with Student's t.
    Cr1,
    /// The wild cluster bootstrap: below 40 donors.
    Wild,
}

impl AgeMethod {
    /// The word of the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cr1 => "cr1",
            Self::Wild => "wild_webb",
        }
    }
}

/// The fitted regression on age.
#[derive(Debug, Clone, PartialEq)]
pub struct AgeFit {
    /// Change per decade, with CR1 errors.
    pub per_decade: Coefficient,
    /// The same by the wild bootstrap, per decade.
    pub wild: WildTest,
    /// Which of the two is the headline.
    pub method: AgeMethod,
    /// Test of a natural spline of 3 degrees of freedom against the line; `None` if ages or donors are too few.
    pub spline: Option<Wald>,
    /// Cells with an age.
    pub n_obs: usize,
    /// Their donors.
    pub n_donors: usize,
    /// Cells without an age.
    pub n_excluded: usize,
    /// Columns that depend on others.
    pub dropped: Vec<String>,
    /// Share of the variance that is explained.
    pub r2: f64,
}

impl AgeFit {
    /// The p-value of the headline.
    pub fn p(&self) -> f64 {
        if self.method == AgeMethod::Wild { self.wild.p } else { self.per_decade.p }
    }

    /// The 95 % interval of the headline.
    pub fn interval(&self) -> (f64, f64) {
        match self.method {
            AgeMethod::Wild => (self.wild.lo, self.wild.hi),
            AgeMethod::Cr1 => (self.per_decade.lo, self.per_decade.hi),
        }
    }
}

/// Fits a value on age in decades and covariates, with errors by donor.
///
/// Age stands last, so that it is dropped, and the fit refused, where data set or another factor already says it.
///
/// # Errors
/// If lengths differ, no cell has an age (`NoNumericAge`), a value is not finite, donors are fewer than two, or age
/// cannot be told from the covariates.
pub fn age_regression(spec: &AgeRegression<'_>) -> Result<AgeFit> {
    check_cells("ages", spec.age.len(), spec.value.len())?;
    check_cells("donors", spec.donor.len(), spec.value.len())?;
    let kept: Vec<usize> = (0..spec.age.len()).filter(|it| spec.age[*it].is_some()).collect();
    if kept.is_empty() {
        return Err(Error::invalid_input("no cell has a numeric age after birth")
            .with_hint("give ages of donors, or stages that are intervals of at most 10 years"));
    }
    let y = pick(spec.value, &kept);
    let donor = pick(spec.donor, &kept);
    let decades: Vec<f64> = kept.iter().filter_map(|it| spec.age[*it]).map(|it| it / 10.0).collect();
    let owned = spec.covariates.iter().map(|it| Owned::new(it, &kept, spec.value.len())).collect::<Result<Vec<_>>>()?;
    let mut columns: Vec<Covariate<'_>> = owned.iter().map(Owned::view).collect();
    columns.push(Covariate::Numeric { name: "age", values: &decades });
    let weights = (spec.weighting == Weighting::Donor).then(|| Donors::new(&donor).weights(Weighting::Donor));
    let fit = cluster_regression(&y, &columns, &donor, weights.as_deref())?;
    let per_decade = fit.coefficient("age").map_err(|it| it.context("regression on age"))?;
    let wild = wild_bootstrap(&fit, &y, "age", spec.draws, spec.seed)?;
    Ok(AgeFit {
        per_decade,
        wild,
        method: if fit.n_clusters < FEW_DONORS { AgeMethod::Wild } else { AgeMethod::Cr1 },
        spline: spline(&y, &columns, &decades, &donor, weights.as_deref()),
        n_obs: fit.n_obs,
        n_donors: fit.n_clusters,
        n_excluded: spec.value.len() - kept.len(),
        dropped: fit.dropped,
        r2: fit.r2,
    })
}

fn spline(
    y: &[f64],
    columns: &[Covariate<'_>],
    decades: &[f64],
    donor: &[u32],
    weights: Option<&[f64]>,
) -> Option<Wald> {
    let bends = natural_spline(decades, 3).ok()?;
    let mut columns = columns.to_vec();
    columns.extend(bends.iter().zip(["bend1", "bend2"]).map(|(values, name)| Covariate::Numeric { name, values }));
    let fit: ClusterFit = cluster_regression(y, &columns, donor, weights).ok()?;
    // With hardly more donors than columns between them, the covariance is not to be believed.
    if fit.n_clusters < 6 {
        return None;
    }
    fit.wald(&["bend1", "bend2"]).ok()
}

fn pick<T: Copy>(values: &[T], at: &[usize]) -> Vec<T> {
    at.iter().map(|it| values[*it]).collect()
}

/// A covariate of the cells that are left.
enum Owned<'a> {
    Numeric(&'a str, Vec<f64>),
    Factor(&'a str, Vec<u32>),
}

impl<'a> Owned<'a> {
    fn new(covariate: &Covariate<'a>, kept: &[usize], n_obs: usize) -> Result<Self> {
        match covariate {
            Covariate::Numeric { name, values } => {
                check_cells(&format!("values of `{name}`"), values.len(), n_obs)?;
                Ok(Self::Numeric(name, pick(values, kept)))
            }
            Covariate::Factor { name, codes } => {
                check_cells(&format!("codes of `{name}`"), codes.len(), n_obs)?;
                Ok(Self::Factor(name, pick(codes, kept)))
            }
        }
    }

    fn view(&self) -> Covariate<'_> {
        match self {
            Self::Numeric(name, values) => Covariate::Numeric { name, values },
            Self::Factor(name, codes) => Covariate::Factor { name, codes },
        }
    }
}
