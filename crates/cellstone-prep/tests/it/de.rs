//! Differential expression: the numbers of scanpy, SciPy and pdex, the definitions, and what must not matter.

use crate::support::{Memory, golden, numbers, strings};
use cellstone_core::{Column, Csr, Error, ObsTable, Scale, Var};
use cellstone_prep::{
    Adjust, DeGroups, DeMethod, DeParams, DeReference, DeTable, DeValues, LfcConvention, Normalize, SmallGroups,
    Target, benjamini_hochberg, de, de_stream, normal_two_sided, t_two_sided,
};
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

const LOG: Scale = Scale::LogNorm { target_sum: None };

/// A number of a golden file; `null` is NaN.
fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(text) => text.parse().expect("inf or -inf"),
        _ => value.as_f64().expect("a number"),
    }
}

fn cells() -> (Array2<f32>, DeGroups) {
    let file = golden("de/cells.json");
    let rows: Vec<Vec<f64>> = file["x"].as_array().expect("rows").iter().map(numbers).collect();
    let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(cell, gene)| rows[cell][gene] as f32);
    (x, DeGroups::from_labels(&strings(&file["group"]).into_iter().map(Some).collect::<Vec<_>>()))
}

fn var(n: usize) -> Var {
    Var::from_ids((0..n).map(|it| format!("g{it}"))).expect("unique")
}

fn run<'a>(x: impl Into<DeValues<'a>>, n_genes: usize, groups: &DeGroups, params: &DeParams) -> DeTable {
    de(x, LOG, &var(n_genes), groups, params).expect("tests")
}

fn reference(name: &str) -> DeReference {
    if name == "rest" { DeReference::Rest } else { DeReference::Group(name.to_owned()) }
}

/// Equal within a relative tolerance; NaN equals NaN and infinity itself.
fn near(ours: f64, theirs: f64, rtol: f64) -> bool {
    (ours.is_nan() && theirs.is_nan()) || ours == theirs || (ours - theirs).abs() <= rtol * theirs.abs()
}

fn check(what: &str, ours: &Array2<f64>, row: usize, theirs: &Value, rtol: f64, atol: f64) {
    let theirs = theirs.as_array().expect("a list");
    assert_eq!(ours.ncols(), theirs.len());
    for (gene, theirs) in theirs.iter().enumerate() {
        let (ours, theirs) = (ours[[row, gene]], number(theirs));
        assert!(near(ours, theirs, rtol) || (ours - theirs).abs() <= atol, "{what} gene {gene}: {ours} and {theirs}");
    }
}

#[test]
fn tables_are_those_of_scanpy() {
    let (x, groups) = cells();
    let x = Csr::from_dense(&x);
    for (name, tables) in golden("de/scanpy.json").as_object().expect("tables") {
        let (method, against) = name.split_once('/').expect("method/reference");
        let params = DeParams {
            method: match method {
                "t-test" => DeMethod::TTest,
                "t-test-overestim-var" => DeMethod::TTestOverestimVar,
                _ => DeMethod::Wilcoxon,
            },
            tie_correct: method != "wilcoxon_ties_ignored",
            reference: reference(against),
            ..DeParams::default()
        };
        let table = run(&x, 60, &groups, &params);
        assert_eq!(table.groups.len(), tables.as_object().expect("groups").len());
        // scanpy's variances come from mean squares: a constant gene gets t from rounding, and p loses digits.
        let p = if method.starts_with("wilcoxon") { 1e-12 } else { 1e-9 };
        for (row, group) in table.groups.iter().enumerate() {
            let (what, theirs) = (format!("{name} {group}"), &tables[group]);
            check(&format!("{what} statistic"), &table.statistic, row, &theirs["statistic"], 1e-6, 1e-12);
            check(&format!("{what} p"), &table.pvalue, row, &theirs["pvalue"], p, 0.0);
            check(&format!("{what} padj"), &table.padj, row, &theirs["padj"], p, 0.0);
            check(&format!("{what} lfc"), &table.lfc, row, &theirs["lfc"], 1e-6, 1e-7);
        }
    }
}

