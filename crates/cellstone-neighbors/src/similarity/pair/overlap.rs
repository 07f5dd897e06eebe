//! Overlap of ranked token lists: rank-biased overlap, and what the first k have in common.

use cellstone_core::{Error, Result, Score, Seed, Why};
use rand::RngExt;

/// What the first `k` tokens of two lists have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TopOverlap {
    /// `|A ∩ B| / k`.
    pub overlap: f64,
    /// `|A ∩ B| / |A ∪ B|`.
    pub jaccard: f64,
    /// The length that was compared: `k`, or that of the shorter list.
    pub k: usize,
}

/// Compares many token lists without allocating for each: remembers which tokens the current pair has shown.
#[derive(Debug, Clone, Default)]
pub struct Overlap {
    /// For each token the pair in which it was seen, and the sides: bit 0 the first list, bit 1 the second.
    seen: Vec<(u32, u8)>,
    pair: u32,
}

impl Overlap {
    /// Room that grows with the tokens that come.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`rank_biased_overlap`].
    ///
    /// # Errors
    /// As [`rank_biased_overlap`].
    pub fn rank_biased(&mut self, a: &[u32], b: &[u32], p: f64) -> Result<Score> {
        if !(p > 0.0 && p < 1.0) {
            return Err(Error::invalid_input(format!("persistence {p}, expected between 0 and 1")));
        }
        let k = a.len().min(b.len());
        if k == 0 {
            return Ok(Score::Undefined(Why::TooFewGenes));
        }
        let (mut power, mut sum, mut shared) = (1.0, 0.0, 0);
        self.walk(&a[..k], &b[..k], |depth, common| {
            power *= p;
            sum += common as f64 / depth as f64 * power;
            shared = common;
        })?;
        Ok(Score::Value(shared as f64 / k as f64 * power + (1.0 - p) / p * sum))
    }

    /// As [`top_k_overlap`].
    ///
    /// # Errors
    /// As [`top_k_overlap`].
    pub fn top_k(&mut self, a: &[u32], b: &[u32], k: usize) -> Result<Option<TopOverlap>> {
        let k = k.min(a.len()).min(b.len());
        if k == 0 {
            return Ok(None);
        }
        let mut shared = 0;
        self.walk(&a[..k], &b[..k], |_, common| shared = common)?;
        let union = 2 * k - shared;
        Ok(Some(TopOverlap { overlap: shared as f64 / k as f64, jaccard: shared as f64 / union as f64, k }))
    }

    /// Calls `visit(d, |first d of a ∩ first d of b|)` for every depth.
    fn walk(&mut self, a: &[u32], b: &[u32], mut visit: impl FnMut(usize, usize)) -> Result<()> {
        let largest = a.iter().chain(b).fold(0, |it, token| it.max(*token as usize));
        if self.seen.len() <= largest {
            self.seen.resize(largest + 1, (0, 0));
        }
        self.pair = self.pair.wrapping_add(1);
        if self.pair == 0 {
            self.seen.fill((0, 0));
            self.pair = 1;
        }
        let mut common = 0;
        for (at, (x, y)) in a.iter().zip(b).enumerate() {
            common += self.show(*x, 1)? + self.show(*y, 2)?;
            visit(at + 1, common);
        }
        Ok(())
    }

    /// Marks a token as seen on a side; 1 if the other side has it already.
    fn show(&mut self, token: u32, side: u8) -> Result<usize> {
        let seen = &mut self.seen[token as usize];
        if seen.0 != self.pair {
            *seen = (self.pair, 0);
        }
        if seen.1 & side != 0 {
            return Err(Error::invalid_input(format!("token {token} comes twice in one list"))
                .with_hint("overlaps need lists without repeats: drop special tokens and padding"));
        }
        seen.1 |= side;
        Ok(usize::from(seen.1 == 3))
    }
}

