//! Training: masked tokens, AdamW, schedules.

mod adamw;
mod evaluate;
mod loss;
mod masked;
mod schedule;
mod trainer;

pub use adamw::AdamWConfig;
pub use evaluate::{Evaluation, SlotEvaluation};
pub(crate) use loss::at_positions;
pub use loss::{MaskedBatch, Slot};
pub use masked::masked_batch;
pub(crate) use masked::masked_tokens;
pub use schedule::{Decay, Schedule};
pub use trainer::{Objective, StepReport, TrainState, Trainer};
