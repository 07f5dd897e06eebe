//! What a network makes of cells that it does not learn from.

use super::loss::{MaskedBatch, at_positions, by_slot, cross_entropy_sum, indices};
use super::trainer::{Objective, Trainer};
use crate::run::Net;
use burn::tensor::{Device, Tensor};
use cellstone_core::{Error, Result};

/// Losses over batches together.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The objective, every mean over all batches.
    pub loss: f64,
    /// By slot, in the order of the objective; one entry for [`Objective::AllIds`].
    pub by_slot: Vec<SlotEvaluation>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotEvaluation {
    /// Masked tokens.
    pub n: usize,
    /// Mean cross-entropy in nats, smoothing as in training; `None` where nothing was masked.
    pub loss: Option<f64>,
    /// Share of them whose best score is the label; `None` where nothing was masked.
    pub accuracy: Option<f64>,
}

/// Sums of one slot: cross-entropy, hits, tokens.
#[derive(Clone, Copy, Default)]
struct Sums {
    loss: f64,
    hits: usize,
    n: usize,
}

impl Trainer {
    /// The objective on batches, without dropout and without learning from them.
    ///
    /// # Errors
    /// If nothing is masked, or a label belongs to no slot.
    pub fn evaluate(&self, batches: &[MaskedBatch]) -> Result<Evaluation> {
        let network = self.network();
        let mut sums = vec![Sums::default(); self.objective.n_slots()];
        for batch in batches.iter().filter(|it| !it.labels.is_empty()) {
            network.check(&batch.tokens)?;
            add(&network.net, batch, &self.objective, &network.device, &mut sums)?;
        }
        let counts: Vec<usize> = sums.iter().map(|it| it.n).collect();
        if counts.iter().all(|it| *it == 0) {
            return Err(Error::invalid_input("no token is masked, so there is nothing to evaluate"));
        }
        let weights = self.objective.weights(&counts);
        let mean = |part: f64, n: usize| (n > 0).then(|| part / n as f64);
        Ok(Evaluation {
            loss: sums.iter().zip(weights).map(|(it, weight)| it.loss * weight).sum(),
            by_slot: sums
                .iter()
                .map(|it| SlotEvaluation { n: it.n, loss: mean(it.loss, it.n), accuracy: mean(it.hits as f64, it.n) })
                .collect(),
        })
    }
}

fn add(net: &Net, batch: &MaskedBatch, objective: &Objective, device: &Device, sums: &mut [Sums]) -> Result<()> {
    let smoothing = objective.smoothing();
    let all = || (0..batch.labels.len() as i32).collect::<Vec<_>>();
    let plain = || batch.labels.iter().map(|it| *it as i32).collect::<Vec<_>>();
    match (net, objective) {
        (Net::Bert(net), _) => {
            let states = at_positions(net.last_state(&batch.tokens, device)?, &batch.positions, device);
            count(net.logits(states), plain(), smoothing, device, &mut sums[0])
        }
        (Net::PolyGene(net), Objective::AllIds { .. }) => {
            let states =
                net.head_states(at_positions(net.last_state(&batch.tokens, device)?, &batch.positions, device));
            count(net.scores(states.select(0, indices(all(), device)), None), plain(), smoothing, device, &mut sums[0])
        }
        (Net::PolyGene(net), Objective::Slots { slots, .. }) => {
            let states =
                net.head_states(at_positions(net.last_state(&batch.tokens, device)?, &batch.positions, device));
            let targets = by_slot(&batch.labels, slots)?;
            for ((slot, target), sum) in slots.iter().zip(targets).zip(sums).filter(|it| !it.0.1.labels.is_empty()) {
                let chosen = states.clone().select(0, indices(target.rows, device));
                count(net.scores(chosen, Some(&slot.ids)), target.labels, smoothing, device, sum)?;
            }
            Ok(())
        }
        _ => Err(Error::config("this network is not pretrained here")),
    }
}

fn count(scores: Tensor<2>, labels: Vec<i32>, smoothing: f64, device: &Device, sum: &mut Sums) -> Result<()> {
    let best = scores.clone().argmax(1).into_data().convert::<i32>().try_into_vec::<i32>();
    let best = best.map_err(|it| Error::device(format!("best scores: {it:?}")))?;
    sum.hits += best.iter().zip(&labels).filter(|it| it.0 == it.1).count();
    sum.n += labels.len();
    sum.loss += f64::from(cross_entropy_sum(scores, labels, smoothing, device).into_scalar::<f32>());
    Ok(())
}
