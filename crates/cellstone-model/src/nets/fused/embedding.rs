//! Sum of rows of tables, and a norm: what enters the first block.

use super::dropout::Dropout;
use super::op::Operation;
use super::rows::{AddNorm, Norm, NormBackward, add, drop_out};
use rayon::prelude::*;

/// `Drop(LN(Σ table[id]))` of every token. Inputs: the tables, then `γ` and `β`; `K` is their number plus two.
#[derive(Debug)]
pub(super) struct Embedding {
    /// Ids of every token, one list for every table.
    pub(super) ids: Vec<Vec<u32>>,
    pub(super) eps: f32,
    pub(super) dropout: f64,
    pub(super) key: u64,
}

/// Normalized rows, and what they were multiplied with.
#[derive(Debug, Default)]
pub(super) struct Normal {
    rows: Vec<f32>,
    scales: Vec<f32>,
}

/// Tokens of one task.
const ROWS: usize = 512;

impl Embedding {
    fn dropout(&self) -> Option<Dropout> {
        Dropout::new(self.dropout, self.key, u32::MAX)
    }
}

impl<const K: usize> Operation<K> for Embedding {
    type Kept = Normal;

    fn forward(&self, inputs: [&[f32]; K], _: bool) -> (Vec<f32>, Vec<usize>, Normal) {
        let (gamma, beta) = (inputs[K - 2], inputs[K - 1]);
        let (d, n) = (gamma.len(), self.ids[0].len());
        let mut kept = Normal { rows: vec![0.0; n * d], scales: vec![0.0; n] };
        let mut out = vec![0.0; n * d];
        let (zeros, none) = (vec![0.0; ROWS * d], vec![0.0; d]);
        let blocks = kept.rows.par_chunks_mut(ROWS * d).zip(kept.scales.par_chunks_mut(ROWS));
        blocks.zip(out.par_chunks_mut(ROWS * d)).enumerate().for_each(|(block, ((rows, scales), out))| {
            let first = block * ROWS;
            for (table, ids) in inputs[..K - 2].iter().zip(&self.ids) {
                for (row, id) in rows.chunks_exact_mut(d).zip(&ids[first..]) {
                    let from = *id as usize * d;
                    row.iter_mut().zip(&table[from..from + d]).for_each(|(it, value)| *it += value);
                }
            }
            let norm = Norm { gamma, beta, eps: self.eps };
            let skip = &zeros[..rows.len()];
            AddNorm { z: rows, bias: &none, skip, norm, scales, out: &mut *out, first, dropout: None }.forward();
            drop_out(out, d, first, self.dropout());
        });
        (out, vec![n, d], kept)
    }

    fn backward(&self, grad: &[f32], inputs: [&[f32]; K], kept: &Normal) -> [Vec<f32>; K] {
        let gamma = inputs[K - 2];
        let (d, mut grads) = (gamma.len(), grad.to_vec());
        let blocks =
            grads.par_chunks_mut(ROWS * d).zip(kept.rows.par_chunks(ROWS * d)).zip(kept.scales.par_chunks(ROWS));
        let sums: Vec<[Vec<f32>; 2]> = blocks
            .enumerate()
            .map(|(block, ((grads, normal), scales))| {
                drop_out(grads, d, block * ROWS, self.dropout());
                let (mut d_gamma, mut d_beta) = (vec![0.0; d], vec![0.0; d]);
                let (gamma_sums, beta_sums) = (&mut d_gamma[..], &mut d_beta[..]);
                NormBackward { grads, normal, scales, gamma, d_gamma: gamma_sums, d_beta: beta_sums }.backward();
                [d_gamma, d_beta]
            })
            .collect();
        // Tables are few and long: one task each, in the order of the tokens.
        let of_tables: Vec<Vec<f32>> = inputs[..K - 2]
            .par_iter()
            .zip(&self.ids)
            .map(|(table, ids)| {
                let mut out = vec![0.0; table.len()];
                for (row, id) in grads.chunks_exact(d).zip(ids) {
                    add(&mut out[*id as usize * d..(*id as usize + 1) * d], row);
                }
                out
            })
            .collect();
        let mut total = [vec![0.0; d], vec![0.0; d]];
        for it in &sums {
            total.iter_mut().zip(it).for_each(|(total, it)| add(total, it));
        }
        let mut all = of_tables.into_iter().chain(total);
        std::array::from_fn(|_| all.next().unwrap_or_default())
    }
}
