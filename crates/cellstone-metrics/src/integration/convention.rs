//! Whose rule is followed where the packages of the family differ.

use cellstone_core::{Error, Result, nearest};
use std::fmt;

/// Which package's rules hold. Values under different conventions must not be compared.
///
/// | item | `scib` | `scib-metrics` | `cellstone` |
/// |---|---|---|---|
/// | isolated labels, threshold = number of batches | none | all | none |
/// | LISI of a degenerate neighbourhood | 1 or −1 | −1 | undefined, counted |
/// | LISI neighbours | graph paths | neighbours, self masked | neighbours, self masked |
/// | kBET shares | label | tested cells | label |
/// | totals | raw | raw | control-scaled |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Convention {
    /// This project's: exact, deterministic, undefined values stay undefined.
    #[default]
    Cellstone,
    /// theislab/scib (Luecken 2022).
    Scib,
    /// YosefLab/scib-metrics, the 0.5 and 0.6 lines.
    ScibMetrics,
}

impl Convention {
    /// Every convention, the default first.
    pub const ALL: [Self; 3] = [Self::Cellstone, Self::Scib, Self::ScibMetrics];

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cellstone => "cellstone",
            Self::Scib => "scib",
            Self::ScibMetrics => "scib-metrics",
        }
    }

    /// The convention of that name.
    ///
    /// # Errors
    /// If there is none; the hint names the nearest.
    ///
    /// # Examples
    /// ```
    /// use cellstone_metrics::integration::Convention;
    /// assert_eq!(Convention::parse("scib-metrics")?, Convention::ScibMetrics);
    /// let error = Convention::parse("scib_metrics").unwrap_err();
    /// assert_eq!(error.hints(), ["did you mean `scib-metrics`?"]);
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn parse(name: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::as_str);
        Self::ALL.into_iter().find(|it| it.as_str() == name).ok_or_else(|| {
            let error = Error::config(format!("unknown convention `{name}`, expected one of `{}`", names.join("`, `")));
            match nearest(name, names) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
