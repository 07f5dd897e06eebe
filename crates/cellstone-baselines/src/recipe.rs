//! Predictions as weighted sums of stored rows: train deltas, means, and rows a fit adds.
//!
//! Every method of this crate predicts `δ̂ = Σ weight · row`. Keeping the weights apart from the rows makes the
//! arithmetic one tiled loop whose bits depend neither on threads nor on what else is asked for.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, ArrayView1, Axis, Slice};

/// A stored row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Delta of a train condition.
    Train(usize),
    /// A mean delta kept by the training index.
    Mean(usize),
    /// A row the fit made.
    Extra(usize),
}

/// Rows with their weights; empty means no change.
pub(crate) type Recipe = Vec<(Source, f64)>;

/// Genes per tile: a tile of one row is 8 KiB, so the tiles of all rows stay in the second-level cache.
const TILE: usize = 1024;

/// The weighted sums, `[n_recipes, n_vars]`.
pub(crate) fn compose<'a>(
    recipes: &[Recipe],
    n_vars: usize,
    row: impl Fn(Source) -> ArrayView1<'a, f64> + Sync,
) -> Array2<f64> {
    let mut out = Array2::<f64>::zeros((recipes.len(), n_vars));
    if n_vars == 0 || recipes.is_empty() {
        return out;
    }
    out.axis_chunks_iter_mut(Axis(1), TILE).into_par_iter().enumerate().for_each(|(tile, mut block)| {
        let genes = Slice::from(tile * TILE..(tile * TILE + TILE).min(n_vars));
        for (recipe, mut target) in recipes.iter().zip(block.rows_mut()) {
            for (source, weight) in recipe {
                target.scaled_add(*weight, &row(*source).slice_axis(Axis(0), genes));
            }
        }
    });
    out
}
