//! The method behind the seam: parameters, notes, and what it plans for a query.

use super::doubles::Doubles;
use super::fit::{Coefficients, Variant, scalar, totals};
use super::select::best_variant;
use crate::method::{ContextModel, Fit, PerContext, Plan, Spec};
use crate::params::{ParamInfo, Reader};
use crate::recipe::{Recipe, Source};
use crate::train::{NOT_IN_TRAIN, Train, sum_of};
use cellstone_core::{FitCtx, Result, ViewRow};
use ndarray::Array1;
use std::collections::BTreeMap;

/// Parameters of `shrunk_additive`.
pub(crate) const PARAMS: &[ParamInfo] = &[ParamInfo {
    name: "variant",
    default: "scalar",
    range: "scalar, scalar_l2, two_term, ordered, gene_wise, angle or auto",
    meaning: "form of the shrinkage; auto takes the best by 5-fold cross-validation over training combinations",
}];

/// The method.
pub(crate) struct Shrunk {
    /// `None` chooses.
    variant: Option<Variant>,
}

impl Shrunk {
    pub(crate) fn new(reader: &Reader<'_>) -> Result<Self> {
        let word =
            reader.choice("variant", &["scalar", "scalar_l2", "two_term", "ordered", "gene_wise", "angle", "auto"])?;
        Ok(Self { variant: Variant::ALL.into_iter().find(|it| it.id() == word) })
    }
}

impl Spec for Shrunk {
    fn fit(&self, train: &Train, ctx: &mut FitCtx<'_>) -> Result<Fit> {
        let mut extra = Vec::new();
        let rule = PerContext::fit(train, ctx, |context, ctx| {
            Ok(Ok(Model { coefficients: self.fit_context(train, context, &mut extra, ctx)? }))
        })?;
        Ok(Fit { extra, rule: Box::new(rule) })
    }
}

impl Shrunk {
    fn fit_context(
        &self,
        train: &Train,
        context: usize,
        extra: &mut Vec<Array1<f64>>,
        ctx: &mut FitCtx<'_>,
    ) -> Result<Option<Form>> {
        let doubles = Doubles::new(train, context);
        ctx.note(train.note_key("n_train_combinations", context), doubles.len());
        if doubles.len() == 0 {
            return Ok(None);
        }
        let variant = if let Some(it) = self.variant {
            it
        } else {
            let (variant, loss) = best_variant(&doubles, ctx.seed)?;
            ctx.note(train.note_key("variant", context), variant.id());
            if loss.is_finite() {
                ctx.note(train.note_key("cv_l2", context), format!("{loss:.6}"));
            }
            variant
        };
        let all: Vec<usize> = (0..doubles.len()).collect();
        let fitted = Coefficients::fit(variant, &doubles, &all)?;
        ctx.note(train.note_key("alpha", context), fitted.note());
        note_noise(&doubles, &all, ctx, context);
        Ok(Some(Form::new(fitted, train, context, extra)))
    }
}

/// `α` with the sampling noise of the singles taken out of its denominator: `Σ⟨δ, s⟩ / (Σ‖s‖² − Σ T)`.
fn note_noise(doubles: &Doubles<'_>, all: &[usize], ctx: &mut FitCtx<'_>, context: usize) {
    let noise: Option<Vec<f64>> = all.iter().map(|it| doubles.noise(*it)).collect();
    let Some(noise) = noise else { return };
    let (num, den) = totals(doubles, all);
    let rest = den - noise.iter().sum::<f64>();
    let value = if rest > 0.0 { format!("{:.6}", num / rest) } else { "undefined: noise exceeds signal".to_owned() };
    let key = |name| doubles.train().note_key(name, context);
    ctx.note(key("alpha_scalar"), format!("{:.6}", scalar(doubles, all)));
    ctx.note(key("alpha_noise_corrected"), value);
}

/// Coefficients with the stored rows they need.
enum Form {
    /// Weights on singles, and one more row with its weight.
    Weights { coefficients: Coefficients, mean: Option<(Source, f64)> },
    /// Singles already multiplied gene by gene: train row to stored row.
    GeneWise(BTreeMap<usize, usize>),
}

impl Form {
    fn new(coefficients: Coefficients, train: &Train, context: usize, extra: &mut Vec<Array1<f64>>) -> Self {
        match coefficients {
            Coefficients::GeneWise { alpha, .. } => {
                let mut rows = BTreeMap::new();
                for at in train.members_of_arity(context, 1) {
                    rows.insert(at, extra.len());
                    extra.push(&alpha * &train.deltas.row(at));
                }
                Self::GeneWise(rows)
            }
            Coefficients::TwoTerm { a, b, mean } => {
                let source = Source::Extra(extra.len());
                extra.push(mean);
                // The mean lives among the stored rows from here on.
                let coefficients = Coefficients::TwoTerm { a, b, mean: Array1::zeros(0) };
                Self::Weights { coefficients, mean: Some((source, b)) }
            }
            coefficients => Self::Weights { coefficients, mean: None },
        }
    }

    fn recipe(&self, train: &Train, singles: &[usize]) -> Recipe {
        match self {
            Self::GeneWise(rows) => singles.iter().map(|it| (Source::Extra(rows[it]), 1.0)).collect(),
            Self::Weights { coefficients, mean } => {
                let weights = coefficients.weights(train, singles).expect("invariant: gene-wise has its own form");
                let mut recipe: Recipe = singles.iter().map(|it| Source::Train(*it)).zip(weights).collect();
                recipe.extend(*mean);
                recipe
            }
        }
    }
}

struct Model {
    /// `None` where no combination was there to fit on.
    coefficients: Option<Form>,
}

impl ContextModel for Model {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        let Some(singles) = train.singles(row.context, &row.perturbation) else {
            return Plan::Fallback(NOT_IN_TRAIN);
        };
        if row.perturbation.is_single() {
            return Plan::Own(sum_of(&singles));
        }
        match &self.coefficients {
            Some(form) => Plan::Own(form.recipe(train, &singles)),
            None => Plan::Fallback("no train combination with all its singles"),
        }
    }
}
