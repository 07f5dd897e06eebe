//! NumPy's legacy random stream, bit for bit: published splits are defined by it.
//!
//! Nothing else draws from it; every other random number comes from [`cellstone_core::Seed`].

const N: usize = 624;
const M: usize = 397;

/// The generator behind `numpy.random.seed` and `numpy.random.choice` (MT19937 with scalar seeding).
///
/// # Examples
/// ```
/// let mut rng = cellstone_prep::NumpyRng::new(42);
/// assert_eq!(rng.permutation(10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
/// assert_eq!(rng.choice(100, 3), [76, 10, 4]);
/// ```
#[derive(Clone)]
pub struct NumpyRng {
    key: [u32; N],
    at: usize,
}

impl NumpyRng {
    /// The state after `numpy.random.seed(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut key = [0; N];
        key[0] = seed;
        for at in 1..N {
            let before: u32 = key[at - 1];
            key[at] = 1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(at as u32);
        }
        Self { key, at: N }
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.at == N {
            self.twist();
        }
        let mut it = self.key[self.at];
        self.at += 1;
        it ^= it >> 11;
        it ^= (it << 7) & 0x9d2c_5680;
        it ^= (it << 15) & 0xefc6_0000;
        it ^ (it >> 18)
    }

    /// A uniform whole number in `0..=max`; nothing is drawn for `max = 0`.
    pub fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let it = self.next_u32() & mask;
            if it <= max {
                return it;
            }
        }
    }

    /// `numpy.random.permutation(n)`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..n).collect();
        self.shuffle(&mut items);
        items
    }

    /// `numpy.random.shuffle(items)`.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.interval(i as u32) as usize;
            items.swap(i, j);
        }
    }

    /// Indices of `numpy.random.choice(n, k, replace=False)`: the first `k` of a permutation.
    pub fn choice(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut items = self.permutation(n);
        items.truncate(k);
        items
    }

    /// Indices of `numpy.random.choice(n, k)`, which draws with replacement; none of nothing.
    pub fn choice_with_replacement(&mut self, n: usize, k: usize) -> Vec<usize> {
        let Some(last) = n.checked_sub(1) else { return Vec::new() };
        (0..k).map(|_| self.interval(last as u32) as usize).collect()
    }

    fn twist(&mut self) {
        for at in 0..N {
            let y = (self.key[at] & 0x8000_0000) | (self.key[(at + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.key[at] = self.key[(at + M) % N] ^ (y >> 1) ^ odd;
        }
        self.at = 0;
    }
}

impl std::fmt::Debug for NumpyRng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NumpyRng(at {})", self.at)
    }
}

/// `trunc(len · fraction)` in double precision, as Python's `int(len * fraction)`.
pub(crate) fn truncated(len: usize, fraction: f64) -> usize {
    (len as f64 * fraction) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words() {
        let check = |seed, want: [u32; 5]| {
            let mut rng = NumpyRng::new(seed);
            assert_eq!(want.map(|_| rng.next_u32()), want);
        };
        check(1, [1_791_095_845, 4_282_876_139, 3_093_770_124, 4_005_303_368, 491_263]);
        check(42, [1_608_637_542, 3_421_126_067, 4_083_286_876, 787_846_414, 3_143_890_026]);
    }

    #[test]
    fn permutation_then_choice_on_one_stream() {
        let check = |seed, permutation: [usize; 10], choice: [usize; 7]| {
            let mut rng = NumpyRng::new(seed);
            assert_eq!(rng.permutation(10), permutation, "seed {seed}");
            assert_eq!(rng.choice(100, 7), choice, "seed {seed}");
        };
        check(0, [2, 8, 4, 9, 1, 6, 7, 3, 0, 5], [84, 10, 75, 2, 24, 21, 44]);
        check(1, [2, 9, 6, 4, 0, 3, 1, 7, 8, 5], [91, 44, 56, 82, 69, 64, 99]);
        check(2, [4, 1, 5, 0, 7, 2, 3, 6, 9, 8], [14, 13, 21, 2, 44, 48, 35]);
        check(42, [8, 1, 5, 0, 7, 2, 9, 4, 3, 6], [76, 10, 4, 99, 70, 66, 30]);
        check(123, [4, 0, 7, 5, 8, 3, 1, 6, 9, 2], [84, 86, 87, 42, 62, 31, 13]);
    }

    #[test]
    fn fractions_truncate() {
        assert_eq!(truncated(100, 0.29), 28);
        assert_eq!(truncated(105, 0.75), 78);
    }
}
