//! Highly variable genes against scanpy, by hand, in pieces, and in any order.

use crate::support::{Memory, golden, numbers, strings};
use cellstone_core::{Counts, Csr, LogNorm, Result, Scale, Seed, Var};
use cellstone_prep::{
    CellBatches, Expression, HvgColumn, HvgFlavor, HvgParams, HvgTable, LoessSurface, highly_variable_genes, loess,
    normalize_log1p,
};
use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::RngExt;
use serde_json::Value;

const ALL: [HvgFlavor; 5] = [
    HvgFlavor::Seurat,
    HvgFlavor::CellRanger,
    HvgFlavor::SeuratV3,
    HvgFlavor::SeuratV3Paper,
    HvgFlavor::PearsonResiduals,
];

fn golden_counts() -> (Counts, LogNorm, CellBatches) {
    let file = golden("hvg/counts.json");
    let whole = |key: &str| numbers(&file[key]).into_iter().map(|it| it as usize).collect::<Vec<_>>();
    let (indptr, n_vars) = (whole("indptr"), file["n_vars"].as_u64().expect("a number") as usize);
    let indices = whole("indices").into_iter().map(|it| it as u32).collect();
    let data = numbers(&file["counts"]).into_iter().map(|it| it as f32).collect();
    let x = Csr::new(indptr.len() - 1, n_vars, indptr, indices, data).expect("a matrix");
    let var = Var::from_ids((0..n_vars).map(|it| format!("g{it}"))).expect("unique");
    let mut log = x.clone();
    normalize_log1p(&mut log, 1e4).expect("positive");
    let batches = CellBatches::from_names(&strings(&file["batches"]));
    (Counts::new(x, var.clone()).expect("counts"), LogNorm::new(log, var, Some(1e4)).expect("logs"), batches)
}

fn params_of(run: &Value) -> HvgParams {
    let flavor: HvgFlavor = run["flavor"].as_str().expect("text").parse().expect("known");
    let options = &run["options"];
    HvgParams {
        flavor,
        n_top: options["n_top_genes"].as_u64().map(|it| it as usize),
        clip: options["clip"].as_f64(),
        ..HvgParams::default()
    }
}

/// `tolerance` is `(absolute, relative)`.
fn check_column(name: &str, ours: &HvgColumn, theirs: &[Option<f64>], tolerance: (f64, f64), what: &str) {
    let ours: Vec<Option<f64>> = match ours {
        HvgColumn::Flag(it) => it.iter().map(|it| Some(f64::from(u8::from(*it)))).collect(),
        HvgColumn::Count(it) => it.iter().map(|it| Some(f64::from(*it))).collect(),
        HvgColumn::Number(it) => it.clone(),
        HvgColumn::Text(_) => panic!("text in `{name}`"),
    };
    assert_eq!(ours.len(), theirs.len());
    for (gene, pair) in ours.iter().zip(theirs).enumerate() {
        let same = match pair {
            (Some(a), Some(b)) => (a - b).abs() <= tolerance.0 + tolerance.1 * b.abs(),
            (a, b) => a.is_none() && b.is_none(),
        };
        assert!(same, "{what}: {name} of gene {gene}: {pair:?}");
    }
}

fn check_golden(file: &str, batched: bool) {
    let (counts, log, batches) = golden_counts();
    let batches = batched.then_some(&batches);
    for run in golden(file).as_array().expect("runs") {
        let params = params_of(run);
        // Log-normalised values have passed through single precision.
        let tolerance = if params.flavor.needs_counts() { (1e-9, 1e-9) } else { (1e-6, 5e-6) };
        let mut inputs = vec![Expression::from(&counts)];
        if !params.flavor.needs_counts() {
            inputs.push(Expression::from(&log));
        }
        for x in inputs {
            let table = highly_variable_genes(&x, batches, &params).expect("data that fit");
            let columns = table.columns();
            let theirs = run["columns"].as_object().expect("columns");
            for (name, values) in theirs {
                let values: Vec<Option<f64>> = values.as_array().expect("a list").iter().map(Value::as_f64).collect();
                let (_, ours) = columns.iter().find(|it| it.0 == name).unwrap_or_else(|| panic!("no column `{name}`"));
                check_column(name, ours, &values, tolerance, &format!("{} from {}", params.flavor, x.name()));
            }
            let names: Vec<&str> = columns.iter().map(|it| it.0).collect();
            assert_eq!(names[..4], ["gene", "highly_variable", "rank", "means"]);
            assert_eq!(columns.len(), theirs.len() + 2, "{}: {names:?}", params.flavor);
        }
    }
}

