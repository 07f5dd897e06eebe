//! Dense linear algebra for the other crates: products on all cores, eigenvectors, singular values, Cholesky solves.
//!
//! Everything here gives the same bits with one thread and with many: products are cut into blocks whose borders depend
//! on the shapes alone, each block is computed by one thread, and the decompositions run on the calling thread.
//! What is not here: PCA (see [`crate::pca_dense`]) and anything on sparse matrices.

use crate::fastmath::clear_vector_state;
use cellstone_core::{Error, Result};
use cellstone_lapack as _;
use faer::linalg::matmul::matmul as faer_matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use ndarray_linalg::error::LinalgError;
use ndarray_linalg::{Cholesky, Diag, Eigh, JobSvd, SVDDC, SolveTriangular, UPLO};
use rayon::prelude::*;

/// Rows of one task of a product: enough for the kernels, few enough for every core to get some.
const BLOCK: usize = 128;

/// `f32` or `f64`: the numbers that [`matmul`] takes.
pub trait Real: private::Sealed + faer::traits::ComplexField + Copy + ndarray::NdFloat {}
impl Real for f32 {}
impl Real for f64 {}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// The matrix product `a · b`, `[m, k] · [k, n] = [m, n]`, on all cores.
///
/// Any layout is taken without a copy if it is contiguous; the result is in standard (C) order.
///
/// # Panics
/// If the inner dimensions differ, as `ndarray`'s own product does.
///
/// # Examples
/// ```
/// use cellstone_prep::matmul;
/// use ndarray::array;
/// let a = array![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!(matmul(&a.view(), &a.t()), array![[5.0, 11.0], [11.0, 25.0]]);
/// ```
pub fn matmul<T: Real>(a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>) -> Array2<T> {
    assert_eq!(a.ncols(), b.nrows(), "inner dimensions of a product");
    let (m, n) = (a.nrows(), b.ncols());
    if m < BLOCK && n >= 2 * BLOCK {
        // Wide and flat: cut along the columns instead, as rows of the transpose.
        let mut turned = Array2::zeros((n, m));
        product_into(&mut turned, &b.t(), &a.t());
        return turned.t().as_standard_layout().into_owned();
    }
    let mut out = Array2::zeros((m, n));
    product_into(&mut out, a, b);
    out
}

/// The Gram matrix of the rows, `x · xᵀ`, `[n, n]`, exactly symmetric; half the work of [`matmul`].
///
/// # Examples
/// ```
/// use ndarray::array;
/// let x = array![[1.0, 2.0], [0.0, 1.0]];
/// assert_eq!(cellstone_prep::gram(&x.view()), array![[5.0, 2.0], [2.0, 1.0]]);
/// ```
pub fn gram<T: Real>(x: &ArrayView2<'_, T>) -> Array2<T> {
    let n = x.nrows();
    let mut out = Array2::zeros((n, n));
    with_mat(x, |x| {
        by_rows(&mut out, |start, rows| {
            let (height, end) = (rows.nrows(), start + rows.nrows());
            let left = x.subrows(start, height);
            let right = x.subrows(0, end).transpose();
            faer_matmul(rows.subcols_mut(0, end), Accum::Replace, left, right, T::one(), Par::Seq);
        });
    });
    for i in 0..n {
        for j in i + 1..n {
            out[[i, j]] = out[[j, i]];
        }
    }
    out
}

/// The Gram matrix of the columns, `xᵀ · x`, `[p, p]`, exactly symmetric.
pub fn gram_t<T: Real>(x: &ArrayView2<'_, T>) -> Array2<T> {
    gram(&x.t())
}

/// Eigenvalues, ascending, and eigenvectors (columns) of a symmetric matrix; only the lower triangle is read.
///
/// The signs of the vectors are whatever the algorithm leaves: see [`fix_signs`].
///
/// # Errors
/// If the matrix is not square or holds a value that is not finite, or if the iteration does not converge.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let (values, vectors) = cellstone_prep::sym_eig(&array![[2.0, 1.0], [1.0, 2.0]])?;
/// assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14);
/// assert!((vectors[[0, 1]].abs() - 0.5_f64.sqrt()).abs() < 1e-14);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn sym_eig(a: &Array2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    check_square(a, "an eigendecomposition")?;
    check_finite(&a.view())?;
    if a.is_empty() {
        return Ok((Array1::zeros(0), Array2::zeros((0, 0))));
    }
    // `ndarray-linalg` reads a C-ordered matrix as its transpose.
    let lower = if a.is_standard_layout() { UPLO::Upper } else { UPLO::Lower };
    let found = a.eigh(lower).map_err(|error| failed("the eigendecomposition", a.dim(), error));
    clear_vector_state();
    found
}

