//! Weighted local regression of degree 2 at one point.

/// Points that are sorted by `x`, and how many of them a fit takes.
pub(super) struct Neighborhood<'a> {
    pub(super) x: &'a [f64],
    pub(super) y: &'a [f64],
    pub(super) n_near: usize,
}

/// A singular value below this share of the largest counts as zero.
const RANK_TOLERANCE: f64 = 100.0 * f64::EPSILON;

const DEGREE: usize = 2;
const N: usize = DEGREE + 1;

impl Neighborhood<'_> {
    /// Value and slope at `at` of the quadratic that fits the nearest points best under tricube weights
    /// `(1 − (d / d_max)³)³`; `None` if the nearest points coincide with `at`.
    ///
    /// Least squares of least norm in the scaled columns, so that few distinct points do no harm.
    pub(super) fn fit(&self, at: f64) -> Option<(f64, f64)> {
        let start = self.nearest(at);
        let (x, y) = (&self.x[start..start + self.n_near], &self.y[start..start + self.n_near]);
        let squared = |it: f64| (it - at).powi(2);
        let radius = squared(*x.first()?).max(squared(*x.last()?));
        if radius <= 0.0 {
            return None;
        }
        let weights = x.iter().map(|it| (1.0 - (squared(*it) / radius).sqrt().powi(3)).max(0.0).powi(3).sqrt());
        let mut columns: [Vec<f64>; N] = [weights.collect(), Vec::new(), Vec::new()];
        let mut target: Vec<f64> = columns[0].iter().zip(y).map(|(w, y)| w * y).collect();
        for power in 1..N {
            columns[power] = columns[power - 1].iter().zip(x).map(|(it, x)| it * (x - at)).collect();
        }
        let scales = columns.each_mut().map(|it| {
            let length = dot(it, it).sqrt();
            let scale = if length > 0.0 { length } else { 1.0 };
            it.iter_mut().for_each(|it| *it /= scale);
            scale
        });
        let (r, projected) = orthogonalize(&mut columns, &mut target);
        let solution = least_norm(r, projected);
        Some((solution[0] / scales[0], solution[1] / scales[1]))
    }

    /// Where the window of the nearest points begins.
    fn nearest(&self, at: f64) -> usize {
        let (mut low, mut high) = (0, self.x.len() - self.n_near);
        while low < high {
            let middle = usize::midpoint(low, high);
            if at - self.x[middle] > self.x[middle + self.n_near] - at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn subtract(a: &mut [f64], b: &[f64], factor: f64) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a -= factor * b);
}

/// Gram–Schmidt, every column twice: the triangular factor and the coordinates of the target.
fn orthogonalize(columns: &mut [Vec<f64>; N], target: &mut [f64]) -> ([[f64; N]; N], [f64; N]) {
    let mut r = [[0.0; N]; N];
    for col in 0..N {
        let (done, rest) = columns.split_at_mut(col);
        let column = &mut rest[0];
        for _ in 0..2 {
            for (row, basis) in done.iter().enumerate() {
                let overlap = dot(basis, column);
                r[row][col] += overlap;
                subtract(column, basis, overlap);
            }
        }
        let length = dot(column, column).sqrt();
        r[col][col] = length;
        let inverse = if length > 0.0 { 1.0 / length } else { 0.0 };
        column.iter_mut().for_each(|it| *it *= inverse);
    }
    let mut projected = [0.0; N];
    for (it, column) in projected.iter_mut().zip(columns) {
        *it = dot(column, target);
        subtract(target, column, *it);
    }
    (r, projected)
}

/// The pseudo-inverse of `r` times `b`, through one-sided Jacobi rotations.
fn least_norm(r: [[f64; N]; N], b: [f64; N]) -> [f64; N] {
    // Columns of `a = r v` become orthogonal; their lengths are the singular values.
    let mut a = r;
    let mut v = [[0.0; N]; N];
    (0..N).for_each(|it| v[it][it] = 1.0);
    for _ in 0..30 {
        let mut rotated = false;
        for p in 0..N {
            for q in p + 1..N {
                let of = |i: usize, j: usize| (0..N).map(|row| a[row][i] * a[row][j]).sum::<f64>();
                let (alpha, beta, gamma) = (of(p, p), of(q, q), of(p, q));
                if gamma.abs() <= f64::EPSILON * (alpha * beta).sqrt() {
                    continue;
                }
                rotated = true;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let tangent = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let cosine = 1.0 / tangent.hypot(1.0);
                for m in [&mut a, &mut v] {
                    for row in m.iter_mut() {
                        let (x, y) = (row[p], row[q]);
                        row[p] = cosine * (x - tangent * y);
                        row[q] = cosine * (y + tangent * x);
                    }
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let lengths: [f64; N] = std::array::from_fn(|col| (0..N).map(|row| a[row][col].powi(2)).sum::<f64>().sqrt());
    let largest = lengths.iter().fold(0.0, |acc: f64, it| acc.max(*it));
    let mut out = [0.0; N];
    for col in 0..N {
        if lengths[col] > RANK_TOLERANCE * largest {
            let share = (0..N).map(|row| a[row][col] * b[row]).sum::<f64>() / lengths[col].powi(2);
            (0..N).for_each(|row| out[row] += v[row][col] * share);
        }
    }
    out
}