#[test]
fn golden_scanpy_without_batches() {
    check_golden("hvg/single.json", false);
}

#[test]
fn golden_scanpy_with_batches() {
    check_golden("hvg/batches.json", true);
}

#[test]
fn golden_local_regression() {
    for case in golden("hvg/loess.json").as_array().expect("cases") {
        let (x, y, want) = (numbers(&case["x"]), numbers(&case["y"]), numbers(&case["fit"]));
        let span = case["span"].as_f64().expect("a number");
        let fit = loess(&x, &y, span, LoessSurface::Interpolate).expect("enough points");
        let worst = fit.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-9, "{} points: {worst:e}", x.len());
        let direct = loess(&x, &y, span, LoessSurface::Direct).expect("enough points");
        let worst = direct.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst > 1e-6 && worst < 0.5, "the direct form is near but not equal: {worst:e}");
    }
}

#[test]
fn the_direct_form_follows_its_definition() {
    let mut rng = Seed::new(3).rng();
    let x: Vec<f64> = (0..50).map(|_| rng.random::<f64>()).collect();
    let y: Vec<f64> = x.iter().map(|it| (6.0 * it).sin() + 0.1 * rng.random::<f64>()).collect();
    let fit = loess(&x, &y, 0.4, LoessSurface::Direct).expect("enough points");
    for at in [0, 17, 49] {
        let mut distance: Vec<f64> = x.iter().map(|it| (it - x[at]).abs()).collect();
        let each = distance.clone();
        distance.sort_by(f64::total_cmp);
        let weight = each.iter().map(|it| (1.0 - (it / distance[19]).powi(3)).max(0.0).powi(3)).collect::<Vec<_>>();
        let power = |n: i32| (0..50).map(|it| weight[it] * (x[it] - x[at]).powi(n)).sum::<f64>();
        let moment = |n: i32| (0..50).map(|it| weight[it] * (x[it] - x[at]).powi(n) * y[it]).sum::<f64>();
        let normal = Array2::from_shape_fn((3, 3), |(i, j)| power((i + j) as i32));
        let solution =
            cellstone_prep::solve_spd(&normal, &array![[moment(0)], [moment(1)], [moment(2)]]).expect("definite");
        assert!((fit[at] - solution[[0, 0]]).abs() < 1e-9, "{} and {}", fit[at], solution[[0, 0]]);
    }
}

/// Counts whose genes differ in mean and in dispersion.
fn random(n: usize, p: usize, seed: u64) -> Array2<f32> {
    let mut rng = Seed::new(seed).rng();
    let level: Vec<f64> = (0..p).map(|it| 0.3 + 4.0 * it as f64 / p as f64 + rng.random::<f64>()).collect();
    let burst: Vec<f64> = (0..p).map(|_| rng.random::<f64>()).collect();
    Array2::from_shape_fn((n, p), |(_, gene)| {
        let on = if rng.random::<f64>() < burst[gene] { 1.0 / burst[gene] } else { 0.2 };
        (-rng.random::<f64>().ln() * level[gene] * on).floor() as f32
    })
}

fn run(source: &Memory, batches: Option<&CellBatches>, params: &HvgParams) -> Result<HvgTable> {
    highly_variable_genes(&Expression::Source(source), batches, params)
}

