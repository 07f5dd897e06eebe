//! Gradient descent with negative sampling, the same with any number of threads.

use super::{Curve, UmapParams};
use cellstone_core::{Csr, Seed};
use ndarray::Array2;
use rayon::prelude::*;

/// Blocks of cells, by number of cells alone: enough for the threads of a workstation, few enough for small data.
fn n_blocks(n: usize) -> usize {
    if n < 10_000 { 4 } else { 16 }
}

/// Largest component of a step before the learning rate.
const CLIP: f32 = 4.0;

/// A directed edge between two blocks.
struct Edge {
    /// Position of the cell in the first or second block of its pair.
    head: u32,
    tail: u32,
    /// Whether the head is in the second block.
    turned: bool,
    /// Samples per epoch: weight over the largest weight.
    rate: f32,
    /// Number of the edge in the graph: its stream of negative samples.
    id: u64,
}

/// The layout and its edges, by pair of blocks.
pub(super) struct Layout<const D: usize> {
    blocks: Vec<Vec<[f32; D]>>,
    /// Rounds of pairs of blocks of which no two share a block.
    rounds: Vec<Vec<(usize, usize, Vec<Edge>)>>,
    block_len: usize,
    n: usize,
    forces: Forces,
    n_epochs: usize,
    learning_rate: f32,
    seed: Seed,
}

/// The pull of an edge and the push of a negative sample.
#[derive(Clone, Copy)]
struct Forces {
    a: f32,
    b: f32,
    repulsion: f32,
    n_negative: usize,
}

impl Forces {
    #[inline]
    fn pull(self, squared: f32) -> f32 {
        if squared <= 0.0 {
            return 0.0;
        }
        let power = squared.powf(self.b);
        -2.0 * self.a * self.b * power / squared / (1.0 + self.a * power)
    }

    #[inline]
    fn push(self, squared: f32) -> f32 {
        if squared <= 0.0 {
            return 0.0;
        }
        2.0 * self.repulsion * self.b / ((0.001 + squared) * (1.0 + self.a * squared.powf(self.b)))
    }
}

impl<const D: usize> Layout<D> {
    pub(super) fn new(
        start: &Array2<f64>,
        graph: &Csr<f64>,
        curve: Curve,
        params: &UmapParams<'_>,
        seed: Seed,
    ) -> Self {
        let n = start.nrows();
        let n_epochs = params.n_epochs.unwrap_or(if n <= 10_000 { 500 } else { 200 });
        let n_blocks = n_blocks(n);
        let block_len = n.div_ceil(n_blocks).max(1);
        let forces = Forces {
            a: curve.a as f32,
            b: curve.b as f32,
            repulsion: params.repulsion as f32,
            n_negative: params.negative_sample_rate,
        };
        let (blocks, rounds) = (blocks(start, block_len, n_blocks), rounds(graph, block_len, n_blocks, n_epochs));
        let learning_rate = params.learning_rate as f32;
        Self { blocks, rounds, block_len, n, forces, n_epochs, learning_rate, seed }
    }

    pub(super) fn run(mut self) -> Array2<f64> {
        for epoch in 1..=self.n_epochs {
            let rate = self.learning_rate * (1.0 - (epoch - 1) as f32 / self.n_epochs as f32);
            let before = self.blocks.concat();
            for round in &self.rounds {
                let work: Vec<_> = round
                    .iter()
                    .map(|(i, j, edges)| {
                        let first = std::mem::take(&mut self.blocks[*i]);
                        // A block paired with itself stays whole in `first`.
                        let second = std::mem::take(&mut self.blocks[*j]);
                        (*i, *j, edges, first, second)
                    })
                    .collect();
                let step = Step { before: &before, forces: self.forces, epoch, rate, seed: self.seed, n: self.n };
                let step = (step, self.block_len, self.n_epochs);
                let done: Vec<_> = work
                    .into_par_iter()
                    .map(|(i, j, edges, mut first, mut second)| {
                        step.0.apply(edges, (i, j), &mut first, &mut second, step.1, step.2);
                        (i, j, first, second)
                    })
                    .collect();
                for (i, j, first, second) in done {
                    self.blocks[i] = first;
                    if i != j {
                        self.blocks[j] = second;
                    }
                }
            }
        }
        let cells = self.blocks.concat();
        Array2::from_shape_fn((cells.len(), D), |(row, col)| f64::from(cells[row][col]))
    }
}

/// What all pairs of a round share.
struct Step<'a, const D: usize> {
    before: &'a [[f32; D]],
    forces: Forces,
    epoch: usize,
    rate: f32,
    seed: Seed,
    n: usize,
}