/// The thin singular value decomposition `a = u · diag(s) · vt`, with `k = min(m, n)`.
///
/// Shapes: `u` `[m, k]`, `s` `[k]` falling, `vt` `[k, n]`.
///
/// # Errors
/// If a value is not finite, or if the iteration does not converge.
pub fn thin_svd(a: &ArrayView2<'_, f64>) -> Result<(Array2<f64>, Array1<f64>, Array2<f64>)> {
    check_finite(a)?;
    let (m, n) = a.dim();
    if a.is_empty() {
        return Ok((Array2::zeros((m, 0)), Array1::zeros(0), Array2::zeros((0, n))));
    }
    let svd =
        a.to_owned().svddc(JobSvd::Some).map_err(|error| failed("the singular value decomposition", (m, n), error))?;
    clear_vector_state();
    let (Some(u), s, Some(vt)) = svd else {
        return Err(Error::not_converged(format!("the singular value decomposition of {m} × {n} gave no vectors")));
    };
    Ok((u, s, vt))
}

/// Solves `a · x = b` for symmetric positive definite `a` `[n, n]` and any number of right-hand sides `b` `[n, k]`.
///
/// Only the lower triangle of `a` is read.
///
/// # Errors
/// If shapes do not fit, a value is not finite, or `a` is not positive definite: the message names the order of the
/// first leading minor that is not.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let x = cellstone_prep::solve_spd(&array![[4.0, 2.0], [2.0, 3.0]], &array![[2.0], [5.0]])?;
/// assert!((x[[0, 0]] + 0.5).abs() < 1e-14 && (x[[1, 0]] - 2.0).abs() < 1e-14);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn solve_spd(a: &Array2<f64>, b: &Array2<f64>) -> Result<Array2<f64>> {
    check_square(a, "a Cholesky solve")?;
    let n = a.nrows();
    if b.nrows() != n {
        return Err(Error::invalid_input(format!("right-hand side has {} rows, expected {n}", b.nrows())));
    }
    check_finite(&a.view())?;
    check_finite(&b.view())?;
    if b.is_empty() {
        return Ok(b.clone());
    }
    let factor = a.cholesky(UPLO::Lower).map_err(|error| not_definite(n, error))?;
    let failed = |error| failed("the triangular solve", a.dim(), error);
    let half = factor.solve_triangular(UPLO::Lower, Diag::NonUnit, b).map_err(failed)?;
    let upper = factor.t().as_standard_layout().into_owned();
    let x = upper.solve_triangular(UPLO::Upper, Diag::NonUnit, &half).map_err(failed)?;
    clear_vector_state();
    if x.iter().all(|it| it.is_finite()) {
        return Ok(x);
    }
    Err(definite_error(format!("matrix of order {n} is too close to singular: its solution overflows")))
}

/// Makes the sign of every column definite: its entry of largest modulus becomes positive, the first of equals decides.
///
/// Returns the factor (1 or −1) of every column, to be applied to whatever belongs to it.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let mut loadings = array![[0.5, -1.0], [-2.0, 1.0]];
/// assert_eq!(cellstone_prep::fix_signs(&mut loadings), [-1.0, -1.0]);
/// assert_eq!(loadings, array![[-0.5, 1.0], [2.0, -1.0]]);
/// ```
pub fn fix_signs(loadings: &mut Array2<f64>) -> Vec<f64> {
    let mut signs = Vec::with_capacity(loadings.ncols());
    for mut column in loadings.columns_mut() {
        let largest = column.iter().fold(0.0_f64, |best, it| if it.abs() > best.abs() { *it } else { best });
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        if sign < 0.0 {
            column.mapv_inplace(|it| -it);
        }
        signs.push(sign);
    }
    signs
}

/// Columns `range`, without a copy.
pub(crate) fn columns(a: &Array2<f64>, range: std::ops::Range<usize>) -> ArrayView2<'_, f64> {
    a.slice_axis(Axis(1), Slice::from(range))
}

/// Eigenvalues or singular values the other way round, with their vectors: the first `k` of the reversed order.
pub(crate) fn last_reversed(values: &Array1<f64>, vectors: &Array2<f64>, k: usize) -> (Array1<f64>, Array2<f64>) {
    let order: Vec<usize> = (0..values.len()).rev().take(k).collect();
    (values.select(Axis(0), &order), vectors.select(Axis(1), &order).as_standard_layout().into_owned())
}

