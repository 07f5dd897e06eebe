//! Connectivities: equality with umap-learn and scanpy, invariances, bad input.

use crate::common::{Golden, Triplets, blobs, on_threads, shuffled};
use cellstone_core::{Csr, KnnGraph};
use cellstone_neighbors::{FuzzyParams, KnnParams, check_graph, exact_knn, exact_knn_with, fuzzy_graph, gauss_graph};
use ndarray::{Axis, array};

fn check(graph: &Csr<f64>, want: &Triplets, tolerance: f64) {
    check_graph(graph).expect("symmetric");
    assert_eq!(graph.nnz(), 2 * want.values.len());
    let dense = graph.to_dense();
    for ((i, j), want) in want.rows.iter().zip(&want.cols).zip(&want.values) {
        let got = dense[[*i, *j]];
        assert!((got - want).abs() <= tolerance * want.max(1e-3), "edge {i}–{j}: {got}, expected {want}");
        assert_eq!(got, dense[[*j, *i]]);
    }
}

fn both_graphs(knn: &KnnGraph) -> [Csr<f64>; 2] {
    [fuzzy_graph(knn, &FuzzyParams::default()).expect("valid"), gauss_graph(knn).expect("valid")]
}

#[test]
fn graphs_equal_umap_learn_and_scanpy() {
    let golden = Golden::read();
    let with_self = KnnParams { include_self: true, ..KnnParams::new(10) };
    let knn = exact_knn_with(golden.x().view(), &with_self).expect("valid");
    check(&fuzzy_graph(&knn, &FuzzyParams::default()).expect("valid"), &golden.fuzzy, 3e-5);
    check(&gauss_graph(&knn).expect("valid"), &golden.gauss, 1e-12);
    // The same neighbours without the cells themselves.
    let without = exact_knn(golden.x().view(), 9).expect("valid");
    assert_eq!(both_graphs(&knn), both_graphs(&without));
}

#[test]
fn weights_of_a_cell_sum_to_log2_k() {
    let (x, _) = blobs(200, 6, 4, 2.0, 4);
    let knn = exact_knn(x.view(), 14).expect("valid");
    // The intersection of a graph with only one direction is empty; the union keeps every direction's weight.
    let union = fuzzy_graph(&knn, &FuzzyParams::default()).expect("valid");
    let both = fuzzy_graph(&knn, &FuzzyParams { set_op_mix_ratio: 0.0, ..FuzzyParams::default() }).expect("valid");
    // Union + intersection = w + wᵀ, whose sum is twice n · log2 k.
    let total: f64 = union.data().iter().chain(both.data()).sum();
    assert!((total - 2.0 * 200.0 * 15_f64.log2()).abs() < 200.0 * 2e-5, "{total}");
}

#[test]
fn copies_are_connected_for_certain() {
    let x = array![[0.0], [0.0], [0.0], [0.0], [1.0], [1.0], [1.0], [1.0]];
    let knn = exact_knn(x.view(), 3).expect("valid");
    for graph in both_graphs(&knn) {
        assert_eq!(graph.nnz(), 24);
        assert!(graph.data().iter().all(|it| *it == 1.0));
    }
}

#[test]
fn the_order_of_cells_does_not_matter() {
    let (x, _) = blobs(120, 5, 3, 2.0, 11);
    let order = shuffled(120, 2);
    let build = |x: &ndarray::Array2<f64>| both_graphs(&exact_knn(x.view(), 8).expect("valid"));
    for (one, other) in build(&x).iter().zip(build(&x.select(Axis(0), &order))) {
        let (one, other) = (one.to_dense(), other.to_dense());
        for (i, from_i) in order.iter().enumerate() {
            for (j, from_j) in order.iter().enumerate() {
                assert!((one[[*from_i, *from_j]] - other[[i, j]]).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_byte() {
    let (x, _) = blobs(800, 5, 3, 2.0, 12);
    let knn = exact_knn(x.view(), 8).expect("valid");
    let run = |threads| on_threads(threads, || both_graphs(&knn));
    assert_eq!(run(1), run(2));
}

#[test]
fn bad_graphs_are_named() {
    let named = |graph: Csr<f64>| check_graph(&graph).expect_err("bad graph").to_string();
    assert_eq!(named(Csr::from_dense(&array![[0.0, 1.0]])), "a graph of 1 × 2, expected a square matrix");
    let negative = Csr::from_dense(&array![[0.0, -1.0], [-1.0, 0.0]]);
    assert_eq!(named(negative), "edge 0–1 has weight -1, expected 0 or above");
    assert_eq!(named(Csr::from_dense(&array![[0.0, 1.0], [0.0, 0.0]])), "edge 0–1 goes one way only");
    assert_eq!(named(Csr::from_dense(&array![[0.0, 0.0], [2.0, 0.0]])), "edge 0–1 goes one way only");
    let outside = KnnGraph::new(1, vec![1, 7], vec![1.0, 1.0]).expect("rows of one");
    let error = fuzzy_graph(&outside, &FuzzyParams::default()).expect_err("neighbour 7 of 2 cells");
    assert_eq!(error.to_string(), "cell 1 of 2 has neighbour 7");
    let itself = KnnGraph::with_self(1, vec![0, 1], vec![0.0, 0.0]).expect("rows of one");
    assert!(!gauss_graph(&itself).expect_err("no other cell").hints().is_empty());
    let knn = exact_knn(array![[0.0], [1.0]].view(), 1).expect("valid");
    let params = FuzzyParams { set_op_mix_ratio: 1.5, ..FuzzyParams::default() };
    assert!(fuzzy_graph(&knn, &params).expect_err("mix").is_config());
}
