//! LISI: how many batches or labels there effectively are around each cell.

use super::Convention;
use super::connectivity::check_neighbors;
use super::labels::{Groups, median, same_cells};
use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, KnnGraph, Result, Score, Why};

/// Largest difference between the entropy of the weights and the logarithm of the perplexity.
const TOLERANCE: f64 = 1e-5;
/// Steps of the search for the width of the weights.
const MAX_TRIES: u32 = 50;

/// How LISI is computed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LisiParams {
    /// The effective number of neighbours; by default a third of those searched for, the cell itself counted: 30 of 90.
    pub perplexity: Option<f64>,
    /// What a neighbourhood without a value counts.
    pub convention: Convention,
}

/// Neighbours of a cell, itself excluded, with their distances.
pub type Neighborhood = (Vec<u32>, Vec<f64>);

/// Local inverse Simpson's index of every cell, for several sets of labels at once.
///
/// Neighbours j of a cell have weights `Pⱼ ∝ exp(−β dⱼ)` (distances, not squared), β such that their entropy is the
/// logarithm of the perplexity: from 1 doubled or halved, then bisected, to 1e-5 or 50 steps.
/// `LISI = 1 / Σ_c (Σ_{j in c} Pⱼ)²`, between 1 and the number of classes. `knn` should have 90 neighbours, the cell
/// itself counted; its own weight is 0. The result has one list per set of labels, one value per cell.
///
/// # Undefined
/// [`Why::ZeroWeights`] if the entropy is 0. Under the other conventions the value is then −1.
///
/// # Errors
/// If labels do not fit, a neighbour is not a cell, or the perplexity is below 1 or above the number of neighbours
/// (`NeighborsTooFew`: fewer than 3 were searched for).
///
/// # References
/// Korsunsky 2019, doi:10.1038/s41592-019-0619-0; YosefLab/scib-metrics `src/scib_metrics/utils/_lisi.py`.
pub fn lisi(knn: &KnnGraph, label_sets: &[&[u32]], params: &LisiParams) -> Result<Vec<Vec<Score>>> {
    check_neighbors(knn)?;
    let k = knn.k() + usize::from(!knn.includes_self());
    let search = Search::new(label_sets, knn.n_obs(), k, params)?;
    let skip = usize::from(knn.includes_self());
    Ok(search.transposed(map_ordered(knn.n_obs(), |cell| {
        let (neighbors, distances) = knn.neighbors(cell);
        search.of_cell(&neighbors[skip..], &distances[skip..])
    })))
}

/// As [`lisi`] for lists of any length, as [`path_neighborhoods`](super::path_neighborhoods) gives them; `k` neighbours
/// were searched for.
///
/// # Undefined
/// As [`lisi`], and [`Why::TooFewCells`] where a list is shorter than `k`. Under the other conventions such a cell has 1.
///
/// # Errors
/// As [`lisi`].
pub fn lisi_of(
    neighborhoods: &[Neighborhood],
    label_sets: &[&[u32]],
    k: usize,
    params: &LisiParams,
) -> Result<Vec<Vec<Score>>> {
    let n = neighborhoods.len();
    let search = Search::new(label_sets, n, k, params)?;
    let bad = |it: &Neighborhood| it.0.len() != it.1.len() || it.0.iter().any(|it| *it as usize >= n);
    if let Some(cell) = neighborhoods.iter().position(bad) {
        return Err(Error::invalid_input(format!("neighbours of cell {cell} do not fit {n} cells or their distances")));
    }
    Ok(search.transposed(map_ordered(n, |cell| {
        let (neighbors, distances) = &neighborhoods[cell];
        if neighbors.len() < k {
            let few = if params.convention == Convention::Cellstone {
                Score::Undefined(Why::TooFewCells)
            } else {
                Score::Value(1.0)
            };
            return vec![few; label_sets.len()];
        }
        search.of_cell(neighbors, distances)
    })))
}

/// A LISI score of a data set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LisiScore {
    /// The median, brought to `[0, 1]`; 1 is best.
    pub value: Score,
    /// The median over the cells that have a value.
    pub median: Score,
    /// Cells without a value.
    pub n_undefined: usize,
    /// The index of the shares in the whole data set: what perfect mixing gives, which is the number of classes only
    /// if they are equally large.
    pub expected: f64,
}

/// Integration LISI from the values of [`lisi`] on batches: `(median − 1) / (B − 1)`. 1 is mixed.
///
/// # Undefined
/// [`Why::SingleBatch`] with one batch; [`Why::NoCells`] if no cell has a value.
///
/// # Errors
/// If values and batches are not as many.
pub fn ilisi(per_cell: &[Score], batch: &[u32]) -> Result<LisiScore> {
    summary(per_cell, batch, Why::SingleBatch, |median, n| (median - 1.0) / (n - 1.0))
}

