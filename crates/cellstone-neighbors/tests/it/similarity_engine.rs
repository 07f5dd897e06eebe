//! All pairs: equality with scipy and with the measures of one pair, independence of blocks, threads and order,
//! summaries against brute force, bad input.

use crate::common::{on_threads, shuffled};
use cellstone_core::{Csr, Score, Seed, Why};
use cellstone_neighbors::{
    Distribution, JOINT_BINS, Measure, NeighborLists, PairOptions, PairSummaries, Relation, Rows, Separation,
    Similarity, all_pairs, all_pairs_with, cosine, exact_quantiles, joint_histogram, pearson, purity_at_k, spearman,
};
use ndarray::{Array2, Axis};
use rand::RngExt;
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};

const ALL: [Similarity; 4] = [Similarity::Euclidean, Similarity::Cosine, Similarity::Pearson, Similarity::Spearman];

/// Counts of cells of `n_types` types, each gene seen in about `detected` of the cells.
fn counts(n: usize, n_genes: usize, n_types: u32, detected: f64, seed: u64) -> (Array2<f32>, Vec<u32>) {
    let types: Vec<u32> = (0..n as u32).map(|it| it % n_types).collect();
    let mut rng = Seed::new(seed).rng();
    let level = Array2::from_shape_fn((n_types as usize, n_genes), |_| rng.random::<f64>().powi(2) * 2.0 * detected);
    let x = Array2::from_shape_fn((n, n_genes), |(cell, gene)| {
        let share = level[[types[cell] as usize, gene]];
        let hits = (0..6).filter(|_| rng.random::<f64>() < share).count();
        if rng.random::<f64>() < 0.9 { hits as f32 } else { 0.0 }
    });
    (x, types)
}

fn summaries(x: &Array2<f32>, similarity: Similarity, options: &PairOptions<'_>) -> PairSummaries {
    all_pairs(Rows::Dense(x.view()), similarity, options).expect("valid")
}

/// Every similarity, from lists that are as long as there are rows; the diagonal is NaN.
fn matrix(lists: &NeighborLists) -> Array2<f64> {
    let n = lists.n_obs();
    let mut out = Array2::from_elem((n, n), f64::NAN);
    for row in 0..n {
        let (near, similarities) = lists.neighbors(row);
        near.iter().zip(similarities).for_each(|(other, it)| out[[row, *other as usize]] = *it);
    }
    out
}

fn all_values(rows: Rows<'_>, similarity: Similarity, groups: &[u32], n_groups: usize) -> Array2<f64> {
    let options = PairOptions { k: groups.len() - 1, ..PairOptions::new(groups, n_groups) };
    matrix(all_pairs(rows, similarity, &options).expect("valid").neighbors().expect("asked for"))
}

/// By definition, in f64.
fn exact(x: &Array2<f32>, similarity: Similarity, i: usize, j: usize) -> f64 {
    let row = |it: usize| x.row(it).iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let (a, b) = (row(i), row(j));
    let score = match similarity {
        Similarity::Euclidean => return -a.iter().zip(&b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
        Similarity::Cosine => cosine(&a, &b),
        Similarity::Pearson => pearson(&a, &b),
        Similarity::Spearman => spearman(&a, &b),
    };
    score.expect("valid").value().expect("defined")
}

#[derive(Deserialize)]
struct Cells {
    cells: Vec<Vec<f32>>,
    rho: Vec<f64>,
}

#[test]
fn blocked_spearman_equals_scipy() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data-fixtures/golden/neighbors/similarity/cells.json");
    let golden: Cells = serde_json::from_str(&std::fs::read_to_string(path).expect("stored")).expect("valid");
    let x = Array2::from_shape_vec((200, 80), golden.cells.concat()).expect("one width");
    let values = all_values(Rows::Dense(x.view()), Similarity::Spearman, &[0; 200], 1);
    let pairs = (0..200).flat_map(|i| (i + 1..200).map(move |j| (i, j)));
    let mut largest = 0.0_f64;
    for ((i, j), want) in pairs.zip(&golden.rho) {
        assert_eq!(values[[i, j]], values[[j, i]]);
        largest = largest.max((values[[i, j]] - want).abs());
    }
    assert!(largest < 1e-6, "off by {largest:e}");
}

