//! Gene vocabularies of models, and how the features of a file find their genes in them.
//!
//! A [`Dictionary`] takes the entries of a model apart into genes and special tokens; a [`GeneVocab`] is the genes
//! alone, by ascending token; [`GeneVocab::bind`] looks for every feature of a file and gives [`BoundGenes`], which
//! turn a cell into genes of the vocabulary; a [`CoverageRule`] says whether enough of them were found.

mod bound;
mod coverage;
mod dictionary;
mod genes;
mod name;
mod resolve;
#[cfg(test)]
mod tests;

pub use bound::BoundGenes;
pub use coverage::{CoverageRule, coverage_text};
pub use dictionary::Dictionary;
pub use genes::GeneVocab;
pub use name::{EnsemblName, is_excel_mangled, is_null_name};
pub use resolve::FeatureRule;
