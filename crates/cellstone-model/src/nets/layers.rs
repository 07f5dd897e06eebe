//! The parts that every encoder here is made of: linear maps, norms, tables, and the post-norm block.

use super::batch::TokenBatch;
use super::fused::{self, BlockTensors, Packing, Place, Rules};
use super::source::{Init, Source};
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Embedding, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{gelu, relu, softmax};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Device, Distribution, Tensor, TensorData};
use cellstone_core::Result;

/// A linear map from weights `[d_out, d_in]` and bias `[d_out]`; Burn keeps the transpose.
pub(crate) fn linear(
    source: &mut dyn Source,
    name: &str,
    [d_in, d_out]: [usize; 2],
    init: Init,
    device: &Device,
) -> Result<Linear> {
    let weight = source.values(&format!("{name}.weight"), &[d_out, d_in], init)?;
    let bias = source.values(&format!("{name}.bias"), &[d_out], Init::Constant(0.0))?;
    Ok(linear_of(&weight, bias, [d_in, d_out], device))
}

/// As [`linear`], from values at hand.
pub(crate) fn linear_of(weight: &[f32], bias: Vec<f32>, [d_in, d_out]: [usize; 2], device: &Device) -> Linear {
    let mut turned = vec![0.0_f32; weight.len()];
    for (out, row) in weight.chunks(d_in.max(1)).enumerate() {
        for (at, value) in row.iter().enumerate() {
            turned[at * d_out + out] = *value;
        }
    }
    Linear {
        weight: Param::from_data(TensorData::new(turned, [d_in, d_out]), device),
        bias: Some(Param::from_data(TensorData::new(bias, [d_out]), device)),
    }
}

/// A layer norm over `d` values.
pub(crate) fn norm(source: &mut dyn Source, name: &str, d: usize, eps: f64, device: &Device) -> Result<LayerNorm> {
    // Checkpoints converted from TensorFlow name the two `gamma` and `beta`.
    let legacy = source.has(&format!("{name}.gamma"));
    let (scale, shift) = if legacy { ("gamma", "beta") } else { ("weight", "bias") };
    let gamma = source.values(&format!("{name}.{scale}"), &[d], Init::Constant(1.0))?;
    let beta = source.values(&format!("{name}.{shift}"), &[d], Init::Constant(0.0))?;
    let mut norm = LayerNormConfig::new(d).with_epsilon(eps).init(device);
    norm.gamma = Param::from_data(TensorData::new(gamma, [d]), device);
    norm.beta = Some(Param::from_data(TensorData::new(beta, [d]), device));
    Ok(norm)
}

/// A table of `n` vectors of width `d`.
pub(crate) fn table(
    source: &mut dyn Source,
    name: &str,
    [n, d]: [usize; 2],
    init: Init,
    device: &Device,
) -> Result<Embedding> {
    let values = source.values(name, &[n, d], init)?;
    Ok(Embedding { weight: Param::from_data(TensorData::new(values, [n, d]), device) })
}

/// Non-linearity between the two maps of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `max(0, x)`.
    Relu,
    /// `x Φ(x)`, with the error function, not its approximation.
    Gelu,
}

impl Activation {
    pub(crate) fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Relu => relu(x),
            Self::Gelu => gelu(x),
        }
    }
}

/// Sizes and rules of a stack of blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BlockConfig {
    pub(crate) d: usize,
    pub(crate) n_heads: usize,
    pub(crate) d_inner: usize,
    pub(crate) eps: f64,
    pub(crate) activation: Activation,
    /// Of what each half adds to the stream.
    pub(crate) dropout: f64,
    /// Of the attention weights.
    pub(crate) attention_dropout: f64,
    pub(crate) init: Init,
}

/// Names of the parts of a block in a checkpoint.
pub(crate) struct BlockNames<'a> {
    pub(crate) query: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    pub(crate) out: &'a str,
    pub(crate) norm_attention: &'a str,
    pub(crate) up: &'a str,
    pub(crate) down: &'a str,
    pub(crate) norm_output: &'a str,
}

/// A post-norm transformer block: `a = LN(x + Drop(W_o softmax(Q Kᵀ / √d_k) V))`, `y = LN(a + Drop(W_2 f(W_1 a)))`.
///
/// BERT, DistilBERT and PyTorch's own encoder layer are this block with other names, activations and epsilons.
#[derive(Module, Debug)]
pub(crate) struct Block {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    norm_attention: LayerNorm,
    up: Linear,
    down: Linear,
    norm_output: LayerNorm,
    dropout: Dropout,
    attention_dropout: Dropout,
    n_heads: usize,
    is_gelu: bool,
    eps: f64,
    /// Whether Burn's operations are used on every device.
    is_composed: bool,
}

