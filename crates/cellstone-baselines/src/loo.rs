//! Exact leave-one-out errors of kernel ridge regression with a free constant mean, for a whole grid of penalties.
//!
//! With `A = K + λN`, `N = diag(ν)`, and `B = A⁻¹ − A⁻¹11ᵀA⁻¹/(1ᵀA⁻¹1)`, the error of condition i when it is left out
//! is `e_i = (BY)_i / B_ii`. Dividing rows by `√ν` turns A into `K̃ + λI`; then one eigen-decomposition of K̃, projected
//! off the mean direction, serves every λ, and `‖e_i‖` needs the outputs through their n × n inner products alone.

use crate::gene_scores::RANK_TOLERANCE;
use cellstone_core::Result;
use cellstone_prep::{matmul, sym_eig};
use ndarray::{Array1, Array2, Axis};

/// The decomposition that all penalties share.
#[derive(Debug, Clone)]
pub struct LeaveOneOut {
    /// `1/√ν`.
    scale: Array1<f64>,
    /// Eigenvalues above rounding.
    theta: Array1<f64>,
    /// Their vectors, `[n, r]`.
    q: Array2<f64>,
    /// `qᵀ Ỹ Ỹᵀ q`, `[r, r]`.
    inner: Array2<f64>,
    /// `(Ỹ Ỹᵀ q)` of the part of Ỹ outside the span of q, `[n, r]`.
    cross: Array2<f64>,
    /// Squared norms of that part.
    outside: Array1<f64>,
    /// Diagonal of the projection on it.
    leverage_left: Array1<f64>,
}

impl LeaveOneOut {
    /// Decomposes a kernel matrix `[n, n]`, outputs given by `gram = Y Yᵀ` `[n, n]`, noise shape `nu` `[n]` (positive).
    ///
    /// With `free_mean` the constant mean is estimated with the rest; else it is zero.
    ///
    /// # Errors
    /// If the eigen-decomposition fails.
    pub fn new(kernel: &Array2<f64>, gram: &Array2<f64>, nu: &Array1<f64>, free_mean: bool) -> Result<Self> {
        let n = kernel.nrows();
        let scale = nu.mapv(|it| 1.0 / it.sqrt());
        let unit = &scale / scale.dot(&scale).sqrt();
        let unit = free_mean.then_some(&unit);
        let scaled = |m: &Array2<f64>| {
            let mut out = m.clone();
            for ((i, j), it) in out.indexed_iter_mut() {
                *it *= scale[i] * scale[j];
            }
            project_off(out, unit)
        };
        let (values, vectors) = sym_eig(&scaled(kernel))?;
        let floor = values.last().copied().unwrap_or(0.0) * RANK_TOLERANCE;
        let full = n - usize::from(free_mean);
        let kept: Vec<usize> = (0..n).rev().filter(|it| values[*it] > floor && values[*it] > 0.0).take(full).collect();
        let theta = values.select(Axis(0), &kept);
        let q = vectors.select(Axis(1), &kept);
        let gram = scaled(gram);
        let gram_q = matmul(&gram.view(), &q.view());
        let inner = matmul(&q.t(), &gram_q.view());
        let mut out = Self {
            cross: &gram_q - &matmul(&q.view(), &inner.view()),
            outside: Array1::zeros(n),
            leverage_left: Array1::zeros(n),
            scale,
            theta,
            q,
            inner,
        };
        // With full rank nothing lies outside: keep exact zeros instead of rounding that 1/λ would blow up.
        if out.theta.len() == full {
            out.cross.fill(0.0);
            return Ok(out);
        }
        for i in 0..n {
            let row = out.q.row(i);
            let shared: f64 = 2.0 * row.dot(&gram_q.row(i)) - row.dot(&out.inner.dot(&row));
            out.outside[i] = (gram[[i, i]] - shared).max(0.0);
            out.leverage_left[i] = (1.0 - unit.map_or(0.0, |it| it[i] * it[i]) - row.dot(&row)).max(0.0);
        }
        Ok(out)
    }