/// Rank-biased overlap of two token lists, extrapolated beyond their common length `k`.
///
/// `X_k/k p^k + (1−p)/p Σ_{d=1..k} X_d/d p^d`, with `X_d` the number of tokens that the first `d` of both lists share;
/// the longer list is cut. The first ranks carry most of the weight: 85 % the first 50 at `p` 0.98.
///
/// # Undefined
/// [`Why::TooFewGenes`] if a list is empty.
///
/// # Errors
/// If `p` is not between 0 and 1, or if a token comes twice in a list.
///
/// # Examples
/// ```
/// let score = cellstone_neighbors::rank_biased_overlap(&[1, 2, 3, 4, 5], &[2, 1, 3, 5, 4], 0.9)?;
/// assert!((score.value().unwrap() - 0.881_775).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Webber, Moffat and Zobel 2010, doi:10.1145/1852102.1852106, equation 30.
pub fn rank_biased_overlap(a: &[u32], b: &[u32], p: f64) -> Result<Score> {
    Overlap::new().rank_biased(a, b, p)
}

/// [`rank_biased_overlap`] of tokens with values, highest first, averaged over `n_orders` random orders of equal ones.
///
/// Each list is `(token, value)` in any order. Without equal values this is one overlap. The draws depend on the seed
/// and on the tokens alone, not on the order in which they come.
///
/// # Errors
/// As [`rank_biased_overlap`], and if `n_orders` is 0 or a value is not finite.
pub fn rank_biased_overlap_ties(
    a: &[(u32, f64)],
    b: &[(u32, f64)],
    p: f64,
    n_orders: usize,
    seed: Seed,
) -> Result<Score> {
    if n_orders == 0 {
        return Err(Error::invalid_input("no orders of equal values to average over"));
    }
    if a.iter().chain(b).any(|it| !it.1.is_finite()) {
        return Ok(Score::Undefined(Why::NotFinite));
    }
    let ((mut of_a, ties_a), (mut of_b, ties_b)) = (by_value(a), by_value(b));
    let mut overlap = Overlap::new();
    if ties_a.is_empty() && ties_b.is_empty() {
        return overlap.rank_biased(&of_a, &of_b, p);
    }
    let mut sum = 0.0;
    for draw in 0..n_orders {
        let seed = seed.derive_index(draw as u64);
        shuffle(&mut of_a, &ties_a, seed.derive("first"));
        shuffle(&mut of_b, &ties_b, seed.derive("second"));
        match overlap.rank_biased(&of_a, &of_b, p)? {
            Score::Value(value) => sum += value,
            undefined @ Score::Undefined(_) => return Ok(undefined),
        }
    }
    Ok(Score::Value(sum / n_orders as f64))
}

/// What the first `k` tokens of two lists share; `None` if a list is empty.
///
/// If a list is shorter than `k`, both are cut to its length.
///
/// # Errors
/// If a token comes twice in a list.
///
/// # Examples
/// ```
/// let shared = cellstone_neighbors::top_k_overlap(&[7, 1, 4, 9], &[1, 2, 7, 4], 3)?.unwrap();
/// assert_eq!((shared.overlap, shared.jaccard), (2.0 / 3.0, 0.5));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn top_k_overlap(a: &[u32], b: &[u32], k: usize) -> Result<Option<TopOverlap>> {
    Overlap::new().top_k(a, b, k)
}

/// Tokens by falling value and then token, and the ranges of equal values.
fn by_value(list: &[(u32, f64)]) -> (Vec<u32>, Vec<std::ops::Range<usize>>) {
    let mut list = list.to_vec();
    list.sort_unstable_by(|a, b| (b.1 + 0.0).total_cmp(&(a.1 + 0.0)).then(a.0.cmp(&b.0)));
    let mut ties = Vec::new();
    let mut start = 0;
    for run in list.chunk_by(|a, b| a.1 == b.1) {
        if run.len() > 1 {
            ties.push(start..start + run.len());
        }
        start += run.len();
    }
    (list.iter().map(|it| it.0).collect(), ties)
}

/// A random order inside each range.
fn shuffle(tokens: &mut [u32], ties: &[std::ops::Range<usize>], seed: Seed) {
    let mut rng = seed.rng();
    for tie in ties {
        let tokens = &mut tokens[tie.clone()];
        // From the order by token, so that the draw does not depend on the one before.
        tokens.sort_unstable();
        for at in (1..tokens.len()).rev() {
            tokens.swap(at, rng.random_range(0..=at));
        }
    }
}
