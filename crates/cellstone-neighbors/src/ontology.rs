//! Distances between terms of an ontology: over the nearest common ancestor, and by shared ancestors.
//!
//! What is not here: reading ontologies from files, and what a term means.

use cellstone_core::{Error, Result, nearest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A directed graph of terms and their `is_a` parents, without circles.
///
/// # Examples
/// ```
/// use cellstone_neighbors::Ontology;
/// let is_a = |id: &str, parents: &[&str]| (id.to_owned(), parents.iter().map(|it| (*it).to_owned()).collect());
/// let cells = Ontology::new([
///     is_a("cell", &[]), is_a("lymphocyte", &["cell"]), is_a("B cell", &["lymphocyte"]),
///     is_a("T cell", &["lymphocyte"]), is_a("CD4 T cell", &["T cell"]), is_a("monocyte", &["cell"]),
/// ])?;
/// let [b, cd4, monocyte] = ["B cell", "CD4 T cell", "monocyte"].map(|it| cells.index(it).unwrap());
/// let above = cells.upper(&["cell"])?;
/// assert_eq!(cells.distance(b, cd4, &above), Some(3));
/// assert_eq!(cells.distance(b, monocyte, &above), None, "only the root is common");
/// assert_eq!(cells.distance(b, monocyte, &Default::default()), Some(3));
/// // Ancestors below the root: {B, lymphocyte} and {CD4 T, T, lymphocyte} share one of 2 + 3.
/// assert_eq!(cells.hierarchical_f(b, cd4, &above), Some(2.0 / 5.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ontology {
    ids: Vec<String>,
    at: BTreeMap<String, usize>,
    parents: Vec<Vec<usize>>,
}

impl Ontology {
    /// A graph from terms with the ids of their parents. Parents that are no term of their own have no parents.
    ///
    /// # Errors
    /// Names a term that stands twice, or one that is its own ancestor.
    pub fn new(terms: impl IntoIterator<Item = (String, Vec<String>)>) -> Result<Self> {
        let (mut ids, mut named) = (Vec::new(), Vec::new());
        let mut at = BTreeMap::new();
        for (id, parents) in terms {
            if at.insert(id.clone(), ids.len()).is_some() {
                return Err(Error::invalid_input(format!("term `{id}` stands twice in the ontology")));
            }
            ids.push(id);
            named.push(parents);
        }
        let mut parents = Vec::with_capacity(ids.len());
        for names in named {
            let mut of_term = Vec::with_capacity(names.len());
            for name in names {
                let place = *at.entry(name.clone()).or_insert_with(|| {
                    ids.push(name);
                    ids.len() - 1
                });
                of_term.push(place);
            }
            parents.push(of_term);
        }
        parents.resize(ids.len(), Vec::new());
        let graph = Self { ids, at, parents };
        graph.check_circles()?;
        Ok(graph)
    }

    /// Number of terms, parents from outside counted.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no term.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The id of a term.
    pub fn id(&self, term: usize) -> &str {
        &self.ids[term]
    }

