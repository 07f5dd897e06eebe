//! Phenotype studies, `annotate` and `entropy`: what a network says about the phenotypes of cells.

use super::{check_out, finish_run, run_options};
use crate::cli::{Annotate, Common, ConditionArg, Entropy, PhenotypeQueryArgs, Run, Simulate};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use cellstone_core::{Error, Result, Scale, Seed};
use cellstone_fixtures::{PhenotypeSpec, simulate_phenotypes_to_h5ad};
use cellstone_io::{OpenOptions, open_source};
use cellstone_lab::phenotype::{
    Annotation, PhenotypeConfig, PhenotypeNetwork, annotate as predict, entropy_row, load_phenotype, plan_phenotype,
    run_phenotype,
};
use cellstone_lab::{Progress as _, in_file};
use cellstone_model::{DeviceChoice, select};
use cellstone_report::{ColumnData, Table, write_columns};
use serde_json::json;
use std::path::Path;

/// More classes than this share one column of probabilities.
const MANY: usize = 64;

/// Whether a file asks for a phenotype study.
pub(crate) fn is_phenotype(path: &Path) -> bool {
    let table = std::fs::read_to_string(path).ok().and_then(|it| it.parse::<toml::Table>().ok());
    table.is_some_and(|it| it.get("kind").and_then(toml::Value::as_str) == Some("phenotype"))
}

/// Runs one study file.
pub(super) fn phenotype(common: &Common, args: &Run) -> Result<u8> {
    // A device that is not there before anything else: reading the cells may take long.
    let device = select(DeviceChoice::parse(&common.device)?)?;
    let config = load_phenotype(&args.file, &args.overrides)?;
    let progress = TerminalProgress::new(common);
    let mut options = run_options(common, &progress, args.out.clone(), args.resume, args.force)?;
    device.name().clone_into(&mut options.device);
    let outcome = run_phenotype(&config, &options).map_err(|it| missing_input(it, &config))?;
    Ok(finish_run(common, &outcome))
}

/// What a study would do.
pub(super) fn plan(file: &Path, overrides: &[String]) -> Result<String> {
    let config = load_phenotype(file, overrides)?;
    plan_phenotype(&config).map_err(|it| missing_input(it, &config))
}

/// Simulated cells are made once and for all: say how.
fn missing_input(error: Error, config: &PhenotypeConfig) -> Error {
    if config.id.starts_with("phenotype_atlas") && !config.data.path.exists() {
        let path = config.data.path.display();
        return error.with_hint(format!("cargo xtask simulate --preset phenotypes --out {path}"));
    }
    error
}

/// Whether a preset is one of the phenotype atlases.
pub(super) fn is_preset(preset: &str) -> bool {
    PhenotypeSpec::presets().any(|it| it.0 == preset)
}

/// Writes a simulated phenotype atlas.
pub(super) fn simulate(common: &Common, args: &Simulate) -> Result<u8> {
    let spec = PhenotypeSpec::preset(&args.preset)?.with_size(args.n_obs, args.n_vars)?;
    let progress = TerminalProgress::new(common);
    progress.begin("simulating", Some(spec.n_obs as u64), "cells");
    let mut before = 0;
    let mut tick = |done: usize, _: usize| {
        progress.advance((done - before) as u64);
        before = done;
    };
    let options = cellstone_io::WriteOptions { overwrite: args.force, ..cellstone_io::WriteOptions::default() };
    let result = simulate_phenotypes_to_h5ad(spec.clone(), Seed::new(args.seed), &args.out, &options, &mut tick);
    progress.end();
    let truth = result?;
    let stages: Vec<String> =
        truth.stages().iter().map(|it| format!("{} {:.2}", it.stage, it.entropy.unwrap_or(it.law_entropy))).collect();
    let shown = args.out.display();
    say(common, &format!("{} cells × {} genes in {shown}", spec.n_obs, spec.n_vars));
    say(common, &format!("planted entropy of the cell type, nats: {}", stages.join(", ")));
    Ok(0)
}

/// Writes the predicted phenotype of every cell.
pub(super) fn annotate(common: &Common, args: &Annotate) -> Result<u8> {
    if args.top == 0 {
        return Err(Error::config("--top 0: expected at least 1"));
    }
    let found = ask(common, &args.query)?;
    let ranks = found.ranks()?;
    let order = |row: usize| -> Vec<usize> {
        let p = found.p.row(row);
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|a, b| p[*b].total_cmp(&p[*a]).then(a.cmp(b)));
        order
    };
    let orders: Vec<Vec<usize>> = (0..found.cells.len()).map(order).collect();
    let best = |row: usize| orders[row].first().copied().unwrap_or(0);
    let named = |row: usize| {
        orders[row].iter().take(args.top).map(|it| found.classes[*it].as_str()).collect::<Vec<_>>().join(";")
    };
    let top = |row: usize| orders[row].iter().take(args.top).map(|it| found.p[[row, *it]] as f32).collect();
    let rows = 0..found.cells.len();
    let mut columns = head(&found);
    columns.push((
        "predicted".into(),
        ColumnData::Str(rows.clone().map(|it| Some(found.classes[best(it)].clone())).collect()),
    ));
    columns.push(("p".into(), ColumnData::Float(rows.clone().map(|it| Some(found.p[[it, best(it)]])).collect())));
    if found.truth.is_some() {
        let p_true = |row: usize| found.class[row].map(|it| found.p[[row, it as usize]]);
        columns.push(("rank".into(), ColumnData::Int(ranks.iter().map(|it| it.map(i64::from)).collect())));
        columns.push(("p_true".into(), ColumnData::Float(rows.clone().map(p_true).collect())));
    }
    columns.push(("top".into(), ColumnData::Str(rows.clone().map(|it| Some(named(it))).collect())));
    columns.push(("p_top".into(), ColumnData::Floats(rows.clone().map(|it| Some(top(it))).collect())));
    if found.classes.len() <= MANY {
        for (at, class) in found.classes.iter().enumerate() {
            let p = rows.clone().map(|it| Some(found.p[[it, at]])).collect();
            columns.push((format!("p:{class}"), ColumnData::Float(p)));
        }
    } else {
        let all = |row: usize| found.p.row(row).iter().map(|it| *it as f32).collect();
        columns.push(("probabilities".into(), ColumnData::Floats(rows.map(|it| Some(all(it))).collect())));
    }
    finish(common, &args.query, &found, columns)
}

