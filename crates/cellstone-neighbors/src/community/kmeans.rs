//! k-means with k-means++ starts, for comparison with communities of a graph.

use crate::wide::clear_vector_state;
use cellstone_core::{Clustering, Error, Result, Seed, SeedRng};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use ndarray::{Array2, ArrayView2, Axis};
use rand::RngExt;
use rayon::prelude::*;

/// Rows whose products with all centres are held at a time.
const ROWS: usize = 512;

/// Parameters of [`kmeans`]; apart from the seed those of scikit-learn, with ten starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KmeansParams {
    /// Number of clusters.
    pub n_clusters: usize,
    /// Starts, of which the one with the smallest inertia is kept.
    pub n_starts: usize,
    /// Rounds of a start at most.
    pub max_rounds: usize,
    /// A start ends when the centres together move by less than this share of the mean variance of the coordinates.
    pub tolerance: f64,
    /// Draws of the starts.
    pub seed: Seed,
}

impl KmeansParams {
    /// Ten starts of at most 300 rounds to a tolerance of 1e-4.
    pub const fn new(n_clusters: usize, seed: Seed) -> Self {
        Self { n_clusters, n_starts: 10, max_rounds: 300, tolerance: 1e-4, seed }
    }
}

/// What [`kmeans`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Kmeans {
    /// Cluster of every row, cluster 0 the largest.
    pub clusters: Clustering,
    /// Mean squared distance of the rows to the centres of their clusters, times the number of rows.
    pub inertia: f64,
}

/// Clusters `x` `[n_obs, d]` around `n_clusters` centres with a small sum of squared distances.
///
/// Every start draws its centres by greedy k-means++ (the best of `2 + ln k` candidates each), then assigns and averages
/// in turns until the centres rest; a centre that loses its rows moves to the row farthest from its own. Products are in
/// single precision about the mean of the rows, averages in double. One seed gives one result, whatever the number of
/// threads. Sources: Lloyd 1982, doi:10.1109/TIT.1982.1056489; Arthur & Vassilvitskii 2007 (SODA).
///
/// # Errors
/// If a value is not finite, there are fewer rows than clusters, or a parameter is 0 or negative.
///
/// # Examples
/// ```
/// use cellstone_core::Seed;
/// use cellstone_neighbors::{KmeansParams, kmeans};
/// let x = ndarray::array![[0.0], [0.1], [0.2], [5.0], [5.1]];
/// let found = kmeans(x.view(), &KmeansParams::new(2, Seed::new(0)))?;
/// assert_eq!(found.clusters.labels(), [0, 0, 0, 1, 1]);
/// // Products in single precision.
/// assert!((found.inertia - 0.025).abs() < 1e-5);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn kmeans(x: ArrayView2<'_, f64>, params: &KmeansParams) -> Result<Kmeans> {
    let (n, k) = (x.nrows(), params.n_clusters);
    if k == 0 || params.n_starts == 0 || params.max_rounds == 0 || params.tolerance.is_nan() || params.tolerance < 0.0 {
        return Err(Error::config(format!(
            "{k} clusters from {} starts of {} rounds to a tolerance of {}: expected positive numbers",
            params.n_starts, params.max_rounds, params.tolerance
        )));
    }
    if x.ncols() == 0 {
        return Err(Error::invalid_input("cells without coordinates have no distances"));
    }
    if n < k {
        return Err(Error::invalid_input(format!("{n} cells cannot make {k} clusters")));
    }
    if let Some(((row, col), value)) = x.indexed_iter().find(|it| !it.1.is_finite()) {
        return Err(Error::invalid_input(format!("cell {row} has {value} at coordinate {col}")));
    }
    let data = Data::new(x);
    let seed = params.seed.derive("kmeans");
    let starts: Vec<Start> = (0..params.n_starts)
        .into_par_iter()
        .map(|it| data.start(params, &mut seed.derive_index(it as u64).rng()))
        .collect();
    let better = |best: Start, it: Start| if it.inertia < best.inertia { it } else { best };
    let Some(best) = starts.into_iter().reduce(better) else { return Err(Error::config("no start of k-means")) };
    Ok(Kmeans { clusters: Clustering::by_size(&best.labels), inertia: best.inertia })
}

/// A finished start.
struct Start {
    labels: Vec<u32>,
    inertia: f64,
}

/// Rows about their mean, in single precision.
struct Data {
    n: usize,
    d: usize,
    x: Vec<f32>,
    norms: Vec<f32>,
    /// Mean variance of the coordinates.
    variance: f64,
}

impl Data {
    fn new(x: ArrayView2<'_, f64>) -> Self {
        let (n, d) = x.dim();
        let mean = x.mean_axis(Axis(0)).unwrap_or_default();
        let centred: Array2<f64> = &x - &mean;
        let variance = centred.iter().map(|it| it * it).sum::<f64>() / (n * d).max(1) as f64;
        let x: Vec<f32> = centred.iter().map(|it| *it as f32).collect();
        let norms = x.chunks(d).map(square).collect();
        Self { n, d, x, norms, variance }
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.x[at * self.d..(at + 1) * self.d]
    }

