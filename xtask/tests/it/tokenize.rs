//! `tokenize` and `medians`: what they write, how they go on after a kill, and what stops them.

use crate::cells::Cells;
use crate::common::{Failures, Shell};
use cellstone_core::{Column, Csr, ObsTable};
use cellstone_io::{Extras, H5adWriter, TokenFile, WriteOptions};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The genes of the small vocabulary, and one that it does not have.
const GENES: [&str; 4] = ["ENSG00000000001", "ENSG00000000002", "ENSG00000000003", "ENSG00000000009"];

/// Eight cells of these genes, and the files of a model that knows three of them.
fn shell() -> Shell {
    let shell = Shell::new();
    cells(&shell, "cells.h5ad", |_| ());
    shell.put(
        "v1.json",
        r#"{"<pad>": 0, "<mask>": 1, "ENSG00000000001": 4, "ENSG00000000002": 5, "ENSG00000000003": 6}"#,
    );
    shell.put(
        "v2.json",
        r#"{"<pad>": 0, "<mask>": 1, "<cls>": 2, "<eos>": 3, "ENSG00000000001": 4, "ENSG00000000002": 5, "ENSG00000000003": 6}"#,
    );
    shell.put("medians.json", r#"{"ENSG00000000001": 2, "ENSG00000000002": 1, "ENSG00000000003": 1.0}"#);
    shell
}

/// Every cell has the counts 4, 2, 2, and 1 of the unknown gene, before `change`.
fn cells(shell: &Shell, name: &str, change: impl FnOnce(&mut Cells)) {
    Cells::with(|it| {
        it.genes = GENES.to_vec();
        it.x = ndarray::Array2::from_shape_fn((8, 4), |(_, gene)| [4.0, 2.0, 2.0, 1.0][gene]);
        change(it);
    })
    .write(shell, name);
}

const V1: [&str; 6] = ["--encoder", "geneformer_v1", "--vocab", "v1.json", "--medians", "medians.json"];

fn args<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["tokenize", input][..], &V1, more].concat()
}

#[test]
fn tokens_coverage_and_manifest() {
    let shell = shell();
    let said = shell.ok(&args("cells.h5ad", &["--obs", "perturbation", "--out", "t.parquet", "--quiet"]));
    assert_eq!(said, "t.parquet\n");
    let file = TokenFile::open(&shell.path("t.parquet")).expect("opens");
    let batch = file.batches(0).next().expect("rows").expect("reads");
    // Equal values all three: the smaller token first.
    assert_eq!((batch.n_rows(), batch.tokens(0), batch.tokens(7)), (8, &[4, 5, 6][..], &[4, 5, 6][..]));
    assert_eq!(batch.cell_ids.as_ref().map(|it| it[7].as_str()), Some("c7"));
    let text = |name: &str| file.column(name).expect("there").text(2).expect("a value");
    assert_eq!(["dataset_id", "obs.perturbation", "n_counts", "length"].map(text), ["cells", "G1", "9", "3"]);
    let json = |name: &str| -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(shell.path(name)).expect("there")).expect("json")
    };
    let coverage = json("t.coverage.json");
    assert_eq!(coverage["f_count"].as_f64(), Some(64.0 / 72.0));
    assert_eq!(coverage["heaviest_unmapped"][0]["feature"], GENES[3]);
    assert_eq!(coverage["mapped_fraction"]["50"].as_f64(), Some(0.8889));
    let manifest = json("t.manifest.json");
    assert_eq!((&manifest["n_rows"], &manifest["detected"]), (&8.into(), &"counts".into()));
    assert_eq!(manifest["config"]["files"][0]["role"], "vocab");
    assert_eq!(manifest["inputs"][0]["sha256"].as_str().map(str::len), Some(64));
    let note: serde_json::Value = serde_json::from_str(file.tokenizer().expect("a note")).expect("json");
    assert_eq!(note["config"]["encoder"]["id"], "geneformer_v1");
    let rejects = shell.ok(&["table", "t.rejects.parquet", "--csv"]);
    assert_eq!(rejects, "cell_id,dataset_id,row_index,reason,detail\n");
    let text = shell.ok(&["table", "t.parquet", "--csv", "--limit", "1"]);
    assert_eq!(text.lines().nth(1).map(|it| it.split(',').nth(3)), Some(Some("4;5;6")), "{text}");
    // The second model of the series puts tokens around the genes, and cuts.
    let v2 =
        ["tokenize", "cells.h5ad", "--encoder", "geneformer_v2", "--vocab", "v2.json", "--medians", "medians.json"];
    shell.ok(&[&v2[..], &["--max-len", "4", "--option", "values=counts", "--out", "v2.parquet"]].concat());
    let file = TokenFile::open(&shell.path("v2.parquet")).expect("opens");
    let batch = file.batches(0).next().expect("rows").expect("reads");
    assert_eq!(batch.tokens(3), [2, 4, 5, 3]);
    let share = |n: f64| (n / 9.0 * 10_000.0) as f32;
    assert_eq!(batch.values(3), Some(&[0.0, share(4.0), share(2.0), 0.0][..]));
    assert_eq!(file.column("n_truncated").expect("there"), Column::Int(vec![Some(1); 8]));
}

