//! The training itself: step, look, keep, until the end.

use super::config::PretrainConfig;
use super::masking::Masking;
use super::state::{Best, Bits, DriverState};
use super::stream::Stream;
use crate::host::Stopwatch;
use crate::progress::Progress;
use cellstone_core::{Error, ErrorKind, Result};
use cellstone_model::{
    CheckpointConfig, CheckpointEncoder, CheckpointVocab, MaskedBatch, StepReport, Trainer, TrainingPart, Weights,
    write_checkpoint,
};
use cellstone_report::pretrain::schema::{LossRow, SlotLossRow};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything that stays the same while it learns.
pub(super) struct Setting<'a> {
    pub(super) config: &'a PretrainConfig,
    pub(super) masking: &'a Masking<'a>,
    /// Masked validation cells; empty if there are none.
    pub(super) validation: &'a [MaskedBatch],
    /// Names of the slots of the objective.
    pub(super) slots: Vec<String>,
    pub(super) checkpoint: CheckpointConfig,
    pub(super) vocab: &'a CheckpointVocab,
    pub(super) encoder: &'a CheckpointEncoder,
    /// `checkpoints/` of the run.
    pub(super) folder: &'a Path,
    /// Steps at most.
    pub(super) total: u64,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a AtomicBool,
}

impl Setting<'_> {
    /// Trains until one of the ends of the configuration.
    ///
    /// # Errors
    /// If the user asks to stop (what was learnt is kept), the loss is not finite, a file cannot be read or written.
    pub(super) fn train(&self, trainer: &mut Trainer, stream: &mut Stream<'_>, state: &mut DriverState) -> Result<()> {
        stream.skip_to(state.epoch, state.batches)?;
        let (watch, before) = (Stopwatch::start(), state.seconds.0);
        let cells = state.cells;
        let mut kept = trainer.steps();
        while state.ended.is_empty() {
            if let Some(why) = self.end(trainer.steps(), stream, state) {
                why.clone_into(&mut state.ended);
                break;
            }
            if self.cancel.load(Ordering::Relaxed) {
                if trainer.steps() > kept {
                    self.keep_last(trainer, state)?;
                }
                return Err(
                    Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here")
                );
            }
            self.step(trainer, stream, state)?;
            let seconds = watch.elapsed().as_secs_f64();
            state.seconds = Bits(before + seconds);
            let rate = |n: u64| n as f64 / seconds.max(1e-9);
            self.progress.note(&format!("{:.0} cells/s", rate(state.cells - cells)));
            let step = trainer.steps();
            if !self.validation.is_empty() && (step.is_multiple_of(self.config.train.eval_every) || step == self.total)
            {
                self.look(trainer, state)?;
                state.seconds = Bits(before + watch.elapsed().as_secs_f64());
            }
            if step.is_multiple_of(self.config.train.checkpoint_every) {
                self.keep_last(trainer, state)?;
                kept = step;
            }
        }
        self.keep_last(trainer, state)
    }

    /// Why it ends here.
    fn end(&self, step: u64, stream: &Stream<'_>, state: &DriverState) -> Option<&'static str> {
        let train = &self.config.train;
        let (epoch, _) = stream.place();
        if step >= self.total {
            Some("all steps")
        } else if train.epochs > 0 && epoch >= train.epochs {
            Some("all epochs")
        } else if train.patience > 0 && state.waiting >= train.patience {
            Some("no better validation loss")
        } else if train.max_minutes > 0.0 && state.seconds.0 >= train.max_minutes * 60.0 {
            Some("time budget")
        } else {
            None
        }
    }

    fn step(&self, trainer: &mut Trainer, stream: &mut Stream<'_>, state: &mut DriverState) -> Result<()> {
        let (mut batches, mut n_cells, mut epoch) = (Vec::new(), 0, None);
        // A step needs something to predict; a batch of short rows may have nothing masked.
        while batches.len() < self.config.train.accumulate
            || batches.iter().all(|it: &MaskedBatch| it.labels.is_empty())
        {
            let (at, cells) = stream.next_batch()?;
            epoch.get_or_insert(at);
            n_cells += cells.len() as u64;
            batches.push(self.masking.batch(&cells, at)?);
        }
        let report = trainer.step(&batches)?;
        (state.epoch, state.batches) = stream.place();
        state.cells += n_cells;
        state.tokens += report.n_tokens as u64;
        self.progress.advance(report.n_tokens as u64);
        self.record(&report, epoch.unwrap_or(0), state);
        Ok(())
    }

    fn record(&self, report: &StepReport, epoch: u64, state: &mut DriverState) {
        state.push_loss(&LossRow {
            step: report.step as i64,
            epoch: epoch as i64,
            tokens: state.tokens as i64,
            cells: state.cells as i64,
            rate: report.rate,
            gradient_norm: report.gradient_norm,
            train_loss: report.loss,
            validation_loss: None,
        });
        for (slot, loss) in self.slots.iter().zip(&report.by_slot) {
            state.push_slot(SlotLossRow {
                step: report.step as i64,
                part: "train".into(),
                slot: slot.clone(),
                loss: *loss,
                ..SlotLossRow::default()
            });
        }
    }

    /// Looks at the validation cells, and keeps the network if it is the best so far.
    fn look(&self, trainer: &Trainer, state: &mut DriverState) -> Result<()> {
        let found = trainer.evaluate(self.validation)?;
        state.set_validation(found.loss);
        for (slot, it) in self.slots.iter().zip(&found.by_slot) {
            state.push_slot(SlotLossRow {
                step: trainer.steps() as i64,
                part: "validation".into(),
                slot: slot.clone(),
                n: Some(it.n as i64),
                loss: it.loss,
                accuracy: it.accuracy,
            });
        }
        if !found.loss.is_finite() {
            return Err(Error::not_converged(format!(
                "the validation loss behind step {} is {}",
                trainer.steps(),
                found.loss
            )));
        }
        if state.best.is_none_or(|it| found.loss < it.loss.0) {
            state.best = Some(Best { loss: Bits(found.loss), step: trainer.steps() });
            state.waiting = 0;
            return self.keep("best", &trainer.network().weights()?, trainer.steps(), state, None);
        }
        state.waiting += 1;
        Ok(())
    }

    fn keep_last(&self, trainer: &Trainer, state: &DriverState) -> Result<()> {
        let part = TrainingPart { state: trainer.state()?, driver: state.to_json()? };
        self.keep("last", &part.state.weights, trainer.steps(), state, Some(&part))
    }

    pub(super) fn keep(
        &self,
        name: &str,
        weights: &Weights,
        steps: u64,
        state: &DriverState,
        training: Option<&TrainingPart>,
    ) -> Result<()> {
        let mut config = self.checkpoint.clone();
        config.provenance.steps = steps;
        config.provenance.cells_seen = state.cells;
        config.provenance.tokens_seen = state.tokens;
        write_checkpoint(&self.folder.join(name), &config, weights, self.vocab, self.encoder, training)
    }
}
