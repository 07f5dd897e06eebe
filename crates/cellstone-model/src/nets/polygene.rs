//! PolyGene v2: two streams of tokens (values and types), genes and phenotypes in one sequence.

use super::batch::TokenBatch;
use super::export::{put_block, put_linear, put_norm, put_table};
use super::fused::Packing;
use super::layers::{Activation, Block, BlockConfig, BlockNames, linear, norm, packed_embedding, table, through};
use super::source::{Fresh, Init, Source, in_network};
use crate::weights::Weights;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, LayerNorm, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};
use cellstone_core::{Error, Result, Seed};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Shape of a PolyGene v2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolyGeneConfig {
    /// Value ids: specials, phenotype values, bins.
    pub n_values: usize,
    /// Type ids: special, phenotype categories, genes.
    pub n_types: usize,
    /// Width of the stream.
    pub d: usize,
    /// Width between the two maps of a block.
    pub d_inner: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Heads of each block.
    pub n_heads: usize,
    /// While training.
    pub dropout: f64,
}

impl PolyGeneConfig {
    /// The large published model of the ageing map: 43,215,655 parameters.
    ///
    /// Source: `louisleger/cellular-aging-map` : `model/model.py`.
    pub fn aging_map() -> Self {
        Self { n_values: 1_087, n_types: 58_610, d: 504, d_inner: 1_024, n_layers: 6, n_heads: 6, dropout: 0.1 }
    }

    /// Small enough for a laptop: width 128, four blocks.
    pub fn tiny(n_values: usize, n_types: usize) -> Self {
        Self { n_values, n_types, d: 128, d_inner: 512, n_layers: 4, n_heads: 4, dropout: 0.1 }
    }

    /// For tests: width 64, two blocks.
    pub fn nano(n_values: usize, n_types: usize) -> Self {
        Self { n_values, n_types, d: 64, d_inner: 128, n_layers: 2, n_heads: 4, dropout: 0.1 }
    }

    /// Number of parameters.
    pub fn n_parameters(&self) -> usize {
        let (d, inner) = (self.d, self.d_inner);
        let block = 4 * (d * d + d) + 2 * d * inner + inner + d + 4 * d;
        let head = d * d + d + 2 * d + d * self.n_values + self.n_values;
        (self.n_values + self.n_types) * d + 2 * d + self.n_layers * block + head
    }
}

const NAMES: BlockNames<'static> = BlockNames {
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    out: "attention.out_lin",
    norm_attention: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    norm_output: "output_layer_norm",
};

const EPS: f64 = 1e-12;

/// The network.
#[derive(Module, Debug)]
pub(crate) struct PolyGeneNet {
    values: Embedding,
    types: Embedding,
    norm: LayerNorm,
    dropout: Dropout,
    blocks: Vec<Block>,
    head: Linear,
    head_norm: LayerNorm,
    decoder: Linear,
}

impl PolyGeneNet {
    pub(crate) fn new(source: &mut dyn Source, config: &PolyGeneConfig, device: &Device) -> Result<Self> {
        let (d, init) = (config.d, Init::Normal(0.02));
        if d == 0 || !d.is_multiple_of(config.n_heads.max(1)) {
            return Err(Error::config(format!("width {d} cannot be split over {} heads", config.n_heads)));
        }
        let block = BlockConfig {
            d,
            n_heads: config.n_heads,
            d_inner: config.d_inner,
            eps: EPS,
            activation: Activation::Gelu,
            dropout: config.dropout,
            attention_dropout: config.dropout,
            init,
        };
        let at = |part: &str| format!("embeddings.{part}");
        Ok(Self {
            values: table(source, &at("token_value_embeddings.weight"), [config.n_values, d], init, device)?,
            types: table(source, &at("token_type_embeddings.weight"), [config.n_types, d], init, device)?,
            norm: norm(source, &at("LayerNorm"), d, EPS, device)?,
            dropout: DropoutConfig::new(config.dropout).init(),
            blocks: (0..config.n_layers)
                .map(|it| Block::new(source, &format!("transformer.layer.{it}"), &NAMES, &block, device))
                .collect::<Result<Vec<_>>>()?,
            head: linear(source, "prediction_head.0", [d, d], init, device)?,
            head_norm: norm(source, "prediction_head.2", d, EPS, device)?,
            decoder: linear(source, "prediction_head.3", [d, config.n_values], init, device)?,
        })
    }

    /// What enters the first block, `[n, len, d]`.
    pub(crate) fn embed(&self, batch: &TokenBatch, device: &Device) -> Result<Tensor<3>> {
        let Some(types) = batch.types(device) else {
            return Err(Error::invalid_input("tokens without types, expected two streams: PolyGene v2 reads both"));
        };
        let x = self.values.forward(batch.ids(device)) + self.types.forward(types);
        Ok(self.dropout.forward(self.norm.forward(x)))
    }

