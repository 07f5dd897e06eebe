//! The row types of every table in a run directory. Column order is field order and part of the format.

use crate::table_row;
use serde::{Deserialize, Serialize};

table_row! {
    /// One metric value of one method; a metric with one value a context has perturbation `*`. Table `scores`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct ScoreRow in "scores" {
        /// Method id.
        method: String,
        /// Split name.
        split: String,
        /// Seed of the method.
        seed: i64,
        /// Context.
        context: String,
        /// Canonical perturbation, or `*`.
        perturbation: String,
        /// Metric id.
        metric: String,
        /// The value; null unless status is `ok`.
        value: Option<f64>,
        /// `ok`, `undefined` or `error`.
        status: String,
        /// Why there is no value.
        reason: Option<String>,
    }
}

table_row! {
    /// A metric of a method in a context, aggregated over perturbations and splits. Table `summary`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct SummaryRow in "summary" {
        /// `full`: all that the method predicts; `common`: what every method predicts natively.
        set: String,
        /// Context.
        context: String,
        /// Method id.
        method: String,
        /// Metric id.
        metric: String,
        /// Mean over clusters of the mean over splits.
        mean: Option<f64>,
        /// Median.
        median: Option<f64>,
        /// 10 % quantile.
        q10: Option<f64>,
        /// 90 % quantile.
        q90: Option<f64>,
        /// Lower end of the 95 % interval of the mean.
        ci_lo: Option<f64>,
        /// Upper end of it.
        ci_hi: Option<f64>,
        /// Scores with a value.
        n_defined: i64,
        /// Scores asked for.
        n_total: i64,
        /// Scores predicted without a fallback rule.
        n_native: i64,
        /// Mean of the floor on the same conditions.
        floor: Option<f64>,
        /// Ceiling on the same conditions.
        ceiling: Option<f64>,
        /// (floor − mean) / (floor − ceiling).
        gap_closed: Option<f64>,
        /// Lower end of its 95 % interval.
        gap_lo: Option<f64>,
        /// Upper end of it.
        gap_hi: Option<f64>,
        /// Dynamic-range fraction of the metric on these data.
        drf: Option<f64>,
        /// Mean midrank over clusters, 1 is best.
        mean_rank: Option<f64>,
    }
}

table_row! {
    /// A method against a reference, paired over clusters. Table `pairs`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct PairRow in "pairs" {
        /// `full` or `common`.
        set: String,
        /// Context.
        context: String,
        /// Metric id.
        metric: String,
        /// Method id.
        method: String,
        /// Id of the method compared with.
        reference: String,
        /// Mean of method − reference, in the metric's unit.
        diff: Option<f64>,
        /// Lower end of its 95 % interval.
        ci_lo: Option<f64>,
        /// Upper end of it.
        ci_hi: Option<f64>,
        /// Two-sided sign-flip p value.
        p_raw: Option<f64>,
        /// The same, Holm-adjusted over methods.
        p_holm: Option<f64>,
        /// Share of clusters in which the method is better.
        win_share: Option<f64>,
        /// Lower end of its Wilson interval.
        win_lo: Option<f64>,
        /// Upper end of it.
        win_hi: Option<f64>,
        /// Number of clusters.
        n_clusters: i64,
        /// The verdict in a word or two.
        verdict: String,
    }
}

table_row! {
    /// The mean rank of a method on a metric. Table `ranks`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct RankRow in "ranks" {
        /// Context.
        context: String,
        /// Metric id.
        metric: String,
        /// Method id.
        method: String,
        /// Mean midrank, 1 is best.
        mean_rank: f64,
        /// Nemenyi's critical difference at 5 %.
        critical_difference: Option<f64>,
        /// Number of clusters.
        n_clusters: i64,
        /// Friedman's statistic.
        friedman_chi2: Option<f64>,
        /// Its p value.
        friedman_p: Option<f64>,
    }
}

