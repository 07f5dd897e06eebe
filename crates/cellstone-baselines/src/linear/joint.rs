//! The linear model as one joint ridge problem, its penalty and rank by exact leave-one-out.

use super::forms::LinearSystem;
use super::input::{Conditions, G, P, given_genes, project, random_genes, training_scores};
use super::published::Model;
use super::{Given, fit_contexts};
use crate::features::{Origin, has_variance};
use crate::gene_scores::RANK_TOLERANCE;
use crate::method::{Fit, Spec};
use crate::params::{ParamInfo, Reader};
use crate::train::{NO_VARIANCE, TOO_FEW, Train};
use cellstone_core::{FitCtx, Result};
use cellstone_prep::{gram, gram_t, matmul, sym_eig};
use ndarray::{Array1, Array2, Axis, Slice};
use std::sync::Arc;

/// Parameters of `linear_joint`.
pub(crate) const PARAMS: &[ParamInfo] = &[
    ParamInfo {
        name: "k",
        default: "auto",
        range: "a whole number from 1 to 10000, or auto",
        meaning: "components of training vectors (at most their rank), or length of random ones (10 under auto); auto \
                  chooses among 2, 5, 10, 20, 40 by leave-one-out mean L2",
    },
    ParamInfo {
        name: "lambda",
        default: "auto",
        range: "a number from 1e-12 to 1e12, or auto",
        meaning: "penalty in units of (mean eigenvalue of GᵀG) times (mean eigenvalue of PPᵀ); auto chooses among 33 \
                  powers of ten from 1e-4 to 1e4 by leave-one-out mean L2",
    },
    G,
    P,
];

const K_GRID: [usize; 5] = [2, 5, 10, 20, 40];
const DEFAULT_WIDTH: usize = 10;

/// The method.
#[derive(Debug, Clone)]
pub(crate) struct Joint {
    k: Option<usize>,
    lambda: Option<f64>,
    g: Origin,
    p: Origin,
}

impl Joint {
    pub(crate) fn new(reader: &Reader<'_>) -> Result<Self> {
        Ok(Self {
            k: reader.integer("k", None, 1, 10_000)?,
            lambda: reader.number("lambda", None, 1e-12, 1e12)?,
            g: Origin::parse(&reader.word("g", "training")?),
            p: Origin::parse(&reader.word("p", "auto")?),
        })
    }
}

impl Spec for Joint {
    fn fit(&self, train: &Train, ctx: &mut FitCtx<'_>) -> Result<Fit> {
        fit_contexts(train, ctx, (&self.g, &self.p), |context, given, extra, ctx| {
            self.fit_context(train, context, given, extra, ctx)
        })
    }
}

/// The best penalty of one rank.
struct Candidate {
    loss: f64,
    relative: f64,
    lambda: f64,
    k: usize,
    rows: Vec<usize>,
    vectors: Array2<f64>,
    conditions: Conditions,
}

impl Joint {
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
        let widest = self.k.unwrap_or(K_GRID[K_GRID.len() - 1]);
        let uses_scores = self.g == Origin::Training || p == Origin::Training;
        let scores = if uses_scores { training_scores(train, context, widest)? } else { Array2::zeros((0, 0)) };
        let genes = match given.0 {
            Some(table) => given_genes(table, &train.controls.var).0,
            None if self.g == Origin::Random => {
                random_genes(&train.controls.var, self.k.unwrap_or(DEFAULT_WIDTH), ctx.seed)
            }
            None => scores.clone(),
        };
        let ranks: Vec<usize> = if !uses_scores {
            vec![0]
        } else if self.k.is_some() {
            vec![scores.nrows()]
        } else {
            // Ranks above that of the data repeat it.
            K_GRID
                .iter()
                .copied()
                .filter(|it| *it < scores.nrows().min(widest))
                .chain([scores.nrows().min(widest)])
                .collect()
        };
        let mut best: Option<Candidate> = None;
        let mut reason = NO_VARIANCE;
        for k in ranks {
            ctx.check_cancelled()?;
            let genes_k = self.leading_genes(&genes, k);
            let scores_k = Arc::new(leading_rows(&scores, k));
            let width = if uses_scores { k.max(1) } else { self.k.unwrap_or(DEFAULT_WIDTH) };
            let conditions = Conditions::new(&p, given.1, &scores_k, train, context, (width, ctx.seed))?;
            let (rows, vectors) = conditions.of_train(train, context);
            if rows.len() < 2 {
                reason = if rows.is_empty() { "no train condition with an embedding" } else { TOO_FEW };
                continue;
            }
            if genes_k.is_empty() || !has_variance(&vectors) {
                continue;
            }
            let (loss, relative, lambda) = self.choose(train, &genes_k, &rows, &vectors)?;
            if best.as_ref().is_none_or(|it| loss < it.loss) {
                best = Some(Candidate { loss, relative, lambda, k: genes_k.nrows(), rows, vectors, conditions });
            }
        }
        let Some(best) = best else { return Ok(Err(reason)) };
        ctx.note(key("k"), best.k);
        ctx.note(key("lambda"), format!("{:.4e}", best.relative));
        ctx.note(key("lambda_absolute"), format!("{:.6e}", best.lambda));
        ctx.note(key("loo_l2"), format!("{:.6}", best.loss));
        ctx.note(key("n_train_with_vector"), format!("{} of {}", best.rows.len(), train.members(context).len()));
        Ok(Ok(solve(train, context, &self.leading_genes(&genes, best.k), best, extra)?))
    }

    fn leading_genes(&self, genes: &Array2<f64>, k: usize) -> Array2<f64> {
        if self.g == Origin::Training { leading_rows(genes, k) } else { genes.clone() }
    }

    /// Loss, relative penalty, absolute penalty.
    fn choose(
        &self,
        train: &Train,
        genes: &Array2<f64>,
        rows: &[usize],
        vectors: &Array2<f64>,
    ) -> Result<(f64, f64, f64)> {
        let problem = Problem::new(train, genes, rows, vectors)?;
        let grid = self.lambda.map_or_else(|| crate::params::grid().rev().collect(), |it| vec![it]);
        let mut best = (f64::INFINITY, grid[0], grid[0] * problem.unit);
        for relative in grid {
            let errors = problem.errors(relative * problem.unit);
            let loss = errors.sum() / errors.len() as f64;
            if loss < best.0 {
                best = (loss, relative, relative * problem.unit);
            }
        }
        Ok(best)
    }
}

