//! Diseased donors beside healthy ones of the same tissue, sex and age.

use super::bootstrap::{BootstrapParams, Interval, check_finite, donor_bootstrap};
use crate::stats::sign_flip_p;
use cellstone_core::{Error, Result, Score, Why};

/// One donor in one tissue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchDonor {
    /// Mean of the value over its cells.
    pub value: f64,
    /// Age in years.
    pub age: f64,
    /// Tissue code.
    pub tissue: u32,
    /// Sex code.
    pub sex: u32,
    /// Whether it is diseased.
    pub diseased: bool,
}

/// The matched comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Matched {
    /// Mean over pairs of diseased minus healthy, with its interval over pairs.
    pub difference: Interval,
    /// Two-sided p-value of flipping pairs; `None` without pairs.
    pub p: Option<f64>,
    /// Positions of the pairs, diseased first.
    pub pairs: Vec<(usize, usize)>,
    /// Diseased donors without a partner.
    pub n_unmatched: usize,
}

/// Pairs every diseased donor with the healthy one of the same tissue and sex that is nearest in age, within `years`.
///
/// One to one: diseased donors with the fewest possible partners choose first, ties by position; equally near partners
/// by position. `p` flips the pairs: every pattern if `2^n ≤ flips`.
///
/// # Errors
/// If a value or an age is not finite, or `years` is negative.
///
/// # Examples
/// ```
/// use cellstone_core::{Score, Seed};
/// use cellstone_metrics::phenotype::{BootstrapParams, MatchDonor, matched_difference};
/// let donor = |value, age, diseased| MatchDonor { value, age, tissue: 0, sex: 0, diseased };
/// let donors = [donor(2.0, 50.0, true), donor(1.5, 52.0, false), donor(0.0, 49.0, false), donor(3.0, 80.0, true)];
/// let it = matched_difference(&donors, 5.0, 9_999, &BootstrapParams::protocol(Seed::new(1)))?;
/// assert_eq!((it.pairs.as_slice(), it.n_unmatched), (&[(0, 2)][..], 1));
/// assert_eq!(it.difference.estimate, Score::Value(2.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn matched_difference(
    donors: &[MatchDonor],
    years: f64,
    flips: usize,
    params: &BootstrapParams,
) -> Result<Matched> {
    check_finite("value of donor", &donors.iter().map(|it| it.value).collect::<Vec<_>>())?;
    check_finite("age of donor", &donors.iter().map(|it| it.age).collect::<Vec<_>>())?;
    if !(years >= 0.0 && years.is_finite()) {
        return Err(Error::config(format!("age window of {years} years, expected 0 or more")));
    }
    let partner = |a: &MatchDonor, b: &MatchDonor| {
        !b.diseased && a.tissue == b.tissue && a.sex == b.sex && (a.age - b.age).abs() <= years
    };
    let choices = |at: usize| (0..donors.len()).filter(|it| partner(&donors[at], &donors[*it])).collect::<Vec<_>>();
    let mut waiting: Vec<(usize, Vec<usize>)> =
        (0..donors.len()).filter(|it| donors[*it].diseased).map(|it| (it, choices(it))).collect();
    waiting.sort_by_key(|(at, choices)| (choices.len(), *at));
    let mut taken = vec![false; donors.len()];
    let mut pairs = Vec::new();
    let n_diseased = waiting.len();
    for (at, choices) in waiting {
        let gap = |it: &usize| (donors[*it].age - donors[at].age).abs();
        let free = choices.into_iter().filter(|it| !taken[*it]);
        if let Some(best) = free.min_by(|a, b| gap(a).total_cmp(&gap(b)).then(a.cmp(b))) {
            taken[best] = true;
            pairs.push((at, best));
        }
    }
    pairs.sort_unstable();
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| donors[*a].value - donors[*b].value).collect();
    let stat = |times: &[f64]| {
        let total: f64 = times.iter().sum();
        let sum = crate::kernels::dot(&differences, times);
        vec![if total > 0.0 { Score::Value(sum / total) } else { Score::Undefined(Why::TooFewConditions) }]
    };
    Ok(Matched {
        difference: donor_bootstrap(differences.len(), params, stat)[0],
        p: sign_flip_p(&differences, flips, params.seed.derive("matched")),
        n_unmatched: n_diseased - pairs.len(),
        pairs,
    })
}
