//! Gaussian elimination with row interchanges: `getrf`, `getrs`, `getri`, `gecon`.

use crate::ffi::{int, is_short, letter, put, take, view, view_mut, workspace};
use crate::norm::{Norm, norm};
use crate::scalar::{PAR, Scalar, copy, zeros};
use crate::triangular::{first_zero, solve};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::lu::partial_pivoting::factor::{lu_in_place, lu_in_place_scratch};
use faer::linalg::triangular_inverse::{invert_unit_lower_triangular, invert_upper_triangular};
use faer::{Mat, MatMut, MatRef, c32, c64};
use std::ffi::{c_char, c_int};

/// Factors in place; the interchanges, counted from 1, and the index of the first zero pivot, or 0.
fn factor<T: Scalar>(mut a: MatMut<'_, T>) -> (Vec<c_int>, c_int) {
    let (m, n) = (a.nrows(), a.ncols());
    let k = m.min(n);
    if k == 0 {
        return (Vec::new(), 0);
    }
    let original = a.to_owned();
    let (mut forward, mut inverse) = (vec![0_usize; m], vec![0_usize; m]);
    let mut memory = MemBuffer::new(lu_in_place_scratch::<usize, T>(m, n, PAR, faer::Spec::default()));
    let stack = MemStack::new(&mut memory);
    lu_in_place(a.as_mut(), &mut forward, &mut inverse, PAR, stack, faer::Spec::default());
    if (0..k).any(|i| a[(i, i)].is_null() || !a[(i, i)].modulus().is_finite()) {
        // The blocked algorithm divides by the zero pivot; LAPACK goes on without dividing.
        copy(a.as_mut(), original.as_ref());
        return factor_singular(a);
    }
    (interchanges(&forward, k), 0)
}

/// The sequence of row swaps that a permutation with `perm[i]` in row `i` comes from.
fn interchanges(perm: &[usize], k: usize) -> Vec<c_int> {
    let mut rows: Vec<usize> = (0..perm.len()).collect();
    let mut place = rows.clone();
    (0..k)
        .map(|i| {
            let at = place[perm[i]];
            rows.swap(i, at);
            place[rows[i]] = i;
            place[rows[at]] = at;
            at as c_int + 1
        })
        .collect()
}

/// Column by column, leaving the columns of zero pivots undivided.
fn factor_singular<T: Scalar>(mut a: MatMut<'_, T>) -> (Vec<c_int>, c_int) {
    let (m, n) = (a.nrows(), a.ncols());
    let (mut pivots, mut info) = (Vec::new(), 0);
    for j in 0..m.min(n) {
        let mut best = j;
        for i in j + 1..m {
            if a[(i, j)].modulus() > a[(best, j)].modulus() {
                best = i;
            }
        }
        pivots.push(best as c_int + 1);
        swap_rows(a.as_mut(), j, best);
        let pivot = a[(j, j)];
        if pivot.is_null() {
            info = if info == 0 { j as c_int + 1 } else { info };
            continue;
        }
        for i in j + 1..m {
            a[(i, j)] /= pivot;
        }
        for c in j + 1..n {
            let factor = a[(j, c)];
            for i in j + 1..m {
                let step = a[(i, j)] * factor;
                a[(i, c)] -= step;
            }
        }
    }
    (pivots, info)
}

fn swap_rows<T: Scalar>(mut a: MatMut<'_, T>, i: usize, j: usize) {
    if i != j {
        for c in 0..a.ncols() {
            (a[(i, c)], a[(j, c)]) = (a[(j, c)], a[(i, c)]);
        }
    }
}

/// # Safety
/// LAPACK's contract for `getrf`.
unsafe fn getrf<T: Scalar>(m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int, ipiv: *mut c_int) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (m, n, lda) = unsafe { (int(m), int(n), int(lda)) };
    match () {
        () if m < 0 => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, m) => return -4,
        () => {}
    }
    // SAFETY: `a` holds n columns of m elements by contract.
    let (pivots, info) = factor(unsafe { view_mut(a, m, n, lda) });
    // SAFETY: `ipiv` holds min(m, n) elements by contract.
    unsafe { put(ipiv, &pivots) };
    info
}

export! {
    (m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int, ipiv: *mut c_int) => getrf(m, n, a, lda, ipiv);
    sgetrf_: f32; dgetrf_: f64; cgetrf_: c32; zgetrf_: c64
}

/// Whether every interchange stays inside the matrix: a foreign pivot array must not index outside.
fn are_pivots(pivots: &[c_int]) -> bool {
    pivots.iter().all(|it| (1..=pivots.len() as c_int).contains(it))
}

