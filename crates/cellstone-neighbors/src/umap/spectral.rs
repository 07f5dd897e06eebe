//! The spectral layout: eigenvectors of the graph as coordinates.

use crate::graph::{check_graph, connected_parts};
use cellstone_core::{Csr, Error, Result, Seed};
use faer::{Mat, Side};
use ndarray::{Array2, Axis};
use rand::RngExt;
use rayon::prelude::*;

/// Vectors beyond the wanted ones: they carry the convergence of the last wanted one.
const OVERSAMPLE: usize = 8;
/// Degree of the filter of a round.
const DEGREE: usize = 16;
/// Rounds at most: a start need not be exact.
const MAX_ROUNDS: usize = 25;
/// Residual at which the vectors are good enough for a start.
const TOLERANCE: f64 = 1e-3;
/// Rows of a parallel block.
const ROWS: usize = 1024;

/// Positions `[n_obs, d]` from the eigenvectors of the normalised Laplacian `I − D^{−1/2} A D^{−1/2}` with the smallest
/// eigenvalues after 0, every axis scaled to 0 … 10.
///
/// Connected parts of the graph are laid out one by one and set side by side on a spiral, larger parts first, as their
/// eigenvectors say nothing about each other. Eigenvectors come from subspace iteration with a Chebyshev filter, to a
/// residual of 1e-3 or 25 rounds. Source: Belkin & Niyogi 2003, doi:10.1162/089976603321780317.
///
/// # Errors
/// If the graph is not symmetric and non-negative, or `d` is 0.
pub fn spectral_layout(graph: &Csr<f64>, d: usize, seed: Seed) -> Result<Array2<f64>> {
    if d == 0 {
        return Err(Error::config("0 dimensions, expected at least 1"));
    }
    check_graph(graph)?;
    let n = graph.shape().0;
    let mut layout = Array2::zeros((n, d));
    let mut parts = connected_parts(graph);
    parts.sort_by_key(|it| std::cmp::Reverse(it.len()));
    for (rank, cells) in parts.iter().enumerate() {
        let own = part_layout(&part_of(graph, cells), d, seed.derive("spectral").derive_index(rank as u64))?;
        // Areas of a sunflower: part after part one golden angle further, the distance by the cells placed so far.
        let before = parts[..rank].iter().map(Vec::len).sum::<usize>() as f64 / n as f64;
        let (size, angle) = ((cells.len() as f64 / n as f64).sqrt(), 2.399_963_229_728_653 * rank as f64);
        let distance = if rank == 0 { 0.0 } else { 1.5 * (before.sqrt() + size) };
        for (cell, from) in cells.iter().zip(own.rows()) {
            for axis in 0..d {
                let centre = match axis {
                    0 => distance * angle.cos(),
                    1 => distance * angle.sin(),
                    _ => 0.0,
                };
                layout[[*cell as usize, axis]] = centre + size * from[axis];
            }
        }
    }
    for mut axis in layout.axis_iter_mut(Axis(1)) {
        let (low, high) = axis.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |it, v| (it.0.min(*v), it.1.max(*v)));
        let factor = if high > low { 10.0 / (high - low) } else { 0.0 };
        axis.mapv_inplace(|it| (it - low) * factor);
    }
    Ok(layout)
}

/// `D^{−1/2} A D^{−1/2}` of one part, and `D^{1/2} 1` at unit length: its first eigenvector.
struct Normalised {
    matrix: Csr<f64>,
    first: Vec<f64>,
}

fn part_of(graph: &Csr<f64>, cells: &[u32]) -> Normalised {
    let mut place = std::collections::BTreeMap::new();
    if cells.len() < graph.shape().0 {
        place = cells.iter().zip(0_u32..).map(|(cell, at)| (*cell, at)).collect();
    }
    let rows: Vec<usize> = cells.iter().map(|it| *it as usize).collect();
    let (indptr, mut indices, mut data) = graph.select_rows(&rows).into_parts();
    if !place.is_empty() {
        for it in &mut indices {
            *it = place[it];
        }
    }
    let strength: Vec<f64> = indptr.windows(2).map(|it| data[it[0]..it[1]].iter().sum()).collect();
    for row in 0..cells.len() {
        for at in indptr[row]..indptr[row + 1] {
            data[at] /= (strength[row] * strength[indices[at] as usize]).sqrt().max(f64::MIN_POSITIVE);
        }
    }
    let total: f64 = strength.iter().sum();
    let first = strength.iter().map(|it| (it / total.max(f64::MIN_POSITIVE)).sqrt()).collect();
    // Rows of a checked matrix, renumbered in order: they are sorted and in range.
    let matrix = Csr::new(cells.len(), cells.len(), indptr, indices, data);
    Normalised { matrix: matrix.unwrap_or_else(|_| Csr::from_dense(&Array2::zeros((0, 0)))), first }
}

