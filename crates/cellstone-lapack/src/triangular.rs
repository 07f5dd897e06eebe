//! Triangular systems: `trtrs`, and the solver that the other routines share.

use crate::ffi::{int, is_short, letter, view, view_mut};
use crate::scalar::{PAR, Scalar};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place_with_conj, solve_unit_lower_triangular_in_place_with_conj,
    solve_unit_upper_triangular_in_place_with_conj, solve_upper_triangular_in_place_with_conj,
};
use faer::{Conj, MatMut, MatRef, c32, c64};
use std::ffi::{c_char, c_int};

/// Solves `op(a) x = b` in place for the given triangle of `a`; `trans` is `N`, `T` or `C`.
pub(crate) fn solve<T: Scalar>(upper: bool, trans: u8, unit: bool, a: MatRef<'_, T>, b: MatMut<'_, T>) {
    let conj = if trans == b'C' { Conj::Yes } else { Conj::No };
    let (upper, a) = if trans == b'N' { (upper, a) } else { (!upper, a.transpose()) };
    match (upper, unit) {
        (true, false) => solve_upper_triangular_in_place_with_conj(a, conj, b, PAR),
        (true, true) => solve_unit_upper_triangular_in_place_with_conj(a, conj, b, PAR),
        (false, false) => solve_lower_triangular_in_place_with_conj(a, conj, b, PAR),
        (false, true) => solve_unit_lower_triangular_in_place_with_conj(a, conj, b, PAR),
    }
}

/// The first zero on the diagonal, counted from 1; 0 if there is none.
pub(crate) fn first_zero<T: Scalar>(a: MatRef<'_, T>) -> c_int {
    let n = a.nrows().min(a.ncols());
    (0..n).find(|&i| a[(i, i)].is_null()).map_or(0, |i| i as c_int + 1)
}

/// # Safety
/// LAPACK's contract for `trtrs`.
unsafe fn trtrs<T: Scalar>(
    uplo: *const c_char,
    trans: *const c_char,
    diag: *const c_char,
    n: *const c_int,
    nrhs: *const c_int,
    a: *const T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (uplo, trans, diag, n) = unsafe { (letter(uplo), letter(trans), letter(diag), int(n)) };
    // SAFETY: as above.
    let (nrhs, lda, ldb) = unsafe { (int(nrhs), int(lda), int(ldb)) };
    match () {
        () if !matches!(uplo, b'U' | b'L') => return -1,
        () if !matches!(trans, b'N' | b'T' | b'C') => return -2,
        () if !matches!(diag, b'U' | b'N') => return -3,
        () if n < 0 => return -4,
        () if nrhs < 0 => return -5,
        () if is_short(lda, n) => return -7,
        () if is_short(ldb, n) => return -9,
        () => {}
    }
    // SAFETY: `a` holds n columns of n elements and `b` nrhs columns of n, by contract, without overlap.
    let (a, b) = unsafe { (view(a, n, n, lda), view_mut(b, n, nrhs, ldb)) };
    let unit = diag == b'U';
    let zero = if unit { 0 } else { first_zero(a) };
    if zero == 0 {
        solve(uplo == b'U', trans, unit, a, b);
    }
    zero
}

export! {
    (uplo: *const c_char, trans: *const c_char, diag: *const c_char, n: *const c_int, nrhs: *const c_int, a: *const T,
     lda: *const c_int, b: *mut T, ldb: *const c_int)
    => trtrs(uplo, trans, diag, n, nrhs, a, lda, b, ldb);
    strtrs_: f32; dtrtrs_: f64; ctrtrs_: c32; ztrtrs_: c64
}
