//! The medians of a corpus, by either method.

use super::digest::digest_medians;
use super::exact::exact_medians;
use crate::vocab::{EnsemblName, GeneVocab, is_null_name};
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{CountSource, Error, Result, Scale, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How medians are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MedianMethod {
    /// By counting: exact in f32, three passes over the corpus, 8 KiB of memory for a gene.
    #[default]
    Exact,
    /// By a t-digest for each gene: within half a per cent of rank and one place, one pass.
    Tdigest,
}

/// Choices of [`corpus_medians`].
///
/// | name | default | meaning |
/// |---|---|---|
/// | `method` | exact | how medians are found |
/// | `min_detected` | 100 | a gene found in fewer cells is marked `low_support` |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MedianOptions {
    /// How medians are found.
    pub method: MedianMethod,
    /// A gene found in fewer cells is marked.
    pub min_detected: u64,
}

impl Default for MedianOptions {
    fn default() -> Self {
        Self { method: MedianMethod::default(), min_detected: 100 }
    }
}

/// The median of one gene.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GeneMedian {
    /// The gene as the vocabulary names it.
    pub gene_id: String,
    /// Median of `c / N · 10⁴` over the cells that express it.
    pub median: f64,
    /// Cells that express it.
    pub n_cells_detected: u64,
    /// Cells of the files that have the gene.
    pub n_cells_total: u64,
    /// Whether too few cells express it for the median to be worth much.
    pub low_support: bool,
}

/// The medians of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CorpusMedians {
    /// Genes that any cell expresses, in the order of the vocabulary.
    pub genes: Vec<GeneMedian>,
    /// Cells of the corpus.
    pub n_cells: u64,
    /// Cells without any count.
    pub n_empty: u64,
    /// Genes of the vocabulary that no cell expresses: they have no median.
    pub n_undetected: usize,
    /// How they were found.
    pub method: MedianMethod,
}

/// Cells that express each gene, and their median.
pub(super) struct Found {
    pub(super) detected: Vec<u64>,
    pub(super) medians: Vec<f64>,
    pub(super) n_empty: u64,
}

/// Every gene that any of the files names, sorted, as a vocabulary of its own whose tokens are places.
///
/// Ensembl ids lose their version, copies on Y are the gene on X; with `table`, names become ids where they have one.
/// Other names stay as they are; names of nothing are left out.
///
/// # Errors
/// If no gene is left.
pub fn corpus_genes(vars: &[&Var], table: Option<&GeneTable>) -> Result<GeneVocab> {
    let mut genes = BTreeSet::new();
    for name in vars.iter().flat_map(|it| it.ids()).map(|it| it.trim()).filter(|it| !is_null_name(it)) {
        let name = EnsemblName::parse(name).map_or_else(|| name.to_owned(), |it| it.on_x());
        let id = table.and_then(|it| it.resolve(&name, IdTarget::Ensembl).id().map(str::to_owned));
        genes.insert(id.unwrap_or(name));
    }
    GeneVocab::new("corpus", IdTarget::Ensembl, genes.into_iter().zip(0..).collect())
}

/// Finds the median of every gene of `vocab` over the cells of a corpus that express it.
///
/// Columns of one gene are summed. Neither the order of the cells nor the length of blocks nor the number of threads
/// changes a bit of the result of [`MedianMethod::Exact`], whose values are rounded to f32 and averaged in f64 where
/// their number is even; [`MedianMethod::Tdigest`] depends on the order of files and cells alone.
///
/// # Errors
/// If there is no source or no cell, values are not counts, or a source cannot be read.
///
/// # References
/// `jkobject/geneformer examples/pretraining_new_model/obtain_nonzero_median_digests.ipynb`, which merges one digest per
/// file.
pub fn corpus_medians(
    sources: &[&dyn CountSource],
    vocab: &GeneVocab,
    table: Option<&GeneTable>,
    options: &MedianOptions,
) -> Result<CorpusMedians> {
    for it in sources {
        if it.scale() != Scale::Counts {
            let (name, scale) = (it.name(), it.scale());
            return Err(Error::invalid_input(format!("`{name}` holds {scale}, expected raw counts"))
                .with_hint("medians are of c / N · 10⁴, which only counts give: point to the layer that holds them"));
        }
    }
    let n_cells = sources.iter().map(|it| it.n_obs() as u64).sum();
    if n_cells == 0 {
        return Err(Error::invalid_input("the corpus has no cell, expected at least one"));
    }
    let bound = sources.iter().map(|it| vocab.bind(it.var(), table)).collect::<Result<Vec<_>>>()?;
    let found = match options.method {
        MedianMethod::Exact => exact_medians(sources, &bound, vocab.len())?,
        MedianMethod::Tdigest => digest_medians(sources, &bound, vocab.len())?,
    };
    let mut totals = vec![0_u64; vocab.len()];
    for (source, genes) in sources.iter().zip(&bound) {
        let mut here: Vec<u32> = genes.positions().iter().flatten().copied().collect();
        here.sort_unstable();
        here.dedup();
        here.iter().for_each(|it| totals[*it as usize] += source.n_obs() as u64);
    }
    let gene = |at: usize| GeneMedian {
        gene_id: vocab.keys()[at].clone(),
        median: found.medians[at],
        n_cells_detected: found.detected[at],
        n_cells_total: totals[at],
        low_support: found.detected[at] < options.min_detected,
    };
    let genes: Vec<GeneMedian> = (0..vocab.len()).filter(|it| found.detected[*it] > 0).map(gene).collect();
    let n_undetected = vocab.len() - genes.len();
    Ok(CorpusMedians { genes, n_cells, n_empty: found.n_empty, n_undetected, method: options.method })
}
