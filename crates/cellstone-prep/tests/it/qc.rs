//! Quality control against scanpy, by hand, in pieces, and in any order.

use crate::support::{Memory, golden, numbers, strings};
use cellstone_core::{CountSource, Counts, Csr, Result, Scale, Seed, Var};
use cellstone_prep::{
    CellFilter, Expression, GeneFilter, GeneSets, QcAccumulator, QcMetrics, QcParams, calculate_qc_metrics,
};
use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::RngExt;

fn random(n: usize, p: usize, density: f64, seed: u64) -> Array2<f32> {
    let mut rng = Seed::new(seed).rng();
    Array2::from_shape_simple_fn((n, p), || {
        if rng.random::<f64>() < density { (1.0 / rng.random::<f64>()).min(500.0).floor() as f32 } else { 0.0 }
    })
}

fn qc(source: &dyn CountSource, tops: &[usize]) -> Result<QcMetrics> {
    let sets = GeneSets::none(source.var().len())
        .with("odd", &(0..source.var().len()).map(|it| it % 2 == 1).collect::<Vec<_>>())?;
    calculate_qc_metrics(&Expression::Source(source), &sets, &QcParams { percent_top: tops.to_vec() })
}

#[test]
fn golden_scanpy() {
    let file = golden("qc/qc.json");
    let rows: Vec<Vec<f64>> = file["counts"].as_array().expect("rows").iter().map(numbers).collect();
    let dense = Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j] as f32);
    let var = Var::from_ids(strings(&file["genes"])).expect("unique");
    let counts = Counts::new(Csr::from_dense(&dense), var.clone()).expect("counts");
    let params = QcParams { percent_top: vec![90, 5, 20, 50] };
    let qc = calculate_qc_metrics(&(&counts).into(), &GeneSets::standard(&var), &params).expect("counts");
    for (ours, theirs) in [(qc.cells.columns(), &file["cells"]), (qc.genes.columns(), &file["vars"])] {
        let theirs = theirs.as_object().expect("columns");
        assert_eq!(ours.len(), theirs.len());
        for column in ours {
            let want = numbers(&theirs[&column.name]);
            assert_eq!(column.values.len(), want.len());
            for (at, (a, b)) in column.values.iter().zip(&want).enumerate() {
                assert!((a - b).abs() <= 1e-10 + 1e-10 * b.abs(), "{} of {at}: {a} and {b}", column.name);
            }
        }
    }
    let flags = |name: &str| -> Vec<bool> {
        file[name].as_array().expect("flags").iter().map(|it| it.as_bool().expect("flag")).collect()
    };
    let cells = CellFilter { min_counts: Some(100.0), ..CellFilter::default() }.apply(&qc.cells).expect("bounds");
    assert_eq!(cells.keep, flags("kept_cells"));
    let genes = GeneFilter { min_cells: Some(10), ..GeneFilter::default() }.apply(&qc.genes).expect("bounds");
    assert_eq!(genes.keep, flags("kept_genes"));
    assert_eq!(genes.n_kept(), genes.kept().len());
}

#[test]
fn an_empty_cell_has_no_shares_and_zeros_in_the_file_do_not_count() {
    let x = Csr::new(2, 3, vec![0, 2, 3], vec![0, 1, 2], vec![4.0, 0.0, 0.0]).expect("a matrix");
    let counts = Counts::new(x, Var::from_ids(["a", "b", "c"]).expect("unique")).expect("counts");
    let sets = GeneSets::none(3).with("s", &[true, true, false]).expect("a set");
    let qc = calculate_qc_metrics(&(&counts).into(), &sets, &QcParams { percent_top: vec![1, 3] }).expect("counts");
    assert_eq!(qc.cells.n_genes_by_counts, [1, 0]);
    assert_eq!(qc.cells.pct_counts_in_top_genes, [(1, vec![100.0, 0.0]), (3, vec![100.0, 0.0])]);
    assert_eq!(qc.cells.set("s").expect("measured").pct_counts, [100.0, 0.0]);
    assert_eq!(qc.genes.n_cells_by_counts, [1, 0, 0]);
}

