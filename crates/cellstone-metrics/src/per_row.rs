//! The metrics that look at one condition at a time.

use crate::correlation::{cosine_of, pearson_of, r2_of, spearman_given};
use crate::errors::{l2_of, l2_ratio_of, mae_of, mse_of, rmse_of, sq_norm_of, wmse_of};
use crate::info::{Text, source};
use crate::input::{Deltas, Panel, Row};
use cellstone_core::sum::map_ordered;
use cellstone_core::{CeilingRule, Error, Mask, Metric, MetricInfo, MetricInput, Result, Score, Scores, Why};
use std::sync::Arc;

/// The value of a metric for one condition.
type Eval = Box<dyn Fn(&Row<'_, '_>) -> Score + Send + Sync>;

/// One metric of one condition.
pub(crate) struct PerRow {
    info: MetricInfo,
    pub(crate) eval: Eval,
}

impl Metric for PerRow {
    fn info(&self) -> &MetricInfo {
        &self.info
    }

    fn default_mask(&self) -> Mask {
        Mask::None
    }

    fn compute(&self, input: &MetricInput<'_>) -> Result<Scores> {
        let panel = Panel::new(input)?;
        panel.check_mask()?;
        checked(&panel, map_ordered(panel.n_rows(), |at| (self.eval)(&panel.row(at, None))))
    }
}

/// Scores of every condition, or an error that names the first whose values are not finite.
pub(crate) fn checked(panel: &Panel<'_>, scores: Vec<Score>) -> Result<Scores> {
    match scores.iter().position(|it| *it == Score::Undefined(Why::NotFinite)) {
        Some(at) => Err(Error::invalid_input(format!(
            "truth or prediction of `{}` holds a value that is not finite",
            panel.key(at)
        ))),
        None => Ok(Scores::PerPerturbation(scores)),
    }
}

type List = Vec<Arc<PerRow>>;

fn entry(info: MetricInfo, eval: impl Fn(&Row<'_, '_>) -> Score + Send + Sync + 'static) -> Arc<PerRow> {
    Arc::new(PerRow { info, eval: Box::new(eval) })
}

/// Errors of profiles and of deltas.
pub(crate) fn errors() -> List {
    use CeilingRule::{LinearError, SquaredError};
    const UNIT: &str = "profile units";
    const SQUARE: &str = "profile units²";
    let mut all: List = vec![
        entry(Text::new("l2", "L2", "√Σ(ŷ−y)²", source::AE).error(UNIT, LinearError), |it| {
            l2_of(it.pred(), it.truth())
        }),
        entry(
            Text::new("mse", "MSE", "(1/G)Σ(ŷ−y)² (cell-eval 0.8)", source::CELL_EVAL).error(SQUARE, SquaredError),
            |it| mse_of(it.pred(), it.truth()),
        ),
        entry(Text::new("rmse", "RMSE", "√((1/G)Σ(ŷ−y)²)", source::PERTURBENCH).error(UNIT, LinearError), |it| {
            rmse_of(it.pred(), it.truth())
        }),
        entry(
            Text::new("mae", "MAE", "(1/G)Σ|ŷ−y| (cell-eval 0.8)", source::CELL_EVAL).error(UNIT, LinearError),
            |it| mae_of(it.pred(), it.truth()),
        ),
        entry(Text::new("sq_norm", "Squared L2", "Σ(ŷ−y)²", source::PEREGGRN).error(SQUARE, SquaredError), |it| {
            sq_norm_of(it.pred(), it.truth())
        }),
        entry(
            Text::new(
                "l2_ratio",
                "L2 relative to the train mean",
                "‖ŷ−y‖/‖O−y‖, O = mean of the train perturbations",
                source::AE,
            )
            .error("", LinearError),
            |it| match it.train_mean() {
                Some(mean) => l2_ratio_of(it.pred(), it.truth(), mean),
                None => Score::Undefined(Why::NotGiven),
            },
        ),
        entry(
            Text::new(
                "wmse",
                "Weighted MSE",
                "Σw(ŷ−y)²/Σw, w from the test statistics of the condition",
                source::CELLSIMBENCH,
            )
            .error(SQUARE, SquaredError),
            |it| match it.weights() {
                Some(weights) => wmse_of(it.pred(), it.truth(), weights),
                None => Score::Undefined(Why::NotGiven),
            },
        ),
    ];
    all.extend(parity_errors());
    all
}