#[test]
fn pvalues_are_those_of_scipy() {
    let (x, groups) = cells();
    let params = DeParams { reference: reference("control"), ..DeParams::default() };
    let plain = run(x.view(), 60, &groups, &params);
    let continuity = run(x.view(), 60, &groups, &DeParams { continuity: true, ..params.clone() });
    let t = run(x.view(), 60, &groups, &DeParams { method: DeMethod::TTest, ..params });
    for (group, theirs) in golden("de/scipy.json").as_object().expect("groups") {
        let row = plain.groups.iter().position(|it| it == group).expect("tested");
        // Constant genes are NaN there, and no evidence here.
        let defined = |key: &str, otherwise: f64| {
            let values = theirs[key].as_array().expect("a list").iter();
            Value::from(values.map(|it| if it.is_null() { otherwise.into() } else { it.clone() }).collect::<Vec<_>>())
        };
        check(group, &plain.pvalue, row, &defined("u_pvalue", 1.0), 1e-12, 0.0);
        check(group, &continuity.pvalue, row, &defined("u_pvalue_continuity", 1.0), 1e-12, 0.0);
        check(group, &t.statistic, row, &defined("t", 0.0), 1e-12, 1e-14);
        check(group, &t.pvalue, row, &defined("t_pvalue", 1.0), 1e-11, 0.0);
    }
}

#[test]
fn fold_changes_are_those_of_pdex() {
    let (x, groups) = cells();
    for (name, tables) in golden("de/pdex.json").as_object().expect("tables") {
        let (mode, mean) = name.split_once('/').expect("mode/mean");
        let params = DeParams {
            continuity: true,
            reference: reference(if mode == "ref" { "control" } else { "rest" }),
            lfc: if mean == "geometric" { LfcConvention::Pdex } else { LfcConvention::CellEval2 },
            ..DeParams::default()
        };
        let table = run(x.view(), 60, &groups, &params);
        for (row, group) in table.groups.iter().enumerate() {
            // pdex cuts negative means of the rest at 0, so the gene that has them is left out.
            let mut lfc = tables[group]["lfc"].clone();
            lfc[4] = Value::Null;
            let mut ours = table.lfc.clone();
            ours[[row, 4]] = f64::NAN;
            check(&format!("{name} {group} lfc"), &ours, row, &lfc, 1e-9, 1e-9);
            check(&format!("{name} {group} p"), &table.pvalue, row, &tables[group]["pvalue"], 1e-12, 0.0);
        }
    }
}

#[test]
fn tails_keep_their_digits() {
    let file = golden("de/tails.json");
    for row in file["normal"].as_array().expect("rows") {
        let [z, p] = numbers(row)[..] else { panic!("two numbers") };
        // Below 2.3e-308 a number has fewer digits, and the last is all that may differ.
        assert!(near(normal_two_sided(z), p, 1e-13) || (normal_two_sided(z) - p).abs() <= 1e-323, "z {z}: {p}");
    }
    for row in file["student"].as_array().expect("rows") {
        let [t, df, p] = numbers(row)[..] else { panic!("three numbers") };
        assert!(near(t_two_sided(t, df), p, 3e-13), "t {t} df {df}: {} and {p}", t_two_sided(t, df));
    }
    assert_eq!(normal_two_sided(f64::INFINITY), 0.0);
    assert!(normal_two_sided(f64::NAN).is_nan() && t_two_sided(1.0, 0.0).is_nan());
    assert!(near(t_two_sided(2.0, 1e300), normal_two_sided(2.0), 1e-13));
    assert!(near(t_two_sided(1e200, 1.0), 2e-200 / std::f64::consts::PI, 1e-12));
}

