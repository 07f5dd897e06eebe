//! The report: skeleton, determinism, answers, and runs with little in them.

use crate::common::{Plan, write_run};
use cellstone_report::schema::{PairRow, SummaryRow};
use cellstone_report::{RunDir, read_table, render, write_table};
use std::fs;

fn page(run: &RunDir) -> String {
    fs::read_to_string(render(run).expect("report")).expect("page")
}

fn small() -> Plan {
    Plan { n_perturbations: 8, ..Plan::default() }
}

/// Headings and ids, in order.
fn skeleton(page: &str) -> String {
    let mut out = String::new();
    let body = &page[page.find("<body>").expect("body")..page.find("<script>").expect("script")];
    for tag in body.split('<').filter(|it| it.contains(" id=\"") || it.starts_with("h2") || it.starts_with("h3")) {
        let (open, text) = tag.split_once('>').unwrap_or((tag, ""));
        let id = open.split(" id=\"").nth(1).and_then(|it| it.split('"').next()).unwrap_or("");
        let name: String = open.chars().take_while(char::is_ascii_alphanumeric).collect();
        let text = if name.starts_with('h') { text } else { "" };
        out.push_str(format!("{name} #{id} {text}").trim_end());
        out.push('\n');
    }
    out
}

/// The text of the answer cards, tags left out.
fn answer(page: &str) -> String {
    let from = page.find("id=\"answer\"").expect("answer");
    let to = page.find("“Beats” means").expect("definition");
    let mut text = String::new();
    for part in page[from..to].split('<').skip(1) {
        text.push_str(part.split_once('>').map_or("", |it| it.1));
        text.push(' ');
    }
    text
}

#[test]
fn the_skeleton_is_pinned() {
    let base = tempfile::tempdir().expect("folder");
    insta::assert_snapshot!("skeleton", skeleton(&page(&write_run(base.path(), &small()))));
}

