//! Fitting: classes that are there, weights, the strength of the penalty.

use super::super::seam::{Classifier, FittedClassifier, check_fit, check_predict};
use super::folds::grouped_folds;
use super::objective::Objective;
use super::quasi_newton::{Stop, minimize};
use cellstone_core::{Error, Result, Seed};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// The penalty on coefficients; intercepts are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Penalty {
    /// `½‖W‖²`.
    L2,
    /// `‖W‖₁`: most coefficients become 0.
    L1,
}

/// The weight C of the data against the penalty.
#[derive(Debug, Clone, PartialEq)]
pub enum Strength {
    /// As given.
    Fixed(f64),
    /// The best of these by negative log-likelihood on left-out donors; of equals the smallest.
    CrossValidated {
        /// Candidates.
        grid: Vec<f64>,
        /// Folds; 3 in the protocol.
        folds: usize,
    },
}

/// Multinomial logistic regression: `min C Σ w_i (−ln p_{y_i}) + penalty`.
///
/// As `sklearn.linear_model.LogisticRegression`: one row of coefficients per class, except that two classes share one
/// row (`coefficients` then are minus and plus half of it). Features are taken as they are: scale them first if their
/// units differ. Classes without training cells have probability 0.
#[derive(Debug, Clone)]
pub struct Logistic {
    /// Penalty.
    pub penalty: Penalty,
    /// C.
    pub c: Strength,
    /// Whether every class has equal weight, `n/(K n_k)` a cell.
    pub balanced: bool,
    /// Largest entry of the gradient of the mean loss at the end.
    pub tolerance: f64,
    /// Evaluations of the loss.
    pub max_evaluations: usize,
}

impl Default for Logistic {
    /// As in the protocol: L2, C of 0.01, 0.1, 1, 10 by 3-fold donor cross-validation.
    fn default() -> Self {
        Self {
            penalty: Penalty::L2,
            c: Strength::CrossValidated { grid: vec![0.01, 0.1, 1.0, 10.0], folds: 3 },
            balanced: false,
            tolerance: 1e-5,
            max_evaluations: 1000,
        }
    }
}

impl Classifier for Logistic {
    fn id(&self) -> &'static str {
        match (self.penalty, self.balanced) {
            (Penalty::L1, _) => "logistic_l1",
            (Penalty::L2, true) => "logistic_balanced",
            (Penalty::L2, false) => "logistic",
        }
    }

    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[u32],
        n_classes: usize,
        groups: Option<&[u32]>,
        seed: Seed,
    ) -> Result<Box<dyn FittedClassifier>> {
        check_fit(x, y, n_classes, groups)?;
        let (c, mut notes) = self.choose(x, y, n_classes, groups, seed)?;
        let mut path = Path::default();
        let mut fitted = self.fit_one(x, y, n_classes, c, &mut path);
        notes.push(("c".to_owned(), c.to_string()));
        notes.append(&mut fitted.notes);
        fitted.notes = notes;
        Ok(Box::new(fitted))
    }
}

/// Coefficients to start the next fit from.
#[derive(Default)]
struct Path(Option<Vec<f64>>);

struct Fitted {
    /// `[d, classes that are there]`.
    w: Array2<f64>,
    b: Array1<f64>,
    there: Vec<u32>,
    n_classes: usize,
    coefficients: Array2<f64>,
    notes: Vec<(String, String)>,
}

