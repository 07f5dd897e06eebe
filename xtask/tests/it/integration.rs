//! `integration`: the table, its columns and ids, the page, and every kind of input that cannot be measured.

use crate::common::{Failures, Shell};
use cellstone_core::{Column, Csr, ObsTable};
use cellstone_io::{AnyMatrix, Extras, H5adWriter, WriteOptions};
use ndarray::Array2;
use std::collections::BTreeMap;

const USUAL: [&str; 6] = ["integration", "cells.h5ad", "--batch", "donor", "--label", "type"];

/// Numbers that look random and are the same everywhere, about normal.
fn noise(i: usize, j: usize, salt: usize) -> f64 {
    let mut state = (i * 7919 + j * 104_729 + salt * 1_299_709 + 1) as u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 1_000_003) as f64 / 1_000_003.0
    };
    uniform();
    (0..6).map(|_| uniform()).sum::<f64>() * 1.4 - 4.2
}

/// Cells of three types from two donors, in an embedding with a donor effect and in one without.
struct Embedded {
    n: usize,
    donors: Vec<Option<&'static str>>,
    types: Vec<&'static str>,
    raw: Array2<f64>,
    good: Array2<f64>,
}

impl Embedded {
    fn new(n: usize) -> Self {
        let types: Vec<&str> = (0..n).map(|it| ["B", "NK", "T"][it % 3]).collect();
        let centre = |i: usize, j: usize| if j % 3 == i % 3 { 4.0 } else { 0.0 };
        let donor = |i: usize| (i / 3) % 2;
        let raw = Array2::from_shape_fn((n, 6), |(i, j)| {
            centre(i, j) + if j == 5 { 3.0 * donor(i) as f64 } else { 0.0 } + noise(i, j, 1)
        });
        let good = Array2::from_shape_fn((n, 6), |(i, j)| centre(i, j) + noise(i, j, 1));
        Self { n, donors: (0..n).map(|it| Some(["d0", "d1"][donor(it)])).collect(), types, raw, good }
    }

    fn with(n: usize, change: impl FnOnce(&mut Self)) -> Self {
        let mut cells = Self::new(n);
        change(&mut cells);
        cells
    }

    fn write(&self, shell: &Shell, name: &str) {
        let options = WriteOptions { overwrite: true, ..WriteOptions::default() };
        let mut writer = H5adWriter::create(shell.path(name), &options, 1).expect("creates");
        writer.write_rows(&Csr::from_dense(&Array2::from_elem((self.n, 1), 1.0_f32))).expect("writes");
        let mut obs = ObsTable::new((0..self.n).map(|it| format!("c{it}")).collect());
        obs.insert("donor", Column::Str(self.donors.iter().map(|it| it.map(str::to_owned)).collect())).expect("fits");
        obs.insert("type", Column::categorical(&self.types)).expect("fits");
        obs.insert("time", Column::Float((0..self.n).map(|it| it as f64 / self.n as f64).collect())).expect("fits");
        let obsm = BTreeMap::from([
            ("X_pca".to_owned(), AnyMatrix::Dense(self.raw.clone())),
            ("X_good".to_owned(), AnyMatrix::Dense(self.good.clone())),
        ]);
        let var = ObsTable::new(vec!["g0".to_owned()]);
        writer.finish(&obs, &var, &Extras { obsm, ..Extras::default() }).expect("finishes");
    }
}

/// `(embedding, metric) → (value, status, reason)` of a table.
fn table(shell: &Shell, name: &str) -> BTreeMap<(String, String), (Option<f64>, String, String)> {
    let text = shell.ok(&["table", name, "--csv"]);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("embedding,metric,value,status,reason"));
    let mut rows = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.splitn(5, ',').collect();
        let value: Option<f64> = (!cells[2].is_empty()).then(|| cells[2].parse().expect("a number"));
        assert!(value.is_none_or(f64::is_finite), "{line}");
        let key = (cells[0].to_owned(), cells[1].to_owned());
        let row = (value, cells[3].to_owned(), cells[4].to_owned());
        assert!(rows.insert(key, row).is_none(), "{line} stands twice");
    }
    rows
}

fn run(shell: &Shell, rest: &[&str]) -> String {
    shell.ok(&[&USUAL, rest, &["--quiet"]].concat())
}

