//! A cell atlas with planted truth: types on a tree, donors in data sets, as a stream of counts of any size.

mod preset;
mod source;
mod spec;
mod tree;
mod truth;
mod write;

pub use source::Atlas;
pub use spec::AtlasSpec;
pub use tree::TypeTree;
pub use truth::AtlasTruth;
pub use write::{atlas_obo_path, simulate_atlas_to_h5ad};
