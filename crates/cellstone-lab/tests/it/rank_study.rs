//! Rank studies from end to end on a simulated atlas: what is planted is found, nothing depends on threads, a stopped run
//! goes on, and what is wrong is named.

use crate::common::{assert_same_tables, shared};
use cellstone_core::{Column, Csr, Error, ObsTable, Result, Seed, Var};
use cellstone_fixtures::{AtlasSpec, simulate_atlas_to_h5ad};
use cellstone_io::{Extras, H5adWriter, WriteOptions, read_obo};
use cellstone_lab::rank_study::{StudyConfig, load_study, parse_study, plan_study, resolve_study, run_study};
use cellstone_lab::{RunOptions, RunOutcome, Silent};
use cellstone_report::rank_study::schema::{
    HypothesisRow, NeighborRow, PairRow, RelationRow, SeedRow, SummaryRow, ThinningSummaryRow, TransferRow, TypeRow,
    UnitRunRow,
};
use cellstone_report::{Row, read_table};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// A study of the tiny atlas.
const STUDY: &str = r#"
schema = 1
kind = "rank_study"
id = "tiny"
question = "Does it work?"
seeds = [1, 2]
k = [1, 5, 15]
bootstrap = 100
[data]
path = "atlas.h5ad"
type_col = "cell_type"
term_col = "cell_type_ontology_term_id"
donor_col = "donor"
batch_col = "dataset"
stratum = "donor"
[ontology]
obo = "atlas.obo"
roots = ["SIM:0000000"]
[subsample]
n_per_type = 30
[pairs]
between = 30
within = 60
[[grid]]
encoders = ["lognorm", "rank_all"]
metrics = ["cosine", "spearman"]
projections = ["none", "pca_10"]
genes = ["hvg_100", "all"]
[[grid]]
encoders = ["lognorm"]
metrics = ["spearman_codetected", "kendall"]
genes = ["all"]
[[grid]]
encoders = ["geneformer_scaled"]
metrics = ["rbo"]
genes = ["all"]
[thinning]
rates = [0.25]
queries = 40
encoders = ["lognorm"]
[transfer]
k = 5
"#;

fn atlas(dir: &Path, change: impl Fn(&mut AtlasSpec)) {
    let mut spec = AtlasSpec::preset("atlas_tiny").expect("preset");
    change(&mut spec);
    simulate_atlas_to_h5ad(spec, Seed::new(3), &dir.join("atlas.h5ad"), &WriteOptions::default(), &mut |_, _| ())
        .expect("simulated");
}

fn study(dir: &Path, text: &str, overrides: &[&str]) -> Result<StudyConfig> {
    let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
    resolve_study(parse_study(text, &overrides)?, dir)
}

fn run_with(config: &StudyConfig, out: &Path, resume: bool, cancel: &AtomicBool) -> Result<RunOutcome> {
    let options = RunOptions {
        out: Some(out.to_owned()),
        resume,
        force: false,
        progress: &Silent,
        cancel,
        threads: 1,
        device: "cpu".to_owned(),
    };
    run_study(config, &options)
}

fn run(config: &StudyConfig, out: &Path) -> RunOutcome {
    let outcome = run_with(config, out, false, &AtomicBool::new(false)).expect("runs");
    assert_eq!(outcome.n_errors, 0, "{:?}", rows::<UnitRunRow>(out));
    outcome
}

fn rows<R: Row>(out: &Path) -> Vec<R> {
    read_table(&out.join("tables"), R::TABLE).expect("a table")
}

