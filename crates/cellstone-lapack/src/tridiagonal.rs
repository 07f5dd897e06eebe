//! Tridiagonal systems: `gttrf`, `gttrs`, `gtcon`.

use crate::ffi::{int, is_short, letter, put, take, view_mut};
use crate::norm::{Norm, norm};
use crate::scalar::{Scalar, zeros};
use faer::{MatMut, c32, c64};
use std::ffi::{c_char, c_int};

/// The factors of a tridiagonal matrix: multipliers, three diagonals of U, and interchanges.
struct Factors<T> {
    dl: Vec<T>,
    d: Vec<T>,
    du: Vec<T>,
    du2: Vec<T>,
    /// Whether row `i` was swapped with row `i + 1`.
    swapped: Vec<bool>,
}

impl<T: Scalar> Factors<T> {
    /// # Safety
    /// The arrays have `n - 1`, `n`, `n - 1`, `n - 2` and `n` elements.
    unsafe fn read(n: usize, dl: *const T, d: *const T, du: *const T, du2: *const T, ipiv: *const c_int) -> Self {
        // SAFETY: by contract.
        let (dl, d, du) = unsafe { (take(dl, n.saturating_sub(1)), take(d, n), take(du, n.saturating_sub(1))) };
        // SAFETY: by contract.
        let (du2, ipiv) = unsafe { (take(du2, n.saturating_sub(2)), take(ipiv, n)) };
        let swapped = ipiv.iter().enumerate().map(|(i, p)| *p as usize != i + 1).collect();
        Self { dl, d, du, du2, swapped }
    }

    fn factor(&mut self) -> c_int {
        let n = self.d.len();
        for i in 0..n.saturating_sub(1) {
            if self.d[i].modulus() >= self.dl[i].modulus() {
                if !self.d[i].is_null() {
                    let factor = self.dl[i] / self.d[i];
                    self.dl[i] = factor;
                    self.d[i + 1] -= factor * self.du[i];
                }
                continue;
            }
            let factor = self.d[i] / self.dl[i];
            self.swapped[i] = true;
            self.d[i] = self.dl[i];
            self.dl[i] = factor;
            let above = self.du[i];
            self.du[i] = self.d[i + 1];
            self.d[i + 1] = above - factor * self.d[i + 1];
            if i + 2 < n {
                self.du2[i] = self.du[i + 1];
                self.du[i + 1] = -(factor * self.du[i + 1]);
            }
        }
        self.d.iter().position(|it| it.is_null()).map_or(0, |i| i as c_int + 1)
    }

    /// Solves for one right-hand side; `trans` is `N`, `T` or `C`.
    fn solve(&self, trans: u8, b: &mut [T]) {
        let n = b.len();
        let f = |it: T| if trans == b'C' { it.cj() } else { it };
        if trans == b'N' {
            for i in 0..n.saturating_sub(1) {
                if self.swapped[i] {
                    b.swap(i, i + 1);
                }
                let step = self.dl[i] * b[i];
                b[i + 1] -= step;
            }
            for i in (0..n).rev() {
                let mut value = b[i];
                if i + 1 < n {
                    value -= self.du[i] * b[i + 1];
                }
                if i + 2 < n {
                    value -= self.du2[i] * b[i + 2];
                }
                b[i] = value / self.d[i];
            }
        } else {
            for i in 0..n {
                let mut value = b[i];
                if i >= 1 {
                    value -= f(self.du[i - 1]) * b[i - 1];
                }
                if i >= 2 {
                    value -= f(self.du2[i - 2]) * b[i - 2];
                }
                b[i] = value / f(self.d[i]);
            }
            for i in (0..n.saturating_sub(1)).rev() {
                let step = f(self.dl[i]) * b[i + 1];
                b[i] -= step;
                if self.swapped[i] {
                    b.swap(i, i + 1);
                }
            }
        }
    }

    fn solve_all(&self, trans: u8, mut b: MatMut<'_, T>) {
        for j in 0..b.ncols() {
            let mut column: Vec<T> = (0..b.nrows()).map(|i| b[(i, j)]).collect();
            self.solve(trans, &mut column);
            column.into_iter().enumerate().for_each(|(i, it)| b[(i, j)] = it);
        }
    }
}

