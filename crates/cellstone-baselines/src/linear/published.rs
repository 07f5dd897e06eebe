//! The linear model as published: ridge on both sides with one fixed penalty, the control a train column.

use super::forms::LinearSystem;
use super::input::{Conditions, G, P, given_genes, project, random_genes, training_scores};
use super::{Given, fit_contexts};
use crate::features::Origin;
use crate::method::{ContextModel, Fit, Plan, Spec};
use crate::params::{ParamInfo, Reader};
use crate::recipe::{Recipe, Source};
use crate::train::{NO_VARIANCE, Train};
use cellstone_core::{FitCtx, Result, ViewRow};
use cellstone_prep::{gram, gram_t, matmul};
use ndarray::{Array1, Array2, Axis};
use std::sync::Arc;

/// Parameters of `linear_published`.
pub(crate) const PARAMS: &[ParamInfo] = &[
    ParamInfo {
        name: "k",
        default: "10",
        range: "a whole number from 1 to 10000",
        meaning: "components of training vectors (at most their rank), or length of random ones",
    },
    ParamInfo {
        name: "lambda",
        default: "0.1",
        range: "a number from 0 to 1e12",
        meaning: "penalty on both sides, absolute",
    },
    G,
    P,
];

/// The method.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    k: usize,
    lambda: f64,
    g: Origin,
    p: Origin,
}

impl Published {
    pub(crate) fn new(reader: &Reader<'_>) -> Result<Self> {
        Ok(Self {
            k: reader.integer("k", Some(10), 1, 10_000)?.unwrap_or(10),
            lambda: reader.number("lambda", Some(0.1), 0.0, 1e12)?.unwrap_or(0.1),
            g: Origin::parse(&reader.word("g", "training")?),
            p: Origin::parse(&reader.word("p", "auto")?),
        })
    }
}

impl Spec for Published {
    fn fit(&self, train: &Train, ctx: &mut FitCtx<'_>) -> Result<Fit> {
        fit_contexts(train, ctx, (&self.g, &self.p), |context, given, extra, ctx| {
            self.fit_context(train, context, given, extra, ctx)
        })
    }
}

impl Published {
    fn fit_context(
        &self,
        train: &Train,
        context: usize,
        given: Given<'_>,
        extra: &mut Vec<Array1<f64>>,
        ctx: &mut FitCtx<'_>,
    ) -> Result<std::result::Result<Model, &'static str>> {
        let key = |name: &str| train.note_key(name, context);
        let p = self.p.settle(train, context);
        ctx.note(key("p"), p.name());
        let genes = Arc::new(match given.0 {
            Some(table) => {
                let (genes, found) = given_genes(table, &train.controls.var);
                ctx.note(key("n_genes_with_vector"), format!("{found} of {}", train.n_vars()));
                genes
            }
            None if self.g == Origin::Random => random_genes(&train.controls.var, self.k, ctx.seed),
            None => training_scores(train, context, self.k)?,
        });
        let scores = match self.g {
            Origin::Training => Arc::clone(&genes),
            _ if p == Origin::Training => Arc::new(training_scores(train, context, self.k)?),
            _ => Arc::clone(&genes),
        };
        let conditions = Conditions::new(&p, given.1, &scores, train, context, (self.k, ctx.seed))?;
        let (rows, vectors) = conditions.of_train(train, context);
        ctx.note(key("k"), genes.nrows());
        ctx.note(key("lambda"), self.lambda);
        ctx.note(key("n_train_with_vector"), format!("{} of {}", rows.len(), train.members(context).len()));
        if rows.is_empty() {
            return Ok(Err("no train condition with an embedding"));
        }
        if genes.nrows() == 0 || conditions.width() == 0 {
            return Ok(Err(NO_VARIANCE));
        }
        // The control is one more column, of deltas zero: it shrinks the mean by n/(n+1).
        let n = rows.len() as f64;
        let offset = train.mean_of(&rows) * (n / (n + 1.0));
        let mut all = vectors;
        all.push_row(conditions.control().view()).expect("invariant: the control has the width of the embedding");
        let gty = {
            let mut out = project(&genes, train, &rows);
            let at_offset = genes.dot(&offset);
            out.push_column(Array1::zeros(genes.nrows()).view()).expect("invariant: one value per gene vector");
            out -= &at_offset.insert_axis(Axis(1));
            out
        };
        let gtyp = matmul(&gty.view(), &all.view());
        let system = LinearSystem::new(&gram(&genes.view()), &gram_t(&all.view()), &gtyp)?;
        let w = system.two_sided(self.lambda, self.lambda);
        Ok(Ok(Model::new(conditions, None, w, &genes, offset, extra)))
    }
}

/// `δ̂ = G W (p − p̄) + b`, with the columns of G and b among the stored rows.
pub(super) struct Model {
    conditions: Conditions,
    centre: Option<Array1<f64>>,
    w: Array2<f64>,
    first: usize,
}

impl Model {
    pub(super) fn new(
        conditions: Conditions,
        centre: Option<Array1<f64>>,
        w: Array2<f64>,
        genes: &Array2<f64>,
        offset: Array1<f64>,
        extra: &mut Vec<Array1<f64>>,
    ) -> Self {
        let first = extra.len();
        extra.push(offset);
        extra.extend(genes.rows().into_iter().map(|it| it.to_owned()));
        Self { conditions, centre, w, first }
    }
}

impl ContextModel for Model {
    fn plan(&self, _: &Train, row: &ViewRow) -> Plan {
        let mut vector = match self.conditions.of(&row.perturbation) {
            Ok(it) => it,
            Err(reason) => return Plan::Fallback(reason),
        };
        if let Some(centre) = &self.centre {
            vector -= centre;
        }
        let mut recipe: Recipe = vec![(Source::Extra(self.first), 1.0)];
        let weights = self.w.dot(&vector);
        recipe.extend(weights.iter().enumerate().map(|(at, it)| (Source::Extra(self.first + 1 + at), *it)));
        Plan::Own(recipe)
    }
}