#[test]
fn blocks_equal_the_measures_of_one_pair() {
    // Many panels of genes, more than one block of rows, and counts of few levels, whose products are equal numbers.
    let (x, types) = counts(230, 2_435, 3, 0.3, 1);
    for similarity in ALL {
        let dense = all_values(Rows::Dense(x.view()), similarity, &types, 3);
        let stored = all_values(Rows::Sparse(&Csr::from_dense(&x)), similarity, &types, 3);
        assert!(dense.iter().zip(&stored).all(|(a, b)| a.to_bits() == b.to_bits()), "{similarity:?}");
        let tolerance = if similarity == Similarity::Euclidean { 1e-5 * 70.0 } else { 1e-6 };
        let mut largest = 0.0_f64;
        for i in (0..230).step_by(23) {
            for j in (0..230).filter(|it| *it != i) {
                largest = largest.max((dense[[i, j]] - exact(&x, similarity, i, j)).abs());
            }
        }
        assert!(largest < tolerance, "{similarity:?} off by {largest:e}");
    }
}

#[test]
fn many_genes_are_multiplied_sparse_with_the_same_result() {
    // Above 5,000 genes and below a quarter of stored values: the sparse product. The dense rows are not.
    let (x, types) = counts(250, 5_200, 4, 0.03, 2);
    let stored = Csr::from_dense(&x);
    assert!((stored.nnz() as f64) < 0.2 * 250.0 * 5_200.0);
    for similarity in ALL {
        let dense = all_values(Rows::Dense(x.view()), similarity, &types, 4);
        let sparse = all_values(Rows::Sparse(&stored), similarity, &types, 4);
        let tolerance = if similarity == Similarity::Euclidean { 2e-4 } else { 1e-6 };
        let largest = dense.iter().zip(&sparse).fold(0.0_f64, |it, (a, b)| it.max((a - b).abs()));
        assert!(largest > 0.0 && largest < tolerance, "{similarity:?} off by {largest:e}");
        for (i, j) in [(0, 1), (3, 200), (17, 94)] {
            assert!((sparse[[i, j]] - exact(&x, similarity, i, j)).abs() < tolerance);
        }
    }
}

#[test]
fn blocks_threads_and_order_do_not_change_a_byte() {
    let (mut x, types) = counts(900, 1_100, 7, 0.2, 3);
    x.row_mut(17).fill(1.0);
    let strata: Vec<u32> = (0..900_u32).map(|it| it * 7 % 11 % 3).collect();
    let sparse = Csr::from_dense(&counts(900, 5_100, 7, 0.01, 3).0);
    let options = PairOptions { strata: Some(&strata), k: 12, k_other: 9, ..PairOptions::new(&types, 7) };
    for rows in [Rows::Dense(x.view()), Rows::Sparse(&sparse)] {
        for similarity in ALL {
            let run = |threads: usize, block: Option<usize>| {
                on_threads(threads, || all_pairs(rows, similarity, &PairOptions { block, ..options }).expect("valid"))
            };
            let first = run(1, None);
            assert!(first.pair(0, 1, Relation::Other).n() > 0);
            for (threads, block) in [(2, None), (3, Some(96)), (2, Some(300)), (1, Some(1_920))] {
                assert!(run(threads, block) == first, "{similarity:?}, {threads} threads, blocks of {block:?}");
            }
        }
    }
    let order = shuffled(900, 5);
    let turned = x.select(Axis(0), &order);
    let pick = |of: &[u32]| order.iter().map(|it| of[*it]).collect::<Vec<_>>();
    let (turned_types, turned_strata) = (pick(&types), pick(&strata));
    let other = PairOptions { strata: Some(&turned_strata), ..PairOptions::new(&turned_types, 7) };
    for similarity in [Similarity::Cosine, Similarity::Pearson, Similarity::Spearman] {
        let (one, two) = (
            summaries(&x, similarity, &PairOptions { k: 0, k_other: 0, ..options }),
            summaries(&turned, similarity, &other),
        );
        for relation in [Relation::All, Relation::Same, Relation::Other] {
            for a in 0..7 {
                for b in 0..=a {
                    assert!(one.pair(a, b, relation) == two.pair(a, b, relation), "{similarity:?} of {a}, {b}");
                }
            }
        }
    }
}

