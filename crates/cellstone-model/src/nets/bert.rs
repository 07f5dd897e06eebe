//! BERT with a masked-token head: Geneformer and PolyGene v1.

use super::batch::TokenBatch;
use super::export::{put, put_block, put_linear, put_norm, put_table};
use super::fused::{self, Packing};
use super::layers::{Activation, Block, BlockConfig, BlockNames, linear, norm, packed_embedding, table, through};
use super::source::{Fresh, Init, Source, in_network};
use crate::weights::Weights;
use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Embedding, LayerNorm, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cellstone_core::{Error, Result, Seed};
use serde::{Deserialize, Serialize};

/// Shape of a BERT, with the names of a Hugging Face `config.json`. Other keys of such a file are not read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
    /// Number of token ids.
    pub vocab_size: usize,
    /// Width of the stream.
    pub hidden_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Heads of each block.
    pub num_attention_heads: usize,
    /// Width between the two maps of a block.
    pub intermediate_size: usize,
    /// `relu` or `gelu`.
    pub hidden_act: String,
    /// Longest row.
    pub max_position_embeddings: usize,
    /// Rows of the table of segments; the first is used.
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    /// Epsilon of the layer norms.
    #[serde(default = "bert_eps")]
    pub layer_norm_eps: f64,
    /// Of what each half of a block adds, while training.
    #[serde(default)]
    pub hidden_dropout_prob: f64,
    /// Of the attention weights, while training.
    #[serde(default)]
    pub attention_probs_dropout_prob: f64,
    /// Standard deviation of fresh weights.
    #[serde(default = "bert_sd")]
    pub initializer_range: f32,
    /// Id of padding.
    #[serde(default)]
    pub pad_token_id: u32,
}

fn two() -> usize {
    2
}

fn bert_eps() -> f64 {
    1e-12
}

fn bert_sd() -> f32 {
    0.02
}

impl BertConfig {
    /// The published six-layer Geneformer of 2023: 10,288,722 parameters.
    ///
    /// Source: `jkobject/geneformer` : `config.json`; doi:10.1038/s41586-023-06139-9.
    pub fn geneformer_v1() -> Self {
        Self::geneformer(25_426, 2_048, [256, 6, 4, 512])
    }

    /// The published twelve-layer Geneformer of the 95-million-cell corpus: 37,997,363 parameters.
    pub fn geneformer_v2() -> Self {
        Self::geneformer(20_275, 4_096, [512, 12, 8, 1024])
    }

    /// A Geneformer of another size: width, blocks, heads, inner width.
    pub fn geneformer(vocab_size: usize, max_len: usize, [d, n_layers, n_heads, d_inner]: [usize; 4]) -> Self {
        Self {
            vocab_size,
            hidden_size: d,
            num_hidden_layers: n_layers,
            num_attention_heads: n_heads,
            intermediate_size: d_inner,
            hidden_act: "relu".to_owned(),
            max_position_embeddings: max_len,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_dropout_prob: 0.02,
            attention_probs_dropout_prob: 0.02,
            initializer_range: 0.02,
            pad_token_id: 0,
        }
    }

    /// Number of parameters, the tied decoder counted once.
    pub fn n_parameters(&self) -> usize {
        let (d, inner, v) = (self.hidden_size, self.intermediate_size, self.vocab_size);
        let block = 4 * (d * d + d) + 2 * d * inner + inner + d + 4 * d;
        let tables = (v + self.max_position_embeddings + self.type_vocab_size) * d + 2 * d;
        tables + self.num_hidden_layers * block + d * d + d + 2 * d + v
    }

