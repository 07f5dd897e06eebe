//! Votes of the nearest training cells.

use super::seam::{Classifier, FittedClassifier, check_fit, check_predict};
use cellstone_core::{Error, Result, Seed, sum::map_ordered};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};

/// Query cells that are compared together.
const BLOCK: usize = 128;

/// k nearest neighbors by cosine similarity, one vote each; equally near cells by their order in training.
#[derive(Debug, Clone, Copy)]
pub struct KnnClassifier {
    /// Neighbors; 15 in the protocol, and at most the number of training cells.
    pub k: usize,
}

impl Default for KnnClassifier {
    fn default() -> Self {
        Self { k: 15 }
    }
}

struct Fitted {
    /// Unit rows.
    x: Array2<f64>,
    y: Vec<u32>,
    n_classes: usize,
    k: usize,
}

impl Classifier for KnnClassifier {
    fn id(&self) -> &'static str {
        "knn"
    }

    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[u32],
        n_classes: usize,
        groups: Option<&[u32]>,
        _: Seed,
    ) -> Result<Box<dyn FittedClassifier>> {
        check_fit(x, y, n_classes, groups)?;
        if self.k == 0 {
            return Err(Error::config("0 neighbors, expected at least one"));
        }
        Ok(Box::new(Fitted { x: unit_rows(x), y: y.to_vec(), n_classes, k: self.k.min(y.len()) }))
    }
}

/// Rows of length 1; zero rows stay zero and are orthogonal to all.
fn unit_rows(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = x.as_standard_layout().into_owned();
    for mut row in out.rows_mut() {
        let length = row.dot(&row).sqrt();
        if length > 0.0 {
            row.mapv_inplace(|it| it / length);
        }
    }
    out
}

impl FittedClassifier for Fitted {
    fn predict_proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_predict(x, self.x.ncols())?;
        let query = unit_rows(x);
        let blocks = map_ordered(query.nrows().div_ceil(BLOCK), |block| {
            let range = block * BLOCK..query.nrows().min((block + 1) * BLOCK);
            let likeness = query.slice_axis(Axis(0), Slice::from(range)).dot(&self.x.t());
            likeness.rows().into_iter().flat_map(|row| self.votes(row)).collect::<Vec<f64>>()
        });
        let shape = (query.nrows(), self.n_classes);
        Array2::from_shape_vec(shape, blocks.concat())
            .map_err(|error| Error::invalid_input(format!("votes of {} cells: {error}", shape.0)))
    }

    fn notes(&self) -> Vec<(String, String)> {
        vec![("k".to_owned(), self.k.to_string())]
    }
}

impl Fitted {
    fn votes(&self, likeness: ArrayView1<'_, f64>) -> Vec<f64> {
        // Nearest first; a cell enters only if it is nearer than the last, so of equal ones the first in training stays.
        let mut near: Vec<(f64, u32)> = Vec::with_capacity(self.k + 1);
        let mut last = f64::NEG_INFINITY;
        for (at, it) in likeness.iter().enumerate() {
            if near.len() < self.k || *it > last {
                let place = near.partition_point(|other| other.0 >= *it);
                near.truncate(self.k - 1);
                near.insert(place.min(near.len()), (*it, at as u32));
                last = near[near.len() - 1].0;
            }
        }
        let mut votes = vec![0.0; self.n_classes];
        near.iter().for_each(|it| votes[self.y[it.1 as usize] as usize] += 1.0);
        votes.iter_mut().for_each(|it| *it /= self.k as f64);
        votes
    }
}
