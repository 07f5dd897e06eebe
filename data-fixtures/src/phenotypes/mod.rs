//! An atlas with planted phenotypes: programs of type, tissue, stage and sex, and an entropy that grows with the stage.

mod names;
mod oracle;
mod preset;
mod source;
mod spec;
mod truth;
mod write;

pub use oracle::Posterior;
pub use source::PhenotypeAtlas;
pub use spec::PhenotypeSpec;
pub use truth::{PhenotypeTruth, StageTruth};
pub use write::simulate_phenotypes_to_h5ad;
