//! Encoders that turn the counts of a cell into tokens. Bound to genes once, so that encoding cannot fail.

use crate::{Result, Seed, TokenRow, Var};
use std::borrow::Cow;

/// What an encoder says about itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TokenizerInfo {
    /// Lower snake case, unique in a registry.
    pub id: Cow<'static, str>,
    /// The rule, in one line.
    pub summary: Cow<'static, str>,
    /// Paper DOI or repository and path.
    pub source: Cow<'static, str>,
}

/// An encoder that is not yet tied to the genes of a file.
pub trait Tokenizer: Send + Sync {
    /// What it says about itself.
    fn info(&self) -> &TokenizerInfo;

    /// Ties the encoder to the genes of a file; coverage is checked here.
    ///
    /// # Errors
    /// If the vocabulary covers too few of the genes.
    fn bind(&self, var: &Var) -> Result<Box<dyn BoundTokenizer>>;
}

/// An encoder tied to genes: encoding cannot fail.
pub trait BoundTokenizer: Send + Sync {
    /// Share of the genes that have a token.
    fn coverage(&self) -> f64;

    /// Encodes one cell from its non-zero columns and counts; `cell_seed` is keyed on seed and cell id.
    fn encode(&self, columns: &[u32], counts: &[f32], cell_seed: Seed) -> TokenRow;
}
