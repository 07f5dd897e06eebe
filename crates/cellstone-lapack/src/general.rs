//! Eigenvalues of general matrices and pencils: `geev` and `ggev`.

use crate::ffi::{int, is_short, letter, put, view_mut, workspace};
use crate::scalar::{PAR, Scalar, copy, safe_scale, zeros};
use faer::complex::Complex;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, evd_cplx, evd_real, evd_scratch};
use faer::linalg::gevd::{gevd_cplx, gevd_real, gevd_scratch};
use faer::{Mat, MatMut, c32, c64};
use std::ffi::{c_char, c_int};

/// Eigenvalues and the vectors that were asked for, in LAPACK's packing.
struct Eigen<T: Scalar> {
    /// Real and imaginary parts; of `alpha` for a pencil.
    re: Vec<T::R>,
    im: Vec<T::R>,
    beta: Vec<T>,
    left: Option<Mat<T>>,
    right: Option<Mat<T>>,
}

/// The number types for which faer has general eigenvalues.
trait General: Scalar {
    /// `None` if the iteration fails.
    fn eigen(a: Mat<Self>, b: Option<Mat<Self>>, left: bool, right: bool) -> Option<Eigen<Self>>;
}

fn compute(wanted: bool) -> ComputeEigenvectors {
    if wanted { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No }
}

macro_rules! general_real {
    ($r:ty) => {
        impl General for $r {
            fn eigen(mut a: Mat<$r>, b: Option<Mat<$r>>, left: bool, right: bool) -> Option<Eigen<$r>> {
                let n = a.nrows();
                let (mut re, mut im, mut beta) = (zeros::<$r>(n, 1), zeros::<$r>(n, 1), zeros::<$r>(n, 1));
                let (mut l, mut r) = (left.then(|| zeros::<$r>(n, n)), right.then(|| zeros::<$r>(n, n)));
                let (s_re, s_im) = (re.as_mut().col_mut(0).as_diagonal_mut(), im.as_mut().col_mut(0).as_diagonal_mut());
                let (to_l, to_r) = (l.as_mut().map(|it| it.as_mut()), r.as_mut().map(|it| it.as_mut()));
                let (do_l, do_r) = (compute(left), compute(right));
                if let Some(mut b) = b {
                    let mut memory = MemBuffer::new(gevd_scratch::<$r>(n, do_l, do_r, PAR, faer::Spec::default()));
                    let stack = MemStack::new(&mut memory);
                    let beta = beta.as_mut().col_mut(0).as_diagonal_mut();
                    gevd_real(a.as_mut(), b.as_mut(), s_re, s_im, beta, to_l, to_r, PAR, stack, faer::Spec::default())
                        .ok()?;
                } else {
                    let mut memory = MemBuffer::new(evd_scratch::<$r>(n, do_l, do_r, PAR, faer::Spec::default()));
                    let stack = MemStack::new(&mut memory);
                    evd_real(a.as_ref(), s_re, s_im, to_l, to_r, PAR, stack, faer::Spec::default()).ok()?;
                }
                let column = |it: &Mat<$r>| (0..n).map(|i| it[(i, 0)]).collect::<Vec<$r>>();
                let (re, im, beta) = (column(&re), column(&im), column(&beta));
                for vectors in [&mut l, &mut r].into_iter().flatten() {
                    normalize_real(vectors.as_mut(), &im);
                }
                Some(Eigen { re, im, beta, left: l, right: r })
            }
        }
    };
}
general_real!(f32);
general_real!(f64);

