//! Eigenvalues of symmetric and Hermitian matrices: `syev`, `syevd`, `heev`, `heevd`, `sygv`, `hegv`.

use crate::ffi::{int, is_short, letter, put, view_mut, workspace};
use crate::scalar::{PAR, Scalar, adjoint, copy, lower_of, safe_scale, scale, store_lower, zeros};
use crate::{cholesky, triangular};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, c32, c64};
use std::ffi::{c_char, c_int};

/// Eigenvalues, ascending, and the vectors if they were asked for.
type Eigen<T> = (Vec<<T as Scalar>::R>, Option<Mat<T>>);

/// Eigenvalues, ascending, and eigenvectors of the Hermitian matrix whose lower triangle is `a`; `None` if the iteration fails.
pub(crate) fn eigen<T: Scalar>(a: MatRef<'_, T>, vectors: bool) -> Option<Eigen<T>> {
    let n = a.nrows();
    let factor = safe_scale(a)?;
    let mut scaled = a.to_owned();
    if factor != 1.0 {
        scale(scaled.as_mut(), factor);
    }
    let mut values = zeros::<T>(n, 1);
    let mut u = vectors.then(|| zeros::<T>(n, n));
    if n > 0 {
        let compute = if vectors { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
        let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<T>(n, compute, PAR, faer::Spec::default()));
        self_adjoint_evd(
            scaled.as_ref(),
            values.as_mut().col_mut(0).as_diagonal_mut(),
            u.as_mut().map(Mat::as_mut),
            PAR,
            MemStack::new(&mut memory),
            faer::Spec::default(),
        )
        .ok()?;
    }
    scale(values.as_mut(), 1.0 / factor);
    let mut order: Vec<usize> = (0..n).collect();
    if (1..n).any(|i| values[(i, 0)].re() < values[(i - 1, 0)].re()) {
        order.sort_by(|&i, &j| {
            values[(i, 0)].re().partial_cmp(&values[(j, 0)].re()).unwrap_or(std::cmp::Ordering::Equal)
        });
        u = u.map(|it| Mat::from_fn(n, n, |i, j| it[(i, order[j])]));
    }
    Some((order.iter().map(|&i| values[(i, 0)].re()).collect(), u))
}

/// # Safety
/// LAPACK's contract for `syev`.
unsafe fn syev<T: Scalar>(
    jobz: *const c_char,
    uplo: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    w: *mut T::R,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobz, uplo, n, lda) = unsafe { (letter(jobz), letter(uplo), int(n), int(lda)) };
    match () {
        () if !matches!(jobz, b'N' | b'V') => return -1,
        () if !matches!(uplo, b'U' | b'L') => return -2,
        () if n < 0 => return -3,
        () if is_short(lda, n) => return -5,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 8) } {
        return info;
    }
    // SAFETY: `a` holds n columns of n elements, lda apart, by contract.
    let a = unsafe { view_mut(a, n, n, lda) };
    let Some((values, vectors)) = eigen(lower_of(uplo == b'U', a.as_ref()).as_ref(), jobz == b'V') else {
        return n.max(1);
    };
    // SAFETY: `w` holds n elements by contract.
    unsafe { put(w, &values) };
    if let Some(vectors) = vectors {
        copy(a, vectors.as_ref());
    }
    0
}

export! {
    (jobz: *const c_char, uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, w: *mut R, work: *mut T,
     lwork: *const c_int)
    => syev(jobz, uplo, n, a, lda, w, work, lwork);
    ssyev_: f32; dsyev_: f64
}

export! {
    (jobz: *const c_char, uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, w: *mut R, work: *mut T,
     lwork: *const c_int, _rwork: *mut R)
    => syev(jobz, uplo, n, a, lda, w, work, lwork);
    cheev_: c32; zheev_: c64
}

/// # Safety
/// LAPACK's contract for `syevd`.
unsafe fn syevd<T: Scalar>(
    jobz: *const c_char,
    uplo: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    w: *mut T::R,
    work: *mut T,
    lwork: *const c_int,
    iwork: *mut c_int,
    liwork: *const c_int,
) -> c_int {
    // SAFETY: `iwork` has at least one element by contract, and LAPACK reports the needed length there.
    unsafe { iwork.write(1) };
    // SAFETY: the scalar arguments are readable by contract.
    let query = unsafe { int(liwork) } == -1;
    // SAFETY: the same contract; a query for either workspace is a query.
    unsafe { syev(jobz, uplo, n, a, lda, w, work, if query { &raw const QUERY } else { lwork }) }
}

static QUERY: c_int = -1;

export! {
    (jobz: *const c_char, uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, w: *mut R, work: *mut T,
     lwork: *const c_int, iwork: *mut c_int, liwork: *const c_int)
    => syevd(jobz, uplo, n, a, lda, w, work, lwork, iwork, liwork);
    ssyevd_: f32; dsyevd_: f64
}

