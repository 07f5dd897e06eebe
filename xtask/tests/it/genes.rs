//! `genes`: mapping the names of a file, and what stops it.

use crate::cells::Cells;
use crate::common::{Failures, Shell};

/// Cells, a table that knows some of their genes, and lists of names.
fn shell() -> Shell {
    let shell = Shell::new();
    Cells::default().write(&shell, "cells.h5ad");
    shell.put("genes.csv", "ensembl_id,symbol,version\nENSG00000000001,G1,4\nENSG00000000002,G2N,1\n");
    shell.put("aliases.csv", "alias,symbol\nG2,G2N\nG3,G3N\n");
    shell.put("names.txt", "G1\nENSG00000000002.3\n\nG9\n");
    shell.put("clean.txt", "G2N\nG1\n");
    shell
}

#[test]
fn a_mapping_and_its_coverage() {
    let shell = shell();
    let all = ["--table", "genes.csv", "--alias", "aliases.csv"];
    let said = shell.ok(&[&["genes", "--names", "names.txt", "--out", "m.csv"][..], &all].concat());
    insta::assert_snapshot!(said.trim_end());
    let text = shell.ok(&["table", "m.csv", "--csv"]);
    assert_eq!(
        text,
        "gene,id,kind\nG1,ENSG00000000001,symbol\nENSG00000000002.3,ENSG00000000002,versioned\nG9,,unknown\n"
    );
    let json =
        shell.ok(&[&["genes", "cells.h5ad", "--to", "symbol", "--out", "m.parquet", "--json"][..], &all].concat());
    let json: serde_json::Value = serde_json::from_str(&json).expect("json");
    assert_eq!((json["symbol"].as_u64(), json["alias"].as_u64()), (Some(1), Some(1)), "{json}");
    let text = shell.ok(&["table", "m.parquet", "--csv", "--where", "kind=alias"]);
    assert_eq!(text, "gene,id,kind\nG2,G2N,alias\n");
    let strict = ["genes", "--names", "clean.txt", "--strict", "--table", "genes.csv", "--out", "s.csv"];
    assert_eq!(shell.ok(&strict).lines().next(), Some("2 of 2 genes have an Ensembl id (100.0 %)"));
}

#[test]
fn tables_and_names_that_do_not_fit() {
    let shell = shell();
    shell.put("nosymbol.csv", "ensembl_id,sybmol\nENSG00000000001,G1\n");
    shell.put("twice.csv", "ENSG00000000001,G1\nENSG00000000001.2,G1\n");
    shell.put("noalias.csv", "previous,symbol\nG2,G2N\n");
    shell.put("mouse.txt", "ENSMUSG00000059552\n");
    shell.put("rows.txt", "0\n1\n");
    shell.put("empty.txt", "\n");
    let mut failures = Failures::of(&shell);
    for (code, args) in [
        (3, &["cells.h5ad", "--table", "nosymbol.csv"][..]),
        (3, &["cells.h5ad", "--table", "twice.csv"]),
        (3, &["cells.h5ad", "--table", "absent.csv"]),
        (3, &["cells.h5ad", "--table", "genes.csv", "--alias", "noalias.csv"]),
        (3, &["cells.h5ad", "--table", "genes.csv", "--strict"]),
        (3, &["--names", "mouse.txt", "--table", "genes.csv"]),
        (3, &["--names", "rows.txt", "--table", "genes.csv", "--alias", "aliases.csv"]),
        (3, &["--names", "empty.txt", "--table", "genes.csv"]),
        (2, &["--table", "genes.csv"]),
        (2, &["cells.h5ad", "--table", "genes.csv", "--to", "entrez"]),
    ] {
        failures.check(code, &[&["genes"][..], args, &["--out", "new.csv"]].concat());
    }
    failures.check(2, &["genes", "cells.h5ad", "--table", "genes.csv", "--out", "new.h5ad"]);
    insta::assert_snapshot!(failures.said());
}
