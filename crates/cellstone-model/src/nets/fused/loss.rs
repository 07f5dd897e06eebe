//! Cross-entropy of a linear map over many ids, with the gradient computed on the way forward.
//!
//! Scores of every masked token for every id, `[n, n_ids]`, are the largest matrix of a training step. They are written
//! once, turned into their own gradient in place, and gone before the encoder goes backwards.

use super::gemm::{add_product, product, view, view_mut};
use super::op::Operation;
use super::simd::{Loop, exp, max_of, sum_of, vectorized};
use rayon::prelude::*;

/// Ids are cut into this many parts; a part is one task, and sums over parts are in their order.
const PARTS: usize = 8;

/// `Σ −ln softmax(x Wᵀ + b)[label]` with smoothing: the target is `1 − a` on the label and `a / n_ids` on every id.
///
/// Inputs: `x`, `[n, d]`; `W`, `[n_ids, d]`; `b`, `[n_ids]`.
#[derive(Debug)]
pub(super) struct ProjectedLoss {
    pub(super) labels: Vec<u32>,
    pub(super) smoothing: f32,
    pub(super) d: usize,
}

/// Adds biases to rows of scores and gives the largest of each row and `Σ e^(s − max)`, and the sum of scores.
struct Sums<'a> {
    scores: &'a mut [f32],
    bias: &'a [f32],
    sums: &'a mut [[f32; 3]],
}

impl Loop for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        // A plain loop: closures of iterator adapters are not always inlined, and would be compiled for any processor.
        for (row, sums) in self.scores.chunks_exact_mut(self.bias.len()).zip(self.sums) {
            for (it, bias) in row.iter_mut().zip(self.bias) {
                *it += bias;
            }
            let top = max_of(row);
            let mut lanes = [0.0_f32; 16];
            let chunks = row.chunks_exact(16);
            for (lane, it) in lanes.iter_mut().zip(chunks.remainder()) {
                *lane = exp::<FMA>(*it - top);
            }
            for chunk in chunks {
                for (lane, it) in lanes.iter_mut().zip(chunk) {
                    *lane += exp::<FMA>(*it - top);
                }
            }
            *sums = [top, lanes.iter().sum(), sum_of(row, |it| it)];
        }
    }
}

/// Turns scores into `softmax − spread`.
struct Shares<'a> {
    scores: &'a mut [f32],
    width: usize,
    log_sums: &'a [f32],
    spread: f32,
}

impl Loop for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const FMA: bool>(self) {
        for (row, log_sum) in self.scores.chunks_exact_mut(self.width).zip(self.log_sums) {
            for it in row {
                *it = exp::<FMA>(*it - log_sum) - self.spread;
            }
        }
    }
}

/// Scores of all rows for some ids.
struct Part {
    first: usize,
    n_ids: usize,
    scores: Vec<f32>,
    sums: Vec<[f32; 3]>,
}

/// Gradients for a loss whose own gradient is one.
type Gradients = [Vec<f32>; 3];

impl ProjectedLoss {
    fn parts(&self, [x, table, bias]: [&[f32]; 3]) -> Vec<Part> {
        let (d, n_ids) = (self.d, bias.len());
        let step = n_ids.div_ceil(PARTS).max(1);
        (0..n_ids.div_ceil(step))
            .into_par_iter()
            .map(|part| {
                let (first, end) = (part * step, n_ids.min((part + 1) * step));
                let mut scores = vec![0.0; self.labels.len() * (end - first)];
                let weights = view(&table[first * d..end * d], d).transpose();
                product(view_mut(&mut scores, end - first), view(x, d), weights, 1.0);
                let mut sums = vec![[0.0; 3]; self.labels.len()];
                vectorized(Sums { scores: &mut scores, bias: &bias[first..end], sums: &mut sums });
                Part { first, n_ids: end - first, scores, sums }
            })
            .collect()
    }

