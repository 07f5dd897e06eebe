//! The counts of the cells of a study, and what baselines read of them.

use super::cells::Cells;
use super::config::PhenotypeConfig;
use super::split::{Fold, Part};
use crate::progress::Progress;
use cellstone_core::{Counts, Csr, Error, ErrorKind, Result, Var};
use cellstone_prep::{Expression, HvgFlavor, HvgParams, Pca, highly_variable_genes, pca_dense};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Library size of log-normalised values.
const TARGET: f64 = 1e4;

/// Counts of the cells that a study uses, over all genes of the file.
pub(crate) struct StudyCounts {
    /// The cells, ascending: rows of `x`.
    pub(crate) rows: Vec<usize>,
    /// Counts, `[cells, genes]`.
    pub(crate) x: Csr<f32>,
    pub(crate) var: Var,
    /// Total of each cell.
    pub(crate) totals: Vec<f64>,
}

impl StudyCounts {
    /// Reads the cells for which `wanted` holds and that have a count.
    ///
    /// # Errors
    /// As the reader says; if the user asked to stop.
    pub(crate) fn read(cells: &Cells, wanted: &[bool], progress: &dyn Progress, cancel: &AtomicBool) -> Result<Self> {
        let source = cells.source.as_ref();
        progress.begin("reading counts", Some(source.n_obs() as u64), "cells");
        let result = Self::stream(source, wanted, progress, cancel);
        progress.end();
        result
    }

    fn stream(
        source: &dyn cellstone_core::CountSource,
        wanted: &[bool],
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let (mut rows, mut totals, mut indptr) = (Vec::new(), Vec::new(), vec![0]);
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for block in source.blocks(0)? {
            if cancel.load(Ordering::Relaxed) {
                return Err(
                    Error::new(ErrorKind::Cancelled, "stopped on request").with_hint("--resume goes on from here")
                );
            }
            let block = block?;
            for row in 0..block.x.shape().0 {
                let (genes, counts) = block.x.row(row);
                let total: f64 = counts.iter().map(|it| f64::from(*it)).sum();
                if !wanted[block.start + row] || total <= 0.0 {
                    continue;
                }
                rows.push(block.start + row);
                totals.push(total);
                indices.extend_from_slice(genes);
                data.extend_from_slice(counts);
                indptr.push(indices.len());
            }
            progress.advance(block.x.shape().0 as u64);
        }
        let var = source.var().clone();
        Ok(Self { x: Csr::new(rows.len(), var.len(), indptr, indices, data)?, rows, var, totals })
    }

    /// Place of a cell among the rows.
    pub(crate) fn place(&self, cell: usize) -> Option<usize> {
        self.rows.binary_search(&cell).ok()
    }

    /// Genes of a row.
    pub(crate) fn n_genes(&self, place: usize) -> usize {
        self.x.row(place).1.iter().filter(|it| **it > 0.0).count()
    }
}

/// What baselines read: coordinates in components of training cells, and the genes behind them.
pub(crate) struct Features {
    /// `[cells, components]`, in the order of [`StudyCounts::rows`].
    pub(crate) scores: Array2<f64>,
    /// Number of genes.
    pub(crate) n_genes: usize,
}

/// Genes, moments and components from the training cells of a fold; coordinates of all cells.
///
/// DIVERGES(phenotype-baseline-features): every baseline reads these.
///
/// Highly variable genes by `seurat_v3` (by variance where values are no counts), `ln(1 + 10⁴ c / N)`, principal
/// components.
///
/// # Errors
/// As the parts say; with fewer than 3 training cells.
pub(crate) fn features(config: &PhenotypeConfig, counts: &StudyCounts, fold: &Fold) -> Result<Features> {
    let train: Vec<usize> =
        (0..counts.rows.len()).filter(|it| fold.parts[counts.rows[*it]] == Some(Part::Train)).collect();
    if train.len() < 3 {
        return Err(Error::invalid_input(format!("{} training cells, expected at least 3", train.len())));
    }
    let genes = genes(config, counts, &train)?;
    let values = log_values(counts, &genes);
    let k = config.evaluation.components.min(train.len() - 1).min(genes.len());
    let fitted: Pca = pca_dense(&values.select(Axis(0), &train).view(), k, true)?;
    Ok(Features { scores: fitted.transform(&values.view())?, n_genes: genes.len() })
}

fn genes(config: &PhenotypeConfig, counts: &StudyCounts, train: &[usize]) -> Result<Vec<usize>> {
    let x = counts.x.select_rows(train);
    let mut n_cells = vec![0_u32; counts.var.len()];
    x.indices().iter().for_each(|it| n_cells[*it as usize] += 1);
    let detected: Vec<usize> = (0..n_cells.len()).filter(|it| n_cells[*it] > 0).collect();
    let wanted = config.evaluation.hvg;
    if detected.len() <= wanted {
        return Ok(detected);
    }
    if config.data.scale == "counts" {
        let found = highly_variable_genes(
            &Expression::Counts(&Counts::new(x, counts.var.clone())?),
            None,
            &HvgParams::top(HvgFlavor::SeuratV3, wanted),
        )?;
        let mut selected = found.selected();
        selected.sort_unstable();
        return Ok(selected);
    }
    let values = log_values(counts, &detected).select(Axis(0), train);
    let variance = values.var_axis(Axis(0), 1.0);
    let mut order: Vec<usize> = (0..detected.len()).collect();
    order.sort_by(|a, b| variance[*b].total_cmp(&variance[*a]).then(a.cmp(b)));
    let mut selected: Vec<usize> = order.into_iter().take(wanted).map(|it| detected[it]).collect();
    selected.sort_unstable();
    Ok(selected)
}

/// `ln(1 + 10⁴ c / N)` of chosen genes, dense.
fn log_values(counts: &StudyCounts, genes: &[usize]) -> Array2<f64> {
    let mut place = vec![usize::MAX; counts.var.len()];
    genes.iter().enumerate().for_each(|(at, gene)| place[*gene] = at);
    let mut values = Array2::zeros((counts.rows.len(), genes.len()));
    values.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(at, mut row)| {
        let (columns, found) = counts.x.row(at);
        for (column, count) in columns.iter().zip(found) {
            let to = place[*column as usize];
            if to != usize::MAX {
                row[to] = (TARGET * f64::from(*count) / counts.totals[at]).ln_1p();
            }
        }
    });
    values
}