#[test]
fn a_study_writes_every_table_and_a_page() {
    let dir = tempfile::tempdir().expect("folder");
    atlas(dir.path(), |_| ());
    let config = study(dir.path(), STUDY, &[]).expect("resolves");
    let out = dir.path().join("run");
    let outcome = run(&config, &out);
    let page = std::fs::read_to_string(&outcome.report).expect("page");
    for id in
        ["answer", "hypotheses", "published", "treatment", "relations", "purity", "batches", "thinning", "transfer"]
    {
        assert!(page.contains(&format!("id=\"{id}\"")), "no section `{id}`");
    }
    assert!(!page.contains("NaN"), "a number that is none on the page");
    let runs: Vec<UnitRunRow> = rows(&out);
    assert_eq!(runs.len(), 2 * config.unit.len(), "every unit of every seed");
    let pairs: Vec<PairRow> = rows(&out);
    for run in &runs {
        let n: i64 = pairs
            .iter()
            .filter(|it| it.seed == run.seed && it.unit == run.unit && it.scope == "all")
            .map(|it| it.n)
            .sum();
        assert!(n == run.n_pairs || n == 0, "{}: {n} pairs of {}", run.unit, run.n_pairs);
    }
    let all: i64 = runs.iter().find(|it| it.unit == "all-lognorm-none-cosine").expect("there").n_pairs;
    assert_eq!(all, 240 * 239 / 2, "8 types of 30 cells");
    // Same and other strata add up to all pairs.
    let n = |scope: &str| {
        pairs
            .iter()
            .filter(|it| it.unit == "all-lognorm-none-cosine" && it.seed == 1 && it.scope == scope)
            .map(|it| it.n)
            .sum::<i64>()
    };
    assert_eq!(n("same") + n("other"), n("all"));
    let types: Vec<TypeRow> = rows(&out);
    assert_eq!(types[0].nearest_distance, Some(2));
    assert!(types.iter().all(|it| it.n_available == 40 && it.n_used == 30));
    let hypotheses: Vec<HypothesisRow> = rows(&out);
    for id in ["H1", "H2", "H3"] {
        let found = hypotheses.iter().filter(|it| it.hypothesis == id).collect::<Vec<_>>();
        assert!(found.iter().any(|it| it.difference.is_some() || it.reason.is_some()), "{id}: {found:?}");
    }
    assert!(hypotheses.iter().filter(|it| it.hypothesis == "H1").count() >= 4, "two projections, two gene sets");
    let transfer: Vec<TransferRow> = rows(&out);
    let f1 = |control: &str| {
        let of: Vec<f64> = transfer.iter().filter(|it| it.control == control).filter_map(|it| it.macro_f1).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(f1("none") > f1("shuffled") + 0.1, "{} {}", f1("none"), f1("shuffled"));
}

#[test]
fn planted_types_are_found_and_permuted_labels_are_not() {
    let dir = tempfile::tempdir().expect("folder");
    atlas(dir.path(), |it| {
        it.library_median = 4000.0;
        it.genes_per_cell = 140.0;
        (it.edge_share, it.edge_sd) = (0.2, 2.0);
    });
    let overrides = ["seeds=[1]"];
    let config = study(dir.path(), STUDY, &overrides).expect("resolves");
    let out = dir.path().join("run");
    run(&config, &out);
    let unit = "all-lognorm-none-cosine";
    let summary: Vec<SummaryRow> = rows(&out);
    let get = |statistic: &str, scope: &str, k: Option<i64>| {
        let of = |it: &&SummaryRow| {
            it.unit == unit && it.statistic == statistic && it.scope == scope && it.k == k && it.over != "strata"
        };
        summary.iter().find(of).unwrap_or_else(|| panic!("no {statistic}")).clone()
    };
    let auroc = get("auroc_macro", "other", None);
    assert!(auroc.value.expect("defined") > 0.9, "{auroc:?}");
    assert!(auroc.ci_lo < auroc.value && auroc.value < auroc.ci_hi, "{auroc:?}");
    assert!((auroc.floor.expect("permuted") - 0.5).abs() < 0.05, "{auroc:?}");
    let purity = get("purity", "other", Some(15));
    assert!(purity.value.expect("defined") > 3.0 * purity.floor.expect("chance"), "{purity:?}");
    let seeds: Vec<SeedRow> = rows(&out);
    let permuted = seeds.iter().find(|it| it.unit == unit && it.statistic == "purity_permuted" && it.scope == "all");
    let chance = get("purity", "all", Some(15)).floor.expect("chance");
    assert!((permuted.and_then(|it| it.value).expect("permuted") - chance).abs() < 0.02);
    // The planted truth is the tree: medians fall with its distance.
    let obo = read_obo(&dir.path().join("atlas.obo")).expect("ontology");
    let place = |name: &str| obo.terms().iter().position(|it| it.name == name).expect("a term") as i64;
    let pairs: Vec<PairRow> = rows(&out);
    let mut by_distance = BTreeMap::<u32, Vec<f64>>::new();
    for it in pairs.iter().filter(|it| it.unit == unit && it.scope == "all") {
        let (a, b) = (place(&it.type_a) - 7, place(&it.type_b) - 7);
        let distance = (0..4).find(|up| a >> up == b >> up).expect("a root");
        by_distance.entry(distance).or_default().push(it.q50.expect("a median"));
    }
    let means: Vec<f64> = by_distance.values().map(|it| it.iter().sum::<f64>() / it.len() as f64).collect();
    assert!(means.len() == 4 && means.windows(2).all(|it| it[0] > it[1]), "{means:?}");
    // Called pairs are of one type or of near ones.
    let calls: Vec<RelationRow> = rows(&out);
    let top = calls.iter().find(|it| it.unit == unit && it.rule == "top_1e-2").expect("there");
    assert!(top.share_same.expect("called") > 0.9, "{top:?}");
    let graded: Vec<NeighborRow> = rows(&out);
    let mean = |statistic: &str| {
        let of: Vec<f64> = graded
            .iter()
            .filter(|it| it.unit == unit && it.statistic == statistic && it.scope == "other" && it.k == 15)
            .filter_map(|it| it.mean)
            .collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(mean("graded_purity") > mean("purity") && mean("graded_purity") < 1.0);
    let thinned: Vec<ThinningSummaryRow> = rows(&out);
    let of = |statistic: &str, rate: f64| {
        let row = thinned.iter().find(|it| it.mode == "share" && it.statistic == statistic && it.rate == rate);
        row.and_then(|it| it.value).unwrap_or_else(|| panic!("no {statistic} at {rate}"))
    };
    for statistic in ["self_similarity", "mrr", "top1"] {
        assert!((of(statistic, 1.0) - 1.0).abs() < 1e-5, "{statistic} of whole cells: {}", of(statistic, 1.0));
    }
    assert!(of("auroc", 0.25) < of("auroc", 1.0) && of("mrr", 0.25) < 1.0);
}

/// Cells of two types in two batches, from counts by type.
fn two_types(dir: &Path, counts: impl Fn(usize, usize, usize) -> f32) {
    let (n_cells, n_genes) = (80, 60);
    let dense = ndarray::Array2::from_shape_fn((n_cells, n_genes), |(cell, gene)| counts(cell % 2, cell, gene));
    let mut obs = ObsTable::new((0..n_cells).map(|it| format!("c{it}")).collect());
    let label = |names: [&str; 2], of: &dyn Fn(usize) -> usize| {
        Column::categorical(&(0..n_cells).map(|it| names[of(it)]).collect::<Vec<_>>())
    };
    obs.insert("cell_type", label(["A", "B"], &|it| it % 2)).expect("fits");
    obs.insert("batch", label(["x", "y"], &|it| (it / 2) % 2)).expect("fits");
    let var = ObsTable::new(Var::from_ids((0..n_genes).map(|it| format!("g{it}"))).expect("unique").ids().to_vec());
    let mut writer = H5adWriter::create(dir.join("two.h5ad"), &WriteOptions::default(), n_genes).expect("new");
    writer.write_rows(&Csr::from_dense(&dense)).expect("written");
    writer.finish(&obs, &var, &Extras::default()).expect("finished");
}

#[test]
fn a_scale_is_seen_by_counts_and_not_by_ranks() {
    let dir = tempfile::tempdir().expect("folder");
    // One profile with noise; type B has four times the counts of every gene.
    let noise = |cell: usize, gene: usize| ((cell * 7 + gene * 13 + cell * gene) % 5) as f32;
    two_types(dir.path(), |kind, cell, gene| {
        (20.0 + gene as f32 + noise(cell - kind, gene)) * if kind == 1 { 4.0 } else { 1.0 }
    });
    let text = "schema = 1\nkind = \"rank_study\"\nid = \"two\"\nquestion = \"?\"\nseeds = [1]\nk = [5]\nbootstrap = 50\n\
        [data]\npath = \"two.h5ad\"\ntype_col = \"cell_type\"\nbatch_col = \"batch\"\n\
        [[grid]]\nencoders = [\"raw\"]\nmetrics = [\"euclidean\", \"spearman\"]\ngenes = [\"all\"]\n";
    let out = dir.path().join("run");
    run(&study(dir.path(), text, &[]).expect("resolves"), &out);
    let summary: Vec<SummaryRow> = rows(&out);
    let of = |unit: &str, statistic: &str, k| {
        let is = |it: &&SummaryRow| {
            it.unit == unit && it.statistic == statistic && it.scope == "other" && it.k == k && it.over == "types"
        };
        summary.iter().find(is).and_then(|it| it.value).expect("defined")
    };
    assert!(of("all-raw-none-euclidean", "purity", Some(5)) > 0.99);
    let rank = of("all-raw-none-spearman", "auroc_macro", None);
    assert!((rank - 0.5).abs() < 0.06, "rank sees no scale: {rank}");
    assert!(of("all-raw-none-euclidean", "auroc_macro", None) > rank + 0.2);
}

#[test]
fn threads_do_not_change_a_byte() {
    let dir = tempfile::tempdir().expect("folder");
    atlas(dir.path(), |_| ());
    let config = study(dir.path(), STUDY, &["seeds=[1]"]).expect("resolves");
    for (name, threads) in [("one", 1), ("three", 3)] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| run(&config, &dir.path().join(name)));
    }
    assert_same_tables(&dir.path().join("one"), &dir.path().join("three"));
}

