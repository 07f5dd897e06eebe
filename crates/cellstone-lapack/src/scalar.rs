//! The four number types of LAPACK behind one trait, and the small matrix helpers that the routines share.

use faer::prelude::{Reborrow, ReborrowMut};
use faer::traits::{ComplexField, RealField};
use faer::{Mat, MatMut, MatRef, Par, c32, c64};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// How each call runs: on the calling thread, so that the number of threads cannot move a bit.
pub(crate) const PAR: Par = Par::Seq;

/// `f32`, `f64` and the complex numbers over them.
pub(crate) trait Scalar:
    ComplexField<Real = Self::R>
    + Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    /// The real numbers underneath.
    type R: Scalar<R = Self::R> + RealField + PartialOrd;
    /// Spacing of the numbers at 1.
    const EPS: f64;
    /// Matrices whose largest modulus is outside `SMALL..1/SMALL` are scaled before an iteration.
    const SMALL: f64;

    fn of(re: f64) -> Self;
    fn of_parts(re: Self::R, im: Self::R) -> Self;
    fn re(self) -> Self::R;
    fn im(self) -> Self::R;
    fn cj(self) -> Self;
    /// `|x|`, without overflow, in double precision.
    fn modulus(self) -> f64;

    fn of_real(re: Self::R) -> Self {
        Self::of_parts(re, Self::R::of(0.0))
    }
    fn zero() -> Self {
        Self::of(0.0)
    }
    fn one() -> Self {
        Self::of(1.0)
    }
    fn is_null(self) -> bool {
        self == Self::zero()
    }
}

macro_rules! real {
    ($t:ty, $small:expr) => {
        impl Scalar for $t {
            type R = $t;
            const EPS: f64 = <$t>::EPSILON as f64;
            const SMALL: f64 = $small;
            fn of(re: f64) -> Self {
                re as $t
            }
            fn of_parts(re: $t, _im: $t) -> Self {
                re
            }
            fn re(self) -> $t {
                self
            }
            fn im(self) -> $t {
                0.0
            }
            fn cj(self) -> Self {
                self
            }
            fn modulus(self) -> f64 {
                self.abs() as f64
            }
        }
    };
}

macro_rules! complex {
    ($t:ty, $r:ty) => {
        impl Scalar for $t {
            type R = $r;
            const EPS: f64 = <$r as Scalar>::EPS;
            const SMALL: f64 = <$r as Scalar>::SMALL;
            fn of(re: f64) -> Self {
                Self::new(re as $r, 0.0)
            }
            fn of_parts(re: $r, im: $r) -> Self {
                Self::new(re, im)
            }
            fn re(self) -> $r {
                self.re
            }
            fn im(self) -> $r {
                self.im
            }
            fn cj(self) -> Self {
                self.conj()
            }
            fn modulus(self) -> f64 {
                (self.re as f64).hypot(self.im as f64)
            }
        }
    };
}

// sqrt(smallest normal) / epsilon, as LAPACK's drivers use it.
real!(f64, 6.7e-139);
real!(f32, 9.1e-13);
complex!(c64, f64);
complex!(c32, f32);

/// A matrix of zeros.
pub(crate) fn zeros<T: Scalar>(rows: usize, cols: usize) -> Mat<T> {
    Mat::from_fn(rows, cols, |_, _| T::zero())
}

/// The conjugate transpose.
pub(crate) fn adjoint<T: Scalar>(a: MatRef<'_, T>) -> Mat<T> {
    Mat::from_fn(a.ncols(), a.nrows(), |i, j| a[(j, i)].cj())
}

/// Overwrites `dst` with `src` of the same shape.
pub(crate) fn copy<T: Scalar>(mut dst: MatMut<'_, T>, src: MatRef<'_, T>) {
    for j in 0..src.ncols() {
        for i in 0..src.nrows() {
            dst[(i, j)] = src[(i, j)];
        }
    }
}

/// Overwrites `dst` with the conjugate transpose of `src`.
pub(crate) fn copy_adjoint<T: Scalar>(mut dst: MatMut<'_, T>, src: MatRef<'_, T>) {
    for j in 0..src.nrows() {
        for i in 0..src.ncols() {
            dst[(i, j)] = src[(j, i)].cj();
        }
    }
}

/// The stored triangle of a Hermitian matrix as a lower triangle; the strict upper part is zero.
pub(crate) fn lower_of<T: Scalar>(upper: bool, a: MatRef<'_, T>) -> Mat<T> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| match (i >= j, upper) {
        (false, _) => T::zero(),
        (true, false) => a[(i, j)],
        (true, true) => a[(j, i)].cj(),
    })
}

/// Writes a lower triangle back into the stored triangle; the other one stays as it was.
pub(crate) fn store_lower<T: Scalar>(upper: bool, mut a: MatMut<'_, T>, lower: MatRef<'_, T>) {
    for j in 0..lower.ncols() {
        for i in j..lower.nrows() {
            if upper {
                a[(j, i)] = lower[(i, j)].cj();
            } else {
                a[(i, j)] = lower[(i, j)];
            }
        }
    }
}

/// `dst = alpha · lhs · rhs`, or `dst += …` when `add`.
pub(crate) fn gemm<T: Scalar>(dst: MatMut<'_, T>, add: bool, lhs: MatRef<'_, T>, rhs: MatRef<'_, T>, alpha: f64) {
    let beta = if add { faer::Accum::Add } else { faer::Accum::Replace };
    faer::linalg::matmul::matmul(dst, beta, lhs.rb(), rhs.rb(), T::of(alpha), PAR);
}

/// The factor that brings the largest modulus into the safe range (1 if it is there), or `None` of NaN and infinity.
pub(crate) fn safe_scale<T: Scalar>(a: MatRef<'_, T>) -> Option<f64> {
    let mut largest = 0.0_f64;
    for j in 0..a.ncols() {
        for i in 0..a.nrows() {
            let modulus = a[(i, j)].modulus();
            if !modulus.is_finite() {
                return None;
            }
            largest = largest.max(modulus);
        }
    }
    let safe = largest == 0.0 || (T::SMALL..=1.0 / T::SMALL).contains(&largest);
    // A power of two is exact; the clamp keeps its reciprocal representable.
    Some(if safe { 1.0 } else { (-largest.log2().floor()).clamp(-1000.0, 1000.0).exp2() })
}

/// Multiplies every entry by a real factor.
pub(crate) fn scale<T: Scalar>(mut a: MatMut<'_, T>, factor: f64) {
    let mut a = a.rb_mut();
    for j in 0..a.ncols() {
        for i in 0..a.nrows() {
            // In double precision: a factor of a single-precision matrix can lie outside its range.
            let value = a[(i, j)];
            let part = |it: T::R| T::R::of(sign(it) * it.modulus() * factor);
            a[(i, j)] = T::of_parts(part(value.re()), part(value.im()));
        }
    }
}

fn sign<R: Scalar<R = R> + PartialOrd>(it: R) -> f64 {
    if it < R::zero() { -1.0 } else { 1.0 }
}
