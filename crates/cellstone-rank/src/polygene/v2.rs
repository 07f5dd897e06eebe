//! PolyGene v2: values in one stream, what they are values of in the other.

use super::vocab::PolygeneVocab;
use crate::draw::choose;
use crate::reading::{Reading, Wanted};
use cellstone_core::genes::GeneTable;
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Which genes a row keeps if there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Truncation {
    /// Those of the first ranks.
    #[default]
    Hvg,
    /// Those of the largest values, ties by rank.
    Expression,
    /// A uniform subset.
    Sample,
}

/// What becomes of a cell with a phenotype that the vocabulary lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPhenotype {
    /// It is rejected (`unknown_phenotype`).
    #[default]
    Reject,
    /// `[mask]` stands in its place, as for a phenotype that the cell does not have.
    Mask,
}

/// Choices of [`PolygeneV2`].
///
/// | name | default | meaning |
/// |---|---|---|
/// | `max_len` | 2000 | longest row, `[cls]`, phenotypes and `[eos]` counted |
/// | `truncate` | hvg | genes that a row keeps if there are too many |
/// | `unknown` | reject | what becomes of a phenotype that the vocabulary lacks |
#[derive(Debug, Clone)]
pub struct PolygeneV2Options {
    /// Longest row.
    pub max_len: usize,
    /// Genes that a row keeps if there are too many.
    pub truncate: Truncation,
    /// What becomes of a phenotype that the vocabulary lacks.
    pub unknown: UnknownPhenotype,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for PolygeneV2Options {
    fn default() -> Self {
        Self { max_len: 2000, truncate: Truncation::default(), unknown: UnknownPhenotype::default(), gene_table: None }
    }
}

/// PolyGene v2: `[cls]`, one token per category, the expressed genes by rank, `[eos]`.
///
/// `input_ids` holds value ids (the value of the category, the bin of the gene), `type_ids` what they are values of
/// (category, gene); there are no positions. Genes of bin 0 are left out. `[eos]` is always there: genes are cut to
/// `max_len − P − 2`. A category without a value in the cell is `[mask]`. With edges for log-normalised values raw
/// counts are normalised to `ln(1 + 10⁴ c / N)` first.
///
/// # References
/// `louisleger/cellular-aging-map data_utils/tokenization.py`, `YufanXia999/PerturbGene data_utils/tokenization.py`.
pub struct PolygeneV2 {
    info: TokenizerInfo,
    vocab: Arc<PolygeneVocab>,
    options: PolygeneV2Options,
}

impl PolygeneV2 {
    /// An encoder over a vocabulary.
    ///
    /// # Errors
    /// If no gene fits into a row of `max_len`.
    pub fn new(vocab: PolygeneVocab, options: PolygeneV2Options) -> Result<Self> {
        let n_fixed = vocab.categories().len() + 2;
        if options.max_len <= n_fixed {
            return Err(Error::config(format!(
                "max_len {}, expected at least {}: `[cls]`, {} categories, a gene and `[eos]`",
                options.max_len,
                n_fixed + 1,
                n_fixed - 2
            )));
        }
        let info = info(&vocab, &options);
        Ok(Self { info, vocab: Arc::new(vocab), options })
    }

    /// Its vocabularies.
    pub fn vocab(&self) -> &PolygeneVocab {
        &self.vocab
    }

    /// As [`Tokenizer::bind`], with what PolyGene alone can do.
    ///
    /// # Errors
    /// As [`Tokenizer::bind`].
    pub fn bind_polygene(&self, var: &Var, scale: Scale) -> Result<BoundPolygene> {
        let genes = self.vocab.genes().bind(var, self.options.gene_table.as_deref())?;
        let wanted = if self.vocab.edges().is_for_counts() { Wanted::Counts } else { Wanted::LogNorm };
        let reading = Reading::new("polygene_v2", genes, wanted, scale).map_err(|error| {
            if wanted == Wanted::Counts && matches!(scale, Scale::LogNorm { .. }) {
                return error.with_hint("or take bin edges for log-normalised values: edges = linear or binary");
            }
            error
        })?;
        Ok(BoundPolygene { reading, vocab: self.vocab.clone(), options: self.options.clone() })
    }
}

fn info(vocab: &PolygeneVocab, options: &PolygeneV2Options) -> TokenizerInfo {
    let edges: Vec<String> = vocab.edges().values().iter().map(f64::to_string).collect();
    TokenizerInfo {
        id: Cow::Borrowed("polygene_v2"),
        summary: Cow::Borrowed("phenotypes and binned expressed genes by rank, with a second stream of what they are"),
        source: Cow::Borrowed("louisleger/cellular-aging-map data_utils/tokenization.py"),
        scale: if vocab.edges().is_for_counts() { InputScale::Counts } else { InputScale::LogNorm },
        n_tokens: vocab.n_values(),
        max_len: Some(options.max_len),
        specials: SpecialTokens {
            pad: Some(PolygeneVocab::PAD),
            mask: Some(PolygeneVocab::MASK),
            cls: Some(PolygeneVocab::CLS),
            eos: Some(PolygeneVocab::EOS),
        },
        // Ids are values: a gene stands once, its bin does not.
        repeats: true,
        is_random: options.truncate == Truncation::Sample,
        phenotypes: vocab.categories().iter().map(|it| it.name.clone()).collect(),
        options: vec![
            ("max_len".to_owned(), options.max_len.to_string()),
            ("truncate".to_owned(), format!("{:?}", options.truncate).to_lowercase()),
            ("unknown".to_owned(), format!("{:?}", options.unknown).to_lowercase()),
            ("edges".to_owned(), edges.join(",")),
        ],
    }
}

impl Tokenizer for PolygeneV2 {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        Ok(Box::new(self.bind_polygene(var, scale)?))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.vocab.value_name(id)
    }
}

