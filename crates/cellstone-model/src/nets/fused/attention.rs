//! `softmax(s Q Kᵀ) V` of one head of one row of tokens, in blocks that stay in the cache, and its gradient.
//!
//! Nothing of size `[n, n]` is kept: the backward pass computes the weights again from the logarithm of their sums, as
//! Dao et al. 2022, arXiv:2205.14135, do on graphics cards.

use super::dropout::Dropout;
use super::gemm::{add_product, product, view, view_mut};
use super::simd::{Loop, exp, max_of, sum_of_pairs, vectorized};
use faer::MatRef;

/// Queries of one block.
const QUERIES: usize = 128;
/// Keys of one block of the backward pass; the forward pass takes all keys at once.
const KEYS: usize = 512;

/// Queries, keys and values of one head: three matrices `[n, width]`.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) query: MatRef<'a, f32>,
    pub(super) key: MatRef<'a, f32>,
    pub(super) value: MatRef<'a, f32>,
    /// What `Q Kᵀ` is multiplied with.
    pub(super) scale: f32,
    pub(super) dropout: Option<Dropout>,
}

/// Turns rows of scores into `e^(s − max)`, and writes the sum and `ln Σ eˢ` of every row.
struct Softmax<'a> {
    scores: &'a mut [f32],
    n_keys: usize,
    sums: &'a mut [f32],
    log_sums: &'a mut [f32],
    first: usize,
    dropout: Option<Dropout>,
}

impl Loop for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (at, row) in self.scores.chunks_exact_mut(self.n_keys).enumerate() {
            let top = max_of(row);
            let mut lanes = [0.0_f32; 16];
            let mut chunks = row.chunks_exact_mut(16);
            for chunk in &mut chunks {
                for (lane, it) in lanes.iter_mut().zip(chunk) {
                    *it = exp::<FMA>(*it - top);
                    *lane += *it;
                }
            }
            for (lane, it) in lanes.iter_mut().zip(chunks.into_remainder()) {
                *it = exp::<FMA>(*it - top);
                *lane += *it;
            }
            let sum: f32 = lanes.iter().sum();
            self.sums[at] = sum;
            self.log_sums[at] = top + sum.ln();
            if let Some(dropout) = self.dropout {
                dropout.apply(self.first + at, row);
            }
        }
    }
}

/// Divides rows by their sums.
struct Divide<'a> {
    rows: &'a mut [f32],
    width: usize,
    sums: &'a [f32],
}

impl Loop for Divide<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (row, sum) in self.rows.chunks_exact_mut(self.width).zip(self.sums) {
            let factor = 1.0 / sum;
            row.iter_mut().for_each(|it| *it *= factor);
        }
    }
}

/// `out`, `[n, width]`, and the logarithms of the sums of every row, `[n]`.
pub(super) fn forward(head: &Head<'_>, out: &mut [f32], log_sums: &mut [f32], scratch: &mut Vec<f32>) {
    let (n, width) = (head.query.nrows(), head.query.ncols());
    // Long rows of keys take fewer queries at a time, so that a block of scores stays in the cache.
    let queries = (QUERIES * 2_048 / n.max(1)).clamp(16, QUERIES);
    scratch.resize((queries * n).max(scratch.len()), 0.0);
    let mut sums = [0.0; QUERIES];
    for (block, out) in out.chunks_mut(queries * width).enumerate() {
        let (from, rows) = (block * queries, out.len() / width);
        let scores = &mut scratch[..rows * n];
        product(view_mut(scores, n), head.query.subrows(from, rows), head.key.transpose(), head.scale);
        vectorized(Softmax {
            scores,
            n_keys: n,
            sums: &mut sums[..rows],
            log_sums: &mut log_sums[from..from + rows],
            first: from,
            dropout: head.dropout,
        });
        product(view_mut(out, width), view(&scratch[..rows * n], n), head.value, 1.0);
        vectorized(Divide { rows: out, width, sums: &sums[..rows] });
    }
}

/// From scores and `dO Vᵀ` of a block to weights and the gradient of the scores.
struct Weights<'a> {
    /// Scores in, weights out.
    scores: &'a mut [f32],
    /// `dO Vᵀ` in, gradient of the scores out.
    grads: &'a mut [f32],
    n_keys: usize,
    log_sums: &'a [f32],
    /// `dO · O` of every query.
    dots: &'a [f32],
    first: [usize; 2],
    dropout: Option<Dropout>,
}

