//! Singular values and least squares.

use crate::support::{adjoint, bound, complex, distance, fixed, matrix, skew, values};
use ndarray::{Array2, array, s};
use ndarray_linalg::{Inverse, JobSvd, Lapack, LeastSquaresSvd, SVD, SVDDC, Scalar};
use proptest::prelude::*;

fn check_svd<T: Scalar<Real = f64> + Lapack + ndarray::LinalgScalar>(a: &Array2<T>) {
    let (m, n) = a.dim();
    let (k, limit) = (m.min(n), bound(m.max(n)));
    let (u, sigma, vt) = a.svddc(JobSvd::Some).expect("converges");
    let (u, vt) = (u.expect("asked for"), vt.expect("asked for"));
    assert_eq!((u.dim(), vt.dim()), ((m, k), (k, n)));
    assert!(distance(&(&u * &sigma.mapv(T::from_real)).dot(&vt), a) < limit, "thin residual {m} x {n}");
    assert!(skew(&u) < limit && skew(&adjoint(&vt)) < limit);
    assert!(sigma.windows(2).into_iter().all(|it| it[0] >= it[1]) && sigma.iter().all(|it| *it >= 0.0));
    let (full_u, full_s, full_vt) = a.svd(true, true).expect("converges");
    let (full_u, full_vt) = (full_u.expect("asked for"), full_vt.expect("asked for"));
    assert_eq!((full_u.dim(), full_vt.dim()), ((m, m), (n, n)));
    assert!(skew(&full_u) < limit && skew(&adjoint(&full_vt)) < limit);
    let product = (&full_u.slice(s![.., ..k]) * &full_s.mapv(T::from_real)).dot(&full_vt.slice(s![..k, ..]));
    assert!(distance(&product, a) < limit, "full residual {m} x {n}");
    let (none, values, _) = a.svddc(JobSvd::None).expect("converges");
    assert!(none.is_none() && values.iter().zip(&sigma).all(|(a, b)| (a - b).abs() < limit));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn real(m in 1_usize..40, n in 1_usize..40, fortran: bool, values in values()) {
        check_svd(&matrix(m, n, fortran, &values));
    }

    #[test]
    fn of_complex(m in 1_usize..20, n in 1_usize..20, fortran: bool, values in values()) {
        check_svd(&complex(m, n, fortran, &values));
    }

    #[test]
    fn deficient(m in 1_usize..30, n in 1_usize..30, rank in 0_usize..4, fortran: bool, values in values()) {
        let a = matrix(m, rank, fortran, &values).dot(&matrix(rank, n, fortran, &values[10..]));
        check_svd(&a);
    }

    #[test]
    fn least_squares(m in 1_usize..30, n in 1_usize..30, fortran: bool, values in values()) {
        let a = matrix(m, n, fortran, &values) + Array2::<f64>::eye(m.max(n)).slice(s![..m, ..n]);
        let b = matrix(m, 3, fortran, &values[7..]);
        let result = a.least_squares(&b).expect("converges");
        let x = &result.solution;
        // The residual is orthogonal to the range, and the solution lies in the row space.
        prop_assert!(a.t().dot(&(a.dot(x) - &b)).iter().all(|it| it.abs() < 1e-9));
        prop_assert_eq!(result.rank as usize, m.min(n));
        let (_, _, vt) = a.svddc(JobSvd::Some).expect("converges");
        let v = vt.expect("asked for").reversed_axes();
        prop_assert!(distance(&v.dot(&v.t().dot(x)), x) < 1e-8);
    }
}

#[test]
fn shapes_that_take_other_paths() {
    check_svd(&matrix(300, 20, true, &fixed(10_007)));
    check_svd(&matrix(20, 300, false, &fixed(10_007)));
    check_svd(&matrix(150, 140, false, &fixed(30_011)));
    // Tall with dependent columns: the triangular factor has zeros on its diagonal.
    let tall = matrix(90, 2, false, &fixed(181));
    check_svd(&ndarray::concatenate![ndarray::Axis(1), tall, tall, Array2::<f64>::zeros((90, 5)), tall]);
    check_svd(&Array2::<f64>::zeros((7, 3)));
    check_svd(&Array2::<f64>::eye(130));
}

#[test]
fn small_singular_values_are_accurate() {
    // Orthogonal factors around a known spectrum over twelve decades.
    let q = |n: usize, seed: usize| {
        let a = matrix(n, n, false, &fixed(997)[seed..]);
        ndarray_linalg::QR::qr(&a).expect("factors").0
    };
    let spectrum = ndarray::Array1::from_iter((0..12).map(|i| 10.0_f64.powi(-i)));
    let a = (&q(40, 1).slice(s![.., ..12]) * &spectrum).dot(&q(12, 5).t());
    let (_, sigma, _) = a.svddc(JobSvd::Some).expect("converges");
    assert!(sigma.iter().zip(&spectrum).all(|(got, want)| (got - want).abs() < 1e-14), "{sigma}");
}

#[test]
fn rank_deficient_least_squares_has_minimum_norm() {
    let a = array![[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]];
    let result = a.least_squares(&array![1.0, 1.0, 2.0]).expect("converges");
    assert_eq!(result.rank, 1);
    assert!(result.solution.iter().all(|it: &f64| (it - 0.5).abs() < 1e-14));
}

#[test]
fn scaled_and_not_finite() {
    for factor in [1e-300, 1e300] {
        let a: Array2<f64> = array![[3.0, 0.0], [0.0, 4.0]] * factor;
        let (_, sigma, _) = a.svd(true, true).expect("converges");
        assert!((sigma[0] / factor - 4.0).abs() < 1e-13 && (sigma[1] / factor - 3.0).abs() < 1e-13);
    }
    assert!(array![[f64::NAN, 1.0], [0.0, 1.0]].svd(true, true).is_err());
    let single = array![[3.0_f32, 0.0, 0.0], [0.0, 4.0, 0.0]].svd(true, true).expect("converges").1;
    assert!((single[0] - 4.0).abs() < 1e-6);
}

#[test]
fn the_number_of_threads_moves_no_bit() {
    let a = matrix(260, 250, false, &fixed(65_003));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let (u, s, vt) = a.svddc(JobSvd::Some).expect("converges");
            let inverse = a.slice(s![..250, ..]).to_owned().inv().expect("regular");
            let (values, vectors) =
                ndarray_linalg::Eigh::eigh(&a.t().dot(&a), ndarray_linalg::UPLO::Lower).expect("converges");
            let parts = [u.expect("u"), vt.expect("vt"), inverse, vectors];
            let bits = parts.iter().flatten().chain(&s).chain(&values).map(|it| it.to_bits());
            bits.collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}
