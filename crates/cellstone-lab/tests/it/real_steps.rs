//! The steps of preprocessing on real cells, against what scanpy and scikit-learn make of them.
//!
//! The golden file holds digests (`data-fixtures/golden/real`); the cells lie beside the checkout or the test skips.

use crate::common::shared;
use cellstone_core::{Counts, LogNorm, ObsTable, Scale};
use cellstone_io::{H5ad, Matrix};
use cellstone_neighbors::{DistanceMetric, KnnParams, exact_knn_with};
use cellstone_prep::{
    CellBatches, DeGroups, DeMethod, DeParams, DeReference, Expression, GeneSets, HvgColumn, HvgParams, HvgTable,
    QcColumn, QcParams, SparsePcaParams, calculate_qc_metrics, de, highly_variable_genes, library_sizes,
    nonzero_median, normalize_log1p, pca_dense, pca_sparse,
};
use serde_json::Value;
use std::path::Path;

const QUANTILES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// Relative and absolute tolerance.
type Tolerance = (f64, f64);

/// What the ten digits of the golden file allow.
const DIGITS: Tolerance = (1e-9, 1e-9);

/// Log-normalised values pass through single precision here, and back to the linear scale for `seurat`.
const DISPERSION: Tolerance = (5e-6, 1e-6);

/// scanpy stores statistics and fold changes in single precision.
const SINGLE: Tolerance = (1e-6, 1e-7);

/// Sums of single-precision values, each of which may be rounded the other way, and what is computed from them.
const ROUNDED: Tolerance = (2e-7, 2e-7);

struct Real {
    golden: Value,
    counts: Option<Counts>,
    lognorm: LogNorm,
    obs: ObsTable,
}

fn whole(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|it| it.as_u64().expect("whole") as usize).collect()
}

/// Numbers of the file; `null` is undefined.
fn numbers(value: &Value) -> Vec<Option<f64>> {
    value.as_array().expect("a list").iter().map(Value::as_f64).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn close(ours: f64, theirs: f64, tol: Tolerance) -> bool {
    (ours - theirs).abs() <= tol.1 + tol.0 * theirs.abs()
}

/// Pairs of equal or both undefined numbers.
fn check_all(what: &str, ours: &[Option<f64>], theirs: &[Option<f64>], tol: Tolerance) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (at, pair) in ours.iter().zip(theirs).enumerate() {
        let same = match pair {
            (Some(a), Some(b)) => close(*a, *b, tol),
            (a, b) => a.is_none() && b.is_none(),
        };
        assert!(same, "{what}, number {at}: {pair:?}");
    }
}

/// Number, sum and quantiles of what is defined, and the values at fixed places.
fn check_digest(what: &str, ours: &[Option<f64>], golden: &Value, places: &[usize], tol: Tolerance) {
    let mut defined: Vec<f64> = ours.iter().flatten().copied().collect();
    assert_eq!(defined.len() as u64, golden["n"].as_u64().expect("whole"), "{what}: defined values");
    let (sum, modulus) = defined.iter().fold((0.0, 0.0), |acc, it| (acc.0 + it, acc.1 + it.abs()));
    let theirs = golden["sum"].as_f64().expect("a number");
    let slack = tol.0 * modulus + tol.1 * defined.len() as f64;
    assert!((sum - theirs).abs() <= slack, "{what}: sums {sum} and {theirs}");
    if let Some(theirs) = golden["abs"].as_f64() {
        assert!((modulus - theirs).abs() <= slack, "{what}: sums of moduli {modulus} and {theirs}");
    }
    defined.sort_by(f64::total_cmp);
    let last = defined.len().saturating_sub(1) as f64;
    let quantiles: Vec<Option<f64>> =
        QUANTILES.iter().filter_map(|q| defined.get((q * last) as usize)).map(|it| Some(*it)).collect();
    check_all(&format!("{what}, quantiles"), &quantiles, &numbers(&golden["quantiles"]), tol);
    let at: Vec<Option<f64>> = places.iter().map(|it| ours[*it]).collect();
    check_all(&format!("{what}, values"), &at, &numbers(&golden["at"]), tol);
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().map(|it| it.is_finite().then_some(*it)).collect()
}

