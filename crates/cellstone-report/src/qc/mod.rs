//! A page about the quality of cells: distributions, bounds, and what the bounds drop.

mod histogram;
mod page;

pub use page::render_qc;

/// One measure of cells or genes, with the bounds that were set on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// For people: `Counts per cell`.
    pub label: String,
    /// Unit of the values.
    pub unit: String,
    /// Whether the axis is logarithmic; zeros are then counted apart.
    pub log: bool,
    /// One value per cell or gene.
    pub values: Vec<f64>,
    /// Values below are dropped.
    pub low: Option<f64>,
    /// Values above are dropped.
    pub high: Option<f64>,
}

/// One rule of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterRow {
    /// `cells` or `genes`.
    pub of: String,
    /// `min_genes`, `max_pct_counts_mt`, …
    pub rule: String,
    /// How many break it.
    pub n_failing: usize,
    /// How many break it and none before it.
    pub n_dropped: usize,
}

/// Everything the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct QcPage {
    /// The file that was read.
    pub input: String,
    /// Cells read.
    pub n_obs: usize,
    /// Genes read.
    pub n_vars: usize,
    /// Cells kept.
    pub n_obs_kept: usize,
    /// Genes kept.
    pub n_vars_kept: usize,
    /// Distributions, in the order of the page.
    pub measures: Vec<Measure>,
    /// Kinds of genes that were looked for and not found: `mitochondrial`, `ribosomal`, …
    pub absent: Vec<String>,
    /// Counts, genes and mitochondrial percentage of every cell; the last may be empty.
    pub scatter: (Vec<f64>, Vec<f64>, Vec<f64>),
    /// Whether each cell is kept.
    pub kept: Vec<bool>,
    /// The rules that were applied.
    pub rules: Vec<FilterRow>,
}
