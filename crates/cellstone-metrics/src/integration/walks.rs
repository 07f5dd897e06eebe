//! Neighbours by random walks on a graph: those that scib hands to kBET.

use super::connectivity::check_square;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Error, KnnGraph, Result};

/// Walks have at least this many steps.
const MIN_STEPS: usize = 3;
/// And at most this many.
const MAX_STEPS: usize = 25;

/// The cells that random walks from every cell visit most: the cell itself and the `k − 1` largest entries of
/// `Σ_{t=1..T} Mᵗ`, M the graph with rows that sum to 1, ties by index.
///
/// T is 3, or the smallest number of steps (at most 25) by which every cell has reached `k` others. `None` if some cell
/// does not. The distance of a neighbour is how much less often it is visited than the first. scib passes `k = k0`;
/// memory is `O(n)` per thread, where the package holds n² values.
///
/// # Errors
/// If the matrix is not square, `k` is 0, or a weight is negative or not finite.
///
/// # Examples
/// ```
/// use cellstone_core::Csr;
/// let path = ndarray::array![[0.0, 1.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 0.0]];
/// let found = cellstone_metrics::integration::walk_neighbors(&Csr::from_dense(&path), 2)?.unwrap();
/// assert_eq!(found.neighbors(0).0, [0, 1]);
/// assert_eq!(found.neighbors(1).0, [1, 2]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// theislab/scib `scib/metrics/utils.py` (`diffusion_nn`).
pub fn walk_neighbors(graph: &Csr<f64>, k: usize) -> Result<Option<KnnGraph>> {
    check_square(graph)?;
    if k == 0 {
        return Err(Error::config("0 neighbours by random walks"));
    }
    if let Some(weight) = graph.data().iter().find(|it| !(it.is_finite() && **it >= 0.0)) {
        return Err(Error::invalid_input(format!("an edge has weight {weight}, expected 0 or above")));
    }
    let n = graph.shape().0;
    let steps = map_ordered(n, |cell| steps_to_reach(graph, cell, k));
    let Some(steps) = steps.into_iter().collect::<Option<Vec<usize>>>() else { return Ok(None) };
    let steps = steps.into_iter().fold(MIN_STEPS, usize::max);
    let totals: Vec<f64> = (0..n).map(|cell| graph.row(cell).1.iter().sum()).collect();
    let rows = map_ordered(n, |cell| most_visited(graph, &totals, cell, k, steps));
    let (indices, distances): (Vec<Vec<u32>>, Vec<Vec<f64>>) = rows.into_iter().unzip();
    KnnGraph::with_self(k, indices.concat(), distances.concat()).map(Some)
}

/// Steps after which walks from the cell have been at `k` other cells.
fn steps_to_reach(graph: &Csr<f64>, cell: usize, k: usize) -> Option<usize> {
    let mut seen = vec![false; graph.shape().0];
    seen[cell] = true;
    let (mut front, mut n_seen) = (vec![cell as u32], 0);
    for step in 1..=MAX_STEPS {
        let mut next = Vec::new();
        for from in &front {
            let (others, weights) = graph.row(*from as usize);
            for (other, _) in others.iter().zip(weights).filter(|it| *it.1 > 0.0) {
                if !std::mem::replace(&mut seen[*other as usize], true) {
                    next.push(*other);
                }
            }
        }
        n_seen += next.len();
        if n_seen >= k {
            return Some(step);
        }
        front = next;
    }
    None
}

fn most_visited(graph: &Csr<f64>, totals: &[f64], cell: usize, k: usize, steps: usize) -> (Vec<u32>, Vec<f64>) {
    let n = totals.len();
    let (mut at, mut visits) = (vec![0.0; n], vec![0.0; n]);
    at[cell] = 1.0;
    for _ in 0..steps {
        let mut next = vec![0.0; n];
        for from in (0..n).filter(|it| at[*it] > 0.0) {
            let (others, weights) = graph.row(from);
            let share = at[from] / totals[from];
            others.iter().zip(weights).for_each(|(other, weight)| next[*other as usize] += share * weight);
        }
        visits.iter_mut().zip(&next).for_each(|(it, value)| *it += value);
        at = next;
    }
    let mut order: Vec<u32> = (0..n as u32).filter(|it| *it as usize != cell).collect();
    let by_visits = |a: &u32, b: &u32| visits[*b as usize].total_cmp(&visits[*a as usize]).then(a.cmp(b));
    if k < order.len() {
        order.select_nth_unstable_by(k, by_visits);
        order.truncate(k);
    }
    order.sort_unstable_by(by_visits);
    order.truncate(k - 1);
    let first = order.first().map_or(0.0, |it| visits[*it as usize]);
    let distances = std::iter::once(0.0).chain(order.iter().map(|it| first - visits[*it as usize])).collect();
    (std::iter::once(cell as u32).chain(order).collect(), distances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn walks_are_powers_of_the_matrix() {
        let n = 25;
        let weight =
            |i: usize, j: usize| if (i + j) % 5 == 1 || i.abs_diff(j) == 1 { ((i * j) % 7 + 1) as f64 } else { 0.0 };
        let dense = Array2::from_shape_fn((n, n), |(i, j)| if i == j { 0.0 } else { weight(i, j) });
        let mut steps = dense.clone();
        for mut row in steps.rows_mut() {
            let total = row.sum();
            row /= total;
        }
        let two = steps.dot(&steps);
        let sum = &steps + &two + two.dot(&steps);
        let found = walk_neighbors(&Csr::from_dense(&dense), 6).expect("valid").expect("connected");
        for cell in 0..n {
            let mut want: Vec<f64> = (0..n).filter(|it| *it != cell).map(|it| sum[[cell, it]]).collect();
            want.sort_by(|a, b| b.total_cmp(a));
            let (cells, distances) = found.neighbors(cell);
            assert_eq!((cells[0] as usize, cells.len()), (cell, 6));
            for (at, other) in cells.iter().enumerate().skip(1) {
                assert!((sum[[cell, *other as usize]] - want[at - 1]).abs() < 1e-12);
                assert!((distances[at] - (want[0] - want[at - 1])).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn walks_grow_until_all_have_enough_or_none_do() {
        let path = |n: usize| {
            Csr::from_dense(&Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(i.abs_diff(j) == 1))))
        };
        // From an end of the path nine others take nine steps.
        let found = walk_neighbors(&path(10), 9).expect("valid").expect("nine steps");
        assert_eq!(found.neighbors(0).0.len(), 9);
        assert_eq!(steps_to_reach(&path(10), 0, 9), Some(9));
        assert_eq!(walk_neighbors(&path(10), 10).expect("valid"), None);
        assert_eq!(walk_neighbors(&path(60), 30).expect("valid"), None);
        assert!(walk_neighbors(&path(3), 0).is_err());
        assert!(walk_neighbors(&Csr::from_dense(&-path(3).to_dense()), 1).is_err());
    }
}
