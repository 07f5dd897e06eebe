//! Areas under curves, with weights and ties, and in a form that resamples donors without sorting again.

use super::input::{Donors, Predictions, Weighting};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Score, Why};

/// Area under the ROC curve: the chance that a positive scores above a negative, ties by half.
///
/// # Undefined
/// `SingleLabel` without weight on both sides; `NotFinite` if a score is NaN.
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::auroc;
/// let it = auroc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], None);
/// assert_eq!(it.value(), Some(0.75));
/// ```
/// # References
/// Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
pub fn auroc(scores: &[f64], positive: &[bool], weights: Option<&[f64]>) -> Score {
    Sweep::new(scores, positive).map_or_else(Score::Undefined, |it| it.numbers(weights_of(weights)).auroc)
}

/// Area under the precision-recall curve as average precision: `Σ (R_i − R_{i−1}) P_i` over falling thresholds.
///
/// # Undefined
/// As [`auroc`].
///
/// # Panics
/// If lengths differ.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::auprc;
/// let it = auprc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true], None);
/// assert!((it.value().unwrap() - 5.0 / 6.0).abs() < 1e-15);
/// ```
pub fn auprc(scores: &[f64], positive: &[bool], weights: Option<&[f64]>) -> Score {
    Sweep::new(scores, positive).map_or_else(Score::Undefined, |it| it.numbers(weights_of(weights)).auprc)
}

fn weights_of(weights: Option<&[f64]>) -> impl Fn(usize) -> f64 {
    move |cell| weights.map_or(1.0, |it| it[cell])
}

/// Numbers of a binary score at falling thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SweepNumbers {
    pub(crate) auroc: Score,
    pub(crate) auprc: Score,
    /// False-positive rate at the first threshold with a true-positive rate of 95 %.
    pub(crate) fpr_at_95: Score,
    /// Best true-positive rate with a false-positive rate of at most 5 %.
    pub(crate) tpr_at_5: Score,
}

/// Cells by falling score, so that any weights need one pass.
pub(crate) struct Sweep<'a> {
    positive: &'a [bool],
    order: Vec<u32>,
    /// Whether a cell is the last of its score, in order.
    last: Vec<bool>,
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(scores: &[f64], positive: &'a [bool]) -> Result<Self, Why> {
        assert_eq!(scores.len(), positive.len(), "one label for each score");
        if scores.iter().any(|it| it.is_nan()) {
            return Err(Why::NotFinite);
        }
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        let at = |it: u32| scores[it as usize];
        order.sort_by(|a, b| at(*b).total_cmp(&at(*a)).then(a.cmp(b)));
        let last = (0..order.len()).map(|it| order.get(it + 1).is_none_or(|next| at(*next) != at(order[it]))).collect();
        Ok(Self { positive, order, last })
    }

    pub(crate) fn numbers(&self, weight: impl Fn(usize) -> f64) -> SweepNumbers {
        let mut totals = [0.0; 2];
        for cell in &self.order {
            totals[usize::from(self.positive[*cell as usize])] += weight(*cell as usize);
        }
        let [negative, positive] = totals;
        if positive <= 0.0 || negative <= 0.0 {
            let none = Score::Undefined(Why::SingleLabel);
            return SweepNumbers { auroc: none, auprc: none, fpr_at_95: none, tpr_at_5: none };
        }
        // Sums of weights reach 95 % only up to rounding.
        let (enough, little) = (0.95 * positive * (1.0 - 1e-12), 0.05 * negative * (1.0 + 1e-12));
        let (mut tp, mut fp, mut area, mut precision) = (0.0, 0.0, 0.0, 0.0);
        let (mut fpr_at_95, mut tpr_at_5) = (None, 0.0);
        let (mut from_tp, mut from_fp) = (0.0, 0.0);
        for (cell, last) in self.order.iter().zip(&self.last) {
            let w = weight(*cell as usize);
            if self.positive[*cell as usize] {
                tp += w;
            } else {
                fp += w;
            }
            if *last && tp + fp > from_tp + from_fp {
                area += (fp - from_fp) * 0.5 * (tp + from_tp);
                precision += (tp - from_tp) * tp / (tp + fp);
                if tp >= enough && fpr_at_95.is_none() {
                    fpr_at_95 = Some(fp / negative);
                }
                if fp <= little {
                    tpr_at_5 = tp / positive;
                }
                (from_tp, from_fp) = (tp, fp);
            }
        }
        SweepNumbers {
            auroc: Score::finite_or(area / (positive * negative), Why::NotFinite),
            auprc: Score::finite_or(precision / positive, Why::NotFinite),
            fpr_at_95: Score::Value(fpr_at_95.unwrap_or(1.0)),
            tpr_at_5: Score::Value(tpr_at_5),
        }
    }
}

