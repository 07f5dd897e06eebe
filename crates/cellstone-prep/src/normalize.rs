//! Library-size normalization and `ln(1 + x)`, in memory or one cell at a time inside a stream.

use crate::fastmath::{ln_1p_in_place, scaled_ln_1p_in_place};
use cellstone_core::{CountSource, Csr, Error, Result, RowBlock, Scale};
use rayon::prelude::*;

/// The library size that cells are brought to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// This sum.
    Sum(f64),
    /// The median of the non-zero library sizes of the labeled cells; needs a pass of its own.
    Median,
    /// Each cell keeps its own.
    None,
}

/// How counts become the values that are averaged.
///
/// # Examples
/// ```
/// use cellstone_core::Scale;
/// use cellstone_prep::{Normalize, Target};
/// assert_eq!(Normalize::default(), Normalize { target: Target::Sum(1e4), log1p: true });
/// assert_eq!(Normalize::default().scale(1e4).unwrap(), Scale::LogNorm { target_sum: Some(1e4) });
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    /// The library size that cells are brought to.
    pub target: Target,
    /// Whether `ln(1 + x)` follows.
    pub log1p: bool,
}

/// `X = ln(1 + 1e4 · N / Σ N)`, the default of the field.
impl Default for Normalize {
    fn default() -> Self {
        Self { target: Target::Sum(1e4), log1p: true }
    }
}

impl Normalize {
    /// The scale of the result, with the sum that the target came to.
    ///
    /// # Errors
    /// If the result has no scale of its own: without a logarithm only counts and counts per million have.
    pub fn scale(&self, target_sum: f64) -> Result<Scale> {
        match (self.target, self.log1p) {
            (Target::None, true) => Ok(Scale::LogNorm { target_sum: None }),
            (_, true) => Ok(Scale::LogNorm { target_sum: Some(target_sum) }),
            (Target::None, false) => Ok(Scale::Counts),
            (Target::Sum(1e6), false) => Ok(Scale::Cpm),
            (_, false) => Err(Error::config("normalization without log1p needs a target sum of 1e6 or none")
                .with_hint("set log1p = true, or target_sum = 1e6 for counts per million")),
        }
    }

    /// Refuses targets that are not positive numbers.
    pub(crate) fn check(&self) -> Result<()> {
        match self.target {
            Target::Sum(it) if !(it > 0.0 && it.is_finite()) => {
                Err(Error::config(format!("target_sum is {it}, expected a positive number")))
            }
            _ => Ok(()),
        }
    }
}

/// The library size of each row: the sum over all genes, in f64.
pub fn library_sizes(x: &Csr<f32>) -> Vec<f64> {
    (0..x.shape().0).into_par_iter().map(|row| library_size(x.row(row).1)).collect()
}

/// Sums in eight lanes, so that no addition waits for the one before; exact for counts in any order.
pub(crate) fn library_size(values: &[f32]) -> f64 {
    let (lanes, rest) = values.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for lane in lanes {
        sums.iter_mut().zip(lane).for_each(|(sum, it)| *sum += f64::from(*it));
    }
    let tail: f64 = rest.iter().map(|it| f64::from(*it)).sum();
    sums.iter().sum::<f64>() + tail
}

/// Multiplies each row by its factor.
///
/// # Errors
/// If there is not one finite factor per row.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use ndarray::array;
/// let mut x = Csr::from_dense(&array![[1.0_f32, 3.0], [0.0, 5.0]]);
/// let factors: Vec<f64> = cellstone_prep::library_sizes(&x).iter().map(|it| 10.0 / it).collect();
/// cellstone_prep::normalize_total(&mut x, &factors)?;
/// assert_eq!(x.to_dense(), array![[2.5, 7.5], [0.0, 10.0]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn normalize_total(x: &mut Csr<f32>, factors: &[f64]) -> Result<()> {
    let n_rows = x.shape().0;
    if factors.len() != n_rows {
        return Err(Error::invalid_input(format!("{} factors for {n_rows} cells", factors.len())));
    }
    if let Some(row) = factors.iter().position(|it| !it.is_finite()) {
        return Err(Error::invalid_input(format!(
            "the factor of cell {row} is {}, expected a finite number",
            factors[row]
        ))
        .with_hint("a cell without counts has no factor: drop it or give it 0"));
    }
    map_rows(x, |row, values| {
        for it in values {
            *it = (f64::from(*it) * factors[row]) as f32;
        }
    });
    Ok(())
}

/// Replaces every value by its natural `ln(1 + x)`, correctly rounded but for one value in a million.
pub fn log1p(x: &mut Csr<f32>) {
    x.data_mut().par_chunks_mut(1 << 14).for_each(ln_1p_in_place);
}

