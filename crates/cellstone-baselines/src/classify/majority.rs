//! The frequencies of the classes, whatever the cell.

use super::seam::{Classifier, FittedClassifier, check_fit, check_predict};
use cellstone_core::{Result, Seed};
use ndarray::{Array1, Array2, ArrayView2};

/// Predicts the class frequencies of training: the most frequent class wins everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct Majority;

struct Fitted {
    law: Array1<f64>,
    d: usize,
}

impl Classifier for Majority {
    fn id(&self) -> &'static str {
        "majority"
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
        let mut law = Array1::zeros(n_classes);
        y.iter().for_each(|it| law[*it as usize] += 1.0);
        law /= y.len() as f64;
        Ok(Box::new(Fitted { law, d: x.ncols() }))
    }
}

impl FittedClassifier for Fitted {
    fn predict_proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_predict(x, self.d)?;
        let rows = self.law.broadcast((x.nrows(), self.law.len()));
        Ok(rows.map_or_else(|| Array2::zeros((0, self.law.len())), |it| it.to_owned()))
    }
}
