//! Products of small matrices on one core; who calls decides what runs side by side.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Rows of `width` values as a matrix.
pub(super) fn view(rows: &[f32], width: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(rows, rows.len() / width, width)
}

/// Rows of `width` values as a matrix that is written.
pub(super) fn view_mut(rows: &mut [f32], width: usize) -> MatMut<'_, f32> {
    let n = rows.len() / width;
    MatMut::from_row_major_slice_mut(rows, n, width)
}

/// `out = scale · a · b`.
pub(super) fn product(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, scale: f32) {
    matmul(out, Accum::Replace, a, b, scale, Par::Seq);
}

/// `out += scale · a · b`.
pub(super) fn add_product(out: MatMut<'_, f32>, a: MatRef<'_, f32>, b: MatRef<'_, f32>, scale: f32) {
    matmul(out, Accum::Add, a, b, scale, Par::Seq);
}
