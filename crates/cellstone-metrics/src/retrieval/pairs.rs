//! The points that discrimination metrics compare, made once for all metrics that compare the same.

use super::points::Points;
use super::ranks::Pairs;
use crate::input::Panel;
use crate::kernels::sum2;
use cellstone_core::{Error, Result};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    /// Shifts from the control of the truth on both sides.
    Delta,
    /// Shifts of each side from its own control.
    OwnDelta,
    /// Profiles.
    Profile,
    /// `log2(m + 0.1) − log2(m_0 + 0.1)` of profiles.
    LogRatio,
}

/// Points that several metrics share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PairKey {
    pub(crate) space: Space,
    /// Whether the train perturbations stand among the truths.
    pub(crate) train: bool,
}

/// Truth points by what is compared.
pub(crate) type TruthPoints = BTreeMap<PairKey, Arc<Points>>;

/// Predictions beside truths, for one panel of one prediction.
#[derive(Default)]
pub(crate) struct PairCache<'t> {
    kept: Option<&'t TruthPoints>,
    pairs: BTreeMap<PairKey, Pairs>,
}

impl<'t> PairCache<'t> {
    /// A cache that takes truth points from `kept` where they are there.
    pub(crate) fn with_truths(kept: &'t TruthPoints) -> Self {
        Self { kept: Some(kept), pairs: BTreeMap::new() }
    }

    /// Predictions on the left, truths on the right.
    pub(super) fn pairs(&mut self, panel: &Panel<'_>, key: PairKey) -> Result<&Pairs> {
        if !self.pairs.contains_key(&key) {
            let truths = match self.kept.and_then(|it| it.get(&key.of_truth())) {
                Some(kept) => Arc::clone(kept),
                None => Arc::new(truth_points(panel, key)?),
            };
            self.pairs.insert(key, Pairs::new(Arc::new(pred_points(panel, key)?), truths));
        }
        Ok(&self.pairs[&key])
    }
}

impl PairKey {
    /// The truth stands where it stands, whichever control the prediction has.
    pub(crate) fn of_truth(self) -> Self {
        Self { space: if self.space == Space::OwnDelta { Space::Delta } else { self.space }, ..self }
    }
}

fn control_of<'p>(panel: &'p Panel<'_>, space: Space) -> Cow<'p, [f64]> {
    match space {
        Space::LogRatio => panel.control().iter().map(|it| shifted_log(*it)).collect(),
        _ => Cow::Borrowed(panel.control()),
    }
}

/// The truths, and the train perturbations after them where they are asked for.
pub(crate) fn truth_points(panel: &Panel<'_>, key: PairKey) -> Result<Points> {
    let train: Vec<_> = if key.train { panel.train_rows().collect() } else { Vec::new() };
    let (n, control) = (panel.n_rows(), control_of(panel, key.space));
    let points = Points::new(n + train.len(), panel.n_genes(), |at, out| {
        if at < n {
            write(key.space, &panel.truth_row(at), &control, out)
        } else {
            write(key.space, &train[at - n], &control, out)
        }
    });
    checked("truth", points, panel)
}

fn pred_points(panel: &Panel<'_>, key: PairKey) -> Result<Points> {
    let control = match key.space {
        Space::OwnDelta => Cow::Borrowed(panel.own_control()),
        _ => control_of(panel, key.space),
    };
    let points =
        Points::new(panel.n_rows(), panel.n_genes(), |at, out| write(key.space, &panel.pred_row(at), &control, out));
    checked("prediction", points, panel)
}

fn checked(what: &str, points: Points, panel: &Panel<'_>) -> Result<Points> {
    match points.first_not_finite() {
        None => Ok(points),
        Some(at) => {
            let of = if at < panel.n_rows() { panel.key(at) } else { "a train perturbation" };
            Err(Error::invalid_input(format!("{what} of `{of}` is not finite")))
        }
    }
}

/// Writes one row in the space of a metric; returns the squared length of what it was computed from.
fn write(space: Space, profile: &[f64], control: &[f64], out: &mut [f64]) -> f64 {
    match space {
        Space::Profile => {
            out.copy_from_slice(profile);
            0.0
        }
        Space::Delta | Space::OwnDelta => {
            for ((out, y), y0) in out.iter_mut().zip(profile).zip(control) {
                *out = y - y0;
            }
            sum2(profile, control, |a, b| a * a + b * b)
        }
        Space::LogRatio => {
            // The control comes with its logarithm taken: see `control_of`.
            let mut squares = 0.0;
            for ((out, y), log_y0) in out.iter_mut().zip(profile).zip(control) {
                let log_y = shifted_log(*y);
                *out = log_y - log_y0;
                squares += log_y * log_y + log_y0 * log_y0;
            }
            squares
        }
    }
}

/// `log2(max(m, 0) + 0.1)`; NaN stays.
fn shifted_log(mean: f64) -> f64 {
    if mean.is_nan() { mean } else { (mean.max(0.0) + 0.1).log2() }
}
