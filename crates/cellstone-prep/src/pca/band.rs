//! A symmetric matrix turned into a narrow band: `A = Q B Qᵀ` with products of blocks alone.
//!
//! The first stage of a two-stage tridiagonalisation (Bischof, Lang and Sun 2000,
//! <https://doi.org/10.1145/365723.365735>). It costs `8/3 n³` at the speed of dense products, once; afterwards a
//! product of the matrix with a block of vectors costs its band, not its square, so that an iteration may take as many as
//! a flat spectrum asks for.

use crate::linalg::{by_rows, columns, matmul, on_trailing_rows, with_mat};
use faer::linalg::matmul::matmul as faer_matmul;
use faer::{Accum, Par};
use ndarray::{Array1, Array2, Axis, Slice, concatenate};

/// Diagonals on either side of the main one.
const REACH: usize = 32;

/// `B` and what makes `Q`.
pub(super) struct Band {
    /// `[n, n]`, zero further than [`REACH`] from the diagonal.
    matrix: Array2<f64>,
    turns: Vec<Turn>,
}

/// A product of reflections, `I − V T Vᵀ`, of the coordinates from `from` on.
struct Turn {
    from: usize,
    /// `[n − from, b]`, lower trapezoidal with a diagonal of ones.
    v: Array2<f64>,
    /// `[b, b]`, upper triangular.
    t: Array2<f64>,
}

impl Band {
    /// Reduces a symmetric matrix.
    pub(super) fn new(mut a: Array2<f64>) -> Self {
        let n = a.nrows();
        let mut turns = Vec::new();
        let mut from = REACH;
        while from + 1 < n {
            let left = from - REACH;
            let mut panel: Vec<Array1<f64>> =
                (left..from).map(|it| a.row(it).slice_axis(Axis(0), Slice::from(from..)).to_owned()).collect();
            let turn = Turn::triangularize(&mut panel, from);
            for (col, values) in panel.iter().enumerate() {
                for (row, value) in values.iter().enumerate() {
                    let value = if row <= col { *value } else { 0.0 };
                    a[[from + row, left + col]] = value;
                    a[[left + col, from + row]] = value;
                }
            }
            turn.on_both_sides(&mut a);
            turns.push(turn);
            from += REACH;
        }
        Self { matrix: a, turns }
    }

    /// Order of the matrix.
    pub(super) fn n(&self) -> usize {
        self.matrix.nrows()
    }

    /// `B x`.
    pub(super) fn times(&self, x: &Array2<f64>) -> Array2<f64> {
        let n = self.n();
        let mut out = Array2::zeros(x.dim());
        with_mat(&self.matrix.view(), |matrix| {
            with_mat(&x.view(), |x| {
                by_rows(&mut out, |start, rows| {
                    let height = rows.nrows();
                    let (from, to) = (start.saturating_sub(REACH), n.min(start + height + REACH));
                    let left = matrix.submatrix(start, from, height, to - from);
                    faer_matmul(rows, Accum::Replace, left, x.subrows(from, to - from), 1.0, Par::Seq);
                });
            });
        });
        out
    }

    /// `Q x`: vectors of the band become vectors of the matrix.
    pub(super) fn back(&self, mut x: Array2<f64>) -> Array2<f64> {
        for turn in self.turns.iter().rev() {
            let mut part = x.slice_axis_mut(Axis(0), Slice::from(turn.from..));
            let inside = matmul(&turn.v.t(), &part.view());
            part -= &matmul(&turn.v.view(), &matmul(&turn.t.view(), &inside.view()).view());
        }
        x
    }
}

