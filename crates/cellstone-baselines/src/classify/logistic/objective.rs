//! The loss and its gradient, one pass over the features.

use cellstone_core::sum::{map_ordered, pairwise};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};

/// Rows of a block: its features stay in the second-level cache between the two products.
const ROWS: usize = 64;
/// Parts of the cells whose gradients are added in order: fixed, so that results do not depend on threads.
const PARTS: usize = 16;

/// `1/S Σ w_i (−ln softmax(x_i W + b)_{y_i}) + λ/2 ‖W‖²`, S the sum of weights.
///
/// Parameters are `W` `[d, k]`, row by row, and then `b` `[k]`. Features are centred on the way, which only moves `b`:
/// the intercept then hardly depends on the coefficients and the search is short.
pub(super) struct Objective<'a> {
    x: ArrayView2<'a, f64>,
    y: &'a [u32],
    weights: &'a [f64],
    total: f64,
    k: usize,
    means: Array1<f64>,
    /// Weighted mean of squared centred features.
    spread: Array1<f64>,
    pub(super) lambda: f64,
}

struct Part {
    loss: f64,
    gradient: Array2<f64>,
    intercepts: Array1<f64>,
}

impl<'a> Objective<'a> {
    /// `y` counts classes that are there, without gaps; `x` has finite values.
    pub(super) fn new(x: ArrayView2<'a, f64>, y: &'a [u32], weights: &'a [f64], k: usize) -> Self {
        let total = pairwise(weights);
        let d = x.ncols();
        let parts = map_ordered(PARTS, |part| {
            let mut sums = [Array1::<f64>::zeros(d), Array1::zeros(d)];
            for row in part_range(part, y.len()) {
                sums[0].scaled_add(weights[row], &x.row(row));
                let w = weights[row];
                sums[1].zip_mut_with(&x.row(row), |sum, it| *sum += w * it * it);
            }
            sums
        });
        let [mut means, mut spread] = [Array1::<f64>::zeros(d), Array1::zeros(d)];
        for [sums, squares] in parts {
            means += &sums;
            spread += &squares;
        }
        means /= total;
        spread /= total;
        spread.zip_mut_with(&means, |it, mean| *it = (*it - mean * mean).max(0.0));
        Self { x, y, weights, total, k, means, spread, lambda: 0.0 }
    }

    pub(super) fn n_parameters(&self) -> usize {
        (self.x.ncols() + 1) * self.k
    }

    pub(super) fn total(&self) -> f64 {
        self.total
    }

    /// A diagonal near the curvature at equal probabilities.
    pub(super) fn curvature(&self) -> Vec<f64> {
        let k = self.k as f64;
        let peak = (k - 1.0) / (k * k);
        let of = |spread: f64, lambda: f64| (peak * spread + lambda).max(1e-12);
        let features = self.spread.iter().flat_map(|it| vec![of(*it, self.lambda); self.k]);
        features.chain(vec![of(1.0, 0.0); self.k]).collect()
    }

    /// The intercepts as they act on features that are not centred.
    pub(super) fn unpack(&self, parameters: &[f64]) -> (Array2<f64>, Array1<f64>) {
        let (d, k) = (self.x.ncols(), self.k);
        let w = Array2::from_shape_fn((d, k), |(i, j)| parameters[i * k + j]);
        let b = Array1::from_iter(parameters[d * k..].iter().copied()) - self.means.dot(&w);
        (w, b)
    }

    /// The loss; `gradient` is filled.
    pub(super) fn evaluate(&self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (d, k) = (self.x.ncols(), self.k);
        let (w, b) = self.unpack(parameters);
        let parts = map_ordered(PARTS, |part| self.part(part, &w, &b));
        let mut slopes = Array2::<f64>::zeros((d, k));
        let mut intercepts = Array1::<f64>::zeros(k);
        for part in &parts {
            slopes += &part.gradient;
            intercepts += &part.intercepts;
        }
        for ((i, j), it) in slopes.indexed_iter() {
            gradient[i * k + j] = (it - self.means[i] * intercepts[j]) / self.total + self.lambda * w[[i, j]];
        }
        gradient[d * k..].iter_mut().zip(&intercepts).for_each(|(slot, it)| *slot = it / self.total);
        let loss: Vec<f64> = parts.iter().map(|it| it.loss).collect();
        pairwise(&loss) / self.total + 0.5 * self.lambda * w.iter().map(|it| it * it).sum::<f64>()
    }

    fn part(&self, part: usize, w: &Array2<f64>, b: &Array1<f64>) -> Part {
        let range = part_range(part, self.y.len());
        let mut out = Part { loss: 0.0, gradient: Array2::zeros(w.dim()), intercepts: Array1::zeros(self.k) };
        let mut z = Array2::<f64>::zeros((ROWS, self.k));
        for from in range.clone().step_by(ROWS) {
            let to = range.end.min(from + ROWS);
            let x = self.x.slice_axis(Axis(0), Slice::from(from..to));
            let mut z = z.slice_axis_mut(Axis(0), Slice::from(..to - from));
            z.rows_mut().into_iter().for_each(|mut row| row.assign(b));
            general_mat_mul(1.0, &x, w, 1.0, &mut z);
            for (row, mut z) in (from..to).zip(z.rows_mut()) {
                let (y, weight) = (self.y[row] as usize, self.weights[row]);
                let top = z.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
                let own = z[y];
                z.mapv_inplace(|it| (it - top).exp());
                let sum = z.sum();
                out.loss += weight * (sum.ln() + top - own);
                z.mapv_inplace(|it| weight * it / sum);
                z[y] -= weight;
                out.intercepts += &z;
            }
            general_mat_mul(1.0, &x.t(), &z, 1.0, &mut out.gradient);
        }
        out
    }
}

fn part_range(part: usize, n: usize) -> std::ops::Range<usize> {
    part * n / PARTS..(part + 1) * n / PARTS
}