/// Cell-type LISI from the values of [`lisi`] on labels: `(L − median) / (L − 1)`. 1 is pure.
///
/// # Undefined
/// [`Why::SingleLabel`] with one label; [`Why::NoCells`] if no cell has a value.
///
/// # Errors
/// If values and labels are not as many.
pub fn clisi(per_cell: &[Score], labels: &[u32]) -> Result<LisiScore> {
    summary(per_cell, labels, Why::SingleLabel, |median, n| (n - median) / (n - 1.0))
}

fn summary(per_cell: &[Score], classes: &[u32], single: Why, scale: impl Fn(f64, f64) -> f64) -> Result<LisiScore> {
    same_cells("LISI values", per_cell.len(), classes.len())?;
    let sizes = Groups::new(classes).sizes();
    let n: f64 = sizes.iter().sum();
    let mut values: Vec<f64> = per_cell.iter().filter_map(|it| it.value()).collect();
    let n_undefined = per_cell.len() - values.len();
    let median = median(&mut values).map_or(Score::Undefined(Why::NoCells), Score::Value);
    let value = match median {
        Score::Value(_) if sizes.len() < 2 => Score::Undefined(single),
        Score::Value(it) => Score::Value(scale(it, sizes.len() as f64)),
        undefined @ Score::Undefined(_) => undefined,
    };
    let simpson: f64 = sizes.iter().map(|it| (it / n) * (it / n)).sum();
    Ok(LisiScore { value, median, n_undefined, expected: 1.0 / simpson })
}

struct Search {
    sets: Vec<Groups>,
    log_perplexity: f64,
    convention: Convention,
}

impl Search {
    fn new(label_sets: &[&[u32]], n: usize, k: usize, params: &LisiParams) -> Result<Self> {
        for it in label_sets {
            same_cells("labels", it.len(), n)?;
        }
        let perplexity = params.perplexity.unwrap_or((k / 3) as f64);
        // NaN must fail too.
        if !(perplexity >= 1.0 && perplexity <= k as f64) {
            return Err(Error::invalid_input(format!(
                "a perplexity of {perplexity} with {k} neighbours, expected between 1 and {k}"
            ))
            .with_hint("search for at least 3 neighbours, the cell itself counted; 90 are usual"));
        }
        let sets = label_sets.iter().map(|it| Groups::new(it)).collect();
        Ok(Self { sets, log_perplexity: perplexity.ln(), convention: params.convention })
    }

    /// The value of every set of labels.
    fn of_cell(&self, neighbors: &[u32], distances: &[f64]) -> Vec<Score> {
        // The nearest at 0 changes no weight and keeps them from vanishing together; the packages do without.
        let nearest = match self.convention {
            Convention::Cellstone => distances.iter().copied().fold(f64::INFINITY, f64::min),
            Convention::Scib | Convention::ScibMetrics => 0.0,
        };
        let weights = Weights::search(distances, nearest, self.log_perplexity, self.convention);
        let simpson = |groups: &Groups| {
            let mut shares = vec![0.0; groups.len()];
            neighbors
                .iter()
                .zip(&weights.shares)
                .for_each(|(it, share)| shares[groups.of[*it as usize] as usize] += share);
            shares.iter().map(|it| it * it).sum::<f64>()
        };
        let of = |groups: &Groups| match self.convention {
            _ if weights.entropy != 0.0 => Score::Value(1.0 / simpson(groups)),
            // DIVERGES(lisi-degenerate): a neighbourhood of one cell says nothing.
            Convention::Cellstone => Score::Undefined(Why::ZeroWeights),
            Convention::Scib | Convention::ScibMetrics => Score::Value(-1.0),
        };
        self.sets.iter().map(of).collect()
    }

    /// From one list per cell to one per set of labels.
    fn transposed(&self, cells: Vec<Vec<Score>>) -> Vec<Vec<Score>> {
        (0..self.sets.len()).map(|set| cells.iter().map(|it| it[set]).collect()).collect()
    }
}

/// Weights of neighbours.
struct Weights {
    entropy: f64,
    shares: Vec<f64>,
    #[cfg(test)]
    beta: f64,
    #[cfg(test)]
    tries: u32,
}

impl Weights {
    fn search(distances: &[f64], nearest: f64, log_perplexity: f64, convention: Convention) -> Self {
        let mut shares = vec![0.0; distances.len()];
        let (mut beta, mut low, mut high, mut tries) = (1.0_f64, f64::NEG_INFINITY, f64::INFINITY, 0);
        let mut entropy = entropy_at(distances, nearest, beta, &mut shares);
        loop {
            let gap = entropy - log_perplexity;
            // scib stops at the tolerance, the others below it.
            let near = if convention == Convention::Scib { gap.abs() <= TOLERANCE } else { gap.abs() < TOLERANCE };
            if near || tries == MAX_TRIES {
                break;
            }
            if gap > 0.0 {
                low = beta;
                beta = if high == f64::INFINITY { beta * 2.0 } else { f64::midpoint(beta, high) };
            } else {
                high = beta;
                beta = if low == f64::NEG_INFINITY { beta / 2.0 } else { f64::midpoint(beta, low) };
            }
            entropy = entropy_at(distances, nearest, beta, &mut shares);
            tries += 1;
        }
        let total: f64 = shares.iter().sum();
        if total > 0.0 {
            shares.iter_mut().for_each(|it| *it /= total);
        }
        Self {
            entropy,
            shares,
            #[cfg(test)]
            beta,
            #[cfg(test)]
            tries,
        }
    }
}

