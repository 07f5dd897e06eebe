//! The two vocabularies of PolyGene v2: value ids and type ids.

use super::edges::BinEdges;
use super::phenotypes::{CategoryIndex, PhenotypeCategory, PhenotypeValue};
use super::text::StringRule;
use crate::vocab::{EnsemblName, GeneVocab};
use cellstone_core::genes::IdTarget;
use cellstone_core::{Error, Result, quoted};
use serde::{Deserialize, Serialize};

const SPECIALS: [&str; 4] = ["[cls]", "[eos]", "[mask]", "[pad]"];

/// Everything a vocabulary is made from, as a run stores it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolygeneVocabSpec {
    /// How names become tokens.
    pub rule: StringRule,
    /// Categories; their order does not matter.
    pub categories: Vec<PhenotypeCategory>,
    /// Genes by rank, most variable first.
    pub genes: Vec<String>,
    /// Bins of expression.
    pub edges: BinEdges,
    /// Values added later, with their category: their ids follow all others.
    #[serde(default)]
    pub added: Vec<(String, PhenotypeValue)>,
}

/// Value ids and type ids.
///
/// Value ids: `[cls]` 0, `[eos]` 1, `[mask]` 2, `[pad]` 3, then the values of every category, category by category in
/// the order of their names, then `bin_0 … bin_n` with n edges, then values that were added later. Type ids: 0 for special
/// tokens, 1 to P for the categories, `P + 1 + r` for the gene of rank r. Tokens carry their category (`sex:unknown`), so
/// that one name in two categories is two tokens.
///
/// # Examples
/// ```
/// use cellstone_rank::{BinEdges, PhenotypeCategory, PolygeneVocab, PolygeneVocabSpec, StringRule};
/// let mut vocab = PolygeneVocab::new(PolygeneVocabSpec {
///     rule: StringRule::Normalized,
///     categories: vec![
///         PhenotypeCategory::from_labels("sex", ["female", "male", "unknown"]),
///         PhenotypeCategory::from_labels("cell_type", ["B cell", "T cell"]),
///     ],
///     genes: vec!["ENSG00000211893".into(), "ENSG00000163220".into()],
///     edges: BinEdges::cam(),
///     added: vec![],
/// })?;
/// assert_eq!((vocab.n_values(), vocab.n_types()), (4 + 5 + 10, 1 + 2 + 2));
/// assert_eq!((vocab.value_name(5), vocab.value_name(9)), (Some("cell_type:t_cell"), Some("bin_0")));
/// assert_eq!((vocab.type_name(1), vocab.type_name(4)), (Some("cell_type"), Some("ENSG00000163220")));
/// // What is added later moves nothing.
/// let added = vocab.extend_category("cell_type", ["NK cell"])?;
/// assert_eq!((added, vocab.bin_id(0)), (vec![19], 9));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// `louisleger/cellular-aging-map data_utils/tokenization.py`.
#[derive(Debug, Clone)]
pub struct PolygeneVocab {
    spec: PolygeneVocabSpec,
    genes: GeneVocab,
    names: Vec<String>,
    index: Vec<CategoryIndex>,
    first_bin: u32,
}

impl PolygeneVocab {
    /// `[cls]`, the first token of a row.
    pub const CLS: u32 = 0;
    /// `[eos]`, the last one.
    pub const EOS: u32 = 1;
    /// `[mask]`.
    pub const MASK: u32 = 2;
    /// `[pad]`.
    pub const PAD: u32 = 3;

    /// A checked vocabulary.
    ///
    /// # Errors
    /// If a category, a value of a category or a gene stands twice, a value leaves no token, a category is named like
    /// nothing or holds nothing, or a value is added to a category that is not there.
    pub fn new(mut spec: PolygeneVocabSpec) -> Result<Self> {
        spec.categories.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(pair) = spec.categories.windows(2).find(|it| it[0].name == it[1].name) {
            return Err(Error::invalid_input(format!("category `{}` stands twice", pair[0].name)));
        }
        if let Some(it) = spec.categories.iter().find(|it| it.name.trim().is_empty() || it.values.is_empty()) {
            return Err(Error::invalid_input(format!("category `{}` without a name or a value", it.name)));
        }
        let target = id_target(&spec.genes);
        let ranked = spec.genes.iter().enumerate().map(|(rank, it)| (it.clone(), rank as u32)).collect();
        let genes = GeneVocab::new("polygene", target, ranked)?;
        let names = SPECIALS.map(str::to_owned).to_vec();
        let index = vec![CategoryIndex::default(); spec.categories.len()];
        let added = std::mem::take(&mut spec.added);
        let mut vocab = Self { spec, genes, names, index, first_bin: 0 };
        for at in 0..vocab.index.len() {
            for value in vocab.spec.categories[at].values.clone() {
                vocab.enter(at, &value)?;
            }
        }
        vocab.first_bin = vocab.names.len() as u32;
        vocab.names.extend((0..=vocab.n_edges()).map(|it| format!("bin_{it}")));
        for (category, value) in added {
            vocab.add(&category, value)?;
        }
        Ok(vocab)
    }

