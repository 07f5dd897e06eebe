//! What a panel of conditions looks like as a whole: collapse, shared response, sizes of effects.

use crate::correlation::{cosine_of, pearson_of, spearman_of};
use crate::kernels::{slice_of, sum};
use crate::stats::quantile;
use cellstone_core::sum::map_ordered;
use cellstone_core::{Score, Why};
use ndarray::{ArrayView1, ArrayView2};

/// Measures how much predictions differ between conditions, relative to the truth.
///
/// Variance of the predicted profiles across conditions (summed over genes) / (that of the observed profiles − mean `T`).
/// 0 is mode collapse: one answer for every condition; 1 is as varied as the truth. `pred` and `truth` are `[P, G]`,
/// `noise` is `T` of each condition (empty where it is not known).
///
/// # Undefined
/// [`Why::TooFewConditions`] below two conditions; [`Why::ZeroDenominator`] if noise explains the variance of the truth.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let (pred, truth) = (array![[1.0, 0.0], [0.0, 0.0]], array![[2.0, 0.0], [0.0, 0.0]]);
/// assert_eq!(cellstone_metrics::panel::collapse_index(pred.view(), truth.view(), &[]).value(), Some(0.25));
/// ```
pub fn collapse_index(pred: ArrayView2<'_, f64>, truth: ArrayView2<'_, f64>, noise: &[f64]) -> Score {
    if pred.nrows() < 2 || truth.nrows() < 2 {
        return Score::Undefined(Why::TooFewConditions);
    }
    let noise = if noise.is_empty() { 0.0 } else { sum(noise) / noise.len() as f64 };
    let room = variance_across(&truth) - noise;
    if room <= 0.0 {
        return Score::Undefined(Why::ZeroDenominator);
    }
    Score::finite_or(variance_across(&pred) / room, Why::NotFinite)
}

/// Variance over rows (n − 1), summed over columns.
fn variance_across(rows: &ArrayView2<'_, f64>) -> f64 {
    let n = rows.nrows() as f64;
    let mut mean = ndarray::Array1::<f64>::zeros(rows.ncols());
    for row in rows.rows() {
        mean += &row;
    }
    mean /= n;
    let mean = slice_of(&mean.view()).into_owned();
    let each = map_ordered(rows.nrows(), |at| crate::kernels::sq_diff(&slice_of(&rows.row(at)), &mean));
    sum(&each) / (n - 1.0)
}

/// The median Pearson correlation over all pairs of rows, of deltas `[P, G]`: beside that of the truth it shows collapse.
///
/// Pairs with a constant row are left out.
///
/// # Undefined
/// [`Why::TooFewConditions`] if no pair is left.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let deltas = array![[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 2.0, 1.0]];
/// let score = cellstone_metrics::panel::median_pairwise_correlation(deltas.view());
/// assert!((score.value().unwrap() + 1.0).abs() < 1e-12);
/// ```
pub fn median_pairwise_correlation(deltas: ArrayView2<'_, f64>) -> Score {
    median_over_pairs(deltas, |a, b| pearson_of(a, b, 0.0, 0.0))
}

fn median_over_pairs(rows: ArrayView2<'_, f64>, f: impl Fn(&[f64], &[f64]) -> Score + Sync + Send) -> Score {
    let n = rows.nrows();
    let each = map_ordered(n, |i| {
        let a = rows.row(i);
        let a = slice_of(&a).into_owned();
        (i + 1..n).filter_map(|j| f(&a, &slice_of(&rows.row(j))).value()).collect::<Vec<_>>()
    });
    quantile(&each.concat(), 0.5).map_or(Score::Undefined(Why::TooFewConditions), Score::Value)
}

/// How much of a data set's response is shared by all perturbations.
#[derive(Debug, Clone, PartialEq)]
pub struct SystematicVariation {
    /// Cosine of each condition's shift with the mean shift.
    pub with_mean: Vec<Score>,
    /// Median of those that are defined.
    pub median_with_mean: Score,
    /// Median cosine over all pairs of shifts.
    pub median_pairwise: Score,
}

