//! Hierarchical precision, recall and F; distances; how a wrong class relates to the true one.

use super::super::input::{check_cells, check_truth};
use super::closure::Closure;
use cellstone_core::{Result, Score, Why};
use std::collections::BTreeSet;

/// How a predicted term relates to the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The same term.
    Exact,
    /// An ancestor of the truth: right, but too general.
    UnderSpecific,
    /// A descendant of the truth: more than the label says.
    OverSpecific,
    /// A common parent one step above both.
    Sibling,
    /// Anything else.
    Other,
}

/// Shares of the relations; they sum to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Relations {
    /// [`Relation::Exact`].
    pub exact: f64,
    /// [`Relation::UnderSpecific`].
    pub under_specific: f64,
    /// [`Relation::OverSpecific`].
    pub over_specific: f64,
    /// [`Relation::Sibling`].
    pub sibling: f64,
    /// [`Relation::Other`].
    pub other: f64,
}

/// Hierarchical scores of decisions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HierarchicalScores {
    /// `Σ |Anc(pred) ∩ Anc(true)| / Σ |Anc(pred)|`.
    pub precision: Score,
    /// The same over `Σ |Anc(true)|`.
    pub recall: Score,
    /// `2PR/(P+R)`.
    pub f: Score,
    /// Mean over true classes of their own F.
    pub macro_f: Score,
    /// Mean ontology distance of prediction and truth, over cells that have one.
    pub distance: Score,
    /// Cells whose terms have no common ancestor: no distance.
    pub n_apart: usize,
    /// How predictions relate to the truth.
    pub relations: Relations,
    /// Mean Lin similarity, over cells whose terms have training cells under them; undefined without contents.
    pub lin: Score,
}

/// Classes as terms of a closure, with the terms that do not count.
#[derive(Debug, Clone)]
pub struct Hierarchy<'a> {
    closure: &'a Closure,
    terms: &'a [u32],
    excluded: &'a BTreeSet<u32>,
}

impl<'a> Hierarchy<'a> {
    /// `terms` has the term of every class; `excluded` are the roots and the terms nearly every cell is a kind of.
    ///
    /// # Errors
    /// If a term is out of range.
    pub fn new(closure: &'a Closure, terms: &'a [u32], excluded: &'a BTreeSet<u32>) -> Result<Self> {
        closure.check_terms(terms, "class")?;
        Ok(Self { closure, terms, excluded })
    }

    /// The closure.
    pub fn closure(&self) -> &Closure {
        self.closure
    }

    /// The term of every class.
    pub fn terms(&self) -> &[u32] {
        self.terms
    }

    /// Ancestors of a term and the term, without the excluded: how deep it is.
    pub fn depth(&self, term: u32) -> usize {
        self.closure.above(term).iter().filter(|it| self.counts(it.0)).count()
    }

    pub(crate) fn counts(&self, term: u32) -> bool {
        !self.excluded.contains(&term)
    }

    /// How predicted class `b` relates to true class `a`.
    pub fn relation(&self, truth: u32, pred: u32) -> Relation {
        let (a, b) = (self.terms[truth as usize], self.terms[pred as usize]);
        let parent = |it: &(u32, u32, u32)| (it.1, it.2) == (1, 1);
        match () {
            () if a == b => Relation::Exact,
            () if self.closure.is_above(b, a) => Relation::UnderSpecific,
            () if self.closure.is_above(a, b) => Relation::OverSpecific,
            () if self.closure.common(a, b).iter().any(parent) => Relation::Sibling,
            () => Relation::Other,
        }
    }

    /// Lin similarity `2 IC(mica)/(IC(a) + IC(b))`; 1 of a term with itself, `None` without contents.
    ///
    /// # References
    /// Lin 1998, ICML 15:296–304.
    pub fn lin(&self, a: u32, b: u32, content: &[Option<f64>]) -> Option<f64> {
        let of = |term: u32| content.get(term as usize).copied().flatten();
        let (ic_a, ic_b) = (of(a)?, of(b)?);
        if a == b {
            return Some(1.0);
        }
        let mica = self.closure.common(a, b).iter().filter_map(|it| of(it.0)).fold(0.0, f64::max);
        (ic_a + ic_b > 0.0).then(|| 2.0 * mica / (ic_a + ic_b))
    }

