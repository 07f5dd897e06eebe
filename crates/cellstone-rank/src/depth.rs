//! Encoders that state the depth of a cell: scFoundation (xTrimoGene) and AIDO.Cell, over one fixed list of genes.

use crate::reading::{Reading, TARGET, Wanted};
use crate::scbert::ordered_list;
use crate::vocab::GeneVocab;
use cellstone_core::genes::GeneTable;
use cellstone_core::{
    BoundTokenizer, CellInput, Encoded, Error, InputScale, Result, Scale, SpecialTokens, TokenCoverage, TokenRow,
    Tokenizer, TokenizerInfo, Var,
};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Which genes of the list stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListForm {
    /// Those that are expressed, with their places as ids: what an encoder network reads, and small on disk.
    #[default]
    NonZero,
    /// All of them.
    Dense,
}

/// The depth that scFoundation is asked to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DepthTarget {
    /// `t4`: this logarithm to base ten.
    Fixed(f64),
    /// `f5`: so many times the depth of the cell.
    Fold(f64),
    /// `a1`: the logarithm of the depth of the cell and so much more.
    Add(f64),
}

impl Default for DepthTarget {
    fn default() -> Self {
        Self::Fixed(4.0)
    }
}

impl FromStr for DepthTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |rest: &str| rest.parse::<f64>().ok().filter(|it| it.is_finite());
        let mut letters = text.chars();
        let found = match (letters.next(), number(letters.as_str())) {
            (Some('t'), Some(it)) => Some(Self::Fixed(it)),
            (Some('f'), Some(it)) if it > 0.0 => Some(Self::Fold(it)),
            (Some('a'), Some(it)) => Some(Self::Add(it)),
            _ => None,
        };
        found
            .ok_or_else(|| Error::config(format!("target depth `{text}`, expected `t`, `f` or `a` and a number: `t4`")))
    }
}

impl fmt::Display for DepthTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(it) => write!(f, "t{it}"),
            Self::Fold(it) => write!(f, "f{it}"),
            Self::Add(it) => write!(f, "a{it}"),
        }
    }
}

/// What scFoundation takes for the depth of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DepthSource {
    /// Single cells: `S = log₁₀ N`, and the target as asked for.
    #[default]
    Cell,
    /// Bulk: `S = T = log₁₀ N`.
    Bulk,
    /// Bulk as the published code has it: `S = T = log₁₀ Σ x`, over the log-normalised values.
    BulkReference,
}

/// Choices of [`ScFoundation`].
#[derive(Debug, Clone, Default)]
pub struct ScFoundationOptions {
    /// Which genes stand in a row.
    pub form: ListForm,
    /// The depth that is asked for.
    pub target: DepthTarget,
    /// Single cells or bulk.
    pub source: DepthSource,
    /// Gene identity, where files use other names than the list.
    pub gene_table: Option<Arc<GeneTable>>,
}

/// Choices of [`AidoCell`].
#[derive(Debug, Clone)]
pub struct AidoCellOptions {
    /// Which genes stand in a row.
    pub form: ListForm,
    /// Least value of the depth tokens, a logarithm to base ten; 5 as published.
    pub floor: f64,
    /// Gene identity, where files use other names than the list.
    pub gene_table: Option<Arc<GeneTable>>,
}

impl Default for AidoCellOptions {
    fn default() -> Self {
        Self { form: ListForm::default(), floor: 5.0, gene_table: None }
    }
}

/// scFoundation's encoder: `x_g = ln(1 + c_g / N · 10⁴)` with N over the genes of the list, then two tokens behind the
/// last gene: the target depth T and the source depth S.
///
/// `input_ids` are places in the list, `values` the numbers. The id after the two depth tokens is padding. Every file is
/// brought to the list by the names of its genes, whatever its width. A cell whose genes of the list sum to 0 is
/// rejected (`zero_depth`).
///
/// # References
/// `biomap-research/scFoundation model/get_embedding.py, model/load.py`; doi:10.1038/s41592-024-02305-7.
pub struct ScFoundation {
    info: TokenizerInfo,
    list: DepthList,
    options: ScFoundationOptions,
}

/// AIDO.Cell's encoder: `min(ln(1 + c / N · 10⁴), 20)` with N over the genes of the list, then two equal depth tokens
/// `max(log₁₀ N, 5)`.
///
/// With the published floor the depth tokens are the constant 5 for every cell of fewer than 100,000 counts. Genes that a
/// file lacks are to be masked from attention: [`measured_genes`] says which are there.
///
/// # References
/// `genbio-ai/ModelGenerator huggingface/aido.cell/aido_cell/utils`; doi:10.1101/2024.11.28.625303.
pub struct AidoCell {
    info: TokenizerInfo,
    list: DepthList,
    options: AidoCellOptions,
}

/// The genes of a list and the names of its extra places.
struct DepthList {
    vocab: GeneVocab,
    extra: [&'static str; 3],
}

impl DepthList {
    fn name(&self, id: u32) -> Option<&str> {
        let (id, n) = (id as usize, self.vocab.len());
        if id < n { Some(&self.vocab.keys()[id]) } else { self.extra.get(id - n).copied() }
    }

