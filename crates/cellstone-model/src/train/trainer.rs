//! One step after another, exactly resumable.

use super::adamw::{AdamW, AdamWConfig};
use super::loss::{MaskedBatch, Slot, at_positions, by_slot, cross_entropy_sum, indices};
use super::schedule::Schedule;
use crate::Selected;
use crate::nets::bert::BertNet;
use crate::nets::polygene::PolyGeneNet;
use crate::run::{Net, Network, NetworkConfig};
use crate::weights::Weights;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use cellstone_core::{Error, Result, Seed};
use serde::{Deserialize, Serialize};

/// What is minimized.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Objective {
    /// Mean cross-entropy of the masked tokens over all ids: BERT.
    AllIds {
        /// Share of the target that is spread over all ids.
        smoothing: f64,
    },
    /// Cross-entropy over the ids that can stand at a position. The mean over masked genes, and the mean over
    /// phenotypes of each one's mean over cells, are added with these weights: a cell has hundreds of masked genes and
    /// two masked phenotypes, so one mean over both would leave the phenotypes about a hundredth of the weight.
    Slots {
        /// Categories of phenotypes, and the bins of genes last.
        slots: Vec<Slot>,
        /// Weight of the genes.
        genes: f64,
        /// Weight of the phenotypes.
        phenotypes: f64,
        /// Share of the target that is spread over the ids of the slot.
        smoothing: f64,
    },
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Steps taken, this one counted.
    pub step: u64,
    /// The objective.
    pub loss: f64,
    /// Mean cross-entropy by slot, in nats; `None` where nothing was masked. One entry for [`Objective::AllIds`].
    pub by_slot: Vec<Option<f64>>,
    /// Norm of all gradients before clipping.
    pub gradient_norm: f64,
    /// Learning rate.
    pub rate: f64,
    /// Tokens that are no padding.
    pub n_tokens: usize,
}

/// Everything that a later process needs to go on as if nothing had happened.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainState {
    /// Steps taken.
    pub step: u64,
    /// Weights of the network.
    pub weights: Weights,
    /// Moments of the optimizer.
    pub moments: Weights,
}

/// A network that learns.
#[derive(Debug)]
pub struct Trainer {
    network: Network,
    pub(super) objective: Objective,
    schedule: Schedule,
    optimizer: AdamW,
    seed: Seed,
    step: u64,
}

impl Trainer {
    /// Begins training.
    ///
    /// # Errors
    /// If this kind of network cannot be trained for this objective.
    pub fn new(
        network: Network,
        objective: Objective,
        optimizer: AdamWConfig,
        schedule: Schedule,
        seed: Seed,
    ) -> Result<Self> {
        match (&network.config, &objective) {
            (NetworkConfig::Bert(_), Objective::AllIds { .. }) | (NetworkConfig::PolyGene(_), _) => {}
            (config, objective) => {
                return Err(Error::config(format!("{config:?} cannot be trained for {objective:?}")));
            }
        }
        let network = network.into_training();
        Ok(Self { network, objective, schedule, optimizer: AdamW::new(optimizer), seed, step: 0 })
    }

    /// Goes on from a state, with the same settings as before.
    ///
    /// # Errors
    /// If the state is of another network.
    pub fn resume(
        config: NetworkConfig,
        mut state: TrainState,
        objective: Objective,
        optimizer: AdamWConfig,
        schedule: Schedule,
        seed: Seed,
        on: &Selected,
    ) -> Result<Self> {
        let (network, report) = Network::load(config, &mut state.weights, on)?;
        if let Some(name) = report.unused.first() {
            return Err(Error::invalid_input(format!("the state holds `{name}`, which the network does not have")));
        }
        let mut trainer = Self::new(network, objective, optimizer, schedule, seed)?;
        trainer.optimizer = AdamW::resume(optimizer, state.step, &state.moments, on.device())?;
        trainer.step = state.step;
        Ok(trainer)
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// What a later process needs to go on.
    ///
    /// # Errors
    /// If the device fails.
    pub fn state(&self) -> Result<TrainState> {
        let (step, moments) = self.optimizer.state()?;
        Ok(TrainState { step, weights: self.network.weights()?, moments })
    }

    /// The network as it is now, for use.
    pub fn network(&self) -> Network {
        self.network.for_use()
    }

    /// One step over the gradients of all `batches` together. The result is that of one large batch: every mean is
    /// over all of them.
    ///
    /// # Errors
    /// If nothing is masked, a label belongs to no slot, or the loss is not finite.
    pub fn step(&mut self, batches: &[MaskedBatch]) -> Result<StepReport> {
        let rate = self.schedule.at(self.step);
        let counts = self.counts(batches)?;
        let device = self.network.device.clone();
        // Dropout draws from the device: keyed on the step, a resumed run draws the same.
        device.clone().inner().seed(self.seed.derive("dropout").derive_index(self.step).value());
        let mut sums = vec![0.0; counts.len()];
        let weights = self.objective.weights(&counts);
        let outcome = match &self.network.net {
            Net::Bert(net) => gradients(net.as_ref(), batches, &weights, &mut sums, |net, it| {
                bert_sums(net, it, self.objective.smoothing(), &device)
            }),
            Net::PolyGene(net) => gradients(net.as_ref(), batches, &weights, &mut sums, |net, it| {
                polygene_sums(net, it, &self.objective, &device)
            }),
            Net::ScGpt(_) => Err(Error::config("an scGPT cannot be pretrained here")),
        }?;
        let loss: f64 = sums.iter().zip(&weights).map(|(sum, weight)| sum * weight).sum();
        if !loss.is_finite() {
            return Err(Error::not_converged(format!("the loss of step {} is {loss}", self.step + 1))
                .with_hint("a lower learning rate or a longer warm-up may help"));
        }
        let norm = self.update(outcome, rate);
        self.step += 1;
        let mean = |(sum, n): (&f64, &usize)| (*n > 0).then(|| sum / *n as f64);
        Ok(StepReport {
            step: self.step,
            loss,
            by_slot: sums.iter().zip(&counts).map(mean).collect(),
            gradient_norm: norm,
            rate,
            n_tokens: batches.iter().map(|it| it.tokens.n_tokens()).sum(),
        })
    }

    fn update(&mut self, gradients: GradientsParams, rate: f64) -> f64 {
        match &mut self.network.net {
            Net::Bert(net) => {
                let (moved, norm) = self.optimizer.step(net.as_ref().clone(), gradients, rate);
                **net = moved;
                norm
            }
            Net::PolyGene(net) => {
                let (moved, norm) = self.optimizer.step(net.as_ref().clone(), gradients, rate);
                **net = moved;
                norm
            }
            Net::ScGpt(_) => 0.0,
        }
    }

    /// Masked positions by slot, over all batches.
    fn counts(&self, batches: &[MaskedBatch]) -> Result<Vec<usize>> {
        let mut counts = vec![0; self.objective.n_slots()];
        for batch in batches {
            match &self.objective {
                Objective::AllIds { .. } => counts[0] += batch.labels.len(),
                Objective::Slots { slots, .. } => {
                    for (count, it) in counts.iter_mut().zip(by_slot(&batch.labels, slots)?) {
                        *count += it.labels.len();
                    }
                }
            }
        }
        if counts.iter().all(|it| *it == 0) {
            return Err(Error::invalid_input("no token of the batch is masked, so there is nothing to learn"));
        }
        Ok(counts)
    }
}

impl Objective {
    pub(super) fn n_slots(&self) -> usize {
        match self {
            Self::AllIds { .. } => 1,
            Self::Slots { slots, .. } => slots.len(),
        }
    }

