//! The steps around a model: `qc`, `hvg`, `pca`, `neighbors`, `cluster`, `umap`, `de`, from one file to the next.

use crate::cells::Cells;
use crate::common::{Failures, Shell};
use cellstone_io::{AnyMatrix, H5ad, Matrix};

fn simulated() -> Shell {
    let shell = Shell::new();
    shell.ok(&["simulate", "--preset", "tiny", "--n-obs", "600", "--out", "cells.h5ad"]);
    shell
}

#[test]
fn every_step_adds_to_the_file_and_loses_nothing() {
    let shell = simulated();
    shell.ok(&[
        "qc",
        "cells.h5ad",
        "--percent-top",
        "20",
        "--min-genes",
        "5",
        "--out",
        "1.h5ad",
        "--report",
        "qc.html",
    ]);
    shell.ok(&["hvg", "1.h5ad", "--n-top", "30", "--out", "2.h5ad"]);
    shell.ok(&["pca", "2.h5ad", "--scale", "counts", "--n-comps", "10", "--out", "3.h5ad"]);
    shell.ok(&["neighbors", "3.h5ad", "--k", "10", "--out", "4.h5ad"]);
    shell.ok(&["cluster", "4.h5ad", "--out", "5.h5ad"]);
    shell.ok(&["umap", "5.h5ad", "--n-epochs", "20", "--out", "6.h5ad"]);
    shell.ok(&["de", "6.h5ad", "--groupby", "leiden", "--out", "7.h5ad", "--skip-small"]);
    let (first, last) = (H5ad::open(shell.path("1.h5ad")), H5ad::open(shell.path("7.h5ad")));
    let (first, last) = (first.expect("opens"), last.expect("opens"));
    assert_eq!(last.element("X").expect("reads"), first.element("X").expect("reads"));
    let obs = last.obs().expect("reads");
    for name in ["perturbation", "total_counts", "pct_counts_in_top_20_genes", "leiden"] {
        assert!(obs.get(name).is_some(), "obs has no `{name}`: {:?}", obs.names());
    }
    let var = last.var_table().expect("reads");
    assert_eq!(var.column("highly_variable").expect("added").len(), last.matrix_info(&Matrix::X).expect("X").n_vars);
    assert_eq!(last.keys("obsm"), ["X_pca", "X_umap"]);
    assert_eq!(last.keys("obsp"), ["connectivities", "distances"]);
    for key in ["hvg", "leiden", "neighbors", "pca", "rank_genes_groups"] {
        assert!(last.keys("uns").iter().any(|it| it == key), "uns has no `{key}`");
    }
    // The loadings of genes that took no part are 0.
    let AnyMatrix::Dense(loadings) = last.element("varm/PCs").expect("reads") else { panic!("dense") };
    let used = loadings.rows().into_iter().filter(|it| it.iter().any(|v| *v != 0.0)).count();
    assert_eq!(used, 30);
    let page = std::fs::read_to_string(shell.path("qc.html")).expect("written");
    assert!(page.contains("min_genes") && page.contains("<svg") && !page.contains("http://"), "a page of its own");
}

#[test]
fn normalizing_keeps_everything_but_the_values() {
    let shell = simulated();
    shell.ok(&["pca", "cells.h5ad", "--scale", "counts", "--n-comps", "5", "--out", "pca.h5ad"]);
    shell.ok(&["normalize", "pca.h5ad", "--out", "lognorm.h5ad"]);
    let read = |name: &str| H5ad::open(shell.path(name)).and_then(|it| it.read_all()).expect("reads");
    let (before, mut after) = (read("pca.h5ad"), read("lognorm.h5ad"));
    for key in ["log1p", "target_sum"] {
        assert!(after.extras.uns.remove(key).is_some(), "uns has no `{key}`");
    }
    assert_eq!((&after.obs, &after.var, &after.extras), (&before.obs, &before.var, &before.extras));
    assert_ne!(after.x, before.x);
}

