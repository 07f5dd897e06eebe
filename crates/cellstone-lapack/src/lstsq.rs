//! Minimum-norm least squares by singular values: `gelsd`.

use crate::ffi::{int, is_short, put, view, view_mut, workspace};
use crate::scalar::{Scalar, adjoint, gemm, zeros};
use crate::svd::{Wanted, decompose};
use faer::{c32, c64};
use std::ffi::c_int;

/// # Safety
/// LAPACK's contract for `gelsd`.
unsafe fn gelsd<T: Scalar>(
    m: *const c_int,
    n: *const c_int,
    nrhs: *const c_int,
    a: *mut T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
    s: *mut T::R,
    rcond: *const T::R,
    rank: *mut c_int,
    work: *mut T,
    lwork: *const c_int,
    iwork: *mut c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (m, n, nrhs) = unsafe { (int(m), int(n), int(nrhs)) };
    // SAFETY: as above.
    let (lda, ldb) = unsafe { (int(lda), int(ldb)) };
    match () {
        () if m < 0 => return -1,
        () if n < 0 => return -2,
        () if nrhs < 0 => return -3,
        () if is_short(lda, m) => return -5,
        // Not `max(m, n)` on a query: bindings ask before they have padded the right-hand side.
        () if is_short(ldb, m) => return -7,
        () => {}
    }
    // SAFETY: `work` and `iwork` have at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 12) } {
        // SAFETY: as above; LAPACK reports the needed length there.
        unsafe { iwork.write(1) };
        return info;
    }
    if is_short(ldb, m.max(n)) {
        return -7;
    }
    // SAFETY: `a` holds n columns of m elements by contract; the right-hand side holds nrhs columns of max(m, n).
    let (a, mut b) = unsafe { (view(a, m, n, lda), view_mut(b, m.max(n), nrhs, ldb)) };
    let Some(svd) = decompose(a, Wanted::Thin, Wanted::Thin) else { return 1 };
    // SAFETY: `s` holds min(m, n) elements by contract.
    unsafe { put(s, &svd.s) };
    // SAFETY: `rcond` points to one number by contract.
    let rcond = unsafe { *rcond };
    let tolerance = if rcond < T::R::zero() { T::R::of(T::EPS) } else { rcond };
    let largest = svd.s.first().copied().unwrap_or(T::R::zero());
    let kept = svd.s.iter().take_while(|it| **it > tolerance * largest).count();
    // SAFETY: `rank` points to one writable integer by contract.
    unsafe { rank.write(kept as c_int) };
    let (Some(u), Some(v)) = (svd.u, svd.v) else { return 1 };
    let (rows, cols) = (m as usize, nrhs as usize);
    let mut c = zeros(kept, cols);
    gemm(c.as_mut(), false, adjoint(u.as_ref().subcols(0, kept)).as_ref(), b.as_ref().subrows(0, rows), 1.0);
    for j in 0..cols {
        for i in 0..kept {
            c[(i, j)] /= T::of_real(svd.s[i]);
        }
    }
    gemm(b.as_mut().subrows_mut(0, n as usize), false, v.as_ref().subcols(0, kept), c.as_ref(), 1.0);
    0
}

export! {
    (m: *const c_int, n: *const c_int, nrhs: *const c_int, a: *mut T, lda: *const c_int, b: *mut T, ldb: *const c_int,
     s: *mut R, rcond: *const R, rank: *mut c_int, work: *mut T, lwork: *const c_int, iwork: *mut c_int)
    => gelsd(m, n, nrhs, a, lda, b, ldb, s, rcond, rank, work, lwork, iwork);
    sgelsd_: f32; dgelsd_: f64
}

/// # Safety
/// LAPACK's contract for the complex `gelsd`.
unsafe fn gelsd_complex<T: Scalar>(
    m: *const c_int,
    n: *const c_int,
    nrhs: *const c_int,
    a: *mut T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
    s: *mut T::R,
    rcond: *const T::R,
    rank: *mut c_int,
    work: *mut T,
    lwork: *const c_int,
    rwork: *mut T::R,
    iwork: *mut c_int,
) -> c_int {
    // SAFETY: `rwork` has at least one element by contract, and LAPACK reports the needed length there.
    unsafe { rwork.write(T::R::one()) };
    // SAFETY: the same contract.
    unsafe { gelsd(m, n, nrhs, a, lda, b, ldb, s, rcond, rank, work, lwork, iwork) }
}

export! {
    (m: *const c_int, n: *const c_int, nrhs: *const c_int, a: *mut T, lda: *const c_int, b: *mut T, ldb: *const c_int,
     s: *mut R, rcond: *const R, rank: *mut c_int, work: *mut T, lwork: *const c_int, rwork: *mut R, iwork: *mut c_int)
    => gelsd_complex(m, n, nrhs, a, lda, b, ldb, s, rcond, rank, work, lwork, rwork, iwork);
    cgelsd_: c32; zgelsd_: c64
}
