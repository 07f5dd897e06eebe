//! What a discrimination metric is worth by chance.

use super::metrics::Retrieval;
use super::pairs::PairCache;
use crate::input::Panel;
use crate::stats::quantiles;
use cellstone_core::sum::map_ordered;
use cellstone_core::{MetricInput, Result, Seed};
use rand::RngExt;

/// Permutations per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 64;

/// The mean score of a panel whose labels are permuted at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChanceBand {
    /// Mean over permutations.
    pub mean: f64,
    /// The 2.5 % quantile over permutations.
    pub low: f64,
    /// The 97.5 % quantile over permutations.
    pub high: f64,
}

/// [`crate::chance_band`] of one metric.
pub(crate) fn chance(
    metric: &Retrieval,
    input: &MetricInput<'_>,
    permutations: usize,
    seed: Seed,
) -> Result<Option<ChanceBand>> {
    let panel = Panel::new(input)?;
    let Some(table) = metric.score_table(&panel, &mut PairCache::default())? else { return Ok(None) };
    let table: Vec<Vec<f64>> =
        table.iter().map(|row| row.iter().map(|it| it.value().unwrap_or(f64::NAN)).collect()).collect();
    if table.is_empty() || permutations == 0 {
        return Ok(None);
    }
    let seed = seed.derive("chance");
    let means = map_ordered(permutations.div_ceil(BLOCK), |block| {
        let mut rng = seed.derive_index(block as u64).rng();
        let mut labels: Vec<usize> = (0..table.len()).collect();
        let count = BLOCK.min(permutations - block * BLOCK);
        let shuffled = |_| {
            for at in (1..labels.len()).rev() {
                labels.swap(at, rng.random_range(0..=at));
            }
            labels.iter().zip(&table).map(|(label, row)| row[*label]).sum::<f64>() / labels.len() as f64
        };
        (0..count).map(shuffled).collect::<Vec<f64>>()
    })
    .concat();
    let mean = crate::kernels::sum(&means) / means.len() as f64;
    Ok(quantiles(&means, &[0.025, 0.975]).map(|it| ChanceBand { mean, low: it[0], high: it[1] }))
}
