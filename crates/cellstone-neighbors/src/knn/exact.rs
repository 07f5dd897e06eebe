//! From candidates to neighbours: distances by their definition in f64.

#![expect(clippy::inline_always, reason = "loops must be inside the function that has the vector instructions")]

use super::{KnnParams, Rows};
use crate::wide::{Body, wide};
use pulp::Simd;

/// Neighbours of some cells, row by row.
#[derive(Default)]
pub(super) struct Part {
    pub(super) indices: Vec<u32>,
    pub(super) distances: Vec<f64>,
}

/// Appends the nearest of the candidates of cell `own`, by squared distance and then index.
pub(super) fn rerank(
    rows: &Rows,
    own: usize,
    candidates: impl Iterator<Item = u32>,
    params: KnnParams,
    part: &mut Part,
) {
    let mut scored = wide(Distances { rows, own, candidates });
    nearest(&mut scored, params.n_others());
    if params.include_self {
        part.indices.push(own as u32);
        part.distances.push(0.0);
    }
    part.indices.extend(scored.iter().map(|it| it.1));
    part.distances.extend(scored.iter().map(|it| rows.distance(it.0)));
}

/// Squared distances of candidates to one cell.
struct Distances<'a, I> {
    rows: &'a Rows,
    own: usize,
    candidates: I,
}

impl<I: Iterator<Item = u32>> Body for Distances<'_, I> {
    type Output = Vec<(f64, u32)>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Self::Output {
        let mut scored = Vec::with_capacity(self.candidates.size_hint().0);
        for other in self.candidates {
            if other as usize != self.own {
                scored.push((self.rows.squared(self.own, other as usize), other));
            }
        }
        scored
    }
}

/// Keeps the `k` smallest by distance and then index, in order.
fn nearest(scored: &mut Vec<(f64, u32)>, k: usize) {
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if scored.len() > k && k > 0 {
        scored.select_nth_unstable_by(k - 1, order);
    }
    scored.truncate(k);
    scored.sort_unstable_by(order);
}
