//! The frame all methods share: fit per context, plan each query row, fall back by the one documented rule.

use crate::recipe::{Recipe, Source, compose};
use crate::train::{NO_TRAIN, Train};
use cellstone_core::{
    FitCtx, FittedPredictor, Native, PerturbationPredictor, Prediction, PredictorInfo, QueryView, Result, TrainView,
    ViewRow,
};
use ndarray::Array1;
use std::sync::Arc;

/// What a method wants for one query row.
pub(crate) enum Plan {
    /// Its own prediction.
    Own(Recipe),
    /// The shared rule, because of this.
    Fallback(&'static str),
    /// The mean delta, because of this: for methods that are not about constituents.
    Mean(&'static str),
}

/// A fitted rule for query rows of contexts that have train perturbations.
pub(crate) trait Rule: Send + Sync {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan;

    /// Whether the rule also speaks for contexts without train perturbation.
    fn needs_no_train(&self) -> bool {
        false
    }
}

/// What a fit leaves: a rule, and the rows its recipes refer to as [`Source::Extra`].
pub(crate) struct Fit {
    pub(crate) extra: Vec<Array1<f64>>,
    pub(crate) rule: Box<dyn Rule>,
}

/// A method with its hyper-parameters.
pub(crate) trait Spec: Send + Sync {
    fn fit(&self, train: &Train, ctx: &mut FitCtx<'_>) -> Result<Fit>;
}

/// A [`Spec`] behind the seam.
struct Method<S> {
    info: PredictorInfo,
    spec: S,
}

/// Puts a spec behind the seam.
pub(crate) fn method(info: PredictorInfo, spec: impl Spec + 'static) -> Arc<dyn PerturbationPredictor> {
    Arc::new(Method { info, spec })
}

impl<S: Spec> PerturbationPredictor for Method<S> {
    fn info(&self) -> &PredictorInfo {
        &self.info
    }

    fn fit(&self, train: &TrainView, ctx: &mut FitCtx<'_>) -> Result<Box<dyn FittedPredictor>> {
        ctx.check_cancelled()?;
        let train = Train::new(train)?;
        let Fit { extra, rule } = self.spec.fit(&train, ctx)?;
        Ok(Box::new(Fitted { train, extra, rule }))
    }
}

struct Fitted {
    train: Train,
    extra: Vec<Array1<f64>>,
    rule: Box<dyn Rule>,
}

impl FittedPredictor for Fitted {
    fn predict(&self, query: &QueryView) -> Result<Prediction> {
        self.train.check(query)?;
        let (mut recipes, mut native) = (Vec::new(), Vec::new());
        for row in query.rows() {
            let (recipe, origin) = self.plan(row);
            recipes.push(recipe);
            native.push(origin);
        }
        let deltas = compose(&recipes, self.train.n_vars(), |source| match source {
            Source::Train(at) => self.train.deltas.row(at),
            Source::Mean(at) => self.train.mean_row(at),
            Source::Extra(at) => self.extra[at].view(),
        });
        Prediction::from_deltas(query, deltas, native)
    }
}

impl Fitted {
    fn plan(&self, row: &ViewRow) -> (Recipe, Native) {
        let plan = if self.train.members(row.context).is_empty() && !self.rule.needs_no_train() {
            Plan::Fallback(NO_TRAIN)
        } else {
            self.rule.plan(&self.train, row)
        };
        match plan {
            Plan::Own(recipe) => (recipe, Native::Yes),
            Plan::Mean(reason) => {
                let (source, rule) = self.train.mean_fallback(row);
                (vec![(source, 1.0)], Native::Fallback { rule, reason })
            }
            Plan::Fallback(reason) => {
                let (recipe, rule) = self.train.fallback(row);
                (recipe, Native::Fallback { rule, reason })
            }
        }
    }
}

/// A model for each context that has train perturbations; the error is the reason it has none.
pub(crate) struct PerContext<M>(pub(crate) Vec<std::result::Result<M, &'static str>>);

/// A model that belongs to one context.
pub(crate) trait ContextModel: Send + Sync {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan;
}

impl<M: ContextModel> Rule for PerContext<M> {
    fn plan(&self, train: &Train, row: &ViewRow) -> Plan {
        match &self.0[row.context] {
            Ok(model) => model.plan(train, row),
            Err(reason) => Plan::Fallback(reason),
        }
    }
}

impl<M> PerContext<M> {
    /// Fits one model after the other, in the order of the contexts.
    pub(crate) fn fit(
        train: &Train,
        ctx: &mut FitCtx<'_>,
        mut fit: impl FnMut(usize, &mut FitCtx<'_>) -> Result<std::result::Result<M, &'static str>>,
    ) -> Result<Self> {
        let mut models = Vec::new();
        for context in 0..train.n_contexts() {
            ctx.check_cancelled()?;
            models.push(if train.members(context).is_empty() { Err(NO_TRAIN) } else { fit(context, ctx)? });
        }
        Ok(Self(models))
    }
}
