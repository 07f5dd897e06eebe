//! The counts of one cell by size: how much its highest genes hold.

/// Counts below this are tallied, others are listed.
const BINS: usize = 256;

/// Tallies that take turns: equal counts follow each other, and adding to the same place twice in a row waits.
const LANES: usize = 4;

/// Working space, used again from cell to cell.
pub(super) struct Tally {
    bins: [[u32; BINS]; LANES],
    /// What is too large for a bin, or no whole number.
    others: Vec<f32>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { bins: [[0; BINS]; LANES], others: Vec::new() }
    }

    /// Takes the stored counts of a cell.
    pub(super) fn count(&mut self, values: &[f32]) {
        self.bins.as_flattened_mut().fill(0);
        self.others.clear();
        let (chunks, rest) = values.as_chunks::<LANES>();
        for chunk in chunks {
            for (lane, value) in chunk.iter().enumerate() {
                self.add(lane, *value);
            }
        }
        rest.iter().for_each(|it| self.add(0, *it));
        let [first, others @ ..] = &mut self.bins;
        for lane in others {
            first.iter_mut().zip(lane).for_each(|(sum, it)| *sum += *it);
        }
    }

    #[inline]
    fn add(&mut self, lane: usize, value: f32) {
        let bin = value as i32;
        if let (true, Some(it)) = (bin as f32 == value, self.bins[lane].get_mut(bin as usize)) {
            *it += 1;
        } else {
            self.others.push(value);
        }
    }

    /// Number of counts that are not zero.
    pub(super) fn n_above_zero(&self) -> usize {
        self.bins[0][1..].iter().map(|it| *it as usize).sum::<usize>() + self.others.len()
    }

    /// For each of the rising numbers `tops`, the sum of so many highest counts.
    pub(super) fn sums(&mut self, tops: &[usize], mut take: impl FnMut(usize, f64)) {
        self.others.sort_unstable_by(|a, b| b.total_cmp(a));
        let others = self.others.iter().map(|it| (f64::from(*it), 1));
        let bins = (1..BINS).rev().map(|it| (it as f64, self.bins[0][it] as usize));
        let (mut at, mut taken, mut sum) = (0, 0, 0.0);
        for (value, n) in others.chain(bins) {
            while at < tops.len() && tops[at] <= taken + n {
                take(at, sum + (tops[at] - taken) as f64 * value);
                at += 1;
            }
            if at == tops.len() {
                return;
            }
            taken += n;
            sum += n as f64 * value;
        }
        (at..tops.len()).for_each(|it| take(it, sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_those_of_the_sorted_counts(
            values in prop::collection::vec(prop_oneof![0_u32..4, 0_u32..300, 200_u32..5000], 0..80),
            mut tops in prop::collection::vec(1_usize..90, 0..5),
        ) {
            let values: Vec<f32> = values.into_iter().map(|it| it as f32).collect();
            tops.sort_unstable();
            let mut tally = Tally::new();
            // What was counted before leaves no trace.
            tally.count(&[7.0, 3e9, 1.0]);
            tally.count(&values);
            prop_assert_eq!(tally.n_above_zero(), values.iter().filter(|it| **it > 0.0).count());
            let mut sorted = values.clone();
            sorted.sort_unstable_by(|a, b| b.total_cmp(a));
            let mut got = Vec::new();
            tally.sums(&tops, |at, sum| got.push((at, sum)));
            let of = |n: &usize| sorted.iter().take(*n).map(|it| f64::from(*it)).sum::<f64>();
            prop_assert_eq!(got, tops.iter().map(of).enumerate().collect::<Vec<_>>());
        }
    }
}
