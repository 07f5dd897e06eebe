//! Methods that rank genes by how much they say about a label.

use crate::{FitCtx, LogNorm, Result};

/// Training cells with a label each: what a selector may see.
#[derive(Debug, Clone)]
pub struct LabelledCells {
    /// Log-normalised expression, `[n_obs, n_vars]`.
    pub x: LogNorm,
    /// Class of each cell, an index into `classes`.
    pub labels: Vec<u32>,
    /// Class names.
    pub classes: Vec<String>,
    /// Batch of each cell, where there are batches.
    pub batches: Option<Vec<u32>>,
}

/// Genes in descending order of score; ties by file position.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneRanking {
    order: Vec<u32>,
    scores: Vec<f64>,
}

impl GeneRanking {
    /// Ranks genes by score, best first, ties by file position; NaN ranks last.
    pub fn from_scores(scores: Vec<f64>) -> Self {
        let mut order: Vec<u32> = (0..scores.len() as u32).collect();
        let key = |it: u32| {
            let score = scores[it as usize];
            if score.is_nan() { f64::NEG_INFINITY } else { score }
        };
        order.sort_by(|a, b| key(*b).total_cmp(&key(*a)).then(a.cmp(b)));
        Self { order, scores }
    }

    /// Columns, best first.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Score of each column, in file order.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The `k` best columns, best first. `top(k)` is the beginning of `top(k + 1)`.
    pub fn top(&self, k: usize) -> &[u32] {
        &self.order[..k.min(self.order.len())]
    }
}

/// A gene selector.
pub trait GeneSelector: Send + Sync {
    /// Lower snake case, unique in a registry.
    fn id(&self) -> &str;

    /// Ranks the genes from training cells alone.
    ///
    /// # Errors
    /// If the cells lack what the method cannot do without.
    fn rank(&self, train: &LabelledCells, ctx: &mut FitCtx<'_>) -> Result<GeneRanking>;
}
