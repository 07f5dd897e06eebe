//! Communities: qualities against leidenalg, connectedness, invariances, bad input.

use crate::common::{Golden, Partition, blobs, on_threads, shuffled};
use cellstone_core::{Clustering, Csr, Seed};
use cellstone_neighbors::{FuzzyParams, LeidenParams, Objective, exact_knn, fuzzy_graph, leiden, louvain, quality};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

/// The best of a few seeds must not be below the best of the reference's.
fn check(graph: &Csr<f64>, want: &Partition, objective: Objective) {
    let given = quality(graph, &want.labels, objective).expect("valid");
    assert!((given - want.quality).abs() < 1e-6 * want.quality.abs(), "{given}, expected {}", want.quality);
    let best = (0..20)
        .map(|seed| {
            let clusters = leiden(graph, &LeidenParams { objective, ..LeidenParams::new(1.0, Seed::new(seed)) });
            let clusters = clusters.expect("valid");
            assert_connected(graph, &clusters);
            quality(graph, clusters.labels(), objective).expect("valid")
        })
        .fold(f64::NEG_INFINITY, f64::max);
    assert!(best > given - 1e-3 * given.abs(), "{objective:?}: {best}, the reference has {given}");
}

#[test]
fn qualities_equal_those_of_leidenalg() {
    let golden = Golden::read();
    let graph = golden.graph();
    for want in &golden.modularity {
        check(&graph, want, Objective::Modularity { resolution: want.resolution });
    }
    for want in &golden.cpm {
        check(&graph, want, Objective::Cpm { resolution: want.resolution });
    }
}

fn assert_connected(graph: &Csr<f64>, clusters: &Clustering) {
    let labels = clusters.labels();
    let mut parts = 0;
    let mut seen = vec![false; labels.len()];
    for start in 0..labels.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        parts += 1;
        let mut stack = vec![start];
        while let Some(node) = stack.pop() {
            for other in graph.row(node).0.iter().map(|it| *it as usize) {
                if labels[other] == labels[node] && !std::mem::replace(&mut seen[other], true) {
                    stack.push(other);
                }
            }
        }
    }
    assert_eq!(parts, clusters.n_clusters(), "connected parts, clusters");
}

fn graph_of(x: &Array2<f64>) -> Csr<f64> {
    fuzzy_graph(&exact_knn(x.view(), 12).expect("valid"), &FuzzyParams::default()).expect("valid")
}

#[test]
fn planted_types_are_found_in_any_order_of_cells() {
    let (x, types) = blobs(600, 10, 5, 4.0, 5);
    let want = Clustering::new(&types.iter().map(|it| *it as u32).collect::<Vec<_>>());
    for seed in 0..3 {
        let params = LeidenParams::new(0.3, Seed::new(seed));
        let found = leiden(&graph_of(&x), &params).expect("valid");
        assert_eq!(Clustering::new(found.labels()), want);
        let order = shuffled(600, seed);
        let found = leiden(&graph_of(&x.select(Axis(0), &order)), &params).expect("valid");
        let expected: Vec<u32> = order.iter().map(|it| types[*it] as u32).collect();
        assert_eq!(Clustering::new(found.labels()), Clustering::new(&expected));
        let found = louvain(&graph_of(&x), params.objective, Seed::new(seed)).expect("valid");
        assert_eq!(Clustering::new(found.labels()), want);
    }
}

#[test]
fn threads_and_runs_do_not_change_a_label() {
    let (x, _) = blobs(1_000, 8, 6, 0.6, 6);
    let graph = graph_of(&x);
    let run = |threads| on_threads(threads, || leiden(&graph, &LeidenParams::new(1.0, Seed::new(9))).expect("valid"));
    assert_eq!(run(1), run(2));
}

#[test]
fn more_passes_are_not_worse() {
    let (x, _) = blobs(1_000, 8, 6, 0.6, 6);
    let graph = graph_of(&x);
    let objective = Objective::Modularity { resolution: 1.0 };
    let of = |n_iterations| {
        let clusters = leiden(&graph, &LeidenParams { n_iterations, ..LeidenParams::new(1.0, Seed::new(1)) });
        quality(&graph, clusters.expect("valid").labels(), objective).expect("valid")
    };
    assert!(of(Some(1)) <= of(Some(2)) && of(Some(2)) <= of(None) + 1e-9);
}

#[test]
fn graphs_without_edges_have_communities_of_one() {
    let empty = Csr::from_dense(&Array2::<f64>::zeros((4, 4)));
    let clusters = leiden(&empty, &LeidenParams::new(1.0, Seed::new(0))).expect("valid");
    assert_eq!(clusters.n_clusters(), 4);
    assert_eq!(quality(&empty, &[0, 1, 2, 3], Objective::default()).expect("valid"), 0.0);
    let none = Csr::from_dense(&Array2::<f64>::zeros((0, 0)));
    assert_eq!(leiden(&none, &LeidenParams::new(1.0, Seed::new(0))).expect("valid").n_clusters(), 0);
}

#[test]
fn bad_input_is_named() {
    let pair = Csr::from_dense(&array![[0.0, 1.0], [1.0, 0.0]]);
    let error = leiden(&pair, &LeidenParams::new(-1.0, Seed::new(0))).expect_err("negative resolution");
    assert_eq!(error.to_string(), "resolution is -1, expected 0 or above");
    let params = LeidenParams { n_iterations: Some(0), ..LeidenParams::new(1.0, Seed::new(0)) };
    assert!(leiden(&pair, &params).is_err());
    let params = LeidenParams { randomness: f64::NAN, ..LeidenParams::new(1.0, Seed::new(0)) };
    assert!(leiden(&pair, &params).is_err());
    let one_way = Csr::from_dense(&array![[0.0, 1.0], [0.0, 0.0]]);
    let error = leiden(&one_way, &LeidenParams::new(1.0, Seed::new(0))).expect_err("asymmetric");
    assert!(error.hints()[0].contains("symmetric"));
    assert!(quality(&pair, &[0], Objective::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn communities_are_connected(edges in prop::collection::vec((0_usize..40, 0_usize..40, 0.01_f64..1.0), 30..120),
                                 resolution in 0.05_f64..3.0, seed in 0_u64..100, cpm in any::<bool>()) {
        let mut dense = Array2::zeros((40, 40));
        for (i, j, weight) in edges {
            dense[[i, j]] = weight;
            dense[[j, i]] = weight;
        }
        let graph = Csr::from_dense(&dense);
        let objective = if cpm { Objective::Cpm { resolution: 0.3 * resolution } } else { Objective::Modularity { resolution } };
        let params = LeidenParams { objective, ..LeidenParams::new(1.0, Seed::new(seed)) };
        let clusters = leiden(&graph, &params).expect("valid");
        assert_connected(&graph, &clusters);
        // No cell gains by leaving or by going to another community.
        let best = quality(&graph, clusters.labels(), objective).expect("valid");
        for cell in 0..40 {
            for to in 0..=clusters.n_clusters() as u32 {
                let mut labels = clusters.labels().to_vec();
                labels[cell] = to;
                let other = quality(&graph, &labels, objective).expect("valid");
                prop_assert!(other <= best + 1e-9, "cell {} to {}: {} above {}", cell, to, other, best);
            }
        }
    }
}
