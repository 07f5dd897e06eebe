//! Transformer blocks on the CPU in one operation each, forwards and backwards, over tokens without padding.
//!
//! Burn's own operations are general: each one writes its result to memory, and the backward pass of softmax, GELU and
//! LayerNorm is made of many of them. Here a block of tokens stays in the cache from one product to the next, attention
//! keeps no matrix of weights, and padding is not computed at all. Devices other than the CPU keep Burn's operations.

mod attention;
mod block;
mod dropout;
mod embedding;
mod gemm;
mod gradient;
mod loss;
mod op;
mod optimizer;
mod rows;
mod simd;
#[cfg(test)]
mod tests;

pub(crate) use block::Rules;
pub(crate) use op::{Place, place};
pub(crate) use optimizer::{AdamStep, adam, square_sum};

use super::batch::TokenBatch;
use burn::tensor::Tensor;
use embedding::Embedding;
use loss::ProjectedLoss;
use op::{BLOCK_INPUTS, BlockOperation, Input, Pack, Unpack, input, run};
use std::sync::Arc;

/// Where the tokens of a batch lie when padding and hidden tokens are left out.
#[derive(Debug, Clone)]
pub(crate) struct Packing {
    /// Places of the tokens among all, ascending.
    rows: Arc<Vec<usize>>,
    /// Where cells begin among them, and their number.
    cells: Arc<Vec<usize>>,
    dims: [usize; 2],
}

impl Packing {
    /// The tokens of a batch that others may look at.
    pub(crate) fn of(batch: &TokenBatch) -> Self {
        let [n, len] = batch.dims();
        let (mut rows, mut cells) = (Vec::with_capacity(n * len), vec![0]);
        for cell in 0..n {
            rows.extend((cell * len..(cell + 1) * len).filter(|it| !batch.padded()[*it]));
            cells.push(rows.len());
        }
        Self { rows: Arc::new(rows), cells: Arc::new(cells), dims: [n, len] }
    }

    /// Of one value for every place, those of the tokens.
    pub(crate) fn chosen(&self, values: &[i32]) -> Vec<u32> {
        self.rows.iter().map(|it| values[*it] as u32).collect()
    }

    /// Where every token stands in its row.
    pub(crate) fn positions(&self) -> Vec<u32> {
        self.rows.iter().map(|it| (it % self.dims[1]) as u32).collect()
    }

    fn pack(&self, d: usize) -> Pack {
        Pack { rows: Arc::clone(&self.rows), d, n: self.dims[0] * self.dims[1] }
    }

    /// From `[n, len, d]` to `[n_tokens, d]`.
    pub(crate) fn packed(&self, x: Tensor<3>) -> Option<Tensor<2>> {
        let d = x.dims()[2];
        run(self.pack(d), [input(x)?])
    }

    /// From `[n_tokens, d]` to `[n, len, d]`, with zeros where there is no token.
    pub(crate) fn unpacked(&self, x: Tensor<2>) -> Option<Tensor<3>> {
        let d = x.dims()[1];
        run(Unpack { pack: self.pack(d), len: self.dims[1] }, [input(x)?])
    }
}

/// Weight and bias of the maps (queries, keys, values, out, up, down), and `γ` and `β` of the norms.
pub(crate) struct BlockTensors {
    pub(crate) maps: [(Tensor<2>, Tensor<1>); 6],
    pub(crate) norms: [(Tensor<1>, Tensor<1>); 2],
}

/// A block over packed tokens `[n_tokens, d]`; `None` where the fused operation cannot run.
pub(crate) fn block(x: Tensor<2>, tensors: BlockTensors, packing: &Packing, rules: Rules) -> Option<Tensor<2>> {
    let mut inputs: Vec<Input> = Vec::with_capacity(BLOCK_INPUTS);
    inputs.push(input(x)?);
    for (weight, bias) in tensors.maps {
        inputs.push(input(weight)?);
        inputs.push(input(bias)?);
    }
    for (gamma, beta) in tensors.norms {
        inputs.push(input(gamma)?);
        inputs.push(input(beta)?);
    }
    let inputs: [Input; BLOCK_INPUTS] = inputs.try_into().ok()?;
    run(BlockOperation { rules, cells: Arc::clone(&packing.cells) }, inputs)
}

/// What enters the first block, for packed tokens: `Drop(LN(Σ table[id]))`, `[n_tokens, d]`; `None` where the fused
/// operation cannot run. Every table comes with the id of every token.
pub(crate) fn embedding(
    tables: Vec<(Tensor<2>, Vec<u32>)>,
    (gamma, beta): (Tensor<1>, Tensor<1>),
    eps: f64,
    (dropout, key): (f64, u64),
) -> Option<Tensor<2>> {
    let (mut inputs, mut ids) = (Vec::new(), Vec::new());
    for (table, of_table) in tables {
        inputs.push(input(table)?);
        ids.push(of_table);
    }
    inputs.push(input(gamma)?);
    inputs.push(input(beta)?);
    let operation = Embedding { ids, eps: eps as f32, dropout, key };
    match inputs.len() {
        4 => run::<_, 4, 2>(operation, inputs.try_into().ok()?),
        5 => run::<_, 5, 2>(operation, inputs.try_into().ok()?),
        _ => None,
    }
}

/// `Σ −ln softmax(x Wᵀ + b)[label]` with smoothing, for `x` `[n, d]`, `W` `[n_ids, d]` and `b` `[n_ids]`; `None` where the
/// fused operation cannot run.
pub(crate) fn projected_loss(
    x: Tensor<2>,
    table: Tensor<2>,
    bias: Tensor<1>,
    labels: &[u32],
    smoothing: f64,
) -> Option<Tensor<1>> {
    let operation = ProjectedLoss { labels: labels.to_vec(), smoothing: smoothing as f32, d: x.dims()[1] };
    run(operation, [input(x)?, input(table)?, input(bias)?])
}
