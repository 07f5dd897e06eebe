//! PolyGene v1: a place for every gene of a fixed list.

use super::edges::linspace;
use super::phenotypes::{CategoryIndex, PhenotypeCategory};
use super::text::StringRule;
use super::vocab::id_target;
use crate::reading::{Reading, Wanted};
use crate::vocab::GeneVocab;
use cellstone_core::genes::GeneTable;
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var, nearest, quoted,
};
use std::borrow::Cow;
use std::sync::Arc;

/// Categories of PolyGene v1 in the order in which they stand in a row, as columns of a file.
pub const V1_CATEGORIES: [&str; 5] = ["sex", "tissue", "cell_type", "development_stage", "disease"];

/// The order in which their values are numbered.
const NUMBERED: [usize; 5] = [1, 2, 3, 0, 4];

/// Ids of what comes first; the places up to 20 are free.
const FIRST: [&str; 12] = [
    "[PAD]",
    "[MASK]",
    "[SEP]",
    "[CLS]",
    "[UNK]",
    "[START]",
    "[END]",
    "[no_sex]",
    "[no_tissue]",
    "[no_cell_type]",
    "[no_age]",
    "[no_disease]",
];
const N_FIRST: usize = 21;
const CLS: u32 = 3;
const START: u32 = 5;
const END: u32 = 6;
/// Id of `[no_sex]`; the other missing ones follow in the order of a row.
const MISSING: u32 = 7;

/// Choices of [`PolygeneV1`].
#[derive(Debug, Clone)]
pub struct PolygeneV1Options {
    /// Bins, that of genes not expressed counted; 10.
    pub n_bins: usize,
    /// Expressed or not from this value on, in place of bins.
    pub threshold: Option<f64>,
    /// Gene identity, where files use other names than the list.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for PolygeneV1Options {
    fn default() -> Self {
        Self { n_bins: 10, threshold: None, gene_table: None }
    }
}

/// PolyGene v1: `[CLS] sex tissue cell_type age disease [START] g_1 … g_N [END]`, N + 8 tokens.
///
/// The token of a gene is its bin, its identity the place: edges are 0, then K − 1 ones at equal distances from 0.1 to 9,
/// and bin 0 is not expressed. Raw counts are normalised to `ln(1 + 10⁴ c / N)` first. A phenotype that the cell lacks is
/// `[no_…]`; one that the vocabulary lacks rejects the cell (`unknown_phenotype`).
///
/// # References
/// `roholazandie/polygene gene_tokenizer.py, data_utils/dadc_dataset.py`.
pub struct PolygeneV1 {
    info: TokenizerInfo,
    shared: Arc<Shared>,
    vocab: GeneVocab,
    options: PolygeneV1Options,
}

struct Shared {
    names: Vec<String>,
    /// By place in a row.
    index: Vec<CategoryIndex>,
    first_bin: u32,
    /// Edges above 0.
    edges: Vec<f64>,
    n_genes: usize,
}

impl PolygeneV1 {
    /// An encoder from the values of the categories (any may be left out; `age` is taken for `development_stage`) and the
    /// genes in their order, by Ensembl id or symbol.
    ///
    /// # Errors
    /// If a category is unknown or stands twice, a value or a gene does, or there are fewer than two bins.
    pub fn new(categories: Vec<PhenotypeCategory>, genes: Vec<String>, options: PolygeneV1Options) -> Result<Self> {
        let edges = match options.threshold {
            Some(it) if it > 0.0 && it.is_finite() => vec![it],
            Some(it) => return Err(Error::config(format!("threshold {it}, expected above 0"))),
            None if options.n_bins >= 2 => linspace(0.1, 9.0, options.n_bins - 1),
            None => return Err(Error::config(format!("{} bins, expected at least 2", options.n_bins))),
        };
        let mut by_place = by_place(categories)?;
        let mut names: Vec<String> = FIRST.iter().map(|it| (*it).to_owned()).collect();
        names.extend((FIRST.len()..N_FIRST).map(|it| format!("[unused_{it}]")));
        let mut index = vec![CategoryIndex::default(); V1_CATEGORIES.len()];
        for place in NUMBERED {
            for value in std::mem::take(&mut by_place[place]) {
                let id = names.len() as u32;
                let token = index[place].add(V1_CATEGORIES[place], &value, id, StringRule::Spaces)?;
                names.push(format!("[{token}]"));
            }
        }
        let first_bin = names.len() as u32;
        names.extend((0..=edges.len()).map(|it| it.to_string()));
        let target = id_target(&genes);
        let ranked = genes.into_iter().enumerate().map(|(at, it)| (it, at as u32)).collect();
        let vocab = GeneVocab::new("polygene_v1", target, ranked)?;
        let shared = Shared { names, index, first_bin, edges, n_genes: vocab.len() };
        Ok(Self { info: info(&shared, &options), shared: Arc::new(shared), vocab, options })
    }

