//! Layouts: constants and trustworthiness against umap-learn, invariances, bad input.

use crate::common::{Golden, blobs, on_threads};
use cellstone_core::{Csr, Seed};
use cellstone_neighbors::{
    FuzzyParams, KnnParams, UmapInit, UmapParams, exact_knn, exact_knn_with, fit_curve, fuzzy_graph, spectral_layout,
    umap,
};
use ndarray::Array2;

#[test]
fn curves_equal_umap_learn() {
    for [spread, min_dist, a, b] in Golden::read().ab {
        let curve = fit_curve(spread, min_dist).expect("valid");
        assert!((curve.a - a).abs() < 1e-4 * a && (curve.b - b).abs() < 1e-4 * b, "{curve:?}, expected {a}, {b}");
    }
    assert!(fit_curve(0.0, 0.1).is_err() && fit_curve(1.0, 3.0).is_err() && fit_curve(1.0, f64::NAN).is_err());
}

/// `1 − 2/(nk(2n−3k−1)) Σᵢ Σⱼ (rank of j in x − k)` over neighbours j in the layout that are none in x.
fn trustworthiness(x: &Array2<f64>, layout: &Array2<f64>, k: usize) -> f64 {
    let n = x.nrows();
    let (all, near) = (exact_knn(x.view(), n - 1).expect("valid"), exact_knn(layout.view(), k).expect("valid"));
    let mut penalty = 0.0;
    for own in 0..n {
        let mut ranks = vec![0; n];
        all.neighbors(own).0.iter().enumerate().for_each(|(rank, it)| ranks[*it as usize] = rank + 1);
        penalty += near.neighbors(own).0.iter().map(|it| ranks[*it as usize].saturating_sub(k) as f64).sum::<f64>();
    }
    1.0 - 2.0 * penalty / (n * k * (2 * n - 3 * k - 1)) as f64
}

#[test]
fn layouts_are_as_trustworthy_as_those_of_umap_learn() {
    let golden = Golden::read();
    let x = golden.x();
    let knn = exact_knn_with(x.view(), &KnnParams { include_self: true, ..KnnParams::new(10) }).expect("valid");
    let graph = fuzzy_graph(&knn, &FuzzyParams::default()).expect("valid");
    let mean = |it: &[f64]| it.iter().sum::<f64>() / it.len() as f64;
    let ours: Vec<f64> = (0..5)
        .map(|seed| {
            let params = UmapParams { min_dist: 0.1, ..UmapParams::new(Seed::new(seed)) };
            trustworthiness(&x, &umap(&graph, &params).expect("valid"), 10)
        })
        .collect();
    assert!(mean(&ours) > mean(&golden.trustworthiness) - 0.01, "{ours:?}, umap-learn {:?}", golden.trustworthiness);
}

#[test]
fn blobs_stay_apart_and_near_cells_near() {
    let (x, types) = blobs(900, 10, 6, 3.0, 7);
    let graph = fuzzy_graph(&exact_knn(x.view(), 14).expect("valid"), &FuzzyParams::default()).expect("valid");
    let layout = umap(&graph, &UmapParams::new(Seed::new(0))).expect("valid");
    assert!(layout.iter().all(|it| it.is_finite()));
    let trust = trustworthiness(&x, &layout, 12);
    assert!(trust > 0.9, "{trust}");
    let near = exact_knn(layout.view(), 5).expect("valid");
    let same = (0..900).flat_map(|own| near.neighbors(own).0.iter().map(move |it| (own, *it as usize)));
    let share = same.filter(|it| types[it.0] == types[it.1]).count() as f64 / (900.0 * 5.0);
    assert!(share > 0.98, "{share} of the nearest in the layout are of the same type");
}

#[test]
fn threads_do_not_change_a_byte() {
    let (x, _) = blobs(700, 6, 4, 1.0, 2);
    let graph = fuzzy_graph(&exact_knn(x.view(), 10).expect("valid"), &FuzzyParams::default()).expect("valid");
    let params = UmapParams { n_epochs: Some(60), ..UmapParams::new(Seed::new(3)) };
    let run = |threads| on_threads(threads, || umap(&graph, &params).expect("valid"));
    assert_eq!(run(1), run(2));
    assert_ne!(run(1), umap(&graph, &UmapParams { seed: Seed::new(4), ..params }).expect("valid"));
}

#[test]
fn the_spectral_layout_orders_a_path() {
    // The second eigenvector of a path rises from one end to the other.
    let n = 60;
    let path = Csr::from_dense(&Array2::from_shape_fn((n, n), |(i, j)| f64::from(u8::from(i.abs_diff(j) == 1))));
    let layout = spectral_layout(&path, 1, Seed::new(0)).expect("valid");
    let rising = layout.column(0).windows(2).into_iter().filter(|it| it[1] > it[0]).count();
    assert!(rising == 0 || rising == n - 1, "{rising}: {layout}");
}

#[test]
fn odd_inputs_have_layouts_and_bad_ones_are_named() {
    let empty = Csr::from_dense(&Array2::<f64>::zeros((5, 5)));
    let layout = umap(&empty, &UmapParams::new(Seed::new(0))).expect("five parts of one cell");
    assert!(layout.dim() == (5, 2) && layout.iter().all(|it| it.is_finite()));
    let none = Csr::from_dense(&Array2::<f64>::zeros((0, 0)));
    assert_eq!(umap(&none, &UmapParams::new(Seed::new(0))).expect("nothing").dim(), (0, 2));
    let bad = |params: &UmapParams<'_>| umap(&empty, params).expect_err("bad parameters").to_string();
    let params = UmapParams::new(Seed::new(0));
    assert_eq!(bad(&UmapParams { n_components: 9, ..params }), "n_components is 9, expected 1 to 5");
    assert_eq!(bad(&UmapParams { learning_rate: 0.0, ..params }), "learning_rate is 0, expected above 0");
    let start = Array2::zeros((4, 2));
    let given = UmapParams { init: UmapInit::Given(start.view()), ..params };
    assert_eq!(bad(&given), "start positions are 4 × 2, expected 5 × 2");
}
