//! The number of threads changes no byte.

use crate::common::{EXPERIMENT, Shell, assert_same_tables};

#[test]
fn threads_change_no_byte() {
    let shell = Shell::new();
    shell.put("exp.toml", EXPERIMENT.replace("gene_kfold\"\nk = 2", "norman_doubles\""));
    shell.ok(&["simulate", "--preset", "tiny", "--n-obs", "3000", "--out", "cells.h5ad"]);
    let each = |args: &[&str], name: &str| {
        for threads in ["1", "2"] {
            let out = format!("{threads}-{name}");
            shell.ok(&[args, &["--threads", threads, "--out", &out]].concat());
        }
        (shell.path(&format!("1-{name}")), shell.path(&format!("2-{name}")))
    };
    let (one, two) = each(&["run", "exp.toml"], "run");
    assert_same_tables(&one, &two);
    let same = |args: &[&str], name: &str| {
        let (one, two) = each(args, name);
        let bytes = |path| std::fs::read(path).expect("reads");
        assert!(bytes(one) == bytes(two), "{name} differs");
    };
    same(&["simulate", "--preset", "tiny"], "simulated.h5ad");
    same(&["normalize", "cells.h5ad"], "normalized.h5ad");
    same(&["pseudobulk", "cells.h5ad", "--scale", "counts"], "means.h5ad");
    same(&["pca", "cells.h5ad", "--scale", "counts", "--n-comps", "10"], "pca.h5ad");
    same(&["qc", "cells.h5ad", "--percent-top", "20"], "qc.h5ad");
    same(&["hvg", "cells.h5ad", "--n-top", "20"], "hvg.parquet");
    same(&["neighbors", "cells.h5ad", "--n-comps", "10"], "graph.h5ad");
    same(&["cluster", "cells.h5ad", "--n-comps", "10"], "clusters.csv");
    same(&["umap", "cells.h5ad", "--n-comps", "10", "--n-epochs", "20"], "umap.csv");
    same(&["de", "cells.h5ad", "--groupby", "perturbation"], "de.parquet");
    same(&["split", "cells.h5ad", "--protocol", "norman_doubles"], "split.parquet");
}
