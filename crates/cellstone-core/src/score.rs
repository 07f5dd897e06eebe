//! The value of a metric: a number, or the reason why there is none.

use std::fmt;

/// Why a score does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Why {
    /// A vector whose spread is the denominator is constant.
    ConstantVector,
    /// A vector whose length is the denominator is zero.
    ZeroVector,
    /// Fewer genes than the definition needs.
    TooFewGenes,
    /// Fewer conditions than the definition needs.
    TooFewConditions,
    /// Fewer cells than the definition needs.
    TooFewCells,
    /// All weights are zero.
    ZeroWeights,
    /// A denominator is zero or negative.
    ZeroDenominator,
    /// The source has means but no cells.
    NoCells,
    /// Something the definition needs (weights, a training mean) was not given.
    NotGiven,
    /// Floor and ceiling are too near each other to say anything between them.
    NoRoom,
    /// An input holds NaN or an infinite value.
    NotFinite,
    /// All cells are of one batch.
    SingleBatch,
    /// All cells have one label.
    SingleLabel,
    /// No label has what the definition needs.
    NoLabel,
}

impl Why {
    /// The words of the `reason` column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConstantVector => "constant vector",
            Self::ZeroVector => "zero vector",
            Self::TooFewGenes => "too few genes",
            Self::TooFewConditions => "too few conditions",
            Self::TooFewCells => "too few cells",
            Self::ZeroWeights => "all weights are zero",
            Self::ZeroDenominator => "denominator is not positive",
            Self::NoCells => "means without cells",
            Self::NotGiven => "an input of the metric was not given",
            Self::NoRoom => "floor and ceiling too close",
            Self::NotFinite => "an input is not finite",
            Self::SingleBatch => "only one batch",
            Self::SingleLabel => "only one label",
            Self::NoLabel => "no label that the metric can use",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One metric value. Never NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// A finite number.
    Value(f64),
    /// No number, and why.
    Undefined(Why),
}

impl Score {
    /// `value`, or undefined for the given reason if it is not finite.
    pub fn finite_or(value: f64, why: Why) -> Self {
        if value.is_finite() { Self::Value(value) } else { Self::Undefined(why) }
    }

    /// The number, if there is one.
    pub fn value(self) -> Option<f64> {
        match self {
            Self::Value(it) => Some(it),
            Self::Undefined(_) => None,
        }
    }
}