    fn enter(&mut self, category: usize, value: &PhenotypeValue) -> Result<u32> {
        let id = self.names.len() as u32;
        let name = &self.spec.categories[category].name;
        let token = self.index[category].add(name, value, id, self.spec.rule)?;
        self.names.push(format!("{name}:{token}"));
        Ok(id)
    }

    fn add(&mut self, category: &str, value: PhenotypeValue) -> Result<u32> {
        let Some(at) = self.category(category) else {
            let names: Vec<String> = self.spec.categories.iter().map(|it| it.name.clone()).collect();
            return Err(Error::invalid_input(format!("no category `{category}` (categories: {})", quoted(&names))));
        };
        let id = self.enter(at, &value)?;
        self.spec.added.push((category.to_owned(), value));
        Ok(id)
    }

    /// Adds values to a category: their ids follow all others, so that no id changes. Returns the new ids.
    ///
    /// # Errors
    /// If the category is not there or a value is.
    pub fn extend_category<S: Into<String>>(
        &mut self,
        category: &str,
        labels: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u32>> {
        labels.into_iter().map(|it| self.add(category, PhenotypeValue { label: it.into(), term: None })).collect()
    }

    /// Adds genes behind the last rank, so that no id changes. Returns their type ids.
    ///
    /// # Errors
    /// If a gene is there already.
    pub fn extend_genes<S: Into<String>>(&mut self, genes: impl IntoIterator<Item = S>) -> Result<Vec<u32>> {
        let mut spec = self.spec.clone();
        spec.genes.extend(genes.into_iter().map(Into::into));
        let first = self.n_types();
        *self = Self::new(spec)?;
        Ok((first..self.n_types()).collect())
    }

    /// What it is made from.
    pub fn spec(&self) -> &PolygeneVocabSpec {
        &self.spec
    }

    /// The genes; positions are ranks.
    pub fn genes(&self) -> &GeneVocab {
        &self.genes
    }

    /// Categories by name, in the order of their types.
    pub fn categories(&self) -> &[PhenotypeCategory] {
        &self.spec.categories
    }

    /// The place of a category among all.
    pub fn category(&self, name: &str) -> Option<usize> {
        self.spec.categories.binary_search_by(|it| it.name.as_str().cmp(name)).ok()
    }

    /// Number of value ids.
    pub fn n_values(&self) -> u32 {
        self.names.len() as u32
    }

    /// Number of type ids.
    pub fn n_types(&self) -> u32 {
        (1 + self.spec.categories.len() + self.genes.len()) as u32
    }

    /// Number of bin edges: bins run from 0 to this.
    pub fn n_edges(&self) -> u32 {
        self.spec.edges.values().len() as u32
    }

    /// Bins of expression.
    pub fn edges(&self) -> &BinEdges {
        &self.spec.edges
    }

    /// Value id of a bin.
    pub fn bin_id(&self, bin: u32) -> u32 {
        self.first_bin + bin
    }

    /// The bin that a value id stands for.
    pub fn bin_of(&self, id: u32) -> Option<u32> {
        id.checked_sub(self.first_bin).filter(|it| *it <= self.n_edges())
    }

    /// Value ids of a category, by its place: what a prediction of it chooses from.
    pub fn category_ids(&self, category: usize) -> &[u32] {
        self.index[category].ids()
    }

    /// Value id of a phenotype, by the place of its category: an ontology term where the vocabulary knows it, else the
    /// token that its name makes.
    pub fn value_id(&self, category: usize, text: &str) -> Option<u32> {
        self.index[category].find(text, self.spec.rule)
    }

    /// Type id of a category, by its place.
    pub fn category_type(&self, category: usize) -> u32 {
        1 + category as u32
    }

    /// Type id of the gene of a rank.
    pub fn gene_type(&self, rank: u32) -> u32 {
        self.first_gene_type() + rank
    }

    /// The rank of the gene that a type id stands for.
    pub fn gene_of(&self, type_id: u32) -> Option<u32> {
        type_id.checked_sub(self.first_gene_type()).filter(|it| (*it as usize) < self.genes.len())
    }

    /// The place of the category that a type id stands for.
    pub fn category_of(&self, type_id: u32) -> Option<usize> {
        type_id.checked_sub(1).map(|it| it as usize).filter(|it| *it < self.spec.categories.len())
    }

    /// What a value id stands for.
    pub fn value_name(&self, id: u32) -> Option<&str> {
        self.names.get(id as usize).map(String::as_str)
    }

    /// What a type id stands for: `special`, a category or a gene.
    pub fn type_name(&self, type_id: u32) -> Option<&str> {
        if type_id == 0 {
            return Some("special");
        }
        match self.category_of(type_id) {
            Some(at) => Some(&self.spec.categories[at].name),
            None => self.gene_of(type_id).map(|it| self.genes.keys()[it as usize].as_str()),
        }
    }

    fn first_gene_type(&self) -> u32 {
        1 + self.spec.categories.len() as u32
    }
}

/// Ensembl ids if all names are such, symbols otherwise.
pub(super) fn id_target(names: &[String]) -> IdTarget {
    if names.iter().all(|it| EnsemblName::parse(it.trim()).is_some()) { IdTarget::Ensembl } else { IdTarget::Symbol }
}
