//! UCE: a sample of the expressed genes with repeats, grouped by chromosome and ordered along it.

use crate::draw::{below, uniform};
use crate::reading::{Reading, Wanted};
use crate::vocab::GeneVocab;
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use std::borrow::Cow;
use std::sync::Arc;

const PAD: u32 = 0;
const CHROMOSOME_END: u32 = 2;
const CLS: u32 = 3;
/// Id of the first chromosome; protein rows lie between the special tokens and here.
const CHROMOSOMES: u32 = 143_574;

/// A gene as UCE knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneLocation {
    /// Its symbol.
    pub gene: String,
    /// Row of its protein embedding.
    pub token: u32,
    /// Number of its chromosome, as the model counts them.
    pub chromosome: u32,
    /// First base on the chromosome.
    pub start: i64,
}

/// Choices of [`Uce`].
#[derive(Debug, Clone)]
pub struct UceOptions {
    /// Genes drawn for a cell; 1,024 as published.
    pub n_draws: usize,
    /// Longest row; 1,536 as published.
    pub max_len: usize,
    /// Gene identity, where files use other names than the locations.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for UceOptions {
    fn default() -> Self {
        Self { n_draws: 1024, max_len: 1536, gene_table: None }
    }
}

/// UCE's encoder: genes drawn with replacement, each with a probability in proportion to `ln(1 + c)`.
///
/// A row is `<cls>` (3), then per chromosome, in random order, the token of the chromosome (143,574 and its number), its
/// genes by start (ties by symbol), each as often as it was drawn, and 2. Ids of genes are rows of the protein
/// embeddings. Genes without an embedding or a location are no part of the vocabulary. A cell whose genes lie on so many
/// chromosomes that the row would be too long is rejected (`too_many_chromosomes`).
///
/// # References
/// `snap-stanford/UCE eval_data.py, evaluate.py`; doi:10.1101/2023.11.28.568918.
pub struct Uce {
    info: TokenizerInfo,
    vocab: GeneVocab,
    genome: Arc<Genome>,
    /// `<chromosome_0>` and so on, by number.
    names: Vec<String>,
    options: UceOptions,
}

/// Where the genes of a vocabulary lie.
struct Genome {
    /// Place along the genome by position in the vocabulary.
    places: Vec<u32>,
    /// `(token, chromosome)` by place.
    genes: Vec<(u32, u32)>,
}

impl Uce {
    /// An encoder from the genes of a species with their embedding rows and locations.
    ///
    /// # Errors
    /// If a gene or a row stands twice, a row is one of a special token or a chromosome, or a row of `n_draws` genes on
    /// one chromosome does not fit into `max_len`.
    pub fn new(locations: Vec<GeneLocation>, options: UceOptions) -> Result<Self> {
        if let Some(it) = locations.iter().find(|it| it.token <= CLS || it.token >= CHROMOSOMES) {
            return Err(Error::invalid_input(format!(
                "gene `{}` has the protein row {}, expected one above {CLS} and below {CHROMOSOMES}",
                it.gene, it.token
            )));
        }
        if options.n_draws == 0 || options.n_draws + 3 > options.max_len {
            return Err(Error::config(format!(
                "{} draws in rows of at most {}, expected at least one draw and three places more than draws",
                options.n_draws, options.max_len
            )));
        }
        let genes = locations.iter().map(|it| (it.gene.clone(), it.token)).collect();
        let vocab = GeneVocab::new("uce", IdTarget::Symbol, genes)?;
        let n_chromosomes = locations.iter().map(|it| it.chromosome).max().unwrap_or_default() + 1;
        let names = (0..n_chromosomes).map(|it| format!("<chromosome_{it}>")).collect();
        let genome = Arc::new(Genome::new(&vocab, locations));
        let info = TokenizerInfo {
            id: Cow::Borrowed("uce"),
            summary: Cow::Borrowed(
                "genes drawn in proportion to ln(1 + count), grouped by chromosome, ordered by start",
            ),
            source: Cow::Borrowed("snap-stanford/UCE eval_data.py; doi:10.1101/2023.11.28.568918"),
            scale: InputScale::Counts,
            n_tokens: CHROMOSOMES + n_chromosomes,
            max_len: Some(options.max_len),
            specials: SpecialTokens { pad: Some(PAD), mask: None, cls: Some(CLS), eos: None },
            repeats: true,
            is_random: true,
            phenotypes: Vec::new(),
            options: vec![
                ("n_draws".to_owned(), options.n_draws.to_string()),
                ("max_len".to_owned(), options.max_len.to_string()),
            ],
        };
        Ok(Self { info, vocab, genome, names, options })
    }
}

