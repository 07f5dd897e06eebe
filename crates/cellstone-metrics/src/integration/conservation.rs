//! Conservation of the cell cycle and of a trajectory.

use super::connectivity::largest_component;
use super::labels::{Groups, LabelScore, PerLabel, mean_defined, same_cells};
use crate::spearman;
use cellstone_core::{Csr, Error, Result, Score, Why};
use ndarray::{Array1, ArrayView2};

/// Diffusion components that vote for the root.
const N_VOTES: usize = 3;

/// Conservation of the cell cycle: the mean over batches of `1 − |after − before| / before`, at least 0.
///
/// `before` and `after` hold for every batch its code and the [`pcr`](super::pcr()) of its first 50 components on its S
/// and G2/M scores ([`Covariate::Numeric`](super::Covariate), two columns), the scores from unintegrated data.
///
/// # Undefined
/// [`Why::ZeroDenominator`] for a batch whose scores explain nothing before; the reason of a value that is undefined.
///
/// # Errors
/// If the batches before and after are not the same.
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::cell_cycle_conservation};
/// let before = [(0, Score::Value(0.5)), (1, Score::Value(0.25))];
/// let after = [(0, Score::Value(0.25)), (1, Score::Value(0.75))];
/// // Half of it lost; three times as much counts 0.
/// assert_eq!(cell_cycle_conservation(&before, &after)?.value, Score::Value(0.25));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/cell_cycle.py`.
pub fn cell_cycle_conservation(before: &[(u32, Score)], after: &[(u32, Score)]) -> Result<PerLabel> {
    let codes = |it: &[(u32, Score)]| it.iter().map(|it| it.0).collect::<Vec<_>>();
    if codes(before) != codes(after) {
        return Err(Error::invalid_input(format!(
            "batches {:?} before integration and {:?} after it",
            codes(before),
            codes(after)
        )));
    }
    let of_batch = |((batch, before), (_, after)): (&(u32, Score), &(u32, Score))| {
        let score = match (before, after) {
            (Score::Value(before), Score::Value(after)) if *before > 0.0 => {
                Score::Value((1.0 - (after - before).abs() / before).max(0.0))
            }
            (Score::Value(_), Score::Value(_)) => Score::Undefined(Why::ZeroDenominator),
            (why @ Score::Undefined(_), _) | (_, why) => *why,
        };
        LabelScore { label: *batch, n: 1, score }
    };
    Ok(PerLabel::mean_of(before.iter().zip(after).map(of_batch).collect()))
}

/// The cells on which a trajectory is looked for again: the largest component among the cells with a reference
/// pseudotime. See [`largest_component`].
///
/// # Errors
/// As [`largest_component`].
pub fn trajectory_cells(graph: &Csr<f64>, pseudotime: &[f64]) -> Result<Vec<usize>> {
    largest_component(graph, Some(&pseudotime.iter().map(|it| it.is_finite()).collect::<Vec<_>>()))
}

/// The cell from which pseudotime runs after integration.
///
/// `cells` are those of [`trajectory_cells`]; `labels` and `pseudotime` (before integration, NaN where there is none) are
/// those of all cells; `components` is `[cells, ≥ 3]`, the diffusion components of `cells`, the stationary one first.
/// The start is the label with the smallest mean pseudotime. Each of the first three components votes for the start
/// cell at its end, the lowest if the mean of the start cells is below that of all and the highest otherwise. Most votes
/// win, then the first cell. `None` if no start cell is among `cells` (`NoRootCell`).
///
/// # Errors
/// If shapes do not fit, or no cell has a pseudotime (`MissingPseudotime`).
///
/// # References
/// theislab/scib `scib/metrics/trajectory.py`.
pub fn trajectory_root(
    cells: &[usize],
    labels: &[u32],
    pseudotime: &[f64],
    components: ArrayView2<'_, f64>,
) -> Result<Option<usize>> {
    same_cells("pseudotimes", pseudotime.len(), labels.len())?;
    same_cells("rows of diffusion components", components.nrows(), cells.len())?;
    if components.ncols() < N_VOTES {
        return Err(Error::invalid_input(format!(
            "{} diffusion components, expected at least {N_VOTES}",
            components.ncols()
        )));
    }
    if let Some(cell) = cells.iter().find(|it| **it >= labels.len()) {
        return Err(Error::invalid_input(format!("cell {cell} of {}", labels.len())));
    }
    let start = start_label(labels, pseudotime)?;
    let starts: Vec<usize> = (0..cells.len()).filter(|it| labels[cells[*it]] == start).collect();
    if starts.is_empty() {
        return Ok(None);
    }
    let mut votes = vec![0_u32; starts.len()];
    for component in components.columns().into_iter().take(N_VOTES) {
        let own = starts.iter().map(|it| component[*it]).sum::<f64>() / starts.len() as f64;
        let low = own < component.mean().unwrap_or_default();
        let beyond = |a: f64, b: f64| if low { a < b } else { a > b };
        let end = (1..starts.len())
            .fold(0, |it, at| if beyond(component[starts[at]], component[starts[it]]) { at } else { it });
        votes[end] += 1;
    }
    let winner = (1..votes.len()).fold(0, |it, at| if votes[at] > votes[it] { at } else { it });
    Ok(Some(cells[starts[winner]]))
}

