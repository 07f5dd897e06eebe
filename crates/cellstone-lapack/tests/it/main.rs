//! The exported routines, exercised through `ndarray-linalg` and, for what it never passes, through the raw symbols.

#![expect(clippy::borrow_as_ptr, reason = "Fortran takes every argument by address")]

extern crate cellstone_lapack as _;

mod eigen;
mod factor;
mod raw;
mod support;
mod svd;
