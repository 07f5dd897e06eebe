//! `embed`: what it writes, and what stops it.

use crate::cells::Cells;
use crate::common::{Failures, Shell};
use cellstone_io::{EmbeddingOptions, H5ad, load_embedding};
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data-fixtures/golden/model/published").join(name)
}

/// A copy of a published directory in the folder of the shell.
fn model(shell: &Shell, name: &str, to: &str) {
    std::fs::create_dir(shell.path(to)).expect("made");
    for it in std::fs::read_dir(golden(name)).expect("read") {
        let it = it.expect("entry");
        std::fs::copy(it.path(), shell.path(to).join(it.file_name())).expect("copied");
    }
}

/// Genes of the small Geneformer, and one that it does not know.
fn genes() -> Vec<&'static str> {
    (4..34).map(|it| &*format!("ENSG{it:011}").leak()).chain(["ENSG99999999999"]).collect()
}

fn shell() -> Shell {
    let shell = Shell::new();
    model(&shell, "geneformer_bin", "geneformer");
    Cells::with(|it| {
        it.genes = genes();
        // Ten genes each, others in every cell; the last cell has none that is known.
        it.x = ndarray::Array2::from_shape_fn((8, 31), |(cell, gene)| match (cell, gene) {
            (7, 0..30) => 0.0,
            (_, 30) => 1.0,
            _ if (gene + 3 * cell) % 31 < 10 => (1 + (gene * 7 + cell) % 5) as f32,
            _ => 0.0,
        });
    })
    .write(&shell, "cells.h5ad");
    shell
}

fn vectors(shell: &Shell, name: &str, key: Option<&str>) -> cellstone_core::Embedding {
    let options = EmbeddingOptions { key: key.map(str::to_owned), ..EmbeddingOptions::default() };
    load_embedding(&shell.path(name), &options).expect("vectors").embedding
}

