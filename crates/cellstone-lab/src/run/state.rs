//! What a run keeps of finished units, so that `--resume` does not do them again.

use super::unit::UnitTables;
use cellstone_core::{Error, Result};
use cellstone_report::{RunDir, read_table, write_table};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn unit_dir(run: &RunDir, unit: &str) -> PathBuf {
    run.path().join("state").join("units").join(unit)
}

fn stage(unit: &str) -> String {
    format!("unit-{unit}")
}

/// Keeps the tables of a unit; the marker, which names files from `tables/`, comes last, so that a half-written unit is done again.
///
/// # Errors
/// If the folder cannot be written.
pub(crate) fn save_unit(run: &RunDir, unit: &str, tables: &UnitTables) -> Result<()> {
    let dir = unit_dir(run, unit);
    std::fs::create_dir_all(&dir).map_err(|error| Error::io(&dir, error))?;
    let written = [
        write_table(&dir, "scores", &tables.scores)?,
        write_table(&dir, "coverage", &tables.coverage)?,
        write_table(&dir, "fits", &tables.fits)?,
        write_table(&dir, "predictions", &tables.predictions)?,
        write_table(&dir, "curve_sums", &tables.curves)?,
    ];
    let hashes: BTreeMap<String, String> =
        written.into_iter().map(|it| (format!("../state/units/{unit}/{}", file_name(&it.path)), it.sha256)).collect();
    run.mark_stage(&stage(unit), &hashes)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The tables of a unit that was finished before, if it was.
///
/// # Errors
/// If they cannot be read back although the marker says they are there.
pub(crate) fn load_unit(run: &RunDir, unit: &str) -> Result<Option<UnitTables>> {
    if !run.stage_done(&stage(unit)) {
        return Ok(None);
    }
    let dir = unit_dir(run, unit);
    Ok(Some(UnitTables {
        scores: read_table(&dir, "scores")?,
        coverage: read_table(&dir, "coverage")?,
        fits: read_table(&dir, "fits")?,
        predictions: read_table(&dir, "predictions")?,
        curves: read_table(&dir, "curve_sums")?,
    }))
}
