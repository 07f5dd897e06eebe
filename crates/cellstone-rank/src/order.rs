//! The order of the genes of a cell: what every rank encoder starts from.

use std::cmp::Ordering;

/// Columns of a cell in descending order of value; ties keep the order of the file.
///
/// `columns` are ascending and as long as `values`.
pub fn rank_order(columns: &[u32], values: &[f32]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..columns.len().min(values.len())).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]).then(columns[*a].cmp(&columns[*b])));
    order.into_iter().map(|it| columns[it]).collect()
}

/// What decides between equal values.
#[derive(Debug, Clone, Copy)]
pub enum Ties<'a> {
    /// The one that stands first.
    Place,
    /// The one with the smaller key; of equal keys the one that stands first.
    Key(&'a [u32]),
}

/// Below this many values comparing them is faster than counting them; above so many no bits are left to count.
const FEW: usize = 48;
const MANY: usize = 1 << 24;

/// Buckets of the widest pass.
const BUCKETS: usize = 1 << 11;

/// Sorts values in descending order, exactly, in time linear in their number. Keeps its memory between calls.
///
/// Values are rounded to f32, which keeps their order, and the leading bits in which those of one cell differ are sorted
/// by two counting passes. Runs of values that agree in these bits (ties, and the few that are closer) are then compared
/// in full. An item is the bits and the place in one u32, so that everything stays in the fastest cache.
///
/// # Examples
/// ```
/// use cellstone_rank::{RankSorter, Ties};
/// let mut sorter = RankSorter::default();
/// let values = [1.0, 3.0, 3.0, 0.5];
/// let order: Vec<u32> = sorter.sort(&values, Ties::Place).collect();
/// assert_eq!(order, [1, 2, 0, 3]);
/// let order: Vec<u32> = sorter.sort(&values, Ties::Key(&[7, 6, 5, 4])).collect();
/// assert_eq!(order, [2, 1, 0, 3]);
/// ```
#[derive(Debug, Clone)]
pub struct RankSorter {
    keys: Vec<f32>,
    /// Leading bits of a value over its place.
    items: Vec<u32>,
    spare: Vec<u32>,
    low: Box<[u32; BUCKETS]>,
    high: Box<[u32; BUCKETS]>,
}

impl Default for RankSorter {
    fn default() -> Self {
        let buckets = || Box::new([0; BUCKETS]);
        Self { keys: Vec::new(), items: Vec::new(), spare: Vec::new(), low: buckets(), high: buckets() }
    }
}

impl RankSorter {
    /// Places of `values`, largest value first. No value may be NaN; −0 equals 0; keys are as many as values.
    ///
    /// The order is total, so it does not depend on the order in which the values come, [`Ties::Place`] aside.
    pub fn sort<'a>(&'a mut self, values: &[f64], ties: Ties<'_>) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        let n = values.len();
        if self.items.len() < n {
            self.keys.resize(n, 0.0);
            self.items.resize(n, 0);
            self.spare.resize(n, 0);
        }
        let places = if n <= FEW || n > MANY {
            self.items.iter_mut().zip(0..n as u32).for_each(|(item, place)| *item = place);
            self.items[..n].sort_unstable_by(|a, b| compare(values, ties, *a, *b));
            u32::MAX
        } else {
            // Bits that hold any place.
            let bits = usize::BITS - n.leading_zeros();
            self.count(values, bits);
            self.settle(values, ties, bits);
            (1 << bits) - 1
        };
        self.items[..n].iter().map(move |it| it & places)
    }

    /// Sorts by the leading bits in which the values differ; stable.
    fn count(&mut self, values: &[f64], place_bits: u32) {
        let n = values.len();
        let (keys, items) = (&mut self.keys[..n], &mut self.items[..n]);
        let (least, most) = round(values, keys);
        let top = ordinal(most);
        let range = top - ordinal(least);
        // As many buckets as values, about: fewer make runs, more make for longer sums over the buckets.
        let width = place_bits.clamp(7, BUCKETS.ilog2()).min((u32::BITS - place_bits) / 2);
        let shift = (u32::BITS - range.leading_zeros()).saturating_sub(2 * width);
        for (place, (key, item)) in keys.iter().zip(items.iter_mut()).enumerate() {
            *item = ((top - ordinal(*key)) >> shift) << place_bits | place as u32;
        }
        let bucket = |bits: u32| (bits & ((1 << width) - 1)) as usize & (BUCKETS - 1);
        let (low, high) = (&mut *self.low, &mut *self.high);
        low[..1 << width].fill(0);
        high[..1 << width].fill(0);
        for item in items.iter() {
            low[bucket(item >> place_bits)] += 1;
            high[bucket(item >> (place_bits + width))] += 1;
        }
        for (starts, shift) in [(low, place_bits), (high, place_bits + width)] {
            // Values that share a digit are in order of it.
            if starts[bucket(self.items[0] >> shift)] as usize == n {
                continue;
            }
            let mut start = 0;
            for it in &mut starts[..1 << width] {
                start += std::mem::replace(it, start);
            }
            let spare = &mut self.spare[..n];
            for item in &self.items[..n] {
                let slot = &mut starts[bucket(item >> shift)];
                spare[*slot as usize] = *item;
                *slot += 1;
            }
            std::mem::swap(&mut self.items, &mut self.spare);
        }
    }

    /// Compares what agrees in its bits.
    fn settle(&mut self, values: &[f64], ties: Ties<'_>, place_bits: u32) {
        let items = &mut self.items[..values.len()];
        let same = |a: u32, b: u32| (a ^ b) >> place_bits == 0;
        let places = (1 << place_bits) - 1;
        let mut at = 1;
        while at < items.len() {
            // Most neighbours differ: eight pairs at once.
            if let Some(nine) = items.get(at - 1..at + 8) {
                let n_same: u32 = nine.windows(2).map(|it| u32::from(same(it[0], it[1]))).sum();
                if n_same == 0 {
                    at += 8;
                    continue;
                }
            }
            let Some(first) = (at..items.len().min(at + 8)).find(|it| same(items[it - 1], items[*it])) else {
                at += 8;
                continue;
            };
            let n = items[first..].iter().take_while(|it| same(items[first], **it)).count();
            at = first + n;
            items[first - 1..at].sort_unstable_by(|a, b| compare(values, ties, a & places, b & places));
        }
    }
}