#[test]
fn the_table_has_the_ids_of_scib_metrics() {
    let shell = Shell::new();
    Embedded::new(150).write(&shell, "cells.h5ad");
    let said = run(&shell, &["--embed", "X_pca,X_good", "--report", "page.html", "--out", "out.csv"]);
    assert_eq!(said.trim(), "page.html");
    let rows = table(&shell, "out.csv");
    let value = |embedding: &str, metric: &str| {
        let row = rows.get(&(embedding.to_owned(), metric.to_owned()));
        let row = row.unwrap_or_else(|| panic!("no {metric} of {embedding}"));
        assert!(row.1 == "ok" || (row.1 == "undefined" && row.0.is_none() && !row.2.is_empty()), "{metric}: {row:?}");
        row.0
    };
    for metric in [
        "silhouette_label",
        "silhouette_batch",
        "bras",
        "ilisi_knn",
        "clisi_knn",
        "kbet_per_label",
        "graph_connectivity",
        "pcr_comparison",
        "nmi_ari_cluster_labels_leiden_nmi",
        "nmi_ari_cluster_labels_leiden_ari",
        "nmi_ari_cluster_labels_kmeans_nmi",
        "nmi_ari_cluster_labels_kmeans_ari",
        "sbee",
    ] {
        for embedding in ["X_pca", "X_good"] {
            let found = value(embedding, metric).unwrap_or_else(|| panic!("{metric} of {embedding} is undefined"));
            assert!((-1e-9..=1.0 + 1e-9).contains(&found), "{metric} of {embedding} is {found}");
        }
    }
    for metric in ["bras", "ilisi_knn", "kbet_per_label", "pcr_comparison", "silhouette_batch"] {
        assert!(value("X_good", metric) > value("X_pca", metric), "{metric} must see that the donors are mixed");
    }
    // Every type is in both donors: no label is isolated, so there is no score and no total that needs it.
    assert_eq!(value("X_good", "isolated_labels"), None);
    assert_eq!(value("X_good", "nmi_ari_cluster_labels_leiden_nmi"), Some(1.0));
    let page = std::fs::read_to_string(shell.path("page.html")).expect("written");
    assert!(page.contains("Bio conservation") && page.contains("Batch correction") && !page.contains("http"));
}

#[test]
fn parquet_labels_and_json_say_the_same() {
    let shell = Shell::new();
    Embedded::with(120, |it| it.types.iter_mut().step_by(9).for_each(|it| *it = "rare")).write(&shell, "cells.h5ad");
    run(&shell, &["--embed", "X_good", "--out", "a.parquet", "--labels-out", "labels.csv"]);
    let json = run(&shell, &["--embed", "X_good", "--out", "b.csv", "--json"]);
    let (a, b) = (table(&shell, "a.parquet"), table(&shell, "b.csv"));
    assert_eq!(a, b);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&json).expect("json");
    assert_eq!(rows.len(), a.len());
    let header = shell.ok(&["table", "labels.csv", "--csv"]);
    assert!(header.starts_with("embedding,metric,label,n_obs,value,status,reason\n"), "{header}");
    assert!(header.contains("X_good,kbet_per_label,rare,"), "{header}");
    run(&shell, &["--embed", "X_good", "--metrics", "bras,clisi_knn", "--out", "few.csv"]);
    let few: Vec<String> = table(&shell, "few.csv").into_keys().map(|it| it.1).collect();
    assert_eq!(few, ["batch_correction", "bio_conservation", "bras", "clisi_knn", "total"]);
}

#[test]
fn threads_and_the_order_of_embeddings_do_not_change_a_value() {
    let shell = Shell::new();
    Embedded::new(200).write(&shell, "cells.h5ad");
    run(&shell, &["--embed", "X_pca,X_good", "--out", "one.csv", "--threads", "1"]);
    run(&shell, &["--embed", "X_good,X_pca", "--out", "three.csv", "--threads", "3"]);
    assert_eq!(table(&shell, "one.csv"), table(&shell, "three.csv"));
}

#[test]
fn controls_bound_every_metric() {
    let shell = Shell::new();
    // One type from one donor alone: it is isolated.
    let cells = Embedded::with(160, |it| {
        for at in (0..it.n).step_by(4) {
            it.types[at] = "solo";
            it.donors[at] = Some("d1");
            it.good[[at, 3]] += 6.0;
            it.raw[[at, 3]] += 6.0;
        }
    });
    cells.write(&shell, "cells.h5ad");
    run(&shell, &["--embed", "X_pca,X_good", "--controls", "--out", "out.csv", "--report", "page.html"]);
    let rows = table(&shell, "out.csv");
    let value = |embedding: &str, metric: &str| rows[&(embedding.to_owned(), metric.to_owned())].0.expect("defined");
    assert!(value("control:labels", "silhouette_label") > 0.9);
    assert!(value("control:random", "nmi_ari_cluster_labels_leiden_nmi") < 0.2);
    assert!(value("control:batches", "ilisi_knn") < 0.01 && value("control:batches", "bras") < 0.1);
    assert!(value("X_good", "bras_scaled") > value("X_pca", "bras_scaled"));
    assert!(value("X_good", "total") > value("X_pca", "total"));
    let total = 0.6 * value("X_good", "bio_conservation") + 0.4 * value("X_good", "batch_correction");
    assert!((value("X_good", "total") - total).abs() < 1e-12);
    let page = std::fs::read_to_string(shell.path("page.html")).expect("written");
    assert!(page.contains("control:random") && page.contains("Values as they are"));
}