    /// The stream before the first block and behind every block.
    pub(crate) fn hidden_states(&self, batch: &TokenBatch, device: &Device) -> Result<Vec<Tensor<3>>> {
        let mut states = Vec::new();
        let last = self.through(batch, self.blocks.len(), device, Some(&mut |it| states.push(it)))?;
        states.push(last);
        Ok(states)
    }

    /// The stream behind the block of this number; 0 is what enters the first.
    pub(crate) fn state(&self, batch: &TokenBatch, n: usize, device: &Device) -> Result<Tensor<3>> {
        self.through(batch, n, device, None)
    }

    fn through(
        &self,
        batch: &TokenBatch,
        n: usize,
        device: &Device,
        state: Option<&mut dyn FnMut(Tensor<3>)>,
    ) -> Result<Tensor<3>> {
        let packed = |packing: &Packing, device: &Device| {
            let (values, types) = batch.streams();
            let tables = vec![(&self.values, packing.chosen(values)), (&self.types, packing.chosen(types?))];
            packed_embedding(tables, &self.norm, EPS, &self.dropout, device)
        };
        through(&self.blocks[..n], batch, device, || self.embed(batch, device), packed, state)
    }

    /// The stream behind the last block.
    pub(crate) fn last_state(&self, batch: &TokenBatch, device: &Device) -> Result<Tensor<3>> {
        self.state(batch, self.blocks.len(), device)
    }

    /// Uses Burn's operations for the blocks on every device.
    pub(crate) fn compose(&mut self) {
        self.blocks.iter_mut().for_each(Block::compose);
    }

    /// Number of blocks.
    pub(crate) fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// What the decoder reads, for states `[n, d]`.
    pub(crate) fn head_states(&self, states: Tensor<2>) -> Tensor<2> {
        self.head_norm.forward(gelu(self.head.forward(states)))
    }

    /// Scores for [`PolyGeneNet::head_states`]: of every value id, or of those in a range alone.
    pub(crate) fn scores(&self, states: Tensor<2>, ids: Option<&Range<u32>>) -> Tensor<2> {
        let (Some(ids), Some(bias)) = (ids, &self.decoder.bias) else { return self.decoder.forward(states) };
        let (from, n) = (ids.start as usize, ids.len());
        let weight = self.decoder.weight.val().narrow(1, from, n);
        states.matmul(weight) + bias.val().narrow(0, from, n).unsqueeze()
    }

    /// Scores of every value id for states `[n, d]`.
    pub(crate) fn logits(&self, states: Tensor<2>) -> Tensor<2> {
        self.scores(self.head_states(states), None)
    }

    /// Named tensors.
    pub(crate) fn export(&self) -> Result<Weights> {
        let mut out = Weights::default();
        put_table(&mut out, "embeddings.token_value_embeddings.weight", &self.values)?;
        put_table(&mut out, "embeddings.token_type_embeddings.weight", &self.types)?;
        put_norm(&mut out, "embeddings.LayerNorm", &self.norm)?;
        for (it, block) in self.blocks.iter().enumerate() {
            put_block(&mut out, &format!("transformer.layer.{it}"), &NAMES, block)?;
        }
        put_linear(&mut out, "prediction_head.0", &self.head)?;
        put_norm(&mut out, "prediction_head.2", &self.head_norm)?;
        put_linear(&mut out, "prediction_head.3", &self.decoder)?;
        Ok(out)
    }
}

/// Makes the network from a checkpoint with the names of the published code.
pub(crate) fn load(weights: &mut Weights, config: &PolyGeneConfig, device: &Device) -> Result<PolyGeneNet> {
    PolyGeneNet::new(weights, config, device).map_err(in_network("a PolyGene v2"))
}

/// A network with fresh weights.
pub(crate) fn fresh(config: &PolyGeneConfig, seed: Seed, device: &Device) -> Result<PolyGeneNet> {
    PolyGeneNet::new(&mut Fresh(seed), config, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes() {
        assert_eq!(PolyGeneConfig::aging_map().n_parameters(), 43_215_655);
        let base = PolyGeneConfig { d: 252, d_inner: 512, ..PolyGeneConfig::aging_map() };
        assert_eq!(base.n_parameters(), 18_472_483);
        let nano = PolyGeneConfig::nano(20, 100);
        let net = fresh(&nano, Seed::new(0), &Device::flex()).expect("a network");
        assert_eq!(net.num_params(), nano.n_parameters());
    }
}