#[test]
fn a_stopped_study_goes_on_to_the_same_tables() {
    let dir = tempfile::tempdir().expect("folder");
    atlas(dir.path(), |_| ());
    let config = study(dir.path(), STUDY, &["seeds=[1]"]).expect("resolves");
    let whole = dir.path().join("whole");
    run(&config, &whole);
    let stopped = dir.path().join("stopped");
    let error = run_with(&config, &stopped, false, &AtomicBool::new(true)).expect_err("stopped");
    assert!(error.is_cancelled(), "{error}");
    // Two pieces are there, as after a kill between two of them.
    let kept = ["s1-all-lognorm-none-cosine", "s1-thin0-hvg_100-lognorm-none-cosine"];
    for piece in kept {
        let (from, to) = (whole.join("state/pieces").join(piece), stopped.join("state/pieces").join(piece));
        std::fs::create_dir_all(&to).expect("folder");
        for entry in std::fs::read_dir(&from).expect("a finished piece") {
            let path = entry.expect("entry").path();
            std::fs::copy(&path, to.join(path.file_name().expect("name"))).expect("copied");
        }
        let marker = format!("piece-{piece}.json");
        std::fs::copy(whole.join("state").join(&marker), stopped.join("state").join(&marker)).expect("copied");
    }
    let written = || {
        std::fs::metadata(stopped.join("state/pieces").join(kept[0]).join("pairs_summary.parquet"))
            .and_then(|it| it.modified())
            .expect("there")
    };
    let before = written();
    run_with(&config, &stopped, true, &AtomicBool::new(false)).expect("resumes");
    assert_eq!(written(), before, "a finished piece is not made again");
    assert_same_tables(&whole, &stopped);
}

