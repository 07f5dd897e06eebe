//! Flavours `seurat` and `cell_ranger`: dispersion of a gene against that of genes of like mean.

use super::bins::{bin_of, equal_width, percentiles};
use super::moments::Moments;
use super::params::{HvgFlavor, HvgParams};
use super::ranks::{descending, mean_defined};
use super::table::HvgTable;
use cellstone_core::{Result, Var};

/// Ratio of the median absolute deviation to the standard deviation of a normal distribution: its third quartile.
const MAD_OF_NORMAL: f64 = 0.674_489_750_196_081_7;

/// Statistics of all genes in one batch.
struct Statistics {
    means: Vec<f64>,
    dispersions: Vec<f64>,
    normalized: Vec<f64>,
    selected: Vec<bool>,
}

pub(super) fn by_dispersion(moments: &Moments, var: &Var, params: &HvgParams, batched: bool) -> Result<HvgTable> {
    if batched {
        return by_batches(moments, var, params);
    }
    let (means, variances) = moments.batch(0);
    let mut it = statistics(means, &variances, params)?;
    let order = order_of(&it.normalized, |a, b| var.ids()[a].cmp(&var.ids()[b]));
    if let (true, Some(n)) = (params.exact_n, params.n_top) {
        it.selected.fill(false);
        let defined = order.iter().filter(|gene| !it.normalized[**gene as usize].is_nan());
        defined.take(n).for_each(|gene| it.selected[*gene as usize] = true);
    }
    Ok(HvgTable {
        dispersions: Some(it.dispersions),
        dispersions_norm: Some(it.normalized),
        ..HvgTable::new(params.flavor, var, it.selected, order, it.means)
    })
}

/// Genes without a count in a batch are 0 there in every respect.
fn by_batches(moments: &Moments, var: &Var, params: &HvgParams) -> Result<HvgTable> {
    let (n_genes, n_batches) = (moments.n_genes, moments.n_batches());
    let (mut means, mut dispersions) = (vec![0.0; n_genes * n_batches], vec![0.0; n_genes * n_batches]);
    let mut normalized = vec![0.0; n_genes * n_batches];
    let mut nbatches = vec![0_u32; n_genes];
    for batch in 0..n_batches {
        let expressed: Vec<usize> = (0..n_genes).filter(|it| moments.total(*it, batch) > 0.0).collect();
        let (all_means, all_variances) = moments.batch(batch);
        let of = |all: &[f64]| expressed.iter().map(|it| all[*it]).collect::<Vec<f64>>();
        let found = statistics(of(&all_means), &of(&all_variances), params)?;
        for (at, gene) in expressed.into_iter().enumerate() {
            let slot = gene * n_batches + batch;
            means[slot] = found.means[at];
            dispersions[slot] = found.dispersions[at];
            normalized[slot] = found.normalized[at];
            nbatches[gene] += u32::from(found.selected[at]);
        }
    }
    let average = |all: &[f64]| all.chunks_exact(n_batches).map(mean_defined).collect::<Vec<f64>>();
    let (means, dispersions, mut normalized) = (average(&means), average(&dispersions), average(&normalized));
    let mut order = order_of(&normalized, |a, b| var.ids()[a].cmp(&var.ids()[b]));
    order.sort_by_key(|it| std::cmp::Reverse(nbatches[*it as usize]));
    let mut selected = vec![false; n_genes];
    if let Some(n) = params.n_top {
        order.iter().take(n).for_each(|it| selected[*it as usize] = true);
    } else {
        normalized.iter_mut().filter(|it| it.is_nan()).for_each(|it| *it = 0.0);
        for gene in 0..n_genes {
            selected[gene] = params.cutoffs.contain(means[gene], normalized[gene]);
        }
    }
    Ok(HvgTable {
        dispersions: Some(dispersions),
        dispersions_norm: Some(normalized),
        highly_variable_intersection: Some(nbatches.iter().map(|it| *it as usize == n_batches).collect()),
        highly_variable_nbatches: Some(nbatches),
        ..HvgTable::new(params.flavor, var, selected, order, means)
    })
}

/// Genes by falling value, undefined last, ties by `tie`.
fn order_of(values: &[f64], tie: impl Fn(usize, usize) -> std::cmp::Ordering) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|a, b| {
        let (a, b) = (*a as usize, *b as usize);
        descending(values[a], values[b]).then_with(|| tie(a, b))
    });
    order
}

fn statistics(mut means: Vec<f64>, variances: &[f64], params: &HvgParams) -> Result<Statistics> {
    if means.is_empty() {
        return Ok(Statistics { means, dispersions: Vec::new(), normalized: Vec::new(), selected: Vec::new() });
    }
    means.iter_mut().filter(|it| **it == 0.0).for_each(|it| *it = 1e-12);
    let mut dispersions: Vec<f64> = variances.iter().zip(&means).map(|(var, mean)| var / mean).collect();
    let seurat = params.flavor == HvgFlavor::Seurat;
    let edges = if seurat {
        dispersions.iter_mut().for_each(|it| *it = if *it == 0.0 { f64::NAN } else { it.ln() });
        means.iter_mut().for_each(|it| *it = it.ln_1p());
        equal_width(&means, params.n_bins)
    } else {
        percentiles(&means)?
    };
    let mut bins: Vec<Vec<f64>> = vec![Vec::new(); edges.len() - 1];
    let bin: Vec<usize> = means.iter().map(|it| bin_of(&edges, *it)).collect();
    for (bin, it) in bin.iter().zip(&dispersions) {
        if !it.is_nan() {
            bins[*bin].push(*it);
        }
    }
    let centers: Vec<(f64, f64)> =
        bins.iter_mut().map(|it| if seurat { mean_and_sd(it) } else { median_and_mad(it) }).collect();
    let normalized: Vec<f64> =
        bin.iter().zip(&dispersions).map(|(it, d)| (d - centers[*it].0) / centers[*it].1).collect();
    let selected = match params.n_top {
        Some(n) => above_nth(&normalized, n),
        None => means.iter().zip(&normalized).map(|(mean, it)| params.cutoffs.contain(*mean, *it)).collect(),
    };
    Ok(Statistics { means, dispersions, normalized, selected })
}

/// Mean and standard deviation of a bin; a lone gene gets 0 and its own value, hence a standardised dispersion of 1.
fn mean_and_sd(values: &mut [f64]) -> (f64, f64) {
    let n = values.len() as f64;
    match values {
        [] => (f64::NAN, f64::NAN),
        [it] => (0.0, *it),
        _ => {
            // About the first value, so that equal values have no spread at all.
            let origin = values[0];
            let mean = origin + values.iter().map(|it| it - origin).sum::<f64>() / n;
            let squares: f64 = values.iter().map(|it| (it - mean).powi(2)).sum();
            (mean, (squares / (n - 1.0)).sqrt())
        }
    }
}

fn median_and_mad(values: &mut [f64]) -> (f64, f64) {
    let center = median(values);
    values.iter_mut().for_each(|it| *it = (*it - center).abs());
    (center, median(values) / MAD_OF_NORMAL)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[half],
        _ => (values[half - 1] + values[half]) / 2.0,
    }
}

/// Whether each value reaches the n-th largest defined one.
fn above_nth(values: &[f64], n: usize) -> Vec<bool> {
    let mut defined: Vec<f64> = values.iter().copied().filter(|it| !it.is_nan()).collect();
    defined.sort_unstable_by(|a, b| b.total_cmp(a));
    match defined.get(n.min(defined.len()).wrapping_sub(1)) {
        Some(cut) => values.iter().map(|it| it >= cut).collect(),
        None => vec![false; values.len()],
    }
}