/// Measures the response that all perturbations of a data set share.
///
/// Cosine of each shift with the mean shift, and of all pairs; `deltas` is `[P, G]`, perturbed minus control. Near 1, the
/// mean of the train perturbations is hard to beat without any knowledge of the gene.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let it = cellstone_metrics::panel::systematic_variation(array![[1.0, 0.0], [0.0, 1.0]].view());
/// assert!((it.median_with_mean.value().unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
/// assert_eq!(it.median_pairwise.value(), Some(0.0));
/// ```
/// # References
/// Viñas Torné et al. 2025, Nature Biotechnology (`mlbio-epfl/systema evaluation/eval_utils.py`).
pub fn systematic_variation(deltas: ArrayView2<'_, f64>) -> SystematicVariation {
    let mut mean = vec![0.0; deltas.ncols()];
    for row in deltas.rows() {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += value / deltas.nrows() as f64;
        }
    }
    let with_mean = map_ordered(deltas.nrows(), |at| cosine_of(&slice_of(&deltas.row(at)), &mean, 0.0, 0.0));
    let defined: Vec<f64> = with_mean.iter().filter_map(|it| it.value()).collect();
    SystematicVariation {
        median_with_mean: quantile(&defined, 0.5).map_or(Score::Undefined(Why::TooFewConditions), Score::Value),
        median_pairwise: median_over_pairs(deltas, |a, b| cosine_of(a, b, 0.0, 0.0)),
        with_mean,
    }
}

/// How predicted effect sizes follow the true ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EffectSize {
    /// Spearman correlation over conditions.
    pub spearman: Score,
    /// Least-squares slope of predicted on true size: below 1 the effects are shrunk.
    pub slope: Score,
}

/// Compares sizes of predicted and of true effects over conditions.
///
/// `x_c = √max(‖δ_c‖² − T_c, 0)` of the truth (`noise` may be empty: then T = 0), `y_c = ‖δ̂_c‖` of the prediction;
/// Spearman correlation and slope of y on x. Both delta matrices are `[P, G]`.
///
/// # Undefined
/// [`Why::TooFewConditions`] below three conditions; [`Why::ConstantVector`] if sizes do not vary.
///
/// # Panics
/// If the numbers of rows differ.
///
/// # Examples
/// ```
/// use ndarray::array;
/// let truth = array![[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]];
/// let it = cellstone_metrics::panel::effect_size((&truth * 0.5).view(), truth.view(), &[]);
/// assert_eq!(it.spearman.value(), Some(1.0));
/// assert!((it.slope.value().unwrap() - 0.5).abs() < 1e-12);
/// ```
pub fn effect_size(pred_deltas: ArrayView2<'_, f64>, true_deltas: ArrayView2<'_, f64>, noise: &[f64]) -> EffectSize {
    assert_eq!(pred_deltas.nrows(), true_deltas.nrows(), "effect_size: different conditions");
    let sq = |row: ArrayView1<'_, f64>| crate::kernels::sum_sq(&slice_of(&row));
    let size = |at: usize| (sq(true_deltas.row(at)) - noise.get(at).copied().unwrap_or(0.0)).max(0.0).sqrt();
    let x: Vec<f64> = (0..true_deltas.nrows()).map(size).collect();
    let y: Vec<f64> = pred_deltas.rows().into_iter().map(|row| sq(row).sqrt()).collect();
    let spearman = match spearman_of(&x, &y, 0.0, 0.0) {
        Score::Undefined(Why::TooFewGenes) => Score::Undefined(Why::TooFewConditions),
        it => it,
    };
    let slope = if x.len() < 3 {
        Score::Undefined(Why::TooFewConditions)
    } else {
        let (mean_x, mean_y) = (sum(&x) / x.len() as f64, sum(&y) / y.len() as f64);
        let spread = crate::kernels::sum1(&x, |x| (x - mean_x) * (x - mean_x));
        let shared = crate::kernels::sum2(&x, &y, |x, y| (x - mean_x) * (y - mean_y));
        if spread == 0.0 {
            Score::Undefined(Why::ConstantVector)
        } else {
            Score::finite_or(shared / spread, Why::NotFinite)
        }
    };
    EffectSize { spearman, slope }
}
