//! Pearson, cosine, and Spearman in three forms: dense, sparse with the zeros in closed form, on co-detected genes.

use super::rank::{centred_ranks, rank_offsets};
use super::row::{SparseRow, check_dense, check_sparse};
use cellstone_core::{Result, Score, Why};

/// Genes that both cells must have for [`spearman_codetected`].
pub const MIN_CODETECTED: usize = 30;

/// A spread below this share of the length is rounding, not spread.
const NEGLIGIBLE: f64 = 1e-12;

/// Pearson's correlation of two rows: `Σ(a−ā)(b−b̄) / √(Σ(a−ā)² Σ(b−b̄)²)`.
///
/// # Undefined
/// [`Why::ConstantVector`] if a row is constant up to rounding, [`Why::TooFewGenes`] below 2 genes,
/// [`Why::NotFinite`] if a value is not finite.
///
/// # Errors
/// If the rows have different lengths.
///
/// # Examples
/// ```
/// let score = cellstone_neighbors::pearson(&[1.0, 2.0, 3.0], &[1.0, 2.0, 4.0])?;
/// assert!((score.value().unwrap() - 0.981_980_506).abs() < 1e-9);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn pearson(a: &[f64], b: &[f64]) -> Result<Score> {
    if let Some(why) = check_dense(a, b, 2)? {
        return Ok(Score::Undefined(why));
    }
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut ab, mut aa, mut bb, mut len_a, mut len_b) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (u, v) = (x - mean_a, y - mean_b);
        ab += u * v;
        aa += u * u;
        bb += v * v;
        len_a += x * x;
        len_b += y * y;
    }
    if is_negligible(aa, len_a) || is_negligible(bb, len_b) {
        return Ok(Score::Undefined(Why::ConstantVector));
    }
    Ok(ratio(ab, aa, bb))
}

/// [`pearson`] of two sparse rows, in the time of their stored values.
///
/// # Errors
/// If the rows have different numbers of genes.
pub fn pearson_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Result<Score> {
    if let Some(why) = check_sparse(a, b, 2)? {
        return Ok(Score::Undefined(why));
    }
    let n = a.len() as f64;
    let mean = |row: &SparseRow<'_>| row.values().iter().map(|it| f64::from(*it)).sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let scatter = |row: &SparseRow<'_>, mean: f64| {
        let stored: f64 = row.values().iter().map(|it| (f64::from(*it) - mean).powi(2)).sum();
        let length: f64 = row.values().iter().map(|it| f64::from(*it).powi(2)).sum();
        (stored + (n - row.values().len() as f64) * mean * mean, length)
    };
    let ((aa, len_a), (bb, len_b)) = (scatter(a, mean_a), scatter(b, mean_b));
    if is_negligible(aa, len_a) || is_negligible(bb, len_b) {
        return Ok(Score::Undefined(Why::ConstantVector));
    }
    Ok(ratio(sparse_dot(a, b) - n * mean_a * mean_b, aa, bb))
}

/// Cosine of the angle between two rows: `Σ ab / √(Σa² Σb²)`.
///
/// # Undefined
/// [`Why::ZeroVector`] if a row is zero, [`Why::TooFewGenes`] without genes, [`Why::NotFinite`] if a value is not
/// finite.
///
/// # Errors
/// If the rows have different lengths.
///
/// # Examples
/// ```
/// let score = cellstone_neighbors::cosine(&[1.0, 0.0], &[1.0, 1.0])?;
/// assert!((score.value().unwrap() - 0.5_f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn cosine(a: &[f64], b: &[f64]) -> Result<Score> {
    if let Some(why) = check_dense(a, b, 1)? {
        return Ok(Score::Undefined(why));
    }
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    Ok(cosine_of(dot(a, b), dot(a, a), dot(b, b)))
}

/// [`cosine`] of two sparse rows.
///
/// # Errors
/// If the rows have different numbers of genes.
pub fn cosine_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Result<Score> {
    if let Some(why) = check_sparse(a, b, 1)? {
        return Ok(Score::Undefined(why));
    }
    Ok(cosine_of(sparse_dot(a, b), sparse_dot(a, a), sparse_dot(b, b)))
}

/// Spearman's rho: [`pearson`] of average ranks, in which equal values, the zeros among them, share one rank.
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
/// let rho = cellstone_neighbors::spearman(&a, &b)?;
/// assert!((rho.value().unwrap() - 0.831_081_081_1).abs() < 1e-10);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
/// # References
/// Spearman 1904, doi:10.2307/1412159. Golden: `scipy.stats.spearmanr`.
pub fn spearman(a: &[f64], b: &[f64]) -> Result<Score> {
    if let Some(why) = check_dense(a, b, 2)? {
        return Ok(Score::Undefined(why));
    }
    Ok(rho_of_ranked(a, b))
}

