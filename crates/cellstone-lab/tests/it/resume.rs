//! A run that stopped half-way is visibly incomplete and ends with the same tables.

use crate::common::{EXPERIMENT, assert_same_tables, cells, config, run_into};
use cellstone_lab::{Registry, RunOptions, Silent, run};
use cellstone_report::{RunDir, RunStatus};
use std::sync::atomic::AtomicBool;

#[test]
fn a_stopped_run_resumes_to_the_same_tables() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), EXPERIMENT, &[]).expect("resolves");
    let registry = Registry::builtin();
    let whole = dir.path().join("whole");
    run_into(&config, &registry, &whole, false).expect("runs");

    let stopped = dir.path().join("stopped");
    let cancel = AtomicBool::new(true);
    let options = RunOptions {
        out: Some(stopped.clone()),
        resume: false,
        force: false,
        progress: &Silent,
        cancel: &cancel,
        threads: 1,
        device: "cpu".to_owned(),
    };
    assert!(run(&config, &registry, &options).expect_err("stopped").is_cancelled());
    let manifest = RunDir::open(&stopped).and_then(|it| it.manifest()).expect("manifest");
    assert_eq!(manifest.status, RunStatus::Interrupted);

    // Half of the units are there, as after a kill between two of them.
    let unit = "norman_doubles_s1";
    let copy = |from: &str| {
        let (source, target) = (whole.join("state").join(from), stopped.join("state").join(from));
        copy_all(&source, &target);
    };
    copy(&format!("units/{unit}"));
    for entry in std::fs::read_dir(whole.join("state")).expect("state") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        if path.is_file() && name.contains(unit) {
            std::fs::copy(&path, stopped.join("state").join(&name)).expect("copied");
        }
    }
    let kept = stopped.join("state/units").join(unit).join("scores.parquet");
    let written = || std::fs::metadata(&kept).and_then(|it| it.modified()).expect("there");
    let before = written();
    run_into(&config, &registry, &stopped, true).expect("resumes");
    assert_eq!(written(), before, "a finished unit is not made again");
    assert_same_tables(&whole, &stopped);
    let manifest = RunDir::open(&stopped).and_then(|it| it.manifest()).expect("manifest");
    assert_eq!(manifest.status, RunStatus::Complete);
}

#[test]
fn a_run_killed_before_its_manifest_begins() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let config = config(dir.path(), EXPERIMENT, &["seeds=[1]"]).expect("resolves");
    let out = dir.path().join("run");
    std::fs::create_dir_all(out.join("tables")).expect("the frame of a run");
    run_into(&config, &Registry::builtin(), &out, true).expect("begins");
    assert_eq!(RunDir::open(&out).and_then(|it| it.manifest()).expect("manifest").status, RunStatus::Complete);
}

#[test]
fn another_configuration_does_not_resume() {
    let dir = tempfile::tempdir().expect("folder");
    cells(dir.path());
    let registry = Registry::builtin();
    let out = dir.path().join("run");
    run_into(&config(dir.path(), EXPERIMENT, &[]).expect("resolves"), &registry, &out, false).expect("runs");
    let other = config(dir.path(), EXPERIMENT, &["seeds=[3]"]).expect("resolves");
    let error = run_into(&other, &registry, &out, true).expect_err("another configuration");
    assert!(error.to_string().contains("was made with another configuration"), "{error}");
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("source") {
        let path = entry.expect("entry").path();
        std::fs::copy(&path, to.join(path.file_name().expect("name"))).expect("copied");
    }
}