    /// `tr K̃_c / n`, the scale of sensible penalties; 0 where the kernel has no variance.
    pub fn mean_eigenvalue(&self) -> f64 {
        self.theta.sum() / self.scale.len() as f64
    }

    /// `‖e_i‖` of every condition under one penalty.
    pub fn errors(&self, lambda: f64) -> Array1<f64> {
        let omega = self.theta.mapv(|it| lambda / (it + lambda));
        let weighted = &self.q * &omega;
        let spread = matmul(&weighted.view(), &self.inner.view());
        Array1::from_shape_fn(self.scale.len(), |i| {
            let row = weighted.row(i);
            let square = self.outside[i] + 2.0 * row.dot(&self.cross.row(i)) + row.dot(&spread.row(i));
            let b = self.leverage_left[i] + row.dot(&self.q.row(i));
            square.max(0.0).sqrt() / (self.scale[i] * b)
        })
    }
}

/// `P m P` with `P = I − ûûᵀ`.
fn project_off(mut m: Array2<f64>, unit: Option<&Array1<f64>>) -> Array2<f64> {
    let Some(unit) = unit else { return m };
    let along = m.dot(unit);
    let both = unit.dot(&along);
    for ((i, j), it) in m.indexed_iter_mut() {
        *it += unit[i] * unit[j] * both - unit[i] * along[j] - along[i] * unit[j];
    }
    m
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;
    use rand::RngExt;

    fn random(n: usize, m: usize, name: &str) -> Array2<f64> {
        let mut rng = Seed::new(7).derive(name).rng();
        Array2::from_shape_simple_fn((n, m), || rng.random::<f64>() - 0.4)
    }

    /// Fits without condition `out` by solving the system, and returns its error.
    fn brute(k: &Array2<f64>, y: &Array2<f64>, nu: &Array1<f64>, lambda: f64, out: usize, free: bool) -> f64 {
        let keep: Vec<usize> = (0..y.nrows()).filter(|it| *it != out).collect();
        let mut a = k.select(Axis(0), &keep).select(Axis(1), &keep);
        for (i, it) in keep.iter().enumerate() {
            a[[i, i]] += lambda * nu[*it];
        }
        let y_in = y.select(Axis(0), &keep);
        let ones = Array2::ones((keep.len(), 1));
        let a_y = cellstone_prep::solve_spd(&a, &y_in).expect("positive definite");
        let a_1 = cellstone_prep::solve_spd(&a, &ones).expect("positive definite");
        let mu = if free { a_y.sum_axis(Axis(0)) / a_1.sum() } else { Array1::zeros(y.ncols()) };
        let rest = &y_in - &mu;
        let coefficients = cellstone_prep::solve_spd(&a, &rest).expect("positive definite");
        let predicted = k.row(out).select(Axis(0), &keep).dot(&coefficients) + &mu;
        let e = &y.row(out) - &predicted;
        e.dot(&e).sqrt()
    }

    #[test]
    fn equals_leaving_each_condition_out() {
        let n = 20;
        let y = random(n, 7, "y");
        let gram = y.dot(&y.t());
        let uneven = Array1::from_shape_fn(n, |it| 0.3 + 0.1 * it as f64);
        // Rank below, equal to, and above what the number of conditions allows.
        for d in [3, 19, 40] {
            let x = random(n, d, "x");
            let k = x.dot(&x.t());
            for nu in [Array1::ones(n), uneven.clone()] {
                for free in [true, false] {
                    let loo = LeaveOneOut::new(&k, &gram, &nu, free).expect("decomposes");
                    for lambda in [1e-3, 0.1, 3.0, 1e3] {
                        let errors = loo.errors(lambda);
                        for out in 0..n {
                            let want = brute(&k, &y, &nu, lambda, out, free);
                            let gap = (errors[out] - want).abs() / want.max(1.0);
                            assert!(gap < 1e-10, "d {d} λ {lambda} free {free} condition {out}: gap {gap:e}");
                        }
                    }
                }
            }
        }
    }
}
