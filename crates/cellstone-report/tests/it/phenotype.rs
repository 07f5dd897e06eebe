//! The page of a phenotype study: what it says when a baseline wins, without intervals, and with nothing in it.

use cellstone_report::phenotype::schema::{
    CalibrationRow, CamRow, ConformalRow, DifferenceRow, EntropyGroupRow, ModelRow, PhenotypeScoreRow, RecoveryRow,
    TaskRow,
};
use cellstone_report::{Manifest, Row, RunDir, RunStatus, render, write_table};
use std::fs;
use std::path::Path;

fn run(base: &Path) -> RunDir {
    let run = RunDir::create(base, "phenotype_x", "20260101T000000Z", "0123abcd").expect("run");
    let manifest = Manifest { experiment: "phenotype_x".into(), status: RunStatus::Complete, ..Manifest::default() };
    run.write_manifest(&manifest).expect("manifest");
    run.write_config("schema = 1\nkind = \"phenotype\"\n").expect("config");
    run
}

fn put<R: Row>(run: &RunDir, rows: &[R]) {
    write_table(&run.tables_dir(), R::TABLE, rows).expect("written");
}

fn page(run: &RunDir) -> String {
    fs::read_to_string(render(run).expect("report")).expect("page")
}

/// Text of the answer, tags left out.
fn answer(page: &str) -> String {
    let part = &page[page.find("id=\"answer\"").expect("answer")..page.find("“Beats” and").expect("definition")];
    part.split('<').skip(1).map(|it| it.split_once('>').map_or("", |it| it.1)).collect::<Vec<_>>().join(" ")
}

fn score(model: &str, condition: &str, value: f64, ci: Option<(f64, f64)>) -> PhenotypeScoreRow {
    PhenotypeScoreRow {
        model: model.into(),
        category: "cell_type".into(),
        condition: condition.into(),
        candidates: "closed".into(),
        weighting: "cell".into(),
        metric: "macro_f1".into(),
        value: Some(value),
        ci_lo: ci.map(|it| it.0),
        ci_hi: ci.map(|it| it.1),
        n_cells: 200,
        n_donors: 8,
        status: "ok".into(),
        ..PhenotypeScoreRow::default()
    }
}

fn difference(baseline: &str, difference: f64, verdict: &str) -> DifferenceRow {
    let wide = if verdict == "undefined" { None } else { Some(0.05) };
    DifferenceRow {
        category: "cell_type".into(),
        model: "polygene".into(),
        condition: "masked".into(),
        baseline: baseline.into(),
        metric: "macro_f1".into(),
        difference: Some(difference),
        ci_lo: wide.map(|it| difference - it),
        ci_hi: wide.map(|it| difference + it),
        verdict: verdict.into(),
        ..DifferenceRow::default()
    }
}

fn model(id: &str, name: &str) -> ModelRow {
    ModelRow { model: id.into(), name: name.into(), role: "baseline".into(), summary: String::new() }
}

fn fill(run: &RunDir) {
    put(
        run,
        &[model("polygene", "PolyGene v2"), model("majority", "Majority"), model("logistic", "Logistic regression")],
    );
    let task = TaskRow {
        category: "cell_type".into(),
        split: "donor".into(),
        status: "ok".into(),
        cluster: "donor".into(),
        n_test: 200,
        ..TaskRow::default()
    };
    put(run, &[task]);
}

#[test]
fn a_network_that_loses_is_said_to_lose() {
    let base = tempfile::tempdir().expect("folder");
    let run = run(base.path());
    fill(&run);
    put(
        &run,
        &[
            score("polygene", "masked", 0.6, Some((0.5, 0.7))),
            score("polygene", "visible", 0.7, Some((0.6, 0.8))),
            score("majority", "none", 0.1, Some((0.1, 0.1))),
            score("logistic", "genes", 0.9, Some((0.85, 0.95))),
        ],
    );
    put(&run, &[difference("majority", 0.5, "beats"), difference("logistic", -0.3, "loses")]);
    let page = page(&run);
    let said = answer(&page);
    assert!(said.contains("beats both floors, majority and conditional frequency, in 1 of 1 category; logistic regression beats it in at least one"), "{said}");
    assert!(said.contains("it beats majority, loses to logistic regression"), "{said}");
    assert!(page.contains("class=\"answer no\""), "the card is marked");
    assert!(
        !page.contains("Published protocol") && !page.contains("id=\"cam\""),
        "published numbers only where asked for"
    );
}

