//! `split`, `simulate`, `inspect`.

use super::check_out;
use super::experiment::write_simulated;
use crate::cli::{Common, Inspect, Simulate, Split};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use cellstone_core::{Error, Part, Result, Scale};
use cellstone_fixtures::PerturbSeqSpec;
use cellstone_io::{OpenOptions, atomic_write, open_source};
use cellstone_lab::require_label;
use cellstone_prep::{
    CellLabels, LabelColumns, ParseOptions, SplitCondition, SplitMeta, SplitParams, make_splits, read_condition_list,
    split_to_json,
};
use cellstone_report::schema::PartRow;
use std::io::Write as _;

/// Writes a split.
pub(super) fn split(args: &Split) -> Result<u8> {
    let ending = check_out(&args.out, args.force, &["csv", "parquet", "json"])?;
    let conditions = read_conditions(args)?;
    let mut params = SplitParams { variant: args.variant.clone(), ..SplitParams::default() };
    params.k = args.k.unwrap_or(params.k);
    let splits = make_splits(&args.protocol, &params, &conditions, args.seed)?;
    let split = splits.get(args.fold).ok_or_else(|| {
        Error::config(format!("--fold {}: the protocol makes {} splits, counted from 0", args.fold, splits.len()))
    })?;
    if ending == "json" {
        let text = split_to_json(split, &SplitMeta::default())?;
        return atomic_write(&args.out, args.force, |file| {
            file.write_all(text.as_bytes()).map_err(|error| Error::io(&args.out, error))
        })
        .map(|()| 0);
    }
    let rows: Vec<PartRow> = conditions
        .iter()
        .filter_map(|it| {
            let part = if it.condition.is_control() { Some(Part::Train) } else { split.part(&it.context, &it.raw) };
            part.map(|part| PartRow { condition: it.raw.clone(), part: part.to_string() })
        })
        .collect();
    let dir = args.out.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(".".as_ref());
    let name = args.out.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    cellstone_report::write_table(dir, &name, &rows)?;
    Ok(0)
}

fn read_conditions(args: &Split) -> Result<Vec<SplitCondition>> {
    if let Some(path) = &args.conditions {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        return read_condition_list(&text).map_err(|error| error.context(format!("`{}`", path.display())));
    }
    let path = args.input.as_ref().ok_or_else(|| Error::config("neither an input nor --conditions was given"))?;
    // Only the annotation is read, so the scale of the values does not matter.
    let source = open_source(path, &OpenOptions { scale: Scale::Effect, ..OpenOptions::default() })?;
    let columns =
        LabelColumns { pert: args.pert_col.clone(), context: args.context_col.clone(), ..LabelColumns::default() };
    let parse = ParseOptions { control_labels: args.control.clone().into_iter().collect(), ..ParseOptions::default() };
    let file = path.display().to_string();
    let labels = CellLabels::from_obs(source.obs(), source.var(), &columns, &parse, &file)?;
    require_label(source.obs(), &labels.columns.pert, &parse.control_labels, &file)?;
    Ok(labels
        .groups
        .iter()
        .map(|it| SplitCondition { context: it.context.clone(), condition: it.condition.clone(), raw: it.raw.clone() })
        .collect())
}

/// Writes simulated cells.
pub(super) fn simulate(common: &Common, args: &Simulate) -> Result<u8> {
    check_out(&args.out, args.force, &["h5ad"])?;
    if super::rank_study::is_atlas(&args.preset) {
        return super::rank_study::simulate_atlas(common, args);
    }
    if super::phenotype::is_preset(&args.preset) {
        return super::phenotype::simulate(common, args);
    }
    if !PerturbSeqSpec::presets().any(|it| it.0 == args.preset) {
        return Err(super::rank_study::unknown_preset(&args.preset));
    }
    let spec = PerturbSeqSpec::preset(&args.preset)?.with_size(args.n_obs, args.n_vars)?;
    let progress = TerminalProgress::new(common);
    write_simulated(&progress, &spec, args.seed, &args.out, args.force)?;
    say(common, &format!("{} cells × {} genes in {}", spec.n_obs, spec.n_vars, args.out.display()));
    Ok(0)
}

/// Says what is in a file.
pub(super) fn inspect(common: &Common, args: &Inspect) -> Result<u8> {
    let inspection = cellstone_io::inspect(&args.file)?;
    if common.json {
        out(&serde_json::to_string_pretty(&inspection).map_err(|error| Error::config(error.to_string()))?);
    } else {
        out(&inspection.to_string());
    }
    Ok(0)
}
