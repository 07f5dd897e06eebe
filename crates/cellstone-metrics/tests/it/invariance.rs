//! Definitions by brute force; orders, layouts, masks and threads that must not matter.

use crate::common::{Panel, scores};
use cellstone_core::{Mask, Score};
use cellstone_metrics::{Request, Scorer, builtin, curves};
use ndarray::{Array2, Axis};
use std::sync::Arc;

fn close(a: Score, b: Score, what: &str) {
    match (a, b) {
        (Score::Value(a), Score::Value(b)) => assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{what}: {a} and {b}"),
        (a, b) => assert_eq!(a, b, "{what}"),
    }
}

/// The same panel with conditions and genes in another order.
fn shuffled(panel: &Panel, rows: &[usize], cols: &[usize]) -> Panel {
    let new_col = |old: &usize| cols.iter().position(|it| it == old).expect("a permutation");
    let both = |it: &Array2<f64>| it.select(Axis(0), rows).select(Axis(1), cols);
    Panel {
        truth: both(&panel.truth),
        pred: both(&panel.pred),
        weights: both(&panel.weights),
        train: panel.train.select(Axis(1), cols),
        control: panel.control.select(Axis(0), cols),
        pred_control: panel.pred_control.as_ref().map(|it| it.select(Axis(0), cols)),
        train_mean: panel.train_mean.select(Axis(0), cols),
        targets: rows.iter().map(|it| panel.targets[*it].iter().map(new_col).collect()).collect(),
        keys: rows.iter().map(|it| panel.keys[*it].clone()).collect(),
    }
}

#[test]
fn order_of_conditions_and_genes_does_not_matter() {
    let mut panel = Panel::random(1, 23, 47);
    panel.pred_control = Some(&panel.control * 0.9);
    let rows: Vec<usize> = (0..23).map(|it| it * 7 % 23).collect();
    let cols: Vec<usize> = (0..47).map(|it| it * 11 % 47).collect();
    let other = shuffled(&panel, &rows, &cols);
    for metric in builtin() {
        for mask in [Mask::None, Mask::OwnTargets, Mask::Panel] {
            let id = &metric.info().id;
            let (a, b) = (scores(id, &panel.input(mask)), scores(id, &other.input(mask)));
            rows.iter().zip(b).for_each(|(row, b)| close(a[*row], b, id));
        }
    }
}

#[test]
fn a_gene_subset_and_a_mask_equal_smaller_matrices() {
    let panel = Panel::random(2, 14, 40);
    let genes: Vec<usize> = (0..40).filter(|it| it % 3 != 1).collect();
    let targets: Vec<usize> = panel.targets.iter().flatten().copied().collect();
    let kept: Vec<usize> = genes.iter().copied().filter(|it| !targets.contains(it)).collect();
    let every: Vec<usize> = (0..14).collect();
    let mut bare = Panel { targets: vec![vec![]; 14], ..shuffled_without_targets(&panel, &every, &kept) };
    bare.pred_control = None;
    for metric in builtin() {
        let id = &metric.info().id;
        let mut input = panel.input(Mask::Panel);
        input.genes = Some(&genes);
        for (a, b) in scores(id, &input).into_iter().zip(scores(id, &bare.input(Mask::None))) {
            assert_eq!(a, b, "{id}");
        }
    }
}

fn shuffled_without_targets(panel: &Panel, rows: &[usize], cols: &[usize]) -> Panel {
    let without = Panel {
        targets: vec![vec![]; panel.keys.len()],
        truth: panel.truth.clone(),
        pred: panel.pred.clone(),
        control: panel.control.clone(),
        pred_control: None,
        train_mean: panel.train_mean.clone(),
        train: panel.train.clone(),
        weights: panel.weights.clone(),
        keys: panel.keys.clone(),
    };
    shuffled(&without, rows, cols)
}

#[test]
fn own_targets_leave_each_row_alone() {
    let panel = Panel::random(3, 13, 40);
    for id in ["l2", "mae", "pearson_delta", "spearman_delta", "r2_delta", "mse_top20", "wmse", "pearson_delta_pert"] {
        let masked = scores(id, &panel.input(Mask::OwnTargets));
        for (row, score) in masked.into_iter().enumerate() {
            let cols: Vec<usize> = (0..40).filter(|it| !panel.targets[row].contains(it)).collect();
            let bare = shuffled_without_targets(&panel, &[row], &cols);
            assert_eq!(score, scores(id, &bare.input(Mask::None))[0], "{id}");
        }
    }
}

