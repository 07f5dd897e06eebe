//! The result: one row a gene, under scanpy's column names.

use super::params::HvgFlavor;
use cellstone_core::Var;

/// Statistics and selection of all genes, `[n_vars]` each; what a flavour does not define is `None`.
///
/// A number that is undefined for a gene is NaN here and empty in [`HvgTable::columns`].
#[derive(Debug, Clone, PartialEq)]
pub struct HvgTable {
    /// The flavour that was used.
    pub flavor: HvgFlavor,
    /// The genes.
    pub var: Var,
    /// Whether each gene is selected.
    pub highly_variable: Vec<bool>,
    /// All genes, best first, in the order of selection (by the statistic alone where cut-offs select).
    pub order: Vec<u32>,
    /// Mean of each gene: over all cells, or over batches for the flavours on log-normalised values.
    pub means: Vec<f64>,
    /// Dispersion (logarithmic for `seurat`), mean over batches.
    pub dispersions: Option<Vec<f64>>,
    /// Standardised dispersion, mean over batches.
    pub dispersions_norm: Option<Vec<f64>>,
    /// Variance over all cells.
    pub variances: Option<Vec<f64>>,
    /// Variance after standardisation and clipping, mean over batches.
    pub variances_norm: Option<Vec<f64>>,
    /// Variance of the Pearson residuals, mean over batches.
    pub residual_variances: Option<Vec<f64>>,
    /// Rank by the statistic from 0, median over the batches that select the gene; NaN where none does.
    pub highly_variable_rank: Option<Vec<f64>>,
    /// Number of batches that select the gene, where there are batches.
    pub highly_variable_nbatches: Option<Vec<u32>>,
    /// Whether every batch selects the gene, where there are batches.
    pub highly_variable_intersection: Option<Vec<bool>>,
}

/// A column of the table.
#[derive(Debug, Clone, PartialEq)]
pub enum HvgColumn {
    /// Text.
    Text(Vec<String>),
    /// Yes or no.
    Flag(Vec<bool>),
    /// Whole numbers.
    Count(Vec<u32>),
    /// Numbers, some of which may be undefined.
    Number(Vec<Option<f64>>),
}

impl HvgTable {
    pub(super) fn new(
        flavor: HvgFlavor,
        var: &Var,
        highly_variable: Vec<bool>,
        order: Vec<u32>,
        means: Vec<f64>,
    ) -> Self {
        Self {
            flavor,
            var: var.clone(),
            highly_variable,
            order,
            means,
            dispersions: None,
            dispersions_norm: None,
            variances: None,
            variances_norm: None,
            residual_variances: None,
            highly_variable_rank: None,
            highly_variable_nbatches: None,
            highly_variable_intersection: None,
        }
    }

    /// Columns of the selected genes, in file order.
    pub fn selected(&self) -> Vec<usize> {
        (0..self.highly_variable.len()).filter(|it| self.highly_variable[*it]).collect()
    }

    /// Place of every gene in [`HvgTable::order`], from 0.
    pub fn ranks(&self) -> Vec<u32> {
        let mut ranks = vec![0; self.order.len()];
        for (rank, gene) in self.order.iter().enumerate() {
            ranks[*gene as usize] = rank as u32;
        }
        ranks
    }

    /// All columns that the flavour defines: `gene, highly_variable, rank, means, …`.
    pub fn columns(&self) -> Vec<(&'static str, HvgColumn)> {
        let number = |it: &[f64]| HvgColumn::Number(it.iter().map(|it| it.is_finite().then_some(*it)).collect());
        let mut columns = vec![
            ("gene", HvgColumn::Text(self.var.ids().to_vec())),
            ("highly_variable", HvgColumn::Flag(self.highly_variable.clone())),
            ("rank", HvgColumn::Count(self.ranks())),
            ("means", number(&self.means)),
        ];
        let numbers = [
            ("dispersions", &self.dispersions),
            ("dispersions_norm", &self.dispersions_norm),
            ("variances", &self.variances),
            ("variances_norm", &self.variances_norm),
            ("residual_variances", &self.residual_variances),
            ("highly_variable_rank", &self.highly_variable_rank),
        ];
        for (name, values) in numbers {
            columns.extend(values.as_ref().map(|it| (name, number(it))));
        }
        let nbatches = self.highly_variable_nbatches.clone().map(HvgColumn::Count);
        columns.extend(nbatches.map(|it| ("highly_variable_nbatches", it)));
        let intersection = self.highly_variable_intersection.clone().map(HvgColumn::Flag);
        columns.extend(intersection.map(|it| ("highly_variable_intersection", it)));
        columns
    }
}