#[test]
fn cells_without_tokens_and_filtered_ones() {
    let shell = shell();
    cells(&shell, "empty.h5ad", |it| it.x.row_mut(2).fill(0.0));
    let mut failures = Failures::of(&shell);
    failures.check(3, &args("empty.h5ad", &["--out", "t.parquet"]));
    insta::assert_snapshot!("tokenize_rejects", failures.said());
    let output = shell.output(&args("empty.h5ad", &["--mode", "lenient", "--out", "t.parquet"]));
    assert!(output.status.success());
    assert!(shell.text(&output.stderr).contains("warning: 1 of 8 cells have no tokens (1 "), "{output:?}");
    let rejects = shell.ok(&["table", "t.rejects.parquet", "--csv"]);
    assert!(rejects.lines().nth(1).is_some_and(|it| it.starts_with("c2,empty,2,")), "{rejects}");
    // Cells that the file itself marks are no failure.
    let counts = Csr::from_dense(&ndarray::Array2::from_shape_fn((3, 4), |(_, gene)| [4.0_f32, 2.0, 2.0, 1.0][gene]));
    let write = |name: &str, column: &str, values: Column| {
        let options = WriteOptions::default();
        let mut writer = H5adWriter::create(shell.path(name), &options, 4).expect("creates");
        writer.write_rows(&counts).expect("writes");
        let names = |it: &[&str]| ObsTable::new(it.iter().map(|it| (*it).to_owned()).collect());
        let mut obs = names(&["a", "b", "c"]);
        obs.insert(column, values).expect("fits");
        writer.finish(&obs, &names(&GENES), &Extras::default()).expect("finishes");
    };
    write("marked.h5ad", "filter_pass", Column::Int(vec![Some(1), Some(0), Some(1)]));
    let output = shell.output(&args("marked.h5ad", &["--out", "m.parquet"]));
    assert!(output.status.success(), "{output:?}");
    assert!(shell.text(&output.stderr).contains("1 cells are left out: column `filter_pass`"), "{output:?}");
    assert_eq!(TokenFile::open(&shell.path("m.parquet")).expect("opens").n_rows(), 2);
    // Totals of a matrix that lost some of its genes.
    write("stated.h5ad", "n_counts", Column::Float(vec![9.0, 18.0, 9.0]));
    let mut failures = Failures::of(&shell);
    failures.check(3, &args("stated.h5ad", &["--out", "s.parquet"]));
    insta::assert_snapshot!("tokenize_n_counts", failures.said());
    shell.ok(&args("stated.h5ad", &["--n-counts", "obs", "--out", "s.parquet"]));
    let file = TokenFile::open(&shell.path("s.parquet")).expect("opens");
    assert_eq!(file.column("n_counts").expect("there"), Column::Float(vec![9.0, 18.0, 9.0]));
}