#[test]
fn dropping_own_targets_from_a_row_of_ranks_follows_the_definition() {
    let mut panel = Panel::random(4, 37, 50);
    panel.pred_control = Some(&panel.control * 1.1);
    let control = panel.pred_control.clone().expect("just set");
    for (id, power) in [("discrimination_score_l1", 1), ("discrimination_score_l2", 2)] {
        for (row, score) in scores(id, &panel.input(Mask::OwnTargets)).into_iter().enumerate() {
            let distance = |q: usize| -> f64 {
                let cols = (0..50).filter(|it| !panel.targets[row].contains(it));
                cols.map(|g| {
                    let gap = panel.pred[[row, g]] - control[g] - panel.truth[[q, g]] + panel.control[g];
                    gap.abs().powi(power)
                })
                .sum()
            };
            let closer = (0..37).filter(|q| distance(*q) < distance(row)).count();
            close(score, Score::Value(1.0 - closer as f64 / 37.0), id);
        }
    }
}

#[test]
fn formulas_match_their_definition() {
    let panel = Panel::random(5, 11, 83);
    let check = |id: &str, f: &dyn Fn(usize) -> f64| {
        for (row, score) in scores(id, &panel.input(Mask::None)).into_iter().enumerate() {
            close(score, Score::Value(f(row)), id);
        }
    };
    let p = |r: usize, g: usize| panel.pred[[r, g]];
    let t = |r: usize, g: usize| panel.truth[[r, g]];
    let d = |r: usize, g: usize| (p(r, g) - panel.control[g], t(r, g) - panel.control[g]);
    let sum = |f: &dyn Fn(usize) -> f64| (0..83).map(f).sum::<f64>();
    check("l2", &|r| sum(&|g| (p(r, g) - t(r, g)).powi(2)).sqrt());
    check("sq_norm", &|r| sum(&|g| (p(r, g) - t(r, g)).powi(2)));
    check("mse", &|r| sum(&|g| (p(r, g) - t(r, g)).powi(2)) / 83.0);
    check("rmse", &|r| (sum(&|g| (p(r, g) - t(r, g)).powi(2)) / 83.0).sqrt());
    check("mae", &|r| sum(&|g| (p(r, g) - t(r, g)).abs()) / 83.0);
    let weight = |r: usize, g: usize| panel.weights[[r, g]];
    check("wmse", &|r| sum(&|g| weight(r, g) * (p(r, g) - t(r, g)).powi(2)) / sum(&|g| weight(r, g)));
    check("cosine_delta", &|r| {
        sum(&|g| d(r, g).0 * d(r, g).1) / (sum(&|g| d(r, g).0.powi(2)) * sum(&|g| d(r, g).1.powi(2))).sqrt()
    });
    check("pearson_delta", &|r| {
        let (a, b) = (sum(&|g| d(r, g).0) / 83.0, sum(&|g| d(r, g).1) / 83.0);
        sum(&|g| (d(r, g).0 - a) * (d(r, g).1 - b))
            / (sum(&|g| (d(r, g).0 - a).powi(2)) * sum(&|g| (d(r, g).1 - b).powi(2))).sqrt()
    });
    check("weighted_r2_delta", &|r| {
        let mean = sum(&|g| weight(r, g) * d(r, g).1) / sum(&|g| weight(r, g));
        1.0 - sum(&|g| weight(r, g) * (d(r, g).1 - d(r, g).0).powi(2))
            / sum(&|g| weight(r, g) * (d(r, g).1 - mean).powi(2))
    });
    check("weighted_r2_delta_pert", &|r| {
        let d = |of: f64, g: usize| of - panel.train_mean[g];
        let mean = sum(&|g| weight(r, g) * d(t(r, g), g)) / sum(&|g| weight(r, g));
        1.0 - sum(&|g| weight(r, g) * (t(r, g) - p(r, g)).powi(2))
            / sum(&|g| weight(r, g) * (d(t(r, g), g) - mean).powi(2))
    });
    check("frac_correct_direction", &|r| {
        sum(&|g| f64::from(u8::from(d(r, g).0.signum() == d(r, g).1.signum()))) / 83.0
    });
    check("mean_centred_cosine_top50", &|r| {
        let mut order: Vec<usize> = (0..83).collect();
        order.sort_by(|a, b| d(r, *b).1.abs().total_cmp(&d(r, *a).1.abs()));
        let c = |of: f64, g: usize| of - panel.train_mean[g];
        let over = |f: &dyn Fn(usize) -> f64| order[..50].iter().map(|g| f(*g)).sum::<f64>();
        over(&|g| c(p(r, g), g) * c(t(r, g), g))
            / (over(&|g| c(p(r, g), g).powi(2)) * over(&|g| c(t(r, g), g).powi(2))).sqrt()
    });
    let far = |r: usize, q: usize| sum(&|g| (p(r, g) - t(q, g)).powi(2));
    check("nir", &|r| (0..11).filter(|q| *q != r && far(r, *q) > far(r, r)).count() as f64 / 10.0);
    check("rank_pb_rmse", &|q| (0..11).filter(|r| far(*r, q) < far(q, q)).count() as f64 / 11.0);
    let train = |r: usize, k: usize| sum(&|g| (p(r, g) - panel.train[[k, g]]).powi(2));
    check("centroid_accuracy", &|r| {
        let others = (0..11).filter(|q| *q != r && far(r, *q) > far(r, r)).count();
        (others + (0..6).filter(|k| train(r, *k) > far(r, r)).count()) as f64 / 16.0
    });
}

