//! AdamW over the parameters of a network, with one norm for all gradients.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::nets::fused::{AdamStep, adam, square_sum};
use crate::weights::{HostTensor, Weights};

/// Constants of the optimizer. Loshchilov and Hutter 2019, arXiv:1711.05101.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamWConfig {
    /// Memory of the gradient.
    pub beta_1: f64,
    /// Memory of its square.
    pub beta_2: f64,
    /// Added to the root of the square.
    pub epsilon: f64,
    /// Pull towards zero, per unit of learning rate; of matrices alone, not of biases and norms.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; longer ones are scaled down. None: never.
    pub clip_norm: Option<f64>,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.01, clip_norm: Some(1.0) }
    }
}

/// Moments of every parameter by its path in the network, and the steps taken.
#[derive(Debug)]
pub(crate) struct AdamW {
    config: AdamWConfig,
    step: u64,
    moments: BTreeMap<String, [Tensor<1>; 2]>,
}

impl AdamW {
    pub(crate) fn new(config: AdamWConfig) -> Self {
        Self { config, step: 0, moments: BTreeMap::new() }
    }

    /// One step; gives the network back and the norm of all gradients before clipping.
    pub(crate) fn step<M: Module>(&mut self, network: M, gradients: GradientsParams, rate: f64) -> (M, f64) {
        let mut norm = SquareNorm { gradients: &gradients, sum: 0.0 };
        network.visit(&mut norm);
        let norm = norm.sum.sqrt();
        let scale = match self.config.clip_norm {
            // The small number keeps the quotient finite, as in PyTorch's `clip_grad_norm_`.
            Some(most) => (most / (norm + 1e-6)).min(1.0),
            None => 1.0,
        };
        self.step += 1;
        let mut update = Update { optimizer: self, gradients, rate, scale, path: Vec::new() };
        (network.map(&mut update), norm)
    }

    /// The state on the host, by `PATH.first` and `PATH.second`.
    pub(crate) fn state(&self) -> Result<(u64, Weights)> {
        let mut weights = Weights::default();
        for (path, moments) in &self.moments {
            for (name, it) in ["first", "second"].iter().zip(moments) {
                let data = it.to_data().convert::<f32>().try_into_vec::<f32>();
                let data = data.map_err(|it| Error::device(format!("state of the optimizer: {it:?}")))?;
                weights.insert(format!("{path}.{name}"), HostTensor::new(vec![data.len()], data)?);
            }
        }
        Ok((self.step, weights))
    }

    /// An optimizer that goes on where [`AdamW::state`] was taken.
    pub(crate) fn resume(config: AdamWConfig, step: u64, state: &Weights, device: &Device) -> Result<Self> {
        let mut moments = BTreeMap::new();
        for name in state.names() {
            let Some(path) = name.strip_suffix(".first") else { continue };
            let read = |part: &str| {
                let name = format!("{path}.{part}");
                let found = state.get(&name);
                let it =
                    found.ok_or_else(|| Error::invalid_input(format!("the state of the optimizer lacks `{name}`")))?;
                Ok::<_, Error>(Tensor::<1>::from_data(TensorData::new(it.data.clone(), [it.data.len()]), device))
            };
            moments.insert(path.to_owned(), [read("first")?, read("second")?]);
        }
        Ok(Self { config, step, moments })
    }
}

/// Sum of the squares of all gradients, parameter by parameter in the order of the network.
struct SquareNorm<'a> {
    gradients: &'a GradientsParams,
    sum: f64,
}

impl ModuleVisitor for SquareNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            if let Some(sum) = square_sum(&gradient) {
                self.sum += sum;
                return;
            }
            self.sum += f64::from((gradient.clone() * gradient).sum().into_scalar::<f32>());
        }
    }
}

struct Update<'a> {
    optimizer: &'a mut AdamW,
    gradients: GradientsParams,
    rate: f64,
    scale: f64,
    path: Vec<String>,
}

impl Update<'_> {
    fn gradient<const D: usize>(&mut self, id: ParamId) -> Option<Tensor<D>> {
        self.gradients.remove::<D>(id)
    }
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    /// `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`,
    /// `w ← w − η (m̂ / (√v̂ + ε) + λ w)`, the hats dividing by `1 − βᵗ`.
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradient::<D>(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let it = self.optimizer.config;
        let path = self.path.join(".");
        let t = self.optimizer.step as i32;
        let (bias_1, bias_2) = (1.0 - it.beta_1.powi(t), 1.0 - it.beta_2.powi(t));
        let decay = if D > 1 { 1.0 - self.rate * it.weight_decay } else { 1.0 };
        let step = AdamStep {
            scale: self.scale as f32,
            beta_1: it.beta_1 as f32,
            beta_2: it.beta_2 as f32,
            epsilon: it.epsilon as f32,
            bias_2: (1.0 / bias_2) as f32,
            rate: (self.rate / bias_1) as f32,
            decay: decay as f32,
        };
        let required = tensor.is_require_grad();
        let mut moments = self.optimizer.moments.remove(&path);
        // One pass over memory on the CPU; a chain of Burn's operations elsewhere.
        let weight = tensor.inner();
        let moved = match adam(&weight, &gradient, &mut moments, step) {
            Some(it) => it,
            None => stepped(weight, gradient, &mut moments, step),
        };
        if let Some(moments) = moments {
            self.optimizer.moments.insert(path, moments);
        }
        let moved = Tensor::from_inner(moved);
        let moved = if required { moved.require_grad() } else { moved };
        Param::from_mapped_value(id, moved, mapper)
    }
}

/// A step on any device.
fn stepped<const D: usize>(
    weight: Tensor<D>,
    gradient: Tensor<D>,
    moments: &mut Option<[Tensor<1>; 2]>,
    it: AdamStep,
) -> Tensor<D> {
    let shape: [usize; D] = weight.dims();
    let n = shape.iter().product::<usize>();
    let gradient = gradient.reshape([n]) * it.scale;
    let square = gradient.clone() * gradient.clone();
    let [first, second] = match moments.take() {
        Some([first, second]) => {
            [first * it.beta_1 + gradient * (1.0 - it.beta_1), second * it.beta_2 + square * (1.0 - it.beta_2)]
        }
        None => [gradient * (1.0 - it.beta_1), square * (1.0 - it.beta_2)],
    };
    let root = (second.clone() * it.bias_2).sqrt() + it.epsilon;
    let moved = weight.reshape([n]) * it.decay - first.clone() / root * it.rate;
    *moments = Some([first, second]);
    moved.reshape(shape)
}
