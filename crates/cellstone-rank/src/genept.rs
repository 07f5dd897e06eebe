//! GenePT-w: a cell as the weighted mean of vectors of its genes' descriptions.

use cellstone_core::{Csr, Error, Result};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Cells that one thread takes at a time.
const CELLS: usize = 32;

/// Coordinates that are summed at a time: so many of all genes stay in the cache between cells.
const WIDTH: usize = 64;

/// What a weighted sum of vectors is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GenePtDivisor {
    /// The number of columns of the matrix, genes without a vector counted: as published.
    #[default]
    Genes,
    /// The sum of the absolute weights of all genes of the cell that have a vector.
    Weights,
}

/// Choices of [`genept_w`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GenePtOptions {
    /// What the sum is divided by.
    pub divide: GenePtDivisor,
    /// Brings vectors of cells to length 1 afterwards.
    pub l2: bool,
}

/// Vectors of cells.
#[derive(Debug, Clone, PartialEq)]
pub struct GenePtEmbedding {
    /// `[n_obs, d]`.
    pub values: Array2<f32>,
    /// Columns of the matrix without a vector: they count as zero vectors.
    pub n_missing: usize,
}

/// Weighted means of gene vectors, `e_c = Σ_g w_cg E_g / D` with `D` by [`GenePtDivisor`].
///
/// `weights` are the rows of any encoder, `[n_obs, n_vars]` (the published ones are log-normalised values); `genes` has
/// for every column the row of `vectors` (`[n_names, d]`) that describes its gene. A cell whose divisor is 0 is a zero
/// vector. Sums are in double precision and in the order of the columns.
///
/// # Errors
/// If the number of columns and of `genes` differ, or a row is none of `vectors`.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use cellstone_rank::{GenePtOptions, genept_w};
/// let x = Csr::from_dense(&ndarray::array![[1.0, 0.0, 3.0, 4.0]]);
/// let vectors = ndarray::array![[1.0, 0.0], [0.0, 2.0]];
/// let cells = genept_w(&x, &[Some(1), Some(0), Some(0), None], vectors.view(), &GenePtOptions::default())?;
/// // (1 · (0, 2) + 3 · (1, 0)) / 4 columns.
/// assert_eq!(cells.values, ndarray::array![[0.75, 0.5]]);
/// assert_eq!(cells.n_missing, 1);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// `yiqunchen/GenePT aorta_data_analysis.ipynb`; Chen & Zou 2024, doi:10.1101/2023.10.16.562533 (length 1 is from the
/// paper alone).
pub fn genept_w(
    weights: &Csr<f32>,
    genes: &[Option<u32>],
    vectors: ArrayView2<'_, f32>,
    options: &GenePtOptions,
) -> Result<GenePtEmbedding> {
    let (n_obs, n_vars) = weights.shape();
    if genes.len() != n_vars {
        return Err(Error::invalid_input(format!("{} vector rows for {n_vars} genes, expected one each", genes.len())));
    }
    if let Some(it) = genes.iter().flatten().find(|it| **it as usize >= vectors.nrows()) {
        return Err(Error::invalid_input(format!("vector row {it} of {}, expected one below", vectors.nrows())));
    }
    let d = vectors.ncols();
    let rows_of_vectors = vectors.as_standard_layout();
    let flat = rows_of_vectors.as_slice().unwrap_or_default();
    let mut values = Array2::<f32>::zeros((n_obs, d));
    values.axis_chunks_iter_mut(Axis(0), CELLS).into_par_iter().enumerate().for_each(|(block, mut rows)| {
        let cells: Vec<Cell> = (0..rows.nrows()).map(|it| Cell::new(weights, block * CELLS + it, genes)).collect();
        for (tile, mut columns) in rows.axis_chunks_iter_mut(Axis(1), WIDTH).enumerate() {
            for (cell, mut out) in cells.iter().zip(columns.rows_mut()) {
                let mut sums = [0.0_f64; WIDTH];
                for (gene, weight) in &cell.known {
                    let from = *gene as usize * d + tile * WIDTH;
                    let part = &flat[from..from + out.len()];
                    sums.iter_mut().zip(part).for_each(|(sum, it)| *sum += weight * f64::from(*it));
                }
                let divisor = cell.divisor(options.divide, n_vars);
                if divisor > 0.0 {
                    out.iter_mut().zip(&sums).for_each(|(out, it)| *out = (it / divisor) as f32);
                }
            }
        }
        if options.l2 {
            for mut row in rows.rows_mut() {
                let length = row.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
                if length > 0.0 {
                    row.mapv_inplace(|it| (f64::from(it) / length) as f32);
                }
            }
        }
    });
    Ok(GenePtEmbedding { values, n_missing: genes.iter().filter(|it| it.is_none()).count() })
}