/// Values of pairs by definition of groups and relation.
fn brute(values: &Array2<f64>, keep: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let n = values.nrows();
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let mut found: Vec<f64> = pairs.filter(|(i, j)| keep(*i, *j)).map(|(i, j)| values[[i, j]]).collect();
    found.sort_by(f64::total_cmp);
    found
}

fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

fn check_distribution(found: &Distribution, want: &[f64], what: &str) {
    assert_eq!(found.n(), want.len() as u64, "{what}");
    assert_eq!(found.outside(), (0, 0), "{what}");
    assert_eq!(found.counts().iter().sum::<u64>(), want.len() as u64, "{what}");
    let width = found.grid().width();
    let (n, mean) = (want.len() as f64, want.iter().sum::<f64>() / want.len() as f64);
    let sd = (want.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let range = found.grid().high - found.grid().low;
    assert!((found.mean().expect("pairs") - mean).abs() < 1e-7 * range, "{what}");
    assert!((found.sd().expect("pairs") - sd).abs() < 1e-6 * range, "{what}");
    assert_eq!((found.min(), found.max()), (Some(want[0]), Some(want[want.len() - 1])), "{what}");
    for q in [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0] {
        let (got, want) = (found.quantile(q).expect("pairs"), quantile(want, q));
        assert!((got - want).abs() < 0.501 * width, "{what}, {q}: {got}, expected {want}");
    }
    for (bin, count) in found.counts().iter().enumerate().filter(|it| *it.1 > 0) {
        // A value within 1/1024 of a border may be on either side of it.
        let (low, high) = (found.grid().center(bin) - 0.501 * width, found.grid().center(bin) + 0.501 * width);
        assert!(want.iter().filter(|it| low <= **it && **it <= high).count() as u64 >= *count, "{what}");
    }
}

#[test]
fn summaries_equal_brute_force() {
    let (x, types) = counts(260, 150, 4, 0.4, 7);
    let strata: Vec<u32> = (0..260_u32).map(|it| it / 4 % 3).collect();
    for similarity in ALL {
        let values = all_values(Rows::Dense(x.view()), similarity, &types, 4);
        let options = PairOptions { strata: Some(&strata), ..PairOptions::new(&types, 4) };
        let found = summaries(&x, similarity, &options);
        for relation in [Relation::All, Relation::Same, Relation::Other] {
            let related = |i: usize, j: usize| match relation {
                Relation::All => true,
                Relation::Same => strata[i] == strata[j],
                Relation::Other => strata[i] != strata[j],
            };
            let medians =
                exact_quantiles(Rows::Dense(x.view()), similarity, &options, &found, relation, 0.5).expect("valid");
            let upper =
                exact_quantiles(Rows::Dense(x.view()), similarity, &options, &found, relation, 0.9).expect("valid");
            for a in 0..4 {
                for b in 0..=a {
                    let of = |i: usize, j: usize| (types[i], types[j]) == (a, b) || (types[i], types[j]) == (b, a);
                    let want = brute(&values, |i, j| of(i, j) && related(i, j));
                    check_distribution(
                        &found.pair(a, b, relation),
                        &want,
                        &format!("{similarity:?} {a} {b} {relation:?}"),
                    );
                    assert!((medians.pair(a, b).expect("pairs") - quantile(&want, 0.5)).abs() < 1e-12);
                    assert!((upper.pair(b, a).expect("pairs") - quantile(&want, 0.9)).abs() < 1e-12);
                }
                let within = brute(&values, |i, j| types[i] == a && types[j] == a && related(i, j));
                let between = brute(&values, |i, j| (types[i] == a) != (types[j] == a) && related(i, j));
                check_separation(&found.separation_of(a, relation), &Separation::of_points(&within, &between));
            }
            let within = brute(&values, |i, j| types[i] == types[j] && related(i, j));
            let between = brute(&values, |i, j| types[i] != types[j] && related(i, j));
            check_distribution(&found.within(relation), &within, "within");
            check_distribution(&found.between(relation), &between, "between");
            let points = Separation::of_points(&within, &between);
            check_separation(&found.separation(relation), &points);
            // By counting every pair of pairs of a part.
            let part: Vec<f64> = within.iter().step_by(5).copied().collect();
            let wins: f64 =
                part.iter().flat_map(|w| between.iter().map(move |b| f64::from(w.total_cmp(b) as i8))).sum();
            let delta = wins / part.len() as f64 / between.len() as f64;
            let counted = Separation::of_points(&part, &between).cliffs_delta.value().expect("pairs");
            assert!((counted - delta).abs() < 1e-12);
            let each: Vec<f64> = (0..4).filter_map(|it| found.separation_of(it, relation).auroc.value()).collect();
            let mean = found.macro_auroc(relation);
            assert_eq!((mean.n_defined, mean.n_groups), (4, 4));
            assert!((mean.mean.value().expect("groups") - each.iter().sum::<f64>() / 4.0).abs() < 1e-12);
        }
        assert_eq!(found.within_medians(Relation::All)[2], found.pair(2, 2, Relation::All).median());
        assert_eq!(found.between_medians(Relation::Other).len(), 6);
    }
}

fn check_separation(found: &Separation, want: &Separation) {
    let near = |a: Score, b: Score, tolerance: f64| {
        let (a, b) = (a.value().expect("pairs"), b.value().expect("pairs"));
        assert!((a - b).abs() < tolerance, "{a}, expected {b}");
    };
    near(found.auroc, want.auroc, 1.0 / 4096.0);
    near(found.cliffs_delta, want.cliffs_delta, 2.0 / 4096.0);
    near(found.cohens_d, want.cohens_d, 1e-5);
    near(found.d_prime, want.d_prime, 1e-5);
}

#[test]
fn values_outside_the_range_are_counted_outside() {
    let (x, types) = counts(120, 90, 2, 0.4, 8);
    let options = PairOptions { range: Some((-0.02, 0.05)), n_bins: 10, ..PairOptions::new(&types, 2) };
    let found = summaries(&x, Similarity::Spearman, &options).pair(0, 1, Relation::All);
    let values = all_values(Rows::Dense(x.view()), Similarity::Spearman, &types, 2);
    let want = brute(&values, |i, j| types[i] != types[j]);
    let count = |low: f64, high: f64| want.iter().filter(|it| low <= **it && **it < high).count() as u64;
    assert_eq!(found.outside(), (count(-2.0, -0.02), count(0.05, 2.0)));
    assert!(found.outside().0 > 0 && found.outside().1 > 0);
    assert_eq!(found.counts().iter().sum::<u64>(), count(-0.02, 0.05));
    assert_eq!(found.quantile(0.0), found.min());
    assert_eq!(found.quantile(1.0), found.max());
}

#[test]
fn constant_rows_are_excluded_and_listed() {
    let (mut x, types) = counts(150, 60, 3, 0.5, 9);
    x.row_mut(4).fill(3.0);
    x.row_mut(99).fill(0.0);
    let options = PairOptions { k: 5, ..PairOptions::new(&types, 3) };
    for (similarity, want) in [
        (Similarity::Spearman, &[4, 99][..]),
        (Similarity::Pearson, &[4, 99]),
        (Similarity::Cosine, &[99]),
        (Similarity::Euclidean, &[]),
    ] {
        for rows in [Rows::Dense(x.view()), Rows::Sparse(&Csr::from_dense(&x))] {
            let found = all_pairs(rows, similarity, &options).expect("valid");
            assert_eq!(found.excluded(), want, "{similarity:?}");
            let n = 150 - want.len() as u64;
            assert_eq!(found.within(Relation::All).n() + found.between(Relation::All).n(), n * (n - 1) / 2);
            let lists = found.neighbors().expect("asked for");
            for row in 0..150 {
                let is_excluded = want.contains(&(row as u32));
                assert_eq!(lists.neighbors(row).0.len(), if is_excluded { 0 } else { 5 });
                assert!(lists.neighbors(row).0.iter().all(|it| !want.contains(it)));
            }
            assert_eq!(lists.to_graph(5).is_ok(), want.is_empty());
        }
    }
}

#[test]
fn lists_are_the_most_similar_rows() {
    // Few levels and copies of cells: many equal similarities.
    let (mut x, types) = counts(330, 12, 3, 0.5, 10);
    for copy in 0..40 {
        let row = x.row(copy).to_owned();
        x.row_mut(290 + copy).assign(&row);
    }
    x.column_mut(0).iter_mut().enumerate().for_each(|(cell, it)| *it = 1.0 + (cell % 40) as f32);
    let strata: Vec<u32> = (0..330_u32).map(|it| it % 5).collect();
    for similarity in ALL {
        let values = all_values(Rows::Dense(x.view()), similarity, &types, 3);
        for k in [1, 7, 50] {
            let options =
                PairOptions { strata: Some(&strata), k, k_other: k, block: Some(96), ..PairOptions::new(&types, 3) };
            let found = summaries(&x, similarity, &options);
            for row in 0..330 {
                let best = |keep: &dyn Fn(usize) -> bool| {
                    let mut others: Vec<usize> = (0..330).filter(|it| *it != row && keep(*it)).collect();
                    others.sort_by(|i, j| values[[row, *j]].total_cmp(&values[[row, *i]]).then(i.cmp(j)));
                    others[..k].iter().map(|it| *it as u32).collect::<Vec<_>>()
                };
                assert_eq!(found.neighbors().expect("lists").neighbors(row).0, best(&|_| true), "{similarity:?} {row}");
                let other = found.other_neighbors().expect("lists").neighbors(row);
                assert_eq!(other.0, best(&|it| strata[it] != strata[row]));
                assert!(other.1.windows(2).all(|w| w[0] >= w[1]));
            }
            let graph = found.neighbors().expect("lists").to_graph(k).expect("full");
            let (near, far) = (graph.neighbors(3), found.neighbors().expect("lists").neighbors(3));
            assert_eq!(near.0, far.0);
            let offset = if similarity == Similarity::Euclidean { 0.0 } else { 1.0 };
            assert!((near.1[0] - (offset - far.1[0])).abs() < 1e-12);
        }
    }
}

#[test]
fn purity_is_a_share_of_neighbours() {
    let (x, types) = counts(300, 80, 3, 0.5, 11);
    let strata: Vec<u32> = (0..300_u32).map(|it| it / 3 % 4).collect();
    let options = PairOptions { strata: Some(&strata), k: 20, k_other: 20, ..PairOptions::new(&types, 3) };
    let found = summaries(&x, Similarity::Spearman, &options);
    for (lists, strata) in
        [(found.neighbors().expect("lists"), None), (found.other_neighbors().expect("lists"), Some(&strata[..]))]
    {
        let purity = purity_at_k(lists, &types, 3, 15, strata).expect("valid");
        let mut means = [0.0; 3];
        for row in 0..300 {
            let near = &lists.neighbors(row).0[..15];
            let share = near.iter().filter(|it| types[**it as usize] == types[row]).count() as f64 / 15.0;
            assert_eq!(purity.per_cell[row], Some(share));
            means[types[row] as usize] += share / 100.0;
        }
        for (got, want) in purity.per_label.iter().zip(means) {
            assert!((got.expect("cells") - want).abs() < 1e-12);
        }
        assert!((purity.macro_mean.mean.value().expect("cells") - means.iter().sum::<f64>() / 3.0).abs() < 1e-12);
        assert!(purity.macro_mean.mean.value() > Some(0.9), "types are distinct");
        let chance = purity.expected.mean.value().expect("cells");
        // Of 299 others 99 are of the type; of 225 in other strata 75.
        let want = if strata.is_some() { 75.0 / 225.0 } else { 99.0 / 299.0 };
        assert!((chance - want).abs() < 1e-12, "{chance}");
    }
    let random: Vec<u32> = shuffled(300, 3).iter().map(|it| *it as u32 % 3).collect();
    let purity = purity_at_k(found.neighbors().expect("lists"), &random, 3, 15, None).expect("valid");
    assert!((purity.macro_mean.mean.value().expect("cells") - 99.0 / 299.0).abs() < 0.04);
    let error = purity_at_k(found.neighbors().expect("lists"), &types, 3, 21, None).expect_err("k");
    assert!(error.to_string().contains("21 neighbours of lists that hold 20"), "{error}");
}

#[test]
fn random_labels_separate_nothing() {
    let (x, types) = counts(700, 60, 3, 0.5, 12);
    let random: Vec<u32> = shuffled(700, 1).iter().map(|it| *it as u32 % 3).collect();
    for similarity in ALL {
        let auroc = |labels: &[u32]| {
            summaries(&x, similarity, &PairOptions::new(labels, 3))
                .separation(Relation::All)
                .auroc
                .value()
                .expect("pairs")
        };
        assert!((auroc(&random) - 0.5).abs() < 0.01, "{similarity:?}: {}", auroc(&random));
        assert!(auroc(&types) > 0.8, "{similarity:?}");
    }
}

#[test]
fn splitting_a_type_changes_only_its_own_pairs() {
    let (x, types) = counts(400, 70, 4, 0.5, 13);
    let split: Vec<u32> =
        types.iter().enumerate().map(|(at, it)| if *it == 3 && at >= 200 { 4 } else { *it }).collect();
    let (one, two) = (
        summaries(&x, Similarity::Pearson, &PairOptions::new(&types, 4)),
        summaries(&x, Similarity::Pearson, &PairOptions::new(&split, 5)),
    );
    for a in 0..3 {
        for b in 0..=a {
            assert_eq!(one.pair(a, b, Relation::All), two.pair(a, b, Relation::All));
        }
        let parts = two.pair(a, 3, Relation::All).n() + two.pair(a, 4, Relation::All).n();
        assert_eq!(one.pair(a, 3, Relation::All).n(), parts);
    }
}

#[test]
fn ranks_hide_a_difference_of_scale() {
    let (mut x, _) = counts(300, 100, 1, 0.5, 14);
    let groups: Vec<u32> = (0..300).map(|it| it % 2).collect();
    x.rows_mut().into_iter().zip(&groups).filter(|it| *it.1 == 1).for_each(|(mut row, _)| row *= 8.0);
    let auroc = |similarity| {
        summaries(&x, similarity, &PairOptions::new(&groups, 2)).separation(Relation::All).auroc.value().expect("pairs")
    };
    assert!((auroc(Similarity::Spearman) - 0.5).abs() < 0.01);
    // Copies scaled up are far from the others and from each other: only one of the two types is compact.
    let compact = summaries(&x, Similarity::Euclidean, &PairOptions::new(&groups, 2)).separation_of(0, Relation::All);
    assert!(compact.auroc.value() > Some(0.99));
}

#[test]
fn joint_histograms_count_every_pair_once() {
    let (x, types) = counts(210, 60, 3, 0.5, 15);
    let mut y = x.mapv(|it| (1.0 + it).ln());
    y.row_mut(8).fill(0.0);
    let strata: Vec<u32> = (0..210_u32).map(|it| it / 3 % 2).collect();
    let options = PairOptions { strata: Some(&strata), block: Some(96), ..PairOptions::new(&types, 3) };
    let first = Measure { rows: Rows::Dense(x.view()), similarity: Similarity::Spearman, range: None };
    let second = Measure { rows: Rows::Dense(y.view()), similarity: Similarity::Cosine, range: Some((0.0, 0.8)) };
    let (of_x, of_y) =
        (all_values(first.rows, first.similarity, &types, 3), all_values(second.rows, second.similarity, &types, 3));
    for relation in [Relation::All, Relation::Other] {
        let found = joint_histogram(first, second, &options, relation).expect("valid");
        assert_eq!(found.excluded, [8]);
        let (mut within, mut between) = (vec![0_i64; JOINT_BINS * JOINT_BINS], vec![0_i64; JOINT_BINS * JOINT_BINS]);
        let bin = |value: f64, low: f64, high: f64| ((value - low) / (high - low) * 256.0).clamp(0.0, 255.0) as usize;
        for (i, j) in (0..210).flat_map(|i| (i + 1..210).map(move |j| (i, j))).filter(|it| it.0 != 8 && it.1 != 8) {
            if relation == Relation::All || strata[i] != strata[j] {
                let at = bin(of_x[[i, j]], -1.0, 1.0) * JOINT_BINS + bin(of_y[[i, j]], 0.0, 0.8);
                *(if types[i] == types[j] { &mut within[at] } else { &mut between[at] }) += 1;
            }
        }
        for (found, want) in [(found.within, within), (found.between, between)] {
            assert_eq!(found.iter().sum::<u64>() as i64, want.iter().sum::<i64>());
            // Values on a border may be on either side.
            let moved: i64 = found.iter().zip(&want).map(|(a, b)| (*a as i64 - b).abs()).sum();
            assert!(moved <= want.iter().sum::<i64>() / 100, "{moved} moved");
        }
    }
}

#[test]
fn progress_counts_all_pairs() {
    let (x, types) = counts(500, 20, 2, 0.5, 16);
    let heard = AtomicU64::new(0);
    let done = |it: u64| {
        heard.fetch_add(it, Ordering::Relaxed);
    };
    all_pairs_with(Rows::Dense(x.view()), Similarity::Cosine, &PairOptions::new(&types, 2), &done).expect("valid");
    assert_eq!(heard.into_inner(), 500 * 499 / 2);
}

#[test]
fn bad_input_is_named() {
    let (x, types) = counts(30, 20, 2, 0.5, 17);
    let good = PairOptions::new(&types, 2);
    let fails = |rows: Rows<'_>, options: &PairOptions<'_>| {
        all_pairs(rows, Similarity::Spearman, options).expect_err("bad input").to_string()
    };
    let rows = Rows::Dense(x.view());
    assert_eq!(fails(rows, &PairOptions::new(&types[..29], 2)), "29 groups for 30 rows");
    assert_eq!(fails(rows, &PairOptions::new(&types, 1)), "row 1 is of group 1, expected below 1");
    assert_eq!(fails(rows, &PairOptions { strata: Some(&[0]), ..good }), "1 strata for 30 rows");
    assert!(fails(rows, &PairOptions { k_other: 3, ..good }).contains("no strata given"));
    assert_eq!(fails(rows, &PairOptions { n_bins: 1, ..good }), "1 bins, expected 2 to 8190");
    assert!(fails(rows, &PairOptions { range: Some((1.0, f64::NAN)), ..good }).contains("histogram range from 1"));
    assert!(fails(rows, &PairOptions { max_bytes: 1 << 10, ..good }).contains("histograms need 1 MiB"));
    let flat = Array2::<f32>::zeros((30, 20));
    assert!(fails(Rows::Dense(flat.view()), &good).contains("30 of 30 rows are constant"));
    assert!(fails(Rows::Dense(Array2::zeros((30, 0)).view()), &good).contains("30 rows of 0 genes"));
    let mut broken = x.clone();
    broken[[7, 3]] = f32::INFINITY;
    broken[[9, 1]] = f32::NAN;
    let error = all_pairs(Rows::Dense(broken.view()), Similarity::Euclidean, &good).expect_err("infinite");
    assert_eq!(error.to_string(), "row 7 has inf at gene 3, expected a finite value");
    assert!(fails(Rows::Sparse(&Csr::from_dense(&broken)), &good).contains("row 7 has inf at gene 3"));
    let found = summaries(&x, Similarity::Spearman, &good);
    let again =
        |q| exact_quantiles(rows, Similarity::Spearman, &PairOptions { n_bins: 8, ..good }, &found, Relation::All, q);
    assert!(again(0.5).expect_err("bins").to_string().contains("of other rows or options"));
    assert!(again(1.5).expect_err("q").to_string().contains("quantile 1.5"));
    let none = Separation::of_points(&[], &[1.0]);
    assert_eq!((none.auroc, none.d_prime), (Score::Undefined(Why::TooFewCells), Score::Undefined(Why::TooFewCells)));
}
