//! kBET: whether the batches around each cell of a label are a draw from those of the label.

use super::Convention;
use super::connectivity::{check_neighbors, check_square, strong_components};
use super::labels::{Groups, mean_defined, same_cells};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Csr, Error, KnnGraph, Result, Score, Why};
use statrs::distribution::{ChiSquared, ContinuousCDF};

/// Labels with fewer cells are not tested.
const MIN_CELLS: usize = 10;
/// Share of a label's cells that must lie in components large enough to be tested.
const MIN_SHARE: f64 = 0.75;

/// How kBET is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KbetParams {
    /// A neighbourhood is accepted if its p-value is not below this.
    pub alpha: f64,
    /// Which batch shares are expected: those of the label, or ([`Convention::ScibMetrics`]) those of the tested cells.
    pub convention: Convention,
}

impl Default for KbetParams {
    fn default() -> Self {
        Self { alpha: 0.05, convention: Convention::Cellstone }
    }
}

/// Neighbours to be found: those of a label's cells among themselves.
#[derive(Debug, Clone, Copy)]
pub struct KbetLabel<'a> {
    /// The label.
    pub label: u32,
    /// Neighbours besides the cell itself.
    pub k0: usize,
    /// The cells, ascending, as positions in the whole data set.
    pub cells: &'a [usize],
    /// The graph of these cells: rows and columns are positions in `cells`.
    pub graph: &'a Csr<f64>,
}

/// kBET of one label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KbetScore {
    /// The label.
    pub label: u32,
    /// Its cells.
    pub n: usize,
    /// Neighbours besides the cell itself; 0 where the label was not looked at.
    pub k0: usize,
    /// Components of its graph.
    pub n_components: usize,
    /// Cells that were tested.
    pub n_tested: usize,
    /// Share of accepted neighbourhoods.
    pub score: Score,
    /// Mean of the statistic over the tested cells.
    pub mean_statistic: Option<f64>,
}

/// The result of [`kbet_per_label`].
#[derive(Debug, Clone, PartialEq)]
pub struct Kbet {
    /// Mean over the labels that have a value.
    pub value: Score,
    /// Every label, ascending.
    pub per_label: Vec<KbetScore>,
}

/// The size of a neighbourhood: a quarter of the mean batch of the label, between 10 and 70.
///
/// # Examples
/// ```
/// use cellstone_metrics::integration::kbet_k0;
/// assert_eq!([kbet_k0(60, 2), kbet_k0(300, 4), kbet_k0(900, 2)], [10, 18, 70]);
/// ```
pub fn kbet_k0(n_cells: usize, n_batches: usize) -> usize {
    let quarter = (n_cells as f64 / n_batches as f64 / 4.0).floor() as usize;
    let (k0, limit) = (quarter.clamp(10, 70), i32::MAX as usize);
    if k0 * n_cells >= limit { limit / n_cells } else { k0 }
}

/// k-nearest-neighbour batch effect test inside every label: the mean over labels of the share of cells whose
/// neighbourhood has the batches of its label. About `1 − alpha` is mixed.
///
/// `graph` holds symmetric connectivities, usually of 50 neighbours. Labels with fewer than 10 cells or one batch are
/// not tested. A label is tested whole if its graph is connected, else on its components of at least `3 k0` cells if
/// these hold three quarters of it, and counts 0 otherwise. `neighbors` finds, inside the cells it is given, the `k0`
/// nearest of each and the cell itself (fewer where there are not as many), by diffusion distance; `None` from it counts 0. All cells are tested.
///
/// # Undefined
/// A label with fewer than 10 cells ([`Why::TooFewCells`]) or one batch ([`Why::SingleBatch`]).
///
/// # Errors
/// If shapes do not fit, or of `neighbors`.
///
/// # References
/// Büttner 2019, doi:10.1038/s41592-018-0254-1; theislab/scib `scib/metrics/kbet.py`; YosefLab/scib-metrics
/// `src/scib_metrics/metrics/_kbet.py`.
pub fn kbet_per_label<N: Into<Option<KnnGraph>>>(
    graph: &Csr<f64>,
    labels: &[u32],
    batch: &[u32],
    params: &KbetParams,
    neighbors: impl Fn(&KbetLabel<'_>) -> Result<N> + Sync + Send,
) -> Result<Kbet> {
    check_square(graph)?;
    same_cells("labels", labels.len(), graph.shape().0)?;
    same_cells("batches", batch.len(), graph.shape().0)?;
    let labels = Groups::new(labels);
    let of = |at: usize| {
        let label = Label { code: labels.codes[at], cells: &labels.members[at], batch, params };
        label.score(graph, &neighbors).map_err(|it| it.context(format!("kBET of label {}", labels.codes[at])))
    };
    let per_label = map_ordered(labels.len(), of).into_iter().collect::<Result<Vec<_>>>()?;
    let scores: Vec<Score> = per_label.iter().map(|it| it.score).collect();
    Ok(Kbet { value: mean_defined(&scores), per_label })
}

struct Label<'a> {
    code: u32,
    cells: &'a [usize],
    batch: &'a [u32],
    params: &'a KbetParams,
}

