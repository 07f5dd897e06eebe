//! Kendall's tau-b and the weighted tau by merge sort, with the genes that both cells lack in closed form.

use super::row::{SparseRow, check_dense, check_sparse};
use cellstone_core::{Result, Score, Why};

/// Kendall's tau-b: `(C − D) / √((n₀ − n₁)(n₀ − n₂))`.
///
/// `C` and `D` count concordant and discordant pairs of genes, `n₀ = G(G−1)/2`, and `n₁`, `n₂` are the pairs tied in
/// either row. Discordant pairs are counted while sorting, in `O(G log G)`.
///
/// # Undefined
/// [`Why::ConstantVector`] if all values of a row are equal, [`Why::TooFewGenes`] below 2 genes, [`Why::NotFinite`] if
/// a value is not finite.
///
/// # Errors
/// If the rows have different lengths.
///
/// # Examples
/// ```
/// let (a, b) = ([0.0, 0.0, 0.0, 1.0, 2.0, 5.0, 0.0, 3.0], [0.0, 1.0, 0.0, 0.0, 2.0, 4.0, 0.0, 3.0]);
/// let tau = cellstone_neighbors::kendall_tau_b(&a, &b)?;
/// assert!((tau.value().unwrap() - 0.772_727_272_7).abs() < 1e-10);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Knight 1966, doi:10.1080/01621459.1966.10480879. Golden: `scipy.stats.kendalltau`.
pub fn kendall_tau_b(a: &[f64], b: &[f64]) -> Result<Score> {
    match check_dense(a, b, 2)? {
        Some(why) => Ok(Score::Undefined(why)),
        None => Ok(tau_b(&mut dense_items(a, b))),
    }
}

/// [`kendall_tau_b`] of two sparse rows: the genes that both lack are one block, so the time is that of the stored
/// values.
///
/// # Errors
/// If the rows have different numbers of genes.
pub fn kendall_tau_b_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Result<Score> {
    match check_sparse(a, b, 2)? {
        Some(why) => Ok(Score::Undefined(why)),
        None => Ok(tau_b(&mut sparse_items(a, b))),
    }
}

/// The weighted tau with additive hyperbolic weights, mean of both orders of reference.
///
/// A pair of genes of ranks `r` and `s`, counted from 0 at the highest value, weighs `1/(r+1) + 1/(s+1)`, so that
/// agreement at the top counts most. Ranks are those of one row with ties resolved by the other, and the two choices
/// are averaged, as `scipy.stats.weightedtau` does by default. Undefined as [`kendall_tau_b`].
///
/// # Errors
/// If the rows have different lengths.
///
/// # Examples
/// ```
/// let (a, b) = ([0.0, 0.0, 0.0, 1.0, 2.0, 5.0, 0.0, 3.0], [0.0, 1.0, 0.0, 0.0, 2.0, 4.0, 0.0, 3.0]);
/// let tau = cellstone_neighbors::weighted_tau(&a, &b)?;
/// assert!((tau.value().unwrap() - 0.882_123_210_8).abs() < 1e-10);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Vigna 2015, doi:10.1145/2736277.2741088. Golden: `scipy.stats.weightedtau`.
pub fn weighted_tau(a: &[f64], b: &[f64]) -> Result<Score> {
    match check_dense(a, b, 2)? {
        Some(why) => Ok(Score::Undefined(why)),
        None => Ok(both_orders(&mut dense_items(a, b))),
    }
}

/// [`weighted_tau`] of two sparse rows; the genes that both lack are one block.
///
/// # Errors
/// If the rows have different numbers of genes.
pub fn weighted_tau_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Result<Score> {
    match check_sparse(a, b, 2)? {
        Some(why) => Ok(Score::Undefined(why)),
        None => Ok(both_orders(&mut sparse_items(a, b))),
    }
}

/// Genes with the same values in both rows.
#[derive(Clone, Copy)]
struct Item {
    x: f64,
    y: f64,
    /// How many genes.
    n: f64,
    /// Sum of their weights.
    weight: f64,
}

fn dense_items(a: &[f64], b: &[f64]) -> Vec<Item> {
    // Adding 0 makes −0 a 0.
    a.iter().zip(b).map(|(x, y)| Item { x: x + 0.0, y: y + 0.0, n: 1.0, weight: 0.0 }).collect()
}