/// # Safety
/// LAPACK's contract for `heevd`.
unsafe fn heevd<T: Scalar>(
    jobz: *const c_char,
    uplo: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    w: *mut T::R,
    work: *mut T,
    lwork: *const c_int,
    rwork: *mut T::R,
    lrwork: *const c_int,
    iwork: *mut c_int,
    liwork: *const c_int,
) -> c_int {
    // SAFETY: `rwork` has at least one element by contract, and LAPACK reports the needed length there.
    unsafe { rwork.write(T::R::one()) };
    // SAFETY: the scalar arguments are readable by contract.
    let query = unsafe { int(lrwork) } == -1;
    // SAFETY: the same contract; a query for any workspace is a query.
    unsafe { syevd(jobz, uplo, n, a, lda, w, work, if query { &raw const QUERY } else { lwork }, iwork, liwork) }
}

export! {
    (jobz: *const c_char, uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, w: *mut R, work: *mut T,
     lwork: *const c_int, rwork: *mut R, lrwork: *const c_int, iwork: *mut c_int, liwork: *const c_int)
    => heevd(jobz, uplo, n, a, lda, w, work, lwork, rwork, lrwork, iwork, liwork);
    cheevd_: c32; zheevd_: c64
}

/// # Safety
/// LAPACK's contract for `sygv`.
unsafe fn sygv<T: Scalar>(
    itype: *const c_int,
    jobz: *const c_char,
    uplo: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
    w: *mut T::R,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (itype, jobz, uplo, n) = unsafe { (int(itype), letter(jobz), letter(uplo), int(n)) };
    // SAFETY: as above.
    let (lda, ldb) = unsafe { (int(lda), int(ldb)) };
    match () {
        () if !(1..=3).contains(&itype) => return -1,
        () if !matches!(jobz, b'N' | b'V') => return -2,
        () if !matches!(uplo, b'U' | b'L') => return -3,
        () if n < 0 => return -4,
        () if is_short(lda, n) => return -6,
        () if is_short(ldb, n) => return -8,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 11) } {
        return info;
    }
    // SAFETY: both hold n columns of n elements by contract, and do not overlap.
    let (a, b) = unsafe { (view_mut(a, n, n, lda), view_mut(b, n, n, ldb)) };
    let upper = uplo == b'U';
    let mut l = lower_of(upper, b.as_ref());
    let info = cholesky::factor(l.as_mut());
    if info != 0 {
        return n + info;
    }
    store_lower(upper, b, l.as_ref());
    let half = lower_of(upper, a.as_ref());
    let full = Mat::from_fn(half.nrows(), half.nrows(), |i, j| if i >= j { half[(i, j)] } else { half[(j, i)].cj() });
    let Some((values, vectors)) = eigen(reduced(itype, full, l.as_ref()).as_ref(), jobz == b'V') else {
        return n.max(1);
    };
    // SAFETY: `w` holds n elements by contract.
    unsafe { put(w, &values) };
    if let Some(mut vectors) = vectors {
        if itype == 3 {
            let y = vectors.clone();
            crate::scalar::gemm(vectors.as_mut(), false, l.as_ref(), y.as_ref(), 1.0);
        } else {
            triangular::solve(false, b'C', false, l.as_ref(), vectors.as_mut());
        }
        copy(a, vectors.as_ref());
    }
    0
}

/// The standard problem behind a generalised one: `L⁻¹ A L⁻ᴴ`, or `Lᴴ A L` for the product forms.
fn reduced<T: Scalar>(itype: c_int, a: Mat<T>, l: MatRef<'_, T>) -> Mat<T> {
    let n = a.nrows();
    let mut c = a;
    if itype == 1 {
        triangular::solve(false, b'N', false, l, c.as_mut());
        let mut transposed = adjoint(c.as_ref());
        triangular::solve(false, b'N', false, l, transposed.as_mut());
        c = transposed;
    } else {
        let mut product = zeros(n, n);
        crate::scalar::gemm(product.as_mut(), false, c.as_ref(), l, 1.0);
        crate::scalar::gemm(c.as_mut(), false, adjoint(l).as_ref(), product.as_ref(), 1.0);
    }
    // Rounding leaves a trace of asymmetry and, on the diagonal, of an imaginary part.
    Mat::from_fn(n, n, |i, j| (c[(i, j)] + c[(j, i)].cj()) * T::of(0.5))
}

export! {
    (itype: *const c_int, jobz: *const c_char, uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int,
     b: *mut T, ldb: *const c_int, w: *mut R, work: *mut T, lwork: *const c_int)
    => sygv(itype, jobz, uplo, n, a, lda, b, ldb, w, work, lwork);
    ssygv_: f32; dsygv_: f64
}

export! {
    (itype: *const c_int, jobz: *const c_char, uplo: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int,
     b: *mut T, ldb: *const c_int, w: *mut R, work: *mut T, lwork: *const c_int, _rwork: *mut R)
    => sygv(itype, jobz, uplo, n, a, lda, b, ldb, w, work, lwork);
    chegv_: c32; zhegv_: c64
}
