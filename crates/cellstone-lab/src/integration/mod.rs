//! Metrics of batch integration: from embeddings, batches and labels to one table.

mod catalogue;
mod clusters;
mod controls;
mod input;
mod kbet;
mod measure;
mod run;
mod trajectory;

pub use catalogue::integration_metrics;
pub use cellstone_metrics::integration::Convention;
pub use input::{CellGroups, IntegrationInput, PreIntegration};
pub use measure::{LabelValue, Measured, MetricValue};
pub use run::{IntegrationOutcome, IntegrationParams, integrate};
