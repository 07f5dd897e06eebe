//! Exact k nearest neighbours without an n × n matrix.

use cellstone_core::{Error, KnnGraph, Result};
use ndarray::{Array1, ArrayView2, Axis, Slice};
use rayon::prelude::*;

/// Rows of the distance block that is held at a time.
const BLOCK: usize = 256;

/// The `k` nearest rows of every row by Euclidean distance, self excluded, ties by lower index.
///
/// `x` is `[n_obs, d]`. Distances come from `‖a‖² + ‖b‖² − 2⟨a, b⟩` in f64, block by block; memory is
/// `O(threads · 256 · n_obs)`.
///
/// # Errors
/// If `k` is 0 or there are not more than `k` rows, or if a value is not finite.
pub fn exact_knn(x: ArrayView2<'_, f64>, k: usize) -> Result<KnnGraph> {
    let n = x.nrows();
    if k == 0 || n <= k {
        return Err(Error::invalid_input(format!(
            "{k} neighbours of {n} cells, expected between 1 and {}",
            n.saturating_sub(1)
        )));
    }
    if let Some(row) = x.axis_iter(Axis(0)).position(|it| it.iter().any(|v| !v.is_finite())) {
        return Err(Error::invalid_input(format!("cell {row} has a non-finite coordinate")));
    }
    let norms: Array1<f64> = x.map_axis(Axis(1), |row| row.dot(&row));
    let blocks: Vec<(Vec<u32>, Vec<f32>)> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let start = block * BLOCK;
            let rows = x.slice_axis(Axis(0), Slice::from(start..n.min(start + BLOCK)));
            nearest_of_block(start, rows, x, &norms, k)
        })
        .collect();
    let (mut indices, mut distances) = (Vec::with_capacity(n * k), Vec::with_capacity(n * k));
    for (i, d) in blocks {
        indices.extend(i);
        distances.extend(d);
    }
    KnnGraph::new(k, indices, distances)
}

fn nearest_of_block(
    start: usize,
    rows: ArrayView2<'_, f64>,
    x: ArrayView2<'_, f64>,
    norms: &Array1<f64>,
    k: usize,
) -> (Vec<u32>, Vec<f32>) {
    let products = rows.dot(&x.t());
    let (mut indices, mut distances) = (Vec::new(), Vec::new());
    for (at, product) in products.rows().into_iter().enumerate() {
        let own = start + at;
        let mut order: Vec<(f64, u32)> = (0..x.nrows())
            .filter(|it| *it != own)
            .map(|it| ((norms[own] + norms[it] - 2.0 * product[it]).max(0.0), it as u32))
            .collect();
        let by_distance = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        order.select_nth_unstable_by(k - 1, by_distance);
        order.truncate(k);
        order.sort_by(by_distance);
        indices.extend(order.iter().map(|it| it.1));
        distances.extend(order.iter().map(|it| it.0.sqrt() as f32));
    }
    (indices, distances)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn equals_the_definition(values in prop::collection::vec(-5_i32..5, 40 * 3)) {
            let x = Array2::from_shape_vec((40, 3), values.into_iter().map(f64::from).collect()).expect("shape");
            let graph = exact_knn(x.view(), 4).expect("enough rows");
            for own in 0..40 {
                let mut all: Vec<(f64, u32)> = (0..40).filter(|it| *it != own)
                    .map(|it| { let d = &x.row(own) - &x.row(it); (d.dot(&d), it as u32) }).collect();
                all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                let want: Vec<u32> = all.iter().take(4).map(|it| it.1).collect();
                prop_assert_eq!(graph.neighbors(own).0, &want[..]);
            }
        }
    }

    #[test]
    fn too_few_cells_are_named() {
        let error = exact_knn(ndarray::array![[0.0]].view(), 1).expect_err("one cell");
        assert_eq!(error.to_string(), "1 neighbours of 1 cells, expected between 1 and 0");
    }
}
