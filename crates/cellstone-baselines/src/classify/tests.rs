//! Small cases and laws of the classifiers.

use super::*;
use cellstone_core::Seed;
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use rand::RngExt;

/// Three clouds, `n` cells, six donors that shift a little.
fn clouds(n: usize, d: usize, seed: u64) -> (Array2<f64>, Vec<u32>, Vec<u32>) {
    let mut rng = Seed::new(seed).rng();
    let y: Vec<u32> = (0..n as u32).map(|it| it % 3).collect();
    let donor: Vec<u32> = (0..n as u32).map(|it| it / 3 % 6).collect();
    let x = Array2::from_shape_fn((n, d), |(row, column)| {
        let centre = if column as u32 % 3 == y[row] { 1.5 } else { 0.0 };
        centre + 0.2 * f64::from(donor[row]) + 2.0 * (rng.random::<f64>() + rng.random::<f64>() - 1.0)
    });
    (x, y, donor)
}

fn accuracy(p: &Array2<f64>, y: &[u32]) -> f64 {
    let right = |(row, y): (ndarray::ArrayView1<'_, f64>, &u32)| {
        row.iter().enumerate().all(|(at, it)| at == *y as usize || *it < row[*y as usize])
    };
    p.rows().into_iter().zip(y).filter(|it| right((it.0, it.1))).count() as f64 / y.len() as f64
}

