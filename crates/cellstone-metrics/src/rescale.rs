//! Scores between floor and ceiling: what a raw value says about a method on these data.

use crate::stats::quantile;
use cellstone_core::{Direction, Score, Why};

/// Places an aggregate between its floor and its ceiling: `(floor − m) / (floor − ceiling)`.
///
/// 0 is the floor (the train mean), 1 the ceiling, whichever way the metric points; values outside [0, 1] are kept.
/// `se` is the standard error of `floor − ceiling`.
///
/// # Undefined
/// [`Why::NoRoom`] if floor and ceiling are closer than two standard errors (or equal); [`Why::NotFinite`].
///
/// # Examples
/// ```
/// use cellstone_core::{Score, Why};
/// use cellstone_metrics::rescale::gap_closed;
/// assert_eq!(gap_closed(4.0, 5.0, 1.0, 0.1), Score::Value(0.25));
/// assert_eq!(gap_closed(4.0, 5.0, 1.0, 2.5), Score::Undefined(Why::NoRoom));
/// ```
pub fn gap_closed(value: f64, floor: f64, ceiling: f64, se: f64) -> Score {
    let room = floor - ceiling;
    if !(room + se + value).is_finite() {
        return Score::Undefined(Why::NotFinite);
    }
    if room == 0.0 || room.abs() < 2.0 * se {
        return Score::Undefined(Why::NoRoom);
    }
    Score::finite_or((floor - value) / room, Why::NoRoom)
}

/// Measures the dynamic range of a metric on these data: how far a replicate lies above the baseline.
///
/// Per condition `(r − b)/(best − b + 1e-6)` where higher is better and `(b − r)/(b + 1e-6)` for errors, clipped to
/// [−1, 1]; the median over the conditions where both are defined. `replicate` and `baseline` are the scores of a
/// technical duplicate and of the baseline. Near 0 the metric cannot tell a replicate from the baseline.
///
/// # Undefined
/// [`Why::TooFewConditions`] if no condition has both.
///
/// # Panics
/// If the two lengths differ.
///
/// # Examples
/// ```
/// use cellstone_core::{Direction, Score};
/// use cellstone_metrics::rescale::drf;
/// let score = |it: &[f64]| it.iter().map(|it| Score::Value(*it)).collect::<Vec<_>>();
/// let range = drf(Direction::LowerIsBetter, 0.0, &score(&[1.0, 2.0, 1.0]), &score(&[2.0, 2.0, 4.0]));
/// assert!((range.value().unwrap() - 0.5).abs() < 1e-6);
/// ```
/// # References
/// Miller et al. 2025, doi:10.1101/2025.10.20.683304 (`analyses/calibration/calibration_analysis.py`).
pub fn drf(direction: Direction, best: f64, replicate: &[Score], baseline: &[Score]) -> Score {
    assert_eq!(replicate.len(), baseline.len(), "drf: scores of different conditions");
    let each: Vec<f64> = replicate
        .iter()
        .zip(baseline)
        .filter_map(|(r, b)| Some((r.value()?, b.value()?)))
        .map(|(r, b)| match direction {
            Direction::HigherIsBetter => (r - b) / (best - b + 1e-6),
            Direction::LowerIsBetter => (b - r) / (b + 1e-6),
        })
        .filter(|it| it.is_finite())
        .map(|it| it.clamp(-1.0, 1.0))
        .collect();
    quantile(&each, 0.5).map_or(Score::Undefined(Why::TooFewConditions), Score::Value)
}

