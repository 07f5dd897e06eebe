//! What a pretraining keeps beside weights and moments, so that `--resume` ends with the same tables.

use cellstone_core::{Error, Result};
use cellstone_report::pretrain::schema::{LossRow, SlotLossRow};
use serde::{Deserialize, Serialize};

/// A number that is stored by its bits: text would lose the last one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Bits(pub(super) f64);

impl From<u64> for Bits {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Bits> for u64 {
    fn from(it: Bits) -> Self {
        it.0.to_bits()
    }
}

/// The best look so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    pub(super) loss: Bits,
    pub(super) step: u64,
}

/// The place of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct DriverState {
    /// Epoch of the next batch and the batches given in it.
    pub(super) epoch: u64,
    pub(super) batches: u64,
    pub(super) tokens: u64,
    pub(super) cells: u64,
    /// Seconds of training, over all processes.
    pub(super) seconds: Bits,
    pub(super) best: Option<Best>,
    /// Looks since the best one.
    pub(super) waiting: u64,
    /// Why it ended; empty while it goes on.
    pub(super) ended: String,
    losses: Vec<StoredLoss>,
    slots: Vec<StoredSlot>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredLoss([i64; 4], [Bits; 3], Option<Bits>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredSlot(i64, String, String, Option<i64>, Option<Bits>, Option<Bits>);

impl DriverState {
    pub(super) fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|it| Error::invalid_input(format!("the state of the run: {it}")))
    }

    pub(super) fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|it| {
            Error::invalid_input(format!("the state of the run in the checkpoint: {it}"))
                .with_hint("the checkpoint is of another version: start again with --force")
        })
    }

    pub(super) fn push_loss(&mut self, it: &LossRow) {
        self.losses.push(StoredLoss(
            [it.step, it.epoch, it.tokens, it.cells],
            [it.rate, it.gradient_norm, it.train_loss].map(Bits),
            it.validation_loss.map(Bits),
        ));
    }

    /// Enters the validation loss behind the last step.
    pub(super) fn set_validation(&mut self, loss: f64) {
        if let Some(it) = self.losses.last_mut() {
            it.2 = Some(Bits(loss));
        }
    }

    pub(super) fn push_slot(&mut self, it: SlotLossRow) {
        self.slots.push(StoredSlot(it.step, it.part, it.slot, it.n, it.loss.map(Bits), it.accuracy.map(Bits)));
    }

    pub(super) fn losses(&self) -> Vec<LossRow> {
        let row = |StoredLoss([step, epoch, tokens, cells], [rate, norm, loss], validation): &StoredLoss| LossRow {
            step: *step,
            epoch: *epoch,
            tokens: *tokens,
            cells: *cells,
            rate: rate.0,
            gradient_norm: norm.0,
            train_loss: loss.0,
            validation_loss: validation.map(|it| it.0),
        };
        self.losses.iter().map(row).collect()
    }

    pub(super) fn slots(&self) -> Vec<SlotLossRow> {
        let row = |StoredSlot(step, part, slot, n, loss, accuracy): &StoredSlot| SlotLossRow {
            step: *step,
            part: part.clone(),
            slot: slot.clone(),
            n: *n,
            loss: loss.map(|it| it.0),
            accuracy: accuracy.map(|it| it.0),
        };
        self.slots.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bit_survives() {
        let mut state = DriverState { seconds: Bits(0.1 + 0.2), ..DriverState::default() };
        let row =
            LossRow { step: 3, train_loss: 1.0 / 3.0, validation_loss: Some(f64::MIN_POSITIVE), ..LossRow::default() };
        state.push_loss(&row);
        state.push_slot(SlotLossRow { part: "train".into(), loss: Some(2.0_f64.sqrt()), ..SlotLossRow::default() });
        let again = DriverState::from_json(&state.to_json().expect("json")).expect("read back");
        assert_eq!(again, state);
        assert_eq!(again.losses(), [row]);
    }
}
