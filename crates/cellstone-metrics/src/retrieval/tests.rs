//! Ranks against their definition, ties, and what masks do.

use super::*;
use cellstone_core::Seed;
use ndarray::{Array2, array};
use proptest::prelude::*;
use rand::RngExt;

/// Ranks by sorting distances computed one pair at a time.
fn brute(queries: &Array2<f64>, references: &Array2<f64>, distance: Distance) -> Vec<(usize, usize)> {
    let far = |a: ndarray::ArrayView1<'_, f64>, b: ndarray::ArrayView1<'_, f64>| match distance {
        Distance::L1 => (&a - &b).mapv(f64::abs).sum(),
        Distance::L2 => (&a - &b).mapv(|it| it * it).sum(),
        Distance::Cosine => {
            let (aa, bb) = (a.dot(&a), b.dot(&b));
            if aa == 0.0 || bb == 0.0 { 1.0 } else { (1.0 - a.dot(&b) / (aa * bb).sqrt()).clamp(0.0, 2.0) }
        }
        Distance::Correlation => 1.0 - crate::pearson(a, b).value().unwrap_or(0.0),
    };
    (0..queries.nrows())
        .map(|i| {
            let own = far(queries.row(i), references.row(i));
            let others = (0..references.nrows()).filter(|j| *j != i).map(|j| far(queries.row(i), references.row(j)));
            others.fold((0, 0), |(closer, tied), it| (closer + usize::from(it < own), tied + usize::from(it == own)))
        })
        .collect()
}

/// Those whose ties are exact on whole numbers.
const ALL: [Distance; 3] = [Distance::L1, Distance::L2, Distance::Cosine];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn ranks_match_their_definition(seed in 0_u64..1000, n in 1_usize..70, extra in 0_usize..5, genes in 1_usize..40) {
        let mut rng = Seed::new(seed).rng();
        // Small whole numbers: sums are exact, so ties are real and must be found.
        let mut draw = |rows: usize| Array2::from_shape_fn((rows, genes), |_| f64::from(rng.random_range(-2_i32..3)));
        let (queries, references) = (draw(n), draw(n + extra));
        for distance in ALL {
            let ranks = match_ranks(queries.view(), references.view(), distance).expect("shapes fit");
            let got: Vec<(usize, usize)> = ranks.iter().map(|it| (it.closer, it.tied)).collect();
            prop_assert_eq!(got, brute(&queries, &references, distance));
        }
    }
}

#[test]
fn correlations_are_ranked_like_their_definition() {
    let mut rng = Seed::new(8).rng();
    for (n, genes) in [(12, 3), (67, 501), (140, 40)] {
        let mut draw = || Array2::from_shape_fn((n, genes), |_| 5.0 + rng.random::<f64>());
        let (queries, mut references) = (draw(), draw());
        references.row_mut(3).fill(2.0);
        let ranks = match_ranks(queries.view(), references.view(), Distance::Correlation).expect("shapes fit");
        let got: Vec<(usize, usize)> = ranks.iter().map(|it| (it.closer, it.tied)).collect();
        assert_eq!(got, brute(&queries, &references, Distance::Correlation));
    }
}

#[test]
fn sums_in_single_precision_decide_nothing() {
    // Distances that agree to nine digits, values from tiny to huge: every order must be that of double precision.
    let mut rng = Seed::new(9).rng();
    for size in [1e-42, 1e-9, 1.0, 1e9, 1e150] {
        let base: Vec<f64> = (0..300).map(|_| rng.random::<f64>()).collect();
        let near = |rng: &mut cellstone_core::SeedRng| {
            Array2::from_shape_fn((70, 300), |(_, gene)| size * (base[gene] + 1e-9 * rng.random::<f64>()))
        };
        let queries = Array2::from_shape_fn((70, 300), |(row, gene)| size * base[(gene + row) % 300]);
        let references = near(&mut rng);
        let ranks = match_ranks(queries.view(), references.view(), Distance::L1).expect("shapes fit");
        let exact = |i: usize, j: usize| -> f64 {
            (0..300).map(|gene| (queries[[i, gene]] - references[[j, gene]]).abs() / size).sum()
        };
        for (i, rank) in ranks.iter().enumerate() {
            let own = exact(i, i);
            let surely = (0..70).filter(|j| exact(i, *j) < own - 1e-12).count();
            let perhaps = (0..70).filter(|j| exact(i, *j) < own + 1e-12).count();
            assert!((surely..=perhaps).contains(&rank.closer), "{size}: {} of {surely} to {perhaps}", rank.closer);
        }
    }
}

#[test]
fn a_constant_prediction_is_worth_half() {
    let mut rng = Seed::new(4).rng();
    let (n, genes) = (67, 501);
    let truth = Array2::from_shape_fn((n, genes), |_| rng.random::<f64>());
    let one: Vec<f64> = (0..genes).map(|_| rng.random()).collect();
    let pred = Array2::from_shape_fn((n, genes), |(_, gene)| one[gene]);
    for distance in ALL {
        let ranks = match_ranks(pred.view(), truth.view(), distance).expect("shapes fit");
        let total: f64 = ranks.iter().map(|it| 1.0 - it.midrank() / (n - 1) as f64).sum();
        assert!((total / n as f64 - 0.5).abs() < 1e-12, "{distance:?}");
    }
    let none = Array2::zeros((n, genes));
    for it in match_ranks(none.view(), truth.view(), Distance::Cosine).expect("shapes fit") {
        assert_eq!((it.closer, it.tied), (0, n - 1));
    }
}

#[test]
fn copies_of_a_truth_tie_exactly() {
    let mut rng = Seed::new(5).rng();
    let (n, genes) = (40, 777);
    let mut truth = Array2::from_shape_fn((n, genes), |_| 1e3 + rng.random::<f64>());
    let copy = truth.row(3).to_owned();
    truth.row_mut(31).assign(&copy);
    let pred = Array2::from_shape_fn((n, genes), |_| 1e3 + rng.random::<f64>());
    for distance in ALL {
        let ranks = match_ranks(pred.view(), truth.view(), distance).expect("shapes fit");
        assert!(ranks[3].tied >= 1 && ranks[31].tied >= 1, "{distance:?}");
        let exact = match_ranks(truth.view(), truth.view(), distance).expect("shapes fit");
        assert!(exact.iter().enumerate().all(|(at, it)| it.closer == 0 && it.tied == usize::from(at == 3 || at == 31)));
    }
}

#[test]
fn bad_shapes_and_values_are_named() {
    let two = array![[1.0], [2.0]];
    assert!(match_ranks(two.view(), array![[1.0]].view(), Distance::L1).is_err());
    let error = match_ranks(array![[f64::NAN], [2.0]].view(), two.view(), Distance::L2).expect_err("NaN");
    assert_eq!(error.to_string(), "query 0 holds a value that is not finite");
}
