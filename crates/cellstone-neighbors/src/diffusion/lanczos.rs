//! The eigenpairs of largest magnitude of a sparse symmetric matrix: Lanczos with thick restarts.

use super::basis::{Basis, norm};
use crate::wide::clear_vector_state;
use cellstone_core::{Csr, Error, Result, Seed};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2};
use rand::RngExt;
use rayon::prelude::*;

/// Matrices up to this order are decomposed whole.
const WHOLE: usize = 128;
/// Vectors beyond twice the wanted ones that a round goes up to.
const OVERSAMPLE: usize = 20;
/// Residual of a pair that is done, relative to the largest eigenvalue.
const TOLERANCE: f64 = 1e-9;
/// Rounds at most.
const MAX_ROUNDS: usize = 400;
/// Length of what is left of a vector below which it is rounding.
const NOTHING: f64 = 1e-12;
/// Rows of a parallel block of a product.
const ROWS: usize = 2048;

/// The `k` eigenvalues of largest magnitude, falling, and their vectors `[n, k]` of unit length.
///
/// The sign of every vector is fixed: its entry of largest modulus is positive, the first of equals decides. Every new
/// vector is made orthogonal to all others twice; after each round the Ritz vectors that matter are kept and the search
/// goes on from them. `k` is at most the order of the matrix. Source: Wu & Simon 2000, doi:10.1137/S0895479898334605.
pub(super) fn leading_pairs(matrix: &Csr<f64>, k: usize) -> Result<(Array1<f64>, Array2<f64>)> {
    let n = matrix.shape().0;
    let (values, mut vectors) = if n <= WHOLE || n <= 4 * k { whole(matrix, k)? } else { lanczos(matrix, k)? };
    for mut column in vectors.columns_mut() {
        let largest = column.iter().fold(0.0_f64, |it, v| if v.abs() > it.abs() { *v } else { it });
        if largest < 0.0 {
            column.mapv_inplace(|it| -it);
        }
    }
    Ok((values, vectors))
}

/// Through all eigenpairs of the dense matrix.
fn whole(matrix: &Csr<f64>, k: usize) -> Result<(Array1<f64>, Array2<f64>)> {
    let n = matrix.shape().0;
    let mut dense = Mat::zeros(n, n);
    for row in 0..n {
        for (col, value) in matrix.row(row).0.iter().zip(matrix.row(row).1) {
            dense[(row, *col as usize)] = *value;
        }
    }
    let (values, vectors) = eigen(&dense)?;
    let chosen = largest(&values, k);
    Ok((
        chosen.iter().map(|it| values[*it]).collect(),
        Array2::from_shape_fn((n, k), |(row, at)| vectors[(row, chosen[at])]),
    ))
}

fn lanczos(matrix: &Csr<f64>, k: usize) -> Result<(Array1<f64>, Array2<f64>)> {
    let n = matrix.shape().0;
    let m = (2 * k + OVERSAMPLE).min(n - 1);
    let mut basis = Basis::new(n, m + 1);
    let mut starts = Starts { n, rng: Seed::new(0).derive("lanczos").rng() };
    starts.put(&mut basis, 0);
    let mut inside = Mat::<f64>::zeros(m, m);
    let mut from = 0;
    let mut worst = f64::INFINITY;
    for _ in 0..MAX_ROUNDS {
        let mut last = 0.0;
        for j in from..m {
            let mut w = product(matrix, basis.column(j));
            // Only the first image of a round lies in the directions of all vectors, the others in those of the last two.
            let near = if j == from { 0 } else { j - 1 };
            let sums = basis.orthogonalise(j + 1, near, &mut w);
            for (i, sum) in sums.into_iter().enumerate().skip(near) {
                inside[(i, j)] = sum;
                inside[(j, i)] = sum;
            }
            last = norm(&w);
            if last > NOTHING {
                basis.set(j + 1, &w, last);
            } else {
                // The vectors span an invariant subspace: go on in a direction that is not in it.
                last = 0.0;
                starts.put(&mut basis, j + 1);
            }
        }
        let (values, rotation) = eigen(&inside)?;
        let residual = |at: usize| (last * rotation[(m - 1, at)]).abs();
        let wanted = largest(&values, k);
        let scale = wanted.iter().map(|it| values[*it].abs()).fold(f64::MIN_POSITIVE, f64::max);
        worst = wanted.iter().map(|it| residual(*it) / scale).fold(0.0, f64::max);
        let done = worst <= TOLERANCE;
        let kept = if done { wanted } else { largest(&values, k + (m - k) / 2) };
        basis.rotate(&Mat::from_fn(m, kept.len(), |i, j| rotation[(i, kept[j])]));
        if done {
            let vectors = Array2::from_shape_fn((n, k), |(row, at)| basis.column(at)[row]);
            return Ok((kept.iter().map(|it| values[*it]).collect(), vectors));
        }
        from = kept.len();
        basis.copy(m, from);
        inside = Mat::zeros(m, m);
        for (at, it) in kept.iter().enumerate() {
            inside[(at, at)] = values[*it];
        }
    }
    Err(Error::not_converged(format!(
        "{k} eigenvectors of a graph of {n} cells: residual {worst:.1e} after {MAX_ROUNDS} rounds, expected {TOLERANCE:.0e}"
    ))
    .with_hint("ask for fewer components"))
}

