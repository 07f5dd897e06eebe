//! Simulated data whose truth is known, and the checks that every implementation of a seam must pass.
//!
//! ```
//! use cellstone_core::{CountSource, Seed};
//! use cellstone_fixtures::{PerturbSeq, PerturbSeqSpec};
//! let data = PerturbSeq::new(PerturbSeqSpec::preset("tiny")?, Seed::new(1))?;
//! assert_eq!((data.n_obs(), data.var().len()), (400, 60));
//! let first = data.blocks(0)?.next().expect("400 cells make at least one block")?;
//! assert!(first.x.data().iter().all(|it| *it >= 1.0));
//! let truth = data.truth();
//! assert_eq!(truth.conditions()[0].label, "control");
//! assert!(truth.log_delta(0, 1).iter().any(|it| *it != 0.0));
//! # Ok::<(), cellstone_core::Error>(())
//! ```
//!
//! Start at [`PerturbSeqSpec`] and [`PerturbSeq`] for counts, at [`PlantedTruth`] for what was planted, and at
//! [`conformance`] for the suites. [`small_counts`] serves tests that need a matrix and no story.
//!
//! What is not here: realistic cell types, doublets, ambient molecules, or anything that reads real data.

#![forbid(unsafe_code)]

mod atlas;
pub mod conformance;
mod perturbseq;
mod phenotypes;
mod small;

pub use atlas::{Atlas, AtlasSpec, AtlasTruth, TypeTree, atlas_obo_path, simulate_atlas_to_h5ad};
pub use perturbseq::{
    Dispersion, EffectSpec, InteractionClass, InteractionSpec, PerturbSeq, PerturbSeqSpec, PlantedCondition,
    PlantedProgram, PlantedTarget, PlantedTruth, SparseEffect, simulate_to_h5ad, truth_path,
};
pub use phenotypes::{
    PhenotypeAtlas, PhenotypeSpec, PhenotypeTruth, Posterior, StageTruth, simulate_phenotypes_to_h5ad,
};
pub use small::small_counts;
