//! Measures of one pair: the protocol's vectors, scipy, definitions, sparse against dense.

use cellstone_core::{Csr, Score, Seed, Why};
use cellstone_neighbors::{
    Overlap, SparseRow, cosine, cosine_sparse, kendall_tau_b, kendall_tau_b_sparse, pearson, pearson_sparse,
    rank_biased_overlap, rank_biased_overlap_ties, spearman, spearman_codetected, spearman_codetected_sparse,
    spearman_sparse, top_k_overlap, weighted_tau, weighted_tau_sparse,
};
use ndarray::Array2;
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Pair {
    name: String,
    a: Vec<f64>,
    b: Vec<f64>,
    pearson: f64,
    cosine: f64,
    spearman: f64,
    codetected: Option<f64>,
    kendall: f64,
    weighted: f64,
}

fn golden() -> Vec<Pair> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data-fixtures/golden/neighbors/similarity/pairs.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid")
}

fn value(score: cellstone_core::Result<Score>) -> f64 {
    score.expect("rows of one length").value().expect("defined")
}

/// Two rows as a sparse matrix.
fn sparse(a: &[f64], b: &[f64]) -> Csr<f32> {
    let rows = Array2::from_shape_fn((2, a.len()), |(row, gene)| if row == 0 { a[gene] } else { b[gene] } as f32);
    Csr::from_dense(&rows)
}

fn close(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() < 1e-12, "{what}: {got}, expected {want}");
}

#[test]
fn measures_equal_scipy() {
    for pair in golden() {
        let (a, b) = (&pair.a[..], &pair.b[..]);
        let x = sparse(a, b);
        let (sa, sb) = (SparseRow::of(&x, 0), SparseRow::of(&x, 1));
        let check = |dense: f64, sparse: f64, want: f64, what: &str| {
            close(dense, want, &format!("{what} of {}", pair.name));
            close(sparse, want, &format!("sparse {what} of {}", pair.name));
        };
        check(value(pearson(a, b)), value(pearson_sparse(&sa, &sb)), pair.pearson, "pearson");
        check(value(cosine(a, b)), value(cosine_sparse(&sa, &sb)), pair.cosine, "cosine");
        check(value(spearman(a, b)), value(spearman_sparse(&sa, &sb)), pair.spearman, "spearman");
        check(value(kendall_tau_b(a, b)), value(kendall_tau_b_sparse(&sa, &sb)), pair.kendall, "kendall");
        check(value(weighted_tau(a, b)), value(weighted_tau_sparse(&sa, &sb)), pair.weighted, "weighted tau");
        let (dense, stored) =
            (spearman_codetected(a, b).expect("valid"), spearman_codetected_sparse(&sa, &sb).expect("valid"));
        match pair.codetected {
            Some(want) => {
                check(dense.value().expect("enough"), stored.value().expect("enough"), want, "codetected");
            }
            None => {
                let too_few = Score::Undefined(Why::TooFewGenes);
                assert_eq!((dense, stored), (too_few, too_few));
            }
        }
    }
}

#[test]
fn the_vectors_of_the_protocol() {
    let a = [0.0, 0.0, 0.0, 1.0, 2.0, 5.0, 0.0, 3.0];
    let b = [0.0, 1.0, 0.0, 0.0, 2.0, 4.0, 0.0, 3.0];
    let x = sparse(&a, &b);
    let (sa, sb) = (SparseRow::of(&x, 0), SparseRow::of(&x, 1));
    let near = |got: f64, want: f64| assert!((got - want).abs() < 5e-11, "{got}, expected {want}");
    near(value(spearman(&a, &b)), 0.831_081_081_1);
    near(value(spearman_sparse(&sa, &sb)), 0.831_081_081_1);
    near(value(kendall_tau_b(&a, &b)), 0.772_727_272_7);
    near(value(kendall_tau_b_sparse(&sa, &sb)), 0.772_727_272_7);
    near(value(weighted_tau(&a, &b)), 0.882_123_210_8);
    near(value(weighted_tau_sparse(&sa, &sb)), 0.882_123_210_8);
    near(value(rank_biased_overlap(&[1, 2, 3, 4, 5], &[2, 1, 3, 5, 4], 0.9)), 0.881_775);
}