fn start_label(labels: &[u32], pseudotime: &[f64]) -> Result<u32> {
    let mean = |cells: &[usize]| {
        let times: Vec<f64> = cells.iter().map(|it| pseudotime[*it]).filter(|it| it.is_finite()).collect();
        cellstone_core::sum::mean(&times)
    };
    let groups = Groups::new(labels);
    let means = groups.iter().filter_map(|(label, cells)| Some((label, mean(cells)?)));
    let first = means.reduce(|best, it| if it.1 < best.1 { it } else { best });
    first.map(|it| it.0).ok_or_else(|| {
        Error::invalid_input("no cell has a reference pseudotime")
            .with_hint("compute it on the unintegrated data first, for the cells of the trajectory")
    })
}

/// Conservation of a trajectory.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// `(ρ + 1) / 2`, unreachable cells at 0, as scib counts them; 0 without a root.
    pub value: Score,
    /// The same without the cells that the root does not reach.
    pub reachable_only: Score,
    /// Cells with a reference that the root does not reach.
    pub n_unreachable: usize,
    /// Cells without a reference: left out.
    pub n_without: usize,
}

/// Rank correlation of pseudotime before and after integration, `(Spearman + 1) / 2`.
///
/// `before` is the reference, NaN where a cell has none. `after` runs from [`trajectory_root`] by diffusion pseudotime;
/// a value that is not finite or above 1 means that the root does not reach the cell, and counts 0. `None`: there was no
/// root, and the value is 0.
///
/// With `batch`, correlations are computed inside each batch and their mean is taken.
///
/// # Undefined
/// [`Why::NotGiven`] if no cell has a reference (`MissingPseudotime`); [`Why::ConstantVector`] if a side is constant;
/// [`Why::TooFewCells`] below 3 cells.
///
/// # Errors
/// If lists are not as long.
///
/// # Examples
/// ```
/// use cellstone_metrics::{Score, integration::trajectory_conservation};
/// let (before, after) = ([0.0, 0.2, 0.5, f64::NAN, 0.9], [0.1, 0.3, 0.4, 0.0, f64::INFINITY]);
/// let result = trajectory_conservation(&before, Some(&after), None)?;
/// assert_eq!((result.reachable_only, result.n_unreachable, result.n_without), (Score::Value(1.0), 1, 1));
/// // The unreachable end counts as the start: ranks 1, 2, 3, 4 against 2, 3, 4, 1.
/// assert!((result.value.value().unwrap() - 0.4).abs() < 1e-12);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// Luecken 2022, doi:10.1038/s41592-021-01336-8; theislab/scib `scib/metrics/trajectory.py`.
pub fn trajectory_conservation(before: &[f64], after: Option<&[f64]>, batch: Option<&[u32]>) -> Result<Trajectory> {
    if let Some(after) = after {
        same_cells("pseudotimes after integration", after.len(), before.len())?;
    }
    if let Some(batch) = batch {
        same_cells("batches", batch.len(), before.len())?;
    }
    let known: Vec<usize> = (0..before.len()).filter(|it| before[*it].is_finite()).collect();
    let n_without = before.len() - known.len();
    let Some(after) = after else {
        let reachable_only = Score::Undefined(Why::NotGiven);
        return Ok(Trajectory { value: Score::Value(0.0), reachable_only, n_unreachable: known.len(), n_without });
    };
    let reached: Vec<usize> = known.iter().copied().filter(|it| after[*it] <= 1.0).collect();
    let time = |cell: usize| if after[cell] <= 1.0 { after[cell] } else { 0.0 };
    let of = |cells: &[usize]| match batch {
        None => correlation(cells, before, time),
        Some(batch) => {
            let inside = Groups::among(batch, cells);
            let of_batch =
                |it: &Vec<usize>| correlation(&it.iter().map(|at| cells[*at]).collect::<Vec<_>>(), before, time);
            mean_defined(&inside.members.iter().map(of_batch).collect::<Vec<_>>())
        }
    };
    Ok(Trajectory {
        value: if known.is_empty() { Score::Undefined(Why::NotGiven) } else { of(&known) },
        reachable_only: if reached.is_empty() { Score::Undefined(Why::NotGiven) } else { of(&reached) },
        n_unreachable: known.len() - reached.len(),
        n_without,
    })
}

