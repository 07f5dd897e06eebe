//! `score`: predictions of any other tool against the truth.

use super::{finish_run, run_options, scale_of};
use crate::cli::{Common, Profile, Score};
use crate::progress::TerminalProgress;
use cellstone_core::Result;
use cellstone_lab::{DEFAULT_METRICS, Registry, ScoreConfig};

/// The metrics of cell-eval 0.8 that compare profiles.
const CELL_EVAL: [&str; 8] = [
    "mse",
    "mae",
    "mse_delta",
    "mae_delta",
    "pearson_delta",
    "discrimination_score_l1",
    "discrimination_score_l2",
    "discrimination_score_cosine",
];

/// Scores a prediction file and prints the path of the report.
pub(super) fn score(common: &Common, args: &Score) -> Result<u8> {
    let registry = Registry::builtin();
    let metrics: Vec<String> = match args.profile {
        _ if !args.metrics.is_empty() => args.metrics.clone(),
        Profile::Default => DEFAULT_METRICS.iter().map(ToString::to_string).collect(),
        Profile::CellEvalV1 => CELL_EVAL.iter().map(ToString::to_string).collect(),
        Profile::All => registry.metrics().iter().map(|it| it.info().id.to_string()).collect(),
    };
    let stem = args.pred.file_stem().map_or_else(|| "prediction".to_owned(), |it| it.to_string_lossy().into_owned());
    let config = ScoreConfig {
        truth: args.truth.clone(),
        pred: args.pred.clone(),
        pert_col: args.pert_col.clone(),
        control: args.control.clone(),
        context_col: args.context_col.clone(),
        metrics,
        genes: args.genes.clone(),
        masks: args.masks.clone(),
        own_control: args.own_control || args.profile == Profile::CellEvalV1,
        scale: scale_of(args.scale),
        name: args.name.clone().unwrap_or(stem),
        draws: 10_000,
        flips: 100_000,
    };
    let progress = TerminalProgress::new(common);
    let options = run_options(common, &progress, Some(args.out.clone()), false, args.force)?;
    let outcome = cellstone_lab::score(&config, &registry, &options)?;
    Ok(finish_run(common, &outcome))
}
