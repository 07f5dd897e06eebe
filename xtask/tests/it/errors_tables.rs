//! Predictions that do not fit the truth, and tables that are damaged.

use crate::cells::Cells;
use crate::common::{EXPERIMENT, Failures, Shell};
use std::collections::BTreeSet;

/// Arguments of a score of `pred` against `truth`, without `--out`.
fn score<'a>(truth: &'a str, pred: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["score", "--truth", truth, "--pred", pred, "--pert-col", "perturbation", "--scale", "counts"];
    [&base[..], more].concat()
}

#[test]
fn predictions_that_do_not_fit() {
    let shell = Shell::new();
    let mut failures = Failures::of(&shell);
    Cells::default().write(&shell, "truth.h5ad");
    Cells::with(|it| it.genes[3] = "G9").write(&shell, "genes.h5ad");
    Cells::with(|it| it.labels = vec!["control", "control", "A", "A", "B", "B", "C", "C"]).write(&shell, "labels.h5ad");
    Cells::with(|it| it.labels[0..2].fill("G4")).write(&shell, "uncontrolled.h5ad");
    Cells::with(|it| it.x[[3, 2]] = 0.5).write(&shell, "fractional.h5ad");
    let control = ["--control", "control"];
    failures.check_run(3, &score("truth.h5ad", "genes.h5ad", &control));
    failures.check_run(3, &score("truth.h5ad", "labels.h5ad", &control));
    failures.check_run(3, &score("uncontrolled.h5ad", "truth.h5ad", &control));
    failures.check_run(3, &score("truth.h5ad", "truth.h5ad", &["--control", "contrl"]));
    failures.check_run(3, &score("truth.h5ad", "fractional.h5ad", &control));
    failures.check_run(3, &score("truth.h5ad", "absent.h5ad", &control));
    failures.check_run(3, &score("truth.h5ad", "uncontrolled.h5ad", &["--control", "control", "--own-control"]));
    failures.check_run(3, &score("truth.h5ad", "truth.h5ad", &["--control", "control", "--context-col", "cell"]));
    let unknown =
        score("truth.h5ad", "truth.h5ad", &["--control", "control", "--metrics", "l2,pearson_dleta", "--out", "new"]);
    failures.check(2, &unknown);
    let both = ["--control", "control", "--metrics", "l2", "--profile", "all", "--out", "new"];
    failures.check(2, &score("truth.h5ad", "truth.h5ad", &both));
    insta::assert_snapshot!(failures.said());
}

#[test]
fn missing_and_infinite_predictions_are_error_rows() {
    let shell = Shell::new();
    Cells::default().write(&shell, "truth.h5ad");
    Cells::with(|it| {
        it.labels[6..8].fill("G2");
        it.x[[2, 0]] = f32::INFINITY;
    })
    .write(&shell, "pred.h5ad");
    let args = ["score", "--truth", "truth.h5ad", "--pred", "pred.h5ad", "--pert-col", "perturbation"];
    let more = ["--control", "control", "--metrics", "l2", "--scale", "lognorm", "--out", "out"];
    let output = shell.output(&[&args[..], &more].concat());
    assert_eq!(output.status.code(), Some(3), "{}", shell.text(&output.stderr));
    let errors = shell.ok(&["table", "out/tables/scores.parquet", "--csv", "--where", "status=error"]);
    insta::assert_snapshot!(format!("{}[exit 3]\n\n{errors}", shell.text(&output.stderr)).trim_end());
    let manifest = std::fs::read_to_string(shell.path("out/manifest.json")).expect("manifest");
    assert!(manifest.contains("\"exit_code\": 3"), "{manifest}");
}

/// A finished run in `run`.
fn finished(shell: &Shell) {
    Cells::default().write(shell, "cells.h5ad");
    shell.put("exp.toml", EXPERIMENT);
    shell.ok(&["run", "exp.toml", "--out", "run"]);
}

#[test]
fn tables_that_are_no_tables() {
    let shell = Shell::new();
    finished(&shell);
    let whole = std::fs::read(shell.path("run/tables/summary.parquet")).expect("reads");
    shell.put("truncated.parquet", &whole[..whole.len() / 2]);
    shell.put("short.parquet", &whole[..7]);
    shell.put("headless.parquet", [&b"XXXX"[..], &whole[4..]].concat());
    shell.put("text.parquet", "a,b\n1,2\n");
    shell.put("ragged.csv", "a,b\n1\n");
    shell.put("open.csv", "a,b\n1,\"2\n");
    shell.put("latin.csv", b"a,b\n1,\xe9\n");
    let mut failures = Failures::of(&shell);
    for name in ["truncated.parquet", "short.parquet", "headless.parquet", "text.parquet"] {
        failures.check(3, &["table", name]);
    }
    for name in ["ragged.csv", "open.csv", "latin.csv", "absent.parquet"] {
        failures.check(3, &["table", name]);
    }
    failures.check(2, &["table", "cells.h5ad"]);
    failures.check(2, &["table", "run/tables/summary.parquet", "--where", "metrc=l2"]);
    failures.check(2, &["table", "run/tables/summary.parquet", "--where", "metric"]);
    shell.put("run/tables/summary.parquet", &whole[..whole.len() - 9]);
    failures.check(3, &["report", "run"]);
    failures.check(3, &["compare", "run", "run"]);
    insta::assert_snapshot!(failures.said());
}

#[test]
fn a_changed_byte_of_a_table_is_noticed() {
    let shell = Shell::new();
    finished(&shell);
    let whole = std::fs::read(shell.path("run/tables/scores.parquet")).expect("reads");
    let text = shell.ok(&["table", "run/tables/scores.parquet", "--csv"]);
    let mut reasons = BTreeSet::new();
    let (mut refused, steps) = (0, 60);
    for step in 0..steps {
        let mut bytes = whole.clone();
        let at = 4 + (whole.len() - 16) * step / steps;
        bytes[at] ^= 1 << (step % 8);
        shell.put("changed.parquet", &bytes);
        let output = shell.output(&["table", "changed.parquet", "--csv"]);
        let stderr = shell.text(&output.stderr);
        assert!(!stderr.contains("panicked"), "byte {at}: {stderr}");
        match output.status.code() {
            // Padding, statistics and other parts that no value comes from.
            Some(0) => assert_eq!(shell.text(&output.stdout), text, "byte {at} changed what is read"),
            Some(3) => {
                assert!(stderr.starts_with("error: `changed.parquet`: "), "{stderr}");
                assert!(stderr.contains("\n\nhint: "), "{stderr}");
                reasons.insert(stderr);
                refused += 1;
            }
            code => panic!("byte {at}: code {code:?}: {stderr}"),
        }
    }
    assert!(refused > steps / 2, "{refused} of {steps} changes were noticed");
    assert!(reasons.iter().any(|it| it.contains("checksum differs")), "{reasons:?}");
}
