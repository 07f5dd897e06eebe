//! Medians of genes over a corpus: what rank encoders divide by.
//!
//! The median of a gene is taken over the cells that express it, of `c / N · 10⁴` with N the total of the cell. A corpus
//! is any number of [`CountSource`](cellstone_core::CountSource)s, streamed: three times for the exact median, once for
//! the digest.

mod corpus;
mod digest;
mod exact;
mod stream;
#[cfg(test)]
mod tests;

pub use corpus::{CorpusMedians, GeneMedian, MedianMethod, MedianOptions, corpus_genes, corpus_medians};
pub use digest::TDigest;
