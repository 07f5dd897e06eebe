//! Principal components: exact from dense matrices, iterative from sparse ones and from streams of cells.

mod band;
mod chebyshev;
mod dense;
mod gram;
mod model;
mod operator;
mod solver;
mod sparse;

pub use dense::pca_dense;
pub use model::Pca;
pub use sparse::{PcaRoute, SparsePcaParams, pca_sparse, pca_stream};
