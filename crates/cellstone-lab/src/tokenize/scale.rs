//! What the values of a file look like, from a sample: counts, logarithms, or something no encoder takes.

use cellstone_core::{CountSource, Csr, Error, InputScale, Result, Scale, TokenizerInfo};
use serde::Serialize;
use std::fmt;

/// Rows and values that are looked at.
const ROWS: usize = 2000;
const VALUES: usize = 100_000;

/// What sampled values look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectedScale {
    /// Whole numbers, of which one is 2 or more.
    Counts,
    /// Fractions from 0 to 30.
    Lognorm,
    /// Some are negative.
    Scaled,
    /// Fractions above 30, and every cell has the same total.
    CpmLike,
    /// None of these.
    Unknown,
}

impl fmt::Display for DetectedScale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Counts => "counts",
            Self::Lognorm => "logarithms",
            Self::Scaled => "scaled values, some of them negative",
            Self::CpmLike => "values normalised to one total, without a logarithm",
            Self::Unknown => "values of no known scale",
        })
    }
}

/// Judges the non-zero values of some cells; `totals` are the sums of these cells.
///
/// | looks like | where |
/// |---|---|
/// | counts | every value is within 10⁻⁶ of a whole number, the largest is 2 or more, none is negative |
/// | logarithms | some are fractions, all lie between 0 and 30 |
/// | scaled | some are negative |
/// | CPM | some are fractions, and the totals vary by less than 0.1 % (standard deviation over mean) |
///
/// # Examples
/// ```
/// use cellstone_lab::{DetectedScale, detect_scale};
/// assert_eq!(detect_scale(&[1.0, 3.0], &[4.0]), DetectedScale::Counts);
/// assert_eq!(detect_scale(&[0.7, 2.1], &[2.8]), DetectedScale::Lognorm);
/// assert_eq!(detect_scale(&[0.7, -2.1], &[-1.4]), DetectedScale::Scaled);
/// assert_eq!(detect_scale(&[999_999.5, 0.5, 400_000.0, 600_000.0], &[1e6, 1e6]), DetectedScale::CpmLike);
/// ```
pub fn detect_scale(values: &[f32], totals: &[f64]) -> DetectedScale {
    let (mut low, mut high, mut whole) = (f32::INFINITY, f32::NEG_INFINITY, true);
    for value in values {
        low = low.min(*value);
        high = high.max(*value);
        whole &= (value - value.round()).abs() <= 1e-6;
    }
    let finite = values.iter().all(|it| it.is_finite());
    match () {
        () if values.is_empty() || !finite => DetectedScale::Unknown,
        () if low < 0.0 => DetectedScale::Scaled,
        () if whole && high >= 2.0 => DetectedScale::Counts,
        () if whole => DetectedScale::Unknown,
        () if high <= 30.0 => DetectedScale::Lognorm,
        () if variation(totals) < 1e-3 => DetectedScale::CpmLike,
        () => DetectedScale::Unknown,
    }
}

/// Standard deviation over mean; infinite for fewer than two totals, of which nothing can be said.
fn variation(totals: &[f64]) -> f64 {
    let n = totals.len() as f64;
    let mean = totals.iter().sum::<f64>() / n;
    if totals.len() < 2 || mean <= 0.0 {
        return f64::INFINITY;
    }
    let variance = totals.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / n;
    variance.sqrt() / mean
}

/// What the first cells of a source look like; it should be open on a scale on which nothing is refused.
///
/// At most 2,000 rows and 100,000 values are judged, spread evenly over the first block that the source yields.
///
/// # Errors
/// If the source cannot be read.
pub fn sample_scale(source: &dyn CountSource) -> Result<DetectedScale> {
    // DIVERGES(scale-sample): the protocol draws rows from the whole file.
    let Some(block) = source.blocks(0)?.next() else { return Ok(DetectedScale::Unknown) };
    let x = block?.x;
    let n = x.shape().0;
    let rows: Vec<usize> = (0..n).step_by(n.div_ceil(ROWS).max(1)).collect();
    let totals: Vec<f64> = rows.iter().map(|it| x.row(*it).1.iter().map(|it| f64::from(*it)).sum()).collect();
    Ok(detect_scale(&sampled(&x, &rows), &totals))
}

fn sampled(x: &Csr<f32>, rows: &[usize]) -> Vec<f32> {
    let all = || rows.iter().flat_map(|it| x.row(*it).1).copied().filter(|it| *it != 0.0);
    let step = all().count().div_ceil(VALUES).max(1);
    all().step_by(step).collect()
}