/// Average ranks by definition, among the chosen cells; then z.
fn brute_z(values: &[f64], mine: &[bool], tie_correct: bool) -> f64 {
    let n = values.len() as f64;
    let count = |test: &dyn Fn(f64) -> bool| values.iter().filter(|it| test(**it)).count() as f64;
    let (mut sum, mut ties, mut own) = (0.0, 0.0, 0.0);
    for (value, mine) in values.iter().zip(mine) {
        let same = count(&|it| it == *value);
        ties += (same * same * same - same) / same;
        if *mine {
            sum += count(&|it| it < *value) + f64::midpoint(same, 1.0);
            own += 1.0;
        }
    }
    let t = if tie_correct { 1.0 - ties / (n * n * n - n) } else { 1.0 };
    let deviation = (t * own * (n - own) * (n + 1.0) / 12.0).sqrt();
    let z = (sum - own * (n + 1.0) / 2.0) / deviation;
    if deviation == 0.0 || z.is_nan() { 0.0 } else { z }
}

fn brute_t(a: &[f64], b: &[f64]) -> f64 {
    let moments = |it: &[f64]| {
        let mean = it.iter().sum::<f64>() / it.len() as f64;
        (mean, it.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (it.len() - 1) as f64 / it.len() as f64)
    };
    let ((x, v), (y, w)) = (moments(a), moments(b));
    if v + w < 1e-24 {
        if (x - y).abs() < 1e-12 { 0.0 } else { (x - y) * f64::INFINITY }
    } else {
        (x - y) / (v + w).sqrt()
    }
}

/// Values with many ties and all signs, and groups of two cells at least; the last cells have no label.
fn small_cells() -> impl Strategy<Value = (Array2<f32>, Vec<Option<&'static str>>)> {
    let value =
        prop_oneof![4 => Just(0.0_f32), 3 => (1_u8..4).prop_map(f32::from), 2 => 0.1_f32..2.0, 1 => -2.0_f32..0.0];
    (6_usize..30, 1_usize..20).prop_flat_map(move |(n, p)| {
        let x = prop::collection::vec(value.clone(), n * p)
            .prop_map(move |it| Array2::from_shape_vec((n, p), it).expect("shape"));
        let extra = prop::collection::vec(prop::sample::select(vec![Some("a"), Some("b"), Some("c"), None]), n - 6);
        (x, extra.prop_map(|it| [vec![Some("a"), Some("b"), Some("c"), Some("c"), Some("b"), Some("a")], it].concat()))
    })
}

