//! Neighbours: equality with scikit-learn and with brute force, invariances, bad input.

use crate::common::{Golden, Neighbours, blobs, on_threads, shuffled};
use cellstone_core::Seed;
use cellstone_neighbors::{
    ApproximateKnnParams, DistanceMetric, KnnParams, approximate_knn, exact_knn, exact_knn_with, knn as knn_of,
};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

const METRICS: [DistanceMetric; 3] = [DistanceMetric::Euclidean, DistanceMetric::Cosine, DistanceMetric::Correlation];

fn check(golden: &Golden, metric: DistanceMetric, want: &Neighbours) {
    let graph = exact_knn_with(golden.x().view(), &KnnParams { metric, k: 10, include_self: false }).expect("valid");
    for cell in 0..graph.n_obs() {
        let (indices, distances) = graph.neighbors(cell);
        assert_eq!(indices, want.indices[cell], "{metric:?} of cell {cell}");
        for (got, want) in distances.iter().zip(&want.distances[cell]) {
            assert!((got - want).abs() < 1e-12 * want.max(1.0), "{metric:?} of cell {cell}: {got}, expected {want}");
        }
    }
}

#[test]
fn neighbours_equal_scikit_learn() {
    let golden = Golden::read();
    check(&golden, DistanceMetric::Euclidean, &golden.euclidean);
    check(&golden, DistanceMetric::Cosine, &golden.cosine);
    check(&golden, DistanceMetric::Correlation, &golden.correlation);
}

