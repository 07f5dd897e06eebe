//! The leading eigenvectors of a large symmetric positive semidefinite operator that is known by its products only.
//!
//! A block Krylov method in Rayleigh–Ritz form: the basis grows by the residuals of the wanted vectors that have not
//! converged, and is cut back to the best Ritz vectors when it is full. With the whole basis kept this is block Lanczos
//! with full reorthogonalisation; the cut is the thick restart of Wu and Simon, <https://doi.org/10.1137/S0895479898334605>.

use crate::fastmath::clear_vector_state;
use crate::linalg::{columns, gram_t, last_reversed, matmul, sym_eig};
use cellstone_core::{Error, Result, Seed};
use ndarray::{Array1, Array2, ArrayView2, Axis, Slice, concatenate};
use ndarray_linalg::QR;
use rand::RngExt;

/// Directions whose length falls below this share when they are made orthogonal to the basis are noise.
const DEPENDENT: f64 = 1e-10;

/// What to find and how hard to try.
pub(super) struct Wanted {
    pub(super) k: usize,
    /// Width of the block: `k` and the oversampling.
    pub(super) width: usize,
    /// Bound on `‖A v − λ v‖ / λ` for every wanted pair.
    pub(super) tol: f64,
    /// Bound on applications of the operator.
    pub(super) max_iter: usize,
    pub(super) seed: Seed,
}

/// The basis and what the operator makes of it.
struct Basis {
    v: Array2<f64>,
    av: Array2<f64>,
}

/// The `k` largest eigenvalues, falling, and their vectors, `[p, k]`.
pub(super) fn leading(
    p: usize,
    wanted: &Wanted,
    apply: impl Fn(&Array2<f64>) -> Result<Array2<f64>>,
) -> Result<(Array1<f64>, Array2<f64>)> {
    let width = wanted.width.min(p);
    let room = (6 * width).min(p);
    let mut rng = wanted.seed.derive("pca").rng();
    let start = Array2::from_shape_simple_fn((p, width), || rng.random::<f64>() - 0.5);
    // One application before the first basis: the start is then already of the range.
    let start = orthonormal(&apply(&orthonormal(&start, None)?)?, None)?;
    if start.ncols() == 0 {
        return Ok(null(p, wanted.k));
    }
    let mut basis = Basis { av: apply(&start)?, v: start };
    let mut worst = f64::INFINITY;
    for _ in 2..=wanted.max_iter {
        let (values, rotation) = basis.ritz()?;
        let count = width.min(values.len());
        let top = columns(&rotation, 0..count);
        let vectors = matmul(&basis.v.view(), &top);
        let images = matmul(&basis.av.view(), &top);
        let residual = &images - &(&vectors * &values.slice_axis(Axis(0), Slice::from(..count)));
        // Below this share of the largest eigenvalue all is rounding.
        let floor = 1e-13 * values[0].max(0.0);
        let lengths = residual.mapv(|it| it * it).sum_axis(Axis(0)).mapv(f64::sqrt);
        let open = |i: usize| lengths[i] > (wanted.tol * values[i]).max(floor);
        worst = (0..wanted.k.min(count)).map(|i| lengths[i] / values[i].max(floor)).fold(0.0, f64::max);
        let missing = wanted.k.min(p) > count;
        if !(0..wanted.k.min(count)).any(open) && !missing {
            let values = values.slice_axis(Axis(0), Slice::from(..wanted.k)).mapv(|it| it.max(0.0));
            return Ok((values, columns(&vectors, 0..wanted.k).as_standard_layout().into_owned()));
        }
        let active: Vec<usize> = (0..count).filter(|i| open(*i)).collect();
        if basis.v.ncols() + active.len() > room {
            let keep = (2 * width).min(rotation.ncols()).min(room.saturating_sub(active.len()).max(width));
            basis.rotate(&columns(&rotation, 0..keep));
        }
        let fresh = orthonormal(&residual.select(Axis(1), &active), Some(&basis.v))?;
        if fresh.ncols() == 0 {
            // The basis is invariant: the operator has no more to give.
            return finish(&basis, p, wanted.k);
        }
        let image = apply(&fresh)?;
        basis.v = join(&basis.v, &fresh);
        basis.av = join(&basis.av, &image);
    }
    Err(not_converged(wanted, worst))
}

