//! Symmetric (real) and Hermitian (complex) indefinite matrices: `sytrf`/`hetrf`, `sytrs`/`hetrs`, `sytri`/`hetri`.
//!
//! Bunch–Kaufman pivoting in LAPACK's storage. Everything is written for the lower triangle; the upper one is the same
//! matrix read from the far corner, with its interchanges counted from there.

use crate::ffi::{int, is_short, letter, put, take, view, view_mut, workspace};
use crate::scalar::{Scalar, lower_of, store_lower, zeros};
use faer::{Mat, MatMut, MatRef, c32, c64};
use std::ffi::{c_char, c_int};

/// The stored triangle as a full lower one, whichever it was: reversed for the upper.
fn open<T: Scalar>(upper: bool, a: MatRef<'_, T>) -> Mat<T> {
    lower_of(false, if upper { a.reverse_rows_and_cols() } else { a })
}

fn close<T: Scalar>(upper: bool, a: MatMut<'_, T>, lower: MatRef<'_, T>) {
    store_lower(false, if upper { a.reverse_rows_and_cols_mut() } else { a }, lower);
}

/// Interchanges as LAPACK counts them: from 1, negative for blocks of two, from the far corner for the upper triangle.
fn mirror(upper: bool, pivots: &[c_int]) -> Vec<c_int> {
    let n = pivots.len() as c_int;
    if upper { pivots.iter().rev().map(|it| it.signum() * (n + 1 - it.abs())).collect() } else { pivots.to_vec() }
}

/// `a[i][j]` of the full matrix from its lower triangle.
fn at<T: Scalar>(a: &Mat<T>, i: usize, j: usize) -> T {
    if i >= j { a[(i, j)] } else { a[(j, i)].cj() }
}

/// Swaps rows and columns `i < j` of the trailing matrix that starts at `from`.
fn swap_symmetric<T: Scalar>(a: &mut Mat<T>, from: usize, i: usize, j: usize) {
    if i == j {
        return;
    }
    for l in from..i {
        (a[(i, l)], a[(j, l)]) = (a[(j, l)], a[(i, l)]);
    }
    for l in i + 1..j {
        (a[(l, i)], a[(j, l)]) = (a[(j, l)].cj(), a[(l, i)].cj());
    }
    a[(j, i)] = a[(j, i)].cj();
    for l in j + 1..a.nrows() {
        (a[(l, i)], a[(l, j)]) = (a[(l, j)], a[(l, i)]);
    }
    (a[(i, i)], a[(j, j)]) = (a[(j, j)], a[(i, i)]);
}

/// Factors in place; interchanges and the index of the first zero block, or 0.
fn factor<T: Scalar>(a: &mut Mat<T>) -> (Vec<c_int>, c_int) {
    let n = a.nrows();
    let alpha = (1.0 + 17.0_f64.sqrt()) / 8.0;
    let (mut pivots, mut info, mut k) = (vec![0; n], 0, 0);
    while k < n {
        a[(k, k)] = T::of_real(a[(k, k)].re());
        let diagonal = a[(k, k)].modulus();
        let (row, column) = largest((k + 1..n).map(|i| (i, a[(i, k)].modulus())));
        if diagonal.max(column) == 0.0 || !diagonal.is_finite() || !column.is_finite() {
            info = if info == 0 { k as c_int + 1 } else { info };
            pivots[k] = k as c_int + 1;
            k += 1;
            continue;
        }
        let mut pivot = (k, 1);
        if diagonal < alpha * column {
            let (_, across) = largest((k..n).filter(|i| *i != row).map(|i| (i, at(a, row, i).modulus())));
            if diagonal * across < alpha * column * column {
                pivot = (row, if a[(row, row)].re().modulus() >= alpha * across { 1 } else { 2 });
            }
        }
        let (target, size) = pivot;
        let first = k + size - 1;
        swap_symmetric(a, k, first, target);
        // The multipliers of earlier steps stay where they are, as LAPACK leaves them.
        if size == 1 {
            pivots[k] = target as c_int + 1;
            eliminate_one(a, k);
        } else {
            pivots[k] = -(target as c_int + 1);
            pivots[k + 1] = pivots[k];
            eliminate_two(a, k);
        }
        k += size;
    }
    (pivots, info)
}

