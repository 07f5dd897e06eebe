//! A random panel and the input made of it.

use cellstone_core::{Mask, MetricInput, Score, Scores, Seed};
use ndarray::{Array1, Array2};
use rand::RngExt;

pub(crate) struct Panel {
    pub(crate) truth: Array2<f64>,
    pub(crate) pred: Array2<f64>,
    pub(crate) control: Array1<f64>,
    pub(crate) pred_control: Option<Array1<f64>>,
    pub(crate) train_mean: Array1<f64>,
    pub(crate) train: Array2<f64>,
    pub(crate) weights: Array2<f64>,
    pub(crate) targets: Vec<Vec<usize>>,
    pub(crate) keys: Vec<String>,
}

impl Panel {
    /// `n` conditions on `genes` genes; condition i has target i, every seventh none.
    pub(crate) fn random(seed: u64, n: usize, genes: usize) -> Self {
        let mut rng = Seed::new(seed).rng();
        let control = Array1::from_shape_fn(genes, |_| 3.0 * rng.random::<f64>());
        let shifted = |rng: &mut cellstone_core::SeedRng, rows: usize| {
            Array2::from_shape_fn((rows, genes), |(_, gene)| (control[gene] + rng.random::<f64>() - 0.5).max(0.0))
        };
        let truth = shifted(&mut rng, n);
        let noise = shifted(&mut rng, n);
        let train = shifted(&mut rng, 6);
        let pred = 0.6 * &truth + 0.4 * &noise;
        let weights = Array2::from_shape_fn((n, genes), |_| rng.random());
        Self {
            train_mean: train.mean_axis(ndarray::Axis(0)).expect("rows"),
            targets: (0..n).map(|it| if it % 7 == 6 { vec![] } else { vec![it % genes] }).collect(),
            keys: (0..n).map(|it| format!("P{it:03}")).collect(),
            pred_control: None,
            truth,
            pred,
            control,
            train,
            weights,
        }
    }

    pub(crate) fn input(&self, mask: Mask) -> MetricInput<'_> {
        MetricInput {
            truth: self.truth.view(),
            pred: self.pred.view(),
            control: self.control.view(),
            pred_control: self.pred_control.as_ref().map(|it| it.view()),
            train_mean: Some(self.train_mean.view()),
            train_profiles: Some(self.train.view()),
            weights: Some(self.weights.view()),
            targets: &self.targets,
            keys: &self.keys,
            genes: None,
            mask,
        }
    }
}

/// Scores of a metric by id.
pub(crate) fn scores(id: &str, input: &MetricInput<'_>) -> Vec<Score> {
    match cellstone_metrics::by_id(id).expect("built in").compute(input).expect("shapes fit") {
        Scores::PerPerturbation(it) => it,
        Scores::One(it) => vec![it],
    }
}