/// # Safety
/// LAPACK's contract for `gttrf`.
unsafe fn gttrf<T: Scalar>(n: *const c_int, dl: *mut T, d: *mut T, du: *mut T, du2: *mut T, ipiv: *mut c_int) -> c_int {
    // SAFETY: the scalar argument is readable by contract.
    let n = unsafe { int(n) };
    if n < 0 {
        return -1;
    }
    let n = n as usize;
    // SAFETY: the arrays have these lengths by contract; `du2` and `ipiv` are outputs and not read.
    let (lower, diagonal, upper) =
        unsafe { (take(dl, n.saturating_sub(1)), take(d, n), take(du, n.saturating_sub(1))) };
    let mut factors = Factors {
        dl: lower,
        d: diagonal,
        du: upper,
        du2: vec![T::zero(); n.saturating_sub(2)],
        swapped: vec![false; n],
    };
    let info = factors.factor();
    let pivots: Vec<c_int> =
        factors.swapped.iter().enumerate().map(|(i, s)| i as c_int + 1 + c_int::from(*s)).collect();
    // SAFETY: the arrays have these lengths by contract.
    unsafe {
        put(dl, &factors.dl);
        put(d, &factors.d);
        put(du, &factors.du);
        put(du2, &factors.du2);
        put(ipiv, &pivots);
    }
    info
}

export! {
    (n: *const c_int, dl: *mut T, d: *mut T, du: *mut T, du2: *mut T, ipiv: *mut c_int)
    => gttrf(n, dl, d, du, du2, ipiv);
    sgttrf_: f32; dgttrf_: f64; cgttrf_: c32; zgttrf_: c64
}

/// # Safety
/// LAPACK's contract for `gttrs`.
unsafe fn gttrs<T: Scalar>(
    trans: *const c_char,
    n: *const c_int,
    nrhs: *const c_int,
    dl: *const T,
    d: *const T,
    du: *const T,
    du2: *const T,
    ipiv: *const c_int,
    b: *mut T,
    ldb: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (trans, n, nrhs, ldb) = unsafe { (letter(trans), int(n), int(nrhs), int(ldb)) };
    match () {
        () if !matches!(trans, b'N' | b'T' | b'C') => return -1,
        () if n < 0 => return -2,
        () if nrhs < 0 => return -3,
        () if is_short(ldb, n) => return -10,
        () => {}
    }
    // SAFETY: the factors have the lengths that `n` states and `b` holds nrhs columns of n elements, by contract.
    let (factors, b) = unsafe { (Factors::read(n as usize, dl, d, du, du2, ipiv), view_mut(b, n, nrhs, ldb)) };
    factors.solve_all(trans, b);
    0
}

export! {
    (trans: *const c_char, n: *const c_int, nrhs: *const c_int, dl: *const T, d: *const T, du: *const T, du2: *const T,
     ipiv: *const c_int, b: *mut T, ldb: *const c_int)
    => gttrs(trans, n, nrhs, dl, d, du, du2, ipiv, b, ldb);
    sgttrs_: f32; dgttrs_: f64; cgttrs_: c32; zgttrs_: c64
}

/// # Safety
/// LAPACK's contract for `gtcon`.
unsafe fn gtcon<T: Scalar>(
    kind: *const c_char,
    n: *const c_int,
    dl: *const T,
    d: *const T,
    du: *const T,
    du2: *const T,
    ipiv: *const c_int,
    anorm: *const T::R,
    rcond: *mut T::R,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (kind, n, anorm) = unsafe { (letter(kind), int(n), (*anorm).modulus()) };
    match () {
        () if !matches!(kind, b'1' | b'O' | b'I') => return -1,
        () if n < 0 => return -2,
        () => {}
    }
    let size = n as usize;
    // SAFETY: the factors have the lengths that `n` states, by contract.
    let factors = unsafe { Factors::read(size, dl, d, du, du2, ipiv) };
    let value = if n == 0 {
        1.0
    } else if anorm == 0.0 || factors.d.iter().any(|it| it.is_null()) {
        0.0
    } else {
        let mut inverse = zeros(size, size);
        (0..size).for_each(|i| inverse[(i, i)] = T::one());
        factors.solve_all(b'N', inverse.as_mut());
        let kind = if kind == b'I' { Norm::Infinity } else { Norm::One };
        crate::lu::reciprocal(norm(kind, inverse.as_ref()), anorm)
    };
    // SAFETY: `rcond` points to one writable number by contract.
    unsafe { rcond.write(T::R::of(value)) };
    0
}

export! {
    (kind: *const c_char, n: *const c_int, dl: *const T, d: *const T, du: *const T, du2: *const T, ipiv: *const c_int,
     anorm: *const R, rcond: *mut R, _work: *mut T, _iwork: *mut c_int)
    => gtcon(kind, n, dl, d, du, du2, ipiv, anorm, rcond);
    sgtcon_: f32; dgtcon_: f64
}

export! {
    (kind: *const c_char, n: *const c_int, dl: *const T, d: *const T, du: *const T, du2: *const T, ipiv: *const c_int,
     anorm: *const R, rcond: *mut R, _work: *mut T)
    => gtcon(kind, n, dl, d, du, du2, ipiv, anorm, rcond);
    cgtcon_: c32; zgtcon_: c64
}
