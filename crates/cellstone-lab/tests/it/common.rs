//! Small simulated inputs and runs.

use cellstone_core::{Result, Seed};
use cellstone_fixtures::{PerturbSeqSpec, simulate_to_h5ad};
use cellstone_io::WriteOptions;
use cellstone_lab::{Config, Registry, RunOptions, RunOutcome, Silent, parse_config, resolve, run};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// An experiment on the simulated cells of [`cells`].
pub(crate) const EXPERIMENT: &str = r#"
schema = 1
id = "tiny"
question = "Does it work?"
seeds = [1, 2]
[data]
path = "cells.h5ad"
scale = "counts"
[prep]
n_replicates = 2
[split]
protocol = "norman_doubles"
scored = ["test", "val"]
[metrics]
draws = 200
flips = 500
[[baseline]]
id = "additive"
[[baseline]]
id = "shrunk_additive"
[[baseline]]
id = "linear_published"
[[baseline]]
id = "linear_joint"
[[baseline]]
id = "knn"
[[baseline]]
id = "ridge"
"#;

/// Simulated cells in `dir/cells.h5ad`.
pub(crate) fn cells(dir: &Path) -> PathBuf {
    let path = dir.join("cells.h5ad");
    let spec = PerturbSeqSpec::preset("tiny").expect("preset");
    simulate_to_h5ad(spec, Seed::new(7), &path, &WriteOptions::default(), &mut |_, _| ()).expect("simulated");
    path
}

/// Resolves an experiment text against the files of `dir`.
pub(crate) fn config(dir: &Path, text: &str, overrides: &[&str]) -> Result<Config> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    resolve(parse_config(text, &overrides)?, dir, &Registry::builtin())
}

/// Runs an experiment into `out`.
pub(crate) fn run_into(config: &Config, registry: &Registry, out: &Path, resume: bool) -> Result<RunOutcome> {
    let cancel = AtomicBool::new(false);
    let options = RunOptions {
        out: Some(out.to_owned()),
        resume,
        force: false,
        progress: &Silent,
        cancel: &cancel,
        threads: 1,
        device: "cpu".to_owned(),
    };
    run(config, registry, &options)
}

/// The bytes of every table of a run, by name.
pub(crate) fn tables(run: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(run.join("tables"))
        .expect("tables")
        .map(|it| {
            let path = it.expect("entry").path();
            let name = path.file_name().expect("name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("readable"))
        })
        .collect()
}

/// Fails with the name of the first table that differs.
pub(crate) fn assert_same_tables(a: &Path, b: &Path) {
    let (a, b) = (tables(a), tables(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "table {name} differs");
    }
}

/// A file of the shared real data, if it is there; prints why a test skips otherwise.
#[expect(clippy::print_stderr, reason = "a skipped test is printed, never silent")]
pub(crate) fn shared(file: &str) -> Option<PathBuf> {
    let start = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = start.ancestors().map(|it| it.join("shared/data").join(file)).find(|it| it.exists());
    if found.is_none() {
        eprintln!("skipped: no shared/data/{file} beside the checkout");
    }
    found
}