    /// `ln Σ e^s` of every row, and the loss.
    fn sums(&self, parts: &[Part], n_ids: usize) -> (Vec<f32>, f64) {
        let (mut log_sums, mut loss) = (Vec::with_capacity(self.labels.len()), 0.0);
        for (row, label) in self.labels.iter().enumerate() {
            let top = parts.iter().map(|it| it.sums[row][0]).fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = parts.iter().map(|it| it.sums[row][1] * (it.sums[row][0] - top).exp()).sum();
            let log_sum = top + sum.ln();
            let own = parts.iter().find_map(|it| it.score(row, *label)).unwrap_or(f32::NAN);
            loss += f64::from(log_sum - own) * f64::from(1.0 - self.smoothing);
            if self.smoothing > 0.0 {
                let all: f32 = parts.iter().map(|it| it.sums[row][2]).sum();
                loss += f64::from(log_sum - all / n_ids as f32) * f64::from(self.smoothing);
            }
            log_sums.push(log_sum);
        }
        (log_sums, loss)
    }

    /// Gradients, from scores that become theirs on the way.
    fn gradients(&self, parts: Vec<Part>, log_sums: &[f32], [x, table, bias]: [&[f32]; 3]) -> Gradients {
        let (d, n_ids) = (self.d, bias.len());
        let (mut d_table, mut d_bias) = (vec![0.0; n_ids * d], vec![0.0; n_ids]);
        let step = n_ids.div_ceil(PARTS).max(1);
        let outs = d_table.par_chunks_mut(step * d).zip(d_bias.par_chunks_mut(step));
        let of_states: Vec<Vec<f32>> = parts
            .into_par_iter()
            .zip(outs)
            .with_max_len(1)
            .map(|(mut part, (d_table, d_bias))| {
                let spread = self.smoothing / n_ids as f32;
                vectorized(Shares { scores: &mut part.scores, width: part.n_ids, log_sums, spread });
                for (row, label) in self.labels.iter().enumerate() {
                    if let Some(at) = part.place(row, *label) {
                        part.scores[at] -= 1.0 - self.smoothing;
                    }
                }
                super::rows::add_to_sums(&part.scores, d_bias);
                let scores = view(&part.scores, part.n_ids);
                add_product(view_mut(d_table, d), scores.transpose(), view(x, d), 1.0);
                let mut d_x = vec![0.0; x.len()];
                let weights = view(&table[part.first * d..(part.first + part.n_ids) * d], d);
                product(view_mut(&mut d_x, d), scores, weights, 1.0);
                d_x
            })
            .collect();
        let mut d_x = vec![0.0; x.len()];
        of_states.iter().for_each(|it| super::rows::add(&mut d_x, it));
        [d_x, d_table, d_bias]
    }
}

impl Part {
    fn place(&self, row: usize, label: u32) -> Option<usize> {
        let at = (label as usize).checked_sub(self.first).filter(|it| *it < self.n_ids)?;
        Some(row * self.n_ids + at)
    }

    fn score(&self, row: usize, label: u32) -> Option<f32> {
        self.place(row, label).map(|at| self.scores[at])
    }
}

impl Operation<3> for ProjectedLoss {
    type Kept = Option<Gradients>;

    fn forward(&self, inputs: [&[f32]; 3], keep: bool) -> (Vec<f32>, Vec<usize>, Self::Kept) {
        let parts = self.parts(inputs);
        let (log_sums, loss) = self.sums(&parts, inputs[2].len());
        let kept = keep.then(|| self.gradients(parts, &log_sums, inputs));
        (vec![loss as f32], vec![1], kept)
    }

    fn backward(&self, grad: &[f32], inputs: [&[f32]; 3], kept: &Self::Kept) -> Gradients {
        match kept {
            Some(kept) => kept.each_ref().map(|it| it.iter().map(|it| it * grad[0]).collect()),
            None => inputs.map(|it| vec![0.0; it.len()]),
        }
    }
}
