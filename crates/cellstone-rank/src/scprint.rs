//! scPRINT: ids and values of genes, for networks that run elsewhere.

use crate::draw::choose;
use crate::reading::{Reading, Wanted};
use crate::vocab::{Dictionary, GeneVocab};
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use std::borrow::Cow;
use std::sync::Arc;

/// The number beside a gene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScprintValues {
    /// `c / Σ c` over the genes of the row.
    #[default]
    Share,
    /// `log₂(1 + c)`.
    Log2,
}

/// Which expressed genes a row keeps if there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScprintGenes {
    /// Those with the largest counts, ties by ascending id.
    #[default]
    Most,
    /// A uniform subset.
    Random,
}

/// Choices of [`Scprint`].
#[derive(Debug, Clone)]
pub struct ScprintOptions {
    /// Genes of a row; 2,200 as published.
    pub n_genes: usize,
    /// Which expressed genes are kept if there are more.
    pub genes: ScprintGenes,
    /// Fills rows of fewer genes with measured ones that the cell does not express, drawn uniformly, value 0.
    pub fill: bool,
    /// The number beside a gene.
    pub values: ScprintValues,
    /// Class tokens behind the depth and the cell token: one per kind of label.
    pub n_classes: usize,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for ScprintOptions {
    fn default() -> Self {
        Self {
            n_genes: 2200,
            genes: ScprintGenes::default(),
            fill: false,
            values: ScprintValues::default(),
            n_classes: 0,
            gene_table: None,
        }
    }
}

/// scPRINT's input: a depth token with `log₂(1 + N)`, a cell token, class tokens, then genes with a value each.
///
/// Genes stand by ascending id; the ids of the leading tokens follow that of the last gene. This is the export alone:
/// what the network makes of it is not built here.
///
/// # References
/// `cantinilab/scPRINT scprint/model/model.py, encoders.py`; doi:10.1038/s41467-025-58699-1.
pub struct Scprint {
    info: TokenizerInfo,
    vocab: GeneVocab,
    /// Names of the leading tokens.
    leading: Vec<String>,
    options: ScprintOptions,
}

impl Scprint {
    /// An encoder from Ensembl ids and their ids in the model.
    ///
    /// # Errors
    /// If the vocabulary collides with itself or rows are to have no gene.
    pub fn new(vocab: Vec<(String, u32)>, options: ScprintOptions) -> Result<Self> {
        if options.n_genes == 0 {
            return Err(Error::config("rows of 0 genes, expected at least 1"));
        }
        let dictionary = Dictionary::new(vocab)?;
        let first = dictionary.n_tokens();
        let vocab = GeneVocab::new("scprint", IdTarget::Ensembl, dictionary.genes())?;
        let mut leading = vec!["<depth>".to_owned(), "<cell>".to_owned()];
        leading.extend((0..options.n_classes).map(|it| format!("<class_{it}>")));
        let info = TokenizerInfo {
            id: Cow::Borrowed("scprint"),
            summary: Cow::Borrowed(
                "depth, cell and class tokens, then genes with their share of the counts of the row",
            ),
            source: Cow::Borrowed("cantinilab/scPRINT scprint/model; doi:10.1038/s41467-025-58699-1"),
            scale: InputScale::Counts,
            n_tokens: first + leading.len() as u32,
            max_len: Some(options.n_genes + leading.len()),
            specials: SpecialTokens::default(),
            repeats: false,
            is_random: options.fill || options.genes == ScprintGenes::Random,
            phenotypes: Vec::new(),
            options: vec![
                ("n_genes".to_owned(), options.n_genes.to_string()),
                ("genes".to_owned(), format!("{:?}", options.genes).to_lowercase()),
                ("fill".to_owned(), options.fill.to_string()),
                ("values".to_owned(), format!("{:?}", options.values).to_lowercase()),
                ("n_classes".to_owned(), options.n_classes.to_string()),
            ],
        };
        Ok(Self { info, vocab, leading, options })
    }
}

impl Tokenizer for Scprint {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let mut measured: Vec<u32> = genes.positions().iter().flatten().copied().collect();
        measured.sort_unstable();
        measured.dedup();
        Ok(Box::new(Bound {
            reading: Reading::new("scprint", genes, Wanted::Counts, scale)?,
            measured,
            tokens: self.vocab.tokens().to_vec(),
            first: self.info.n_tokens - self.leading.len() as u32,
            n_leading: self.leading.len(),
            options: self.options.clone(),
        }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        let first = self.info.n_tokens - self.leading.len() as u32;
        match id.checked_sub(first) {
            Some(at) => self.leading.get(at as usize).map(String::as_str),
            None => self.vocab.tokens().binary_search(&id).ok().map(|it| self.vocab.keys()[it].as_str()),
        }
    }
}

struct Bound {
    reading: Reading,
    /// Positions of the genes of the file, ascending.
    measured: Vec<u32>,
    tokens: Vec<u32>,
    first: u32,
    n_leading: usize,
    options: ScprintOptions,
}

impl Bound {
    /// Cuts or fills the genes to the length of a row; they stay by ascending position.
    fn choose(&self, cell: &CellInput<'_>, genes: &mut Vec<(u32, f64)>) {
        let (n, room) = (genes.len(), self.options.n_genes);
        if n > room {
            match self.options.genes {
                ScprintGenes::Most => {
                    // Stable, so that equal counts go by position.
                    genes.sort_by(|a, b| b.1.total_cmp(&a.1));
                    genes.truncate(room);
                }
                ScprintGenes::Random => {
                    let chosen = choose(&mut cell.seed.derive("scprint.sample").rng(), n, room);
                    *genes = chosen.into_iter().map(|it| genes[it as usize]).collect();
                }
            }
        } else if self.options.fill {
            let is_zero = |it: &&u32| genes.binary_search_by_key(*it, |gene| gene.0).is_err();
            let zeros: Vec<u32> = self.measured.iter().filter(is_zero).copied().collect();
            let chosen = choose(&mut cell.seed.derive("scprint.fill").rng(), zeros.len(), room - n);
            genes.extend(chosen.into_iter().map(|it| (zeros[it as usize], 0.0)));
        }
        genes.sort_unstable_by_key(|it| it.0);
    }
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
        let mapped = self.reading.read(cell, &mut genes);
        if genes.is_empty() {
            let detail = "no counts on genes of the vocabulary".to_owned();
            return Encoded::Rejected { reason: "no_known_gene", detail };
        }
        let n_genes = genes.len();
        self.choose(cell, &mut genes);
        let given: f64 = genes.iter().map(|it| it.1).sum();
        let value = |count: f64| match self.options.values {
            ScprintValues::Share => count / given,
            ScprintValues::Log2 => (1.0 + count).log2(),
        };
        let mut input_ids: Vec<u32> = (0..self.n_leading as u32).map(|it| self.first + it).collect();
        let mut values = vec![0.0_f32; self.n_leading];
        values[0] = (1.0 + cell.n_counts).log2() as f32;
        input_ids.extend(genes.iter().map(|it| self.tokens[it.0 as usize]));
        values.extend(genes.iter().map(|it| value(it.1) as f32));
        Encoded::Row(TokenRow {
            input_ids,
            values: Some(values),
            n_genes: n_genes as u32,
            n_truncated: n_genes.saturating_sub(self.options.n_genes) as u32,
            mapped,
            ..TokenRow::default()
        })
    }
}
