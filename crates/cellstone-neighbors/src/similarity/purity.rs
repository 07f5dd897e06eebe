//! How many of a cell's nearest cells are of its own label.

use super::lists::NeighborLists;
use super::summaries::MacroMean;
use cellstone_core::{Error, Result};

/// Share of neighbours with the cell's own label.
#[derive(Debug, Clone, PartialEq)]
pub struct Purity {
    /// Neighbours that were looked at.
    pub k: usize,
    /// `#{neighbours of the same label} / k`; `None` for cells with fewer than `k` neighbours.
    pub per_cell: Vec<Option<f64>>,
    /// Mean over the cells of each label.
    pub per_label: Vec<Option<f64>>,
    /// Mean over labels.
    pub macro_mean: MacroMean,
    /// The same mean for labels put on cells at random: the share of its label among all that could be neighbours.
    pub expected: MacroMean,
    /// Cells with fewer than `k` neighbours.
    pub n_short: usize,
}

/// Purity of the first `k` neighbours.
///
/// `labels` are below `n_labels`, one per row of `lists`. Where the lists hold neighbours from other strata only, give
/// the strata: they say which cells could have been neighbours, for the expected value. Cells without neighbours, such
/// as constant rows, are taken to be nobody's neighbour.
///
/// # Errors
/// If `k` is 0 or more than the lists hold, sizes do not fit, or a label is out of range.
///
/// # Examples
/// ```
/// use cellstone_neighbors::{NeighborLists, exact_knn, purity_at_k};
/// let cells = ndarray::array![[0.0], [1.0], [1.5], [9.0], [9.5]];
/// let lists = NeighborLists::from_graph(&exact_knn(cells.view(), 2)?);
/// let purity = purity_at_k(&lists, &[0, 0, 0, 1, 1], 2, 2, None)?;
/// assert_eq!(purity.per_label, [Some(1.0), Some(0.5)]);
/// assert_eq!(purity.expected.mean.value(), Some((2.0 / 4.0 + 1.0 / 4.0) / 2.0));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn purity_at_k(
    lists: &NeighborLists,
    labels: &[u32],
    n_labels: usize,
    k: usize,
    strata: Option<&[u32]>,
) -> Result<Purity> {
    check(lists, labels, n_labels, k, strata)?;
    let same = |row: usize| {
        let near = lists.neighbors(row).0;
        let own = labels[row];
        (near.len() >= k).then(|| near[..k].iter().filter(|it| labels[**it as usize] == own).count() as f64 / k as f64)
    };
    let per_cell: Vec<Option<f64>> = (0..labels.len()).map(same).collect();
    let n_short = per_cell.iter().filter(|it| it.is_none()).count();
    let expected: Vec<Option<f64>> = chance(lists, labels, n_labels, strata)
        .into_iter()
        .zip(&per_cell)
        .map(|(chance, own)| own.and(chance))
        .collect();
    let per_label = label_means(&per_cell, labels, n_labels);
    Ok(Purity {
        k,
        macro_mean: MacroMean::of(&per_label),
        expected: MacroMean::of(&label_means(&expected, labels, n_labels)),
        per_label,
        per_cell,
        n_short,
    })
}

fn check(lists: &NeighborLists, labels: &[u32], n_labels: usize, k: usize, strata: Option<&[u32]>) -> Result<()> {
    if k == 0 || k > lists.k() {
        return Err(Error::invalid_input(format!("{k} neighbours of lists that hold {}", lists.k()))
            .with_hint("search once with the largest k that is needed"));
    }
    if labels.len() != lists.n_obs() {
        return Err(Error::invalid_input(format!("{} labels for {} rows", labels.len(), lists.n_obs())));
    }
    if let Some(row) = labels.iter().position(|it| *it as usize >= n_labels) {
        return Err(Error::invalid_input(format!("row {row} has label {}, expected below {n_labels}", labels[row])));
    }
    if strata.is_some_and(|it| it.len() != labels.len()) {
        return Err(Error::invalid_input(format!(
            "{} strata for {} rows",
            strata.map_or(0, <[u32]>::len),
            labels.len()
        )));
    }
    Ok(())
}

/// Share of the own label among the cells that could be neighbours.
fn chance(lists: &NeighborLists, labels: &[u32], n_labels: usize, strata: Option<&[u32]>) -> Vec<Option<f64>> {
    let takes_part = |row: usize| !lists.neighbors(row).0.is_empty();
    let n_strata = strata.map_or(1, |it| it.iter().max().map_or(0, |it| *it as usize + 1));
    let stratum = |row: usize| strata.map_or(0, |it| it[row] as usize);
    let mut by_label = vec![0_u64; n_labels];
    let mut by_stratum = vec![0_u64; n_strata];
    let mut by_both = std::collections::BTreeMap::<(u32, usize), u64>::new();
    let mut n = 0_u64;
    for row in (0..labels.len()).filter(|it| takes_part(*it)) {
        n += 1;
        by_label[labels[row] as usize] += 1;
        by_stratum[stratum(row)] += 1;
        *by_both.entry((labels[row], stratum(row))).or_default() += 1;
    }
    (0..labels.len())
        .map(|row| {
            if !takes_part(row) {
                return None;
            }
            let label = by_label[labels[row] as usize];
            let (same, all) = if strata.is_some() {
                let own = by_both.get(&(labels[row], stratum(row))).copied().unwrap_or(0);
                (label - own, n - by_stratum[stratum(row)])
            } else {
                (label - 1, n - 1)
            };
            (all > 0).then(|| same as f64 / all as f64)
        })
        .collect()
}

fn label_means(values: &[Option<f64>], labels: &[u32], n_labels: usize) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0_u64); n_labels];
    for (value, label) in values.iter().zip(labels) {
        if let Some(value) = value {
            let sum = &mut sums[*label as usize];
            *sum = (sum.0 + value, sum.1 + 1);
        }
    }
    sums.iter().map(|(sum, n)| (*n > 0).then(|| sum / *n as f64)).collect()
}
