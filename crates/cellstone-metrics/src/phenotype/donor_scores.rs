//! Sufficient statistics per donor: every score of a resample of donors is a sum of rows away.

use super::confusion::{ClassMetric, ClassRow, ClassSums};
use super::input::{Donors, Predictions, Weighting, check_cells, check_truth};
use super::ranks::{decisions, true_ranks};
use cellstone_core::{Result, Score, Why};
use ndarray::Array2;

/// Sums beyond those of the classes.
const EXTRA: usize = 6;
const TOP3: usize = 0;
const TOP5: usize = 1;
const MRR: usize = 2;
const NLL: usize = 3;
const BRIER: usize = 4;
const WEIGHT: usize = 5;

/// Everything that [`ClassMetric`] needs, summed per donor.
///
/// With K classes a donor has 3K + 6 numbers, so 2,000 resamples cost as much as one pass over some thousand cells.
#[derive(Debug, Clone, PartialEq)]
pub struct DonorScores {
    n_classes: usize,
    ids: Vec<u32>,
    /// `[n_donors, 3·n_classes + EXTRA]`.
    sums: Array2<f64>,
    has_p: bool,
}

impl DonorScores {
    /// Sums over the cells of every donor; with [`Weighting::Donor`] every donor has weight 1.
    ///
    /// # Errors
    /// None beyond those of [`Predictions::new`], which has checked already.
    pub fn new(predictions: &Predictions<'_>, weighting: Weighting) -> Result<Self> {
        let (p, truth) = (predictions.p(), predictions.truth());
        let ranks = true_ranks(p, truth)?.rank;
        let pred = decisions(p, truth)?;
        let mut out = Self::count(truth, &pred, predictions.donors(), predictions.n_classes(), weighting, true);
        let base = 3 * out.n_classes;
        for (cell, row) in p.rows().into_iter().enumerate() {
            let donors = predictions.donors();
            let weight = donors.weight(cell, weighting);
            let y = truth[cell] as usize;
            let rank = ranks[cell];
            let mut sums = out.sums.row_mut(donors.of[cell] as usize);
            sums[base + TOP3] += if rank <= 3 { weight } else { 0.0 };
            sums[base + TOP5] += if rank <= 5 { weight } else { 0.0 };
            sums[base + MRR] += weight / f64::from(rank);
            sums[base + NLL] -= weight * row[y].max(f64::EPSILON).ln();
            sums[base + BRIER] += weight * (row.dot(&row) - 2.0 * row[y] + 1.0);
        }
        Ok(out)
    }

    /// The same for a method that decides without ranking; scores of ranks and probabilities are undefined.
    ///
    /// # Errors
    /// If lengths differ or a class is out of range.
    pub fn from_decisions(
        truth: &[u32],
        pred: &[u32],
        donor: &[u32],
        n_classes: usize,
        weighting: Weighting,
    ) -> Result<Self> {
        check_truth(truth, truth.len(), n_classes)?;
        check_truth(pred, truth.len(), n_classes).map_err(|it| it.context("decided classes"))?;
        check_cells("donors", donor.len(), truth.len())?;
        Ok(Self::count(truth, pred, &Donors::new(donor), n_classes, weighting, false))
    }

    fn count(truth: &[u32], pred: &[u32], donors: &Donors, k: usize, weighting: Weighting, has_p: bool) -> Self {
        let mut sums = Array2::zeros((donors.len(), 3 * k + EXTRA));
        for (cell, (y, decided)) in truth.iter().zip(pred).enumerate() {
            let weight = donors.weight(cell, weighting);
            let mut row = sums.row_mut(donors.of[cell] as usize);
            if y == decided {
                row[*y as usize] += weight;
            }
            row[k + *y as usize] += weight;
            row[2 * k + *decided as usize] += weight;
            row[3 * k + WEIGHT] += weight;
        }
        Self { n_classes: k, ids: donors.ids.clone(), sums, has_p }
    }

    /// Number of donors.
    pub fn n_donors(&self) -> usize {
        self.ids.len()
    }

    /// The codes of the donors, ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The score over all donors.
    ///
    /// # Undefined
    /// As [`Confusion::score`](super::Confusion::score).
    pub fn score(&self, metric: ClassMetric) -> Score {
        self.score_of(&self.summed(None), metric)
    }

    /// The score with every donor so many times; `counts` has one number per donor.
    pub fn with_counts(&self, counts: &[f64], metric: ClassMetric) -> Score {
        self.score_of(&self.summed(Some(counts)), metric)
    }

    /// Several scores of the same resample.
    pub fn all_with_counts(&self, counts: &[f64], metrics: &[ClassMetric]) -> Vec<Score> {
        let sums = self.summed(Some(counts));
        metrics.iter().map(|it| self.score_of(&sums, *it)).collect()
    }

    /// Numbers of every class over all donors.
    pub fn per_class(&self) -> Vec<ClassRow> {
        let sums = self.summed(None);
        self.classes(&sums).rows()
    }

    /// The sums of one donor, by position.
    pub(crate) fn row(&self, donor: usize) -> &[f64] {
        let width = self.sums.ncols();
        &self.sums.as_slice().expect("invariant: made in standard order")[donor * width..][..width]
    }

    pub(crate) fn width(&self) -> usize {
        self.sums.ncols()
    }

    /// The sums over donors, each so many times; donors in order, so the bits are always the same.
    pub(crate) fn summed(&self, counts: Option<&[f64]>) -> Vec<f64> {
        let mut total = vec![0.0; self.sums.ncols()];
        for donor in 0..self.n_donors() {
            let times = counts.map_or(1.0, |it| it[donor]);
            if times != 0.0 {
                total.iter_mut().zip(self.row(donor)).for_each(|(sum, it)| *sum += times * it);
            }
        }
        total
    }

    fn classes<'a>(&self, sums: &'a [f64]) -> ClassSums<'a> {
        let k = self.n_classes;
        ClassSums { right: &sums[..k], support: &sums[k..2 * k], predicted: &sums[2 * k..3 * k] }
    }

    pub(crate) fn score_of(&self, sums: &[f64], metric: ClassMetric) -> Score {
        let extra = &sums[3 * self.n_classes..];
        if extra[WEIGHT] <= 0.0 {
            return Score::Undefined(Why::TooFewCells);
        }
        if let Some(score) = self.classes(sums).score(metric) {
            return score;
        }
        if !self.has_p {
            return Score::Undefined(Why::NotGiven);
        }
        let at = match metric {
            ClassMetric::Top3 => TOP3,
            ClassMetric::Top5 => TOP5,
            ClassMetric::Mrr => MRR,
            ClassMetric::Nll => NLL,
            _ => BRIER,
        };
        Score::finite_or(extra[at] / extra[WEIGHT], Why::NotFinite)
    }
}