/// The errors under the ids and control conventions of cell-eval 0.8 and cell-eval2 0.20.
fn parity_errors() -> List {
    use CeilingRule::{LinearError, SquaredError};
    const UNIT: &str = "profile units";
    const SQUARE: &str = "profile units²";
    let own = "each side from its own control (cell-eval 0.8)";
    let real = "both sides from the control of the truth (cell-eval2 0.20, v2 settings)";
    vec![
        entry(
            Text::new("mse_delta", "MSE of deltas (own control)", format!("(1/G)Σ(δ̂−δ)², {own}"), source::CELL_EVAL)
                .error(SQUARE, SquaredError),
            |it| on(it.own_deltas(), mse_of),
        ),
        entry(
            Text::new("mae_delta", "MAE of deltas (own control)", format!("(1/G)Σ|δ̂−δ|, {own}"), source::CELL_EVAL)
                .error(UNIT, LinearError),
            |it| on(it.own_deltas(), mae_of),
        ),
        entry(
            Text::new("expr_mse", "MSE (cell-eval2)", "(1/G)Σ(ŷ−y)² (cell-eval2 0.20)", source::CELL_EVAL2)
                .error(SQUARE, SquaredError),
            |it| mse_of(it.pred(), it.truth()),
        ),
        entry(
            Text::new("expr_mae", "MAE (cell-eval2)", "(1/G)Σ|ŷ−y| (cell-eval2 0.20)", source::CELL_EVAL2)
                .error(UNIT, LinearError),
            |it| mae_of(it.pred(), it.truth()),
        ),
        entry(
            Text::new("delta_mse", "MSE of deltas", format!("(1/G)Σ(δ̂−δ)², {real}"), source::CELL_EVAL2)
                .error(SQUARE, SquaredError),
            |it| on(it.deltas(), mse_of),
        ),
        entry(
            Text::new("delta_mae", "MAE of deltas", format!("(1/G)Σ|δ̂−δ|, {real}"), source::CELL_EVAL2)
                .error(UNIT, LinearError),
            |it| on(it.deltas(), mae_of),
        ),
    ]
}

