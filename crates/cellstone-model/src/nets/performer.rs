//! Performer blocks: attention whose softmax is replaced by positive random features, in time linear in the length.

use super::layers::{linear, linear_of, norm};
use super::source::{Init, Source};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor, TensorData};
use cellstone_core::Result;

/// Keeps features away from zero.
const EPS: f64 = 1e-4;

/// Sizes of a stack of Performer blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PerformerConfig {
    pub(crate) d: usize,
    pub(crate) n_heads: usize,
    /// Width of a head; heads together need not be as wide as the stream.
    pub(crate) d_head: usize,
    pub(crate) d_inner: usize,
    /// Random features of a head.
    pub(crate) n_features: usize,
}

/// A pre-norm block: `x += W_o FAVOR(LN x)`, `x += W_2 gelu(W_1 LN x)`.
///
/// Source: `TencentAILabHealthcare/scBERT` : `performer_pytorch/performer_pytorch.py`; arXiv:2009.14794.
#[derive(Debug)]
pub(crate) struct PerformerBlock {
    config: PerformerConfig,
    norm_attention: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    /// `[d_head, n_features]`.
    projection: Tensor<2>,
    norm_inner: LayerNorm,
    up: Linear,
    down: Linear,
}

impl PerformerBlock {
    /// A block whose parts are named `PREFIX.0.…` (attention) and `PREFIX.1.…` (the two maps).
    pub(crate) fn new(source: &mut dyn Source, prefix: &str, config: PerformerConfig, device: &Device) -> Result<Self> {
        let PerformerConfig { d, n_heads, d_head, d_inner, n_features } = config;
        let (wide, init) = (n_heads * d_head, Init::Normal(0.02));
        let mut map = |name: &str| -> Result<Linear> {
            let weight = source.values(&format!("{prefix}.0.fn.{name}.weight"), &[wide, d], init)?;
            let mut made = linear_of(&weight, vec![0.0; wide], [d, wide], device);
            made.bias = None;
            Ok(made)
        };
        let (query, key, value) = (map("to_q")?, map("to_k")?, map("to_v")?);
        let name = format!("{prefix}.0.fn.fast_attention.projection_matrix");
        let rows = source.values(&name, &[n_features, d_head], Init::Normal(1.0))?;
        let projection: Tensor<2> = Tensor::from_data(TensorData::new(rows, [n_features, d_head]), device);
        Ok(Self {
            config,
            norm_attention: norm(source, &format!("{prefix}.0.norm"), d, 1e-5, device)?,
            query,
            key,
            value,
            out: linear(source, &format!("{prefix}.0.fn.to_out"), [wide, d], init, device)?,
            projection: projection.transpose(),
            norm_inner: norm(source, &format!("{prefix}.1.norm"), d, 1e-5, device)?,
            up: linear(source, &format!("{prefix}.1.fn.fn.w1"), [d, d_inner], init, device)?,
            down: linear(source, &format!("{prefix}.1.fn.fn.w2"), [d_inner, d], init, device)?,
        })
    }

    /// `x` is `[1, len, d]`: one cell, so that nothing depends on the cells beside it.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let normed = self.norm_attention.forward(x.clone());
        let x = x + self.out.forward(self.attend(normed));
        let inner = gelu(self.up.forward(self.norm_inner.forward(x.clone())));
        x + self.down.forward(inner)
    }

    fn attend(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, len, _] = x.dims();
        let (h, d_head) = (self.config.n_heads, self.config.d_head);
        let split = |it: Tensor<3>| it.reshape([len, h, d_head]).swap_dims(0, 1);
        let query = self.features(split(self.query.forward(x.clone())), false);
        let key = self.features(split(self.key.forward(x.clone())), true);
        let value = split(self.value.forward(x));
        // [h, m, d_head] and [h, m, 1].
        let context = key.clone().swap_dims(1, 2).matmul(value);
        let total = key.sum_dim(1).swap_dims(1, 2);
        let mixed = query.clone().matmul(context) / query.matmul(total);
        mixed.swap_dims(0, 1).reshape([1, len, h * d_head])
    }

    /// `m^(-1/2) (exp(P x d^(-1/4) − |x|² / (2 √d) − max) + 1e-4)`, `[h, len, m]`. The maximum goes over the features of
    /// each query, and over the features and places of each head for keys.
    fn features(&self, x: Tensor<3>, keys: bool) -> Tensor<3> {
        let [h, len, d_head] = x.dims();
        let m = self.config.n_features;
        let scale = (d_head as f64).powf(-0.25);
        let x = x * scale;
        let half = x.clone().powi_scalar(2).sum_dim(2) / 2.0;
        let dash = x.matmul(self.projection.clone().unsqueeze::<3>());
        let highest = dash.clone().max_dim(2);
        // DIVERGES(performer-key-max)
        let highest = if keys { highest.max_dim(1).expand([h, len, 1]) } else { highest };
        ((dash - half - highest).exp() + EPS) / (m as f64).sqrt()
    }
}
