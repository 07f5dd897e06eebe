//! The seam of classifiers.

use cellstone_core::{Error, Result, Seed};
use ndarray::{Array2, ArrayView2};

/// A classifier with its parameters, before any data.
pub trait Classifier: Send + Sync + std::fmt::Debug {
    /// The id in tables.
    fn id(&self) -> &'static str;

    /// Fits on features `[n_obs, d]` and classes below `n_classes`.
    ///
    /// `groups` are donors: whatever is chosen by cross-validation is chosen with whole donors left out. The same data
    /// and seed give the same model.
    ///
    /// # Errors
    /// If lengths differ, a class is out of range, a value is not finite, or there is no cell.
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[u32],
        n_classes: usize,
        groups: Option<&[u32]>,
        seed: Seed,
    ) -> Result<Box<dyn FittedClassifier>>;
}

/// A fitted classifier.
pub trait FittedClassifier: Send + Sync {
    /// Probabilities `[n_obs, n_classes]`, rows of sum 1; a class without training cells has 0 unless a prior says
    /// otherwise.
    ///
    /// # Errors
    /// If the number of features differs or a value is not finite.
    fn predict_proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>>;

    /// What was chosen or counted, for the log of the run.
    fn notes(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Coefficients `[n_classes, d]` of linear classifiers, in the units of the features.
    fn coefficients(&self) -> Option<ArrayView2<'_, f64>> {
        None
    }
}

/// Checks what every classifier is given.
pub(super) fn check_fit(x: ArrayView2<'_, f64>, y: &[u32], n_classes: usize, groups: Option<&[u32]>) -> Result<()> {
    if y.len() != x.nrows() || y.is_empty() {
        return Err(Error::invalid_input(format!(
            "{} classes for {} cells, expected one for each",
            y.len(),
            x.nrows()
        )));
    }
    if let Some(groups) = groups.filter(|it| it.len() != y.len()) {
        return Err(Error::invalid_input(format!("{} donors for {} cells", groups.len(), y.len())));
    }
    if let Some(cell) = y.iter().position(|it| *it as usize >= n_classes) {
        return Err(Error::invalid_input(format!("cell {cell} has class {}, expected one below {n_classes}", y[cell])));
    }
    check_finite(x)
}

/// Checks features to predict from.
pub(super) fn check_predict(x: ArrayView2<'_, f64>, d: usize) -> Result<()> {
    if x.ncols() != d {
        return Err(Error::invalid_input(format!("{} features, the classifier was fitted on {d}", x.ncols())));
    }
    check_finite(x)
}

fn check_finite(x: ArrayView2<'_, f64>) -> Result<()> {
    match x.indexed_iter().find(|it| !it.1.is_finite()) {
        None => Ok(()),
        Some(((cell, feature), value)) => {
            Err(Error::invalid_input(format!("cell {cell} feature {feature} is {value}, expected a finite number")))
        }
    }
}
