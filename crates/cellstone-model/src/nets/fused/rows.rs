//! What is done to every row of tokens between two products: biases, norms, activations, and their gradients.

use super::dropout::Dropout;
use super::simd::{Loop, fma, normal, sum_of, sum_of_pairs, vectorized};

/// Adds `bias` to every row.
pub(super) fn add_bias(rows: &mut [f32], bias: &[f32]) {
    struct Add<'a>(&'a mut [f32], &'a [f32]);
    impl Loop for Add<'_> {
        type Output = ();

        #[inline(always)]
        fn run<const FMA: bool>(self) {
            for row in self.0.chunks_exact_mut(self.1.len()) {
                row.iter_mut().zip(self.1).for_each(|(it, bias)| *it += bias);
            }
        }
    }
    vectorized(Add(rows, bias));
}

/// Adds every row to `sums`.
pub(super) fn add_to_sums(rows: &[f32], sums: &mut [f32]) {
    struct Sum<'a>(&'a [f32], &'a mut [f32]);
    impl Loop for Sum<'_> {
        type Output = ();

        #[inline(always)]
        fn run<const FMA: bool>(self) {
            for row in self.0.chunks_exact(self.1.len()) {
                self.1.iter_mut().zip(row).for_each(|(sum, it)| *sum += it);
            }
        }
    }
    vectorized(Sum(rows, sums));
}

/// `a += b`.
pub(super) fn add(a: &mut [f32], b: &[f32]) {
    struct Add<'a>(&'a mut [f32], &'a [f32]);
    impl Loop for Add<'_> {
        type Output = ();

        #[inline(always)]
        fn run<const FMA: bool>(self) {
            self.0.iter_mut().zip(self.1).for_each(|(a, b)| *a += b);
        }
    }
    vectorized(Add(a, b));
}

/// Drops values of rows counted from `first`.
pub(super) fn drop_out(rows: &mut [f32], width: usize, first: usize, dropout: Option<Dropout>) {
    struct Drop<'a>(&'a mut [f32], usize, usize, Dropout);
    impl Loop for Drop<'_> {
        type Output = ();

        #[inline(always)]
        fn run<const FMA: bool>(self) {
            for (at, row) in self.0.chunks_exact_mut(self.1).enumerate() {
                self.3.apply(self.2 + at, row);
            }
        }
    }
    if let Some(dropout) = dropout {
        vectorized(Drop(rows, width, first, dropout));
    }
}

/// Scale and shift of a norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm<'a> {
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
    pub(super) eps: f32,
}

/// `z ← x̂ = (z + bias + skip − mean) / √(variance + ε)`, `scales ← 1 / √(variance + ε)`, `out = γ x̂ + β`, row by row.
///
/// `dropout` acts on `z + bias`, for rows counted from `first`.
pub(super) struct AddNorm<'a> {
    pub(super) z: &'a mut [f32],
    pub(super) bias: &'a [f32],
    pub(super) skip: &'a [f32],
    pub(super) norm: Norm<'a>,
    pub(super) scales: &'a mut [f32],
    pub(super) out: &'a mut [f32],
    pub(super) first: usize,
    pub(super) dropout: Option<Dropout>,
}

impl AddNorm<'_> {
    pub(super) fn forward(self) {
        vectorized(self);
    }
}

impl Loop for AddNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let d = self.bias.len();
        let rows = self.z.chunks_exact_mut(d).zip(self.skip.chunks_exact(d));
        for (at, ((z, skip), out)) in rows.zip(self.out.chunks_exact_mut(d)).enumerate() {
            match self.dropout {
                None => {
                    for ((z, skip), bias) in z.iter_mut().zip(skip).zip(self.bias) {
                        *z += skip + bias;
                    }
                }
                Some(dropout) => {
                    let row = dropout.row(self.first + at);
                    for (column, ((z, skip), bias)) in z.iter_mut().zip(skip).zip(self.bias).enumerate() {
                        *z = (*z + bias) * dropout.factor(row, column) + skip;
                    }
                }
            }
            self.scales[at] = normalize::<FMA>(z, out, &self.norm);
        }
    }
}

