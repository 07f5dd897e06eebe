//! GeneCompass: genes by count over corpus median, depth left in, with their values; and its choice of cells.

use crate::order::{RankSorter, Ties};
use crate::reading::{Reading, Wanted};
use crate::vocab::{Dictionary, GeneVocab};
use cellstone_core::genes::{GeneTable, IdTarget};
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, TokenCoverage, TokenRow, Tokenizer,
    TokenizerInfo, Var, sum,
};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

/// The species that a row says it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GeneCompassSpecies {
    /// 0 in the published tables.
    #[default]
    Human,
    /// 1.
    Mouse,
}

impl GeneCompassSpecies {
    /// The number in the published tables.
    pub fn code(self) -> u8 {
        match self {
            Self::Human => 0,
            Self::Mouse => 1,
        }
    }
}

impl FromStr for GeneCompassSpecies {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "human" => Ok(Self::Human),
            "mouse" => Ok(Self::Mouse),
            _ => Err(Error::config(format!("species `{text}`, expected `human` or `mouse`"))),
        }
    }
}

/// Choices of [`GeneCompass`].
///
/// | name | default | meaning |
/// |---|---|---|
/// | `max_len` | 2048 | longest row |
/// | `species` | human | recorded with the rows |
#[derive(Debug, Clone)]
pub struct GeneCompassOptions {
    /// Longest row.
    pub max_len: usize,
    /// Recorded with the rows.
    pub species: GeneCompassSpecies,
    /// Gene identity, where files use other names than the vocabulary.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for GeneCompassOptions {
    fn default() -> Self {
        Self { max_len: 2048, species: GeneCompassSpecies::default(), gene_table: None }
    }
}

/// GeneCompass's encoder: the expressed genes of a cell by descending `v_g = log₂(1 + c_g / m_g)`, with `values` `v_g`.
///
/// `m_g` is the median of the gene over a corpus, 1 where it has none. The depth of the cell is not divided out, as in
/// the public code. Genes of equal `v_g` follow the token id. A cell without a gene of the vocabulary is rejected
/// (`no_known_gene`). Which cells the publication took is [`genecompass_cells`]'s to say.
///
/// # References
/// `xCompass-AI/GeneCompass preprocess/preprocess.py`; doi:10.1038/s41422-024-01034-y.
pub struct GeneCompass {
    info: TokenizerInfo,
    dictionary: Dictionary,
    vocab: GeneVocab,
    /// By position.
    medians: Vec<f64>,
    options: GeneCompassOptions,
}

impl GeneCompass {
    /// An encoder from a dictionary of both species and the medians of a corpus.
    ///
    /// # Errors
    /// If names or tokens repeat, a median is no positive number, or rows have no room for a gene.
    pub fn new(vocab: Vec<(String, u32)>, medians: Vec<(String, f64)>, options: GeneCompassOptions) -> Result<Self> {
        if options.max_len == 0 {
            return Err(Error::config("rows of `genecompass` are to have 0 tokens, expected at least 1"));
        }
        if let Some((gene, median)) = medians.iter().find(|it| !(it.1 > 0.0 && it.1.is_finite())) {
            return Err(Error::invalid_input(format!(
                "gene `{gene}` has the median {median}, expected a positive number"
            )));
        }
        let dictionary = Dictionary::new(vocab).map_err(|it| it.context("dictionary of `genecompass`"))?;
        let vocab = GeneVocab::new("genecompass", IdTarget::Ensembl, dictionary.genes())?;
        let by_gene: BTreeMap<String, f64> = medians.into_iter().collect();
        let medians = vocab.keys().iter().map(|it| by_gene.get(it).copied().unwrap_or(1.0)).collect();
        let mut specials = dictionary.specials();
        // Rows are filled up with 0 whatever the dictionary calls it.
        specials.pad = specials.pad.or(Some(0));
        let info = TokenizerInfo {
            id: Cow::Borrowed("genecompass"),
            summary: Cow::Borrowed("genes by log2(1 + count over corpus median), largest first, with these values"),
            source: Cow::Borrowed("xCompass-AI/GeneCompass preprocess/preprocess.py; doi:10.1038/s41422-024-01034-y"),
            scale: InputScale::Counts,
            n_tokens: dictionary.n_tokens(),
            max_len: Some(options.max_len),
            specials,
            repeats: false,
            is_random: false,
            phenotypes: Vec::new(),
            options: vec![
                ("max_len".to_owned(), options.max_len.to_string()),
                ("species".to_owned(), options.species.code().to_string()),
            ],
        };
        Ok(Self { info, dictionary, vocab, medians, options })
    }
}

