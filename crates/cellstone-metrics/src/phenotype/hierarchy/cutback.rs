//! Probabilities of terms from those of classes, and the deepest term that is sure enough.

use super::super::input::{check_cells, check_truth};
use super::scores::Hierarchy;
use cellstone_core::{Error, Result, Score, Why};
use ndarray::{ArrayView1, ArrayView2};
use std::collections::BTreeMap;

/// The deepest sure term of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutBack {
    /// The term; `None` if none is sure.
    pub term: Option<u32>,
    /// Ancestors of it and itself that count.
    pub depth: usize,
    /// Its probability.
    pub probability: f64,
}

/// Scores of cut-back predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutBackScores {
    /// Share of cells with a term.
    pub coverage: f64,
    /// Share of those whose term is the truth or above it.
    pub accuracy: Score,
    /// Share of those whose term is exactly the truth.
    pub exact: Score,
    /// Mean depth of the terms.
    pub depth: Score,
    /// Mean depth of the true terms of the same cells.
    pub true_depth: Score,
}

/// `P(t) = Σ p over the classes that are t or kinds of it`, for every term that counts, ascending by term.
///
/// # Panics
/// If `p` has not one value per class.
pub fn term_probabilities(hierarchy: &Hierarchy<'_>, p: ArrayView1<'_, f64>) -> Vec<(u32, f64)> {
    assert_eq!(p.len(), hierarchy.terms().len(), "one probability for each class");
    let mut sums = BTreeMap::<u32, f64>::new();
    for (term, p) in hierarchy.terms().iter().zip(p) {
        for (above, _) in hierarchy.closure().above(*term).iter().filter(|it| hierarchy.counts(it.0)) {
            *sums.entry(*above).or_default() += p;
        }
    }
    sums.into_iter().collect()
}

/// The deepest term with `P(t) ≥ tau` for every row of `p` `[n_obs, n_classes]`.
///
/// Depth is the number of ancestors that count, which always grows downwards; of equally deep terms the more probable,
/// then the lower number.
///
/// # Errors
/// If the number of classes differs or tau is not in (0, 1].
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{Closure, Hierarchy, cut_back};
/// let closure = Closure::new(vec![vec![], vec![(0, 1)], vec![(0, 1)]])?;
/// let none = std::collections::BTreeSet::new();
/// let p = ndarray::array![[0.9, 0.1], [0.6, 0.4]];
/// let it = cut_back(&Hierarchy::new(&closure, &[1, 2], &none)?, p.view(), 0.8)?;
/// assert_eq!((it[0].term, it[1].term), (Some(1), Some(0)));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn cut_back(hierarchy: &Hierarchy<'_>, p: ArrayView2<'_, f64>, tau: f64) -> Result<Vec<CutBack>> {
    if p.ncols() != hierarchy.terms().len() {
        let expected = hierarchy.terms().len();
        return Err(Error::invalid_input(format!("probabilities of {} classes, expected {expected}", p.ncols())));
    }
    if !(tau > 0.0 && tau <= 1.0) {
        return Err(Error::config(format!("cut-back at {tau}, expected a number above 0 and up to 1")));
    }
    let uniform = ndarray::Array1::zeros(p.ncols());
    let depths: Vec<usize> =
        term_probabilities(hierarchy, uniform.view()).iter().map(|it| hierarchy.depth(it.0)).collect();
    let one = |row: ArrayView1<'_, f64>| {
        let mut best = CutBack { term: None, depth: 0, probability: 0.0 };
        for ((term, probability), depth) in term_probabilities(hierarchy, row).into_iter().zip(&depths) {
            // Sums of probabilities reach tau only up to rounding.
            if probability >= tau - 1e-12 && (*depth, probability) > (best.depth, best.probability) {
                best = CutBack { term: Some(term), depth: *depth, probability };
            }
        }
        best
    };
    Ok(p.rows().into_iter().map(one).collect())
}

/// Scores cut-back predictions against true classes.
///
/// # Undefined
/// `TooFewCells` where no cell has a term.
///
/// # Errors
/// If lengths differ or a class is out of range.
pub fn cut_back_scores(hierarchy: &Hierarchy<'_>, found: &[CutBack], truth: &[u32]) -> Result<CutBackScores> {
    check_cells("cut-back predictions", found.len(), truth.len())?;
    check_truth(truth, truth.len(), hierarchy.terms().len())?;
    let (mut n, mut right, mut exact, mut depth, mut true_depth) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (it, y) in found.iter().zip(truth) {
        let Some(term) = it.term else { continue };
        let target = hierarchy.terms()[*y as usize];
        n += 1.0;
        right += f64::from(u8::from(hierarchy.closure().is_above(term, target)));
        exact += f64::from(u8::from(term == target));
        depth += it.depth as f64;
        true_depth += hierarchy.depth(target) as f64;
    }
    let mean = |sum: f64| if n > 0.0 { Score::Value(sum / n) } else { Score::Undefined(Why::TooFewCells) };
    Ok(CutBackScores {
        coverage: n / truth.len().max(1) as f64,
        accuracy: mean(right),
        exact: mean(exact),
        depth: mean(depth),
        true_depth: mean(true_depth),
    })
}
