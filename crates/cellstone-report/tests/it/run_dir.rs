//! The run directory: creation, manifest, events, stages, verification.

use crate::common::{Plan, write_run};
use cellstone_core::ErrorKind;
use cellstone_report::{Event, FormatVersion, Manifest, RunDir, RunStatus};
use std::fs;

fn small(base: &std::path::Path) -> RunDir {
    write_run(base, &Plan { n_perturbations: 3, curves: false, ..Plan::default() })
}

#[test]
fn the_manifest_is_pinned_and_reads_back() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    let manifest = run.manifest().expect("manifest");
    insta::assert_snapshot!("manifest", manifest.to_json());
    assert_eq!(Manifest::from_json(&manifest.to_json(), run.path()).expect("reads back"), manifest);
    assert!(run.path().ends_with("norman_doubles/20261121T133000Z-0a1b2c3d"));
}

#[test]
fn a_run_opens_by_folder_and_by_manifest_and_nothing_else() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    assert_eq!(RunDir::open(run.path()).expect("folder"), run);
    assert_eq!(RunDir::open(run.path().join("manifest.json")).expect("manifest"), run);
    let error = RunDir::open(base.path()).expect_err("no run");
    assert!(error.to_string().contains("no `manifest.json` found"), "{error}");
    assert_eq!(error.hints().len(), 1);
}

#[test]
fn corrupt_newer_and_older_manifests() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    let path = run.path().join("manifest.json");
    let whole = fs::read_to_string(&path).expect("text");
    fs::write(&path, &whole[..whole.len() / 2]).expect("cut");
    let error = RunDir::open(run.path()).expect_err("cut");
    assert!(error.to_string().contains("manifest.json`: corrupt manifest"), "{error}");
    fs::write(&path, whole.replace("\"major\": 1", "\"major\": 2")).expect("newer");
    let error = RunDir::open(run.path()).expect_err("newer");
    assert!(error.to_string().contains("run format version 2.0 found, expected at most 1.x"), "{error}");
    // A later minor version may add fields; an early one may lack some.
    fs::write(&path, whole.replace("\"minor\": 0", "\"minor\": 7").replacen('{', "{\"added_later\": 1,", 1))
        .expect("minor");
    assert_eq!(run.manifest().expect("readable").experiment, "norman_doubles");
    fs::write(&path, "{\"format_version\": {\"major\": 1, \"minor\": 0}, \"experiment\": \"x\"}").expect("sparse");
    assert_eq!(run.manifest().expect("readable").status, RunStatus::Running);
    assert!(FormatVersion { major: 2, minor: 0 }.check_readable().is_err());
}

#[test]
fn nothing_is_overwritten_unasked() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    let error = RunDir::create_at(run.path(), false).expect_err("complete");
    assert!(error.to_string().contains("found a complete run"), "{error}");
    assert!(error.hints()[0].contains("--force"));
    let other = base.path().join("notes");
    fs::create_dir(&other).expect("folder");
    RunDir::create_at(&other, false).expect("an empty folder will do");
    let foreign = base.path().join("foreign");
    fs::create_dir(&foreign).expect("folder");
    fs::write(foreign.join("thesis.txt"), "precious").expect("file");
    for force in [false, true] {
        let error = RunDir::create_at(&foreign, force).expect_err("not ours");
        assert!(error.to_string().contains("not empty and not a run"), "{error}");
    }
    let error = RunDir::create_at(&foreign.join("thesis.txt"), true).expect_err("a file");
    assert!(error.to_string().contains("found a file"), "{error}");
    fs::write(run.path().join("mine.txt"), "kept").expect("file");
    let forced = RunDir::create_at(run.path(), true).expect("forced");
    assert!(!forced.path().join("manifest.json").exists() && !forced.stage_done("score"));
    assert_eq!(fs::read_to_string(run.path().join("mine.txt")).expect("kept"), "kept");
    assert!(RunDir::create(base.path(), "../up", "20260101T000000Z", "00000000").is_err());
}

#[test]
fn a_folder_without_its_manifest_yet_is_begun_anew() {
    let base = tempfile::tempdir().expect("folder");
    let dir = base.path().join("run");
    let run = RunDir::create_at(&dir, false).expect("made");
    fs::write(dir.join(".manifest.json.17.tmp"), "{\"exp").expect("torn");
    assert!(RunDir::is_unstarted(&dir));
    RunDir::create_at(&dir, false).expect("made again");
    fs::write(run.tables_dir().join("scores.parquet"), "someone's").expect("file");
    assert!(!RunDir::is_unstarted(&dir));
    assert!(RunDir::create_at(&dir, true).is_err());
    assert!(!RunDir::is_unstarted(&base.path().join("absent")));
    assert!(!RunDir::is_unstarted(small(base.path()).path()));
}

#[test]
fn an_incomplete_run_is_kept_for_resuming() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    let killed = Manifest { status: RunStatus::Running, ..run.manifest().expect("manifest") };
    run.write_manifest(&killed).expect("write");
    assert!(RunDir::create_at(run.path(), false).expect("kept").stage_done("score"));
    let error = run.verify().expect_err("incomplete");
    assert_eq!(error.kind(), ErrorKind::Incomplete);
    assert!(error.hints()[0].contains("--resume"));
}

#[test]
fn a_changed_table_undoes_its_stage() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    run.verify().expect("whole");
    assert!(run.stage_done("score") && !run.stage_done("fit"));
    let path = run.tables_dir().join("ranks.parquet");
    let mut bytes = fs::read(&path).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("change");
    assert!(!run.stage_done("score"));
    let error = run.verify().expect_err("changed");
    assert!(error.to_string().contains("ranks.parquet") && error.to_string().contains("expected"), "{error}");
    fs::remove_file(&path).expect("remove");
    assert!(run.verify().expect_err("missing").to_string().contains("is missing"));
}

#[test]
fn events_append_and_a_torn_last_line_is_left_out() {
    let base = tempfile::tempdir().expect("folder");
    let run = small(base.path());
    let event =
        |value| Event { at: "20261121T133001Z".into(), kind: "loss".into(), phase: "fit".into(), message: None, value };
    run.events().append(&event(Some(0.5))).expect("append");
    run.events().append(&event(None)).expect("append");
    assert!(run.events().append(&event(Some(f64::NAN))).is_err());
    let path = run.path().join("events.jsonl");
    let text = fs::read_to_string(&path).expect("text");
    assert_eq!(text.lines().count(), 2);
    fs::write(&path, format!("{text}{{\"at\": \"2026")).expect("torn");
    assert_eq!(run.events().read().expect("events"), [event(Some(0.5)), event(None)]);
}