impl Label<'_> {
    fn score<N: Into<Option<KnnGraph>>>(
        &self,
        graph: &Csr<f64>,
        neighbors: &(impl Fn(&KbetLabel<'_>) -> Result<N> + Sync),
    ) -> Result<KbetScore> {
        let (n, batches) = (self.cells.len(), Groups::among(self.batch, self.cells));
        let mut result = KbetScore {
            label: self.code,
            n,
            k0: 0,
            n_components: 0,
            n_tested: 0,
            score: Score::Undefined(Why::TooFewCells),
            mean_statistic: None,
        };
        if batches.len() == 1 {
            result.score = Score::Undefined(Why::SingleBatch);
        }
        if n < MIN_CELLS || batches.len() == 1 {
            return Ok(result);
        }
        result.k0 = kbet_k0(n, batches.len());
        let own = inside(graph, self.cells);
        let components = strong_components(&own)?;
        let parts = Groups::new(&components);
        result.n_components = parts.len();
        let Some(kept) = large_enough(&parts, n, result.k0) else {
            result.score = Score::Value(0.0);
            return Ok(result);
        };
        let cells: Vec<usize> = kept.iter().map(|it| self.cells[*it]).collect();
        let tested = if kept.len() == n { own } else { inside(&own, &kept) };
        let found = neighbors(&KbetLabel { label: self.code, k0: result.k0, cells: &cells, graph: &tested })?;
        let Some(found) = found.into() else {
            result.score = Score::Value(0.0);
            return Ok(result);
        };
        let test = self.test(&found, &cells, &batches)?;
        result.n_tested = cells.len();
        result.score = test.acceptance;
        result.mean_statistic = cellstone_core::sum::mean(&test.statistics);
        Ok(result)
    }

    fn test(&self, neighbors: &KnnGraph, cells: &[usize], batches: &Groups) -> Result<KbetTest> {
        let own: Vec<u32> = cells.iter().map(|it| self.batch[*it]).collect();
        let shares: Vec<(u32, f64)> =
            batches.iter().map(|(code, members)| (code, members.len() as f64 / self.cells.len() as f64)).collect();
        // DIVERGES(kbet-shares): with several components scib-metrics expects the shares of the tested cells.
        let given = (self.params.convention != Convention::ScibMetrics).then_some(shares.as_slice());
        kbet_acceptance(neighbors, &own, given, self.params.alpha)
    }
}

/// The positions of the components of at least `3 k0` cells, or all if there is one; `None` if they hold too little.
fn large_enough(parts: &Groups, n: usize, k0: usize) -> Option<Vec<usize>> {
    if parts.len() == 1 {
        return Some((0..n).collect());
    }
    let mut kept: Vec<usize> = parts.members.iter().filter(|it| it.len() >= 3 * k0).flatten().copied().collect();
    kept.sort_unstable();
    (kept.len() as f64 / n as f64 >= MIN_SHARE).then_some(kept)
}

/// The graph among some cells.
fn inside(graph: &Csr<f64>, cells: &[usize]) -> Csr<f64> {
    graph.select_rows(cells).select_cols(cells)
}

/// The tests of all cells of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct KbetTest {
    /// Share of accepted neighbourhoods.
    pub acceptance: Score,
    /// `χ²` of every cell.
    pub statistics: Vec<f64>,
    /// Its upper tail.
    pub p_values: Vec<f64>,
}