/// Coordinates of one part, the largest magnitude 1, with a little noise that parts equal cells.
fn part_layout(part: &Normalised, d: usize, seed: Seed) -> Result<Array2<f64>> {
    let n = part.first.len();
    let mut rng = seed.rng();
    let mut noise = || rng.random::<f64>() - 0.5;
    if n < d + 2 {
        return Ok(Array2::from_shape_fn((n, d), |_| noise()));
    }
    let width = (d + OVERSAMPLE).min(n - 1);
    let mut vectors = Array2::from_shape_fn((n, width), |_| noise());
    orthonormalise(&mut vectors, &part.first);
    let mut cut = 0.0;
    for round in 0..MAX_ROUNDS {
        if round > 0 {
            vectors = filtered(&part.matrix, vectors, cut);
            orthonormalise(&mut vectors, &part.first);
        }
        let image = product(&part.matrix, &vectors);
        let (values, rotation) = eigen(&vectors.t().dot(&image))?;
        vectors = vectors.dot(&rotation);
        let residual = (image.dot(&rotation) - &vectors * &ndarray::ArrayView1::from(&values))
            .columns()
            .into_iter()
            .take(d)
            .map(|it| it.dot(&it).sqrt())
            .fold(0.0, f64::max);
        // The filter damps the spectrum below the last of the vectors.
        cut = values[width - 1].clamp(-0.9, 0.9999);
        if residual < TOLERANCE {
            break;
        }
    }
    let mut layout = vectors.slice_axis(Axis(1), (0..d).into()).to_owned();
    for mut axis in layout.axis_iter_mut(Axis(1)) {
        // Eigenvectors of the random walk, and a sign that does not depend on the start.
        axis.iter_mut().zip(&part.first).for_each(|(it, first)| *it /= first.max(f64::MIN_POSITIVE));
        let largest = axis.iter().fold(0.0_f64, |it, v| if v.abs() > it.abs() { *v } else { it });
        axis.mapv_inplace(|it| if largest == 0.0 { 0.0 } else { it / largest });
    }
    layout.mapv_inplace(|it| it + 1e-4 * noise());
    Ok(layout)
}

/// `matrix · vectors`, rows in parallel.
fn product(matrix: &Csr<f64>, vectors: &Array2<f64>) -> Array2<f64> {
    let (n, width) = vectors.dim();
    let from = vectors.as_standard_layout();
    let from = from.as_slice().unwrap_or_default();
    let mut out = vec![0.0; n * width];
    out.par_chunks_mut(ROWS * width).enumerate().for_each(|(block, out)| {
        for (at, out) in out.chunks_mut(width).enumerate() {
            let (cols, weights) = matrix.row(block * ROWS + at);
            for (col, weight) in cols.iter().zip(weights) {
                let other = &from[*col as usize * width..(*col as usize + 1) * width];
                out.iter_mut().zip(other).for_each(|(it, v)| *it += weight * v);
            }
        }
    });
    Array2::from_shape_vec((n, width), out).unwrap_or_default()
}

/// The Chebyshev polynomial that is small on `[−1, cut]` and grows fast above.
fn filtered(matrix: &Csr<f64>, vectors: Array2<f64>, cut: f64) -> Array2<f64> {
    let (half, centre) = (0.5 * (cut + 1.0), 0.5 * (cut - 1.0));
    let mut before = vectors;
    let mut now = (product(matrix, &before) - &before * centre) / half;
    for _ in 1..DEGREE {
        let next = (product(matrix, &now) - &now * centre) * (2.0 / half) - &before;
        before = std::mem::replace(&mut now, next);
    }
    now
}

/// Gram-Schmidt, twice, against the first eigenvector and each other.
fn orthonormalise(vectors: &mut Array2<f64>, first: &[f64]) {
    let first = ndarray::ArrayView1::from(first);
    for col in 0..vectors.ncols() {
        for _ in 0..2 {
            let (done, mut rest) = vectors.view_mut().split_at(Axis(1), col);
            let mut own = rest.column_mut(0);
            let share = own.dot(&first);
            own.scaled_add(-share, &first);
            for other in done.columns() {
                let share = own.dot(&other);
                own.scaled_add(-share, &other);
            }
            let norm = own.dot(&own).sqrt();
            if norm > 0.0 {
                own /= norm;
            }
        }
    }
}

/// Eigenvalues falling and their vectors as columns.
fn eigen(matrix: &Array2<f64>) -> Result<(Vec<f64>, Array2<f64>)> {
    let n = matrix.nrows();
    let symmetric = Mat::from_fn(n, n, |i, j| 0.5 * (matrix[[i, j]] + matrix[[j, i]]));
    let found = symmetric
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| Error::not_converged("eigenvectors of the graph did not converge"))?;
    let (values, vectors) = (found.S().column_vector(), found.U());
    Ok(((0..n).map(|it| values[n - 1 - it]).collect(), Array2::from_shape_fn((n, n), |(i, j)| vectors[(i, n - 1 - j)])))
}