    fn info(&self, id: &'static str, summary: &'static str, source: &'static str) -> TokenizerInfo {
        let n = self.vocab.len();
        TokenizerInfo {
            id: Cow::Borrowed(id),
            summary: Cow::Borrowed(summary),
            source: Cow::Borrowed(source),
            scale: InputScale::Counts,
            n_tokens: n as u32 + 3,
            max_len: Some(n + 2),
            specials: SpecialTokens { pad: Some(n as u32 + 2), ..SpecialTokens::default() },
            repeats: false,
            is_random: false,
            phenotypes: Vec::new(),
            options: Vec::new(),
        }
    }
}

impl ScFoundation {
    /// An encoder from gene symbols and their places in the list (19,264 of them as published).
    ///
    /// # Errors
    /// If the places are not `0, 1, 2, …` or a gene stands twice.
    pub fn new(list: Vec<(String, u32)>, options: ScFoundationOptions) -> Result<Self> {
        let vocab = ordered_list("scfoundation", list)?;
        let list = DepthList { vocab, extra: ["<target_depth>", "<source_depth>", "<pad>"] };
        let mut info = list.info(
            "scfoundation",
            "log-normalised genes of a fixed list with target and source depth as two more tokens",
            "biomap-research/scFoundation model/get_embedding.py; doi:10.1038/s41592-024-02305-7",
        );
        info.options = vec![
            ("form".to_owned(), format!("{:?}", options.form).to_lowercase()),
            ("target".to_owned(), options.target.to_string()),
            ("source".to_owned(), format!("{:?}", options.source).to_lowercase()),
        ];
        Ok(Self { info, list, options })
    }
}

impl AidoCell {
    /// An encoder from gene symbols and their places in the list (19,264 of them as published).
    ///
    /// # Errors
    /// If the places are not `0, 1, 2, …` or a gene stands twice.
    pub fn new(list: Vec<(String, u32)>, options: AidoCellOptions) -> Result<Self> {
        let vocab = ordered_list("aido_cell", list)?;
        let list = DepthList { vocab, extra: ["<depth>", "<depth_again>", "<pad>"] };
        let mut info = list.info(
            "aido_cell",
            "log-normalised genes of a fixed list, at most 20, with the depth of the cell twice at the end",
            "genbio-ai/ModelGenerator huggingface/aido.cell; doi:10.1101/2024.11.28.625303",
        );
        info.options = vec![
            ("form".to_owned(), format!("{:?}", options.form).to_lowercase()),
            ("floor".to_owned(), options.floor.to_string()),
        ];
        Ok(Self { info, list, options })
    }
}

impl Tokenizer for ScFoundation {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.list.vocab.bind(var, self.options.gene_table.as_deref())?;
        let (target, source) = (self.options.target, self.options.source);
        Ok(Box::new(Bound {
            reading: Reading::new("scfoundation", genes, Wanted::Counts, scale)?,
            n_genes: self.list.vocab.len(),
            form: self.options.form,
            cap: f64::INFINITY,
            depths: Box::new(move |total, sum| foundation_depths(target, source, total, sum)),
        }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.list.name(id)
    }
}

/// `(T, S)` of a cell of `total` counts whose log-normalised values sum to `sum`.
fn foundation_depths(target: DepthTarget, source: DepthSource, total: f64, sum: f64) -> (f64, f64) {
    let depth = total.log10();
    match source {
        DepthSource::Bulk => (depth, depth),
        DepthSource::BulkReference => (sum.log10(), sum.log10()),
        DepthSource::Cell => match target {
            DepthTarget::Fixed(it) => (it, depth),
            DepthTarget::Fold(it) => ((it * total).log10(), depth),
            DepthTarget::Add(it) => (depth + it, depth),
        },
    }
}

impl Tokenizer for AidoCell {
    fn info(&self) -> &TokenizerInfo {
        &self.info
    }

    fn bind(&self, var: &Var, scale: Scale) -> Result<Box<dyn BoundTokenizer>> {
        let genes = self.list.vocab.bind(var, self.options.gene_table.as_deref())?;
        let floor = self.options.floor;
        Ok(Box::new(Bound {
            reading: Reading::new("aido_cell", genes, Wanted::Counts, scale)?,
            n_genes: self.list.vocab.len(),
            form: self.options.form,
            cap: 20.0,
            depths: Box::new(move |total, _| (total.log10().max(floor), total.log10().max(floor))),
        }))
    }

    fn token_name(&self, id: u32) -> Option<&str> {
        self.list.name(id)
    }
}

/// Whether a file has each gene of a vocabulary of `n_genes`; the others are absent, which is not the same as zero.
pub fn measured_genes(bound: &dyn BoundTokenizer, n_genes: usize) -> Vec<bool> {
    let mut measured = vec![false; n_genes];
    bound.genes().iter().flatten().for_each(|it| measured[*it as usize] = true);
    measured
}

struct Bound {
    reading: Reading,
    n_genes: usize,
    form: ListForm,
    cap: f64,
    /// From the counts of the cell and the sum of its values to the two last tokens.
    depths: Box<dyn Fn(f64, f64) -> (f64, f64) + Send + Sync>,
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
        let total = self.reading.read(cell, &mut genes);
        if genes.is_empty() {
            let detail = "no counts on the genes of the list".to_owned();
            return Encoded::Rejected { reason: "zero_depth", detail };
        }
        genes.iter_mut().for_each(|it| it.1 = (it.1 / total * TARGET).ln_1p().min(self.cap));
        let (first, second) = (self.depths)(total, genes.iter().map(|it| it.1).sum());
        let n_genes = genes.len() as u32;
        let (mut input_ids, mut values): (Vec<u32>, Vec<f32>) = match self.form {
            ListForm::NonZero => genes.iter().map(|it| (it.0, it.1 as f32)).unzip(),
            ListForm::Dense => {
                let mut dense = vec![0.0_f32; self.n_genes];
                genes.iter().for_each(|it| dense[it.0 as usize] = it.1 as f32);
                ((0..self.n_genes as u32).collect(), dense)
            }
        };
        let end = self.n_genes as u32;
        input_ids.extend([end, end + 1]);
        values.extend([first as f32, second as f32]);
        Encoded::Row(TokenRow { input_ids, values: Some(values), n_genes, mapped: total, ..TokenRow::default() })
    }
}
