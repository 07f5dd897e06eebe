//! Points in gene space: contiguous rows, their lengths, and which of them are one and the same.

use crate::errors::NEGLIGIBLE;
use crate::kernels::{sum, sum_sq, sum1};
use cellstone_core::sum::map_ordered;
use ndarray::ArrayView2;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// `n` rows of one width, equal rows stored once: a method that gives every condition one answer costs one row.
pub(crate) struct Points {
    pub(crate) n: usize,
    pub(crate) width: usize,
    /// Distinct rows, one after the other.
    data: Vec<f64>,
    /// The distinct row of each row.
    class: Vec<u32>,
    /// Squared length of each distinct row.
    sq: Vec<f64>,
    /// Length of what each distinct row was computed from.
    scale: Vec<f64>,
    /// `Σ|x|` of each distinct row, once asked for.
    abs: OnceLock<Vec<f64>>,
    /// `Σx` of each distinct row, once asked for.
    sum: OnceLock<Vec<f64>>,
}

impl Points {
    /// Points from a function that writes row `i` and returns the squared length of what it was computed from.
    pub(crate) fn new(n: usize, width: usize, fill: impl Fn(usize, &mut [f64]) -> f64 + Sync + Send) -> Self {
        use rayon::prelude::*;
        let mut data = vec![0.0; n * width];
        let scales: Vec<f64> = if width == 0 {
            vec![0.0; n]
        } else {
            data.par_chunks_mut(width).enumerate().map(|(at, row)| fill(at, row).sqrt()).collect()
        };
        let row = |at: usize| &data[at * width..(at + 1) * width];
        let sq = map_ordered(n, |at| sum_sq(row(at)));
        // Equal rows have equal lengths, so only rows of one length are compared.
        let mut by_length = BTreeMap::<(u64, u64), Vec<u32>>::new();
        let (mut class, mut firsts) = (Vec::with_capacity(n), Vec::<usize>::new());
        for at in 0..n {
            let candidates = by_length.entry((sq[at].to_bits(), scales[at].to_bits())).or_default();
            let same = candidates.iter().find(|it| row(firsts[**it as usize]) == row(at)).copied();
            class.push(same.unwrap_or_else(|| {
                candidates.push(firsts.len() as u32);
                firsts.push(at);
                firsts.len() as u32 - 1
            }));
        }
        let pick = |of: &[f64]| firsts.iter().map(|at| of[*at]).collect();
        let (sq, scale) = (pick(&sq), pick(&scales));
        if firsts.len() < n {
            data = firsts.iter().flat_map(|at| row(*at)).copied().collect();
        }
        Self { n, width, data, class, sq, scale, abs: OnceLock::new(), sum: OnceLock::new() }
    }

    /// The distinct row of a row.
    pub(crate) fn class(&self, at: usize) -> usize {
        self.class[at] as usize
    }

    /// Number of distinct rows.
    pub(crate) fn n_classes(&self) -> usize {
        self.sq.len()
    }

    pub(crate) fn distinct(&self, class: usize) -> &[f64] {
        &self.data[class * self.width..(class + 1) * self.width]
    }

    /// The distinct rows, `[n_classes, width]`.
    pub(crate) fn matrix(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.n_classes(), self.width), &self.data).expect("invariant: rows of one width")
    }

    pub(crate) fn row(&self, at: usize) -> &[f64] {
        self.distinct(self.class(at))
    }

    /// Squared length of a row.
    pub(crate) fn sq(&self, at: usize) -> f64 {
        self.sq[self.class(at)]
    }

    /// Length of what a row was computed from.
    pub(crate) fn scale(&self, at: usize) -> f64 {
        self.scale[self.class(at)]
    }

    /// Whether a row is zero up to the rounding of what it was computed from.
    pub(crate) fn zero(&self, at: usize) -> bool {
        self.sq(at).sqrt() <= NEGLIGIBLE * self.scale(at)
    }

    /// `Σ|x|` of a row.
    pub(crate) fn abs(&self, at: usize) -> f64 {
        self.abs.get_or_init(|| self.of_each(|row| sum1(row, f64::abs)))[self.class(at)]
    }

    /// `Σx` of a row.
    pub(crate) fn sum(&self, at: usize) -> f64 {
        self.sum.get_or_init(|| self.of_each(sum))[self.class(at)]
    }

    /// Not in parallel: a thread that waits for the others could be given work that waits for this.
    fn of_each(&self, f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        (0..self.n_classes()).map(|it| f(self.distinct(it))).collect()
    }

    /// Position of the first row that holds NaN or an infinity.
    pub(crate) fn first_not_finite(&self) -> Option<usize> {
        (0..self.n).find(|at| !self.sq(*at).is_finite())
    }
}
