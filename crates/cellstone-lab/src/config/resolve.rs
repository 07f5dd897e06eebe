//! From what was typed to a complete configuration, with errors that name the key and suggest the nearest.

use super::raw::{RawConfig, RawData, RawMethod};
use super::resolved::{Config, Data, EmbeddingConfig, Method, Metrics, Output, Prep, SplitConfig};
use crate::Registry;
use cellstone_core::{Averaging, Error, Part, Result, Scale, nearest, quoted};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The metrics of a run that names none: every family once, errors first.
pub const DEFAULT_METRICS: [&str; 13] = [
    "l2",
    "mse",
    "rmse",
    "mae",
    "pearson_raw",
    "pearson_delta",
    "pearson_delta_pert",
    "cosine_delta",
    "pds_v2_cosine",
    "pds_v2_l2",
    "centroid_accuracy",
    "wmse",
    "weighted_r2_delta",
];

/// Reads an experiment file, applies `--set key=value` overrides, and resolves it.
///
/// # Errors
/// Names the file and the key; unknown keys come with a suggestion.
pub fn load_config(path: &Path, overrides: &[String], registry: &Registry) -> Result<Config> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::io(path, error)
            .with_hint("experiment files live under `experiments/`; `cargo xtask list experiments` names them")
    })?;
    let raw = parse_config(&text, overrides).map_err(|error| error.context(format!("`{}`", path.display())))?;
    let base = path.parent().unwrap_or(Path::new("."));
    resolve(raw, base, registry).map_err(|error| error.context(format!("`{}`", path.display())))
}

/// Parses the text of an experiment file with overrides.
///
/// # Errors
/// Names the key that is wrong.
pub fn parse_config(text: &str, overrides: &[String]) -> Result<RawConfig> {
    parse_as(text, overrides)
}

