//! Vectors of perturbations: from an embedding that was given, from the training data, or drawn.

use crate::gene_scores::{RANK_TOLERANCE, gene_scores};
use crate::params::ParamInfo;
use crate::train::{NO_EMBEDDING, NOT_IN_TRAIN, NOT_MEASURED, Train};
use cellstone_core::{Embedding, FitCtx, Perturbation, Result, Seed, Var};
use cellstone_prep::{gram, gram_t, matmul, sym_eig};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The parameter that names where vectors come from.
pub(crate) const EMBEDDING: ParamInfo = ParamInfo {
    name: "embedding",
    default: "auto",
    range: "auto, training, targets, random, or the name of a given embedding",
    meaning: "vectors of the targets: training = principal component scores of genes over train deltas; targets = \
              indicator of the targets seen in train; random = seeded U[0,1); auto = training if at least half of the \
              train targets are measured genes, else targets; combinations add up",
};

/// Where vectors come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Auto,
    Training,
    Targets,
    Random,
    Named(String),
}

impl Origin {
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "auto" => Self::Auto,
            "training" => Self::Training,
            "targets" => Self::Targets,
            "random" => Self::Random,
            name => Self::Named(name.to_owned()),
        }
    }

    /// Fails early if an embedding was not given.
    pub(crate) fn resolve(&self, ctx: &FitCtx<'_>) -> Result<Option<Arc<Embedding>>> {
        match self {
            Self::Named(name) => Ok(Some(Arc::new(ctx.embedding(name)?.clone()))),
            _ => Ok(None),
        }
    }

    /// What `auto` means for one context.
    pub(crate) fn settle(&self, train: &Train, context: usize) -> Self {
        if *self != Self::Auto {
            return self.clone();
        }
        let targets = seen_targets(train, context);
        let measured = targets.keys().filter(|it| !train.controls.var.columns_of(it).is_empty()).count();
        if 2 * measured >= targets.len() { Self::Training } else { Self::Targets }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Auto => "auto",
            Self::Training => "training",
            Self::Targets => "targets",
            Self::Random => "random",
            Self::Named(name) => name,
        }
    }
}

/// The targets of a context's train conditions, numbered in sorted order.
pub(crate) fn seen_targets(train: &Train, context: usize) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for row in train.members(context) {
        for target in train.rows[*row].perturbation.targets() {
            out.insert(target.clone(), 0);
        }
    }
    for (at, number) in out.values_mut().enumerate() {
        *number = at;
    }
    out
}

/// Vectors of targets, added up over the targets of a perturbation.
#[derive(Debug, Clone)]
pub(crate) enum Vectors {
    /// Scores of measured genes, `[k, n_vars]`; a target that names several columns has their mean.
    Genes { scores: Arc<Array2<f64>>, var: Var },
    /// One axis per target.
    Targets(BTreeMap<String, usize>),
    /// `U[0,1)` from the seed and the target's name.
    Uniform { seed: Seed, width: usize },
    /// An embedding that was given.
    Given { table: Arc<Embedding>, var: Var },
}

impl Vectors {
    /// Vectors for one context; `width` is that of `training` (at most) and `random`.
    pub(crate) fn new(
        origin: &Origin,
        given: Option<&Arc<Embedding>>,
        train: &Train,
        context: usize,
        width: usize,
        seed: Seed,
    ) -> Result<Self> {
        let var = train.controls.var.clone();
        Ok(match (origin, given) {
            (Origin::Named(_), Some(table)) => Self::Given { table: Arc::clone(table), var },
            (Origin::Targets, _) => Self::Targets(seen_targets(train, context)),
            (Origin::Random, _) => Self::Uniform { seed: seed.derive("random_embedding"), width },
            _ => {
                let deltas = train.deltas.select(Axis(0), train.members(context));
                Self::Genes { scores: Arc::new(gene_scores(&deltas.view(), width)?), var }
            }
        })
    }

    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Genes { scores, .. } => scores.nrows(),
            Self::Targets(all) => all.len(),
            Self::Uniform { width, .. } => *width,
            Self::Given { table, .. } => table.width(),
        }
    }

    /// The sum of the vectors of the targets, or why there is none.
    pub(crate) fn of(&self, perturbation: &Perturbation) -> std::result::Result<Array1<f64>, &'static str> {
        let mut sum = Array1::zeros(self.width());
        for target in perturbation.targets() {
            match self {
                Self::Genes { scores, var } => {
                    let columns = var.columns_of(target);
                    if columns.is_empty() {
                        return Err(NOT_MEASURED);
                    }
                    for it in columns {
                        sum.scaled_add(1.0 / columns.len() as f64, &scores.column(*it as usize));
                    }
                }
                Self::Targets(all) => sum[*all.get(target).ok_or(NOT_IN_TRAIN)?] += 1.0,
                Self::Uniform { seed, .. } => {
                    let mut rng = seed.derive(target).rng();
                    sum.mapv_inplace(|it| it + rng.random::<f64>());
                }
                Self::Given { table, var } => sum += &given(table, var, target).ok_or(NO_EMBEDDING)?,
            }
        }
        Ok(sum)
    }
}

