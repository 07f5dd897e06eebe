//! A simulated atlas as files: counts as `.h5ad`, the planted truth as JSON and the tree as OBO beside it.

use super::{Atlas, AtlasSpec};
use crate::truth_path;
use cellstone_core::{CountSource, Error, ObsTable, Result, Seed};
use cellstone_io::{Extras, H5adWriter, Uns, WriteOptions, atomic_write};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the tree of a simulated atlas stands: `a.h5ad` → `a.obo`.
///
/// # Examples
/// ```
/// use std::path::Path;
/// assert_eq!(cellstone_fixtures::atlas_obo_path(Path::new("out/a.h5ad")), Path::new("out/a.obo"));
/// ```
pub fn atlas_obo_path(path: &Path) -> PathBuf {
    path.with_extension("obo")
}

/// Simulates an atlas into an `.h5ad`, and writes the planted truth (at [`truth_path`]) and the tree of types (at
/// [`atlas_obo_path`]) beside it.
///
/// Memory stays bounded whatever the size. `progress` is told after every block how many cells of how many are done.
/// `uns/simulation` holds the specification and the seed.
///
/// # Errors
/// If the specification is not valid, or one of the files exists and may not be replaced, or writing fails; then none of
/// the files is left behind.
pub fn simulate_atlas_to_h5ad(
    spec: AtlasSpec,
    seed: Seed,
    path: &Path,
    options: &WriteOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Atlas> {
    let data = Atlas::new(spec, seed)?;
    let mut writer = H5adWriter::create(path, options, data.var().len())?;
    let beside = [(truth_path(path), data.truth().to_json()), (atlas_obo_path(path), data.truth().tree().to_obo())];
    let mut written: Vec<PathBuf> = Vec::new();
    let mut write = || -> Result<()> {
        for (place, text) in &beside {
            atomic_write(place, options.overwrite, |file| {
                file.write_all(text.as_bytes()).map_err(|it| Error::io(place, it))
            })?;
            written.push(place.clone());
        }
        for block in data.blocks(0)? {
            let block = block?;
            writer.write_rows(&block.x)?;
            progress(block.start + block.x.shape().0, data.n_obs());
        }
        Ok(())
    };
    let uns = BTreeMap::from([("simulation".to_owned(), describe(&data, seed))]);
    let finished = write().and_then(|()| {
        let var = ObsTable::new(data.var().ids().to_vec());
        writer.finish(data.obs(), &var, &Extras { uns, ..Extras::default() })
    });
    if let Err(error) = finished {
        // The first error is the one to report: a file that could not be removed is the smaller harm.
        written.iter().for_each(|it| drop(std::fs::remove_file(it)));
        return Err(error);
    }
    Ok(data)
}

fn describe(data: &Atlas, seed: Seed) -> Uns {
    let spec = serde_json::to_string(data.spec()).expect("invariant: numbers always serialise");
    Uns::Group(BTreeMap::from([
        ("spec".to_owned(), Uns::Str(spec)),
        ("seed".to_owned(), Uns::Str(seed.value().to_string())),
        ("generator".to_owned(), Uns::Str(concat!("cellstone-fixtures ", env!("CARGO_PKG_VERSION")).to_owned())),
    ]))
}
