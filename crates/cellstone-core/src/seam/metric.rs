//! Metrics: pure functions of truth, prediction, gene set, mask and control rule.

use crate::{Result, Score};
use ndarray::{ArrayView1, ArrayView2};
use std::borrow::Cow;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Errors.
    LowerIsBetter,
    /// Agreements.
    HigherIsBetter,
}

/// Whether a metric has one value per perturbation or one per context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricLevel {
    /// One value per perturbation.
    Perturbation,
    /// One value for all perturbations of a context together.
    Context,
}

/// How the score of one half of the cells against the other becomes a ceiling for the full data.
///
/// With `T` the sampling variance of a full mean, the squared distance of two halves is `4T` while the unavoidable
/// squared error against a full mean is `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CeilingRule {
    /// Errors linear in the difference (L2, RMSE, MAE): half of the half-to-half value.
    LinearError,
    /// Errors quadratic in the difference (MSE): a quarter of the half-to-half value.
    SquaredError,
    /// Correlations and other reliabilities: Spearman–Brown, `2r / (1 + r)` for positive `r`.
    Reliability,
    /// The half-to-half value as it is (retrieval ranks).
    AsIs,
}

/// Which genes a metric leaves out because a perturbation moves its own target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// None.
    None,
    /// The targets of the condition itself.
    OwnTargets,
    /// The targets of every condition of the panel.
    Panel,
}

/// What a metric says about itself. Lists, reports and documentation are made from it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct MetricInfo {
    /// Lower snake case, unique in a registry. The id of a reference tool only where equal to it.
    pub id: Cow<'static, str>,
    /// For people.
    pub name: Cow<'static, str>,
    /// Unit of the value, empty for a pure number.
    pub unit: Cow<'static, str>,
    /// Which way is better.
    pub direction: Direction,
    /// The best possible value.
    pub best: f64,
    /// Smallest and largest possible value.
    pub range: (f64, f64),
    /// One value per perturbation or per context.
    pub level: MetricLevel,
    /// How two halves make a ceiling.
    pub ceiling: CeilingRule,
    /// The definition, in one line.
    pub formula: Cow<'static, str>,
    /// Paper DOI or repository and path.
    pub source: Cow<'static, str>,
}

/// Everything a metric may look at: the conditions of one context, one split, one method.
///
/// Rows are perturbations, `P` of them; columns are genes, `G` of them, in the order of the file. Control is never a row.
#[derive(Debug, Clone)]
pub struct MetricInput<'a> {
    /// Truth profiles, `[P, G]`.
    pub truth: ArrayView2<'a, f64>,
    /// Predicted profiles, `[P, G]`; finite.
    pub pred: ArrayView2<'a, f64>,
    /// Control profile of the truth, `[G]`.
    pub control: ArrayView1<'a, f64>,
    /// Control profile of the prediction, `[G]`, for conventions that use each side's own.
    pub pred_control: Option<ArrayView1<'a, f64>>,
    /// Unweighted mean of the perturbed train profiles, `[G]`.
    pub train_mean: Option<ArrayView1<'a, f64>>,
    /// Profiles of the train perturbations of the context, `[T, G]`, for panels that contain them.
    pub train_profiles: Option<ArrayView2<'a, f64>>,
    /// Gene weights per condition, `[P, G]`, for weighted metrics.
    pub weights: Option<ArrayView2<'a, f64>>,
    /// Columns of the targets of each condition.
    pub targets: &'a [Vec<usize>],
    /// The canonical key of each condition.
    pub keys: &'a [String],
    /// The genes to use (ascending); `None` means all.
    pub genes: Option<&'a [usize]>,
    /// Which genes to leave out besides.
    pub mask: Mask,
}

/// What a metric returns.
#[derive(Debug, Clone, PartialEq)]
pub enum Scores {
    /// One score per perturbation, in the order of the rows.
    PerPerturbation(Vec<Score>),
    /// One score for the context.
    One(Score),
}

/// One metric.
pub trait Metric: Send + Sync {
    /// What it says about itself.
    fn info(&self) -> &MetricInfo;

    /// The mask that belongs to the definition: retrieval metrics leave out the targets of the whole panel, because
    /// leaving out each row's own targets alone can be exploited.
    fn default_mask(&self) -> Mask {
        Mask::None
    }

    /// Computes it.
    ///
    /// # Errors
    /// If shapes do not fit. A value that does not exist is [`Score::Undefined`], not an error.
    fn compute(&self, input: &MetricInput<'_>) -> Result<Scores>;
}
