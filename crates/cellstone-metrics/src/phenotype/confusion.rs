//! Scores of decided classes, all from three numbers a class: right decisions, true cells, decisions.

use super::input::{check_cells, check_truth};
use cellstone_core::{Error, Result, Score, Why};
use ndarray::Array2;

/// A score of decisions about classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClassMetric {
    /// Share of cells whose true class has rank 1.
    Top1,
    /// Share of cells whose true class has rank 3 or better.
    Top3,
    /// Share of cells whose true class has rank 5 or better.
    Top5,
    /// Mean recall over classes with test cells.
    BalancedAccuracy,
    /// Mean of `2TP/(2TP+FP+FN)` over classes with test cells.
    MacroF1,
    /// The same weighted by test cells.
    WeightedF1,
    /// Mean of `1/rank`.
    Mrr,
    /// Cohen's kappa.
    Kappa,
    /// Matthews' correlation for several classes.
    Matthews,
    /// `−mean ln p_y`; probabilities below `f64::EPSILON` count as that.
    Nll,
    /// `mean Σ_k (p_k − 1[y=k])²`, from 0 to 2.
    Brier,
    /// Harmonic mean of macro precision and macro recall, as the Cellular Aging Map has it: not comparable to
    /// `MacroF1`.
    CamF1,
}

impl ClassMetric {
    /// All that tables show, in their order; [`Self::CamF1`] only appears beside the published protocol.
    pub const ALL: [Self; 11] = [
        Self::Top1,
        Self::Top3,
        Self::Top5,
        Self::BalancedAccuracy,
        Self::MacroF1,
        Self::WeightedF1,
        Self::Mrr,
        Self::Kappa,
        Self::Matthews,
        Self::Nll,
        Self::Brier,
    ];

    /// The id in tables.
    pub fn id(self) -> &'static str {
        match self {
            Self::Top1 => "top1",
            Self::Top3 => "top3",
            Self::Top5 => "top5",
            Self::BalancedAccuracy => "balanced_accuracy",
            Self::MacroF1 => "macro_f1",
            Self::WeightedF1 => "weighted_f1",
            Self::Mrr => "mrr",
            Self::Kappa => "cohen_kappa",
            Self::Matthews => "matthews",
            Self::Nll => "nll",
            Self::Brier => "brier",
            Self::CamF1 => "cam_f1",
        }
    }

    /// What a guess among `n_classes` gets, where that is a number everyone agrees on.
    pub fn chance(self, n_classes: usize) -> Option<f64> {
        match self {
            Self::Top1 => Some(super::chance(1, n_classes)),
            Self::Top3 => Some(super::chance(3, n_classes)),
            Self::Top5 => Some(super::chance(5, n_classes)),
            Self::BalancedAccuracy => Some(1.0 / n_classes.max(1) as f64),
            Self::Kappa | Self::Matthews => Some(0.0),
            Self::Mrr => Some((1..=n_classes).map(|it| 1.0 / it as f64).sum::<f64>() / n_classes.max(1) as f64),
            Self::Nll => Some((n_classes.max(1) as f64).ln()),
            Self::Brier => Some(1.0 - 1.0 / n_classes.max(1) as f64),
            Self::MacroF1 | Self::WeightedF1 | Self::CamF1 => None,
        }
    }
}

/// Numbers of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassRow {
    /// The class.
    pub class: u32,
    /// Weight of cells that truly are of it.
    pub support: f64,
    /// Weight of cells decided for it.
    pub predicted: f64,
    /// Weight of both.
    pub right: f64,
    /// `right/support`; undefined without support.
    pub recall: Score,
    /// `right/predicted`; undefined without decisions.
    pub precision: Score,
    /// `2 right/(support + predicted)`; undefined without either.
    pub f1: Score,
}

/// Right decisions, true cells and decisions of every class: everything that scores of decisions need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClassSums<'a> {
    pub(crate) right: &'a [f64],
    pub(crate) support: &'a [f64],
    pub(crate) predicted: &'a [f64],
}