pub(super) fn not_converged(wanted: &Wanted, worst: f64) -> Error {
    Error::not_converged(format!(
        "principal components did not converge in {} passes: residual {worst:.1e}, expected {:.1e}",
        wanted.max_iter, wanted.tol
    ))
    .with_hint("raise max_iter or n_oversample, or ask for fewer components")
}

impl Basis {
    /// Ritz values, falling, and the rotation of the basis to their vectors.
    fn ritz(&self) -> Result<(Array1<f64>, Array2<f64>)> {
        let h = matmul(&self.v.t(), &self.av.view());
        let h = (&h + &h.t()) * 0.5;
        let (values, vectors) = sym_eig(&h)?;
        Ok(last_reversed(&values, &vectors, values.len()))
    }

    fn rotate(&mut self, rotation: &ArrayView2<'_, f64>) {
        self.v = matmul(&self.v.view(), rotation);
        self.av = matmul(&self.av.view(), rotation);
    }
}

/// What an invariant basis holds, filled up with null directions.
fn finish(basis: &Basis, p: usize, k: usize) -> Result<(Array1<f64>, Array2<f64>)> {
    let (values, rotation) = basis.ritz()?;
    let found = k.min(values.len());
    let mut vectors = matmul(&basis.v.view(), &columns(&rotation, 0..found));
    let mut all = Array1::zeros(k);
    all.iter_mut().zip(&values).for_each(|(all, it)| *all = it.max(0.0));
    let mut unit = 0;
    while vectors.ncols() < k && unit < p {
        let mut next = Array2::zeros((p, 1));
        next[[unit, 0]] = 1.0;
        vectors = join(&vectors, &orthonormal(&next, Some(&vectors))?);
        unit += 1;
    }
    Ok((all, vectors))
}

/// Nothing varies: zero eigenvalues and unit vectors.
fn null(p: usize, k: usize) -> (Array1<f64>, Array2<f64>) {
    (Array1::zeros(k), Array2::from_shape_fn((p, k), |(i, j)| if i == j { 1.0 } else { 0.0 }))
}

pub(super) fn join(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(1), &[a.view(), b.view()]).expect("invariant: same rows").as_standard_layout().into_owned()
}

/// An orthonormal basis of what the columns add to `against`; columns that add nothing are dropped.
pub(super) fn orthonormal(x: &Array2<f64>, against: Option<&Array2<f64>>) -> Result<Array2<f64>> {
    let mut q = x.clone();
    for column in q.columns_mut() {
        normalize(column);
    }
    for pass in 0..3 {
        if let Some(v) = against {
            let overlap = matmul(&v.t(), &q.view());
            q -= &matmul(&v.view(), &overlap.view());
        }
        // The spectrum of the Gram matrix shows what is left; its square root is the length of a direction.
        let (values, vectors) = sym_eig(&gram_t(&q.view()))?;
        let keep: Vec<usize> = (0..values.len()).rev().filter(|i| values[*i] > DEPENDENT).collect();
        if keep.is_empty() {
            return Ok(Array2::zeros((x.nrows(), 0)));
        }
        let scales = Array1::from_iter(keep.iter().map(|i| 1.0 / values[*i].sqrt()));
        q = matmul(&q.view(), &(vectors.select(Axis(1), &keep) * &scales).view());
        if pass == 2 {
            break;
        }
    }
    // Householder reflections take the last digit.
    let (q, _) = q.qr().map_err(|error| Error::not_converged(format!("orthogonalisation failed: {error}")))?;
    clear_vector_state();
    Ok(q.as_standard_layout().into_owned())
}

fn normalize(mut column: ndarray::ArrayViewMut1<'_, f64>) {
    let largest = column.iter().fold(0.0_f64, |acc, it| acc.max(it.abs()));
    if largest > 0.0 {
        column /= largest;
        let length = column.dot(&column).sqrt();
        column /= length;
    }
}