impl Tokenizer for GeneCompass {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.vocab.bind(var, self.options.gene_table.as_deref())?;
        Ok(Box::new(Bound {
            reading: Reading::new("genecompass", genes, Wanted::Counts, scale)?,
            tokens: self.vocab.tokens().to_vec(),
            medians: self.medians.clone(),
            max_len: self.options.max_len,
        }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.dictionary.name(id)
    }
}

struct Bound {
    reading: Reading,
    tokens: Vec<u32>,
    medians: Vec<f64>,
    max_len: usize,
}

#[derive(Default)]
struct Memory {
    sorter: RankSorter,
    pairs: Vec<(u32, f64)>,
    values: Vec<f64>,
}

thread_local! {
    /// Working memory that cells encoded on one thread share.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

impl Bound {
    fn encode_in(&self, cell: &CellInput<'_>, memory: &mut Memory) -> Encoded {
        let Memory { sorter, pairs, values } = memory;
        let mapped = self.reading.read(cell, pairs);
        if pairs.is_empty() {
            let detail = format!("{} expressed features, none of them a gene of the vocabulary", cell.columns.len());
            return Encoded::Rejected { reason: "no_known_gene", detail };
        }
        values.clear();
        values.extend(pairs.iter().map(|it| (1.0 + it.1 / self.medians[it.0 as usize]).log2()));
        let n = pairs.len();
        let kept = n.min(self.max_len);
        // Genes come by ascending token: of equal values the first has the smaller.
        let order = sorter.sort(values, Ties::Place).take(kept).map(|it| it as usize);
        let (input_ids, beside) =
            order.map(|it| (self.tokens[pairs[it].0 as usize], values[it] as f32)).unzip::<_, _, Vec<u32>, Vec<f32>>();
        Encoded::Row(TokenRow {
            input_ids,
            values: Some(beside),
            n_genes: n as u32,
            n_truncated: (n - kept) as u32,
            mapped,
            ..TokenRow::default()
        })
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
        MEMORY.with_borrow_mut(|it| self.encode_in(cell, it))
    }
}

/// What the publication asks of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneCompassCell {
    /// Total over all features.
    pub total: f64,
    /// Total over mitochondrial genes.
    pub mitochondrial: f64,
    /// Protein-coding and miRNA genes that are expressed.
    pub n_coding: u32,
}

/// Which cells of one file the publication took: `None`, or why it did not.
///
/// A cell is left out if its total is 0 (`zero_total`), if its total or its mitochondrial share lies three standard
/// deviations or more from the mean of the cells with counts (`total_outlier`, `mito_outlier`; population standard
/// deviation), or if fewer than 7 protein-coding or miRNA genes are expressed (`few_genes`); the first that applies. The
/// choice depends on which cells share a file, so it is made on request only. Where the total or the share is the same in
/// every cell, no cell lies far from it; the published code then keeps none.
///
/// # Examples
/// ```
/// use cellstone_rank::{GeneCompassCell, genecompass_cells};
/// let cell = |total: f64, n_coding| GeneCompassCell { total, mitochondrial: 0.0, n_coding };
/// let cells = [cell(100.0, 7), cell(0.0, 0), cell(100.0, 6)];
/// assert_eq!(genecompass_cells(&cells), [None, Some("zero_total"), Some("few_genes")]);
/// ```
pub fn genecompass_cells(cells: &[GeneCompassCell]) -> Vec<Option<&'static str>> {
    // DIVERGES(genecompass-constant-file): there, 0 / 0 leaves every cell out.
    let counted = || cells.iter().filter(|it| it.total > 0.0);
    let totals: Vec<f64> = counted().map(|it| it.total).collect();
    let shares: Vec<f64> = counted().map(|it| it.mitochondrial / it.total).collect();
    let (totals, shares) = (Spread::of(&totals), Spread::of(&shares));
    let verdict = |it: &GeneCompassCell| {
        if it.total <= 0.0 {
            Some("zero_total")
        } else if totals.is_far(it.total) {
            Some("total_outlier")
        } else if shares.is_far(it.mitochondrial / it.total) {
            Some("mito_outlier")
        } else if it.n_coding < 7 {
            Some("few_genes")
        } else {
            None
        }
    };
    cells.iter().map(verdict).collect()
}

