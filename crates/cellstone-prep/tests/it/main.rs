//! Tests through the public interface.

mod de;
mod hvg;
mod labels;
mod names;
mod normalize;
mod pca;
mod pseudobulk;
mod qc;
mod splits;
mod support;
mod weights;