#[test]
fn every_id_is_unique_and_every_link_has_a_target() {
    let base = tempfile::tempdir().expect("folder");
    let page = page(&write_run(base.path(), &small()));
    let of = |mark: &str| -> Vec<String> {
        page.split(mark).skip(1).filter_map(|it| it.split('"').next()).map(str::to_owned).collect()
    };
    let mut ids = of(" id=\"");
    let n = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), n);
    let links = of("href=\"#");
    assert!(links.len() > 8);
    for it in links {
        assert!(ids.contains(&it), "{it}");
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_wherever_it_lies() {
    let (a, b) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let (a, b) = (write_run(a.path(), &small()), write_run(b.path(), &small()));
    assert_eq!(page(&a), page(&b));
    assert_eq!(page(&a), page(&a));
    let figures = |run: &RunDir| {
        let mut names: Vec<_> =
            fs::read_dir(run.report_dir()).expect("list").map(|it| it.expect("entry").path()).collect();
        names.sort();
        names.iter().map(|it| (it.file_name().map(ToOwned::to_owned), fs::read(it).expect("bytes"))).collect::<Vec<_>>()
    };
    assert_eq!(figures(&a), figures(&b));
    assert!(figures(&a).len() > 10);
}

#[test]
fn nothing_comes_from_elsewhere_and_data_are_escaped() {
    let base = tempfile::tempdir().expect("folder");
    let page = page(&write_run(base.path(), &small()));
    for it in ["src=", "@import", "url(", "http-equiv", "<link"] {
        assert!(!page.contains(it), "{it}");
    }
    assert!(!page.contains("https://") && !page.replace("http://www.w3.org/2000/svg", "").contains("http://"));
    assert!(page.contains("Rank MLM &lt;pretrained&gt; &amp; tuned") && !page.contains("<pretrained>"));
    assert!(page.contains("&lt;b&gt;not bold&lt;/b&gt;"));
    assert!(!page.contains("NaN") && !page.contains(">inf"));
}

#[test]
fn the_answer_names_winners_and_the_share_of_the_gap() {
    let base = tempfile::tempdir().expect("folder");
    let plan = Plan { n_perturbations: 60, contexts: vec!["K562"], ..Plan::default() };
    let text = answer(&page(&write_run(base.path(), &plan)));
    assert!(text.contains("methods beat the floor (No change) on L2, top 1000 genes"), "{text}");
    assert!(text.contains("of the gap from floor"), "{text}");
    assert!(text.contains("the declared reference (Additive)"), "{text}");
    assert!(text.contains("Reliably worse than the floor: Graph network."), "{text}");
    assert!(text.contains("Weighted MSE has almost no dynamic range"), "{text}");
}

#[test]
fn a_method_beats_the_floor_only_if_the_common_set_agrees() {
    let base = tempfile::tempdir().expect("folder");
    let run = write_run(base.path(), &Plan { n_perturbations: 30, contexts: vec!["K562"], ..Plan::default() });
    let mut pairs = read_table::<PairRow>(&run.tables_dir(), "pairs").expect("pairs");
    for it in pairs.iter_mut().filter(|it| it.set == "common" && it.diff.is_some()) {
        (it.ci_lo, it.ci_hi, it.p_holm) = (Some(-1.0), Some(1.0), Some(1.0));
    }
    write_table(&run.tables_dir(), "pairs", &pairs).expect("write");
    let text = answer(&page(&run));
    assert!(text.contains("No method beats the floor (No change)"), "{text}");
    pairs.retain(|it| it.set == "full");
    write_table(&run.tables_dir(), "pairs", &pairs).expect("write");
    let text = answer(&page(&run));
    assert!(text.contains("methods beat the floor") && text.contains("rests on the full table alone"), "{text}");
}

#[test]
fn a_better_value_of_a_higher_is_better_metric_is_a_larger_one() {
    let base = tempfile::tempdir().expect("folder");
    let mut plan = Plan { n_perturbations: 60, contexts: vec!["K562"], ..Plan::default() };
    plan.metrics.retain(|it| it.0 == "pds_v2_cosine");
    let text = answer(&page(&write_run(base.path(), &plan)));
    assert!(text.contains("The best mean is that of Additive"), "{text}");
    assert!(text.contains("Reliably worse than the floor: Graph network."), "{text}");
}

#[test]
fn a_run_with_almost_nothing_still_has_a_page() {
    let base = tempfile::tempdir().expect("folder");
    let run = write_run(base.path(), &small());
    for it in fs::read_dir(run.tables_dir()).expect("list") {
        fs::remove_file(it.expect("entry").path()).expect("remove");
    }
    let empty = page(&run);
    assert!(empty.contains("This run has no scores yet.") && empty.contains("Tables this run does not have"));
    let summary = SummaryRow {
        set: "full".into(),
        context: "one & only".into(),
        method: "m".into(),
        metric: "l2".into(),
        n_total: 4,
        ..SummaryRow::default()
    };
    write_table(&run.tables_dir(), "summary", &[summary]).expect("write");
    let undefined = page(&run);
    assert!(
        undefined.contains("Results in one &amp; only")
            && undefined.contains("0/4")
            && undefined.contains("not defined")
    );
}

#[test]
fn a_single_method_and_forty_both_fit() {
    let base = tempfile::tempdir().expect("folder");
    let mut one = Plan { n_perturbations: 2, ..Plan::default() };
    one.methods.truncate(1);
    assert!(page(&write_run(&base.path().join("one"), &one)).contains("No method was tested against the floor"));
    let names: Vec<&'static str> = (0..40).map(|it| &*Box::leak(format!("method_{it}").into_boxed_str())).collect();
    let methods =
        names.iter().enumerate().map(|(at, it)| (*it, *it, if at == 0 { "floor" } else { "model" }, at as f64 / 50.0));
    let forty =
        Plan { n_perturbations: 3, methods: methods.collect(), contexts: vec!["a", "b", "A"], ..Plan::default() };
    assert!(page(&write_run(&base.path().join("forty"), &forty)).contains("method_39"));
}

#[test]
fn a_run_that_is_not_complete_says_so_first() {
    let base = tempfile::tempdir().expect("folder");
    let run = write_run(base.path(), &small());
    let mut manifest = run.manifest().expect("manifest");
    manifest.status = cellstone_report::RunStatus::Interrupted;
    run.write_manifest(&manifest).expect("write");
    let page = page(&run);
    let warning = page.find("This run is not complete").expect("warning");
    assert!(warning < page.find("id=\"answer\"").expect("answer"));
}
