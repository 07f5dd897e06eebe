//! Factorisations, the solvers and inverses on top of them, norms and condition numbers.

use crate::support::{adjoint, bound, complex, distance, fixed, matrix, nan_max, skew, values};
use ndarray::{Array1, Array2, ShapeBuilder, array};
use ndarray_linalg::{
    Cholesky, CholeskyInto, Determinant, DeterminantH, Diag, Factorize, FactorizeC, FactorizeHInto, Inverse, InverseC,
    InverseHInto, Lapack, OperationNorm, QR, Scalar, Solve, SolveC, SolveH, SolveTriangular, UPLO,
};
use proptest::prelude::*;

/// A well-conditioned matrix: random plus a diagonal that dominates.
fn regular(n: usize, fortran: bool, values: &[f64]) -> Array2<f64> {
    matrix(n, n, fortran, values) + Array2::<f64>::eye(n) * (2.0 + n as f64)
}

fn off(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, nan_max)
}

/// The reciprocal condition number by the raw routines: `rcond` of `ndarray-linalg` 0.18 passes the norm of the factors.
fn gecon(a: &Array2<f64>) -> f64 {
    let n = a.nrows() as i32;
    let mut lu: Vec<f64> = a.t().iter().copied().collect();
    let (mut pivots, mut info, mut rcond) = (vec![0_i32; a.nrows()], 99, f64::NAN);
    let (mut work, mut iwork) = (vec![0.0; 4 * a.nrows()], vec![0_i32; a.nrows()]);
    let norm = a.opnorm_one().expect("norm");
    let kind = b'1' as std::ffi::c_char;
    // SAFETY: an n by n matrix, n pivots, and workspaces of the documented lengths.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dgetrf_(&n, &n, lu.as_mut_ptr(), &n, pivots.as_mut_ptr(), &mut info);
        assert_eq!(info, 0);
        let (work, iwork) = (work.as_mut_ptr(), iwork.as_mut_ptr());
        lapack_sys::dgecon_(&kind, &n, lu.as_ptr(), &n, &norm, &mut rcond, work, iwork, &mut info);
    }
    assert_eq!(info, 0);
    rcond
}

fn in_fortran_order<T: Scalar>(a: &Array2<T>) -> Array2<T> {
    let mut out = Array2::zeros(a.dim().f());
    out.assign(a);
    out
}

