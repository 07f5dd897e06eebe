//! `rank-study`: the rank-value study, and the atlas that it can be run on.

use super::{finish_run, run_options};
use crate::cli::{Common, RankStudy, Simulate};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use cellstone_core::{Error, Result, Seed};
use cellstone_fixtures::{AtlasSpec, PerturbSeqSpec, atlas_obo_path, simulate_atlas_to_h5ad};
use cellstone_lab::Progress as _;
use cellstone_lab::rank_study::{StudyConfig, load_study, plan_study, run_study};
use cellstone_report::rank_study::schema::UnitRunRow;
use std::path::Path;

/// Runs one study file, or says what it would do.
pub(super) fn rank_study(common: &Common, args: &RankStudy) -> Result<u8> {
    let config = load_study(&args.file, &args.overrides).map_err(|error| simulated_hint(error, &args.file))?;
    if args.plan {
        out(plan_study(&config).map_err(|it| missing_input(it, &config))?.trim_end());
        return Ok(0);
    }
    let progress = TerminalProgress::new(common);
    let options = run_options(common, &progress, args.out.clone(), args.resume, args.force)?;
    let outcome = run_study(&config, &options).map_err(|it| missing_input(it, &config))?;
    if outcome.n_errors > 0 {
        let rows: Vec<UnitRunRow> = cellstone_report::read_table(&outcome.dir.join("tables"), "unit_runs")?;
        for it in rows.iter().filter(|it| it.status == "error") {
            let why = it.reason.as_deref().unwrap_or("no reason given");
            say(common, &format!("seed {}, {}: {why}", it.seed, it.unit));
        }
    }
    Ok(finish_run(common, &outcome))
}

/// Whether a file asks for a rank study.
pub(crate) fn is_rank_study(path: &Path) -> bool {
    let table = std::fs::read_to_string(path).ok().and_then(|it| it.parse::<toml::Table>().ok());
    table.is_some_and(|it| it.get("kind").and_then(toml::Value::as_str) == Some("rank_study"))
}

fn simulated_hint(error: Error, file: &Path) -> Error {
    if file.exists() { error } else { error.with_hint("`cargo xtask list experiments` names the files there are") }
}

/// The atlas is simulated once and for all: say how.
fn missing_input(error: Error, config: &StudyConfig) -> Error {
    let missing = config.data.file.iter().find(|it| !it.path.exists());
    match missing.filter(|_| config.id.starts_with("rank_atlas")) {
        Some(it) => error.with_hint(format!("cargo xtask simulate --preset atlas --out {}", it.path.display())),
        None => error,
    }
}

/// Whether a preset is one of the atlases.
pub(super) fn is_atlas(preset: &str) -> bool {
    AtlasSpec::presets().any(|it| it.0 == preset)
}

/// A preset that no simulator has.
pub(super) fn unknown_preset(preset: &str) -> Error {
    let names: Vec<&str> = PerturbSeqSpec::presets()
        .chain(AtlasSpec::presets())
        .chain(cellstone_fixtures::PhenotypeSpec::presets())
        .map(|it| it.0)
        .collect();
    let shown: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
    let error = Error::config(format!("preset `{preset}` not found (presets: {})", cellstone_core::quoted(&shown)));
    match cellstone_core::nearest(preset, names) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// Writes a simulated atlas.
pub(super) fn simulate_atlas(common: &Common, args: &Simulate) -> Result<u8> {
    let spec = AtlasSpec::preset(&args.preset)?.with_size(args.n_obs, args.n_vars)?;
    let progress = TerminalProgress::new(common);
    progress.begin("simulating", Some(spec.n_obs as u64), "cells");
    let mut before = 0;
    let mut tick = |done: usize, _: usize| {
        progress.advance((done - before) as u64);
        before = done;
    };
    let options = cellstone_io::WriteOptions { overwrite: args.force, ..cellstone_io::WriteOptions::default() };
    let result = simulate_atlas_to_h5ad(spec.clone(), Seed::new(args.seed), &args.out, &options, &mut tick);
    progress.end();
    result?;
    let (shown, obo) = (args.out.display(), atlas_obo_path(&args.out));
    say(
        common,
        &format!("{} cells × {} genes in {shown}, the tree of types in {}", spec.n_obs, spec.n_vars, obo.display()),
    );
    Ok(0)
}
