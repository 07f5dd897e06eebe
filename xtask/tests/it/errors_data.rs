//! Cell files with one thing wrong: every command says file, place, what was found and what was expected.

use crate::cells::{Cells, patch, write_text_matrix};
use crate::common::{EXPERIMENT, Failures, Shell};

/// Every command that reads the values of a cell file refuses `name`.
fn every_reader(shell: &Shell, failures: &mut Failures<'_>, name: &str) {
    failures.check_run(3, &["run", "exp.toml", "--set", &format!("data.path={name}")]);
    for command in [
        &["normalize", name, "--out", "new.h5ad"][..],
        &["pseudobulk", name, "--scale", "counts", "--out", "new.csv"],
        &["pca", name, "--scale", "counts", "--n-comps", "2", "--out", "new.h5ad"],
        &["qc", name, "--percent-top", "2", "--out", "new.csv"],
        &["hvg", name, "--n-top", "2", "--out", "new.h5ad"],
        &["neighbors", name, "--quiet", "--n-comps", "2", "--k", "3", "--out", "new.h5ad"],
        &["cluster", name, "--quiet", "--n-comps", "2", "--k", "3", "--out", "new.csv"],
        &["umap", name, "--quiet", "--n-comps", "2", "--k", "3", "--out", "new.csv"],
        &["de", name, "--groupby", "perturbation", "--out", "new.csv"],
    ] {
        let quiet = Failures::of(shell).check(3, command).said().to_owned();
        let own = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert!(failures.said().ends_with(&own(&quiet).join("\n")), "another message than that of run:\n{quiet}");
    }
}

fn shell() -> Shell {
    let shell = Shell::new();
    shell.put("exp.toml", EXPERIMENT);
    shell
}

#[test]
fn values_that_are_no_counts() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    for (name, value) in
        [("negative.h5ad", -1.0), ("fractional.h5ad", 0.5), ("nan.h5ad", f32::NAN), ("infinite.h5ad", f32::INFINITY)]
    {
        Cells::with(|it| it.x[[3, 2]] = value).write(&shell, name);
        every_reader(&shell, &mut failures, name);
    }
    let lognorm = ["--set", "data.scale=lognorm"];
    for name in ["negative.h5ad", "nan.h5ad"] {
        failures.check_run(3, &["run", "exp.toml", "--set", &format!("data.path={name}"), lognorm[0], lognorm[1]]);
    }
    failures.check(3, &["pseudobulk", "nan.h5ad", "--scale", "any", "--out", "new.csv"]);
    failures.check(3, &["pca", "infinite.h5ad", "--scale", "any", "--n-comps", "2", "--out", "new.csv"]);
    insta::assert_snapshot!(failures.said());
}

#[test]
fn files_that_are_damaged() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    shell.put("text.h5ad", "gene,cell\nA,1\n");
    shell.put("empty.h5ad", "");
    Cells::with(|it| it.plain = false).write(&shell, "good.h5ad");
    let bytes = std::fs::read(shell.path("good.h5ad")).expect("reads");
    shell.put("truncated.h5ad", &bytes[..bytes.len() / 2]);
    for name in ["text.h5ad", "empty.h5ad", "truncated.h5ad"] {
        every_reader(&shell, &mut failures, name);
        failures.check(3, &["inspect", name]);
        failures.check(3, &["plan", "exp.toml", "--set", &format!("data.path={name}")]);
        failures.check(3, &["split", name, "--protocol", "gene_kfold", "--k", "2", "--out", "new.csv"]);
    }
    // A chunk whose bytes changed: the annotation can still be read, the values cannot.
    shell.ok(&["simulate", "--preset", "tiny", "--out", "flipped.h5ad"]);
    std::fs::remove_file(shell.path("flipped.truth.json")).expect("removed");
    let mut bytes = std::fs::read(shell.path("flipped.h5ad")).expect("reads");
    bytes[300..330].iter_mut().for_each(|it| *it ^= 0x5a);
    shell.put("flipped.h5ad", &bytes);
    every_reader(&shell, &mut failures, "flipped.h5ad");
    insta::assert_snapshot!(failures.said());
}

