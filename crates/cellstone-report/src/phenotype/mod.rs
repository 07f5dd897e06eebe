//! The page of a phenotype study: what a model knows about phenotypes, from its tables and nothing else.

mod answer;
mod data;
mod entropy;
mod figures;
mod page;
mod parts;
pub mod schema;
mod sections;

use crate::html::remove_old_figures;
use crate::run_dir::RunDir;
use crate::table::{table_path, write_whole};
use cellstone_core::Result;
use std::path::PathBuf;

/// Whether a run is that of a phenotype study: its configuration says so, or its tables do.
pub fn is_phenotype(run: &RunDir) -> bool {
    let is_kind = |line: &str| line.trim() == "kind = \"phenotype\"";
    run.config().ok().flatten().is_some_and(|it| it.lines().any(is_kind))
        || table_path(&run.tables_dir(), "tasks").exists()
}

/// Renders `report/index.html` and one `report/*.svg` per figure from the tables of a study.
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