impl Real {
    fn load(name: &str) -> Option<Self> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/real/golden.json");
        let text = std::fs::read_to_string(&file).expect("a golden file");
        let golden = serde_json::from_str::<Value>(&text).expect("json")[name].take();
        let file = H5ad::open(shared(golden["file"].as_str().expect("a path"))?).expect("opens");
        let obs = file.obs().expect("reads");
        let log = Scale::LogNorm { target_sum: None };
        if golden["scale"] == "lognorm" {
            let x = file.source(Matrix::RawX, log).and_then(|it| it.read()).expect("log-normalised values");
            let lognorm = LogNorm::new(x, file.raw_var().expect("genes"), None).expect("fits");
            return Some(Self { golden, counts: None, lognorm, obs });
        }
        let x = file.source(Matrix::X, Scale::Counts).and_then(|it| it.read()).expect("counts");
        let var = file.var().expect("genes");
        let mut values = x.clone();
        normalize_log1p(&mut values, 1e4).expect("normalises");
        let lognorm = LogNorm::new(values, var.clone(), Some(1e4)).expect("fits");
        Some(Self { golden, counts: Some(Counts::new(x, var).expect("fits")), lognorm, obs })
    }

    fn cells(&self) -> Vec<usize> {
        whole(&self.golden["cells"])
    }

    fn genes(&self) -> Vec<usize> {
        whole(&self.golden["genes"])
    }

    fn counts(&self) -> &Counts {
        self.counts.as_ref().expect("a file of counts")
    }

    /// The genes that the first flavour selects, from the file.
    fn selected(&self) -> Vec<usize> {
        selected(&self.golden["hvg"][0])
    }

    fn check_shape(&self) {
        let shape = self.lognorm.x().shape();
        let theirs = (self.golden["n_obs"].as_u64(), self.golden["n_vars"].as_u64());
        assert_eq!((Some(shape.0 as u64), Some(shape.1 as u64)), theirs);
    }

    /// What needs log-normalised values alone, or either.
    fn check_values(&self) {
        self.check_hvg();
        self.check_pca();
        self.check_neighbors();
        self.check_de();
    }

    fn check_qc(&self) {
        let golden = &self.golden["qc"];
        let params = QcParams { percent_top: whole(&golden["percent_top"]) };
        let sets = GeneSets::standard(self.counts().var());
        let qc = calculate_qc_metrics(&self.counts().into(), &sets, &params).expect("measures");
        let some_genes: Vec<usize> = self.genes().into_iter().step_by(4).collect();
        check_columns(&qc.cells.columns(), &golden["cells"], &self.cells());
        check_columns(&qc.genes.columns(), &golden["genes"], &some_genes);
    }

    fn check_normalization(&self) {
        self.check_normalized("normalized", 1e4);
        let median = nonzero_median(&library_sizes(self.counts().x())).expect("cells with counts");
        assert!(close(median, self.golden["median"].as_f64().expect("a number"), DIGITS), "median {median}");
        self.check_normalized("normalized_to_median", median);
    }

    fn check_normalized(&self, key: &str, target: f64) {
        let (golden, cells, genes) = (&self.golden[key], self.cells(), self.genes());
        let mut x = self.counts().x().clone();
        normalize_log1p(&mut x, target).expect("normalises");
        let cell_sums = library_sizes(&x);
        check_digest(&format!("{key} cells"), &some(&cell_sums), &golden["cells"], &cells, ROUNDED);
        let gene_sums = library_sizes(&x.transposed());
        check_digest(&format!("{key} genes"), &some(&gene_sums), &golden["genes"], &genes, ROUNDED);
        // One value in 100,000 is not correctly rounded: the last bit of a single-precision number may differ.
        let values = x.select_rows(&cells).select_cols(&genes).to_dense().mapv(f64::from);
        let values: Vec<f64> = values.iter().copied().collect();
        check_all(key, &some(&values), &numbers(&golden["values"]), (1.3e-7, 0.0));
    }

    fn check_hvg(&self) {
        for golden in list(&self.golden["hvg"]) {
            let params = HvgParams {
                clip: golden["clip"].as_f64(),
                ..HvgParams::top(text(&golden["flavor"]).parse().expect("known"), whole_number(&golden["n_top"]))
            };
            let batches = golden["batch"].as_str().map(|it| {
                let column = self.obs.column(it).expect("a column");
                let names: Vec<String> = (0..column.len()).map(|row| column.text(row).expect("a batch")).collect();
                CellBatches::from_names(&names)
            });
            let by_counts = params.flavor.needs_counts();
            let mut inputs: Vec<Expression<'_>> = self.counts.as_ref().map(Expression::from).into_iter().collect();
            if !by_counts {
                inputs.push((&self.lognorm).into());
            }
            assert!(!inputs.is_empty());
            for x in inputs {
                let table = highly_variable_genes(&x, batches.as_ref(), &params).expect("data that fit");
                let what = format!("{}, batches {} from {}", params.flavor, golden["batch"], x.name());
                check_hvg_table(&what, &table, golden, &self.genes(), if by_counts { DIGITS } else { DISPERSION });
            }
        }
    }

    fn check_pca(&self) {
        let golden = &self.golden["pca"];
        let x = self.lognorm.x().select_cols(&self.selected());
        let variance = numbers(&golden["variance"]);
        let k = variance.len();
        let sparse = pca_sparse(&x, k, &SparsePcaParams::default()).expect("converges");
        let dense = pca_dense(&x.to_dense().mapv(f64::from).view(), k, true).expect("finite");
        // The iteration stops at a residual of 1e-8, which errors of directions exceed by the inverse of relative gaps.
        for (name, pca, tol) in [("sparse", sparse, 2e-6), ("dense", dense, 2e-6)] {
            check_all(name, &some(&pca.explained_variance.to_vec()), &variance, ROUNDED);
            let total = golden["total"].as_f64().expect("a number");
            assert!(close(pca.total_variance, total, ROUNDED), "{name}: {} and {total}", pca.total_variance);
            for (cell, theirs) in self.cells().into_iter().zip(list(&golden["abs_scores"])) {
                let ours: Vec<f64> = pca.scores.row(cell).iter().map(|it| it.abs()).collect();
                let atol = tol * pca.explained_variance[0].sqrt();
                check_all(&format!("{name} scores of cell {cell}"), &some(&ours), &numbers(theirs), (2e-7, atol));
            }
        }
    }

    fn check_neighbors(&self) {
        let x = self.lognorm.x().select_cols(&self.selected()).to_dense().mapv(f64::from);
        for golden in list(&self.golden["neighbors"]) {
            let metric = match text(&golden["metric"]) {
                "cosine" => DistanceMetric::Cosine,
                _ => DistanceMetric::Euclidean,
            };
            let params = KnnParams { metric, ..KnnParams::new(whole_number(&golden["k"])) };
            let graph = exact_knn_with(x.view(), &params).expect("finite");
            for (cell, theirs) in self.cells().into_iter().zip(list(&golden["cells"])) {
                let (indices, distances) = graph.neighbors(cell);
                let what = format!("{metric:?} neighbours of cell {cell}");
                // Squares of differences here, differences of products there: cosine distances lose digits.
                check_all(&what, &some(distances), &numbers(&theirs["distances"]), ROUNDED);
                let indices: Vec<usize> = indices.iter().map(|it| *it as usize).collect();
                assert_eq!(indices, whole(&theirs["indices"]), "{what}");
            }
        }
    }

    fn check_de(&self) {
        for golden in list(&self.golden["de"]) {
            let reference = text(&golden["reference"]);
            let ranks = golden["method"] == "wilcoxon";
            let params = DeParams {
                method: if ranks { DeMethod::Wilcoxon } else { DeMethod::TTest },
                reference: if reference == "rest" {
                    DeReference::Rest
                } else {
                    DeReference::Group(reference.to_owned())
                },
                ..DeParams::default()
            };
            let groups = DeGroups::from_column(&self.obs, text(&golden["label"])).expect("a column");
            let scale = Scale::LogNorm { target_sum: self.lognorm.target_sum() };
            let table = de(self.lognorm.x(), scale, self.lognorm.var(), &groups, &params).expect("tests");
            assert_eq!(table.groups.len(), golden["groups"].as_object().expect("groups").len());
            for (row, group) in table.groups.iter().enumerate() {
                let (what, theirs) = (format!("{} {group}", golden["method"]), &golden["groups"][group]);
                let all = table.statistic.row(row).to_vec();
                let modulus: f64 = all.iter().map(|it| it.abs()).sum();
                for (key, ours) in [("sum", all.iter().sum::<f64>()), ("abs", modulus)] {
                    let sum = theirs[key].as_f64().expect("a number");
                    assert!((sum - ours).abs() <= 1e-5 * modulus, "{what} {key}: {ours} and {sum}");
                }
                // scanpy takes variances as mean squares minus squared means: t loses digits there, and the far tail
                // multiplies a relative error of t by t².
                let (tail, single) = if ranks { (1e-8, SINGLE) } else { (1e-3, (1e-5, 1e-5)) };
                let padj = table.padj.row(row).sum();
                assert!(close(padj, theirs["padj_sum"].as_f64().expect("a number"), (tail, 0.0)), "{what}: {padj}");
                let statistic = numbers(&theirs["statistic"]);
                // Equal statistics may stand in another order, so the genes are looked up and the order is one of values.
                let ranking = table.ranking(row, false);
                let best: Vec<f64> = ranking[..statistic.len()].iter().map(|it| all[*it]).collect();
                check_all(&format!("{what}, best"), &some(&best), &statistic, single);
                let genes: Vec<usize> = list(&theirs["genes"])
                    .iter()
                    .map(|it| table.genes.iter().position(|gene| gene == text(it)).expect("a gene"))
                    .collect();
                for (name, ours, tol) in [
                    ("statistic", &table.statistic, single),
                    ("pvalue", &table.pvalue, (tail, 1e-300)),
                    ("lfc", &table.lfc, SINGLE),
                ] {
                    let ours: Vec<f64> = genes.iter().map(|it| ours[[row, *it]]).collect();
                    check_all(&format!("{what} {name}"), &some(&ours), &numbers(&theirs[name]), tol);
                }
            }
        }
    }
}

