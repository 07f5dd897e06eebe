//! Encoders that turn the values of a cell into tokens. Bound to genes once, so that encoding cannot fail.

use crate::{Result, Scale, Seed, TokenRow, Var};
use serde::Serialize;
use std::borrow::Cow;

/// The scale of values that an encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputScale {
    /// Raw counts alone.
    Counts,
    /// Log-normalised values alone; raw counts are normalised by the encoder first.
    LogNorm,
    /// Either, used as it comes.
    CountsOrLogNorm,
}

/// Ids that stand for no gene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SpecialTokens {
    /// Fills rows of a batch; never stored.
    pub pad: Option<u32>,
    /// Stands for what is to be predicted.
    pub mask: Option<u32>,
    /// Begins a row.
    pub cls: Option<u32>,
    /// Ends a row.
    pub eos: Option<u32>,
}

/// What an encoder says about itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenizerInfo {
    /// Lower snake case, unique in a registry.
    pub id: Cow<'static, str>,
    /// The rule, in one line.
    pub summary: Cow<'static, str>,
    /// Paper DOI or repository and path.
    pub source: Cow<'static, str>,
    /// Scale of the values it takes.
    pub scale: InputScale,
    /// Number of token ids; every id is below it.
    pub n_tokens: u32,
    /// Longest row, special tokens counted; `None` where nothing is cut.
    pub max_len: Option<usize>,
    /// Ids that stand for no gene.
    pub specials: SpecialTokens,
    /// Whether a gene may stand more than once in a row.
    pub repeats: bool,
    /// Whether tokens depend on the seed.
    pub is_random: bool,
    /// Categories of `obs` that rows carry as tokens, in their order.
    pub phenotypes: Vec<String>,
    /// Every option by name, as a run records it.
    pub options: Vec<(String, String)>,
}

/// How well the features of a file cover a vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenCoverage {
    /// Features of the file.
    pub n_features: usize,
    /// Features that lead to a gene of the vocabulary.
    pub n_mapped: usize,
    /// Genes of the vocabulary.
    pub n_vocabulary: usize,
    /// Genes of the vocabulary that a feature leads to.
    pub n_hit: usize,
    /// Features by the rule that found them: `(rule, features)`, found ones and others.
    pub by_rule: Vec<(String, usize)>,
    /// Genes that more than one feature leads to; their counts are summed.
    pub n_shared: usize,
    /// The first features that lead nowhere.
    pub first_unmapped: Vec<String>,
}

/// One cell as an encoder sees it.
#[derive(Debug, Clone, Copy)]
pub struct CellInput<'a> {
    /// Columns of the non-zero values, ascending.
    pub columns: &'a [u32],
    /// The values, on the scale that the encoder was bound to; positive.
    pub values: &'a [f32],
    /// Total over all features of the raw row, before any choice of genes.
    pub n_counts: f64,
    /// Phenotypes in the order of [`TokenizerInfo::phenotypes`]; `None` where the cell has none. May be empty.
    pub phenotypes: &'a [Option<&'a str>],
    /// Keyed on the seed of the run and the id of the cell: see [`cell_seed`].
    pub seed: Seed,
}

/// What becomes of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Encoded {
    /// Its tokens.
    Row(TokenRow),
    /// Why it has none.
    Rejected {
        /// Lower snake case, such as `no_known_gene`.
        reason: &'static str,
        /// The figures behind it.
        detail: String,
    },
}

/// An encoder that is not yet tied to the genes of a file.
pub trait Tokenizer: Send + Sync {
    /// What it says about itself.
    fn info(&self) -> &TokenizerInfo;

    /// Ties the encoder to the genes of a file and to the scale of its values.
    ///
    /// # Errors
    /// If the scale is none that the encoder takes, or if two genes of the file cannot be told apart. How much of the
    /// vocabulary is covered is in [`BoundTokenizer::coverage`]: what is enough is a choice of the caller.
    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>>;

    /// What an id stands for: a gene as the vocabulary names it, or a special token; `None` for no id of this encoder.
    fn token_name(&self, id: u32) -> Option<&str>;
}

/// An encoder tied to genes: encoding cannot fail.
pub trait BoundTokenizer: Send + Sync {
    /// How well the file covers the vocabulary.
    fn coverage(&self) -> &TokenCoverage;

    /// The gene of the vocabulary, counted from 0, that each column of the file leads to.
    fn genes(&self) -> &[Option<u32>];

    /// Encodes one cell. Depends on its argument alone.
    fn encode(&self, cell: &CellInput<'_>) -> Encoded;
}

/// The seed of a cell: keyed on the run, the data set and the cell, so that the tokens of a cell do not change when
/// other cells are added, removed, reordered or encoded on other threads.
pub fn cell_seed(run: Seed, dataset_id: &str, cell_id: &str) -> Seed {
    run.derive(dataset_id).derive("\u{1f}").derive(cell_id)
}
