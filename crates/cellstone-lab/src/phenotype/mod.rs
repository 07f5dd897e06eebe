//! Phenotype studies: what a network knows about phenotypes beside baselines, with calibration and entropy.

mod age;
mod annotate;
mod cells;
mod config;
mod counts;
mod entropy;
mod execute;
mod hierarchy;
mod network;
mod recovery;
mod scores;
mod series;
mod split;
mod state;
mod tables;
mod task;
mod trust;
mod unit;

pub use annotate::{Annotation, annotate};
pub use cellstone_metrics::phenotype::entropy_row;
pub use config::{
    BASELINES, CONDITIONS, Category, EntropyPlan, Evaluation, ModelSource, PhenotypeConfig, PhenotypeData,
    PhenotypeSplit, load_phenotype, parse_phenotype,
};
pub use execute::{plan_phenotype, run_phenotype};
pub use network::{PhenotypeNetwork, Said, condition};
