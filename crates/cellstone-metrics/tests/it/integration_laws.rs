//! What integration metrics must obey whatever the data: names, order, frames, and edges.

use crate::integration_common::brute_knn;
use cellstone_core::{Csr, KnnGraph, Result, Score, Seed, Why};
use cellstone_metrics::CellDistance;
use cellstone_metrics::integration::{
    BrasMode, Convention, Covariate, KbetParams, LisiParams, asw_label, best_agreement, bras, clisi, components,
    graph_connectivity, graph_connectivity_directed, ilisi, isolated_label_asw, isolated_label_f1, isolated_labels,
    kbet_acceptance, kbet_per_label, label_silhouettes, lisi, morans_i, path_neighborhoods, pcr_full, sbee,
    silhouette_batch, strong_components,
};
use ndarray::{Array1, Array2, Axis};
use proptest::prelude::*;
use rand::RngExt;

/// Cells with labels and batches.
#[derive(Debug, Clone)]
struct Cells {
    x: Array2<f64>,
    labels: Vec<u32>,
    batch: Vec<u32>,
}

/// 40 to 90 cells in 1 to 5 dimensions, up to 4 labels and 3 batches.
fn cells() -> impl Strategy<Value = Cells> {
    (40_usize..90, 1_usize..6, 0_u64..1000, 1_u32..5, 1_u32..4).prop_map(|(n, d, seed, n_labels, n_batches)| {
        let mut rng = Seed::new(seed).rng();
        let labels: Vec<u32> = (0..n).map(|_| rng.random_range(0..n_labels)).collect();
        let batch: Vec<u32> = (0..n).map(|_| rng.random_range(0..n_batches)).collect();
        let x = Array2::from_shape_fn((n, d), |(cell, _)| {
            f64::from(labels[cell]) + 0.5 * f64::from(batch[cell]) + 2.0 * rng.random::<f64>() - 1.0
        });
        Cells { x, labels, batch }
    })
}

/// Every metric that needs nothing but the cells, by name.
fn all(it: &Cells) -> Result<Vec<(&'static str, Score)>> {
    let (x, labels, batch) = (it.x.view(), it.labels.as_slice(), it.batch.as_slice());
    let samples = label_silhouettes(x, labels)?;
    let isolated = isolated_labels(labels, batch, None, Convention::Cellstone)?;
    let knn = brute_knn(x, 30);
    let found = lisi(&knn, &[batch, labels], &LisiParams::default())?;
    let graph = symmetric(&knn);
    Ok(vec![
        ("asw_label", asw_label(&samples, labels)),
        ("asw_batch", silhouette_batch(x, labels, batch)?.value),
        ("bras", bras(x, labels, batch, BrasMode::MeanOther)?.scores.value),
        ("bras_furthest", bras(x, labels, batch, BrasMode::Furthest)?.scores.value),
        ("isolated_asw", isolated_label_asw(&samples, labels, &isolated)?.value),
        ("ilisi", ilisi(&found[0], batch)?.value),
        ("clisi", clisi(&found[1], labels)?.value),
        ("connectivity", graph_connectivity(&graph, labels)?.value),
        ("connectivity_directed", graph_connectivity_directed(&knn.prefix(10)?, labels)?.value),
        ("pcr", pcr_full(x, &Covariate::Categorical(batch))?),
        ("kbet", kbet_acceptance(&knn, batch, None, 0.05)?.acceptance),
        ("sbee", sbee(x, &knn, labels, batch)?.value),
    ])
}

/// The undirected graph of the first five neighbours, the cell itself among them.
fn symmetric(knn: &KnnGraph) -> Csr<f64> {
    let n = knn.n_obs();
    let mut dense = Array2::zeros((n, n));
    for cell in 0..n {
        for other in knn.neighbors(cell).0[..5].iter().map(|it| *it as usize).filter(|it| *it != cell) {
            dense[[cell, other]] = 1.0;
            dense[[other, cell]] = 1.0;
        }
    }
    Csr::from_dense(&dense)
}