proptest! {
    #[test]
    fn statistics_follow_the_definition((x, label) in small_cells(), tie_correct in any::<bool>(), which in 0..3) {
        let groups = DeGroups::from_labels(&label);
        let reference = match which {
            0 => DeReference::Rest,
            1 => DeReference::Group("b".into()),
            _ => DeReference::AllPerturbed { control: "b".into() },
        };
        let takes_part = |group: &str, it: Option<&str>| match which {
            0 => it.is_some(),
            1 => it == Some(group) || it == Some("b"),
            _ => it.is_some() && it != Some("b"),
        };
        let params = DeParams { tie_correct, reference, ..DeParams::default() };
        let csr = Csr::from_dense(&x);
        let ranks = run(&csr, x.ncols(), &groups, &params);
        let t = run(&csr, x.ncols(), &groups, &DeParams { method: DeMethod::TTest, ..params });
        for (row, group) in ranks.groups.iter().enumerate() {
            let cells: Vec<usize> = (0..x.nrows()).filter(|it| takes_part(group, label[*it])).collect();
            let mine: Vec<bool> = cells.iter().map(|it| label[*it] == Some(group)).collect();
            for gene in 0..x.ncols() {
                let values: Vec<f64> = cells.iter().map(|it| f64::from(x[[*it, gene]])).collect();
                let z = brute_z(&values, &mine, tie_correct);
                prop_assert!((ranks.statistic[[row, gene]] - z).abs() < 1e-9, "{} and {z}", ranks.statistic[[row, gene]]);
                let side = |own: bool| -> Vec<f64> {
                    values.iter().zip(&mine).filter(|it| *it.1 == own).map(|it| *it.0).collect()
                };
                let expected = brute_t(&side(true), &side(false));
                let ours = t.statistic[[row, gene]];
                prop_assert!(ours == expected || (ours - expected).abs() < 1e-9 * (1.0 + ours.abs()), "{ours} and {expected}");
                let mean = side(false).iter().sum::<f64>() / side(false).len() as f64;
                prop_assert!((ranks.mean_reference[[row, gene]] - mean).abs() < 1e-12);
                prop_assert_eq!(ranks.n_reference[row] as usize, side(false).len());
            }
        }
    }

    #[test]
    fn formats_blocks_and_threads_change_no_bit(
        (x, label) in small_cells(), budget in 1_usize..2000, rest in any::<bool>(), ranks in any::<bool>(),
    ) {
        let groups = DeGroups::from_labels(&label);
        let params = DeParams {
            method: if ranks { DeMethod::Wilcoxon } else { DeMethod::TTestOverestimVar },
            reference: reference(if rest { "rest" } else { "a" }),
            lfc: LfcConvention::CellEval2,
            ..DeParams::default()
        };
        let csr = Csr::from_dense(&x);
        let whole = bits(&run(&csr, x.ncols(), &groups, &params));
        prop_assert_eq!(&bits(&run(&csr.to_csc(), x.ncols(), &groups, &params)), &whole);
        prop_assert_eq!(&bits(&run(x.view(), x.ncols(), &groups, &params)), &whole);
        let small = DeParams { memory: budget, ..params.clone() };
        prop_assert_eq!(&bits(&run(&csr, x.ncols(), &groups, &small)), &whole);
        let source = Memory::new(&x, LOG);
        let streamed = de_stream(&source, &groups, None, &small, &|_| ()).expect("tests");
        prop_assert_eq!(&bits(&streamed), &whole);
        let spill = DeParams { spill: Some(std::env::temp_dir()), ..small };
        let spilled = de_stream(&source, &groups, None, &spill, &|_| ()).expect("tests");
        prop_assert_eq!(&bits(&spilled), &whole);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("pool");
        prop_assert_eq!(&bits(&pool.install(|| run(&csr, x.ncols(), &groups, &params))), &whole);
    }

    #[test]
    fn the_order_of_cells_and_genes_does_not_matter((x, label) in small_cells(), turn in 1_usize..5) {
        let params = DeParams { reference: reference("c"), ..DeParams::default() };
        let (n, p) = x.dim();
        let straight = run(x.view(), p, &DeGroups::from_labels(&label), &params);
        let cell = |row: usize| (row + turn) % n;
        let gene = |col: usize| p - 1 - col;
        let turned = Array2::from_shape_fn((n, p), |(row, col)| x[[cell(row), gene(col)]]);
        let labels: Vec<Option<&str>> = (0..n).map(|row| label[cell(row)]).collect();
        let turned = run(turned.view(), p, &DeGroups::from_labels(&labels), &params);
        for row in 0..straight.groups.len() {
            for col in 0..p {
                let (a, b) = (straight.row(row, gene(col)), turned.row(row, col));
                prop_assert_eq!(a.statistic.to_bits(), b.statistic.to_bits());
                prop_assert_eq!(a.lfc.to_bits(), b.lfc.to_bits());
                prop_assert_eq!(a.padj.to_bits(), b.padj.to_bits());
            }
        }
    }
}

fn bits(table: &DeTable) -> Vec<u64> {
    table
        .rows()
        .flat_map(|it| [it.statistic, it.pvalue, it.padj, it.lfc, it.mean_group, it.mean_reference])
        .map(f64::to_bits)
        .collect()
}

