//! Silhouettes of labels, and of batches inside labels.

use super::labels::{Groups, LabelScore, PerLabel, check_embedding, same_cells};
use super::pairs::class_sums;
use cellstone_core::sum::{map_ordered, mean};
use cellstone_core::{Result, Score, Why};
use ndarray::{ArrayView2, Axis};

/// Silhouette of every cell by Euclidean distance, `(b − a) / max(a, b)`: a is the mean distance to the other cells of
/// its label, b the smallest mean distance to the cells of another label.
///
/// `x` is `[n_obs, d]`. A cell alone in its label has 0, and so has one with a = b = 0; with a single label all are 0.
/// One pass over all pairs, `O(n² d)` time and `O(n · labels)` memory: [`asw_label`] and
/// [`isolated_label_asw`](super::isolated_label_asw) both read the result. Equal to scikit-learn's
/// `silhouette_samples`.
///
/// # Errors
/// If the labels do not fit or a coordinate is not finite.
///
/// # References
/// Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.
pub fn label_silhouettes(x: ArrayView2<'_, f64>, labels: &[u32]) -> Result<Vec<f64>> {
    check_embedding(x)?;
    same_cells("labels", labels.len(), x.nrows())?;
    Ok(silhouettes(x, &Groups::new(labels)))
}

/// Mean of [`label_silhouettes`], from `[−1, 1]` to `[0, 1]`: `(mean s + 1) / 2`.
///
/// # Undefined
/// [`Why::SingleLabel`] below two labels; [`Why::NoCells`] without cells.
pub fn asw_label(silhouettes: &[f64], labels: &[u32]) -> Score {
    if Groups::new(labels).len() < 2 && !labels.is_empty() {
        return Score::Undefined(Why::SingleLabel);
    }
    mean(silhouettes).map_or(Score::Undefined(Why::NoCells), |it| Score::Value(0.5 * (it + 1.0)))
}

/// Average silhouette width of the labels: [`asw_label`] of [`label_silhouettes`].
///
/// # Errors
/// As [`label_silhouettes`].
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::silhouette_label};
/// let x = ndarray::array![[0.0], [1.0], [10.0]];
/// // Silhouettes 0.9, 8/9 and, alone in its label, 0.
/// let value = silhouette_label(x.view(), &[0, 0, 1])?.value().unwrap();
/// assert!((value - (1.0 + (0.9 + 8.0 / 9.0) / 3.0) / 2.0).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn silhouette_label(x: ArrayView2<'_, f64>, labels: &[u32]) -> Result<Score> {
    Ok(asw_label(&label_silhouettes(x, labels)?, labels))
}

/// Average silhouette width of the batches, turned round: per label the mean of `1 − |sᵢ|`, silhouettes of batches
/// inside the label; then the mean over labels. 1 is mixed.
///
/// It rewards overlap with the nearest batch alone and misleads for nested designs (scib issues 198 and 392): printed
/// beside [`bras`](super::bras()), in no total of ours.
///
/// # Undefined
/// A label with one batch ([`Why::SingleBatch`]) or with as many batches as cells ([`Why::TooFewCells`]).
///
/// # Errors
/// As [`label_silhouettes`].
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/silhouette.py`.
pub fn silhouette_batch(x: ArrayView2<'_, f64>, labels: &[u32], batch: &[u32]) -> Result<PerLabel> {
    check_embedding(x)?;
    same_cells("labels", labels.len(), x.nrows())?;
    same_cells("batches", batch.len(), x.nrows())?;
    let labels = Groups::new(labels);
    Ok(PerLabel::mean_of(map_ordered(labels.len(), |at| {
        let cells = &labels.members[at];
        let batches = Groups::among(batch, cells);
        let score = batches_can_be_compared(&batches, cells.len()).unwrap_or_else(|| {
            let values = silhouettes(x.select(Axis(0), cells).view(), &batches);
            mixed(&values)
        });
        LabelScore { label: labels.codes[at], n: cells.len(), score }
    })))
}

/// Why the batches of a label have no silhouettes, if they have none.
pub(super) fn batches_can_be_compared(batches: &Groups, n: usize) -> Option<Score> {
    match batches.len() {
        0 | 1 if n > 0 => Some(Score::Undefined(Why::SingleBatch)),
        it if it == n => Some(Score::Undefined(Why::TooFewCells)),
        _ => None,
    }
}

/// Mean of `1 − |s|`.
pub(super) fn mixed(silhouettes: &[f64]) -> Score {
    let values: Vec<f64> = silhouettes.iter().map(|it| 1.0 - it.abs()).collect();
    mean(&values).map_or(Score::Undefined(Why::NoCells), Score::Value)
}

fn silhouettes(x: ArrayView2<'_, f64>, groups: &Groups) -> Vec<f64> {
    if groups.len() < 2 {
        return vec![0.0; x.nrows()];
    }
    let (sums, sizes) = (class_sums(x, groups), groups.sizes());
    let of_cell = |(sums, own): (ndarray::ArrayView1<'_, f64>, &u32)| {
        let own = *own as usize;
        let others = sums.iter().zip(&sizes).enumerate().filter(|it| it.0 != own);
        let b = others.map(|(_, (sum, size))| sum / size).fold(f64::INFINITY, f64::min);
        silhouette(sums[own], sizes[own], b)
    };
    sums.rows().into_iter().zip(&groups.of).map(of_cell).collect()
}

/// `(b − a) / max(a, b)` with a from the sum over the own group of `size` cells; 0 alone and where both are 0.
pub(super) fn silhouette(own_sum: f64, size: f64, b: f64) -> f64 {
    if size <= 1.0 {
        return 0.0;
    }
    let a = own_sum / (size - 1.0);
    if a.max(b) == 0.0 { 0.0 } else { (b - a) / a.max(b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn batch_silhouettes_of_the_protocol() {
        let x = array![[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [1.0, 1.0], [0.7, 0.9]];
        let batch = [0, 0, 1, 1, 2, 2];
        let want = [0.854_854_45, 0.836_522_19, 0.834_314_58, 0.812_131_87, 0.668_096_17, 0.516_140_88];
        for (got, want) in silhouettes(x.view(), &Groups::new(&batch)).iter().zip(want) {
            assert!((got - want).abs() < 5e-9, "{got}, expected {want}");
        }
        let value = silhouette_batch(x.view(), &[0; 6], &batch).expect("valid").value.value().expect("three batches");
        assert!((value - 0.246_323_311_8).abs() < 5e-11, "{value}");
    }

    #[test]
    fn labels_that_cannot_be_compared_are_left_out_with_a_reason() {
        let x = array![[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]];
        let result = silhouette_batch(x.view(), &[0, 0, 1, 1, 2, 2], &[0, 0, 0, 1, 1, 1]).expect("valid");
        let why = |at: usize| result.per_label[at].score;
        assert_eq!(why(0), Score::Undefined(Why::SingleBatch));
        assert_eq!(why(1), Score::Undefined(Why::TooFewCells));
        assert_eq!((why(2), result.value), (Score::Undefined(Why::SingleBatch), Score::Undefined(Why::NoLabel)));
    }
}