#[test]
fn tables_have_the_documented_columns() {
    let shell = simulated();
    let header = |name: &str| shell.ok(&["table", name, "--csv"]).lines().next().unwrap_or_default().to_owned();
    shell.ok(&[
        "de",
        "cells.h5ad",
        "--groupby",
        "perturbation",
        "--reference",
        "control",
        "--out",
        "de.csv",
        "--quiet",
    ]);
    assert_eq!(header("de.csv"), "group,gene,statistic,pvalue,padj,lfc,mean_group,mean_reference,n_group,n_reference");
    shell.ok(&["hvg", "cells.h5ad", "--n-top", "10", "--out", "hvg.parquet"]);
    assert!(header("hvg.parquet").starts_with("gene,highly_variable,rank,means"));
    shell.ok(&["neighbors", "cells.h5ad", "--n-comps", "5", "--k", "4", "--out", "knn.csv"]);
    assert_eq!(header("knn.csv"), "obs,neighbor,distance");
    assert_eq!(shell.ok(&["table", "knn.csv", "--csv"]).lines().count(), 1 + 600 * 3);
    shell.ok(&["cluster", "cells.h5ad", "--n-comps", "5", "--out", "clusters.csv"]);
    assert_eq!(header("clusters.csv"), "obs,leiden");
    shell.ok(&["umap", "cells.h5ad", "--n-comps", "5", "--n-epochs", "5", "--out", "umap.csv"]);
    assert_eq!(header("umap.csv"), "obs,UMAP1,UMAP2");
    shell.ok(&["qc", "cells.h5ad", "--percent-top", "20", "--out", "qc.csv", "--genes-out", "genes.csv"]);
    assert!(header("qc.csv").starts_with("obs,n_genes_by_counts,log1p_n_genes_by_counts,total_counts"));
    assert!(header("genes.csv").starts_with("gene,n_cells_by_counts,mean_counts"));
}

#[test]
fn wishes_that_cannot_be_met() {
    let shell = Shell::new();
    Cells::default().write(&shell, "cells.h5ad");
    Cells::with(|it| it.labels[7] = "lonely").write(&shell, "lonely.h5ad");
    shell.put("there.csv", "kept");
    let mut failures = Failures::of(&shell);
    for (code, command) in [
        (3, &["qc", "cells.h5ad", "--min-genes", "400", "--out", "new.csv"][..]),
        (2, &["qc", "cells.h5ad", "--min-counts", "9", "--max-counts", "3", "--out", "new.csv"]),
        (2, &["qc", "cells.h5ad", "--out", "there.csv"]),
        (2, &["qc", "cells.h5ad", "--out", "new.txt"]),
        (2, &["hvg", "cells.h5ad", "--flavor", "surat", "--out", "new.csv"]),
        (2, &["hvg", "cells.h5ad", "--subset", "--out", "new.csv"]),
        (3, &["hvg", "cells.h5ad", "--batch-key", "perturbaton", "--out", "new.csv"]),
        (3, &["hvg", "cells.h5ad", "--scale", "lognorm", "--flavor", "seurat_v3", "--out", "new.csv"]),
        (3, &["neighbors", "cells.h5ad", "--k", "9", "--n-comps", "2", "--out", "new.csv"]),
        (3, &["neighbors", "cells.h5ad", "--use-rep", "X_scvi", "--out", "new.csv"]),
        (2, &["cluster", "cells.h5ad", "--k", "3", "--n-comps", "2", "--resolution", "0", "--out", "new.csv"]),
        (2, &["umap", "cells.h5ad", "--k", "3", "--n-comps", "2", "--min-dist", "5", "--out", "new.csv"]),
        (3, &["de", "cells.h5ad", "--groupby", "perturbaton", "--out", "new.csv"]),
        (2, &["de", "cells.h5ad", "--groupby", "perturbation", "--reference", "contrl", "--out", "new.csv"]),
        (2, &["de", "cells.h5ad", "--groupby", "perturbation", "--reference", "all-perturbed", "--out", "new.csv"]),
        (3, &["de", "lonely.h5ad", "--groupby", "perturbation", "--out", "new.csv"]),
    ] {
        failures.check(code, &[command, &["--quiet"]].concat());
    }
    insta::assert_snapshot!(failures.said());
}