/// Position and size of the largest, the first of equals.
fn largest(sizes: impl Iterator<Item = (usize, f64)>) -> (usize, f64) {
    sizes.fold((0, 0.0), |best, it| if it.1 > best.1 || it.1.is_nan() { it } else { best })
}

fn eliminate_one<T: Scalar>(a: &mut Mat<T>, k: usize) {
    let n = a.nrows();
    let d = a[(k, k)];
    for j in k + 1..n {
        let factor = a[(j, k)].cj() / d;
        for i in j..n {
            let step = a[(i, k)] * factor;
            a[(i, j)] -= step;
        }
        a[(j, j)] = T::of_real(a[(j, j)].re());
    }
    for i in k + 1..n {
        a[(i, k)] /= d;
    }
}

fn eliminate_two<T: Scalar>(a: &mut Mat<T>, k: usize) {
    let n = a.nrows();
    let block = Block::of(a, k);
    let columns: Vec<[T; 2]> = (k + 2..n).map(|i| [a[(i, k)], a[(i, k + 1)]]).collect();
    // Rows of the multipliers: w D = row, that is Dᴴ wᴴ = rowᴴ with D Hermitian.
    let factors: Vec<[T; 2]> = columns.iter().map(|it| block.solve(it.map(T::cj)).map(T::cj)).collect();
    for j in k + 2..n {
        for i in j..n {
            let (w, c) = (factors[i - k - 2], columns[j - k - 2]);
            a[(i, j)] -= w[0] * c[0].cj() + w[1] * c[1].cj();
        }
        a[(j, j)] = T::of_real(a[(j, j)].re());
        [a[(j, k)], a[(j, k + 1)]] = factors[j - k - 2];
    }
}

/// A diagonal block of two: `[[p, q̄], [q, r]]`.
struct Block<T> {
    p: T,
    q: T,
    r: T,
}

impl<T: Scalar> Block<T> {
    fn of(a: &Mat<T>, k: usize) -> Self {
        Self { p: a[(k, k)], q: a[(k + 1, k)], r: a[(k + 1, k + 1)] }
    }

    /// Solves with scaling by `|q|`, the largest entry of a block of two.
    fn solve(&self, b: [T; 2]) -> [T; 2] {
        let (p, r) = (self.p / self.q.cj(), self.r / self.q);
        let (x, y) = (b[0] / self.q.cj(), b[1] / self.q);
        let det = p * r - T::one();
        [(r * x - y) / det, (p * y - x) / det]
    }
}

/// Whether the interchanges can have come from a factorisation of this size.
fn are_pivots(pivots: &[c_int]) -> bool {
    let n = pivots.len();
    let mut k = 0;
    while k < n {
        let size = if pivots[k] < 0 { 2 } else { 1 };
        let target = pivots[k].unsigned_abs() as usize;
        if target < k + size || target > n || k + size > n {
            return false;
        }
        k += size;
    }
    true
}

/// Solves with the factors in place.
fn solve<T: Scalar>(l: &Mat<T>, pivots: &[c_int], mut b: MatMut<'_, T>) {
    let (n, cols) = (l.nrows(), b.ncols());
    let mut steps = Vec::new();
    let mut k = 0;
    while k < n {
        let size = if pivots[k] < 0 { 2 } else { 1 };
        steps.push((k, size, pivots[k].unsigned_abs() as usize - 1));
        k += size;
    }
    let swap = |b: &mut MatMut<'_, T>, i: usize, j: usize| {
        (0..cols).for_each(|c| (b[(i, c)], b[(j, c)]) = (b[(j, c)], b[(i, c)]));
    };
    for &(k, size, target) in &steps {
        swap(&mut b, k + size - 1, target);
        for c in 0..cols {
            for i in k + size..n {
                for s in k..k + size {
                    let step = l[(i, s)] * b[(s, c)];
                    b[(i, c)] -= step;
                }
            }
            if size == 1 {
                b[(k, c)] /= l[(k, k)];
            } else {
                [b[(k, c)], b[(k + 1, c)]] = Block::of(l, k).solve([b[(k, c)], b[(k + 1, c)]]);
            }
        }
    }
    for &(k, size, target) in steps.iter().rev() {
        for c in 0..cols {
            for s in k..k + size {
                for i in k + size..n {
                    let step = l[(i, s)].cj() * b[(i, c)];
                    b[(s, c)] -= step;
                }
            }
        }
        swap(&mut b, k + size - 1, target);
    }
}