fn sparse_items(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Vec<Item> {
    let union = a.union(b);
    let n_absent = a.len() - union.len();
    let mut items: Vec<Item> =
        union.iter().map(|(x, y)| Item { x: x + 0.0, y: y + 0.0, n: 1.0, weight: 0.0 }).collect();
    if n_absent > 0 {
        items.push(Item { x: 0.0, y: 0.0, n: n_absent as f64, weight: 0.0 });
    }
    items
}

fn tau_b(items: &mut [Item]) -> Score {
    sort(items);
    let pairs = |n: f64, _: f64| n * (n - 1.0) / 2.0;
    let joint = tied(items, |a, b| a.x == b.x && a.y == b.y, pairs);
    let in_x = tied(items, |a, b| a.x == b.x, pairs);
    let discordant = discordance(items).0;
    // Now sorted by y.
    let in_y = tied(items, |a, b| a.y == b.y, pairs);
    let n: f64 = items.iter().map(|it| it.n).sum();
    tau(pairs(n, 0.0), in_x, in_y, joint, discordant)
}

fn both_orders(items: &mut [Item]) -> Score {
    let first = weighted(items);
    items.iter_mut().for_each(|it| std::mem::swap(&mut it.x, &mut it.y));
    match (first, weighted(items)) {
        (Score::Value(a), Score::Value(b)) => Score::Value((a + b) / 2.0),
        (Score::Undefined(why), _) | (_, Score::Undefined(why)) => Score::Undefined(why),
    }
}

/// The weighted tau with ranks by `x` and then `y`.
fn weighted(items: &mut [Item]) -> Score {
    sort(items);
    weigh(items);
    // Every gene of n meets n − 1 others, and brings its weight to each of these pairs.
    let pairs = |n: f64, weight: f64| weight * (n - 1.0);
    let joint = tied(items, |a, b| a.x == b.x && a.y == b.y, pairs);
    let in_x = tied(items, |a, b| a.x == b.x, pairs);
    let discordant = discordance(items).1;
    let in_y = tied(items, |a, b| a.y == b.y, pairs);
    let (n, weight) = items.iter().fold((0.0, 0.0), |it, item| (it.0 + item.n, it.1 + item.weight));
    if items.iter().all(|it| it.x == items[0].x) || items.iter().all(|it| it.y == items[0].y) {
        return Score::Undefined(Why::ConstantVector);
    }
    tau(pairs(n, weight), in_x, in_y, joint, discordant)
}

fn tau(all: f64, in_x: f64, in_y: f64, joint: f64, discordant: f64) -> Score {
    if all <= in_x || all <= in_y {
        return Score::Undefined(Why::ConstantVector);
    }
    let value = (all - (in_x + in_y - joint) - 2.0 * discordant) / (all - in_x).sqrt() / (all - in_y).sqrt();
    Score::finite_or(value.clamp(-1.0, 1.0), Why::NotFinite)
}

fn sort(items: &mut [Item]) {
    items.sort_unstable_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
}

/// Gives the gene of ascending position `p` of `n` the weight `1/(n − p)`: 1 at the top.
fn weigh(items: &mut [Item]) {
    let mut left: f64 = items.iter().map(|it| it.n).sum();
    for item in items {
        item.weight = 0.0;
        for _ in 0..item.n as usize {
            item.weight += left.recip();
            left -= 1.0;
        }
    }
}

/// Sum of `pairs(n, weight)` over runs of neighbours that are `same`.
fn tied(items: &[Item], same: impl Fn(&Item, &Item) -> bool, pairs: impl Fn(f64, f64) -> f64) -> f64 {
    items
        .chunk_by(same)
        .map(|run| {
            let (n, weight) = run.iter().fold((0.0, 0.0), |it, item| (it.0 + item.n, it.1 + item.weight));
            pairs(n, weight)
        })
        .sum()
}

/// Number and summed weight of pairs whose `y` falls along the items; leaves them sorted by `y`.
///
/// A bottom-up merge sort: an item that overtakes the rest of the left run is discordant with each of it.
fn discordance(items: &mut [Item]) -> (f64, f64) {
    let mut spare = items.to_vec();
    let (mut count, mut weight) = (0.0, 0.0);
    let mut width = 1;
    while width < items.len() {
        for (run, out) in items.chunks(2 * width).zip(spare.chunks_mut(2 * width)) {
            let (left, right) = run.split_at(width.min(run.len()));
            let (mut n_left, mut weight_left) =
                left.iter().fold((0.0, 0.0), |it, item| (it.0 + item.n, it.1 + item.weight));
            let (mut i, mut j) = (0, 0);
            for slot in out {
                if j == right.len() || (i < left.len() && left[i].y <= right[j].y) {
                    *slot = left[i];
                    n_left -= left[i].n;
                    weight_left -= left[i].weight;
                    i += 1;
                } else {
                    *slot = right[j];
                    count += right[j].n * n_left;
                    weight += right[j].weight * n_left + right[j].n * weight_left;
                    j += 1;
                }
            }
        }
        items.copy_from_slice(&spare);
        width *= 2;
    }
    (count, weight)
}
