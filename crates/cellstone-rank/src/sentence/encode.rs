//! Names of expressed genes, largest value first.

use crate::reading::{Reading, Wanted};
use crate::vocab::GeneVocab;
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use rand::RngExt;
use std::borrow::Cow;
use std::sync::Arc;

/// What the sentences of GenePT begin with.
const PREFIX: &str = "A cell with genes ranked by expression: ";

/// The order of genes whose values are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SentenceTies {
    /// A random one, of the cell's own.
    #[default]
    Random,
    /// By symbol.
    Symbol,
}

/// Choices of [`Cell2Sentence`] and [`GenePtSentence`].
#[derive(Debug, Clone, Default)]
pub struct SentenceOptions {
    /// Words of a sentence at most; all where not given.
    pub top_k: Option<usize>,
    /// The order of genes whose values are equal; GenePT sorts by symbol whatever is said here.
    pub ties: SentenceTies,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
}

/// cell2sentence's encoder: symbols in capitals by falling value, joined by spaces.
///
/// `input_ids` are the genes in the order of the sentence, `values` their log-normalised values, `sentence` the text.
/// Raw counts are normalised to `ln(1 + 10⁴ c / N)`; the order is that of any other base. Ties are broken at random, as
/// published, by a draw of the cell's own, or by symbol. The way back is [`fit_rank_inverse`](crate::fit_rank_inverse).
///
/// # References
/// `vandijklab/cell2sentence src/cell2sentence/utils.py`; doi:10.1101/2023.09.11.557287.
pub struct Cell2Sentence(Sentences);

/// GenePT's sentences: `A cell with genes ranked by expression: ` and the symbols of the first 1,000 expressed genes.
///
/// Ties go by symbol. The vector of the text is made elsewhere and imported.
///
/// # References
/// `yiqunchen/GenePT aorta_data_analysis.ipynb`; doi:10.1101/2023.10.16.562533.
pub struct GenePtSentence(Sentences);

impl Cell2Sentence {
    /// An encoder from symbols and ids. Symbols are put in capitals.
    ///
    /// # Errors
    /// If two symbols are the same in capitals, two ids are equal, or a sentence is to have no word.
    pub fn new(vocab: Vec<(String, u32)>, options: SentenceOptions) -> Result<Self> {
        let vocab = vocab.into_iter().map(|(name, id)| (name.to_uppercase(), id)).collect();
        let info = TokenizerInfo {
            summary: Cow::Borrowed("symbols of expressed genes in capitals by falling value"),
            source: Cow::Borrowed("vandijklab/cell2sentence src/cell2sentence/utils.py; doi:10.1101/2023.09.11.557287"),
            is_random: options.ties == SentenceTies::Random,
            options: vec![
                ("top_k".to_owned(), options.top_k.map_or("none".to_owned(), |it| it.to_string())),
                ("ties".to_owned(), format!("{:?}", options.ties).to_lowercase()),
            ],
            ..blank("cell2sentence")
        };
        Sentences::new(info, vocab, options, "").map(Self)
    }
}

impl GenePtSentence {
    /// An encoder from symbols and ids.
    ///
    /// # Errors
    /// As [`Cell2Sentence::new`].
    pub fn new(vocab: Vec<(String, u32)>, options: SentenceOptions) -> Result<Self> {
        let options = SentenceOptions { top_k: options.top_k.or(Some(1000)), ties: SentenceTies::Symbol, ..options };
        let info = TokenizerInfo {
            summary: Cow::Borrowed("a fixed beginning and the symbols of the first 1,000 genes by falling value"),
            source: Cow::Borrowed("yiqunchen/GenePT aorta_data_analysis.ipynb; doi:10.1101/2023.10.16.562533"),
            options: vec![("top_k".to_owned(), options.top_k.map_or("none".to_owned(), |it| it.to_string()))],
            ..blank("genept_s")
        };
        Sentences::new(info, vocab, options, PREFIX).map(Self)
    }
}

