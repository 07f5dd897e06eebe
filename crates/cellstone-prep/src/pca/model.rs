//! What a PCA hands back.

use crate::linalg::matmul;
use cellstone_core::{Error, Result};
use ndarray::{Array1, Array2, ArrayView2};

/// Principal components of `[n_obs, n_vars]`, largest variance first.
///
/// `scores = (x − mean) · loadings`. The sign of every component is fixed: its loading of largest modulus is positive
/// (the first of equals decides). Variances have the divisor `n_obs − 1`, as scanpy and scikit-learn have.
#[derive(Debug, Clone, PartialEq)]
pub struct Pca {
    /// Coordinates of the rows, `[n_obs, k]`.
    pub scores: Array2<f64>,
    /// Orthonormal directions as columns, `[n_vars, k]`.
    pub loadings: Array2<f64>,
    /// What was subtracted from every column, `[n_vars]`; zero without centring.
    pub mean: Array1<f64>,
    /// Variance along each component, `[k]`.
    pub explained_variance: Array1<f64>,
    /// The same as a share of [`Pca::total_variance`], `[k]`; zero where that is zero.
    pub explained_variance_ratio: Array1<f64>,
    /// Sum of the variances of all columns (about zero without centring).
    pub total_variance: f64,
}

impl Pca {
    /// Coordinates of other rows in the same components, `(x − mean) · loadings`, `[m, k]`.
    ///
    /// # Errors
    /// If `x` has another number of columns.
    ///
    /// # Examples
    /// ```
    /// use ndarray::array;
    /// let x = array![[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]];
    /// let pca = cellstone_prep::pca_dense(&x.view(), 1, true)?;
    /// assert!((pca.transform(&array![[3.0, 3.0]].view())?[[0, 0]] - 2.0_f64.sqrt()).abs() < 1e-12);
    /// # Ok::<(), cellstone_core::Error>(())
    /// ```
    pub fn transform(&self, x: &ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        if x.ncols() != self.mean.len() {
            return Err(Error::invalid_input(format!(
                "matrix has {} columns, expected the {} of the principal components",
                x.ncols(),
                self.mean.len()
            )));
        }
        Ok(matmul(&(x - &self.mean).view(), &self.loadings.view()))
    }
}

/// Shares of the total; zero where nothing varies.
pub(super) fn shares(variance: &Array1<f64>, total: f64) -> Array1<f64> {
    if total > 0.0 { variance / total } else { Array1::zeros(variance.len()) }
}

/// Checks the number of components against the shape.
pub(super) fn check_k(k: usize, n: usize, p: usize) -> Result<()> {
    if n < 2 {
        return Err(Error::invalid_input(format!("principal components need at least 2 rows, found {n}")));
    }
    if k == 0 || k > n.min(p) {
        return Err(Error::config(format!(
            "{k} principal components asked for, expected 1 to {} for a matrix of {n} × {p}",
            n.min(p)
        )));
    }
    Ok(())
}