    fn block(&self) -> Result<BlockConfig> {
        if self.hidden_size == 0 || !self.hidden_size.is_multiple_of(self.num_attention_heads.max(1)) {
            return Err(Error::config(format!(
                "width {} cannot be split over {} heads",
                self.hidden_size, self.num_attention_heads
            )));
        }
        Ok(BlockConfig {
            d: self.hidden_size,
            n_heads: self.num_attention_heads,
            d_inner: self.intermediate_size,
            eps: self.layer_norm_eps,
            activation: self.activation()?,
            dropout: self.hidden_dropout_prob,
            attention_dropout: self.attention_probs_dropout_prob,
            init: Init::Normal(self.initializer_range),
        })
    }

    fn activation(&self) -> Result<Activation> {
        match self.hidden_act.as_str() {
            "relu" => Ok(Activation::Relu),
            "gelu" => Ok(Activation::Gelu),
            other => Err(Error::config(format!("activation `{other}`, expected `relu` or `gelu`"))),
        }
    }
}

const NAMES: BlockNames<'static> = BlockNames {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    out: "attention.output.dense",
    norm_attention: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm_output: "output.LayerNorm",
};

/// The network.
#[derive(Module, Debug)]
pub(crate) struct BertNet {
    words: Embedding,
    positions: Embedding,
    segments: Embedding,
    norm: LayerNorm,
    dropout: Dropout,
    blocks: Vec<Block>,
    head: Linear,
    head_norm: LayerNorm,
    head_bias: Param<Tensor<1>>,
    head_is_gelu: bool,
    eps: f64,
}

impl BertNet {
    pub(crate) fn new(source: &mut dyn Source, config: &BertConfig, device: &Device) -> Result<Self> {
        let (d, v, block) = (config.hidden_size, config.vocab_size, config.block()?);
        let init = block.init;
        let at = |part: &str| format!("bert.embeddings.{part}");
        let words = table(source, &at("word_embeddings.weight"), [v, d], init, device)?;
        let positions =
            table(source, &at("position_embeddings.weight"), [config.max_position_embeddings, d], init, device)?;
        let segments = table(source, &at("token_type_embeddings.weight"), [config.type_vocab_size, d], init, device)?;
        let norm_in = norm(source, &at("LayerNorm"), d, config.layer_norm_eps, device)?;
        let blocks = (0..config.num_hidden_layers)
            .map(|it| Block::new(source, &format!("bert.encoder.layer.{it}"), &NAMES, &block, device))
            .collect::<Result<Vec<_>>>()?;
        let head = linear(source, "cls.predictions.transform.dense", [d, d], init, device)?;
        let head_norm = norm(source, "cls.predictions.transform.LayerNorm", d, config.layer_norm_eps, device)?;
        let bias = source.values("cls.predictions.bias", &[v], Init::Constant(0.0))?;
        Ok(Self {
            words,
            positions,
            segments,
            norm: norm_in,
            dropout: DropoutConfig::new(config.hidden_dropout_prob).init(),
            blocks,
            head,
            head_norm,
            head_bias: Param::from_data(TensorData::new(bias, [v]), device),
            head_is_gelu: block.activation == Activation::Gelu,
            eps: config.layer_norm_eps,
        })
    }

    /// What enters the first block, `[n, len, d]`.
    pub(crate) fn embed(&self, batch: &TokenBatch, device: &Device) -> Tensor<3> {
        let [_, len] = batch.dims();
        let at: Tensor<2, Int> = Tensor::<1, Int>::arange(0..len as i64, device).reshape([1, len]);
        let first: Tensor<2, Int> = Tensor::zeros([1, 1], device);
        let x = self.words.forward(batch.ids(device)) + self.positions.forward(at) + self.segments.forward(first);
        self.dropout.forward(self.norm.forward(x))
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
            let words = packing.chosen(batch.streams().0);
            let (positions, segments) = (packing.positions(), vec![0; words.len()]);
            let tables = vec![(&self.words, words), (&self.positions, positions), (&self.segments, segments)];
            packed_embedding(tables, &self.norm, self.eps, &self.dropout, device)
        };
        through(&self.blocks[..n], batch, device, || Ok(self.embed(batch, device)), packed, state)
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

