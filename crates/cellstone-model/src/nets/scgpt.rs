//! scGPT: genes and binned values in, states of genes and of the cell out.

use super::batch::TokenBatch;
use super::export::{put_fused_block, put_linear, put_norm, put_table};
use super::fused::Packing;
use super::layers::{Activation, Block, BlockConfig, BlockNames, linear, linear_of, norm, table, through};
use super::source::{Fresh, Init, Source, in_network};
use crate::weights::Weights;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, LayerNorm, Linear};
use burn::tensor::activation::{leaky_relu, relu, sigmoid};
use burn::tensor::{Device, Tensor};
use cellstone_core::{Error, Result, Seed};
use serde::{Deserialize, Serialize};

/// Shape of an scGPT, with the names of its `args.json`. Other keys of such a file are not read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScGptConfig {
    /// Number of token ids, specials counted. From the vocabulary: `args.json` does not have it.
    #[serde(default)]
    pub n_tokens: usize,
    /// Width of the stream.
    pub embsize: usize,
    /// Heads of each block.
    pub nheads: usize,
    /// Width between the two maps of a block.
    pub d_hid: usize,
    /// Number of blocks.
    pub nlayers: usize,
    /// While training.
    #[serde(default)]
    pub dropout: f64,
    /// Value at padding.
    #[serde(default = "pad_value")]
    pub pad_value: f32,
}

fn pad_value() -> f32 {
    -2.0
}

impl ScGptConfig {
    /// The published whole-human model. doi:10.1038/s41592-024-02201-0; `bowang-lab/scGPT` : `scgpt/model/model.py`.
    pub fn whole_human() -> Self {
        Self { n_tokens: 60_697, embsize: 512, nheads: 8, d_hid: 512, nlayers: 12, dropout: 0.2, pad_value: -2.0 }
    }
}

const NAMES: BlockNames<'static> = BlockNames {
    query: "self_attn.query",
    key: "self_attn.key",
    value: "self_attn.value",
    out: "self_attn.out_proj",
    norm_attention: "norm1",
    up: "linear1",
    down: "linear2",
    norm_output: "norm2",
};

/// Values above this are taken for it, as the reference does.
const MAX_VALUE: f64 = 512.0;

/// The network.
#[derive(Module, Debug)]
pub(crate) struct ScGptNet {
    genes: Embedding,
    gene_norm: LayerNorm,
    value_in: Linear,
    value_out: Linear,
    value_norm: LayerNorm,
    dropout: Dropout,
    blocks: Vec<Block>,
    expression: Option<Expression>,
    query: Option<Query>,
}

/// Expression of every gene from its state.
#[derive(Module, Debug)]
struct Expression {
    first: Linear,
    second: Linear,
    last: Linear,
}

/// Expression of every gene from the state of the cell.
#[derive(Module, Debug)]
struct Query {
    gene: Linear,
    cell: Linear,
}

impl ScGptNet {
    pub(crate) fn new(source: &mut dyn Source, config: &ScGptConfig, device: &Device) -> Result<Self> {
        let d = config.embsize;
        if d == 0 || !d.is_multiple_of(config.nheads.max(1)) {
            return Err(Error::config(format!("width {d} cannot be split over {} heads", config.nheads)));
        }
        let init = Init::Uniform(1.0 / (d as f32).sqrt());
        let block = BlockConfig {
            d,
            n_heads: config.nheads,
            d_inner: config.d_hid,
            eps: 1e-5,
            activation: Activation::Relu,
            dropout: config.dropout,
            attention_dropout: config.dropout,
            init,
        };
        let genes = table(source, "encoder.embedding.weight", [config.n_tokens, d], Init::Uniform(0.1), device)?;
        let gene_norm = norm(source, "encoder.enc_norm", d, 1e-5, device)?;
        let value_in = linear(source, "value_encoder.linear1", [1, d], Init::Uniform(1.0), device)?;
        let value_out = linear(source, "value_encoder.linear2", [d, d], init, device)?;
        let value_norm = norm(source, "value_encoder.norm", d, 1e-5, device)?;
        let blocks = (0..config.nlayers)
            .map(|it| {
                let prefix = format!("transformer_encoder.layers.{it}");
                let heads = fused_heads(source, &prefix, d, init, device)?;
                Block::with_heads(heads, source, &prefix, &NAMES, &block, device)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            genes,
            gene_norm,
            value_in,
            value_out,
            value_norm,
            dropout: DropoutConfig::new(config.dropout).init(),
            blocks,
            expression: Expression::new(source, d, init, device)?,
            query: Query::new(source, d, init, device)?,
        })
    }

    /// What enters the first block, `[n, len, d]`.
    pub(crate) fn embed(&self, batch: &TokenBatch, device: &Device) -> Result<Tensor<3>> {
        let Some(values) = batch.values(device) else {
            return Err(Error::invalid_input("tokens without values, expected bins: scGPT reads both"));
        };
        let [n, len] = batch.dims();
        let values = values.clamp_max(MAX_VALUE).reshape([n, len, 1]);
        let values = self.value_norm.forward(self.value_out.forward(relu(self.value_in.forward(values))));
        Ok(self.gene_states(batch, device) + self.dropout.forward(values))
    }

