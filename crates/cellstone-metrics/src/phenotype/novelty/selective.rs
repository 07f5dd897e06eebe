//! Accuracy of what is left when the strangest cells are dropped.

use super::super::bootstrap::check_finite;
use super::super::input::check_cells;
use cellstone_core::{Result, Score, Why};

/// The curve of correct classification against false acceptance.
#[derive(Debug, Clone, PartialEq)]
pub struct Oscr {
    /// `(share of novel cells accepted, share of known cells accepted and right)`, from strict to lax thresholds.
    pub curve: Vec<(f64, f64)>,
    /// Area under it by trapezoids; undefined without novel or known cells.
    pub area: Score,
}

/// Open-set classification rate: accept cells with a strangeness of at most each threshold.
///
/// `right` says whether a known cell is classified correctly; it is not read for novel cells.
///
/// # Errors
/// If lengths differ or a score is not finite.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::phenotype::oscr(&[0.1, 0.2, 0.3], &[false, false, true], &[true, false, false])?;
/// assert_eq!(it.curve, [(0.0, 0.0), (0.0, 0.5), (0.0, 0.5), (1.0, 0.5)]);
/// assert_eq!(it.area.value(), Some(0.5));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Dhamija et al. 2018, arXiv:1811.04110.
pub fn oscr(score: &[f64], novel: &[bool], right: &[bool]) -> Result<Oscr> {
    check_cells("labels", novel.len(), score.len())?;
    check_cells("outcomes", right.len(), score.len())?;
    check_finite("score", score)?;
    let n_novel = novel.iter().filter(|it| **it).count();
    let n_known = novel.len() - n_novel;
    let (mut accepted, mut correct) = (0_usize, 0_usize);
    let mut curve = vec![(0.0, 0.0)];
    for run in runs(score) {
        for cell in run {
            if novel[cell] {
                accepted += 1;
            } else if right[cell] {
                correct += 1;
            }
        }
        curve.push((accepted as f64 / n_novel.max(1) as f64, correct as f64 / n_known.max(1) as f64));
    }
    let trapezoid = |it: &[(f64, f64)]| (it[1].0 - it[0].0) * 0.5 * (it[0].1 + it[1].1);
    let area = if n_novel == 0 || n_known == 0 {
        Score::Undefined(Why::SingleLabel)
    } else {
        Score::Value(curve.windows(2).map(trapezoid).sum())
    };
    Ok(Oscr { curve, area })
}

/// The curve of risk against coverage.
#[derive(Debug, Clone, PartialEq)]
pub struct RiskCoverage {
    /// `(share of cells kept, share of wrong ones among them)`, one point per distinct strangeness.
    pub curve: Vec<(f64, f64)>,
    /// Mean risk over all coverages 1/n, 2/n, …, 1; within ties errors are spread evenly.
    pub aurc: Score,
    /// The same if every wrong cell were stranger than every right one.
    pub oracle: Score,
    /// `aurc − oracle`: 0 for a perfect order.
    pub excess: Score,
}

/// Selective classification: keep the least strange cells first.
///
/// # Undefined
/// `TooFewCells` without cells.
///
/// # Errors
/// If lengths differ or a score is not finite.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::phenotype::risk_coverage(&[0.1, 0.2, 0.3, 0.4], &[true, false, true, true])?;
/// // Risks 0, 1/2, 1/3, 1/4 against 0, 0, 0, 1/4.
/// assert!((it.excess.value().unwrap() - (0.5 + 1.0 / 3.0) / 4.0).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Geifman et al. 2019, arXiv:1805.08206.
pub fn risk_coverage(score: &[f64], right: &[bool]) -> Result<RiskCoverage> {
    check_cells("outcomes", right.len(), score.len())?;
    check_finite("score", score)?;
    let n = score.len();
    if n == 0 {
        let none = Score::Undefined(Why::TooFewCells);
        return Ok(RiskCoverage { curve: Vec::new(), aurc: none, oracle: none, excess: none });
    }
    let (mut kept, mut wrong, mut sum) = (0, 0.0, 0.0);
    let mut curve = Vec::new();
    for run in runs(score) {
        let share = run.iter().filter(|it| !right[**it]).count() as f64 / run.len() as f64;
        for _ in &run {
            kept += 1;
            wrong += share;
            sum += wrong / kept as f64;
        }
        curve.push((kept as f64 / n as f64, wrong / kept as f64));
    }
    let n_right = right.iter().filter(|it| **it).count();
    let best = (n_right + 1..=n).map(|it| (it - n_right) as f64 / it as f64).sum::<f64>();
    let (aurc, oracle) = (sum / n as f64, best / n as f64);
    Ok(RiskCoverage {
        curve,
        aurc: Score::Value(aurc),
        oracle: Score::Value(oracle),
        excess: Score::Value((aurc - oracle).max(0.0)),
    })
}

/// Cells by rising score, equal ones together.
fn runs(score: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|a, b| score[*a].total_cmp(&score[*b]).then(a.cmp(b)));
    order.chunk_by(|a, b| score[*a] == score[*b]).map(<[usize]>::to_vec).collect()
}
