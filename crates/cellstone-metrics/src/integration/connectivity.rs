//! Components of cell graphs, and how whole labels are in them.

use super::labels::{Groups, LabelScore, PerLabel, same_cells};
use cellstone_core::{Clustering, Csr, Error, KnnGraph, Result, Score};

/// The component of every cell in a symmetric graph, numbered by falling size (ties: by first cell).
///
/// Every stored entry is an edge, also one of weight 0.
///
/// # Errors
/// If the matrix is not square or an edge goes one way only (`GraphNotSymmetric`).
pub fn components(graph: &Csr<f64>) -> Result<Vec<u32>> {
    check_symmetric(graph)?;
    let roots = joined(graph, None);
    Ok(Clustering::by_size(&roots).labels().to_vec())
}

/// The strongly connected component of every cell in a directed graph, numbered by falling size (ties: by first cell).
///
/// Every stored entry is an edge. In a symmetric graph these are the [`components`].
///
/// # Errors
/// If the matrix is not square.
///
/// # References
/// Tarjan 1972, doi:10.1137/0201010.
pub fn strong_components(graph: &Csr<f64>) -> Result<Vec<u32>> {
    check_square(graph)?;
    let found = strongly_joined(graph.shape().0, |it| graph.row(it).0, None);
    Ok(Clustering::by_size(&found).labels().to_vec())
}

/// The cells of the largest component of a symmetric graph, ascending; only cells that are `usable` count and connect.
///
/// Of equal components the one with the first cell is taken.
///
/// # Errors
/// As [`components`], and if there are not as many flags as cells.
pub fn largest_component(graph: &Csr<f64>, usable: Option<&[bool]>) -> Result<Vec<usize>> {
    check_symmetric(graph)?;
    let n = graph.shape().0;
    let flags = usable.map(|it| it.iter().map(|it| u32::from(*it)).collect::<Vec<_>>());
    if let Some(flags) = &flags {
        same_cells("flags", flags.len(), n)?;
    }
    let roots = joined(graph, flags.as_deref());
    let cells: Vec<usize> = (0..n).filter(|it| flags.as_ref().is_none_or(|flags| flags[*it] == 1)).collect();
    let kept: Vec<u32> = cells.iter().map(|it| roots[*it]).collect();
    let sizes = Clustering::by_size(&kept);
    Ok(cells.iter().zip(sizes.labels()).filter(|it| *it.1 == 0).map(|it| *it.0).collect())
}

/// How whole labels are in a graph: the mean over labels of the share of a label's cells that its largest component
/// has, when only edges inside the label count.
///
/// `graph` is symmetric, usually the connectivities of 15 neighbours; weights do not matter, and every stored entry is
/// an edge. A label with one cell has 1.
///
/// # Errors
/// If the labels do not fit, the matrix is not square, or an edge goes one way only (`GraphNotSymmetric`).
///
/// # Examples
/// ```
/// use cellstone_core::{Csr, Score};
/// use cellstone_metrics::integration::graph_connectivity;
/// // 0 – 1, 2 – 3; cell 4 alone.
/// let mut dense = ndarray::Array2::zeros((5, 5));
/// for (i, j) in [(0, 1), (2, 3)] {
///     dense[[i, j]] = 1.0;
///     dense[[j, i]] = 1.0;
/// }
/// let graph = Csr::from_dense(&dense);
/// // Label 0 is split in halves, label 1 is one cell.
/// assert_eq!(graph_connectivity(&graph, &[0, 0, 0, 0, 1])?.value, Score::Value(0.75));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/graph_connectivity.py`.
pub fn graph_connectivity(graph: &Csr<f64>, labels: &[u32]) -> Result<PerLabel> {
    same_cells("labels", labels.len(), graph.shape().0)?;
    check_symmetric(graph)?;
    Ok(largest_shares(&Groups::new(labels), &joined(graph, Some(labels))))
}

/// As [`graph_connectivity`], for the strong components of the directed graph from every cell to its neighbours.
///
/// scib-metrics takes the 15 nearest, the cell itself among them. A label that is whole in the symmetric graph can be
/// split here.
///
/// # Errors
/// If the labels do not fit.
///
/// # References
/// YosefLab/scib-metrics `src/scib_metrics/metrics/_graph_connectivity.py`.
pub fn graph_connectivity_directed(knn: &KnnGraph, labels: &[u32]) -> Result<PerLabel> {
    same_cells("labels", labels.len(), knn.n_obs())?;
    check_neighbors(knn)?;
    let found = strongly_joined(knn.n_obs(), |it| knn.neighbors(it).0, Some(labels));
    Ok(largest_shares(&Groups::new(labels), &found))
}

