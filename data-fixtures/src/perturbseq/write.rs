//! A simulated experiment as a file: counts as `.h5ad`, the planted truth as JSON beside it.

use super::{PerturbSeq, PerturbSeqSpec};
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, Seed};
use cellstone_io::{Extras, H5adWriter, Uns, WriteOptions, atomic_write};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where the planted truth of a simulated file stands: `a.h5ad` → `a.truth.json`.
///
/// # Examples
/// ```
/// use std::path::Path;
/// assert_eq!(cellstone_fixtures::truth_path(Path::new("out/a.h5ad")), Path::new("out/a.truth.json"));
/// ```
pub fn truth_path(path: &Path) -> PathBuf {
    path.with_extension("truth.json")
}

/// Simulates an experiment into an `.h5ad` and writes what was planted beside it, at [`truth_path`].
///
/// Memory stays bounded whatever the size. `progress` is told after every block how many cells of how many are done.
/// `uns/simulation` holds the specification and the seed; targets carry their symbol in `var/gene_symbol`.
///
/// # Errors
/// If the specification is not valid, or one of the two files exists and may not be replaced, or writing fails; then
/// neither file is left behind.
pub fn simulate_to_h5ad(
    spec: PerturbSeqSpec,
    seed: Seed,
    path: &Path,
    options: &WriteOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<PerturbSeq> {
    let data = PerturbSeq::new(spec, seed)?;
    let mut writer = H5adWriter::create(path, options, data.var().len())?;
    let sidecar = truth_path(path);
    atomic_write(&sidecar, options.overwrite, |file| {
        file.write_all(data.truth().to_json().as_bytes()).map_err(|it| Error::io(&sidecar, it))
    })?;
    let write = || -> Result<()> {
        for block in data.blocks(0)? {
            let block = block?;
            writer.write_rows(&block.x)?;
            progress(block.start + block.x.shape().0, data.n_obs());
        }
        let uns = BTreeMap::from([("simulation".to_owned(), describe(&data, seed))]);
        writer.finish(data.obs(), &genes(&data)?, &Extras { uns, ..Extras::default() })
    };
    if let Err(error) = write() {
        // The first error is the one to report: a truth that could not be removed is the smaller harm.
        drop(std::fs::remove_file(&sidecar));
        return Err(error);
    }
    Ok(data)
}

fn genes(data: &PerturbSeq) -> Result<ObsTable> {
    let mut table = ObsTable::new(data.var().ids().to_vec());
    let symbols = (0..data.var().len()).map(|it| Some(data.var().label(it).to_owned())).collect();
    table.insert("gene_symbol", Column::Str(symbols))?;
    Ok(table)
}

fn describe(data: &PerturbSeq, seed: Seed) -> Uns {
    let spec = serde_json::to_string(data.spec()).expect("invariant: numbers, names and lists always serialise");
    Uns::Group(BTreeMap::from([
        ("spec".to_owned(), Uns::Str(spec)),
        ("seed".to_owned(), Uns::Str(seed.value().to_string())),
        ("generator".to_owned(), Uns::Str(concat!("cellstone-fixtures ", env!("CARGO_PKG_VERSION")).to_owned())),
    ]))
}
