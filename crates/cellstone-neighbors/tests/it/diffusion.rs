//! Diffusion maps, pseudotime and k-means: equality with the reference packages, invariances, bad input.

use crate::common::{Triplets, blobs, on_threads, shuffled};
use cellstone_core::{Clustering, Csr, Seed};
use cellstone_neighbors::{
    DiffusionMap, FuzzyParams, KmeansParams, connected_parts, diffusion_map, diffusion_pseudotime, exact_knn,
    fuzzy_graph, kmeans, transitions,
};
use ndarray::{Array2, Axis, array};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    fork: Diffusion,
    split: Diffusion,
    kmeans: Clusters,
}

#[derive(Deserialize)]
struct Diffusion {
    n: usize,
    graph: Triplets,
    eigenvalues: Vec<f64>,
    components: Vec<f64>,
    root: usize,
    times: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Clusters {
    x: Vec<Vec<f64>>,
    labels: Vec<u32>,
    inertia: f64,
}

impl Golden {
    fn read() -> Self {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/diffusion/golden.json");
        serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid")
    }
}

impl Diffusion {
    fn graph(&self) -> Csr<f64> {
        let mut dense = Array2::zeros((self.n, self.n));
        for ((i, j), value) in self.graph.rows.iter().zip(&self.graph.cols).zip(&self.graph.values) {
            dense[[*i, *j]] = *value;
            dense[[*j, *i]] = *value;
        }
        Csr::from_dense(&dense)
    }

