//! The published protocol of the Cellular Aging Map, flaw for flaw, so that its numbers can be understood.
//!
//! Nothing here is a score of ours: see `docs/divergences.md`.

/// The threshold of the published code.
const THRESHOLD: f64 = 0.9;

/// The likeness of the shorter text with the best stretch of the longer one, from 0 to 1.
///
/// A stretch is at most as long as the shorter text; shorter stretches are tried at both ends only. Likeness is
/// `2 LCS/(|a| + |b|)` with the longest common subsequence, as `rapidfuzz.fuzz.partial_ratio`. Two empty texts are
/// alike, one empty text is like nothing.
///
/// # Examples
/// ```
/// let it = cellstone_metrics::phenotype::cam_partial_ratio("[macrophage]", "[alveolar_macrophage]");
/// // All of `macrophage]` at the end of the longer one: 2 · 11 / (12 + 11).
/// assert!((it - 22.0 / 23.0).abs() < 1e-12);
/// ```
pub fn cam_partial_ratio(a: &str, b: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let (short, long) = if a.len() <= b.len() { (&a, &b) } else { (&b, &a) };
    let best = best_stretch(short, long);
    // With equal lengths each may be the one that is cut.
    if a.len() == b.len() { best.max(best_stretch(long, short)) } else { best }
}

fn best_stretch(short: &[char], long: &[char]) -> f64 {
    match (short.len(), long.len()) {
        (0, 0) => return 1.0,
        (0, _) => return 0.0,
        _ => {}
    }
    let (m, n) = (short.len(), long.len());
    let starts = (1..m).map(|to| 0..to);
    let whole = (0..=n - m).map(|from| from..from + m);
    let ends = (n - m + 1..n).map(|from| from..n);
    let ratio = |stretch: std::ops::Range<usize>| {
        let stretch = &long[stretch];
        2.0 * common(short, stretch) as f64 / (m + stretch.len()) as f64
    };
    starts.chain(whole).chain(ends).map(ratio).fold(0.0, f64::max)
}

/// Length of the longest common subsequence.
fn common(a: &[char], b: &[char]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for x in a {
        let mut diagonal = 0;
        for (at, y) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if x == y { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// Whether any candidate counts as the label: likeness of at least 0.9.
///
/// DIVERGES(cam-protocol): only beside `--protocol cam`.
///
/// # Examples
/// ```
/// use cellstone_metrics::phenotype::cam_hit;
/// // A false hit: a part of the name is enough.
/// assert!(cam_hit("[alveolar_macrophage]", &["[b_cell]", "[macrophage]"]));
/// assert!(!cam_hit("[alveolar_macrophage]", &["[b_cell]"]));
/// ```
pub fn cam_hit(label: &str, candidates: &[&str]) -> bool {
    candidates.iter().any(|it| cam_partial_ratio(label, it) >= THRESHOLD)
}
