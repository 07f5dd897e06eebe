//! Connected parts of a graph, and the graph of some of its cells.

use cellstone_core::{Csr, Error, Result};

/// The connected parts of an undirected graph, in the order of their first cells; cells of a part ascend.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// let graph = Csr::from_dense(&ndarray::array![[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
/// assert_eq!(cellstone_neighbors::connected_parts(&graph), [vec![0, 2], vec![1]]);
/// ```
pub fn connected_parts(graph: &Csr<f64>) -> Vec<Vec<u32>> {
    let n = graph.shape().0;
    let (mut seen, mut stack, mut parts) = (vec![false; n], Vec::new(), Vec::new());
    for start in 0..n {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        stack.push(start as u32);
        let mut cells = Vec::new();
        while let Some(cell) = stack.pop() {
            cells.push(cell);
            for other in graph.row(cell as usize).0 {
                if !std::mem::replace(&mut seen[*other as usize], true) {
                    stack.push(*other);
                }
            }
        }
        cells.sort_unstable();
        parts.push(cells);
    }
    parts
}

/// The edges between the given cells: row and column `i` of the result are `cells[i]`.
///
/// # Errors
/// If the graph is not square, or cells do not ascend or do not exist.
pub fn subgraph(graph: &Csr<f64>, cells: &[u32]) -> Result<Csr<f64>> {
    let (n, n_cols) = graph.shape();
    if n != n_cols {
        return Err(Error::invalid_input(format!("a graph of {n} × {n_cols}, expected a square matrix")));
    }
    if cells.windows(2).any(|it| it[0] >= it[1]) || cells.last().is_some_and(|it| *it as usize >= n) {
        return Err(Error::invalid_input(format!("the cells of a part must ascend and be below {n}")));
    }
    let mut place = vec![u32::MAX; n];
    cells.iter().zip(0_u32..).for_each(|(cell, at)| place[*cell as usize] = at);
    let mut indptr = Vec::with_capacity(cells.len() + 1);
    indptr.push(0);
    let (mut indices, mut data) = (Vec::new(), Vec::new());
    for cell in cells {
        let (cols, values) = graph.row(*cell as usize);
        for (col, value) in cols.iter().zip(values) {
            if place[*col as usize] != u32::MAX {
                indices.push(place[*col as usize]);
                data.push(*value);
            }
        }
        indptr.push(indices.len());
    }
    Csr::new(cells.len(), cells.len(), indptr, indices, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_part_keeps_its_edges_alone() {
        let graph = Csr::from_dense(&array![[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]]);
        assert_eq!(subgraph(&graph, &[0, 2]).expect("valid").to_dense(), array![[0.0, 2.0], [2.0, 0.0]]);
        assert_eq!(subgraph(&graph, &[]).expect("valid").shape(), (0, 0));
        for cells in [&[2, 0][..], &[0, 0], &[3]] {
            assert!(subgraph(&graph, cells).is_err());
        }
    }
}