fn solve(
    train: &Train,
    context: usize,
    genes: &Array2<f64>,
    best: Candidate,
    extra: &mut Vec<Array1<f64>>,
) -> Result<Model> {
    let (centre, centred) = centred(&best.vectors);
    // The offset is the mean over *all* train conditions, with or without a vector.
    let offset = train.mean_of(train.members(context));
    let gtyp = matmul(&project(genes, train, &best.rows).view(), &centred.view());
    let system = LinearSystem::new(&gram(&genes.view()), &gram_t(&centred.view()), &gtyp)?;
    Ok(Model::new(best.conditions, Some(centre), system.joint(best.lambda), genes, offset, extra))
}

fn leading_rows(m: &Array2<f64>, k: usize) -> Array2<f64> {
    m.slice_axis(Axis(0), Slice::from(..k.min(m.nrows()))).to_owned()
}

fn centred(vectors: &Array2<f64>) -> (Array1<f64>, Array2<f64>) {
    let centre = vectors.sum_axis(Axis(0)) / vectors.nrows() as f64;
    (centre.clone(), vectors - &centre)
}

/// The joint problem split along the eigenvectors of `GᵀG`.
///
/// Along direction i the joint ridge is an ordinary ridge of `z_i = (G u_i)ᵀY/√a_i` on P with penalty `λ/a_i` and a
/// free constant, so its leave-one-out errors are exact for G as given; outside the span of G the mean of the other
/// conditions predicts.
struct Problem {
    /// Eigenvalues of `GᵀG` above rounding.
    a: Array1<f64>,
    /// `[r_g, n]`, centred over conditions.
    z: Array2<f64>,
    /// Eigenvalues and vectors of the centred `PPᵀ`, `[r]` and `[n, r]`.
    c: Array1<f64>,
    q: Array2<f64>,
    /// Squared norm of what lies outside the span of G, left out.
    outside: Array1<f64>,
    /// `(mean a) · (mean c)`.
    unit: f64,
}

impl Problem {
    fn new(train: &Train, genes: &Array2<f64>, rows: &[usize], vectors: &Array2<f64>) -> Result<Self> {
        let n = rows.len() as f64;
        let (a, u) = positive(&gram(&genes.view()))?;
        let (_, centred) = centred(vectors);
        let (c, q) = positive(&gram(&centred.view()))?;
        let mut z = matmul(&u.t(), &project(genes, train, rows).view());
        for (mut row, a) in z.rows_mut().into_iter().zip(&a) {
            row /= a.sqrt();
            let mean = row.sum() / n;
            row -= mean;
        }
        let mean = train.mean_of(rows);
        let stretch = (n / (n - 1.0)).powi(2);
        let outside = Array1::from_shape_fn(rows.len(), |at| {
            let rest = &train.deltas.row(rows[at]) - &mean;
            (rest.dot(&rest) - z.column(at).dot(&z.column(at))).max(0.0) * stretch
        });
        let unit = (a.sum() / a.len().max(1) as f64) * (c.sum() / n);
        Ok(Self { a, z, c, q, outside, unit })
    }

    /// `‖e_i‖` of every condition under one penalty.
    fn errors(&self, lambda: f64) -> Array1<f64> {
        let n = self.q.nrows();
        let mut square = self.outside.clone();
        let zq = matmul(&self.z.view(), &self.q.view());
        for (i, a) in self.a.iter().enumerate() {
            // 1 − c/(c + λ/a), written so that nothing cancels.
            let omega = self.c.mapv(|c| lambda / (a * c + lambda));
            let coefficients = &zq.row(i) * &omega;
            let full = self.c.len() + 1 == n;
            for at in 0..n {
                let row = self.q.row(at);
                let (z_out, left) = if full {
                    (0.0, 0.0)
                } else {
                    (self.z[[i, at]] - zq.row(i).dot(&row), (1.0 - 1.0 / n as f64 - row.dot(&row)).max(0.0))
                };
                let residual = z_out + coefficients.dot(&row);
                let b = left + row.iter().zip(&omega).map(|(q, w)| q * q * w).sum::<f64>();
                if b > 0.0 {
                    square[at] += (residual / b).powi(2);
                }
            }
        }
        square.mapv(f64::sqrt)
    }
}

/// Eigenvalues above rounding, largest first, with their vectors.
fn positive(m: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let (values, vectors) = sym_eig(m)?;
    let floor = values.last().copied().unwrap_or(0.0) * RANK_TOLERANCE;
    let kept: Vec<usize> = (0..values.len()).rev().filter(|it| values[*it] > floor && values[*it] > 0.0).collect();
    Ok((values.select(Axis(0), &kept), vectors.select(Axis(1), &kept)))
}
