//! What to compare, by which measure, and into which summaries.

use cellstone_core::{Csr, Error, Result};
use ndarray::ArrayView2;

/// Cells as rows of genes, `[n_obs, n_vars]`.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'a> {
    /// Every value.
    Dense(ArrayView2<'a, f32>),
    /// Stored values; the others are 0.
    Sparse(&'a Csr<f32>),
}

impl Rows<'_> {
    /// `(n_obs, n_vars)`.
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Dense(x) => x.dim(),
            Self::Sparse(x) => x.shape(),
        }
    }
}

/// How alike two cells are; larger is more alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Similarity {
    /// The negative distance, `−√Σ (aᵢ − bᵢ)²`.
    Euclidean,
    /// `⟨a, b⟩ / (‖a‖ ‖b‖)`. A zero row has none.
    Cosine,
    /// Pearson's correlation. A constant row has none.
    Pearson,
    /// Pearson's correlation of average ranks, in which the zeros of a row are one tie. A constant row has none.
    Spearman,
}

impl Similarity {
    /// The name in tables.
    pub fn id(self) -> &'static str {
        match self {
            Self::Euclidean => "euclidean",
            Self::Cosine => "cosine",
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
        }
    }
}

/// Pairs by stratum (donor, batch, data set) of their cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Relation {
    /// Every pair.
    #[default]
    All,
    /// Both cells of one stratum.
    Same,
    /// Cells of two strata: what is shared here is not the stratum.
    Other,
}

impl Relation {
    /// The name in tables.
    pub fn id(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Same => "same",
            Self::Other => "other",
        }
    }
}

/// What [`crate::all_pairs`] summarises.
#[derive(Debug, Clone, Copy)]
pub struct PairOptions<'a> {
    /// Group (cell type) of each row, below `n_groups`.
    pub groups: &'a [u32],
    /// Number of groups.
    pub n_groups: usize,
    /// Stratum (donor, batch) of each row: summaries are then split by whether two cells share it.
    pub strata: Option<&'a [u32]>,
    /// Bins of a histogram, at most [`MAX_BINS`].
    pub n_bins: usize,
    /// Range of the histograms; values outside are counted below or above it. Without it `[−1, 1]`, and for Euclidean
    /// distances from minus twice the largest distance of a row from the mean to 0, so that no value is outside.
    pub range: Option<(f64, f64)>,
    /// Most similar cells kept per row; 0 for none.
    pub k: usize,
    /// Most similar cells of other strata kept per row; 0 for none. Needs strata.
    pub k_other: usize,
    /// Rows of a block, rounded up to a multiple of 96; chosen by the number of rows if not given. No result depends
    /// on it.
    pub block: Option<usize>,
    /// Memory that histograms, rows and lists may take together, in bytes.
    pub max_bytes: u64,
}

/// The most bins of a histogram.
pub const MAX_BINS: usize = 8190;

/// The largest block: sums of a block fit their counters up to here.
const MAX_BLOCK: usize = 1920;

/// Rows that the inner loops of products take at a time: blocks are multiples of it.
pub(super) const LANE: usize = 96;

impl<'a> PairOptions<'a> {
    /// 4,096 bins over the natural range, no strata, no neighbours, at most 16 GiB.
    pub fn new(groups: &'a [u32], n_groups: usize) -> Self {
        Self {
            groups,
            n_groups,
            strata: None,
            n_bins: 4096,
            range: None,
            k: 0,
            k_other: 0,
            block: None,
            max_bytes: 16 << 30,
        }
    }

    /// Number of relations that are told apart.
    pub(super) fn n_relations(&self) -> usize {
        if self.strata.is_some() { 2 } else { 1 }
    }

    /// Rows of a block for `n` rows: enough blocks for every core, large enough for products to be fast, and small
    /// enough for the values of a block (576 KiB) to stay in a second-level cache from one panel of genes to the next.
    pub(super) fn block_rows(&self, n: usize) -> usize {
        let rows = self.block.unwrap_or_else(|| (n / 8).clamp(2 * LANE, 4 * LANE));
        rows.next_multiple_of(LANE).clamp(LANE, MAX_BLOCK)
    }

    pub(super) fn check(&self, rows: &Rows<'_>) -> Result<()> {
        let (n, n_genes) = rows.shape();
        if n_genes == 0 || n < 2 {
            return Err(Error::invalid_input(format!("{n} rows of {n_genes} genes have no pairs")));
        }
        if n > u32::MAX as usize {
            return Err(Error::invalid_input(format!("{n} rows, expected at most {}", u32::MAX)));
        }
        if self.groups.len() != n {
            return Err(Error::invalid_input(format!("{} groups for {n} rows", self.groups.len())));
        }
        if let Some(row) = self.groups.iter().position(|it| *it as usize >= self.n_groups) {
            return Err(Error::invalid_input(format!(
                "row {row} is of group {}, expected below {}",
                self.groups[row], self.n_groups
            )));
        }
        if self.strata.is_some_and(|it| it.len() != n) {
            let found = self.strata.map_or(0, <[u32]>::len);
            return Err(Error::invalid_input(format!("{found} strata for {n} rows")));
        }
        if self.k_other > 0 && self.strata.is_none() {
            return Err(Error::invalid_input("neighbours of other strata were asked for, but no strata given")
                .with_hint("set `strata`, or `k_other` to 0"));
        }
        if !(2..=MAX_BINS).contains(&self.n_bins) {
            return Err(Error::invalid_input(format!("{} bins, expected 2 to {MAX_BINS}", self.n_bins)));
        }
        if self.range.is_some_and(|(low, high)| !(low < high && (high - low).is_finite())) {
            let (low, high) = self.range.unwrap_or_default();
            return Err(Error::invalid_input(format!("histogram range from {low} to {high}")));
        }
        Ok(())
    }

    /// # Errors
    /// If `needed` bytes are more than allowed.
    pub(super) fn check_memory(&self, needed: u64, what: &str) -> Result<()> {
        if needed <= self.max_bytes {
            return Ok(());
        }
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        Err(Error::invalid_input(format!(
            "{what} need {} MiB, more than the {} MiB allowed",
            mib(needed),
            mib(self.max_bytes)
        ))
        .with_hint("take fewer bins, groups or rows, or raise `max_bytes`"))
    }
}

/// Equal bins over a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Lower border of the first bin.
    pub low: f64,
    /// Upper border of the last bin.
    pub high: f64,
    /// Number of bins.
    pub n_bins: usize,
}

impl Grid {
    /// Width of a bin.
    pub fn width(&self) -> f64 {
        (self.high - self.low) / self.n_bins as f64
    }

    /// Middle of a bin.
    pub fn center(&self, bin: usize) -> f64 {
        self.low + (bin as f64 + 0.5) * self.width()
    }
}
