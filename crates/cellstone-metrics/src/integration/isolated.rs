//! Labels that few batches have, and how well they are kept apart.

use super::Convention;
use super::labels::{Groups, LabelScore, PerLabel, same_cells};
use cellstone_core::sum::mean;
use cellstone_core::{Result, Score, Why};

/// Which labels are isolated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsolatedLabels {
    /// The isolated labels, ascending.
    pub labels: Vec<u32>,
    /// A label with at most this many batches is isolated.
    pub threshold: usize,
    /// Every label and the number of its batches.
    pub n_batches: Vec<(u32, usize)>,
}

/// Finds the labels that occur in at most `threshold` batches; by default the smallest number that any label has.
///
/// Where the threshold is the number of batches, no label is isolated, as in scib; under [`Convention::ScibMetrics`]
/// every label then is.
///
/// # Errors
/// If labels and batches are not as many.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::{Convention, isolated_labels};
/// let found = isolated_labels(&[0, 0, 1, 1, 2], &[0, 1, 0, 1, 1], None, Convention::Cellstone)?;
/// assert_eq!((found.labels.as_slice(), found.threshold), ([2].as_slice(), 1));
/// let found = isolated_labels(&[0, 0, 1, 1], &[0, 1, 0, 1], None, Convention::Cellstone)?;
/// assert!(found.labels.is_empty());
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/isolated_labels.py`.
pub fn isolated_labels(
    labels: &[u32],
    batch: &[u32],
    threshold: Option<usize>,
    convention: Convention,
) -> Result<IsolatedLabels> {
    same_cells("batches", batch.len(), labels.len())?;
    let groups = Groups::new(labels);
    let n_batches: Vec<(u32, usize)> =
        groups.iter().map(|(label, cells)| (label, Groups::among(batch, cells).len())).collect();
    let threshold = threshold.unwrap_or_else(|| n_batches.iter().map(|it| it.1).min().unwrap_or(0));
    // DIVERGES(isolated-threshold): scib-metrics has no such guard and then scores every label as isolated.
    let none = convention != Convention::ScibMetrics && threshold == Groups::new(batch).len();
    let labels = n_batches.iter().filter(|it| !none && it.1 <= threshold).map(|it| it.0).collect();
    Ok(IsolatedLabels { labels, threshold, n_batches })
}

/// Mean over the isolated labels of the mean silhouette of their cells, `(s + 1) / 2`.
///
/// `silhouettes` are those of all labels at once: [`label_silhouettes`](super::label_silhouettes).
///
/// # Undefined
/// [`Why::NoLabel`] if none is isolated; [`Why::SingleLabel`] if there is only one.
///
/// # Errors
/// If silhouettes and labels are not as many.
///
/// # References
/// As [`isolated_labels`].
pub fn isolated_label_asw(silhouettes: &[f64], labels: &[u32], isolated: &IsolatedLabels) -> Result<PerLabel> {
    same_cells("silhouettes", silhouettes.len(), labels.len())?;
    let groups = Groups::new(labels);
    let single = groups.len() == 1;
    Ok(of_isolated(&groups, isolated, |cells| {
        if single {
            return Score::Undefined(Why::SingleLabel);
        }
        let values: Vec<f64> = cells.iter().map(|it| 0.5 * (silhouettes[*it] + 1.0)).collect();
        mean(&values).map_or(Score::Undefined(Why::NoCells), Score::Value)
    }))
}

/// Mean over the isolated labels of the best F1 with which any cluster of any clustering picks out the label.
///
/// `clusterings` hold one cluster per cell, usually Leiden at resolutions 0.2, 0.4, …, 2.
/// `F1 = 2 |cluster ∩ label| / (|cluster| + |label|)`.
///
/// # Undefined
/// [`Why::NoLabel`] if no label is isolated; [`Why::NotGiven`] without clusterings.
///
/// # Errors
/// If a clustering does not have as many cells.
///
/// # References
/// As [`isolated_labels`].
pub fn isolated_label_f1(clusterings: &[&[u32]], labels: &[u32], isolated: &IsolatedLabels) -> Result<PerLabel> {
    for it in clusterings {
        same_cells("clusters", it.len(), labels.len())?;
    }
    let clusterings: Vec<Groups> = clusterings.iter().map(|it| Groups::new(it)).collect();
    Ok(of_isolated(&Groups::new(labels), isolated, |cells| {
        let best = clusterings
            .iter()
            .map(|it| best_f1(it, cells))
            .fold(None, |best: Option<f64>, it| Some(best.map_or(it, |best| best.max(it))));
        best.map_or(Score::Undefined(Why::NotGiven), Score::Value)
    }))
}

fn of_isolated(groups: &Groups, isolated: &IsolatedLabels, score: impl Fn(&[usize]) -> Score) -> PerLabel {
    let chosen = groups.iter().filter(|it| isolated.labels.contains(&it.0));
    PerLabel::mean_of(chosen.map(|(label, cells)| LabelScore { label, n: cells.len(), score: score(cells) }).collect())
}

fn best_f1(clusters: &Groups, cells: &[usize]) -> f64 {
    let mut shared = vec![0.0_f64; clusters.len()];
    cells.iter().for_each(|it| shared[clusters.of[*it] as usize] += 1.0);
    let f1 = |(shared, size): (&f64, f64)| 2.0 * shared / (size + cells.len() as f64);
    shared.iter().zip(clusters.sizes()).map(f1).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_of_all_batches_isolates_none_but_in_scib_metrics() {
        let (labels, batch) = ([0, 0, 1, 1], [0, 1, 0, 1]);
        for convention in [Convention::Cellstone, Convention::Scib] {
            let found = isolated_labels(&labels, &batch, Some(2), convention).expect("valid");
            assert!(found.labels.is_empty());
            let score = isolated_label_asw(&[0.0; 4], &labels, &found).expect("valid");
            assert_eq!(score.value, Score::Undefined(Why::NoLabel));
        }
        let found = isolated_labels(&labels, &batch, None, Convention::ScibMetrics).expect("valid");
        assert_eq!((found.labels, found.n_batches), (vec![0, 1], vec![(0, 2), (1, 2)]));
        // One more than there are batches is a wish for every label.
        let found = isolated_labels(&labels, &batch, Some(3), Convention::Scib).expect("valid");
        assert_eq!(found.labels, [0, 1]);
    }

    #[test]
    fn scores_by_hand() {
        let (labels, batch) = ([0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 1, 1]);
        let found = isolated_labels(&labels, &batch, None, Convention::Cellstone).expect("valid");
        assert_eq!(found.labels, [1]);
        let asw = isolated_label_asw(&[0.0, 0.0, 0.0, 1.0, 0.5, 0.0], &labels, &found).expect("valid");
        assert_eq!(asw.value, Score::Value(0.75));
        // Cluster 5 has two of three cells of the label and one other: 4/6; cluster 2 has all and two others: 6/8.
        let f1 = |clusterings: &[&[u32]]| isolated_label_f1(clusterings, &labels, &found).expect("valid").value;
        assert_eq!(f1(&[&[0, 0, 5, 5, 5, 0]]), Score::Value(4.0 / 6.0));
        assert_eq!(f1(&[&[0, 0, 5, 5, 5, 0], &[1, 2, 2, 2, 2, 2]]), Score::Value(0.75));
        assert_eq!(f1(&[]), Score::Undefined(Why::NotGiven));
        assert!(isolated_label_f1(&[&[0]], &labels, &found).is_err());
    }
}