    pub(super) fn smoothing(&self) -> f64 {
        match self {
            Self::AllIds { smoothing } | Self::Slots { smoothing, .. } => *smoothing,
        }
    }

    /// What the sum of each slot is multiplied with.
    pub(super) fn weights(&self, counts: &[usize]) -> Vec<f64> {
        let one = |weight: f64, n: usize| if n == 0 { 0.0 } else { weight / n as f64 };
        match self {
            Self::AllIds { .. } => vec![one(1.0, counts[0])],
            Self::Slots { genes, phenotypes, .. } => {
                let (bins, categories) = counts.split_last().unwrap_or((&0, &[]));
                let seen = categories.iter().filter(|it| **it > 0).count().max(1) as f64;
                let of = |n: &usize| one(phenotypes / seen, *n);
                categories.iter().map(of).chain([one(*genes, *bins)]).collect()
            }
        }
    }
}

/// Gradients of `Σ weight · sum` over all batches; adds the sums of every slot to `sums`.
fn gradients<M: Module>(
    net: &M,
    batches: &[MaskedBatch],
    weights: &[f64],
    sums: &mut [f64],
    of_batch: impl Fn(&M, &MaskedBatch) -> Result<Vec<Option<Tensor<1>>>>,
) -> Result<GradientsParams> {
    let mut all = GradientsAccumulator::new();
    for batch in batches {
        let mut loss: Option<Tensor<1>> = None;
        for ((sum, weight), total) in of_batch(net, batch)?.into_iter().zip(weights).zip(sums.iter_mut()) {
            let Some(sum) = sum else { continue };
            *total += f64::from(sum.clone().into_scalar::<f32>());
            let part = sum * *weight;
            loss = Some(match loss {
                Some(it) => it + part,
                None => part,
            });
        }
        if let Some(loss) = loss {
            all.accumulate(net, GradientsParams::from_grads(loss.backward(), net));
        }
    }
    Ok(all.grads())
}

fn bert_sums(net: &BertNet, batch: &MaskedBatch, smoothing: f64, device: &Device) -> Result<Vec<Option<Tensor<1>>>> {
    if batch.labels.is_empty() {
        return Ok(vec![None]);
    }
    let states = at_positions(net.last_state(&batch.tokens, device)?, &batch.positions, device);
    if let Some(sum) = net.loss_sum(states.clone(), &batch.labels, smoothing) {
        return Ok(vec![Some(sum)]);
    }
    let labels = batch.labels.iter().map(|it| *it as i32).collect();
    Ok(vec![Some(cross_entropy_sum(net.logits(states), labels, smoothing, device))])
}

fn polygene_sums(
    net: &PolyGeneNet,
    batch: &MaskedBatch,
    objective: &Objective,
    device: &Device,
) -> Result<Vec<Option<Tensor<1>>>> {
    if batch.labels.is_empty() {
        return Ok(vec![None; objective.n_slots()]);
    }
    let last = net.last_state(&batch.tokens, device)?;
    let states = net.head_states(at_positions(last, &batch.positions, device));
    let smoothing = objective.smoothing();
    match objective {
        Objective::AllIds { .. } => {
            let labels = batch.labels.iter().map(|it| *it as i32).collect();
            Ok(vec![Some(cross_entropy_sum(net.scores(states, None), labels, smoothing, device))])
        }
        Objective::Slots { slots, .. } => {
            let targets = by_slot(&batch.labels, slots)?;
            let one = |(slot, it): (&Slot, super::loss::SlotTargets)| {
                if it.labels.is_empty() {
                    return None;
                }
                let chosen = states.clone().select(0, indices(it.rows, device));
                Some(cross_entropy_sum(net.scores(chosen, Some(&slot.ids)), it.labels, smoothing, device))
            };
            Ok(slots.iter().zip(targets).map(one).collect())
        }
    }
}
