//! Conservation of highly variable genes and of structure in their expression.

use super::connectivity::check_square;
use super::labels::{LabelScore, PerLabel, mean_defined};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Error, Result, Score, Why};
use ndarray::{ArrayView1, ArrayView2};
use std::collections::BTreeSet;

/// Genes with a standard deviation up to this have no Moran's I.
const CONSTANT: f64 = 1e-8;

/// Highly variable genes to look for in a batch in which `n_expressed` genes have a count: half of them, at most 500.
pub fn hvg_count(n_expressed: usize) -> usize {
    (n_expressed / 2).min(500)
}

/// Overlap of highly variable genes before and after integration: the mean over batches of
/// `|A ∩ B| / min(|A|, |B|)`.
///
/// One list of genes per batch, by whatever numbers both sides share. The genes are those of the integrated object,
/// [`hvg_count`] of them by the `cell_ranger` flavour. In the result, `label` is the position of the batch and `n` the
/// length of the shorter list.
///
/// # Undefined
/// [`Why::TooFewGenes`] for a batch with fewer than two genes on a side (`NoHvg`).
///
/// # Errors
/// If the batches are not as many before and after (`RowMismatch`).
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::hvg_overlap};
/// let result = hvg_overlap(&[vec![1, 2, 3, 4], vec![7, 8]], &[vec![4, 1, 9], vec![8, 7]])?;
/// assert_eq!(result.value, Score::Value((2.0 / 3.0 + 1.0) / 2.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/highly_variable_genes.py`.
pub fn hvg_overlap(before: &[Vec<u32>], after: &[Vec<u32>]) -> Result<PerLabel> {
    if before.len() != after.len() {
        return Err(Error::invalid_input(format!(
            "{} batches before integration and {} after it",
            before.len(),
            after.len()
        )));
    }
    let of_batch = |(at, (before, after)): (usize, (&Vec<u32>, &Vec<u32>))| {
        let (before, after): (BTreeSet<u32>, BTreeSet<u32>) =
            (before.iter().copied().collect(), after.iter().copied().collect());
        let n = before.len().min(after.len());
        let shared = before.intersection(&after).count() as f64;
        let score = if n < 2 { Score::Undefined(Why::TooFewGenes) } else { Score::Value(shared / n as f64) };
        LabelScore { label: at as u32, n, score }
    };
    Ok(PerLabel::mean_of(before.iter().zip(after).enumerate().map(of_batch).collect()))
}

/// The `n` genes that are highly variable in most batches: first those in all, then in all but one, …; within by falling
/// mean normalised dispersion, ties by position.
///
/// Fewer where there are not as many genes. A dispersion that is not a number comes last.
///
/// # Errors
/// If the two lists are not as long.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::batch_aware_genes;
/// assert_eq!(batch_aware_genes(&[1, 2, 0, 2], &[9.0, 0.5, 3.0, 0.7], 3)?, [3, 1, 0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// theislab/scib `scib/preprocessing.py` (`hvg_batch`).
pub fn batch_aware_genes(n_batches_hvg: &[usize], mean_dispersion: &[f64], n: usize) -> Result<Vec<usize>> {
    if n_batches_hvg.len() != mean_dispersion.len() {
        return Err(Error::invalid_input(format!(
            "{} dispersions for {} genes",
            mean_dispersion.len(),
            n_batches_hvg.len()
        )));
    }
    let height = |gene: usize| if mean_dispersion[gene].is_nan() { f64::NEG_INFINITY } else { mean_dispersion[gene] };
    let mut order: Vec<usize> = (0..n_batches_hvg.len()).collect();
    order.sort_by(|a, b| {
        n_batches_hvg[*b].cmp(&n_batches_hvg[*a]).then_with(|| height(*b).total_cmp(&height(*a))).then(a.cmp(b))
    });
    order.truncate(n);
    Ok(order)
}

/// Moran's I of genes on a cell graph: how alike connected cells are.
///
/// `genes` is `[n_genes, n_obs]`. `I = n / W · Σᵢⱼ wᵢⱼ zᵢ zⱼ / Σ zᵢ²` with `z = x − mean`, `W = Σ wᵢⱼ`.
///
/// # Undefined
/// [`Why::ConstantVector`] for a gene with a standard deviation up to 1e-8; [`Why::ZeroWeights`] without edges;
/// [`Why::NotFinite`] if a value is not finite.
///
/// # Errors
/// If the graph is not square or does not have as many cells.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_metrics::integration::morans_i;
/// let path = ndarray::array![[0., 1., 0., 0.], [1., 0., 1., 0.], [0., 1., 0., 1.], [0., 0., 1., 0.]];
/// let found = morans_i(&Csr::from_dense(&path), ndarray::array![[1.0, 2.0, 3.0, 4.0]].view())?;
/// assert!((found[0].value().unwrap() - 1.0 / 3.0).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Moran 1950, doi:10.1093/biomet/37.1-2.17; scverse/scanpy `src/scanpy/metrics/_morans_i.py`.
pub fn morans_i(graph: &Csr<f64>, genes: ArrayView2<'_, f64>) -> Result<Vec<Score>> {
    check_square(graph)?;
    let n = graph.shape().0;
    if genes.ncols() != n {
        return Err(Error::invalid_input(format!("{} values per gene for {n} cells", genes.ncols())));
    }
    let total: f64 = cellstone_core::sum::ordered_sum(graph.data());
    Ok(map_ordered(genes.nrows(), |gene| morans_i_of(graph, genes.row(gene), total)))
}