/// All numbers of a table, as bits.
fn bits(table: &HvgTable) -> Vec<u64> {
    let mut all: Vec<u64> = table.order.iter().map(|it| u64::from(*it)).collect();
    for (_, column) in table.columns() {
        match column {
            HvgColumn::Flag(it) => all.extend(it.iter().map(|it| u64::from(*it))),
            HvgColumn::Count(it) => all.extend(it.iter().map(|it| u64::from(*it))),
            HvgColumn::Number(it) => all.extend(it.iter().map(|it| it.map_or(1, f64::to_bits))),
            HvgColumn::Text(_) => {}
        }
    }
    all
}

#[test]
fn blocks_and_threads_change_no_bit() {
    let mut source = Memory::new(&random(90, 70, 1), Scale::Counts);
    let names: Vec<String> = (0..90).map(|it| format!("b{}", it % 3)).collect();
    let batches = CellBatches::from_names(&names);
    for flavor in ALL {
        for batches in [None, Some(&batches)] {
            let params = HvgParams::top(flavor, 20);
            let want = bits(&run(&source, batches, &params).expect("data that fit"));
            for (block, threads) in [(1, 1), (13, 3), (90, 2)] {
                source.block = block;
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
                let got = pool.install(|| run(&source, batches, &params)).expect("data that fit");
                assert_eq!(bits(&got), want, "{flavor}: blocks of {block}, {threads} threads");
            }
            let counts = Counts::new(source.x.to_csc().to_csr(), source.var.clone()).expect("counts");
            let got = highly_variable_genes(&(&counts).into(), batches, &params).expect("data that fit");
            assert_eq!(bits(&got), want, "{flavor}: in memory");
        }
    }
}

#[test]
fn one_batch_is_no_batch() {
    let source = Memory::new(&random(60, 50, 2), Scale::Counts);
    let batches = CellBatches::from_names(&["only"; 60]);
    for flavor in ALL {
        let params = HvgParams::top(flavor, 15);
        let one = run(&source, Some(&batches), &params).expect("data that fit");
        let none = run(&source, None, &params).expect("data that fit");
        assert_eq!(one.highly_variable, none.highly_variable, "{flavor}");
        assert_eq!((one.means, one.variances_norm), (none.means, none.variances_norm), "{flavor}");
    }
}

#[test]
fn residuals_with_few_depths_equal_the_definition() {
    let dense = random(23, 9, 4);
    let source = Memory::new(&dense, Scale::Counts);
    let params = HvgParams { clip: Some(1.5), ..HvgParams::top(HvgFlavor::PearsonResiduals, 3) };
    let table = run(&source, None, &params).expect("counts");
    let x = dense.mapv(f64::from);
    let (cells, genes, total) = (x.sum_axis(ndarray::Axis(1)), x.sum_axis(ndarray::Axis(0)), x.sum());
    for gene in 0..9 {
        let residual = |cell: usize| {
            let mu = genes[gene] * cells[cell] / total;
            ((x[[cell, gene]] - mu) / (mu + mu * mu / 100.0).sqrt()).clamp(-1.5, 1.5)
        };
        let mean = (0..23).map(residual).sum::<f64>() / 23.0;
        let want = (0..23).map(|it| (residual(it) - mean).powi(2)).sum::<f64>() / 23.0;
        let got = table.residual_variances.as_ref().expect("defined")[gene];
        assert!((got - want).abs() < 1e-12, "gene {gene}: {got} and {want}");
    }
}

#[test]
fn each_batch_is_clipped_by_its_own_size() {
    // A gene that one cell of each batch alone has: its residual there is beyond the bound of either size.
    let mut dense = random(46, 9, 5);
    dense.column_mut(0).fill(0.0);
    dense[[0, 0]] = 60.0;
    dense[[40, 0]] = 60.0;
    let sizes = [36_usize, 10];
    let names: Vec<&str> = sizes.iter().zip(["a", "b"]).flat_map(|(n, name)| vec![name; *n]).collect();
    let params = HvgParams::top(HvgFlavor::PearsonResiduals, 3);
    let both = run(&Memory::new(&dense, Scale::Counts), Some(&CellBatches::from_names(&names)), &params);
    let both = both.expect("counts").residual_variances.expect("defined");
    let alone = |rows: std::ops::Range<usize>| {
        let part = dense.slice_axis(ndarray::Axis(0), rows.into()).to_owned();
        run(&Memory::new(&part, Scale::Counts), None, &params).expect("counts").residual_variances.expect("defined")
    };
    let (a, b) = (alone(0..36), alone(36..46));
    for gene in 0..9 {
        let want = f64::midpoint(a[gene], b[gene]);
        assert!((both[gene] - want).abs() < 1e-12, "gene {gene}: {} and {want}", both[gene]);
    }
    // The bound matters: that of the larger batch for both gives another number.
    let first = HvgParams { clip: Some(6.0), ..params.clone() };
    let names = CellBatches::from_names(&names);
    let other = run(&Memory::new(&dense, Scale::Counts), Some(&names), &first).expect("counts");
    assert!((other.residual_variances.expect("defined")[0] - both[0]).abs() > 1e-2);
}

