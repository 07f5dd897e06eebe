//! Calibration errors by bins of the stated confidence.

use super::super::input::check_truth;
use cellstone_core::{Error, Result, Score, Why};
use ndarray::ArrayView2;

/// How confidences are cut into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binning {
    /// Bins of equal width over [0, 1], `(lo, hi]`, the first with 0.
    EqualWidth,
    /// Bins of about equally many cells; equal confidences stay together.
    EqualMass,
}

/// Cells of one bin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bin {
    /// Number of the bin, from 0; for equal width the place in [0, 1].
    pub(crate) index: usize,
    pub(crate) cells: Vec<u32>,
}

/// The bins that have cells, by rising confidence.
pub(crate) fn bins(confidence: &[f64], binning: Binning, n_bins: usize) -> Vec<Bin> {
    let mut order: Vec<u32> = (0..confidence.len() as u32).collect();
    let at = |it: u32| confidence[it as usize];
    order.sort_by(|a, b| at(*a).total_cmp(&at(*b)).then(a.cmp(b)));
    let mut out: Vec<Bin> = Vec::new();
    match binning {
        Binning::EqualWidth => {
            let place = |it: u32| ((at(it) * n_bins as f64).ceil() as usize).clamp(1, n_bins) - 1;
            for run in order.chunk_by(|a, b| place(*a) == place(*b)) {
                out.push(Bin { index: place(run[0]), cells: run.to_vec() });
            }
        }
        Binning::EqualMass => {
            let mut from = 0;
            for bin in 1..=n_bins {
                let mut to = (order.len() * bin).div_ceil(n_bins).max(from);
                while to > from && to < order.len() && at(order[to]) == at(order[to - 1]) {
                    to += 1;
                }
                if to > from {
                    out.push(Bin { index: out.len(), cells: order[from..to].to_vec() });
                    from = to;
                }
            }
        }
    }
    out
}

/// Share of hits and mean confidence of a bin.
pub(crate) fn rates(bin: &Bin, confidence: &[f64], hit: &[bool]) -> (f64, f64) {
    let n = bin.cells.len() as f64;
    let hits = bin.cells.iter().filter(|it| hit[**it as usize]).count() as f64;
    let sum: f64 = bin.cells.iter().map(|it| confidence[*it as usize]).sum();
    (hits / n, sum / n)
}

/// Expected calibration error, `Σ_b n_b/n |acc_b − conf_b|`.
///
/// `confidence` is the top probability and `hit` whether that class is the true one. Binning makes it too large in
/// small samples: read it beside [`super::calibration`]'s value for perfectly calibrated labels.
///
/// # Undefined
/// `TooFewCells` without cells.
///
/// # Errors
/// If lengths differ, a confidence is not in [0, 1], or there is no bin.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{Binning, ece};
/// let conf = [0.95, 0.95, 0.95, 0.95, 0.55, 0.55];
/// let hit = [true, true, true, false, true, false];
/// // 4/6·|0.75 − 0.95| + 2/6·|0.5 − 0.55|
/// assert!((ece(&conf, &hit, Binning::EqualWidth, 15)?.value().unwrap() - 0.15).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Naeini et al. 2015, AAAI 29:2901–2907; Nixon et al. 2019, arXiv:1904.01685 (equal mass).
pub fn ece(confidence: &[f64], hit: &[bool], binning: Binning, n_bins: usize) -> Result<Score> {
    check(confidence, hit, n_bins)?;
    if hit.is_empty() {
        return Ok(Score::Undefined(Why::TooFewCells));
    }
    Ok(Score::Value(ece_of(&bins(confidence, binning, n_bins), confidence, hit)))
}

pub(crate) fn ece_of(bins: &[Bin], confidence: &[f64], hit: &[bool]) -> f64 {
    let part = |bin: &Bin| {
        let (accuracy, mean) = rates(bin, confidence, hit);
        bin.cells.len() as f64 * (accuracy - mean).abs()
    };
    bins.iter().map(part).sum::<f64>() / hit.len() as f64
}

/// The largest gap of a bin with at least `min_cells` cells.
///
/// # Undefined
/// `TooFewCells` if no bin has as many.
///
/// # Errors
/// As [`ece`].
pub fn max_calibration_error(
    confidence: &[f64],
    hit: &[bool],
    binning: Binning,
    n_bins: usize,
    min_cells: usize,
) -> Result<Score> {
    check(confidence, hit, n_bins)?;
    let bins = bins(confidence, binning, n_bins);
    let gap = |bin: &Bin| {
        let (accuracy, mean) = rates(bin, confidence, hit);
        (accuracy - mean).abs()
    };
    let largest = bins.iter().filter(|it| it.cells.len() >= min_cells).map(gap).reduce(f64::max);
    Ok(largest.map_or(Score::Undefined(Why::TooFewCells), Score::Value))
}

/// Mean over classes of the equal-mass calibration error of the probability of that class.
///
/// # Undefined
/// `TooFewCells` without cells.
///
/// # Errors
/// If lengths differ, a class is out of range, or there is no bin.
///
/// # References
/// Kull et al. 2019, arXiv:1910.12656.
pub fn classwise_ece(p: ArrayView2<'_, f64>, truth: &[u32], n_bins: usize) -> Result<Score> {
    check_truth(truth, p.nrows(), p.ncols())?;
    if truth.is_empty() || p.ncols() == 0 {
        return Ok(Score::Undefined(Why::TooFewCells));
    }
    let mut sum = 0.0;
    for class in 0..p.ncols() {
        let confidence = p.column(class).to_vec();
        let hit: Vec<bool> = truth.iter().map(|it| *it as usize == class).collect();
        check(&confidence, &hit, n_bins)?;
        sum += ece_of(&bins(&confidence, Binning::EqualMass, n_bins), &confidence, &hit);
    }
    Ok(Score::Value(sum / p.ncols() as f64))
}

fn check(confidence: &[f64], hit: &[bool], n_bins: usize) -> Result<()> {
    super::super::input::check_cells("outcomes", hit.len(), confidence.len())?;
    if n_bins == 0 {
        return Err(Error::config("no bin, expected at least one"));
    }
    // Sums of probabilities in single precision pass 1 by rounding.
    match confidence.iter().position(|it| !(*it >= 0.0 && *it <= 1.0 + 1e-4)) {
        None => Ok(()),
        Some(cell) => Err(Error::invalid_input(format!("cell {cell} has confidence {}", confidence[cell]))),
    }
}
