//! Orthonormal vectors of the length of the data, and the loops over them that cost the time.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use crate::wide::{Body, clear_vector_state, wide};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use pulp::Simd;
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a block. Sums are made block by block and added in the order of the blocks, whatever the threads.
const BLOCK: usize = 8192;
/// Rows that are taken through all vectors before the next: with 200 vectors what a second-level cache holds.
const CHUNK: usize = 512;
/// Sums in flight at a time, so that a sum is not one chain of additions.
const LANES: usize = 16;

/// Columns of length `n`, one after the other.
pub(super) struct Basis {
    n: usize,
    values: Vec<f64>,
}

impl Basis {
    pub(super) fn new(n: usize, n_columns: usize) -> Self {
        Self { n, values: vec![0.0; n * n_columns] }
    }

    pub(super) fn column(&self, at: usize) -> &[f64] {
        &self.values[at * self.n..(at + 1) * self.n]
    }

    /// Stores `w / norm` as a column.
    pub(super) fn set(&mut self, at: usize, w: &[f64], norm: f64) {
        self.values[at * self.n..(at + 1) * self.n].iter_mut().zip(w).for_each(|(it, v)| *it = v / norm);
    }

    /// Moves a column to another place.
    pub(super) fn copy(&mut self, from: usize, to: usize) {
        self.values.copy_within(from * self.n..(from + 1) * self.n, to * self.n);
    }

    /// Makes `w` orthogonal to the first `n_columns` columns; returns `columnsᵀ · w`.
    ///
    /// Two rounds of Gram-Schmidt, the first against the columns from `near` on alone: all of them, or those in whose
    /// directions `w` is known to lie up to rounding.
    pub(super) fn orthogonalise(&self, n_columns: usize, near: usize, w: &mut [f64]) -> Vec<f64> {
        let first = self.pass(w, (near, &[]), near..n_columns);
        let mut sums = self.pass(w, (near, &first), 0..n_columns);
        self.pass(w, (0, &sums), 0..0);
        sums[near..].iter_mut().zip(&first).for_each(|(it, v)| *it += v);
        sums
    }

    /// Takes `Σ takes · column` out of `w`, columns from the given one on, and returns the products of what is left with
    /// the columns `dots`.
    fn pass(&self, w: &mut [f64], (from, takes): (usize, &[f64]), dots: Range<usize>) -> Vec<f64> {
        let parts: Vec<Vec<f64>> = w
            .par_chunks_mut(BLOCK)
            .enumerate()
            .map(|(block, w)| {
                let mut out = vec![0.0; dots.len()];
                let start = block * BLOCK;
                wide(Pass { basis: self, start, w, from, takes, dots_from: dots.start, out: &mut out });
                out
            })
            .collect();
        let mut sums = vec![0.0; dots.len()];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(it, v)| *it += v);
        }
        sums
    }

    /// The first columns of `rotation` combined: `columns · rotation`, stored in place of the first of them.
    pub(super) fn rotate(&mut self, rotation: &Mat<f64>) {
        let blocks = self.rotated(rotation);
        for (at, block) in blocks.iter().enumerate() {
            let start = at * BLOCK;
            for (column, values) in block.chunks(block.len() / rotation.ncols()).enumerate() {
                let place = column * self.n + start;
                self.values[place..place + values.len()].copy_from_slice(values);
            }
        }
    }

    /// `columns · rotation` by blocks of rows, each column by column.
    fn rotated(&self, rotation: &Mat<f64>) -> Vec<Vec<f64>> {
        let (m, p) = (rotation.nrows(), rotation.ncols());
        let all = MatRef::from_column_major_slice(&self.values[..self.n * m], self.n, m);
        (0..self.n.div_ceil(BLOCK))
            .into_par_iter()
            .map(|block| {
                let start = block * BLOCK;
                let height = BLOCK.min(self.n - start);
                let mut out = vec![0.0; height * p];
                let target = MatMut::from_column_major_slice_mut(&mut out, height, p);
                matmul(target, Accum::Replace, all.subrows(start, height), rotation.as_ref(), 1.0, Par::Seq);
                clear_vector_state();
                out
            })
            .collect()
    }
}

/// One block of rows of [`Basis::pass`].
struct Pass<'a> {
    basis: &'a Basis,
    start: usize,
    w: &'a mut [f64],
    from: usize,
    takes: &'a [f64],
    dots_from: usize,
    out: &'a mut [f64],
}

impl Body for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let basis = self.basis;
        for (chunk, w) in self.w.chunks_mut(CHUNK).enumerate() {
            let (start, height) = (self.start + chunk * CHUNK, w.len());
            let column = |at: usize| &basis.values[at * basis.n + start..at * basis.n + start + height];
            for (at, take) in self.takes.iter().enumerate() {
                for (it, v) in w.iter_mut().zip(column(self.from + at)) {
                    *it -= take * v;
                }
            }
            for (at, out) in self.out.iter_mut().enumerate() {
                *out += dot(column(self.dots_from + at), w);
            }
        }
    }
}

/// `Σ aᵢ bᵢ`, always in the same order.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f64>() + tail
}

/// The length of a vector, with a sum in fixed order.
pub(super) fn norm(w: &[f64]) -> f64 {
    let squares: Vec<f64> = w.par_chunks(BLOCK).map(|it| wide(Square(it))).collect();
    squares.iter().sum::<f64>().sqrt()
}

struct Square<'a>(&'a [f64]);

impl Body for Square<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        dot(self.0, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_become_orthogonal_in_blocks_of_any_size() {
        for n in [40, BLOCK + 700] {
            let value = |i: usize, j: usize| ((i * 7 + j * 13) as f64 * 0.37).sin();
            let mut basis = Basis::new(n, 4);
            for j in 0..4 {
                let mut w: Vec<f64> = (0..n).map(|i| value(i, j)).collect();
                let before = w.clone();
                let sums = basis.orthogonalise(j, 0, &mut w);
                let size = norm(&w);
                basis.set(j, &w, size);
                for (at, sum) in sums.iter().enumerate() {
                    let want: f64 = basis.column(at).iter().zip(&before).map(|(a, b)| a * b).sum();
                    assert!((sum - want).abs() < 1e-9, "{sum}, expected {want}");
                }
            }
            for (i, j) in [(0, 1), (0, 3), (2, 3)] {
                assert!(dot(basis.column(i), basis.column(j)).abs() < 1e-14);
            }
            // Swapping the first two columns and dropping the others.
            let old: Vec<f64> = basis.column(0).to_vec();
            basis.rotate(&Mat::from_fn(4, 2, |i, j| f64::from(u8::from(i + j == 1))));
            assert_eq!(basis.column(1), old);
        }
    }
}
