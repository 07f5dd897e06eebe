//! Ridge and kernel ridge on perturbation vectors, with the penalty by exact leave-one-out.

use crate::head::{DIM, EMBEDDING_PARAM, Input, PCA, Prepared, SCALE, delta_gram};
use crate::loo::LeaveOneOut;
use crate::method::{ContextModel, Fit, PerContext, Plan, Spec};
use crate::params::{ParamInfo, Reader};
use crate::recipe::Source;
use crate::train::{NO_VARIANCE, Train};
use cellstone_core::{FitCtx, Result, ViewRow};
use cellstone_prep::{gram, solve_spd};
use ndarray::{Array1, Array2, ArrayView1};

/// Parameters of `ridge`.
pub(crate) const PARAMS: &[ParamInfo] = &[
    EMBEDDING_PARAM,
    DIM,
    SCALE,
    PCA,
    ParamInfo {
        name: "lambda",
        default: "auto",
        range: "a number from 1e-8 to 1e12, or auto",
        meaning: "penalty in units of the mean eigenvalue of the centered kernel; auto chooses among 33 powers of ten \
                  from 1e-4 to 1e4 by exact leave-one-out",
    },
    ParamInfo {
        name: "kernel",
        default: "linear",
        range: "linear, cosine, rbf or laplacian",
        meaning: "likeness of vectors; the widths of rbf and laplacian are the median distance in train",
    },
    ParamInfo {
        name: "mean",
        default: "free",
        range: "free, zero or auto",
        meaning: "constant added to every delta: estimated, zero, or whichever leaves less error out of sample",
    },
    ParamInfo {
        name: "criterion",
        default: "l2",
        range: "l2 or squared",
        meaning: "mean norm of the left-out errors, or their mean square (which the noise of the truth shifts alike)",
    },
    ParamInfo {
        name: "noise",
        default: "false",
        range: "true or false",
        meaning: "penalize each condition by its sampling noise (nu = T / mean T) where noise is known",
    },
];

/// Noise below this share of the mean is raised to it: no mean of cells is exact.
const LEAST_NOISE: f64 = 1e-3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Linear,
    Cosine,
    Rbf,
    Laplacian,
}

/// The method.
#[derive(Debug, Clone)]
pub(crate) struct Ridge {
    input: Input,
    lambda: Option<f64>,
    kernel: Kernel,
    /// `None` chooses.
    free_mean: Option<bool>,
    squared: bool,
    noise: bool,
}

impl Ridge {
    pub(crate) fn new(reader: &Reader<'_>) -> Result<Self> {
        Ok(Self {
            input: Input::read(reader)?,
            lambda: reader.number("lambda", None, 1e-8, 1e12)?,
            kernel: match reader.choice("kernel", &["linear", "cosine", "rbf", "laplacian"])? {
                "cosine" => Kernel::Cosine,
                "rbf" => Kernel::Rbf,
                "laplacian" => Kernel::Laplacian,
                _ => Kernel::Linear,
            },
            free_mean: match reader.choice("mean", &["free", "zero", "auto"])? {
                "zero" => Some(false),
                "auto" => None,
                _ => Some(true),
            },
            squared: reader.choice("criterion", &["l2", "squared"])? == "squared",
            noise: reader.flag("noise")?,
        })
    }

    fn nu(&self, train: &Train, rows: &[usize]) -> Option<Array1<f64>> {
        let noise = train.noise.as_ref().filter(|_| self.noise)?;
        let picked: Array1<f64> = rows.iter().map(|it| noise[*it]).collect();
        let mean = picked.sum() / picked.len() as f64;
        (mean > 0.0).then(|| picked.mapv(|it| (it / mean).max(LEAST_NOISE)))
    }

    fn fit_context(
        &self,
        train: &Train,
        context: usize,
        prepared: Prepared,
        ctx: &mut FitCtx<'_>,
    ) -> Result<std::result::Result<Model, &'static str>> {
        let mut note = |name: &str, value: String| ctx.note(train.note_key(name, context), value);
        let rows = &prepared.rows;
        let nu = self.nu(train, rows);
        if self.noise {
            note("noise", if nu.is_some() { "used" } else { "not known: conditions count alike" }.to_owned());
        }
        let nu = nu.unwrap_or_else(|| Array1::ones(rows.len()));
        let likeness = Likeness::new(self.kernel, &prepared.x);
        let kernel = likeness.matrix(&prepared.x);
        let gram = delta_gram(train, rows, false);
        let mut best: Option<Choice> = None;
        for free_mean in self.free_mean.map_or(vec![true, false], |it| vec![it]) {
            let loo = LeaveOneOut::new(&kernel, &gram, &nu, free_mean)?;
            let unit = loo.mean_eigenvalue();
            if unit <= 0.0 {
                continue;
            }
            let grid = self.lambda.map_or_else(|| crate::params::grid().rev().collect(), |it| vec![it]);
            for relative in grid {
                let loss = self.loss(&loo.errors(relative * unit));
                if best.as_ref().is_none_or(|it| loss < it.loss) {
                    best = Some(Choice { loss, relative, lambda: relative * unit, free_mean });
                }
            }
        }
        let Some(choice) = best else { return Ok(Err(NO_VARIANCE)) };
        note("lambda", format!("{:.4e}", choice.relative));
        note("lambda_absolute", format!("{:.6e}", choice.lambda));
        note(if self.squared { "loo_mse" } else { "loo_l2" }, format!("{:.6}", choice.loss));
        if self.free_mean.is_none() {
            note("mean", if choice.free_mean { "free" } else { "zero" }.to_owned());
        }
        Ok(Ok(Model::new(prepared, likeness, &kernel, &nu, &choice)?))
    }

    fn loss(&self, errors: &Array1<f64>) -> f64 {
        let total = if self.squared { errors.dot(errors) } else { errors.sum() };
        total / errors.len() as f64
    }
}

