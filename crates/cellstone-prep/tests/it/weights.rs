//! Gene weights against scanpy, and shifts from control.

use crate::support::{Memory, golden, labels, numbers, strings};
use cellstone_core::{Averaging, Scale};
use cellstone_prep::{Normalize, PseudobulkParams, Target, de_weights, delta, lfc, pseudobulk};
use ndarray::{Array2, array};

#[test]
fn weights_are_those_of_scanpy() {
    let file = golden("weights/weights.json");
    let rows: Vec<Vec<f64>> = file["x"].as_array().expect("rows").iter().map(numbers).collect();
    let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(cell, gene)| rows[cell][gene] as f32);
    let label = strings(&file["label"]);
    let label: Vec<&str> = label.iter().map(String::as_str).collect();
    let source = Memory::new(&x, Scale::LogNorm { target_sum: None });
    let params = PseudobulkParams { normalize: None, n_replicates: 0, ..PseudobulkParams::default() };
    let (bulk, _) = pseudobulk(&source, &labels(&label, None, None), &params, &|_| ()).expect("means");
    let weights = de_weights(&bulk).expect("weights");
    for (row, ours) in bulk.rows().iter().zip(weights.rows()) {
        if row.condition.is_control() {
            assert!(ours.iter().all(|it| *it == 0.0));
            continue;
        }
        for (ours, theirs) in ours.iter().zip(numbers(&file["weights"][&row.raw])) {
            assert!((ours - theirs).abs() <= 1e-6 + 1e-5 * theirs, "{}: {ours} and {theirs}", row.raw);
        }
    }
}

#[test]
fn weights_need_cells() {
    let x = array![[1.0_f32, 2.0], [2.0, 1.0], [0.0, 1.0], [4.0, 1.0]];
    let params = PseudobulkParams { averaging: Averaging::Bulk, n_replicates: 0, ..PseudobulkParams::default() };
    let labels = labels(&["A", "A", "ctrl", "ctrl"], None, None);
    let (bulk, _) = pseudobulk(&Memory::new(&x, Scale::Counts), &labels, &params, &|_| ()).expect("means");
    let error = de_weights(&bulk).expect_err("no variances of cells");
    assert_eq!(error.to_string(), "gene weights need means over cells with their variance");
}

#[test]
fn shifts_from_control() {
    let x = array![[1.0_f32, 3.0], [3.0, 1.0], [1.0, 1.0], [4.0, 0.0]];
    let labels = labels(&["A", "A", "ctrl", "ctrl"], None, None);
    let mean = |normalize| {
        let params = PseudobulkParams { normalize, n_replicates: 0, ..PseudobulkParams::default() };
        pseudobulk(&Memory::new(&x, Scale::Counts), &labels, &params, &|_| ()).expect("means").0
    };
    let counts = mean(None);
    assert_eq!(counts.scale(), Scale::Counts);
    assert_eq!(delta(&counts), array![[-0.5, 1.5], [0.0, 0.0]]);
    let fold = lfc(&counts, 0.5).expect("linear");
    assert!((fold[[0, 0]] - (2.5_f64 / 3.0).log2()).abs() < 1e-12);
    assert!((fold[[0, 1]] - (2.5_f64 / 1.0).log2()).abs() < 1e-12);
    assert_eq!(fold.row(1).to_vec(), [0.0, 0.0]);
    assert!(lfc(&counts, 0.0).expect_err("zero").to_string().contains("pseudocount is 0"));
    let cpm = mean(Some(Normalize { target: Target::Sum(1e6), log1p: false }));
    assert_eq!(cpm.scale(), Scale::Cpm);
    assert!((cpm.profiles().row(0).sum() - 1e6).abs() < 1e-3);
    let logs = mean(Some(Normalize::default()));
    assert!(lfc(&logs, 1.0).expect_err("logs").to_string().starts_with("a fold change needs means of counts"));
}