impl ClassSums<'_> {
    fn total(&self) -> f64 {
        self.support.iter().sum()
    }

    fn f1(&self, class: usize) -> f64 {
        let below = self.support[class] + self.predicted[class];
        if below > 0.0 { 2.0 * self.right[class] / below } else { 0.0 }
    }

    /// Mean over the classes that pass of a value, undefined without any.
    fn mean(&self, passes: impl Fn(usize) -> bool, value: impl Fn(usize) -> f64) -> Score {
        let (mut sum, mut n) = (0.0, 0_u32);
        for class in (0..self.support.len()).filter(|it| passes(*it)) {
            sum += value(class);
            n += 1;
        }
        if n == 0 { Score::Undefined(Why::TooFewCells) } else { Score::Value(sum / f64::from(n)) }
    }

    /// The score of decisions; `None` for one that needs more than decisions.
    pub(crate) fn score(&self, metric: ClassMetric) -> Option<Score> {
        let total = self.total();
        if total <= 0.0 {
            return Some(Score::Undefined(Why::TooFewCells));
        }
        let tested = |class: usize| self.support[class] > 0.0;
        let recall = |class: usize| self.right[class] / self.support[class];
        Some(match metric {
            ClassMetric::Top1 => Score::Value(self.right.iter().sum::<f64>() / total),
            ClassMetric::BalancedAccuracy => self.mean(tested, recall),
            ClassMetric::MacroF1 => self.mean(tested, |it| self.f1(it)),
            ClassMetric::WeightedF1 => {
                Score::Value((0..self.support.len()).map(|it| self.support[it] * self.f1(it)).sum::<f64>() / total)
            }
            ClassMetric::CamF1 => self.cam_f1(),
            ClassMetric::Kappa => self.kappa(total),
            ClassMetric::Matthews => self.matthews(total),
            ClassMetric::Top3 | ClassMetric::Top5 | ClassMetric::Mrr | ClassMetric::Nll | ClassMetric::Brier => {
                return None;
            }
        })
    }

    /// Over every class that occurs on either side, a class without denominator counting as 0; 0 if either mean is.
    fn cam_f1(&self) -> Score {
        let present = |class: usize| self.support[class] > 0.0 || self.predicted[class] > 0.0;
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let recall = self.mean(present, |it| ratio(self.right[it], self.support[it]));
        let precision = self.mean(present, |it| ratio(self.right[it], self.predicted[it]));
        match (recall, precision) {
            (Score::Value(r), Score::Value(p)) if r > 0.0 && p > 0.0 => Score::Value(2.0 / (1.0 / r + 1.0 / p)),
            (Score::Value(_), Score::Value(_)) => Score::Value(0.0),
            (it, _) => it,
        }
    }

    fn kappa(&self, total: f64) -> Score {
        let observed = self.right.iter().sum::<f64>() / total;
        let expected = crate::kernels::dot(self.support, self.predicted) / (total * total);
        if 1.0 - expected < 1e-12 {
            return Score::Undefined(Why::SingleLabel);
        }
        Score::Value((observed - expected) / (1.0 - expected))
    }

    fn matthews(&self, total: f64) -> Score {
        let covariance = total * self.right.iter().sum::<f64>() - crate::kernels::dot(self.support, self.predicted);
        let spread = |it: &[f64]| total * total - crate::kernels::sum_sq(it);
        let (true_spread, decided_spread) = (spread(self.support), spread(self.predicted));
        let floor = 1e-12 * total * total;
        if true_spread <= floor || decided_spread <= floor {
            return Score::Undefined(Why::SingleLabel);
        }
        Score::Value(covariance / (true_spread * decided_spread).sqrt())
    }

    pub(crate) fn rows(&self) -> Vec<ClassRow> {
        let ratio = |part: f64, whole: f64| {
            if whole > 0.0 { Score::Value(part / whole) } else { Score::Undefined(Why::TooFewCells) }
        };
        let row = |class: usize| {
            let (right, support, predicted) = (self.right[class], self.support[class], self.predicted[class]);
            ClassRow {
                class: class as u32,
                support,
                predicted,
                right,
                recall: ratio(right, support),
                precision: ratio(right, predicted),
                f1: ratio(2.0 * right, support + predicted),
            }
        };
        (0..self.support.len()).map(row).collect()
    }
}

/// A table of true against decided classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    counts: Array2<f64>,
    right: Vec<f64>,
    support: Vec<f64>,
    predicted: Vec<f64>,
}

impl Confusion {
    /// Counts decisions, each cell with its weight, or 1.
    ///
    /// # Errors
    /// If lengths differ, a class is out of range, or a weight is negative or not finite.
    ///
    /// # Examples
    /// ```
    /// use cellstone_metrics::phenotype::{ClassMetric, Confusion};
    /// let it = Confusion::new(&[0, 0, 1, 1], &[0, 1, 1, 1], 2, None)?;
    /// assert_eq!(it.counts(), ndarray::array![[1.0, 1.0], [0.0, 2.0]]);
    /// assert_eq!(it.score(ClassMetric::BalancedAccuracy).value(), Some(0.75));
    /// // F1 of the two: 2/3 and 4/5.
    /// assert!((it.score(ClassMetric::MacroF1).value().unwrap() - 11.0 / 15.0).abs() < 1e-15);
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn new(truth: &[u32], pred: &[u32], n_classes: usize, weights: Option<&[f64]>) -> Result<Self> {
        check_truth(truth, truth.len(), n_classes)?;
        check_truth(pred, truth.len(), n_classes).map_err(|it| it.context("decided classes"))?;
        if let Some(weights) = weights {
            check_cells("weights", weights.len(), truth.len())?;
            if let Some(cell) = weights.iter().position(|it| !(it.is_finite() && *it >= 0.0)) {
                return Err(Error::invalid_input(format!("cell {cell} has weight {}", weights[cell])));
            }
        }
        let mut counts = Array2::zeros((n_classes, n_classes));
        for (cell, (y, decided)) in truth.iter().zip(pred).enumerate() {
            counts[[*y as usize, *decided as usize]] += weights.map_or(1.0, |it| it[cell]);
        }
        let predicted = counts.sum_axis(ndarray::Axis(0)).to_vec();
        let support = counts.sum_axis(ndarray::Axis(1)).to_vec();
        Ok(Self { right: counts.diag().to_vec(), support, predicted, counts })
    }

    /// The weights, `[true, decided]`.
    pub fn counts(&self) -> &Array2<f64> {
        &self.counts
    }

    /// Numbers of every class.
    pub fn per_class(&self) -> Vec<ClassRow> {
        self.sums().rows()
    }

    /// A score of decisions.
    ///
    /// # Undefined
    /// `NotGiven` for scores that need ranks or probabilities; `TooFewCells` without cells; `SingleLabel` for kappa and
    /// Matthews where chance alone is perfect or a side has one class.
    pub fn score(&self, metric: ClassMetric) -> Score {
        self.sums().score(metric).unwrap_or(Score::Undefined(Why::NotGiven))
    }

    fn sums(&self) -> ClassSums<'_> {
        ClassSums { right: &self.right, support: &self.support, predicted: &self.predicted }
    }
}