fn prepared(x: &Array2<f64>, metric: DistanceMetric) -> Array2<f64> {
    let mut x = x.clone();
    for mut row in x.rows_mut() {
        if metric == DistanceMetric::Correlation {
            let mean = row.mean().expect("not empty");
            row -= mean;
        }
        if metric != DistanceMetric::Euclidean {
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
    }
    x
}

/// Squared distances to all other cells by their definition, sorted.
fn brute(x: &Array2<f64>, own: usize) -> Vec<(f64, u32)> {
    let squared = |it: usize| x.row(own).iter().zip(x.row(it)).map(|(a, b)| (a - b) * (a - b)).sum();
    let mut all: Vec<(f64, u32)> = (0..x.nrows()).filter(|it| *it != own).map(|it| (squared(it), it as u32)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}

#[test]
fn several_tiles_equal_brute_force() {
    // More cells than a tile of the search, one outlier that widens the rounding bound, and a far origin.
    let (mut x, _) = blobs(2_300, 11, 7, 1.0, 3);
    x += 1000.0;
    x.row_mut(5).mapv_inplace(|it| 4.0 * it);
    for metric in METRICS {
        let rows = prepared(&x, metric);
        let graph = exact_knn_with(x.view(), &KnnParams { metric, k: 40, include_self: false }).expect("valid");
        for own in (0..2_300).step_by(23) {
            let (indices, distances) = graph.neighbors(own);
            for ((got, distance), want) in indices.iter().zip(distances).zip(brute(&rows, own)) {
                // Equal but for pairs whose distances differ by rounding.
                let found = if metric == DistanceMetric::Euclidean { distance * distance } else { 2.0 * distance };
                assert!(*got == want.1 || (found - want.0).abs() < 1e-12 * want.0, "{metric:?} of cell {own}");
            }
        }
    }
}

#[test]
fn the_cell_itself_comes_first_among_copies() {
    let x = array![[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [4.0, 0.0]];
    let params = KnnParams { include_self: true, ..KnnParams::new(3) };
    let graph = exact_knn_with(x.view(), &params).expect("valid");
    assert_eq!(graph.neighbors(2), (&[2, 0, 1][..], &[0.0, 0.0, 0.0][..]));
    assert!(graph.includes_self());
    let alone = exact_knn_with(x.view(), &KnnParams { include_self: true, ..KnnParams::new(1) }).expect("valid");
    assert_eq!(alone.neighbors(3).0, [3]);
}

#[test]
fn equal_cells_are_neighbours_by_index() {
    let graph = exact_knn(Array2::from_elem((3_000, 4), 0.1).view(), 5).expect("valid");
    assert_eq!(graph.neighbors(0).0, [1, 2, 3, 4, 5]);
    assert_eq!(graph.neighbors(2_999).0, [0, 1, 2, 3, 4]);
}

#[test]
fn extreme_scales_are_found() {
    for scale in [1e-160, 1e-30, 1e30, 1e150] {
        let (x, _) = blobs(300, 5, 3, 1.0, 8);
        let (one, other) = (exact_knn(x.view(), 6).expect("valid"), exact_knn((&x * scale).view(), 6).expect("valid"));
        for own in 0..300 {
            assert_eq!(one.neighbors(own).0, other.neighbors(own).0, "scale {scale}");
        }
    }
}

#[test]
fn bad_input_is_named() {
    let x = array![[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [f64::NAN, 0.0, 1.0]];
    let search = |n: usize, metric, k, include_self| {
        let rows = x.slice_axis(Axis(0), (0..n).into());
        let error = exact_knn_with(rows, &KnnParams { metric, k, include_self }).expect_err("bad input");
        assert!(!error.hints().is_empty());
        error.to_string()
    };
    assert_eq!(search(2, METRICS[0], 0, false), "0 neighbours of 2 cells, expected between 1 and 1");
    assert_eq!(search(2, METRICS[0], 2, false), "2 neighbours of 2 cells, expected between 1 and 1");
    assert_eq!(search(2, METRICS[0], 3, true), "3 neighbours of 2 cells, expected between 1 and 2");
    assert_eq!(search(3, METRICS[0], 1, false), "cell 2 has NaN at coordinate 0");
    assert_eq!(search(2, METRICS[1], 1, false), "cell 1 is a zero vector: its cosine distances do not exist");
    assert_eq!(search(2, METRICS[2], 1, false), "cell 1 is constant: its correlation distances do not exist");
    let error = exact_knn(array![[0.0]].view(), 1).expect_err("one cell");
    assert_eq!(error.to_string(), "1 neighbours of 1 cells, expected between 1 and 0");
}

#[test]
fn threads_do_not_change_a_byte() {
    let (x, _) = blobs(1_500, 20, 5, 1.0, 1);
    for metric in METRICS {
        let params = KnnParams { metric, k: 15, include_self: true };
        let run = |threads| on_threads(threads, || exact_knn_with(x.view(), &params).expect("valid"));
        assert_eq!(run(1), run(2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn lattices_equal_brute_force(values in prop::collection::vec(-3_i32..3, 70 * 3), k in 1_usize..69) {
        // Whole numbers: exact distances, many ties.
        let x = Array2::from_shape_vec((70, 3), values.into_iter().map(f64::from).collect()).expect("shape");
        let graph = exact_knn(x.view(), k).expect("enough rows");
        for own in 0..70 {
            let want: Vec<u32> = brute(&x, own).iter().take(k).map(|it| it.1).collect();
            prop_assert_eq!(graph.neighbors(own).0, &want[..]);
        }
    }

    #[test]
    fn the_order_of_cells_does_not_matter(seed in 0_u64..1000) {
        let (x, _) = blobs(90, 4, 3, 2.0, seed);
        let order = shuffled(90, seed);
        let (one, other) = (exact_knn(x.view(), 7).expect("valid"), exact_knn(x.select(Axis(0), &order).view(), 7).expect("valid"));
        for (at, own) in order.iter().enumerate() {
            let back: Vec<u32> = other.neighbors(at).0.iter().map(|it| order[*it as usize] as u32).collect();
            prop_assert_eq!(one.neighbors(*own).0, &back[..]);
            prop_assert_eq!(one.neighbors(*own).1, other.neighbors(at).1);
        }
    }
}

#[test]
fn approximate_neighbours_are_mostly_the_exact_ones() {
    let (x, _) = blobs(6_000, 20, 10, 1.0, 13);
    let knn = KnnParams { include_self: true, ..KnnParams::new(15) };
    let exact = exact_knn_with(x.view(), &knn).expect("valid");
    let params = ApproximateKnnParams { n_probes: Some(30), ..ApproximateKnnParams::new(knn, Seed::new(0)) };
    let run = |threads| on_threads(threads, || approximate_knn(x.view(), &params).expect("valid"));
    let found = run(2);
    assert_eq!(run(1), found);
    let hits: usize = (0..6_000)
        .map(|own| {
            let want = exact.neighbors(own).0;
            found.neighbors(own).0.iter().filter(|it| want.contains(it)).count()
        })
        .sum();
    assert!(hits as f64 > 0.95 * 6_000.0 * 15.0, "{hits} of 90000");
}

#[test]
fn all_lists_searched_is_exact() {
    let (x, _) = blobs(700, 5, 4, 1.0, 14);
    let knn = KnnParams::new(9);
    let params =
        ApproximateKnnParams { n_lists: Some(12), n_probes: Some(12), ..ApproximateKnnParams::new(knn, Seed::new(2)) };
    assert_eq!(approximate_knn(x.view(), &params).expect("valid"), exact_knn(x.view(), 9).expect("valid"));
    // One probe, more neighbours than a list has: lists are added until there are enough.
    let wide = ApproximateKnnParams {
        n_lists: Some(300),
        n_probes: Some(1),
        ..ApproximateKnnParams::new(KnnParams::new(50), Seed::new(2))
    };
    assert_eq!(approximate_knn(x.view(), &wide).expect("valid").k(), 50);
    assert!(
        approximate_knn(x.view(), &ApproximateKnnParams { n_probes: Some(0), ..params })
            .expect_err("no probes")
            .is_config()
    );
    assert_eq!(knn_of(x.view(), &knn, Seed::new(0)).expect("valid"), exact_knn(x.view(), 9).expect("valid"));
}
