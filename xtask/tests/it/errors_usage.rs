//! Wrong arguments, wrong experiment files, outputs that are in the way.

use crate::cells::Cells;
use crate::common::{EXPERIMENT, Failures, Shell};

fn shell() -> Shell {
    let shell = Shell::new();
    shell.put("exp.toml", EXPERIMENT);
    Cells::default().write(&shell, "cells.h5ad");
    shell
}

#[test]
fn experiment_files() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    for set in [
        "data.pert_co=x",
        "metric.ids=[\"l2\"]",
        "metrics.ids=[\"pearson_dleta\"]",
        "metrics.ids=[\"zzz\"]",
        "baseline=[{id=\"rige\"}]",
        "baseline=[]",
        "split.protocol=gene_kfld",
        "split.k=9",
        "data.scale=log",
        "seeds=3",
        "seeds",
    ] {
        // What the file alone shows is refused before a folder is made; a protocol needs the conditions.
        if set.starts_with("split") {
            failures.check_run(2, &["run", "exp.toml", "--set", set]);
        } else {
            failures.check(2, &["run", "exp.toml", "--set", set, "--out", "new"]);
        }
    }
    shell.put("broken.toml", "schema = \n");
    failures.check(2, &["run", "broken.toml", "--out", "new"]);
    failures.check(2, &["plan", "broken.toml"]);
    failures.check(2, &["plan", "exp.toml", "--set", "data.pert_co=x"]);
    failures.check(3, &["run", "absent.toml", "--out", "new"]);
    failures.check_run(3, &["run", "exp.toml", "--set", "data.path=absent.h5ad"]);
    failures.check(3, &["plan", "exp.toml", "--set", "data.path=absent.h5ad"]);
    failures.check(2, &["run", "exp.toml", "--device", "gpu", "--out", "new"]);
    insta::assert_snapshot!(failures.said());
}

#[test]
fn arguments() {
    let shell = shell();
    shell.put("names.txt", "control\nG1\nG2\n");
    let mut failures = Failures::of(&shell);
    failures.check(2, &["simulate", "--preset", "tinny", "--out", "new.h5ad"]);
    failures.check(2, &["simulate", "--preset", "tiny", "--n-obs", "3", "--out", "new.h5ad"]);
    failures.check(2, &["normalize", "cells.h5ad", "--target-sum", "0", "--out", "new.h5ad"]);
    failures.check(3, &["normalize", "cells.h5ad", "--matrix", "layers/counts", "--out", "new.h5ad"]);
    failures.check(2, &["normalize", "cells.h5ad", "--matrix", "counts", "--out", "new.h5ad"]);
    failures.check(2, &["pseudobulk", "cells.h5ad", "--scale", "log", "--out", "new.csv"]);
    failures.check(2, &["pseudobulk", "cells.h5ad", "--scale", "counts", "--averaging", "median", "--out", "new.csv"]);
    failures.check(2, &["pca", "cells.h5ad", "--scale", "counts", "--n-comps", "0", "--out", "new.csv"]);
    failures.check(2, &["pca", "cells.h5ad", "--scale", "counts", "--n-comps", "50", "--out", "new.csv"]);
    failures.check(2, &["split", "--conditions", "names.txt", "--protocol", "gene_kfld", "--out", "new.csv"]);
    failures
        .check(2, &["split", "--conditions", "names.txt", "--protocol", "gene_kfold", "--k", "9", "--out", "new.csv"]);
    let fold = ["--k", "2", "--fold", "7", "--out", "new.csv"];
    failures.check(2, &[&["split", "--conditions", "names.txt", "--protocol", "gene_kfold"][..], &fold].concat());
    failures.check(3, &["split", "--conditions", "absent.txt", "--protocol", "gene_kfold", "--out", "new.csv"]);
    failures.check(2, &["split", "--protocol", "gene_kfold", "--out", "new.csv"]);
    failures.check(3, &["inspect", "absent.h5ad"]);
    failures.check(2, &["list", "modles"]);
    failures.check(2, &["score", "--truth", "cells.h5ad"]);
    insta::assert_snapshot!(failures.said());
}

#[test]
fn outputs_in_the_way() {
    let shell = shell();
    std::fs::create_dir(shell.path("folder.h5ad")).expect("made");
    shell.put("there.h5ad", "mine");
    shell.put("there.csv", "mine");
    let mut failures = Failures::of(&shell);
    let mut each = |out: [&str; 2]| {
        let (matrix, table) = (out[0], out[1]);
        failures.check(2, &["simulate", "--preset", "tiny", "--out", matrix]);
        failures.check(2, &["normalize", "cells.h5ad", "--out", matrix]);
        failures.check(2, &["pseudobulk", "cells.h5ad", "--scale", "counts", "--out", table]);
        failures.check(2, &["pca", "cells.h5ad", "--scale", "counts", "--n-comps", "2", "--out", matrix]);
        failures.check(2, &["split", "cells.h5ad", "--protocol", "gene_kfold", "--k", "2", "--out", table]);
    };
    each(["there.h5ad", "there.csv"]);
    each(["absent/new.h5ad", "absent/new.csv"]);
    each(["there.csv/new.h5ad", "there.csv/new.csv"]);
    each(["new.txt", "new.txt"]);
    failures.check(2, &["normalize", "cells.h5ad", "--out", "folder.h5ad", "--force"]);
    insta::assert_snapshot!(failures.said());
    // With --force the file is replaced, and by nothing but the result.
    shell.ok(&["normalize", "cells.h5ad", "--out", "there.h5ad", "--force"]);
    assert!(shell.ok(&["inspect", "there.h5ad"]).contains("8 cells × 4 genes"));
}

#[test]
fn runs_in_the_way() {
    let shell = shell();
    std::fs::create_dir(shell.path("mine")).expect("made");
    shell.put("mine/thesis.txt", "precious");
    shell.ok(&["run", "exp.toml", "--out", "done"]);
    let score = ["score", "--truth", "cells.h5ad", "--pred", "cells.h5ad", "--pert-col", "perturbation"];
    let score = |out: &'static str| [&score[..], &["--control", "control", "--scale", "counts", "--out", out]].concat();
    let mut failures = Failures::of(&shell);
    for out in ["done", "mine", "cells.h5ad"] {
        failures.check(2, &["run", "exp.toml", "--out", out]);
        failures.check(2, &score(out));
    }
    failures.check(2, &["run", "exp.toml", "--out", "mine", "--force"]);
    failures.check(3, &["run", "exp.toml", "--out", "cells.h5ad/run"]);
    failures.check(2, &["run", "exp.toml", "--resume"]);
    failures.check(2, &["run", "exp.toml", "--resume", "--out", "absent"]);
    failures.check(2, &["run", "exp.toml", "--resume", "--out", "mine"]);
    failures.check(2, &["run", "exp.toml", "--resume", "--out", "done", "--set", "seeds=[7]"]);
    failures.check(2, &["report", "absent"]);
    failures.check(2, &["report", "mine"]);
    failures.check(2, &["compare", "done", "mine"]);
    shell.put("done/manifest.json", "{\"format_version\": {\"major\": 9, \"minor\": 0}}");
    failures.check(3, &["report", "done"]);
    shell.put("done/manifest.json", "{\"experiment\": ");
    failures.check(3, &["compare", "done", "done"]);
    failures.check(3, &["run", "exp.toml", "--out", "done"]);
    insta::assert_snapshot!(failures.said());
    shell.ok(&["run", "exp.toml", "--out", "done", "--force"]);
}