/// Areas of every class against the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct OneVsRest {
    /// By class.
    pub auroc: Vec<Score>,
    /// By class.
    pub auprc: Vec<Score>,
}

impl OneVsRest {
    /// Mean over the classes that have one; undefined without any.
    pub fn macro_auroc(&self) -> Score {
        mean_defined(&self.auroc)
    }

    /// Mean over the classes that have one; undefined without any.
    pub fn macro_auprc(&self) -> Score {
        mean_defined(&self.auprc)
    }
}

pub(crate) fn mean_defined(scores: &[Score]) -> Score {
    let values: Vec<f64> = scores.iter().filter_map(|it| it.value()).collect();
    if values.is_empty() {
        return Score::Undefined(Why::SingleLabel);
    }
    Score::Value(values.iter().sum::<f64>() / values.len() as f64)
}

/// Areas of the probability of every class as a score for it.
pub fn one_vs_rest(predictions: &Predictions<'_>, weighting: Weighting) -> OneVsRest {
    let weights = predictions.donors().weights(weighting);
    let numbers = map_ordered(predictions.n_classes(), |class| {
        let scores = predictions.p().column(class).to_vec();
        let positive: Vec<bool> = predictions.truth().iter().map(|it| *it as usize == class).collect();
        Sweep::new(&scores, &positive).map(|it| it.numbers(|cell| weights[cell]))
    });
    let pick = |of: fn(&SweepNumbers) -> Score| {
        numbers.iter().map(|it| it.as_ref().map_or_else(|why| Score::Undefined(*why), of)).collect()
    };
    OneVsRest { auroc: pick(|it| it.auroc), auprc: pick(|it| it.auprc) }
}

/// The ROC area as a quadratic form in how often each donor is drawn, so that a resample needs no pass over cells.
///
/// `AUROC(m) = mᵀ U m / ((m·pos)(m·neg))`, where `U[d, e]` is the weight of pairs of a positive of donor d above a
/// negative of donor e, ties by half.
pub(crate) struct DonorPairs {
    n: usize,
    above: Vec<f64>,
    positive: Vec<f64>,
    negative: Vec<f64>,
}

impl DonorPairs {
    /// Sorts once; `O(n log n + n_positive · n_donors)`.
    pub(crate) fn new(scores: &[f64], positive: &[bool], donors: &Donors, weighting: Weighting) -> Result<Self, Why> {
        let sweep = Sweep::new(scores, positive)?;
        let n = donors.len();
        let mut out = Self { n, above: vec![0.0; n * n], positive: vec![0.0; n], negative: vec![0.0; n] };
        // From the lowest score up: negatives seen so far are below, those of the same score count half.
        let mut group: Vec<u32> = Vec::new();
        let mut tied = vec![0.0; n];
        for at in (0..sweep.order.len()).rev() {
            group.push(sweep.order[at]);
            if at == 0 || sweep.last[at - 1] {
                out.take(&group, &mut tied, positive, donors, weighting);
                group.clear();
            }
        }
        Ok(out)
    }

    fn take(&mut self, group: &[u32], tied: &mut [f64], positive: &[bool], donors: &Donors, weighting: Weighting) {
        tied.fill(0.0);
        for cell in group.iter().map(|it| *it as usize).filter(|it| !positive[*it]) {
            tied[donors.of[cell] as usize] += donors.weight(cell, weighting);
        }
        for cell in group.iter().map(|it| *it as usize).filter(|it| positive[*it]) {
            let (donor, weight) = (donors.of[cell] as usize, donors.weight(cell, weighting));
            self.positive[donor] += weight;
            let row = &mut self.above[donor * self.n..][..self.n];
            for (slot, (below, tied)) in row.iter_mut().zip(self.negative.iter().zip(tied.iter())) {
                *slot += weight * (below + 0.5 * tied);
            }
        }
        self.negative.iter_mut().zip(tied.iter()).for_each(|(sum, it)| *sum += it);
    }

    pub(crate) fn auroc(&self, times: &[f64]) -> Score {
        let (positive, negative) =
            (crate::kernels::dot(times, &self.positive), crate::kernels::dot(times, &self.negative));
        if positive <= 0.0 || negative <= 0.0 {
            return Score::Undefined(Why::SingleLabel);
        }
        let mut sum = 0.0;
        for (row, n) in self.above.chunks_exact(self.n).zip(times).filter(|it| *it.1 != 0.0) {
            sum += n * crate::kernels::dot(row, times);
        }
        Score::finite_or(sum / (positive * negative), Why::NotFinite)
    }
}