/// Correlations, cosines and explained variance.
pub(crate) fn agreements() -> List {
    use CeilingRule::{AsIs, Reliability};
    let weighted = |it: &Row<'_, '_>| match it.weights() {
        Some(weights) => {
            let d = it.deltas();
            r2_of(&d.pred, &d.truth, Some(weights), d.scale_truth)
        }
        None => Score::Undefined(Why::NotGiven),
    };
    vec![
        entry(
            Text::new("pearson_raw", "Pearson (profiles)", "corr(ŷ, y)", source::AE).agreement(-1.0, Reliability),
            |it| pearson_of(it.pred(), it.truth(), 0.0, 0.0),
        ),
        // DIVERGES(pearson-delta-control)
        entry(
            Text::new(
                "pearson_delta",
                "Pearson delta",
                "corr(ŷ−ŷ_0, y−y_0); ŷ_0 is the control of the prediction where it has one (cell-eval 0.8), else y_0",
                source::CELL_EVAL,
            )
            .agreement(-1.0, Reliability),
            |it| pearson_deltas(it.own_deltas()),
        ),
        entry(
            Text::new(
                "delta_pearson",
                "Pearson delta (control of the truth)",
                "corr(ŷ−y_0, y−y_0), both sides from the control of the truth (cell-eval2 0.20, v2 settings)",
                source::CELL_EVAL2,
            )
            .agreement(-1.0, Reliability),
            |it| pearson_deltas(it.deltas()),
        ),
        entry(
            Text::new(
                "pearson_delta_pert",
                "Pearson delta from the perturbed mean",
                "corr(ŷ−O, y−O), O = unweighted mean of the train perturbations",
                source::SYSTEMA,
            )
            .agreement(-1.0, Reliability),
            |it| from_mean(it, pearson_deltas),
        ),
        entry(
            Text::new("spearman_delta", "Spearman delta", "corr of midranks of ŷ−y_0 and y−y_0", source::PEREGGRN)
                .agreement(-1.0, Reliability),
            |it| {
                let d = it.deltas();
                spearman_given(&d.pred, &d.truth, d.scale_pred, d.scale_truth, || it.truth_ranks().into())
            },
        ),
        entry(
            Text::new("cosine_delta", "Cosine delta", "⟨δ̂,δ⟩/(‖δ̂‖‖δ‖), δ = y−y_0", source::PERTURBENCH)
                .agreement(-1.0, Reliability),
            |it| cosine_deltas(it.deltas()),
        ),
        entry(
            Text::new(
                "mean_centred_cosine",
                "Cosine from the perturbed mean",
                "cosine of ŷ−O and y−O, O = unweighted mean of the train perturbations",
                source::PRESAGE,
            )
            .agreement(-1.0, Reliability),
            |it| from_mean(it, cosine_deltas),
        ),
        entry(
            Text::new("r2_delta", "R² of deltas", "1 − Σ(δ−δ̂)²/Σ(δ−δ̄)²", source::CELLSIMBENCH)
                .agreement(f64::NEG_INFINITY, AsIs),
            |it| r2_deltas(it.deltas()),
        ),
        entry(
            Text::new("weighted_r2_delta", "Weighted R² of deltas", "1 − Σw(δ−δ̂)²/Σw(δ−δ̄_w)²", source::CELLSIMBENCH)
                .agreement(f64::NEG_INFINITY, AsIs),
            weighted,
        ),
        entry(
            Text::new(
                "r2_delta_pert",
                "R² from the perturbed mean",
                "1 − Σ(d−d̂)²/Σ(d−d̄)², d = y−O, O = unweighted mean of the train perturbations",
                source::CELLSIMBENCH,
            )
            .agreement(f64::NEG_INFINITY, AsIs),
            |it| from_mean(it, r2_deltas),
        ),
        entry(
            Text::new(
                "weighted_r2_delta_pert",
                "Weighted R² from the perturbed mean",
                "1 − Σw(d−d̂)²/Σw(d−d̄_w)², d = y−O, O = unweighted mean of the train perturbations",
                source::CELLSIMBENCH,
            )
            .agreement(f64::NEG_INFINITY, AsIs),
            |it| match (it.weights(), it.mean_deltas()) {
                (Some(weights), Some(d)) => r2_of(&d.pred, &d.truth, Some(weights), d.scale_truth),
                _ => Score::Undefined(Why::NotGiven),
            },
        ),
        entry(
            Text::new(
                "frac_correct_direction",
                "Share of right directions",
                "share of genes with sgn(ŷ−y_0) = sgn(y−y_0)",
                source::GEARS,
            )
            .agreement(0.0, AsIs),
            |it| same_direction(it.deltas()),
        ),
    ]
}

/// Sizes of the top-gene variants.
const TOP: [usize; 4] = [20, 50, 100, 200];

