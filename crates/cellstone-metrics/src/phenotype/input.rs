//! What every phenotype score takes: probabilities over the classes, the true class and the donor of every cell.

use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis};
use std::fmt;

/// How far the probabilities of a cell may be from a sum of 1: those of a network in single precision are.
const SUM_TOLERANCE: f64 = 1e-4;

/// Whether every cell counts alike, or every donor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weighting {
    /// Every cell has weight 1.
    Cell,
    /// Every donor has weight 1, shared equally by its cells.
    Donor,
}

impl Weighting {
    /// Both, in the order of the tables.
    pub const ALL: [Self; 2] = [Self::Cell, Self::Donor];

    /// The word of the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cell => "cell",
            Self::Donor => "donor",
        }
    }
}

impl fmt::Display for Weighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The donor of every cell, numbered without gaps.
///
/// # Examples
/// ```
/// let donors = cellstone_metrics::phenotype::Donors::new(&[7, 2, 7]);
/// assert_eq!((donors.ids.as_slice(), donors.of.as_slice(), donors.sizes.as_slice()), (&[2, 7][..], &[1, 0, 1][..],
/// &[1, 2][..]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Donors {
    /// Position of each cell's donor in `ids`.
    pub of: Vec<u32>,
    /// The codes that were given, ascending, once each.
    pub ids: Vec<u32>,
    /// Cells of every donor.
    pub sizes: Vec<u32>,
}

impl Donors {
    /// Numbers any codes.
    pub fn new(codes: &[u32]) -> Self {
        let mut ids = codes.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let at = |code: &u32| ids.binary_search(code).expect("invariant: the list holds every code") as u32;
        let of: Vec<u32> = codes.iter().map(at).collect();
        let mut sizes = vec![0; ids.len()];
        of.iter().for_each(|it| sizes[*it as usize] += 1);
        Self { of, ids, sizes }
    }

    /// Number of donors.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The weight of a cell.
    pub fn weight(&self, cell: usize, weighting: Weighting) -> f64 {
        match weighting {
            Weighting::Cell => 1.0,
            Weighting::Donor => 1.0 / f64::from(self.sizes[self.of[cell] as usize]),
        }
    }

    /// The weights of all cells.
    pub fn weights(&self, weighting: Weighting) -> Vec<f64> {
        (0..self.of.len()).map(|it| self.weight(it, weighting)).collect()
    }

    /// The cells of every donor, ascending.
    pub(crate) fn members(&self) -> Vec<Vec<u32>> {
        let mut members: Vec<Vec<u32>> = self.sizes.iter().map(|it| Vec::with_capacity(*it as usize)).collect();
        for (cell, donor) in self.of.iter().enumerate() {
            members[*donor as usize].push(cell as u32);
        }
        members
    }
}

/// Probabilities over the classes of one category, with the true class and the donor of every cell.
///
/// `p` is `[n_obs, n_classes]` with rows that sum to 1; `truth` is below `n_classes`.
#[derive(Debug, Clone)]
pub struct Predictions<'a> {
    p: ArrayView2<'a, f64>,
    truth: &'a [u32],
    donors: Donors,
}

impl<'a> Predictions<'a> {
    /// Checks shapes and values.
    ///
    /// # Errors
    /// If lengths differ, a class is out of range, or a row of `p` is no law: negative, not finite, or not of sum 1.
    pub fn new(p: ArrayView2<'a, f64>, truth: &'a [u32], donor: &[u32]) -> Result<Self> {
        check_cells("donors", donor.len(), p.nrows())?;
        check_truth(truth, p.nrows(), p.ncols())?;
        check_laws(p)?;
        Ok(Self { p, truth, donors: Donors::new(donor) })
    }

    /// The probabilities, `[n_obs, n_classes]`.
    pub fn p(&self) -> ArrayView2<'a, f64> {
        self.p
    }

    /// The true class of every cell.
    pub fn truth(&self) -> &'a [u32] {
        self.truth
    }

    /// The donors.
    pub fn donors(&self) -> &Donors {
        &self.donors
    }

    /// Number of cells.
    pub fn n_obs(&self) -> usize {
        self.p.nrows()
    }

    /// Number of candidate classes.
    pub fn n_classes(&self) -> usize {
        self.p.ncols()
    }
}

pub(crate) fn check_cells(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{found} {what} for {expected} cells, expected one for each")))
}

pub(crate) fn check_truth(truth: &[u32], n_obs: usize, n_classes: usize) -> Result<()> {
    check_cells("true classes", truth.len(), n_obs)?;
    match truth.iter().position(|it| *it as usize >= n_classes) {
        None => Ok(()),
        Some(cell) => Err(Error::invalid_input(format!(
            "cell {cell} has class {}, expected a number below {n_classes}",
            truth[cell]
        ))
        .with_hint("leave out cells whose class is no candidate: they belong to the novelty table")),
    }
}