/// Mean and population standard deviation.
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let mean = sum::mean(values).unwrap_or(0.0);
        let squares: Vec<f64> = values.iter().map(|it| (it - mean) * (it - mean)).collect();
        Self { mean, deviation: sum::mean(&squares).unwrap_or(0.0).sqrt() }
    }

    fn is_far(&self, value: f64) -> bool {
        self.deviation > 0.0 && ((value - self.mean) / self.deviation).abs() >= 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;

    fn encoder(options: GeneCompassOptions) -> GeneCompass {
        let vocab = ["<pad>", "A", "B", "C", "D"].iter().zip(0..).map(|(it, id)| ((*it).to_owned(), id)).collect();
        let medians = vec![("A".to_owned(), 2.0), ("B".to_owned(), 1.0), ("C".to_owned(), 0.5)];
        GeneCompass::new(vocab, medians, options).expect("valid")
    }

    fn encode(encoder: &GeneCompass, names: &[&str], values: &[f32]) -> Encoded {
        let var = Var::from_ids(names.iter().copied()).expect("unique");
        let columns: Vec<u32> = (0..names.len() as u32).collect();
        let n_counts = values.iter().map(|it| f64::from(*it)).sum();
        let bound = encoder.bind(&var, Scale::Counts).expect("binds");
        bound.encode(&CellInput { columns: &columns, values, n_counts, phenotypes: &[], seed: Seed::new(0) })
    }

    #[test]
    fn values_and_order_by_hand() {
        // A 6/2 = 3, D without median 3/1 = 3: a tie that the token decides; B 7/1, C 0.5/0.5 = 1.
        let Encoded::Row(row) =
            encode(&encoder(GeneCompassOptions::default()), &["D", "C", "x", "B", "A"], &[3.0, 0.5, 9.0, 7.0, 6.0])
        else {
            panic!("has genes")
        };
        assert_eq!(row.input_ids, [2, 1, 4, 3]);
        assert_eq!(row.values, Some(vec![3.0, 2.0, 2.0, 1.0]));
        assert_eq!((row.n_genes, row.n_truncated, row.mapped), (4, 0, 16.5));
    }

    #[test]
    fn rows_are_cut_and_cells_without_genes_rejected() {
        let short = encoder(GeneCompassOptions { max_len: 1, ..GeneCompassOptions::default() });
        let Encoded::Row(row) = encode(&short, &["A", "B"], &[1.0, 1.0]) else { panic!("has genes") };
        assert_eq!((row.input_ids.as_slice(), row.n_genes, row.n_truncated), (&[2][..], 2, 1));
        let Encoded::Rejected { reason, .. } = encode(&short, &["x"], &[1.0]) else { panic!("has none") };
        assert_eq!(reason, "no_known_gene");
        assert!(short.bind(&Var::from_ids(["A"]).expect("one"), Scale::Cpm).is_err());
        let bad = vec![("A".to_owned(), 0.0)];
        let error = GeneCompass::new(vec![("A".to_owned(), 1)], bad, GeneCompassOptions::default()).err();
        let said = "gene `A` has the median 0, expected a positive number";
        assert_eq!(error.expect("no median").to_string(), said);
    }

    #[test]
    fn cells_far_from_the_others_are_left_out() {
        let cell = |total: f64, mitochondrial: f64| GeneCompassCell { total, mitochondrial, n_coding: 7 };
        let mut cells = vec![cell(100.0, 1.0); 20];
        cells.push(cell(1000.0, 10.0));
        cells.push(cell(100.0, 50.0));
        cells.push(cell(0.0, 0.0));
        let found = genecompass_cells(&cells);
        assert!(found[..20].iter().all(Option::is_none));
        assert_eq!(found[20..], [Some("total_outlier"), Some("mito_outlier"), Some("zero_total")]);
        assert!(genecompass_cells(&[]).is_empty());
    }

    #[test]
    fn cells_that_are_all_alike_are_kept() {
        let cell = GeneCompassCell { total: 10.0, mitochondrial: 1.0, n_coding: 9 };
        assert_eq!(genecompass_cells(&[cell; 5]), [None; 5]);
    }
}
