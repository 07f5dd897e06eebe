//! Dense count tables as text.

use crate::common::{folder, message, put, read_from};
use cellstone_core::{CountSource, Csr, Scale};
use cellstone_io::{OpenOptions, open_source, read_count_table};
use ndarray::{Array2, array};
use proptest::prelude::*;

#[test]
fn tables_in_every_form() {
    let dir = folder();
    let want = array![[1.0_f32, 0.0], [0.0, 20.0]];
    for (name, text, transpose) in [
        ("a.csv", "cell,g1,g2\na,1,0\nb,0,20\n", false),
        ("b.tsv", "\tg1\tg2\r\na\t1\t0\r\nb\t0.0\t2e1\r\n", false),
        ("c.csv.gz", "\"g1\",\"g2\"\n\"a\",1,0\n\"b\",0, 20\n", false),
        ("d.tsv.gz", "gene\ta\tb\ng1\t1\t0\ng2\t0\t20", true),
        ("e.csv", "\u{feff}cell;g1;g2\na;1;0\nb;0;20\n", false),
    ] {
        let path = dir.path().join(name);
        put(&path, text);
        let source = open_source(&path, &OpenOptions { transpose, ..Default::default() }).expect(name);
        assert_eq!(read_from(&*source, 0).expect("reads").to_dense(), want, "{name}");
        assert_eq!(source.var().ids(), ["g1", "g2"], "{name}");
        assert_eq!(source.obs().index(), ["a", "b"], "{name}");
    }
}

#[test]
fn bad_tables_are_named() {
    let dir = folder();
    let path = dir.path().join("a.csv");
    let check = |text: &str, want: &str| {
        put(&path, text);
        let error = read_count_table(&path, Scale::Counts, false).expect_err("bad table");
        assert_eq!(message(&error, dir.path()), want);
    };
    check("", "`a.csv` is empty, expected a header line");
    check("cell,g1\n", "`a.csv` has a header but no rows");
    check("cell,g1,g2\na,1\n", "`a.csv` line 2: 1 values, expected 2 as in the header");
    check("cell,g1,g2\na,1,2\nb,1,2,3\n", "`a.csv` line 3: 3 values, expected 2 as in the header");
    check("cell,g1,g2\na,1,x\n", "`a.csv` line 2: column 3 (`g2`) holds `x`, expected a number");
    check("cell,g1,g2\na,,1\n", "`a.csv` line 2: column 2 (`g1`) is missing (``), expected a number");
    check("cell,g1,g2\na,1,NaN\n", "`a.csv` line 2: column 3 (`g2`) is missing (`NaN`), expected a number");
    check("cell,g1,g2\na,1,inf\n", "`a.csv` line 2: column 3 (`g2`) holds `inf`, expected a number");
    check("cell,g1\na,-1\n", "`a.csv`: cell 0 gene 0 holds a negative value -1, expected counts");
    check("cell,g1\na,0.5\n", "`a.csv`: cell 0 gene 0 holds a fractional value 0.5, expected counts");
    check("cell,g1\na,1\na,2\n", "`a.csv`: cell id `a` stands at rows 0 and 1, expected once");
    check("cell,g1,g1\na,1,2\n", "`a.csv`: gene id `g1` stands at var rows 0 and 1, expected once");
    check("cell,g1\n\"a,1\n", "`a.csv` line 2: column 1 opens a quote that is not closed");
    let error = read_count_table(&dir.path().join("b.csv"), Scale::Counts, false).expect_err("absent");
    assert!(message(&error, dir.path()).starts_with("`b.csv`: "), "{error}");
    std::fs::write(&path, b"cell,g1\n\xff\xfe,1\n").expect("written");
    let error = read_count_table(&path, Scale::Counts, false).expect_err("no text");
    assert_eq!(message(&error, dir.path()), "`a.csv` line 2: is not UTF-8 text");
}

#[test]
fn options_that_do_not_apply_are_refused() {
    let dir = folder();
    let path = dir.path().join("a.csv");
    put(&path, "cell,g1\na,1\n");
    let check = |options: OpenOptions, want: &str| {
        let error = open_source(&path, &options).err().expect("refused");
        assert!(error.is_config());
        assert_eq!(message(&error, dir.path()), want);
    };
    let matrix = OpenOptions { matrix: Some("raw".into()), ..Default::default() };
    check(matrix, "the choice of a matrix does not apply to `a.csv`: only .h5ad files hold several");
    let genome = OpenOptions { genome: Some("hg19".into()), ..Default::default() };
    check(genome, "the choice of genome or feature type does not apply to `a.csv`: only 10x files have them");
    let other = dir.path().join("a.rds");
    put(&other, "x");
    let error = open_source(&other, &OpenOptions::default()).err().expect("unknown");
    assert_eq!(
        message(&error, dir.path()),
        "`a.rds` is of no known kind, expected .h5ad, 10x .h5, a 10x mtx folder or its matrix.mtx, .csv, .tsv (also .gz) or .parquet"
    );
    let absent = open_source(&dir.path().join("no.h5ad"), &OpenOptions::default()).err().expect("absent");
    assert!(message(&absent, dir.path()).starts_with("`no.h5ad`: "), "{absent}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn round_trip(values in prop::collection::vec(prop_oneof![Just(0_u32), 1_u32..100_000], 24), transpose: bool) {
        let dense = Array2::from_shape_vec((4, 6), values.iter().map(|it| *it as f32).collect()).expect("shape");
        let shown = if transpose { dense.t().to_owned() } else { dense.clone() };
        let mut text = (0..shown.ncols()).fold("id".to_owned(), |acc, it| format!("{acc}\tc{it}"));
        for (row, values) in shown.rows().into_iter().enumerate() {
            text.push_str(&values.iter().fold(format!("\nr{row}"), |acc, it| format!("{acc}\t{it}")));
        }
        let dir = folder();
        let path = dir.path().join("t.tsv");
        put(&path, &text);
        let source = read_count_table(&path, Scale::Counts, transpose).expect("valid");
        prop_assert_eq!(source.x(), &Csr::from_dense(&dense));
        prop_assert_eq!(source.n_obs(), 4);
    }
}
