//! The leading eigenvectors of a symmetric positive semidefinite matrix whose products are cheap.
//!
//! Subspace iteration whose step is a Chebyshev polynomial of the matrix: bounded by 1 on the unwanted part of the
//! spectrum and steep above it. Nearly all the work is products of the matrix with a block of vectors.
//! Zhou, Saad, Tiago and Chelikowsky 2006, <https://doi.org/10.1016/j.jcp.2006.03.017>.

use super::band::Band;
use super::solver::{Wanted, join, orthonormal};
use crate::linalg::{columns, last_reversed, matmul, sym_eig};
use cellstone_core::Result;
use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};
use rand::RngExt;

/// Largest degree of a step.
const DEGREE: usize = 64;

/// How much more a step may raise the first vector than the last, times the relative residual of the first: what is left
/// of the first in the others grows as well, and must not hide them.
const RAISE: f64 = 1e4;

/// Bounds on that.
const RAISES: (f64, f64) = (1e3, 1e12);

/// Below this share of the first eigenvalue the last of the block is noise: the matrix has too low a rank for the method.
const NOISE: f64 = 1e-10;

/// The `k` largest eigenvalues, falling, and their vectors `[p, k]`; `None` where the rank is too low for the block
/// or the wanted ones crowd together.
pub(super) fn leading_of(matrix: &Band, wanted: &Wanted) -> Result<Option<(Array1<f64>, Array2<f64>)>> {
    let p = matrix.n();
    let width = wanted.width.max(wanted.k + wanted.k / 2).min(p);
    let mut rng = wanted.seed.derive("pca").rng();
    let start = Array2::from_shape_simple_fn((p, width), || rng.random::<f64>() - 0.5);
    let mut vectors = orthonormal(&matrix.times(&start), None)?;
    let (mut passes, mut locked) = (1, Vec::new());
    loop {
        while vectors.ncols() < width {
            let fresh = Array2::from_shape_simple_fn((p, width - vectors.ncols()), || rng.random::<f64>() - 0.5);
            vectors = join(&vectors, &orthonormal(&fresh, Some(&vectors))?);
        }
        let ritz = Ritz::new(matrix, &columns(&vectors, locked.len()..width))?;
        passes += 1;
        let done = ritz.converged(wanted.k - locked.len(), wanted.tol);
        let held = columns(&vectors, 0..locked.len()).to_owned();
        vectors = join(&held, &ritz.vectors);
        locked.extend(ritz.values.iter().take(done));
        if locked.len() == wanted.k {
            // Together once more, so that all vectors belong to one decomposition.
            let all = Ritz::new(matrix, &columns(&vectors, 0..width))?;
            let top = columns(&all.vectors, 0..wanted.k).as_standard_layout().into_owned();
            return Ok(Some((all.values.iter().take(wanted.k).map(|it| it.max(0.0)).collect(), top)));
        }
        if passes >= wanted.max_iter {
            // Eigenvalues that crowd together, as those of noise do: a growing basis parts them better than a polynomial.
            return Ok(None);
        }
        let (top, bound) = (ritz.values[done], ritz.values[ritz.values.len() - 1]);
        if bound.is_nan() || bound <= NOISE * ritz.values[0].max(top) {
            return Ok(None);
        }
        let steepness = (2.0 * top / bound - 1.0).max(1.0 + 1e-9).acosh();
        let raise = (RAISE * ritz.values[done] / ritz.residuals[done]).clamp(RAISES.0, RAISES.1);
        let degree = ((raise.ln() / steepness) as usize).clamp(2, DEGREE).min(wanted.max_iter - passes).max(1);
        let held =
            Held { values: &locked, vectors: columns(&vectors, 0..locked.len()).as_standard_layout().into_owned() };
        let filtered = filter(matrix, &held, &columns(&vectors, locked.len()..width), bound, top, degree);
        passes += degree;
        vectors = join(&held.vectors, &orthonormal(&filtered, (!locked.is_empty()).then_some(&held.vectors))?);
    }
}

/// Eigenvalues and vectors of the matrix inside a subspace.
struct Ritz {
    /// Falling.
    values: Array1<f64>,
    vectors: Array2<f64>,
    /// `‖A v − λ v‖`.
    residuals: Array1<f64>,
}

impl Ritz {
    fn new(matrix: &Band, basis: &ArrayView2<'_, f64>) -> Result<Self> {
        let basis = basis.as_standard_layout().into_owned();
        let image = matrix.times(&basis);
        let inside = matmul(&basis.t(), &image.view());
        let (values, rotation) = sym_eig(&((&inside + &inside.t()) * 0.5))?;
        let (values, rotation) = last_reversed(&values, &rotation, values.len());
        let vectors = matmul(&basis.view(), &rotation.view());
        let residual = matmul(&image.view(), &rotation.view()) - &vectors * &values;
        let residuals = residual.mapv(|it| it * it).sum_axis(Axis(0)).mapv(f64::sqrt);
        Ok(Self { values, vectors, residuals })
    }

    /// How many of the first `n` are done without a gap.
    fn converged(&self, n: usize, tol: f64) -> usize {
        // Below this share of the largest eigenvalue all is rounding.
        let floor = 1e-13 * self.values[0].max(0.0);
        let is_done = |i: usize| self.residuals[i] <= (tol * self.values[i]).max(floor);
        (0..n).take_while(|i| is_done(*i)).count()
    }
}

/// Eigenvectors that are done.
struct Held<'a> {
    values: &'a [f64],
    vectors: Array2<f64>,
}

impl Held<'_> {
    /// The matrix without these vectors, times `x`: else what rounding leaves of them would outgrow all others.
    fn times_without(&self, matrix: &Band, x: &Array2<f64>) -> Array2<f64> {
        let mut image = matrix.times(x);
        if !self.values.is_empty() {
            let mut inside = matmul(&self.vectors.t(), &x.view());
            inside.axis_iter_mut(Axis(0)).zip(self.values).for_each(|(mut row, value)| row *= *value);
            image -= &matmul(&self.vectors.view(), &inside.view());
        }
        image
    }
}

/// The Chebyshev polynomial of the matrix that is bounded on `[0, bound]`, scaled to 1 at `top`, times `x`.
fn filter(matrix: &Band, held: &Held<'_>, x: &ArrayView2<'_, f64>, bound: f64, top: f64, degree: usize) -> Array2<f64> {
    let half = bound / 2.0;
    let first = half / (top - half);
    let mut scale = first;
    let mut before = x.as_standard_layout().into_owned();
    let mut now = held.times_without(matrix, &before);
    Zip::from(&mut now).and(&before).for_each(|now, x| *now = (*now - half * x) * (first / half));
    for _ in 1..degree {
        let next_scale = 1.0 / (2.0 / first - scale);
        let (ahead, back) = (2.0 * next_scale / half, scale * next_scale);
        let image = held.times_without(matrix, &now);
        Zip::from(&mut before).and(&image).and(&now).for_each(|before, image, now| {
            *before = (image - half * now) * ahead - back * *before;
        });
        std::mem::swap(&mut before, &mut now);
        scale = next_scale;
    }
    now
}
