//! The refinement of Leiden: communities are taken apart and merged again from single nodes, so that every part is
//! connected; and the split of a partition into connected parts.

use super::network::{Members, Network, Sums};
use cellstone_core::{Clustering, SeedRng};
use rand::RngExt;
use rand::seq::SliceRandom;

/// Refines every community of a partition.
///
/// Inside each community nodes start alone. A node that is still alone and well connected to the rest of the community
/// (`E(v, S−v) ≥ γ'‖v‖(‖S‖−‖v‖)`) joins one of the well connected parts, or stays, with probability proportional to
/// `exp(ΔH/θ)` among those with `ΔH ≥ 0`. Source: Traag, Waltman & van Eck 2019, doi:10.1038/s41598-019-41695-z,
/// algorithm A.2. θ is `randomness` times the mean edge weight.
pub(super) fn refine(network: &Network, partition: &Clustering, randomness: f64, rng: &mut SeedRng) -> Clustering {
    let n = network.len();
    let mut state = Refinement {
        network,
        parts: (0..n as u32).collect(),
        sizes: network.node_weights.clone(),
        alone: vec![true; n],
        outside: vec![0.0; n],
        shared: Sums::new(n),
        options: Vec::new(),
        theta: randomness * network.unit,
    };
    let labels = partition.labels();
    for node in 0..n {
        let inside = network.neighbors(node).filter(|it| labels[it.0] == labels[node]);
        state.outside[node] = inside.map(|it| it.1).sum();
    }
    let members = Members::new(partition);
    let mut order = Vec::new();
    for community in 0..partition.n_clusters() {
        order.clear();
        order.extend_from_slice(members.of(community));
        if order.len() == 1 {
            continue;
        }
        let size: f64 = order.iter().map(|it| network.node_weights[*it as usize]).sum();
        order.shuffle(rng);
        for node in &order {
            state.visit(*node as usize, labels, size, rng);
        }
    }
    Clustering::new(&state.parts)
}

struct Refinement<'a> {
    network: &'a Network,
    parts: Vec<u32>,
    sizes: Vec<f64>,
    alone: Vec<bool>,
    /// Weight from each part to the rest of its community.
    outside: Vec<f64>,
    shared: Sums,
    options: Vec<(u32, f64)>,
    theta: f64,
}

impl Refinement<'_> {
    fn well_connected(&self, part: u32, size: f64) -> bool {
        let own = self.sizes[part as usize];
        self.outside[part as usize] >= self.network.resolution * own * (size - own)
    }

    fn visit(&mut self, node: usize, labels: &[u32], size: f64, rng: &mut SeedRng) {
        let own = node as u32;
        // A node that is alone is the part of its own number.
        if !self.alone[node] || !self.well_connected(own, size) {
            return;
        }
        self.shared.clear();
        for (other, weight) in self.network.neighbors(node) {
            if labels[other] == labels[node] {
                self.shared.add(self.parts[other], weight);
            }
        }
        let weight = self.network.node_weights[node];
        self.options.clear();
        self.options.push((own, 0.0));
        for part in self.shared.keys() {
            let gain = self.shared.get(*part) - self.network.resolution * weight * self.sizes[*part as usize];
            if gain >= 0.0 && self.well_connected(*part, size) {
                self.options.push((*part, gain));
            }
        }
        let to = draw(&self.options, self.theta, rng);
        if to == own {
            return;
        }
        self.alone[node] = false;
        self.alone[to as usize] = false;
        self.parts[node] = to;
        self.sizes[to as usize] += weight;
        self.outside[to as usize] += self.outside[node] - 2.0 * self.shared.get(to);
    }
}

/// One option with probability proportional to `exp(gain/θ)`.
fn draw(options: &[(u32, f64)], theta: f64, rng: &mut SeedRng) -> u32 {
    let best = options.iter().fold((options[0].0, f64::NEG_INFINITY), |it, v| if v.1 > it.1 { *v } else { it });
    if theta <= 0.0 || options.len() == 1 {
        return best.0;
    }
    let chance = |gain: f64| ((gain - best.1) / theta).exp();
    let total: f64 = options.iter().map(|it| chance(it.1)).sum();
    let mut left = rng.random::<f64>() * total;
    for (part, gain) in options {
        left -= chance(*gain);
        if left < 0.0 {
            return *part;
        }
    }
    best.0
}

/// The connected parts of every community.
pub(super) fn connected_parts(network: &Network, partition: &Clustering) -> Clustering {
    let labels = partition.labels();
    let mut parts = vec![u32::MAX; network.len()];
    let (mut stack, mut next) = (Vec::new(), 0);
    for start in 0..network.len() {
        if parts[start] != u32::MAX {
            continue;
        }
        parts[start] = next;
        stack.push(start);
        while let Some(node) = stack.pop() {
            for (other, _) in network.neighbors(node) {
                if parts[other] == u32::MAX && labels[other] == labels[node] {
                    parts[other] = next;
                    stack.push(other);
                }
            }
        }
        next += 1;
    }
    Clustering::new(&parts)
}
