//! One hidden state of a network, on its device or pooled.

use super::options::sizes;
use crate::run::Net;
use crate::{Network, TokenBatch};
use burn::tensor::{Tensor, TensorData};
use cellstone_core::{Error, Result};
use ndarray::{Array2, Array3};

impl Network {
    /// Number of blocks.
    pub fn n_layers(&self) -> usize {
        sizes(&self.config)[0]
    }

    /// Width of the stream.
    pub fn width(&self) -> usize {
        sizes(&self.config)[1]
    }

    /// Hidden state `layer` of a batch, `[n, len, d]`: 0 is what enters the first block, `l` what leaves block `l`.
    ///
    /// # Errors
    /// As [`Network::run`], and if there is no such state.
    pub fn state(&self, batch: &TokenBatch, layer: usize) -> Result<Array3<f32>> {
        let state = self.state_on_device(batch, layer)?;
        let shape = state.dims();
        Array3::from_shape_vec(shape, host(state.into_data())?).map_err(|it| Error::invalid_input(it.to_string()))
    }

    /// Sums of hidden state `layer` over the places of every row with `weights` `[n · len]`, `[n, d]`.
    pub(crate) fn weighted(&self, batch: &TokenBatch, layer: usize, weights: Vec<f32>) -> Result<Array2<f32>> {
        let [n, len] = batch.dims();
        let state = self.state_on_device(batch, layer)?;
        let d = state.dims()[2];
        let weights: Tensor<3> = Tensor::from_data(TensorData::new(weights, [n, 1, len]), &self.device);
        let sums = weights.matmul(state).reshape([n, d]);
        Array2::from_shape_vec((n, d), host(sums.into_data())?).map_err(|it| Error::invalid_input(it.to_string()))
    }

    fn state_on_device(&self, batch: &TokenBatch, layer: usize) -> Result<Tensor<3>> {
        self.check(batch)?;
        if layer > self.n_layers() {
            return Err(Error::config(format!("state {layer} of a network of {} blocks", self.n_layers())));
        }
        match &self.net {
            Net::Bert(it) => it.state(batch, layer, &self.device),
            Net::PolyGene(it) => it.state(batch, layer, &self.device),
            Net::ScGpt(it) => it.state(batch, layer, &self.device),
        }
    }
}

fn host(data: TensorData) -> Result<Vec<f32>> {
    data.convert::<f32>().try_into_vec().map_err(|it| Error::device(format!("values of a tensor: {it:?}")))
}
