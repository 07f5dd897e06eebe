//! Control of the false discovery rate.

use super::sort::Sorter;

/// Adjusted p-values of Benjamini and Hochberg: `min over j ≥ i of p_(j) · m / j`, at most 1. NaN counts as 1.
///
/// # Examples
/// ```
/// let adjusted = cellstone_prep::benjamini_hochberg(&[0.0625, 0.75, 0.25, f64::NAN]);
/// assert_eq!(adjusted, [0.25, 1.0, 0.5, 1.0]);
/// ```
/// # References
/// Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
pub fn benjamini_hochberg(pvalues: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; pvalues.len()];
    adjust_into(pvalues, &mut out);
    out
}

pub(super) fn adjust_into(pvalues: &[f64], out: &mut [f64]) {
    let clean = |p: f64| if p.is_nan() { 1.0 } else { p };
    // Non-negative floats sort like their bits: by the upper half first, then in place among the few that share it.
    let bits = |at: u32| clean(pvalues[at as usize]).abs().to_bits();
    let mut order: Vec<u64> = (0..pvalues.len() as u32).map(|at| (bits(at) >> 32 << 32) | u64::from(at)).collect();
    Sorter::default().sort_by_key(&mut order);
    for run in order.chunk_by_mut(|a, b| a >> 32 == b >> 32) {
        if !run.is_sorted_by_key(|word| bits(*word as u32)) {
            run.sort_unstable_by_key(|word| (bits(*word as u32), *word));
        }
    }
    let m = order.len() as f64;
    let mut least = 1.0_f64;
    for (rank, word) in order.iter().enumerate().rev() {
        let at = *word as u32;
        least = least.min(f64::from_bits(bits(at)) * (m / (rank + 1) as f64));
        out[at as usize] = least;
    }
}
