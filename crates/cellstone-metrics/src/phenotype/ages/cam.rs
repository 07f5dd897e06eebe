//! Ages and bins as the Cellular Aging Map has them, so that its figures can be understood.
//!
//! DIVERGES(cam-ages): only beside `--ages cam`.

use super::label::{plain, stage};
use super::table::StageKind;

/// Ages of its table that follow no rule, by label in plain words.
const ODD: [(&str, Option<f64>); 24] = [
    ("adult", None),
    ("middle aged", None),
    ("unknown", None),
    ("mature", None),
    ("adolescent", None),
    ("late adulthood", None),
    ("aged", None),
    ("newborn", Some(1.0)),
    ("25 44 year old", Some(35.0)),
    ("65 79 year old", Some(72.0)),
    ("80 year old and over", Some(80.0)),
    ("under 1 year old", Some(0.5)),
    ("10 month old", Some(1.0)),
    ("11 month old", Some(1.0)),
    ("12 month old", Some(1.0)),
    ("14 month old", Some(0.0)),
    ("19 month old", Some(0.0)),
    ("young adult", Some(30.0)),
    ("early adulthood", Some(10.0)),
    ("child", Some(3.0)),
    ("infant", Some(0.0)),
    ("immature", Some(0.0)),
    ("2 5 year old child", Some(4.0)),
    ("6 12 year old child", Some(9.0)),
];

/// The age its table gives a label; `None` where the table has no number or no such label.
///
/// Years as they are, decades ten years late, months as tenths of a year, everything before birth 0.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::cam_age;
/// assert_eq!(cam_age("[sixth_decade_human_stage]"), Some(65.0));
/// assert_eq!(cam_age("[9_month_old_human_stage]"), Some(0.9));
/// assert_eq!(cam_age("[human_adult_stage]"), None);
/// ```
/// # References
/// Reference: louisleger/cellular-aging-map@8fcda2b data_utils/age_relabeling.csv.
pub fn cam_age(label: &str) -> Option<f64> {
    let words = plain(label);
    if let Some(it) = ODD.iter().find(|it| it.0 == words) {
        return it.1;
    }
    let number = |suffix: &str| words.strip_suffix(suffix).and_then(|it| it.parse::<f64>().ok());
    if let Some(k) = number(" year old") {
        return Some(k);
    }
    if let Some(k) = number(" month old") {
        return Some(k / 10.0);
    }
    match stage(label).kind {
        // Its decades stand at the middle of the next one.
        StageKind::Years { lo, .. } if words.ends_with(" decade") => Some(lo + 15.0),
        StageKind::Prenatal { .. } => Some(0.0),
        _ => None,
    }
}

/// The bin its code gives an age: `clip(int(ceil(a)/10)·10 + 10, 10, 100)`, with a missing age in the lowest.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::cam_bin;
/// assert_eq!([Some(20.0), Some(9.5), Some(95.0), None].map(cam_bin), [30, 20, 100, 10]);
/// ```
pub fn cam_bin(age: Option<f64>) -> u32 {
    let Some(age) = age else { return 10 };
    ((age.ceil() / 10.0).trunc() * 10.0 + 10.0).clamp(10.0, 100.0) as u32
}
