//! scFoundation (xTrimoGene): values as mixtures of learned vectors, an encoder over what is expressed, a decoder over
//! every gene.

use super::layers::{Activation, Block, BlockConfig, BlockNames, linear, linear_of, norm};
use super::performer::{PerformerBlock, PerformerConfig};
use super::source::{Init, Source as _, in_network};
use crate::run::{host2, host3};
use crate::{ImportReport, Selected, Weights};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{leaky_relu, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cellstone_core::{Error, Result, TokenRow};
use ndarray::{Array2, Array3, Axis};
use serde::{Deserialize, Serialize};

/// Shape of an scFoundation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScFoundationConfig {
    /// Genes of the list; two places for depths follow.
    pub n_genes: usize,
    /// Vectors that a value is a mixture of.
    pub n_bins: usize,
    /// Share of the first map that the second adds to.
    pub alpha: f64,
    /// Width of the encoder.
    pub d: usize,
    /// Blocks of the encoder.
    pub n_layers: usize,
    /// Heads of each of them.
    pub n_heads: usize,
    /// Width of the decoder.
    pub d_decoder: usize,
    /// Blocks of the decoder.
    pub n_decoder_layers: usize,
    /// Heads of each of them.
    pub n_decoder_heads: usize,
    /// Width of a head of the decoder.
    pub d_head: usize,
    /// Random features of a head of the decoder.
    pub n_features: usize,
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

/// An scFoundation with its weights on a device. For use alone: it is not trained here.
///
/// A cell is a row of the encoder `scfoundation`: places of expressed genes with their values, then the target depth and
/// the source depth.
///
/// # References
/// doi:10.1038/s41592-024-02305-7; `biomap-research/scFoundation` : `model/pretrainmodels/mae_autobin.py`,
/// `transformer.py`, `performer.py`, `model/get_embedding.py`.
#[derive(Debug)]
pub struct ScFoundationNet {
    config: ScFoundationConfig,
    mixture: [Linear; 2],
    vectors: Tensor<2>,
    places: Tensor<2>,
    encoder: Vec<Block>,
    encoder_norm: LayerNorm,
    narrowed: Linear,
    decoder: Vec<PerformerBlock>,
    decoder_norm: LayerNorm,
    norm: LayerNorm,
    head: Linear,
    device: Device,
}

impl ScFoundationNet {
    /// From weights with the published names, without the prefixes of the container (`cell.state_dict.model.`).
    ///
    /// # Errors
    /// If a tensor is missing, has another shape than the configuration asks for, or holds values that are not finite.
    pub fn load(config: ScFoundationConfig, weights: &mut Weights, on: &Selected) -> Result<(Self, ImportReport)> {
        let made = Self::new(config, weights, on.device()).map_err(in_network("an scFoundation"))?;
        // Rows of masks and padding, which only training and batches use.
        ["token_emb.emb_mask.weight", "token_emb.emb_pad.weight"].iter().for_each(|it| weights.ignore(it));
        Ok((made, ImportReport::of(weights)))
    }

    fn new(config: ScFoundationConfig, source: &mut Weights, device: &Device) -> Result<Self> {
        let (d, b, narrow) = (config.d, config.n_bins, config.d_decoder);
        let init = Init::Normal(0.02);
        let mixture = [
            linear(source, "token_emb.mlp", [1, b], init, device)?,
            linear(source, "token_emb.mlp2", [b, b], init, device)?,
        ];
        let mut table = |name: &str, n: usize| -> Result<Tensor<2>> {
            let values = source.take(name, &[n, d])?.data.clone();
            Ok(Tensor::from_data(TensorData::new(values, [n, d]), device))
        };
        // One row a place, two for the depths, one for padding.
        let (vectors, places) = (table("token_emb.emb.weight", b)?, table("pos_emb.weight", config.n_genes + 3)?);
        let block = BlockConfig {
            d,
            n_heads: config.n_heads,
            d_inner: 4 * d,
            eps: 1e-5,
            activation: Activation::Relu,
            dropout: 0.0,
            attention_dropout: 0.0,
            init,
        };
        let encoder = (0..config.n_layers).map(|it| encoder_block(source, it, &block, device));
        let encoder = encoder.collect::<Result<_>>()?;
        let performer = PerformerConfig {
            d: narrow,
            n_heads: config.n_decoder_heads,
            d_head: config.d_head,
            d_inner: 4 * narrow,
            n_features: config.n_features,
        };
        let decoder = (0..config.n_decoder_layers)
            .map(|it| PerformerBlock::new(source, &format!("decoder.performer.net.layers.{it}"), performer, device))
            .collect::<Result<_>>()?;
        Ok(Self {
            mixture,
            vectors,
            places,
            encoder,
            encoder_norm: norm(source, "encoder.norm", d, 1e-5, device)?,
            narrowed: linear(source, "decoder_embed", [d, narrow], init, device)?,
            decoder,
            decoder_norm: norm(source, "decoder.norm", narrow, 1e-5, device)?,
            norm: norm(source, "norm", narrow, 1e-5, device)?,
            head: linear(source, "to_final", [narrow, 1], init, device)?,
            device: device.clone(),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &ScFoundationConfig {
        &self.config
    }

    /// States of the tokens of a cell, each `[1, len, d]`: what enters the encoder, what leaves each block, and the last
    /// of these normalised.
    ///
    /// # Errors
    /// If the row has no values or a place that the list does not have.
    pub fn hidden(&self, row: &TokenRow) -> Result<Vec<Array3<f32>>> {
        self.encoded(row)?.into_iter().map(host3).collect()
    }

    /// The vector of a cell, `4 d`: state of the source depth, of the target depth, largest value and mean over genes.
    ///
    /// # Errors
    /// As [`ScFoundationNet::hidden`], and if the row holds fewer than one gene and two depths.
    pub fn embed(&self, row: &TokenRow) -> Result<Vec<f32>> {
        let n = row.input_ids.len();
        if n < 3 {
            return Err(Error::invalid_input(format!("a row of {n} tokens, expected genes and two depths")));
        }
        let states = self.hidden(row)?.pop().ok_or_else(|| Error::invalid_input("a network without states"))?;
        let states = states.index_axis(Axis(0), 0).to_owned();
        let genes = states.slice_axis(Axis(0), (..n - 2).into());
        let largest = genes.fold_axis(Axis(0), f32::NEG_INFINITY, |a, b| a.max(*b));
        let mean = genes.sum_axis(Axis(0)) / (n - 2) as f32;
        let parts = [states.row(n - 1).to_vec(), states.row(n - 2).to_vec(), largest.to_vec(), mean.to_vec()];
        Ok(parts.concat())
    }

    /// States of every gene of the list behind the decoder, `[n_genes, d_decoder]`, and its expression as the head has it.
    ///
    /// # Errors
    /// As [`ScFoundationNet::hidden`].
    pub fn genes(&self, row: &TokenRow) -> Result<(Array2<f32>, Vec<f32>)> {
        let (n_all, d) = (self.config.n_genes + 2, self.config.d);
        let mut states = self.encoded(row)?;
        let last = states.pop().ok_or_else(|| Error::invalid_input("a network without states"))?;
        let len = row.input_ids.len();
        // Genes that are not expressed enter as the vector of zero.
        let silent = self.mixed(&[0.0]).reshape([1, d]);
        let all = Tensor::cat(vec![last.reshape([len, d]), silent], 0);
        let mut from = vec![len as i32; n_all];
        for (at, id) in row.input_ids.iter().enumerate() {
            from[*id as usize] = at as i32;
        }
        let from: Tensor<1, Int> = Tensor::from_data(TensorData::new(from, [n_all]), &self.device);
        let x = all.select(0, from) + self.places.clone().narrow(0, 0, n_all);
        let mut x = self.narrowed.forward(x.reshape([1, n_all, d]));
        for block in &self.decoder {
            x = block.forward(x);
        }
        let x = self.norm.forward(self.decoder_norm.forward(x)).narrow(1, 0, self.config.n_genes);
        let expression = host2(self.head.forward(x.clone()).squeeze_dim::<2>(0))?;
        Ok((host2(x.squeeze_dim::<2>(0))?, expression.into_iter().collect()))
    }

    /// `wᵀ T` with `w = softmax(α u + W_2 u + b_2)`, `u = leaky_relu(w_1 x + b_1)`, `[n, d]`.
    fn mixed(&self, values: &[f32]) -> Tensor<2> {
        let x: Tensor<2> = Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1]), &self.device);
        let u = leaky_relu(self.mixture[0].forward(x), 0.1);
        let z = u.clone() * self.config.alpha + self.mixture[1].forward(u);
        softmax(z, 1).matmul(self.vectors.clone())
    }

    fn encoded(&self, row: &TokenRow) -> Result<Vec<Tensor<3>>> {
        let Some(values) = row.values.as_ref().filter(|it| it.len() == row.input_ids.len() && !it.is_empty()) else {
            return Err(Error::invalid_input("a row without a value for every token, expected those of scFoundation"));
        };
        let n_all = self.config.n_genes + 2;
        if let Some(id) = row.input_ids.iter().find(|it| **it as usize >= n_all) {
            return Err(Error::invalid_input(format!("place {id} of a list of {n_all}, depths counted")));
        }
        let len = values.len();
        let ids: Vec<i32> = row.input_ids.iter().map(|it| *it as i32).collect();
        let ids: Tensor<1, Int> = Tensor::from_data(TensorData::new(ids, [len]), &self.device);
        let x = self.mixed(values) + self.places.clone().select(0, ids);
        let mut x = x.reshape([1, len, self.config.d]);
        let mut states = vec![x.clone()];
        for block in &self.encoder {
            x = block.forward(x, None);
            states.push(x.clone());
        }
        states.push(self.encoder_norm.forward(x));
        Ok(states)
    }
}

fn encoder_block(source: &mut Weights, at: usize, config: &BlockConfig, device: &Device) -> Result<Block> {
    let (prefix, d) = (format!("encoder.transformer_encoder.{at}"), config.d);
    let weight = source.values(&format!("{prefix}.self_attn.in_proj_weight"), &[3 * d, d], config.init)?;
    let bias = source.values(&format!("{prefix}.self_attn.in_proj_bias"), &[3 * d], config.init)?;
    let part = |it: usize| {
        linear_of(&weight[it * d * d..(it + 1) * d * d], bias[it * d..(it + 1) * d].to_vec(), [d, d], device)
    };
    Block::with_heads([part(0), part(1), part(2)], source, &prefix, &NAMES, config, device)
}