    /// Calls `work(row, squared distances to all centres)` for every row in order. Centres are `[k, d]`.
    fn distances(&self, centres: &[f32], mut work: impl FnMut(usize, &mut [f32])) {
        let k = centres.len() / self.d;
        let own: Vec<f32> = centres.chunks(self.d).map(square).collect();
        let right = MatRef::from_column_major_slice(centres, self.d, k);
        let mut products = vec![0.0_f32; ROWS * k];
        for start in (0..self.n).step_by(ROWS) {
            let height = ROWS.min(self.n - start);
            let left = MatRef::from_row_major_slice(&self.x[start * self.d..(start + height) * self.d], height, self.d);
            let out = MatMut::from_row_major_slice_mut(&mut products[..height * k], height, k);
            matmul(out, Accum::Replace, left, right, -2.0, Par::Seq);
            clear_vector_state();
            for (at, row) in products[..height * k].chunks_mut(k).enumerate() {
                let norm = self.norms[start + at];
                row.iter_mut().zip(&own).for_each(|(it, own)| *it = (*it + own + norm).max(0.0));
                work(start + at, row);
            }
        }
    }

    fn start(&self, params: &KmeansParams, rng: &mut SeedRng) -> Start {
        let k = params.n_clusters;
        let mut centres = self.first_centres(k, rng);
        let mut labels = vec![u32::MAX; self.n];
        let mut nearest = vec![0.0_f32; self.n];
        for _ in 0..params.max_rounds {
            let before = labels.clone();
            self.assign(&centres, &mut labels, &mut nearest);
            let next = self.averages(k, &labels, &mut nearest);
            let moved: f64 = centres.iter().zip(&next).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            centres = next;
            if before == labels || moved <= params.tolerance * self.variance {
                break;
            }
        }
        self.assign(&centres, &mut labels, &mut nearest);
        Start { inertia: nearest.iter().map(|it| f64::from(*it)).sum(), labels }
    }

    fn assign(&self, centres: &[f32], labels: &mut [u32], nearest: &mut [f32]) {
        self.distances(centres, |row, distances| {
            let first = (f32::INFINITY, 0);
            let best = distances.iter().zip(0_u32..).fold(first, |it, (v, at)| if *v < it.0 { (*v, at) } else { it });
            (nearest[row], labels[row]) = best;
        });
    }

    /// Means of the rows of every cluster; an empty one goes to the row that is farthest from its centre.
    fn averages(&self, k: usize, labels: &[u32], nearest: &mut [f32]) -> Vec<f32> {
        let (mut sums, mut counts) = (vec![0.0_f64; k * self.d], vec![0.0_f64; k]);
        for (row, label) in labels.iter().enumerate() {
            let at = *label as usize;
            counts[at] += 1.0;
            let sum = &mut sums[at * self.d..(at + 1) * self.d];
            sum.iter_mut().zip(self.row(row)).for_each(|(it, v)| *it += f64::from(*v));
        }
        let mut centres = vec![0.0_f32; k * self.d];
        for at in 0..k {
            let centre = &mut centres[at * self.d..(at + 1) * self.d];
            if counts[at] > 0.0 {
                let sum = &sums[at * self.d..(at + 1) * self.d];
                centre.iter_mut().zip(sum).for_each(|(it, v)| *it = (v / counts[at]) as f32);
                continue;
            }
            let far = nearest.iter().enumerate().fold((0, -1.0), |it, (row, v)| if *v > it.1 { (row, *v) } else { it });
            centre.copy_from_slice(self.row(far.0));
            nearest[far.0] = 0.0;
        }
        centres
    }

    /// Greedy k-means++: every further centre is the one of a few rows, drawn by squared distance, that leaves the least.
    fn first_centres(&self, k: usize, rng: &mut SeedRng) -> Vec<f32> {
        let n_candidates = 2 + (k as f64).ln() as usize;
        let mut centres = self.row(rng.random_range(0..self.n)).to_vec();
        let mut nearest = vec![0.0_f32; self.n];
        self.distances(&centres, |row, distances| nearest[row] = distances[0]);
        for _ in 1..k {
            let candidates: Vec<usize> = (0..n_candidates).map(|_| drawn(&nearest, rng)).collect();
            let places: Vec<f32> = candidates.iter().flat_map(|it| self.row(*it)).copied().collect();
            let mut left = vec![0.0_f64; n_candidates];
            self.distances(&places, |row, distances| {
                for (left, distance) in left.iter_mut().zip(distances) {
                    *left += f64::from(distance.min(nearest[row]));
                }
            });
            let first = (f64::INFINITY, 0);
            let best = left.iter().enumerate().fold(first, |it, (at, v)| if *v < it.0 { (*v, at) } else { it }).1;
            let chosen = self.row(candidates[best]).to_vec();
            self.distances(&chosen, |row, distances| nearest[row] = nearest[row].min(distances[0]));
            centres.extend(chosen);
        }
        centres
    }
}

/// A row with probability proportional to its weight; any row if all weigh nothing.
fn drawn(weights: &[f32], rng: &mut SeedRng) -> usize {
    let total: f64 = weights.iter().map(|it| f64::from(*it)).sum();
    if total <= 0.0 {
        return rng.random_range(0..weights.len());
    }
    let mut left = rng.random::<f64>() * total;
    for (row, weight) in weights.iter().enumerate() {
        left -= f64::from(*weight);
        if left < 0.0 {
            return row;
        }
    }
    weights.iter().rposition(|it| *it > 0.0).unwrap_or(0)
}

fn square(row: &[f32]) -> f32 {
    row.iter().map(|it| it * it).sum()
}