/// The vector of a target under its own name, or under id or symbol of the gene it names.
fn given<'a>(table: &'a Embedding, var: &Var, target: &str) -> Option<ndarray::ArrayView1<'a, f64>> {
    table.get(target).or_else(|| {
        let mut columns = var.columns_of(target).iter().map(|it| *it as usize);
        columns.find_map(|it| table.get(&var.ids()[it]).or_else(|| table.get(var.label(it))))
    })
}

/// A linear map fitted on train vectors: centre, scale, rotate to the leading components.
#[derive(Debug, Clone)]
pub(crate) struct Transform {
    shift: Array1<f64>,
    factor: Array1<f64>,
    /// `[d, k]`.
    rotation: Option<Array2<f64>>,
}

impl Transform {
    /// Fits on `x` (`[n, d]`): standard deviations with ddof 0, zero read as one; `pca` components at most (0: none).
    ///
    /// With neither scaling nor components the map is the identity unless `centre` asks for the mean to be removed.
    pub(crate) fn fit(x: &Array2<f64>, centre: bool, standard: bool, pca: usize) -> Result<Self> {
        let (n, d) = x.dim();
        let mut shift = Array1::<f64>::zeros(d);
        let mut factor = Array1::<f64>::ones(d);
        if n > 0 && (centre || standard || pca > 0) {
            shift = x.sum_axis(Axis(0)) / n as f64;
        }
        if n > 0 && standard {
            for (at, column) in x.columns().into_iter().enumerate() {
                let sd = (column.iter().map(|it| (it - shift[at]).powi(2)).sum::<f64>() / n as f64).sqrt();
                // A constant column has the rounding of its mean as spread: nothing to scale by.
                factor[at] = if sd > 1e-14 * shift[at].abs() && sd > 0.0 { 1.0 / sd } else { 1.0 };
            }
        }
        let mut out = Self { shift, factor, rotation: None };
        if pca > 0 && pca < d && n > 0 {
            out.rotation = Some(leading(&out.apply(&x.view()), pca.min(n.saturating_sub(1)))?);
        }
        Ok(out)
    }

    /// Maps rows, each as alone: equal vectors stay equal to the last bit, so ties stay ties.
    pub(crate) fn apply(&self, x: &ArrayView2<'_, f64>) -> Array2<f64> {
        let mut out = Array2::zeros((x.nrows(), self.rotation.as_ref().map_or(x.ncols(), Array2::ncols)));
        for (mut target, row) in out.rows_mut().into_iter().zip(x.rows()) {
            target.assign(&self.apply_one(&row));
        }
        out
    }

    /// Maps one vector.
    pub(crate) fn apply_one(&self, x: &ArrayView1<'_, f64>) -> Array1<f64> {
        let scaled = (x - &self.shift) * &self.factor;
        match &self.rotation {
            Some(rotation) => scaled.dot(rotation),
            None => scaled,
        }
    }
}

/// The `k` leading right singular vectors of centred rows, `[d, k']`, through the smaller of the two square matrices.
fn leading(x: &Array2<f64>, k: usize) -> Result<Array2<f64>> {
    let (n, d) = x.dim();
    let small = if n < d { gram(&x.view()) } else { gram_t(&x.view()) };
    let (values, vectors) = sym_eig(&small)?;
    let floor = values.last().copied().unwrap_or(0.0) * RANK_TOLERANCE;
    let kept: Vec<usize> =
        (0..values.len()).rev().filter(|it| values[*it] > floor && values[*it] > 0.0).take(k).collect();
    let vectors = vectors.select(Axis(1), &kept);
    if n >= d {
        return Ok(vectors);
    }
    let mut out = matmul(&x.t(), &vectors.view());
    for (mut column, at) in out.columns_mut().into_iter().zip(&kept) {
        column /= values[*at].sqrt();
    }
    Ok(out)
}

/// Train rows of a context that have a vector, and their vectors, `[n, d]`.
pub(crate) fn train_vectors(vectors: &Vectors, train: &Train, context: usize) -> (Vec<usize>, Array2<f64>) {
    let found: Vec<(usize, Array1<f64>)> = train
        .members(context)
        .iter()
        .filter_map(|it| vectors.of(&train.rows[*it].perturbation).ok().map(|vector| (*it, vector)))
        .collect();
    let mut x = Array2::zeros((found.len(), vectors.width()));
    for (mut row, (_, vector)) in x.rows_mut().into_iter().zip(&found) {
        row.assign(vector);
    }
    (found.into_iter().map(|it| it.0).collect(), x)
}

/// Whether any two rows differ by more than rounding.
pub(crate) fn has_variance(x: &Array2<f64>) -> bool {
    x.columns().into_iter().any(|column| {
        let (low, high) = column.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), it| (a.min(*it), b.max(*it)));
        high - low > 1e-14 * high.abs().max(low.abs())
    })
}
