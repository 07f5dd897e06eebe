//! The rank-value study: what encodings keep of the likeness of cells, and whether they hide batches.

mod agreement;
mod book;
mod cells;
mod classes;
mod config;
mod cross;
mod encode;
mod execute;
mod gates;
mod genes;
mod graded;
mod hypotheses;
mod load;
mod purity;
mod relations;
mod resample;
mod sample;
mod sampled;
mod state;
mod study;
mod summary;
mod tables;
mod thin;
mod thinning;
mod transfer;
mod unit;
mod why;

pub use config::{
    DataFile, EncoderName, Gate, GeneSet, Graded, OntologyConfig, PairMetric, Projection, RawStudy, SampledPairs,
    Stratum, StudyConfig, StudyData, Subsample, Thinning, Transfer, Unit, load_study, parse_study, resolve_study,
};
pub use execute::{plan_study, run_study};
