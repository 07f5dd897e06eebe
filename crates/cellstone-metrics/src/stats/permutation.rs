//! The sign-flip permutation test of paired differences.

use cellstone_core::Seed;
use cellstone_core::sum::map_ordered;
use rand::Rng;

/// Flips per random stream: fixed, so that results do not depend on threads.
const BLOCK: usize = 2048;

/// Clusters whose signs are drawn together: one table of 256 partial sums each.
const GROUP: usize = 8;

/// Tests that paired differences have mean zero, two-sided, by flipping signs.
///
/// The statistic is `|Σ d|`. With `2^n ≤ flips` every sign pattern is tried and p is the exact share of patterns at
/// least as extreme; else `p = (1 + #)/(1 + flips)`. Zero differences stay. `None` without differences or if one is not
/// finite.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::stats::sign_flip_p;
/// // Of the 8 patterns of 3 signs, only all-plus and all-minus reach a sum of 6.
/// assert_eq!(sign_flip_p(&[1.0, 2.0, 3.0], 100_000, Seed::new(1)), Some(0.25));
/// ```
/// # References
/// Fisher 1935, *The Design of Experiments*, §21; Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
pub fn sign_flip_p(diffs: &[f64], flips: usize, seed: Seed) -> Option<f64> {
    if diffs.is_empty() || diffs.iter().any(|it| !it.is_finite()) {
        return None;
    }
    let tables: Vec<[f64; 256]> = diffs.chunks(GROUP).map(table).collect();
    let size: f64 = diffs.iter().map(|it| it.abs()).sum();
    let observed = tables.iter().map(|it| it[0]).sum::<f64>().abs();
    // Equal sums in another order must count as equal.
    let reached = |sum: f64| sum.abs() >= observed - 1e-12 * size;
    if diffs.len() < 63 && (1_u64 << diffs.len()) <= flips as u64 {
        let patterns = 1_u64 << diffs.len();
        let hits = (0..patterns).filter(|pattern| reached(signed_sum(&tables, |at| (pattern >> (GROUP * at)) as u8)));
        return Some(hits.count() as f64 / patterns as f64);
    }
    let seed = seed.derive("sign_flip");
    let hits: usize = map_ordered(flips.div_ceil(BLOCK), |block| {
        let mut rng = seed.derive_index(block as u64).rng();
        let count = BLOCK.min(flips - block * BLOCK);
        (0..count).filter(|_| reached(random_sum(&tables, &mut rng))).count()
    })
    .into_iter()
    .sum();
    Some((1 + hits) as f64 / (1 + flips) as f64)
}

/// Signed sums of up to eight differences for each of the 256 sign patterns; bit 1 is minus.
fn table(group: &[f64]) -> [f64; 256] {
    let mut sums = [0.0; 256];
    for (pattern, sum) in sums.iter_mut().enumerate() {
        *sum = group.iter().enumerate().map(|(bit, d)| if pattern >> bit & 1 == 1 { -d } else { *d }).sum();
    }
    sums
}

fn signed_sum(tables: &[[f64; 256]], pattern: impl Fn(usize) -> u8) -> f64 {
    tables.iter().enumerate().map(|(at, table)| table[usize::from(pattern(at))]).sum()
}

fn random_sum(tables: &[[f64; 256]], rng: &mut impl Rng) -> f64 {
    let mut total = 0.0;
    for eight in tables.chunks(8) {
        let word = rng.next_u64();
        total += signed_sum(eight, |at| (word >> (8 * at)) as u8);
    }
    total
}
