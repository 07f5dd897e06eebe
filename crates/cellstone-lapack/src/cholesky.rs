//! Positive definite matrices: `potrf`, `potrs`, `potri`.

use crate::ffi::{int, is_short, letter, view, view_mut};
use crate::scalar::{PAR, Scalar, adjoint, gemm, lower_of, store_lower, zeros};
use crate::triangular::{first_zero, solve};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{LltError, LltRegularization, cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{MatMut, c32, c64};
use std::ffi::{c_char, c_int};

/// Factors a lower triangle in place; the order of the first minor that is not positive definite, or 0.
pub(crate) fn factor<T: Scalar>(mut a: MatMut<'_, T>) -> c_int {
    let n = a.nrows();
    if n == 0 {
        return 0;
    }
    let mut memory = MemBuffer::new(cholesky_in_place_scratch::<T>(n, PAR, faer::Spec::default()));
    let stack = MemStack::new(&mut memory);
    match cholesky_in_place(a.as_mut(), LltRegularization::default(), PAR, stack, faer::Spec::default()) {
        Ok(_) => (0..n).find(|&i| !a[(i, i)].modulus().is_finite()).map_or(0, |i| i as c_int + 1),
        Err(LltError::NonPositivePivot { index }) => index as c_int + 1,
    }
}

/// # Safety
/// LAPACK's contract for `potrf`.
unsafe fn potrf<T: Scalar>(uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (uplo, n, lda) = unsafe { (letter(uplo), int(n), int(lda)) };
    match () {
        () if !matches!(uplo, b'U' | b'L') => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, n) => return -4,
        () => {}
    }
    // SAFETY: `a` holds n columns of n elements by contract.
    let a = unsafe { view_mut(a, n, n, lda) };
    let mut lower = lower_of(uplo == b'U', a.as_ref());
    let info = factor(lower.as_mut());
    store_lower(uplo == b'U', a, lower.as_ref());
    info
}

export! {
    (uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int) => potrf(uplo, n, a, lda);
    spotrf_: f32; dpotrf_: f64; cpotrf_: c32; zpotrf_: c64
}

/// # Safety
/// LAPACK's contract for `potrs`.
unsafe fn potrs<T: Scalar>(
    uplo: *const c_char,
    n: *const c_int,
    nrhs: *const c_int,
    a: *const T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (uplo, n, nrhs) = unsafe { (letter(uplo), int(n), int(nrhs)) };
    // SAFETY: as above.
    let (lda, ldb) = unsafe { (int(lda), int(ldb)) };
    match () {
        () if !matches!(uplo, b'U' | b'L') => return -1,
        () if n < 0 => return -2,
        () if nrhs < 0 => return -3,
        () if is_short(lda, n) => return -5,
        () if is_short(ldb, n) => return -7,
        () => {}
    }
    // SAFETY: `a` holds n columns of n elements and `b` nrhs columns of n, by contract, without overlap.
    let (a, mut b) = unsafe { (view(a, n, n, lda), view_mut(b, n, nrhs, ldb)) };
    let upper = uplo == b'U';
    let order = if upper { [b'C', b'N'] } else { [b'N', b'C'] };
    for trans in order {
        solve(upper, trans, false, a, b.as_mut());
    }
    0
}

export! {
    (uplo: *const c_char, n: *const c_int, nrhs: *const c_int, a: *const T, lda: *const c_int, b: *mut T,
     ldb: *const c_int)
    => potrs(uplo, n, nrhs, a, lda, b, ldb);
    spotrs_: f32; dpotrs_: f64; cpotrs_: c32; zpotrs_: c64
}

/// # Safety
/// LAPACK's contract for `potri`.
unsafe fn potri<T: Scalar>(uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (uplo, n, lda) = unsafe { (letter(uplo), int(n), int(lda)) };
    match () {
        () if !matches!(uplo, b'U' | b'L') => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, n) => return -4,
        () => {}
    }
    // SAFETY: `a` holds n columns of n elements by contract.
    let a = unsafe { view_mut(a, n, n, lda) };
    let zero = first_zero(a.as_ref());
    if zero != 0 {
        return zero;
    }
    let l = lower_of(uplo == b'U', a.as_ref());
    let mut inverse = zeros::<T>(n as usize, n as usize);
    invert_lower_triangular(inverse.as_mut(), l.as_ref(), PAR);
    let mut product = zeros(n as usize, n as usize);
    gemm(product.as_mut(), false, adjoint(inverse.as_ref()).as_ref(), inverse.as_ref(), 1.0);
    store_lower(uplo == b'U', a, product.as_ref());
    0
}

export! {
    (uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int) => potri(uplo, n, a, lda);
    spotri_: f32; dpotri_: f64; cpotri_: c32; zpotri_: c64
}
