//! The columns of a regression, kept as short rows: one number for each numeric column and one level for each factor.

use super::super::bootstrap::check_finite;
use super::super::input::check_cells;
use super::super::linalg::independent;
use cellstone_core::Result;
use ndarray::{Array1, Array2};

/// A column that depends on those before it to this share of its length is dropped.
const DEPENDENT: f64 = 1e-10;

/// One thing that explains the outcome.
#[derive(Debug, Clone, Copy)]
pub enum Covariate<'a> {
    /// A number per cell.
    Numeric {
        /// Its name.
        name: &'a str,
        /// One finite number per cell.
        values: &'a [f64],
    },
    /// A code per cell; every code but the lowest gets a column `name=code`.
    Factor {
        /// Its name.
        name: &'a str,
        /// One code per cell.
        codes: &'a [u32],
    },
}

/// Rows of a design with an intercept, independent columns only.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) n_obs: usize,
    pub(crate) names: Vec<String>,
    pub(crate) dropped: Vec<String>,
    /// What the unit of each column is multiplied with to get back the unit that was given.
    pub(crate) scale: Vec<f64>,
    /// Entries of a row; a level without a column has the value 0.
    width: usize,
    columns: Vec<u32>,
    values: Vec<f64>,
    pub(crate) gram: Array2<f64>,
}

impl Design {
    /// Builds all columns in the order given, then drops those that depend on earlier ones.
    pub(crate) fn new(n_obs: usize, covariates: &[Covariate<'_>], weights: Option<&[f64]>) -> Result<Self> {
        let width = covariates.len() + 1;
        let mut out = Self {
            n_obs,
            names: vec!["(intercept)".to_owned()],
            dropped: Vec::new(),
            scale: vec![1.0],
            width,
            columns: vec![0; n_obs * width],
            values: vec![0.0; n_obs * width],
            gram: Array2::zeros((0, 0)),
        };
        (0..n_obs).for_each(|row| out.values[row * width] = 1.0);
        for (at, it) in covariates.iter().enumerate() {
            match it {
                Covariate::Numeric { name, values } => out.numeric(at + 1, name, values)?,
                Covariate::Factor { name, codes } => out.factor(at + 1, name, codes)?,
            }
        }
        out.gram = out.weighted_gram(weights);
        out.drop_dependent();
        Ok(out)
    }

    fn numeric(&mut self, slot: usize, name: &str, values: &[f64]) -> Result<()> {
        check_cells(&format!("values of `{name}`"), values.len(), self.n_obs)?;
        check_finite(&format!("`{name}` of cell"), values)?;
        let n = values.len().max(1) as f64;
        let mean = crate::kernels::sum(values) / n;
        let spread = (crate::kernels::sum1(values, |it| (it - mean).powi(2)) / n).sqrt();
        // A constant differs from its mean by rounding, which is no information.
        let scale = if spread > 1e-12 * mean.abs() { spread } else { 0.0 };
        let column = self.names.len() as u32;
        for (row, value) in values.iter().enumerate() {
            self.columns[row * self.width + slot] = column;
            self.values[row * self.width + slot] = if scale > 0.0 { (value - mean) / scale } else { 0.0 };
        }
        self.names.push(name.to_owned());
        self.scale.push(if scale > 0.0 { 1.0 / scale } else { 1.0 });
        Ok(())
    }

    fn factor(&mut self, slot: usize, name: &str, codes: &[u32]) -> Result<()> {
        check_cells(&format!("codes of `{name}`"), codes.len(), self.n_obs)?;
        let mut levels = codes.to_vec();
        levels.sort_unstable();
        levels.dedup();
        let first = self.names.len();
        for (row, code) in codes.iter().enumerate() {
            let level = levels.binary_search(code).expect("invariant: the list holds every code");
            if level > 0 {
                self.columns[row * self.width + slot] = (first + level - 1) as u32;
                self.values[row * self.width + slot] = 1.0;
            }
        }
        for level in levels.iter().skip(1) {
            self.names.push(format!("{name}={level}"));
            self.scale.push(1.0);
        }
        Ok(())
    }

    fn weighted_gram(&self, weights: Option<&[f64]>) -> Array2<f64> {
        let mut gram = Array2::zeros((self.names.len(), self.names.len()));
        for row in 0..self.n_obs {
            self.add_outer(row, weights.map_or(1.0, |it| it[row]), &mut gram);
        }
        gram
    }

    fn add_outer(&self, row: usize, weight: f64, gram: &mut Array2<f64>) {
        let range = row * self.width..(row + 1) * self.width;
        let (columns, values) = (&self.columns[range.clone()], &self.values[range]);
        for (i, x) in columns.iter().zip(values).filter(|it| *it.1 != 0.0) {
            for (j, z) in columns.iter().zip(values).filter(|it| *it.1 != 0.0) {
                gram[[*i as usize, *j as usize]] += weight * x * z;
            }
        }
    }

    fn drop_dependent(&mut self) {
        let kept = independent(&self.gram, DEPENDENT);
        let mut place = vec![u32::MAX; self.names.len()];
        kept.iter().zip(0..).for_each(|(it, at)| place[*it] = at);
        for (column, value) in self.columns.iter_mut().zip(&mut self.values) {
            match place[*column as usize] {
                u32::MAX => (*column, *value) = (0, 0.0),
                at => *column = at,
            }
        }
        self.dropped =
            (0..self.names.len()).filter(|it| place[*it] == u32::MAX).map(|it| self.names[it].clone()).collect();
        self.names = kept.iter().map(|it| self.names[*it].clone()).collect();
        self.scale = kept.iter().map(|it| self.scale[*it]).collect();
        self.gram = super::super::linalg::submatrix(&self.gram, &kept);
    }

    /// Number of columns.
    pub(crate) fn n_columns(&self) -> usize {
        self.names.len()
    }

    /// The entries of a row as `(column, value)`.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = row * self.width..(row + 1) * self.width;
        self.columns[range.clone()].iter().zip(&self.values[range]).map(|(at, it)| (*at as usize, *it))
    }

    /// `X · b` for one row.
    pub(crate) fn predict(&self, row: usize, b: &Array1<f64>) -> f64 {
        self.row(row).map(|(at, it)| it * b[at]).sum()
    }

    /// `Xᵀ W z`.
    pub(crate) fn back(&self, z: &[f64], weights: Option<&[f64]>) -> Array1<f64> {
        let mut out = Array1::zeros(self.n_columns());
        for (row, z) in z.iter().enumerate() {
            let w = weights.map_or(1.0, |it| it[row]);
            self.row(row).for_each(|(at, it)| out[at] += w * z * it);
        }
        out
    }

    /// `X_gᵀ W_g z_g` of every cluster, `[n_clusters, n_columns]`.
    pub(crate) fn scores(&self, z: &[f64], cluster: &[u32], n: usize, weights: Option<&[f64]>) -> Array2<f64> {
        let mut out = Array2::zeros((n, self.n_columns()));
        for (row, z) in z.iter().enumerate() {
            let w = weights.map_or(1.0, |it| it[row]);
            self.row(row).for_each(|(at, it)| out[[cluster[row] as usize, at]] += w * z * it);
        }
        out
    }
}