#[test]
fn what_is_wrong_is_named() {
    let dir = tempfile::tempdir().expect("folder");
    atlas(dir.path(), |_| ());
    let fails = |overrides: &[&str]| -> Error {
        match study(dir.path(), STUDY, overrides).and_then(|it| plan_study(&it).map(|_| it)) {
            Err(error) => error,
            Ok(config) => {
                let out = dir.path().join(format!("bad{}", overrides.join("-").len()));
                run_with(&config, &out, false, &AtomicBool::new(false)).expect_err("wrong")
            }
        }
    };
    let check = |overrides: &[&str], want: &str| {
        let error = fails(overrides);
        assert!(error.to_string().contains(want), "found: {error}");
    };
    check(&["data.type_col=cell_typ"], "column `cell_typ` not found");
    check(&["data.donor_col=nobody"], "column `nobody` not found");
    check(&["data.path=missing.h5ad"], "missing.h5ad");
    check(&["data.train=[\"donor9\"]"], "data.train names `donor9`");
    check(
        &["subsample.min_per_type=30", "subsample.n_per_type=30", "data.keep={donor=[\"donor1\"]}"],
        "expected at least 2",
    );
    check(&["data.keep={donor=[\"donor7\"]}"], "no cell has `donor7` in column `donor`");
    check(&["ontology.roots=[\"SIM:9\"]"], "ontology.roots: no term `SIM:9`");
    check(&["ontology.obo=none.obo"], "none.obo");
    let error = fails(&["data.type_col=cell_typ"]);
    assert_eq!(error.hints(), ["did you mean `cell_type`?"]);
}

