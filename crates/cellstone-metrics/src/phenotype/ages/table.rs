//! Terms of HsapDv (release 2025-01-23) and what their definitions say about age.

/// Days of a year.
const YEAR: f64 = 365.25;

/// What a stage says about age.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StageKind {
    /// Years after birth, `[lo, hi)`; open above without `hi`.
    Years {
        /// From.
        lo: f64,
        /// To, exclusive.
        hi: Option<f64>,
    },
    /// Before birth: weeks after fertilisation where the term has them, `[lo, hi)`, and a place in the order of stages.
    Prenatal {
        /// Weeks; the last stage is open above.
        weeks: Option<(f64, Option<f64>)>,
        /// Later stages have larger numbers; only for sorting.
        order: u32,
    },
    /// A term that says nothing about age: adult, mature, life cycle, unknown.
    NoAge,
    /// Text that is no stage we know.
    Unknown,
}

/// A life stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// What it says about age.
    pub kind: StageKind,
    /// Whether the term is retired: the interval is that of its own description.
    pub retired: bool,
}

impl Stage {
    pub(crate) const UNKNOWN: Self = Self { kind: StageKind::Unknown, retired: false };

    pub(crate) const fn years(lo: f64, hi: f64) -> Self {
        Self { kind: StageKind::Years { lo, hi: Some(hi) }, retired: false }
    }

    const fn from(lo: f64) -> Self {
        Self { kind: StageKind::Years { lo, hi: None }, retired: false }
    }

    const fn prenatal(order: u32) -> Self {
        Self { kind: StageKind::Prenatal { weeks: None, order }, retired: false }
    }

    const fn none() -> Self {
        Self { kind: StageKind::NoAge, retired: false }
    }

    const fn retired(self) -> Self {
        Self { kind: self.kind, retired: true }
    }

    /// A week after fertilisation, counted from 1; the 38th lasts until birth.
    pub(crate) fn week(k: u32) -> Self {
        let end = if k >= 38 { None } else { Some(f64::from(k)) };
        Self { kind: StageKind::Prenatal { weeks: Some((f64::from(k) - 1.0, end)), order: 100 + k }, retired: false }
    }

    /// A month after birth; the first starts where the newborn stage ends.
    pub(crate) fn month(k: u32) -> Self {
        let lo = if k == 1 { 28.0 / YEAR } else { f64::from(k) / 12.0 };
        Self::years(lo, f64::from(k + 1) / 12.0)
    }

    /// Whether the stage is before birth.
    pub fn is_prenatal(&self) -> bool {
        matches!(self.kind, StageKind::Prenatal { .. })
    }

    /// The middle of the interval in years; `None` of an open one and of everything that has no years.
    ///
    /// # Examples
    /// ```
    /// use cellstone_metrics::phenotype::stage;
    /// assert_eq!(stage("HsapDv:0000240").midpoint(), Some(55.0));
    /// assert_eq!(stage("80 year-old and over stage").midpoint(), None);
    /// ```
    pub fn midpoint(&self) -> Option<f64> {
        match self.kind {
            StageKind::Years { lo, hi: Some(hi) } => Some(0.5 * (lo + hi)),
            _ => None,
        }
    }

    /// The width of the interval in years.
    pub fn width(&self) -> Option<f64> {
        match self.kind {
            StageKind::Years { lo, hi: Some(hi) } => Some(hi - lo),
            _ => None,
        }
    }

    /// The age to regress on: the midpoint of an interval of at most 10 years.
    pub fn for_regression(&self) -> Option<f64> {
        self.midpoint().filter(|_| self.width().is_some_and(|it| it <= 10.0 + 1e-9))
    }
}

/// The number of a term of HsapDv as a stage; `None` of one that the release does not have.
pub(crate) fn by_number(number: u32) -> Option<Stage> {
    let decade = |n: u32| Stage::years(f64::from(10 * (n - 1)), f64::from(10 * n));
    let year = |k: u32| Stage::years(f64::from(k), f64::from(k + 1));
    let newborn_end = 28.0 / YEAR;
    Some(match number {
        0 | 1 | 226 | 258 | 10_000 => Stage::none(),
        80 => Stage::years(0.0, 12.0).retired(),
        204 => Stage::none().retired(),
        2 => Stage::prenatal(1),
        3 => Stage::prenatal(2),
        4 => Stage::prenatal(3).retired(),
        5 => Stage::prenatal(3),
        205 => Stage::prenatal(4),
        6 => Stage::prenatal(5),
        7 => Stage::prenatal(6),
        8 => Stage::prenatal(7),
        9 => Stage::prenatal(8),
        31..=33 => Stage::prenatal(number - 22),
        10 => Stage::prenatal(12),
        11 => Stage::prenatal(13),
        34 | 35 => Stage::prenatal(number - 20),
        12 => Stage::prenatal(16),
        13 => Stage::prenatal(17),
        14 => Stage::prenatal(18),
        15 => Stage::prenatal(19),
        // Carnegie stages 9 to 23.
        16..=30 => Stage::prenatal(number + 4),
        45 => Stage::prenatal(0),
        37 => Stage::prenatal(108),
        46..=75 => Stage::week(number - 37),
        // A month of gestation from the last menstrual period, 3 to 9, beside the weeks after fertilisation it covers.
        197..=203 => Stage::prenatal(100 + 4 * (number - 194) - 4),
        81 => Stage::years(2.0, 13.0).retired(),
        82 => Stage::years(0.0, 32.0 / YEAR).retired(),
        83 => Stage::years(32.0 / YEAR, 2.0).retired(),
        84 => Stage::years(2.0, 6.0).retired(),
        85 => Stage::years(6.0, 13.0).retired(),
        86 => Stage::years(13.0, 19.0).retired(),
        87 => Stage::from(19.0).retired(),
        88 => Stage::years(19.0, 45.0).retired(),
        89 => Stage::years(19.0, 25.0).retired(),
        90 => Stage::years(25.0, 45.0).retired(),
        91 => Stage::from(45.0).retired(),
        92 => Stage::years(45.0, 65.0).retired(),
        93 => Stage::from(65.0).retired(),
        94 => Stage::years(65.0, 80.0).retired(),
        95 => Stage::from(80.0),
        96..=173 => year(number - 94),
        174 => Stage::years(1.0 / 12.0, 2.0 / 12.0).retired(),
        175..=196 => Stage::month(number - 173),
        206..=225 => year(number - 126),
        227 => Stage::from(60.0),
        228..=234 => year(number - 128),
        235 | 236 => decade(number - 234).retired(),
        237..=245 => decade(number - 234),
        246 => year(1),
        247 => Stage::from(100.0),
        248..=255 => year(number - 141),
        256 => Stage::years(32.0 / YEAR, 1.0).retired(),
        260 => Stage::years(0.0, 1.0),
        261 => Stage::years(newborn_end, 1.0),
        262 => Stage::years(0.0, newborn_end),
        264 => Stage::years(0.0, 15.0),
        265 => Stage::years(1.0, 5.0),
        266 => Stage::years(15.0, 40.0),
        267 => Stage::years(40.0, 60.0),
        268 => Stage::years(15.0, 20.0),
        270 => Stage::years(2.0, 5.0),
        271 => Stage::years(5.0, 15.0),
        272 => Stage::years(60.0, 80.0),
        273 => Stage::month(1),
        274 => Stage::from(90.0),
        _ => return None,
    })
}

/// The ids of all terms the table has, ascending.
pub fn stage_ids() -> Vec<String> {
    (0..=274).chain([10_000]).filter(|it| by_number(*it).is_some()).map(|it| format!("HsapDv:{it:07}")).collect()
}