fn check_qr<T: Scalar<Real = f64> + Lapack + ndarray::LinalgScalar>(a: &Array2<T>) {
    let (m, n) = a.dim();
    let (q, r) = a.qr().expect("factors");
    assert!(distance(&q.dot(&r), a) < bound(m.max(n)), "residual {m} x {n}");
    assert!(skew(&q) < bound(m.max(n)), "orthogonality {m} x {n}");
    assert!(r.indexed_iter().all(|((i, j), it)| i <= j || *it == T::zero()), "triangular");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn lu(n in 1_usize..50, fortran: bool, values in values()) {
        let a = matrix(n, n, fortran, &values) + Array2::<f64>::eye(n) * 0.5;
        let x = Array1::from_iter((0..n).map(|i| (i as f64).cos()));
        // An unlucky draw may be ill-conditioned: the bound knows.
        let inverse = a.inv().expect("regular");
        let rcond = 1.0 / (a.opnorm_one().expect("norm") * inverse.opnorm_one().expect("norm"));
        let limit = bound(n) / rcond;
        prop_assert!((gecon(&a) - rcond).abs() < 1e-6 * rcond);
        prop_assert!(off(&a.solve(&a.dot(&x)).expect("regular"), &x) < limit);
        prop_assert!(off(&a.solve_t(&a.t().dot(&x)).expect("regular"), &x) < limit);
        prop_assert!(distance(&a.dot(&inverse), &Array2::eye(n)) < limit);
    }

    #[test]
    fn lu_of_complex(n in 1_usize..24, fortran: bool, values in values()) {
        let a = complex(n, n, fortran, &values) + Array2::<ndarray_linalg::c64>::eye(n) * ndarray_linalg::c64::new(n as f64, 1.0);
        let x = complex(n, 1, false, &values[3..]).remove_axis(ndarray::Axis(1));
        let factors = a.factorize().expect("regular");
        let near = |got: Array1<ndarray_linalg::c64>| got.iter().zip(&x).all(|(a, b)| (a - b).abs() < 10.0 * bound(n));
        prop_assert!(near(factors.solve(&a.dot(&x)).expect("regular")));
        prop_assert!(near(factors.solve_t(&a.t().dot(&x)).expect("regular")));
        prop_assert!(near(factors.solve_h(&adjoint(&a).dot(&x)).expect("regular")));
        prop_assert!(distance(&a.dot(&a.inv().expect("regular")), &Array2::eye(n)) < 10.0 * bound(n));
    }

    #[test]
    fn determinant_is_a_product(n in 1_usize..8, values in values()) {
        let (a, b) = (regular(n, false, &values), regular(n, true, &values[11..]));
        let product: f64 = a.det().expect("det") * b.det().expect("det");
        let joint: f64 = a.dot(&b).det().expect("det");
        prop_assert!((product - joint).abs() < 1e-10 * joint.abs());
    }

    #[test]
    fn cholesky(n in 1_usize..50, fortran: bool, lower: bool, values in values()) {
        let half = matrix(n, n, fortran, &values);
        let mut a = half.dot(&half.t()) + Array2::<f64>::eye(n);
        if fortran {
            a = a.reversed_axes();
        }
        let uplo = if lower { UPLO::Lower } else { UPLO::Upper };
        let f = a.cholesky(uplo).expect("positive definite");
        let product = if lower { f.dot(&f.t()) } else { f.t().dot(&f) };
        prop_assert!(distance(&product, &a) < 10.0 * bound(n));
        let x = Array1::from_iter((0..n).map(|i| (i as f64).cos()));
        prop_assert!(off(&a.solvec(&a.dot(&x)).expect("positive definite"), &x) < 1e-9);
        let factors = a.factorizec(uplo).expect("positive definite");
        prop_assert!(off(&factors.solvec(&a.dot(&x)).expect("positive definite"), &x) < 1e-9);
        prop_assert!(distance(&a.dot(&factors.invc().expect("positive definite")), &Array2::eye(n)) < 1e-9);
    }

    #[test]
    fn cholesky_of_complex(n in 1_usize..24, fortran: bool, lower: bool, values in values()) {
        let half = complex(n, n, fortran, &values);
        let a = half.dot(&adjoint(&half)) + Array2::<ndarray_linalg::c64>::eye(n);
        let uplo = if lower { UPLO::Lower } else { UPLO::Upper };
        let f = a.cholesky(uplo).expect("positive definite");
        let product = if lower { f.dot(&adjoint(&f)) } else { adjoint(&f).dot(&f) };
        prop_assert!(distance(&product, &a) < 10.0 * bound(n));
    }

    #[test]
    fn indefinite(n in 1_usize..30, fortran: bool, values in values()) {
        let half = matrix(n, n, fortran, &values);
        let mut a = &half + &half.t();
        // A zero diagonal forces pivots of two rows.
        a.diag_mut().fill(0.0);
        a[[n - 1, n - 1]] = 1.0;
        if fortran {
            a = a.reversed_axes();
        }
        prop_assume!(gecon(&a) > 1e-5);
        let x = Array1::from_iter((0..n).map(|i| (i as f64).cos()));
        prop_assert!(off(&a.solveh(&a.dot(&x)).expect("regular"), &x) < 1e-8);
        // `invh` of `ndarray-linalg` 0.18 copies to C order and mirrors the wrong triangle: only the owned form is right.
        let inverse = in_fortran_order(&a).factorizeh_into().and_then(InverseHInto::invh_into).expect("regular");
        prop_assert!(distance(&a.dot(&inverse), &Array2::eye(n)) < 1e-8);
        let (by_lu, by_h): (f64, f64) = (a.det().expect("det"), a.deth().expect("det"));
        prop_assert!((by_lu - by_h).abs() < 1e-8 * by_lu.abs());
    }

    #[test]
    fn indefinite_complex(n in 1_usize..16, values in values()) {
        // As owned factors in Fortran order: in C order `ndarray-linalg` 0.18 solves with the conjugate.
        let half = complex(n, n, true, &values);
        let a = &half + &adjoint(&half);
        prop_assume!(a.inv().is_ok_and(|it| it.opnorm_one().expect("norm") < 1e4));
        let x = complex(n, 1, false, &values[3..]).remove_axis(ndarray::Axis(1));
        let factors = in_fortran_order(&a).factorizeh_into().expect("regular");
        let got = factors.solveh(&a.dot(&x)).expect("regular");
        prop_assert!(got.iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-8));
        prop_assert!(distance(&a.dot(&factors.invh_into().expect("regular")), &Array2::eye(n)) < 1e-8);
    }

    #[test]
    fn qr(m in 1_usize..80, n in 1_usize..80, fortran: bool, values in values()) {
        check_qr(&matrix(m, n, fortran, &values));
    }

    #[test]
    fn qr_of_complex(m in 1_usize..40, n in 1_usize..40, fortran: bool, values in values()) {
        check_qr(&complex(m, n, fortran, &values));
    }

    #[test]
    fn triangular(n in 1_usize..40, fortran: bool, lower: bool, unit: bool, values in values()) {
        // The other triangle holds junk that must not be read.
        let a = regular(n, fortran, &values);
        let mut t = a.clone();
        t.indexed_iter_mut().for_each(|((i, j), it)| {
            if (lower && j > i) || (!lower && i > j) { *it = 0.0 }
            if unit { *it = if i == j { 1.0 } else { *it / n as f64 } }
        });
        let stored = if unit { &a / n as f64 } else { a };
        let b = matrix(n, 3, fortran, &values[5..]);
        let (uplo, diag) = (if lower { UPLO::Lower } else { UPLO::Upper }, if unit { Diag::Unit } else { Diag::NonUnit });
        let x = stored.solve_triangular(uplo, diag, &b).expect("regular");
        prop_assert!(distance(&t.dot(&x), &b) < 1e-9);
    }

    #[test]
    fn norms(m in 1_usize..20, n in 1_usize..20, fortran: bool, values in values()) {
        let a = matrix(m, n, fortran, &values);
        let sums = |axis| a.mapv(f64::abs).sum_axis(ndarray::Axis(axis)).into_iter().fold(0.0, f64::max);
        prop_assert!((a.opnorm_one().expect("norm") - sums(0)).abs() < bound(m));
        prop_assert!((a.opnorm_inf().expect("norm") - sums(1)).abs() < bound(n));
        prop_assert!((a.opnorm_fro().expect("norm") - a.iter().map(|it| it * it).sum::<f64>().sqrt()).abs() < bound(m * n));
    }
}

