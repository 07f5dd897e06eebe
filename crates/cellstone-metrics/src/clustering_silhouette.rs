//! Silhouettes without an n × n matrix, and the sums of distances they are made of.

use cellstone_core::{Clustering, Error, Result};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice, linalg::general_mat_mul};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a block.
const ROWS: usize = 64;
/// Columns of a tile: with [`ROWS`] half a megabyte of products.
const COLS: usize = 1024;
/// Share of the norms below which the product formula has lost digits and the difference is taken instead.
const CLOSE: f64 = 1e-4;

/// How far apart two cells are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellDistance {
    /// `√Σ (xᵢ − yᵢ)²`.
    #[default]
    Euclidean,
    /// `1 − ⟨x, y⟩ / (‖x‖ ‖y‖)`, in `[0, 2]`; undefined for a zero vector.
    Cosine,
}

/// Sum of the distances from every cell to the cells of every class: `[n_obs, n_classes]`.
///
/// `x` is `[n_obs, d]`, `classes` one class per row; columns are in the order of [`Clustering`]. Distances come from
/// blocked products in f64, those of close pairs from their differences; memory is `O(n_obs · n_classes)` and the sums
/// have the same bits with any number of threads. This is what silhouettes and batch-mixing scores are made of.
///
/// # Errors
/// If the classes do not fit, a value is not finite, or a row is a zero vector (cosine).
pub fn class_distance_sums(
    x: ArrayView2<'_, f64>,
    classes: &Clustering,
    distance: CellDistance,
) -> Result<Array2<f64>> {
    let n = x.nrows();
    if classes.labels().len() != n {
        return Err(Error::invalid_input(format!("{} labels for {n} cells", classes.labels().len())));
    }
    // Sorted by class: sums then run over neighbours in memory.
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|it| classes.labels()[*it]);
    let rows = prepared(x, &order, distance)?;
    let norms = rows.map_axis(Axis(1), |it| it.dot(&it));
    let sorted: Vec<u32> = order.iter().map(|it| classes.labels()[*it]).collect();
    let work = Work { rows: rows.view(), norms: norms.view(), classes: &sorted, distance };
    let blocks: Vec<Array2<f64>> = (0..n.div_ceil(ROWS))
        .into_par_iter()
        .map(|it| work.block(it * ROWS..n.min((it + 1) * ROWS), classes.n_clusters()))
        .collect();
    let mut sums = Array2::zeros((n, classes.n_clusters()));
    for (own, row) in order.iter().zip(blocks.iter().flat_map(|it| it.rows())) {
        sums.row_mut(*own).assign(&row);
    }
    Ok(sums)
}

/// Silhouette of every cell, `(b − a) / max(a, b)`: a is the mean distance to the other cells of its cluster, b the
/// smallest mean distance to those of another cluster.
///
/// `x` is `[n_obs, d]`, `labels` one cluster per row. A cell alone in its cluster has silhouette 0, and so has one with
/// a = b = 0. Equal to scikit-learn's `silhouette_samples`. Source: Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.
///
/// # Errors
/// As [`class_distance_sums`], and if there are fewer than two clusters.
///
/// # Examples
/// ```
/// use cellstone_metrics::{CellDistance, silhouette_samples};
/// let x = ndarray::array![[0.0], [1.0], [10.0]];
/// assert_eq!(silhouette_samples(x.view(), &[0, 0, 1], CellDistance::Euclidean)?, [0.9, 8.0 / 9.0, 0.0]);
/// # Ok::<(), cellstone_core::Error>(())
/// ```
pub fn silhouette_samples(x: ArrayView2<'_, f64>, labels: &[u32], distance: CellDistance) -> Result<Vec<f64>> {
    let clusters = Clustering::new(labels);
    if clusters.n_clusters() < 2 {
        return Err(Error::invalid_input(format!("{} clusters, expected at least 2", clusters.n_clusters()))
            .with_hint("a silhouette compares clusters: cluster at a higher resolution, or skip this score"));
    }
    let mut sizes = vec![0.0; clusters.n_clusters()];
    clusters.labels().iter().for_each(|it| sizes[*it as usize] += 1.0);
    let sums = class_distance_sums(x, &clusters, distance)?;
    let of_cell = |(sums, own): (ArrayView1<'_, f64>, &u32)| {
        let own = *own as usize;
        if sizes[own] == 1.0 {
            return 0.0;
        }
        let a = sums[own] / (sizes[own] - 1.0);
        let others = sums.iter().zip(&sizes).enumerate().filter(|it| it.0 != own);
        let b = others.map(|(_, (sum, size))| sum / size).fold(f64::INFINITY, f64::min);
        if a.max(b) == 0.0 { 0.0 } else { (b - a) / a.max(b) }
    };
    Ok(sums.rows().into_iter().zip(clusters.labels()).map(of_cell).collect())
}

