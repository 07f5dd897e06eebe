//! Points in gene space: contiguous rows, their squared lengths, and what is left out of them.

use crate::errors::NEGLIGIBLE;
use crate::kernels::sum_sq;
use cellstone_core::sum::map_ordered;

/// Rows of one width, one after the other.
pub(crate) struct Points {
    pub(crate) n: usize,
    pub(crate) width: usize,
    pub(crate) data: Vec<f64>,
    /// Squared length of each row.
    pub(crate) sq: Vec<f64>,
    /// Whether the row is zero up to the rounding of what it was computed from.
    pub(crate) zero: Vec<bool>,
}

impl Points {
    /// Points from a function that writes row `i` and returns the squared length of what it was computed from.
    pub(crate) fn new(n: usize, width: usize, fill: impl Fn(usize, &mut [f64]) -> f64 + Sync + Send) -> Self {
        use rayon::prelude::*;
        let mut data = vec![0.0; n * width];
        let scales: Vec<f64> = if width == 0 {
            vec![0.0; n]
        } else {
            data.par_chunks_mut(width).enumerate().map(|(at, row)| fill(at, row)).collect()
        };
        let sq = map_ordered(n, |at| sum_sq(&data[at * width..(at + 1) * width]));
        let zero = sq.iter().zip(&scales).map(|(sq, scale)| sq.sqrt() <= NEGLIGIBLE * scale.sqrt()).collect();
        Self { n, width, data, sq, zero }
    }

    pub(crate) fn row(&self, at: usize) -> &[f64] {
        &self.data[at * self.width..(at + 1) * self.width]
    }

    /// Position of the first row that holds NaN or an infinity.
    pub(crate) fn first_not_finite(&self) -> Option<usize> {
        self.sq.iter().position(|it| !it.is_finite())
    }
}
