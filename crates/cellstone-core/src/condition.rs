//! What was done to a cell: control or a perturbation of one or more targets, inside a context.

use std::fmt;

/// One or more distinct target names, sorted by code point: the canonical form of a perturbation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Perturbation(Vec<String>);

impl Perturbation {
    /// A perturbation of the given targets; `None` if there is none or one repeats.
    pub fn new<S: Into<String>>(targets: impl IntoIterator<Item = S>) -> Option<Self> {
        let mut targets: Vec<String> = targets.into_iter().map(Into::into).collect();
        targets.sort();
        let distinct = targets.windows(2).all(|it| it[0] != it[1]);
        (distinct && !targets.is_empty()).then_some(Self(targets))
    }

    /// The targets, sorted.
    pub fn targets(&self) -> &[String] {
        &self.0
    }

    /// Whether there is one target.
    pub fn is_single(&self) -> bool {
        self.0.len() == 1
    }

    /// The perturbation of each target alone.
    pub fn singles(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.iter().map(|it| Self(vec![it.clone()]))
    }
}

/// The canonical key: targets joined by `+`.
impl fmt::Display for Perturbation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("+"))
    }
}

/// Control, or a perturbation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Nothing was done.
    Control,
    /// These targets were perturbed.
    Perturbed(Perturbation),
}

impl Condition {
    /// The perturbation, unless this is control.
    pub fn perturbation(&self) -> Option<&Perturbation> {
        match self {
            Self::Control => None,
            Self::Perturbed(it) => Some(it),
        }
    }

    /// Whether nothing was done.
    pub fn is_control(&self) -> bool {
        *self == Self::Control
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("control"),
            Self::Perturbed(it) => it.fmt(f),
        }
    }
}

/// A cell line, cell type or donor: baselines, splits and metrics never mix contexts silently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextId(String);

impl ContextId {
    /// The context of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The context of data that name none.
    pub fn default_context() -> Self {
        Self("default".to_owned())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContextId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
