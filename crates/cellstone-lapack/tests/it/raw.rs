//! What only a direct call can show: argument checks, workspace queries, `info`, strides, and the `O` jobs.

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

fn c(letter: u8) -> c_char {
    letter as c_char
}

fn syev(jobz: u8, uplo: u8, n: c_int, a: *mut f64, lda: c_int, w: *mut f64, lwork: c_int) -> (c_int, f64) {
    let (mut work, mut info) = ([0.0; 4], 99);
    // SAFETY: every caller below passes arrays of the stated sizes, or null where the call ends before it reads them.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dsyev_(&c(jobz), &c(uplo), &n, a, &lda, w, work.as_mut_ptr(), &lwork, &mut info);
    }
    (info, work[0])
}

#[test]
fn arguments_are_checked_in_order() {
    let check = |jobz, uplo, n, lda, lwork, want: c_int| {
        let (info, _) = syev(jobz, uplo, n, null_mut(), lda, null_mut(), lwork);
        assert_eq!(info, want);
    };
    check(b'X', b'L', 2, 2, 4, -1);
    check(b'N', b'X', 2, 2, 4, -2);
    check(b'N', b'L', -1, 2, 4, -3);
    check(b'N', b'L', 2, 1, 4, -5);
    check(b'N', b'L', 2, 2, 0, -8);
    check(b'n', b'l', 0, 1, 4, 0);
}

#[test]
fn a_query_answers_without_touching_the_matrix() {
    assert_eq!(syev(b'V', b'U', 1000, null_mut(), 1000, null_mut(), -1), (0, 1.0));
}

#[test]
fn a_leading_dimension_beyond_the_rows_is_respected() {
    let mut a = [2.0, 1.0, 77.0, 0.0, 2.0, 77.0];
    let mut w = [0.0; 2];
    let (info, _) = syev(b'V', b'L', 2, a.as_mut_ptr(), 3, w.as_mut_ptr(), 4);
    assert_eq!((info, a[2], a[5]), (0, 77.0, 77.0));
    assert!((w[0] - 1.0).abs() < 1e-14 && (w[1] - 3.0).abs() < 1e-14);
}

#[test]
fn singular_and_indefinite_say_where() {
    let (mut info, mut pivots) = (99, [0_i32; 3]);
    let mut a = [1.0, 2.0, 0.0, 2.0, 4.0, 0.0, 1.0, 5.0, 3.0];
    // SAFETY: a 3 by 3 matrix and three pivots.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dgetrf_(&3, &3, a.as_mut_ptr(), &3, pivots.as_mut_ptr(), &mut info);
    }
    assert_eq!(info, 2);
    assert!(a.iter().all(|it| it.is_finite()), "the factor goes on past a zero pivot: {a:?}");
    assert_eq!(pivots[0], 2);
    let mut b = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0];
    // SAFETY: a 3 by 3 matrix.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dpotrf_(&c(b'L'), &3, b.as_mut_ptr(), &3, &mut info);
    }
    assert_eq!(info, 3);
    let indices = [4_i32, 1, 1];
    let mut rhs = [1.0; 3];
    // SAFETY: sizes as stated; the pivot 4 is out of range on purpose.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dgetrs_(&c(b'N'), &3, &1, a.as_ptr(), &3, indices.as_ptr(), rhs.as_mut_ptr(), &3, &mut info);
    }
    assert_eq!(info, -6);
}

#[test]
fn rectangular_lu_rebuilds_its_matrix() {
    for (m, n) in [(5, 3), (3, 5), (40, 22), (22, 40)] {
        let original: Vec<f64> = crate::support::fixed(m * n);
        let (mut a, mut pivots, mut info) = (original.clone(), vec![0_i32; m.min(n)], 99);
        let (rows, cols) = (m as c_int, n as c_int);
        // SAFETY: an m by n matrix and min(m, n) pivots.
        #[expect(unsafe_code, reason = "a foreign function is under test")]
        unsafe {
            lapack_sys::dgetrf_(&rows, &cols, a.as_mut_ptr(), &rows, pivots.as_mut_ptr(), &mut info);
        }
        assert_eq!(info, 0);
        let mut product = vec![0.0; m * n];
        for j in 0..n {
            for i in 0..m {
                for l in 0..=i.min(j).min(m.min(n) - 1) {
                    let lower = if l == i { 1.0 } else { a[i + l * m] };
                    product[i + j * m] += lower * a[l + j * m];
                }
            }
        }
        for (i, p) in pivots.iter().enumerate().rev() {
            (0..n).for_each(|j| product.swap(i + j * m, *p as usize - 1 + j * m));
        }
        assert!(product.iter().zip(&original).all(|(a, b)| (a - b).abs() < 1e-12), "{m} x {n}");
    }
}

#[test]
fn overwriting_jobs_put_vectors_into_the_matrix() {
    // 3 by 2, job O: U overwrites A, Vᵀ goes to its own array.
    let original = [1.0, 2.0, 3.0, -1.0, 0.5, 2.0];
    let (mut a, mut s, mut vt, mut u, mut work, mut iwork, mut info) =
        (original, [0.0; 2], [0.0; 4], [0.0; 1], [0.0; 1], [0_i32; 16], 99);
    // SAFETY: sizes as LAPACK states them for job O with m >= n; `u` is not referenced.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dgesdd_(
            &c(b'O'),
            &3,
            &2,
            a.as_mut_ptr(),
            &3,
            s.as_mut_ptr(),
            u.as_mut_ptr(),
            &1,
            vt.as_mut_ptr(),
            &2,
            work.as_mut_ptr(),
            &1,
            iwork.as_mut_ptr(),
            &mut info,
        );
    }
    assert_eq!(info, 0);
    for j in 0..2 {
        for i in 0..3 {
            let value: f64 = (0..2).map(|l| a[i + 3 * l] * s[l] * vt[l + 2 * j]).sum();
            assert!((value - original[i + 3 * j]).abs() < 1e-13);
        }
    }
}

#[test]
fn divide_and_conquer_driver_agrees() {
    let (mut a, mut w, mut work, mut iwork, mut info) = ([2.0, 1.0, 0.0, 2.0], [0.0; 2], [0.0; 1], [0_i32; 1], 99);
    // SAFETY: a 2 by 2 matrix, two eigenvalues, and workspaces of the length that a query answers.
    #[expect(unsafe_code, reason = "a foreign function is under test")]
    unsafe {
        lapack_sys::dsyevd_(
            &c(b'V'),
            &c(b'L'),
            &2,
            a.as_mut_ptr(),
            &2,
            w.as_mut_ptr(),
            work.as_mut_ptr(),
            &1,
            iwork.as_mut_ptr(),
            &1,
            &mut info,
        );
    }
    assert_eq!(info, 0);
    assert!((w[0] - 1.0).abs() < 1e-14 && (w[1] - 3.0).abs() < 1e-14);
}
