//! Bins of age: half-open decades named by their lower edge, with the first years and the time before birth apart.

use super::table::{Stage, StageKind};
use std::fmt;

/// Where decades are pooled.
const OLDEST: u32 = 80;

/// A bin of age, in the order of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgeBin {
    /// Before birth.
    Prenatal,
    /// Below 1 year.
    Infant,
    /// 1 to 9 years.
    Child,
    /// Ten years from this age on; 80 stands for all ages from there.
    Decade(u32),
}

impl AgeBin {
    /// A number that sorts as the bins do and names them: 0, 1, 2, then 10, 20 … 80.
    pub fn code(self) -> u32 {
        match self {
            Self::Prenatal => 0,
            Self::Infant => 1,
            Self::Child => 2,
            Self::Decade(from) => from,
        }
    }
}

impl fmt::Display for AgeBin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prenatal => f.write_str("prenatal"),
            Self::Infant => f.write_str("infant"),
            Self::Child => f.write_str("child"),
            Self::Decade(OLDEST) => write!(f, "{OLDEST}+"),
            Self::Decade(from) => write!(f, "{from}"),
        }
    }
}

/// The bin of an age in years after birth; `None` of a negative one.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{AgeBin, age_bin_of_years};
/// assert_eq!(age_bin_of_years(20.0), Some(AgeBin::Decade(20)));
/// assert_eq!(age_bin_of_years(9.5), Some(AgeBin::Child));
/// assert_eq!(age_bin_of_years(95.0).map(|it| it.to_string()).as_deref(), Some("80+"));
/// ```
pub fn age_bin_of_years(years: f64) -> Option<AgeBin> {
    match years {
        _ if !(years >= 0.0 && years.is_finite()) => None,
        _ if years < 1.0 => Some(AgeBin::Infant),
        _ if years < 10.0 => Some(AgeBin::Child),
        _ => Some(AgeBin::Decade(((years / 10.0).floor() as u32 * 10).min(OLDEST))),
    }
}

/// The bin of a stage: that of its midpoint, or of the lower edge of an interval that is open above.
///
/// `None` where the stage says nothing about age, or spans more than 10 years and two bins.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{AgeBin, age_bin, stage};
/// assert_eq!(age_bin(&stage("sixth decade stage")), Some(AgeBin::Decade(50)));
/// assert_eq!(age_bin(&stage("80 year-old and over stage")), Some(AgeBin::Decade(80)));
/// assert_eq!(age_bin(&stage("9-month-old stage")), Some(AgeBin::Infant));
/// assert_eq!(age_bin(&stage("Carnegie stage 18")), Some(AgeBin::Prenatal));
/// assert_eq!(age_bin(&stage("adult stage")), None);
/// ```
pub fn age_bin(stage: &Stage) -> Option<AgeBin> {
    match stage.kind {
        StageKind::Prenatal { .. } => Some(AgeBin::Prenatal),
        StageKind::Years { lo, hi: None } => age_bin_of_years(lo),
        StageKind::Years { lo, hi: Some(hi) } => {
            let (first, last) = (age_bin_of_years(lo), age_bin_of_years(hi - 1e-9));
            let middle = age_bin_of_years(0.5 * (lo + hi));
            if first == last || stage.for_regression().is_some() { middle } else { None }
        }
        StageKind::NoAge | StageKind::Unknown => None,
    }
}
