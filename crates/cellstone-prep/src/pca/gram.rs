//! `xᵀ x` of sparse rows, one tile of columns at a time.
//!
//! Of the two factors of a product one is a stored entry, that of the sparser column, and the other a dense piece of the
//! same row: a part of the work of a dense product, at nearly its speed, because sums stay in registers and pieces in the
//! first-level cache. Every sum meets the cells in their order, whatever the blocks, the threads and which factor is
//! which. Products of two single-precision numbers are exact in double precision, so fusing product and sum moves no bit
//! either.

use super::operator::{BLOCK_ROWS, Block, ColumnIndex, STEP_ROWS};
use faer::traits::pulp::{Arch, Simd, WithSimd};
use ndarray::{Array1, Array2, Axis};
use rayon::prelude::*;

/// Columns of a tile.
const WIDTH: usize = 32;

/// Sums of a tile, in columns of the other factor, that are worked on together: 64 KiB.
const GROUP: usize = 256;

/// One row of a tile, aligned to a cache line.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([f64; WIDTH]);

const ZERO: Line = Line([0.0; WIDTH]);

/// One triangle of `xᵀ x`, summed block by block.
pub(super) struct Gram {
    /// Columns by falling number of entries in the first block.
    order: Vec<u32>,
    /// Of every tile of columns in that order, the products with its own and all later ones.
    tiles: Vec<Vec<Line>>,
}

impl Gram {
    /// Zeros, `[n_vars, n_vars]`; `first` decides which columns are taken for dense.
    pub(super) fn new(first: &Block<'_>, n_vars: usize) -> Self {
        let n_entries: Vec<usize> =
            (0..n_vars).map(|col| first.steps.iter().map(|it| it.column(col).len()).sum()).collect();
        let mut order: Vec<u32> = (0..n_vars as u32).collect();
        order.sort_by_key(|it| std::cmp::Reverse(n_entries[*it as usize]));
        Self { order, tiles: (0..n_vars).step_by(WIDTH).map(|it| vec![ZERO; n_vars - it]).collect() }
    }

    /// Adds the rows of a block.
    pub(super) fn add(&mut self, block: &Block<'_>) {
        let order = &self.order;
        self.tiles.par_iter_mut().enumerate().with_max_len(1).for_each(|(tile, sums)| {
            let order = &order[tile * WIDTH..];
            let dense = dense_of(block.steps, &order[..WIDTH.min(order.len())]);
            for (columns, sums) in order.chunks(GROUP).zip(sums.chunks_mut(GROUP)) {
                for (step, dense) in block.steps.iter().zip(dense.chunks(STEP_ROWS)) {
                    Arch::new().dispatch(Step { step, columns, sums, dense });
                }
            }
        });
    }

    /// The whole matrix about the means of `n` rows, `Σ (x − mean)(x − mean)ᵀ`, exactly symmetric.
    pub(super) fn centered(self, n: usize, mean: &Array1<f64>) -> Array2<f64> {
        let mut place = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(at, col)| place[*col as usize] = at);
        let mut all = Array2::zeros((mean.len(), mean.len()));
        all.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut line)| {
            for (col, value) in line.iter_mut().enumerate() {
                let (low, high) = (row.min(col), row.max(col));
                let (dense, sparse) = (place[row].min(place[col]), place[row].max(place[col]));
                let tile = dense / WIDTH;
                *value = self.tiles[tile][sparse - tile * WIDTH].0[dense % WIDTH] - n as f64 * mean[low] * mean[high];
            }
        });
        all
    }
}

/// Some columns of a block as the lanes of dense rows.
fn dense_of(steps: &[ColumnIndex], columns: &[u32]) -> Vec<Line> {
    let mut dense = vec![ZERO; BLOCK_ROWS];
    for (step, dense) in steps.iter().zip(dense.chunks_mut(STEP_ROWS)) {
        for (lane, col) in columns.iter().enumerate() {
            for (row, value) in step.column(*col as usize) {
                dense[*row as usize].0[lane] = f64::from(*value);
            }
        }
    }
    dense
}

/// Adds the products of some columns with the dense piece of a tile, for the rows of one step.
struct Step<'a> {
    step: &'a ColumnIndex,
    /// One for each of `sums`.
    columns: &'a [u32],
    sums: &'a mut [Line],
    dense: &'a [Line],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F64_LANES {
            8 => self.run::<S, { WIDTH / 8 }>(simd),
            4 => self.run::<S, { WIDTH / 4 }>(simd),
            2 => self.run::<S, { WIDTH / 2 }>(simd),
            _ => self.run::<S, WIDTH>(simd),
        }
    }
}

impl Step<'_> {
    /// `N` vectors make a line.
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, simd: S) {
        for (sum, col) in self.sums.iter_mut().zip(self.columns) {
            let Some(sum) = S::as_mut_simd_f64s(&mut sum.0).0.first_chunk_mut::<N>() else { return };
            let mut acc = *sum;
            for (row, value) in self.step.column(*col as usize) {
                let own = simd.splat_f64s(f64::from(*value));
                let Some(line) = S::as_simd_f64s(&self.dense[*row as usize].0).0.first_chunk::<N>() else { return };
                for lane in 0..N {
                    acc[lane] = simd.mul_add_e_f64s(own, line[lane], acc[lane]);
                }
            }
            *sum = acc;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operator::Rows;
    use super::*;
    use cellstone_core::Csr;

    fn sum(x: &Csr<f32>) -> Gram {
        let mut gram = None;
        Rows::memory(x, false)
            .each(|block| {
                gram.get_or_insert_with(|| Gram::new(block, x.shape().1)).add(block);
                Ok(())
            })
            .expect("no source to fail");
        gram.expect("some rows")
    }

    #[test]
    fn sums_are_those_of_the_definition_bit_for_bit() {
        // More rows than two blocks, more columns than a group of sums, neither a multiple of anything.
        for (n, p) in [(1, 1), (3, 40), (1100, 37), (517, 300)] {
            let dense = Array2::from_shape_fn((n, p), |(i, j)| {
                let it = ((i * 31 + j * 17) % 101) as f32;
                if it < 30.0 { (it * 0.37).sin() } else { 0.0 }
            });
            let x = Csr::from_dense(&dense);
            let got = sum(&x).centered(n, &Array1::zeros(p));
            let wide = dense.mapv(f64::from);
            for i in 0..p {
                for j in 0..p {
                    let want = (0..n).fold(0.0, |sum, row| sum + wide[[row, i]] * wide[[row, j]]);
                    assert_eq!(got[[i, j]].to_bits(), want.to_bits(), "{n} × {p}: {i} {j}");
                }
            }
        }
    }

    #[test]
    fn means_are_taken_out() {
        let dense = Array2::from_shape_fn((40, 5), |(i, j)| ((i * 7 + j * j) % 5) as f32);
        let x = Csr::from_dense(&dense);
        let wide = dense.mapv(f64::from);
        let mean = wide.mean_axis(Axis(0)).expect("rows");
        let centered = &wide - &mean;
        let gap = sum(&x).centered(40, &mean) - centered.t().dot(&centered);
        assert!(gap.iter().all(|it| it.abs() < 1e-11));
    }
}
