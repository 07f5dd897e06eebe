//! The encoder before it is tied to a file.

use super::encode::{Bound, Rules};
use super::options::{GeneformerOptions, GeneformerSeries};
use crate::reading::{Reading, Wanted};
use crate::vocab::{Dictionary, GeneVocab};
use cellstone_core::genes::IdTarget;
use cellstone_core::{BoundTokenizer, Error, InputScale, Result, Scale, Tokenizer, TokenizerInfo, Var};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Geneformer's encoder: the expressed genes of a cell by descending `v_g = c_g / N · 10⁴ / m_g`.
///
/// `c_g` are counts (columns of one gene summed), N is the total over all features of the file, `m_g` the median of
/// `c_g / N · 10⁴` over the cells of a corpus that express the gene. Arithmetic is in f64 in the order written; genes of
/// equal `v_g` follow the token id, so that a row depends neither on the order of the columns nor on the machine. Rows
/// are cut behind the genes of largest value. A cell without a gene of the vocabulary is rejected (`no_known_gene`), one
/// whose total is no positive number too (`zero_depth`).
///
/// # Examples
/// ```
/// use cellstone_core::{CellInput, Encoded, Scale, Seed, Tokenizer, Var};
/// use cellstone_rank::{Geneformer, GeneformerOptions};
/// let ids = ["<pad>", "<mask>", "<cls>", "<eos>", "A", "B", "C"];
/// let vocab = ids.iter().zip(0..).map(|(it, id)| ((*it).to_owned(), id)).collect();
/// let medians = vec![("A".to_owned(), 2.0), ("B".to_owned(), 1.0), ("C".to_owned(), 1.0)];
/// let encoder = Geneformer::new(vocab, medians, GeneformerOptions::default())?;
/// let bound = encoder.bind(&Var::from_ids(["C", "unknown", "B", "A"])?, Scale::Counts)?;
/// let cell = CellInput {
///     columns: &[0, 1, 2, 3], values: &[2.0, 12.0, 2.0, 4.0], n_counts: 20.0, phenotypes: &[], seed: Seed::new(0),
/// };
/// let Encoded::Row(row) = bound.encode(&cell) else { panic!("has genes") };
/// // All three are 1000: the token decides.
/// assert_eq!(row.input_ids, [2, 4, 5, 6, 3]);
/// assert_eq!((row.n_genes, row.mapped), (3, 8.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Theodoris et al. 2023, doi:10.1038/s41586-023-06139-9; `jkobject/geneformer geneformer/tokenizer.py`.
pub struct Geneformer {
    info: TokenizerInfo,
    dictionary: Dictionary,
    vocab: GeneVocab,
    /// By position.
    medians: Vec<f64>,
    n_without_median: usize,
    options: GeneformerOptions,
}

impl Geneformer {
    /// An encoder from a dictionary (genes and special tokens) and the medians of a corpus.
    ///
    /// Genes without a median are no genes of the encoder; medians of other genes are left out.
    ///
    /// # Errors
    /// If names or tokens repeat, a median is no positive number, no gene has one, special tokens are asked for and are
    /// not in the dictionary, or a row has no room for a gene.
    pub fn new(vocab: Vec<(String, u32)>, medians: Vec<(String, f64)>, options: GeneformerOptions) -> Result<Self> {
        let id = match options.series {
            GeneformerSeries::V1 => "geneformer_v1",
            GeneformerSeries::V2 => "geneformer_v2",
        };
        let dictionary = Dictionary::new(vocab).map_err(|it| it.context(format!("dictionary of `{id}`")))?;
        check_length(id, &dictionary, &options)?;
        let by_gene = checked_medians(medians)?;
        let all = dictionary.genes();
        let n_all = all.len();
        let genes: Vec<(String, u32)> = all.into_iter().filter(|it| by_gene.contains_key(&it.0)).collect();
        if genes.is_empty() {
            return Err(Error::invalid_input(format!(
                "none of the {n_all} genes in the dictionary of `{id}` has a median"
            ))
            .with_hint("dictionary and medians must come from the same model"));
        }
        let n_without_median = n_all - genes.len();
        let vocab = GeneVocab::new(id, IdTarget::Ensembl, genes)?.with_mapping(options.gene_mapping.iter().cloned())?;
        let medians = vocab.keys().iter().map(|it| by_gene[it]).collect();
        let info = info(id, &dictionary, &options);
        Ok(Self { info, dictionary, vocab, medians, n_without_median, options })
    }

