//! Networks as their users hold them: made or loaded, on a device, answering with host arrays.

use crate::Selected;
use crate::nets::batch::TokenBatch;
use crate::nets::bert::{self, BertConfig, BertNet};
use crate::nets::polygene::{self, PolyGeneConfig, PolyGeneNet};
use crate::nets::scgpt::{self, ScGptConfig, ScGptNet};
use crate::weights::{ImportReport, Weights};
use burn::module::Module as _;
use burn::tensor::{Device, Tensor};
use cellstone_core::{Error, Result, Seed};
use ndarray::{Array2, Array3};

/// The shape of a network, and which network it is.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "network", rename_all = "snake_case")]
pub enum NetworkConfig {
    /// BERT with a masked-token head: Geneformer, PolyGene v1.
    Bert(BertConfig),
    /// scGPT.
    ScGpt(ScGptConfig),
    /// PolyGene v2.
    PolyGene(PolyGeneConfig),
}

#[derive(Debug)]
pub(crate) enum Net {
    Bert(Box<BertNet>),
    ScGpt(Box<ScGptNet>),
    PolyGene(Box<PolyGeneNet>),
}

/// A network with its weights on a device.
#[derive(Debug)]
pub struct Network {
    pub(crate) config: NetworkConfig,
    pub(crate) net: Net,
    pub(crate) device: Device,
}

/// What a network says of a batch.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// The stream before the first block and behind every block, each `[n, len, d]`.
    pub hidden: Vec<Array3<f32>>,
    /// Scores of every id at every position, `[n, len, n_ids]`; for scGPT the expression of every gene,
    /// `[n, len, 1]`, where the checkpoint has that head.
    pub logits: Option<Array3<f32>>,
    /// scGPT: expression of every gene from the state of the cell, `[n, len]`, where the checkpoint has that head.
    pub from_cell: Option<Array2<f32>>,
}

impl Network {
    /// A network from a checkpoint, and what became of its tensors.
    ///
    /// # Errors
    /// If a tensor is missing, has another shape than the configuration asks for, or holds values that are not finite.
    pub fn load(config: NetworkConfig, weights: &mut Weights, on: &Selected) -> Result<(Self, ImportReport)> {
        let device = on.device().clone();
        let net = match &config {
            NetworkConfig::Bert(it) => Net::Bert(Box::new(bert::load(weights, it, &device)?)),
            NetworkConfig::ScGpt(it) => Net::ScGpt(Box::new(scgpt::load(weights, it, &device)?)),
            NetworkConfig::PolyGene(it) => Net::PolyGene(Box::new(polygene::load(weights, it, &device)?)),
        };
        Ok((Self { config, net, device }, ImportReport::of(weights)))
    }

    /// A network with fresh weights, each parameter drawn from a stream of its own.
    ///
    /// # Errors
    /// If the configuration fits no network.
    pub fn fresh(config: NetworkConfig, seed: Seed, on: &Selected) -> Result<Self> {
        let device = on.device().clone();
        let net = match &config {
            NetworkConfig::Bert(it) => Net::Bert(Box::new(bert::fresh(it, seed, &device)?)),
            NetworkConfig::ScGpt(it) => Net::ScGpt(Box::new(scgpt::fresh(it, seed, &device)?)),
            NetworkConfig::PolyGene(it) => Net::PolyGene(Box::new(polygene::fresh(it, seed, &device)?)),
        };
        Ok(Self { config, net, device })
    }

    /// Its tensors by their published names.
    ///
    /// # Errors
    /// If the device fails.
    pub fn weights(&self) -> Result<Weights> {
        match &self.net {
            Net::Bert(it) => it.export(),
            Net::ScGpt(it) => it.export(),
            Net::PolyGene(it) => it.export(),
        }
    }

    /// The same network on a device that records what gradients need.
    pub(crate) fn into_training(self) -> Self {
        let net = match self.net {
            Net::Bert(it) => Net::Bert(Box::new(it.train())),
            Net::ScGpt(it) => Net::ScGpt(Box::new(it.train())),
            Net::PolyGene(it) => Net::PolyGene(Box::new(it.train())),
        };
        Self { config: self.config, net, device: self.device.autodiff() }
    }

    /// A copy that records nothing and drops nothing.
    pub(crate) fn for_use(&self) -> Self {
        let net = match &self.net {
            Net::Bert(it) => Net::Bert(Box::new(it.valid())),
            Net::ScGpt(it) => Net::ScGpt(Box::new(it.valid())),
            Net::PolyGene(it) => Net::PolyGene(Box::new(it.valid())),
        };
        Self { config: self.config.clone(), net, device: self.device.clone().inner() }
    }