    /// Scores decided classes; `content` comes from [`super::information_content`] on training cells, or is empty.
    ///
    /// # Undefined
    /// `TooFewCells` without cells; `ZeroDenominator` if no predicted or no true term counts.
    ///
    /// # Errors
    /// If lengths differ or a class is out of range.
    ///
    /// # Examples
    /// ```
    /// use cellstone_metrics::phenotype::{Closure, Hierarchy};
    /// // 0 lymphocyte, 1 T cell, 2 CD8 T cell, 3 B cell.
    /// let closure = Closure::new(vec![vec![], vec![(0, 1)], vec![(1, 1), (0, 2)], vec![(0, 1)]])?;
    /// let none = std::collections::BTreeSet::new();
    /// let it = Hierarchy::new(&closure, &[1, 2, 3], &none)?.score(&[1], &[0], &[])?;
    /// // T cell for CD8 T cell: nothing wrong, one of three missed.
    /// assert_eq!((it.precision.value(), it.recall.value()), (Some(1.0), Some(2.0 / 3.0)));
    /// assert_eq!((it.distance.value(), it.relations.under_specific), (Some(1.0), 1.0));
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    /// # References
    /// Kiritchenko et al. 2006, doi:10.1007/11766247_34.
    pub fn score(&self, truth: &[u32], pred: &[u32], content: &[Option<f64>]) -> Result<HierarchicalScores> {
        check_truth(truth, truth.len(), self.terms.len())?;
        check_cells("decided classes", pred.len(), truth.len())?;
        check_truth(pred, pred.len(), self.terms.len())?;
        // One entry per pair of classes that occurs: cells repeat them.
        let mut pairs = std::collections::BTreeMap::<(u32, u32), f64>::new();
        truth.iter().zip(pred).for_each(|(a, b)| *pairs.entry((*a, *b)).or_default() += 1.0);
        let mut sums = vec![[0.0; 3]; self.terms.len()];
        let (mut relations, mut lin, mut apart) = (Relations::default(), (0.0, 0.0), 0.0);
        let (mut distance, n) = ((0.0, 0.0), truth.len().max(1) as f64);
        for (&(y, decided), &count) in &pairs {
            let (a, b) = (self.terms[y as usize], self.terms[decided as usize]);
            let shared = self.closure.common(a, b);
            let both = shared.iter().filter(|it| self.counts(it.0)).count() as f64;
            let sizes = [both, self.depth(b) as f64, self.depth(a) as f64];
            sums[y as usize].iter_mut().zip(sizes).for_each(|(sum, it)| *sum += count * it);
            match shared.iter().map(|it| it.1 + it.2).min() {
                Some(it) => distance = (distance.0 + count * f64::from(it), distance.1 + count),
                None => apart += count,
            }
            *relations.of(self.relation(y, decided)) += count / n;
            if let Some(it) = self.lin(a, b, content) {
                lin = (lin.0 + count * it, lin.1 + count);
            }
        }
        let total = sums.iter().fold([0.0; 3], |acc, it| std::array::from_fn(|at| acc[at] + it[at]));
        let per_class: Vec<f64> = sums.iter().filter_map(|it| parts(*it)[2].value()).collect();
        let [precision, recall, f] = parts(total);
        let none = Score::Undefined(Why::TooFewCells);
        let mean = |(sum, n): (f64, f64)| if n > 0.0 { Score::Value(sum / n) } else { none };
        let empty = truth.is_empty();
        Ok(HierarchicalScores {
            precision: if empty { none } else { precision },
            recall: if empty { none } else { recall },
            f: if empty { none } else { f },
            macro_f: mean((per_class.iter().sum(), per_class.len() as f64)),
            distance: mean(distance),
            n_apart: apart as usize,
            relations,
            lin: if content.is_empty() { Score::Undefined(Why::NotGiven) } else { mean(lin) },
        })
    }
}

impl Relations {
    fn of(&mut self, relation: Relation) -> &mut f64 {
        match relation {
            Relation::Exact => &mut self.exact,
            Relation::UnderSpecific => &mut self.under_specific,
            Relation::OverSpecific => &mut self.over_specific,
            Relation::Sibling => &mut self.sibling,
            Relation::Other => &mut self.other,
        }
    }
}

/// Precision, recall and F of `[both, predicted, true]`.
fn parts([both, predicted, truth]: [f64; 3]) -> [Score; 3] {
    let ratio = |part: f64, whole: f64| {
        if whole > 0.0 { Score::Value(part / whole) } else { Score::Undefined(Why::ZeroDenominator) }
    };
    [ratio(both, predicted), ratio(both, truth), ratio(2.0 * both, predicted + truth)]
}