/// The scale on which values are to be read for an encoder, if it takes them.
pub fn scale_for(detected: DetectedScale, takes: InputScale) -> Option<Scale> {
    match (takes, detected) {
        (_, DetectedScale::Counts) => Some(Scale::Counts),
        (InputScale::LogNorm | InputScale::CountsOrLogNorm, DetectedScale::Lognorm) => {
            Some(Scale::LogNorm { target_sum: None })
        }
        _ => None,
    }
}

/// Opens a file on the scale that its values seem to have; `open` opens it on a given one.
///
/// Without `strict`, values that are neither are taken as counts: zeros and ones may be.
///
/// # Errors
/// As `open`, or, if the values look like none that the encoder takes, with the first of them that is none
/// (`WrongScale`); the hints say where counts may be.
pub fn open_for(
    open: &dyn Fn(Scale) -> Result<Box<dyn CountSource>>,
    info: &TokenizerInfo,
    strict: bool,
) -> Result<(Box<dyn CountSource>, DetectedScale)> {
    // No value is refused on this scale, so that a look is possible.
    let seen = open(Scale::Effect)?;
    let detected = sample_scale(seen.as_ref())?;
    let file = seen.name().to_owned();
    drop(seen);
    match scale_for(detected, info.scale) {
        Some(scale) => Ok((open(scale)?, detected)),
        None if !strict && detected == DetectedScale::Unknown => Ok((open(Scale::Counts)?, detected)),
        None => Err(wrong_scale(open, info, detected, &file)),
    }
}

/// What is wrong, with the value that shows it where the reader finds one.
fn wrong_scale(
    open: &dyn Fn(Scale) -> Result<Box<dyn CountSource>>,
    info: &TokenizerInfo,
    detected: DetectedScale,
    file: &str,
) -> Error {
    let (wanted, scale) = match info.scale {
        InputScale::Counts => ("counts", Scale::Counts),
        InputScale::LogNorm | InputScale::CountsOrLogNorm => {
            ("counts or logarithms", Scale::LogNorm { target_sum: None })
        }
    };
    let what = format!("encoder `{}` takes {wanted}, but `{file}` holds {detected} (WrongScale)", info.id);
    let fault = open(scale).and_then(|it| it.blocks(0)?.next().transpose().map(|_| ())).err();
    let error = match fault {
        // Its own hints are for other commands.
        Some(fault) => Error::invalid_input(format!("{what}: {fault}")),
        None => Error::invalid_input(what),
    };
    error
        .with_hint("choose the matrix that holds them: --matrix raw or --matrix layers/NAME; `inspect` lists them")
        .with_hint("if you know better, say what they are: --assume-scale counts or --assume-scale lognorm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_between_scales() {
        assert_eq!(detect_scale(&[1.0, 1.0], &[2.0, 1.0]), DetectedScale::Unknown);
        assert_eq!(detect_scale(&[], &[]), DetectedScale::Unknown);
        assert_eq!(detect_scale(&[1.0, f32::NAN], &[1.0]), DetectedScale::Unknown);
        assert_eq!(detect_scale(&[0.5, 30.0], &[1.0]), DetectedScale::Lognorm);
        assert_eq!(detect_scale(&[0.5, 30.5], &[1.0]), DetectedScale::Unknown);
        assert_eq!(detect_scale(&[0.5, 30.5], &[1e6, 1.1e6]), DetectedScale::Unknown);
        // A whole number that a division left a little off, and a large count that f32 still holds exactly.
        assert_eq!(detect_scale(&[2.000_000_5, 16_777_216.0], &[1.0]), DetectedScale::Counts);
    }

    #[test]
    fn encoders_take_what_they_take() {
        let lognorm = Scale::LogNorm { target_sum: None };
        assert_eq!(scale_for(DetectedScale::Counts, InputScale::Counts), Some(Scale::Counts));
        assert_eq!(scale_for(DetectedScale::Counts, InputScale::LogNorm), Some(Scale::Counts));
        assert_eq!(scale_for(DetectedScale::Lognorm, InputScale::CountsOrLogNorm), Some(lognorm));
        assert_eq!(scale_for(DetectedScale::Lognorm, InputScale::Counts), None);
        assert_eq!(scale_for(DetectedScale::Scaled, InputScale::CountsOrLogNorm), None);
    }
}
