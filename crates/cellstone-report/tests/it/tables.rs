//! Tables: round trips, bytes, bad files, printing.

use crate::common::{Plan, write_run};
use cellstone_report::schema::{CoverageRow, PredictionRow, ScoreRow, SplitRow};
use cellstone_report::{ColumnData, PrintOptions, Row, Table, print_table, read_table, write_columns, write_table};
use proptest::prelude::*;
use std::fs;

fn scores() -> Vec<ScoreRow> {
    let row = |at: usize| ScoreRow {
        method: "additive".into(),
        split: format!("fold_{}", at % 2),
        seed: at as i64,
        context: "K562".into(),
        perturbation: ["KLF1", "KLF1+SPI1", "a,\"b\"\n"][at % 3].into(),
        metric: "l2".into(),
        value: (at % 4 != 3).then_some(at as f64 / 3.0),
        status: if at % 4 == 3 { "undefined" } else { "ok" }.into(),
        reason: (at % 4 == 3).then(|| "constant vector".to_owned()),
    };
    (0..200).map(row).collect()
}

#[test]
fn every_value_survives_with_its_checksum() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("all.parquet");
    let columns = vec![
        ("text".to_owned(), ColumnData::Str(vec![Some(String::new()), None, Some("ß\n".into())])),
        ("nothing".to_owned(), ColumnData::Str(vec![None; 3])),
        ("whole".to_owned(), ColumnData::Int(vec![Some(i64::MIN), None, Some(i64::MAX)])),
        ("real".to_owned(), ColumnData::Float(vec![Some(-0.0), None, Some(f64::MIN_POSITIVE)])),
        ("zero".to_owned(), ColumnData::Float(vec![Some(0.0), Some(-0.0), Some(0.0)])),
        ("truth".to_owned(), ColumnData::Bool(vec![Some(true), None, Some(false)])),
        ("list".to_owned(), ColumnData::Floats(vec![Some(vec![]), None, Some(vec![-0.0, 1.5])])),
    ];
    write_columns(&path, &Table::new(columns).expect("a table")).expect("written");
    print_table(&path, &PrintOptions::default()).expect("the checksum holds");
    let empty = dir.path().join("empty.parquet");
    let columns = vec![("list".to_owned(), ColumnData::Floats(vec![])), ("t".to_owned(), ColumnData::Str(vec![]))];
    write_columns(&empty, &Table::new(columns).expect("a table")).expect("written");
    print_table(&empty, &PrintOptions::default()).expect("the checksum holds");
}

#[test]
fn rows_survive_parquet_and_csv() {
    let dir = tempfile::tempdir().expect("folder");
    for name in ["scores", "scores.csv"] {
        write_table(dir.path(), name, &scores()).expect("write");
        assert_eq!(read_table::<ScoreRow>(dir.path(), name).expect("read"), scores(), "{name}");
    }
    let predictions = vec![
        PredictionRow {
            method: "m".into(),
            genes: "all".into(),
            profile: vec![1.5, -0.25, 0.1],
            ..PredictionRow::default()
        },
        PredictionRow { method: "m".into(), genes: "none".into(), profile: vec![], ..PredictionRow::default() },
    ];
    for name in ["predictions", "predictions.csv"] {
        write_table(dir.path(), name, &predictions[..1]).expect("write");
        assert_eq!(read_table::<PredictionRow>(dir.path(), name).expect("read"), predictions[..1], "{name}");
    }
    write_table(dir.path(), "predictions", &predictions).expect("write");
    assert_eq!(read_table::<PredictionRow>(dir.path(), "predictions").expect("read"), predictions);
    let coverage = vec![CoverageRow { native: true, ..CoverageRow::default() }, CoverageRow::default()];
    write_table(dir.path(), "coverage", &coverage).expect("write");
    assert_eq!(read_table::<CoverageRow>(dir.path(), "coverage").expect("read"), coverage);
    write_table::<SplitRow>(dir.path(), "splits", &[]).expect("an empty table is a table");
    assert_eq!(read_table::<SplitRow>(dir.path(), "splits").expect("read"), []);
}

#[test]
fn the_columns_of_scores_are_pinned() {
    let names: Vec<String> = ScoreRow::to_columns(&[]).into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["method", "split", "seed", "context", "perturbation", "metric", "value", "status", "reason"]);
}

#[test]
fn the_same_rows_give_the_same_bytes_and_no_temporary_file_stays() {
    let dir = tempfile::tempdir().expect("folder");
    let a = write_table(dir.path(), "a", &scores()).expect("write");
    let b = write_table(dir.path(), "b", &scores()).expect("write");
    assert_eq!(a.sha256, b.sha256);
    assert_eq!(fs::read(&a.path).expect("a"), fs::read(&b.path).expect("b"));
    assert_eq!(a.n_rows, 200);
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 2);
}

