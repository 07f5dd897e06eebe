//! Every metric of the list: description, ideal, range, undefined cases.

use crate::common::{Panel, scores};
use cellstone_core::{Direction, Mask, Score, Scores, Why};
use cellstone_metrics::builtin;
use ndarray::Array1;
use std::collections::BTreeSet;

#[test]
fn descriptions_are_complete_and_ids_unique() {
    let mut seen = BTreeSet::new();
    for metric in builtin() {
        let info = metric.info();
        assert!(seen.insert(info.id.to_string()), "{} occurs twice", info.id);
        assert!(info.id.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_'), "{}", info.id);
        assert!(!info.name.is_empty() && !info.formula.is_empty() && !info.source.is_empty(), "{}", info.id);
        let (low, high) = info.range;
        assert!(low < high && (low..=high).contains(&info.best), "{}", info.id);
        let best_end = if info.direction == Direction::LowerIsBetter { low } else { high };
        assert_eq!(info.best, best_end, "{}", info.id);
    }
    assert!(seen.len() > 50);
}

#[test]
fn the_truth_scores_the_best_value() {
    let mut panel = Panel::random(1, 24, 60);
    panel.pred = panel.truth.clone();
    for metric in builtin() {
        for score in scores(&metric.info().id, &panel.input(metric.default_mask())) {
            let value = score.value().unwrap_or_else(|| panic!("{} is {score:?}", metric.info().id));
            // A place among n candidates is at most (n − 1)/n, and `best` that among 101.
            let best = if metric.info().id == "retrieval_tx" { 23.0 / 24.0 } else { metric.info().best };
            assert!((value - best).abs() < 1e-12, "{}: {value}", metric.info().id);
        }
    }
}

#[test]
fn values_stay_in_range() {
    for seed in 0..4 {
        let mut panel = Panel::random(seed, 12, 35);
        if seed % 2 == 1 {
            panel.pred_control = Some(&panel.control * 0.7);
            panel.pred = panel.pred.mapv(|it| 4.0 - it);
        }
        for metric in builtin() {
            let (low, high) = metric.info().range;
            for mask in [Mask::None, Mask::OwnTargets, Mask::Panel] {
                for score in scores(&metric.info().id, &panel.input(mask)) {
                    let value = score.value().unwrap_or_else(|| panic!("{} is {score:?}", metric.info().id));
                    assert!((low..=high).contains(&value), "{}: {value}", metric.info().id);
                }
            }
        }
    }
}

#[test]
fn no_change_has_no_direction() {
    let mut panel = Panel::random(2, 12, 40);
    panel.pred = panel.control.broadcast((12, 40)).expect("one width").to_owned();
    for (id, why) in [
        ("pearson_delta", Why::ConstantVector),
        ("delta_pearson", Why::ConstantVector),
        ("spearman_delta", Why::ConstantVector),
        ("cosine_delta", Why::ZeroVector),
        ("pearson_delta_top20", Why::ConstantVector),
    ] {
        assert!(scores(id, &panel.input(Mask::None)).iter().all(|it| *it == Score::Undefined(why)), "{id}");
    }
    for id in ["pds_v2_cosine", "pds_cosine"] {
        assert!(scores(id, &panel.input(Mask::Panel)).iter().all(|it| *it == Score::Value(0.5)), "{id}");
    }
    assert!(scores("mse_delta", &panel.input(Mask::None)).iter().all(|it| it.value().is_some_and(|v| v > 0.0)));
}

#[test]
fn the_train_mean_is_constant_and_has_no_centred_direction() {
    let mut panel = Panel::random(3, 30, 40);
    panel.pred = panel.train_mean.broadcast((30, 40)).expect("one width").to_owned();
    // The mean of the same rows in another order of summation: equal up to rounding, and still no direction.
    let other: Array1<f64> = panel.train.rows().into_iter().rev().fold(Array1::zeros(40), |sum, row| sum + &row / 6.0);
    panel.train_mean = other;
    let undefined = |id: &str, why| {
        assert!(scores(id, &panel.input(Mask::None)).iter().all(|it| *it == Score::Undefined(why)), "{id}");
    };
    undefined("pearson_delta_pert", Why::ConstantVector);
    undefined("mean_centred_cosine", Why::ZeroVector);
    for id in ["pds_v2_l1", "pds_v2_l2", "pds_v2_cosine"] {
        let all = scores(id, &panel.input(Mask::Panel));
        let mean = all.iter().filter_map(|it| it.value()).sum::<f64>() / 30.0;
        assert!((mean - 0.5).abs() < 1e-12, "{id}: {mean}");
    }
    for ratio in scores("l2_ratio", &panel.input(Mask::None)) {
        assert!((ratio.value().expect("defined") - 1.0).abs() < 1e-12);
    }
}

#[test]
fn what_was_not_given_is_named() {
    let panel = Panel::random(4, 12, 30);
    let mut input = panel.input(Mask::None);
    (input.weights, input.train_mean, input.train_profiles) = (None, None, None);
    for id in [
        "wmse",
        "weighted_r2_delta",
        "weighted_r2_delta_pert",
        "l2_ratio",
        "pearson_delta_pert",
        "mean_centred_cosine_top20",
        "centroid_accuracy",
    ] {
        assert!(scores(id, &input).iter().all(|it| *it == Score::Undefined(Why::NotGiven)), "{id}");
    }
}

#[test]
fn few_conditions_have_no_rank_except_by_the_reference() {
    let panel = Panel::random(5, 9, 30);
    for id in ["pds_v2_l1", "pds_v1_cosine", "nir", "rank_pb_rmse", "retrieval_tx", "mrr", "top1_retrieval"] {
        let all = scores(id, &panel.input(Mask::None));
        assert!(all.iter().all(|it| *it == Score::Undefined(Why::TooFewConditions)), "{id}");
    }
    for id in ["pds_l1", "discrimination_score_cosine"] {
        assert!(scores(id, &panel.input(Mask::None)).iter().all(|it| it.value().is_some()), "{id}");
    }
}

#[test]
fn no_genes_and_one_gene() {
    let panel = Panel::random(6, 12, 30);
    for genes in [&[][..], &[4][..]] {
        let mut input = panel.input(Mask::None);
        input.genes = Some(genes);
        for metric in builtin() {
            let Ok(Scores::PerPerturbation(all)) = metric.compute(&input) else { panic!("{}", metric.info().id) };
            assert_eq!(all.len(), 12);
            for score in all {
                match score {
                    Score::Value(it) => assert!(it.is_finite() && !genes.is_empty(), "{}", metric.info().id),
                    Score::Undefined(why) => {
                        assert!(matches!(why, Why::TooFewGenes | Why::ZeroVector), "{}: {why}", metric.info().id);
                    }
                }
            }
        }
    }
}

#[test]
fn no_conditions_give_no_scores() {
    let panel = Panel::random(6, 0, 30);
    for metric in builtin() {
        assert_eq!(scores(&metric.info().id, &panel.input(metric.default_mask())), []);
    }
}

#[test]
fn bad_input_is_named() {
    let mut panel = Panel::random(7, 12, 30);
    let fails = |panel: &Panel, id: &str, change: &dyn Fn(&mut cellstone_core::MetricInput<'_>), want: &str| {
        let mut input = panel.input(Mask::Panel);
        change(&mut input);
        let error = cellstone_metrics::by_id(id).expect("built in").compute(&input).expect_err("bad input");
        assert!(error.to_string().contains(want), "{error}");
    };
    fails(&panel, "l2", &|it| it.genes = Some(&[3, 2]), "genes are not ascending: 3 is followed by 2");
    fails(&panel, "l2", &|it| it.genes = Some(&[99]), "gene column 99 asked for, but there are 30");
    fails(&panel, "l2", &|it| it.keys = &[], "keys has 0 entries, expected 12");
    fails(&panel, "l2", &|it| it.control = it.control.split_at(ndarray::Axis(0), 3).0, "control has 3 entries");
    panel.targets = vec![vec![]; 12];
    fails(&panel, "pds_v2_l1", &|_| {}, "no target of the 12 conditions is a gene of the file");
    panel.targets = vec![vec![1]; 12];
    panel.pred[[3, 9]] = f64::NAN;
    for id in ["l2", "mae_top20", "pearson_delta", "spearman_delta", "r2_delta", "pds_v2_l1", "mrr", "rank_pb_cosine"] {
        fails(&panel, id, &|_| {}, "prediction of `P003`");
    }
}
