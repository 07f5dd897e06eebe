//! Files of rank studies: what is typed, what it resolves to.

mod names;
mod raw;
mod resolve;
mod resolved;

pub use names::{EncoderName, GeneSet, PairMetric, Projection};
pub use raw::RawStudy;
pub use resolve::{load_study, parse_study, resolve_study};
pub use resolved::{
    DataFile, Gate, Graded, OntologyConfig, SampledPairs, Stratum, StudyConfig, StudyData, Subsample, Thinning,
    Transfer, Unit,
};