/// [`PolygeneV2`], tied to the genes of a file.
pub struct BoundPolygene {
    reading: Reading,
    vocab: Arc<PolygeneVocab>,
    options: PolygeneV2Options,
}

impl BoundPolygene {
    /// As [`BoundTokenizer::encode`]; `cut` receives the ranks of the expressed genes that the row lacks, ascending.
    pub fn encode_with_cut(&self, cell: &CellInput<'_>, cut: &mut Vec<u32>) -> Encoded {
        cut.clear();
        let mut input_ids = vec![PolygeneVocab::CLS];
        let mut type_ids = vec![0];
        if let Err(unknown) = self.phenotypes(cell, &mut input_ids, &mut type_ids) {
            return Encoded::Rejected { reason: "unknown_phenotype", detail: unknown };
        }
        let mut genes = Vec::with_capacity(cell.columns.len());
        let mapped = self.reading.read(cell, &mut genes);
        let edges = self.vocab.edges();
        genes.retain(|it| edges.bin(it.1) > 0);
        if genes.is_empty() {
            let detail = "no expressed gene of the vocabulary".to_owned();
            return Encoded::Rejected { reason: "no_known_gene", detail };
        }
        let n_genes = genes.len();
        let room = self.options.max_len - input_ids.len() - 1;
        if n_genes > room {
            self.cut(cell, room, &mut genes, cut);
        }
        for (rank, value) in &genes {
            input_ids.push(self.vocab.bin_id(edges.bin(*value)));
            type_ids.push(self.vocab.gene_type(*rank));
        }
        input_ids.push(PolygeneVocab::EOS);
        type_ids.push(0);
        Encoded::Row(TokenRow {
            input_ids,
            type_ids: Some(type_ids),
            n_genes: n_genes as u32,
            n_truncated: cut.len() as u32,
            mapped,
            ..TokenRow::default()
        })
    }

    /// Phenotypes of a cell that the vocabulary lacks, with the place of their category.
    pub fn unknown_phenotypes<'a>(&self, cell: &CellInput<'a>) -> Vec<(usize, &'a str)> {
        let given = cell.phenotypes.iter().enumerate().take(self.vocab.categories().len());
        let named = given.filter_map(|(at, it)| it.map(|it| (at, it)));
        named.filter(|(at, it)| self.vocab.value_id(*at, it).is_none()).collect()
    }

    /// Appends one token per category, or says which value is unknown.
    fn phenotypes(&self, cell: &CellInput<'_>, values: &mut Vec<u32>, types: &mut Vec<u32>) -> Result<(), String> {
        for (at, category) in self.vocab.categories().iter().enumerate() {
            let given = cell.phenotypes.get(at).copied().flatten();
            let found = given.and_then(|it| self.vocab.value_id(at, it));
            if let (Some(it), None, UnknownPhenotype::Reject) = (given, found, self.options.unknown) {
                return Err(format!("`{it}` is no value of category `{}` in the vocabulary", category.name));
            }
            values.push(found.unwrap_or(PolygeneVocab::MASK));
            types.push(self.vocab.category_type(at));
        }
        Ok(())
    }

    /// Keeps `room` genes, by rank; the ranks of the others go to `cut`.
    fn cut(&self, cell: &CellInput<'_>, room: usize, genes: &mut Vec<(u32, f64)>, cut: &mut Vec<u32>) {
        match self.options.truncate {
            Truncation::Hvg => {}
            Truncation::Expression => {
                genes.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            }
            Truncation::Sample => {
                let mut rng = cell.seed.derive("polygene.sample").rng();
                let n = genes.len();
                let order = choose(&mut rng, n, n);
                *genes = order.into_iter().map(|it| genes[it as usize]).collect();
            }
        }
        cut.extend(genes.drain(room..).map(|it| it.0));
        cut.sort_unstable();
        genes.sort_unstable_by_key(|it| it.0);
    }
}

impl BoundTokenizer for BoundPolygene {
    fn coverage(&self) -> &TokenCoverage {
        self.reading.genes.coverage()
    }

    fn genes(&self) -> &[Option<u32>] {
        self.reading.genes.positions()
    }

    fn encode(&self, cell: &CellInput<'_>) -> Encoded {
        self.encode_with_cut(cell, &mut Vec::new())
    }
}
