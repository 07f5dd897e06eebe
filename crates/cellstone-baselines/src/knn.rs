//! k nearest neighbors on perturbation vectors, every choice by exact leave-one-out.

use crate::head::{DIM, EMBEDDING_PARAM, Input, PCA, Prepared, SCALE, delta_gram};
use crate::method::{ContextModel, Fit, PerContext, Plan, Spec};
use crate::params::{ParamInfo, Reader};
use crate::recipe::{Recipe, Source};
use crate::train::Train;
use cellstone_core::{FitCtx, Result, ViewRow, sum};
use ndarray::{Array1, Array2, ArrayView1};

const DISTANCE: ParamInfo = ParamInfo {
    name: "distance",
    default: "euclidean",
    range: "euclidean or cosine",
    meaning: "what near means; of equally near conditions the first in train order wins",
};
const WEIGHTS: ParamInfo = ParamInfo {
    name: "weights",
    default: "uniform",
    range: "uniform or softmax",
    meaning: "uniform mean of the neighbors' deltas, or weights softmax(cosine / tau)",
};
const K: ParamInfo = ParamInfo {
    name: "k",
    default: "auto",
    range: "a whole number from 1 to 100000, or auto",
    meaning: "neighbors (at most n); auto chooses among 1, 2, 3, 5, 8, 13, 20, 40, 60, 100 by leave-one-out mean L2",
};
const TAU: ParamInfo = ParamInfo {
    name: "tau",
    default: "auto",
    range: "a number from 1e-6 to 1e6, or auto",
    meaning: "temperature of softmax weights; auto chooses among 0.02, 0.05, 0.1, 0.2 by leave-one-out",
};
const SHRINK: ParamInfo = ParamInfo {
    name: "shrink",
    default: "1",
    range: "a number from 0 to 1, or auto",
    meaning: "rho in rho * kNN + (1 - rho) * train mean; auto chooses among 0, 0.1, ... 1 by leave-one-out",
};

/// Parameters of `knn`.
pub(crate) const PARAMS: &[ParamInfo] = &[EMBEDDING_PARAM, DIM, SCALE, PCA, K, DISTANCE, WEIGHTS, TAU, SHRINK];
/// Parameters of `random_embedding`.
pub(crate) const RANDOM_PARAMS: &[ParamInfo] = &[
    ParamInfo {
        name: "dim",
        default: "100",
        range: "a whole number from 1 to 10000",
        meaning: "length of the vectors",
    },
    K,
    DISTANCE,
    WEIGHTS,
    TAU,
    SHRINK,
];

const K_GRID: [usize; 10] = [1, 2, 3, 5, 8, 13, 20, 40, 60, 100];
const TAU_GRID: [f64; 4] = [0.02, 0.05, 0.1, 0.2];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distance {
    Euclidean,
    Cosine,
}

/// The method.
#[derive(Debug, Clone)]
pub(crate) struct Knn {
    input: Input,
    distance: Distance,
    k: Option<usize>,
    softmax: bool,
    /// Temperature of the softmax; `None` chooses.
    tau: Option<f64>,
    shrink: Option<f64>,
}

impl Knn {
    pub(crate) fn new(reader: &Reader<'_>) -> Result<Self> {
        Self::with_input(reader, Input::read(reader)?)
    }

    pub(crate) fn random(reader: &Reader<'_>) -> Result<Self> {
        let dim = reader.integer("dim", Some(100), 1, 10_000)?.unwrap_or(100);
        Self::with_input(reader, Input::random(dim))
    }

    fn with_input(reader: &Reader<'_>, input: Input) -> Result<Self> {
        let tau = reader.number("tau", None, 1e-6, 1e6)?;
        Ok(Self {
            input,
            distance: match reader.choice("distance", &["euclidean", "cosine"])? {
                "cosine" => Distance::Cosine,
                _ => Distance::Euclidean,
            },
            k: reader.integer("k", None, 1, 100_000)?,
            softmax: reader.choice("weights", &["uniform", "softmax"])? == "softmax",
            tau,
            shrink: reader.number("shrink", Some(1.0), 0.0, 1.0)?,
        })
    }

    fn k_grid(&self, n: usize) -> Vec<usize> {
        match self.k {
            Some(k) => vec![k.min(n)],
            // At most the number of conditions that are left when one is out. Large first: ties stay smooth.
            None => K_GRID.iter().rev().copied().filter(|it| *it == 1 || *it < n).collect(),
        }
    }