fn assert_same(a: &[(&'static str, Score)], b: &[(&'static str, Score)], but: &[&str]) {
    for ((name, a), (_, b)) in a.iter().zip(b).filter(|it| !but.contains(&it.0.0)) {
        match (a, b) {
            (Score::Value(a), Score::Value(b)) => assert!((a - b).abs() < 1e-7, "{name}: {a} and {b}"),
            (a, b) => assert_eq!(a, b, "{name}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn names_do_not_matter(it in cells()) {
        let renamed = Cells {
            labels: it.labels.iter().map(|it| 90 - 7 * it).collect(),
            batch: it.batch.iter().map(|it| 1000 + 13 * (5 - it)).collect(),
            x: it.x.clone(),
        };
        assert_same(&all(&it).expect("valid"), &all(&renamed).expect("valid"), &[]);
    }

    #[test]
    fn order_does_not_matter(it in cells(), seed in 0_u64..100) {
        let mut rng = Seed::new(seed).rng();
        let mut order: Vec<usize> = (0..it.labels.len()).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, rng.random_range(0..=at));
        }
        let moved = Cells {
            x: it.x.select(Axis(0), &order),
            labels: order.iter().map(|at| it.labels[*at]).collect(),
            batch: order.iter().map(|at| it.batch[*at]).collect(),
        };
        assert_same(&all(&it).expect("valid"), &all(&moved).expect("valid"), &[]);
    }

    #[test]
    fn frames_do_not_matter_where_they_should_not(it in cells(), angle in 0.0_f64..6.0, factor in 0.01_f64..100.0) {
        let before = all(&it).expect("valid");
        let d = it.x.ncols();
        let mut turned = it.clone();
        if d > 1 {
            let mut turn = Array2::eye(d);
            (turn[[0, 0]], turn[[1, 1]]) = (angle.cos(), angle.cos());
            (turn[[0, 1]], turn[[1, 0]]) = (-angle.sin(), angle.sin());
            turned.x = it.x.dot(&turn);
        }
        assert_same(&before, &all(&turned).expect("valid"), &[]);
        let mut shifted = it.clone();
        shifted.x += &Array1::from_shape_fn(d, |it| 3.0 - it as f64);
        // A direction depends on the origin.
        assert_same(&before, &all(&shifted).expect("valid"), &["bras", "bras_furthest"]);
        let mut scaled = it.clone();
        scaled.x *= factor;
        // The search for the width of the weights stops at a tolerance, which the scale moves a little.
        let after = all(&scaled).expect("valid");
        assert_same(&before, &after, &["ilisi", "clisi"]);
        for (a, b) in before.iter().zip(&after).filter(|it| it.0.0.ends_with("lisi")) {
            if let (Score::Value(a), Score::Value(b)) = (a.1, b.1) {
                prop_assert!((a - b).abs() < 1e-3, "{a} and {b}");
            }
        }
    }

    #[test]
    fn silhouettes_of_many_tiles_equal_the_plain_ones(n in 500_usize..1500, seed in 0_u64..50, n_labels in 2_u32..40) {
        let mut rng = Seed::new(seed).rng();
        let labels: Vec<u32> = (0..n).map(|_| rng.random_range(0..n_labels)).collect();
        // Far from the origin, with copies: where products lose digits.
        let x = Array2::from_shape_fn((n, 3), |_| 1e4 + f64::from(rng.random_range(0_u32..40)) / 8.0);
        let got = label_silhouettes(x.view(), &labels).expect("valid");
        let want = cellstone_metrics::silhouette_samples(x.view(), &labels, CellDistance::Euclidean).expect("labels");
        for (got, want) in got.iter().zip(&want) {
            prop_assert!((got - want).abs() < 1e-10, "{got}, expected {want}");
        }
    }

    #[test]
    fn values_stay_in_range(it in cells()) {
        for (name, score) in all(&it).expect("valid") {
            match score {
                Score::Value(value) => prop_assert!((-1e-12..=1.0 + 1e-12).contains(&value), "{name}: {value}"),
                Score::Undefined(why) => prop_assert!(
                    matches!(why, Why::SingleBatch | Why::SingleLabel | Why::NoLabel | Why::TooFewCells),
                    "{name}: {why}"
                ),
            }
        }
    }

    #[test]
    fn threads_do_not_matter(it in cells()) {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| all(&it).expect("valid"))
        };
        let (one, three) = (run(1), run(3));
        for ((name, a), (_, b)) in one.iter().zip(&three) {
            prop_assert_eq!(a.value().map(f64::to_bits), b.value().map(f64::to_bits), "{}", name);
        }
    }

    #[test]
    fn copies_of_cells_are_no_trouble(it in cells()) {
        let twice = |codes: &[u32]| [codes, codes].concat();
        let doubled = Cells {
            x: ndarray::concatenate![Axis(0), it.x, it.x],
            labels: twice(&it.labels),
            batch: twice(&it.batch),
        };
        for (name, score) in all(&doubled).expect("valid") {
            if let Score::Value(value) = score {
                prop_assert!((-1e-12..=1.0 + 1e-12).contains(&value), "{name}: {value}");
            }
        }
    }

    #[test]
    fn components_agree_with_their_definition(
        n in 2_usize..12,
        edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..20),
    ) {
        let mut reach = Array2::<f64>::eye(n);
        edges.iter().filter(|it| it.0 < n && it.1 < n).for_each(|it| reach[[it.0, it.1]] = 1.0);
        let graph = Csr::from_dense(&reach);
        for via in 0..n {
            for i in 0..n {
                for j in 0..n {
                    reach[[i, j]] = f64::max(reach[[i, j]], reach[[i, via]] * reach[[via, j]]);
                }
            }
        }
        let found = strong_components(&graph).expect("square");
        for i in 0..n {
            for j in 0..n {
                prop_assert_eq!(found[i] == found[j], reach[[i, j]] * reach[[j, i]] > 0.0);
            }
        }
        let both = Csr::from_dense(&(&graph.to_dense() + &graph.to_dense().t()));
        prop_assert_eq!(components(&both).expect("symmetric"), strong_components(&both).expect("square"));
    }
}

