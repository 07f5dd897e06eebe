//! Singular values: `gesvd` and `gesdd`.

use crate::ffi::{int, is_short, letter, put, view_mut, workspace};
use crate::scalar::{PAR, Scalar, copy, copy_adjoint, safe_scale, scale, zeros};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Mat, MatRef, c32, c64};
use std::ffi::{c_char, c_int};

/// `a = u · diag(s) · vᴴ` with the vectors that were asked for.
pub(crate) struct Svd<T: Scalar> {
    pub(crate) u: Option<Mat<T>>,
    pub(crate) s: Vec<T::R>,
    pub(crate) v: Option<Mat<T>>,
}

/// How many singular vectors of one side are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    None,
    Thin,
    Full,
}

impl Wanted {
    fn faer(self) -> ComputeSvdVectors {
        match self {
            Self::None => ComputeSvdVectors::No,
            Self::Thin => ComputeSvdVectors::Thin,
            Self::Full => ComputeSvdVectors::Full,
        }
    }

    fn alloc<T: Scalar>(self, rows: usize, k: usize) -> Option<Mat<T>> {
        match self {
            Self::None => None,
            Self::Thin => Some(zeros(rows, k)),
            Self::Full => Some(zeros(rows, rows)),
        }
    }
}

/// The decomposition, singular values falling; `None` if the iteration fails or the input is not finite.
pub(crate) fn decompose<T: Scalar>(a: MatRef<'_, T>, want_u: Wanted, want_v: Wanted) -> Option<Svd<T>> {
    let (m, n) = (a.nrows(), a.ncols());
    let k = m.min(n);
    let factor = safe_scale(a)?;
    let mut scaled = a.to_owned();
    if factor != 1.0 {
        scale(scaled.as_mut(), factor);
    }
    let (mut u, mut v) = (want_u.alloc::<T>(m, k), want_v.alloc::<T>(n, k));
    let mut s = zeros::<T>(k, 1);
    if k == 0 {
        for it in [&mut u, &mut v].into_iter().flatten() {
            (0..it.nrows().min(it.ncols())).for_each(|i| it[(i, i)] = T::one());
        }
        return Some(Svd { u, s: Vec::new(), v });
    }
    let mut memory = MemBuffer::new(svd_scratch::<T>(m, n, want_u.faer(), want_v.faer(), PAR, faer::Spec::default()));
    svd(
        scaled.as_ref(),
        s.as_mut().col_mut(0).as_diagonal_mut(),
        u.as_mut().map(Mat::as_mut),
        v.as_mut().map(Mat::as_mut),
        PAR,
        MemStack::new(&mut memory),
        faer::Spec::default(),
    )
    .ok()?;
    scale(s.as_mut(), 1.0 / factor);
    Some(Svd { u, s: (0..k).map(|i| s[(i, 0)].re()).collect(), v })
}

/// # Safety
/// LAPACK's contract for `gesdd`.
unsafe fn gesdd<T: Scalar>(
    jobz: *const c_char,
    m: *const c_int,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    s: *mut T::R,
    u: *mut T,
    ldu: *const c_int,
    vt: *mut T,
    ldvt: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobz, m, n, lda) = unsafe { (letter(jobz), int(m), int(n), int(lda)) };
    // SAFETY: as above.
    let (ldu, ldvt) = unsafe { (int(ldu), int(ldvt)) };
    let k = m.min(n);
    // `O` overwrites `a` with the thin vectors of its longer side.
    let (u_cols, vt_rows) = match jobz {
        b'A' => (m, n),
        b'S' => (k, k),
        b'O' if m >= n => (0, n),
        b'O' => (m, 0),
        _ => (0, 0),
    };
    match () {
        () if !matches!(jobz, b'A' | b'S' | b'O' | b'N') => return -1,
        () if m < 0 => return -2,
        () if n < 0 => return -3,
        () if is_short(lda, m) => return -5,
        () if ldu < 1 || (u_cols > 0 && ldu < m) => return -8,
        () if ldvt < 1 || ldvt < vt_rows => return -10,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 12) } {
        return info;
    }
    // SAFETY: `a` holds n columns of m elements by contract.
    let mut a = unsafe { view_mut(a, m, n, lda) };
    let want = match jobz {
        b'N' => Wanted::None,
        b'A' => Wanted::Full,
        _ => Wanted::Thin,
    };
    let Some(svd) = decompose(a.as_ref(), want, want) else { return 1 };
    // SAFETY: `s` holds min(m, n) elements by contract.
    unsafe { put(s, &svd.s) };
    if let (Some(left), Some(right)) = (svd.u, svd.v) {
        if u_cols > 0 {
            // SAFETY: `u` holds u_cols columns of m elements by contract.
            copy(unsafe { view_mut(u, m, u_cols, ldu) }, left.as_ref());
        } else {
            copy(a.as_mut().subcols_mut(0, k as usize), left.as_ref());
        }
        if vt_rows > 0 {
            // SAFETY: `vt` holds n columns of vt_rows elements by contract.
            copy_adjoint(unsafe { view_mut(vt, vt_rows, n, ldvt) }, right.as_ref());
        } else {
            copy_adjoint(a.as_mut().subrows_mut(0, k as usize), right.as_ref());
        }
    }
    0
}