    fn tau_grid(&self) -> Vec<Option<f64>> {
        match self.tau {
            _ if !self.softmax => vec![None],
            Some(tau) => vec![Some(tau)],
            None => TAU_GRID.iter().rev().map(|it| Some(*it)).collect(),
        }
    }

    fn shrink_grid(&self) -> Vec<f64> {
        match self.shrink {
            Some(it) => vec![it],
            None => (0..=10).map(|it| f64::from(it) / 10.0).collect(),
        }
    }

    /// Everything the parameters leave open, in the order in which ties are broken.
    fn settings(&self, n: usize) -> Vec<Setting> {
        let mut out = Vec::new();
        for rho in self.shrink_grid() {
            for tau in self.tau_grid() {
                for k in self.k_grid(n) {
                    out.push(Setting { k, tau, rho });
                }
            }
        }
        out
    }
}

/// One choice of everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Setting {
    k: usize,
    tau: Option<f64>,
    rho: f64,
}

impl Spec for Knn {
    fn fit(&self, train: &Train, ctx: &mut FitCtx<'_>) -> Result<Fit> {
        let given = self.input.origin.resolve(ctx)?;
        let mut extra = Vec::new();
        let rule = PerContext::fit(train, ctx, |context, ctx| {
            let prepared = match self.input.prepare(given.as_ref(), train, context, false, ctx)? {
                Ok(it) => it,
                Err(reason) => return Ok(Err(reason)),
            };
            let settings = self.settings(prepared.rows.len());
            let setting = if settings.len() == 1 {
                settings[0]
            } else {
                let losses = self.leave_one_out(train, &prepared, &settings);
                let best = (1..losses.len()).fold(0, |best, it| if losses[it] < losses[best] { it } else { best });
                ctx.note(train.note_key("loo_l2", context), format!("{:.6}", losses[best]));
                settings[best]
            };
            ctx.note(train.note_key("k", context), setting.k);
            ctx.note(train.note_key("rho", context), setting.rho);
            if let Some(tau) = setting.tau {
                ctx.note(train.note_key("tau", context), tau);
            }
            let mean = Source::Extra(extra.len());
            extra.push(train.mean_of(&prepared.rows));
            Ok(Ok(Model { prepared, distance: self.distance, setting, mean }))
        })?;
        Ok(Fit { extra, rule: Box::new(rule) })
    }
}

impl Knn {
    /// Mean L2 of every setting when each condition in turn is left out; the train mean is that of the others.
    fn leave_one_out(&self, train: &Train, prepared: &Prepared, settings: &[Setting]) -> Vec<f64> {
        let n = prepared.rows.len();
        let gram = delta_gram(train, &prepared.rows, true);
        let errors = sum::map_ordered(n, |left_out| {
            let others: Vec<usize> = (0..n).filter(|it| *it != left_out).collect();
            let near = nearest(&prepared.x, &prepared.x.row(left_out), &others, self.distance);
            settings.iter().map(|it| left_out_error(&gram, left_out, &near, *it)).collect::<Vec<f64>>()
        });
        (0..settings.len()).map(|at| errors.iter().map(|it| it[at]).sum::<f64>() / n as f64).collect()
    }
}

/// `‖δ_i − ρ·kNN − (1−ρ)·mean of the others‖` from inner products of centred deltas alone.
fn left_out_error(gram: &Array2<f64>, at: usize, near: &[Neighbor], setting: Setting) -> f64 {
    let n = gram.nrows() as f64;
    let weights = weights(near, setting);
    let along: f64 = weights.iter().map(|(it, w)| w * gram[[at, *it]]).sum();
    let square: f64 =
        weights.iter().map(|(i, w)| w * weights.iter().map(|(j, v)| v * gram[[*i, *j]]).sum::<f64>()).sum();
    // Centred deltas sum to zero, so the mean of the others is −δ_i/(n−1).
    let own = gram[[at, at]];
    let uu = own * (n / (n - 1.0)).powi(2);
    let uv = n / (n - 1.0) * (along + own / (n - 1.0));
    let vv = square + 2.0 * along / (n - 1.0) + own / (n - 1.0).powi(2);
    (uu - 2.0 * setting.rho * uv + setting.rho * setting.rho * vv).max(0.0).sqrt()
}

/// A train condition as seen from a query.
struct Neighbor {
    /// Position among the rows that have a vector.
    at: usize,
    cosine: f64,
    distance: f64,
}