fn correlation(cells: &[usize], before: &[f64], after: impl Fn(usize) -> f64) -> Score {
    let of = |it: &dyn Fn(usize) -> f64| Array1::from_iter(cells.iter().map(|cell| it(*cell)));
    match spearman(of(&|it| before[it]).view(), of(&after).view()) {
        Score::Value(it) => Score::Value(0.5 * (it + 1.0)),
        Score::Undefined(Why::TooFewGenes) => Score::Undefined(Why::TooFewCells),
        undefined @ Score::Undefined(_) => undefined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_cell_cycle_needs_something_to_conserve() {
        let gone = [(3, Score::Value(0.0)), (4, Score::Value(0.4))];
        let result = cell_cycle_conservation(&gone, &gone).expect("same batches");
        assert_eq!(result.per_label[0].score, Score::Undefined(Why::ZeroDenominator));
        assert_eq!(result.value, Score::Value(1.0));
        let error = cell_cycle_conservation(&gone, &gone[..1]).expect_err("one batch less");
        assert_eq!(error.to_string(), "batches [3, 4] before integration and [3] after it");
    }

    #[test]
    fn the_root_is_an_end_of_the_start_label() {
        // Label 7 has the smallest mean; cell 4 has no pseudotime, cell 5 is not in the component.
        let (labels, time) = ([7, 7, 2, 2, 7, 7], [0.1, 0.0, 0.8, 0.9, f64::NAN, 0.2]);
        let cells = [0, 1, 2, 3];
        let components = array![[0.5, 0.1, 0.3], [0.5, -0.9, 0.2], [0.5, 0.7, -0.4], [0.5, 0.6, -0.6]];
        // The constant one votes for the first cell; the second is low at cell 1, the third high at cell 0.
        assert_eq!(trajectory_root(&cells, &labels, &time, components.view()).expect("valid"), Some(0));
        let other = array![[0.4, 0.1, 0.1], [0.5, -0.9, 0.2], [0.5, 0.7, -0.4], [0.5, 0.6, -0.6]];
        // Below the mean at cell 0; then cell 1 twice.
        assert_eq!(trajectory_root(&cells, &labels, &time, other.view()).expect("valid"), Some(1));
        let two = other.select(ndarray::Axis(0), &[2, 3]);
        assert_eq!(trajectory_root(&[2, 3], &labels, &time, two.view()).expect("valid"), None);
        assert!(trajectory_root(&cells, &labels, &[f64::NAN; 6], other.view()).is_err());
        assert!(trajectory_root(&cells, &labels, &time, two.view()).is_err());
    }

    #[test]
    fn no_root_counts_0_and_batches_are_averaged() {
        let before = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5];
        let none = trajectory_conservation(&before, None, None).expect("valid");
        assert_eq!((none.value, none.n_unreachable), (Score::Value(0.0), 6));
        let after = [0.0, 0.5, 0.7, 0.5, 0.3, 0.2];
        let result = trajectory_conservation(&before, Some(&after), Some(&[0, 0, 0, 1, 1, 1])).expect("valid");
        assert!((result.value.value().expect("defined") - 0.5).abs() < 1e-12);
        let constant = trajectory_conservation(&before, Some(&[2.0; 6]), None).expect("valid");
        assert_eq!(constant.value, Score::Undefined(Why::ConstantVector));
        let missing = trajectory_conservation(&[f64::NAN; 2], Some(&[0.0; 2]), None).expect("valid");
        assert_eq!((missing.value, missing.n_without), (Score::Undefined(Why::NotGiven), 2));
    }

    #[test]
    fn trajectory_cells_have_a_reference() {
        let path = array![[0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]];
        let graph = Csr::from_dense(&path);
        assert_eq!(trajectory_cells(&graph, &[0.1, f64::NAN, 0.2, 0.3]).expect("symmetric"), [2, 3]);
    }
}