/// Random directions that are orthogonal to what is there.
struct Starts {
    n: usize,
    rng: cellstone_core::SeedRng,
}

impl Starts {
    /// Stores a new direction as column `at`, orthogonal to all before it.
    fn put(&mut self, basis: &mut Basis, at: usize) {
        let mut w: Vec<f64> = (0..self.n).map(|_| self.rng.random::<f64>() - 0.5).collect();
        basis.orthogonalise(at, 0, &mut w);
        basis.set(at, &w, norm(&w));
    }
}

/// Places of the `k` largest magnitudes, by falling value; the larger of two opposite values first.
fn largest(values: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()).then(values[*b].total_cmp(&values[*a])));
    order.truncate(k);
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}

/// Eigenvalues, rising, and eigenvectors as columns of a symmetric matrix, on this thread.
fn eigen(matrix: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let (mut values, mut vectors) = (Mat::<f64>::zeros(n, 1), Mat::<f64>::zeros(n, n));
    let spec = faer::Spec::default;
    let mut memory = MemBuffer::new(self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, spec()));
    self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut().col_mut(0).as_diagonal_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        spec(),
    )
    .map_err(|_| Error::not_converged("eigenvectors of a projected graph did not converge"))?;
    clear_vector_state();
    Ok(((0..n).map(|it| values[(it, 0)]).collect(), vectors))
}

/// `matrix · v`, rows in parallel.
fn product(matrix: &Csr<f64>, v: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; v.len()];
    out.par_chunks_mut(ROWS).enumerate().for_each(|(block, out)| {
        for (at, out) in out.iter_mut().enumerate() {
            let (cols, values) = matrix.row(block * ROWS + at);
            *out = gathered(cols, values, v);
        }
    });
    out
}

/// `Σ values · v[cols]`, four sums at a time, so that it is not one chain of additions.
fn gathered(cols: &[u32], values: &[f64], v: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (blocks, tail) = (cols.chunks_exact(4), cols.chunks_exact(4).remainder());
    for (cols, values) in blocks.zip(values.chunks_exact(4)) {
        for lane in 0..4 {
            lanes[lane] += values[lane] * v[cols[lane] as usize];
        }
    }
    let rest = tail.iter().zip(&values[values.len() - tail.len()..]).map(|(col, value)| value * v[*col as usize]);
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring with weights that differ, and chords: connected, without symmetry.
    fn ring(n: usize) -> Csr<f64> {
        let mut dense = Array2::zeros((n, n));
        for i in 0..n {
            for (step, weight) in [(1, 1.0), (7, 0.4)] {
                let j = (i + step) % n;
                let value = weight * (1.0 + 0.3 * ((i * 5) as f64).sin());
                dense[[i, j]] = value;
                dense[[j, i]] = value;
            }
        }
        Csr::from_dense(&dense)
    }

    #[test]
    fn both_routes_find_the_same_pairs() {
        let graph = ring(400);
        let k = 12;
        let (a_values, a) = whole(&graph, k).expect("converges");
        let (b_values, b) = lanczos(&graph, k).expect("converges");
        for at in 0..k {
            assert!((a_values[at] - b_values[at]).abs() < 1e-9, "{a_values} {b_values}");
            let gap = (0..k).filter(|it| *it != at).map(|it| (a_values[it] - a_values[at]).abs()).fold(1.0, f64::min);
            let overlap = a.column(at).dot(&b.column(at)).abs();
            // Vectors of values that nearly coincide may turn into each other.
            assert!(gap < 1e-3 || (overlap - 1.0).abs() < 1e-6, "pair {at}: overlap {overlap}");
        }
    }

    #[test]
    fn an_invariant_subspace_is_left() {
        // Two equal values everywhere: every start spans a subspace of two.
        let n = 300;
        let dense = Array2::from_shape_fn((n, n), |(i, j)| if i == j { if i < 3 { 2.0 } else { 1.0 } } else { 0.0 });
        let (values, vectors) = lanczos(&Csr::from_dense(&dense), 3).expect("converges");
        assert!(values.iter().all(|it| (it - 2.0).abs() < 1e-9), "{values}");
        let inside: f64 = vectors.rows().into_iter().take(3).map(|it| it.dot(&it)).sum();
        assert!((inside - 3.0).abs() < 1e-8, "{inside}");
    }

    #[test]
    fn largest_magnitudes_keep_their_sign_and_order() {
        assert_eq!(largest(&[-3.0, 0.5, 1.0, 2.0], 2), [3, 0]);
        assert_eq!(largest(&[-1.0, 1.0], 1), [1]);
    }
}
