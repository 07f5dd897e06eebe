//! Random matrices in both layouts and the residuals that the tests bound.

use ndarray::{Array2, ShapeBuilder};
use ndarray_linalg::{Scalar, c64};
use proptest::prelude::*;

/// A matrix with entries in ±1, in C or Fortran order.
pub(crate) fn matrix(rows: usize, cols: usize, fortran: bool, values: &[f64]) -> Array2<f64> {
    let mut values = values.iter().cycle();
    let mut out = Array2::zeros((rows, cols).set_f(fortran));
    out.indexed_iter_mut().for_each(|(at, it)| *it = values.next().expect("cycle") + 1e-3 * (at.0 as f64).sin());
    out
}

/// The same with complex entries.
pub(crate) fn complex(rows: usize, cols: usize, fortran: bool, values: &[f64]) -> Array2<c64> {
    let (re, im) = (matrix(rows, cols, fortran, values), matrix(rows, cols, fortran, &values[1..]));
    let mut out = Array2::zeros((rows, cols).set_f(fortran));
    out.indexed_iter_mut().for_each(|(at, it)| *it = c64::new(re[at], im[at]));
    out
}

/// A pool of values of a prime length: cycling it never repeats in step with a row.
pub(crate) fn values() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.0_f64..1.0, 997)
}

/// Fixed values for tests that want a size rather than a variety.
pub(crate) fn fixed(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * i) as f64 * 0.618_033_988_749).sin()).collect()
}

/// The conjugate transpose.
pub(crate) fn adjoint<T: Scalar>(a: &Array2<T>) -> Array2<T> {
    a.t().mapv(|it| it.conj())
}

/// Largest modulus of `a - b`.
pub(crate) fn distance<T: Scalar<Real: Into<f64>>>(a: &Array2<T>, b: &Array2<T>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).map(|(a, b)| Scalar::abs(*a - *b).into()).fold(0.0, nan_max)
}

/// How far the columns are from orthonormal.
pub(crate) fn skew<T: Scalar<Real: Into<f64>> + ndarray::LinalgScalar>(q: &Array2<T>) -> f64 {
    distance(&adjoint(q).dot(q), &Array2::eye(q.ncols()))
}

/// The larger of two, where NaN wins, so that a residual cannot hide it.
pub(crate) fn nan_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// Bound on a residual of an `n`-sized problem with entries of order one.
pub(crate) fn bound(n: usize) -> f64 {
    1e-12 * (n.max(1) as f64)
}