/// `ln Z + β Σ d P` with `P = exp(−β d) / Z`; 0 if all weights vanish. Leaves the weights in `weights`.
fn entropy_at(distances: &[f64], nearest: f64, beta: f64, weights: &mut [f64]) -> f64 {
    let (mut total, mut moment) = (0.0, 0.0);
    for (distance, weight) in distances.iter().zip(weights) {
        let distance = distance - nearest;
        *weight = (-beta * distance).exp();
        total += *weight;
        moment += distance * *weight;
    }
    if total == 0.0 { 0.0 } else { total.ln() + beta * moment / total }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_of_the_protocol() {
        let distances = [0.5, 0.7, 0.9, 1.0, 1.2, 1.5];
        for (convention, nearest) in [(Convention::Scib, 0.0), (Convention::Cellstone, 0.5)] {
            let found = Weights::search(&distances, nearest, 2.0_f64.ln(), convention);
            assert_eq!((found.beta, found.tries), (7.794_921_875, 14));
        }
        // Cell 0 has the neighbours 1 to 6.
        let mut lists = vec![((1..7).collect(), distances.to_vec())];
        lists.resize(7, (Vec::new(), Vec::new()));
        let params = LisiParams { perplexity: Some(2.0), convention: Convention::Cellstone };
        let found = lisi_of(&lists, &[&[9, 0, 0, 1, 0, 1, 1]], 6, &params).expect("valid");
        let value = found[0][0].value().expect("defined");
        assert!((value - 1.079_389_818_8).abs() < 1e-10, "{value}");
        assert_eq!(found[0][1], Score::Undefined(Why::TooFewCells));
        let scib = LisiParams { convention: Convention::Scib, ..params };
        assert_eq!(lisi_of(&lists, &[&[0; 7]], 6, &scib).expect("valid")[0][1], Score::Value(1.0));
    }

    #[test]
    fn a_neighbourhood_of_one_cell_has_no_value() {
        let knn = KnnGraph::new(3, [1, 2, 3].repeat(4), [0.0, 1e300, 1e300].repeat(4)).expect("valid");
        let labels: &[u32] = &[0, 1, 0, 1];
        let of = |convention| {
            lisi(&knn, &[labels], &LisiParams { perplexity: Some(2.0), convention }).expect("valid").remove(0)
        };
        assert_eq!(of(Convention::Cellstone), [Score::Undefined(Why::ZeroWeights); 4]);
        assert_eq!(of(Convention::ScibMetrics), [Score::Value(-1.0); 4]);
        let score = ilisi(&of(Convention::Cellstone), labels).expect("valid");
        assert_eq!((score.value, score.n_undefined, score.expected), (Score::Undefined(Why::NoCells), 4, 2.0));
    }

    #[test]
    fn equal_distances_weigh_the_same_however_long() {
        let knn = KnnGraph::new(4, [1, 2, 3, 4].repeat(5), vec![7.0; 20]).expect("valid");
        let labels: &[u32] = &[0, 0, 0, 1, 1];
        let params = LisiParams { perplexity: Some(2.0), convention: Convention::Cellstone };
        for value in lisi(&knn, &[labels], &params).expect("valid").remove(0) {
            assert_eq!(value, Score::Value(2.0));
        }
    }

    #[test]
    fn the_cell_itself_has_no_weight() {
        let without = KnnGraph::new(2, vec![1, 2, 2, 0, 1, 0], vec![1.0, 2.0, 1.0, 1.0, 1.0, 2.0]).expect("valid");
        let with =
            KnnGraph::with_self(3, vec![0, 1, 2, 1, 2, 0, 2, 1, 0], vec![0.0, 1.0, 2.0, 0.0, 1.0, 1.0, 0.0, 1.0, 2.0])
                .expect("valid");
        let (batch, labels): (&[u32], &[u32]) = (&[0, 1, 1], &[0, 1, 2]);
        let params = LisiParams { perplexity: Some(1.5), convention: Convention::Cellstone };
        let found = lisi(&with, &[batch, labels], &params).expect("valid");
        assert_eq!(found, lisi(&without, &[batch, labels], &params).expect("valid"));
        assert_eq!(found.len(), 2);
        // Both neighbours of cell 0 are in one batch.
        assert_eq!(found[0][0], Score::Value(1.0));
        assert_eq!(clisi(&found[0], &[5, 5, 5]).expect("valid").value, Score::Undefined(Why::SingleLabel));
        let error =
            lisi(&without, &[batch, labels], &LisiParams { perplexity: Some(9.0), ..params }).expect_err("many");
        assert!(error.to_string().contains("a perplexity of 9 with 3 neighbours"), "{error}");
    }
}