/// Normalizes one row in place, writes `γ x̂ + β`, and gives `1 / √(variance + ε)`.
#[inline(always)]
fn normalize<const FMA: bool>(z: &mut [f32], out: &mut [f32], norm: &Norm<'_>) -> f32 {
    let n = z.len() as f32;
    let mean = sum_of(z, |it| it) / n;
    let variance = sum_of(z, |it| (it - mean) * (it - mean)) / n;
    let scale = 1.0 / (variance + norm.eps).sqrt();
    for (((z, out), gamma), beta) in z.iter_mut().zip(out).zip(norm.gamma).zip(norm.beta) {
        *z = (*z - mean) * scale;
        *out = fma::<FMA>(*gamma, *z, *beta);
    }
    scale
}

/// From the gradient of a norm's result to that of what went in, in place, row by row; adds to the sums of `γ` and `β`.
///
/// With `g = γ dy`: `dz = (g − mean(g) − x̂ mean(g x̂)) / √(variance + ε)`.
pub(super) struct NormBackward<'a> {
    /// `dy` in, `dz` out.
    pub(super) grads: &'a mut [f32],
    pub(super) normal: &'a [f32],
    pub(super) scales: &'a [f32],
    pub(super) gamma: &'a [f32],
    pub(super) d_gamma: &'a mut [f32],
    pub(super) d_beta: &'a mut [f32],
}

impl NormBackward<'_> {
    pub(super) fn backward(self) {
        vectorized(self);
    }
}

impl Loop for NormBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let d = self.gamma.len();
        let rows = self.grads.chunks_exact_mut(d).zip(self.normal.chunks_exact(d));
        for ((grads, normal), scale) in rows.zip(self.scales) {
            let sums = self.d_gamma.iter_mut().zip(self.d_beta.iter_mut());
            for (((grad, x), gamma), (d_gamma, d_beta)) in grads.iter_mut().zip(normal).zip(self.gamma).zip(sums) {
                *d_gamma = fma::<FMA>(*grad, *x, *d_gamma);
                *d_beta += *grad;
                *grad *= gamma;
            }
            let n = d as f32;
            let mean = sum_of(grads, |it| it) / n;
            let along = sum_of_pairs(grads, normal, |g, x| g * x) / n;
            for (grad, x) in grads.iter_mut().zip(normal) {
                *grad = (*grad - mean - x * along) * scale;
            }
        }
    }
}

/// `u ← u + bias`, `out = f(u)`, with `f` the exact GELU or ReLU.
pub(super) struct Activate<'a> {
    pub(super) u: &'a mut [f32],
    pub(super) bias: &'a [f32],
    pub(super) out: &'a mut [f32],
    pub(super) is_gelu: bool,
}

impl Activate<'_> {
    pub(super) fn forward(self) {
        vectorized(self);
    }
}

impl Loop for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let width = self.bias.len();
        for (u, out) in self.u.chunks_exact_mut(width).zip(self.out.chunks_exact_mut(width)) {
            let values = u.iter_mut().zip(out).zip(self.bias);
            if self.is_gelu {
                for ((u, out), bias) in values {
                    *u += bias;
                    *out = *u * normal::<FMA>(*u).0;
                }
            } else {
                for ((u, out), bias) in values {
                    *u += bias;
                    *out = if *u > 0.0 { *u } else { 0.0 };
                }
            }
        }
    }
}

/// `grads ← grads · f′(u)` and `u ← f(u)`.
pub(super) struct ActivateBackward<'a> {
    pub(super) u: &'a [f32],
    pub(super) out: &'a mut [f32],
    pub(super) grads: &'a mut [f32],
    pub(super) is_gelu: bool,
}

impl ActivateBackward<'_> {
    pub(super) fn backward(self) {
        vectorized(self);
    }
}

impl Loop for ActivateBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let values = self.u.iter().zip(self.out).zip(self.grads);
        if self.is_gelu {
            for ((u, out), grad) in values {
                let (below, density) = normal::<FMA>(*u);
                *out = u * below;
                *grad *= fma::<FMA>(*u, density, below);
            }
        } else {
            for ((u, out), grad) in values {
                *out = if *u > 0.0 { *u } else { 0.0 };
                *grad = if *u > 0.0 { *grad } else { 0.0 };
            }
        }
    }
}
