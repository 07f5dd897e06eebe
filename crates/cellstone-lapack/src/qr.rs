//! Orthogonal factors: `geqrf`, `gelqf`, `orgqr`, `orglq` and their complex forms.
//!
//! Blocked Householder reflections `H = I − τ v vᴴ` in LAPACK's storage, with faer's products for the updates.

use crate::ffi::{int, is_short, put, take, view_mut, workspace};
use crate::scalar::{Scalar, adjoint, copy, copy_adjoint, gemm, zeros};
use faer::{Mat, MatMut, MatRef, c32, c64};
use std::ffi::c_int;

/// Reflections that are applied together.
const BLOCK: usize = 32;

/// Factors in place: R above, the reflections below the diagonal; returns their τ.
fn factor<T: Scalar>(mut a: MatMut<'_, T>) -> Vec<T> {
    let (m, n) = (a.nrows(), a.ncols());
    let k = m.min(n);
    let mut tau = Vec::with_capacity(k);
    for start in (0..k).step_by(BLOCK) {
        let width = BLOCK.min(k - start);
        let mut rest = a.as_mut().submatrix_mut(start, start, m - start, n - start);
        let block = panel(rest.as_mut().subcols_mut(0, width));
        if n > start + width {
            let (v, t) = compact(rest.as_ref().subcols(0, width), &block);
            reflect(&v, adjoint(t.as_ref()).as_ref(), rest.subcols_mut(width, n - start - width));
        }
        tau.extend(block);
    }
    tau
}

/// Factors a few columns one by one.
fn panel<T: Scalar>(mut a: MatMut<'_, T>) -> Vec<T> {
    let (m, n) = (a.nrows(), a.ncols());
    let mut columns: Vec<Vec<T>> = (0..n).map(|j| (0..m).map(|i| a[(i, j)]).collect()).collect();
    let mut tau = Vec::with_capacity(n);
    for j in 0..n.min(m) {
        let (done, rest) = columns.split_at_mut(j + 1);
        let x = &mut done[j][j..];
        let t = reflection(x);
        let v = &x[1..];
        for column in rest {
            let c = &mut column[j..];
            let w = t.cj() * (c[0] + dot(v, &c[1..]));
            c[0] -= w;
            c[1..].iter_mut().zip(v).for_each(|(it, v)| *it -= *v * w);
        }
        tau.push(t);
    }
    for (j, column) in columns.iter().enumerate() {
        column.iter().enumerate().for_each(|(i, it)| a[(i, j)] = *it);
    }
    tau
}

/// Replaces `x` by `(β, v)` with `Hᴴ x = β e₁`; returns τ. H is the identity (τ = 0) if `x` is that already.
fn reflection<T: Scalar>(x: &mut [T]) -> T {
    let alpha = x[0];
    let largest = x[1..].iter().fold(0.0_f64, |acc, it| acc.max(it.modulus()));
    if largest == 0.0 && alpha.im() == T::R::zero() {
        return T::zero();
    }
    let largest = largest.max(alpha.modulus());
    let squares: f64 = x.iter().map(|it| (it.modulus() / largest).powi(2)).sum();
    let norm = largest * squares.sqrt();
    let beta = T::of(if alpha.re() < T::R::zero() { norm } else { -norm });
    let tau = (beta - alpha) / beta;
    let head = alpha - beta;
    x[1..].iter_mut().for_each(|it| *it /= head);
    x[0] = beta;
    tau
}

/// `aᴴ b` in four interleaved sums.
fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::zero(); 4];
    for (a, b) in a.chunks(4).zip(b.chunks(4)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a.cj() * *b;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// V (unit lower trapezoidal) and T (upper triangular) of `H₁ H₂ … = I − V T Vᴴ`.
fn compact<T: Scalar>(stored: MatRef<'_, T>, tau: &[T]) -> (Mat<T>, Mat<T>) {
    let (m, n) = (stored.nrows(), tau.len());
    let v = Mat::from_fn(m, n, |i, j| match i.cmp(&j) {
        std::cmp::Ordering::Less => T::zero(),
        std::cmp::Ordering::Equal => T::one(),
        std::cmp::Ordering::Greater => stored[(i, j)],
    });
    let mut gram = zeros(n, n);
    gemm(gram.as_mut(), false, adjoint(v.as_ref()).as_ref(), v.as_ref(), 1.0);
    let mut t = zeros::<T>(n, n);
    for j in 0..n {
        t[(j, j)] = tau[j];
        for i in 0..j {
            let mut sum = T::zero();
            for l in i..j {
                sum += t[(i, l)] * gram[(l, j)];
            }
            t[(i, j)] = -(tau[j] * sum);
        }
    }
    (v, t)
}

/// `c ← (I − V t Vᴴ) c`.
fn reflect<T: Scalar>(v: &Mat<T>, t: MatRef<'_, T>, c: MatMut<'_, T>) {
    let (mut inner, mut outer) = (zeros(v.ncols(), c.ncols()), zeros(v.ncols(), c.ncols()));
    gemm(inner.as_mut(), false, adjoint(v.as_ref()).as_ref(), c.as_ref(), 1.0);
    gemm(outer.as_mut(), false, t, inner.as_ref(), 1.0);
    gemm(c, true, v.as_ref(), outer.as_ref(), -1.0);
}

/// Overwrites stored reflections with the first columns of their product.
fn product<T: Scalar>(mut a: MatMut<'_, T>, tau: &[T]) {
    let (m, n, k) = (a.nrows(), a.ncols(), tau.len());
    let stored = a.to_owned();
    for j in 0..n {
        for i in 0..m {
            a[(i, j)] = if i == j { T::one() } else { T::zero() };
        }
    }
    for start in (0..k).step_by(BLOCK).rev() {
        let width = BLOCK.min(k - start);
        let (v, t) = compact(stored.as_ref().submatrix(start, start, m - start, width), &tau[start..start + width]);
        reflect(&v, t.as_ref(), a.as_mut().submatrix_mut(start, start, m - start, n - start));
    }
}

/// # Safety
/// LAPACK's contract for `geqrf` and, with `rows`, for `gelqf`.
unsafe fn ge<T: Scalar>(
    rows: bool,
    m: *const c_int,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    tau: *mut T,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (m, n, lda) = unsafe { (int(m), int(n), int(lda)) };
    match () {
        () if m < 0 => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, m) => return -4,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 7) } {
        return info;
    }
    // SAFETY: `a` holds n columns of m elements by contract.
    let a = unsafe { view_mut(a, m, n, lda) };
    let factors = if rows {
        let mut turned = adjoint(a.as_ref());
        let factors = factor(turned.as_mut());
        copy_adjoint(a, turned.as_ref());
        factors
    } else {
        factor(a)
    };
    // SAFETY: `tau` holds min(m, n) elements by contract.
    unsafe { put(tau, &factors) };
    0
}

