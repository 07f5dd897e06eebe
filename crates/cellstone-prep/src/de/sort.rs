//! The sort under the rank tests: packed (value, group code) words, by value.

/// Words up to which a comparison sort is quicker than clearing counters.
const SMALL: usize = 96;

/// The largest digit, in bits.
const WIDEST: u32 = 11;

/// Counters of one round.
const SLOTS: usize = 1 << WIDEST;

/// The most rounds: digits of 8 bits.
const ROUNDS: usize = 4;

/// The key of +0; keys of negative values are below.
pub(super) const ZERO_KEY: u32 = 0x8000_0000;

/// A value and a code in one word that sorts like the value. Finite values only.
pub(super) fn pack(value: f32, code: u16) -> u64 {
    let bits = value.to_bits();
    let key = if bits >> 31 == 0 { bits | ZERO_KEY } else { !bits };
    u64::from(key) << 32 | u64::from(code)
}

/// The value of a key.
pub(super) fn value_of(key: u32) -> f32 {
    f32::from_bits(if key >= ZERO_KEY { key & !ZERO_KEY } else { !key })
}

/// Working space of [`Sorter::sort_by_key`], used again from list to list.
pub(super) struct Sorter {
    spare: Vec<u64>,
    slots: Vec<[u32; SLOTS]>,
}

impl Default for Sorter {
    fn default() -> Self {
        Self { spare: Vec::new(), slots: vec![[0; SLOTS]; ROUNDS] }
    }
}

impl Sorter {
    /// Sorts words by their upper half; the order of equal ones is not specified.
    ///
    /// Only the bits in which the keys differ are looked at: whole counts need one round, log-normalised values three.
    pub(super) fn sort_by_key(&mut self, words: &mut [u64]) {
        if words.len() <= SMALL {
            words.sort_unstable();
            return;
        }
        let (mut least, mut most, mut differing) = (u32::MAX, 0, 0);
        let first = key(words[0]);
        for word in words.iter() {
            let key = key(*word);
            least = least.min(key);
            most = most.max(key);
            differing |= key ^ first;
        }
        if differing == 0 {
            return;
        }
        let low = differing.trailing_zeros();
        let bits = 32 - ((most - least) >> low).leading_zeros();
        let rounds = cheapest_rounds(words.len(), bits);
        let width = bits.div_ceil(rounds);
        let mask = (1_usize << width) - 1;
        let digit =
            |word: u64, round: u32| ((key(word) - least) >> (low + round * width)) as usize & mask & (SLOTS - 1);
        let slots = &mut self.slots[..rounds as usize];
        for it in &mut *slots {
            it[..=mask].fill(0);
        }
        for word in words.iter() {
            for (round, slots) in slots.iter_mut().enumerate() {
                slots[digit(*word, round as u32)] += 1;
            }
        }
        if self.spare.len() < words.len() {
            self.spare.resize(words.len().next_power_of_two(), 0);
        }
        let mut spare = &mut self.spare[..words.len()];
        let mut from = &mut words[..];
        for (round, slots) in slots.iter_mut().enumerate() {
            let mut next = 0;
            for slot in &mut slots[..=mask] {
                next += std::mem::replace(slot, next);
            }
            for word in from.iter() {
                let slot = &mut slots[digit(*word, round as u32)];
                spare[*slot as usize] = *word;
                *slot += 1;
            }
            std::mem::swap(&mut from, &mut spare);
        }
        if rounds % 2 == 1 {
            // After an odd number of rounds the sorted words are in the working space.
            spare.copy_from_slice(from);
        }
    }
}

fn key(word: u64) -> u32 {
    (word >> 32) as u32
}

/// The number of rounds for which moving words and walking counters cost least.
fn cheapest_rounds(n: usize, bits: u32) -> u32 {
    let cost = |rounds: &u32| *rounds as usize * (3 * n + (1 << bits.div_ceil(*rounds)));
    (bits.div_ceil(WIDEST)..=ROUNDS as u32).min_by_key(cost).unwrap_or(ROUNDS as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_sort_like_values() {
        let values = [f32::MIN, -2.0, -1e-30, 0.0, 1e-30, 1.0, 1.5, f32::MAX];
        let keys: Vec<u64> = values.iter().map(|it| pack(*it, 3)).collect();
        assert!(keys.is_sorted());
        assert!(values.iter().zip(&keys).all(|(value, word)| value_of((word >> 32) as u32) == *value));
    }

    proptest! {
        #[test]
        fn sorts(values in prop::collection::vec((-3.0_f32..3.0, 0_u16..9), 0..9000), whole in any::<bool>()) {
            let word = |it: &(f32, u16)| pack(if whole { it.0.round() } else { it.0 }, it.1);
            let mut words: Vec<u64> = values.iter().map(word).collect();
            let mut expected = words.clone();
            expected.sort_by_key(|it| it >> 32);
            Sorter::default().sort_by_key(&mut words);
            let keys = |it: &[u64]| it.iter().map(|it| it >> 32).collect::<Vec<_>>();
            prop_assert_eq!(keys(&words), keys(&expected));
            words.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(words, expected);
        }
    }
}