    /// The genes that have a token and a median.
    pub fn vocab(&self) -> &GeneVocab {
        &self.vocab
    }

    /// Medians in the order of [`Geneformer::vocab`].
    pub fn medians(&self) -> &[f64] {
        &self.medians
    }

    /// Genes of the dictionary that were left out because they have no median.
    pub fn n_without_median(&self) -> usize {
        self.n_without_median
    }

    /// Genes whose median is below `limit`, with it: wherever they are detected they come first. The second series has
    /// medians down to 7e-7.
    pub fn low_medians(&self, limit: f64) -> Vec<(&str, f64)> {
        let pairs = self.vocab.keys().iter().zip(&self.medians);
        pairs.filter(|it| *it.1 < limit).map(|(gene, median)| (gene.as_str(), *median)).collect()
    }
}

fn info(id: &'static str, dictionary: &Dictionary, options: &GeneformerOptions) -> TokenizerInfo {
    let option = |name: &str, value: String| (name.to_owned(), value);
    TokenizerInfo {
        id: Cow::Borrowed(id),
        summary: Cow::Borrowed("genes by count over library size over corpus median, largest first"),
        source: Cow::Borrowed("jkobject/geneformer geneformer/tokenizer.py; doi:10.1038/s41586-023-06139-9"),
        scale: InputScale::Counts,
        n_tokens: dictionary.n_tokens(),
        max_len: Some(options.max_len),
        specials: dictionary.specials(),
        repeats: false,
        is_random: false,
        phenotypes: Vec::new(),
        options: vec![
            option("max_len", options.max_len.to_string()),
            option("special_tokens", options.special_tokens.to_string()),
            option("tie", options.tie.as_str().to_owned()),
            option("values", options.values.as_str().to_owned()),
        ],
    }
}

fn check_length(id: &str, dictionary: &Dictionary, options: &GeneformerOptions) -> Result<()> {
    let specials = dictionary.specials();
    for (name, found) in [("<cls>", specials.cls), ("<eos>", specials.eos)] {
        if options.special_tokens && found.is_none() {
            return Err(Error::invalid_input(format!("the dictionary of `{id}` has no `{name}`"))
                .with_hint("the dictionary of the first series has no special tokens: use `geneformer_v1` with it"));
        }
    }
    let least = if options.special_tokens { 3 } else { 1 };
    if options.max_len < least {
        let found = options.max_len;
        return Err(Error::config(format!("rows of `{id}` are to have {found} tokens, expected at least {least}")));
    }
    Ok(())
}

fn checked_medians(medians: Vec<(String, f64)>) -> Result<BTreeMap<String, f64>> {
    let mut by_gene = BTreeMap::new();
    for (gene, median) in medians {
        if !(median > 0.0 && median.is_finite()) {
            return Err(Error::invalid_input(format!(
                "gene `{gene}` has the median {median}, expected a positive number"
            )));
        }
        if let Some(first) = by_gene.insert(gene.clone(), median) {
            return Err(Error::invalid_input(format!(
                "gene `{gene}` has the medians {first} and {median}, expected one"
            )));
        }
    }
    Ok(by_gene)
}

impl Tokenizer for Geneformer {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let genes = Reading::new(&self.info.id, genes, Wanted::Counts, scale)?.genes;
        let specials = self.dictionary.specials();
        let ends = specials.cls.zip(specials.eos).filter(|_| self.options.special_tokens);
        let rules = Rules { max_len: self.options.max_len, ends, tie: self.options.tie, values: self.options.values };
        Ok(Box::new(Bound::new(genes, self.vocab.tokens(), &self.medians, rules)))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.dictionary.name(id)
    }
}
