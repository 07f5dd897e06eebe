//! How well a score tells novel cells from known ones.

use super::super::auc::{Sweep, SweepNumbers, auroc};
use super::super::bootstrap::{BootstrapParams, Interval, check_finite, donor_bootstrap};
use super::super::input::{Donors, check_cells};
use crate::stats::quantiles;
use cellstone_core::{Result, Score, Why};
use ndarray::ArrayView1;

/// Scores of a novelty score; novel cells are the positives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoveltyScores {
    /// Chance that a novel cell is stranger than a known one.
    pub auroc: Interval,
    /// Average precision; its floor is the prevalence.
    pub aupr: Interval,
    /// Share of novel cells.
    pub prevalence: f64,
    /// Share of known cells that are rejected where 95 % of novel ones are.
    pub fpr_at_95: Interval,
    /// Share of novel cells that are found where at most 5 % of known ones are rejected.
    pub detection_at_5: Interval,
}

/// Scores strangeness, with intervals over donors.
///
/// # Undefined
/// `SingleLabel` without novel or without known cells.
///
/// # Errors
/// If lengths differ or a score is not finite.
pub fn novelty_metrics(
    score: &[f64],
    novel: &[bool],
    donor: &[u32],
    params: &BootstrapParams,
) -> Result<NoveltyScores> {
    check_cells("labels", novel.len(), score.len())?;
    check_cells("donors", donor.len(), score.len())?;
    check_finite("score", score)?;
    let donors = Donors::new(donor);
    let sweep = Sweep::new(score, novel);
    let stat = |times: &[f64]| {
        let numbers = sweep.as_ref().map_or_else(
            |why| {
                let none = Score::Undefined(*why);
                SweepNumbers { auroc: none, auprc: none, fpr_at_95: none, tpr_at_5: none }
            },
            |it| it.numbers(|cell| times[donors.of[cell] as usize]),
        );
        vec![numbers.auroc, numbers.auprc, numbers.fpr_at_95, numbers.tpr_at_5]
    };
    let found = donor_bootstrap(donors.len(), params, stat);
    Ok(NoveltyScores {
        auroc: found[0],
        aupr: found[1],
        prevalence: novel.iter().filter(|it| **it).count() as f64 / novel.len().max(1) as f64,
        fpr_at_95: found[2],
        detection_at_5: found[3],
    })
}

/// Whether a score only sees depth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthTrap {
    /// Spearman's correlation of strangeness with `ln N`.
    pub spearman: Score,
    /// Area under the ROC curve within each quartile of depth.
    pub auroc: [Score; 4],
}

/// Relates strangeness to `ln` counts: low-depth cells look novel.
///
/// Quartiles of all cells; a cell on a border belongs to the lower one.
///
/// # Errors
/// If lengths differ or a value is not finite.
pub fn depth_trap(score: &[f64], novel: &[bool], ln_counts: &[f64]) -> Result<DepthTrap> {
    check_cells("labels", novel.len(), score.len())?;
    check_cells("depths", ln_counts.len(), score.len())?;
    check_finite("score", score)?;
    check_finite("depth", ln_counts)?;
    if score.is_empty() {
        let none = Score::Undefined(Why::TooFewCells);
        return Ok(DepthTrap { spearman: none, auroc: [none; 4] });
    }
    let borders = quantiles(ln_counts, &[0.25, 0.5, 0.75]).unwrap_or_default();
    let quartile = |it: f64| borders.iter().filter(|border| it > **border).count();
    let within = |at: usize| {
        let cells: Vec<usize> = (0..score.len()).filter(|it| quartile(ln_counts[*it]) == at).collect();
        let scores: Vec<f64> = cells.iter().map(|it| score[*it]).collect();
        let labels: Vec<bool> = cells.iter().map(|it| novel[*it]).collect();
        auroc(&scores, &labels, None)
    };
    Ok(DepthTrap {
        spearman: crate::spearman(ArrayView1::from(score), ArrayView1::from(ln_counts)),
        auroc: std::array::from_fn(within),
    })
}
