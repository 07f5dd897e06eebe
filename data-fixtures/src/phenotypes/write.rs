//! A simulated phenotype atlas as files: counts as `.h5ad`, the planted truth as JSON beside it.

use super::{PhenotypeAtlas, PhenotypeSpec, PhenotypeTruth};
use crate::truth_path;
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, Seed};
use cellstone_io::{Extras, H5adWriter, Uns, WriteOptions, atomic_write};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Simulates a phenotype atlas into an `.h5ad`, and writes the planted truth (at [`truth_path`]) beside it.
///
/// `obs` gains `planted_blurred`, and of the exact posterior of the type `planted_entropy` (nats), `planted_p_true` and
/// `planted_hit` (whether its most probable type is right); the truth has their means for every stage. Memory stays bounded but for the annotation. `progress` is told after every
/// block how many cells of how many are done. `uns/simulation` holds the specification and the seed.
///
/// # Errors
/// If the specification is not valid, or one of the files exists and may not be replaced, or writing fails; then none of
/// the files is left behind.
pub fn simulate_phenotypes_to_h5ad(
    spec: PhenotypeSpec,
    seed: Seed,
    path: &Path,
    options: &WriteOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<PhenotypeTruth> {
    let mut data = PhenotypeAtlas::new(spec, seed)?;
    let mut writer = H5adWriter::create(path, options, data.var().len())?;
    let (mut entropy, mut p_true, mut hits) = (Vec::new(), Vec::new(), Vec::new());
    for block in data.blocks(0)? {
        let block = block?;
        for it in data.posteriors(&block) {
            entropy.push(it.entropy());
            p_true.push(it.p[it.truth]);
            hits.push(it.hit());
        }
        writer.write_rows(&block.x)?;
        progress(block.start + block.x.shape().0, data.n_obs());
    }
    fill(&mut data, &entropy, &hits);
    let mut obs = data.obs().clone();
    obs.insert("planted_blurred", Column::Bool(data.blurred().into_iter().map(Some).collect()))?;
    obs.insert("planted_entropy", Column::Float(entropy))?;
    obs.insert("planted_p_true", Column::Float(p_true))?;
    obs.insert("planted_hit", Column::Float(hits))?;
    let place = truth_path(path);
    atomic_write(&place, options.overwrite, |file| {
        file.write_all(data.truth().to_json().as_bytes()).map_err(|it| Error::io(&place, it))
    })?;
    let uns = BTreeMap::from([("simulation".to_owned(), describe(&data, seed))]);
    let var = ObsTable::new(data.var().ids().to_vec());
    if let Err(error) = writer.finish(&obs, &var, &Extras { uns, ..Extras::default() }) {
        // The first error is the one to report: a file that could not be removed is the smaller harm.
        drop(std::fs::remove_file(&place));
        return Err(error);
    }
    Ok(data.truth)
}

/// Means of the exact posterior for every stage.
fn fill(data: &mut PhenotypeAtlas, entropy: &[f64], hits: &[f64]) {
    let of_cell: Vec<usize> = (0..entropy.len()).map(|it| data.stage(it)).collect();
    for (at, stage) in data.truth.stages.iter_mut().enumerate() {
        let cells: Vec<usize> = (0..entropy.len()).filter(|it| of_cell[*it] == at).collect();
        if cells.is_empty() {
            continue;
        }
        let n = cells.len() as f64;
        stage.entropy = Some(cells.iter().map(|it| entropy[*it]).sum::<f64>() / n);
        stage.accuracy = Some(cells.iter().map(|it| hits[*it]).sum::<f64>() / n);
    }
}

fn describe(data: &PhenotypeAtlas, seed: Seed) -> Uns {
    let spec = serde_json::to_string(data.spec()).expect("invariant: numbers always serialise");
    Uns::Group(BTreeMap::from([
        ("spec".to_owned(), Uns::Str(spec)),
        ("seed".to_owned(), Uns::Str(seed.value().to_string())),
        ("generator".to_owned(), Uns::Str(concat!("cellstone-fixtures ", env!("CARGO_PKG_VERSION")).to_owned())),
    ]))
}