    /// Named tensors, the tied decoder left out.
    pub(crate) fn export(&self) -> Result<Weights> {
        let mut out = Weights::default();
        let at = |part: &str| format!("bert.embeddings.{part}");
        put_table(&mut out, &at("word_embeddings.weight"), &self.words)?;
        put_table(&mut out, &at("position_embeddings.weight"), &self.positions)?;
        put_table(&mut out, &at("token_type_embeddings.weight"), &self.segments)?;
        put_norm(&mut out, &at("LayerNorm"), &self.norm)?;
        for (it, block) in self.blocks.iter().enumerate() {
            put_block(&mut out, &format!("bert.encoder.layer.{it}"), &NAMES, block)?;
        }
        put_linear(&mut out, "cls.predictions.transform.dense", &self.head)?;
        put_norm(&mut out, "cls.predictions.transform.LayerNorm", &self.head_norm)?;
        put(&mut out, "cls.predictions.bias", self.head_bias.val())?;
        Ok(out)
    }

    /// What is compared with the table of words, for states `[n, d]`.
    fn head_states(&self, states: Tensor<2>) -> Tensor<2> {
        let activation = if self.head_is_gelu { Activation::Gelu } else { Activation::Relu };
        self.head_norm.forward(activation.apply(self.head.forward(states)))
    }

    /// Sum over states `[n, d]` of the cross-entropy of their labels; `None` where scores must be computed first.
    pub(crate) fn loss_sum(&self, states: Tensor<2>, labels: &[u32], smoothing: f64) -> Option<Tensor<1>> {
        if self.blocks.iter().any(Block::is_composed) {
            return None;
        }
        let (x, table) = (self.head_states(states), self.words.weight.val());
        fused::projected_loss(x, table, self.head_bias.val(), labels, smoothing)
    }

    /// Scores of every token id for states `[n, d]`.
    pub(crate) fn logits(&self, states: Tensor<2>) -> Tensor<2> {
        let x = self.head_states(states);
        x.matmul(self.words.weight.val().transpose()) + self.head_bias.val().unsqueeze()
    }
}

/// Makes the network from a checkpoint with the names of Hugging Face.
///
/// The pooler and the buffer of positions are not part of it; the decoder is tied to the table of words.
pub(crate) fn load(weights: &mut Weights, config: &BertConfig, device: &Device) -> Result<BertNet> {
    let net = BertNet::new(weights, config, device).map_err(in_network("a BERT with a masked-token head"))?;
    for name in ["bert.embeddings.position_ids", "bert.pooler.dense.weight", "bert.pooler.dense.bias"] {
        weights.ignore(name);
    }
    let tied = [
        ("cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"),
        ("cls.predictions.decoder.bias", "cls.predictions.bias"),
    ];
    for (name, same) in tied {
        if weights.get(name).is_some_and(|it| weights.get(same) != Some(it)) {
            return Err(Error::invalid_input(format!(
                "tensor `{name}` is not the same as `{same}`, expected tied weights"
            )));
        }
        weights.ignore(name);
    }
    Ok(net)
}

/// A network with fresh weights.
pub(crate) fn fresh(config: &BertConfig, seed: Seed, device: &Device) -> Result<BertNet> {
    BertNet::new(&mut Fresh(seed), config, device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes() {
        assert_eq!(BertConfig::geneformer_v1().n_parameters(), 10_288_722);
        assert_eq!(BertConfig::geneformer_v2().n_parameters(), 37_997_363);
        assert_eq!(BertConfig::geneformer(25_426, 2_048, [512, 12, 8, 1024]).n_parameters(), 39_591_250);
        assert_eq!(BertConfig::geneformer(20_275, 4_096, [896, 20, 14, 1792]).n_parameters(), 151_313_459);
        let small = BertConfig::geneformer(50, 16, [8, 2, 2, 16]);
        let net = fresh(&small, Seed::new(0), &Device::flex()).expect("a network");
        assert_eq!(net.num_params(), small.n_parameters());
    }
}