#[test]
fn without_intervals_nothing_is_beyond_doubt() {
    let base = tempfile::tempdir().expect("folder");
    let run = run(base.path());
    fill(&run);
    let bare = |model: &str, condition: &str, value: f64| PhenotypeScoreRow {
        reason: Some("1 donors, an interval needs 5".into()),
        ..score(model, condition, value, None)
    };
    put(&run, &[bare("polygene", "masked", 0.6), bare("majority", "none", 0.1)]);
    put(&run, &[difference("majority", 0.5, "undefined")]);
    let page = page(&run);
    assert!(answer(&page).contains("nothing here is beyond doubt"), "{}", answer(&page));
    assert!(page.contains("No intervals. </b>1 donors, an interval needs 5"), "the reason stands at the table");
}

#[test]
fn every_section_shows_and_names_are_escaped() {
    let base = tempfile::tempdir().expect("folder");
    let run = run(base.path());
    fill(&run);
    put(&run, &[score("polygene", "masked", 0.6, None)]);
    let group = |group: &str, place: i64, mean: f64| EntropyGroupRow {
        model: "polygene".into(),
        category: "cell_type".into(),
        condition: "masked".into(),
        column: "development_stage".into(),
        group: group.into(),
        place,
        n_cells: 60,
        n_donors: 4,
        mean: Some(mean),
        c: 4,
        planted: Some(mean),
        ..EntropyGroupRow::default()
    };
    put(&run, &[group("old & <grey>", 1, 1.0), group("young", 0, 0.2)]);
    put(
        &run,
        &[RecoveryRow { model: "polygene".into(), what: "order".into(), recovered: true, ..RecoveryRow::default() }],
    );
    let key = ("polygene".to_owned(), "cell_type".to_owned(), "masked".to_owned());
    let row = CalibrationRow {
        model: key.0.clone(),
        category: key.1.clone(),
        condition: key.2.clone(),
        stage: "before".into(),
        temperature: 1.0,
        ece_mass: Some(0.1),
        ..CalibrationRow::default()
    };
    put(&run, &[row]);
    let row = ConformalRow {
        model: key.0,
        category: key.1,
        condition: key.2,
        score: "aps".into(),
        mode: "donor".into(),
        alpha: 0.1,
        coverage: Some(0.93),
        ..ConformalRow::default()
    };
    put(&run, &[row]);
    put(
        &run,
        &[CamRow { category: "cell_type".into(), k: 1, score: 0.8, exact: 0.7, n_cells: 10, published: Some(0.903) }],
    );
    let page = page(&run);
    for it in [
        "id=\"entropy\"",
        "id=\"recovery\"",
        "id=\"calibration\"",
        "id=\"conformal\"",
        "Not comparable",
        "old &amp; &lt;grey&gt;",
    ] {
        assert!(page.contains(it), "{it}");
    }
    let said = answer(&page);
    assert!(said.contains("goes from 0.289 bits in young to 1.44 bits in old &amp; &lt;grey&gt;"), "{said}");
    assert!(said.contains("no temperature was fitted"), "{said}");
    assert_eq!(page, fs::read_to_string(render(&run).expect("again")).expect("page"), "a pure function of the tables");
}

#[test]
fn a_run_without_tables_has_a_page() {
    let base = tempfile::tempdir().expect("folder");
    let page = page(&run(base.path()));
    assert!(page.contains("This run has no score yet.") && !page.contains("id=\"scores\""));
}
