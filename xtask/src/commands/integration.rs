//! `integration`: how well embeddings mix batches and keep labels apart.

use super::{check_out, is_h5ad};
use crate::cli::{Common, ConventionArg, Integration};
use crate::progress::TerminalProgress;
use crate::terminal::{out, say};
use cellstone_core::{Column, Error, ObsTable, Result, Seed, nearest};
use cellstone_io::{H5ad, Uns, atomic_write};
use cellstone_lab::{
    CellGroups, Convention, IntegrationInput, IntegrationOutcome, IntegrationParams, PreIntegration, in_file, integrate,
};
use cellstone_report::integration::render_integration;
use cellstone_report::{Row, write_table};
use ndarray::Array2;
use std::io::Write as _;
use std::path::Path;

/// Columns that may hold the counts of every cell.
const DEPTH: [&str; 4] = ["total_counts", "n_counts", "nCount_RNA", "n_umi"];

/// Measures embeddings and writes the table.
pub(super) fn integration(common: &Common, args: &Integration) -> Result<u8> {
    check_out(&args.out, args.force, &["parquet", "csv"])?;
    if let Some(path) = &args.labels_out {
        check_out(path, args.force, &["parquet", "csv"])?;
    }
    if let Some(path) = &args.report {
        check_out(path, args.force, &["html"])?;
    }
    let shown = args.input.display().to_string();
    if !is_h5ad(&args.input) {
        return Err(Error::config(format!("`{shown}` is not .h5ad: only such files hold embeddings of cells")));
    }
    let named = |error: Error| if error.is_config() { error } else { in_file(error, &shown) };
    let input = read(common, args).map_err(named)?;
    let params = IntegrationParams {
        convention: convention(args.convention),
        metrics: args.metrics.clone(),
        controls: args.controls,
        seed: Seed::new(args.seed),
    };
    let progress = TerminalProgress::new(common);
    let mut found = integrate(&input, &params, &progress).map_err(named)?;
    let (n_used, n_obs) = (found.page.n_used, found.page.n_obs);
    if n_used < n_obs {
        say(common, &format!("{n_used} of {n_obs} cells have a batch and a label; the others are left out"));
    }
    for it in &found.warnings {
        say(common, &format!("warning: {it}"));
    }
    found.page.input = shown;
    write(common, args, &found)?;
    Ok(0)
}

fn write(common: &Common, args: &Integration, found: &IntegrationOutcome) -> Result<()> {
    save(&args.out, &found.rows)?;
    if let Some(path) = &args.labels_out {
        save(path, &found.labels)?;
    }
    if let Some(path) = &args.report {
        atomic_write(path, args.force, |file| {
            file.write_all(render_integration(&found.page).as_bytes()).map_err(|error| Error::io(path, error))
        })?;
    }
    if common.json {
        out(&serde_json::to_string_pretty(&found.rows).map_err(|error| Error::config(error.to_string()))?);
    } else if let Some(path) = &args.report {
        out(&path.display().to_string());
    }
    Ok(())
}

fn save<R: Row>(path: &Path, rows: &[R]) -> Result<()> {
    let dir = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    write_table(dir, &name, rows).map(drop)
}

fn convention(arg: ConventionArg) -> Convention {
    match arg {
        ConventionArg::Cellstone => Convention::Cellstone,
        ConventionArg::Scib => Convention::Scib,
        ConventionArg::ScibMetrics => Convention::ScibMetrics,
    }
}

fn read(common: &Common, args: &Integration) -> Result<IntegrationInput> {
    let file = H5ad::open(&args.input)?;
    let obs = file.obs()?;
    let groups = |name: &str| obs.column(name).map(|it| CellGroups::from_column(name, it));
    let (batch, label) = (groups(&args.batch)?, groups(&args.label)?);
    let pseudotime = args.pseudotime.as_ref().map(|it| numbers(&obs, it)).transpose()?;
    let mut embeddings = Vec::with_capacity(args.embed.len());
    for key in &args.embed {
        embeddings.push((key.clone(), embedding(&file, key)?));
    }
    let has_pca = file.keys("obsm").iter().any(|it| it == "X_pca");
    let key = args.pre.clone().or_else(|| has_pca.then(|| "X_pca".to_owned()));
    let pre = match key {
        None => None,
        Some(name) => {
            if args.pre.is_none() {
                say(common, "`X_pca` is taken for the cells before integration");
            }
            let x = embedding(&file, &name)?;
            let variances = if name == "X_pca" { variances(&file, x.ncols())? } else { None };
            Some(PreIntegration { name, x, variances })
        }
    };
    let depth = DEPTH.iter().find(|it| obs.get(it).is_some()).map(|it| numbers(&obs, it)).transpose()?;
    Ok(IntegrationInput { embeddings, batch, label, pre, pseudotime, depth })
}

fn embedding(file: &H5ad, key: &str) -> Result<Array2<f64>> {
    let keys = file.keys("obsm");
    if keys.iter().any(|it| it == key) {
        return file.obsm(key);
    }
    let error = Error::invalid_input(format!("no `{key}` in obsm (there: {})", cellstone_core::quoted(&keys)));
    Err(match nearest(key, keys.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint("`inspect` shows what a file holds; `pca` adds `X_pca`"),
    })
}

/// A column as numbers; NaN where missing.
fn numbers(obs: &ObsTable, name: &str) -> Result<Vec<f64>> {
    match obs.column(name)? {
        Column::Float(it) => Ok(it.clone()),
        Column::Int(it) => Ok(it.iter().map(|it| it.map_or(f64::NAN, |it| it as f64)).collect()),
        other => Err(Error::invalid_input(format!("column `{name}` is {}, expected numbers", other.kind()))),
    }
}

/// The variances beside `X_pca`, if there is one for every component.
fn variances(file: &H5ad, n_comps: usize) -> Result<Option<Vec<f64>>> {
    let Uns::Group(uns) = file.uns()? else { return Ok(None) };
    let Some(Uns::Group(pca)) = uns.get("pca") else { return Ok(None) };
    Ok(match pca.get("variance") {
        Some(Uns::Array { values, .. }) if values.len() == n_comps => Some(values.clone()),
        _ => None,
    })
}