#[test]
fn counts_behind_logarithms() {
    let shell = shell();
    cells(&shell, "logs.h5ad", |it| it.x.mapv_inplace(|it| (it / 9.0 * 10_000.0).ln_1p()));
    cells(&shell, "other.h5ad", |it| it.x.mapv_inplace(|it| it / 7.0 + 0.1));
    shell.ok(&args("logs.h5ad", &["--recover-counts", "--dataset-id", "cells", "--out", "l.parquet"]));
    shell.ok(&args("cells.h5ad", &["--out", "c.parquet"]));
    let rows = |name: &str| {
        let file = TokenFile::open(&shell.path(name)).expect("opens");
        let tokens = file.batches(0).next().expect("rows").expect("reads");
        (tokens, file.column("n_counts").expect("there"))
    };
    assert_eq!(rows("l.parquet"), rows("c.parquet"));
    let mut failures = Failures::of(&shell);
    failures.check(3, &args("other.h5ad", &["--recover-counts", "--out", "t.parquet"]));
    assert!(failures.said().contains("(CountsNotRecoverable)"), "{}", failures.said());
}

#[test]
fn ids_in_a_column_of_var() {
    let shell = shell();
    let symbols = ["TP53", "GATA1", "MYC", "XIST"].map(str::to_owned);
    let mut var = ObsTable::new(symbols.to_vec());
    var.insert("gene_ids", Column::Str(GENES.map(|it| Some(it.to_owned())).to_vec())).expect("fits");
    let x = Csr::from_dense(&ndarray::Array2::from_shape_fn((8, 4), |(_, gene)| [4.0_f32, 2.0, 2.0, 1.0][gene]));
    let obs = ObsTable::new((0..8).map(|it| format!("c{it}")).collect());
    let mut writer = H5adWriter::create(shell.path("symbols.h5ad"), &WriteOptions::default(), 4).expect("creates");
    writer.write_rows(&x).expect("writes");
    writer.finish(&obs, &var, &Extras::default()).expect("finishes");
    let ids = |name: &str| {
        let file = TokenFile::open(&shell.path(name)).expect("opens");
        file.batches(0).next().expect("rows").expect("reads").tokens(0).to_vec()
    };
    shell.ok(&args("symbols.h5ad", &["--out", "found.parquet"]));
    shell.ok(&args("symbols.h5ad", &["--gene-id-col", "gene_ids", "--out", "told.parquet"]));
    assert_eq!((ids("found.parquet"), ids("told.parquet")), (vec![4, 5, 6], vec![4, 5, 6]));
    let mut failures = Failures::of(&shell);
    failures.check(3, &args("symbols.h5ad", &["--gene-id-col", "ensembl", "--out", "t.parquet"]));
    assert!(failures.said().contains("`ensembl`"), "{}", failures.said());
}

#[test]
fn what_stops_it() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    let out = ["--out", "t.parquet"];
    let of = |encoder: &'static [&'static str]| [&["tokenize", "cells.h5ad"][..], encoder, &out].concat();
    failures.check(2, &of(&["--encoder", "geneformer_v3", "--vocab", "v1.json"]));
    failures.check(2, &of(&["--encoder", "geneformer_v1", "--medians", "medians.json"]));
    failures.check(2, &of(&["--encoder", "geneformer_v1", "--vocab", "v1.json"]));
    failures.check(3, &of(&["--encoder", "geneformer_v1", "--vocab", "absent.json", "--medians", "medians.json"]));
    failures.check(2, &args("cells.h5ad", &["--option", "ties=token", "--out", "t.parquet"]));
    failures.check(2, &args("cells.h5ad", &["--option", "token", "--out", "t.parquet"]));
    failures.check(3, &args("cells.h5ad", &["--obs", "perturbatio", "--out", "t.parquet"]));
    failures.check(2, &args("cells.h5ad", &["--phenotype-col", "sex=gender", "--out", "t.parquet"]));
    failures.check(3, &args("cells.h5ad", &["--n-counts", "obs", "--out", "t.parquet"]));
    failures.check(2, &args("cells.h5ad", &["--out", "t.csv"]));
    failures.check(3, &args("absent.h5ad", &out));
    shell.put("taken.parquet", "mine");
    failures.check(2, &args("cells.h5ad", &["--out", "taken.parquet"]));
    shell.put("beside.manifest.json", "mine");
    failures.check(2, &args("cells.h5ad", &["--out", "beside.parquet"]));
    insta::assert_snapshot!("tokenize_usage", failures.said());
}