impl Block {
    /// A block whose parts are named `prefix.PART`.
    pub(crate) fn new(
        source: &mut dyn Source,
        prefix: &str,
        names: &BlockNames<'_>,
        config: &BlockConfig,
        device: &Device,
    ) -> Result<Self> {
        let (d, init) = (config.d, config.init);
        let of = |part: &str| format!("{prefix}.{part}");
        let query = linear(source, &of(names.query), [d, d], init, device)?;
        let key = linear(source, &of(names.key), [d, d], init, device)?;
        let value = linear(source, &of(names.value), [d, d], init, device)?;
        Self::with_heads([query, key, value], source, prefix, names, config, device)
    }

    /// As [`Block::new`], with the three maps of the heads made elsewhere: some checkpoints keep them in one matrix.
    pub(crate) fn with_heads(
        [query, key, value]: [Linear; 3],
        source: &mut dyn Source,
        prefix: &str,
        names: &BlockNames<'_>,
        config: &BlockConfig,
        device: &Device,
    ) -> Result<Self> {
        let (d, inner, init) = (config.d, config.d_inner, config.init);
        let of = |part: &str| format!("{prefix}.{part}");
        Ok(Self {
            query,
            key,
            value,
            out: linear(source, &of(names.out), [d, d], init, device)?,
            norm_attention: norm(source, &of(names.norm_attention), d, config.eps, device)?,
            up: linear(source, &of(names.up), [d, inner], init, device)?,
            down: linear(source, &of(names.down), [inner, d], init, device)?,
            norm_output: norm(source, &of(names.norm_output), d, config.eps, device)?,
            dropout: DropoutConfig::new(config.dropout).init(),
            attention_dropout: DropoutConfig::new(config.attention_dropout).init(),
            n_heads: config.n_heads,
            is_gelu: config.activation == Activation::Gelu,
            eps: config.eps,
            is_composed: false,
        })
    }

    /// Whether it uses Burn's operations on every device.
    pub(crate) fn is_composed(&self) -> bool {
        self.is_composed
    }

    /// Uses Burn's operations on every device, for comparison.
    pub(crate) fn compose(&mut self) {
        self.is_composed = true;
    }

    /// As [`Block::forward`] on packed tokens, in one operation.
    fn fused(&self, x: Tensor<2>, packing: &Packing, learning: bool, device: &Device) -> Option<Tensor<2>> {
        let parts = self.parts();
        let map = |it: &Linear| Some((it.weight.val(), it.bias.as_ref()?.val()));
        let norm = |it: &LayerNorm| Some((it.gamma.val(), it.beta.as_ref()?.val()));
        let [query, key, value, out, up, down] = parts.maps.map(map);
        let [attention, output] = parts.norms.map(norm);
        let tensors = BlockTensors { maps: [query?, key?, value?, out?, up?, down?], norms: [attention?, output?] };
        let drops = learning && (self.dropout.prob > 0.0 || self.attention_dropout.prob > 0.0);
        let rules = Rules {
            d: x.dims()[1],
            inner: tensors.maps[4].1.dims()[0],
            n_heads: self.n_heads,
            is_gelu: self.is_gelu,
            eps: self.eps as f32,
            dropout: if learning { self.dropout.prob } else { 0.0 },
            attention_dropout: if learning { self.attention_dropout.prob } else { 0.0 },
            key: if drops { drawn_key(device) } else { 0 },
        };
        fused::block(x, tensors, packing, rules)
    }

    /// `x` is `[n, len, d]`; `hidden` marks positions `[n, len]` that no position may look at.
    pub(crate) fn forward(&self, x: Tensor<3>, hidden: Option<&Tensor<2, Bool>>) -> Tensor<3> {
        let [n, len, d] = x.dims();
        let split = |it: Tensor<3>| it.reshape([n, len, self.n_heads, d / self.n_heads]).swap_dims(1, 2);
        let query = split(self.query.forward(x.clone()));
        let key = split(self.key.forward(x.clone()));
        let value = split(self.value.forward(x.clone()));
        let mask = hidden.map(|it| it.clone().reshape([n, 1, 1, len]).expand([n, self.n_heads, len, len]));
        let mixed = self.attend(query, key, value, mask).swap_dims(1, 2).reshape([n, len, d]);
        let x = self.norm_attention.forward(x + self.dropout.forward(self.out.forward(mixed)));
        let activation = if self.is_gelu { Activation::Gelu } else { Activation::Relu };
        let inner = activation.apply(self.up.forward(x.clone()));
        self.norm_output.forward(x + self.dropout.forward(self.down.forward(inner)))
    }

