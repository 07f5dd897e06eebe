//! What a study keeps of finished units, so that `--resume` does not do them again.

use super::unit::{ProbabilityRow, RemarkRow, UnitTables};
use cellstone_core::{Error, Result};
use cellstone_report::phenotype::schema::CamRow;
use cellstone_report::{Row, RunDir, read_table, write_table};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn dir(run: &RunDir, unit: &str) -> PathBuf {
    run.path().join("state").join("units").join(unit)
}

/// Keeps the tables of a unit; the marker comes last, so that a half-written unit is done again.
///
/// # Errors
/// If the folder cannot be written.
pub(crate) fn save_unit(run: &RunDir, unit: &str, tables: &UnitTables) -> Result<()> {
    let folder = dir(run, unit);
    std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    let written = [
        write_table(&folder, ProbabilityRow::TABLE, &tables.rows)?,
        write_table(&folder, RemarkRow::TABLE, &tables.remarks)?,
        write_table(&folder, CamRow::TABLE, &tables.cam)?,
    ];
    let name = |it: &PathBuf| it.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let hashes: BTreeMap<String, String> =
        written.into_iter().map(|it| (format!("../state/units/{unit}/{}", name(&it.path)), it.sha256)).collect();
    run.mark_stage(&format!("unit-{unit}"), &hashes)
}

/// The tables of a unit that was finished before, if it was.
///
/// # Errors
/// If they cannot be read back although the marker says they are there.
pub(crate) fn load_unit(run: &RunDir, unit: &str) -> Result<Option<UnitTables>> {
    if !run.stage_done(&format!("unit-{unit}")) {
        return Ok(None);
    }
    let folder = dir(run, unit);
    Ok(Some(UnitTables {
        rows: read_table(&folder, ProbabilityRow::TABLE)?,
        remarks: read_table(&folder, RemarkRow::TABLE)?,
        cam: read_table(&folder, CamRow::TABLE)?,
    }))
}
