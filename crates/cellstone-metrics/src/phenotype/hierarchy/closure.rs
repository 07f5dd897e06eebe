//! Which terms stand above which, and how far.

use cellstone_core::{Error, Result};
use std::collections::BTreeSet;

/// The ancestors of every term with their shortest upward distance, the term itself at 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Ascending by ancestor.
    above: Vec<Vec<(u32, u32)>>,
}

impl Closure {
    /// Takes the ancestors of every term as `(ancestor, distance)`; the term itself may be there or not.
    ///
    /// # Errors
    /// If an ancestor is out of range, twice in a list, or at distance 0 without being the term; if two terms are above
    /// each other.
    ///
    /// # Examples
    /// ```
    /// use cellstone_metrics::phenotype::Closure;
    /// // 0 lymphocyte, 1 T cell, 2 B cell.
    /// let it = Closure::new(vec![vec![], vec![(0, 1)], vec![(0, 1)]])?;
    /// assert_eq!((it.distance(1, 2), it.distance(1, 0), it.distance(1, 1)), (Some(2), Some(1), Some(0)));
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn new(ancestors: Vec<Vec<(u32, u32)>>) -> Result<Self> {
        let n = ancestors.len();
        let mut above = ancestors;
        for (term, list) in above.iter_mut().enumerate() {
            list.retain(|it| *it != (term as u32, 0));
            if let Some((ancestor, distance)) =
                list.iter().find(|it| it.0 as usize >= n || it.1 == 0 || it.0 == term as u32)
            {
                return Err(Error::invalid_input(format!(
                    "term {term} has ancestor {ancestor} at distance {distance}, \
                     expected another of {n} terms at 1 or more"
                )));
            }
            list.push((term as u32, 0));
            list.sort_unstable();
            if let Some(pair) = list.windows(2).find(|it| it[0].0 == it[1].0) {
                return Err(Error::invalid_input(format!("term {term} has ancestor {} twice", pair[0].0)));
            }
        }
        let out = Self { above };
        for term in 0..n as u32 {
            if let Some((other, _)) = out.above(term).iter().find(|it| it.0 != term && out.is_above(term, it.0)) {
                return Err(Error::invalid_input(format!("terms {term} and {other} are above each other")));
            }
        }
        Ok(out)
    }

    /// Number of terms.
    pub fn len(&self) -> usize {
        self.above.len()
    }

    /// Whether there is no term.
    pub fn is_empty(&self) -> bool {
        self.above.is_empty()
    }

    /// The term and its ancestors with distances, ascending by ancestor.
    pub fn above(&self, term: u32) -> &[(u32, u32)] {
        &self.above[term as usize]
    }

    /// Whether `high` is an ancestor of `low`, or `low` itself.
    pub fn is_above(&self, high: u32, low: u32) -> bool {
        self.above(low).binary_search_by_key(&high, |it| it.0).is_ok()
    }

    /// Common ancestors, each with the distances from both.
    pub fn common(&self, a: u32, b: u32) -> Vec<(u32, u32, u32)> {
        let right = self.above(b);
        let both = |(z, from_a): &(u32, u32)| {
            right.binary_search_by_key(z, |it| it.0).ok().map(|at| (*z, *from_a, right[at].1))
        };
        self.above(a).iter().filter_map(both).collect()
    }

    /// `min over common ancestors z of d(a, z) + d(b, z)`; `None` without a common ancestor.
    pub fn distance(&self, a: u32, b: u32) -> Option<u32> {
        self.common(a, b).iter().map(|it| it.1 + it.2).min()
    }

    pub(crate) fn check_terms(&self, terms: &[u32], what: &str) -> Result<()> {
        match terms.iter().position(|it| *it as usize >= self.len()) {
            None => Ok(()),
            Some(at) => Err(Error::invalid_input(format!(
                "{what} {at} is term {}, expected a number below {}",
                terms[at],
                self.len()
            ))),
        }
    }
}

/// Terms that more than `share` of the training cells are kinds of; they say nothing and leave ancestor sets.
///
/// `train` has the term of every training cell.
pub fn frequent_terms(closure: &Closure, train: &[u32], share: f64) -> BTreeSet<u32> {
    let limit = share * train.len() as f64;
    cells_under(closure, train).iter().enumerate().filter(|it| *it.1 > limit).map(|it| it.0 as u32).collect()
}

/// `IC(t) = −ln(cells under t / cells)` in nats; `None` of a term without training cells under it.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::{Closure, information_content};
/// let closure = Closure::new(vec![vec![], vec![(0, 1)], vec![(0, 1)]])?;
/// let ic = information_content(&closure, &[1, 1, 1, 2]);
/// assert_eq!((ic[0], ic[2]), (Some(0.0), Some(4.0_f64.ln())));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Resnik 1995, arXiv:cmp-lg/9511007.
pub fn information_content(closure: &Closure, train: &[u32]) -> Vec<Option<f64>> {
    let n = train.len() as f64;
    // Adding 0 keeps −0 out of tables.
    cells_under(closure, train).into_iter().map(|it| (it > 0.0).then(|| -(it / n).ln() + 0.0)).collect()
}

fn cells_under(closure: &Closure, train: &[u32]) -> Vec<f64> {
    let mut own = vec![0.0; closure.len()];
    train.iter().for_each(|it| own[*it as usize] += 1.0);
    let mut under = vec![0.0; closure.len()];
    for (term, n) in own.iter().enumerate().filter(|it| *it.1 > 0.0) {
        closure.above(term as u32).iter().for_each(|it| under[it.0 as usize] += n);
    }
    under
}

/// Share of pairs of classes of which one is an ancestor of the other: above 20 % labels are of mixed granularity.
pub fn mixed_granularity_share(closure: &Closure, class_terms: &[u32]) -> f64 {
    let (mut mixed, mut pairs) = (0_u32, 0_u32);
    for (at, a) in class_terms.iter().enumerate() {
        for b in &class_terms[at + 1..] {
            pairs += 1;
            mixed += u32::from(a != b && (closure.is_above(*a, *b) || closure.is_above(*b, *a)));
        }
    }
    f64::from(mixed) / f64::from(pairs.max(1))
}
