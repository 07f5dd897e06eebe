//! What every method needs of the training view: deltas, who is in which context, means, and the fallback rule.

use crate::recipe::{Recipe, Source};
use cellstone_core::{Controls, Error, Perturbation, QueryView, Result, TrainView, ViewRow};
use ndarray::{Array1, Array2, ArrayView1};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The reason given where a context has no train perturbation.
pub(crate) const NO_TRAIN: &str = "no train perturbation in this context";
/// The reason given where a target has no vector.
pub(crate) const NO_EMBEDDING: &str = "no embedding";
/// The reason given where a target was not perturbed in training.
pub(crate) const NOT_IN_TRAIN: &str = "target not in training";
/// The reason given where a target is not among the genes.
pub(crate) const NOT_MEASURED: &str = "target not measured";
/// The reason given where too little is left to fit on.
pub(crate) const TOO_FEW: &str = "too few train conditions";
/// The reason given where all vectors are the same.
pub(crate) const NO_VARIANCE: &str = "embedding without variance";

/// Training data, indexed.
#[derive(Debug)]
pub(crate) struct Train {
    pub(crate) controls: Arc<Controls>,
    pub(crate) rows: Vec<ViewRow>,
    /// `[n_train, n_vars]`, rows contiguous.
    pub(crate) deltas: Array2<f64>,
    pub(crate) n_cells: Vec<u64>,
    pub(crate) noise: Option<Vec<f64>>,
    members: Vec<Vec<usize>>,
    single: Vec<BTreeMap<String, usize>>,
    means: Vec<Array1<f64>>,
    /// Context and number of targets (`None`: any) to a row of `means`.
    mean_at: BTreeMap<(usize, Option<usize>), usize>,
}

impl Train {
    /// Indexes a view. Contexts without train perturbation get the mean delta of all other contexts.
    pub(crate) fn new(view: &TrainView) -> Result<Self> {
        if view.rows().is_empty() {
            return Err(Error::invalid_input("train view holds no perturbation, expected at least one"));
        }
        let n_contexts = view.controls().contexts.len();
        let mut members = vec![Vec::new(); n_contexts];
        let mut single = vec![BTreeMap::new(); n_contexts];
        for (at, row) in view.rows().iter().enumerate() {
            members[row.context].push(at);
            if let [target] = row.perturbation.targets() {
                single[row.context].entry(target.clone()).or_insert(at);
            }
        }
        let mut out = Self {
            controls: Arc::clone(view.controls()),
            rows: view.rows().to_vec(),
            deltas: view.deltas().as_standard_layout().into_owned(),
            n_cells: view.n_cells().to_vec(),
            noise: view.noise().map(|all| repaired_noise(all, view.n_cells())),
            members,
            single,
            means: Vec::new(),
            mean_at: BTreeMap::new(),
        };
        for context in 0..n_contexts {
            // A context without train perturbations borrows the deltas of all others: controls stay its own.
            let pool: Vec<usize> = if out.members[context].is_empty() {
                (0..out.rows.len()).collect()
            } else {
                out.members[context].clone()
            };
            out.add_means(context, &pool);
        }
        Ok(out)
    }

    fn add_means(&mut self, context: usize, pool: &[usize]) {
        let mut by_arity = BTreeMap::<Option<usize>, Vec<usize>>::new();
        for at in pool {
            by_arity.entry(None).or_default().push(*at);
            by_arity.entry(Some(self.arity(*at))).or_default().push(*at);
        }
        for (arity, rows) in by_arity {
            self.mean_at.insert((context, arity), self.means.len());
            self.means.push(self.mean_of(&rows));
        }
    }

    /// Unweighted mean delta of some train rows, added in the order given.
    pub(crate) fn mean_of(&self, rows: &[usize]) -> Array1<f64> {
        self.weighted_mean(rows, |_| 1.0)
    }

    /// Weighted mean delta of some train rows; zero if no weight is left.
    pub(crate) fn weighted_mean(&self, rows: &[usize], weight: impl Fn(usize) -> f64) -> Array1<f64> {
        let mut sum = Array1::<f64>::zeros(self.n_vars());
        let mut total = 0.0;
        for at in rows {
            sum.scaled_add(weight(*at), &self.deltas.row(*at));
            total += weight(*at);
        }
        if total > 0.0 { sum / total } else { sum }
    }

    pub(crate) fn n_vars(&self) -> usize {
        self.controls.var.len()
    }

    pub(crate) fn n_contexts(&self) -> usize {
        self.members.len()
    }

    /// Train rows of a context, in order.
    pub(crate) fn members(&self, context: usize) -> &[usize] {
        &self.members[context]
    }

    /// Number of targets of a train row.
    pub(crate) fn arity(&self, row: usize) -> usize {
        self.rows[row].perturbation.targets().len()
    }