#[test]
fn batches_at_random_are_mixed() {
    let mut rng = Seed::new(3).rng();
    let n = 1200;
    let x = Array2::from_shape_fn((n, 4), |_| rng.random::<f64>() - 0.5);
    let labels: Vec<u32> = (0..n as u32).map(|it| it % 3).collect();
    // A batch with three quarters, so that perfect mixing is not an index of 2.
    let batch: Vec<u32> = (0..n).map(|_| u32::from(rng.random::<f64>() < 0.25)).collect();
    let knn = brute_knn(x.view(), 90);
    let score = ilisi(&lisi(&knn, &[&batch], &LisiParams::default()).expect("valid")[0], &batch).expect("valid");
    let expected = score.expected;
    assert!((1.4..1.7).contains(&expected), "{expected}");
    assert!((score.median.value().expect("defined") - expected).abs() < 0.08);
    let accepted = kbet_acceptance(&knn.prefix(51).expect("fewer"), &batch, None, 0.05).expect("valid").acceptance;
    assert!(accepted.value().is_some_and(|it| it > 0.9), "{accepted:?}");
    let value = bras(x.view(), &labels, &batch, BrasMode::MeanOther).expect("valid").scores.value;
    assert!(value.value().is_some_and(|it| it > 0.95), "{value:?}");
}

#[test]
fn one_batch_per_label_leaves_nothing_to_test() {
    let mut rng = Seed::new(4).rng();
    let x = Array2::from_shape_fn((60, 3), |_| rng.random::<f64>());
    let labels: Vec<u32> = (0..60).map(|it| it / 20).collect();
    let graph = symmetric(&brute_knn(x.view(), 30));
    let found =
        kbet_per_label(&graph, &labels, &labels, &KbetParams::default(), |_| -> Result<KnnGraph> { unreachable!() })
            .expect("valid");
    assert_eq!(found.value, Score::Undefined(Why::SingleBatch));
    for value in [
        silhouette_batch(x.view(), &labels, &labels).expect("valid").value,
        bras(x.view(), &labels, &labels, BrasMode::Furthest).expect("valid").scores.value,
    ] {
        assert_eq!(value, Score::Undefined(Why::SingleBatch));
    }
}

