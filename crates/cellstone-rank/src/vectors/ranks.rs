//! Ranks from 1 upward; equal values share the mean of their ranks.

/// Whole values up to this are counted instead of sorted.
const COUNTED: f32 = 4096.0;

/// Ranks from 1 upward, equal values sharing the mean of their ranks, as `scipy.stats.rankdata` gives them.
///
/// # Examples
/// ```
/// assert_eq!(cellstone_rank::average_ranks(&[0.0, 5.0, 0.0, 1.0]), [1.5, 4.0, 1.5, 3.0]);
/// ```
pub fn average_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    // `+ 0.0` makes one value of the two zeros.
    let at = |it: u32| values[it as usize] + 0.0;
    order.sort_unstable_by(|a, b| at(*a).total_cmp(&at(*b)));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for ties in order.chunk_by(|a, b| at(*a) == at(*b)) {
        let rank = below as f64 + (ties.len() + 1) as f64 / 2.0;
        ties.iter().for_each(|it| ranks[*it as usize] = rank);
        below += ties.len();
    }
    ranks
}

/// Ranks among the positive values of a row, with space that is used again.
#[derive(Debug, Default)]
pub(super) struct Ranker {
    keys: Vec<u64>,
    counts: Vec<u32>,
    by_value: Vec<f32>,
}

impl Ranker {
    /// Fills `ranks` with the rank of every value among `values`, which are positive.
    ///
    /// Ranks are multiples of one half and exact up to 2²³.
    pub(super) fn rank(&mut self, values: &[f32], ranks: &mut Vec<f32>) {
        ranks.clear();
        let (mut largest, mut whole) = (0.0_f32, true);
        for value in values {
            largest = largest.max(*value);
            whole &= value.fract() == 0.0;
        }
        if whole && largest <= COUNTED {
            self.count(values, largest as usize, ranks);
        } else {
            self.sort(values, ranks);
        }
    }

    /// Counts are small whole numbers: one pass counts them, one adds up, one reads off.
    fn count(&mut self, values: &[f32], largest: usize, ranks: &mut Vec<f32>) {
        self.counts.clear();
        self.counts.resize(largest + 1, 0);
        values.iter().for_each(|it| self.counts[*it as usize] += 1);
        self.by_value.clear();
        let mut below = 0;
        for n in &self.counts {
            self.by_value.push(mean_rank(below, *n));
            below += n;
        }
        ranks.extend(values.iter().map(|it| self.by_value[*it as usize]));
    }

    fn sort(&mut self, values: &[f32], ranks: &mut Vec<f32>) {
        // Bits of positive floats are in the order of the floats.
        self.keys.clear();
        self.keys.extend(values.iter().enumerate().map(|(at, it)| (u64::from(it.to_bits()) << 32) | at as u64));
        self.keys.sort_unstable();
        ranks.resize(values.len(), 0.0);
        let mut below = 0;
        for ties in self.keys.chunk_by(|a, b| a >> 32 == b >> 32) {
            let rank = mean_rank(below, ties.len() as u32);
            ties.iter().for_each(|it| ranks[(it & 0xffff_ffff) as usize] = rank);
            below += ties.len() as u32;
        }
    }
}

/// Mean of the ranks `below + 1 ..= below + n`.
pub(super) fn mean_rank(below: u32, n: u32) -> f32 {
    below as f32 + (n + 1) as f32 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One and a half for every value below and for every equal one: the definition, without a sort.
    fn naive(values: &[f64], at: usize) -> f64 {
        let below = values.iter().filter(|it| **it < values[at]).count();
        let equal = values.iter().filter(|it| **it == values[at]).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    }

    fn check(values: &[f32]) {
        let wide: Vec<f64> = values.iter().map(|it| f64::from(*it)).collect();
        let want: Vec<f64> = (0..wide.len()).map(|it| naive(&wide, it)).collect();
        assert_eq!(average_ranks(&wide), want);
        let mut ranks = Vec::new();
        Ranker::default().rank(values, &mut ranks);
        assert_eq!(ranks, want.iter().map(|it| *it as f32).collect::<Vec<_>>(), "{values:?}");
        Ranker::default().sort(values, &mut ranks);
    }

    proptest! {
        #[test]
        fn ranks_follow_their_definition(counts in prop::collection::vec(1_u16..9, 0..60),
                                         large in prop::collection::vec(1_u16..9000, 0..20),
                                         any in prop::collection::vec(1e-4_f32..1e3, 0..40)) {
            let whole: Vec<f32> = counts.iter().map(|it| f32::from(*it)).collect();
            check(&whole);
            check(&large.iter().map(|it| f32::from(*it)).collect::<Vec<_>>());
            check(&any);
            check(&[whole, any].concat());
        }
    }
}
