//! Weighted graphs of cells from their nearest neighbours.

mod check;
mod fuzzy;
mod gauss;
mod parts;

pub use check::check_graph;
pub use fuzzy::{FuzzyParams, fuzzy_graph};
pub use gauss::gauss_graph;
pub use parts::{connected_parts, subgraph};

use cellstone_core::{Csr, Error, KnnGraph, Result};

/// The neighbours of a cell other than itself.
fn others(knn: &KnnGraph, obs: usize) -> (&[u32], &[f64]) {
    let (indices, distances) = knn.neighbors(obs);
    let skip = usize::from(knn.includes_self());
    (&indices[skip..], &distances[skip..])
}

/// Checks what every graph needs: neighbours that exist and at least one other than the cell itself.
fn check_knn(knn: &KnnGraph) -> Result<()> {
    let n = knn.n_obs();
    if knn.k() == usize::from(knn.includes_self()) {
        return Err(Error::invalid_input("the only neighbour of every cell is the cell itself")
            .with_hint("search for at least 2 neighbours when the cell itself counts"));
    }
    for obs in 0..n {
        let (indices, distances) = others(knn, obs);
        if let Some(other) = indices.iter().find(|it| **it as usize >= n || **it as usize == obs) {
            return Err(Error::invalid_input(format!("cell {obs} of {n} has neighbour {other}")));
        }
        if let Some(it) = distances.iter().find(|it| !it.is_finite()) {
            return Err(Error::invalid_input(format!("cell {obs} has a neighbour at distance {it}")));
        }
    }
    Ok(())
}

/// The directed graph with one weight per neighbour; columns sorted, weights of 0 dropped.
fn directed(knn: &KnnGraph, weights: &[f64]) -> Result<Csr<f64>> {
    let n = knn.n_obs();
    let per_row = weights.len() / n;
    let mut indptr = Vec::with_capacity(n + 1);
    indptr.push(0);
    let (mut indices, mut data) = (Vec::with_capacity(weights.len()), Vec::with_capacity(weights.len()));
    let mut row: Vec<(u32, f64)> = Vec::with_capacity(per_row);
    for obs in 0..n {
        row.clear();
        let own = &weights[obs * per_row..(obs + 1) * per_row];
        row.extend(others(knn, obs).0.iter().copied().zip(own.iter().copied()).filter(|it| it.1 != 0.0));
        row.sort_unstable_by_key(|it| it.0);
        indices.extend(row.iter().map(|it| it.0));
        data.extend(row.iter().map(|it| it.1));
        indptr.push(indices.len());
    }
    Csr::new(n, n, indptr, indices, data)
}

/// Combines every entry with its mirror image: `combine(w, w')`, where either may be absent (`None`).
fn symmetric(graph: &Csr<f64>, combine: impl Fn(Option<f64>, Option<f64>) -> f64) -> Result<Csr<f64>> {
    let mirror = graph.transposed();
    let n = graph.shape().0;
    let mut indptr = Vec::with_capacity(n + 1);
    indptr.push(0);
    let (mut indices, mut data) = (Vec::with_capacity(2 * graph.nnz()), Vec::with_capacity(2 * graph.nnz()));
    for row in 0..n {
        let ((a_cols, a), (b_cols, b)) = (graph.row(row), mirror.row(row));
        let (mut i, mut j) = (0, 0);
        while i < a_cols.len() || j < b_cols.len() {
            let (left, right) =
                (a_cols.get(i).copied().unwrap_or(u32::MAX), b_cols.get(j).copied().unwrap_or(u32::MAX));
            let mine = (left <= right).then(|| a[i]);
            let theirs = (right <= left).then(|| b[j]);
            i += usize::from(mine.is_some());
            j += usize::from(theirs.is_some());
            let value = combine(mine, theirs);
            if value != 0.0 {
                indices.push(left.min(right));
                data.push(value);
            }
        }
        indptr.push(indices.len());
    }
    Csr::new(n, n, indptr, indices, data)
}
