//! Embeddings with a known answer, and values between the worst and the best of them.

use super::input::Cells;
use super::measure::Measured;
use cellstone_core::{Result, Score, Seed};
use cellstone_metrics::integration::{Group, control_scaled, controls, metrics};
use ndarray::Array2;

/// The control that is the data before integration.
pub(super) const UNINTEGRATED: &str = "control:unintegrated";

/// The controls that bound metrics of labels, and of batches.
const BIO: [&str; 2] = ["control:random", "control:labels"];
const BATCH: [&str; 4] = [UNINTEGRATED, "control:random", "control:shuffled_in_labels", "control:batches"];

/// The cells in random order, labels alone, batches alone, cells shuffled inside labels; and the cells before integration
/// where those are given. Shuffled are the cells before integration, or those of the first embedding.
pub(super) fn embeddings(
    cells: &Cells,
    first: &Array2<f64>,
    before: Option<&Array2<f64>>,
    seed: Seed,
) -> Result<Vec<(String, Array2<f64>)>> {
    let made = controls(before.unwrap_or(first).view(), &cells.label, &cells.batch, seed.derive("controls"))?;
    let mut all = vec![
        (BIO[0], made.random),
        (BIO[1], made.label_one_hot),
        (BATCH[3], made.batch_one_hot),
        (BATCH[2], made.random_within_label),
    ];
    all.extend(before.map(|it| (UNINTEGRATED, it.clone())));
    Ok(all.into_iter().map(|(name, x)| (name.to_owned(), x)).collect())
}

/// Every value of an embedding between those of the controls of its kind: `(x − lo) / (hi − lo)`.
pub(super) fn scaled(found: &Measured, controls: &[Measured]) -> Vec<(&'static str, Score)> {
    let of = |metric: &'static str, group: Group, score: Score| {
        let names: &[&str] = if group == Group::Bio { &BIO } else { &BATCH };
        let bounds: Vec<Score> =
            controls.iter().filter(|it| names.contains(&it.name.as_str())).filter_map(|it| it.score(metric)).collect();
        (metric, control_scaled(score, &bounds))
    };
    metrics().iter().filter_map(|it| Some(of(it.id, it.group, found.score(it.id)?))).collect()
}
