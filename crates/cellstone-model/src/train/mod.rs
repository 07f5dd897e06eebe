//! Training: masked tokens, AdamW, schedules.

mod adamw;
mod loss;
mod schedule;
mod trainer;

pub use adamw::AdamWConfig;
pub use loss::{MaskedBatch, Slot};
pub use schedule::{Decay, Schedule};
pub use trainer::{Objective, StepReport, TrainState, Trainer};