#[test]
fn nan_and_infinity_are_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().expect("folder");
    for bad in [f64::NAN, f64::INFINITY] {
        let mut rows = scores();
        rows[5].value = Some(bad);
        let error = write_table(dir.path(), "scores", &rows).expect_err("refused");
        assert!(
            error.to_string().ends_with("column `value`, row 5: found NaN or infinity, expected a finite value"),
            "{error}"
        );
        assert_eq!(error.hints().len(), 1);
    }
    let row = PredictionRow { profile: vec![0.0, f32::NAN], ..PredictionRow::default() };
    assert!(
        write_table(dir.path(), "predictions", &[row]).expect_err("refused").to_string().contains("`profile`, row 0")
    );
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 0);
}

#[test]
fn damaged_files_are_errors_that_name_the_file() {
    let dir = tempfile::tempdir().expect("folder");
    let path = write_table(dir.path(), "scores", &scores()).expect("write").path;
    let whole = fs::read(&path).expect("bytes");
    let mut damaged = vec![whole[..whole.len() / 2].to_vec(), Vec::new(), b"not a table".to_vec()];
    let mut footer = whole.clone();
    let at = footer.len() - 40;
    footer[at..at + 24].fill(0xff);
    damaged.push(footer);
    for bytes in damaged {
        fs::write(&path, bytes).expect("damage");
        let error = read_table::<ScoreRow>(dir.path(), "scores").expect_err("damaged");
        assert!(error.to_string().contains("scores.parquet"), "{error}");
        assert!(error.is_invalid_input());
    }
    let error = read_table::<ScoreRow>(dir.path(), "nothing").expect_err("missing");
    assert!(error.to_string().contains("nothing.parquet"), "{error}");
}

#[test]
fn another_table_is_told_from_the_expected_one() {
    let dir = tempfile::tempdir().expect("folder");
    write_table(dir.path(), "coverage", &[CoverageRow::default()]).expect("write");
    let error = read_table::<ScoreRow>(dir.path(), "coverage").expect_err("other columns");
    assert!(error.to_string().contains("column `metric` not found"), "{error}");
    fs::write(
        dir.path().join("scores.csv"),
        "method,split,seed,context,perturbation,metric,value,status,reason\na,b,one,c,p,m,,ok,\n",
    )
    .expect("csv");
    let error = read_table::<ScoreRow>(dir.path(), "scores.csv").expect_err("seed is a number");
    assert!(error.to_string().contains("column `seed`, row 0: found `one`, expected integer"), "{error}");
}

#[test]
fn tables_print_aligned_filtered_and_as_csv() {
    let base = tempfile::tempdir().expect("folder");
    let run = write_run(base.path(), &Plan { n_perturbations: 4, ..Plan::default() });
    let path = run.tables_dir().join("scores.parquet");
    let mut options = PrintOptions {
        where_: vec![
            ("method".into(), "no_change".into()),
            ("context".into(), "K562".into()),
            ("metric".into(), "pearson_delta".into()),
        ],
        limit: Some(3),
        csv: false,
    };
    insta::assert_snapshot!("table_text", print_table(&path, &options).expect("text"));
    options.csv = true;
    insta::assert_snapshot!("table_csv", print_table(&path, &options).expect("csv"));
    options.where_ = vec![("metrc".into(), "l2".into())];
    let error = print_table(&path, &options).expect_err("unknown column");
    assert!(error.to_string().contains("column `metrc` not found"), "{error}");
    assert_eq!(error.hints(), ["did you mean `metric`?"]);
    assert!(error.is_config());
}

#[test]
fn columns_of_unequal_length_or_repeated_name_are_refused() {
    let ints = |n: i64| cellstone_report::ColumnData::Int((0..n).map(Some).collect());
    assert!(Table::new(vec![("a".into(), ints(2)), ("b".into(), ints(3))]).is_err());
    assert!(Table::new(vec![("a".into(), ints(2)), ("a".into(), ints(2))]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_and_any_finite_number_survive(
        values in prop::collection::vec((".{0,12}", prop::option::of(-1e300f64..1e300), any::<i64>()), 0..20)
    ) {
        let dir = tempfile::tempdir().expect("folder");
        let row = |it: &(String, Option<f64>, i64)| ScoreRow {
            method: it.0.clone(), value: it.1, seed: it.2, ..ScoreRow::default()
        };
        let rows: Vec<ScoreRow> = values.iter().map(row).collect();
        for name in ["t", "t.csv"] {
            write_table(dir.path(), name, &rows).expect("write");
            prop_assert_eq!(&read_table::<ScoreRow>(dir.path(), name).expect("read"), &rows);
        }
    }
}
