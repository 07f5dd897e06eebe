//! Hand examples and properties of the statistics.

use super::*;
use cellstone_core::Seed;
use ndarray::array;
use proptest::prelude::*;

fn near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b}");
}

#[test]
fn corrections_are_monotone_and_keep_ties() {
    let p = [0.02, 0.5, 0.02, 0.001, 0.04];
    for adjusted in [holm(&p), benjamini_hochberg(&p)] {
        assert_eq!(adjusted[0], adjusted[2]);
        assert!(adjusted[3] <= adjusted[0] && adjusted[0] <= adjusted[4] && adjusted[4] <= adjusted[1]);
        assert!(adjusted.iter().zip(p).all(|(a, p)| *a >= p && *a <= 1.0));
    }
    // Step by hand: 5·0.001, 4·0.02, max(0.08, 3·0.02), 2·0.04, 0.5.
    for (got, want) in holm(&p).into_iter().zip([0.08, 0.5, 0.08, 0.005, 0.08]) {
        near(got, want, 1e-15);
    }
    // By hand: 0.001·5/1, 0.02·5/3 (twice, from the third place), 0.04·5/4, 0.5.
    for (got, want) in benjamini_hochberg(&p).into_iter().zip([0.1 / 3.0, 0.5, 0.1 / 3.0, 0.005, 0.05]) {
        near(got, want, 1e-15);
    }
    assert!(holm(&[]).is_empty());
}

#[test]
fn friedman_corrects_for_ties() {
    // Rank sums 4.5, 5.5, 8; plain 3.1667·…: ranks (1.5,1.5,3), (1,2,3), (2,2,2).
    let scores = array![[1.0, 1.0, 2.0], [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]];
    let it = friedman(scores.view()).expect("three clusters");
    let plain: f64 = 12.0 / (3.0 * 3.0 * 4.0) * (4.5_f64.powi(2) + 5.5_f64.powi(2) + 64.0) - 3.0 * 3.0 * 4.0;
    let correction = 1.0 - (6.0 + 24.0) / (3.0 * 3.0 * 8.0);
    near(it.chi2, plain / correction, 1e-12);
    assert_eq!(friedman(array![[1.0, 1.0], [2.0, 2.0]].view()), None);
    assert_eq!(friedman(array![[1.0, 2.0]].view()), None);
}

#[test]
fn exact_and_sampled_flips_agree() {
    let diffs: Vec<f64> = (0..14).map(|it| (f64::from(it) * 0.7).sin() + 0.3).collect();
    let exact = sign_flip_p(&diffs, 1 << 14, Seed::new(3)).expect("values");
    let sampled = sign_flip_p(&diffs, (1 << 14) - 1, Seed::new(3)).expect("values");
    let brute = (0_u32..1 << 14).filter(|pattern| {
        let sum: f64 = diffs.iter().enumerate().map(|(at, d)| if pattern >> at & 1 == 1 { -d } else { *d }).sum();
        sum.abs() >= diffs.iter().sum::<f64>().abs() - 1e-9
    });
    assert_eq!(exact, brute.count() as f64 / f64::from(1 << 14));
    near(sampled, exact, 4.0 * (exact * (1.0 - exact) / f64::from(1 << 14)).sqrt());
    assert_eq!(sign_flip_p(&[], 10, Seed::new(1)), None);
    assert_eq!(sign_flip_p(&[2.0], 10, Seed::new(1)), Some(1.0));
    assert_eq!(sign_flip_p(&[0.0; 30], 100, Seed::new(1)), Some(1.0));
}

#[test]
fn flips_of_noise_are_uniform() {
    use rand::RngExt;
    let mut rng = Seed::new(11).rng();
    let p: Vec<f64> = (0..200)
        .map(|at| {
            let diffs: Vec<f64> = (0..20).map(|_| rng.random::<f64>() - 0.5).collect();
            sign_flip_p(&diffs, 999, Seed::new(at)).expect("values")
        })
        .collect();
    let below = p.iter().filter(|it| **it <= 0.1).count();
    // Binomial(200, 0.1): mean 20, sd 4.2.
    assert!((5..=36).contains(&below), "{below} of 200 below 0.1");
}

#[test]
fn bootstrap_interval_covers_like_the_normal_one() {
    let values: Vec<f64> = (0..400).map(|it| f64::from(it % 20)).collect();
    let (low, high) = bootstrap_ci(&values, 10_000, Seed::new(5)).expect("values");
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let se = (values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / n / n).sqrt();
    near(low, mean - 1.96 * se, 0.05 * se * 1.96);
    near(high, mean + 1.96 * se, 0.05 * se * 1.96);
    assert_eq!(bootstrap_ci(&[3.0], 100, Seed::new(1)), Some((3.0, 3.0)));
    assert_eq!(bootstrap_ci(&[], 100, Seed::new(1)), None);
    assert_eq!(bootstrap_ci(&[f64::NAN], 100, Seed::new(1)), None);
}