#[test]
fn every_classifier_gives_laws_and_separates_what_is_apart() {
    let (x, y, donor) = clouds(300, 6, 1);
    let (test, truth, _) = clouds(150, 6, 2);
    for entry in classifiers() {
        // A fourth class without cells.
        let fitted = entry.make().fit(x.view(), &y, 4, Some(&donor), Seed::new(1)).expect("valid");
        let p = fitted.predict_proba(test.view()).expect("valid");
        assert_eq!(p.dim(), (150, 4));
        assert!(p.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12 && row[3] == 0.0));
        let right = accuracy(&p, &truth);
        if entry.id == "majority" {
            assert_eq!(p.row(0).to_vec(), [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
        } else {
            assert!(right > 0.85, "{}: {right}", entry.id);
        }
        assert_eq!(entry.make().id(), entry.id);
    }
    let Err(error) = classifier("logistik") else { panic!("there is none") };
    assert_eq!(error.hints(), ["did you mean `logistic`?"]);
}

#[test]
fn bad_input_is_named() {
    let (x, y, donor) = clouds(30, 3, 1);
    for entry in classifiers() {
        let it = entry.make();
        let fails =
            |x: &Array2<f64>, y: &[u32], groups: Option<&[u32]>| it.fit(x.view(), y, 3, groups, Seed::new(1)).is_err();
        assert!(fails(&x, &y[1..], None) && fails(&x, &[3; 30], None) && fails(&x, &y, Some(&donor[1..])));
        assert!(fails(&x.mapv(|it| if it > 1.0 { f64::NAN } else { it }), &y, None));
        assert!(fails(&Array2::zeros((0, 3)), &[], None));
        let fitted = it.fit(x.view(), &y, 3, None, Seed::new(1)).expect("valid");
        assert!(fitted.predict_proba(Array2::zeros((1, 2)).view()).is_err());
        assert_eq!(fitted.predict_proba(Array2::zeros((0, 3)).view()).expect("valid").dim(), (0, 3));
        // One cell, one class.
        let one = it.fit(x.select(Axis(0), &[0]).view(), &[1], 3, None, Seed::new(1)).expect("valid");
        assert_eq!(one.predict_proba(x.select(Axis(0), &[5]).view()).expect("valid"), array![[0.0, 1.0, 0.0]]);
    }
}

#[test]
fn logistic_regression_meets_its_optimality_conditions() {
    let (x, y, _) = clouds(120, 5, 3);
    for (penalty, balanced) in [(Penalty::L2, false), (Penalty::L2, true), (Penalty::L1, false)] {
        let c = 0.3;
        let model = Logistic { penalty, balanced, c: Strength::Fixed(c), tolerance: 1e-10, ..Logistic::default() };
        let fitted = model.fit(x.view(), &y, 3, None, Seed::new(1)).expect("valid");
        assert!(fitted.notes().contains(&("converged".to_owned(), "true".to_owned())), "{:?}", fitted.notes());
        let p = fitted.predict_proba(x.view()).expect("valid");
        let w = fitted.coefficients().expect("linear");
        for class in 0..3 {
            let residual: Vec<f64> =
                (0..120).map(|it| p[[it, class]] - f64::from(u8::from(y[it] as usize == class))).collect();
            // Free intercepts: the mean probability is the frequency.
            assert!(residual.iter().sum::<f64>().abs() < 1e-6);
            for feature in 0..5 {
                let slope: f64 = c * residual.iter().zip(x.column(feature)).map(|(r, x)| r * x).sum::<f64>();
                let it = w[[class, feature]];
                match penalty {
                    Penalty::L2 => assert!((slope + it).abs() < 1e-6, "{slope} {it}"),
                    Penalty::L1 if it == 0.0 => assert!(slope.abs() <= 1.0 + 1e-6, "{slope}"),
                    Penalty::L1 => assert!((slope + it.signum()).abs() < 1e-6, "{slope} {it}"),
                }
            }
        }
        if penalty == Penalty::L1 {
            assert!(w.iter().any(|it| *it == 0.0) && w.iter().any(|it| *it != 0.0));
        }
    }
}

#[test]
fn one_thread_and_three_fit_alike() {
    let (x, y, donor) = clouds(500, 7, 4);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let fitted = Logistic::default().fit(x.view(), &y, 3, Some(&donor), Seed::new(1)).expect("valid");
            (fitted.predict_proba(x.view()).expect("valid"), fitted.notes())
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn strength_is_chosen_with_whole_donors_left_out() {
    let (x, y, donor) = clouds(180, 6, 5);
    let fitted = Logistic::default().fit(x.view(), &y, 3, Some(&donor), Seed::new(1)).expect("valid");
    let notes = fitted.notes();
    let of = |key: &str| notes.iter().find(|it| it.0 == key).map(|it| it.1.clone()).expect("noted");
    assert_eq!(of("folds_by"), "donor");
    let chosen: f64 = of(&format!("cv_nll_c_{}", of("c"))).parse().expect("a number");
    for c in ["0.01", "0.1", "1", "10"] {
        let other: f64 = of(&format!("cv_nll_c_{c}")).parse().expect("a number");
        assert!(chosen <= other);
    }
    let cells = Logistic::default().fit(x.view(), &y, 3, None, Seed::new(1)).expect("valid");
    assert!(cells.notes().contains(&("folds_by".to_owned(), "cell".to_owned())));
}

#[test]
fn frequencies_back_off_by_the_rarest_condition() {
    // Tissue is frequent, stage is rare.
    let codes = array![[0, 0], [0, 0], [0, 1], [0, 1], [1, 2], [1, 0]];
    let fitted = ConditionalFrequency.fit(codes.view(), &[0, 0, 1, 1, 2, 2], 3).expect("valid");
    let at = |row: [u32; 2]| {
        let codes = array![row];
        (
            fitted.predict_proba(codes.view()).expect("valid").row(0).to_vec(),
            fitted.n_conditions(codes.view()).expect("valid")[0],
        )
    };
    assert_eq!(at([0, 1]), (vec![0.2, 0.6, 0.2], 2));
    // Stage 2 occurs once, tissue 0 four times: stage goes.
    assert_eq!(at([0, 2]), (vec![3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0], 1));
    // Neither value was seen: everything goes.
    assert_eq!(at([9, 9]), (vec![1.0 / 3.0; 3], 0));
    assert_eq!(at([MISSING, 0]), (vec![0.5, 1.0 / 6.0, 1.0 / 3.0], 1));
    assert!(fitted.predict_proba(array![[0]].view()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn folds_keep_groups_whole(groups in prop::collection::vec(0_u32..9, 1..80), folds in 2_usize..5, seed in 0_u64..9) {
        let y: Vec<u32> = groups.iter().enumerate().map(|(at, _)| at as u32 % 3).collect();
        let found = grouped_folds(&groups, &y, 3, folds, Seed::new(seed));
        for (a, fold) in groups.iter().zip(&found) {
            prop_assert!((*fold as usize) < folds);
            prop_assert!(groups.iter().zip(&found).all(|(b, other)| a != b || fold == other));
        }
        let n_groups = groups.iter().collect::<std::collections::BTreeSet<_>>().len();
        let used = found.iter().collect::<std::collections::BTreeSet<_>>().len();
        prop_assert_eq!(used, n_groups.min(folds));
    }

    #[test]
    fn neighbours_vote_by_their_definition(n in 2_usize..30, k in 1_usize..20, seed in 0_u64..50) {
        let (x, y, _) = clouds(n, 3, seed);
        let p = KnnClassifier { k }.fit(x.view(), &y, 3, None, Seed::new(1)).expect("valid")
            .predict_proba(x.view()).expect("valid");
        let k = k.min(n);
        for row in 0..n {
            let cosine = |it: usize| x.row(row).dot(&x.row(it)) / x.row(it).dot(&x.row(it)).sqrt();
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)).then(a.cmp(b)));
            for class in 0..3 {
                let votes = order[..k].iter().filter(|it| y[**it] as usize == class).count();
                prop_assert!((p[[row, class]] - votes as f64 / k as f64).abs() < 1e-12);
            }
        }
    }
}