/// Metrics on the genes with the largest true effect.
pub(crate) fn top_effect() -> List {
    use CeilingRule::{AsIs, LinearError, Reliability, SquaredError};
    let mut all: List = Vec::new();
    let mut family =
        |id: &str, name: &str, formula: &str, describe: fn(Text) -> MetricInfo, eval: fn(&Deltas) -> Score| {
            for k in TOP {
                let formula =
                    format!("{formula} over the {k} genes with the largest |y−y_0| of the truth, ties by position");
                let text = Text::new(format!("{id}_top{k}"), format!("{name}, top {k}"), formula, source::GEARS);
                all.push(entry(describe(text), move |it| on_top(it, k, eval)));
            }
        };
    family("pearson_delta", "Pearson delta", "corr(ŷ−y_0, y−y_0)", |t| t.agreement(-1.0, Reliability), pearson_deltas);
    family("cosine_delta", "Cosine delta", "⟨δ̂,δ⟩/(‖δ̂‖‖δ‖)", |t| t.agreement(-1.0, Reliability), cosine_deltas);
    family("r2_delta", "R² of deltas", "1 − Σ(δ−δ̂)²/Σ(δ−δ̄)²", |t| t.agreement(f64::NEG_INFINITY, AsIs), r2_deltas);
    family("mse", "MSE", "(1/k)Σ(ŷ−y)²", |t| t.error("profile units²", SquaredError), |d| on(d, mse_of));
    family("mae", "MAE", "(1/k)Σ|ŷ−y|", |t| t.error("profile units", LinearError), |d| on(d, mae_of));
    family("l2", "L2", "√Σ(ŷ−y)²", |t| t.error("profile units", LinearError), |d| on(d, l2_of));
    family(
        "frac_correct_direction",
        "Share of right directions",
        "share with sgn(ŷ−y_0) = sgn(y−y_0)",
        |t| t.agreement(0.0, AsIs),
        same_direction,
    );
    for k in TOP {
        let formula = format!(
            "cosine of ŷ−O and y−O over the {k} genes with the largest |y−y_0| of the truth, ties by position, O = unweighted mean of the train perturbations"
        );
        let name = format!("Cosine from the perturbed mean, top {k}");
        let text = Text::new(format!("mean_centred_cosine_top{k}"), name, formula, source::PRESAGE);
        let eval = move |it: &Row<'_, '_>| from_mean(it, |d| on_top_of(it, d, k, cosine_deltas));
        all.push(entry(text.agreement(-1.0, Reliability), eval));
    }
    all
}

fn on(d: &Deltas, f: fn(&[f64], &[f64]) -> Score) -> Score {
    f(&d.pred, &d.truth)
}

fn pearson_deltas(d: &Deltas) -> Score {
    pearson_of(&d.pred, &d.truth, d.scale_pred, d.scale_truth)
}

fn cosine_deltas(d: &Deltas) -> Score {
    cosine_of(&d.pred, &d.truth, d.scale_pred, d.scale_truth)
}

fn r2_deltas(d: &Deltas) -> Score {
    r2_of(&d.pred, &d.truth, None, d.scale_truth)
}

fn same_direction(d: &Deltas) -> Score {
    if d.truth.is_empty() {
        return Score::Undefined(Why::TooFewGenes);
    }
    let sign = |it: f64| if it == 0.0 { 0.0 } else { it.signum() };
    let same = d.pred.iter().zip(&d.truth).filter(|(p, t)| sign(**p) == sign(**t)).count();
    if d.pred.iter().chain(&d.truth).all(|it| it.is_finite()) {
        Score::Value(same as f64 / d.pred.len() as f64)
    } else {
        Score::Undefined(Why::NotFinite)
    }
}

fn from_mean(row: &Row<'_, '_>, f: impl Fn(&Deltas) -> Score) -> Score {
    row.mean_deltas().map_or(Score::Undefined(Why::NotGiven), f)
}

/// A metric on the `k` genes with the largest true effect, or on all if there are fewer.
fn on_top(row: &Row<'_, '_>, k: usize, f: fn(&Deltas) -> Score) -> Score {
    on_top_of(row, row.deltas(), k, f)
}

/// [`on_top`] of differences that need not be those from control.
fn on_top_of(row: &Row<'_, '_>, d: &Deltas, k: usize, f: fn(&Deltas) -> Score) -> Score {
    if d.truth.len() < 3 {
        return Score::Undefined(Why::TooFewGenes);
    }
    let top = row.top(k);
    let pick = |of: &[f64]| -> Vec<f64> { top.iter().map(|at| of[*at]).collect() };
    f(&Deltas { pred: pick(&d.pred), truth: pick(&d.truth), scale_pred: d.scale_pred, scale_truth: d.scale_truth })
}
