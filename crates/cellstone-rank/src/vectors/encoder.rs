//! The list of row encoders and what they take.

use super::fitted::{PearsonResiduals, ZScore};
use crate::bins::{BinTies, QuantileBins};
use cellstone_core::{Csr, Error, Result, Seed};

/// The median of every column: of the non-zero values of its gene, scaled to 10⁴ per cell, over a corpus. Genes without
/// one are left out of the encodings that need it.
pub type Medians = Vec<Option<f64>>;

/// Raw counts and what goes with their rows.
#[derive(Debug, Clone, Copy)]
pub struct CountRows<'a> {
    /// Counts, `[n_obs, n_vars]`.
    pub x: &'a Csr<f32>,
    /// Counts of every cell over all its genes, where `x` holds some of them; the sums of the rows otherwise.
    pub totals: Option<&'a [f64]>,
    /// A seed for every cell ([`cell_seed`](cellstone_core::cell_seed)); only bins with random ties need it.
    pub seeds: Option<&'a [Seed]>,
}

impl<'a> CountRows<'a> {
    /// Counts over all genes.
    pub fn new(x: &'a Csr<f32>) -> Self {
        Self { x, totals: None, seeds: None }
    }

    /// Checks that there is one total and one seed per row, and that values are finite and not negative.
    pub(super) fn check(&self) -> Result<()> {
        let n_obs = self.x.shape().0;
        for (what, n) in [("totals", self.totals.map(<[f64]>::len)), ("seeds", self.seeds.map(<[Seed]>::len))] {
            if let Some(n) = n.filter(|it| *it != n_obs) {
                return Err(Error::invalid_input(format!("{n} {what} for {n_obs} cells, expected one each")));
            }
        }
        let bad = |it: &f32| !(*it >= 0.0 && *it < f32::INFINITY);
        if self.x.data().iter().any(bad) {
            for row in 0..n_obs {
                let (columns, values) = self.x.row(row);
                if let Some(at) = values.iter().position(bad) {
                    return Err(Error::invalid_input(format!(
                        "cell {row} gene {} holds {}, expected a count: ranks are defined for values from 0",
                        columns[at], values[at]
                    )));
                }
            }
        }
        for (row, total) in self.totals.unwrap_or_default().iter().enumerate() {
            // Counts over a total of nothing would be infinite.
            let is_empty = || self.x.row(row).1.iter().all(|it| *it == 0.0);
            if !(*total >= 0.0 && total.is_finite()) || (*total == 0.0 && !is_empty()) {
                let what = format!("cell {row} has a total of {total}, expected at least its own counts");
                return Err(Error::invalid_input(what));
            }
        }
        Ok(())
    }

    /// Counts of a cell over all its genes.
    pub(super) fn total(&self, row: usize) -> f64 {
        match self.totals {
            Some(it) => it[row],
            None => self.x.row(row).1.iter().map(|it| f64::from(*it)).sum(),
        }
    }
}

/// How a cell becomes a row. Names in brackets are those of the study.
#[derive(Debug, Clone)]
pub enum RowEncoder {
    /// (E1) The counts.
    Raw,
    /// (E2) `ln(1 + target · c / N)`.
    LogNorm {
        /// Library size.
        target: f64,
    },
    /// (E3) Log-normalised values less their mean over training cells, over their standard deviation. Dense.
    ZScore(ZScore),
    /// (E4) Average ranks over all genes, zeros being one tie, as offsets `s = rank − z` from the rank
    /// `z = (n₀ + 1) / 2` of the `n₀` zeros: 0 where the count is.
    RankAll,
    /// (E5) Average ranks among detected genes over their number, from above 0 to 1; zeros 0.
    RankDetected,
    /// (E6) Average ranks of `c / (N m)` among detected genes, 1 for the smallest; zeros 0.
    GeneformerRank {
        /// Median per column.
        medians: Medians,
    },
    /// (E6s) `(c / N · 10⁴) / m`.
    GeneformerScaled {
        /// Median per column.
        medians: Medians,
    },
    /// (E7k) `(k − i + 1) / k` for the i-th of the first k genes by falling `c / (N m)`, ties by column; others 0.
    TopK {
        /// Median per column.
        medians: Medians,
        /// Genes that count.
        k: usize,
    },
    /// (E8) Quantile bins of the non-zero values, as scGPT has them.
    Bins {
        /// Bins, the one of zeros counted.
        n_bins: usize,
        /// Bin of a value on several edges.
        ties: BinTies,
    },
    /// (E9) 1 where a gene is detected.
    Binary,
    /// (E10) Pearson residuals of a negative binomial null. Dense.
    Pearson(PearsonResiduals),
}

impl RowEncoder {
    /// Lower snake case, unique but for the `k` of [`RowEncoder::TopK`].
    pub fn id(&self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::LogNorm { .. } => "lognorm",
            Self::ZScore(_) => "zscore",
            Self::RankAll => "rank_all",
            Self::RankDetected => "rank_detected",
            Self::GeneformerRank { .. } => "geneformer_rank",
            Self::GeneformerScaled { .. } => "geneformer_scaled",
            Self::TopK { .. } => "top_k",
            Self::Bins { .. } => "bins",
            Self::Binary => "binary",
            Self::Pearson(_) => "pearson_residuals",
        }
    }

    /// Whether zeros become something else, so that rows are dense.
    pub fn is_dense(&self) -> bool {
        matches!(self, Self::ZScore(_) | Self::Pearson(_))
    }

    /// Checks the parameters against a matrix of `n_vars` columns.
    pub(super) fn check(&self, cells: &CountRows<'_>) -> Result<()> {
        let n_vars = cells.x.shape().1;
        let same_width = |what: &str, n: usize| {
            if n == n_vars {
                return Ok(());
            }
            Err(Error::invalid_input(format!("{n} {what} for {n_vars} genes, expected one each")))
        };
        match self {
            Self::GeneformerRank { medians } | Self::GeneformerScaled { medians } | Self::TopK { medians, .. } => {
                same_width("medians", medians.len())?;
                check_medians(medians)?;
                if let Self::TopK { k: 0, .. } = self {
                    return Err(Error::config("the first 0 genes, expected at least 1"));
                }
                Ok(())
            }
            Self::LogNorm { target } if !(*target > 0.0 && target.is_finite()) => {
                Err(Error::config(format!("library size {target}, expected above 0")))
            }
            Self::Bins { n_bins, ties } => {
                QuantileBins::new(*n_bins)?;
                if *ties == BinTies::Random && cells.seeds.is_none() {
                    return Err(Error::config("bins with random ties need a seed per cell")
                        .with_hint("give seeds, or decide ties by the upper bin"));
                }
                Ok(())
            }
            Self::ZScore(it) => same_width("means", it.n_vars()),
            Self::Pearson(it) => same_width("gene shares", it.n_vars()),
            _ => Ok(()),
        }
    }
}

fn check_medians(medians: &[Option<f64>]) -> Result<()> {
    for (gene, median) in medians.iter().enumerate() {
        if let Some(it) = median.filter(|it| *it <= 0.0 || !it.is_finite()) {
            return Err(Error::invalid_input(format!("gene {gene} has a median of {it}, expected above 0")));
        }
    }
    if !medians.is_empty() && medians.iter().all(Option::is_none) {
        return Err(Error::invalid_input(format!("none of {} genes has a median", medians.len()))
            .with_hint("medians are looked up by Ensembl id: does the file hold symbols?"));
    }
    Ok(())
}
