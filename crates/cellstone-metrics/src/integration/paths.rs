//! Nearest cells by paths through a graph, for outputs of integration that are graphs.

use super::connectivity::check_square;
use super::lisi::Neighborhood;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Error, Result};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// The `k` cells with the shortest paths from every cell, nearest first, ties by index; fewer where fewer are reachable.
///
/// The weights of the graph are taken as lengths, as scib does with *connectivities*, so paths prefer weak edges: only
/// for comparison with that package. Weights below 3e-308 count as that.
///
/// # Errors
/// If the matrix is not square or a weight is negative or not finite.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// let graph = Csr::from_dense(&ndarray::array![[0.0, 0.9, 0.2], [0.9, 0.0, 0.3], [0.2, 0.3, 0.0]]);
/// let near = cellstone_metrics::integration::path_neighborhoods(&graph, 2)?;
/// // To cell 1 by way of cell 2.
/// assert_eq!(near[0], (vec![2, 1], vec![0.2, 0.5]));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// theislab/scib `scib/metrics/lisi.py`, `scib/knn_graph/knn_graph.cpp`.
pub fn path_neighborhoods(graph: &Csr<f64>, k: usize) -> Result<Vec<Neighborhood>> {
    check_square(graph)?;
    if let Some(weight) = graph.data().iter().find(|it| !(it.is_finite() && **it >= 0.0)) {
        return Err(Error::invalid_input(format!("an edge has weight {weight}, expected 0 or above")));
    }
    Ok(map_ordered(graph.shape().0, |cell| nearest(graph, cell as u32, k)))
}

/// Dijkstra's search until `k` cells are reached.
fn nearest(graph: &Csr<f64>, start: u32, k: usize) -> Neighborhood {
    let mut open = BinaryHeap::from([Step { length: 0.0, cell: start }]);
    let mut lengths = BTreeMap::from([(start, 0.0)]);
    let (mut cells, mut found) = (Vec::with_capacity(k), Vec::with_capacity(k));
    while let Some(Step { length, cell }) = open.pop() {
        if lengths.get(&cell).is_some_and(|it| *it < length) {
            continue;
        }
        if cell != start {
            cells.push(cell);
            found.push(length);
        }
        if cells.len() == k {
            break;
        }
        let (others, weights) = graph.row(cell as usize);
        for (other, weight) in others.iter().zip(weights) {
            let length = length + weight.max(3e-308);
            if lengths.get(other).is_none_or(|it| length < *it) {
                lengths.insert(*other, length);
                open.push(Step { length, cell: *other });
            }
        }
    }
    (cells, found)
}

/// A cell that can be reached; the greatest is the nearest, then the one with the lowest index.
#[derive(PartialEq)]
struct Step {
    length: f64,
    cell: u32,
}

impl Eq for Step {}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        other.length.total_cmp(&self.length).then_with(|| other.cell.cmp(&self.cell))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn paths_equal_all_shortest_paths() {
        let n = 30;
        let weight = |i: usize, j: usize| {
            let (a, b) = (i.min(j), i.max(j));
            if a != b && (a * 7 + b * 5) % 11 < 2 { ((a * 31 + b * 17) % 97 + 1) as f64 / 97.0 } else { 0.0 }
        };
        let dense = Array2::from_shape_fn((n, n), |(i, j)| weight(i, j));
        let mut all = dense.mapv(|it| if it > 0.0 { it } else { f64::INFINITY });
        for via in 0..n {
            for i in 0..n {
                for j in 0..n {
                    all[[i, j]] = all[[i, j]].min(all[[i, via]] + all[[via, j]]);
                }
            }
        }
        let found = path_neighborhoods(&Csr::from_dense(&dense), 8).expect("square");
        for (cell, (cells, lengths)) in found.iter().enumerate() {
            let mut want: Vec<f64> = (0..n).filter(|it| *it != cell).map(|it| all[[cell, it]]).collect();
            want.retain(|it| it.is_finite());
            want.sort_by(f64::total_cmp);
            want.truncate(8);
            assert_eq!(lengths.len(), want.len());
            for (at, want) in want.iter().enumerate() {
                assert!((lengths[at] - want).abs() < 1e-12);
                assert!((all[[cell, cells[at] as usize]] - want).abs() < 1e-12);
            }
        }
        assert!(path_neighborhoods(&Csr::from_dense(&-dense), 3).is_err());
    }
}
