//! A folder of its own for every test, and the binary run inside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A temporary folder in which commands run, so that messages hold relative paths only.
pub(crate) struct Shell {
    dir: tempfile::TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("temporary folder") }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).expect("written");
    }

    /// The binary with these arguments, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cellstone"));
        command.current_dir(self.dir()).args(args).stdin(Stdio::null()).env("COLUMNS", "100").env("NO_COLOR", "1");
        command
    }

    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the binary starts")
    }

    /// Runs a command that must succeed; what it wrote to stdout.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.output(args);
        assert!(output.status.success(), "{args:?}: {}", self.text(&output.stderr));
        self.text(&output.stdout)
    }

    /// Text with the path of the folder replaced.
    pub(crate) fn text(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).replace(&self.dir().display().to_string(), "[DIR]")
    }

    /// Every file below the folder with its bytes, hidden ones among them; folders with none.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut stack = vec![self.dir().to_owned()];
        while let Some(dir) = stack.pop() {
            for entry in std::fs::read_dir(&dir).expect("readable") {
                let path = entry.expect("entry").path();
                let name = path.strip_prefix(self.dir()).expect("below").display().to_string();
                if path.is_dir() {
                    found.insert(format!("{name}/"), Vec::new());
                    stack.push(path);
                } else {
                    found.insert(name, std::fs::read(&path).expect("readable"));
                }
            }
        }
        found
    }
}

/// Commands that must fail, and what they said, for one snapshot.
pub(crate) struct Failures<'a> {
    shell: &'a Shell,
    said: String,
}

impl<'a> Failures<'a> {
    pub(crate) fn of(shell: &'a Shell) -> Self {
        Self { shell, said: String::new() }
    }

    /// Runs a command that must end with `code`, say why on stderr and nothing on stdout, and change no file.
    #[track_caller]
    pub(crate) fn check(&mut self, code: i32, args: &[&str]) -> &mut Self {
        let before = self.shell.files();
        self.run(code, args);
        self.same_files(&before, args);
        self
    }

    /// The same for a command that makes the run folder `out`, which must say that it failed and hold no result.
    #[track_caller]
    pub(crate) fn check_run(&mut self, code: i32, args: &[&str]) -> &mut Self {
        let before = self.shell.files();
        let mut all = args.to_vec();
        all.extend(["--out", "out"]);
        self.run(code, &all);
        let out = self.shell.path("out");
        let manifest = std::fs::read_to_string(out.join("manifest.json")).expect("a manifest");
        assert!(manifest.contains("\"status\": \"failed\""), "{args:?}: {manifest}");
        assert!(manifest.contains(&format!("\"exit_code\": {code}")), "{args:?}: {manifest}");
        for folder in ["tables", "report"] {
            let n = std::fs::read_dir(out.join(folder)).map_or(0, Iterator::count);
            assert_eq!(n, 0, "{args:?} left something in {folder}");
        }
        std::fs::remove_dir_all(&out).expect("removed");
        self.same_files(&before, args);
        self
    }

    #[track_caller]
    fn run(&mut self, code: i32, args: &[&str]) {
        let output = self.shell.output(args);
        let stderr = self.shell.text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert_eq!(self.shell.text(&output.stdout), "", "{args:?}");
        assert!(stderr.starts_with("error: ") && !stderr.contains("panicked"), "{args:?}: {stderr}");
        let line = args.iter().map(|it| it.replace(&self.shell.dir().display().to_string(), "[DIR]"));
        write!(self.said, "$ cellstone {}\n{stderr}[exit {code}]\n\n", line.collect::<Vec<_>>().join(" "))
            .expect("invariant: text takes text");
    }

    #[track_caller]
    fn same_files(&self, before: &BTreeMap<String, Vec<u8>>, args: &[&str]) {
        let after = self.shell.files();
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "{args:?}");
        for (name, bytes) in &after {
            assert!(bytes == &before[name], "{args:?} changed {name}");
        }
    }

    /// Everything that was said.
    pub(crate) fn said(&self) -> &str {
        self.said.trim_end()
    }
}

/// An experiment whose units take most of its time.
pub(crate) const EXPERIMENT: &str = r#"
schema = 1
id = "small"
question = "Does a small run do what it says?"
seeds = [1, 2]
[data]
path = "cells.h5ad"
scale = "counts"
[prep]
n_replicates = 2
[split]
protocol = "gene_kfold"
k = 2
[metrics]
ids = ["l2", "pearson_delta"]
draws = 100
flips = 100
[[baseline]]
id = "no_change"
[[baseline]]
id = "mean_pb"
[[baseline]]
id = "ridge"
"#;

/// The tables of a run, by file name.
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
#[track_caller]
pub(crate) fn assert_same_tables(a: &Path, b: &Path) {
    let (a, b) = (tables(a), tables(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    assert!(a.len() > 5, "a run writes many tables");
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "table {name} differs");
    }
}
