//! scBERT: one token per gene of a fixed list, the whole part of its logarithm to base two.

use crate::reading::{Reading, Wanted};
use crate::vocab::GeneVocab;
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use std::borrow::Cow;
use std::sync::Arc;

/// What the ids stand for: the bins, then the token of masks and padding.
const NAMES: [&str; 7] = ["bin_0", "bin_1", "bin_2", "bin_3", "bin_4", "bin_5", "<mask>"];

/// The highest bin.
const TOP: f64 = 5.0;

/// Choices of [`Scbert`].
#[derive(Debug, Clone)]
pub struct ScbertOptions {
    /// Cells with fewer expressed genes of the list are rejected; 200 as published.
    pub min_genes: usize,
    /// Gene identity, where files use other names than the list.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for ScbertOptions {
    fn default() -> Self {
        Self { min_genes: 200, gene_table: None }
    }
}

/// scBERT's encoder: `min(⌊log₂(1 + 10⁴ c / N)⌋, 5)` for every gene of the list in its order, N over the genes of the
/// list, and one more token 0 at the end. Genes that a file lacks are 0.
///
/// # References
/// `TencentAILabHealthcare/scBERT preprocess.py, pretrain.py`; doi:10.1038/s42256-022-00534-z.
pub struct Scbert {
    info: TokenizerInfo,
    vocab: GeneVocab,
    options: ScbertOptions,
}

impl Scbert {
    /// An encoder from gene symbols and their places in the list (16,906 of them as published).
    ///
    /// # Errors
    /// If the places are not `0, 1, 2, …` or a gene stands twice.
    pub fn new(list: Vec<(String, u32)>, options: ScbertOptions) -> Result<Self> {
        let vocab = ordered_list("scbert", list)?;
        let info = TokenizerInfo {
            id: Cow::Borrowed("scbert"),
            summary: Cow::Borrowed("every gene of a fixed list with the whole part of log2(1 + CP10k), at most 5"),
            source: Cow::Borrowed("TencentAILabHealthcare/scBERT preprocess.py; doi:10.1038/s42256-022-00534-z"),
            scale: InputScale::Counts,
            n_tokens: NAMES.len() as u32,
            max_len: Some(vocab.len() + 1),
            specials: SpecialTokens { pad: Some(6), mask: Some(6), cls: None, eos: None },
            // Ids are bins: the gene is the place in the row.
            repeats: true,
            is_random: false,
            phenotypes: Vec::new(),
            options: vec![("min_genes".to_owned(), options.min_genes.to_string())],
        };
        Ok(Self { info, vocab, options })
    }
}

/// A vocabulary whose tokens are places in a list.
pub(crate) fn ordered_list(id: &str, list: Vec<(String, u32)>) -> Result<GeneVocab> {
    let vocab = GeneVocab::new(id, IdTarget::Symbol, list)?;
    match vocab.tokens().iter().enumerate().find(|(at, it)| *at as u32 != **it) {
        None => Ok(vocab),
        Some((at, it)) => Err(Error::invalid_input(format!(
            "the gene list of `{id}` has no gene at place {at} (the next one is `{}` at {it}), expected places without \
             gaps from 0",
            vocab.keys()[at]
        ))),
    }
}

impl Tokenizer for Scbert {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let reading = Reading::new("scbert", genes, Wanted::Counts, scale)?;
        Ok(Box::new(Bound { reading, n_genes: self.vocab.len(), min_genes: self.options.min_genes }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        NAMES.get(id as usize).copied()
    }
}

struct Bound {
    reading: Reading,
    n_genes: usize,
    min_genes: usize,
}

impl BoundTokenizer for Bound {
    fn coverage(&self) -> &TokenCoverage {
        self.reading.genes.coverage()
    }

    fn genes(&self) -> &[Option<u32>] {
        self.reading.genes.positions()
    }

    fn encode(&self, cell: &CellInput<'_>) -> Encoded {
        let mut genes = Vec::with_capacity(cell.columns.len());
        let total = self.reading.read(cell, &mut genes);
        if genes.len() < self.min_genes || genes.is_empty() {
            let detail = format!("{} expressed genes of the list, expected at least {}", genes.len(), self.min_genes);
            return Encoded::Rejected { reason: "too_few_genes", detail };
        }
        // One token more than genes: its vector is zero.
        let mut input_ids = vec![0; self.n_genes + 1];
        for (gene, count) in &genes {
            input_ids[*gene as usize] = (1.0 + 10_000.0 * count / total).log2().floor().min(TOP) as u32;
        }
        Encoded::Row(TokenRow { input_ids, n_genes: genes.len() as u32, mapped: total, ..TokenRow::default() })
    }
}
