//! The linear model `Y ≈ G W Pᵀ + b`: genes by a gene embedding G, conditions by a perturbation embedding P.

mod forms;
mod input;
mod joint;
mod published;

use crate::features::Origin;
use crate::method::{Fit, PerContext};
use crate::train::Train;
use cellstone_core::{Embedding, FitCtx, Result};
use ndarray::Array1;
use published::Model;
use std::sync::Arc;

pub use forms::LinearSystem;
pub(crate) use joint::{Joint, PARAMS as JOINT_PARAMS};
pub(crate) use published::{PARAMS as PUBLISHED_PARAMS, Published};

/// The tables that G and P name, where they name one.
type Given<'a> = (Option<&'a Arc<Embedding>>, Option<&'a Arc<Embedding>>);

/// Fits one linear model per context on the embeddings that G and P name.
fn fit_contexts(
    train: &Train,
    ctx: &mut FitCtx<'_>,
    (g, p): (&Origin, &Origin),
    mut fit: impl FnMut(
        usize,
        Given<'_>,
        &mut Vec<Array1<f64>>,
        &mut FitCtx<'_>,
    ) -> Result<std::result::Result<Model, &'static str>>,
) -> Result<Fit> {
    let given = (g.resolve(ctx)?, p.resolve(ctx)?);
    let mut extra = Vec::new();
    let rule = PerContext::fit(train, ctx, |context, ctx| {
        fit(context, (given.0.as_ref(), given.1.as_ref()), &mut extra, ctx)
    })?;
    Ok(Fit { extra, rule: Box::new(rule) })
}