    fn components(&self) -> Array2<f64> {
        Array2::from_shape_vec((self.n, self.eigenvalues.len()), self.components.clone()).expect("as stored")
    }
}

#[test]
fn diffusion_maps_equal_scanpy() {
    let golden = Golden::read();
    let want = &golden.fork;
    let map = diffusion_map(&want.graph(), 15).expect("converges");
    let components = want.components();
    for at in 0..15 {
        let (got, expected) = (map.eigenvalues[at], want.eigenvalues[at]);
        assert!((got - expected).abs() < 1e-5, "eigenvalue {at}: {got}, expected {expected}");
        let (a, b) = (map.components.column(at), components.column(at));
        let sign = a.dot(&b).signum();
        let gap = (0..15).filter(|it| *it != at).map(|it| (want.eigenvalues[it] - expected).abs()).fold(1.0, f64::min);
        // Single precision in the reference, magnified where two eigenvalues are near each other.
        let tolerance = 1e-5 + 3e-7 / gap;
        let off = a.iter().zip(b).map(|(a, b)| (a - sign * b).abs()).fold(0.0, f64::max);
        assert!(off < tolerance, "component {at}: {off}, expected below {tolerance}");
    }
}

#[test]
fn pseudotime_equals_scanpy_also_where_cells_cannot_be_reached() {
    let golden = Golden::read();
    assert_eq!(connected_parts(&golden.fork.graph()).len(), 1);
    assert!(connected_parts(&golden.split.graph()).len() > 1, "the second graph must fall apart");
    for want in [&golden.fork, &golden.split] {
        let graph = want.graph();
        let map = diffusion_map(&graph, 15).expect("converges");
        let times = diffusion_pseudotime(&graph, &map, want.root, 10).expect("valid");
        assert_eq!(times[want.root], Some(0.0));
        for (cell, (got, expected)) in times.iter().zip(&want.times).enumerate() {
            assert_eq!(got.is_some(), expected.is_some(), "cell {cell}");
            let off = got.unwrap_or(0.0) - expected.unwrap_or(0.0);
            assert!(off.abs() < 1e-4, "cell {cell}: {got:?}, expected {expected:?}");
        }
    }
}

fn knn_graph(x: &Array2<f64>, k: usize) -> Csr<f64> {
    fuzzy_graph(&exact_knn(x.view(), k).expect("valid"), &FuzzyParams::default()).expect("valid")
}

#[test]
fn coordinates_are_scaled_vectors_of_the_transition_matrix() {
    let (x, _) = blobs(500, 5, 1, 0.0, 3);
    let graph = knn_graph(&x, 12);
    let map = diffusion_map(&graph, 20).expect("converges");
    let matrix = transitions(&graph).expect("valid").to_dense();
    let image = matrix.dot(&map.components);
    for at in 0..20 {
        let off = (&image.column(at) - &(&map.components.column(at) * map.eigenvalues[at])).mapv(f64::abs);
        assert!(off.iter().all(|it| *it < 1e-8), "component {at}");
        for other in 0..at {
            assert!(map.components.column(at).dot(&map.components.column(other)).abs() < 1e-10);
        }
    }
    assert!((map.eigenvalues[0] - 1.0).abs() < 1e-10 && map.eigenvalues[1] < 0.999);
    let coordinates = map.coordinates();
    let factor = map.eigenvalues[3] / (1.0 - map.eigenvalues[3]);
    assert!((coordinates[[7, 3]] - factor * map.components[[7, 3]]).abs() < 1e-12);
    assert_eq!(coordinates.column(0), map.components.column(0));
}

#[test]
fn threads_do_not_change_a_bit_and_order_does_not_matter() {
    let (x, _) = blobs(700, 6, 3, 0.8, 4);
    let graph = knn_graph(&x, 15);
    let run = |threads| on_threads(threads, || diffusion_map(&graph, 30).expect("converges"));
    assert_eq!(run(1), run(3));
    let order = shuffled(700, 5);
    let moved = diffusion_map(&knn_graph(&x.select(Axis(0), &order), 15), 30).expect("converges");
    let DiffusionMap { eigenvalues, components } = run(2);
    for at in 0..6 {
        assert!((eigenvalues[at] - moved.eigenvalues[at]).abs() < 1e-9);
        let off = order.iter().enumerate().map(|(new, old)| moved.components[[new, at]] - components[[*old, at]]);
        assert!(off.map(f64::abs).fold(0.0, f64::max) < 1e-6, "component {at}");
    }
    let clusters =
        |threads| on_threads(threads, || kmeans(x.view(), &KmeansParams::new(5, Seed::new(1))).expect("fits"));
    assert_eq!(clusters(1), clusters(3));
}

#[test]
fn clusters_are_as_tight_as_those_of_many_starts() {
    let want = Golden::read().kmeans;
    let x = Array2::from_shape_vec((want.x.len(), 6), want.x.concat()).expect("rows of one width");
    let few = kmeans(x.view(), &KmeansParams::new(7, Seed::new(0))).expect("fits");
    assert!(few.inertia < 1.01 * want.inertia, "{}, expected about {}", few.inertia, want.inertia);
    let many = KmeansParams { n_starts: 200, ..KmeansParams::new(7, Seed::new(0)) };
    let best = kmeans(x.view(), &many).expect("fits");
    assert!((best.inertia / want.inertia - 1.0).abs() < 1e-5, "{}, expected {}", best.inertia, want.inertia);
    assert_eq!(Clustering::new(best.clusters.labels()), Clustering::new(&want.labels));
    // As many clusters as cells, copies of cells, and one cluster.
    let all = kmeans(x.view(), &KmeansParams { n_starts: 1, ..KmeansParams::new(200, Seed::new(0)) }).expect("fits");
    assert!(all.inertia < 1e-3 && all.clusters.n_clusters() > 190);
    let copies = Array2::from_shape_fn((9, 2), |(i, _)| f64::from(u8::from(i < 4)));
    let found = kmeans(copies.view(), &KmeansParams::new(3, Seed::new(0))).expect("fits");
    assert!(found.inertia < 1e-9 && found.clusters.n_clusters() >= 2);
    assert_eq!(kmeans(x.view(), &KmeansParams::new(1, Seed::new(0))).expect("fits").clusters.n_clusters(), 1);
}

#[test]
fn bad_input_is_named() {
    let pair = Csr::from_dense(&array![[0.0, 1.0], [1.0, 0.0]]);
    let map = diffusion_map(&pair, 5).expect("converges");
    assert_eq!(map.eigenvalues.len(), 1, "at most one component less than cells");
    let text = |it: cellstone_core::Error| it.to_string();
    assert!(text(diffusion_pseudotime(&pair, &map, 2, 1).expect_err("root")).contains("root cell 2 of 2 cells"));
    assert!(text(diffusion_pseudotime(&pair, &map, 0, 2).expect_err("components")).contains("2 components"));
    assert!(text(diffusion_map(&pair, 0).expect_err("none")).contains("0 diffusion components"));
    let alone = Csr::from_dense(&array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
    assert!(text(diffusion_map(&alone, 1).expect_err("alone")).contains("cell 2 has no edge"));
    assert!(diffusion_map(&Csr::from_dense(&array![[0.0, 1.0], [0.0, 0.0]]), 1).is_err());
    let x = array![[0.0], [1.0]];
    assert!(text(kmeans(x.view(), &KmeansParams::new(3, Seed::new(0))).expect_err("few")).contains("2 cells cannot"));
    assert!(kmeans(x.view(), &KmeansParams::new(0, Seed::new(0))).is_err());
    assert!(kmeans(array![[0.0], [f64::NAN]].view(), &KmeansParams::new(1, Seed::new(0))).is_err());
}