/// Fails if a neighbour is not a cell.
pub(super) fn check_neighbors(knn: &KnnGraph) -> Result<()> {
    let n = knn.n_obs();
    match (0..n).find(|it| knn.neighbors(*it).0.iter().any(|it| *it as usize >= n)) {
        None => Ok(()),
        Some(cell) => Err(Error::invalid_input(format!("a neighbour of cell {cell} is not among the {n} cells"))),
    }
}

pub(super) fn check_square(graph: &Csr<f64>) -> Result<()> {
    let (n_rows, n_cols) = graph.shape();
    if n_rows == n_cols {
        return Ok(());
    }
    Err(Error::invalid_input(format!("a graph of {n_rows} × {n_cols}, expected a square matrix")))
}

pub(super) fn check_symmetric(graph: &Csr<f64>) -> Result<()> {
    check_square(graph)?;
    let mirror = graph.transposed();
    let Some(row) = (0..graph.shape().0).find(|it| graph.row(*it).0 != mirror.row(*it).0) else { return Ok(()) };
    let only = |a: &[u32], b: &[u32]| a.iter().copied().find(|it| b.binary_search(it).is_err());
    let (there, back) = (graph.row(row).0, mirror.row(row).0);
    let other = only(there, back).or_else(|| only(back, there)).unwrap_or_default();
    Err(Error::invalid_input(format!("edge {row}–{other} goes one way only, expected a symmetric graph"))
        .with_hint("take connectivities; neighbour lists are directed"))
}

fn largest_shares(groups: &Groups, component: &[u32]) -> PerLabel {
    let share = |(label, cells): (u32, &[usize])| {
        let parts = Groups::among(component, cells);
        let largest = parts.sizes().into_iter().fold(0.0, f64::max);
        LabelScore { label, n: cells.len(), score: Score::Value(largest / cells.len() as f64) }
    };
    PerLabel::mean_of(groups.iter().map(share).collect())
}

/// A common cell of everything that is connected; with `kinds`, only by edges between cells of one kind.
fn joined(graph: &Csr<f64>, kinds: Option<&[u32]>) -> Vec<u32> {
    let n = graph.shape().0;
    let mut parent: Vec<u32> = (0..n as u32).collect();
    for cell in 0..n {
        for other in graph.row(cell).0 {
            if kinds.is_none_or(|it| it[cell] == it[*other as usize]) {
                let (a, b) = (root(&mut parent, cell as u32), root(&mut parent, *other));
                parent[a.max(b) as usize] = a.min(b);
            }
        }
    }
    (0..n as u32).map(|it| root(&mut parent, it)).collect()
}

/// The root of a cell, with the path to it halved.
fn root(parent: &mut [u32], mut cell: u32) -> u32 {
    while parent[cell as usize] != cell {
        let up = parent[parent[cell as usize] as usize];
        parent[cell as usize] = up;
        cell = up;
    }
    cell
}

/// Not visited yet.
const NEW: u32 = u32::MAX;

/// The strong component of every cell, in no particular numbering; with `kinds`, only by edges between cells of one
/// kind. No recursion: paths can be as long as there are cells.
pub(super) fn strongly_joined<'a>(n: usize, edges: impl Fn(usize) -> &'a [u32], kinds: Option<&[u32]>) -> Vec<u32> {
    let mut state = Tarjan {
        order: vec![NEW; n],
        low: vec![0; n],
        component: vec![NEW; n],
        stack: Vec::new(),
        n_visited: 0,
        n_found: 0,
    };
    let joins = |cell: usize, other: usize| kinds.is_none_or(|it| it[cell] == it[other]);
    // Cells whose edges are being followed, with the next edge of each.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..n {
        if state.order[start] == NEW {
            state.enter(start);
            path.push((start, 0));
        }
        while let Some((cell, next)) = path.last_mut() {
            let Some(other) = edges(*cell).get(*next).map(|it| *it as usize) else {
                let cell = *cell;
                path.pop();
                state.leave(cell, path.last().map(|it| it.0));
                continue;
            };
            *next += 1;
            if !joins(*cell, other) {
                continue;
            }
            if state.order[other] == NEW {
                state.enter(other);
                path.push((other, 0));
            } else if state.component[other] == NEW {
                state.low[*cell] = state.low[*cell].min(state.order[other]);
            }
        }
    }
    state.component
}

