//! From many metrics to two numbers and one.

use super::Convention;
use super::labels::mean_defined;
use super::registry::{Group, IntegrationMetric, metric_by_id, metrics};
use cellstone_core::{Result, Score, Why};

/// Weight of biology in the total; batches have the rest.
const BIO: f64 = 0.6;
/// Controls nearer to each other than this leave no room between them.
const ROOM: f64 = 1e-9;

/// Totals of one method.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Mean of the metrics of biology.
    pub bio: Score,
    /// Mean of the metrics of batches.
    pub batch: Score,
    /// `0.6 bio + 0.4 batch`.
    pub total: Score,
    /// The metrics that were averaged.
    pub used: Vec<&'static str>,
    /// Metrics of the totals without a value here, or in some method of the comparison.
    pub left_out: Vec<&'static str>,
}

/// Totals of one method alone: [`totals_of`] with nothing to compare.
///
/// # Errors
/// As [`totals_of`].
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::{Convention, totals}};
/// let scores = [("silhouette_label", Score::Value(0.5)), ("bras", Score::Value(1.0)), ("ilisi_knn", Score::Value(0.5))];
/// let found = totals(&scores, Convention::ScibMetrics)?;
/// assert_eq!((found.bio, found.batch), (Score::Value(0.5), Score::Value(0.75)));
/// assert!((found.total.value().unwrap() - 0.6).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn totals(scores: &[(&str, Score)], convention: Convention) -> Result<Totals> {
    let mut all = totals_of(&[scores.to_vec()], convention)?;
    Ok(all.swap_remove(0))
}

/// Totals of methods that are compared: means over the metrics of biology and of batches, and `0.6 bio + 0.4 batch`.
///
/// Each method has pairs of a metric's id and its value. Which metrics count is the convention's: scib takes ASW batch
/// and isolated F1 and, where given, cell cycle, HVG overlap and trajectory; scib-metrics takes k-means, BRAS and no F1;
/// cellstone takes Leiden, both isolated scores and BRAS. scib and scib-metrics skip undefined values method by method;
/// here the metrics that every method has are averaged, so that no method gains by what it lacks. Scale values with
/// [`control_scaled`] first: a total of raw values lets the metric with the widest range decide.
///
/// # Undefined
/// A mean of nothing ([`Why::NotGiven`]), and with it the total.
///
/// # Errors
/// If an id is not known.
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; YosefLab/scib-metrics `src/scib_metrics/benchmark/_core.py`.
pub fn totals_of(methods: &[Vec<(&str, Score)>], convention: Convention) -> Result<Vec<Totals>> {
    for (id, _) in methods.iter().flatten() {
        metric_by_id(id)?;
    }
    let column = Convention::ALL.iter().position(|it| *it == convention).unwrap_or_default();
    let wanted: Vec<&IntegrationMetric> = metrics()
        .iter()
        .filter(|it| it.in_total[column] && methods.iter().flatten().any(|score| score.0 == it.id))
        .collect();
    let value = |method: &[(&str, Score)], id: &str| method.iter().find(|it| it.0 == id).and_then(|it| it.1.value());
    Ok(methods
        .iter()
        .map(|method| {
            let kept = |id: &str| match convention {
                // DIVERGES(totals-common-metrics): a method must not gain by a metric it lacks.
                Convention::Cellstone => methods.iter().all(|it| value(it, id).is_some()),
                Convention::Scib | Convention::ScibMetrics => value(method, id).is_some(),
            };
            let (used, left_out): (Vec<&IntegrationMetric>, Vec<&IntegrationMetric>) =
                wanted.iter().copied().partition(|it| kept(it.id));
            let mean = |group: Group| {
                let own = used.iter().filter(|it| it.group == group);
                let values: Vec<Score> = own.filter_map(|it| value(method, it.id)).map(Score::Value).collect();
                if values.is_empty() { Score::Undefined(Why::NotGiven) } else { mean_defined(&values) }
            };
            let (bio, batch) = (mean(Group::Bio), mean(Group::Batch));
            let ids = |it: &[&IntegrationMetric]| it.iter().map(|it| it.id).collect();
            Totals { bio, batch, total: total(bio, batch), used: ids(&used), left_out: ids(&left_out) }
        })
        .collect())
}

fn total(bio: Score, batch: Score) -> Score {
    match (bio, batch) {
        (Score::Value(bio), Score::Value(batch)) => Score::Value(BIO * bio + (1.0 - BIO) * batch),
        (why @ Score::Undefined(_), _) | (_, why) => why,
    }
}

/// A value between its controls: `(value − lowest) / (highest − lowest)`, not cut, so a method can be below 0 or above 1.
///
/// Controls are values of the same metric for outputs known to be bad and good: the unintegrated data, a random
/// embedding, one that is random inside labels, one that knows only batches, one that knows only labels. They are run,
/// not assumed. Min–max over the methods instead would make a score depend on its competitors.
///
/// # Undefined
/// [`Why::NoRoom`] if fewer than two controls have values or they are within 1e-9; the reason of an undefined value.
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::control_scaled};
/// let controls = [Score::Value(0.25), Score::Value(0.75)];
/// assert_eq!(control_scaled(Score::Value(0.5), &controls), Score::Value(0.5));
/// ```
pub fn control_scaled(value: Score, controls: &[Score]) -> Score {
    let Score::Value(value) = value else { return value };
    let known = || controls.iter().filter_map(|it| it.value());
    let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
    if high - low > ROOM { Score::Value((value - low) / (high - low)) } else { Score::Undefined(Why::NoRoom) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Score = Score::Undefined(Why::SingleBatch);

    #[test]
    fn methods_share_their_metrics_unless_a_package_says_otherwise() {
        let methods = [
            vec![
                ("silhouette_label", Score::Value(0.2)),
                ("clisi_knn", Score::Value(0.8)),
                ("bras", Score::Value(0.5)),
            ],
            vec![("silhouette_label", Score::Value(0.4)), ("clisi_knn", NONE), ("bras", Score::Value(1.0))],
        ];
        let ours = totals_of(&methods, Convention::Cellstone).expect("known ids");
        assert_eq!((ours[0].bio, ours[1].bio), (Score::Value(0.2), Score::Value(0.4)));
        assert_eq!(
            (ours[0].used.as_slice(), ours[0].left_out.as_slice()),
            (["silhouette_label", "bras"].as_slice(), ["clisi_knn"].as_slice())
        );
        let theirs = totals_of(&methods, Convention::ScibMetrics).expect("known ids");
        assert_eq!((theirs[0].bio, theirs[1].bio), (Score::Value(0.5), Score::Value(0.4)));
        // BRAS is in no total of scib.
        let scib = totals_of(&methods, Convention::Scib).expect("known ids");
        assert_eq!((scib[0].batch, scib[0].total), (Score::Undefined(Why::NotGiven), Score::Undefined(Why::NotGiven)));
        assert!(totals(&[("brass", NONE)], Convention::Scib).is_err());
    }

    #[test]
    fn controls_need_room() {
        assert_eq!(control_scaled(Score::Value(0.5), &[Score::Value(0.3)]), Score::Undefined(Why::NoRoom));
        assert_eq!(control_scaled(Score::Value(0.5), &[NONE, NONE]), Score::Undefined(Why::NoRoom));
        assert_eq!(control_scaled(NONE, &[Score::Value(0.0), Score::Value(1.0)]), NONE);
        assert_eq!(control_scaled(Score::Value(1.5), &[Score::Value(0.0), Score::Value(1.0)]), Score::Value(1.5));
    }
}
