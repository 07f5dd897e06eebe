//! Ranks inside batches and what they come to over batches.

use std::cmp::Ordering;

/// Falling, with what is not a number last.
pub(super) fn descending(a: f64, b: f64) -> Ordering {
    ascending(-a, -b)
}

/// Rising, with what is not a number last.
pub(super) fn ascending(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (a, b) => a.cmp(&b),
    }
}

/// Mean of the defined values; undefined of none.
pub(super) fn mean_defined(values: &[f64]) -> f64 {
    let defined = values.iter().filter(|it| !it.is_nan());
    let (sum, n) = defined.fold((0.0, 0_u32), |acc, it| (acc.0 + it, acc.1 + 1));
    if n == 0 { f64::NAN } else { sum / f64::from(n) }
}

/// What is known of the genes after all batches were ranked.
pub(super) struct Pooled {
    /// Median over the batches in which the gene is among the first `n`, of its rank there; NaN where it is in none.
    pub(super) rank: Vec<f64>,
    /// In how many batches the gene is among the first `n`.
    pub(super) nbatches: Vec<u32>,
}

/// Ranks the genes of each batch by falling score (0 is best, ties by position) and pools the ranks below `n`.
// DIVERGES(hvg-ties): the reference sorts unstably.
pub(super) fn pool(scores: &[Vec<f64>], n: usize) -> Pooled {
    let n_genes = scores.first().map_or(0, Vec::len);
    let mut ranks: Vec<Vec<f64>> = vec![Vec::new(); n_genes];
    for scores in scores {
        let mut order: Vec<usize> = (0..n_genes).collect();
        order.sort_by(|a, b| descending(scores[*a], scores[*b]));
        for (rank, gene) in order.into_iter().take(n).enumerate() {
            ranks[gene].push(rank as f64);
        }
    }
    let median = |ranks: &mut Vec<f64>| {
        ranks.sort_unstable_by(f64::total_cmp);
        let half = ranks.len() / 2;
        match ranks.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => ranks[half],
            _ => f64::midpoint(ranks[half - 1], ranks[half]),
        }
    };
    let nbatches = ranks.iter().map(|it| it.len() as u32).collect();
    Pooled { rank: ranks.iter_mut().map(median).collect(), nbatches }
}

impl Pooled {
    /// Genes by rank, then by number of batches, or the other way round; ties by position.
    pub(super) fn order(&self, rank_first: bool) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.rank.len() as u32).collect();
        order.sort_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let by_rank = ascending(self.rank[a], self.rank[b]);
            let by_number = self.nbatches[b].cmp(&self.nbatches[a]);
            if rank_first { by_rank.then(by_number) } else { by_number.then(by_rank) }
        });
        order
    }
}