impl Genome {
    fn new(vocab: &GeneVocab, mut locations: Vec<GeneLocation>) -> Self {
        locations.sort_by(|a, b| (a.chromosome, a.start, &a.gene).cmp(&(b.chromosome, b.start, &b.gene)));
        let mut places = vec![0; vocab.len()];
        for (place, it) in locations.iter().enumerate() {
            // Tokens are unique, so that each finds its position.
            let at = vocab.tokens().partition_point(|token| *token < it.token);
            places[at] = place as u32;
        }
        Self { places, genes: locations.into_iter().map(|it| (it.token, it.chromosome)).collect() }
    }
}

impl Tokenizer for Uce {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let reading = Reading::new("uce", genes, Wanted::Counts, scale)?;
        let (n_draws, max_len) = (self.options.n_draws, self.options.max_len);
        Ok(Box::new(Bound { reading, genome: self.genome.clone(), n_draws, max_len }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        match id {
            PAD => Some("<pad>"),
            CHROMOSOME_END => Some("<chromosome_end>"),
            CLS => Some("<cls>"),
            CHROMOSOMES.. => self.names.get((id - CHROMOSOMES) as usize).map(String::as_str),
            _ => self.vocab.tokens().binary_search(&id).ok().map(|it| self.vocab.keys()[it].as_str()),
        }
    }
}

struct Bound {
    reading: Reading,
    genome: Arc<Genome>,
    n_draws: usize,
    max_len: usize,
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
            let detail = "no counts on genes that have a protein embedding and a location".to_owned();
            return Encoded::Rejected { reason: "no_known_gene", detail };
        }
        let mut rng = cell.seed.derive("uce.sample").rng();
        let mut cumulative = Vec::with_capacity(genes.len());
        let mut sum = 0.0;
        for (_, count) in &genes {
            sum += count.ln_1p();
            cumulative.push(sum);
        }
        let mut draw = || {
            let at = uniform(&mut rng) * sum;
            // Rounding may carry a draw to the very end of the last gene.
            let gene = cumulative.partition_point(|it| *it <= at).min(genes.len() - 1);
            self.genome.places[genes[gene].0 as usize]
        };
        let mut places: Vec<u32> = (0..self.n_draws).map(|_| draw()).collect();
        places.sort_unstable();
        let mut chromosomes: Vec<&[u32]> =
            places.chunk_by(|a, b| self.genome.genes[*a as usize].1 == self.genome.genes[*b as usize].1).collect();
        let len = 1 + self.n_draws + 2 * chromosomes.len();
        if len > self.max_len {
            let detail = format!("genes on {} chromosomes make {len} tokens of {}", chromosomes.len(), self.max_len);
            return Encoded::Rejected { reason: "too_many_chromosomes", detail };
        }
        for at in (1..chromosomes.len()).rev() {
            chromosomes.swap(at, below(&mut rng, at + 1));
        }
        let mut input_ids = Vec::with_capacity(len);
        input_ids.push(CLS);
        for of in chromosomes {
            input_ids.push(CHROMOSOMES + self.genome.genes[of[0] as usize].1);
            input_ids.extend(of.iter().map(|it| self.genome.genes[*it as usize].0));
            input_ids.push(CHROMOSOME_END);
        }
        let n_drawn = places.chunk_by(|a, b| a == b).count();
        Encoded::Row(TokenRow {
            input_ids,
            n_genes: genes.len() as u32,
            n_truncated: (genes.len() - n_drawn) as u32,
            mapped,
            ..TokenRow::default()
        })
    }
}