    fn gene_states(&self, batch: &TokenBatch, device: &Device) -> Tensor<3> {
        self.gene_norm.forward(self.genes.forward(batch.ids(device)))
    }

    /// The stream before the first block and behind every block; position 0 of the last is the cell.
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
        let packed = |packing: &Packing, device: &Device| packing.packed(self.embed(batch, device).ok()?);
        through(&self.blocks[..n], batch, device, || self.embed(batch, device), packed, state)
    }

    /// Uses Burn's operations for the blocks on every device.
    pub(crate) fn compose(&mut self) {
        self.blocks.iter_mut().for_each(Block::compose);
    }

    /// Number of blocks.
    pub(crate) fn n_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Named tensors.
    pub(crate) fn export(&self) -> Result<Weights> {
        let mut out = Weights::default();
        put_table(&mut out, "encoder.embedding.weight", &self.genes)?;
        put_norm(&mut out, "encoder.enc_norm", &self.gene_norm)?;
        put_linear(&mut out, "value_encoder.linear1", &self.value_in)?;
        put_linear(&mut out, "value_encoder.linear2", &self.value_out)?;
        put_norm(&mut out, "value_encoder.norm", &self.value_norm)?;
        for (it, block) in self.blocks.iter().enumerate() {
            put_fused_block(&mut out, &format!("transformer_encoder.layers.{it}"), &NAMES, block)?;
        }
        if let Some(it) = &self.expression {
            put_linear(&mut out, "decoder.fc.0", &it.first)?;
            put_linear(&mut out, "decoder.fc.2", &it.second)?;
            put_linear(&mut out, "decoder.fc.4", &it.last)?;
        }
        if let Some(it) = &self.query {
            put_linear(&mut out, "mvc_decoder.gene2query", &it.gene)?;
            put_linear(&mut out, "mvc_decoder.W", &it.cell)?;
        }
        Ok(out)
    }

    /// Expression of every gene from the last states, `[n, len]`; none without that head.
    pub(crate) fn expression(&self, last: Tensor<3>) -> Option<Tensor<2>> {
        let [n, len, _] = last.dims();
        Some(self.expression.as_ref()?.forward(last).reshape([n, len]))
    }

    /// Expression of every gene from the state of the cell, `[n, len]`; none without that head.
    pub(crate) fn expression_of_cell(&self, batch: &TokenBatch, last: Tensor<3>, device: &Device) -> Option<Tensor<2>> {
        let [n, len, d] = last.dims();
        let cell = last.narrow(1, 0, 1).reshape([n, d, 1]);
        let genes = self.gene_states(batch, device);
        Some(self.query.as_ref()?.forward(genes).matmul(cell).reshape([n, len]))
    }
}

impl Expression {
    /// None where a checkpoint has no such head.
    fn new(source: &mut dyn Source, d: usize, init: Init, device: &Device) -> Result<Option<Self>> {
        if !source.has("decoder.fc.0.weight") {
            return Ok(None);
        }
        Ok(Some(Self {
            first: linear(source, "decoder.fc.0", [d, d], init, device)?,
            second: linear(source, "decoder.fc.2", [d, d], init, device)?,
            last: linear(source, "decoder.fc.4", [d, 1], init, device)?,
        }))
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let x = leaky_relu(self.first.forward(x), 0.01);
        self.last.forward(leaky_relu(self.second.forward(x), 0.01))
    }
}

impl Query {
    fn new(source: &mut dyn Source, d: usize, init: Init, device: &Device) -> Result<Option<Self>> {
        if !source.has("mvc_decoder.gene2query.weight") {
            return Ok(None);
        }
        let gene = linear(source, "mvc_decoder.gene2query", [d, d], init, device)?;
        let weight = source.values("mvc_decoder.W.weight", &[d, d], init)?;
        let mut cell = linear_of(&weight, vec![0.0; d], [d, d], device);
        cell.bias = None;
        Ok(Some(Self { gene, cell }))
    }

    fn forward(&self, genes: Tensor<3>) -> Tensor<3> {
        self.cell.forward(sigmoid(self.gene.forward(genes)))
    }
}

/// The three maps of the heads from one matrix `[3 d, d]`: queries, keys, values.
fn fused_heads(source: &mut dyn Source, prefix: &str, d: usize, init: Init, device: &Device) -> Result<[Linear; 3]> {
    // Checkpoints trained with fused attention name the same matrix otherwise.
    let names = [
        ("self_attn.in_proj_weight", "self_attn.in_proj_bias"),
        ("self_attn.Wqkv.weight", "self_attn.Wqkv.bias"),
        ("self_attn._impl.Wqkv.weight", "self_attn._impl.Wqkv.bias"),
    ];
    let found = names.iter().find(|it| source.has(&format!("{prefix}.{}", it.0))).unwrap_or(&names[0]);
    let weight = source.values(&format!("{prefix}.{}", found.0), &[3 * d, d], init)?;
    let bias = source.values(&format!("{prefix}.{}", found.1), &[3 * d], Init::Constant(0.0))?;
    let part = |at: usize| {
        linear_of(&weight[at * d * d..(at + 1) * d * d], bias[at * d..(at + 1) * d].to_vec(), [d, d], device)
    };
    Ok([part(0), part(1), part(2)])
}