impl Turn {
    /// Reflections that make the columns upper triangular, which they then are in their first rows; below is left over.
    fn triangularize(panel: &mut [Array1<f64>], from: usize) -> Self {
        let height = panel[0].len();
        let b = panel.len().min(height - 1);
        let (mut v, mut t) = (Array2::zeros((height, b)), Array2::<f64>::zeros((b, b)));
        for col in 0..b {
            let (done, open) = panel.split_at_mut(col + 1);
            let own = &mut done[col];
            let tail = own.slice_axis(Axis(0), Slice::from(col + 1..));
            let below = tail.dot(&tail);
            v[[col, col]] = 1.0;
            if below == 0.0 {
                continue;
            }
            let top = own[col];
            // Away from the sign of the top, so that nothing cancels.
            let length = -(top * top + below).sqrt().copysign(top);
            let factor = (length - top) / length;
            let reflector = tail.mapv(|it| it / (top - length));
            own[col] = length;
            for other in open {
                let (mut head, mut rest) = other.view_mut().split_at(Axis(0), col + 1);
                let overlap = factor * (head[col] + reflector.dot(&rest));
                head[col] -= overlap;
                rest.scaled_add(-overlap, &reflector);
            }
            let overlap = columns(&v, 0..col).slice_axis(Axis(0), Slice::from(col + 1..)).t().dot(&reflector)
                + v.row(col).slice_axis(Axis(0), Slice::from(..col));
            let upper = t.slice_axis(Axis(0), Slice::from(..col)).slice_axis(Axis(1), Slice::from(..col)).dot(&overlap);
            t.column_mut(col).slice_axis_mut(Axis(0), Slice::from(..col)).assign(&(upper * -factor));
            t[[col, col]] = factor;
            v.column_mut(col).slice_axis_mut(Axis(0), Slice::from(col + 1..)).assign(&reflector);
        }
        Self { from, v, t }
    }

    /// The trailing part of the matrix between the transpose and the turn itself.
    fn on_both_sides(&self, a: &mut Array2<f64>) {
        let turned = matmul(&self.trailing_times(a).view(), &self.t.view());
        let inside = matmul(&self.t.t(), &matmul(&self.v.t(), &turned.view()).view());
        let w = &turned - &(matmul(&self.v.view(), &inside.view()) * 0.5);
        let (left, right) = (beside(&self.v, &w), beside(&w, &self.v));
        with_mat(&left.view(), |left| {
            with_mat(&right.view(), |right| {
                on_trailing_rows(a, self.from, |start, rows| {
                    let left = left.subrows(start, rows.nrows());
                    faer_matmul(rows, Accum::Add, left, right.transpose(), -1.0, Par::Seq);
                });
            });
        });
    }

    /// The trailing part of the matrix times `V`.
    fn trailing_times(&self, a: &Array2<f64>) -> Array2<f64> {
        let (from, height) = (self.from, self.v.nrows());
        let mut out = Array2::zeros(self.v.dim());
        with_mat(&a.view(), |a| {
            with_mat(&self.v.view(), |v| {
                by_rows(&mut out, |start, rows| {
                    let left = a.submatrix(from + start, from, rows.nrows(), height);
                    faer_matmul(rows, Accum::Replace, left, v, 1.0, Par::Seq);
                });
            });
        });
        out
    }
}

fn beside(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(1), &[a.view(), b.view()]).expect("invariant: same rows").as_standard_layout().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::gram_t;

    /// Symmetric, of full rank.
    fn sample(n: usize) -> Array2<f64> {
        let x = Array2::from_shape_fn((n, n), |(i, j)| ((i * 31 + j * 17) as f64 * 0.618).sin());
        gram_t(&x.view())
    }

    #[test]
    fn the_band_is_the_matrix_seen_from_another_basis() {
        for n in [1, 2, REACH, REACH + 1, REACH + 2, 2 * REACH + 1, 150, 301] {
            let a = sample(n);
            let band = Band::new(a.clone());
            for ((i, j), value) in band.matrix.indexed_iter() {
                assert!(i.abs_diff(j) <= REACH || *value == 0.0, "{n}: {value} at {i} {j}");
            }
            let q = band.back(Array2::eye(n));
            let identity = q.t().dot(&q) - Array2::<f64>::eye(n);
            assert!(identity.iter().all(|it| it.abs() < 1e-13), "{n}: orthogonal");
            let largest = a.iter().fold(0.0_f64, |acc, it| acc.max(it.abs()));
            let again = q.dot(&band.matrix).dot(&q.t()) - &a;
            assert!(again.iter().all(|it| it.abs() <= 1e-13 * n as f64 * largest), "{n}: the same matrix");
            let x = Array2::from_shape_fn((n, 3), |(i, j)| (i as f64 * 0.3 + j as f64).cos());
            let gap = band.times(&x) - band.matrix.dot(&x);
            assert!(gap.iter().all(|it| it.abs() <= 1e-13 * n as f64 * largest), "{n}: products");
        }
    }

    #[test]
    fn what_is_a_band_already_stays() {
        let a =
            Array2::from_shape_fn((100, 100), |(i, j)| if i.abs_diff(j) < 2 { 1.0 / (1 + i + j) as f64 } else { 0.0 });
        let band = Band::new(a.clone());
        assert_eq!(band.matrix, a);
        assert_eq!(band.back(Array2::eye(100)), Array2::<f64>::eye(100));
    }
}
