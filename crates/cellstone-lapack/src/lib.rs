//! The LAPACK entry points that `ndarray-linalg` calls, implemented on `faer`.
//!
//! `ndarray-linalg` without a backend feature leaves the Fortran symbols (`dsyev_`, `dgesdd_`, …) unresolved. This crate
//! defines them, so a build needs neither a system library nor a Fortran or C++ tool chain. It exports no Rust items:
//! a crate that uses `ndarray-linalg` names it once, so that the linker sees the symbols.
//!
//! ```
//! extern crate cellstone_lapack as _;
//!
//! use ndarray::array;
//! use ndarray_linalg::{Eigh, UPLO};
//!
//! let (values, _vectors) = array![[2.0_f64, 1.0], [1.0, 2.0]].eigh(UPLO::Lower).unwrap();
//! assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 3.0).abs() < 1e-14);
//! ```
//!
//! # What is here
//! Every routine that `lax` 0.18 names, in single and double precision, real (`s`, `d`) and complex (`c`, `z`):
//! `syev`/`heev`, `sygv`/`hegv`, `gesvd`, `gesdd`, `gelsd`, `getrf`, `getrs`, `getri`, `gecon`, `potrf`, `potrs`, `potri`,
//! `sytrf`/`hetrf`, `sytrs`/`hetrs`, `sytri`/`hetri`, `geqrf`, `gelqf`, `orgqr`/`ungqr`, `orglq`/`unglq`, `trtrs`, `lange`,
//! `gttrf`, `gttrs`, `gtcon`, `geev`, `ggev`; and `syevd`/`heevd`, which other bindings prefer.
//!
//! # Where it differs from the reference implementation
//! - Workspace is allocated inside: a query (`lwork = -1`) answers 1, and any `lwork >= 1` is accepted.
//! - The same input gives the same bits for any number of threads: each call runs on the calling thread.
//! - `gecon` and `gtcon` return the exact reciprocal condition number, at the cost of an inverse, instead of an estimate.
//! - Eigenvalue and singular value routines return `info > 0` (no convergence) for input with NaN or infinity.
//! - Running out of memory aborts the process, as everywhere in Rust.
//!
//! Parameter checks and `info` are LAPACK's: `-i` for the `i`-th argument, positive for failures of the computation.
//!
//! What is not here: `BLAS`, any routine that `lax` does not call, and any Rust API.

#![expect(unsafe_code, reason = "the crate is a C ABI; every block states why it is sound")]
#![expect(clippy::too_many_arguments, reason = "the signatures are LAPACK's")]
#![warn(clippy::undocumented_unsafe_blocks)]

#[macro_use]
mod ffi;
mod scalar;

mod cholesky;
mod general;
mod hermitian;
mod indefinite;
mod lstsq;
mod lu;
mod norm;
mod qr;
mod svd;
mod triangular;
mod tridiagonal;