export! {
    (jobz: *const c_char, m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int, s: *mut R, u: *mut T,
     ldu: *const c_int, vt: *mut T, ldvt: *const c_int, work: *mut T, lwork: *const c_int, _iwork: *mut c_int)
    => gesdd(jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork);
    sgesdd_: f32; dgesdd_: f64
}

export! {
    (jobz: *const c_char, m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int, s: *mut R, u: *mut T,
     ldu: *const c_int, vt: *mut T, ldvt: *const c_int, work: *mut T, lwork: *const c_int, _rwork: *mut R,
     _iwork: *mut c_int)
    => gesdd(jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork);
    cgesdd_: c32; zgesdd_: c64
}

/// # Safety
/// LAPACK's contract for `gesvd`.
unsafe fn gesvd<T: Scalar>(
    jobu: *const c_char,
    jobvt: *const c_char,
    m: *const c_int,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    s: *mut T::R,
    u: *mut T,
    ldu: *const c_int,
    vt: *mut T,
    ldvt: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobu, jobvt, m, n) = unsafe { (letter(jobu), letter(jobvt), int(m), int(n)) };
    // SAFETY: as above.
    let (lda, ldu, ldvt) = unsafe { (int(lda), int(ldu), int(ldvt)) };
    let k = m.min(n);
    let wanted = |job| match job {
        b'A' => Wanted::Full,
        b'N' => Wanted::None,
        _ => Wanted::Thin,
    };
    let (want_u, want_v) = (wanted(jobu), wanted(jobvt));
    let vt_rows = if want_v == Wanted::Full { n } else { k };
    match () {
        () if !matches!(jobu, b'A' | b'S' | b'O' | b'N') => return -1,
        () if !matches!(jobvt, b'A' | b'S' | b'O' | b'N') || (jobu == b'O' && jobvt == b'O') => return -2,
        () if m < 0 => return -3,
        () if n < 0 => return -4,
        () if is_short(lda, m) => return -6,
        () if ldu < 1 || (matches!(jobu, b'A' | b'S') && ldu < m) => return -9,
        () if ldvt < 1 || (matches!(jobvt, b'A' | b'S') && ldvt < vt_rows) => return -11,
        () => {}
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 13) } {
        return info;
    }
    // SAFETY: `a` holds n columns of m elements by contract.
    let mut a = unsafe { view_mut(a, m, n, lda) };
    let Some(svd) = decompose(a.as_ref(), want_u, want_v) else { return 1 };
    // SAFETY: `s` holds min(m, n) elements by contract.
    unsafe { put(s, &svd.s) };
    if let Some(left) = svd.u {
        if jobu == b'O' {
            copy(a.as_mut().subcols_mut(0, k as usize), left.as_ref());
        } else {
            // SAFETY: `u` holds that many columns of m elements by contract.
            copy(unsafe { view_mut(u, m, left.ncols() as c_int, ldu) }, left.as_ref());
        }
    }
    if let Some(right) = svd.v {
        if jobvt == b'O' {
            copy_adjoint(a.as_mut().subrows_mut(0, k as usize), right.as_ref());
        } else {
            // SAFETY: `vt` holds n columns of vt_rows elements by contract.
            copy_adjoint(unsafe { view_mut(vt, vt_rows, n, ldvt) }, right.as_ref());
        }
    }
    0
}

export! {
    (jobu: *const c_char, jobvt: *const c_char, m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int,
     s: *mut R, u: *mut T, ldu: *const c_int, vt: *mut T, ldvt: *const c_int, work: *mut T, lwork: *const c_int)
    => gesvd(jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork);
    sgesvd_: f32; dgesvd_: f64
}

export! {
    (jobu: *const c_char, jobvt: *const c_char, m: *const c_int, n: *const c_int, a: *mut T, lda: *const c_int,
     s: *mut R, u: *mut T, ldu: *const c_int, vt: *mut T, ldvt: *const c_int, work: *mut T, lwork: *const c_int,
     _rwork: *mut R)
    => gesvd(jobu, jobvt, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork);
    cgesvd_: c32; zgesvd_: c64
}
