//! PolyGene: phenotypes and genes of a cell in one row.
//!
//! [`PolygeneV2`] is this project's default encoder: two streams of ids, no positions. [`MaskLaw`] hides part of its rows
//! for training, [`EvaluationCondition`] for evaluation. [`PolygeneV1`] is the older form with one place per gene.

mod condition;
mod edges;
mod mask;
mod measured;
mod phenotypes;
mod text;
mod v1;
mod v2;
mod vocab;

pub use condition::{EvaluationCondition, condition_row};
pub use edges::BinEdges;
pub use mask::{CutGenes, IGNORE_LABEL, MaskLaw, MaskedRow, Negatives, mask};
pub use measured::MeasuredGenes;
pub use phenotypes::{PhenotypeCategory, PhenotypeValue};
pub use text::{StringRule, phenotype_token};
pub use v1::{PolygeneV1, PolygeneV1Options, V1_CATEGORIES};
pub use v2::{BoundPolygene, PolygeneV2, PolygeneV2Options, Truncation, UnknownPhenotype};
pub use vocab::{PolygeneVocab, PolygeneVocabSpec};
