//! Resampling many columns at once: every method meets the same draws, and a draw is made once for all of them.

use cellstone_core::Seed;
use cellstone_core::sum::map_ordered;
use ndarray::ArrayView2;
use rand::Rng;

/// Bootstrap draws per random stream: fixed, so that results do not depend on threads.
const DRAWS: usize = 256;

/// Sign flips per random stream: fixed as well.
const FLIPS: usize = 2048;

/// Clusters whose signs are drawn together: one table of 256 partial sums each.
const GROUP: usize = 8;

/// Columns that are summed together.
const LANES: usize = 8;

/// The sums of every column over rows drawn with replacement, `draws` values for each column.
///
/// `values` is `[clusters, columns]`; a draw takes as many rows as there are, the same for all columns, so that
/// differences and ratios of sums are those of the same resampled clusters. Sums are taken in a fixed order: the result is
/// the same for any number of threads.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::stats::bootstrap_sums;
/// use ndarray::array;
/// let sums = bootstrap_sums(array![[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]].view(), 100, Seed::new(1));
/// assert_eq!((sums.len(), sums[0].len()), (2, 100));
/// assert!(sums[0].iter().zip(&sums[1]).all(|(a, b)| 10.0 * a == *b && (3.0..=12.0).contains(a)));
/// ```
/// # References
/// Efron and Tibshirani 1993, doi:10.1201/9780429246593.
pub fn bootstrap_sums(values: ArrayView2<'_, f64>, draws: usize, seed: Seed) -> Vec<Vec<f64>> {
    let (n, columns) = values.dim();
    if n == 0 {
        return vec![vec![0.0; draws]; columns];
    }
    let seed = seed.derive("bootstrap");
    let chunks = chunked(values);
    let blocks = map_ordered(draws.div_ceil(DRAWS), |block| {
        let mut rng = seed.derive_index(block as u64).rng();
        let mut picks = vec![0; n];
        let count = DRAWS.min(draws - block * DRAWS);
        let mut sums: Vec<[f64; LANES]> = Vec::with_capacity(count * chunks.len());
        for _ in 0..count {
            pick(&mut picks, &mut rng);
            sums.extend(chunks.iter().map(|rows| sum_of(rows, &picks)));
        }
        sums
    });
    let all = blocks.concat();
    let column = |at: usize| all.iter().skip(at / LANES).step_by(chunks.len()).map(|it| it[at % LANES]).collect();
    (0..columns).map(column).collect()
}

/// Rows drawn with replacement, as many as there are.
fn pick(picks: &mut [usize], rng: &mut impl Rng) {
    let n = picks.len() as u64;
    // Two 32-bit draws a word; the bias of the multiplication is below n/2³².
    let at = |bits: u64| ((bits * n) >> 32) as usize;
    for pair in picks.chunks_mut(2) {
        let word = rng.next_u64();
        pair[0] = at(word >> 32);
        if let Some(second) = pair.get_mut(1) {
            *second = at(word & 0xffff_ffff);
        }
    }
}

/// Two running sums, so that an addition need not wait for the one before.
fn sum_of(rows: &[[f64; LANES]], picks: &[usize]) -> [f64; LANES] {
    let (mut even, mut odd) = ([0.0; LANES], [0.0; LANES]);
    let (pairs, last) = picks.as_chunks::<2>();
    for [first, second] in pairs {
        add(&mut even, &rows[*first]);
        add(&mut odd, &rows[*second]);
    }
    for it in last {
        add(&mut even, &rows[*it]);
    }
    add(&mut even, &odd);
    even
}

#[inline]
fn add(sum: &mut [f64; LANES], row: &[f64; LANES]) {
    for lane in 0..LANES {
        sum[lane] += row[lane];
    }
}

/// Rows of eight columns each, the last filled up with zeros: `[chunk][row][column]`.
fn chunked(values: ArrayView2<'_, f64>) -> Vec<Vec<[f64; LANES]>> {
    let (n, columns) = values.dim();
    let value = |row: usize, at: usize| if at < columns { values[[row, at]] } else { 0.0 };
    (0..columns.div_ceil(LANES))
        .map(|chunk| (0..n).map(|row| std::array::from_fn(|lane| value(row, chunk * LANES + lane))).collect())
        .collect()
}

/// The 2.5 % and 97.5 % quantiles of values in any order; `None` of nothing or of NaN. Reorders the values.
///
/// # Examples
/// ```
/// let mut values: Vec<f64> = (0..=1000).rev().map(f64::from).collect();
/// assert_eq!(cellstone_metrics::stats::central_95(&mut values), Some((25.0, 975.0)));
/// ```
pub fn central_95(values: &mut [f64]) -> Option<(f64, f64)> {
    if values.is_empty() || values.iter().any(|it| it.is_nan()) {
        return None;
    }
    // Selection instead of a sort: two order statistics at each end are all that is needed.
    Some((selected(values, 0.025), selected(values, 0.975)))
}

