//! Folds with whole donors, alike in their classes.

use cellstone_core::Seed;
use rand::Rng;
use std::collections::BTreeMap;

/// A fold for every cell: whole groups, largest first, each to the fold whose class counts it evens out most.
///
/// Groups of equal size are taken in a seeded order. With fewer groups than folds, some folds are empty.
///
/// # Examples
/// ```
/// use cellstone_baselines::classify::grouped_folds;
/// use cellstone_core::Seed;
/// let folds = grouped_folds(&[5, 5, 7, 9, 9, 8], &[0, 1, 1, 0, 1, 0], 2, 3, Seed::new(1));
/// assert_eq!(folds[0], folds[1]);
/// assert_eq!(folds[3], folds[4]);
/// assert_ne!(folds[0], folds[3]);
/// ```
pub fn grouped_folds(groups: &[u32], y: &[u32], n_classes: usize, n_folds: usize, seed: Seed) -> Vec<u32> {
    let mut counts = BTreeMap::<u32, Vec<f64>>::new();
    for (group, y) in groups.iter().zip(y) {
        counts.entry(*group).or_insert_with(|| vec![0.0; n_classes])[*y as usize] += 1.0;
    }
    let mut rng = seed.derive("grouped_folds").rng();
    let mut order: Vec<(f64, u64, u32)> =
        counts.iter().map(|(group, it)| (it.iter().sum(), rng.next_u64(), *group)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut totals = vec![vec![0.0; n_classes]; n_folds.max(1)];
    let mut fold_of = BTreeMap::new();
    for (_, _, group) in order {
        let own = &counts[&group];
        // What the sum of squared counts grows by: least where these classes are rarest, per class share.
        let cost = |fold: &Vec<f64>| -> f64 { fold.iter().zip(own).map(|(a, b)| b * (2.0 * a + b)).sum() };
        // Of equally good folds the one with the fewest cells, so that none stays empty.
        let costs: Vec<(f64, f64)> = totals.iter().map(|it| (cost(it), it.iter().sum())).collect();
        let best = (1..costs.len()).fold(0, |best, it| if costs[it] < costs[best] { it } else { best });
        totals[best].iter_mut().zip(own).for_each(|(sum, it)| *sum += it);
        fold_of.insert(group, best as u32);
    }
    groups.iter().map(|it| fold_of[it]).collect()
}