    /// Train rows of a context with that number of targets.
    pub(crate) fn members_of_arity(&self, context: usize, arity: usize) -> Vec<usize> {
        self.members[context].iter().copied().filter(|it| self.arity(*it) == arity).collect()
    }

    /// The train row in which this target alone was perturbed.
    pub(crate) fn single(&self, context: usize, target: &str) -> Option<usize> {
        self.single[context].get(target).copied()
    }

    /// The train rows of every target alone; `None` unless all are there.
    pub(crate) fn singles(&self, context: usize, perturbation: &Perturbation) -> Option<Vec<usize>> {
        perturbation.targets().iter().map(|it| self.single(context, it)).collect()
    }

    /// Mean over the train conditions with as many targets, or over all where there are none.
    pub(crate) fn mean(&self, context: usize, arity: usize) -> Source {
        self.mean_of_arity(context, arity).unwrap_or_else(|| self.mean_of_all(context))
    }

    /// Mean over the train conditions with that many targets.
    pub(crate) fn mean_of_arity(&self, context: usize, arity: usize) -> Option<Source> {
        self.mean_at.get(&(context, Some(arity))).map(|it| Source::Mean(*it))
    }

    /// Mean over all train conditions.
    pub(crate) fn mean_of_all(&self, context: usize) -> Source {
        Source::Mean(*self.mean_at.get(&(context, None)).expect("invariant: every context has a mean of all"))
    }

    pub(crate) fn mean_row(&self, at: usize) -> ArrayView1<'_, f64> {
        self.means[at].view()
    }

    /// The mean delta as a stand-in, and the name of its rule.
    pub(crate) fn mean_fallback(&self, row: &ViewRow) -> (Source, &'static str) {
        let borrowed = self.members[row.context].is_empty();
        let rule = if borrowed { "mean_delta_other_contexts" } else { "mean_delta" };
        (self.mean(row.context, row.perturbation.targets().len()), rule)
    }

    /// The documented stand-in and the name of its rule.
    ///
    /// A context without train perturbation: `mean_delta_other_contexts`. One target: `mean_delta`. Several targets:
    /// `additive` if every target alone is in train, else `additive_partial` if train has any single, else `mean_delta`.
    pub(crate) fn fallback(&self, row: &ViewRow) -> (Recipe, &'static str) {
        let (context, arity) = (row.context, row.perturbation.targets().len());
        let (mean, rule) = self.mean_fallback(row);
        if self.members[context].is_empty() {
            return (vec![(mean, 1.0)], rule);
        }
        if arity > 1
            && let Some(singles) = self.singles(context, &row.perturbation)
        {
            return (sum_of(&singles), "additive");
        }
        if arity > 1
            && let Some(recipe) = self.partial_sum(context, &row.perturbation)
        {
            return (recipe, "additive_partial");
        }
        (vec![(mean, 1.0)], rule)
    }

    /// `Σ_t (δ_t if seen alone in train, else the mean delta of train singles)`; `None` without train singles.
    pub(crate) fn partial_sum(&self, context: usize, perturbation: &Perturbation) -> Option<Recipe> {
        let mean = self.mean_of_arity(context, 1)?;
        let part = |target: &String| (self.single(context, target).map_or(mean, Source::Train), 1.0);
        Some(perturbation.targets().iter().map(part).collect())
    }

    /// Fails if a query speaks of other genes or contexts.
    pub(crate) fn check(&self, query: &QueryView) -> Result<()> {
        let theirs = query.controls();
        if Arc::ptr_eq(theirs, &self.controls) {
            return Ok(());
        }
        if theirs.var != self.controls.var {
            return Err(Error::invalid_input(format!(
                "query has {} genes that are not the {} genes of the fit, in the same order",
                theirs.var.len(),
                self.n_vars()
            )));
        }
        if theirs.contexts != self.controls.contexts {
            return Err(Error::invalid_input("query has other contexts than the fit"));
        }
        Ok(())
    }

    /// `name`, with the context where there are several to tell apart.
    pub(crate) fn note_key(&self, name: &str, context: usize) -> String {
        if self.n_contexts() == 1 { name.to_owned() } else { format!("{name}[{}]", self.controls.contexts[context]) }
    }
}

/// The sum of train rows.
pub(crate) fn sum_of(rows: &[usize]) -> Recipe {
    rows.iter().map(|it| (Source::Train(*it), 1.0)).collect()
}

/// Noise of means that have none of their own (one cell, or no estimate): the largest of the others.
fn repaired_noise(noise: &[f64], n_cells: &[u64]) -> Vec<f64> {
    let known = |it: f64, n: u64| it.is_finite() && it >= 0.0 && n != 1;
    let worst = noise.iter().zip(n_cells).filter(|(it, n)| known(**it, **n)).fold(0.0_f64, |acc, (it, _)| acc.max(*it));
    noise.iter().zip(n_cells).map(|(it, n)| if known(*it, *n) { *it } else { worst }).collect()
}