#[test]
fn files_that_do_not_fit() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    let out = ["--out", "t.parquet"];
    cells(&shell, "logs.h5ad", |it| it.x.mapv_inplace(f32::ln_1p));
    cells(&shell, "negative.h5ad", |it| it.x[[3, 2]] = -1.0);
    cells(&shell, "nan.h5ad", |it| it.x[[3, 2]] = f32::NAN);
    cells(&shell, "mouse.h5ad", |it| it.genes = vec!["Gnai3", "Pbsn", "Cdc45", "H19"]);
    cells(&shell, "half.h5ad", |it| it.x.column_mut(3).fill(8.0));
    cells(&shell, "twice.h5ad", |it| it.barcodes[5] = "c1");
    for name in ["logs", "negative", "nan", "mouse", "half", "twice"] {
        failures.check(3, &args(&format!("{name}.h5ad"), &out));
    }
    cells(&shell, "whole.h5ad", |it| it.plain = false);
    let bytes = std::fs::read(shell.path("whole.h5ad")).expect("reads");
    shell.put("truncated.h5ad", &bytes[..bytes.len() / 2]);
    failures.check(3, &args("truncated.h5ad", &out));
    for (name, text) in [
        ("cut.json", r#"{"<pad>": 0, "ENSG0000000"#),
        ("twice.json", r#"{"<pad>": 0, "ENSG00000000001": 0}"#),
        ("text.json", r#"{"<pad>": 0, "ENSG00000000001": "4"}"#),
        ("code.pkl", "cos\nsystem\n(S'true'\ntR."),
    ] {
        shell.put(name, text);
        let own = ["--encoder", "geneformer_v1", "--vocab", name, "--medians", "medians.json"];
        failures.check(3, &[&["tokenize", "cells.h5ad"][..], &own, &out].concat());
    }
    insta::assert_snapshot!("tokenize_data", failures.said());
    shell.ok(&args("half.h5ad", &["--mode", "lenient", "--quiet", "--out", "half.parquet"]));
}

/// A file large enough to be stopped in the middle, and the files of a model for it.
fn simulated() -> Shell {
    let shell = Shell::new();
    shell.ok(&["simulate", "--preset", "demo", "--n-obs", "6000", "--out", "cells.h5ad", "--quiet"]);
    let source = cellstone_io::open_source(&shell.path("cells.h5ad"), &cellstone_io::OpenOptions::default());
    let var = source.expect("opens").var().clone();
    let (mut vocab, mut medians) = ("{\"<pad>\": 0, \"<mask>\": 1".to_owned(), String::new());
    for (at, gene) in var.ids().iter().enumerate() {
        write!(vocab, ", \"{gene}\": {}", at + 2).expect("text");
        write!(medians, "{}\"{gene}\": {}", if at == 0 { "{" } else { ", " }, at % 7 + 1).expect("text");
    }
    shell.put("v1.json", vocab + "}");
    shell.put("medians.json", medians + "}");
    shell
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("readable")
}

#[test]
fn a_killed_run_goes_on_to_the_same_bytes() {
    let shell = simulated();
    // Small groups, so that there are many places to stop at.
    let run = |out: &'static str, more: &[&'static str]| {
        let own = ["--row-group-size", "200", "--threads", "2", "--out", out];
        [args("cells.h5ad", &own), more.to_vec()].concat()
    };
    shell.ok(&run("whole.parquet", &[]));
    shell
        .ok(&[args("cells.h5ad", &["--row-group-size", "200", "--threads", "1", "--out", "one.parquet"]), vec![]]
            .concat());
    let whole = bytes(&shell.path("whole.parquet"));
    assert!(bytes(&shell.path("one.parquet")) == whole, "the number of threads changes nothing");
    let mut hit = 0;
    for wait in [0, 5, 20, 40, 80, 160] {
        let out = "killed.parquet";
        let mut command = shell.command(&run(out, &[]));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let commit = shell.path("killed.parquet.partial/commit.json");
        while !commit.exists() && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().expect("killed");
        child.wait().expect("ended");
        if shell.path(out).exists() {
            eprintln!("skipped: the run was over {wait} ms after its first commit");
        } else {
            hit += 1;
            // Nothing stands under a final name, and nothing is replaced unasked.
            assert!(!shell.path("killed.manifest.json").exists() || shell.path("killed.parquet.partial").exists());
            let output = shell.output(&run(out, &[]));
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            assert!(shell.text(&output.stderr).contains("pass --resume to continue it"), "{output:?}");
            let output = shell.output(&run(out, &["--resume"]));
            assert!(output.status.success(), "{output:?}");
            assert!(shell.text(&output.stderr).contains("went on from cell "), "{output:?}");
            assert!(bytes(&shell.path(out)) == whole, "stopped {wait} ms after its first commit");
            for name in ["rejects.parquet", "coverage.json", "manifest.json"] {
                let of = |stem: &str| bytes(&shell.path(&format!("{stem}.{name}")));
                assert!(of("killed") == of("whole"), "{name}, stopped {wait} ms after its first commit");
            }
            assert!(!shell.path("killed.parquet.partial").exists());
            // Complete: once more changes nothing.
            assert_eq!(shell.ok(&run(out, &["--resume"])), "killed.parquet\n");
        }
        for entry in std::fs::read_dir(shell.dir()).expect("readable") {
            let path = entry.expect("entry").path();
            if path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("killed.")) {
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
                    .expect("removed");
            }
        }
    }
    assert!(hit >= 1, "no kill met an unfinished run");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_can_be_resumed() {
    let shell = simulated();
    let run = args("cells.h5ad", &["--row-group-size", "100", "--threads", "2", "--out", "t.parquet"]);
    let mut child = shell.command(&run).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    while !shell.path("t.parquet.partial/commit.json").exists() && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent =
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill starts");
    let output = child.wait_with_output().expect("ended");
    if !sent.success() || output.status.success() {
        eprintln!("skipped: the run was over before it could be interrupted");
        return;
    }
    assert_eq!(output.status.code(), Some(130));
    let stderr = shell.text(&output.stderr);
    assert!(stderr.contains("stopped on request") && stderr.contains("go on with --resume"), "{stderr}");
    assert!(!shell.path("t.parquet").exists());
    let other = [run.clone(), vec!["--resume", "--seed", "7"]].concat();
    let mut failures = Failures::of(&shell);
    failures.check(2, &other);
    assert!(failures.said().contains("was begun with another `seed`"), "{}", failures.said());
    shell.ok(&[run, vec!["--resume"]].concat());
    assert_eq!(TokenFile::open(&shell.path("t.parquet")).expect("opens").n_rows(), 6000);
}

/// A limit on the size of files stands in for a full disk.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full() {
    let shell = simulated();
    let limited = |blocks: &str, args: &[&str]| {
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_cellstone")]).args(args).current_dir(shell.dir());
        command.output().expect("sh starts")
    };
    let left = || {
        let names = shell.files().into_keys().filter(|it| it.starts_with("t."));
        names.map(|it| it.split('/').next().unwrap_or_default().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let small = args("cells.h5ad", &["--row-group-size", "100", "--out", "t.parquet"]);
    let output = limited("16", &args("cells.h5ad", &["--out", "t.parquet"]));
    if output.status.success() {
        eprintln!("skipped: this shell sets no limit on files");
        return;
    }
    // Nothing was certain yet, so that there is nothing to go on from.
    let stderr = shell.text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("t.parquet.partial/rows.part`: File too large"), "{stderr}");
    assert!(left().is_empty(), "{:?}", left());
    // Some of it was: there is room again, and it goes on.
    let output = limited("900", &small);
    let stderr = shell.text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("File too large") && stderr.contains("go on with --resume"), "{stderr}");
    assert_eq!(left().into_iter().collect::<Vec<_>>(), ["t.parquet.partial"]);
    shell.ok(&[small.clone(), vec!["--resume"]].concat());
    let resumed = bytes(&shell.path("t.parquet"));
    shell.ok(&[small, vec!["--force"]].concat());
    assert!(bytes(&shell.path("t.parquet")) == resumed);
}