#[test]
fn cells_to_h5ad_and_parquet() {
    let shell = shell();
    let base = ["embed", "cells.h5ad", "--checkpoint", "geneformer", "--device", "cpu", "--quiet"];
    let run = |more: &[&str]| shell.ok(&[&base[..], more].concat());
    assert_eq!(run(&["--pool", "cls", "--out", "a.h5ad"]), "a.h5ad\n");
    let file = H5ad::open(shell.path("a.h5ad")).expect("opens");
    // The cell without a known gene is left out; the rest of the file came along.
    assert_eq!(file.obs().expect("obs").n_rows(), 7);
    assert!(file.obs().expect("obs").get("perturbation").is_some());
    assert_eq!(file.obsm("X_geneformer").expect("an entry").dim(), (7, 16));
    assert_eq!(file.var_table().expect("var").n_rows(), 31);
    run(&["--pool", "cls", "--batch-tokens", "13", "--threads", "1", "--out", "b.parquet"]);
    let (a, b) = (vectors(&shell, "a.h5ad", Some("X_geneformer")), vectors(&shell, "b.parquet", None));
    assert_eq!(a.ids(), b.ids());
    for (a, b) in a.values().iter().zip(b.values()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    // Tokens made before give the same.
    shell.ok(&[
        "tokenize",
        "cells.h5ad",
        "--encoder",
        "geneformer_v2",
        "--vocab",
        "geneformer/vocab.json",
        "--medians",
        "geneformer/medians.json",
        "--max-len",
        "16",
        "--mode",
        "lenient",
        "--out",
        "t.parquet",
        "--quiet",
    ]);
    run(&["--pool", "cls", "--tokens", "t.parquet", "--key", "X_mine", "--out", "c.h5ad"]);
    let c = vectors(&shell, "c.h5ad", Some("X_mine"));
    assert_eq!(a.ids(), c.ids());
    for (a, c) in a.values().iter().zip(c.values()) {
        assert!((a - c).abs() < 1e-5, "{a} {c}");
    }
    // A subset of the cells, another layer, another pooling: other vectors.
    run(&["--layer", "0", "--obs-filter", "perturbation=control", "--out", "d.csv"]);
    let d = vectors(&shell, "d.csv", None);
    assert_eq!(d.ids(), ["c0", "c1"]);
    assert!(d.values().iter().zip(a.values()).any(|(d, a)| (d - a).abs() > 1e-3));
    let json = run(&["--layer", "helical", "--json", "--force", "--out", "a.h5ad"]);
    let said: serde_json::Value = serde_json::from_str(&json).expect("json");
    assert_eq!(
        (said["n_cells"].as_u64(), said["width"].as_u64(), said["n_left_out"].as_u64()),
        (Some(7), Some(16), Some(1))
    );
}

#[test]
fn genes_in_the_context_of_cells() {
    let shell = shell();
    let base = ["embed", "cells.h5ad", "--checkpoint", "geneformer", "--device", "cpu", "--quiet", "--pool", "gene"];
    let run = |more: &[&str]| shell.ok(&[&base[..], more].concat());
    run(&["--min-cells", "2", "--out", "genes.h5ad"]);
    let file = H5ad::open(shell.path("genes.h5ad")).expect("opens");
    let obs = file.obs().expect("obs");
    let n_cells = obs.column("n_cells").expect("counts");
    assert!(obs.n_rows() > 10 && (0..obs.n_rows()).all(|it| n_cells.text(it).is_some_and(|it| it != "1")));
    run(&["--min-cells", "2", "--out", "genes.csv"]);
    let text = std::fs::read_to_string(shell.path("genes.csv")).expect("a table");
    assert!(text.starts_with("gene,n_cells,standard_error,d1,d2,"), "{text}");
    assert_eq!(text.lines().count(), obs.n_rows() + 1);
}

#[test]
fn edits_of_genes() {
    let shell = shell();
    let out = shell.ok(&[
        "embed",
        "cells.h5ad",
        "--checkpoint",
        "geneformer",
        "--device",
        "cpu",
        "--quiet",
        "--json",
        "--delete",
        "ENSG00000000004,ENSG00000000004+ENSG00000000005",
        "--overexpress",
        "ENSG00000000020",
        "--out",
        "e.csv",
    ]);
    let said: serde_json::Value = serde_json::from_str(&out).expect("json");
    assert_eq!(said["edits"].as_array().map(Vec::len), Some(3));
    assert!(said["edits"][2]["mean_shift"].as_f64().expect("it moves") > 0.0, "{said}");
    let text = std::fs::read_to_string(shell.path("e.csv")).expect("a table");
    assert_eq!(text.lines().next(), Some("obs,edit,genes,n_present,shift,gene_shift,status"));
    assert_eq!(text.lines().count(), 1 + 7 * 3);
    assert!(text.contains(",ok\n") && text.contains(",0,,,absent\n"), "{text}");
    assert!(text.contains("ENSG00000000004+ENSG00000000005"));
}

#[test]
fn what_stops_it() {
    let shell = shell();
    Cells::default().write(&shell, "symbols.h5ad");
    for name in ["cut", "other", "bare"] {
        model(&shell, "geneformer_bin", name);
    }
    let whole = std::fs::read(golden("geneformer_bin").join("pytorch_model.bin")).expect("bytes");
    shell.put("cut/pytorch_model.bin", &whole[..whole.len() / 2]);
    shell.put("other/vocab.json", r#"{"<pad>": 0, "<mask>": 1, "<cls>": 2, "<eos>": 3, "ENSG00000000004": 4}"#);
    std::fs::remove_file(shell.path("bare/vocab.json")).expect("removed");
    std::fs::create_dir(shell.path("empty")).expect("made");
    shell.put("v.json", r#"{"<pad>": 0, "G0": 1, "G1": 2, "G2": 3, "G3": 4}"#);
    shell.ok(&[
        "tokenize",
        "symbols.h5ad",
        "--encoder",
        "scgpt",
        "--vocab",
        "v.json",
        "--mode",
        "panel",
        "--out",
        "s.parquet",
        "--quiet",
    ]);
    shell.put("there.csv", "x");
    let mut failures = Failures::of(&shell);
    let with = |input: &'static str, checkpoint: &'static str, more: &[&'static str]| {
        [&["embed", input, "--checkpoint", checkpoint][..], more].concat()
    };
    failures
        .check(3, &with("cells.h5ad", "nowhere", &["--out", "a.csv"]))
        .check(3, &with("cells.h5ad", "empty", &["--out", "a.csv"]))
        .check(3, &with("cells.h5ad", "cut", &["--out", "a.csv"]))
        .check(3, &with("cells.h5ad", "other", &["--out", "a.csv"]))
        .check(2, &with("cells.h5ad", "bare", &["--out", "a.csv"]))
        .check(3, &with("cells.h5ad", "bare", &["--vocab", "v.json", "--out", "a.csv"]))
        .check(3, &with("symbols.h5ad", "geneformer", &["--out", "a.csv"]))
        .check(3, &with("symbols.h5ad", "geneformer", &["--tokens", "s.parquet", "--out", "a.csv"]))
        .check(2, &with("cells.h5ad", "geneformer", &["--layer", "9", "--out", "a.csv"]))
        .check(2, &with("cells.h5ad", "geneformer", &["--layer", "top", "--out", "a.csv"]))
        .check(2, &with("cells.h5ad", "geneformer", &["--delete", "ENSG00000000001", "--out", "a.csv"]))
        .check(3, &with("cells.h5ad", "geneformer", &["--obs-filter", "perturbation=none", "--out", "a.csv"]))
        .check(2, &with("cells.h5ad", "geneformer", &["--out", "there.csv"]))
        .check(2, &with("cells.h5ad", "geneformer", &["--out", "a.txt"]))
        .check(2, &with("cells.h5ad", "geneformer", &["--device", "tpu", "--out", "a.csv"]));
    insta::assert_snapshot!("embed_errors", failures.said());
}

#[test]
fn a_device_that_is_not_there() {
    let shell = shell();
    if !cellstone_model::probe().is_empty() {
        eprintln!("skipped: this machine has a graphics adapter");
        return;
    }
    let args = ["embed", "cells.h5ad", "--checkpoint", "geneformer", "--device", "wgpu", "--out", "a.csv"];
    let output = shell.output(&args);
    assert_eq!(output.status.code(), Some(6), "{}", shell.text(&output.stderr));
    assert!(!shell.path("a.csv").exists());
}
