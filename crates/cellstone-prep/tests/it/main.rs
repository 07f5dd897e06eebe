//! Tests through the public interface.

mod labels;
mod names;
mod normalize;
mod pca;
mod pseudobulk;
mod splits;
mod support;
mod weights;
