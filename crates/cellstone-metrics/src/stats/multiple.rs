//! Corrections for testing many methods or genes.

/// Adjusts p-values by Holm's step-down rule: controls the chance of any false claim.
///
/// `p̃_(i) = max_{j ≤ i} min(1, (m − j + 1)·p_(j))`, returned in the order given.
///
/// # Examples
/// ```
/// let adjusted = cellstone_metrics::stats::holm(&[0.01, 0.04, 0.03, 0.005, 0.5]);
/// let want = [0.04, 0.09, 0.09, 0.025, 0.5];
/// assert!(adjusted.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12));
/// ```
/// # References
/// Holm 1979, Scandinavian Journal of Statistics 6:65–70.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    let mut adjusted = vec![0.0; m];
    let mut running = 0.0_f64;
    for (place, at) in ascending(p).into_iter().enumerate() {
        running = running.max(((m - place) as f64 * p[at]).min(1.0));
        adjusted[at] = running;
    }
    adjusted
}

/// Adjusts p-values by Benjamini and Hochberg's step-up rule: controls the share of false claims.
///
/// `q_(i) = min_{j ≥ i} min(1, m·p_(j)/j)`, returned in the order given; equal p-values get equal q-values.
///
/// # Examples
/// ```
/// let adjusted = cellstone_metrics::stats::benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.5]);
/// let want = [0.025, 0.05, 0.05, 0.025, 0.5];
/// assert!(adjusted.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12));
/// ```
/// # References
/// Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    let mut adjusted = vec![0.0; m];
    let mut running = 1.0_f64;
    for (place, at) in ascending(p).into_iter().enumerate().rev() {
        running = running.min(m as f64 * p[at] / (place + 1) as f64);
        adjusted[at] = running;
    }
    adjusted
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]).then_with(|| a.cmp(b)));
    order
}