/// Tests the batches of every neighbourhood against expected shares.
///
/// `χ² = Σ_b (o_b − k f_b)² / (k f_b)` over the k cells of a neighbourhood, the cell itself counted once whether the
/// graph holds it or not, with one degree of freedom less than there are batches; accepted if `p ≥ alpha`. `shares` are
/// pairs of batch and share; by default those of the cells.
///
/// # Undefined
/// [`Why::SingleBatch`] if one batch is expected; [`Why::NoCells`] without cells.
///
/// # Errors
/// If batches do not fit the graph, or shares are not positive with a sum of 1 or leave out a batch that occurs.
///
/// # Examples
/// ```
/// use cellstone_core::KnnGraph;
/// use cellstone_metrics::{Score, integration::kbet_acceptance};
/// let knn = KnnGraph::new(3, [1, 2, 3].into_iter().cycle().take(12).collect(), vec![1.0; 12])?;
/// // Cell 0 and three neighbours of batch 1, where a half of each is expected: χ² = 1.
/// let test = kbet_acceptance(&knn, &[0, 1, 1, 1], Some(&[(0, 0.5), (1, 0.5)]), 0.05)?;
/// assert_eq!(test.statistics[0], 1.0);
/// assert!((test.p_values[0] - 0.317_310_507_9).abs() < 1e-9);
/// assert_eq!(test.acceptance, Score::Value(0.25));
/// # Ok::<(), cellstone_core::Error>(())
/// ```
///
/// # References
/// As [`kbet_per_label`].
pub fn kbet_acceptance(
    neighbors: &KnnGraph,
    batch: &[u32],
    shares: Option<&[(u32, f64)]>,
    alpha: f64,
) -> Result<KbetTest> {
    same_cells("batches", batch.len(), neighbors.n_obs())?;
    check_neighbors(neighbors)?;
    let groups = Groups::new(batch);
    let expected = match shares {
        Some(shares) => given_shares(shares, &groups)?,
        None => groups.iter().map(|(code, cells)| (code, cells.len() as f64 / batch.len() as f64)).collect(),
    };
    let undefined = |why| KbetTest { acceptance: Score::Undefined(why), statistics: Vec::new(), p_values: Vec::new() };
    if batch.is_empty() {
        return Ok(undefined(Why::NoCells));
    }
    let Ok(tail) = ChiSquared::new(expected.len() as f64 - 1.0) else { return Ok(undefined(Why::SingleBatch)) };
    let slots: Vec<usize> = batch.iter().map(|it| expected.partition_point(|share| share.0 < *it)).collect();
    let statistics = map_ordered(batch.len(), |cell| statistic(neighbors, cell, &slots, &expected));
    let p_values = map_ordered(batch.len(), |cell| tail.sf(statistics[cell]));
    let accepted = p_values.iter().filter(|it| **it >= alpha).count();
    Ok(KbetTest { acceptance: Score::Value(accepted as f64 / batch.len() as f64), statistics, p_values })
}

fn given_shares(shares: &[(u32, f64)], batches: &Groups) -> Result<Vec<(u32, f64)>> {
    let mut sorted = shares.to_vec();
    sorted.sort_by_key(|it| it.0);
    let total: f64 = sorted.iter().map(|it| it.1).sum();
    if sorted.iter().any(|it| !(it.1 > 0.0 && it.1 <= 1.0)) || (total - 1.0).abs() > 1e-9 {
        return Err(Error::invalid_input(format!("expected batch shares with a sum of {total}, not of 1")));
    }
    if let Some(code) = batches.codes.iter().find(|it| sorted.binary_search_by_key(*it, |share| share.0).is_err()) {
        return Err(Error::invalid_input(format!("batch {code} occurs but has no expected share")));
    }
    Ok(sorted)
}

fn statistic(neighbors: &KnnGraph, cell: usize, slots: &[usize], expected: &[(u32, f64)]) -> f64 {
    let mut counts = vec![0.0; expected.len()];
    let others = neighbors.neighbors(cell).0;
    others.iter().for_each(|it| counts[slots[*it as usize]] += 1.0);
    if !neighbors.includes_self() {
        counts[slots[cell]] += 1.0;
    }
    chi_square(&counts, expected.iter().map(|it| it.1))
}

