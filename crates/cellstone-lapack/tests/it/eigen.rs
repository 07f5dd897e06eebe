//! Eigenvalues: standard, generalised, real and complex.

use crate::support::{adjoint, bound, complex, distance, fixed, matrix, skew, values};
use ndarray::{Array1, Array2, ShapeBuilder, array};
use ndarray_linalg::{Eig, EigVals, EigValsh, Eigh, Scalar, UPLO, c64};
use proptest::prelude::*;

fn check_eigh<T>(a: &Array2<T>, uplo: UPLO) -> (Array1<f64>, Array2<T>)
where
    T: Scalar<Real = f64> + ndarray_linalg::Lapack + ndarray::LinalgScalar,
{
    let n = a.nrows();
    let (values, vectors) = a.eigh(uplo).expect("converges");
    let scaled = &vectors * &values.mapv(T::from_real);
    assert!(distance(&a.dot(&vectors), &scaled) < bound(n), "residual at n = {n}");
    assert!(skew(&vectors) < bound(n), "orthogonality at n = {n}");
    assert!(values.windows(2).into_iter().all(|it| it[0] <= it[1]), "ascending");
    let alone = a.eigvalsh(uplo).expect("converges");
    assert!(values.iter().zip(&alone).all(|(a, b)| (a - b).abs() < bound(n)));
    (values, vectors)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn symmetric(n in 1_usize..40, fortran: bool, lower: bool, values in values()) {
        let half = matrix(n, n, fortran, &values);
        let full = &half + &half.t();
        let uplo = if lower { UPLO::Lower } else { UPLO::Upper };
        let (expected, _) = check_eigh(&full, uplo);
        // Only the named triangle may be read.
        // `ndarray-linalg` reads a C-ordered matrix as its transpose.
        let below = lower == fortran;
        let mut spoiled = Array2::zeros((n, n).set_f(fortran));
        spoiled.assign(&full);
        spoiled.indexed_iter_mut().filter(|((i, j), _)| if below { j > i } else { i > j }).for_each(|(_, it)| *it = 7.0);
        let (got, _) = spoiled.eigh(uplo).expect("converges");
        prop_assert!(expected.iter().zip(&got).all(|(a, b)| (a - b).abs() < bound(n)));
    }

    #[test]
    fn hermitian(n in 1_usize..24, lower: bool, values in values()) {
        // In Fortran order only: in C order `ndarray-linalg` 0.18 hands back the conjugate vectors.
        let half = complex(n, n, true, &values);
        let mut full = Array2::zeros((n, n).f());
        full.assign(&(&half + &adjoint(&half)));
        check_eigh(&full, if lower { UPLO::Lower } else { UPLO::Upper });
    }

    #[test]
    fn generalized(n in 1_usize..20, lower: bool, values in values()) {
        let half = matrix(n, n, false, &values);
        let a = &half + &half.t();
        let b = half.dot(&half.t()) + Array2::<f64>::eye(n);
        let uplo = if lower { UPLO::Lower } else { UPLO::Upper };
        let (eigenvalues, (vectors, _)) = (a.clone(), b.clone()).eigh(uplo).expect("converges");
        let residual = distance(&a.dot(&vectors), &(b.dot(&vectors) * &eigenvalues));
        prop_assert!(residual < 100.0 * bound(n), "{residual}");
        prop_assert!(distance(&vectors.t().dot(&b).dot(&vectors), &Array2::eye(n)) < 100.0 * bound(n));
    }

    #[test]
    fn general(n in 1_usize..20, fortran: bool, values in values()) {
        let a = matrix(n, n, fortran, &values);
        let (eigenvalues, vectors) = a.eig().expect("converges");
        let wide = a.mapv(|it| c64::new(it, 0.0));
        prop_assert!(distance(&wide.dot(&vectors), &(&vectors * &eigenvalues)) < 100.0 * bound(n));
        for column in vectors.columns() {
            prop_assert!((column.iter().map(|it| it.square()).sum::<f64>() - 1.0).abs() < bound(n));
        }
        let trace: c64 = eigenvalues.sum();
        prop_assert!((trace - wide.diag().sum()).abs() < 100.0 * bound(n));
        prop_assert_eq!(a.eigvals().expect("converges").len(), n);
    }

    #[test]
    fn general_complex(n in 1_usize..16, fortran: bool, values in values()) {
        let a = complex(n, n, fortran, &values);
        let (eigenvalues, vectors) = a.eig().expect("converges");
        prop_assert!(distance(&a.dot(&vectors), &(&vectors * &eigenvalues)) < 100.0 * bound(n));
    }
}

#[test]
fn larger_matrices_take_the_blocked_path() {
    let half = matrix(200, 200, false, &fixed(40_009));
    check_eigh(&(&half + &half.t()), UPLO::Upper);
    check_eigh(&Array2::<f64>::eye(150), UPLO::Lower);
    check_eigh(&Array2::<f64>::zeros((90, 90)), UPLO::Lower);
}

#[test]
fn known_values() {
    let (values, _) = check_eigh(&array![[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]], UPLO::Lower);
    let root = 2.0_f64.sqrt();
    for (got, want) in values.iter().zip([2.0 - root, 2.0, 2.0 + root]) {
        assert!((got - want).abs() < 1e-14);
    }
    let single = array![[2.0_f32, 1.0], [1.0, 2.0]].eigh(UPLO::Lower).expect("converges").0;
    assert!((single[0] - 1.0).abs() < 1e-6 && (single[1] - 3.0).abs() < 1e-6);
}

#[test]
fn huge_and_tiny_matrices_are_scaled() {
    for factor in [1e-300, 1e-160, 1e160, 1e300] {
        let a: Array2<f64> = array![[2.0, 1.0], [1.0, 2.0]] * factor;
        let (values, _) = a.eigh(UPLO::Lower).expect("converges");
        assert!((values[0] / factor - 1.0).abs() < 1e-13 && (values[1] / factor - 3.0).abs() < 1e-13, "{values}");
    }
}

#[test]
fn not_finite_and_indefinite() {
    assert!(array![[f64::NAN, 0.0], [0.0, 1.0]].eigh(UPLO::Lower).is_err());
    assert!(array![[f64::INFINITY, 0.0], [0.0, 1.0]].eigh(UPLO::Lower).is_err());
    let indefinite = array![[1.0, 0.0], [0.0, -1.0]];
    assert!((Array2::<f64>::eye(2), indefinite).eigh(UPLO::Lower).is_err());
}
