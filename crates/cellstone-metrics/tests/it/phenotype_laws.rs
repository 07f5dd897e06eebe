//! Laws that phenotype scores keep for any input.

use cellstone_core::Seed;
use cellstone_metrics::phenotype::{
    Binning, BootstrapParams, ClassMetric, Closure, DonorScores, EvalParams, Predictions, StageKind, Weighting,
    age_bin, auroc, brier_parts, cam_age, cam_bin, decisions, ece, entropies, evaluate, one_vs_rest, oscr, reliability,
    risk_coverage, stage, stage_ids, true_ranks,
};
use ndarray::Array2;
use proptest::prelude::*;

/// Probabilities with ties, classes, donors.
fn tables() -> impl Strategy<Value = (Array2<f64>, Vec<u32>, Vec<u32>)> {
    (2_usize..6, 3_usize..40).prop_flat_map(|(k, n)| {
        let cells = prop::collection::vec(prop::collection::vec(1_u32..6, k), n);
        (cells, prop::collection::vec(0..k as u32, n), prop::collection::vec(0_u32..6, n)).prop_map(
            move |(cells, truth, donor)| {
                let p = Array2::from_shape_fn((n, k), |(i, j)| {
                    f64::from(cells[i][j]) / f64::from(cells[i].iter().sum::<u32>())
                });
                (p, truth, donor)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ranks_and_decisions_agree((p, truth, _) in tables()) {
        let ranks = true_ranks(p.view(), &truth).expect("valid");
        let decided = decisions(p.view(), &truth).expect("valid");
        for (cell, y) in truth.iter().enumerate() {
            prop_assert_eq!(ranks.rank[cell] == 1, decided[cell] == *y);
            prop_assert!(p.row(cell).iter().all(|it| *it <= p[[cell, decided[cell] as usize]]));
        }
        prop_assert_eq!(ranks.top_k(p.ncols()), 1.0);
    }

    #[test]
    fn scores_stay_in_range_and_the_order_of_cells_is_no_matter((p, truth, donor) in tables()) {
        let n = truth.len();
        let turned: Vec<usize> = (0..n).rev().collect();
        let pick = |it: &[u32]| turned.iter().map(|at| it[*at]).collect::<Vec<u32>>();
        let other = p.select(ndarray::Axis(0), &turned);
        let (other_truth, other_donor) = (pick(&truth), pick(&donor));
        for weighting in Weighting::ALL {
            let scores = |p: &Array2<f64>, truth: &[u32], donor: &[u32]| {
                DonorScores::new(&Predictions::new(p.view(), truth, donor).expect("valid"), weighting).expect("valid")
            };
            let (a, b) = (scores(&p, &truth, &donor), scores(&other, &other_truth, &other_donor));
            for metric in ClassMetric::ALL {
                match (a.score(metric).value(), b.score(metric).value()) {
                    (Some(a), Some(b)) => {
                        prop_assert!((a - b).abs() < 1e-12);
                        let most = match metric { ClassMetric::Nll => 40.0, ClassMetric::Brier => 2.0, _ => 1.0 };
                        prop_assert!((-1.0 - 1e-12..=most + 1e-12).contains(&a), "{:?} {}", metric, a);
                    }
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
            // As many donors, each counted once: the same score.
            let ones = vec![1.0; a.n_donors()];
            prop_assert_eq!(a.with_counts(&ones, ClassMetric::MacroF1), a.score(ClassMetric::MacroF1));
        }
    }

    #[test]
    fn resampled_areas_are_areas_of_the_resample((p, truth, donor) in tables(), seed in 0_u64..50) {
        // Donors as often as given by cell weights against the quadratic form behind the intervals.
        let predictions = Predictions::new(p.view(), &truth, &donor).expect("valid");
        let bootstrap = BootstrapParams { draws: 5, min_donors: 2, seed: Seed::new(seed) };
        let found = evaluate(&predictions, &EvalParams { bootstrap, areas: true }).expect("valid");
        for weighting in Weighting::ALL {
            let want = one_vs_rest(&predictions, weighting);
            for (id, want) in [("auroc_macro", want.macro_auroc()), ("auprc_macro", want.macro_auprc())] {
                let got = found.row(id, weighting).expect("there").interval.estimate;
                match (got.value(), want.value()) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12, "{} {}", a, b),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
        }
    }

    #[test]
    fn areas_are_pairs((p, truth, _) in tables()) {
        let scores = p.column(0).to_vec();
        let positive: Vec<bool> = truth.iter().map(|it| *it == 0).collect();
        let (mut wins, mut pairs) = (0.0, 0.0);
        for i in (0..scores.len()).filter(|it| positive[*it]) {
            for j in (0..scores.len()).filter(|it| !positive[*it]) {
                pairs += 1.0;
                wins += if scores[i] > scores[j] { 1.0 } else if scores[i] == scores[j] { 0.5 } else { 0.0 };
            }
        }
        match auroc(&scores, &positive, None).value() {
            Some(it) => prop_assert!((it - wins / pairs).abs() < 1e-12),
            None => prop_assert_eq!(pairs, 0.0),
        }
    }

    #[test]
    fn calibration_adds_up((p, truth, donor) in tables(), bins in 1_usize..8) {
        let predictions = Predictions::new(p.view(), &truth, &donor).expect("valid");
        let parts = brier_parts(&predictions, bins).expect("cells");
        prop_assert!((parts.brier - (parts.reliability - parts.resolution + parts.uncertainty + parts.within_bin)).abs() < 1e-12);
        let params = BootstrapParams { draws: 20, ..BootstrapParams::protocol(Seed::new(1)) };
        for binning in [Binning::EqualWidth, Binning::EqualMass] {
            let rows = reliability(&predictions, binning, bins, &params);
            prop_assert_eq!(rows.iter().map(|it| it.n_obs).sum::<usize>(), truth.len());
            let sum: f64 = rows.iter().map(|it| {
                it.n_obs as f64 * (it.accuracy.estimate.value().expect("cells") - it.confidence).abs()
            }).sum();
            let conf: Vec<f64> = p.rows().into_iter().map(|row| row.fold(0.0_f64, |acc, it| acc.max(*it))).collect();
            let hit: Vec<bool> = cellstone_metrics::phenotype::argmax(p.view()).iter().zip(&truth).map(|(a, b)| a == b).collect();
            let want = ece(&conf, &hit, binning, bins).expect("valid").value().expect("cells");
            prop_assert!((sum / truth.len() as f64 - want).abs() < 1e-12);
            // Equal confidences share a bin.
            prop_assert!(rows.windows(2).all(|it| it[0].hi < it[1].lo));
        }
    }

    #[test]
    fn entropy_is_between_none_and_all((p, _, _) in tables()) {
        let most = (p.ncols() as f64).ln();
        prop_assert!(entropies(p.view()).iter().all(|it| (0.0..=most + 1e-12).contains(it)));
    }

    #[test]
    fn selection_is_between_oracle_and_its_reverse(score in prop::collection::vec(0_u32..5, 1..30), bits in any::<u32>()) {
        let right: Vec<bool> = (0..score.len()).map(|it| bits >> it & 1 == 1).collect();
        let score: Vec<f64> = score.into_iter().map(f64::from).collect();
        let it = risk_coverage(&score, &right).expect("valid");
        prop_assert!(it.excess.value().expect("cells") >= 0.0);
        let error = right.iter().filter(|it| !**it).count() as f64 / right.len() as f64;
        prop_assert!((it.curve.last().expect("cells").1 - error).abs() < 1e-12);
        let perfect: Vec<f64> = right.iter().map(|it| f64::from(u8::from(!it))).collect();
        let oracle = risk_coverage(&perfect, &right).expect("valid");
        // Wrong cells tie among each other and are all strange: that is the oracle.
        prop_assert!(oracle.excess.value().expect("cells") < 1e-12);
        let curve = oscr(&score, &right, &right).expect("valid").curve;
        prop_assert!(curve.windows(2).all(|it| it[0].0 <= it[1].0 && it[0].1 <= it[1].1));
    }

    #[test]
    fn distances_are_symmetric_and_obey_the_closure(parents in prop::collection::vec(prop::collection::vec(0_usize..20, 0..3), 1..20)) {
        // A random hierarchy: parents come before.
        let mut above: Vec<std::collections::BTreeMap<u32, u32>> = Vec::new();
        for (term, list) in parents.iter().enumerate() {
            let mut own = std::collections::BTreeMap::new();
            for parent in list.iter().filter(|it| **it < term) {
                for (ancestor, distance) in above[*parent].clone().into_iter().chain([(*parent as u32, 0)]) {
                    let slot = own.entry(ancestor).or_insert(distance + 1);
                    *slot = (*slot).min(distance + 1);
                }
            }
            above.push(own);
        }
        let closure = Closure::new(above.iter().map(|it| it.iter().map(|(a, d)| (*a, *d)).collect()).collect()).expect("a hierarchy");
        for a in 0..above.len() as u32 {
            prop_assert_eq!(closure.distance(a, a), Some(0));
            for b in 0..above.len() as u32 {
                prop_assert_eq!(closure.distance(a, b), closure.distance(b, a));
                prop_assert_eq!(closure.is_above(b, a), a == b || above[a as usize].contains_key(&b));
            }
        }
    }

    #[test]
    fn any_text_is_some_stage(text in "\\PC{0,30}") {
        let it = stage(&text);
        let upside_down = matches!(it.kind, StageKind::Years { lo, hi: Some(hi) } if lo >= hi);
        prop_assert!(!upside_down);
        prop_assert!((10..=100).contains(&cam_bin(cam_age(&text))));
    }
}

#[test]
fn one_thread_and_three_resample_alike() {
    let n = 300;
    let p = Array2::from_shape_fn((n, 4), |(i, j)| 1.0 + ((i * 7 + j * 13) as f64).sin());
    let p = &p / &p.sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1));
    let truth: Vec<u32> = (0..n as u32).map(|it| it * it % 4).collect();
    let donor: Vec<u32> = (0..n as u32).map(|it| it % 9).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let predictions = Predictions::new(p.view(), &truth, &donor).expect("valid");
            let bootstrap = BootstrapParams { draws: 300, ..BootstrapParams::protocol(Seed::new(1)) };
            evaluate(&predictions, &EvalParams { bootstrap, areas: true }).expect("valid")
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn labels_say_what_their_ids_say() {
    // Labels of the ontology, one of every kind.
    let same = [
        ("HsapDv:0000096", "2-year-old stage"),
        ("HsapDv:0000255", "114-year-old stage"),
        ("HsapDv:0000273", "1-month-old stage"),
        ("HsapDv:0000196", "23-month-old stage"),
        ("HsapDv:0000046", "9th week post-fertilization stage"),
        ("HsapDv:0000075", "38th week post-fertilization and over stage"),
        ("HsapDv:0000197", "third LMP month stage"),
        ("HsapDv:0000245", "eleventh decade stage"),
        ("HsapDv:0000235", "first decade stage"),
        ("HsapDv:0000003", "Carnegie stage 01"),
        ("HsapDv:0000016", "Carnegie stage 09"),
        ("HsapDv:0000031", "Carnegie stage 05a"),
        ("HsapDv:0000030", "Carnegie stage 23"),
        ("HsapDv:0000260", "nursing stage (0-11 months)"),
        ("HsapDv:0000265", "child stage (1-4 yo)"),
        ("HsapDv:0000271", "juvenile stage (5-14 yo)"),
        ("HsapDv:0000268", "15-19 year-old"),
        ("HsapDv:0000272", "60-79 year-old stage"),
        ("HsapDv:0000262", "newborn stage (0-28 days)"),
        ("HsapDv:0000274", "90 year-old and over stage"),
        ("HsapDv:0000256", "under-1-year-old stage"),
        ("HsapDv:0000090", "25-44 year-old stage"),
        ("HsapDv:0000000", "life cycle stage"),
        ("HsapDv:0000258", "adult stage"),
        ("HsapDv:0000045", "prenatal stage"),
    ];
    for (id, label) in same {
        assert_eq!(stage(id), stage(label), "{label}");
        assert_ne!(stage(label).kind, StageKind::Unknown, "{label}");
    }
    let years = |text: &str| match stage(text).kind {
        StageKind::Years { lo, hi } => (lo, hi),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(years("sixth decade stage"), (50.0, Some(60.0)));
    assert_eq!(years("9-month-old stage"), (0.75, Some(10.0 / 12.0)));
    assert_eq!(years("infant stage"), (28.0 / 365.25, Some(1.0)));
    assert_eq!(years("young adult stage"), (15.0, Some(40.0)));
    assert_eq!(years("late adult stage"), (60.0, None));
    assert!(stage("HsapDv:0000086").retired && !stage("HsapDv:0000107").retired);
    // Wide and open intervals have no age to regress on, but a midpoint or a bin where there is one.
    assert_eq!(stage("HsapDv:0000267").for_regression(), None);
    assert_eq!(stage("HsapDv:0000240").for_regression(), Some(55.0));
    let bins: Vec<String> = stage_ids().iter().filter_map(|it| age_bin(&stage(it))).map(|it| it.to_string()).collect();
    for bin in ["prenatal", "infant", "child", "10", "40", "80+"] {
        assert!(bins.iter().any(|it| it == bin), "{bin}");
    }
}

#[test]
fn the_published_ages_keep_their_flaws() {
    let table = [
        ("[43_year_old_human_stage]", Some(43.0)),
        ("[third_decade_human_stage]", Some(35.0)),
        ("[ninth_decade_human_stage]", Some(95.0)),
        ("[9_month_old_human_stage]", Some(0.9)),
        ("[10_month_old_human_stage]", Some(1.0)),
        ("[14_month_old_human_stage]", Some(0.0)),
        ("[newborn_human_stage]", Some(1.0)),
        ("[human_early_adulthood_stage]", Some(10.0)),
        ("[human_late_adulthood_stage]", None),
        ("[carnegie_stage_18]", Some(0.0)),
        ("[9th_week_post_fertilization_human_stage]", Some(0.0)),
        ("[ninth_lmp_month_human_stage]", Some(0.0)),
        ("[embryonic_human_stage]", Some(0.0)),
        ("[unknown]", None),
        ("[80_year_old_and_over_human_stage]", Some(80.0)),
        ("[2_5_year_old_child_stage]", Some(4.0)),
    ];
    for (label, want) in table {
        assert_eq!(cam_age(label), want, "{label}");
    }
    assert_eq!([Some(0.0), Some(30.0), Some(31.0), Some(99.0)].map(cam_bin), [10, 40, 40, 100]);
}
