//! A run that is killed is visibly incomplete, and `--resume` ends with the tables of a run that was not.

use crate::common::{Shell, assert_same_tables};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

const EXPERIMENT: &str = r#"
schema = 1
id = "killed"
question = "Does a killed run end with the same tables?"
seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
[data]
path = "cells.h5ad"
scale = "counts"
[split]
protocol = "norman_doubles"
scored = ["test", "val"]
[metrics]
ids = ["l2", "mse", "pearson_delta", "pds_v2_l2"]
draws = 1000
flips = 2000
[[baseline]]
id = "no_change"
[[baseline]]
id = "additive"
[[baseline]]
id = "linear_joint"
[[baseline]]
id = "knn"
[[baseline]]
id = "ridge"
"#;

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// After so many milliseconds.
    After(u64),
    /// As soon as the run folder is there.
    Folder,
    /// As soon as a unit has written its first table.
    Table,
    /// As soon as so many units are finished.
    Units(usize),
}

fn shell() -> Shell {
    let shell = Shell::new();
    shell.put("exp.toml", EXPERIMENT);
    shell.ok(&["simulate", "--preset", "demo", "--n-obs", "4000", "--out", "cells.h5ad"]);
    shell.ok(&["run", "exp.toml", "--threads", "2", "--out", "whole"]);
    shell
}

fn start(shell: &Shell, out: &str) -> Child {
    let mut command = shell.command(&["run", "exp.toml", "--threads", "2", "--out", out]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts")
}

/// Waits for the moment, or for the end if that comes first.
fn wait(child: &mut Child, out: &Path, moment: Moment) -> Option<ExitStatus> {
    let tick = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    loop {
        let now = match moment {
            Moment::After(it) => waited >= Duration::from_millis(it),
            Moment::Folder => out.exists(),
            Moment::Table => {
                let folders = std::fs::read_dir(out.join("state/units")).into_iter().flatten().flatten();
                folders.filter_map(|it| std::fs::read_dir(it.path()).ok()).any(|mut it| it.next().is_some())
            }
            Moment::Units(n) => finished(out).len() >= n,
        };
        if now {
            return None;
        }
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        std::thread::sleep(tick);
        waited += tick;
    }
}

/// The finished units, and when their tables were written.
fn finished(out: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let entries = std::fs::read_dir(out.join("state")).into_iter().flatten().flatten();
    let names = entries.map(|it| it.file_name().to_string_lossy().into_owned());
    names
        .filter_map(|it| Some(it.strip_prefix("unit-")?.strip_suffix(".json")?.to_owned()))
        .map(|unit| {
            let path = out.join("state/units").join(unit).join("scores.parquet");
            let written = std::fs::metadata(&path).and_then(|it| it.modified()).expect("a marked unit has its tables");
            (path, written)
        })
        .collect()
}

fn manifest(out: &Path) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(out.join("manifest.json")).ok()?;
    Some(serde_json::from_str(&text).expect("a manifest is whole or absent"))
}

/// What is left says that it is not all.
fn visibly_incomplete(out: &Path, status: &str, moment: Moment) {
    let files = |dir: &str| std::fs::read_dir(out.join(dir)).map_or(0, Iterator::count);
    match manifest(out) {
        Some(it) => assert_eq!(it["status"], status, "{moment:?}"),
        None => assert_eq!((files("tables"), files("report")), (0, 0), "{moment:?}: results without a manifest"),
    }
    if let Ok(page) = std::fs::read_to_string(out.join("report/index.html")) {
        assert!(page.contains("This run is not complete"), "{moment:?}: a report that claims to be final");
    }
}

/// Resumes, and compares with the run that was not disturbed.
fn resumes(shell: &Shell, out: &str, moment: Moment) {
    let path = shell.path(out);
    let before = finished(&path);
    shell.ok(&["run", "exp.toml", "--threads", "2", "--out", out, "--resume"]);
    assert_same_tables(&shell.path("whole"), &path);
    assert_eq!(manifest(&path).expect("a manifest")["status"], "complete", "{moment:?}");
    let page = std::fs::read_to_string(path.join("report/index.html")).expect("a report");
    assert!(!page.contains("This run is not complete"), "{moment:?}");
    let after = finished(&path);
    for (unit, written) in &before {
        assert_eq!(after[unit], *written, "{moment:?}: {} was made again", unit.display());
    }
}

#[test]
fn a_killed_run_resumes_to_the_same_tables() {
    let shell = shell();
    let moments = [
        Moment::Folder,
        Moment::After(300),
        Moment::Table,
        Moment::After(600),
        Moment::Units(3),
        Moment::After(1000),
        Moment::After(1600),
    ];
    let mut hit = 0;
    for (at, moment) in moments.into_iter().enumerate() {
        let out = format!("killed{at}");
        let mut child = start(&shell, &out);
        let over = wait(&mut child, &shell.path(&out), moment);
        child.kill().expect("killed");
        child.wait().expect("ended");
        // The run may have ended between the look and the kill.
        if over.is_some() || manifest(&shell.path(&out)).is_some_and(|it| it["status"] == "complete") {
            eprintln!("skipped: the run was over before {moment:?}");
            continue;
        }
        if !shell.path(&out).exists() {
            eprintln!("skipped: the run had not begun at {moment:?}");
            continue;
        }
        hit += 1;
        visibly_incomplete(&shell.path(&out), "running", moment);
        resumes(&shell, &out, moment);
        std::fs::remove_dir_all(shell.path(&out)).expect("removed");
    }
    assert!(hit >= 2, "{hit} of {} kills met an unfinished run", moments.len());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_resumes() {
    let shell = shell();
    for (at, moment) in [Moment::Folder, Moment::Units(1)].into_iter().enumerate() {
        let out = format!("stopped{at}");
        let mut child = start(&shell, &out);
        assert!(wait(&mut child, &shell.path(&out), moment).is_none(), "the run was over before {moment:?}");
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
        assert!(sent.success());
        let status = child.wait().expect("ended");
        assert_eq!(status.code(), Some(130), "{moment:?}");
        visibly_incomplete(&shell.path(&out), "interrupted", moment);
        let found = manifest(&shell.path(&out)).expect("a manifest");
        assert_eq!(found["exit_code"], 130, "{moment:?}");
        resumes(&shell, &out, moment);
    }
}