    /// Attention of a row: 1 for tokens that are attended to.
    ///
    /// Genes of bin 0 are left out, masked ones are not: an attention that follows the hidden value would tell it. With
    /// `reference` it does follow it, as published.
    pub fn attention(&self, input_ids: &[u32], masked: &[bool], reference: bool) -> Vec<u8> {
        let absent = self.shared.first_bin;
        let masked = |at: usize| masked.get(at).copied().unwrap_or(false);
        // DIVERGES(polygene-v1-attention): masked genes are attended to whatever they are.
        let attends = |(at, id): (usize, &u32)| *id != absent || (!reference && masked(at));
        input_ids.iter().enumerate().map(|it| u8::from(attends(it))).collect()
    }
}

/// Values of each category by its place in a row.
fn by_place(categories: Vec<PhenotypeCategory>) -> Result<Vec<Vec<super::PhenotypeValue>>> {
    let mut by_place = vec![None; V1_CATEGORIES.len()];
    for it in categories {
        let name = if it.name == "age" { "development_stage" } else { it.name.as_str() };
        let Some(place) = V1_CATEGORIES.iter().position(|it| *it == name) else {
            let names = V1_CATEGORIES.map(str::to_owned);
            let error = Error::config(format!("no category `{}` (categories: {})", it.name, quoted(&names)));
            return Err(match nearest(&it.name, V1_CATEGORIES) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            });
        };
        if by_place[place].replace(it.values).is_some() {
            return Err(Error::config(format!("category `{name}` stands twice")));
        }
    }
    Ok(by_place.into_iter().map(Option::unwrap_or_default).collect())
}

fn info(shared: &Shared, options: &PolygeneV1Options) -> TokenizerInfo {
    TokenizerInfo {
        id: Cow::Borrowed("polygene_v1"),
        summary: Cow::Borrowed("five phenotypes, then the bin of every gene of a fixed list"),
        source: Cow::Borrowed("roholazandie/polygene gene_tokenizer.py"),
        scale: InputScale::LogNorm,
        n_tokens: shared.names.len() as u32,
        max_len: Some(shared.n_genes + 8),
        specials: SpecialTokens { pad: Some(0), mask: Some(1), cls: Some(CLS), eos: Some(END) },
        // Ids are bins: the gene is the place in the row.
        repeats: true,
        is_random: false,
        phenotypes: V1_CATEGORIES.map(str::to_owned).to_vec(),
        options: vec![
            ("n_bins".to_owned(), options.n_bins.to_string()),
            ("threshold".to_owned(), options.threshold.map_or("none".to_owned(), |it| it.to_string())),
        ],
    }
}

impl Tokenizer for PolygeneV1 {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        let reading = Reading::new("polygene_v1", genes, Wanted::LogNorm, scale)?;
        Ok(Box::new(Bound { reading, shared: self.shared.clone() }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.shared.names.get(id as usize).map(String::as_str)
    }
}

struct Bound {
    reading: Reading,
    shared: Arc<Shared>,
}

impl BoundTokenizer for Bound {
    fn coverage(&self) -> &TokenCoverage {
        self.reading.genes.coverage()
    }

    fn genes(&self) -> &[Option<u32>] {
        self.reading.genes.positions()
    }

    fn encode(&self, cell: &CellInput<'_>) -> Encoded {
        let shared = &self.shared;
        let mut input_ids = Vec::with_capacity(shared.n_genes + 8);
        input_ids.push(CLS);
        for (place, index) in shared.index.iter().enumerate() {
            let id = match cell.phenotypes.get(place).copied().flatten() {
                None => Some(MISSING + place as u32),
                Some(it) => index.find(it, StringRule::Spaces),
            };
            let Some(id) = id else {
                let value = cell.phenotypes.get(place).copied().flatten().unwrap_or_default();
                let detail = format!("`{value}` is no value of category `{}` in the vocabulary", V1_CATEGORIES[place]);
                return Encoded::Rejected { reason: "unknown_phenotype", detail };
            };
            input_ids.push(id);
        }
        input_ids.push(START);
        let first_gene = input_ids.len();
        input_ids.resize(first_gene + shared.n_genes, shared.first_bin);
        let mut genes = Vec::with_capacity(cell.columns.len());
        let mapped = self.reading.read(cell, &mut genes);
        let mut n_genes = 0;
        for (gene, value) in genes {
            let bin = shared.edges.partition_point(|it| *it <= value) as u32;
            input_ids[first_gene + gene as usize] = shared.first_bin + bin;
            n_genes += u32::from(bin > 0);
        }
        input_ids.push(END);
        Encoded::Row(TokenRow { input_ids, n_genes, mapped, ..TokenRow::default() })
    }
}
