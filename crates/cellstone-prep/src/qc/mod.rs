//! Quality control: what scanpy's `calculate_qc_metrics` computes, and filters that say which rule dropped what.

mod accumulate;
mod filter;
mod gene_sets;
mod metrics;
mod tops;

pub use accumulate::{QcAccumulator, QcParams, calculate_qc_metrics};
pub use filter::{CellFilter, Filtered, GeneFilter, RuleCount};
pub use gene_sets::GeneSets;
pub use metrics::{CellQc, GeneQc, QcColumn, QcMetrics, SetQc};