fn whole_number(value: &Value) -> usize {
    value.as_u64().expect("whole") as usize
}

/// The selected genes, which the file holds as distances from one to the next.
fn selected(hvg: &Value) -> Vec<usize> {
    let step = |at: &mut usize, gap: usize| {
        *at += gap;
        Some(*at)
    };
    whole(&hvg["selected_gaps"]).into_iter().scan(0, step).collect()
}

fn check_columns(ours: &[QcColumn], golden: &Value, places: &[usize]) {
    assert_eq!(ours.len(), golden.as_object().expect("columns").len());
    for column in ours {
        check_digest(&column.name, &some(&column.values), &golden[&column.name], places, DIGITS);
    }
}

fn check_hvg_table(what: &str, table: &HvgTable, golden: &Value, places: &[usize], tol: Tolerance) {
    let columns = table.columns();
    let theirs = golden["columns"].as_object().expect("columns");
    assert_eq!(columns.len(), theirs.len() + 3, "{what}: gene, flag and rank come on top");
    for (name, theirs) in theirs {
        let (_, ours) = columns.iter().find(|it| it.0 == name).unwrap_or_else(|| panic!("{what}: no `{name}`"));
        let ours: Vec<Option<f64>> = match ours {
            HvgColumn::Flag(it) => it.iter().map(|it| Some(f64::from(u8::from(*it)))).collect(),
            HvgColumn::Count(it) => it.iter().map(|it| Some(f64::from(*it))).collect(),
            HvgColumn::Number(it) => it.clone(),
            HvgColumn::Text(_) => panic!("text in `{name}`"),
        };
        check_digest(&format!("{what}: {name}"), &ours, theirs, places, tol);
    }
    // The choice among equal scores is that of a stable sort on both sides.
    assert_eq!(table.selected(), selected(golden), "{what}: selected genes");
}

fn check_counts(name: &str) {
    let Some(real) = Real::load(name) else { return };
    real.check_shape();
    real.check_qc();
    real.check_normalization();
    real.check_values();
}

#[test]
fn blood_cells_with_log_values_alone() {
    let Some(real) = Real::load("pbmc68k_reduced") else { return };
    real.check_shape();
    real.check_values();
}

#[test]
fn blood_cells() {
    check_counts("pbmc3k");
}

#[test]
fn cell_lines_in_five_batches() {
    check_counts("sc_mixology");
}

#[test]
fn a_screen_of_twenty_five_knockouts() {
    check_counts("papalexi_lowmoi");
}
