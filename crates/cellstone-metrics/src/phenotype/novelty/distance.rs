//! Strangeness as distance to the training cells.

use cellstone_core::sum::map_ordered;
use cellstone_core::{Error, Result};
use ndarray::{Array2, ArrayView2, Axis, Slice};

/// Query cells that are compared together.
const BLOCK: usize = 256;

/// Mean cosine distance `1 − cos` of every query cell to its `k` nearest training cells; a zero vector is at distance
/// 1.
///
/// `train` is `[n_train, d]`, `query` `[n_obs, d]`. All pairs are computed, by blocks.
///
/// # Errors
/// If dimensions differ, a value is not finite, or `k` is 0 or above the number of training cells.
pub fn knn_cosine(train: ArrayView2<'_, f64>, query: ArrayView2<'_, f64>, k: usize) -> Result<Vec<f64>> {
    if train.ncols() != query.ncols() {
        return Err(Error::invalid_input(format!("{} and {} dimensions", train.ncols(), query.ncols())));
    }
    if k == 0 || k > train.nrows() {
        let n = train.nrows();
        return Err(Error::config(format!("{k} nearest of {n} training cells, expected a number from 1 to {n}")));
    }
    let (train, query) = (unit_rows(train)?, unit_rows(query)?);
    let blocks = map_ordered(query.nrows().div_ceil(BLOCK), |block| {
        let rows = query.slice_axis(Axis(0), Slice::from(block * BLOCK..query.nrows().min((block + 1) * BLOCK)));
        let mean = |row: ndarray::ArrayView1<'_, f64>| {
            let mut likeness = row.to_vec();
            let (near, kth, _) = likeness.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            let mut all: Vec<f64> = near.iter().chain([&*kth]).copied().collect();
            // The order that selection leaves is not that of the values.
            all.sort_by(f64::total_cmp);
            1.0 - all.iter().sum::<f64>() / k as f64
        };
        rows.dot(&train.t()).rows().into_iter().map(mean).collect::<Vec<f64>>()
    });
    Ok(blocks.concat())
}

fn unit_rows(x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    let mut out = x.as_standard_layout().into_owned();
    for (cell, mut row) in out.axis_iter_mut(Axis(0)).enumerate() {
        let length = row.dot(&row).sqrt();
        if !length.is_finite() {
            return Err(Error::invalid_input(format!("the vector of cell {cell} is not finite")));
        }
        if length > 0.0 {
            row.mapv_inplace(|it| it / length);
        }
    }
    Ok(out)
}