pub(crate) fn check_laws(p: ArrayView2<'_, f64>) -> Result<()> {
    for (cell, row) in p.rows().into_iter().enumerate() {
        if let Some(value) = row.iter().find(|it| !(it.is_finite() && **it >= 0.0)) {
            return Err(Error::invalid_input(format!("cell {cell} has probability {value}, expected one from 0 to 1")));
        }
        let sum = row.sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(Error::invalid_input(format!("probabilities of cell {cell} sum to {sum}, expected 1"))
                .with_hint("restrict to the candidates and divide by the sum first"));
        }
    }
    Ok(())
}

/// Softmax of every row of logits `[n_obs, n_classes]`; a logit of −∞ has probability 0.
///
/// # Examples
/// ```
/// let p = cellstone_metrics::phenotype::softmax(ndarray::array![[0.0, 3.0_f64.ln()]].view());
/// assert!((p[[0, 1]] - 0.75).abs() < 1e-15);
/// ```
pub fn softmax(logits: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut p = logits.to_owned();
    for mut row in p.axis_iter_mut(Axis(0)) {
        let top = row.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
        row.mapv_inplace(|it| (it - top).exp());
        let total = row.sum();
        row.mapv_inplace(|it| it / total);
    }
    p
}

/// The columns of some classes of a law over more classes, divided by their sum.
///
/// `p` is `[n_obs, n]`. A row whose candidates have no probability at all becomes uniform.
///
/// # Errors
/// If there is no candidate, or one is out of range or given twice.
///
/// # Examples
/// ```
/// let p = ndarray::array![[0.5, 0.1, 0.4]];
/// let some = cellstone_metrics::phenotype::restrict(p.view(), &[2, 1])?;
/// assert!((some[[0, 0]] - 0.8).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn restrict(p: ArrayView2<'_, f64>, candidates: &[u32]) -> Result<Array2<f64>> {
    let columns = check_candidates(candidates, p.ncols())?;
    let mut out = p.select(Axis(1), &columns).as_standard_layout().into_owned();
    for mut row in out.axis_iter_mut(Axis(0)) {
        let total = row.sum();
        if total > 0.0 {
            row.mapv_inplace(|it| it / total);
        } else {
            row.fill(1.0 / columns.len() as f64);
        }
    }
    Ok(out)
}

pub(crate) fn check_candidates(candidates: &[u32], n: usize) -> Result<Vec<usize>> {
    if candidates.is_empty() {
        return Err(Error::invalid_input("no candidate class, expected at least one"));
    }
    let mut seen = vec![false; n];
    for it in candidates {
        match seen.get_mut(*it as usize) {
            None => return Err(Error::invalid_input(format!("candidate {it}, expected a column below {n}"))),
            Some(true) => return Err(Error::invalid_input(format!("candidate {it} is given twice"))),
            Some(slot) => *slot = true,
        }
    }
    Ok(candidates.iter().map(|it| *it as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn what_is_no_law_is_refused() {
        let p = array![[0.5, 0.5], [0.9, 0.2]];
        let message = |p: &Array2<f64>, truth: &[u32], donor: &[u32]| {
            Predictions::new(p.view(), truth, donor).err().map(|it| it.to_string()).unwrap_or_default()
        };
        assert_eq!(message(&p, &[0, 1], &[0, 0]), "probabilities of cell 1 sum to 1.1, expected 1");
        assert_eq!(
            message(&array![[1.0, f64::NAN]], &[0], &[0]),
            "cell 0 has probability NaN, expected one from 0 to 1"
        );
        assert_eq!(message(&array![[1.5, -0.5]], &[0], &[0]), "cell 0 has probability -0.5, expected one from 0 to 1");
        assert_eq!(message(&array![[1.0]], &[1], &[0]), "cell 0 has class 1, expected a number below 1");
        assert_eq!(message(&array![[1.0]], &[0, 0], &[0]), "2 true classes for 1 cells, expected one for each");
        assert_eq!(message(&array![[1.0]], &[0], &[]), "0 donors for 1 cells, expected one for each");
    }

    #[test]
    fn candidates_are_columns() {
        let p = array![[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]];
        let some = restrict(p.view(), &[0, 1]).expect("valid");
        // Nothing on the candidates: nothing is known.
        assert_eq!(some, array![[0.5, 0.5], [0.5, 0.5]]);
        assert!(restrict(p.view(), &[3]).is_err() && restrict(p.view(), &[0, 0]).is_err());
        assert!(restrict(p.view(), &[]).is_err());
    }
}