    /// Its shape.
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Runs a batch and brings everything back to the host.
    ///
    /// # Errors
    /// If the batch is longer than the network, holds ids it does not know, or lacks a stream it reads.
    pub fn run(&self, batch: &TokenBatch) -> Result<Outputs> {
        self.check(batch)?;
        let device = &self.device;
        let (states, logits, from_cell) = match &self.net {
            Net::Bert(net) => {
                let states = net.hidden_states(batch, device)?;
                let logits = everywhere(&states, |it| net.logits(it));
                (states, Some(logits), None)
            }
            Net::PolyGene(net) => {
                let states = net.hidden_states(batch, device)?;
                let logits = everywhere(&states, |it| net.logits(it));
                (states, Some(logits), None)
            }
            Net::ScGpt(net) => {
                let states = net.hidden_states(batch, device)?;
                let last = states[states.len() - 1].clone();
                let [n, len] = batch.dims();
                let expression = net.expression(last.clone()).map(|it| it.reshape([n, len, 1]));
                (states, expression, net.expression_of_cell(batch, last, device))
            }
        };
        Ok(Outputs {
            hidden: states.into_iter().map(host3).collect::<Result<_>>()?,
            logits: logits.map(host3).transpose()?,
            from_cell: from_cell.map(host2).transpose()?,
        })
    }

    /// The same network with blocks made of Burn's own operations on every device: slower on the CPU, for comparison.
    pub fn composed(mut self) -> Self {
        match &mut self.net {
            Net::Bert(it) => it.compose(),
            Net::ScGpt(it) => it.compose(),
            Net::PolyGene(it) => it.compose(),
        }
        self
    }

    /// The stream behind block `layer`, `[n, len, d]`; 0 is what enters the first block. Later blocks and heads are not
    /// computed.
    ///
    /// # Errors
    /// As [`Network::run`], or if there is no such block.
    pub fn hidden_state(&self, batch: &TokenBatch, layer: usize) -> Result<Array3<f32>> {
        self.check(batch)?;
        let n_blocks = match &self.net {
            Net::Bert(it) => it.n_blocks(),
            Net::ScGpt(it) => it.n_blocks(),
            Net::PolyGene(it) => it.n_blocks(),
        };
        if layer > n_blocks {
            return Err(Error::config(format!("state {layer} of a network of {n_blocks} blocks")));
        }
        host3(match &self.net {
            Net::Bert(it) => it.state(batch, layer, &self.device)?,
            Net::ScGpt(it) => it.state(batch, layer, &self.device)?,
            Net::PolyGene(it) => it.state(batch, layer, &self.device)?,
        })
    }

    pub(crate) fn check(&self, batch: &TokenBatch) -> Result<()> {
        let (n_ids, max_len) = match &self.config {
            NetworkConfig::Bert(it) => (it.vocab_size, it.max_position_embeddings),
            NetworkConfig::ScGpt(it) => (it.n_tokens, usize::MAX),
            NetworkConfig::PolyGene(it) => (it.n_values, usize::MAX),
        };
        if batch.max_id() as usize >= n_ids {
            return Err(Error::invalid_input(format!(
                "token {} of a network that knows {n_ids}, expected ids below that",
                batch.max_id()
            ))
            .with_hint("the tokens may be made with the vocabulary of another model"));
        }
        if batch.dims()[1] > max_len {
            return Err(Error::invalid_input(format!(
                "a row of {} tokens, expected at most {max_len}",
                batch.dims()[1]
            )));
        }
        Ok(())
    }
}

/// A head at every position of the last states.
fn everywhere(states: &[Tensor<3>], head: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let last = states[states.len() - 1].clone();
    let [n, len, d] = last.dims();
    let scores = head(last.reshape([n * len, d]));
    let width = scores.dims()[1];
    scores.reshape([n, len, width])
}

pub(crate) fn host3(it: Tensor<3>) -> Result<Array3<f32>> {
    let shape = it.dims();
    Array3::from_shape_vec(shape, values(it.into_data())?).map_err(|it| Error::invalid_input(it.to_string()))
}

pub(crate) fn host2(it: Tensor<2>) -> Result<Array2<f32>> {
    let shape = it.dims();
    Array2::from_shape_vec(shape, values(it.into_data())?).map_err(|it| Error::invalid_input(it.to_string()))
}

fn values(data: burn::tensor::TensorData) -> Result<Vec<f32>> {
    data.convert::<f32>().try_into_vec().map_err(|it| Error::device(format!("values of a tensor: {it:?}")))
}
