//! Gene vectors G and perturbation vectors P of the linear models.

use crate::features::{Origin, Vectors};
use crate::gene_scores::gene_scores;
use crate::params::ParamInfo;
use crate::train::Train;
use cellstone_core::{Embedding, Perturbation, Result, Seed, SeedRng, Var};
use ndarray::{Array1, Array2, Axis};
use rand::RngExt;
use std::sync::Arc;

pub(super) const G: ParamInfo = ParamInfo {
    name: "g",
    default: "training",
    range: "training, random, or the name of a given embedding",
    meaning: "gene vectors: training = principal component scores of genes over train profiles and control",
};
pub(super) const P: ParamInfo = ParamInfo {
    name: "p",
    default: "auto",
    range: "auto, training, targets, random, or the name of a given embedding",
    meaning: "perturbation vectors: training = the gene vectors of G's training scores; targets = indicator of the \
              targets seen in train; auto = training if at least half of the train targets are measured genes, else \
              targets; combinations add up",
};

/// Gene vectors as rows, `[k, n_vars]`: training scores of one context's raw profiles, its control among them.
pub(super) fn training_scores(train: &Train, context: usize, k: usize) -> Result<Array2<f64>> {
    let rows = train.members(context);
    let control = train.controls.profiles.row(context);
    let mut profiles = Array2::zeros((rows.len() + 1, train.n_vars()));
    for (mut row, at) in profiles.rows_mut().into_iter().zip(rows) {
        row.assign(&train.deltas.row(*at));
        row += &control;
    }
    profiles.row_mut(rows.len()).assign(&control);
    gene_scores(&profiles.view(), k)
}

/// Gene vectors from an embedding, `[width, n_vars]`, and how many genes have one; the others are zero.
pub(super) fn given_genes(table: &Embedding, var: &Var) -> (Array2<f64>, usize) {
    let mut out = Array2::zeros((table.width(), var.len()));
    let mut found = 0;
    for (col, mut column) in out.columns_mut().into_iter().enumerate() {
        if let Some(it) = table.get(var.label(col)).or_else(|| table.get(&var.ids()[col])) {
            column.assign(&it);
            found += 1;
        }
    }
    (out, found)
}

/// Gene vectors of independent normal values, one stream per gene name.
pub(super) fn random_genes(var: &Var, k: usize, seed: Seed) -> Array2<f64> {
    let mut out = Array2::zeros((k, var.len()));
    for (id, mut column) in var.ids().iter().zip(out.columns_mut()) {
        let mut rng = seed.derive("random_g").derive(id).rng();
        column.mapv_inplace(|_| normal(&mut rng));
    }
    out
}

/// A standard normal value (Box and Muller).
fn normal(rng: &mut SeedRng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Perturbation vectors of one context.
pub(super) enum Conditions {
    /// Sums over targets.
    Targets(Vectors),
    /// An independent normal vector for every condition, the control among them.
    Random { seed: Seed, width: usize },
}

impl Conditions {
    /// `scores` are the gene vectors that `training` refers to.
    pub(super) fn new(
        origin: &Origin,
        given: Option<&Arc<Embedding>>,
        scores: &Arc<Array2<f64>>,
        train: &Train,
        context: usize,
        (k, seed): (usize, Seed),
    ) -> Result<Self> {
        Ok(match origin {
            Origin::Random => Self::Random { seed: seed.derive("random_p"), width: k },
            Origin::Training => {
                Self::Targets(Vectors::Genes { scores: Arc::clone(scores), var: train.controls.var.clone() })
            }
            _ => Self::Targets(Vectors::new(origin, given, train, context, k, seed)?),
        })
    }

    pub(super) fn width(&self) -> usize {
        match self {
            Self::Targets(it) => it.width(),
            Self::Random { width, .. } => *width,
        }
    }

    pub(super) fn of(&self, perturbation: &Perturbation) -> std::result::Result<Array1<f64>, &'static str> {
        match self {
            Self::Targets(it) => it.of(perturbation),
            Self::Random { .. } => Ok(self.random(&perturbation.to_string())),
        }
    }

    /// The vector of the control: its own where the embedding has one, else zero.
    pub(super) fn control(&self) -> Array1<f64> {
        let own = match self {
            Self::Targets(Vectors::Given { table, .. }) => {
                ["control", "ctrl"].iter().find_map(|it| table.get(it)).map(|it| it.to_owned())
            }
            Self::Random { .. } => Some(self.random("control")),
            Self::Targets(_) => None,
        };
        own.unwrap_or_else(|| Array1::zeros(self.width()))
    }

    fn random(&self, name: &str) -> Array1<f64> {
        let Self::Random { seed, width } = self else { return Array1::zeros(0) };
        let mut rng = seed.derive(name).rng();
        Array1::from_shape_simple_fn(*width, || normal(&mut rng))
    }

    /// Train rows of a context that have a vector, and the vectors, `[n, d]`.
    pub(super) fn of_train(&self, train: &Train, context: usize) -> (Vec<usize>, Array2<f64>) {
        let mut rows = Vec::new();
        let mut out = Array2::zeros((0, self.width()));
        for at in train.members(context) {
            if let Ok(vector) = self.of(&train.rows[*at].perturbation) {
                rows.push(*at);
                out.push_row(vector.view()).expect("invariant: every vector has the width of the embedding");
            }
        }
        (rows, out)
    }
}

/// Inner products of gene vectors `[k, n_vars]` with train deltas, `[k, n]`.
pub(super) fn project(genes: &Array2<f64>, train: &Train, rows: &[usize]) -> Array2<f64> {
    cellstone_prep::matmul(&genes.view(), &train.deltas.select(Axis(0), rows).t())
}