macro_rules! general_complex {
    ($r:ty) => {
        impl General for Complex<$r> {
            fn eigen(mut a: Mat<Self>, b: Option<Mat<Self>>, left: bool, right: bool) -> Option<Eigen<Self>> {
                let n = a.nrows();
                let (mut s, mut beta) = (zeros::<Self>(n, 1), zeros::<Self>(n, 1));
                let (mut l, mut r) = (left.then(|| zeros::<Self>(n, n)), right.then(|| zeros::<Self>(n, n)));
                let to_s = s.as_mut().col_mut(0).as_diagonal_mut();
                let (to_l, to_r) = (l.as_mut().map(|it| it.as_mut()), r.as_mut().map(|it| it.as_mut()));
                let (do_l, do_r) = (compute(left), compute(right));
                if let Some(mut b) = b {
                    let mut memory = MemBuffer::new(gevd_scratch::<Self>(n, do_l, do_r, PAR, faer::Spec::default()));
                    let stack = MemStack::new(&mut memory);
                    let beta = beta.as_mut().col_mut(0).as_diagonal_mut();
                    gevd_cplx(a.as_mut(), b.as_mut(), to_s, beta, to_l, to_r, PAR, stack, faer::Spec::default())
                        .ok()?;
                } else {
                    let mut memory = MemBuffer::new(evd_scratch::<Self>(n, do_l, do_r, PAR, faer::Spec::default()));
                    let stack = MemStack::new(&mut memory);
                    evd_cplx(a.as_ref(), to_s, to_l, to_r, PAR, stack, faer::Spec::default()).ok()?;
                }
                for vectors in [&mut l, &mut r].into_iter().flatten() {
                    normalize_complex(vectors.as_mut());
                }
                Some(Eigen {
                    re: (0..n).map(|i| s[(i, 0)].re).collect(),
                    im: (0..n).map(|i| s[(i, 0)].im).collect(),
                    beta: (0..n).map(|i| beta[(i, 0)]).collect(),
                    left: l,
                    right: r,
                })
            }
        }
    };
}
general_complex!(f32);
general_complex!(f64);

/// Unit Euclidean length; a conjugate pair is stored as two columns, real and imaginary part.
fn normalize_real<R: Scalar<R = R>>(mut v: MatMut<'_, R>, im: &[R]) {
    let mut j = 0;
    while j < v.ncols() {
        let width = if im[j].is_null() { 1 } else { 2.min(v.ncols() - j) };
        let squares: f64 =
            (j..j + width).flat_map(|c| (0..v.nrows()).map(move |i| (i, c))).map(|at| v[at].modulus().powi(2)).sum();
        if squares > 0.0 {
            let factor = R::of(1.0 / squares.sqrt());
            for c in j..j + width {
                (0..v.nrows()).for_each(|i| v[(i, c)] *= factor);
            }
        }
        j += width;
    }
}

/// Unit Euclidean length with the largest component real.
fn normalize_complex<T: Scalar>(mut v: MatMut<'_, T>) {
    for j in 0..v.ncols() {
        let squares: f64 = (0..v.nrows()).map(|i| v[(i, j)].modulus().powi(2)).sum();
        let largest = (0..v.nrows())
            .fold(T::zero(), |best, i| if v[(i, j)].modulus() > best.modulus() { v[(i, j)] } else { best });
        if squares > 0.0 {
            let turn = largest.cj() / T::of(largest.modulus() * squares.sqrt());
            (0..v.nrows()).for_each(|i| v[(i, j)] *= turn);
        }
    }
}

/// The checked arguments that `geev` and `ggev` share.
struct Call<T> {
    left: bool,
    right: bool,
    n: c_int,
    a: *mut T,
    lda: c_int,
    vl: *mut T,
    ldvl: c_int,
    vr: *mut T,
    ldvr: c_int,
}

impl<T: General> Call<T> {
    /// `b` comes with its leading dimension. `None` if the iteration fails.
    ///
    /// # Safety
    /// `a`, `b` and the wanted vectors hold n columns of n elements, at their leading dimensions.
    unsafe fn run(&self, b: Option<(*mut T, c_int)>) -> Option<Eigen<T>> {
        // SAFETY: by contract.
        let a = unsafe { view_mut(self.a, self.n, self.n, self.lda) }.to_owned();
        // SAFETY: by contract.
        let b = b.map(|(b, ldb)| unsafe { view_mut(b, self.n, self.n, ldb) }.to_owned());
        safe_scale(a.as_ref())?;
        if let Some(b) = &b {
            safe_scale(b.as_ref())?;
        }
        if self.n == 0 {
            return Some(Eigen { re: Vec::new(), im: Vec::new(), beta: Vec::new(), left: None, right: None });
        }
        let eigen = T::eigen(a, b, self.left, self.right)?;
        if let Some(left) = &eigen.left {
            // SAFETY: by contract.
            copy(unsafe { view_mut(self.vl, self.n, self.n, self.ldvl) }, left.as_ref());
        }
        if let Some(right) = &eigen.right {
            // SAFETY: by contract.
            copy(unsafe { view_mut(self.vr, self.n, self.n, self.ldvr) }, right.as_ref());
        }
        Some(eigen)
    }

