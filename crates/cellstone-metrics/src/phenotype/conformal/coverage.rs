//! How often sets contain the truth, and how large they are.

use super::super::input::{Donors, check_cells, check_truth};
use crate::stats::quantiles;
use cellstone_core::{Error, Result, Score, Why};

/// Coverage and size of sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// Number of cells.
    pub n_obs: usize,
    /// Share of cells whose set contains the true class.
    pub coverage: f64,
    /// The same by class; undefined without cells.
    pub per_class: Vec<Score>,
    /// The class with the least coverage.
    pub worst_class: Option<u32>,
    /// Coverage of every donor, by position of its code.
    pub per_donor: Vec<f64>,
    /// Minimum, 5 %, 25 %, 50 %, 75 %, 95 % and maximum of the coverage of donors.
    pub donor_quantiles: [f64; 7],
    /// Mean number of classes in a set.
    pub mean_size: f64,
    /// Share of sets with one class.
    pub singleton: f64,
    /// Share of sets without any.
    pub empty: f64,
}

/// Scores sets of classes.
///
/// # Errors
/// If lengths differ, a class is out of range or there is no cell.
pub fn coverage(sets: &[Vec<u32>], truth: &[u32], donor: &[u32], n_classes: usize) -> Result<Coverage> {
    check_truth(truth, sets.len(), n_classes)?;
    check_cells("donors", donor.len(), sets.len())?;
    if sets.is_empty() {
        return Err(Error::invalid_input("no cell to compute coverage on"));
    }
    let donors = Donors::new(donor);
    let covered: Vec<bool> = sets.iter().zip(truth).map(|(set, y)| set.contains(y)).collect();
    let (mut hits, mut sizes) = (vec![0.0; n_classes], vec![0.0; n_classes]);
    let mut per_donor = vec![0.0; donors.len()];
    for (cell, hit) in covered.iter().enumerate() {
        sizes[truth[cell] as usize] += 1.0;
        if *hit {
            hits[truth[cell] as usize] += 1.0;
            per_donor[donors.of[cell] as usize] += 1.0 / f64::from(donors.sizes[donors.of[cell] as usize]);
        }
    }
    let share = |(hits, size): (&f64, &f64)| {
        if *size > 0.0 { Score::Value(hits / size) } else { Score::Undefined(Why::TooFewCells) }
    };
    let per_class: Vec<Score> = hits.iter().zip(&sizes).map(share).collect();
    let defined = per_class.iter().enumerate().filter_map(|(at, it)| it.value().map(|value| (value, at as u32)));
    let worst_class = defined.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|it| it.1);
    let ends = quantiles(&per_donor, &[0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0]).unwrap_or_default();
    let n = sets.len() as f64;
    let of_size = |size: usize| sets.iter().filter(|it| it.len() == size).count() as f64 / n;
    Ok(Coverage {
        n_obs: sets.len(),
        coverage: covered.iter().filter(|it| **it).count() as f64 / n,
        per_class,
        worst_class,
        per_donor,
        donor_quantiles: std::array::from_fn(|it| ends[it]),
        mean_size: sets.iter().map(Vec::len).sum::<usize>() as f64 / n,
        singleton: of_size(1),
        empty: of_size(0),
    })
}
