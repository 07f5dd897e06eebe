//! `demo`, `run`, `plan`.

use super::phenotype::{is_phenotype, phenotype, plan as plan_phenotype};
use super::pretrain::{is_pretrain, plan as plan_pretrain, pretrain};
use super::rank_study::{is_rank_study, rank_study};
use super::{finish_run, run_options};
use crate::cli::{Common, Demo, Plan, Pretrain, RankStudy, Run};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use crate::tidy::workspace_root;
use cellstone_core::{Error, Result, Seed};
use cellstone_fixtures::{PerturbSeqSpec, simulate_to_h5ad};
use cellstone_lab::{Progress as _, Registry, load_config};
use std::path::PathBuf;

/// Simulates cells, runs the experiment on them, and prints the path of the report.
pub(super) fn demo(common: &Common, args: &Demo) -> Result<u8> {
    let progress = TerminalProgress::new(common);
    let spec = PerturbSeqSpec::preset("demo")?;
    let input = PathBuf::from("runs").join(format!("demo-seed{}.h5ad", args.seed));
    std::fs::create_dir_all("runs").map_err(|error| Error::io("runs".as_ref(), error))?;
    say(common, &format!("simulating {} cells × {} genes into {}", spec.n_obs, spec.n_vars, input.display()));
    write_simulated(&progress, &spec, args.seed, &input, true)?;
    let registry = Registry::builtin();
    let file = workspace_root().join("experiments/demo.toml");
    let absolute = std::path::absolute(&input).map_err(|error| Error::io(&input, error))?;
    let overrides = [format!("data.path={}", toml::Value::String(absolute.display().to_string()))];
    let config = load_config(&file, &overrides, &registry)?;
    let options = run_options(common, &progress, args.out.clone(), false, args.force)?;
    let outcome = cellstone_lab::run(&config, &registry, &options)?;
    say(common, &demo_summary(&outcome.dir)?);
    Ok(finish_run(common, &outcome))
}

/// The mean headline error of every method, best first, in plain words.
fn demo_summary(dir: &std::path::Path) -> Result<String> {
    use cellstone_report::schema::SummaryRow;
    let rows: Vec<SummaryRow> = cellstone_report::read_table(&dir.join("tables"), "summary")?;
    let mut l2: Vec<(f64, String)> = rows
        .into_iter()
        .filter(|it| it.set == "full" && it.metric == "l2")
        .filter_map(|it| it.mean.map(|mean| (mean, it.method)))
        .collect();
    l2.sort_by(|a, b| a.0.total_cmp(&b.0));
    let lines: Vec<String> = l2.into_iter().map(|(mean, method)| format!("  {mean:8.3}  {method}")).collect();
    Ok(format!("mean L2 error on held-out doubles, best first:\n{}", lines.join("\n")))
}

pub(super) fn write_simulated(
    progress: &TerminalProgress,
    spec: &PerturbSeqSpec,
    seed: u64,
    path: &std::path::Path,
    overwrite: bool,
) -> Result<()> {
    progress.begin("simulating", Some(spec.n_obs as u64), "cells");
    let mut before = 0;
    let mut tick = |done: usize, _: usize| {
        progress.advance((done - before) as u64);
        before = done;
    };
    let options = cellstone_io::WriteOptions { overwrite, ..cellstone_io::WriteOptions::default() };
    let result = simulate_to_h5ad(spec.clone(), Seed::new(seed), path, &options, &mut tick);
    progress.end();
    result.map(|_| ())
}

/// Runs one experiment file.
pub(super) fn run(common: &Common, args: &Run) -> Result<u8> {
    if is_rank_study(&args.file) {
        let Run { file, overrides, out, resume, force } = args.clone();
        return rank_study(common, &RankStudy { file, overrides, out, resume, force, plan: false });
    }
    if is_pretrain(&args.file) {
        let Run { file, overrides, out, resume, force } = args.clone();
        return pretrain(common, &Pretrain { file, overrides, out, resume, force });
    }
    if is_phenotype(&args.file) {
        return phenotype(common, args);
    }
    let registry = Registry::builtin();
    let config = load_config(&args.file, &args.overrides, &registry)?;
    let progress = TerminalProgress::new(common);
    let options = run_options(common, &progress, args.out.clone(), args.resume, args.force)?;
    let outcome = cellstone_lab::run(&config, &registry, &options)?;
    Ok(finish_run(common, &outcome))
}

/// Prints what an experiment would do.
pub(super) fn plan(args: &Plan) -> Result<u8> {
    if is_rank_study(&args.file) {
        let config = cellstone_lab::rank_study::load_study(&args.file, &args.overrides)?;
        out(cellstone_lab::rank_study::plan_study(&config)?.trim_end());
        return Ok(0);
    }
    if is_pretrain(&args.file) {
        out(plan_pretrain(&args.file, &args.overrides)?.trim_end());
        return Ok(0);
    }
    if is_phenotype(&args.file) {
        out(plan_phenotype(&args.file, &args.overrides)?.trim_end());
        return Ok(0);
    }
    let config = load_config(&args.file, &args.overrides, &Registry::builtin())?;
    out(&cellstone_lab::plan(&config)?);
    Ok(0)
}
