//! What can be chosen, and what the published series chose.

use cellstone_core::genes::GeneTable;
use cellstone_core::{Error, Result};
use std::str::FromStr;
use std::sync::Arc;

/// The published series of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeneformerSeries {
    /// Pretrained on 30 million cells: rows of 2,048 genes, no special token.
    V1,
    /// Pretrained on 95 or 104 million cells: rows of 4,096 with `<cls>` and `<eos>`.
    #[default]
    V2,
}

/// What decides between genes of equal value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RankTie {
    /// The smaller token id: the row does not depend on the order of the columns of a file.
    #[default]
    Token,
    /// The column that stands first in the file.
    Column,
}

/// What stands beside a gene; 0 beside special tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RankValues {
    /// Nothing.
    #[default]
    None,
    /// `c / N · 10⁴`, not divided by the median: the published `keep_counts`.
    Counts,
    /// `c / N · 10⁴ / m`, by which the genes are sorted.
    MedianScaled,
}

/// Choices of [`Geneformer`](super::Geneformer).
///
/// | name | V1 | V2 (default) | meaning |
/// |---|---|---|---|
/// | `max_len` | 2048 | 4096 | longest row, special tokens counted |
/// | `special_tokens` | false | true | `<cls>` before and `<eos>` behind the genes |
/// | `tie` | token | token | what decides between genes of equal value |
/// | `values` | none | none | what stands beside a gene |
#[derive(Debug, Clone)]
pub struct GeneformerOptions {
    /// The series, for the id of the encoder.
    pub series: GeneformerSeries,
    /// Longest row, special tokens counted.
    pub max_len: usize,
    /// `<cls>` before and `<eos>` behind the genes.
    pub special_tokens: bool,
    /// What decides between genes of equal value.
    pub tie: RankTie,
    /// What stands beside a gene.
    pub values: RankValues,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
    /// The model's own map from retired ids and other names to its genes.
    pub gene_mapping: Vec<(String, String)>,
}

impl GeneformerOptions {
    /// What the series was published with.
    pub fn of(series: GeneformerSeries) -> Self {
        let (max_len, special_tokens) = match series {
            GeneformerSeries::V1 => (2048, false),
            GeneformerSeries::V2 => (4096, true),
        };
        Self {
            series,
            max_len,
            special_tokens,
            tie: RankTie::default(),
            values: RankValues::default(),
            gene_table: None,
            gene_mapping: Vec::new(),
        }
    }
}

impl Default for GeneformerOptions {
    fn default() -> Self {
        Self::of(GeneformerSeries::default())
    }
}

impl RankTie {
    /// The word for options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Column => "column",
        }
    }
}

impl RankValues {
    /// The word for options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Counts => "counts",
            Self::MedianScaled => "median_scaled",
        }
    }
}

impl FromStr for RankTie {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = [Self::Token, Self::Column].into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| Error::config(format!("tie rule `{text}`, expected `token` or `column`")))
    }
}

impl FromStr for RankValues {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = [Self::None, Self::Counts, Self::MedianScaled].into_iter().find(|it| it.as_str() == text);
        found.ok_or_else(|| Error::config(format!("values `{text}`, expected `none`, `counts` or `median_scaled`")))
    }
}