/// # Safety
/// LAPACK's contract for `getrs`.
unsafe fn getrs<T: Scalar>(
    trans: *const c_char,
    n: *const c_int,
    nrhs: *const c_int,
    a: *const T,
    lda: *const c_int,
    ipiv: *const c_int,
    b: *mut T,
    ldb: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (trans, n, nrhs) = unsafe { (letter(trans), int(n), int(nrhs)) };
    // SAFETY: as above.
    let (lda, ldb) = unsafe { (int(lda), int(ldb)) };
    match () {
        () if !matches!(trans, b'N' | b'T' | b'C') => return -1,
        () if n < 0 => return -2,
        () if nrhs < 0 => return -3,
        () if is_short(lda, n) => return -5,
        () if is_short(ldb, n) => return -8,
        () => {}
    }
    // SAFETY: `a` holds n columns of n elements and `b` nrhs columns of n, by contract, without overlap.
    let (a, mut b) = unsafe { (view(a, n, n, lda), view_mut(b, n, nrhs, ldb)) };
    // SAFETY: `ipiv` holds n elements by contract.
    let pivots = unsafe { take(ipiv, n as usize) };
    if !are_pivots(&pivots) {
        return -6;
    }
    if trans == b'N' {
        for (i, p) in pivots.iter().enumerate() {
            swap_rows(b.as_mut(), i, *p as usize - 1);
        }
        solve(false, b'N', true, a, b.as_mut());
        solve(true, b'N', false, a, b);
    } else {
        solve(true, trans, false, a, b.as_mut());
        solve(false, trans, true, a, b.as_mut());
        for (i, p) in pivots.iter().enumerate().rev() {
            swap_rows(b.as_mut(), i, *p as usize - 1);
        }
    }
    0
}

export! {
    (trans: *const c_char, n: *const c_int, nrhs: *const c_int, a: *const T, lda: *const c_int, ipiv: *const c_int,
     b: *mut T, ldb: *const c_int)
    => getrs(trans, n, nrhs, a, lda, ipiv, b, ldb);
    sgetrs_: f32; dgetrs_: f64; cgetrs_: c32; zgetrs_: c64
}

/// `U⁻¹ L⁻¹`: the inverse of the product of the factors, before the interchanges.
fn inverse<T: Scalar>(lu: MatRef<'_, T>) -> Mat<T> {
    let n = lu.nrows();
    let (mut lower, mut upper, mut out) = (zeros(n, n), zeros(n, n), zeros(n, n));
    invert_unit_lower_triangular(lower.as_mut(), lu, PAR);
    (0..n).for_each(|i| lower[(i, i)] = T::one());
    invert_upper_triangular(upper.as_mut(), lu, PAR);
    crate::scalar::gemm(out.as_mut(), false, upper.as_ref(), lower.as_ref(), 1.0);
    out
}

/// # Safety
/// LAPACK's contract for `getri`.
unsafe fn getri<T: Scalar>(
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    ipiv: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (n, lda) = unsafe { (int(n), int(lda)) };
    match () {
        () if n < 0 => return -1,
        () if is_short(lda, n) => return -3,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 6) } {
        return info;
    }
    // SAFETY: `a` holds n columns of n elements by contract.
    let mut a = unsafe { view_mut(a, n, n, lda) };
    // SAFETY: `ipiv` holds n elements by contract.
    let pivots = unsafe { take(ipiv, n as usize) };
    if !are_pivots(&pivots) {
        return -4;
    }
    let zero = first_zero(a.as_ref());
    if zero != 0 {
        return zero;
    }
    let mut out = inverse(a.as_ref());
    // Row swaps of the matrix are column swaps of its inverse, undone from the last.
    for (i, p) in pivots.iter().enumerate().rev() {
        swap_rows(out.as_mut().transpose_mut(), i, *p as usize - 1);
    }
    copy(a.as_mut(), out.as_ref());
    0
}

export! {
    (n: *const c_int, a: *mut T, lda: *const c_int, ipiv: *const c_int, work: *mut T, lwork: *const c_int)
    => getri(n, a, lda, ipiv, work, lwork);
    sgetri_: f32; dgetri_: f64; cgetri_: c32; zgetri_: c64
}

/// # Safety
/// LAPACK's contract for `gecon`.
unsafe fn gecon<T: Scalar>(
    kind: *const c_char,
    n: *const c_int,
    a: *const T,
    lda: *const c_int,
    anorm: *const T::R,
    rcond: *mut T::R,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (kind, n, lda, anorm) = unsafe { (letter(kind), int(n), int(lda), (*anorm).modulus()) };
    match () {
        () if !matches!(kind, b'1' | b'O' | b'I') => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, n) => return -4,
        () => {}
    }
    // SAFETY: `a` holds n columns of n elements by contract.
    let a = unsafe { view(a, n, n, lda) };
    let value = if n == 0 {
        1.0
    } else if anorm == 0.0 || first_zero(a) != 0 {
        0.0
    } else {
        // The interchanges permute columns of the inverse, which moves neither norm.
        let kind = if kind == b'I' { Norm::Infinity } else { Norm::One };
        reciprocal(norm(kind, inverse(a).as_ref()), anorm)
    };
    // SAFETY: `rcond` points to one writable number by contract.
    unsafe { rcond.write(T::R::of(value)) };
    0
}

/// `1 / (inverse norm · norm)`, and 0 where that is not a number.
pub(crate) fn reciprocal(inverse: f64, norm: f64) -> f64 {
    let value = 1.0 / inverse / norm;
    if value.is_finite() { value } else { 0.0 }
}

export! {
    (kind: *const c_char, n: *const c_int, a: *const T, lda: *const c_int, anorm: *const R, rcond: *mut R,
     _work: *mut T, _iwork: *mut c_int)
    => gecon(kind, n, a, lda, anorm, rcond);
    sgecon_: f32; dgecon_: f64
}

export! {
    (kind: *const c_char, n: *const c_int, a: *const T, lda: *const c_int, anorm: *const R, rcond: *mut R,
     _work: *mut T, _rwork: *mut R)
    => gecon(kind, n, a, lda, anorm, rcond);
    cgecon_: c32; zgecon_: c64
}