/// Mean of [`silhouette_samples`], in `[−1, 1]`.
///
/// # Errors
/// As [`silhouette_samples`].
pub fn silhouette(x: ArrayView2<'_, f64>, labels: &[u32], distance: CellDistance) -> Result<f64> {
    let values = silhouette_samples(x, labels, distance)?;
    Ok(cellstone_core::sum::ordered_sum(&values) / values.len() as f64)
}

/// Rows in the given order: centred (differences stay, digits are saved), or at unit length.
fn prepared(x: ArrayView2<'_, f64>, order: &[usize], distance: CellDistance) -> Result<Array2<f64>> {
    let finite = |it: &ArrayView1<'_, f64>| it.iter().all(|v| v.is_finite());
    if let Some(row) = x.rows().into_iter().position(|it| !finite(&it)) {
        return Err(Error::invalid_input(format!("cell {row} has a non-finite coordinate"))
            .with_hint("drop cells without a position, or look for an overflow in the step before"));
    }
    let mut rows = x.select(Axis(0), order);
    match distance {
        CellDistance::Euclidean => {
            if let Some(mean) = rows.mean_axis(Axis(0)) {
                rows -= &mean;
            }
        }
        CellDistance::Cosine => {
            for (mut row, own) in rows.rows_mut().into_iter().zip(order) {
                let largest = row.iter().fold(0.0_f64, |it, v| it.max(v.abs()));
                if largest == 0.0 {
                    return Err(Error::invalid_input(format!(
                        "cell {own} is a zero vector: it has no cosine distance"
                    ))
                    .with_hint("drop such cells, or use the Euclidean distance"));
                }
                row /= largest;
                let norm = row.dot(&row).sqrt();
                row /= norm;
            }
        }
    }
    Ok(rows)
}

struct Work<'a> {
    rows: ArrayView2<'a, f64>,
    norms: ArrayView1<'a, f64>,
    /// Class of every row, ascending.
    classes: &'a [u32],
    distance: CellDistance,
}

impl Work<'_> {
    /// Sums of a block of rows: `[rows, n_classes]`.
    fn block(&self, range: Range<usize>, n_classes: usize) -> Array2<f64> {
        let n = self.rows.nrows();
        let own = self.rows.slice_axis(Axis(0), Slice::from(range.clone()));
        let mut sums = Array2::zeros((range.len(), n_classes));
        let mut products = Array2::zeros((range.len(), COLS.min(n)));
        for start in (0..n).step_by(COLS) {
            let tile = start..n.min(start + COLS);
            let other = self.rows.slice_axis(Axis(0), Slice::from(tile.clone()));
            if products.ncols() != tile.len() {
                products = Array2::zeros((range.len(), tile.len()));
            }
            general_mat_mul(-2.0, &own, &other.t(), 0.0, &mut products);
            for (at, mut row) in products.rows_mut().into_iter().enumerate() {
                if let Some(values) = row.as_slice_mut() {
                    self.distances(range.start + at, tile.start, values);
                    self.add_by_class(tile.start, values, &mut sums.row_mut(at));
                }
            }
        }
        sums
    }

    /// Turns `−2⟨x, y⟩` into distances.
    fn distances(&self, own: usize, start: usize, values: &mut [f64]) {
        let norm = self.norms[own];
        let norms = self.norms.slice_axis(Axis(0), Slice::from(start..start + values.len()));
        let mut close = false;
        for (value, other) in values.iter_mut().zip(norms) {
            *value += norm + other;
            close |= *value < CLOSE * (norm + other);
        }
        if close {
            for (at, value) in values.iter_mut().enumerate() {
                let other = start + at;
                if *value < CLOSE * (norm + self.norms[other]) {
                    let pairs = self.rows.row(own).into_iter().zip(self.rows.row(other));
                    *value = pairs.map(|(a, b)| (a - b) * (a - b)).sum();
                }
            }
        }
        match self.distance {
            CellDistance::Euclidean => values.iter_mut().for_each(|it| *it = it.max(0.0).sqrt()),
            CellDistance::Cosine => values.iter_mut().for_each(|it| *it = (0.5 * *it).clamp(0.0, 2.0)),
        }
    }

    fn add_by_class(&self, start: usize, values: &[f64], sums: &mut ndarray::ArrayViewMut1<'_, f64>) {
        let classes = &self.classes[start..start + values.len()];
        let mut at = 0;
        for run in classes.chunk_by(|a, b| a == b) {
            sums[run[0] as usize] += sum(&values[at..at + run.len()]);
            at += run.len();
        }
    }
}

/// A sum in eight lanes, so that it is not one chain of additions.
fn sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let chunks = values.chunks_exact(8);
    let tail: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        (0..8).for_each(|it| lanes[it] += chunk[it]);
    }
    lanes.iter().sum::<f64>() + tail
}
