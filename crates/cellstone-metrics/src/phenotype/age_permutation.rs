//! Whether a value depends on age, by permuting the ages of donors within strata.

use super::bootstrap::check_finite;
use super::input::{Donors, check_cells};
use super::linalg::Cholesky;
use super::regression::{Covariate, Design};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result, Seed};
use ndarray::{Array1, Array2};
use rand::Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Draws per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 256;
/// Fewer distinct arrangements than this test nothing.
const MIN_DISTINCT: f64 = 20.0;

/// The result of [`permute_ages`].
#[derive(Debug, Clone, PartialEq)]
pub struct AgePermutation {
    /// Slope per year as observed, with the covariates held fixed.
    pub slope: f64,
    /// `(1 + #{|b*| ≥ |b|})/(1 + B)`; `None` where nothing can be tested.
    pub p: Option<f64>,
    /// Why not.
    pub not_testable: Option<String>,
    /// Number of permutations.
    pub draws: usize,
    /// Strata with at least two donors.
    pub n_strata: usize,
    /// Strata with one donor, which contribute nothing.
    pub n_single: usize,
    /// Distinct arrangements of the ages, as a power of ten.
    pub log10_distinct: f64,
}

/// Tests the slope of a value on age by permuting ages of donors inside strata (data set × assay).
///
/// `age` is in years per cell and constant within a donor; a donor's stratum is the set of the codes of its cells. The
/// statistic is `|b|` of least squares with the covariates; covariates are projected out once, so a permutation costs
/// sums over pairs of donors.
///
/// # Errors
/// If lengths differ, a value is not finite, a donor has two ages, or age cannot be told from the covariates.
///
/// # References
/// Freedman and Lane 1983, doi:10.1080/07350015.1983.10509354; Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
pub fn permute_ages(
    value: &[f64],
    age: &[f64],
    donor: &[u32],
    stratum: &[u32],
    covariates: &[Covariate<'_>],
    draws: usize,
    seed: Seed,
) -> Result<AgePermutation> {
    check_cells("ages", age.len(), value.len())?;
    check_cells("donors", donor.len(), value.len())?;
    check_cells("strata", stratum.len(), value.len())?;
    check_finite("value", value)?;
    check_finite("age", age)?;
    let donors = Donors::new(donor);
    let ages = donor_ages(age, &donors)?;
    let groups = strata(stratum, &donors);
    let form = Form::new(value, covariates, &donors)?;
    let Some(slope) = form.slope(&ages) else {
        return Err(Error::invalid_input("age cannot be told from the other columns")
            .with_hint("leave out the covariate that is constant within every age"));
    };
    let log10_distinct = groups.iter().map(|it| log10_arrangements(it, &ages)).sum::<f64>();
    let mut out = AgePermutation {
        slope,
        p: None,
        not_testable: None,
        draws,
        n_strata: groups.iter().filter(|it| it.len() > 1).count(),
        n_single: groups.iter().filter(|it| it.len() == 1).count(),
        log10_distinct,
    };
    if log10_distinct < MIN_DISTINCT.log10() - 1e-9 || draws == 0 {
        let n = 10.0_f64.powf(log10_distinct).round();
        out.not_testable = Some(format!("{n} arrangements of ages within strata, a test needs {MIN_DISTINCT}"));
        return Ok(out);
    }
    let reached = slope.abs() * (1.0 - 1e-12);
    let seed = seed.derive("permute_ages");
    let hits = map_ordered(draws.div_ceil(BLOCK), |block| {
        let mut rng = seed.derive_index(block as u64).rng();
        let count = BLOCK.min(draws - block * BLOCK);
        // An arrangement that the covariates already explain counts against the finding.
        let extreme = |ages: &[f64]| form.slope(ages).is_none_or(|it| it.abs() >= reached);
        (0..count).filter(|_| extreme(&shuffled(&ages, &groups, &mut rng))).count()
    });
    out.p = Some((1 + hits.into_iter().sum::<usize>()) as f64 / (1 + draws) as f64);
    Ok(out)
}

fn donor_ages(age: &[f64], donors: &Donors) -> Result<Vec<f64>> {
    let mut ages: Vec<Option<f64>> = vec![None; donors.len()];
    for (cell, age) in age.iter().enumerate() {
        let slot = &mut ages[donors.of[cell] as usize];
        match slot {
            Some(known) if *known != *age => {
                let id = donors.ids[donors.of[cell] as usize];
                return Err(Error::invalid_input(format!("donor {id} has ages {known} and {age}, expected one")));
            }
            _ => *slot = Some(*age),
        }
    }
    Ok(ages.into_iter().map(Option::unwrap_or_default).collect())
}

/// Donors by the set of strata their cells are in.
fn strata(stratum: &[u32], donors: &Donors) -> Vec<Vec<usize>> {
    let mut sets = vec![BTreeSet::new(); donors.len()];
    stratum.iter().zip(&donors.of).for_each(|(it, donor)| {
        sets[*donor as usize].insert(*it);
    });
    let mut groups = BTreeMap::<BTreeSet<u32>, Vec<usize>>::new();
    sets.into_iter().enumerate().for_each(|(donor, set)| groups.entry(set).or_default().push(donor));
    groups.into_values().collect()
}

/// `log10(n!/Π t!)`, t the sizes of groups of equal ages.
fn log10_arrangements(group: &[usize], ages: &[f64]) -> f64 {
    let factorial = |n: usize| (1..=n).map(|it| (it as f64).log10()).sum::<f64>();
    let mut sorted: Vec<f64> = group.iter().map(|it| ages[*it]).collect();
    sorted.sort_by(f64::total_cmp);
    factorial(group.len()) - sorted.chunk_by(|a, b| a == b).map(|it| factorial(it.len())).sum::<f64>()
}

fn shuffled(ages: &[f64], groups: &[Vec<usize>], rng: &mut impl Rng) -> Vec<f64> {
    let mut out = ages.to_vec();
    for group in groups {
        for last in (1..group.len()).rev() {
            let other = ((rng.next_u64() >> 32) * (last as u64 + 1)) >> 32;
            out.swap(group[last], group[other as usize]);
        }
    }
    out
}

/// The slope on age as a ratio of two forms in the ages of donors.
struct Form {
    /// Sum over each donor of the value without what the covariates explain.
    y: Array1<f64>,
    /// Cells of a donor on the diagonal minus what the covariates explain of donors.
    x: Array2<f64>,
    sizes: Vec<f64>,
}

impl Form {
    fn new(value: &[f64], covariates: &[Covariate<'_>], donors: &Donors) -> Result<Self> {
        let design = Design::new(value.len(), covariates, None)?;
        let Some(factor) = Cholesky::new(&design.gram) else {
            return Err(Error::not_converged("normal equations of the covariates are not positive definite"));
        };
        let mut beta = Array1::zeros(design.n_columns());
        let mut residual = value.to_vec();
        for _ in 0..3 {
            beta += &factor.solve(design.back(&residual, None).view());
            residual = value.iter().enumerate().map(|(row, it)| it - design.predict(row, &beta)).collect();
        }
        let n = donors.len();
        let ones = vec![1.0; value.len()];
        let sums = design.scores(&ones, &donors.of, n, None);
        let mut x = -sums.dot(&factor.inverse()).dot(&sums.t());
        let mut y = Array1::zeros(n);
        residual.iter().zip(&donors.of).for_each(|(it, donor)| y[*donor as usize] += it);
        let sizes: Vec<f64> = donors.sizes.iter().map(|it| f64::from(*it)).collect();
        sizes.iter().enumerate().for_each(|(at, it)| x[[at, at]] += it);
        Ok(Self { y, x, sizes })
    }

    /// `None` where the covariates explain the ages.
    fn slope(&self, ages: &[f64]) -> Option<f64> {
        let total: f64 = self.sizes.iter().sum();
        let mean = ages.iter().zip(&self.sizes).map(|(age, n)| age * n).sum::<f64>() / total;
        // The intercept is among the covariates, so a shift changes nothing but digits.
        let a = Array1::from_iter(ages.iter().map(|it| it - mean));
        let spread = a.iter().zip(&self.sizes).map(|(it, n)| n * it * it).sum::<f64>();
        let below = a.dot(&self.x.dot(&a));
        (below > 1e-9 * spread && spread > 0.0).then(|| a.dot(&self.y) / below)
    }
}
