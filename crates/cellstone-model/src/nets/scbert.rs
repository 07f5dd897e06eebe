//! scBERT: bins of every gene of a fixed list through Performer blocks.

use super::layers::{linear, norm};
use super::performer::{PerformerBlock, PerformerConfig};
use super::source::{Init, in_network};
use crate::run::{host2, host3};
use crate::{ImportReport, Selected, Weights};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cellstone_core::{Error, Result};
use ndarray::{Array2, Array3};
use serde::{Deserialize, Serialize};

/// Shape of an scBERT.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScBertConfig {
    /// Ids of bins, the one of the mask counted.
    pub n_bins: usize,
    /// Places of a row: the genes of the list and one more.
    pub len: usize,
    /// Width of the stream.
    pub d: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Heads of each block.
    pub n_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Width between the two maps of a block.
    pub d_inner: usize,
    /// Random features of a head.
    pub n_features: usize,
}

impl ScBertConfig {
    /// The published model. doi:10.1038/s42256-022-00534-z; `TencentAILabHealthcare/scBERT` : `pretrain.py`.
    pub fn published() -> Self {
        Self { n_bins: 7, len: 16_907, d: 200, n_layers: 6, n_heads: 10, d_head: 64, d_inner: 800, n_features: 266 }
    }
}

/// An scBERT with its weights on a device. For use alone: it is not trained here.
///
/// # References
/// doi:10.1038/s42256-022-00534-z; `TencentAILabHealthcare/scBERT` : `performer_pytorch/performer_pytorch.py`.
#[derive(Debug)]
pub struct ScBert {
    config: ScBertConfig,
    bins: Tensor<2>,
    genes: Tensor<2>,
    blocks: Vec<PerformerBlock>,
    norm: LayerNorm,
    head: Linear,
    device: Device,
}

impl ScBert {
    /// From weights with the published names.
    ///
    /// # Errors
    /// If a tensor is missing, has another shape than the configuration asks for, or holds values that are not finite.
    pub fn load(config: ScBertConfig, weights: &mut Weights, on: &Selected) -> Result<(Self, ImportReport)> {
        let made = Self::new(config, weights, on.device()).map_err(in_network("an scBERT"))?;
        let buffers: Vec<String> =
            weights.unused().into_iter().filter(|it| it.ends_with("calls_since_last_redraw")).collect();
        buffers.iter().for_each(|it| weights.ignore(it));
        Ok((made, ImportReport::of(weights)))
    }

    fn new(config: ScBertConfig, source: &mut Weights, device: &Device) -> Result<Self> {
        let ScBertConfig { n_bins, len, d, n_layers, n_heads, d_head, d_inner, n_features } = config;
        let block = PerformerConfig { d, n_heads, d_head, d_inner, n_features };
        let mut table = |name: &str, n: usize| -> Result<Tensor<2>> {
            let values = source.take(name, &[n, d])?.data.clone();
            Ok(Tensor::from_data(TensorData::new(values, [n, d]), device))
        };
        let (bins, genes) = (table("token_emb.weight", n_bins)?, table("pos_emb.emb.weight", len)?);
        let blocks = (0..n_layers)
            .map(|it| PerformerBlock::new(source, &format!("performer.net.layers.{it}"), block, device))
            .collect::<Result<_>>()?;
        let head = linear(source, "to_out", [d, n_bins], Init::Normal(0.02), device)?;
        Ok(Self {
            bins,
            genes,
            blocks,
            norm: norm(source, "norm", d, 1e-5, device)?,
            head,
            device: device.clone(),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &ScBertConfig {
        &self.config
    }

    /// States of a cell, each `[1, len, d]`: what enters the first block, what leaves each block, and the last of these
    /// normalised.
    ///
    /// # Errors
    /// If the row does not have a bin for every place, or one that the network does not know.
    pub fn hidden(&self, bins: &[u32]) -> Result<Vec<Array3<f32>>> {
        self.states(bins)?.into_iter().map(host3).collect()
    }

    /// Scores of every bin at every place, `[len, n_bins]`.
    ///
    /// # Errors
    /// As [`ScBert::hidden`].
    pub fn scores(&self, bins: &[u32]) -> Result<Array2<f32>> {
        host2(self.head.forward(self.last(bins)?).squeeze_dim::<2>(0))
    }

    /// The vector of a cell: the mean of its last states over the genes, the place behind them left out.
    ///
    /// # Errors
    /// As [`ScBert::hidden`].
    pub fn embed(&self, bins: &[u32]) -> Result<Vec<f32>> {
        let n_genes = self.config.len - 1;
        let mean = self.last(bins)?.narrow(1, 0, n_genes).mean_dim(1).squeeze_dim::<2>(0);
        Ok(host2(mean)?.into_iter().collect())
    }

    fn last(&self, bins: &[u32]) -> Result<Tensor<3>> {
        let mut states = self.states(bins)?;
        states.pop().ok_or_else(|| Error::invalid_input("a network without states"))
    }

    fn states(&self, bins: &[u32]) -> Result<Vec<Tensor<3>>> {
        let ScBertConfig { n_bins, len, d, .. } = self.config;
        if bins.len() != len {
            return Err(Error::invalid_input(format!("a row of {} bins, expected {len}", bins.len())));
        }
        if let Some(it) = bins.iter().find(|it| **it as usize >= n_bins) {
            return Err(Error::invalid_input(format!("bin {it} of a network that knows {n_bins}")));
        }
        let ids: Vec<i32> = bins.iter().map(|it| *it as i32).collect();
        let ids: Tensor<1, Int> = Tensor::from_data(TensorData::new(ids, [len]), &self.device);
        let mut x = (self.bins.clone().select(0, ids) + self.genes.clone()).reshape([1, len, d]);
        let mut states = vec![x.clone()];
        for block in &self.blocks {
            x = block.forward(x);
            states.push(x.clone());
        }
        states.push(self.norm.forward(x));
        Ok(states)
    }
}