#[test]
fn medians_of_a_corpus() {
    let shell = shell();
    cells(&shell, "more.h5ad", |it| it.x.column_mut(0).fill(11.0));
    shell.ok(&["medians", "more.h5ad", "cells.h5ad", "--min-detected", "10", "--out", "m.csv"]);
    // Shares 4/9 and 11/16 of ten thousand: the mean of both middle values, in f32 first.
    let middle = f64::midpoint(f64::from((4.0 / 9.0 * 1e4) as f32), f64::from((11.0 / 16.0 * 1e4) as f32));
    let text = shell.ok(&["table", "m.csv", "--csv"]);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("gene_id,median,n_cells_detected,n_cells_total,method,low_support"));
    assert_eq!(lines.next(), Some(format!("{},{middle},16,16,exact,false", GENES[0]).as_str()));
    assert_eq!(lines.count(), 3);
    shell.ok(&["medians", "cells.h5ad", "more.h5ad", "--vocab", "v1.json", "--out", "m.json"]);
    let json = std::fs::read_to_string(shell.path("m.json")).expect("there");
    let read = cellstone_io::read_gene_medians(&shell.path("m.json")).expect("reads back");
    assert_eq!((read.len(), read[0].0.as_str(), read[0].1), (3, GENES[0], middle), "{json}");
    shell.ok(&["medians", "cells.h5ad", "--method", "tdigest", "--out", "m.parquet"]);
    assert_eq!(cellstone_io::read_gene_medians(&shell.path("m.parquet")).expect("reads back").len(), 4);
    // What it writes, `tokenize` takes.
    let own = ["--encoder", "geneformer_v1", "--vocab", "v1.json", "--medians", "m.csv", "--out", "t.parquet"];
    shell.ok(&[&["tokenize", "cells.h5ad"][..], &own].concat());
    let mut failures = Failures::of(&shell);
    cells(&shell, "logs.h5ad", |it| it.x.mapv_inplace(f32::ln_1p));
    failures.check(3, &["medians", "logs.h5ad", "--out", "new.json"]);
    failures.check(2, &["medians", "cells.h5ad", "cells.h5ad", "--out", "new.json"]);
    failures.check(2, &["medians", "cells.h5ad", "--out", "m.json"]);
    failures.check(2, &["medians", "cells.h5ad", "--out", "m.txt"]);
    failures.check(2, &["medians", "--out", "new.json"]);
    insta::assert_snapshot!("medians_errors", failures.said());
}

#[test]
fn encoders_are_listed() {
    let shell = Shell::new();
    let text = shell.ok(&["list", "encoders"]);
    for id in ["geneformer_v1", "geneformer_v2", "scgpt", "uce", "polygene_v2"] {
        assert!(text.lines().any(|it| it.starts_with(&format!("{id} "))), "{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&shell.ok(&["list", "encoders", "--json"])).expect("json");
    assert!(json.as_array().is_some_and(|it| it.len() >= 13), "{json}");
}