    /// The place of an id.
    ///
    /// # Errors
    /// If there is no such term; a hint names the nearest id.
    pub fn index(&self, id: &str) -> Result<usize> {
        self.at.get(id).copied().ok_or_else(|| {
            let error = Error::invalid_input(format!("no term `{id}` among the {} of the ontology", self.len()));
            match nearest(id, self.ids.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("the nearest id is `{near}`")),
                None => error,
            }
        })
    }

    /// The term and everything above it, with the least number of `is_a` steps.
    pub fn ancestors(&self, term: usize) -> BTreeMap<usize, u32> {
        let mut found = BTreeMap::from([(term, 0)]);
        let mut queue = VecDeque::from([(term, 0)]);
        while let Some((at, steps)) = queue.pop_front() {
            for parent in &self.parents[at] {
                if !found.contains_key(parent) {
                    found.insert(*parent, steps + 1);
                    queue.push_back((*parent, steps + 1));
                }
            }
        }
        found
    }

    /// The given terms and everything above them: what says nothing about two cells that share it.
    ///
    /// # Errors
    /// As [`Ontology::index`].
    pub fn upper(&self, roots: &[&str]) -> Result<BTreeSet<usize>> {
        let mut upper = BTreeSet::new();
        for root in roots {
            upper.extend(self.ancestors(self.index(root)?).into_keys());
        }
        Ok(upper)
    }

    /// Every term without a parent.
    pub fn roots(&self) -> BTreeSet<usize> {
        (0..self.len()).filter(|it| self.parents[*it].is_empty()).collect()
    }

    /// `d(a, b) = min_z d(a, z) + d(b, z)` over common ancestors `z` outside `excluded`; a term is its own ancestor.
    ///
    /// `None` where nothing outside `excluded` is common; 0 for a term and itself, whatever is excluded.
    pub fn distance(&self, a: usize, b: usize, excluded: &BTreeSet<usize>) -> Option<u32> {
        if a == b {
            return Some(0);
        }
        shortest(&self.ancestors(a), &self.ancestors(b), excluded)
    }

    /// Harmonic mean of hierarchical precision and recall of two single terms,
    /// `2 |A ∩ B| / (|A| + |B|)` with `A`, `B` the terms and their ancestors outside `excluded`.
    ///
    /// `None` where nothing is left of either.
    ///
    /// # References
    /// Kiritchenko, Matwin and Famili 2005, hierarchical precision and recall.
    pub fn hierarchical_f(&self, a: usize, b: usize, excluded: &BTreeSet<usize>) -> Option<f64> {
        overlap(&self.ancestors(a), &self.ancestors(b), excluded)
    }

    /// [`Ontology::distance`] and [`Ontology::hierarchical_f`] of every pair of the given terms, row by row, `[n · n]`.
    pub fn all_pairs(&self, terms: &[usize], excluded: &BTreeSet<usize>) -> Vec<(Option<u32>, Option<f64>)> {
        let above: Vec<_> = terms.iter().map(|it| self.ancestors(*it)).collect();
        let pair = |(a, b): (usize, usize)| {
            let distance = if terms[a] == terms[b] { Some(0) } else { shortest(&above[a], &above[b], excluded) };
            (distance, overlap(&above[a], &above[b], excluded))
        };
        let n = terms.len();
        (0..n * n).map(|it| pair((it / n, it % n))).collect()
    }

    fn check_circles(&self) -> Result<()> {
        // Terms whose parents are all done are taken off one by one; what is left runs in circles.
        let mut waiting: Vec<usize> = self.parents.iter().map(Vec::len).collect();
        let mut children = vec![Vec::new(); self.len()];
        for (child, parents) in self.parents.iter().enumerate() {
            parents.iter().for_each(|it| children[*it].push(child));
        }
        let mut ready: Vec<usize> = (0..self.len()).filter(|it| waiting[*it] == 0).collect();
        let mut n_done = 0;
        while let Some(term) = ready.pop() {
            n_done += 1;
            for child in &children[term] {
                waiting[*child] -= 1;
                if waiting[*child] == 0 {
                    ready.push(*child);
                }
            }
        }
        if n_done == self.len() {
            return Ok(());
        }
        let names: Vec<String> = (0..self.len()).filter(|it| waiting[*it] > 0).map(|it| self.ids[it].clone()).collect();
        Err(Error::invalid_input(format!(
            "is_a edges run in a circle through or above {}",
            cellstone_core::quoted(&names)
        )))
    }
}

fn shortest(a: &BTreeMap<usize, u32>, b: &BTreeMap<usize, u32>, excluded: &BTreeSet<usize>) -> Option<u32> {
    let common = a.iter().filter(|it| !excluded.contains(it.0));
    common.filter_map(|(term, up)| b.get(term).map(|down| up + down)).min()
}