#[test]
fn cells_without_a_donor_are_left_out_and_counted() {
    let shell = Shell::new();
    Embedded::with(150, |it| it.donors[10] = None).write(&shell, "cells.h5ad");
    let args = [&USUAL[..], &["--embed", "X_good", "--metrics", "bras", "--out", "out.csv"]].concat();
    let said = shell.text(&shell.output(&args).stderr);
    assert!(said.contains("149 of 150 cells have a batch and a label"), "{said}");
    assert!(said.contains("`X_pca` is taken for the cells before integration"), "{said}");
}

#[test]
fn one_batch_leaves_what_labels_say() {
    let shell = Shell::new();
    Embedded::with(90, |it| it.donors.fill(Some("d0"))).write(&shell, "cells.h5ad");
    run(&shell, &["--embed", "X_good", "--out", "out.csv"]);
    let rows = table(&shell, "out.csv");
    let row = |metric: &str| &rows[&("X_good".to_owned(), metric.to_owned())];
    for metric in ["bras", "silhouette_batch", "ilisi_knn", "kbet_per_label", "total"] {
        assert!(row(metric).0.is_none() && !row(metric).2.is_empty(), "{metric}: {:?}", row(metric));
    }
    assert!(row("silhouette_label").0.is_some() && row("clisi_knn").0.is_some());
    Embedded::with(90, |it| it.types.fill("T")).write(&shell, "cells.h5ad");
    run(&shell, &["--embed", "X_good", "--out", "labels.csv"]);
    let rows = table(&shell, "labels.csv");
    let row = |metric: &str| &rows[&("X_good".to_owned(), metric.to_owned())];
    for metric in ["silhouette_label", "clisi_knn", "nmi_ari_cluster_labels_leiden_nmi", "bio_conservation"] {
        assert!(row(metric).0.is_none() && !row(metric).2.is_empty(), "{metric}: {:?}", row(metric));
    }
    assert!(row("ilisi_knn").0.is_some());
}

#[test]
fn pseudotime_adds_the_trajectory() {
    let shell = Shell::new();
    Embedded::new(120).write(&shell, "cells.h5ad");
    run(&shell, &["--embed", "X_good", "--pseudotime", "time", "--out", "out.csv"]);
    let rows = table(&shell, "out.csv");
    assert!(rows.contains_key(&("X_good".to_owned(), "trajectory".to_owned())));
}

#[test]
fn inputs_that_cannot_be_measured() {
    let shell = Shell::new();
    Embedded::new(60).write(&shell, "cells.h5ad");
    Embedded::with(60, |it| it.good[[7, 2]] = f64::NAN).write(&shell, "nan.h5ad");
    Embedded::new(8).write(&shell, "few.h5ad");
    Embedded::with(60, |it| {
        it.types.fill("T");
        it.donors.fill(Some("d0"));
    })
    .write(&shell, "one.h5ad");
    Embedded::with(60, |it| it.donors.fill(None)).write(&shell, "none.h5ad");
    shell.put("there.csv", "kept");
    let mut failures = Failures::of(&shell);
    let usual = |file: &'static str| ["integration", file, "--batch", "donor", "--label", "type", "--embed", "X_good"];
    for (code, file, rest) in [
        (3, "nan.h5ad", &["--out", "new.csv"][..]),
        (3, "few.h5ad", &["--out", "new.csv"]),
        (3, "one.h5ad", &["--out", "new.csv"]),
        (3, "none.h5ad", &["--out", "new.csv"]),
        (2, "cells.h5ad", &["--out", "there.csv"]),
        (2, "cells.h5ad", &["--out", "new.h5ad"]),
        (2, "cells.h5ad", &["--out", "new.csv", "--report", "page.txt"]),
        (2, "cells.h5ad", &["--out", "new.csv", "--metrics", "bras,kbet"]),
        (3, "cells.h5ad", &["--out", "new.csv", "--pre", "X_pac"]),
        (3, "cells.h5ad", &["--out", "new.csv", "--pseudotime", "type"]),
        (3, "missing.h5ad", &["--out", "new.csv"]),
        (2, "there.csv", &["--out", "new.csv"]),
    ] {
        failures.check(code, &[&usual(file)[..], rest, &["--quiet"]].concat());
    }
    for (code, batch, label, embed) in [
        (3, "doner", "type", "X_good"),
        (3, "donor", "types", "X_good"),
        (3, "donor", "type", "X_god"),
        (2, "donor", "type", "X_good,X_good"),
    ] {
        let args =
            ["integration", "cells.h5ad", "--batch", batch, "--label", label, "--embed", embed, "--out", "new.csv"];
        failures.check(code, &[&args[..], &["--quiet"]].concat());
    }
    insta::assert_snapshot!(failures.said());
}