    /// `first` is the position of `n`; a pencil has two arguments and one output more.
    fn check(&self, jobs: (u8, u8), b: Option<c_int>, complex: bool) -> c_int {
        let shift = c_int::from(b.is_some()) * 3 + c_int::from(!complex);
        match () {
            () if !matches!(jobs.0, b'N' | b'V') => -1,
            () if !matches!(jobs.1, b'N' | b'V') => -2,
            () if self.n < 0 => -3,
            () if is_short(self.lda, self.n) => -5,
            () if b.is_some_and(|it| is_short(it, self.n)) => -7,
            () if self.ldvl < 1 || (self.left && self.ldvl < self.n) => -(8 + shift),
            () if self.ldvr < 1 || (self.right && self.ldvr < self.n) => -(10 + shift),
            () => 0,
        }
    }
}

/// # Safety
/// LAPACK's contract for the real `geev`.
unsafe fn geev<T: General<R = T>>(
    jobvl: *const c_char,
    jobvr: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    wr: *mut T,
    wi: *mut T,
    vl: *mut T,
    ldvl: *const c_int,
    vr: *mut T,
    ldvr: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobs, n, lda) = unsafe { ((letter(jobvl), letter(jobvr)), int(n), int(lda)) };
    // SAFETY: as above.
    let (ldvl, ldvr) = unsafe { (int(ldvl), int(ldvr)) };
    let call = Call { left: jobs.0 == b'V', right: jobs.1 == b'V', n, a, lda, vl, ldvl, vr, ldvr };
    let info = call.check(jobs, None, false);
    if info != 0 {
        return info;
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 13) } {
        return info;
    }
    // SAFETY: the matrices have the stated sizes by contract.
    let Some(eigen) = (unsafe { call.run(None) }) else { return n.max(1) };
    // SAFETY: `wr` and `wi` hold n elements by contract.
    unsafe {
        put(wr, &eigen.re);
        put(wi, &eigen.im);
    }
    0
}

export! {
    (jobvl: *const c_char, jobvr: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, wr: *mut R, wi: *mut R,
     vl: *mut T, ldvl: *const c_int, vr: *mut T, ldvr: *const c_int, work: *mut T, lwork: *const c_int)
    => geev(jobvl, jobvr, n, a, lda, wr, wi, vl, ldvl, vr, ldvr, work, lwork);
    sgeev_: f32; dgeev_: f64
}

/// # Safety
/// LAPACK's contract for the complex `geev`.
unsafe fn geev_complex<T: General>(
    jobvl: *const c_char,
    jobvr: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    w: *mut T,
    vl: *mut T,
    ldvl: *const c_int,
    vr: *mut T,
    ldvr: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobs, n, lda) = unsafe { ((letter(jobvl), letter(jobvr)), int(n), int(lda)) };
    // SAFETY: as above.
    let (ldvl, ldvr) = unsafe { (int(ldvl), int(ldvr)) };
    let call = Call { left: jobs.0 == b'V', right: jobs.1 == b'V', n, a, lda, vl, ldvl, vr, ldvr };
    let info = call.check(jobs, None, true);
    if info != 0 {
        return info;
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 12) } {
        return info;
    }
    // SAFETY: the matrices have the stated sizes by contract.
    let Some(eigen) = (unsafe { call.run(None) }) else { return n.max(1) };
    let values: Vec<T> = eigen.re.iter().zip(&eigen.im).map(|(re, im)| T::of_parts(*re, *im)).collect();
    // SAFETY: `w` holds n elements by contract.
    unsafe { put(w, &values) };
    0
}

export! {
    (jobvl: *const c_char, jobvr: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, w: *mut T, vl: *mut T,
     ldvl: *const c_int, vr: *mut T, ldvr: *const c_int, work: *mut T, lwork: *const c_int, _rwork: *mut R)
    => geev_complex(jobvl, jobvr, n, a, lda, w, vl, ldvl, vr, ldvr, work, lwork);
    cgeev_: c32; zgeev_: c64
}

