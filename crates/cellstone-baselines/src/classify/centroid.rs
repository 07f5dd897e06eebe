//! The nearest class mean.

use super::seam::{Classifier, FittedClassifier, check_fit, check_predict};
use cellstone_core::{Result, Seed};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Nearest class mean by Euclidean distance; probabilities `∝ exp(−‖x − μ_k‖²/(2σ²))` over the classes with training
/// cells.
///
/// σ² is the variance within classes, pooled over classes and features: one law for all classes, no prior.
#[derive(Debug, Clone, Copy, Default)]
pub struct NearestCentroid;

struct Fitted {
    means: Array2<f64>,
    norms: Array1<f64>,
    there: Vec<bool>,
    variance: f64,
}

impl Classifier for NearestCentroid {
    fn id(&self) -> &'static str {
        "nearest_centroid"
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
        let mut means = Array2::<f64>::zeros((n_classes, x.ncols()));
        let mut sizes = vec![0.0_f64; n_classes];
        for (row, y) in x.rows().into_iter().zip(y) {
            means.row_mut(*y as usize).scaled_add(1.0, &row);
            sizes[*y as usize] += 1.0;
        }
        means.rows_mut().into_iter().zip(&sizes).for_each(|(mut row, n)| row /= n.max(1.0));
        let squares = |(row, y): (ndarray::ArrayView1<'_, f64>, &u32)| -> f64 {
            row.iter().zip(means.row(*y as usize)).map(|(a, b)| (a - b).powi(2)).sum()
        };
        let within: f64 = x.rows().into_iter().zip(y).map(squares).sum();
        let there: Vec<bool> = sizes.iter().map(|it| *it > 0.0).collect();
        let left = y.len().saturating_sub(there.iter().filter(|it| **it).count()).max(1);
        let variance = within / (left * x.ncols().max(1)) as f64;
        let norms = means.map_axis(Axis(1), |it| it.dot(&it));
        Ok(Box::new(Fitted { means, norms, there, variance }))
    }
}

impl FittedClassifier for Fitted {
    fn predict_proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_predict(x, self.means.ncols())?;
        // The length of x itself is the same for all classes.
        let mut p = cellstone_prep::matmul(&x, &self.means.t());
        // Cells that do not differ within classes: the nearest mean has it all, up to rounding.
        let scale = 1.0 / self.variance.max(1e-12 * (1.0 + self.norms.fold(0.0_f64, |acc, it| acc.max(*it))));
        for mut row in p.rows_mut() {
            let mut top = f64::NEG_INFINITY;
            for (class, it) in row.iter_mut().enumerate() {
                *it = if self.there[class] { (*it - 0.5 * self.norms[class]) * scale } else { f64::NEG_INFINITY };
                top = top.max(*it);
            }
            row.mapv_inplace(|it| (it - top).exp());
            let total = row.sum();
            row.mapv_inplace(|it| it / total);
        }
        Ok(p)
    }

    fn notes(&self) -> Vec<(String, String)> {
        vec![("variance_within".to_owned(), format!("{:.6}", self.variance))]
    }
}
