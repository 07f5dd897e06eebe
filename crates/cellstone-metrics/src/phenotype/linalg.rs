//! Small dense algebra on positive definite matrices: some hundred columns at most.

use ndarray::{Array1, Array2, ArrayView1};

/// The columns of a Gram matrix that do not depend on those before, at a relative tolerance, in order.
pub(crate) fn independent(gram: &Array2<f64>, tolerance: f64) -> Vec<usize> {
    let n = gram.nrows();
    let mut kept: Vec<usize> = Vec::new();
    // Rows of the factor over the kept columns.
    let mut factor: Vec<Vec<f64>> = Vec::new();
    for column in 0..n {
        let mut row = Vec::with_capacity(kept.len() + 1);
        for (at, other) in kept.iter().enumerate() {
            let sum: f64 = row.iter().zip(&factor[at]).map(|(a, b): (&f64, &f64)| a * b).sum();
            row.push((gram[[column, *other]] - sum) / factor[at][at]);
        }
        let left = gram[[column, column]] - row.iter().map(|it| it * it).sum::<f64>();
        if left > tolerance * gram[[column, column]] {
            row.push(left.sqrt());
            factor.push(row);
            kept.push(column);
        }
    }
    kept
}

/// The rows and columns that are asked for.
pub(crate) fn submatrix(a: &Array2<f64>, at: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((at.len(), at.len()), |(i, j)| a[[at[i], at[j]]])
}

/// A lower triangular factor of a positive definite matrix.
#[derive(Debug, Clone)]
pub(crate) struct Cholesky(Array2<f64>);

impl Cholesky {
    /// `None` if the matrix is not positive definite.
    pub(crate) fn new(a: &Array2<f64>) -> Option<Self> {
        let n = a.nrows();
        let mut l = Array2::zeros((n, n));
        for j in 0..n {
            for i in j..n {
                let (left, right) = (l.row(i), l.row(j));
                let sum: f64 = (0..j).map(|it| left[it] * right[it]).sum();
                let value = a[[i, j]] - sum;
                if i == j {
                    if !(value > 0.0 && value.is_finite()) {
                        return None;
                    }
                    l[[j, j]] = value.sqrt();
                } else {
                    l[[i, j]] = value / l[[j, j]];
                }
            }
        }
        Some(Self(l))
    }

    pub(crate) fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let l = &self.0;
        let n = l.nrows();
        let mut x = b.to_owned();
        for i in 0..n {
            let sum: f64 = (0..i).map(|it| l[[i, it]] * x[it]).sum();
            x[i] = (x[i] - sum) / l[[i, i]];
        }
        for i in (0..n).rev() {
            let sum: f64 = (i + 1..n).map(|it| l[[it, i]] * x[it]).sum();
            x[i] = (x[i] - sum) / l[[i, i]];
        }
        x
    }

    pub(crate) fn inverse(&self) -> Array2<f64> {
        let n = self.0.nrows();
        let mut out = Array2::zeros((n, n));
        for at in 0..n {
            let mut unit = Array1::zeros(n);
            unit[at] = 1.0;
            out.column_mut(at).assign(&self.solve(unit.view()));
        }
        out
    }

    /// The inverse of the factor, lower triangular: rows of `x · inverse_factorᵀ` are whitened.
    pub(crate) fn inverse_factor(&self) -> Array2<f64> {
        let l = &self.0;
        let n = l.nrows();
        let mut out = Array2::<f64>::zeros((n, n));
        for column in 0..n {
            out[[column, column]] = 1.0 / l[[column, column]];
            for i in column + 1..n {
                let sum: f64 = (column..i).map(|it| l[[i, it]] * out[[it, column]]).sum();
                out[[i, column]] = -sum / l[[i, i]];
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn factors_solve_and_invert() {
        let a = array![[4.0, 2.0, 0.4], [2.0, 3.0, 0.1], [0.4, 0.1, 1.0]];
        let factor = Cholesky::new(&a).expect("definite");
        let b = array![1.0, -2.0, 0.5];
        assert!((a.dot(&factor.solve(b.view())) - &b).iter().all(|it| it.abs() < 1e-13));
        assert!((a.dot(&factor.inverse()) - Array2::<f64>::eye(3)).iter().all(|it| it.abs() < 1e-13));
        let w = factor.inverse_factor();
        assert!((w.dot(&a).dot(&w.t()) - Array2::<f64>::eye(3)).iter().all(|it| it.abs() < 1e-13));
        assert!(Cholesky::new(&array![[1.0, 1.0], [1.0, 1.0]]).is_none());
    }

    #[test]
    fn dependent_columns_are_those_that_come_later() {
        let x = array![[1.0, 1.0, 2.0, 0.0], [1.0, 0.0, 1.0, 1.0], [1.0, 2.0, 3.0, 5.0], [1.0, 4.0, 5.0, 2.0]];
        assert_eq!(independent(&x.t().dot(&x), 1e-9), [0, 1, 3]);
    }
}