impl Loop for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let n = self.n_keys;
        for (at, (scores, grads)) in self.scores.chunks_exact_mut(n).zip(self.grads.chunks_exact_mut(n)).enumerate() {
            let (log_sum, dot) = (self.log_sums[at], self.dots[at]);
            if let Some(dropout) = self.dropout {
                let row = dropout.row(self.first[0] + at);
                for (key, (score, grad)) in scores.iter_mut().zip(grads).enumerate() {
                    let weight = exp::<FMA>(*score - log_sum);
                    let factor = dropout.factor(row, self.first[1] + key);
                    *grad = weight * (*grad * factor - dot);
                    *score = weight * factor;
                }
            } else {
                for (score, grad) in scores.iter_mut().zip(grads) {
                    let weight = exp::<FMA>(*score - log_sum);
                    *grad = weight * (*grad - dot);
                    *score = weight;
                }
            }
        }
    }
}

/// `dO · O` of every row.
struct Dots<'a> {
    a: &'a [f32],
    b: &'a [f32],
    width: usize,
    dots: &'a mut [f32],
}

impl Loop for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let rows = self.a.chunks_exact(self.width).zip(self.b.chunks_exact(self.width));
        for (dot, (a, b)) in self.dots.iter_mut().zip(rows) {
            *dot = sum_of_pairs(a, b, |a, b| a * b);
        }
    }
}

/// Memory that one thread uses again and again.
#[derive(Default)]
pub(super) struct Scratch {
    scores: Vec<f32>,
    grads: Vec<f32>,
    dots: Vec<f32>,
}

/// What the forward pass left of a head, and the gradient of its result: `[n, width]`, `[n]`, `[n, width]`.
pub(super) struct Done<'a> {
    pub(super) out: &'a [f32],
    pub(super) log_sums: &'a [f32],
    pub(super) grad: &'a [f32],
}

/// Gradients of queries, keys and values, each `[n, width]`, one behind the other in `grads`, which holds zeros.
pub(super) fn backward(head: &Head<'_>, done: &Done<'_>, grads: &mut [f32], scratch: &mut Scratch) {
    let (n, width) = (head.query.nrows(), head.query.ncols());
    let (d_query, rest) = grads.split_at_mut(n * width);
    let (d_key, d_value) = rest.split_at_mut(n * width);
    scratch.dots.resize(n.max(scratch.dots.len()), 0.0);
    scratch.scores.resize(QUERIES * KEYS, 0.0);
    scratch.grads.resize(QUERIES * KEYS, 0.0);
    vectorized(Dots { a: done.grad, b: done.out, width, dots: &mut scratch.dots[..n] });
    let grad = view(done.grad, width);
    for first_key in (0..n).step_by(KEYS) {
        let keys = KEYS.min(n - first_key);
        let (key, value) = (head.key.subrows(first_key, keys), head.value.subrows(first_key, keys));
        let of_keys = first_key * width..(first_key + keys) * width;
        for first in (0..n).step_by(QUERIES) {
            let rows = QUERIES.min(n - first);
            let (query, grad) = (head.query.subrows(first, rows), grad.subrows(first, rows));
            let scores = &mut scratch.scores[..rows * keys];
            let d_scores = &mut scratch.grads[..rows * keys];
            product(view_mut(scores, keys), query, key.transpose(), head.scale);
            product(view_mut(d_scores, keys), grad, value.transpose(), 1.0);
            vectorized(Weights {
                scores,
                grads: d_scores,
                n_keys: keys,
                log_sums: &done.log_sums[first..first + rows],
                dots: &scratch.dots[first..first + rows],
                first: [first, first_key],
                dropout: head.dropout,
            });
            let (weights, d_scores) = (view(scores, keys), view(d_scores, keys));
            add_product(view_mut(&mut d_value[of_keys.clone()], width), weights.transpose(), grad, 1.0);
            add_product(view_mut(&mut d_key[of_keys.clone()], width), d_scores.transpose(), query, head.scale);
            let of_queries = first * width..(first + rows) * width;
            add_product(view_mut(&mut d_query[of_queries], width), d_scores, key, head.scale);
        }
    }
}
