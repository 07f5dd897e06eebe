//! Agreement of two clusterings of the same cells.

use cellstone_core::{Clustering, Error, Result};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Counts of cells by pair of clusters.
struct Contingency {
    n: f64,
    /// `(a, b, cells)` of the pairs that occur, in order.
    cells: Vec<(usize, usize, f64)>,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Contingency {
    fn new(a: &[u32], b: &[u32]) -> Result<Self> {
        if a.len() != b.len() {
            return Err(Error::invalid_input(format!("{} labels against {}, expected as many", a.len(), b.len()))
                .with_hint("drop the cells without a label from both"));
        }
        let (a, b) = (Clustering::new(a), Clustering::new(b));
        let mut cells: BTreeMap<(u32, u32), f64> = BTreeMap::new();
        let (mut rows, mut cols) = (vec![0.0; a.n_clusters()], vec![0.0; b.n_clusters()]);
        for (i, j) in a.labels().iter().zip(b.labels()) {
            *cells.entry((*i, *j)).or_default() += 1.0;
            rows[*i as usize] += 1.0;
            cols[*j as usize] += 1.0;
        }
        let cells = cells.into_iter().map(|((i, j), count)| (i as usize, j as usize, count)).collect();
        Ok(Self { n: a.labels().len() as f64, cells, a: rows, b: cols })
    }

    /// No cells, or one cluster on both sides.
    fn is_trivial(&self) -> bool {
        self.a.len() == self.b.len() && self.a.len() <= 1
    }

    fn mutual_information(&self) -> f64 {
        let terms = self.cells.iter().map(|(i, j, count)| {
            let share = count / self.n;
            share * ((count / self.n).ln() - (self.a[*i] / self.n).ln() - (self.b[*j] / self.n).ln())
        });
        // Rounding must not make independent clusterings share information.
        let value: f64 = terms.sum();
        if value.abs() < f64::EPSILON { 0.0 } else { value.max(0.0) }
    }

    /// Expected mutual information of clusterings with these sizes, drawn at random.
    fn expected_information(&self) -> f64 {
        let n = self.n as usize;
        let ln_factorial = ln_factorials(n);
        let rows: Vec<f64> = self
            .a
            .par_iter()
            .map(|a| self.b.iter().map(|b| expected_term(n, *a as usize, *b as usize, &ln_factorial)).sum())
            .collect();
        rows.iter().sum()
    }
}

/// `ln 0!, ln 1!, …, ln n!`, summed with compensation.
fn ln_factorials(n: usize) -> Vec<f64> {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    let mut table = Vec::with_capacity(n + 1);
    table.push(0.0);
    for it in 1..=n {
        let term = (it as f64).ln() - lost;
        let next = total + term;
        lost = (next - total) - term;
        total = next;
        table.push(total);
    }
    table
}

/// Share of the expectation of one pair of clusters: over the hypergeometric distribution of their overlap.
fn expected_term(n: usize, a: usize, b: usize, ln_factorial: &[f64]) -> f64 {
    let fixed = ln_factorial[a] + ln_factorial[b] + ln_factorial[n - a] + ln_factorial[n - b] - ln_factorial[n];
    let (size, expected) = (n as f64, (a as f64 / n as f64).ln() + (b as f64 / n as f64).ln());
    (1.max((a + b).saturating_sub(n))..=a.min(b))
        .map(|overlap| {
            let ways = ln_factorial[overlap]
                + ln_factorial[a - overlap]
                + ln_factorial[b - overlap]
                + ln_factorial[n + overlap - a - b];
            let share = overlap as f64 / size;
            share * (share.ln() - expected) * (fixed - ways).exp()
        })
        .sum()
}

fn entropy(sizes: &[f64], n: f64) -> f64 {
    sizes.iter().map(|it| -(it / n) * (it / n).ln()).sum()
}

/// Normalised mutual information `MI / ((H(a) + H(b)) / 2)` of two clusterings, in `[0, 1]`.
///
/// `MI = Σ nᵢⱼ/n ln(n nᵢⱼ / (aᵢ bⱼ))`. One cluster on both sides, or no cells, agree fully: 1. Equal to scikit-learn's
/// `normalized_mutual_info_score`.
///
/// # Errors
/// If the labels are not as many.
///
/// # Examples
/// ```
/// let value = cellstone_metrics::nmi(&[0, 0, 1, 1, 2, 2], &[0, 1, 2, 2, 2, 2])?;
/// assert!((value - 0.647_464_239_8).abs() < 1e-10);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn nmi(a: &[u32], b: &[u32]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    if table.is_trivial() {
        return Ok(1.0);
    }
    let information = table.mutual_information();
    if information == 0.0 {
        return Ok(0.0);
    }
    Ok(information / (0.5 * (entropy(&table.a, table.n) + entropy(&table.b, table.n))))
}

/// Mutual information adjusted for chance, `(MI − E) / ((H(a) + H(b)) / 2 − E)`, with the exact expectation E of
/// clusterings with the same sizes. 1 is agreement, about 0 is chance.
///
/// Source: Vinh, Epps & Bailey 2010, JMLR 11:2837. Equal to scikit-learn's `adjusted_mutual_info_score`. Costs
/// `O(n · clusters)`.
///
/// # Errors
/// If the labels are not as many.
pub fn ami(a: &[u32], b: &[u32]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    if table.is_trivial() {
        return Ok(1.0);
    }
    if table.a.len() == 1 || table.b.len() == 1 {
        return Ok(0.0);
    }
    let expected = table.expected_information();
    // Where the expectation is the maximum, both differences are rounding: their signs decide, as in scikit-learn.
    let away_from_zero = |it: f64| if it < 0.0 { it.min(-f64::EPSILON) } else { it.max(f64::EPSILON) };
    let most = 0.5 * (entropy(&table.a, table.n) + entropy(&table.b, table.n));
    Ok(away_from_zero(table.mutual_information() - expected) / away_from_zero(most - expected))
}

/// Rand index adjusted for chance.
///
/// `(Σ C(nᵢⱼ,2) − E) / ((Σ C(aᵢ,2) + Σ C(bⱼ,2))/2 − E)` with `E = Σ C(aᵢ,2) Σ C(bⱼ,2) / C(n,2)`. Full agreement is 1, also
/// where the ratio is 0/0. Equal to scikit-learn's `adjusted_rand_score`. Source: Hubert & Arabie 1985,
/// doi:10.1007/BF01908075.
///
/// # Errors
/// If the labels are not as many.
///
/// # Examples
/// ```
/// let value = cellstone_metrics::ari(&[0, 0, 1, 1, 2, 2], &[0, 1, 2, 2, 2, 2])?;
/// assert!((value - 8.0 / 33.0).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn ari(a: &[u32], b: &[u32]) -> Result<f64> {
    let table = Contingency::new(a, b)?;
    // Ordered pairs of cells: together in both, in a only, in b only, apart in both. All exact below 2^53.
    let both = table.cells.iter().map(|it| it.2 * it.2).sum::<f64>() - table.n;
    let only_a = table.a.iter().map(|it| it * it).sum::<f64>() - table.n - both;
    let only_b = table.b.iter().map(|it| it * it).sum::<f64>() - table.n - both;
    if only_a == 0.0 && only_b == 0.0 {
        return Ok(1.0);
    }
    let apart = table.n * table.n - table.n - both - only_a - only_b;
    let spread = (both + only_b) * (only_b + apart) + (both + only_a) * (only_a + apart);
    Ok(2.0 * (both * apart - only_a * only_b) / spread)
}