struct Choice {
    loss: f64,
    relative: f64,
    lambda: f64,
    free_mean: bool,
}

impl Spec for Ridge {
    fn fit(&self, train: &Train, ctx: &mut FitCtx<'_>) -> Result<Fit> {
        let given = self.input.origin.resolve(ctx)?;
        // A free mean absorbs the centre of the vectors; without it the origin has a meaning and must stay.
        let centre = self.free_mean == Some(true) && self.kernel == Kernel::Linear;
        let rule = PerContext::fit(train, ctx, |context, ctx| {
            match self.input.prepare(given.as_ref(), train, context, centre, ctx)? {
                Ok(prepared) => self.fit_context(train, context, prepared, ctx),
                Err(reason) => Ok(Err(reason)),
            }
        })?;
        Ok(Fit { extra: Vec::new(), rule: Box::new(rule) })
    }
}

/// A kernel with its width.
#[derive(Debug, Clone, Copy)]
struct Likeness {
    kernel: Kernel,
    width: f64,
}

impl Likeness {
    fn new(kernel: Kernel, x: &Array2<f64>) -> Self {
        let mut distances = Vec::new();
        if matches!(kernel, Kernel::Rbf | Kernel::Laplacian) {
            for i in 0..x.nrows() {
                for j in i + 1..x.nrows() {
                    distances.push(square_distance(&x.row(i), &x.row(j)).sqrt());
                }
            }
            distances.retain(|it| *it > 0.0);
            distances.sort_by(f64::total_cmp);
        }
        Self { kernel, width: distances.get(distances.len() / 2).copied().unwrap_or(1.0) }
    }

    fn of(self, a: &ArrayView1<'_, f64>, b: &ArrayView1<'_, f64>) -> f64 {
        match self.kernel {
            Kernel::Linear => a.dot(b),
            Kernel::Cosine => {
                let scale = (a.dot(a) * b.dot(b)).sqrt();
                if scale > 0.0 { a.dot(b) / scale } else { 0.0 }
            }
            Kernel::Rbf => (-square_distance(a, b) / (2.0 * self.width * self.width)).exp(),
            Kernel::Laplacian => (-square_distance(a, b).sqrt() / self.width).exp(),
        }
    }

    fn matrix(self, x: &Array2<f64>) -> Array2<f64> {
        if self.kernel == Kernel::Linear {
            return gram(&x.view());
        }
        let n = x.nrows();
        let mut out = Array2::zeros((n, n));
        for i in 0..n {
            for j in 0..=i {
                let value = self.of(&x.row(i), &x.row(j));
                (out[[i, j]], out[[j, i]]) = (value, value);
            }
        }
        out
    }
}

fn square_distance(a: &ArrayView1<'_, f64>, b: &ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// `ŷ_* = μ + k_*ᵀ A⁻¹ (Y − 1μ)` as weights on train deltas: `w_* = m + B k_*`.
struct Model {
    prepared: Prepared,
    likeness: Likeness,
    /// `A⁻¹1 / (1ᵀA⁻¹1)`, or zero without a free mean.
    mean: Array1<f64>,
    /// `[n, n]`.
    b: Array2<f64>,
}

impl Model {
    fn new(
        prepared: Prepared,
        likeness: Likeness,
        kernel: &Array2<f64>,
        nu: &Array1<f64>,
        choice: &Choice,
    ) -> Result<Self> {
        let n = prepared.rows.len();
        let mut a = kernel.clone();
        for i in 0..n {
            a[[i, i]] += choice.lambda * nu[i];
        }
        let mut b = solve_spd(&a, &Array2::eye(n))?;
        let mut mean = Array1::zeros(n);
        if choice.free_mean {
            let ones = b.sum_axis(ndarray::Axis(1));
            let total = ones.sum();
            for ((i, j), it) in b.indexed_iter_mut() {
                *it -= ones[i] * ones[j] / total;
            }
            mean = ones / total;
        }
        Ok(Self { prepared, likeness, mean, b })
    }
}

impl ContextModel for Model {
    fn plan(&self, _: &Train, row: &ViewRow) -> Plan {
        let vector = match self.prepared.vector(&row.perturbation) {
            Ok(it) => it,
            Err(plan) => return plan,
        };
        let near: Array1<f64> =
            self.prepared.x.rows().into_iter().map(|it| self.likeness.of(&it, &vector.view())).collect();
        let weights = self.b.dot(&near) + &self.mean;
        Plan::Own(self.prepared.rows.iter().map(|it| Source::Train(*it)).zip(weights).collect())
    }
}