table_row! {
    /// A point of a stratified error curve. Table `curves`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct CurveRow in "curves" {
        /// Context.
        context: String,
        /// Method id.
        method: String,
        /// `strat_expr` (genes ranked by control expression) or `strat_de` (by effect).
        kind: String,
        /// Number of genes included.
        rank: i64,
        /// Mean cumulative L2 error over perturbations.
        value: f64,
        /// Its standard error.
        se: Option<f64>,
    }
}

table_row! {
    /// How strong a perturbation is. Table `effects`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct EffectRow in "effects" {
        /// Context.
        context: String,
        /// Canonical perturbation.
        perturbation: String,
        /// Its label in the data.
        raw: String,
        /// Number of targets.
        n_targets: i64,
        /// Number of cells.
        n_cells: i64,
        /// Euclidean norm of delta.
        delta_norm: f64,
        /// Sampling variance of the mean, T_c.
        noise: Option<f64>,
        /// Subgroup of the split protocol.
        subgroup: Option<String>,
    }
}

table_row! {
    /// Something a fitted method says about itself: a chosen hyper-parameter, a count. Table `fits`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct FitRow in "fits" {
        /// Method id.
        method: String,
        /// Split name.
        split: String,
        /// Seed of the method.
        seed: i64,
        /// What.
        key: String,
        /// Its value.
        value: String,
    }
}

table_row! {
    /// The part of a condition in a split. Table `splits`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct SplitRow in "splits" {
        /// Split name.
        split: String,
        /// Split protocol.
        protocol: String,
        /// Seed of the split.
        seed: i64,
        /// Context.
        context: String,
        /// Label in the data.
        condition: String,
        /// Canonical perturbation.
        perturbation: String,
        /// `train`, `val` or `test`.
        part: String,
        /// Subgroup of the protocol.
        subgroup: Option<String>,
    }
}

table_row! {
    /// Whether a method predicted a condition by itself or by its documented rule. Table `coverage`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct CoverageRow in "coverage" {
        /// Method id.
        method: String,
        /// Split name.
        split: String,
        /// Seed of the method.
        seed: i64,
        /// Context.
        context: String,
        /// Canonical perturbation.
        perturbation: String,
        /// Whether it predicted by itself.
        native: bool,
        /// The rule used otherwise.
        rule: Option<String>,
        /// Why it could not.
        reason: Option<String>,
    }
}

table_row! {
    /// A method of the run. Table `methods`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct MethodRow in "methods" {
        /// Method id.
        method: String,
        /// Name for people.
        name: String,
        /// `floor`, `baseline`, `model`, `oracle` or `ceiling`.
        role: String,
        /// What it does, in a sentence.
        summary: String,
        /// Paper or repository.
        source: String,
    }
}

table_row! {
    /// A metric of the run. Table `metrics`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct MetricRow in "metrics" {
        /// Metric id.
        metric: String,
        /// Name for people.
        name: String,
        /// Unit, empty for a pure number.
        unit: String,
        /// `lower_is_better` or `higher_is_better`.
        direction: String,
        /// Definition in one line.
        formula: String,
        /// Paper or repository.
        source: String,
        /// Gene set.
        genes: String,
        /// Genes left out besides.
        mask: String,
        /// Whether it carries the answer.
        headline: bool,
        /// Best possible value.
        best: f64,
    }
}

table_row! {
    /// A predicted profile. Table `predictions`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct PredictionRow in "predictions" {
        /// Method id.
        method: String,
        /// Split name.
        split: String,
        /// Seed of the method.
        seed: i64,
        /// Context.
        context: String,
        /// Canonical perturbation.
        perturbation: String,
        /// Name of the gene set.
        genes: String,
        /// The profile, in the order of the gene set.
        profile: Vec<f32>,
    }
}

table_row! {
    /// Something a reader of the report must know. Table `notes`.
    #[derive(Default, Serialize, Deserialize)]
    pub struct NoteRow in "notes" {
        /// `info` or `warning`.
        level: String,
        /// The text.
        text: String,
    }
}

table_row! {
    /// The part of a condition. The table that `split` writes.
    #[derive(Default, Serialize, Deserialize)]
    pub struct PartRow in "split" {
        /// The name in the file.
        condition: String,
        /// `train`, `val` or `test`.
        part: String,
    }
}