/// The index of the first value that is not finite is named.
pub(crate) fn check_finite(a: &ArrayView2<'_, f64>) -> Result<()> {
    match a.indexed_iter().find(|(_, it)| !it.is_finite()) {
        None => Ok(()),
        Some(((row, col), value)) => Err(Error::invalid_input(format!(
            "row {row} column {col} of a matrix holds {value}, expected a finite number"
        ))),
    }
}

fn check_square(a: &Array2<f64>, what: &str) -> Result<()> {
    if a.is_square() {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{what} needs a square matrix, found {} × {}", a.nrows(), a.ncols())))
}

fn failed(what: &str, (m, n): (usize, usize), error: LinalgError) -> Error {
    Error::not_converged(format!("{what} of a {m} × {n} matrix failed: {error}"))
}

fn not_definite(n: usize, error: LinalgError) -> Error {
    let LinalgError::Lapack(lax::error::Error::LapackComputationalFailure { return_code }) = error else {
        return failed("the Cholesky factorisation", (n, n), error);
    };
    definite_error(format!("matrix of order {n} is not positive definite: leading minor {return_code} is not positive"))
}

fn definite_error(message: String) -> Error {
    Error::invalid_input(message).with_hint("increase the ridge penalty, or remove columns that depend on each other")
}

/// `out = a · b`, rows of the output on all cores.
fn product_into<T: Real>(out: &mut Array2<T>, a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>) {
    with_mat(a, |a| {
        with_mat(b, |b| {
            by_rows(out, |start, rows| {
                let left = a.subrows(start, rows.nrows());
                faer_matmul(rows, Accum::Replace, left, b, T::one(), Par::Seq);
            });
        });
    });
}

/// Calls `work(first row, rows)` for every block of rows, on all cores.
pub(crate) fn by_rows<T: Real>(out: &mut Array2<T>, work: impl Fn(usize, MatMut<'_, T>) + Sync) {
    let n = out.ncols();
    let Some(all) = out.as_slice_mut().filter(|it| !it.is_empty()) else { return };
    all.par_chunks_mut(BLOCK * n).enumerate().for_each(|(task, rows)| {
        let height = rows.len() / n;
        work(task * BLOCK, MatMut::from_row_major_slice_mut(rows, height, n));
        clear_vector_state();
    });
}

/// Calls `work(first row, rows)` for every block of rows of the square part from `from` on, on all cores.
pub(crate) fn on_trailing_rows(a: &mut Array2<f64>, from: usize, work: impl Fn(usize, MatMut<'_, f64>) + Sync) {
    let n = a.ncols();
    let Some(all) = a.as_slice_mut().filter(|it| !it.is_empty()) else { return };
    all[from * n..].par_chunks_mut(BLOCK * n).enumerate().for_each(|(task, rows)| {
        let height = rows.len() / n;
        work(task * BLOCK, MatMut::from_row_major_slice_mut(rows, height, n).subcols_mut(from, n - from));
        clear_vector_state();
    });
}

/// Hands the view to `work` as faer's, copying only what has no contiguous order.
pub(crate) fn with_mat<T: Real, R>(a: &ArrayView2<'_, T>, work: impl FnOnce(MatRef<'_, T>) -> R) -> R {
    let (rows, cols) = a.dim();
    if let Some(all) = a.as_slice() {
        return work(MatRef::from_row_major_slice(all, rows, cols));
    }
    if let Some(all) = a.t().as_slice() {
        return work(MatRef::from_column_major_slice(all, rows, cols));
    }
    let copy: Vec<T> = a.iter().copied().collect();
    work(MatRef::from_row_major_slice(&copy, rows, cols))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::ShapeBuilder;

    fn sample(m: usize, n: usize, seed: f64) -> Array2<f64> {
        Array2::from_shape_fn((m, n), |(i, j)| ((i * 31 + j * 17) as f64 * 0.618 + seed).sin())
    }

    #[test]
    fn products_match_in_every_layout() {
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (130, 7, 140), (5, 40, 300), (300, 33, 4), (4, 0, 3), (0, 2, 2)] {
            let (a, b) = (sample(m, k, 0.0), sample(k, n, 1.0));
            let expected = a.dot(&b);
            let mut fortran = Array2::zeros((m, k).f());
            fortran.assign(&a);
            let mut gaps = sample(m, 2 * k, 0.0);
            let other = Slice::new(0, None, 2);
            gaps.slice_axis_mut(Axis(1), other).assign(&a);
            for left in [a.view(), fortran.view(), gaps.slice_axis(Axis(1), other)] {
                let got = matmul(&left, &b.view());
                assert!(got.is_standard_layout());
                assert!(got.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-12), "{m} {k} {n}");
            }
            let single = matmul(&a.mapv(|it| it as f32).view(), &b.mapv(|it| it as f32).view());
            assert!(single.iter().zip(&expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-4));
        }
    }

    #[test]
    fn gram_is_symmetric_and_right() {
        for (n, p) in [(1, 3), (5, 2), (140, 60), (300, 20)] {
            let x = sample(n, p, 0.3);
            let (rows, cols) = (gram(&x.view()), gram_t(&x.view()));
            assert_eq!(rows, rows.t());
            assert_eq!(cols, cols.t());
            assert!(rows.iter().zip(&x.dot(&x.t())).all(|(a, b)| (a - b).abs() < 1e-11));
            assert!(cols.iter().zip(&x.t().dot(&x)).all(|(a, b)| (a - b).abs() < 1e-11));
        }
    }

    #[test]
    fn one_thread_and_three_give_the_same_bits() {
        let (a, b) = (sample(517, 333, 0.0), sample(333, 419, 1.0));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| {
                let product = matmul(&a.view(), &b.view());
                let flat = matmul(&a.view().split_at(Axis(0), 9).0, &b.view());
                let spd = gram(&a.view()) + Array2::<f64>::eye(517);
                let solved = solve_spd(&spd, &product).expect("positive definite");
                let (values, vectors) = sym_eig(&spd).expect("converges");
                let (u, s, vt) = thin_svd(&a.view()).expect("converges");
                let parts = [product, flat, spd, solved, vectors, u, vt];
                parts.iter().flatten().chain(&values).chain(&s).map(|it| it.to_bits()).collect::<Vec<_>>()
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn decompositions_rebuild_their_matrix() {
        let x = sample(20, 12, 0.5);
        let (u, s, vt) = thin_svd(&x.view()).expect("converges");
        assert_eq!((u.dim(), s.len(), vt.dim()), ((20, 12), 12, (12, 12)));
        assert!(((&u * &s).dot(&vt) - &x).iter().all(|it| it.abs() < 1e-12));
        let (u, s, vt) = thin_svd(&x.t()).expect("converges");
        assert!(((&u * &s).dot(&vt) - x.t()).iter().all(|it| it.abs() < 1e-12));
        let spd = gram_t(&x.view()) + Array2::<f64>::eye(12);
        let (values, vectors) = sym_eig(&spd).expect("converges");
        assert!((vectors.dot(&Array2::from_diag(&values)).dot(&vectors.t()) - &spd).iter().all(|it| it.abs() < 1e-11));
        let mut lower = spd.clone();
        lower.indexed_iter_mut().filter(|((i, j), _)| j > i).for_each(|(_, it)| *it = 9.0);
        let mut fortran = Array2::zeros((12, 12).f());
        fortran.assign(&lower);
        for it in [&lower, &fortran] {
            let read = sym_eig(it).expect("converges").0;
            assert!(read.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-11), "only the lower triangle is read");
        }
        let b = sample(12, 3, 0.1);
        let solution = solve_spd(&spd, &b).expect("positive definite");
        assert!((spd.dot(&solution) - &b).iter().all(|it| it.abs() < 1e-11));
    }

    #[test]
    fn bad_input_is_named() {
        let mut a = Array2::<f64>::eye(3);
        a[[1, 2]] = f64::NAN;
        let text = |error: Error| error.to_string();
        assert!(text(sym_eig(&a).expect_err("nan")).contains("row 1 column 2 of a matrix holds NaN"));
        assert!(text(thin_svd(&a.view()).expect_err("nan")).contains("row 1 column 2"));
        assert!(text(sym_eig(&Array2::zeros((2, 3))).expect_err("square")).contains("found 2 × 3"));
        a[[1, 2]] = 0.0;
        a[[2, 2]] = -1.0;
        let error = solve_spd(&a, &Array2::eye(3)).expect_err("indefinite");
        assert!(error.is_invalid_input() && error.to_string().contains("leading minor 3"), "{error}");
        assert!(error.hints()[0].contains("ridge"));
        assert!(text(solve_spd(&a, &Array2::eye(2)).expect_err("rows")).contains("has 2 rows, expected 3"));
    }

    #[test]
    fn ties_in_sign_go_to_the_first() {
        let mut loadings = ndarray::array![[-1.0, 0.0], [1.0, 0.0]];
        assert_eq!(fix_signs(&mut loadings), [-1.0, 1.0]);
        assert_eq!(loadings, ndarray::array![[1.0, 0.0], [-1.0, 0.0]]);
    }
}
