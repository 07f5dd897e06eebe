//! Draws that are the same on every machine and with every version of the generator's crate.

use cellstone_core::SeedRng;
use rand::RngExt;

/// Uniform in `[0, 1)`, in steps of 2⁻⁵³.
pub(crate) fn uniform(rng: &mut SeedRng) -> f64 {
    // DIVERGES(cell-seed): the generator is that of `Seed`, whose streams are keyed on run, data set and cell.
    (rng.random::<u64>() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// Uniform in `0..n`; off by less than n / 2⁶⁴.
pub(crate) fn below(rng: &mut SeedRng, n: usize) -> usize {
    ((u128::from(rng.random::<u64>()) * n as u128) >> 64) as usize
}

/// `k` of `0..n` without replacement, in the order of the draws: the start of a shuffle.
pub(crate) fn choose(rng: &mut SeedRng, n: usize, k: usize) -> Vec<u32> {
    let mut all: Vec<u32> = (0..n as u32).collect();
    let k = k.min(n);
    for at in 0..k {
        let other = at + below(rng, n - at);
        all.swap(at, other);
    }
    all.truncate(k);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellstone_core::Seed;

    #[test]
    fn draws_are_even() {
        let mut rng = Seed::new(7).rng();
        let mut seen = [0_u32; 5];
        (0..50_000).for_each(|_| seen[below(&mut rng, 5)] += 1);
        // Four standard deviations of a binomial of 50,000 and 1/5.
        assert!(seen.iter().all(|it| it.abs_diff(10_000) < 360), "{seen:?}");
        let mean = (0..50_000).map(|_| uniform(&mut rng)).sum::<f64>() / 5e4;
        assert!((mean - 0.5).abs() < 0.006, "{mean}");
    }

    #[test]
    fn choices_do_not_repeat_and_every_item_has_its_chance() {
        let mut rng = Seed::new(8).rng();
        let mut seen = [0_u32; 6];
        for _ in 0..30_000 {
            let mut chosen = choose(&mut rng, 6, 2);
            chosen.iter().for_each(|it| seen[*it as usize] += 1);
            chosen.sort_unstable();
            assert!(chosen[0] < chosen[1]);
        }
        assert!(seen.iter().all(|it| it.abs_diff(10_000) < 330), "{seen:?}");
        assert_eq!(choose(&mut rng, 3, 9).len(), 3);
    }
}