/// One quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan).
fn selected(values: &mut [f64], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let (_, low, above) = values.select_nth_unstable_by(place.floor() as usize, f64::total_cmp);
    let (low, share) = (*low, place.fract());
    // Without this test, 0 · ∞ would be NaN.
    if share == 0.0 { low } else { low + share * (above.iter().fold(f64::INFINITY, |a, b| a.min(*b)) - low) }
}

/// Sign-flip tests of several columns of paired differences at once; see [`super::sign_flip_p`].
///
/// `diffs` is `[clusters, columns]`; every column meets the same flips. `None` for a column without differences or with
/// one that is not finite.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_metrics::stats::{sign_flip_p, sign_flip_ps};
/// use ndarray::array;
/// let diffs = array![[1.0, 1.0], [2.0, -2.0], [3.0, 1.5]];
/// let p = sign_flip_ps(diffs.view(), 100_000, Seed::new(1));
/// assert_eq!(p, [Some(0.25), sign_flip_p(&[1.0, -2.0, 1.5], 100_000, Seed::new(1))]);
/// ```
pub fn sign_flip_ps(diffs: ArrayView2<'_, f64>, flips: usize, seed: Seed) -> Vec<Option<f64>> {
    let (n, columns) = diffs.dim();
    let chunks: Vec<Chunk> = chunked(diffs).iter().map(|rows| Chunk::new(rows)).collect();
    // Few enough patterns are tried one and all.
    let patterns = if n < 63 && (1_u64 << n) <= flips as u64 { Some(1_usize << n) } else { None };
    let n_words = n.div_ceil(8 * GROUP);
    let seed = seed.derive("sign_flip");
    let total = patterns.unwrap_or(flips);
    let blocks = map_ordered(total.div_ceil(FLIPS), |block| {
        let from = block * FLIPS;
        let count = FLIPS.min(total - from);
        let words: Vec<u64> = if patterns.is_some() {
            (from..from + count).map(|it| it as u64).collect()
        } else {
            let mut rng = seed.derive_index(block as u64).rng();
            (0..count * n_words).map(|_| rng.next_u64()).collect()
        };
        chunks.iter().map(|it| it.hits(&words, n_words.max(1))).collect::<Vec<_>>()
    });
    let column = |at: usize| {
        if n == 0 || diffs.column(at).iter().any(|it| !it.is_finite()) {
            return None;
        }
        let hits: u64 = blocks.iter().map(|it| it[at / LANES][at % LANES]).sum();
        Some(match patterns {
            Some(patterns) => hits as f64 / patterns as f64,
            None => (1 + hits) as f64 / (1 + flips) as f64,
        })
    };
    (0..columns).map(column).collect()
}

/// Eight columns of differences, ready to be summed under any signs.
struct Chunk {
    /// Per group of eight clusters, the signed sums for each of the 256 sign patterns; bit 1 is minus.
    tables: Vec<Vec<[f64; LANES]>>,
    /// The sum from which a pattern counts as at least as extreme as what was observed.
    reached: [f64; LANES],
}

impl Chunk {
    fn new(rows: &[[f64; LANES]]) -> Self {
        let tables: Vec<Vec<[f64; LANES]>> = rows.chunks(GROUP).map(table).collect();
        let mut observed = [0.0; LANES];
        let mut size = [0.0; LANES];
        for it in &tables {
            add(&mut observed, &it[0]);
        }
        for it in rows {
            add(&mut size, &it.map(f64::abs));
        }
        // Equal sums in another order must count as equal.
        Self { reached: std::array::from_fn(|lane| observed[lane].abs() - 1e-12 * size[lane]), tables }
    }

    /// How many patterns are at least as extreme, by column; `n_words` words hold the signs of one pattern.
    fn hits(&self, words: &[u64], n_words: usize) -> [u64; LANES] {
        let mut hits = [0; LANES];
        for pattern in words.chunks(n_words) {
            let mut sum = [0.0; LANES];
            for (tables, word) in self.tables.chunks(8).zip(pattern) {
                for (at, table) in tables.iter().enumerate() {
                    add(&mut sum, &table[usize::from((word >> (GROUP * at)) as u8)]);
                }
            }
            for lane in 0..LANES {
                hits[lane] += u64::from(sum[lane].abs() >= self.reached[lane]);
            }
        }
        hits
    }
}

/// Signed sums of up to eight rows for each of the 256 sign patterns.
fn table(group: &[[f64; LANES]]) -> Vec<[f64; LANES]> {
    let signed = |pattern: usize| {
        let mut sum = [0.0; LANES];
        for (bit, row) in group.iter().enumerate() {
            add(&mut sum, &if pattern >> bit & 1 == 1 { row.map(|it| -it) } else { *row });
        }
        sum
    };
    (0..256).map(signed).collect()
}