impl Logistic {
    /// C and what the choice was made on.
    fn choose(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[u32],
        n_classes: usize,
        groups: Option<&[u32]>,
        seed: Seed,
    ) -> Result<(f64, Vec<(String, String)>)> {
        let check = |c: f64| {
            if c.is_finite() && c > 0.0 {
                Ok(c)
            } else {
                Err(Error::config(format!("C of {c}, expected a positive number")))
            }
        };
        let (grid, folds) = match &self.c {
            Strength::Fixed(c) => return Ok((check(*c)?, Vec::new())),
            Strength::CrossValidated { grid, folds } => (grid, (*folds).max(2)),
        };
        let mut grid = grid.clone();
        grid.sort_by(f64::total_cmp);
        let Some(smallest) = grid.first().copied() else {
            return Err(Error::config("no C to choose from, expected at least one"));
        };
        grid.iter().try_for_each(|it| check(*it).map(|_| ()))?;
        let cells: Vec<u32>;
        // Without donors, or with one, cells are left out: optimistic, and said so.
        let (groups, by) = match groups.filter(|it| it.iter().any(|group| *group != it[0])) {
            Some(groups) => (groups, "donor"),
            None => {
                cells = (0..y.len() as u32).collect();
                (cells.as_slice(), "cell")
            }
        };
        if grid.len() == 1 || y.len() < 2 {
            return Ok((smallest, Vec::new()));
        }
        let fold_of = grouped_folds(groups, y, n_classes, folds, seed);
        let mut losses = vec![0.0; grid.len()];
        for fold in 0..folds as u32 {
            let part =
                |inside: bool| -> Vec<usize> { (0..y.len()).filter(|it| (fold_of[*it] == fold) == inside).collect() };
            let (train, test) = (part(false), part(true));
            if train.is_empty() || test.is_empty() {
                continue;
            }
            let (train_x, test_x) = (x.select(Axis(0), &train), x.select(Axis(0), &test));
            let train_y: Vec<u32> = train.iter().map(|it| y[*it]).collect();
            let mut path = Path::default();
            for (loss, c) in losses.iter_mut().zip(&grid) {
                let fitted = self.fit_one(train_x.view(), &train_y, n_classes, *c, &mut path);
                let p = fitted.predict_proba(test_x.view())?;
                // A class that is only in the left-out donors costs the same under every C.
                let lost = |(row, cell): (usize, &usize)| -p[[row, y[*cell] as usize]].max(f64::EPSILON).ln();
                *loss += test.iter().enumerate().map(lost).sum::<f64>();
            }
        }
        let best = (1..grid.len()).fold(0, |best, it| if losses[it] < losses[best] { it } else { best });
        let mut notes = vec![("folds_by".to_owned(), by.to_owned())];
        notes.extend(
            grid.iter()
                .zip(&losses)
                .map(|(c, loss)| (format!("cv_nll_c_{c}"), format!("{:.6}", loss / y.len() as f64))),
        );
        Ok((grid[best], notes))
    }

    fn fit_one(&self, x: ArrayView2<'_, f64>, y: &[u32], n_classes: usize, c: f64, path: &mut Path) -> Fitted {
        let mut sizes = vec![0.0_f64; n_classes];
        y.iter().for_each(|it| sizes[*it as usize] += 1.0);
        let there: Vec<u32> = (0..n_classes as u32).filter(|it| sizes[*it as usize] > 0.0).collect();
        let k = there.len();
        let place = |class: u32| there.binary_search(&class).unwrap_or_default() as u32;
        let dense: Vec<u32> = y.iter().map(|it| place(*it)).collect();
        let weight =
            |class: &u32| if self.balanced { y.len() as f64 / (k as f64 * sizes[*class as usize]) } else { 1.0 };
        let weights: Vec<f64> = y.iter().map(weight).collect();
        let x = x.as_standard_layout();
        let mut objective = Objective::new(x.view(), &dense, &weights, k);
        // Two classes share one row w: as −w/2 and w/2 its penalty ½‖w‖² is twice that of the two rows.
        let shared = if k == 2 { 2.0 } else { 1.0 };
        let strength = 1.0 / (c * objective.total());
        let n = objective.n_parameters();
        let mut l1 = vec![0.0; n];
        match self.penalty {
            Penalty::L2 => objective.lambda = strength * shared,
            Penalty::L1 => l1[..n - k].fill(strength),
        }
        let start = path.0.take().filter(|it| it.len() == n).unwrap_or_else(|| vec![0.0; n]);
        let evaluate = |x: &[f64], gradient: &mut [f64]| objective.evaluate(x, gradient);
        let stop = Stop { tolerance: self.tolerance, max_evaluations: self.max_evaluations };
        let found = minimize(&evaluate, start, &l1, &objective.curvature(), stop);
        let (w, b) = objective.unpack(&found.x);
        let mut coefficients = Array2::zeros((n_classes, x.ncols()));
        there.iter().enumerate().for_each(|(at, class)| coefficients.row_mut(*class as usize).assign(&w.column(at)));
        let notes = vec![
            ("converged".to_owned(), found.converged.to_string()),
            ("evaluations".to_owned(), found.n_evaluations.to_string()),
        ];
        path.0 = Some(found.x);
        Fitted { w, b, there, n_classes, coefficients, notes }
    }
}

impl FittedClassifier for Fitted {
    fn predict_proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_predict(x, self.w.nrows())?;
        let z = cellstone_prep::matmul(&x, &self.w.view()) + &self.b;
        let mut p = Array2::zeros((x.nrows(), self.n_classes));
        for (z, mut p) in z.rows().into_iter().zip(p.rows_mut()) {
            let top = z.fold(f64::NEG_INFINITY, |acc, it| acc.max(*it));
            let total: f64 = z.iter().map(|it| (it - top).exp()).sum();
            self.there.iter().zip(z).for_each(|(class, it)| p[*class as usize] = (it - top).exp() / total);
        }
        Ok(p)
    }

    fn notes(&self) -> Vec<(String, String)> {
        self.notes.clone()
    }

    fn coefficients(&self) -> Option<ArrayView2<'_, f64>> {
        Some(self.coefficients.view())
    }
}