#[test]
fn large_columns_take_the_digit_sort() {
    // Long enough for every way of sorting, with values from fractions to thousands and of both signs.
    let n = 9000;
    let mut state = 1_u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    let x = Array2::from_shape_fn((n, 5), |(_, gene)| match gene {
        0 => (next() * 40.0 - 20.0).round().max(0.0),
        1 => (next() * 9.0).exp() - 50.0,
        2 => {
            if next() < 0.05 {
                next()
            } else {
                0.0
            }
        }
        3 => next() - 0.5,
        _ => 7.0,
    });
    let label: Vec<Option<&str>> = (0..n).map(|it| Some(if it % 5 == 0 { "a" } else { "b" })).collect();
    let groups = DeGroups::from_labels(&label);
    for against in ["rest", "b"] {
        let params = DeParams { reference: reference(against), lfc: LfcConvention::Pdex, ..DeParams::default() };
        let table = run(&Csr::from_dense(&x), 5, &groups, &params);
        for gene in 0..5 {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|a, b| x[[*a, gene]].total_cmp(&x[[*b, gene]]));
            let (mut sum, mut from) = (0.0, 0);
            while from < n {
                let to = (from..n).find(|it| x[[order[*it], gene]] != x[[order[from], gene]]).unwrap_or(n);
                let own = order[from..to].iter().filter(|it| *it % 5 == 0).count();
                sum += own as f64 * (from + to + 1) as f64 / 2.0;
                from = to;
            }
            let off = sum - 1800.0 * 9001.0 / 2.0;
            let z = table.statistic[[0, gene]];
            assert!(z == 0.0 && off == 0.0 || z.signum() == off.signum(), "{z} and {off}");
            let untied = off / (1800.0_f64 * 7200.0 * 9001.0 / 12.0).sqrt();
            let ignoring = run(&Csr::from_dense(&x), 5, &groups, &DeParams { tie_correct: false, ..params.clone() });
            assert!((ignoring.statistic[[0, gene]] - untied).abs() < 1e-12, "{untied}");
        }
    }
}

#[test]
fn a_vector_by_hand() {
    // The vector of the protocol: W 33.5, T 0.7818.
    let x = array![[0.0_f32], [0.0], [1.0], [2.0], [3.0], [0.0], [0.0], [0.0], [1.0], [0.0]];
    let label: Vec<Option<&str>> = (0..10).map(|it| Some(if it < 5 { "a" } else { "b" })).collect();
    let groups = DeGroups::from_labels(&label);
    for against in ["rest", "b"] {
        let params = DeParams { reference: reference(against), ..DeParams::default() };
        let with = run(x.view(), 1, &groups, &params);
        let without = run(x.view(), 1, &groups, &DeParams { tie_correct: false, ..params });
        assert!((with.row(0, 0).statistic - 1.4175).abs() < 5e-5);
        assert!((with.row(0, 0).pvalue - 0.1563).abs() < 5e-5);
        assert!((without.row(0, 0).statistic - 1.2534).abs() < 5e-5);
        assert_eq!((with.row(0, 0).mean_group, with.row(0, 0).mean_reference), (1.2, 0.2));
        assert_eq!((with.row(0, 0).n_group, with.row(0, 0).n_reference), (5, 5));
    }
}

#[test]
fn fold_changes_by_name() {
    let x = array![[1.0_f32], [3.0], [0.0], [2.0]];
    let groups = DeGroups::from_labels(&[Some("a"), Some("a"), Some("b"), Some("b")]);
    let lfc = |lfc, scale| {
        let params = DeParams { lfc, reference: reference("b"), ..DeParams::default() };
        de(x.view(), scale, &var(1), &groups, &params).map(|it| it.lfc[[0, 0]])
    };
    let log2 = |a: f64, b: f64| ((a + 1e-9) / (b + 1e-9)).log2();
    let close = |found: Result<f64, Error>, wanted: f64| assert!((found.expect("defined") - wanted).abs() < 1e-12);
    let (one, two, three) = (1.0_f64.exp_m1(), 2.0_f64.exp_m1(), 3.0_f64.exp_m1());
    close(lfc(LfcConvention::Scanpy, LOG), log2(two, one));
    close(lfc(LfcConvention::Pdex, LOG), log2(two, one));
    close(lfc(LfcConvention::CellEval2, LOG), log2(f64::midpoint(one, three), two / 2.0));
    close(lfc(LfcConvention::CellEval2, Scale::Cpm), log2(2.0, 1.0));
    let geometric = |a: f64, b: f64| (f64::midpoint(a.ln_1p(), b.ln_1p())).exp_m1();
    close(lfc(LfcConvention::Pdex, Scale::Counts), log2(geometric(1.0, 3.0), geometric(0.0, 2.0)));
    let error = lfc(LfcConvention::Scanpy, Scale::Counts).expect_err("linear values");
    assert!(error.to_string().contains("defined for log-normalised values, but these are counts"), "{error}");
    assert!(lfc(LfcConvention::CellEval2, Scale::Effect).is_err());
}

