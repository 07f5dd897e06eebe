//! The cells that short random walks reach most often.

use cellstone_core::{Csr, Error, Result};
use rayon::prelude::*;

/// Walks are at least so long.
const MIN_STEPS: usize = 3;

/// The `k` cells that random walks from every cell reach most often, nearest first, `[n_obs · k]`; `None` if some cell
/// cannot reach as many within `max_steps`.
///
/// With T the transition matrix `wᵢⱼ / Σⱼ wᵢⱼ`, cells are ranked by `Σ_{t=1..s} Tᵗ`, ties by lower index, the cell itself
/// left out. The number of steps s is 3, or as many more as the cell with the fewest needs to reach more than `k` cells.
/// This is the neighbourhood that scib uses for kBET. Memory is `O(n_obs)` for each thread.
///
/// # Errors
/// If the graph is not square, `k` is 0 or a cell has no edge.
pub fn walk_neighbors(weights: &Csr<f64>, k: usize, max_steps: usize) -> Result<Option<Vec<u32>>> {
    let (n, n_cols) = weights.shape();
    if n != n_cols {
        return Err(Error::invalid_input(format!("a graph of {n} × {n_cols}, expected a square matrix")));
    }
    if k == 0 {
        return Err(Error::config("0 neighbours by random walks, expected at least 1"));
    }
    let mut steps = weights.clone();
    for row in 0..n {
        let (_, values) = steps.row_mut(row);
        let total: f64 = values.iter().sum();
        if total <= 0.0 {
            return Err(Error::invalid_input(format!("cell {row} has no edge: no walk leaves it")));
        }
        values.iter_mut().for_each(|it| *it /= total);
    }
    let needed: Vec<Option<usize>> = (0..n)
        .into_par_iter()
        .map_init(|| Reach::new(n), |it, row| it.steps_to(weights, row, k + 1, max_steps))
        .collect();
    let Some(needed) = needed.into_iter().collect::<Option<Vec<usize>>>() else { return Ok(None) };
    let n_steps = needed.into_iter().max().unwrap_or(0).max(MIN_STEPS);
    let rows: Vec<Vec<u32>> =
        (0..n).into_par_iter().map_init(|| Walk::new(n), |it, row| it.from(&steps, row, n_steps, k)).collect();
    Ok(Some(rows.concat()))
}

/// Which cells are reached, and in how many steps.
struct Reach {
    seen: Vec<bool>,
}

impl Reach {
    fn new(n: usize) -> Self {
        Self { seen: vec![false; n] }
    }

    /// Steps after which walks from `start` have ended in at least `wanted` cells; back at the start counts.
    fn steps_to(&mut self, graph: &Csr<f64>, start: usize, wanted: usize, max_steps: usize) -> Option<usize> {
        let mut front = vec![start as u32];
        let mut reached: Vec<u32> = Vec::new();
        let mut found = None;
        for step in 1..=max_steps {
            let mut next = Vec::new();
            for cell in &front {
                for other in graph.row(*cell as usize).0 {
                    if !std::mem::replace(&mut self.seen[*other as usize], true) {
                        next.push(*other);
                    }
                }
            }
            reached.extend_from_slice(&next);
            if reached.len() >= wanted {
                found = Some(step);
                break;
            }
            if next.is_empty() {
                break;
            }
            front = next;
        }
        reached.iter().for_each(|it| self.seen[*it as usize] = false);
        found
    }
}

/// Weights of walks from one cell.
struct Walk {
    now: Vec<f64>,
    next: Vec<f64>,
    total: Vec<f64>,
    order: Vec<u32>,
}

impl Walk {
    fn new(n: usize) -> Self {
        Self { now: vec![0.0; n], next: vec![0.0; n], total: vec![0.0; n], order: (0..n as u32).collect() }
    }

    fn from(&mut self, steps: &Csr<f64>, start: usize, n_steps: usize, k: usize) -> Vec<u32> {
        self.now.fill(0.0);
        self.total.fill(0.0);
        self.now[start] = 1.0;
        for _ in 0..n_steps {
            self.next.fill(0.0);
            for (cell, share) in self.now.iter().enumerate().filter(|it| *it.1 > 0.0) {
                for (other, value) in steps.row(cell).0.iter().zip(steps.row(cell).1) {
                    self.next[*other as usize] += share * value;
                }
            }
            self.total.iter_mut().zip(&self.next).for_each(|(it, v)| *it += v);
            std::mem::swap(&mut self.now, &mut self.next);
        }
        self.total[start] = -1.0;
        let by_weight = |a: &u32, b: &u32| self.total[*b as usize].total_cmp(&self.total[*a as usize]).then(a.cmp(b));
        if self.order.len() > k {
            self.order.select_nth_unstable_by(k - 1, by_weight);
        }
        let mut best = self.order[..k.min(self.order.len())].to_vec();
        best.sort_unstable_by(by_weight);
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn walks_equal_sums_of_powers() {
        let n = 30;
        let mut dense = Array2::zeros((n, n));
        for i in 0..n {
            for (step, weight) in [(1, 1.0), (2, 0.35)] {
                let j = (i + step) % n;
                let value = weight + 0.01 * ((i * 3) as f64).sin();
                dense[[i, j]] = value;
                dense[[j, i]] = value;
            }
        }
        let totals = dense.sum_axis(ndarray::Axis(1));
        let t = Array2::from_shape_fn((n, n), |(i, j)| dense[[i, j]] / totals[i]);
        let (t2, t3) = (t.dot(&t), t.dot(&t).dot(&t));
        let mut sum = &t + &t2 + &t3;
        // Three steps of at most two reach 12 others: 9 neighbours need no further step.
        let found = walk_neighbors(&Csr::from_dense(&dense), 9, 26).expect("valid").expect("reached");
        for row in 0..n {
            sum[[row, row]] = -1.0;
            let mut order: Vec<u32> = (0..n as u32).collect();
            order.sort_by(|a, b| sum[[row, *b as usize]].total_cmp(&sum[[row, *a as usize]]));
            assert_eq!(found[row * 9..(row + 1) * 9], order[..9]);
        }
    }

    #[test]
    fn too_few_cells_within_reach_are_no_neighbourhood() {
        let pairs = Array2::from_shape_fn((6, 6), |(i, j)| f64::from(u8::from(i / 2 == j / 2 && i != j)));
        let graph = Csr::from_dense(&pairs);
        assert_eq!(walk_neighbors(&graph, 1, 26).expect("valid").expect("reached"), [1, 0, 3, 2, 5, 4]);
        assert_eq!(walk_neighbors(&graph, 2, 26).expect("valid"), None);
        let error = walk_neighbors(&Csr::from_dense(&Array2::zeros((2, 2))), 1, 3).expect_err("no edges");
        assert!(error.to_string().contains("cell 0 has no edge"), "{error}");
    }
}