impl<const D: usize> Step<'_, D> {
    fn apply(
        &self,
        edges: &[Edge],
        (i, j): (usize, usize),
        first: &mut [[f32; D]],
        second: &mut [[f32; D]],
        block_len: usize,
        n_epochs: usize,
    ) {
        let (now, last) = (self.epoch as f32, (self.epoch - 1) as f32);
        for edge in edges {
            // Sampled `rate` times per epoch on average, evenly.
            if (now * edge.rate).floor() <= (last * edge.rate).floor() {
                continue;
            }
            let (head_at, tail_at) = (edge.head as usize, edge.tail as usize);
            let (head_block, mut head, mut tail) = match (i == j, edge.turned) {
                (true, _) => (i, first[head_at], first[tail_at]),
                (false, false) => (i, first[head_at], second[tail_at]),
                (false, true) => (j, second[head_at], first[tail_at]),
            };
            self.pull(&mut head, &mut tail);
            self.push(&mut head, head_block * block_len + head_at, edge.id * n_epochs as u64 + self.epoch as u64);
            match (i == j, edge.turned) {
                (true, _) => (first[head_at], first[tail_at]) = (head, tail),
                (false, false) => (first[head_at], second[tail_at]) = (head, tail),
                (false, true) => (second[head_at], first[tail_at]) = (head, tail),
            }
        }
    }

    #[inline]
    fn pull(&self, head: &mut [f32; D], tail: &mut [f32; D]) {
        let force = self.forces.pull(squared(head, tail));
        for axis in 0..D {
            let step = (force * (head[axis] - tail[axis])).clamp(-CLIP, CLIP) * self.rate;
            head[axis] += step;
            tail[axis] -= step;
        }
    }

    #[inline]
    fn push(&self, head: &mut [f32; D], own: usize, stream: u64) {
        let stream = self.seed.derive_index(stream);
        for draw in 0..self.forces.n_negative {
            let bits = stream.derive_index(draw as u64).value();
            // The high half of a product is an even draw from 0..n.
            let other = ((u128::from(bits) * self.n as u128) >> 64) as usize;
            if other == own {
                continue;
            }
            let away = &self.before[other];
            let force = self.forces.push(squared(head, away));
            for axis in 0..D {
                head[axis] += (force * (head[axis] - away[axis])).clamp(-CLIP, CLIP) * self.rate;
            }
        }
    }
}

#[inline]
fn squared<const D: usize>(a: &[f32; D], b: &[f32; D]) -> f32 {
    (0..D).map(|it| (a[it] - b[it]) * (a[it] - b[it])).sum()
}

fn blocks<const D: usize>(start: &Array2<f64>, block_len: usize, n_blocks: usize) -> Vec<Vec<[f32; D]>> {
    let cells: Vec<[f32; D]> = start.rows().into_iter().map(|it| std::array::from_fn(|axis| it[axis] as f32)).collect();
    let mut blocks: Vec<_> = cells.chunks(block_len).map(<[_]>::to_vec).collect();
    blocks.resize(n_blocks, Vec::new());
    blocks
}

/// The edges that are strong enough to be sampled at all, by pair of blocks, in the rounds of a tournament.
fn rounds(graph: &Csr<f64>, block_len: usize, n_blocks: usize, n_epochs: usize) -> Vec<Vec<(usize, usize, Vec<Edge>)>> {
    let largest = graph.data().iter().fold(0.0_f64, |it, v| it.max(*v));
    let mut pairs: Vec<Vec<Edge>> = (0..n_blocks * n_blocks).map(|_| Vec::new()).collect();
    for row in 0..graph.shape().0 {
        let (cols, weights) = graph.row(row);
        for ((col, weight), at) in cols.iter().zip(weights).zip(graph.indptr()[row]..) {
            let (col, rate) = (*col as usize, weight / largest);
            if col == row || rate * (n_epochs as f64) < 1.0 {
                continue;
            }
            let (i, j) = (row / block_len, col / block_len);
            let (head, tail) = ((row % block_len) as u32, (col % block_len) as u32);
            pairs[i.min(j) * n_blocks + i.max(j)].push(Edge {
                head,
                tail,
                turned: i > j,
                rate: rate as f32,
                id: at as u64,
            });
        }
    }
    let mut take =
        |i: usize, j: usize| (i.min(j), i.max(j), std::mem::take(&mut pairs[i.min(j) * n_blocks + i.max(j)]));
    let mut rounds = vec![(0..n_blocks).map(|it| take(it, it)).collect::<Vec<_>>()];
    // The circle method: the last block stays, the others turn.
    let turning = n_blocks - 1;
    for turn in 0..turning {
        let mut round = vec![take(turn, turning)];
        round.extend((1..n_blocks / 2).map(|it| take((turn + it) % turning, (turn + turning - it) % turning)));
        rounds.push(round);
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_blocks_has_one_turn_and_no_block_two_at_a_time() {
        let rounds = rounds(&Csr::from_dense(&Array2::zeros((3, 3))), 1, 16, 10);
        let mut seen = std::collections::BTreeSet::new();
        for round in &rounds {
            let mut blocks: Vec<usize> = round.iter().flat_map(|it| [it.0, it.1]).collect();
            blocks.sort_unstable();
            if round[0].0 == round[0].1 {
                blocks.dedup();
            }
            assert_eq!(blocks, (0..16).collect::<Vec<_>>());
            seen.extend(round.iter().map(|it| (it.0, it.1)));
        }
        assert_eq!(seen.len(), 16 * 17 / 2);
    }
}