/// # Safety
/// LAPACK's contract for `sytrf`.
unsafe fn sytrf<T: Scalar>(
    uplo: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    ipiv: *mut c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (uplo, n, lda) = unsafe { (letter(uplo), int(n), int(lda)) };
    match () {
        () if !matches!(uplo, b'U' | b'L') => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, n) => return -4,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 7) } {
        return info;
    }
    // SAFETY: `a` holds n columns of n elements by contract.
    let a = unsafe { view_mut(a, n, n, lda) };
    let upper = uplo == b'U';
    let mut lower = open(upper, a.as_ref());
    let (pivots, info) = factor(&mut lower);
    close(upper, a, lower.as_ref());
    // SAFETY: `ipiv` holds n elements by contract.
    unsafe { put(ipiv, &mirror(upper, &pivots)) };
    if upper && info > 0 { n + 1 - info } else { info }
}

export! {
    (uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, ipiv: *mut c_int, work: *mut T,
     lwork: *const c_int)
    => sytrf(uplo, n, a, lda, ipiv, work, lwork);
    ssytrf_: f32; dsytrf_: f64; chetrf_: c32; zhetrf_: c64
}

/// # Safety
/// LAPACK's contract for `sytrs`.
unsafe fn sytrs<T: Scalar>(
    uplo: *const c_char,
    n: *const c_int,
    nrhs: *const c_int,
    a: *const T,
    lda: *const c_int,
    ipiv: *const c_int,
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
        () if is_short(ldb, n) => return -8,
        () => {}
    }
    let upper = uplo == b'U';
    // SAFETY: `a` holds n columns of n elements and `b` nrhs columns of n, by contract, without overlap.
    let (a, b) = unsafe { (view(a, n, n, lda), view_mut(b, n, nrhs, ldb)) };
    // SAFETY: `ipiv` holds n elements by contract.
    let pivots = mirror(upper, &unsafe { take(ipiv, n as usize) });
    if !are_pivots(&pivots) {
        return -6;
    }
    let b = if upper { b.reverse_rows_mut() } else { b };
    solve(&open(upper, a), &pivots, b);
    0
}

export! {
    (uplo: *const c_char, n: *const c_int, nrhs: *const c_int, a: *const T, lda: *const c_int, ipiv: *const c_int,
     b: *mut T, ldb: *const c_int)
    => sytrs(uplo, n, nrhs, a, lda, ipiv, b, ldb);
    ssytrs_: f32; dsytrs_: f64; chetrs_: c32; zhetrs_: c64
}

/// # Safety
/// LAPACK's contract for `sytri`.
unsafe fn sytri<T: Scalar>(
    uplo: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    ipiv: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (uplo, n, lda) = unsafe { (letter(uplo), int(n), int(lda)) };
    match () {
        () if !matches!(uplo, b'U' | b'L') => return -1,
        () if n < 0 => return -2,
        () if is_short(lda, n) => return -4,
        () => {}
    }
    let upper = uplo == b'U';
    // SAFETY: `a` holds n columns of n elements by contract.
    let a = unsafe { view_mut(a, n, n, lda) };
    // SAFETY: `ipiv` holds n elements by contract.
    let pivots = mirror(upper, &unsafe { take(ipiv, n as usize) });
    if !are_pivots(&pivots) {
        return -5;
    }
    let l = open(upper, a.as_ref());
    if let Some(k) = (0..l.nrows()).find(|&k| pivots[k] > 0 && l[(k, k)].is_null()) {
        return if upper { n - k as c_int } else { k as c_int + 1 };
    }
    let mut inverse = zeros(l.nrows(), l.nrows());
    (0..l.nrows()).for_each(|i| inverse[(i, i)] = T::one());
    solve(&l, &pivots, inverse.as_mut());
    close(upper, a, inverse.as_ref());
    0
}

export! {
    (uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, ipiv: *const c_int, _work: *mut T)
    => sytri(uplo, n, a, lda, ipiv);
    ssytri_: f32; dsytri_: f64; chetri_: c32; zhetri_: c64
}