#[test]
fn equal_scores_on_counts_rank_by_position() {
    let one = random(60, 40, 6);
    // Every gene twice, all of them ranked.
    let dense = Array2::from_shape_fn((60, 80), |(cell, gene)| one[[cell, gene % 40]]);
    for flavor in [HvgFlavor::SeuratV3, HvgFlavor::PearsonResiduals] {
        let table = run(&Memory::new(&dense, Scale::Counts), None, &HvgParams::top(flavor, 80)).expect("counts");
        let ranks = table.ranks();
        assert!((0..40).all(|it| ranks[it] + 1 == ranks[it + 40]), "{flavor}: {ranks:?}");
    }
}

#[test]
fn ties_at_the_threshold_are_kept_or_cut() {
    // Two pairs of equal genes: the second best is tied with the third.
    let x = array![
        [9.0_f32, 5.0, 5.0, 2.0, 2.0, 1.0],
        [0.0, 1.0, 1.0, 2.0, 2.0, 1.0],
        [9.0, 5.0, 5.0, 3.0, 3.0, 1.0],
        [0.0, 1.0, 1.0, 2.0, 2.0, 2.0],
    ];
    let var = Var::from_ids(["f", "e", "d", "c", "b", "a"]).expect("unique");
    let log = LogNorm::new(Csr::from_dense(&x), var, None).expect("values");
    let params = HvgParams { n_bins: 1, ..HvgParams::top(HvgFlavor::Seurat, 2) };
    let table = highly_variable_genes(&(&log).into(), None, &params).expect("values");
    assert_eq!(table.selected(), [0, 1, 2]);
    let params = HvgParams { exact_n: true, ..params };
    let table = highly_variable_genes(&(&log).into(), None, &params).expect("values");
    assert_eq!(table.selected(), [0, 2], "`d` comes before `e`");
    assert_eq!(table.order[..3], [0, 2, 1]);
    assert_eq!(table.ranks()[..3], [0, 2, 1]);
}

