//! Mean and variance of every gene in every batch, in one pass.

use super::params::CellBatches;
use crate::expression::{Expression, Prepare, add_by_gene, check_counts};
use cellstone_core::Result;

/// A sum of squares about the mean below this share of the sum of squares is rounding of the sums.
const ROUNDING: f64 = 1e-13;

/// Means and variances, genes outside and batches inside.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    pub(super) n_genes: usize,
    /// Cells of each batch.
    pub(super) n: Vec<usize>,
    /// `(Σ x, Σ x²)` at `gene · n_batches + batch`.
    sums: Vec<[f64; 2]>,
    /// Sum of each cell, where it was asked for.
    pub(super) cell_totals: Vec<f64>,
}

/// The batch of a cell; all are in the first without batches.
pub(super) fn batch_of(batches: Option<&CellBatches>, cell: usize) -> usize {
    batches.map_or(0, |it| it.of[cell] as usize)
}

impl Moments {
    pub(super) fn new(
        x: &Expression<'_>,
        batches: Option<&CellBatches>,
        prepare: Prepare,
        counts: bool,
    ) -> Result<Self> {
        let n_genes = x.var().len();
        let n = batches.map_or_else(|| vec![x.n_obs()], CellBatches::n_cells);
        let width = n.len();
        let mut sums = vec![[0.0; 2]; n_genes * width];
        let mut cell_totals = Vec::new();
        x.each(prepare, &mut |start, block| {
            if counts {
                check_counts(block, start, x.var())?;
                cell_totals.extend(crate::normalize::library_sizes(block));
            }
            add_by_gene(block, &mut sums, width, |sums, _, row, value| {
                let value = f64::from(value);
                let slot = &mut sums[batch_of(batches, start + row)];
                slot[0] += value;
                slot[1] += value * value;
            });
            Ok(())
        })?;
        Ok(Self { n_genes, n, sums, cell_totals })
    }

    pub(super) fn n_batches(&self) -> usize {
        self.n.len()
    }

    /// Sum of a gene in a batch.
    pub(super) fn total(&self, gene: usize, batch: usize) -> f64 {
        self.sums[gene * self.n_batches() + batch][0]
    }

    /// Means and variances (divisor `n − 1`) of the genes in a batch.
    pub(super) fn batch(&self, batch: usize) -> (Vec<f64>, Vec<f64>) {
        let width = self.n_batches();
        (0..self.n_genes).map(|gene| mean_var(self.sums[gene * width + batch], self.n[batch])).unzip()
    }

    /// Means and variances of the genes over all cells.
    pub(super) fn all(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.n.iter().sum();
        let all = |gene: &[[f64; 2]]| gene.iter().fold([0.0; 2], |acc, it| [acc[0] + it[0], acc[1] + it[1]]);
        self.sums.chunks_exact(self.n_batches()).map(|gene| mean_var(all(gene), n)).unzip()
    }
}

fn mean_var([sum, squares]: [f64; 2], n: usize) -> (f64, f64) {
    let mean = sum / n.max(1) as f64;
    let centered = squares - mean * sum;
    let centered = if centered <= ROUNDING * squares { 0.0 } else { centered };
    (mean, centered / (n.max(2) - 1) as f64)
}
