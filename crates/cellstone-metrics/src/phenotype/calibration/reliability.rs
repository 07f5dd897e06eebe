//! The rows of a reliability diagram.

use super::super::bootstrap::{BootstrapParams, Interval, donor_bootstrap};
use super::super::input::Predictions;
use super::super::ranks::first_max;
use super::ece::{Bin, Binning, bins, rates};
use cellstone_core::{Score, Why};

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityRow {
    /// Number of the bin, from 0.
    pub bin: usize,
    /// Least confidence in it.
    pub lo: f64,
    /// Largest confidence in it.
    pub hi: f64,
    /// Number of cells.
    pub n_obs: usize,
    /// Number of donors.
    pub n_donors: usize,
    /// Mean confidence.
    pub confidence: f64,
    /// Share of cells that are right, with its interval over the donors of the table.
    pub accuracy: Interval,
}

/// The top probability of every cell and whether its class, the first of equals, is the true one.
pub(crate) fn confidences(predictions: &Predictions<'_>) -> (Vec<f64>, Vec<bool>) {
    let p = predictions.p();
    p.rows()
        .into_iter()
        .zip(predictions.truth())
        .map(|(row, y)| {
            let top = first_max(row);
            (row[top as usize], top == *y)
        })
        .unzip()
}

/// The bins that have cells, by rising confidence; for a tissue or a life stage, give its cells alone.
///
/// Confidence is the top probability; among equal ones the first class is the decision, since a user does not know the
/// truth. Donors are drawn over the whole table, so a bin in which few donors have cells has few defined resamples and
/// may have no interval.
pub fn reliability(
    predictions: &Predictions<'_>,
    binning: Binning,
    n_bins: usize,
    params: &BootstrapParams,
) -> Vec<ReliabilityRow> {
    let (confidence, hit) = confidences(predictions);
    let bins = bins(&confidence, binning, n_bins.max(1));
    let donors = predictions.donors();
    let per_donor = |bin: &Bin| {
        let mut sums = vec![(0.0, 0.0); donors.len()];
        for cell in &bin.cells {
            let slot = &mut sums[donors.of[*cell as usize] as usize];
            slot.0 += f64::from(u8::from(hit[*cell as usize]));
            slot.1 += 1.0;
        }
        sums
    };
    let sums: Vec<Vec<(f64, f64)>> = bins.iter().map(per_donor).collect();
    let stat = |times: &[f64]| {
        let share = |sums: &Vec<(f64, f64)>| {
            let (hits, n) =
                sums.iter().zip(times).fold((0.0, 0.0), |acc, (it, n)| (acc.0 + n * it.0, acc.1 + n * it.1));
            if n > 0.0 { Score::Value(hits / n) } else { Score::Undefined(Why::TooFewCells) }
        };
        sums.iter().map(share).collect()
    };
    let intervals = donor_bootstrap(donors.len(), params, stat);
    bins.iter()
        .zip(intervals)
        .zip(&sums)
        .map(|((bin, accuracy), sums)| ReliabilityRow {
            bin: bin.index,
            lo: confidence[bin.cells[0] as usize],
            hi: confidence[bin.cells[bin.cells.len() - 1] as usize],
            n_obs: bin.cells.len(),
            n_donors: sums.iter().filter(|it| it.1 > 0.0).count(),
            confidence: rates(bin, &confidence, &hit).1,
            accuracy,
        })
        .collect()
}
