//! The report: one self-contained page and its figures, a pure function of the tables, manifest and configuration.

mod answer;
mod context;
mod data;
mod figures;
mod page;
mod tables;

pub(crate) use page::{FIGURE_STYLE, SCRIPT, STYLE};

use crate::run_dir::RunDir;
use crate::table::write_whole;
use cellstone_core::{Context, Error, Result};
use std::fs;
use std::path::PathBuf;

/// Renders `report/index.html` and one `report/*.svg` per figure from what lies in the run directory, and nothing else.
///
/// Runs of a rank study and of a phenotype study have pages of their own: [`crate::rank_study`], [`crate::phenotype`].
///
/// The same tables, manifest and configuration give the same bytes. A table that is missing leaves its section with a
/// sentence that says so.
///
/// # Errors
/// If the manifest or a table that is there cannot be read, or the report cannot be written.
pub fn render(run: &RunDir) -> Result<PathBuf> {
    let what = || format!("rendering `{}`", run.path().display());
    if crate::rank_study::is_study(run) {
        return crate::rank_study::render(run).context_with(what);
    }
    if crate::phenotype::is_phenotype(run) {
        return crate::phenotype::render(run).context_with(what);
    }
    if crate::pretrain::is_pretraining(run) {
        return crate::pretrain::render(run).context_with(what);
    }
    let data = data::ReportData::load(run).context_with(what)?;
    let (page, figures) = page::page(&data);
    let folder = run.report_dir();
    remove_old_figures(&folder)?;
    for (name, svg) in &figures {
        write_whole(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
    }
    let index = folder.join("index.html");
    write_whole(&index, page.as_bytes())?;
    Ok(index)
}

/// A figure of an earlier rendering that this one does not make would be a lie.
pub(crate) fn remove_old_figures(folder: &std::path::Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(|it| it.ok().map(|it| it.path())) {
        if path.extension().is_some_and(|it| it == "svg") {
            fs::remove_file(&path).map_err(|source| Error::io(&path, source))?;
        }
    }
    Ok(())
}