/// Position-wise comparison of a scorer with single calls, over masks, gene sets and two predictions.
#[test]
fn a_scorer_gives_what_each_metric_gives() {
    let mut panel = Panel::random(9, 27, 410);
    let genes: Vec<usize> = (0..410).filter(|it| it % 3 != 1).collect();
    let mut requests = Vec::new();
    for metric in builtin() {
        for mask in [Mask::None, Mask::OwnTargets, Mask::Panel] {
            requests.push(Request { metric: Arc::clone(&metric), genes: None, mask });
            requests.push(Request { metric: Arc::clone(&metric), genes: Some(&genes), mask });
        }
    }
    let constant = panel.train_mean.broadcast((27, 410)).expect("one width").to_owned();
    let own_control = &panel.control * 0.9;
    let preds = [(panel.pred.clone(), None), (constant, None), (panel.pred.clone(), Some(own_control))];
    let copy = shuffled(&panel, &(0..27).collect::<Vec<_>>(), &(0..410).collect::<Vec<_>>());
    let scorer = Scorer::new(&copy.input(Mask::None), requests.clone()).expect("shapes fit");
    for (pred, control) in preds {
        (panel.pred, panel.pred_control) = (pred, control);
        let all = scorer.score(panel.pred.view(), panel.pred_control.as_ref().map(|it| it.view()));
        for (request, got) in requests.iter().zip(all) {
            let mut input = panel.input(request.mask);
            input.genes = request.genes;
            let want = request.metric.compute(&input).expect("shapes fit");
            assert_eq!(got.expect("shapes fit"), want, "{} {:?}", request.metric.info().id, request.mask);
        }
    }
    panel.pred[[3, 9]] = f64::NAN;
    for (request, got) in requests.iter().zip(scorer.score(panel.pred.view(), None)) {
        // A gene that is not used is not looked at.
        let used = request.genes.is_none_or(|it| it.contains(&9)) && request.mask != Mask::Panel;
        assert!(!used || got.is_err() || request.metric.info().id.contains("_top"), "{}", request.metric.info().id);
    }
}

#[test]
fn one_thread_and_three_give_the_same_bits() {
    let panel = Panel::random(6, 70, 2100);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            builtin().iter().map(|it| scores(&it.info().id, &panel.input(it.default_mask()))).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn strided_views_score_like_contiguous_ones() {
    let panel = Panel::random(7, 12, 33);
    let (truth, pred) = (panel.truth.t().to_owned(), panel.pred.t().to_owned());
    let (truth, pred) = (truth.as_standard_layout(), pred.as_standard_layout());
    for metric in builtin() {
        let mut input = panel.input(Mask::None);
        let expected = scores(&metric.info().id, &input);
        (input.truth, input.pred) = (truth.t(), pred.t());
        assert_eq!(scores(&metric.info().id, &input), expected, "{}", metric.info().id);
    }
}

#[test]
fn curves_end_at_l2_and_follow_their_order() {
    let panel = Panel::random(8, 12, 150);
    let input = panel.input(Mask::None);
    let by_effect = curves::strat_de(&input).expect("shapes fit");
    let by_control = curves::strat_expr(&input).expect("shapes fit");
    assert_eq!(by_effect.ranks, curves::rank_grid(150));
    for row in 0..12 {
        let cut = |order: Vec<usize>, r: usize| {
            order[..r].iter().map(|g| (panel.pred[[row, *g]] - panel.truth[[row, *g]]).powi(2)).sum::<f64>().sqrt()
        };
        let sorted = |size: &dyn Fn(usize) -> f64| {
            let mut order: Vec<usize> = (0..150).collect();
            order.sort_by(|a, b| size(*b).total_cmp(&size(*a)));
            order
        };
        for (at, r) in by_effect.ranks.iter().enumerate() {
            let effect = cut(sorted(&|g| (panel.truth[[row, g]] - panel.control[g]).abs()), *r);
            close(Score::Value(by_effect.values[[row, at]]), Score::Value(effect), "strat_de");
            let control = cut(sorted(&|g| panel.control[g]), *r);
            close(Score::Value(by_control.values[[row, at]]), Score::Value(control), "strat_expr");
        }
    }
    let mean = by_effect.mean().expect("conditions");
    let column = by_effect.values.column(3);
    close(Score::Value(mean.mean[3]), Score::Value(column.mean().expect("conditions")), "mean");
    close(Score::Value(mean.se[3].expect("spread")), Score::Value(column.std(1.0) / 12.0_f64.sqrt()), "se");
}
