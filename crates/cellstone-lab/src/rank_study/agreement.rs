//! How far two units say the same: over sampled pairs, and in their neighbours.

use cellstone_core::sum::map_ordered;
use cellstone_metrics::stats::midranks;
use cellstone_report::rank_study::schema::{AgreementRow, ListRow, SampledRow};
use std::collections::BTreeSet;

/// What is compared of a unit.
pub(crate) struct Said<'a> {
    pub(crate) unit: String,
    pub(crate) sampled: &'a [SampledRow],
    pub(crate) lists: &'a [ListRow],
}

/// Every two units of a seed.
///
/// `spearman` is the correlation of their similarities over the sampled pairs for which both have one; `jaccard` the mean
/// over cells of `|A ∩ B| / |A ∪ B|` of their first neighbours, where both take all pairs.
pub(crate) fn agreement(seed: u64, units: &[Said<'_>]) -> Vec<AgreementRow> {
    let n = units.len();
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|a| (a + 1..n).map(move |b| (a, b))).collect();
    map_ordered(pairs.len(), |at| {
        let (a, b) = (&units[pairs[at].0], &units[pairs[at].1]);
        let both: Vec<(f64, f64)> =
            a.sampled.iter().zip(b.sampled).filter_map(|(a, b)| Some((a.value?, b.value?))).collect();
        AgreementRow {
            seed: seed as i64,
            unit_a: a.unit.clone(),
            unit_b: b.unit.clone(),
            spearman: spearman(&both),
            n_pairs: both.len() as i64,
            jaccard: jaccard(a.lists, b.lists),
        }
    })
}

fn spearman(both: &[(f64, f64)]) -> Option<f64> {
    if both.len() < 3 {
        return None;
    }
    let ranks = |of: fn(&(f64, f64)) -> f64| midranks(&both.iter().map(of).collect::<Vec<f64>>());
    let (a, b) = (ranks(|it| it.0), ranks(|it| it.1));
    let mean = (both.len() as f64 + 1.0) / 2.0;
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let spread = (dot(&a, &a) * dot(&b, &b)).sqrt();
    (spread > 0.0).then(|| dot(&a, &b) / spread)
}

fn jaccard(a: &[ListRow], b: &[ListRow]) -> Option<f64> {
    let of = |(a, b): (&ListRow, &ListRow)| {
        let set = |it: &ListRow| it.neighbors.iter().map(|it| *it as u32).collect::<BTreeSet<u32>>();
        let (a, b) = (set(a), set(b));
        let union = a.union(&b).count();
        (union > 0).then(|| a.intersection(&b).count() as f64 / union as f64)
    };
    let values: Vec<f64> = a.iter().zip(b).filter_map(of).collect();
    cellstone_core::sum::mean(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_of_two_units() {
        let sampled = |values: &[f64]| values.iter().map(|it| SampledRow { value: Some(*it) }).collect::<Vec<_>>();
        let (mut a, b) = (sampled(&[0.1, 0.2, 0.3, 0.9]), sampled(&[1.0, 4.0, 9.0, 8.0]));
        a.push(SampledRow { value: None });
        let lists = |all: &[&[f32]]| all.iter().map(|it| ListRow { neighbors: it.to_vec() }).collect::<Vec<_>>();
        let (x, y) = (lists(&[&[1.0, 2.0], &[0.0], &[]]), lists(&[&[2.0, 3.0], &[0.0], &[]]));
        let said = |unit: &str, sampled, lists| Said { unit: unit.to_owned(), sampled, lists };
        let rows = agreement(7, &[said("a", &a, &x), said("b", &b, &y)]);
        assert_eq!((rows.len(), rows[0].seed, rows[0].n_pairs), (1, 7, 4));
        assert!((rows[0].spearman.expect("defined") - 0.8).abs() < 1e-12);
        assert!((rows[0].jaccard.expect("defined") - f64::midpoint(1.0 / 3.0, 1.0)).abs() < 1e-12);
        let none = agreement(7, &[said("a", &a, &[]), said("b", &b, &y)]);
        assert_eq!(none[0].jaccard, None);
    }
}
