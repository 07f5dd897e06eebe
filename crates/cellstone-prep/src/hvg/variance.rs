//! Flavours `seurat_v3` and `seurat_v3_paper`: variance of clipped counts over what their mean lets expect.

use super::loess::loess;
use super::moments::{Moments, batch_of};
use super::params::{CellBatches, HvgFlavor, HvgParams};
use super::ranks::{mean_defined, pool};
use super::table::HvgTable;
use crate::expression::{Expression, add_by_gene};
use cellstone_core::{Context, Error, Result};

/// What is subtracted, divided by and clipped at, for a gene in a batch.
#[derive(Debug, Clone, Copy, Default)]
struct Standard {
    mean: f64,
    /// Expected standard deviation.
    sd: f64,
    clip: f64,
}

pub(super) fn by_variance(
    x: &Expression<'_>,
    moments: &Moments,
    batches: Option<&CellBatches>,
    params: &HvgParams,
    n_top: usize,
) -> Result<HvgTable> {
    let (n_genes, n_batches) = (moments.n_genes, moments.n_batches());
    let mut standards = vec![Standard::default(); n_genes * n_batches];
    for batch in 0..n_batches {
        let found = standards_of(moments, batch, params).context_with(|| {
            batches.map_or_else(|| "all cells".to_owned(), |it| format!("batch `{}`", it.names[batch]))
        })?;
        for (gene, it) in found.into_iter().enumerate() {
            standards[gene * n_batches + batch] = it;
        }
    }
    let mut sums = vec![[0.0_f64; 2]; n_genes * n_batches];
    x.each(&mut |start, block| {
        add_by_gene(block, &mut sums, n_batches, None, |sums, gene, row, value| {
            let batch = batch_of(batches, start + row);
            let value = f64::from(value).min(standards[gene * n_batches + batch].clip);
            sums[batch][0] += value;
            sums[batch][1] += value * value;
        });
        Ok(())
    })?;
    let scores: Vec<Vec<f64>> = (0..n_batches)
        .map(|batch| {
            let n = moments.n[batch] as f64;
            let score = |gene: usize| {
                let at = gene * n_batches + batch;
                let (Standard { mean, sd, .. }, [sum, squares]) = (standards[at], sums[at]);
                (n * mean * mean + squares - 2.0 * sum * mean) / ((n - 1.0) * sd * sd)
            };
            (0..n_genes).map(score).collect()
        })
        .collect();
    let pooled = pool(&scores, n_top);
    let order = pooled.order(params.flavor == HvgFlavor::SeuratV3);
    let mut selected = vec![false; n_genes];
    order.iter().take(n_top).for_each(|it| selected[*it as usize] = true);
    let (means, variances) = moments.all();
    let norm = |gene: usize| mean_defined(&scores.iter().map(|it| it[gene]).collect::<Vec<f64>>());
    Ok(HvgTable {
        variances: Some(variances),
        variances_norm: Some((0..n_genes).map(norm).collect()),
        highly_variable_rank: Some(pooled.rank),
        highly_variable_nbatches: batches.map(|_| pooled.nbatches),
        ..HvgTable::new(params.flavor, x.var(), selected, order, means)
    })
}

/// `sd² = 10^fit`, with the local regression of log₁₀ variance on log₁₀ mean; `clip = sd √n + mean`.
fn standards_of(moments: &Moments, batch: usize, params: &HvgParams) -> Result<Vec<Standard>> {
    let n = moments.n[batch];
    if n < 2 {
        return Err(Error::invalid_input(format!("{n} cells have no variance, expected at least 2"))
            .with_hint("drop the batch, or join it with another"));
    }
    let (means, variances) = moments.batch(batch);
    let varying: Vec<usize> = (0..means.len()).filter(|it| variances[*it] > 0.0).collect();
    let log10 = |values: &[f64]| varying.iter().map(|it| values[*it].log10()).collect::<Vec<f64>>();
    let fit = loess(&log10(&means), &log10(&variances), params.span, params.surface)?;
    let root = (n as f64).sqrt();
    let mut standards: Vec<Standard> =
        means.iter().map(|mean| Standard { mean: *mean, sd: 1.0, clip: root + mean }).collect();
    for (gene, fit) in varying.into_iter().zip(fit) {
        let sd = 10.0_f64.powf(fit).sqrt();
        standards[gene] = Standard { sd, clip: sd * root + means[gene], ..standards[gene] };
    }
    Ok(standards)
}