#[test]
fn streams_of_counts_are_normalized_on_the_way() {
    let counts = array![[1.0_f32, 3.0], [0.0, 5.0], [2.0, 2.0], [4.0, 0.0], [1.0, 1.0]];
    let groups = DeGroups::from_labels(&[Some("a"), Some("a"), Some("b"), Some("b"), None]);
    let source = Memory::new(&counts, Scale::Counts);
    let params = DeParams::default();
    let by_sum = Normalize { target: Target::Sum(100.0), log1p: true };
    let streamed = de_stream(&source, &groups, Some(by_sum), &params, &|_| ()).expect("tests");
    let values = Array2::from_shape_fn(counts.dim(), |(row, gene)| {
        ((f64::from(counts[[row, gene]]) * (100.0 / f64::from(counts.row(row).sum()))) as f32).ln_1p()
    });
    let memory = run(values.view(), 2, &groups, &params);
    assert!(streamed.mean_group.iter().zip(&memory.mean_group).all(|(a, b)| (a - b).abs() < 1e-6));
    assert_eq!(streamed.statistic, memory.statistic);
    let median = Normalize { target: Target::Median, log1p: true };
    assert!(de_stream(&source, &groups, Some(median), &params, &|_| ()).is_ok());
    let error = de_stream(&Memory::new(&values, LOG), &groups, Some(by_sum), &params, &|_| ()).expect_err("not counts");
    assert!(error.to_string().contains("normalization needs counts"), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let groups = DeGroups::from_labels(&[Some("a"), Some("a"), Some("b"), Some("b")]);
    let source = Memory::new(&array![[1.0_f32], [2.0], [3.0], [4.0]], LOG);
    let params = DeParams { memory: 1, spill: Some("/no/such/folder".into()), ..DeParams::default() };
    let error = de_stream(&source, &groups, None, &params, &|_| ()).expect_err("no folder");
    assert!(error.to_string().contains("`memory`: `/no/such/folder`"), "{error}");
}

#[test]
fn a_table_can_be_read() {
    let x = array![[1.0_f32, 0.0, 1.0], [3.0, 0.0, 3.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
    let groups = DeGroups::from_labels(&[Some("a"), Some("a"), Some("b"), Some("b")]);
    let table = run(x.view(), 3, &groups, &DeParams::default());
    assert_eq!(table.ranking(0, false), [0, 2, 1]);
    assert_eq!(table.ranking(1, false), [1, 0, 2]);
    assert_eq!(table.ranking(1, true), [0, 2, 1]);
    assert_eq!(table.rows().count(), 6);
    assert_eq!((table.row(1, 1).statistic, table.row(1, 1).pvalue, table.row(1, 1).lfc), (0.0, 1.0, 0.0));
    assert_eq!((table.row(1, 2).group, table.row(1, 2).gene), ("b", "g2"));
    assert_eq!(DeTable::COLUMNS.len(), 10);
    let all = run(x.view(), 3, &groups, &DeParams { adjust: Adjust::AllTests, ..DeParams::default() });
    let p: Vec<f64> = all.pvalue.iter().copied().collect();
    assert_eq!(all.padj.iter().copied().collect::<Vec<_>>(), benjamini_hochberg(&p));
}

#[test]
fn groups_come_from_a_column() {
    let mut obs = ObsTable::new((0..4).map(|it| format!("cell{it}")).collect());
    let codes = vec![Some(1), Some(1), None, Some(0)];
    let categories = vec!["z".to_owned(), "a".to_owned(), "unused".to_owned()];
    obs.insert("type", Column::Categorical { codes, categories, ordered: false }).expect("length");
    obs.insert("day", Column::Int(vec![Some(2), Some(1), Some(2), None])).expect("length");
    let groups = DeGroups::from_column(&obs, "type").expect("there");
    assert_eq!((groups.names(), groups.sizes()), (&["z", "a", "unused"].map(String::from)[..], &[1, 2, 0][..]));
    assert_eq!(DeGroups::from_column(&obs, "day").expect("there").names(), ["1", "2"]);
    assert!(DeGroups::from_column(&obs, "dya").is_err());
    assert!(DeGroups::new(vec!["a".into(), "a".into()], vec![]).is_err());
    assert!(DeGroups::new(vec!["a".into()], vec![Some(1)]).is_err());
}

#[test]
fn small_groups_are_refused_or_skipped() {
    let x = array![[1.0_f32], [3.0], [0.0], [2.0], [1.0]];
    let groups = DeGroups::from_labels(&[Some("a"), Some("a"), Some("b"), Some("b"), Some("c")]);
    let error = de(x.view(), LOG, &var(1), &groups, &DeParams::default()).expect_err("one cell");
    assert_eq!(error.to_string(), "groups with one cell (SingletonGroup): `c`; a test needs at least 2");
    let table = run(x.view(), 1, &groups, &DeParams { small_groups: SmallGroups::Skip, ..DeParams::default() });
    assert_eq!((table.groups, table.skipped), (vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]));
    assert_eq!(table.n_reference, [3, 3]);
}

#[test]
fn errors_say_what_to_do() {
    let x = array![[1.0_f32], [3.0], [0.0], [2.0], [1.0], [1.0]];
    let labels = [Some("alpha"), Some("alpha"), Some("beta"), Some("beta"), Some("beta"), None];
    let groups = DeGroups::from_labels(&labels);
    let fails = |params: DeParams, want: &str, hint: &str| {
        let error = de(x.view(), LOG, &var(1), &groups, &params).expect_err("refused");
        assert!(error.to_string().contains(want), "{error}");
        assert!(error.hints().iter().any(|it| it.contains(hint)), "{error:?}");
    };
    let against = |name: &str| DeParams { reference: reference(name), ..DeParams::default() };
    let only = |names: &[&str], params: DeParams| DeParams {
        groups: Some(names.iter().map(ToString::to_string).collect()),
        ..params
    };
    fails(against("bета"), "reference `bета` is not a group (groups: `alpha`, `beta`)", "");
    fails(against("bet"), "reference `bet` is not a group", "did you mean `beta`?");
    fails(only(&["alpa"], against("beta")), "group `alpa` is not a group", "did you mean `alpha`?");
    fails(only(&["beta"], against("beta")), "group `beta` is its own reference", "leave it out");
    fails(only(&[], against("beta")), "`groups` is empty", "leave it out");
    let perturbed = DeParams { reference: DeReference::AllPerturbed { control: "beta".into() }, ..DeParams::default() };
    fails(perturbed.clone(), "what is neither in group `alpha` nor in control `beta` has 0 cells", "second group");
    fails(only(&["beta"], perturbed), "control `beta` is not compared with all perturbed", "reference = \"rest\"");

    let check = |x: Array2<f32>, n_genes, groups: &DeGroups, want: &str| {
        let error = de(x.view(), LOG, &var(n_genes), groups, &DeParams::default()).expect_err("refused");
        assert!(error.to_string().contains(want), "{error}");
        let error = de(&Csr::from_dense(&x), LOG, &var(n_genes), groups, &DeParams::default()).expect_err("refused");
        assert!(error.to_string().contains(want), "{error}");
    };
    check(x.clone(), 2, &groups, "matrix has 1 columns but var has 2 genes");
    check(x.clone(), 1, &DeGroups::from_labels(&labels[1..]), "5 labels for 6 cells");
    check(x.mapv(|it| if it == 3.0 { f32::NAN } else { it }), 1, &groups, "cell 1 gene 0 holds NaN");
    check(x.clone(), 1, &DeGroups::from_labels(&[Some("alone"); 6]), "the rest of group `alone` has 0 cells");
    check(x.clone(), 1, &DeGroups::from_labels::<&str>(&[None; 6]), "no group of cells to test");
    let unused = DeGroups::new(vec!["a".into(), "empty".into()], vec![Some(0); 6]).expect("names");
    let error = de(x.view(), LOG, &var(1), &unused, &only(&["empty"], DeParams::default())).expect_err("no cells");
    assert_eq!(error.to_string(), "group `empty` has no cells");
}
