//! No change, and the means: uninformative references that every method must beat.

use crate::method::{Fit, Plan, Rule, Spec};
use crate::params::{ParamInfo, Reader};
use crate::recipe::{Recipe, Source};
use crate::train::Train;
use cellstone_core::{FitCtx, Perturbation, Result, ViewRow};
use ndarray::Array1;
use std::collections::BTreeMap;

/// Parameters of the means.
pub(crate) const MEAN_PARAMS: &[ParamInfo] = &[ParamInfo {
    name: "over",
    default: "same_arity",
    range: "same_arity, all, singles or doubles",
    meaning: "train conditions averaged, in the context of the query: those with as many targets as the query \
              (all if there are none), all, those with one target, those with two",
}];

/// `δ̂ = 0`.
pub(crate) struct NoChange;

impl Spec for NoChange {
    fn fit(&self, _: &Train, _: &mut FitCtx<'_>) -> Result<Fit> {
        Ok(Fit { extra: Vec::new(), rule: Box::new(Zero) })
    }
}

struct Zero;

impl Rule for Zero {
    fn plan(&self, _: &Train, _: &ViewRow) -> Plan {
        Plan::Own(Vec::new())
    }

    fn needs_no_train(&self) -> bool {
        true
    }
}

/// Which train conditions a mean is over.
#[derive(Debug, Clone, Copy)]
enum Over {
    SameArity,
    All,
    Arity(usize),
}

/// How a mean weighs its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weighing {
    /// One condition, one vote.
    Conditions,
    /// The same, with the control as one more condition.
    WithControl,
    /// One cell, one vote.
    Cells,
}

/// A mean over train conditions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mean {
    over: Over,
    weighing: Weighing,
}

impl Mean {
    pub(crate) fn new(reader: &Reader<'_>, weighing: Weighing) -> Result<Self> {
        let over = match reader.choice("over", &["same_arity", "all", "singles", "doubles"])? {
            "all" => Over::All,
            "singles" => Over::Arity(1),
            "doubles" => Over::Arity(2),
            _ => Over::SameArity,
        };
        Ok(Self { over, weighing })
    }
}

impl Spec for Mean {
    fn fit(&self, train: &Train, _: &mut FitCtx<'_>) -> Result<Fit> {
        let mut extra = Vec::new();
        let mut at = BTreeMap::new();
        if self.weighing != Weighing::Conditions {
            for context in 0..train.n_contexts() {
                for (arity, rows) in groups(train, context) {
                    at.insert((context, arity), Source::Extra(extra.len()));
                    extra.push(self.row(train, &rows));
                }
            }
        }
        Ok(Fit { extra, rule: Box::new(MeanRule { spec: *self, at }) })
    }
}

impl Mean {
    fn row(&self, train: &Train, rows: &[usize]) -> Array1<f64> {
        match self.weighing {
            Weighing::Cells => cell_mean(train, rows),
            _ => train.mean_of(rows) * (rows.len() as f64 / (rows.len() as f64 + 1.0)),
        }
    }
}

/// `Σ n_c δ_c / Σ n_c`; conditions count alike where a number of cells is not known (stored as 0).
pub(crate) fn cell_mean(train: &Train, rows: &[usize]) -> Array1<f64> {
    let known = rows.iter().all(|it| train.n_cells[*it] > 0);
    train.weighted_mean(rows, |it| if known { train.n_cells[it] as f64 } else { 1.0 })
}

/// The train rows of a context: all of them, and those of each number of targets.
fn groups(train: &Train, context: usize) -> BTreeMap<Option<usize>, Vec<usize>> {
    let mut out = BTreeMap::<_, Vec<usize>>::new();
    for at in train.members(context) {
        out.entry(None).or_default().push(*at);
        out.entry(Some(train.arity(*at))).or_default().push(*at);
    }
    out
}

struct MeanRule {
    spec: Mean,
    /// Means that are not the plain one, by context and number of targets.
    at: BTreeMap<(usize, Option<usize>), Source>,
}

impl MeanRule {
    fn find(&self, train: &Train, context: usize, arity: Option<usize>) -> Option<Source> {
        match (self.spec.weighing, arity) {
            (Weighing::Conditions, None) => Some(train.mean_of_all(context)),
            (Weighing::Conditions, Some(arity)) => train.mean_of_arity(context, arity),
            _ => self.at.get(&(context, arity)).copied(),
        }
    }
}

impl Rule for MeanRule {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        let all = || self.find(train, row.context, None);
        let found = match self.spec.over {
            Over::All => all(),
            Over::Arity(arity) => self.find(train, row.context, Some(arity)),
            Over::SameArity => self.find(train, row.context, Some(row.perturbation.targets().len())).or_else(all),
        };
        match found {
            Some(source) => Plan::Own(vec![(source, 1.0)]),
            None => Plan::Mean("no train condition with that many targets"),
        }
    }
}

/// The mean delta of the same perturbation in the other contexts.
pub(crate) struct OtherContexts;

impl Spec for OtherContexts {
    fn fit(&self, train: &Train, _: &mut FitCtx<'_>) -> Result<Fit> {
        let mut rows = BTreeMap::<Perturbation, Vec<usize>>::new();
        for (at, row) in train.rows.iter().enumerate() {
            rows.entry(row.perturbation.clone()).or_default().push(at);
        }
        Ok(Fit { extra: Vec::new(), rule: Box::new(Elsewhere(rows)) })
    }
}

struct Elsewhere(BTreeMap<Perturbation, Vec<usize>>);

impl Rule for Elsewhere {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        let all = self.0.get(&row.perturbation).map_or(&[][..], Vec::as_slice);
        let others: Vec<usize> = all.iter().copied().filter(|it| train.rows[*it].context != row.context).collect();
        if others.is_empty() {
            return Plan::Mean("not perturbed in another context");
        }
        let weight = 1.0 / others.len() as f64;
        Plan::Own(others.iter().map(|it| (Source::Train(*it), weight)).collect::<Recipe>())
    }

    fn needs_no_train(&self) -> bool {
        true
    }
}