#[test]
fn a_unit_that_fails_is_a_row_and_not_the_end() {
    let dir = tempfile::tempdir().expect("folder");
    // Every cell has the same count of one gene alone: ranks of detected genes do not vary, counts of others do not exist.
    two_types(dir.path(), |_, cell, gene| if gene < 2 { 1.0 + (cell % 2 * gene) as f32 } else { 0.0 });
    let text = "schema = 1\nkind = \"rank_study\"\nid = \"two\"\nquestion = \"?\"\nseeds = [1]\nk = [5]\nbootstrap = 50\n\
        [data]\npath = \"two.h5ad\"\ntype_col = \"cell_type\"\n\
        [[grid]]\nencoders = [\"binary\", \"raw\"]\nmetrics = [\"pearson\"]\ngenes = [\"all\"]\n";
    let config = study(dir.path(), text, &[]).expect("resolves");
    let out = dir.path().join("run");
    let outcome = run_with(&config, &out, false, &AtomicBool::new(false)).expect("runs");
    assert!(outcome.n_errors >= 1);
    let runs: Vec<UnitRunRow> = rows(&out);
    let failed = runs.iter().find(|it| it.unit == "all-binary-none-pearson").expect("there");
    assert_eq!(failed.status, "error");
    assert!(failed.reason.is_some());
    let page = std::fs::read_to_string(&outcome.report).expect("page");
    assert!(page.contains("failed."), "the page says so");
}

#[test]
fn blood_cells_are_told_apart() {
    let Some(path) = shared("pbmc3k/pbmc3k_2638x2767_counts.h5ad") else { return };
    let dir = tempfile::tempdir().expect("folder");
    let text = "schema = 1\nkind = \"rank_study\"\nid = \"blood\"\nquestion = \"?\"\nseeds = [1]\nk = [15]\nbootstrap = 100\n\
        [data]\npath = \"x\"\ntype_col = \"cell_type\"\n[subsample]\nn_per_type = 60\n\
        [[grid]]\nencoders = [\"lognorm\", \"rank_all\", \"geneformer_rank\"]\nmetrics = [\"cosine\"]\n\
        projections = [\"none\", \"pca_50\"]\ngenes = [\"hvg_2000\"]\n\
        [[grid]]\nencoders = [\"rank_all\"]\nmetrics = [\"spearman\"]\ngenes = [\"hvg_2000\"]\n";
    let path = format!("data.path=\"{}\"", path.display());
    let config = study(dir.path(), text, &[&path]).expect("resolves");
    let out = dir.path().join("run");
    run(&config, &out);
    let summary: Vec<SummaryRow> = rows(&out);
    for unit in &config.unit {
        let is = |it: &&SummaryRow| it.unit == unit.name() && it.statistic == "auroc_macro" && it.scope == "all";
        let value = summary.iter().find(is).and_then(|it| it.value).expect("defined");
        assert!((0.6..1.0).contains(&value), "{}: {value}", unit.name());
        let is = |it: &&SummaryRow| it.unit == unit.name() && it.statistic == "purity" && it.over == "types";
        let purity = summary.iter().find(is).expect("there");
        assert!(purity.value.expect("defined") > 2.0 * purity.floor.expect("chance"), "{purity:?}");
    }
}

#[test]
fn files_of_studies_resolve() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut n = 0;
    for entry in std::fs::read_dir(folder).expect("experiments") {
        let path = entry.expect("entry").path();
        if path.file_name().is_some_and(|it| it.to_string_lossy().starts_with("rank_")) {
            let config = load_study(&path, &[]).expect("resolves");
            assert!(path.to_string_lossy().ends_with(&format!("{}.toml", config.id)), "{}", path.display());
            n += 1;
        }
    }
    assert!(n >= 6, "{n} files");
}