/// Larger values first, then ties.
fn compare(values: &[f64], ties: Ties<'_>, a: u32, b: u32) -> Ordering {
    let (a, b) = (a as usize, b as usize);
    let by_value = values[b].partial_cmp(&values[a]).unwrap_or(Ordering::Equal);
    let by_key = || match ties {
        Ties::Place => Ordering::Equal,
        Ties::Key(keys) => keys[a].cmp(&keys[b]),
    };
    by_value.then_with(by_key).then(a.cmp(&b))
}

/// A whole number that rises with the value: the bits of a positive number rise with it, those of a negative fall.
fn ordinal(value: f32) -> u32 {
    let bits = value.to_bits();
    let sign = (bits as i32 >> 31) as u32;
    bits ^ (sign | 1 << 31)
}

/// Rounds to f32, −0 to 0, and gives the smallest and largest of these. In eight lanes, so that one comparison need not
/// wait for another.
fn round(values: &[f64], keys: &mut [f32]) -> (f32, f32) {
    let (mut least, mut most) = ([f32::INFINITY; 8], [f32::NEG_INFINITY; 8]);
    let mut see = |lane: usize, value: f64, key: &mut f32| {
        *key = value as f32 + 0.0;
        least[lane] = if *key < least[lane] { *key } else { least[lane] };
        most[lane] = if *key > most[lane] { *key } else { most[lane] };
    };
    let (eights, rest) = values.as_chunks::<8>();
    let (key_eights, key_rest) = keys.as_chunks_mut::<8>();
    for (eight, keys) in eights.iter().zip(key_eights) {
        (0..8).for_each(|lane| see(lane, eight[lane], &mut keys[lane]));
    }
    rest.iter().zip(key_rest).for_each(|(value, key)| see(0, *value, key));
    (least.into_iter().fold(f32::INFINITY, f32::min), most.into_iter().fold(f32::NEG_INFINITY, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_keep_file_order() {
        assert_eq!(rank_order(&[0, 1, 2, 3], &[1.0, 2.0, 1.0, 2.0]), [1, 3, 0, 2]);
        assert!(rank_order(&[], &[]).is_empty());
    }

    /// The definition.
    fn plain(values: &[f64], ties: Ties<'_>) -> Vec<u32> {
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let by_key = match ties {
                Ties::Place => Ordering::Equal,
                Ties::Key(keys) => keys[a].cmp(&keys[b]),
            };
            values[b].partial_cmp(&values[a]).expect("no NaN").then(by_key).then(a.cmp(&b))
        });
        order
    }

    fn check(sorter: &mut RankSorter, values: &[f64]) {
        let scrambled: Vec<u32> = (0..values.len() as u32).map(|it| it.wrapping_mul(2_654_435_761) >> 7).collect();
        for ties in [Ties::Place, Ties::Key(&scrambled)] {
            assert_eq!(sorter.sort(values, ties).collect::<Vec<_>>(), plain(values, ties), "{values:?}");
        }
    }

    #[test]
    fn lengths_around_every_limit() {
        let mut sorter = RankSorter::default();
        for n in [0, 1, 2, FEW - 1, FEW, FEW + 1, 255, 256, 257, 2047, 2048, 2049, 6000] {
            let value = |it: usize| ((it * 7919) % 1000) as f64 / 7.0;
            check(&mut sorter, &(0..n).map(value).collect::<Vec<_>>());
            check(&mut sorter, &vec![1.5; n]);
        }
    }

    #[test]
    fn values_of_every_size_and_sign() {
        let mut sorter = RankSorter::default();
        let extremes = [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::MIN, -1.0, f64::INFINITY, 1.0];
        let mut values: Vec<f64> = extremes.iter().cycle().take(100).copied().collect();
        check(&mut sorter, &values);
        // Neighbouring numbers: alike in all leading bits.
        values
            .iter_mut()
            .enumerate()
            .for_each(|(n, it)| *it = f64::from_bits(1.0_f64.to_bits() + (n as u64 * 37) % 50));
        values[0] = 1e300;
        check(&mut sorter, &values);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_a_plain_sort(
            counts in prop::collection::vec((1_u32..6, 0_usize..40), 0..700),
            scale in prop::sample::select(vec![1e-3, 1.0, 1e7]),
        ) {
            // Counts over medians as models have them: few values, some shared, some tiny, two a hair apart.
            let medians: Vec<f64> = (0..40)
                .map(|it| match it % 8 { 0 => 7.158e-7, 1 => 1.0, 2 => 1.0 + f64::EPSILON, _ => 0.5 + f64::from(it) * 0.1 })
                .collect();
            let values: Vec<f64> = counts.iter().map(|(c, m)| f64::from(*c) / 1234.0 * scale / medians[*m]).collect();
            check(&mut RankSorter::default(), &values);
        }

        #[test]
        fn any_values_at_all(values in prop::collection::vec(-1e3_f64..1e3, 0..400)) {
            let mut sorter = RankSorter::default();
            check(&mut sorter, &values);
            // What one cell left behind does not touch the next.
            check(&mut sorter, &values[..values.len() / 2]);
        }
    }
}