#[test]
fn matrices_that_are_wrong() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    write_text_matrix(&shell, "text.h5ad");
    every_reader(&shell, &mut failures, "text.h5ad");
    let row = |it: [u32; 4]| it.map(u32::to_le_bytes).concat();
    for (name, index) in [("outside.h5ad", 9), ("repeated.h5ad", 2)] {
        // The only cell with three values: its indices are the only 0, 2, 3 in a row before the next 0.
        Cells::with(|it| it.x[[5, 1]] = 0.0).write(&shell, name);
        patch(&shell, name, &row([3, 0, 2, 3]), &row([3, 0, 2, index]));
        every_reader(&shell, &mut failures, name);
    }
    Cells::with(|it| it.genes[2] = "G0").write(&shell, "genes.h5ad");
    every_reader(&shell, &mut failures, "genes.h5ad");
    Cells::with(|it| it.barcodes[5] = "c1").write(&shell, "cells_twice.h5ad");
    every_reader(&shell, &mut failures, "cells_twice.h5ad");
    failures.check(3, &["split", "cells_twice.h5ad", "--protocol", "gene_kfold", "--k", "2", "--out", "new.csv"]);
    shell.put("letters.csv", "cell,G0,G1\nc0,1,x\n");
    failures.check(3, &["normalize", "letters.csv", "--out", "new.h5ad"]);
    insta::assert_snapshot!(failures.said());
}

#[test]
fn labels_that_are_wrong() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    Cells::default().write(&shell, "cells.h5ad");
    Cells::with(|it| it.labels[0..2].fill("G4")).write(&shell, "uncontrolled.h5ad");
    let split = ["--protocol", "gene_kfold", "--k", "2", "--out", "new.csv"];
    let on = |command: &[&'static str], more: &[&'static str]| [command, more].concat();
    failures.check_run(3, &["run", "exp.toml", "--set", "data.path=uncontrolled.h5ad"]);
    failures.check(3, &on(&["split", "uncontrolled.h5ad"], &split));
    failures.check(3, &["pseudobulk", "uncontrolled.h5ad", "--scale", "counts", "--out", "new.csv"]);
    failures.check_run(3, &["run", "exp.toml", "--set", "data.pert_col=perturbatio"]);
    failures.check(3, &["plan", "exp.toml", "--set", "data.pert_col=perturbatio"]);
    failures.check(3, &on(&["split", "cells.h5ad", "--pert-col", "perturbatio"], &split));
    failures.check(3, &["pseudobulk", "cells.h5ad", "--scale", "counts", "--batch-col", "lane", "--out", "new.csv"]);
    // A misspelt control must not be replaced silently by a label that looks like one.
    failures.check_run(3, &["run", "exp.toml", "--set", "data.control_pert=[\"contrl\"]"]);
    failures.check(3, &on(&["split", "cells.h5ad", "--control", "nothing"], &split));
    failures.check(3, &["pseudobulk", "cells.h5ad", "--control", "contrl", "--scale", "counts", "--out", "new.csv"]);
    insta::assert_snapshot!(failures.said());
}

#[test]
fn one_cell_and_an_empty_cell_are_told_not_refused() {
    let shell = shell();
    Cells::with(|it| it.labels[7] = "G2").write(&shell, "single.h5ad");
    Cells::with(|it| it.x.row_mut(4).fill(0.0)).write(&shell, "empty.h5ad");
    let run = |name: &str| {
        shell.ok(&["run", "exp.toml", "--set", &format!("data.path={name}.h5ad"), "--out", name]);
        let table = |what: &str| shell.ok(&["table", &format!("{name}/tables/{what}.parquet"), "--csv"]);
        (table("scores"), table("notes"))
    };
    let (scores, notes) = run("single");
    let replicate = scores.lines().find(|it| it.contains("G3") && it.contains(",l2,") && it.contains("replicate"));
    assert!(replicate.is_some_and(|it| it.contains("undefined,too few cells")), "{scores}");
    assert!(notes.contains("fewer than") && notes.contains("G3"), "{notes}");
    assert!(shell.ok(&["inspect", "single.h5ad"]).contains("labels with one cell: `G3`"));
    let (scores, notes) = run("empty");
    assert!(!scores.contains("error"), "{scores}");
    assert!(notes.contains("1 cells without a count were left out"), "{notes}");
    let output = shell.output(&["normalize", "empty.h5ad", "--out", "normal.h5ad"]);
    assert_eq!(shell.text(&output.stderr), "1 cells have no count and stay zero\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn inspect_names_what_is_wrong() {
    let shell = Shell::new();
    let mut said = String::new();
    let mut look = |cells: Cells, name: &str| {
        cells.write(&shell, name);
        said.push_str(&shell.ok(&["inspect", name]));
    };
    look(Cells::with(|it| it.barcodes[5] = "c1"), "cells_twice.h5ad");
    look(Cells::with(|it| it.genes[2] = "G0"), "genes_twice.h5ad");
    look(Cells::with(|it| it.labels[0..2].fill("G4")), "uncontrolled.h5ad");
    look(Cells::with(|it| it.x[[3, 2]] = f32::NAN), "nan.h5ad");
    look(Cells::with(|it| it.x[[3, 2]] = -1.0), "negative.h5ad");
    insta::assert_snapshot!(said.trim_end());
}
