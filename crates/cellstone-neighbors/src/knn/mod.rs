//! Exact k nearest neighbours without an n × n matrix.

mod approximate;
mod exact;
mod prepare;
mod screen;

pub use approximate::{APPROXIMATE_ABOVE, ApproximateKnnParams, approximate_knn, knn};
use cellstone_core::{Error, KnnGraph, Result};
use exact::{Part, rerank};
use ndarray::ArrayView2;
use prepare::Rows;
use rayon::prelude::*;
use screen::{Screen, Workspace};

/// How far apart two cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DistanceMetric {
    /// `√Σ (xᵢ − yᵢ)²`.
    #[default]
    Euclidean,
    /// `1 − ⟨x, y⟩ / (‖x‖ ‖y‖)`, in `[0, 2]`. Undefined for a zero vector.
    Cosine,
    /// One minus Pearson's correlation: the cosine distance of rows minus their means. Undefined for a constant row.
    Correlation,
}

/// What to search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnnParams {
    /// The distance.
    pub metric: DistanceMetric,
    /// Neighbours per cell. With `include_self` the cell itself is one of them.
    pub k: usize,
    /// Whether each cell is its own first neighbour, at distance 0, as scanpy and umap-learn count.
    pub include_self: bool,
}

impl KnnParams {
    /// `k` other cells by Euclidean distance.
    pub const fn new(k: usize) -> Self {
        Self { metric: DistanceMetric::Euclidean, k, include_self: false }
    }

    /// Neighbours other than the cell itself.
    fn n_others(self) -> usize {
        self.k - usize::from(self.include_self)
    }

    fn graph(self, indices: Vec<u32>, distances: Vec<f64>) -> Result<KnnGraph> {
        let new = if self.include_self { KnnGraph::with_self } else { KnnGraph::new };
        new(self.k, indices, distances)
    }

    fn check(self, n_obs: usize) -> Result<()> {
        let limit = if self.include_self { n_obs } else { n_obs.saturating_sub(1) };
        if self.k == 0 || self.k > limit {
            return Err(Error::invalid_input(format!(
                "{} neighbours of {n_obs} cells, expected between 1 and {limit}",
                self.k
            ))
            .with_hint("choose a smaller k, or add cells"));
        }
        if n_obs > u32::MAX as usize {
            return Err(Error::invalid_input(format!("{n_obs} cells, expected at most {}", u32::MAX)));
        }
        Ok(())
    }
}

/// The `k` nearest rows of every row by Euclidean distance, self excluded, ties by lower index.
///
/// `x` is `[n_obs, d]`. See [`exact_knn_with`].
///
/// # Errors
/// If `k` is 0 or there are not more than `k` rows, or if a value is not finite.
pub fn exact_knn(x: ArrayView2<'_, f64>, k: usize) -> Result<KnnGraph> {
    exact_knn_with(x, &KnnParams::new(k))
}

/// The nearest rows of every row, ties by lower index.
///
/// `x` is `[n_obs, d]`. The result is that of the definition in f64: squared distances `Σ (xᵢ − yᵢ)²` of the rows (for
/// cosine and correlation of the rows at unit length, of which half is the distance), summed in a fixed order.
/// Candidates come from single-precision products, block by block; every row whose approximate distance is within the
/// rounding bound of the k-th is a candidate, so none is lost. Memory beyond input and output is
/// `O(n_obs · d + threads · 2¹⁷)`, unless most cells coincide.
///
/// # Errors
/// If `k` is out of range, a value is not finite, or a row has no direction (cosine) or no variance (correlation).
///
/// # Examples
/// ```
/// use cellstone_neighbors::{DistanceMetric, KnnParams, exact_knn_with};
/// let cells = ndarray::array![[1.0, 0.0], [3.0, 0.1], [0.0, 2.0]];
/// let params = KnnParams { metric: DistanceMetric::Cosine, k: 2, include_self: true };
/// let graph = exact_knn_with(cells.view(), &params)?;
/// assert_eq!(graph.neighbors(0).0, [0, 1]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn exact_knn_with(x: ArrayView2<'_, f64>, params: &KnnParams) -> Result<KnnGraph> {
    params.check(x.nrows())?;
    let rows = Rows::new(x, params.metric)?;
    // The cell itself is always among its candidates, so one more than the others is looked for.
    let screen = Screen::new(&rows, params.n_others() + 1);
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let tiles = screen.tiles(&all);
    let parts: Vec<Part> = (0..screen.n_blocks())
        .into_par_iter()
        .map_init(Workspace::default, |space, block| {
            let range = screen.block(block);
            let queries = &all[range.start as usize..range.end as usize];
            let mut part = Part::default();
            for (own, candidates) in queries.iter().zip(screen.candidates(queries, &tiles, space)) {
                rerank(&rows, *own as usize, candidates.iter().map(|it| it.1), *params, &mut part);
            }
            part
        })
        .collect();
    let n = rows.len() * params.k;
    let (mut indices, mut distances) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for part in parts {
        indices.extend(part.indices);
        distances.extend(part.distances);
    }
    params.graph(indices, distances)
}
