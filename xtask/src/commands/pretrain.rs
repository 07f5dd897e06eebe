//! `pretrain`: a network from a file of cells.

use super::{finish_run, run_options};
use crate::cli::{Common, Pretrain};
use crate::progress::TerminalProgress;
use crate::terminal::say;
use cellstone_core::{Error, Result};
use cellstone_lab::pretrain::{PretrainConfig, load_pretrain, plan_pretrain, run_pretrain};
use cellstone_model::{DeviceChoice, select};
use cellstone_report::pretrain::schema::HeldOutRow;
use std::path::Path;

/// Trains a network and says what it makes of cells that it never learnt from.
pub(super) fn pretrain(common: &Common, args: &Pretrain) -> Result<u8> {
    // A device that is not there before anything else: reading the cells may take long.
    let device = select(DeviceChoice::parse(&common.device)?)?;
    let config = load_pretrain(&args.file, &args.overrides)?;
    let progress = TerminalProgress::new(common);
    let options = run_options(common, &progress, args.out.clone(), args.resume, args.force)?;
    let outcome = run_pretrain(&config, &options, &device).map_err(|it| missing_input(it, &config))?;
    let rows: Vec<HeldOutRow> = cellstone_report::read_table(&outcome.dir.join("tables"), "held_out_phenotypes")?;
    say(common, &summary(&rows));
    say(common, &format!("checkpoint: {}", outcome.dir.join("checkpoints").join("best").display()));
    Ok(finish_run(common, &outcome))
}

/// What a pretraining would do.
pub(super) fn plan(file: &Path, overrides: &[String]) -> Result<String> {
    let config = load_pretrain(file, overrides)?;
    plan_pretrain(&config).map_err(|it| missing_input(it, &config))
}

/// Whether a file asks for a pretraining.
pub(crate) fn is_pretrain(path: &Path) -> bool {
    let table = std::fs::read_to_string(path).ok().and_then(|it| it.parse::<toml::Table>().ok());
    table.is_some_and(|it| it.get("kind").and_then(toml::Value::as_str) == Some("pretrain"))
}

/// Shares of right answers where all phenotypes are hidden.
fn summary(rows: &[HeldOutRow]) -> String {
    let part = if rows.iter().any(|it| it.part == "held_out") { "held_out" } else { "validation" };
    let of = |category: &str, condition: &str, method: &str| {
        rows.iter()
            .find(|it| it.part == part && it.category == category && it.condition == condition && it.method == method)
            .and_then(|it| it.accuracy)
            .map_or_else(|| "–".to_owned(), |it| format!("{:.1} %", it * 100.0))
    };
    let mut lines = vec![format!("right on {} cells, other phenotypes hidden:", part.replace('_', "-"))];
    for it in rows.iter().filter(|it| it.part == part && it.condition == "masked" && it.method == "model" && it.n > 0) {
        lines.push(format!(
            "  {}: {} of {} cells ({} always the commonest, {} from the other phenotypes where they are shown)",
            it.category,
            of(&it.category, "masked", "model"),
            it.n,
            of(&it.category, "masked", "majority"),
            of(&it.category, "visible", "conditional"),
        ));
    }
    if lines.len() == 1 { "no cell was held out".to_owned() } else { lines.join("\n") }
}

/// Simulated cells are made once and for all: say how.
fn missing_input(error: Error, config: &PretrainConfig) -> Error {
    let missing = config.data.path.as_ref().filter(|it| !it.exists());
    match missing.filter(|_| config.id.starts_with("pretrain_atlas")) {
        Some(it) => error.with_hint(format!("cargo xtask simulate --preset phenotypes --out {}", it.display())),
        None => error,
    }
}