/// # Safety
/// LAPACK's contract for the real `ggev`.
unsafe fn ggev<T: General<R = T>>(
    jobvl: *const c_char,
    jobvr: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
    alphar: *mut T,
    alphai: *mut T,
    beta: *mut T,
    vl: *mut T,
    ldvl: *const c_int,
    vr: *mut T,
    ldvr: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobs, n, lda, ldb) = unsafe { ((letter(jobvl), letter(jobvr)), int(n), int(lda), int(ldb)) };
    // SAFETY: as above.
    let (ldvl, ldvr) = unsafe { (int(ldvl), int(ldvr)) };
    let call = Call { left: jobs.0 == b'V', right: jobs.1 == b'V', n, a, lda, vl, ldvl, vr, ldvr };
    let info = call.check(jobs, Some(ldb), false);
    if info != 0 {
        return info;
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 16) } {
        return info;
    }
    // SAFETY: the matrices have the stated sizes by contract.
    let Some(eigen) = (unsafe { call.run(Some((b, ldb))) }) else { return n.max(1) };
    // SAFETY: the outputs hold n elements by contract.
    unsafe {
        put(alphar, &eigen.re);
        put(alphai, &eigen.im);
        put(beta, &eigen.beta);
    }
    0
}

export! {
    (jobvl: *const c_char, jobvr: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, b: *mut T,
     ldb: *const c_int, alphar: *mut R, alphai: *mut R, beta: *mut R, vl: *mut T, ldvl: *const c_int, vr: *mut T,
     ldvr: *const c_int, work: *mut T, lwork: *const c_int)
    => ggev(jobvl, jobvr, n, a, lda, b, ldb, alphar, alphai, beta, vl, ldvl, vr, ldvr, work, lwork);
    sggev_: f32; dggev_: f64
}

/// # Safety
/// LAPACK's contract for the complex `ggev`.
unsafe fn ggev_complex<T: General>(
    jobvl: *const c_char,
    jobvr: *const c_char,
    n: *const c_int,
    a: *mut T,
    lda: *const c_int,
    b: *mut T,
    ldb: *const c_int,
    alpha: *mut T,
    beta: *mut T,
    vl: *mut T,
    ldvl: *const c_int,
    vr: *mut T,
    ldvr: *const c_int,
    work: *mut T,
    lwork: *const c_int,
) -> c_int {
    // SAFETY: the scalar arguments are readable by contract.
    let (jobs, n, lda, ldb) = unsafe { ((letter(jobvl), letter(jobvr)), int(n), int(lda), int(ldb)) };
    // SAFETY: as above.
    let (ldvl, ldvr) = unsafe { (int(ldvl), int(ldvr)) };
    let call = Call { left: jobs.0 == b'V', right: jobs.1 == b'V', n, a, lda, vl, ldvl, vr, ldvr };
    let info = call.check(jobs, Some(ldb), true);
    if info != 0 {
        return info;
    }
    // SAFETY: `work` has at least one element by contract.
    if let Some(info) = unsafe { workspace(work, lwork, 15) } {
        return info;
    }
    // SAFETY: the matrices have the stated sizes by contract.
    let Some(eigen) = (unsafe { call.run(Some((b, ldb))) }) else { return n.max(1) };
    let values: Vec<T> = eigen.re.iter().zip(&eigen.im).map(|(re, im)| T::of_parts(*re, *im)).collect();
    // SAFETY: the outputs hold n elements by contract.
    unsafe {
        put(alpha, &values);
        put(beta, &eigen.beta);
    }
    0
}

export! {
    (jobvl: *const c_char, jobvr: *const c_char, n: *const c_int, a: *mut T, lda: *const c_int, b: *mut T,
     ldb: *const c_int, alpha: *mut T, beta: *mut T, vl: *mut T, ldvl: *const c_int, vr: *mut T, ldvr: *const c_int,
     work: *mut T, lwork: *const c_int, _rwork: *mut R)
    => ggev_complex(jobvl, jobvr, n, a, lda, b, ldb, alpha, beta, vl, ldvl, vr, ldvr, work, lwork);
    cggev_: c32; zggev_: c64
}