/// Makes the interpolated duplicate of one condition: `α_g·duplicate + (1 − α_g)·mean`, `α_g = 1 − adjusted p_g`.
///
/// A missing p-value is `None` and counts as 1. It looks at the p-values of the truth: a ceiling, never a method.
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::rescale::interpolated_duplicate(&[4.0, 4.0, 4.0], &[0.0, 0.0, 0.0], &[Some(0.0), Some(0.5), None]);
/// assert_eq!(it, [4.0, 2.0, 0.0]);
/// ```
/// # References
/// Miller et al. 2025, doi:10.1101/2025.10.20.683304.
pub fn interpolated_duplicate(duplicate: &[f64], mean: &[f64], adjusted_p: &[Option<f64>]) -> Vec<f64> {
    assert!(duplicate.len() == mean.len() && mean.len() == adjusted_p.len(), "interpolated_duplicate: lengths differ");
    duplicate
        .iter()
        .zip(mean)
        .zip(adjusted_p)
        .map(|((duplicate, mean), p)| {
            let alpha = p.filter(|it| it.is_finite()).map_or(0.0, |p| 1.0 - p);
            alpha * duplicate + (1.0 - alpha) * mean
        })
        .collect()
}

/// Scales a value between a baseline and a replicate: `(u − b)/(r − b)`.
///
/// `sd_replicate` is the standard deviation of r over split halves.
///
/// # Undefined
/// [`Why::NoRoom`] if `|r − b| < 3 sd` (or r = b); [`Why::NotFinite`].
///
/// # Examples
/// ```
/// use cellstone_metrics::rescale::scaled_score;
/// assert_eq!(scaled_score(1.5, 1.0, 3.0, 0.01).value(), Some(0.25));
/// assert_eq!(scaled_score(0.6, 0.5, 0.9, 0.2).value(), None);
/// ```
/// # References
/// `ArcInstitute/cell-eval2 src/cell_eval2/score.py` (0.20.0); the rule on r − b is ours.
pub fn scaled_score(value: f64, baseline: f64, replicate: f64, sd_replicate: f64) -> Score {
    let room = replicate - baseline;
    if !(room + sd_replicate + value).is_finite() {
        return Score::Undefined(Why::NotFinite);
    }
    if room == 0.0 || room.abs() < 3.0 * sd_replicate {
        return Score::Undefined(Why::NoRoom);
    }
    Score::finite_or((value - baseline) / room, Why::NoRoom)
}

/// Combines aggregates the way the 2025 virtual-cell challenge did: the mean of members scaled by the baseline.
///
/// Errors contribute `1 − u/b`, other metrics `(u − b)/(1 − b)`, what is undefined 0, and nothing below 0. Each member is
/// `(direction, u, b)`.
///
/// # Undefined
/// [`Why::TooFewConditions`] without members.
///
/// # Examples
/// ```
/// use cellstone_core::{Direction, Score};
/// use cellstone_metrics::rescale::v1_score;
/// let members = [
///     (Direction::LowerIsBetter, Score::Value(0.05), Score::Value(0.1)),
///     (Direction::HigherIsBetter, Score::Value(0.6), Score::Value(0.5)),
///     (Direction::HigherIsBetter, Score::Value(0.1), Score::Value(0.3)),
/// ];
/// assert!((v1_score(&members).value().unwrap() - (0.5 + 0.2 + 0.0) / 3.0).abs() < 1e-12);
/// ```
/// # References
/// `ArcInstitute/cell-eval src/cell_eval/_score.py` (0.8.2).
pub fn v1_score(members: &[(Direction, Score, Score)]) -> Score {
    if members.is_empty() {
        return Score::Undefined(Why::TooFewConditions);
    }
    let total: f64 = members
        .iter()
        .map(|(direction, u, b)| match (u.value(), b.value()) {
            (Some(u), Some(b)) => match direction {
                Direction::LowerIsBetter => 1.0 - u / b,
                Direction::HigherIsBetter => (u - b) / (1.0 - b),
            },
            _ => 0.0,
        })
        // `max` turns NaN (0/0) into 0, as the reference does; an infinite gain is no gain either.
        .map(|it| if it.is_finite() { it.max(0.0) } else { 0.0 })
        .sum();
    Score::Value(total / members.len() as f64)
}