/// Makes the network from a checkpoint with the names of the published code.
pub(crate) fn load(weights: &mut Weights, config: &ScGptConfig, device: &Device) -> Result<ScGptNet> {
    ScGptNet::new(weights, config, device).map_err(in_network("an scGPT"))
}

/// A network with fresh weights, without heads.
pub(crate) fn fresh(config: &ScGptConfig, seed: Seed, device: &Device) -> Result<ScGptNet> {
    ScGptNet::new(&mut Fresh(seed), config, device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::{ModuleMapper, Param};
    use burn::optim::GradientsParams;
    use burn::tensor::TensorData;
    use cellstone_core::TokenRow;
    use std::collections::BTreeMap;

    /// Puts every parameter's gradient in its place.
    struct Gradients(GradientsParams);

    impl ModuleMapper for Gradients {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, _, mapper) = param.consume();
            let gradient = self.0.remove::<D>(id).expect("every parameter has a gradient");
            Param::from_mapped_value(id, Tensor::from_inner(gradient), mapper)
        }
    }

    #[derive(Deserialize)]
    struct Golden {
        input_ids: Vec<Vec<u32>>,
        values: Vec<Vec<f32>>,
        loss: f64,
        gradients: BTreeMap<String, Gradient>,
    }

    #[derive(Deserialize)]
    struct Gradient {
        norm: f64,
        first: Vec<f64>,
    }

    /// Gradients of the sum of squares of both heads, under the names of the published code, and that sum.
    fn gradients(composed: bool, golden: &Golden, folder: &std::path::Path) -> (Weights, f64) {
        let text = std::fs::read_to_string(folder.join("args.json")).expect("a configuration");
        let config: ScGptConfig = serde_json::from_str(&text).expect("a configuration");
        // PyTorch computed them with nothing dropped.
        let config = ScGptConfig { n_tokens: 40, dropout: 0.0, ..config };
        let mut weights = crate::weights::read_weights(folder).expect("weights");
        let mut net = load(&mut weights, &config, &Device::flex()).expect("a network").train();
        if composed {
            net.compose();
        }
        let streams = golden.input_ids.iter().zip(&golden.values);
        let rows: Vec<_> = streams
            .map(|(ids, values)| TokenRow {
                input_ids: ids.clone(),
                values: Some(values.clone()),
                ..TokenRow::default()
            })
            .collect();
        let batch = TokenBatch::new(&rows, 37, config.pad_value).expect("a batch");
        let device = Device::flex().autodiff();
        let last = net.state(&batch, 2, &device).expect("a state");
        let seen: Vec<f32> = batch.padded().iter().map(|it| if *it { 0.0 } else { 1.0 }).collect();
        let seen = Tensor::<2>::from_data(TensorData::new(seen, batch.dims()), &device);
        let squares = |it: Option<Tensor<2>>| (it.expect("a head").powi_scalar(2) * seen.clone()).sum();
        let from_cell = net.expression_of_cell(&batch, last.clone(), &device);
        let loss = squares(net.expression(last)) + squares(from_cell) * 0.1;
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let found = GradientsParams::from_grads(loss.backward(), &net);
        (net.map(&mut Gradients(found)).export().expect("gradients"), value)
    }

    #[test]
    fn gradients_of_pytorch() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/model/scgpt");
        let text = std::fs::read_to_string(folder.join("golden.json")).expect("a golden file");
        let golden: Golden = serde_json::from_str(&text).expect("a golden file");
        for composed in [false, true] {
            let (found, loss) = gradients(composed, &golden, &folder);
            assert!((loss - golden.loss).abs() < 1e-5 * golden.loss, "{loss} for {}", golden.loss);
            assert_eq!(found.len(), golden.gradients.len());
            for (name, want) in &golden.gradients {
                let got = &found.get(name).expect("a gradient").data;
                let norm = got.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
                let close = |a: f64, b: f64| (a - b).abs() < 1e-4 * want.norm;
                assert!(close(norm, want.norm), "norm of {name}: {norm} for {}", want.norm);
                for (at, (got, want)) in got.iter().zip(&want.first).enumerate() {
                    assert!(close(f64::from(*got), *want), "{name} at {at}: {got} for {want}");
                }
            }
        }
    }

    #[test]
    fn published_size() {
        // Two blocks stand for twelve: the table is the same, and so is what each block adds.
        let count = |nlayers| {
            let config = ScGptConfig { n_tokens: 100, nlayers, ..ScGptConfig::whole_human() };
            fresh(&config, Seed::new(0), &Device::flex()).expect("a network").num_params()
        };
        let (one, two) = (count(1), count(2));
        assert_eq!(one + 11 * (two - one) + (60_697 - 100) * 512, 50_278_400);
    }
}
