//! The command `rank-study`, from the atlas to the page.

use crate::common::{Failures, Shell};

const STUDY: &str = r#"schema = 1
kind = "rank_study"
id = "tiny"
question = "Does it work?"
seeds = [1]
k = [1, 5]
bootstrap = 50

[data]
path = "atlas.h5ad"
type_col = "cell_type"
term_col = "cell_type_ontology_term_id"
donor_col = "donor"
batch_col = "dataset"

[ontology]
obo = "atlas.obo"
roots = ["SIM:0000000"]

[subsample]
n_per_type = 20

[pairs]
between = 20
within = 20

[[grid]]
encoders = ["lognorm", "rank_all"]
metrics = ["cosine", "spearman"]
genes = ["hvg_100"]
"#;

fn shell() -> Shell {
    let shell = Shell::new();
    shell.put("study.toml", STUDY);
    shell.ok(&["simulate", "--preset", "atlas_tiny", "--out", "atlas.h5ad", "--quiet"]);
    shell
}

#[test]
fn from_the_atlas_to_the_page() {
    let shell = shell();
    for file in ["atlas.h5ad", "atlas.obo", "atlas.truth.json"] {
        assert!(shell.path(file).is_file(), "{file}");
    }
    let plan = shell.ok(&["rank-study", "study.toml", "--plan"]);
    insta::assert_snapshot!("rank_study_plan", plan.trim_end());
    assert_eq!(plan, shell.ok(&["plan", "study.toml"]));
    let page = shell.ok(&["rank-study", "study.toml", "--out", "run", "--quiet"]);
    assert_eq!(page.trim_end(), "run/report/index.html");
    let text = std::fs::read_to_string(shell.path("run/report/index.html")).expect("page");
    assert!(text.contains("Hypotheses, stated before the run"));
    // The page again, from the tables alone; and the study through `run`.
    shell.ok(&["report", "run"]);
    assert_eq!(std::fs::read_to_string(shell.path("run/report/index.html")).expect("page"), text);
    let table = shell.ok(&["table", "run/tables/units.parquet", "--csv"]);
    assert_eq!(table.lines().count(), 5, "{table}");
    shell.ok(&["run", "study.toml", "--out", "again", "--quiet"]);
    let bytes = |run: &str| std::fs::read(shell.path(&format!("{run}/tables/study_summary.parquet"))).expect("there");
    assert!(bytes("run") == bytes("again"), "one study, two commands, the same table");
}

#[test]
fn studies_that_are_wrong() {
    let shell = shell();
    let mut failures = Failures::of(&shell);
    for set in [
        "data.typ_col=x",
        "grid=[{encoders=[\"lognrom\"],metrics=[\"cosine\"],genes=[\"all\"]}]",
        "grid=[]",
        "kind=study",
        "k=[0]",
        "seeds=[]",
        "subsample.n_per_type=1",
        "transfer.k=0",
        "data.stratum=site",
    ] {
        failures.check(2, &["rank-study", "study.toml", "--set", set, "--out", "new"]);
    }
    failures.check(3, &["rank-study", "absent.toml", "--out", "new"]);
    failures.check(3, &["rank-study", "study.toml", "--plan", "--set", "data.path=absent.h5ad"]);
    for set in
        ["data.type_col=cell_typ", "ontology.roots=[\"SIM:1\"]", "data.train=[\"donor9\"]", "data.keep={donor=[\"x\"]}"]
    {
        failures.check_run(3, &["rank-study", "study.toml", "--set", set]);
    }
    failures.check(2, &["simulate", "--preset", "atlas_tin", "--out", "new.h5ad"]);
    failures.check(2, &["simulate", "--preset", "atlas_tiny", "--n-obs", "3", "--out", "new.h5ad"]);
    insta::assert_snapshot!(failures.said());
}