#[test]
fn larger_matrices_take_the_blocked_path() {
    let a = matrix(300, 300, false, &fixed(90_001));
    let x = Array1::from_iter((0..300).map(|i| f64::from(i).cos()));
    assert!(off(&a.solve(&a.dot(&x)).expect("regular"), &x) < 1e-8);
    check_qr(&matrix(200, 150, true, &fixed(30_011)));
    check_qr(&matrix(150, 200, false, &fixed(30_011)));
    let positive = a.dot(&a.t()) + Array2::<f64>::eye(300);
    let l = positive.cholesky(UPLO::Lower).expect("positive definite");
    assert!(distance(&l.dot(&l.t()), &positive) < 1e-10);
}

#[test]
fn singular_matrices_are_refused() {
    // Exact in binary whichever way it is eliminated.
    let a = array![[4.0, 8.0, 4.0], [2.0, 4.0, 2.0], [1.0, 0.0, 1.0]];
    assert!(a.inv().is_err());
    assert!(a.solve(&array![1.0, 1.0, 1.0]).is_err());
    assert_eq!(a.det().expect("zero is a determinant"), 0.0);
    assert!(Array2::<f64>::zeros((3, 3)).inv().is_err());
    let triangular = array![[1.0, 2.0], [0.0, 0.0]];
    assert!(triangular.solve_triangular(UPLO::Upper, Diag::NonUnit, &array![1.0, 1.0]).is_err());
}

#[test]
fn not_positive_definite_is_refused() {
    assert!(array![[1.0, 2.0], [2.0, 1.0]].cholesky(UPLO::Lower).is_err());
    assert!(array![[0.0, 0.0], [0.0, 1.0]].cholesky(UPLO::Upper).is_err());
    assert!(array![[f64::NAN, 0.0], [0.0, 1.0]].cholesky(UPLO::Upper).is_err());
    assert!((Array2::<f64>::eye(100) * -1.0).cholesky_into(UPLO::Lower).is_err());
}

#[test]
fn of_one() {
    let one = array![[4.0]];
    assert_eq!(one.cholesky(UPLO::Lower).expect("positive")[[0, 0]], 2.0);
    assert_eq!(one.inv().expect("regular")[[0, 0]], 0.25);
    assert_eq!(one.solve(&array![8.0]).expect("regular")[0], 2.0);
    check_qr(&one);
}

#[test]
fn tridiagonal() {
    use ndarray_linalg::{ExtractTridiagonal, ReciprocalConditionNumTridiagonal, SolveTridiagonal};
    let n = 12;
    let dense = Array2::from_shape_fn((n, n), |(i, j)| match i.abs_diff(j) {
        0 => 0.3 + (i as f64).sin(),
        1 => 1.0 + 0.1 * (i + 2 * j) as f64,
        _ => 0.0,
    });
    let x = Array1::from_iter((0..n).map(|i| (i as f64).cos()));
    let band = dense.extract_tridiagonal().expect("square");
    assert!(off(&band.solve_tridiagonal(&dense.dot(&x)).expect("regular"), &x) < 1e-10);
    assert!(off(&band.solve_t_tridiagonal(&dense.t().dot(&x)).expect("regular"), &x) < 1e-10);
    let (got, want): (f64, f64) = (dense.rcond_tridiagonal().expect("regular"), gecon(&dense));
    assert!((got - want).abs() < 1e-9 * want);
}
