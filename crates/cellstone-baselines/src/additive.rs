//! Sums and averages of single deltas: additive, additive with unseen constituents, matching mean.

use crate::means::cell_mean;
use crate::method::{Fit, Plan, Rule, Spec};
use crate::recipe::Source;
use crate::train::{NOT_IN_TRAIN, Train, sum_of};
use cellstone_core::{FitCtx, Result, ViewRow};

/// `δ̂ = Σ_t δ_t`; no combination is used.
pub(crate) struct Additive;

impl Spec for Additive {
    fn fit(&self, _: &Train, _: &mut FitCtx<'_>) -> Result<Fit> {
        Ok(Fit { extra: Vec::new(), rule: Box::new(Sum) })
    }
}

struct Sum;

impl Rule for Sum {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        match train.singles(row.context, &row.perturbation) {
            Some(singles) => Plan::Own(sum_of(&singles)),
            None => Plan::Fallback(NOT_IN_TRAIN),
        }
    }
}

/// As [`Additive`], where an unseen constituent contributes the mean delta of the train singles.
pub(crate) struct AdditivePartial;

impl Spec for AdditivePartial {
    fn fit(&self, _: &Train, _: &mut FitCtx<'_>) -> Result<Fit> {
        Ok(Fit { extra: Vec::new(), rule: Box::new(PartialSum) })
    }
}

struct PartialSum;

impl Rule for PartialSum {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        match train.partial_sum(row.context, &row.perturbation) {
            Some(recipe) => Plan::Own(recipe),
            None => Plan::Fallback("no train single"),
        }
    }
}

/// The mean of the constituents' profiles; the mean perturbed train cell stands in for an unseen one.
pub(crate) struct MatchingMean;

impl Spec for MatchingMean {
    fn fit(&self, train: &Train, _: &mut FitCtx<'_>) -> Result<Fit> {
        let extra = (0..train.n_contexts()).map(|it| cell_mean(train, train.members(it))).collect();
        Ok(Fit { extra, rule: Box::new(Matching) })
    }
}

struct Matching;

impl Rule for Matching {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        let targets = row.perturbation.targets();
        let weight = 1.0 / targets.len() as f64;
        let source = |it: &String| train.single(row.context, it).map_or(Source::Extra(row.context), Source::Train);
        Plan::Own(targets.iter().map(|it| (source(it), weight)).collect())
    }
}