#[test]
fn pairs_that_share_a_gene_widen_the_interval() {
    // Every pair contains gene 0 or 1, and those two decide the value.
    let values: Vec<(u32, u32, f64)> =
        (0..60).map(|it| (it % 6, 6 + it / 6, if it % 6 < 2 { 1.0 } else { 0.0 })).collect();
    let plain: Vec<f64> = values.iter().map(|it| it.2).collect();
    let (low, high) = bootstrap_ci(&plain, 4000, Seed::new(2)).expect("values");
    let (wide_low, wide_high) = pigeonhole_ci(&values, 4000, Seed::new(2)).expect("values");
    assert!(wide_high - wide_low > 1.5 * (high - low));
    assert_eq!(pigeonhole_ci(&[(1, 1, 2.0)], 10, Seed::new(1)), None);
}

#[test]
fn clusters_are_one_observation() {
    let params = PairedParams { draws: 500, flips: 500, seed: Seed::new(1) };
    let once: Vec<(u32, f64)> = (0..12).map(|it| (it, f64::from(it) - 4.0)).collect();
    let often: Vec<(u32, f64)> = once.iter().flat_map(|it| [*it; 5]).collect();
    assert_eq!(paired(&once, &params), paired(&often, &params));
    let it = paired(&once, &params).expect("values");
    assert_eq!((it.n_clusters, it.win_share), (12, 4.0 / 12.0));
    assert!(it.ci_lo <= it.mean && it.mean <= it.ci_hi && it.win_lo < it.win_share && it.win_share < it.win_hi);
    assert_eq!(paired(&[], &params), None);
}

#[test]
fn one_thread_and_three_draw_alike() {
    let diffs: Vec<(u32, f64)> = (0..77).map(|it| (it, (f64::from(it) * 1.3).sin())).collect();
    let params = PairedParams { draws: 3000, flips: 9000, seed: Seed::new(9) };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| paired(&diffs, &params).expect("values"))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn columns_are_drawn_together_and_like_one() {
    // Twelve columns need two chunks, 77 clusters two words, 3000 draws and 9000 flips several blocks.
    let table = ndarray::Array2::from_shape_fn((77, 12), |(row, column)| (row as f64 * 1.3 + column as f64).sin());
    let sums = bootstrap_sums(table.view(), 3000, Seed::new(9));
    let p = sign_flip_ps(table.view(), 9000, Seed::new(9));
    for column in 0..12 {
        let one = table.column(column).to_vec();
        let mut means: Vec<f64> = sums[column].iter().map(|it| it / 77.0).collect();
        assert_eq!(central_95(&mut means), bootstrap_ci(&one, 3000, Seed::new(9)));
        assert_eq!(p[column], sign_flip_p(&one, 9000, Seed::new(9)));
    }
    let mut broken = table;
    broken[[3, 5]] = f64::NAN;
    let again = sign_flip_ps(broken.view(), 9000, Seed::new(9));
    assert!(again[5].is_none() && (0..12).all(|it| it == 5 || again[it] == p[it]));
    assert_eq!(bootstrap_sums(array![[1.0, 2.0]].view(), 3, Seed::new(1)), [[1.0; 3], [2.0; 3]]);
}

#[test]
fn central_quantiles_are_those_of_a_sort() {
    for n in [1, 2, 3, 40, 41, 999, 10_000] {
        let values: Vec<f64> = (0..n).map(|it| (f64::from(it) * 7.7).sin()).collect();
        let want = quantiles(&values, &[0.025, 0.975]).expect("values");
        assert_eq!(central_95(&mut values.clone()), Some((want[0], want[1])), "{n}");
    }
    assert_eq!((central_95(&mut []), central_95(&mut [1.0, f64::NAN])), (None, None));
}

#[test]
fn wilson_stays_inside() {
    assert_eq!(wilson(0, 0), None);
    assert_eq!(wilson(0, 5).map(|it| it.0), Some(0.0));
    assert_eq!(wilson(5, 5).map(|it| it.1), Some(1.0));
}

#[test]
fn equivalence_needs_a_margin() {
    assert_eq!(tost(&[1.0, 2.0], 0.0), None);
    assert_eq!(tost(&[1.0], 1.0), None);
    assert_eq!(tost(&[0.0, 0.0], 1.0).map(|it| it.p), Some(0.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn midranks_match_their_definition(values in prop::collection::vec(-300_i16..300, 1..1000), unit in 1e-3_f64..1e3) {
        let values: Vec<f64> = values.into_iter().map(|it| unit * f64::from(it / 2) * if it % 2 == 0 { 1.0 } else { -1.0 }).collect();
        for (value, rank) in values.iter().zip(midranks(&values)) {
            let below = values.iter().filter(|it| *it < value).count() as f64;
            let equal = values.iter().filter(|it| *it == value).count() as f64;
            prop_assert_eq!(rank, below + 0.5 * (equal + 1.0));
        }
    }
}