/// [`spearman`] of two sparse rows: a product of rank offsets with a rank-one correction, in the time of the stored
/// values.
///
/// With `z` the rank of the zeros of a row and `s = rank − z`, which is 0 for the zeros,
/// `ρ = (Σ s_a s_b − G m_a m_b) / √(V_a V_b)` over the shared stored genes, where `m = (G+1)/2 − z` and
/// `V = (G³ − G)/12 − Σ (t³ − t)/12` over groups of `t` equal values, the zeros being one of them.
///
/// # Errors
/// If the rows have different numbers of genes.
pub fn spearman_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Result<Score> {
    if let Some(why) = check_sparse(a, b, 2)? {
        return Ok(Score::Undefined(why));
    }
    let (mut keys, mut of_a, mut of_b) = (Vec::new(), Vec::new(), Vec::new());
    let form_a = rank_offsets(a.values(), a.len(), &mut keys, &mut of_a);
    let form_b = rank_offsets(b.values(), b.len(), &mut keys, &mut of_b);
    if form_a.scatter == 0.0 || form_b.scatter == 0.0 {
        return Ok(Score::Undefined(Why::ConstantVector));
    }
    let dot: f64 = a.shared(b).map(|(i, j)| of_a[i] * of_b[j]).sum();
    Ok(ratio(dot - a.len() as f64 * form_a.mean * form_b.mean, form_a.scatter, form_b.scatter))
}

/// [`spearman`] on the genes that are not 0 in both rows, ranked among themselves.
///
/// # Undefined
/// [`Why::TooFewGenes`] below [`MIN_CODETECTED`] such genes; otherwise as [`spearman`].
///
/// # Errors
/// If the rows have different lengths.
pub fn spearman_codetected(a: &[f64], b: &[f64]) -> Result<Score> {
    if let Some(why) = check_dense(a, b, MIN_CODETECTED)? {
        return Ok(Score::Undefined(why));
    }
    Ok(codetected(a.iter().copied().zip(b.iter().copied())))
}

/// [`spearman_codetected`] of two sparse rows.
///
/// # Errors
/// If the rows have different numbers of genes.
pub fn spearman_codetected_sparse(a: &SparseRow<'_>, b: &SparseRow<'_>) -> Result<Score> {
    if let Some(why) = check_sparse(a, b, MIN_CODETECTED)? {
        return Ok(Score::Undefined(why));
    }
    Ok(codetected(a.shared(b).map(|(i, j)| (f64::from(a.values()[i]), f64::from(b.values()[j])))))
}

fn codetected(pairs: impl Iterator<Item = (f64, f64)>) -> Score {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.filter(|it| it.0 != 0.0 && it.1 != 0.0).unzip();
    if a.len() < MIN_CODETECTED { Score::Undefined(Why::TooFewGenes) } else { rho_of_ranked(&a, &b) }
}

fn rho_of_ranked(a: &[f64], b: &[f64]) -> Score {
    let ((a, scatter_a), (b, scatter_b)) = (centred_ranks(a), centred_ranks(b));
    if scatter_a == 0.0 || scatter_b == 0.0 {
        return Score::Undefined(Why::ConstantVector);
    }
    ratio(a.iter().zip(&b).map(|(x, y)| x * y).sum(), scatter_a, scatter_b)
}

fn sparse_dot(a: &SparseRow<'_>, b: &SparseRow<'_>) -> f64 {
    a.shared(b).map(|(i, j)| f64::from(a.values()[i]) * f64::from(b.values()[j])).sum()
}

fn cosine_of(ab: f64, aa: f64, bb: f64) -> Score {
    if aa == 0.0 || bb == 0.0 { Score::Undefined(Why::ZeroVector) } else { ratio(ab, aa, bb) }
}

/// `ab / √(aa bb)`, held in [−1, 1] against rounding.
fn ratio(ab: f64, aa: f64, bb: f64) -> Score {
    Score::finite_or((ab / aa.sqrt() / bb.sqrt()).clamp(-1.0, 1.0), Why::NotFinite)
}

fn is_negligible(scatter: f64, squared_length: f64) -> bool {
    scatter <= NEGLIGIBLE * NEGLIGIBLE * squared_length
}
