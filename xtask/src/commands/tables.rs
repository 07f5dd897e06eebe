//! `table`, `list`, `report`, `compare`.

use crate::cli::{Common, Compare, List, ListWhat, Report, Table};
use crate::terminal::{out, say};
use crate::tidy::workspace_root;
use cellstone_core::{Error, Result, Role};
use cellstone_lab::Registry;
use cellstone_report::{PrintOptions, RunDir};

/// Prints a table.
pub(super) fn table(args: &Table) -> Result<u8> {
    let mut filters = Vec::new();
    for it in &args.filters {
        let (column, value) =
            it.split_once('=').ok_or_else(|| Error::config(format!("`--where {it}`: expected COLUMN=VALUE")))?;
        filters.push((column.to_owned(), value.to_owned()));
    }
    out(&cellstone_report::print_table(
        &args.file,
        &PrintOptions { csv: args.csv, where_: filters, limit: args.limit },
    )?);
    Ok(0)
}

/// One line of a listing.
#[derive(serde::Serialize)]
struct Listed {
    id: String,
    name: String,
    text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
}

/// Prints what a registry holds.
pub(super) fn list(common: &Common, args: &List) -> Result<u8> {
    let rows = listed(args.what)?;
    if common.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| Error::config(error.to_string()))?;
        out(&text);
        return Ok(0);
    }
    if rows.is_empty() {
        say(common, "nothing is registered here yet");
    }
    let width = rows.iter().map(|it| it.id.chars().count()).max().unwrap_or(0);
    for it in rows {
        out(&format!("{:<width$}  {}", it.id, it.text));
        for param in it.params {
            out(&format!("{:<width$}    {param}", ""));
        }
    }
    Ok(0)
}

fn listed(what: ListWhat) -> Result<Vec<Listed>> {
    let registry = Registry::builtin();
    let methods = |model: bool| {
        let is_model = |role: Role| role == Role::Model;
        registry
            .predictors()
            .iter()
            .filter(|it| is_model(it.info.role) == model)
            .map(|it| Listed {
                id: it.info.id.to_string(),
                name: it.info.name.to_string(),
                text: it.info.summary.to_string(),
                params: it
                    .params
                    .iter()
                    .map(|(name, default, meaning)| format!("{name} = {default}: {meaning}"))
                    .collect(),
                source: it.info.source.to_string(),
            })
            .collect()
    };
    Ok(match what {
        ListWhat::Models => methods(true),
        ListWhat::Baselines => methods(false),
        ListWhat::Metrics => registry
            .metrics()
            .iter()
            .map(|it| Listed {
                id: it.info().id.to_string(),
                name: it.info().name.to_string(),
                text: it.info().formula.to_string(),
                params: Vec::new(),
                source: it.info().source.to_string(),
            })
            .collect(),
        ListWhat::Splits => cellstone_prep::protocols()
            .iter()
            .map(|it| Listed {
                id: it.id.to_owned(),
                name: it.id.to_owned(),
                text: it.summary.to_owned(),
                params: Vec::new(),
                source: it.source.to_owned(),
            })
            .collect(),
        ListWhat::Experiments => experiments()?,
        ListWhat::Encoders => cellstone_rank::encoders().iter().map(encoder).collect(),
        ListWhat::Selectors | ListWhat::Data => Vec::new(),
    })
}

fn encoder(it: &cellstone_rank::EncoderEntry) -> Listed {
    let option =
        |it: &cellstone_rank::OptionInfo| format!("{} = {}: {} ({})", it.name, it.default, it.summary, it.values);
    let needs = it.needs.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ");
    Listed {
        id: it.id.to_owned(),
        name: it.id.to_owned(),
        text: format!("{} (needs {needs})", it.summary),
        params: it.options.iter().map(option).collect(),
        source: it.source.to_owned(),
    }
}

fn experiments() -> Result<Vec<Listed>> {
    let dir = workspace_root().join("experiments");
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(&dir).map_err(|error| Error::io(&dir, error))? {
        let path = entry.map_err(|error| Error::io(&dir, error))?.path();
        if path.extension().is_some_and(|it| it == "toml") {
            let text = std::fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
            let named = |error: Error| error.context(format!("`{}`", path.display()));
            let (id, question) = if super::rank_study::is_rank_study(&path) {
                let raw = cellstone_lab::rank_study::parse_study(&text, &[]).map_err(named)?;
                (raw.id, raw.question)
            } else if super::is_pretrain(&path) {
                let raw = cellstone_lab::pretrain::parse_pretrain(&text, &[]).map_err(named)?;
                (raw.id, raw.question)
            } else if super::is_phenotype(&path) {
                let raw = cellstone_lab::phenotype::parse_phenotype(&text, &[], &dir).map_err(named)?;
                (raw.id, raw.question)
            } else {
                let raw = cellstone_lab::parse_config(&text, &[]).map_err(named)?;
                (raw.id, raw.question)
            };
            rows.push(Listed { id: id.clone(), name: id, text: question, params: Vec::new(), source: String::new() });
        }
    }
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(rows)
}

/// Renders reports again.
pub(super) fn report(args: &Report) -> Result<u8> {
    for run in &args.runs {
        let page = cellstone_report::render(&RunDir::open(run)?)?;
        out(&page.display().to_string());
    }
    Ok(0)
}

/// Compares two runs.
pub(super) fn compare(common: &Common, args: &Compare) -> Result<u8> {
    let comparison = cellstone_report::compare(&RunDir::open(&args.a)?, &RunDir::open(&args.b)?)?;
    if common.json {
        out(&serde_json::to_string_pretty(&comparison).map_err(|error| Error::config(error.to_string()))?);
    } else {
        out(&comparison.to_text());
    }
    Ok(0)
}