/// Parses any experiment file with overrides; unknown keys come with a suggestion.
pub(crate) fn parse_as<T: serde::de::DeserializeOwned>(text: &str, overrides: &[String]) -> Result<T> {
    let mut table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Error::config(one_line(&error.to_string())))?;
    for it in overrides {
        set(&mut table, it)?;
    }
    table.try_into().map_err(|error: toml::de::Error| {
        let message = one_line(&error.to_string());
        let hint = suggestion(&message);
        let error = Error::config(message);
        match hint {
            Some(near) => error.with_hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

fn one_line(text: &str) -> String {
    // Lines of a drawing (the gutter, the caret) say nothing outside a terminal of their own.
    let drawn = |it: &&str| it.trim_start_matches('|').trim().trim_start_matches('^').is_empty();
    text.lines().map(str::trim).filter(|it| !drawn(it)).collect::<Vec<_>>().join("; ")
}

/// The nearest of the expected keys to the unknown one, from serde's message.
fn suggestion(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = message.contains("unknown field").then(|| names.next())??;
    nearest(unknown, names).map(str::to_owned)
}

/// Applies one `a.b.c=value` to a table; the value is TOML, or text when it is no TOML.
fn set(table: &mut toml::Table, assignment: &str) -> Result<()> {
    let Some((path, value)) = assignment.split_once('=') else {
        return Err(Error::config(format!("`--set {assignment}`: expected KEY=VALUE"))
            .with_hint("for instance --set seeds=[1,2]"));
    };
    let value = format!("v = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut it| it.remove("v"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut at = table;
    let keys: Vec<&str> = path.trim().split('.').collect();
    let (last, parents) = keys.split_last().expect("invariant: split yields at least one piece");
    for key in parents {
        let entry = at.entry((*key).to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = entry
            .as_table_mut()
            .ok_or_else(|| Error::config(format!("`--set {assignment}`: `{key}` is not a table")))?;
    }
    at.insert((*last).to_owned(), value);
    Ok(())
}

/// Fills in every default and checks every name. Paths become relative to `base`.
///
/// # Errors
/// Names the key that is wrong, what was found and what was expected.
pub fn resolve(raw: RawConfig, base: &Path, registry: &Registry) -> Result<Config> {
    check_head(&raw)?;
    let data = resolve_data(&raw.data, base)?;
    let protocol = raw.split.protocol.clone().ok_or_else(|| {
        Error::config("split.protocol is missing").with_hint("`cargo xtask list splits` names the protocols")
    })?;
    let scored = match &raw.split.scored {
        None => vec![Part::Test],
        Some(parts) => parts.iter().map(|it| parse_part(it)).collect::<Result<_>>()?,
    };
    let doubles_study = protocol == "norman_doubles" || protocol == "combos_2fold";
    let method = resolve_methods(&raw, doubles_study, registry)?;
    let metrics = resolve_metrics(&raw, doubles_study, &data, &method, registry)?;
    let embedding = raw
        .embedding
        .iter()
        .map(|it| EmbeddingConfig {
            name: it.name.clone(),
            path: join(base, &it.path),
            key: it.key.clone(),
            id_column: it.id_column.clone(),
        })
        .collect();
    let default_averaging = if data.scale == Scale::Effect { Averaging::Given } else { Averaging::Cells };
    Ok(Config {
        schema: 1,
        id: raw.id,
        question: raw.question,
        seeds: raw.seeds,
        data,
        prep: Prep {
            target_sum: positive("prep.target_sum", raw.prep.target_sum.unwrap_or(1e4))?,
            averaging: raw.prep.averaging.as_deref().map_or(Ok(default_averaging), parse_averaging)?,
            n_replicates: raw.prep.n_replicates.unwrap_or(5),
        },
        split: SplitConfig {
            protocol,
            scored,
            k: raw.split.k,
            variant: raw.split.variant,
            fraction: raw.split.fraction,
        },
        metrics,
        output: Output { predictions: raw.output.predictions.unwrap_or_else(|| "top1000_ctrl".into()) },
        method,
        embedding,
    })
}

/// Checks what every kind of experiment begins with.
pub(crate) fn check_preamble(schema: u32, id: &str, seeds: &[u64]) -> Result<()> {
    if schema != 1 {
        return Err(
            Error::config(format!("schema = {schema}, expected 1")).with_hint("a newer cellstone may read this file")
        );
    }
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if id.is_empty() || !id.chars().all(good) {
        return Err(Error::config(format!("id = \"{id}\", expected lower snake case")));
    }
    if seeds.is_empty() {
        return Err(Error::config("seeds is empty, expected at least one"));
    }
    if seeds.iter().collect::<BTreeSet<_>>().len() != seeds.len() {
        return Err(Error::config(format!("seeds = {seeds:?} names a seed twice")));
    }
    Ok(())
}

fn check_head(raw: &RawConfig) -> Result<()> {
    check_preamble(raw.schema, &raw.id, &raw.seeds)?;
    if raw.baseline.is_empty() {
        return Err(Error::config("no [[baseline]], expected at least one")
            .with_hint("add [[baseline]] with id = \"mean_pb\" or id = \"additive\""));
    }
    Ok(())
}

fn resolve_data(raw: &RawData, base: &Path) -> Result<Data> {
    let path = raw
        .path
        .as_ref()
        .ok_or_else(|| Error::config("data.path is missing").with_hint("or give --set data.path=FILE"))?;
    let scale = match raw.scale.as_deref() {
        Some("counts") => Scale::Counts,
        Some("lognorm") => Scale::LogNorm { target_sum: raw.target_sum },
        Some("effect") => Scale::Effect,
        Some(other) => {
            return Err(Error::config(format!(
                "data.scale = \"{other}\", expected \"counts\", \"lognorm\" or \"effect\""
            )));
        }
        None => {
            return Err(Error::config("data.scale is missing: the scale is stated, never guessed")
                .with_hint("`cargo xtask inspect FILE` says what the values look like"));
        }
    };
    Ok(Data {
        path: join(base, path),
        matrix: raw.matrix.clone().unwrap_or_else(|| "X".into()),
        pert_col: raw.pert_col.clone(),
        control_pert: raw.control_pert.clone(),
        context_col: raw.context_col.clone(),
        contexts: raw.contexts.clone(),
        batch_col: raw.batch_col.clone(),
        names_key: raw.names_key.clone().unwrap_or_else(|| "condition".into()),
        values_key: raw.values_key.clone().unwrap_or_else(|| "effect_pca50".into()),
        citation: raw.citation.clone().unwrap_or_default(),
        keep: raw.keep.clone(),
        scale,
    })
}

/// Floors first (whether asked for or not), then baselines, then models.
fn resolve_methods(raw: &RawConfig, doubles_study: bool, registry: &Registry) -> Result<Vec<Method>> {
    let mut floors = vec!["no_change", "mean_pb", "random_embedding"];
    if doubles_study {
        floors.push("additive");
    }
    let asked: Vec<&RawMethod> = raw.baseline.iter().chain(&raw.model).collect();
    let missing = floors.into_iter().filter(|id| !asked.iter().any(|it| it.id == *id && it.params.is_empty()));
    let mut methods = Vec::new();
    for id in missing {
        if registry.predictor_info(id).is_ok() {
            methods.push(Method { label: id.to_owned(), id: id.to_owned(), params: BTreeMap::new() });
        }
    }
    for it in asked {
        registry.predictor_info(&it.id)?;
        let params =
            it.params.iter().map(|(key, value)| Ok((key.clone(), to_json(key, value)?))).collect::<Result<_>>()?;
        methods.push(Method { label: it.label.clone().unwrap_or_else(|| it.id.clone()), id: it.id.clone(), params });
    }
    let mut seen = BTreeSet::new();
    for it in &methods {
        if it.label == "replicate" || !seen.insert(&it.label) {
            return Err(Error::config(format!("two methods are called `{}`", it.label))
                .with_hint("give one of them another `label`"));
        }
        // Parameter errors must come before any work.
        registry.make_predictor(&it.id, &it.params)?;
    }
    methods.sort_by_key(|it| rank_of_role(registry, &it.id));
    Ok(methods)
}

fn rank_of_role(registry: &Registry, id: &str) -> u8 {
    use cellstone_core::Role;
    match registry.predictor_info(id).map(|it| it.role) {
        Ok(Role::Floor) => 0,
        Ok(Role::Baseline) => 1,
        _ => 2,
    }
}

fn to_json(key: &str, value: &toml::Value) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| Error::config(format!("parameter `{key}`: {error}")))
}

fn resolve_metrics(
    raw: &RawConfig,
    doubles_study: bool,
    data: &Data,
    methods: &[Method],
    registry: &Registry,
) -> Result<Metrics> {
    let it = &raw.metrics;
    let effect = data.scale == Scale::Effect;
    let ids: Vec<String> = it.ids.clone().unwrap_or_else(|| {
        // Gene weights need cells.
        DEFAULT_METRICS
            .iter()
            .filter(|id| !(effect && id.contains('w') && **id != "raw"))
            .map(|id| (*id).to_owned())
            .collect()
    });
    for id in &ids {
        registry.metric(id)?;
    }
    let genes = it
        .genes
        .clone()
        .unwrap_or_else(|| if effect { vec!["all".into()] } else { vec!["all".into(), "top1000_ctrl".into()] });
    check_names("metrics.genes", &genes, &["all", "top1000_ctrl"])?;
    let masks = it
        .masks
        .clone()
        .unwrap_or_else(|| if effect { vec!["none".into()] } else { vec!["none".into(), "self".into()] });
    check_names("metrics.masks", &masks, &["none", "self", "panel"])?;
    let headline = it
        .headline
        .clone()
        .unwrap_or_else(|| if ids.iter().any(|id| id == "l2") { "l2".into() } else { ids[0].clone() });
    if !ids.contains(&headline) {
        return Err(Error::config(format!(
            "metrics.headline = \"{headline}\" is not among metrics.ids ({})",
            quoted(&ids)
        )));
    }
    let reference =
        it.reference.clone().unwrap_or_else(|| if doubles_study { "additive".into() } else { "mean_pb".into() });
    if !methods.iter().any(|method| method.label == reference) {
        let names: Vec<String> = methods.iter().map(|method| method.label.clone()).collect();
        return Err(Error::config(format!(
            "metrics.reference = \"{reference}\" is no method of this experiment ({})",
            quoted(&names)
        )));
    }
    Ok(Metrics {
        ids,
        headline,
        genes,
        masks,
        reference,
        draws: it.draws.unwrap_or(10_000),
        flips: it.flips.unwrap_or(100_000),
    })
}

fn check_names(key: &str, names: &[String], known: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Err(Error::config(format!("{key} is empty")));
    }
    for name in names {
        if !known.contains(&name.as_str()) {
            return Err(Error::config(format!("{key} names `{name}`, expected one of {}", known.join(", "))));
        }
    }
    Ok(())
}

fn parse_part(text: &str) -> Result<Part> {
    match text {
        "train" => Err(Error::config("split.scored names `train`: train conditions are never scored")),
        "val" => Ok(Part::Val),
        "test" => Ok(Part::Test),
        other => Err(Error::config(format!("split.scored names `{other}`, expected `test` or `val`"))),
    }
}

fn parse_averaging(text: &str) -> Result<Averaging> {
    Ok(match text {
        "cells" => Averaging::Cells,
        "batches" => Averaging::Batches,
        "batches_matched" => Averaging::BatchesMatched,
        "cells_matched" => Averaging::CellsMatched,
        "bulk" => Averaging::Bulk,
        other => {
            return Err(Error::config(format!(
                "prep.averaging = \"{other}\", expected cells, batches, batches_matched, cells_matched or bulk"
            )));
        }
    })
}

/// A positive finite number.
pub(crate) fn positive(key: &str, value: f64) -> Result<f64> {
    if value > 0.0 && value.is_finite() {
        return Ok(value);
    }
    Err(Error::config(format!("{key} = {value}, expected a positive number")))
}

/// A path of an experiment file, which is relative to the file.
pub(crate) fn join(base: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { base.join(path) }
}
