//! Class frequencies given the other phenotypes: what metadata alone gives away.

use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView1, ArrayView2};
use std::collections::BTreeMap;

/// The code of a phenotype that is not known: it never conditions.
pub const MISSING: u32 = u32::MAX;

/// `P(c | visible phenotypes)` by counting, with add-one smoothing and back-off.
///
/// For a cell, training cells that agree in all its known phenotypes are counted: `P(c) = (n_c + 1)/(n + K)`. If there
/// is none, the phenotype whose value is rarest in training is dropped (equal ones: the later column), until some agree
/// or nothing is left.
///
/// # Examples
/// ```
/// use cellstone_baselines::classify::ConditionalFrequency;
/// use ndarray::array;
/// // Tissue and sex; a third class never occurs.
/// let fitted = ConditionalFrequency.fit(array![[0, 0], [0, 1], [1, 0]].view(), &[0, 0, 1], 3)?;
/// let p = fitted.predict_proba(array![[0, 0], [1, 1]].view())?;
/// assert_eq!(p.row(0).to_vec(), [0.5, 0.25, 0.25]);
/// // Tissue 1 with sex 1 never occurs; both values occur once, so the later column goes.
/// assert_eq!(p.row(1).to_vec(), [0.25, 0.5, 0.25]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ConditionalFrequency;

/// Counts of training cells under every set of columns.
#[derive(Debug, Clone)]
pub struct FittedFrequency {
    n_classes: usize,
    n_columns: usize,
    /// How often each value of each column occurs.
    values: Vec<BTreeMap<u32, u32>>,
    /// Class counts by kept columns (bits) and their values.
    tables: Vec<BTreeMap<Vec<u32>, Vec<u32>>>,
}

impl ConditionalFrequency {
    /// Counts; `codes` is `[n_obs, n_columns]`, at most 12 columns.
    ///
    /// # Errors
    /// If lengths differ, a class is out of range, there is no cell, or there are too many columns.
    pub fn fit(&self, codes: ArrayView2<'_, u32>, y: &[u32], n_classes: usize) -> Result<FittedFrequency> {
        let n_columns = codes.ncols();
        if y.len() != codes.nrows() || y.is_empty() {
            return Err(Error::invalid_input(format!("{} classes for {} cells", y.len(), codes.nrows())));
        }
        if n_columns > 12 {
            return Err(Error::config(format!("{n_columns} conditions, expected at most 12")));
        }
        if let Some(cell) = y.iter().position(|it| *it as usize >= n_classes) {
            return Err(Error::invalid_input(format!(
                "cell {cell} has class {}, expected one below {n_classes}",
                y[cell]
            )));
        }
        let mut values = vec![BTreeMap::new(); n_columns];
        for row in codes.rows() {
            row.iter().zip(&mut values).for_each(|(it, counts)| *counts.entry(*it).or_default() += 1);
        }
        // Cells that agree in every column are counted once and then merged: metadata has few distinct rows.
        let mut full = BTreeMap::<(Vec<u32>, u32), u32>::new();
        codes.rows().into_iter().zip(y).for_each(|(row, y)| *full.entry((row.to_vec(), *y)).or_default() += 1);
        let table = |mask: usize| {
            let mut table = BTreeMap::<Vec<u32>, Vec<u32>>::new();
            for ((row, y), n) in &full {
                let counts = table.entry(key(row, mask)).or_insert_with(|| vec![0; n_classes]);
                counts[*y as usize] += n;
            }
            table
        };
        Ok(FittedFrequency { n_classes, n_columns, values, tables: (0..1 << n_columns).map(table).collect() })
    }
}

fn key(row: &[u32], mask: usize) -> Vec<u32> {
    row.iter().enumerate().filter(|it| mask >> it.0 & 1 == 1).map(|it| *it.1).collect()
}

impl FittedFrequency {
    /// Probabilities `[n_obs, n_classes]`.
    ///
    /// # Errors
    /// If the number of columns differs.
    pub fn predict_proba(&self, codes: ArrayView2<'_, u32>) -> Result<Array2<f64>> {
        self.check(codes)?;
        let mut out = Array2::zeros((codes.nrows(), self.n_classes));
        for (row, mut p) in codes.rows().into_iter().zip(out.rows_mut()) {
            let counts = self.counts(row).0;
            let total: u32 = counts.iter().sum();
            let below = f64::from(total) + self.n_classes as f64;
            p.iter_mut().zip(counts).for_each(|(p, n)| *p = (f64::from(*n) + 1.0) / below);
        }
        Ok(out)
    }

    /// How many phenotypes condition each cell.
    ///
    /// # Errors
    /// If the number of columns differs.
    pub fn n_conditions(&self, codes: ArrayView2<'_, u32>) -> Result<Vec<u32>> {
        self.check(codes)?;
        Ok(codes.rows().into_iter().map(|row| self.counts(row).1.count_ones()).collect())
    }

    fn check(&self, codes: ArrayView2<'_, u32>) -> Result<()> {
        if codes.ncols() == self.n_columns {
            return Ok(());
        }
        Err(Error::invalid_input(format!("{} conditions, fitted on {}", codes.ncols(), self.n_columns)))
    }

    /// Counts of the largest set of conditions that some training cell meets, and that set.
    fn counts(&self, row: ArrayView1<'_, u32>) -> (&[u32], usize) {
        let row = row.to_vec();
        let mut mask = (0..row.len()).filter(|it| row[*it] != MISSING).fold(0, |mask, it| mask | 1 << it);
        loop {
            if let Some(counts) = self.tables[mask].get(&key(&row, mask)) {
                return (counts, mask);
            }
            let times = |it: usize| self.values[it].get(&row[it]).copied().unwrap_or(0);
            let kept = (0..row.len()).filter(|it| mask >> it & 1 == 1);
            let rarest = kept.min_by_key(|it| (times(*it), std::cmp::Reverse(*it)));
            // Without a condition every training cell agrees, so the loop ends before.
            mask &= !(1 << rarest.unwrap_or(0));
        }
    }
}