fn chi_square(counts: &[f64], shares: impl Iterator<Item = f64>) -> f64 {
    let k: f64 = counts.iter().sum();
    counts.iter().zip(shares).map(|(count, share)| (count - k * share) * (count - k * share) / (k * share)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use std::sync::Mutex;

    #[test]
    fn the_vector_of_the_protocol() {
        let statistic = chi_square(&[7.0, 3.0, 1.0], [0.5, 0.3, 0.2].into_iter());
        assert!((statistic - 1.090_909_090_9).abs() < 1e-10, "{statistic}");
        let p = ChiSquared::new(2.0).expect("positive").sf(statistic);
        assert!((p - 0.579_578_278_8).abs() < 1e-10, "{p}");
    }

    #[test]
    fn sizes_of_neighbourhoods() {
        assert_eq!([kbet_k0(10, 2), kbet_k0(100, 2), kbet_k0(1000, 2)], [10, 12, 70]);
        assert_eq!(kbet_k0(40_000_000, 2), 53);
    }

    /// Cliques of the given sizes, one after the other.
    fn cliques(sizes: &[usize]) -> Csr<f64> {
        let of: Vec<usize> = sizes.iter().enumerate().flat_map(|(at, size)| vec![at; *size]).collect();
        Csr::from_dense(&Array2::from_shape_fn((of.len(), of.len()), |(i, j)| {
            f64::from(u8::from(i != j && of[i] == of[j]))
        }))
    }

    /// The next cells in the list, around its end.
    fn next_cells(label: &KbetLabel<'_>) -> Result<KnnGraph> {
        let (n, k) = (label.cells.len(), (label.k0 + 1).min(label.cells.len()));
        let indices = (0..n).flat_map(|it| (0..k).map(move |step| ((it + step) % n) as u32)).collect();
        let distances = (0..n).flat_map(|_| (0..k).map(|it| it as f64)).collect();
        KnnGraph::with_self(k, indices, distances)
    }

    #[test]
    fn labels_are_tested_by_their_components() {
        // Label 0: connected. 1: too few cells. 2: one batch. 3: 60 of 70 cells in a large component. 4: shattered.
        let graph = cliques(&[40, 9, 12, 60, 10, 20, 20]);
        let sizes = [(0, 40), (1, 9), (2, 12), (3, 70), (4, 40)];
        let labels: Vec<u32> = sizes.iter().flat_map(|(label, size)| vec![*label; *size]).collect();
        let batch: Vec<u32> =
            (0..labels.len() as u32).map(|it| if labels[it as usize] == 2 { 0 } else { it % 2 }).collect();
        let asked = Mutex::new(Vec::new());
        let result = kbet_per_label(&graph, &labels, &batch, &KbetParams::default(), |it| {
            asked.lock().expect("no panic").push((it.label, it.cells.len(), it.graph.shape().0));
            next_cells(it)
        })
        .expect("valid");
        let mut asked = asked.into_inner().expect("no panic");
        asked.sort_unstable();
        assert_eq!(asked, [(0, 40, 40), (3, 60, 60)]);
        let scores: Vec<Score> = result.per_label.iter().map(|it| it.score).collect();
        // Batches alternate, so every neighbourhood is as even as it can be.
        assert_eq!(scores[0], Score::Value(1.0));
        assert_eq!(scores[1], Score::Undefined(Why::TooFewCells));
        assert_eq!(scores[2], Score::Undefined(Why::SingleBatch));
        assert_eq!(scores[3], Score::Value(1.0));
        assert_eq!(scores[4], Score::Value(0.0));
        assert_eq!(result.value, Score::Value(2.0 / 3.0));
        let third = result.per_label[3];
        assert_eq!((third.n, third.n_tested, third.n_components, third.k0), (70, 60, 2, 10));
    }

    #[test]
    fn separated_batches_are_rejected() {
        let graph = cliques(&[80]);
        let batch: Vec<u32> = (0..80).map(|it| it / 40).collect();
        let result = kbet_per_label(&graph, &[0; 80], &batch, &KbetParams::default(), next_cells).expect("valid");
        let score = result.value.value().expect("defined");
        assert!(score < 0.3, "{score}");
        let none = kbet_per_label(&graph, &[0; 80], &batch, &KbetParams::default(), |_| Ok(None)).expect("valid");
        assert_eq!(none.value, Score::Value(0.0));
        let fails = kbet_per_label(&graph, &[3; 80], &batch, &KbetParams::default(), |_| {
            Err::<KnnGraph, _>(Error::config("no"))
        });
        assert_eq!(fails.expect_err("fails").to_string(), "kBET of label 3: no");
    }

    #[test]
    fn shares_must_fit() {
        let knn = KnnGraph::new(1, vec![1, 0], vec![1.0, 1.0]).expect("valid");
        let test = |shares: &[(u32, f64)]| kbet_acceptance(&knn, &[0, 1], Some(shares), 0.05);
        assert!(test(&[(0, 0.5), (1, 0.6)]).is_err());
        assert!(test(&[(0, 1.0)]).expect_err("batch 1").to_string().contains("batch 1"));
        // A batch of which none is left is still expected.
        assert_eq!(test(&[(0, 0.25), (1, 0.25), (2, 0.5)]).expect("valid").statistics, [2.0, 2.0]);
        let one = kbet_acceptance(&knn, &[4, 4], None, 0.05).expect("valid");
        assert_eq!(one.acceptance, Score::Undefined(Why::SingleBatch));
    }
}
