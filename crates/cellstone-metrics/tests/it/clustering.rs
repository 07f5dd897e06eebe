//! Clusterings and silhouettes: equality with scikit-learn, invariances, bad input.

use cellstone_core::Clustering;
use cellstone_metrics::{CellDistance, ami, ari, class_distance_sums, nmi, silhouette, silhouette_samples};
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Agreement {
    a: Vec<u32>,
    b: Vec<u32>,
    nmi: f64,
    ami: f64,
    ari: f64,
}

#[derive(Deserialize)]
struct Golden {
    agreement: BTreeMap<String, Agreement>,
    x: Vec<Vec<f64>>,
    labels: Vec<u32>,
    euclidean: Vec<f64>,
    cosine: Vec<f64>,
}

fn golden() -> Golden {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data-fixtures/golden/metrics/clustering/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid")
}

#[test]
fn agreement_equals_scikit_learn() {
    for (name, it) in golden().agreement {
        let near = |what: &str, got: f64, want: f64| {
            assert!((got - want).abs() < 1e-10, "{what} of {name}: {got}, expected {want}");
        };
        near("nmi", nmi(&it.a, &it.b).expect("labels fit"), it.nmi);
        near("ari", ari(&it.a, &it.b).expect("labels fit"), it.ari);
        near("ami", ami(&it.a, &it.b).expect("labels fit"), it.ami);
    }
}

#[test]
fn silhouettes_equal_scikit_learn() {
    let golden = golden();
    let x = Array2::from_shape_vec((golden.x.len(), 4), golden.x.concat()).expect("rows of 4");
    for (distance, want) in [(CellDistance::Euclidean, &golden.euclidean), (CellDistance::Cosine, &golden.cosine)] {
        let got = silhouette_samples(x.view(), &golden.labels, distance).expect("two clusters");
        for (cell, (got, want)) in got.iter().zip(want).enumerate() {
            assert!((got - want).abs() < 1e-10, "{distance:?} of cell {cell}: {got}, expected {want}");
        }
        let mean = silhouette(x.view(), &golden.labels, distance).expect("two clusters");
        assert!((mean - want.iter().sum::<f64>() / want.len() as f64).abs() < 1e-12);
    }
}

#[test]
fn copies_of_a_cell_have_silhouette_0() {
    // Far from the origin: the product formula alone would leave distances of about 1e-6 here.
    let x = Array2::from_elem((6, 3), 1e6 / 3.0);
    assert_eq!(silhouette_samples(x.view(), &[0, 0, 0, 1, 1, 1], CellDistance::Euclidean).expect("valid"), [0.0; 6]);
    assert_eq!(silhouette_samples(x.view(), &[0, 0, 0, 1, 1, 1], CellDistance::Cosine).expect("valid"), [0.0; 6]);
}

#[test]
fn bad_input_is_named() {
    let x = array![[1.0, 0.0], [0.0, 0.0], [f64::NAN, 1.0]];
    let error = silhouette(x.view(), &[0, 1, 1], CellDistance::Euclidean).expect_err("NaN");
    assert_eq!(error.to_string(), "cell 2 has a non-finite coordinate");
    let zero = x.slice_axis(ndarray::Axis(0), (0..2).into());
    let error = silhouette(zero, &[0, 1], CellDistance::Cosine).expect_err("zero vector");
    assert_eq!(error.to_string(), "cell 1 is a zero vector: it has no cosine distance");
    let error = silhouette(zero, &[0, 0], CellDistance::Euclidean).expect_err("one cluster");
    assert!(!error.hints().is_empty());
    assert!(silhouette(zero, &[0, 1, 1], CellDistance::Euclidean).is_err());
    assert_eq!(nmi(&[0], &[0, 1]).expect_err("lengths").to_string(), "1 labels against 2, expected as many");
    assert_eq!(nmi(&[], &[]).expect("nothing agrees with nothing"), 1.0);
}

fn definition(x: &Array2<f64>, classes: &Clustering) -> Array2<f64> {
    let mut sums = Array2::zeros((x.nrows(), classes.n_clusters()));
    for i in 0..x.nrows() {
        for j in 0..x.nrows() {
            let gap = &x.row(i) - &x.row(j);
            sums[[i, classes.labels()[j] as usize]] += gap.dot(&gap).sqrt();
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn sums_equal_the_definition_on_any_number_of_threads(
        values in prop::collection::vec(-4.0_f64..4.0, 1500 * 3),
        labels in prop::collection::vec(0_u32..5, 1500),
    ) {
        let x = Array2::from_shape_vec((1500, 3), values).expect("shape") + 50.0;
        let classes = Clustering::new(&labels);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| class_distance_sums(x.view(), &classes, CellDistance::Euclidean).expect("valid"))
        };
        let one = run(1);
        prop_assert_eq!(&one, &run(2));
        for (got, want) in one.iter().zip(&definition(&x, &classes)) {
            prop_assert!((got - want).abs() < 1e-9 * want.max(1.0), "{} {}", got, want);
        }
    }

    #[test]
    fn names_and_order_do_not_matter(a in prop::collection::vec(0_u32..4, 30), b in prop::collection::vec(0_u32..4, 30)) {
        let renamed: Vec<u32> = a.iter().map(|it| 9 - it).collect();
        for score in [nmi, ami, ari] {
            let value = score(&a, &b).expect("fit");
            prop_assert!((score(&b, &a).expect("fit") - value).abs() < 1e-9);
            prop_assert!((score(&renamed, &b).expect("fit") - value).abs() < 1e-9);
            prop_assert!((score(&a, &a).expect("fit") - 1.0).abs() < 1e-9);
        }
    }
}
