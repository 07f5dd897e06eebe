//! Labels and batches of cells, and results with one value per label.

use cellstone_core::{Error, Result, Score, Why};
use ndarray::ArrayView2;

/// The value of one label (or of one batch, where a metric goes by batch).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelScore {
    /// The code of the label.
    pub label: u32,
    /// Its cells, or for lists of genes their number.
    pub n: usize,
    /// Its value.
    pub score: Score,
}

/// A metric that is the mean over labels, and what it is the mean of.
#[derive(Debug, Clone, PartialEq)]
pub struct PerLabel {
    /// Mean of the labels that have a value.
    pub value: Score,
    /// Every label that occurs, ascending.
    pub per_label: Vec<LabelScore>,
}

impl PerLabel {
    /// The mean of the defined values; where none is defined the reason is that of all labels, if they share one.
    pub(super) fn mean_of(per_label: Vec<LabelScore>) -> Self {
        let scores: Vec<Score> = per_label.iter().map(|it| it.score).collect();
        Self { value: mean_defined(&scores), per_label }
    }

    /// Labels that have a value.
    pub fn n_defined(&self) -> usize {
        self.per_label.iter().filter(|it| it.score.value().is_some()).count()
    }
}

/// The mean of the values that exist, or why none does.
pub(super) fn mean_defined(scores: &[Score]) -> Score {
    let values: Vec<f64> = scores.iter().filter_map(|it| it.value()).collect();
    if let Some(mean) = cellstone_core::sum::mean(&values) {
        return Score::Value(mean);
    }
    match scores.first() {
        Some(first) if scores.iter().all(|it| it == first) => *first,
        _ => Score::Undefined(Why::NoLabel),
    }
}

/// Cells by code: what a column of labels or batches says, whatever its codes are.
#[derive(Debug, Clone)]
pub(super) struct Groups {
    /// The codes that occur, ascending.
    pub(super) codes: Vec<u32>,
    /// Position in `codes` of every cell.
    pub(super) of: Vec<u32>,
    /// The cells of every code, ascending.
    pub(super) members: Vec<Vec<usize>>,
}

impl Groups {
    pub(super) fn new(cells: &[u32]) -> Self {
        let mut codes = cells.to_vec();
        codes.sort_unstable();
        codes.dedup();
        let mut members = vec![Vec::new(); codes.len()];
        let of: Vec<u32> = cells
            .iter()
            .enumerate()
            .map(|(cell, code)| {
                let at = codes.partition_point(|it| it < code);
                members[at].push(cell);
                at as u32
            })
            .collect();
        Self { codes, of, members }
    }

    /// The groups of some of the cells.
    pub(super) fn among(codes: &[u32], cells: &[usize]) -> Self {
        Self::new(&cells.iter().map(|it| codes[*it]).collect::<Vec<_>>())
    }

    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    pub(super) fn sizes(&self) -> Vec<f64> {
        self.members.iter().map(|it| it.len() as f64).collect()
    }

    /// Every code and its cells.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &[usize])> {
        self.codes.iter().copied().zip(self.members.iter().map(Vec::as_slice))
    }
}

/// Fails unless there are as many `what` as cells.
pub(super) fn same_cells(what: &str, got: usize, n: usize) -> Result<()> {
    if got == n {
        return Ok(());
    }
    Err(Error::invalid_input(format!("{got} {what} for {n} cells"))
        .with_hint("drop the cells without a label or batch from everything, and keep one order of cells"))
}

/// Fails if a coordinate is missing or infinite, or if there are none.
pub(super) fn check_embedding(x: ArrayView2<'_, f64>) -> Result<()> {
    if x.ncols() == 0 {
        return Err(Error::invalid_input(format!("an embedding of {} cells without coordinates", x.nrows())));
    }
    if let Some(row) = x.rows().into_iter().position(|it| !it.iter().all(|v| v.is_finite())) {
        return Err(Error::invalid_input(format!("cell {row} has a non-finite coordinate"))
            .with_hint("drop cells without a position, or look for an overflow in the step before"));
    }
    Ok(())
}

/// Whether all cells are at one place: distances then say nothing (`DegenerateEmbedding`).
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::is_degenerate;
/// assert!(is_degenerate(ndarray::array![[1.0, 2.0], [1.0, 2.0]].view()));
/// ```
pub fn is_degenerate(x: ArrayView2<'_, f64>) -> bool {
    let mut rows = x.rows().into_iter();
    rows.next().is_none_or(|first| rows.all(|it| it == first))
}

/// The median, the mean of the two middle values where there are two. Reorders.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    let (half, odd) = (values.len() / 2, values.len() % 2 == 1);
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = if odd { *upper } else { below.iter().copied().fold(f64::NEG_INFINITY, f64::max) };
    Some(f64::midpoint(lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_know_codes_with_gaps() {
        let groups = Groups::new(&[7, 2, 7, 9]);
        assert_eq!((groups.codes.as_slice(), groups.of.as_slice()), ([2, 7, 9].as_slice(), [1, 0, 1, 2].as_slice()));
        assert_eq!(groups.members, [vec![1], vec![0, 2], vec![3]]);
        assert_eq!(Groups::among(&[7, 2, 7, 9], &[3, 1]).of, [1, 0]);
    }

    #[test]
    fn a_mean_without_values_says_why() {
        let one = Score::Undefined(Why::SingleBatch);
        assert_eq!(mean_defined(&[one, one]), one);
        assert_eq!(mean_defined(&[one, Score::Undefined(Why::TooFewCells)]), Score::Undefined(Why::NoLabel));
        assert_eq!(mean_defined(&[one, Score::Value(0.5)]), Score::Value(0.5));
        assert_eq!(mean_defined(&[]), Score::Undefined(Why::NoLabel));
    }

    #[test]
    fn medians_of_odd_and_even() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&mut []), None);
    }
}