struct Tarjan {
    order: Vec<u32>,
    low: Vec<u32>,
    component: Vec<u32>,
    stack: Vec<usize>,
    n_visited: u32,
    n_found: u32,
}

impl Tarjan {
    fn enter(&mut self, cell: usize) {
        self.order[cell] = self.n_visited;
        self.low[cell] = self.n_visited;
        self.n_visited += 1;
        self.stack.push(cell);
    }

    fn leave(&mut self, cell: usize, parent: Option<usize>) {
        if let Some(parent) = parent {
            self.low[parent] = self.low[parent].min(self.low[cell]);
        }
        if self.low[cell] != self.order[cell] {
            return;
        }
        while let Some(member) = self.stack.pop() {
            self.component[member] = self.n_found;
            if member == cell {
                break;
            }
        }
        self.n_found += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directed(n: usize, edges: &[(usize, u32)]) -> Csr<f64> {
        let (mut indptr, mut indices) = (vec![0], Vec::new());
        for cell in 0..n {
            let mut own: Vec<u32> = edges.iter().filter(|it| it.0 == cell).map(|it| it.1).collect();
            own.sort_unstable();
            indices.extend(own);
            indptr.push(indices.len());
        }
        // Weights of 0 are edges too.
        let data = vec![0.0; indices.len()];
        Csr::new(n, n, indptr, indices, data).expect("valid")
    }

    #[test]
    fn strong_components_of_a_ring_with_a_tail() {
        // 0 → 1 → 2 → 0, 2 → 3, 4 ⇄ 5, 5 → 3.
        let graph = directed(6, &[(0, 1), (1, 2), (2, 0), (2, 3), (4, 5), (5, 4), (5, 3)]);
        assert_eq!(strong_components(&graph).expect("square"), [0, 0, 0, 2, 1, 1]);
        let error = components(&graph).expect_err("one way");
        assert!(error.to_string().starts_with("edge 0–1 goes one way only"), "{error}");
        assert!(graph_connectivity(&graph, &[0; 6]).is_err());
    }

    #[test]
    fn components_are_numbered_by_size() {
        let graph = directed(5, &[(0, 3), (3, 0), (1, 2), (2, 1), (2, 4), (4, 2)]);
        assert_eq!(components(&graph).expect("symmetric"), [1, 0, 0, 1, 0]);
        assert_eq!(strong_components(&graph).expect("square"), [1, 0, 0, 1, 0]);
        assert_eq!(largest_component(&graph, None).expect("symmetric"), [1, 2, 4]);
        assert_eq!(largest_component(&graph, Some(&[true, true, false, true, true])).expect("symmetric"), [0, 3]);
    }

    #[test]
    fn directed_neighbours_can_split_what_is_whole() {
        // 0 → 1 → 2 → 1: cell 0 is nobody's neighbour.
        let knn = KnnGraph::new(1, vec![1, 2, 1], vec![1.0; 3]).expect("valid");
        let result = graph_connectivity_directed(&knn, &[4, 4, 4]).expect("valid");
        assert_eq!(result.value, Score::Value(2.0 / 3.0));
        let symmetric = directed(3, &[(0, 1), (1, 0), (1, 2), (2, 1)]);
        assert_eq!(graph_connectivity(&symmetric, &[4, 4, 4]).expect("valid").value, Score::Value(1.0));
        assert_eq!(graph_connectivity(&symmetric, &[4, 5, 4]).expect("valid").value, Score::Value(0.75));
    }

    #[test]
    fn long_paths_do_not_overflow() {
        let n = 200_000;
        let knn = KnnGraph::new(1, (0..n as u32).map(|it| (it + 1) % n as u32).collect(), vec![1.0; n]).expect("valid");
        let result = graph_connectivity_directed(&knn, &vec![0; n]).expect("valid");
        assert_eq!(result.value, Score::Value(1.0));
    }
}