    /// Its maps (queries, keys, values, out, up, down) and norms (attention, output).
    pub(crate) fn parts(&self) -> BlockParts<'_> {
        BlockParts {
            maps: [&self.query, &self.key, &self.value, &self.out, &self.up, &self.down],
            norms: [&self.norm_attention, &self.norm_output],
        }
    }

    fn attend(&self, query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, mask: Option<Tensor<4, Bool>>) -> Tensor<4> {
        // The fused kernel drops nothing, so it serves wherever nothing is to be dropped.
        if self.attention_dropout.prob == 0.0 || !query.device().is_autodiff() {
            return attention(query, key, value, mask, None, AttentionModuleOptions::default());
        }
        let width = query.dims()[3] as f64;
        let scores = query.matmul(key.swap_dims(2, 3)) / width.sqrt();
        let scores = match mask {
            // Far below any score, yet finite in single precision.
            Some(mask) => scores.mask_fill(mask, -1.0e9),
            None => scores,
        };
        self.attention_dropout.forward(softmax(scores, 3)).matmul(value)
    }
}

/// Runs a batch through blocks; `state` is handed every state but the last, that before the first block first.
///
/// On the CPU the blocks are fused and padding is not computed: states are zero there. `packed` gives what enters them,
/// `[n_tokens, d]`. Elsewhere, and where a block is composed, they are made of Burn's operations on what `embed` gives,
/// `[n, len, d]`.
pub(crate) fn through(
    blocks: &[Block],
    batch: &TokenBatch,
    device: &Device,
    embed: impl Fn() -> Result<Tensor<3>>,
    packed: impl FnOnce(&Packing, &Device) -> Option<Tensor<2>>,
    mut state: Option<&mut dyn FnMut(Tensor<3>)>,
) -> Result<Tensor<3>> {
    if let Some(last) = fused_through(blocks, batch, device, packed, &mut state) {
        return Ok(last);
    }
    let mask = batch.hidden(device);
    Ok(blocks.iter().fold(embed()?, |x, block| {
        if let Some(state) = &mut state {
            state(x.clone());
        }
        block.forward(x, mask.as_ref())
    }))
}

/// As [`through`], fused; `None` where that cannot be, before any state is handed on.
fn fused_through(
    blocks: &[Block],
    batch: &TokenBatch,
    device: &Device,
    packed: impl FnOnce(&Packing, &Device) -> Option<Tensor<2>>,
    state: &mut Option<&mut dyn FnMut(Tensor<3>)>,
) -> Option<Tensor<3>> {
    let place = fused::place(&blocks.first()?.query.weight.val());
    let alike = |it: &Block| !it.is_composed && fused::place(&it.query.weight.val()) == place;
    if place == Place::Elsewhere || !blocks.iter().all(alike) {
        return None;
    }
    let packing = Packing::of(batch);
    let mut packed = packed(&packing, device)?;
    for block in blocks {
        if let Some(state) = state {
            state(packing.unpacked(packed.clone())?);
        }
        packed = block.fused(packed, &packing, place == Place::Learning, device)?;
    }
    packing.unpacked(packed)
}

/// What enters the first block for packed tokens: the sum of rows of tables, normalized, some of it dropped.
pub(crate) fn packed_embedding(
    tables: Vec<(&Embedding, Vec<u32>)>,
    norm: &LayerNorm,
    eps: f64,
    dropout: &Dropout,
    device: &Device,
) -> Option<Tensor<2>> {
    let tables: Vec<_> = tables.into_iter().map(|(table, ids)| (table.weight.val(), ids)).collect();
    let learning = fused::place(&tables.first()?.0) == Place::Learning;
    let drops = if learning && dropout.prob > 0.0 { (dropout.prob, drawn_key(device)) } else { (0.0, 0) };
    fused::embedding(tables, (norm.gamma.val(), norm.beta.as_ref()?.val()), eps, drops)
}

/// A number from the generator of the device: dropout follows from the seed of the device alone.
fn drawn_key(device: &Device) -> u64 {
    let drawn = Tensor::<1>::random([2], Distribution::Uniform(0.0, 1.0), &device.clone().inner()).into_data();
    // 24 bits of each: all that a draw in single precision has.
    drawn.iter::<f32>().fold(0, |key, it| (key << 24) | (f64::from(it) * 16_777_216.0) as u64)
}

/// The parts of a block, for export.
pub(crate) struct BlockParts<'a> {
    pub(crate) maps: [&'a Linear; 6],
    pub(crate) norms: [&'a LayerNorm; 2],
}