/// Writes the entropy of the predicted phenotype of every cell.
pub(super) fn entropy(common: &Common, args: &Entropy) -> Result<u8> {
    let found = ask(common, &args.query)?;
    let n_classes = found.classes.len();
    let rows: Vec<_> = found.entropies().into_iter().map(|it| entropy_row(it, n_classes)).collect();
    let mut columns = head(&found);
    let column = |f: &dyn Fn(usize) -> f64| ColumnData::Float((0..rows.len()).map(|it| Some(f(it))).collect());
    columns.push(("entropy_nats".into(), column(&|it| rows[it].nats)));
    columns.push(("entropy_bits".into(), column(&|it| rows[it].bits)));
    columns.push(("entropy_normalized".into(), column(&|it| rows[it].normalized)));
    columns.push(("perplexity".into(), column(&|it| rows[it].perplexity)));
    columns.push(("entropy_as_predicted_nats".into(), column(&|it| found.h_full[it])));
    if found.truth.is_some() {
        let nll = |row: usize| found.class[row].map(|it| -found.p[[row, it as usize]].max(f64::EPSILON).ln());
        columns.push(("nll_nats".into(), ColumnData::Float((0..rows.len()).map(nll).collect())));
    }
    finish(common, &args.query, &found, columns)
}

/// Cell and truth.
fn head(found: &Annotation) -> Vec<(String, ColumnData)> {
    let mut columns =
        vec![("cell_id".to_owned(), ColumnData::Str(found.cells.iter().map(|it| Some(it.clone())).collect()))];
    if let Some(it) = &found.truth {
        columns.push(("truth".to_owned(), ColumnData::Str(it.clone())));
    }
    columns
}

fn ask(common: &Common, query: &PhenotypeQueryArgs) -> Result<Annotation> {
    check_out(&query.out, query.force, &["parquet", "csv"])?;
    let device = select(DeviceChoice::parse(&common.device)?)?;
    let network = PhenotypeNetwork::open(&query.checkpoint, &device)?;
    network.category(&query.category)?;
    let options = OpenOptions { scale: Scale::Counts, matrix: Some(query.matrix.clone()), ..OpenOptions::default() };
    let source = open_source(&query.input, &options)?;
    let shown = match query.condition {
        ConditionArg::Masked => "masked",
        ConditionArg::Visible => "visible",
        ConditionArg::Dropped => "dropped",
    };
    let progress = TerminalProgress::new(common);
    predict(source.as_ref(), &network, &query.category, shown, &progress)
        .map_err(|error| in_file(error, &query.input.display().to_string()))
}

fn finish(
    common: &Common,
    query: &PhenotypeQueryArgs,
    found: &Annotation,
    columns: Vec<(String, ColumnData)>,
) -> Result<u8> {
    write_columns(&query.out, &Table::new(columns)?)?;
    let n_rejected: usize = found.rejected.values().sum();
    if n_rejected > 0 {
        let why: Vec<String> = found.rejected.iter().map(|(reason, n)| format!("{reason}: {n}")).collect();
        say(common, &format!("{n_rejected} cells have no row ({})", why.join(", ")));
    }
    let (e, over, floor) = found.smoothing;
    let h = found.entropies();
    let mean = h.iter().sum::<f64>() / h.len().max(1) as f64;
    let accuracy = found.accuracy()?;
    let most = entropy_row(mean, found.classes.len());
    let hits = accuracy.map_or_else(String::new, |it| format!("; {:.1} % are called what the file says", 100.0 * it));
    say(
        common,
        &format!(
            "{} cells, {} classes of `{}`, mean entropy {:.3} bits ({:.3} normalized){hits}",
            found.cells.len(),
            found.classes.len(),
            found.category,
            most.bits,
            most.normalized
        ),
    );
    let bits = floor.nats / std::f64::consts::LN_2;
    let text = if e > 0.0 {
        format!(
            "label smoothing {e} over {over} ids: no probability above {:.4}, no entropy below {bits:.3} bits as predicted; undone here",
            floor.q_max
        )
    } else {
        "the network was trained without label smoothing: its entropy has no floor".to_owned()
    };
    say(common, &text);
    if common.json {
        let summary = json!({
            "category": found.category,
            "classes": found.classes,
            "n_cells": found.cells.len(),
            "rejected": found.rejected,
            "accuracy": accuracy,
            "mean_entropy_nats": mean,
            "mean_entropy_normalized": most.normalized,
            "calibrated": false,
            "label_smoothing": e,
            "floor_nats": floor.nats,
            "largest_probability": floor.q_max,
            "clipped_cells": found.n_fallback,
        });
        out(&serde_json::to_string_pretty(&summary).map_err(|error| Error::config(error.to_string()))?);
    }
    Ok(0)
}