#[test]
fn rules_count_what_they_drop() {
    let var = Var::from_ids(["MT-1", "a", "b"]).expect("unique");
    let x = array![[9.0_f32, 1.0, 0.0], [0.0, 5.0, 5.0], [0.0, 1.0, 0.0], [1.0, 50.0, 49.0]];
    let counts = Counts::new(Csr::from_dense(&x), var.clone()).expect("counts");
    let params = QcParams { percent_top: vec![] };
    let qc = calculate_qc_metrics(&(&counts).into(), &GeneSets::standard(&var), &params).expect("counts");
    let filter = CellFilter {
        min_counts: Some(2.0),
        max_counts: Some(99.0),
        min_genes: Some(2),
        max_genes: None,
        max_pct: vec![("mt".into(), 20.0)],
    };
    let kept = filter.apply(&qc.cells).expect("bounds");
    assert_eq!(kept.keep, [false, true, false, false]);
    let rules: Vec<(&str, usize, usize)> =
        kept.rules.iter().map(|it| (it.rule.as_str(), it.n_failing, it.n_dropped)).collect();
    let want = [("min_counts", 1, 1), ("max_counts", 1, 1), ("min_genes", 1, 0), ("max_pct_counts_mt", 1, 1)];
    assert_eq!(rules, want);
    let error = |it: CellFilter| it.apply(&qc.cells).expect_err("refused").to_string();
    let bad = CellFilter { max_pct: vec![("ribosome".into(), 5.0)], ..CellFilter::default() };
    assert_eq!(error(bad), "gene set `ribosome` was not measured (measured: `mt`, `ribo`, `hb`)");
    let bad = CellFilter { min_genes: Some(5), max_genes: Some(4), ..CellFilter::default() };
    assert_eq!(error(bad), "min_genes is 5 and max_genes is 4, expected the first not to exceed the second");
    let bad = CellFilter { min_counts: Some(f64::NAN), ..CellFilter::default() };
    assert!(error(bad).contains("a bound on counts is NaN"));
}

#[test]
fn bad_input_is_named() {
    let mut source = Memory::new(&array![[1.0_f32, 0.0]], Scale::LogNorm { target_sum: None });
    let text = |source: &Memory, tops: &[usize]| qc(source, tops).expect_err("refused").to_string();
    assert!(text(&source, &[1]).contains("quality control needs counts"));
    source.scale = Scale::Counts;
    assert_eq!(text(&source, &[0]), "percent_top holds 0, expected numbers from 1 to 2 genes");
    assert_eq!(text(&source, &[50]), "percent_top holds 50, expected numbers from 1 to 2 genes");
    let sets = GeneSets::none(2);
    assert!(sets.clone().with("", &[true, true]).is_err());
    assert!(sets.clone().with("a", &[true]).expect_err("short").to_string().contains("for 1 genes, expected 2"));
    assert!(sets.clone().with("a", &[true; 2]).and_then(|it| it.with("a", &[true; 2])).is_err());
    let mut sums = QcAccumulator::new(sets, &QcParams { percent_top: vec![] }).expect("in range");
    let wide = Csr::from_dense(&Array2::<f32>::ones((1, 3)));
    assert_eq!(sums.add(&wide).expect_err("wide").to_string(), "block of 3 genes, expected 2");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn blocks_threads_and_order_change_nothing(seed in 0_u64..1000, n in 1_usize..40, block in 1_usize..9) {
        let x = random(n, 30, 0.4, seed);
        let mut source = Memory::new(&x, Scale::Counts);
        let want = qc(&source, &[1, 4, 30]).expect("counts");
        source.block = block;
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            prop_assert_eq!(&pool.install(|| qc(&source, &[1, 4, 30])).expect("counts"), &want);
        }
        // By columns and back, and as a checked matrix in memory.
        let counts = Counts::new(source.x.to_csc().to_csr(), source.var.clone()).expect("counts");
        let sets = GeneSets::none(30).with("odd", &(0..30).map(|it| it % 2 == 1).collect::<Vec<_>>()).expect("a set");
        let params = QcParams { percent_top: vec![1, 4, 30] };
        prop_assert_eq!(&calculate_qc_metrics(&(&counts).into(), &sets, &params).expect("counts"), &want);
        // Cells in reverse, genes in reverse (30 is even, so the set turns around).
        let turned = Array2::from_shape_fn(x.dim(), |(i, j)| x[[n - 1 - i, 29 - j]]);
        let sets = GeneSets::none(30).with("odd", &(0..30).map(|it| it % 2 == 0).collect::<Vec<_>>()).expect("a set");
        let source = Memory::new(&turned, Scale::Counts);
        let got = calculate_qc_metrics(&Expression::Source(&source), &sets, &params).expect("counts");
        let back = |it: &[f64]| it.iter().rev().copied().collect::<Vec<f64>>();
        for (got, want) in got.cells.columns().iter().zip(want.cells.columns()) {
            prop_assert_eq!(back(&got.values), want.values);
        }
        for (got, want) in got.genes.columns().iter().zip(want.genes.columns()) {
            prop_assert_eq!(back(&got.values), want.values);
        }
    }
}