/// # Safety
/// LAPACK's contract for `geqrf`.
unsafe fn geqrf<T: Scalar>(
    m: *const c_int,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    tau: *mut T,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the same contract.
    unsafe { ge(false, m, n, a, lda, tau, work, lwork) }
}

/// # Safety
/// LAPACK's contract for `gelqf`.
unsafe fn gelqf<T: Scalar>(
    m: *const c_int,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    tau: *mut T,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the same contract.
    unsafe { ge(true, m, n, a, lda, tau, work, lwork) }
}

export! {
    (m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int, tau: *mut T, work: *mut T, lwork: *const c_int)
    => geqrf(m, n, a, lda, tau, work, lwork);
    sgeqrf_: f32; dgeqrf_: f64; cgeqrf_: c32; zgeqrf_: c64
}

export! {
    (m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int, tau: *mut T, work: *mut T, lwork: *const c_int)
    => gelqf(m, n, a, lda, tau, work, lwork);
    sgelqf_: f32; dgelqf_: f64; cgelqf_: c32; zgelqf_: c64
}

/// # Safety
/// LAPACK's contract for `orgqr`.
unsafe fn orgqr<T: Scalar>(
    m: *const c_int,
    n: *const c_int,
    k: *const c_int,
    a: *mut T,
    lda: *const c_int,
    tau: *const T,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (m, n, k, lda) = unsafe { (int(m), int(n), int(k), int(lda)) };
    match () {
        () if m < 0 => return -1,
        () if n < 0 || n > m => return -2,
        () if k < 0 || k > n => return -3,
        () if is_short(lda, m) => return -5,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 8) } {
        return info;
    }
    // SAFETY: `a` holds n columns of m elements and `tau` k elements, by contract.
    let (a, tau) = unsafe { (view_mut(a, m, n, lda), take(tau, k as usize)) };
    product(a, &tau);
    0
}

/// # Safety
/// LAPACK's contract for `orglq`.
unsafe fn orglq<T: Scalar>(
    m: *const c_int,
    n: *const c_int,
    k: *const c_int,
    a: *mut T,
    lda: *const c_int,
    tau: *const T,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (m, n, k, lda) = unsafe { (int(m), int(n), int(k), int(lda)) };
    match () {
        () if m < 0 => return -1,
        () if n < m => return -2,
        () if k < 0 || k > m => return -3,
        () if is_short(lda, m) => return -5,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 8) } {
        return info;
    }
    // SAFETY: `a` holds n columns of m elements and `tau` k elements, by contract.
    let (a, tau) = unsafe { (view_mut(a, m, n, lda), take(tau, k as usize)) };
    let mut turned = adjoint(a.as_ref());
    product(turned.as_mut(), &tau);
    copy(a, adjoint(turned.as_ref()).as_ref());
    0
}

export! {
    (m: *const c_int, n: *const c_int, k: *const c_int, a: *mut T, lda: *const c_int, tau: *const T, work: *mut T,
     lwork: *const c_int)
    => orgqr(m, n, k, a, lda, tau, work, lwork);
    sorgqr_: f32; dorgqr_: f64; cungqr_: c32; zungqr_: c64
}

export! {
    (m: *const c_int, n: *const c_int, k: *const c_int, a: *mut T, lda: *const c_int, tau: *const T, work: *mut T,
     lwork: *const c_int)
    => orglq(m, n, k, a, lda, tau, work, lwork);
    sorglq_: f32; dorglq_: f64; cunglq_: c32; zunglq_: c64
}
