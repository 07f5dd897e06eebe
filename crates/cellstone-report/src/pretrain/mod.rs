//! The page of a pretraining: how the losses fell and what the network says of cells it never learnt from, from the
//! tables of the run and nothing else.

mod data;
mod figures;
mod page;
pub mod schema;

use crate::html::remove_old_figures;
use crate::run_dir::RunDir;
use crate::table::write_whole;
use cellstone_core::Result;
use std::path::PathBuf;

/// Whether a run is a pretraining: its configuration says so.
pub fn is_pretraining(run: &RunDir) -> bool {
    let is_kind = |line: &str| line.trim() == "kind = \"pretrain\"";
    run.config().ok().flatten().is_some_and(|it| it.lines().any(is_kind))
}

/// Renders `report/index.html` and one `report/*.svg` per figure from the tables of a pretraining.
///
/// The same tables, manifest and configuration give the same bytes. A table that is missing leaves out its section.
///
/// # Errors
/// If the manifest or a table that is there cannot be read, or the report cannot be written.
pub fn render(run: &RunDir) -> Result<PathBuf> {
    let (page, figures) = page::page(run)?;
    let folder = run.report_dir();
    remove_old_figures(&folder)?;
    for (name, svg) in &figures {
        write_whole(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
    }
    let index = folder.join("index.html");
    write_whole(&index, page.as_bytes())?;
    Ok(index)
}