/// The row of a table of vectors that each gene has, by name; capitals where the exact name is not there.
///
/// Of names that are the same in capitals, the first counts.
pub fn match_genes<A: AsRef<str>, B: AsRef<str>>(genes: &[A], names: &[B]) -> Vec<Option<u32>> {
    let mut exact = BTreeMap::new();
    let mut shouted = BTreeMap::new();
    for (row, name) in names.iter().enumerate() {
        exact.entry(name.as_ref()).or_insert(row as u32);
        shouted.entry(name.as_ref().to_uppercase()).or_insert(row as u32);
    }
    let find = |name: &str| exact.get(name).or_else(|| shouted.get(&name.to_uppercase())).copied();
    genes.iter().map(|it| find(it.as_ref())).collect()
}

/// The genes of a cell that have a vector, with their weights.
struct Cell {
    known: Vec<(u32, f64)>,
}

impl Cell {
    fn new(weights: &Csr<f32>, row: usize, genes: &[Option<u32>]) -> Self {
        let (columns, values) = weights.row(row);
        let known =
            columns.iter().zip(values).filter_map(|(column, it)| Some((genes[*column as usize]?, f64::from(*it))));
        Self { known: known.collect() }
    }

    fn divisor(&self, divide: GenePtDivisor, n_vars: usize) -> f64 {
        match divide {
            GenePtDivisor::Genes => n_vars as f64,
            GenePtDivisor::Weights => self.known.iter().map(|it| it.1.abs()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;
    use rand::RngExt;

    #[test]
    fn sums_follow_their_definition_at_any_width() {
        let mut rng = Seed::new(4).rng();
        for (n_obs, width) in [(1, 1), (70, 64), (33, 150)] {
            let x =
                Array2::from_shape_fn(
                    (n_obs, 40),
                    |_| if rng.random::<bool>() { rng.random::<f32>() - 0.3 } else { 0.0 },
                );
            let vectors = Array2::from_shape_fn((50, width), |_| rng.random::<f32>() - 0.5);
            let genes: Vec<Option<u32>> = (0..40).map(|it| (it % 7 != 3).then_some((it * 3 % 50) as u32)).collect();
            for (divide, l2) in
                [(GenePtDivisor::Genes, false), (GenePtDivisor::Weights, false), (GenePtDivisor::Weights, true)]
            {
                let got = genept_w(&Csr::from_dense(&x), &genes, vectors.view(), &GenePtOptions { divide, l2 })
                    .expect("fits");
                for cell in 0..n_obs {
                    let known: Vec<(usize, f64)> =
                        (0..40).filter_map(|it| Some((genes[it]? as usize, f64::from(x[[cell, it]])))).collect();
                    let by = match divide {
                        GenePtDivisor::Genes => 40.0,
                        GenePtDivisor::Weights => known.iter().map(|it| it.1.abs()).sum(),
                    };
                    let sum = |d: usize| known.iter().map(|it| it.1 * f64::from(vectors[[it.0, d]])).sum::<f64>();
                    let mut want: Vec<f64> = (0..width).map(|d| if by > 0.0 { sum(d) / by } else { 0.0 }).collect();
                    let length = want.iter().map(|it| it * it).sum::<f64>().sqrt();
                    if l2 && length > 0.0 {
                        want.iter_mut().for_each(|it| *it /= length);
                    }
                    for (d, want) in want.iter().enumerate() {
                        assert!((f64::from(got.values[[cell, d]]) - want).abs() < 1e-6);
                    }
                }
                assert_eq!(got.n_missing, 6);
            }
        }
    }

    #[test]
    fn names_are_matched_and_sizes_checked() {
        assert_eq!(match_genes(&["CD4", "cd8a", "X"], &["Cd4", "CD8A", "CD4"]), [Some(2), Some(1), None]);
        let x = Csr::from_dense(&ndarray::array![[1.0_f32, 2.0]]);
        let vectors = ndarray::array![[1.0_f32]];
        let said = |genes: &[Option<u32>]| {
            genept_w(&x, genes, vectors.view(), &GenePtOptions::default()).expect_err("does not fit").to_string()
        };
        assert_eq!(said(&[None]), "1 vector rows for 2 genes, expected one each");
        assert_eq!(said(&[None, Some(1)]), "vector row 1 of 1, expected one below");
    }
}
