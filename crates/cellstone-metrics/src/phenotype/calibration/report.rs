//! All numbers of calibration of one table, with those of perfectly calibrated labels beside them.

use super::super::input::Predictions;
use super::ece::{Bin, Binning, bins, classwise_ece, ece_of, max_calibration_error};
use super::murphy::{BrierParts, brier_parts};
use super::proper::{brier, nll};
use super::reliability::confidences;
use crate::stats::quantiles;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result, Score, Seed};
use rand::RngExt;

/// What [`calibration`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalibrationParams {
    /// Bins; 15 in the protocol.
    pub n_bins: usize,
    /// Draws of labels from the stated probabilities; 200 in the protocol.
    pub resamples: usize,
    /// Fewer cells than this keep a bin out of the largest error; 50 in the protocol.
    pub min_cells: usize,
    /// The only source of randomness.
    pub seed: Seed,
}

impl CalibrationParams {
    /// The numbers of the protocol.
    pub fn protocol(seed: Seed) -> Self {
        Self { n_bins: 15, resamples: 200, min_cells: 50, seed }
    }
}

/// Numbers of calibration of one table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationReport {
    /// `−mean ln p_y`.
    pub nll: Score,
    /// `mean Σ_k (p_k − 1[y=k])²`.
    pub brier: Score,
    /// What it is made of.
    pub parts: BrierParts,
    /// Expected calibration error over bins of equal width.
    pub ece_width: Score,
    /// The same over bins of equal mass.
    pub ece_mass: Score,
    /// Mean of `ece_width` if the labels came from the stated probabilities, and its central 95 %.
    pub perfect_width: (f64, f64, f64),
    /// The same of `ece_mass`.
    pub perfect_mass: (f64, f64, f64),
    /// Mean over classes of the equal-mass error.
    pub classwise: Score,
    /// Largest gap of an equal-width bin with enough cells.
    pub max_error: Score,
    /// Mean top probability minus accuracy: positive for a model that is too sure.
    pub overconfidence: f64,
}

/// Computes every number of calibration.
///
/// # Errors
/// If there is no cell or no bin.
pub fn calibration(predictions: &Predictions<'_>, params: &CalibrationParams) -> Result<CalibrationReport> {
    let (p, truth) = (predictions.p(), predictions.truth());
    let n_bins = params.n_bins;
    let Some(parts) = brier_parts(predictions, n_bins) else {
        return Err(Error::invalid_input("no cell or no bin to compute calibration on"));
    };
    let (confidence, hit) = confidences(predictions);
    let width = bins(&confidence, Binning::EqualWidth, n_bins);
    let mass = bins(&confidence, Binning::EqualMass, n_bins);
    let n = hit.len() as f64;
    Ok(CalibrationReport {
        nll: nll(p, truth, None)?,
        brier: brier(p, truth, None)?,
        parts,
        ece_width: Score::Value(ece_of(&width, &confidence, &hit)),
        ece_mass: Score::Value(ece_of(&mass, &confidence, &hit)),
        perfect_width: perfect(&width, &confidence, params),
        perfect_mass: perfect(&mass, &confidence, params),
        classwise: classwise_ece(p, truth, n_bins)?,
        max_error: max_calibration_error(&confidence, &hit, Binning::EqualWidth, n_bins, params.min_cells)?,
        overconfidence: (crate::kernels::sum(&confidence) - hit.iter().filter(|it| **it).count() as f64) / n,
    })
}

/// Mean and central 95 % of the error when every cell is right with exactly its confidence.
fn perfect(bins: &[Bin], confidence: &[f64], params: &CalibrationParams) -> (f64, f64, f64) {
    let seed = params.seed.derive("calibrated_labels");
    let draws = map_ordered(params.resamples.max(1), |draw| {
        let mut rng = seed.derive_index(draw as u64).rng();
        let hit: Vec<bool> = confidence.iter().map(|it| rng.random::<f64>() < *it).collect();
        ece_of(bins, confidence, &hit)
    });
    let ends = quantiles(&draws, &[0.025, 0.975]).unwrap_or_else(|| vec![0.0, 0.0]);
    (crate::kernels::sum(&draws) / draws.len() as f64, ends[0], ends[1])
}
