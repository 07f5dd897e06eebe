//! A disk that is full: an error that says so, and nothing under a final name.

use crate::common::{EXPERIMENT, Shell};
use std::process::{Command, Output};

/// Simulated cells, larger than the disks of these tests.
fn shell() -> Shell {
    let shell = Shell::new();
    shell.put("exp.toml", EXPERIMENT.replace("gene_kfold\"\nk = 2", "norman_doubles\""));
    shell.ok(&["simulate", "--preset", "tiny", "--out", "cells.h5ad"]);
    shell
}

/// Commands that write more than fits, and what they write.
fn commands(out: &str) -> Vec<(Vec<String>, String)> {
    let list = |command: &str, name: &str| {
        let path = format!("{out}{name}");
        let mut args: Vec<String> = command.split(' ').map(str::to_owned).collect();
        args.push(path.clone());
        (args, path)
    };
    vec![
        list("simulate --preset tiny --out", "full.h5ad"),
        list("normalize cells.h5ad --out", "full.h5ad"),
        list("pseudobulk cells.h5ad --scale counts --out", "full.csv"),
        list("pca cells.h5ad --scale counts --n-comps 20 --out", "full.h5ad"),
    ]
}

#[track_caller]
fn refused(shell: &Shell, output: &Output, path: &str, why: &str) {
    let stderr = shell.text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains(path), "{stderr}");
    assert!(stderr.contains(why) && !stderr.contains("panicked"), "{stderr}");
    let folder = shell.path(path);
    let folder = folder.parent().expect("a folder");
    let left: Vec<String> = std::fs::read_dir(folder)
        .expect("readable")
        .map(|it| it.expect("entry").file_name().to_string_lossy().into_owned())
        .filter(|it| it.contains("full"))
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

/// A limit on the size of files stands in for a full disk where nothing can be mounted.
#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow() {
    let shell = shell();
    for (args, path) in commands("") {
        let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_cellstone")]).args(&args).current_dir(shell.dir());
        let output = command.output().expect("sh starts");
        if output.status.success() {
            eprintln!("skipped: this shell sets no limit on files ({args:?} succeeded)");
            continue;
        }
        refused(&shell, &output, &path, "File too large");
    }
}

/// A small disk in memory; unmounted when dropped.
struct Disk(std::path::PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    let shell = shell();
    let at = shell.path("disk");
    std::fs::create_dir(&at).expect("made");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=8k", "tmpfs"])
        .arg(&at)
        .output()
        .is_ok_and(|it| it.status.success());
    if !mounted {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    }
    let _disk = Disk(at);
    for (args, path) in commands("disk/") {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        refused(&shell, &shell.output(&args), &path, "No space left on device");
    }
    // A run keeps its manifest, which was written first, and says that it is not complete.
    let output = shell.output(&["run", "exp.toml", "--out", "disk/run"]);
    let stderr = shell.text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("disk/run/") && stderr.contains("No space left on device"), "{stderr}");
    if let Ok(manifest) = std::fs::read_to_string(shell.path("disk/run/manifest.json")) {
        assert!(!manifest.contains("\"complete\""), "{manifest}");
    }
}
