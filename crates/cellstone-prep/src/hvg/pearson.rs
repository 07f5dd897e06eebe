//! Flavour `pearson_residuals`: variance of the analytic residuals of a negative binomial with offset.

use super::moments::{Moments, batch_of};
use super::params::{CellBatches, HvgParams};
use super::ranks::{mean_defined, pool};
use super::table::HvgTable;
use crate::expression::{Expression, add_by_gene};
use cellstone_core::Result;
use rayon::prelude::*;

/// What the residuals of a batch depend on beside gene and cell.
struct Batch {
    n: f64,
    /// All counts.
    total: f64,
    clip: f64,
    /// Distinct totals of the cells and how many cells have each.
    depths: Vec<(f64, f64)>,
}

pub(super) fn by_residuals(
    x: &Expression<'_>,
    moments: &Moments,
    batches: Option<&CellBatches>,
    params: &HvgParams,
    n_top: usize,
) -> Result<HvgTable> {
    let (n_genes, n_batches) = (moments.n_genes, moments.n_batches());
    let theta = params.theta;
    let of: Vec<Batch> = (0..n_batches).map(|it| Batch::new(moments, batches, params, it)).collect();
    // Sums over all cells as if every count were zero, then what the counts change.
    let mut sums = vec![[0.0_f64; 2]; n_genes * n_batches];
    sums.par_iter_mut().enumerate().for_each(|(at, sums)| {
        let (gene, batch) = (at / n_batches, at % n_batches);
        *sums = of[batch].zeros(moments.total(gene, batch), theta);
    });
    x.each(&mut |start, block| {
        add_by_gene(block, &mut sums, n_batches, None, |sums, gene, row, value| {
            if value == 0.0 {
                return;
            }
            let batch = batch_of(batches, start + row);
            let Batch { total, clip, .. } = of[batch];
            let mu = moments.total(gene, batch) * moments.cell_totals[start + row] / total;
            // (x − μ)/√(μ + μ²/θ) with the root taken out, which is the residual of a zero.
            let root = (mu / (1.0 + mu / theta)).sqrt();
            let zero = (-root).max(-clip);
            let residual = (root * (f64::from(value) / mu - 1.0)).clamp(-clip, clip);
            sums[batch][0] += residual - zero;
            sums[batch][1] += residual * residual - zero * zero;
        });
        Ok(())
    })?;
    let scores: Vec<Vec<f64>> = (0..n_batches)
        .map(|batch| {
            let variance = |gene: usize| {
                let [sum, squares] = sums[gene * n_batches + batch];
                let mean = sum / of[batch].n;
                (squares / of[batch].n - mean * mean).max(0.0)
            };
            (0..n_genes).map(variance).collect()
        })
        .collect();
    let pooled = pool(&scores, n_top);
    let order = pooled.order(false);
    let mut selected = vec![false; n_genes];
    order.iter().take(n_top).for_each(|it| selected[*it as usize] = true);
    let (means, variances) = moments.all();
    let residual = |gene: usize| mean_defined(&scores.iter().map(|it| it[gene]).collect::<Vec<f64>>());
    let everywhere = pooled.nbatches.iter().map(|it| *it as usize == n_batches).collect();
    Ok(HvgTable {
        variances: Some(variances),
        residual_variances: Some((0..n_genes).map(residual).collect()),
        highly_variable_rank: Some(pooled.rank),
        highly_variable_intersection: batches.map(|_| everywhere),
        highly_variable_nbatches: batches.map(|_| pooled.nbatches),
        ..HvgTable::new(params.flavor, x.var(), selected, order, means)
    })
}

impl Batch {
    // DIVERGES(hvg-pearson-clip): the reference takes the clip of the first batch for all.
    fn new(moments: &Moments, batches: Option<&CellBatches>, params: &HvgParams, batch: usize) -> Self {
        let n = moments.n[batch] as f64;
        let cells = moments.cell_totals.iter().enumerate();
        let mut depths: Vec<f64> = cells.filter(|it| batch_of(batches, it.0) == batch).map(|it| *it.1).collect();
        depths.sort_unstable_by(f64::total_cmp);
        let grouped = depths.chunk_by(|a, b| a == b).map(|it| (it[0], it.len() as f64));
        Self {
            n,
            total: depths.iter().sum(),
            clip: params.clip.unwrap_or_else(|| n.sqrt()),
            depths: grouped.filter(|it| it.0 > 0.0).collect(),
        }
    }

    /// `(Σ r, Σ r²)` of a gene without a count in any cell but with this total; cells of one depth share their term.
    ///
    /// With `x = 0` the residual is `−√q`, `q = μ / (1 + μ/θ)`. Cells without counts have residual 0.
    fn zeros(&self, gene_total: f64, theta: f64) -> [f64; 2] {
        if gene_total == 0.0 {
            return [0.0; 2];
        }
        let (share, bound) = (gene_total / self.total, self.clip * self.clip);
        let mut lanes = [[0.0_f64; 2]; 4];
        let (blocks, rest) = self.depths.as_chunks::<4>();
        let term = |(depth, cells): (f64, f64), sums: &mut [f64; 2]| {
            let mu = share * depth;
            let q = (mu / (1.0 + mu / theta)).min(bound);
            sums[0] -= cells * q.sqrt();
            sums[1] += cells * q;
        };
        for block in blocks {
            lanes.iter_mut().zip(block).for_each(|(sums, it)| term(*it, sums));
        }
        rest.iter().zip(&mut lanes).for_each(|(it, sums)| term(*it, sums));
        lanes.iter().fold([0.0; 2], |acc, it| [acc[0] + it[0], acc[1] + it[1]])
    }
}
