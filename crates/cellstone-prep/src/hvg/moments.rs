//! Mean and variance of every gene in every batch, in one pass.

use super::params::CellBatches;
use crate::expression::{Change, Expression, add_by_gene, check_counts};
use crate::fastmath::{exp_m1_in_place, scaled_ln_1p_in_place};
use crate::normalize::library_sizes;
use cellstone_core::{Csr, Result};

/// A sum of squares about the mean below this share of the sum of squares is rounding of the sums.
const ROUNDING: f64 = 1e-13;

/// What the moments are those of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Values {
    /// Counts, which is checked.
    Counts,
    /// Values as they are; counts are first brought to a library size, and `ln(1 + x)` follows.
    Log(Option<f64>),
    /// The same, back on the linear scale: `exp(x) − 1`.
    Linear(Option<f64>),
}

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
    pub(super) fn new(x: &Expression<'_>, batches: Option<&CellBatches>, values: Values) -> Result<Self> {
        let n_genes = x.var().len();
        let n = batches.map_or_else(|| vec![x.n_obs()], CellBatches::n_cells);
        let mut sums = vec![[0.0; 2]; n_genes * n.len()];
        let mut cell_totals = Vec::new();
        x.each(&mut |start, block| {
            match values {
                Values::Counts => {
                    check_counts(block, start, x.var())?;
                    cell_totals.extend(library_sizes(block));
                    add(block, start, batches, &mut sums, n.len(), None);
                }
                Values::Log(None) => add(block, start, batches, &mut sums, n.len(), None),
                Values::Linear(None) => {
                    add(block, start, batches, &mut sums, n.len(), Some(&|_, it| exp_m1_in_place(it)));
                }
                Values::Log(Some(target)) | Values::Linear(Some(target)) => {
                    let factor = |it: f64| if it > 0.0 { target / it } else { 0.0 };
                    let factors: Vec<f64> = library_sizes(block).into_iter().map(factor).collect();
                    let normalize = |row: usize, it: &mut [f32]| {
                        scaled_ln_1p_in_place(it, factors[row]);
                        if let Values::Linear(_) = values {
                            exp_m1_in_place(it);
                        }
                    };
                    add(block, start, batches, &mut sums, n.len(), Some(&normalize));
                }
            }
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

/// Adds a block whose first cell is `start`.
fn add(
    x: &Csr<f32>,
    start: usize,
    batches: Option<&CellBatches>,
    sums: &mut [[f64; 2]],
    width: usize,
    change: Option<Change<'_>>,
) {
    let add = |slot: &mut [f64; 2], value: f32| {
        let value = f64::from(value);
        slot[0] += value;
        slot[1] += value * value;
    };
    match batches {
        None => add_by_gene(x, sums, width, change, |sums, _, _, value| add(&mut sums[0], value)),
        Some(it) => add_by_gene(x, sums, width, change, |sums, _, row, value| {
            add(&mut sums[it.of[start + row] as usize], value);
        }),
    }
}

fn mean_var([sum, squares]: [f64; 2], n: usize) -> (f64, f64) {
    let mean = sum / n.max(1) as f64;
    let centered = squares - mean * sum;
    let centered = if centered <= ROUNDING * squares { 0.0 } else { centered };
    (mean, centered / (n.max(2) - 1) as f64)
}
