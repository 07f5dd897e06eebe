//! What a model knows about phenotypes: scores of masked classification, with donors as the unit of evidence.
//!
//! Everything takes plain arrays: probabilities `[n_obs, n_classes]` over the candidates of one category, the true
//! class and the donor of every cell. Intervals resample donors, never cells. What a number means beside baselines,
//! files and splits is not here.
//!
//! ```
//! use cellstone_core::Seed;
//! use cellstone_metrics::phenotype::{EvalParams, Predictions, Weighting, evaluate};
//! let p = ndarray::array![[0.7, 0.3], [0.4, 0.6], [0.8, 0.2], [0.1, 0.9], [0.6, 0.4], [0.3, 0.7]];
//! let it = Predictions::new(p.view(), &[0, 1, 0, 1, 1, 1], &[0, 1, 2, 3, 4, 5])?;
//! let found = evaluate(&it, &EvalParams::protocol(Seed::new(1)))?;
//! let row = found.row("balanced_accuracy", Weighting::Cell).unwrap();
//! assert_eq!(row.interval.estimate.value(), Some(0.875));
//! # Ok::<(), cellstone_core::Error>(())
//! ```

mod age_permutation;
mod ages;
mod auc;
mod bootstrap;
mod calibration;
mod cam;
mod conformal;
mod confusion;
mod donor_scores;
mod entropy;
mod evaluate;
mod hierarchy;
mod information;
mod input;
mod linalg;
mod matched;
mod novelty;
mod ordinal;
mod paired;
mod ranks;
mod regression;

pub use age_permutation::{AgePermutation, permute_ages};
pub use ages::{AgeBin, Stage, StageKind, age_bin, age_bin_of_years, cam_age, cam_bin, stage, stage_ids};
pub use auc::{OneVsRest, auprc, auroc, one_vs_rest};
pub use bootstrap::{
    BootstrapParams, Interval, NoInterval, bca_levels, bootstrap_scores, donor_bootstrap, donor_mean_interval,
};
pub use calibration::{
    Binning, BrierParts, CalibrationParams, CalibrationReport, Desmoothed, ReliabilityRow, Temperature, brier,
    brier_parts, calibration, classwise_ece, desmooth_restrict, ece, fit_temperature, log_of, max_calibration_error,
    nll, reliability, scale_temperature,
};
pub use cam::{cam_hit, cam_partial_ratio};
pub use conformal::{Conformal, ConformalMode, ConformalScore, Coverage, coverage, weighted_quantile};
pub use confusion::{ClassMetric, ClassRow, Confusion};
pub use donor_scores::DonorScores;
pub use entropy::{
    EntropyRow, Floor, FloorReport, GroupRow, entropies, entropy, entropy_row, floor_report, group_entropy,
    log_softmax_entropies, smoothing_floor,
};
pub use evaluate::{EvalParams, Evaluation, MetricRow, evaluate};
pub use hierarchy::{
    Closure, CutBack, CutBackScores, HierarchicalScores, Hierarchy, Relation, Relations, cut_back, cut_back_scores,
    frequent_terms, information_content, mixed_granularity_share, term_probabilities,
};
pub use information::{Information, conditional_information, mutual_information};
pub use input::{Donors, Predictions, Weighting, restrict, softmax};
pub use matched::{MatchDonor, Matched, matched_difference};
pub use novelty::{
    DepthTrap, Mahalanobis, NoveltyRule, NoveltyScores, Oscr, RiskCoverage, depth_trap, energy, ensemble_disagreement,
    knn_cosine, ledoit_wolf, max_p_score, novelty_metrics, oscr, risk_coverage,
};
pub use ordinal::{OrdinalScores, expected_years, ordinal_scores};
pub use paired::{PairedDifference, paired_difference};
pub use ranks::{TrueRanks, argmax, chance, decisions, true_ranks};
pub use regression::{
    AgeFit, AgeMethod, AgeRegression, ClusterFit, Coefficient, Covariate, Wald, WildTest, age_regression,
    cluster_regression, natural_spline, wild_bootstrap,
};
