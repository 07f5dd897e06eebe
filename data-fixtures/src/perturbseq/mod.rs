//! A Perturb-seq experiment with planted truth, as a stream of counts of any size.

pub(crate) mod plant;
mod preset;
pub(crate) mod sampler;
mod source;
mod spec;
mod truth;
mod write;

pub use source::PerturbSeq;
pub use spec::{Dispersion, EffectSpec, InteractionSpec, PerturbSeqSpec};
pub use truth::{InteractionClass, PlantedCondition, PlantedProgram, PlantedTarget, PlantedTruth, SparseEffect};
pub use write::{simulate_to_h5ad, truth_path};