#[test]
fn bad_input_is_named() {
    let text = |x: &Array2<f32>, scale, batches: Option<&CellBatches>, params: &HvgParams| {
        run(&Memory::new(x, scale), batches, params).expect_err("refused").to_string()
    };
    let x = random(30, 40, 5);
    let (counts, log) = (Scale::Counts, Scale::LogNorm { target_sum: None });
    let v3 = HvgParams::top(HvgFlavor::SeuratV3, 10);
    assert!(text(&x, log, None, &v3).starts_with("not counts: `memory` holds ln(1 + x)"));
    let mut half = x.clone();
    half[[3, 4]] = 0.5;
    let said = text(&half, counts, None, &v3);
    assert_eq!(said, "not counts: cell 3 gene `g4` holds 0.5, expected a whole number of molecules");
    assert!(
        text(&x, Scale::Cpm, None, &HvgParams::top(HvgFlavor::Seurat, 5)).contains("needs counts or log-normalised")
    );
    let batches = CellBatches::from_names(&["a"; 4]);
    assert!(text(&x, counts, Some(&batches), &v3).contains("4 batch labels for the 30 cells"));
    let mut names = vec!["a"; 30];
    names[7] = "lone";
    let said = text(&x, counts, Some(&CellBatches::from_names(&names)), &v3);
    assert_eq!(said, "batch `lone`: 1 cells have no variance, expected at least 2");
    let few = Array2::from_shape_fn((30, 5), |(i, j)| x[[i, j]]);
    assert!(text(&few, counts, None, &v3).contains("takes 1 points at a time, expected at least 3"));
    let same = Array2::from_shape_fn((30, 40), |(i, j)| ((i + j) % 2) as f32);
    assert!(text(&same, counts, None, &v3).contains("12 points coincide"));
    let cell_ranger = HvgParams::top(HvgFlavor::CellRanger, 5);
    assert!(text(&Array2::zeros((30, 40)), counts, None, &cell_ranger).contains("degenerate bins"));
    assert!(text(&Array2::zeros((0, 40)), counts, None, &v3).contains("0 cells and 40 genes"));
    let bad = |params: HvgParams| text(&x, counts, None, &params);
    assert!(bad(HvgParams { n_top: None, ..v3.clone() }).contains("selects by number"));
    assert!(bad(HvgParams { n_top: Some(0), ..v3.clone() }).contains("n_top is 0"));
    assert!(bad(HvgParams { span: 1.5, ..v3.clone() }).contains("span is 1.5"));
    assert!(bad(HvgParams { theta: 0.0, ..v3.clone() }).contains("theta is 0"));
    assert!(bad(HvgParams { clip: Some(-1.0), ..v3.clone() }).contains("clip is -1"));
    assert!(bad(HvgParams { n_bins: 0, ..v3 }).contains("n_bins is 0"));
    let error = "seurat_v4".parse::<HvgFlavor>().expect_err("unknown");
    assert!(error.to_string().contains("unknown flavor `seurat_v4`") && !error.hints().is_empty());
    for flavor in ALL {
        assert_eq!(flavor.id().parse::<HvgFlavor>().expect("known"), flavor);
    }
}

#[test]
fn more_genes_asked_for_than_there_are() {
    let source = Memory::new(&random(40, 30, 6), Scale::Counts);
    for flavor in ALL {
        let table = run(&source, None, &HvgParams::top(flavor, 500)).expect("data that fit");
        let undefined = table.dispersions_norm.map_or(0, |it| it.iter().filter(|it| it.is_nan()).count());
        assert_eq!(table.highly_variable.iter().filter(|it| **it).count(), 30 - undefined, "{flavor}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn order_of_cells_and_genes_does_not_matter(seed in 0_u64..1000) {
        let (n, p) = (50, 40);
        let x = random(n, p, seed);
        let source = Memory::new(&x, Scale::Counts);
        let mut turned = Memory::new(&Array2::from_shape_fn((n, p), |(i, j)| x[[n - 1 - i, p - 1 - j]]), Scale::Counts);
        turned.var = Var::from_ids((0..p).rev().map(|it| format!("g{it}"))).expect("unique");
        for flavor in ALL {
            let params = HvgParams::top(flavor, 12);
            let (a, b) = (run(&source, None, &params).expect("fits"), run(&turned, None, &params).expect("fits"));
            let score = |it: &HvgTable| {
                let score = it.dispersions_norm.clone().or(it.variances_norm.clone()).or(it.residual_variances.clone());
                score.expect("one of them")
            };
            let (first, second) = (score(&a), score(&b));
            for gene in 0..p {
                let (x, y) = (first[gene], second[p - 1 - gene]);
                prop_assert!((x - y).abs() <= 1e-9 * x.abs().max(1.0) || (x.is_nan() && y.is_nan()), "{flavor} {gene}: {x} {y}");
            }
            let mut turned_back: Vec<usize> = b.selected().into_iter().map(|it| p - 1 - it).collect();
            turned_back.sort_unstable();
            let mut sorted = first.clone();
            sorted.retain(|it| !it.is_nan());
            sorted.sort_by(|a, b| b.total_cmp(a));
            if sorted[11] - sorted[12] > 1e-8 {
                prop_assert_eq!(turned_back, a.selected(), "{}", flavor);
            }
        }
    }
}
