//! The border: from the pointers of the Fortran ABI to checked integers and matrix views, and back.
//!
//! Every exported routine has the same contract, LAPACK's own: pointers are valid for the sizes that the other arguments
//! state, output arrays do not overlap inputs, and arrays that the job letters make unused are never touched.

use crate::scalar::Scalar;
use faer::{MatMut, MatRef};
use std::ffi::{c_char, c_int};

/// Exports one generic routine under its Fortran names.
///
/// `(arguments) => routine(call); name_: type; …`. `T` is the number type and `R` the real numbers underneath.
/// The routine returns `info`, which every signature has last.
macro_rules! export {
    ($args:tt => $raw:ident $call:tt; $($name:ident: $t:ty);+ $(;)?) => {
        $(export!(@one $args $raw $call $name $t);)+
    };
    (@one ($($arg:ident: $ty:ty),* $(,)?) $raw:ident ($($call:ident),*) $name:ident $t:ty) => {
        const _: () = {
            type T = $t;
            type R = <T as crate::scalar::Scalar>::R;
            const _: Option<(T, R)> = None;

            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $ty,)* info: *mut std::ffi::c_int) {
                // SAFETY: the caller keeps LAPACK's contract for this routine, which is the contract of the callee,
                // and `info` points to one writable integer.
                unsafe { *info = $raw::<T>($($call),*) }
            }
        };
    };
}

/// The letter an option argument points to, in upper case.
///
/// # Safety
/// `at` points to one readable character.
pub(crate) unsafe fn letter(at: *const c_char) -> u8 {
    // SAFETY: by contract.
    (unsafe { *at } as u8).to_ascii_uppercase()
}

/// The integer an argument points to.
///
/// # Safety
/// `at` points to one readable integer.
pub(crate) unsafe fn int(at: *const c_int) -> c_int {
    // SAFETY: by contract.
    unsafe { *at }
}

/// Whether a leading dimension is enough for `rows`.
pub(crate) fn is_short(lda: c_int, rows: c_int) -> bool {
    lda < rows.max(1)
}

/// Checks `lwork` and answers a workspace query: `Some(info)` when the call is over.
///
/// # Safety
/// `lwork` points to one integer and `work` to at least one element.
pub(crate) unsafe fn workspace<T: Scalar>(work: *mut T, lwork: *const c_int, position: c_int) -> Option<c_int> {
    // SAFETY: by contract.
    let lwork = unsafe { int(lwork) };
    if lwork < 1 && lwork != -1 {
        return Some(-position);
    }
    // SAFETY: by contract; LAPACK too writes the optimal size to the first element on every call.
    unsafe { work.write(T::one()) };
    (lwork == -1).then_some(0)
}

/// The view of a column-major input.
///
/// # Safety
/// `at` is valid for reading `cols` columns of `rows` elements, `lda` apart, for `'a`, and not written meanwhile.
pub(crate) unsafe fn view<'a, T>(at: *const T, rows: c_int, cols: c_int, lda: c_int) -> MatRef<'a, T> {
    let at = if rows == 0 || cols == 0 { std::ptr::NonNull::dangling().as_ptr() } else { at };
    // SAFETY: by contract; empty views get a dangling, aligned, non-null pointer that is never read.
    unsafe { MatRef::from_raw_parts(at, rows as usize, cols as usize, 1, lda as isize) }
}

/// The view of a column-major output or in-out argument.
///
/// # Safety
/// As [`view`], for reading and writing, and without another access meanwhile. Elements may be uninitialised if the
/// caller writes them before reading them.
pub(crate) unsafe fn view_mut<'a, T>(at: *mut T, rows: c_int, cols: c_int, lda: c_int) -> MatMut<'a, T> {
    let at = if rows == 0 || cols == 0 { std::ptr::NonNull::dangling().as_ptr() } else { at };
    // SAFETY: by contract; empty views get a dangling, aligned, non-null pointer that is never read.
    unsafe { MatMut::from_raw_parts_mut(at, rows as usize, cols as usize, 1, lda as isize) }
}

/// Writes values to an output array.
///
/// # Safety
/// `at` is valid for writing `values.len()` elements.
pub(crate) unsafe fn put<T: Copy>(at: *mut T, values: &[T]) {
    for (i, value) in values.iter().enumerate() {
        // SAFETY: by contract, `i` is inside the array.
        unsafe { at.add(i).write(*value) };
    }
}

/// Copies an input array.
///
/// # Safety
/// `at` is valid for reading `n` elements.
pub(crate) unsafe fn take<T: Copy>(at: *const T, n: usize) -> Vec<T> {
    // SAFETY: by contract, each index is inside the array.
    (0..n).map(|i| unsafe { *at.add(i) }).collect()
}
