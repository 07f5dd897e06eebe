//! Geneformer's rank-value encoding: genes by count over library size over the median of a corpus, largest first.

mod encode;
mod encoder;
mod options;
#[cfg(test)]
mod tests;

pub use encoder::Geneformer;
pub use options::{GeneformerOptions, GeneformerSeries, RankTie, RankValues};
