//! The fast local moving of nodes between communities.

use super::network::{Network, Sums};
use cellstone_core::{Clustering, SeedRng};
use rand::seq::SliceRandom;
use std::collections::VecDeque;

/// Share of the mean edge weight below which a gain is rounding.
const EPSILON: f64 = 1e-10;

/// Moves single nodes to the community with the largest gain until no move gains anything.
///
/// Nodes are visited in random order; when one moves, those of its neighbours that are elsewhere are visited again.
/// Returns the partition numbered without gaps, and whether anything moved.
pub(super) fn move_nodes(network: &Network, start: &Clustering, rng: &mut SeedRng) -> (Clustering, bool) {
    let n = network.len();
    let mut labels = start.labels().to_vec();
    let mut sizes = vec![0.0; n];
    let mut counts = vec![0_u32; n];
    for (node, label) in labels.iter().enumerate() {
        sizes[*label as usize] += network.node_weights[node];
        counts[*label as usize] += 1;
    }
    let mut empty: Vec<u32> = (0..n as u32).rev().filter(|it| counts[*it as usize] == 0).collect();
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(rng);
    let mut queue = VecDeque::from(order);
    let mut queued = vec![true; n];
    let mut shared = Sums::new(n);
    let (epsilon, mut moved) = (EPSILON * network.unit, false);
    while let Some(node) = queue.pop_front() {
        let node = node as usize;
        queued[node] = false;
        let own = labels[node];
        shared.clear();
        network.neighbors(node).for_each(|(other, weight)| shared.add(labels[other], weight));
        let weight = network.node_weights[node];
        sizes[own as usize] -= weight;
        counts[own as usize] -= 1;
        if counts[own as usize] == 0 {
            sizes[own as usize] = 0.0;
        }
        let gain = |to: u32| shared.get(to) - network.resolution * weight * sizes[to as usize];
        let stay = gain(own);
        let (mut best, mut best_gain) = (own, stay + epsilon);
        for to in shared.keys() {
            let gain = gain(*to);
            if gain > best_gain {
                (best, best_gain) = (*to, gain);
            }
        }
        // A community of its own gains 0.
        if best_gain < 0.0 && counts[own as usize] > 0 {
            best = empty.pop().unwrap_or(own);
        }
        sizes[best as usize] += weight;
        counts[best as usize] += 1;
        if best == own {
            continue;
        }
        moved = true;
        labels[node] = best;
        if counts[own as usize] == 0 {
            empty.push(own);
        }
        for (other, _) in network.neighbors(node) {
            if labels[other] != best && !queued[other] {
                queued[other] = true;
                queue.push_back(other as u32);
            }
        }
    }
    (Clustering::new(&labels), moved)
}
