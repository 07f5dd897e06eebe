//! Rows made ready: checked, and brought to the form in which squared Euclidean distance gives every metric.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use super::DistanceMetric;
use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

/// Accumulators of a squared distance: the order of summation is fixed, and vectors of the machine fit.
const LANES: usize = 8;

/// Checked rows `[n, d]` in one slice. Cosine rows have unit length, correlation rows also mean 0.
pub(crate) struct Rows {
    values: Vec<f64>,
    n: usize,
    d: usize,
    metric: DistanceMetric,
    /// A power of two by which Euclidean rows were divided, so that squares stay in range.
    unit: f64,
}

impl Rows {
    /// # Errors
    /// If a value is not finite or a row has no direction.
    pub(crate) fn new(x: ArrayView2<'_, f64>, metric: DistanceMetric) -> Result<Self> {
        let (n, d) = x.dim();
        if let Some((row, col)) = first_non_finite(x) {
            return Err(Error::invalid_input(format!("cell {row} has {} at coordinate {col}", x[[row, col]]))
                .with_hint("drop cells without a position, or look for an overflow in the step before"));
        }
        let mut values: Vec<f64> = Array2::from_shape_fn((n, d), |it| x[it]).into_raw_vec_and_offset().0;
        let unit = if metric == DistanceMetric::Euclidean { power_of_two(&values) } else { 1.0 };
        if unit != 1.0 {
            for it in &mut values {
                *it /= unit;
            }
        }
        if metric != DistanceMetric::Euclidean && d > 0 {
            values.par_chunks_mut(d).for_each(|row| direct(row, metric));
        }
        if let Some(row) = (0..n).find(|row| values[row * d..(row + 1) * d].iter().any(|it| it.is_nan())) {
            return Err(without_direction(row, metric));
        }
        if metric != DistanceMetric::Euclidean && d == 0 && n > 0 {
            return Err(without_direction(0, metric));
        }
        Ok(Self { values, n, d, metric, unit })
    }

    pub(crate) fn len(&self) -> usize {
        self.n
    }

    pub(crate) fn dim(&self) -> usize {
        self.d
    }

    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.d..(row + 1) * self.d]
    }

    /// `Σ (aᵢ − bᵢ)²` of two rows, always summed in the same order.
    #[inline(always)]
    pub(crate) fn squared(&self, a: usize, b: usize) -> f64 {
        squared(self.row(a), self.row(b))
    }

    /// The metric's distance from a squared one.
    pub(crate) fn distance(&self, squared: f64) -> f64 {
        match self.metric {
            DistanceMetric::Euclidean => squared.sqrt() * self.unit,
            DistanceMetric::Cosine | DistanceMetric::Correlation => 0.5 * squared,
        }
    }
}

#[inline(always)]
fn squared(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| (x - y) * (x - y)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            let gap = a[lane] - b[lane];
            lanes[lane] += gap * gap;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + tail
}

/// The magnitude of the values if their squares could leave the range, else 1.
fn power_of_two(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0_f64, |it, v| it.max(v.abs()));
    if largest == 0.0 || (1e-100..1e100).contains(&largest) { 1.0 } else { largest.log2().floor().exp2() }
}

fn first_non_finite(x: ArrayView2<'_, f64>) -> Option<(usize, usize)> {
    x.axis_iter(Axis(0))
        .enumerate()
        .find_map(|(row, values)| values.iter().position(|it| !it.is_finite()).map(|col| (row, col)))
}

/// Scales a row to unit length, after centring for correlation; all NaN if there is nothing to scale.
fn direct(row: &mut [f64], metric: DistanceMetric) {
    // The largest magnitude first: squares of very large or very small values must not leave the range.
    let largest = row.iter().fold(0.0_f64, |it, v| it.max(v.abs()));
    for it in row.iter_mut() {
        *it /= largest;
    }
    if metric == DistanceMetric::Correlation {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        for it in row.iter_mut() {
            *it -= mean;
        }
    }
    let norm = row.iter().map(|it| it * it).sum::<f64>().sqrt();
    // Below this, what is left of a constant row is rounding.
    let floor =
        if metric == DistanceMetric::Correlation { 4.0 * f64::EPSILON * (row.len() as f64).sqrt() } else { 0.0 };
    let factor = if norm > floor { norm.recip() } else { f64::NAN };
    for it in row.iter_mut() {
        *it *= factor;
    }
}

fn without_direction(row: usize, metric: DistanceMetric) -> Error {
    let (what, name) = match metric {
        DistanceMetric::Correlation => ("is constant", "correlation"),
        _ => ("is a zero vector", "cosine"),
    };
    Error::invalid_input(format!("cell {row} {what}: its {name} distances do not exist"))
        .with_hint("drop such cells, or use the Euclidean distance")
}