/// Brings every row to the library size `target_sum` and takes `ln(1 + x)`, in one pass; returns the library sizes.
///
/// The values are those of [`normalize_total`] with `target_sum / library` followed by [`log1p`], to the last bit.
/// Rows without counts stay as they are.
///
/// # Errors
/// If the target is not a positive number.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// use ndarray::array;
/// let mut x = Csr::from_dense(&array![[1.0_f32, 3.0], [0.0, 0.0]]);
/// assert_eq!(cellstone_prep::normalize_log1p(&mut x, 8.0)?, [4.0, 0.0]);
/// assert_eq!(x.to_dense(), array![[3.0_f32.ln(), 7.0_f32.ln()], [0.0, 0.0]]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn normalize_log1p(x: &mut Csr<f32>, target_sum: f64) -> Result<Vec<f64>> {
    Normalize { target: Target::Sum(target_sum), log1p: true }.check()?;
    Ok(normalize_rows(x, Some(target_sum), true))
}

/// The median of the non-zero values; `None` where there is none.
pub fn nonzero_median(libraries: &[f64]) -> Option<f64> {
    let mut nonzero: Vec<f64> = libraries.iter().copied().filter(|it| *it > 0.0).collect();
    nonzero.sort_by(f64::total_cmp);
    let half = nonzero.len() / 2;
    match nonzero.len() {
        0 => None,
        n if n % 2 == 1 => Some(nonzero[half]),
        _ => Some(f64::midpoint(nonzero[half - 1], nonzero[half])),
    }
}

/// Library sizes of every cell of a source, in one pass.
///
/// # Errors
/// If a block cannot be read.
pub fn source_libraries(source: &dyn CountSource) -> Result<Vec<f64>> {
    let mut libraries = Vec::with_capacity(source.n_obs());
    for block in source.blocks(0)? {
        libraries.extend(library_sizes(&block?.x));
    }
    Ok(libraries)
}

/// Normalizes the rows of a block in place and returns their library sizes.
///
/// `target` is `None` to keep the library size. Rows without counts stay as they are.
pub(crate) fn normalize_block(block: &mut RowBlock, target: Option<f64>, log1p: bool) -> Vec<f64> {
    normalize_rows(&mut block.x, target, log1p)
}

pub(crate) fn normalize_rows(x: &mut Csr<f32>, target: Option<f64>, log1p: bool) -> Vec<f64> {
    map_rows(x, |_, values| {
        let library = library_size(values);
        let factor = target.map_or(1.0, |it| if library > 0.0 { it / library } else { 0.0 });
        if log1p {
            scaled_ln_1p_in_place(values, factor);
        } else {
            values.iter_mut().for_each(|it| *it = (f64::from(*it) * factor) as f32);
        }
        library
    })
}

/// Calls `work(row, values)` for every row, in parallel, and returns the results in order.
fn map_rows<T: Send>(x: &mut Csr<f32>, work: impl Fn(usize, &mut [f32]) -> T + Sync) -> Vec<T> {
    let lengths: Vec<usize> = x.indptr().windows(2).map(|it| it[1] - it[0]).collect();
    let mut rows = Vec::with_capacity(lengths.len());
    let mut rest = x.data_mut();
    for length in lengths {
        let (row, tail) = rest.split_at_mut(length);
        rows.push(row);
        rest = tail;
    }
    rows.into_par_iter().enumerate().with_min_len(16).map(|(row, values)| work(row, values)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_block_equals_the_two_steps() {
        let dense = array![[1.0_f32, 0.0, 70.0, 2.0], [0.0, 0.0, 0.0, 0.0], [0.0, 63.0, 64.0, 1e6]];
        let mut block = RowBlock { start: 0, x: Csr::from_dense(&dense) };
        let mut x = block.x.clone();
        let libraries = normalize_block(&mut block, Some(1e4), true);
        assert_eq!(libraries, library_sizes(&x));
        let factors: Vec<f64> = libraries.iter().map(|it| if *it > 0.0 { 1e4 / it } else { 0.0 }).collect();
        normalize_total(&mut x, &factors).expect("one factor a row");
        log1p(&mut x);
        assert_eq!(block.x, x);
    }

    #[test]
    fn medians_skip_empty_cells() {
        assert_eq!(nonzero_median(&[0.0, 3.0, 1.0]), Some(2.0));
        assert_eq!(nonzero_median(&[5.0, 0.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(nonzero_median(&[0.0]), None);
    }

    #[test]
    fn bad_factors_are_refused() {
        let mut x = Csr::from_dense(&array![[1.0_f32], [0.0]]);
        let error = normalize_total(&mut x, &[1.0]).expect_err("too few");
        assert_eq!(error.to_string(), "1 factors for 2 cells");
        let error = normalize_total(&mut x, &[1.0, f64::INFINITY]).expect_err("infinite");
        assert_eq!(error.to_string(), "the factor of cell 1 is inf, expected a finite number");
    }
}
