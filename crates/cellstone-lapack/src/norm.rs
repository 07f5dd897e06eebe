//! Norms of a matrix: `lange`.

use crate::ffi::{int, is_short, letter, view};
use crate::scalar::Scalar;
use faer::{MatRef, c32, c64};
use std::ffi::{c_char, c_int};

/// Which norm.
#[derive(Clone, Copy)]
pub(crate) enum Norm {
    /// Largest modulus.
    Max,
    /// Largest column sum.
    One,
    /// Largest row sum.
    Infinity,
    /// Root of the sum of squares.
    Frobenius,
}

/// The norm, in double precision; NaN if an entry is NaN.
pub(crate) fn norm<T: Scalar>(kind: Norm, a: MatRef<'_, T>) -> f64 {
    let (m, n) = (a.nrows(), a.ncols());
    match kind {
        Norm::Max => (0..n).flat_map(|j| (0..m).map(move |i| a[(i, j)].modulus())).fold(0.0, larger),
        Norm::One => (0..n).map(|j| (0..m).map(|i| a[(i, j)].modulus()).sum()).fold(0.0, larger),
        Norm::Infinity => {
            let mut sums = vec![0.0; m];
            for j in 0..n {
                for (i, sum) in sums.iter_mut().enumerate() {
                    *sum += a[(i, j)].modulus();
                }
            }
            sums.into_iter().fold(0.0, larger)
        }
        Norm::Frobenius => {
            // Divided by the largest entry, so that squares neither overflow nor vanish.
            let largest = norm(Norm::Max, a);
            if largest == 0.0 || !largest.is_finite() {
                return largest;
            }
            let column = |j: usize| (0..m).map(|i| (a[(i, j)].modulus() / largest).powi(2)).sum::<f64>();
            largest * (0..n).map(column).sum::<f64>().sqrt()
        }
    }
}

/// The larger of two, where NaN wins.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// # Safety
/// LAPACK's contract for `lange`.
unsafe fn lange<T: Scalar>(
    kind: *const c_char,
    m: *const c_int,
    n: *const c_int,
    a: *const T,
    lda: *const c_int,
) -> T::R {
    // SAFETY: the scalar arguments are readable by contract.
    let (kind, m, n, lda) = unsafe { (letter(kind), int(m), int(n), int(lda)) };
    let kind = match kind {
        b'M' => Norm::Max,
        b'O' | b'1' => Norm::One,
        b'I' => Norm::Infinity,
        b'F' | b'E' => Norm::Frobenius,
        _ => return T::R::zero(),
    };
    if m <= 0 || n <= 0 || is_short(lda, m) {
        return T::R::zero();
    }
    // SAFETY: `a` holds n columns of m elements by contract.
    T::R::of(norm(kind, unsafe { view(a, m, n, lda) }))
}

macro_rules! export_lange {
    ($($name:ident: $t:ty, $r:ty);+) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            kind: *const c_char,
            m: *const c_int,
            n: *const c_int,
            a: *const $t,
            lda: *const c_int,
            _work: *mut $r,
        ) -> $r {
            // SAFETY: the caller keeps LAPACK's contract, which is the callee's.
            unsafe { lange::<$t>(kind, m, n, a, lda) }
        }
    )+};
}
export_lange!(slange_: f32, f32; dlange_: f64, f64; clange_: c32, f32; zlange_: c64, f64);
