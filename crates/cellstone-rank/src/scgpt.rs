//! scGPT: a class token and the expressed genes, each with the bin of its value.

use crate::bins::{BinTies, QuantileBins};
use crate::draw::choose;
use crate::reading::{Reading, Wanted, log_norm};
use crate::vocab::{Dictionary, GeneVocab};
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Special tokens in the order in which they are appended to a vocabulary that has none.
const SPECIALS: [&str; 3] = ["<pad>", "<cls>", "<eoc>"];

/// What stands beside a gene.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScgptValues {
    /// Its bin among the non-zero values of the cell.
    #[default]
    Binned,
    /// `ln(1 + 1e4 c / N)`, N over all features.
    Log1p,
    /// `1e4 c / N`.
    Normed,
}

/// Choices of [`Scgpt`].
///
/// | name | default | meaning |
/// |---|---|---|
/// | `n_bins` | 51 | bins, the one of zeros counted |
/// | `max_len` | 1200 | longest row, class token counted; `None` cuts nothing |
/// | `ties` | random | bin of a value on several edges |
/// | `values` | binned | what stands beside a gene |
/// | `shuffle` | false | a cut row keeps the order of its draws instead of ascending ids |
/// | `pad_value` | −2 | value beside the class token and, in batches, beside padding |
#[derive(Debug, Clone)]
pub struct ScgptOptions {
    /// Bins, the one of zeros counted.
    pub n_bins: usize,
    /// Longest row, class token counted.
    pub max_len: Option<usize>,
    /// Bin of a value on several edges.
    pub ties: BinTies,
    /// What stands beside a gene.
    pub values: ScgptValues,
    /// Keeps the order of the draws in a row that was cut.
    pub shuffle: bool,
    /// Value beside the class token.
    pub pad_value: f32,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for ScgptOptions {
    fn default() -> Self {
        Self {
            n_bins: 51,
            max_len: Some(1200),
            ties: BinTies::default(),
            values: ScgptValues::default(),
            shuffle: false,
            pad_value: -2.0,
            gene_table: None,
        }
    }
}

/// scGPT's encoder: `<cls>`, then the expressed genes by ascending id, `values` holding their [`QuantileBins`].
///
/// Counts and log-normalised values are binned as they come. Rows longer than `max_len` are cut to a uniform subset of
/// their genes. A cell without an expressed gene of the vocabulary is a class token alone.
///
/// # References
/// `bowang-lab/scGPT scgpt/preprocess.py, scgpt/data_collator.py, scgpt/tasks/cell_emb.py`; doi:10.1038/s41592-024-02201-0.
pub struct Scgpt {
    info: TokenizerInfo,
    vocab: GeneVocab,
    specials: [u32; 3],
    options: ScgptOptions,
}

impl Scgpt {
    /// An encoder from gene symbols and their ids. Special tokens are taken from the vocabulary where it has them and
    /// appended otherwise: `<pad>`, `<cls>`, `<eoc>`.
    ///
    /// # Errors
    /// If the vocabulary collides with itself or an option is out of range.
    pub fn new(vocab: Vec<(String, u32)>, options: ScgptOptions) -> Result<Self> {
        QuantileBins::new(options.n_bins)?;
        if let Some(max_len) = options.max_len.filter(|it| *it < 2) {
            return Err(Error::config(format!("max_len {max_len}, expected at least 2: a class token and one gene")));
        }
        let dictionary = Dictionary::new(vocab)?;
        let mut next = dictionary.n_tokens();
        let specials = SPECIALS.map(|name| {
            dictionary.id(name).unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        });
        let vocab = GeneVocab::new("scgpt", IdTarget::Symbol, dictionary.genes())?;
        let info = info(&options, next, specials);
        Ok(Self { info, vocab, specials, options })
    }
}

fn info(options: &ScgptOptions, n_tokens: u32, specials: [u32; 3]) -> TokenizerInfo {
    let is_random =
        options.max_len.is_some() || (options.values == ScgptValues::Binned && options.ties == BinTies::Random);
    TokenizerInfo {
        id: Cow::Borrowed("scgpt"),
        summary: Cow::Borrowed("class token and expressed genes with the quantile bin of their value in the cell"),
        source: Cow::Borrowed("bowang-lab/scGPT scgpt/preprocess.py; doi:10.1038/s41592-024-02201-0"),
        scale: InputScale::CountsOrLogNorm,
        n_tokens,
        max_len: options.max_len,
        specials: SpecialTokens { pad: Some(specials[0]), mask: None, cls: Some(specials[1]), eos: None },
        repeats: false,
        is_random,
        phenotypes: Vec::new(),
        options: vec![
            ("n_bins".to_owned(), options.n_bins.to_string()),
            ("max_len".to_owned(), options.max_len.map_or("none".to_owned(), |it| it.to_string())),
            ("ties".to_owned(), format!("{:?}", options.ties).to_lowercase()),
            ("values".to_owned(), format!("{:?}", options.values).to_lowercase()),
            ("shuffle".to_owned(), options.shuffle.to_string()),
            ("pad_value".to_owned(), options.pad_value.to_string()),
        ],
    }
}

impl Tokenizer for Scgpt {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let reading = Reading::new("scgpt", genes, Wanted::Either, scale)?;
        Ok(Box::new(Bound {
            reading,
            tokens: self.vocab.tokens().to_vec(),
            cls: self.specials[1],
            bins: QuantileBins::new(self.options.n_bins)?,
            options: self.options.clone(),
        }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        match self.specials.iter().position(|it| *it == id) {
            Some(at) => Some(SPECIALS[at]),
            None => self.vocab.tokens().binary_search(&id).ok().map(|it| self.vocab.keys()[it].as_str()),
        }
    }
}

struct Bound {
    reading: Reading,
    tokens: Vec<u32>,
    cls: u32,
    bins: QuantileBins,
    options: ScgptOptions,
}

impl Bound {
    /// Puts what stands beside a gene in place of its value.
    fn replace(&self, cell: &CellInput<'_>, genes: &mut [(u32, f64)]) {
        match (self.options.values, self.reading.is_log) {
            (ScgptValues::Binned, _) => {
                let mut bins = self.bins.clone();
                bins.fit_from(genes.iter().map(|it| it.1));
                let mut rng = cell.seed.derive("scgpt.bin").rng();
                genes.iter_mut().for_each(|it| it.1 = f64::from(bins.bin(it.1, self.options.ties, &mut rng)));
            }
            (ScgptValues::Log1p, true) => {}
            (ScgptValues::Log1p, false) => genes.iter_mut().for_each(|it| it.1 = log_norm(it.1, cell.n_counts)),
            (ScgptValues::Normed, true) => genes.iter_mut().for_each(|it| it.1 = it.1.exp_m1()),
            (ScgptValues::Normed, false) => {
                genes.iter_mut().for_each(|it| it.1 = it.1 / cell.n_counts * crate::reading::TARGET);
            }
        }
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
        let n_genes = genes.len();
        self.replace(cell, &mut genes);
        // The class token takes one place.
        let room = self.options.max_len.map_or(n_genes, |it| it - 1);
        if n_genes > room {
            let mut chosen = choose(&mut cell.seed.derive("scgpt.sample").rng(), n_genes, room);
            if !self.options.shuffle {
                chosen.sort_unstable();
            }
            genes = chosen.into_iter().map(|it| genes[it as usize]).collect();
        }
        let mut row = TokenRow {
            input_ids: Vec::with_capacity(genes.len() + 1),
            n_genes: n_genes as u32,
            n_truncated: (n_genes - genes.len()) as u32,
            mapped,
            ..TokenRow::default()
        };
        row.input_ids.push(self.cls);
        row.input_ids.extend(genes.iter().map(|it| self.tokens[it.0 as usize]));
        let mut values = Vec::with_capacity(genes.len() + 1);
        values.push(self.options.pad_value);
        values.extend(genes.iter().map(|it| it.1 as f32));
        row.values = Some(values);
        Encoded::Row(row)
    }
}
