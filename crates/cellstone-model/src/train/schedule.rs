//! How fast the weights move, by step.

use serde::{Deserialize, Serialize};

/// Shape of the learning rate behind the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Straight down to a tenth.
    Linear,
    /// Half a cosine down to a tenth.
    Cosine,
    /// None.
    Constant,
}

/// A learning rate that rises in a straight line and then falls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of the rise.
    pub warmup: u64,
    /// Steps in all.
    pub total: u64,
    /// How it falls.
    pub decay: Decay,
}

/// Share of the peak at the end.
const LAST: f64 = 0.1;

impl Schedule {
    /// The rate of a step, counted from 0.
    ///
    /// `peak (step + 1) / warmup` while it rises; then `peak (0.1 + 0.9 f)`, where `f` falls from 1 to 0 over the rest:
    /// `1 − t` or `(1 + cos π t) / 2`.
    ///
    /// # Examples
    /// ```
    /// use cellstone_model::{Decay, Schedule};
    /// let rate = Schedule { peak: 1.0, warmup: 2, total: 12, decay: Decay::Linear };
    /// assert_eq!([rate.at(0), rate.at(1), rate.at(2)], [0.5, 1.0, 1.0]);
    /// assert!((rate.at(12) - 0.1).abs() < 1e-12);
    /// ```
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let rest = self.total.saturating_sub(self.warmup).max(1);
        let t = ((step - self.warmup) as f64 / rest as f64).min(1.0);
        let left = match self.decay {
            Decay::Linear => 1.0 - t,
            Decay::Cosine => f64::midpoint(1.0, (std::f64::consts::PI * t).cos()),
            Decay::Constant => return self.peak,
        };
        self.peak * (LAST + (1.0 - LAST) * left)
    }
}