/// The candidates, nearest first; of equals the first in train order.
fn nearest(x: &Array2<f64>, query: &ArrayView1<'_, f64>, candidates: &[usize], distance: Distance) -> Vec<Neighbor> {
    let length = query.dot(query).sqrt();
    let neighbor = |at: &usize| {
        let row = x.row(*at);
        let scale = length * row.dot(&row).sqrt();
        let cosine = if scale > 0.0 { row.dot(query) / scale } else { 0.0 };
        let distance = match distance {
            Distance::Cosine => 1.0 - cosine,
            Distance::Euclidean => row.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum(),
        };
        Neighbor { at: *at, cosine, distance }
    };
    let mut out: Vec<Neighbor> = candidates.iter().map(neighbor).collect();
    out.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.at.cmp(&b.at)));
    out
}

/// Weights of the k nearest; they sum to one.
fn weights(near: &[Neighbor], setting: Setting) -> Vec<(usize, f64)> {
    let near = &near[..setting.k.min(near.len())];
    let Some(tau) = setting.tau else {
        return near.iter().map(|it| (it.at, 1.0 / near.len() as f64)).collect();
    };
    let top = near.iter().fold(f64::NEG_INFINITY, |acc, it| acc.max(it.cosine));
    let raw: Vec<f64> = near.iter().map(|it| ((it.cosine - top) / tau).exp()).collect();
    let total: f64 = raw.iter().sum();
    near.iter().zip(raw).map(|(it, w)| (it.at, w / total)).collect()
}

struct Model {
    prepared: Prepared,
    distance: Distance,
    setting: Setting,
    /// Mean delta of the train rows that have a vector.
    mean: Source,
}

impl ContextModel for Model {
    fn plan(&self, _: &Train, row: &ViewRow) -> Plan {
        let vector: Array1<f64> = match self.prepared.vector(&row.perturbation) {
            Ok(it) => it,
            Err(plan) => return plan,
        };
        let all: Vec<usize> = (0..self.prepared.rows.len()).collect();
        let near = nearest(&self.prepared.x, &vector.view(), &all, self.distance);
        let Setting { rho, .. } = self.setting;
        let mut recipe: Recipe = weights(&near, self.setting)
            .into_iter()
            .map(|(at, weight)| (Source::Train(self.prepared.rows[at]), rho * weight))
            .collect();
        if rho < 1.0 {
            recipe.push((self.mean, 1.0 - rho));
        }
        Plan::Own(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn ties_go_to_the_first_in_train_order() {
        let x = array![[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [3.0, 0.0]];
        let near = nearest(&x, &array![0.0, 0.0].view(), &[0, 1, 2, 3], Distance::Euclidean);
        assert_eq!(near.iter().map(|it| it.at).collect::<Vec<_>>(), [0, 1, 2, 3]);
        // A vector without direction is orthogonal to all.
        let near = nearest(&x, &array![0.0, 0.0].view(), &[3, 2], Distance::Cosine);
        assert_eq!(near.iter().map(|it| it.at).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn left_out_errors_equal_explicit_ones() {
        let y = array![[1.0, 2.0, 0.5], [0.0, -1.0, 2.0], [3.0, 0.0, 1.0], [0.3, 0.7, -2.0]];
        let x = array![[0.1], [0.4], [0.2], [0.9]];
        let mean = y.mean_axis(ndarray::Axis(0)).expect("rows");
        let centred = &y - &mean;
        let gram = centred.dot(&centred.t());
        for setting in [
            Setting { k: 2, tau: None, rho: 0.7 },
            Setting { k: 3, tau: Some(0.1), rho: 1.0 },
            Setting { k: 1, tau: None, rho: 0.0 },
        ] {
            for at in 0..4 {
                let others: Vec<usize> = (0..4).filter(|it| *it != at).collect();
                let near = nearest(&x, &x.row(at), &others, Distance::Euclidean);
                let mut predicted = others.iter().fold(Array1::zeros(3), |acc: Array1<f64>, it| acc + y.row(*it))
                    * ((1.0 - setting.rho) / 3.0);
                for (it, w) in weights(&near, setting) {
                    predicted.scaled_add(w * setting.rho, &y.row(it));
                }
                let rest = &y.row(at) - &predicted;
                let want = rest.dot(&rest).sqrt();
                assert!((left_out_error(&gram, at, &near, setting) - want).abs() < 1e-12);
            }
        }
    }
}