#[test]
fn labels_that_are_clusters_agree_fully() {
    let labels: Vec<u32> = (0..50).map(|it| it % 4).collect();
    let batch: Vec<u32> = (0..50).map(|it| if it % 4 == 3 { 0 } else { (it / 4) % 2 }).collect();
    let found = best_agreement(&[(0.5, &labels)], &labels).expect("valid");
    assert_eq!((found.nmi(), found.ari()), (1.0, 1.0));
    let isolated = isolated_labels(&labels, &batch, None, Convention::Cellstone).expect("valid");
    assert_eq!(isolated.labels, [3]);
    assert_eq!(isolated_label_f1(&[&labels], &labels, &isolated).expect("valid").value, Score::Value(1.0));
}

#[test]
fn few_cells_and_one_place() {
    let x = ndarray::array![[0.0], [1.0], [1.5], [4.0], [4.5], [5.5], [6.0], [7.5]];
    let it = Cells { x, labels: vec![0, 0, 0, 0, 1, 1, 1, 1], batch: vec![0, 1, 0, 1, 0, 1, 0, 1] };
    // Seven neighbours and the cell itself: a perplexity of 2.
    let knn = brute_knn(it.x.view(), 8);
    let found = lisi(&knn, &[&it.batch], &LisiParams::default()).expect("valid");
    assert!(found[0].iter().all(|it| it.value().is_some_and(|it| (1.0..=2.0).contains(&it))));
    let error = lisi(&brute_knn(it.x.view(), 2), &[&it.batch], &LisiParams::default()).expect_err("too few");
    assert!(error.to_string().contains("a perplexity of 0 with 2 neighbours"), "{error}");
    let flat = Cells { x: Array2::from_elem((8, 3), 0.1), ..it };
    let samples = label_silhouettes(flat.x.view(), &flat.labels).expect("valid");
    assert_eq!(samples, [0.0; 8]);
    let batch = Covariate::Categorical(&flat.batch);
    assert_eq!(pcr_full(flat.x.view(), &batch).expect("valid"), Score::Undefined(Why::ConstantVector));
    assert_eq!(
        bras(flat.x.view(), &flat.labels, &flat.batch, BrasMode::MeanOther).expect("valid").scores.value,
        Score::Value(1.0)
    );
    let found = lisi(&brute_knn(flat.x.view(), 8), &[&flat.batch], &LisiParams::default()).expect("valid");
    assert!(found[0].iter().all(|it| it.value().is_some_and(f64::is_finite)));
}

#[test]
fn bad_input_is_named() {
    let x = ndarray::array![[1.0, 0.0], [f64::INFINITY, 0.0], [2.0, 1.0]];
    for error in [
        label_silhouettes(x.view(), &[0, 1, 1]).expect_err("infinite"),
        silhouette_batch(x.view(), &[0, 1, 1], &[0, 1, 0]).expect_err("infinite"),
        bras(x.view(), &[0, 1, 1], &[0, 1, 0], BrasMode::MeanOther).expect_err("infinite"),
        pcr_full(x.view(), &Covariate::Categorical(&[0, 1, 1])).expect_err("infinite"),
    ] {
        assert_eq!(error.to_string(), "cell 1 has a non-finite coordinate");
        assert!(error.is_invalid_input() && !error.hints().is_empty());
    }
    let fine = ndarray::array![[1.0], [2.0], [3.0]];
    let error = silhouette_batch(fine.view(), &[0, 1, 1], &[0, 1]).expect_err("too few");
    assert_eq!(error.to_string(), "2 batches for 3 cells");
    assert!(label_silhouettes(Array2::zeros((3, 0)).view(), &[0; 3]).is_err());
    let knn = KnnGraph::new(1, vec![9, 0, 0], vec![1.0; 3]).expect("ascending");
    let error = graph_connectivity_directed(&knn, &[0; 3]).expect_err("cell 9");
    assert_eq!(error.to_string(), "a neighbour of cell 0 is not among the 3 cells");
    assert!(lisi(&knn, &[&[0; 3]], &LisiParams { perplexity: Some(1.0), ..LisiParams::default() }).is_err());
    let wide = Csr::from_dense(&Array2::<f64>::ones((2, 3)));
    assert!(path_neighborhoods(&wide, 1).is_err());
    assert!(morans_i(&wide, fine.t()).is_err());
    assert_eq!(Convention::parse("scibb").expect_err("unknown").exit_code(), 2);
}