/// Sign of every pair of genes.
fn signs(a: &[f64], b: &[f64]) -> Vec<(usize, usize, f64, f64)> {
    let sign = |x: f64, y: f64| x.partial_cmp(&y).map_or(0.0, |it| f64::from(it as i8));
    let pairs = (0..a.len()).flat_map(|j| (0..j).map(move |i| (i, j)));
    pairs.map(|(i, j)| (i, j, sign(a[i], a[j]), sign(b[i], b[j]))).collect()
}

fn brute_kendall(a: &[f64], b: &[f64]) -> f64 {
    let (mut num, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for (_, _, x, y) in signs(a, b) {
        num += x * y;
        in_a += x * x;
        in_b += y * y;
    }
    num / f64::sqrt(in_a * in_b)
}

/// The definition, for one order of reference: ranks by `a`, ties by `b`, highest first.
fn brute_weighted(a: &[f64], b: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..a.len()).collect();
    order.sort_by(|i, j| a[*j].total_cmp(&a[*i]).then(b[*j].total_cmp(&b[*i])));
    let mut weight = vec![0.0; a.len()];
    order.iter().enumerate().for_each(|(rank, it)| weight[*it] = 1.0 / (rank as f64 + 1.0));
    let (mut num, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for (i, j, x, y) in signs(a, b) {
        let w = weight[i] + weight[j];
        num += w * x * y;
        in_a += w * x * x;
        in_b += w * y * y;
    }
    num / f64::sqrt(in_a * in_b)
}

fn brute_rbo(a: &[u32], b: &[u32], p: f64) -> f64 {
    let k = a.len().min(b.len());
    let agreement = |d: usize| a[..d].iter().filter(|it| b[..d].contains(it)).count() as f64 / d as f64;
    let sum: f64 = (1..=k).map(|d| agreement(d) * p.powi(d as i32)).sum();
    agreement(k) * p.powi(k as i32) + (1.0 - p) / p * sum
}

/// Rows with many zeros and ties, some values negative; both vary.
fn rows() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
    let gene = prop_oneof![3 => Just(0.0), 3 => (1_i32..5).prop_map(f64::from), 1 => (-3_i32..0).prop_map(f64::from)];
    prop::collection::vec((gene.clone(), gene), 2..90)
        .prop_map(|it| it.into_iter().unzip())
        .prop_filter("constant", |(a, b): &(Vec<f64>, Vec<f64>)| {
            [a, b].iter().all(|row| row.iter().any(|it| *it != row[0]))
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn taus_follow_their_definition((a, b) in rows()) {
        prop_assert!((value(kendall_tau_b(&a, &b)) - brute_kendall(&a, &b)).abs() < 1e-12);
        let want = (brute_weighted(&a, &b) + brute_weighted(&b, &a)) / 2.0;
        prop_assert!((value(weighted_tau(&a, &b)) - want).abs() < 1e-12);
    }

    #[test]
    fn sparse_rows_give_what_dense_rows_give((a, b) in rows()) {
        let x = sparse(&a, &b);
        let (sa, sb) = (SparseRow::of(&x, 0), SparseRow::of(&x, 1));
        for (dense, stored) in [
            (pearson(&a, &b), pearson_sparse(&sa, &sb)),
            (spearman(&a, &b), spearman_sparse(&sa, &sb)),
            (kendall_tau_b(&a, &b), kendall_tau_b_sparse(&sa, &sb)),
            (weighted_tau(&a, &b), weighted_tau_sparse(&sa, &sb)),
            (spearman_codetected(&a, &b), spearman_codetected_sparse(&sa, &sb)),
            (cosine(&a, &b), cosine_sparse(&sa, &sb)),
        ] {
            match (dense.expect("valid"), stored.expect("valid")) {
                (Score::Value(dense), Score::Value(stored)) => prop_assert!((dense - stored).abs() < 1e-12),
                (dense, stored) => prop_assert_eq!(dense, stored),
            }
        }
    }

    #[test]
    fn rank_measures_see_order_alone((a, b) in rows()) {
        let rising = |row: &[f64]| row.iter().map(|it| (it / 2.0).exp() - 40.0).collect::<Vec<_>>();
        let (c, d) = (rising(&a), rising(&b));
        prop_assert!((value(spearman(&a, &b)) - value(spearman(&c, &d))).abs() < 1e-14);
        prop_assert_eq!(value(kendall_tau_b(&a, &b)), value(kendall_tau_b(&c, &d)));
        prop_assert!((value(weighted_tau(&a, &b)) - value(weighted_tau(&c, &d))).abs() < 1e-12);
        prop_assert!((value(spearman(&a, &a)) - 1.0).abs() < 1e-14);
        prop_assert!((value(weighted_tau(&a, &a)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn overlaps_follow_their_definition(
        a in Just((0_u32..40).collect::<Vec<_>>()).prop_shuffle(),
        b in Just((0_u32..60).collect::<Vec<_>>()).prop_shuffle(),
        n in 1_usize..40, m in 1_usize..60, p in 0.5_f64..0.99, k in 1_usize..50,
    ) {
        let (a, b) = (&a[..n], &b[..m]);
        let mut overlap = Overlap::new();
        // Twice, because the second pair must not see the first.
        for _ in 0..2 {
            prop_assert!((value(overlap.rank_biased(a, b, p)) - brute_rbo(a, b, p)).abs() < 1e-12);
            let found = overlap.top_k(a, b, k).expect("valid").expect("not empty");
            let k = k.min(n).min(m);
            let shared = a[..k].iter().filter(|it| b[..k].contains(it)).count();
            prop_assert_eq!(found.k, k);
            prop_assert_eq!(found.overlap, shared as f64 / k as f64);
            prop_assert_eq!(found.jaccard, shared as f64 / (2 * k - shared) as f64);
        }
    }
}

#[test]
fn tied_lists_are_averaged_over_orders() {
    let a = [(3, 2.0), (1, 5.0), (2, 2.0), (9, 1.0)];
    let b = [(1, 4.0), (3, 1.0), (2, 3.0), (9, 0.5)];
    let draw = |a: &[(u32, f64)], n: usize| value(rank_biased_overlap_ties(a, &b, 0.8, n, Seed::new(4)));
    // Either 1, 2, 3, 9 or 1, 3, 2, 9 against 1, 2, 3, 9.
    let either = [brute_rbo(&[1, 2, 3, 9], &[1, 2, 3, 9], 0.8), brute_rbo(&[1, 3, 2, 9], &[1, 2, 3, 9], 0.8)];
    assert!((draw(&a, 4_000) - (either[0] + either[1]) / 2.0).abs() < 0.01);
    assert!(either.iter().any(|it| (draw(&a, 1) - it).abs() < 1e-12));
    let turned: Vec<(u32, f64)> = a.iter().rev().copied().collect();
    assert_eq!(draw(&a, 20), draw(&turned, 20));
    let untied = [(1, 4.0), (2, 3.0), (3, 1.5)];
    assert!((draw(&untied, 7) - 1.0).abs() < 1e-12);
}

#[test]
fn undefined_pairs_say_why() {
    let (flat, steps) = ([2.0; 40], std::array::from_fn::<f64, 40, _>(|it| it as f64));
    let constant = Score::Undefined(Why::ConstantVector);
    for measure in [pearson, spearman, kendall_tau_b, weighted_tau, spearman_codetected] {
        assert_eq!(measure(&flat, &steps).expect("valid"), constant);
        assert_eq!(measure(&steps, &flat).expect("valid"), constant);
        assert_eq!(measure(&[1.0], &[1.0]).expect("valid"), Score::Undefined(Why::TooFewGenes));
        let mut broken = steps;
        broken[3] = f64::NAN;
        assert_eq!(measure(&steps, &broken).expect("valid"), Score::Undefined(Why::NotFinite));
        let error = measure(&steps, &flat[..39]).expect_err("lengths");
        assert!(error.to_string().contains("rows of 40 and 39 genes"), "{error}");
    }
    assert_eq!(cosine(&[0.0, 0.0], &[1.0, 2.0]).expect("valid"), Score::Undefined(Why::ZeroVector));
    assert_eq!(rank_biased_overlap(&[], &[1], 0.9).expect("valid"), Score::Undefined(Why::TooFewGenes));
    assert!(rank_biased_overlap(&[1], &[1], 1.0).expect_err("p").to_string().contains("persistence 1"));
    assert!(
        rank_biased_overlap(&[1, 1], &[1, 2], 0.5).expect_err("repeat").to_string().contains("token 1 comes twice")
    );
    assert_eq!(top_k_overlap(&[], &[1], 5).expect("valid"), None);
}
