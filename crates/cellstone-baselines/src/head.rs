//! What kNN and ridge share: their embedding parameters and the vectors they see.

use crate::features::{EMBEDDING, Origin, Transform, Vectors, has_variance, train_vectors};
use crate::method::Plan;
use crate::params::{ParamInfo, Reader};
use crate::train::{NO_VARIANCE, TOO_FEW, Train};
use cellstone_core::{Embedding, FitCtx, Perturbation, Result};
use ndarray::{Array1, Array2};
use std::sync::Arc;

pub(crate) const DIM: ParamInfo = ParamInfo {
    name: "dim",
    default: "50",
    range: "a whole number from 1 to 10000",
    meaning: "components of the training embedding (at most its rank), or length of random vectors",
};
pub(crate) const SCALE: ParamInfo = ParamInfo {
    name: "scale",
    default: "auto",
    range: "auto, standard or none",
    meaning: "z-score every coordinate over train conditions; auto does so for given embeddings",
};
pub(crate) const PCA: ParamInfo = ParamInfo {
    name: "pca",
    default: "auto",
    range: "a whole number from 0 to 10000, or auto",
    meaning: "components kept after scaling, at most n - 1 and the rank; 0 keeps all; auto is 100 for given embeddings",
};
pub(crate) const EMBEDDING_PARAM: ParamInfo = EMBEDDING;

/// Where vectors come from and how they are prepared.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) origin: Origin,
    pub(crate) dim: usize,
    standard: Option<bool>,
    pca: Option<usize>,
}

impl Input {
    /// Reads `embedding`, `dim`, `scale` and `pca`.
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self> {
        let standard = match reader.choice("scale", &["auto", "standard", "none"])? {
            "standard" => Some(true),
            "none" => Some(false),
            _ => None,
        };
        Ok(Self {
            origin: Origin::parse(&reader.word("embedding", "auto")?),
            dim: reader.integer("dim", Some(50), 1, 10_000)?.unwrap_or(50),
            standard,
            pca: reader.integer("pca", None, 0, 10_000)?,
        })
    }

    /// Unit-cube vectors of that length, as they are.
    pub(crate) fn random(dim: usize) -> Self {
        Self { origin: Origin::Random, dim, standard: None, pca: None }
    }

    /// Vectors of one context's train conditions, or why a head cannot be fitted on them.
    pub(crate) fn prepare(
        &self,
        given: Option<&Arc<Embedding>>,
        train: &Train,
        context: usize,
        centre: bool,
        ctx: &mut FitCtx<'_>,
    ) -> Result<std::result::Result<Prepared, &'static str>> {
        let origin = self.origin.settle(train, context);
        ctx.note(train.note_key("embedding", context), origin.name());
        let vectors = Vectors::new(&origin, given, train, context, self.dim, ctx.seed)?;
        let (rows, x) = train_vectors(&vectors, train, context);
        ctx.note(
            train.note_key("n_train_with_vector", context),
            format!("{} of {}", rows.len(), train.members(context).len()),
        );
        if rows.is_empty() {
            return Ok(Err("no train condition with an embedding"));
        }
        if rows.len() < 2 {
            return Ok(Err(TOO_FEW));
        }
        if !has_variance(&x) {
            return Ok(Err(NO_VARIANCE));
        }
        let named = matches!(origin, Origin::Named(_));
        let pca = self.pca.unwrap_or(if named { 100 } else { 0 });
        let transform = Transform::fit(&x, centre, self.standard.unwrap_or(named), pca)?;
        let x = transform.apply(&x.view());
        Ok(Ok(Prepared { vectors, transform, rows, x }))
    }
}

/// Vectors ready for a head.
pub(crate) struct Prepared {
    vectors: Vectors,
    transform: Transform,
    /// Train rows that have a vector.
    pub(crate) rows: Vec<usize>,
    /// Their vectors, `[n, d]`.
    pub(crate) x: Array2<f64>,
}

impl Prepared {
    /// The vector of a query, or the plan that stands in.
    pub(crate) fn vector(&self, perturbation: &Perturbation) -> std::result::Result<Array1<f64>, Plan> {
        match self.vectors.of(perturbation) {
            Ok(it) => Ok(self.transform.apply_one(&it.view())),
            Err(reason) => Err(Plan::Fallback(reason)),
        }
    }
}

/// Inner products of the deltas of some train rows, centred over those rows, `[n, n]`.
pub(crate) fn delta_gram(train: &Train, rows: &[usize], centre: bool) -> Array2<f64> {
    let mut y = train.deltas.select(ndarray::Axis(0), rows).as_standard_layout().into_owned();
    if centre {
        let mean = train.mean_of(rows);
        y -= &mean;
    }
    cellstone_prep::gram(&y.view())
}
