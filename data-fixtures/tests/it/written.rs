//! A simulated file reads back as what was simulated.

use cellstone_core::{CountSource, Error, Scale, Seed};
use cellstone_fixtures::{PerturbSeq, PerturbSeqSpec, simulate_to_h5ad, truth_path};
use cellstone_io::{OpenOptions, WriteOptions, open_source};

fn rows(source: &dyn CountSource) -> Vec<(Vec<u32>, Vec<f32>)> {
    let mut rows = Vec::new();
    for block in source.blocks(0).expect("opens") {
        let block = block.expect("reads");
        rows.extend((0..block.x.shape().0).map(|it| (block.x.row(it).0.to_vec(), block.x.row(it).1.to_vec())));
    }
    rows
}

#[test]
fn a_file_holds_what_was_simulated() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("tiny.h5ad");
    let spec = PerturbSeqSpec::preset("tiny").expect("preset");
    let mut seen = Vec::new();
    let data = simulate_to_h5ad(spec.clone(), Seed::new(9), &path, &WriteOptions::default(), &mut |done, of| {
        seen.push((done, of));
    })
    .expect("written");
    assert_eq!(seen.last(), Some(&(400, 400)));
    let file = open_source(&path, &OpenOptions::default()).expect("readable");
    assert_eq!(file.scale(), Scale::Counts);
    assert_eq!(file.var().ids(), data.var().ids());
    assert_eq!(file.var().symbols(), data.var().symbols());
    assert_eq!(file.obs(), data.obs());
    assert_eq!(rows(&*file), rows(&data));
    let truth: serde_json::Value =
        serde_json::from_slice(&std::fs::read(truth_path(&path)).expect("there")).expect("json");
    assert_eq!(truth["conditions"].as_array().map(Vec::len), Some(11));
}

#[test]
fn nothing_is_overwritten_unasked() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let path = dir.path().join("tiny.h5ad");
    let write = |overwrite| -> Result<PerturbSeq, Error> {
        let spec = PerturbSeqSpec::preset("tiny")?;
        simulate_to_h5ad(spec, Seed::new(9), &path, &WriteOptions { overwrite, gzip_level: None }, &mut |_, _| ())
    };
    write(false).expect("new");
    let before = std::fs::read(&path).expect("there");
    let error = write(false).expect_err("exists");
    assert!(error.to_string().contains("tiny.h5ad"), "{error}");
    write(true).expect("replaced");
    assert_eq!(std::fs::read(&path).expect("there"), before, "one seed gives one file");
    std::fs::remove_file(&path).expect("removable");
    let error = write(false).expect_err("the truth of another run stands there");
    assert!(error.to_string().contains("tiny.truth.json"), "{error}");
    assert!(!path.exists());
}