fn blank(id: &'static str) -> TokenizerInfo {
    TokenizerInfo {
        id: Cow::Borrowed(id),
        summary: Cow::Borrowed(""),
        source: Cow::Borrowed(""),
        scale: InputScale::LogNorm,
        n_tokens: 0,
        max_len: None,
        specials: SpecialTokens::default(),
        repeats: false,
        is_random: false,
        phenotypes: Vec::new(),
        options: Vec::new(),
    }
}

/// What both encoders are made of.
struct Sentences {
    info: TokenizerInfo,
    vocab: GeneVocab,
    words: Arc<Words>,
    options: SentenceOptions,
}

/// Symbols by position, what comes before them, and their order.
struct Words {
    prefix: &'static str,
    keys: Vec<String>,
    tokens: Vec<u32>,
    /// Place of each symbol among all, sorted.
    places: Vec<u32>,
}

impl Sentences {
    fn new(
        mut info: TokenizerInfo,
        vocab: Vec<(String, u32)>,
        options: SentenceOptions,
        prefix: &'static str,
    ) -> Result<Self> {
        if options.top_k == Some(0) {
            return Err(Error::config("sentences of 0 words, expected at least 1"));
        }
        let vocab = GeneVocab::new(info.id.clone(), IdTarget::Symbol, vocab)?;
        let mut order: Vec<u32> = (0..vocab.len() as u32).collect();
        order.sort_unstable_by(|a, b| vocab.keys()[*a as usize].cmp(&vocab.keys()[*b as usize]));
        let mut places = vec![0; vocab.len()];
        order.iter().enumerate().for_each(|(place, it)| places[*it as usize] = place as u32);
        info.n_tokens = vocab.tokens().last().map_or(0, |it| it + 1);
        info.max_len = options.top_k;
        let words = Words { prefix, keys: vocab.keys().to_vec(), tokens: vocab.tokens().to_vec(), places };
        Ok(Self { info, vocab, words: Arc::new(words), options })
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let reading = Reading::new(&self.info.id, genes, Wanted::Order, scale)?;
        let (top_k, ties) = (self.options.top_k, self.options.ties);
        Ok(Box::new(Bound { reading, words: self.words.clone(), top_k, ties }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.vocab.tokens().binary_search(&id).ok().map(|it| self.vocab.keys()[it].as_str())
    }
}

impl Tokenizer for Cell2Sentence {
    fn info(&self) -> &TokenizerInfo {
        &self.0.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        self.0.bind(var, scale)
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.0.token_name(id)
    }
}

impl Tokenizer for GenePtSentence {
    fn info(&self) -> &TokenizerInfo {
        &self.0.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        self.0.bind(var, scale)
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.0.token_name(id)
    }
}

struct Bound {
    reading: Reading,
    words: Arc<Words>,
    top_k: Option<usize>,
    ties: SentenceTies,
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
            let detail = "no expressed gene of the vocabulary".to_owned();
            return Encoded::Rejected { reason: "no_known_gene", detail };
        }
        let mut rng = cell.seed.derive("c2s.tie").rng();
        let mut keyed: Vec<(u64, u32, f64)> = genes
            .iter()
            .map(|(gene, value)| match self.ties {
                // Sorting by draws of their own puts equal values in every order with the same probability.
                SentenceTies::Random => (rng.random::<u64>(), *gene, *value),
                SentenceTies::Symbol => (u64::from(self.words.places[*gene as usize]), *gene, *value),
            })
            .collect();
        keyed.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        keyed.truncate(self.top_k.unwrap_or(usize::MAX));
        let mut sentence = self.words.prefix.to_owned();
        for (at, (_, gene, _)) in keyed.iter().enumerate() {
            if at > 0 {
                sentence.push(' ');
            }
            sentence.push_str(&self.words.keys[*gene as usize]);
        }
        Encoded::Row(TokenRow {
            input_ids: keyed.iter().map(|it| self.words.tokens[it.1 as usize]).collect(),
            values: Some(keyed.iter().map(|it| it.2 as f32).collect()),
            sentence: Some(sentence),
            n_genes: genes.len() as u32,
            n_truncated: (genes.len() - keyed.len()) as u32,
            mapped,
            ..TokenRow::default()
        })
    }
}