fn overlap(a: &BTreeMap<usize, u32>, b: &BTreeMap<usize, u32>, excluded: &BTreeSet<usize>) -> Option<f64> {
    let size = |it: &BTreeMap<usize, u32>| it.keys().filter(|it| !excluded.contains(it)).count();
    let shared = a.keys().filter(|it| !excluded.contains(it) && b.contains_key(it)).count();
    let total = size(a) + size(b);
    (total > 0).then(|| 2.0 * shared as f64 / total as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn graph(parents: &[&[usize]]) -> Result<Ontology> {
        let name = |it: usize| format!("t{it}");
        Ontology::new(parents.iter().enumerate().map(|(at, up)| (name(at), up.iter().map(|it| name(*it)).collect())))
    }

    #[test]
    fn the_shortest_of_several_ways_counts() {
        // t4 reaches t0 over t3 in two steps and over t2, t1 in three.
        let it = graph(&[&[], &[0], &[1], &[0], &[2, 3]]).expect("no circle");
        let none = BTreeSet::new();
        assert_eq!(it.ancestors(4), BTreeMap::from([(4, 0), (2, 1), (3, 1), (1, 2), (0, 2)]));
        assert_eq!(it.distance(4, 1, &none), Some(2));
        assert_eq!(it.distance(3, 1, &none), Some(2));
        assert_eq!(it.distance(3, 1, &BTreeSet::from([0])), None);
        assert_eq!(it.distance(0, 0, &BTreeSet::from([0])), Some(0));
        assert_eq!(it.hierarchical_f(0, 0, &BTreeSet::from([0])), None);
        assert_eq!(it.roots(), BTreeSet::from([0]));
    }

    #[test]
    fn circles_repeats_and_strangers_are_named() {
        let error = graph(&[&[], &[2], &[1], &[2]]).expect_err("circle").to_string();
        assert_eq!(error, "is_a edges run in a circle through or above `t1`, `t2`, `t3`");
        let twice = Ontology::new([("a".to_owned(), vec![]), ("a".to_owned(), vec![])]).expect_err("twice");
        assert!(twice.to_string().contains("`a` stands twice"), "{twice}");
        let it = Ontology::new([("a".to_owned(), vec!["b".to_owned()])]).expect("a parent from outside");
        assert_eq!((it.len(), it.index("b").expect("added")), (2, 1));
        assert!(it.index("c").expect_err("unknown").to_string().contains("no term `c` among the 2"));
    }

    /// Up-distances by relaxing every edge until nothing changes.
    fn relaxed(it: &Ontology) -> Vec<Vec<Option<u32>>> {
        let n = it.len();
        let mut up = vec![vec![None; n]; n];
        (0..n).for_each(|at| up[at][at] = Some(0));
        for _ in 0..n {
            for child in 0..n {
                for parent in &it.parents[child] {
                    for top in 0..n {
                        let over = up[*parent][top].map(|it: u32| it + 1);
                        if over.is_some_and(|it| up[child][top].is_none_or(|now| it < now)) {
                            up[child][top] = over;
                        }
                    }
                }
            }
        }
        up
    }

    proptest! {
        #[test]
        fn distances_follow_the_definition(
            edges in prop::collection::vec(prop::collection::vec(0_usize..12, 0..3), 12),
            excluded in prop::collection::btree_set(0_usize..12, 0..4),
        ) {
            // Parents come before children, so there is no circle.
            let parents: Vec<Vec<usize>> = edges.iter().enumerate()
                .map(|(at, it)| {
                    let up: BTreeSet<usize> = it.iter().filter(|_| at > 0).map(|it| it % at.max(1)).collect();
                    up.into_iter().collect()
                }).collect();
            let it = graph(&parents.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("no circle");
            let up = relaxed(&it);
            let terms: Vec<usize> = (0..12).collect();
            let all = it.all_pairs(&terms, &excluded);
            for a in 0..12 {
                for b in 0..12 {
                    let open = (0..12).filter(|z| !excluded.contains(z));
                    let want = open.clone().filter_map(|z| Some(up[a][z]? + up[b][z]?)).min();
                    let want = if a == b { Some(0) } else { want };
                    let of = |at: usize| open.clone().filter(|z| up[at][*z].is_some()).collect::<BTreeSet<_>>();
                    let (of_a, of_b) = (of(a), of(b));
                    let total = of_a.len() + of_b.len();
                    let shared = of_a.intersection(&of_b).count();
                    let f = (total > 0).then(|| 2.0 * shared as f64 / total as f64);
                    prop_assert_eq!(it.distance(a, b, &excluded), want);
                    prop_assert_eq!(it.hierarchical_f(a, b, &excluded), f);
                    prop_assert_eq!(all[a * 12 + b], (want, f));
                }
            }
        }
    }
}