fn morans_i_of(graph: &Csr<f64>, values: ArrayView1<'_, f64>, total: f64) -> Score {
    if !values.iter().all(|it| it.is_finite()) {
        return Score::Undefined(Why::NotFinite);
    }
    let n = values.len() as f64;
    let values = values.to_vec();
    let mean = cellstone_core::sum::pairwise(&values) / n;
    let z: Vec<f64> = values.iter().map(|it| it - mean).collect();
    let squares: f64 = z.iter().map(|it| it * it).sum();
    if values.is_empty() || (squares / n).sqrt() <= CONSTANT {
        return Score::Undefined(Why::ConstantVector);
    }
    let of_row = |row: usize| {
        let (others, weights) = graph.row(row);
        z[row] * others.iter().zip(weights).map(|(other, weight)| weight * z[*other as usize]).sum::<f64>()
    };
    let products: f64 = (0..z.len()).map(of_row).sum();
    if total == 0.0 { Score::Undefined(Why::ZeroWeights) } else { Score::Value(n / total * products / squares) }
}

/// Mean of [`morans_i`] over the genes that have a value, negative values counted as 0.
///
/// # Undefined
/// If no gene has a value.
pub fn mean_morans_i(genes: &[Score]) -> Score {
    let cut = |it: &Score| match it {
        Score::Value(value) => Score::Value(value.max(0.0)),
        undefined @ Score::Undefined(_) => *undefined,
    };
    mean_defined(&genes.iter().map(cut).collect::<Vec<_>>())
}

/// How much of Moran's I integration kept: `1 − mean max(0, max_b I_b − I)` over the genes that have a value after it and
/// in a batch before it.
///
/// `before` has one list of genes per batch, computed inside the batch.
///
/// # Undefined
/// If no gene has both.
///
/// # Errors
/// If a batch does not have as many genes.
///
/// # References
/// theislab/scib `scib/metrics/morans_i.py`.
pub fn morans_i_kept(before: &[Vec<Score>], after: &[Score]) -> Result<Score> {
    if let Some(batch) = before.iter().position(|it| it.len() != after.len()) {
        return Err(Error::invalid_input(format!(
            "{} genes in batch {batch} before integration and {} after it",
            before[batch].len(),
            after.len()
        )));
    }
    let losses: Vec<Score> = after
        .iter()
        .enumerate()
        .filter_map(|(gene, after)| {
            let best = before.iter().filter_map(|it| it[gene].value()).reduce(f64::max)?;
            Some(Score::Value((best - after.value()?).max(0.0)))
        })
        .collect();
    Ok(match mean_defined(&losses) {
        Score::Value(it) => Score::Value(1.0 - it),
        Score::Undefined(_) => Score::Undefined(Why::TooFewGenes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn overlap_edges() {
        assert_eq!([hvg_count(3), hvg_count(999), hvg_count(5000)], [1, 499, 500]);
        let result = hvg_overlap(&[vec![1], vec![1, 2]], &[vec![1, 2], vec![3, 4]]).expect("valid");
        assert_eq!(result.per_label[0].score, Score::Undefined(Why::TooFewGenes));
        assert_eq!(result.value, Score::Value(0.0));
        let error = hvg_overlap(&[vec![1]], &[]).expect_err("batches");
        assert_eq!(error.to_string(), "1 batches before integration and 0 after it");
    }

    #[test]
    fn morans_i_means() {
        let graph = Csr::from_dense(&array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]);
        let genes = array![[1.0, 2.0, 1.0], [0.5, 0.5, 0.5], [1.0, 2.0, 3.0], [1.0, f64::NAN, 0.0]];
        let found = morans_i(&graph, genes.view()).expect("valid");
        // z = (−1, 2, −1)/3: 3/4 · 2 · 2 · (−2/9) / (6/9) = −1.
        assert!((found[0].value().expect("varies") + 1.0).abs() < 1e-12);
        assert_eq!(found[1], Score::Undefined(Why::ConstantVector));
        assert_eq!(found[2], Score::Value(0.0));
        assert_eq!(found[3], Score::Undefined(Why::NotFinite));
        assert_eq!(mean_morans_i(&found), Score::Value(0.0));
        assert!(morans_i(&graph, array![[1.0, 2.0]].view()).is_err());
        let kept = morans_i_kept(
            &[
                vec![Score::Value(0.5), Score::Value(0.2)],
                vec![Score::Value(0.7), Score::Undefined(Why::ConstantVector)],
            ],
            &[Score::Value(0.4), Score::Value(0.3)],
        );
        // Losses 0.3 and 0.
        assert!((kept.expect("valid").value().expect("defined") - 0.85).abs() < 1e-12);
        assert!(morans_i_kept(&[vec![]], &found).is_err());
    }
}
