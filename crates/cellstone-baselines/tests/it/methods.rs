//! Each method against numbers worked out apart from it.

use crate::support::{controls, gap, gene_ids, random, row, row_in, run, run_with, screen, view};
use cellstone_core::{Embedding, Priors, TrainView, ViewRow};
use ndarray::{Array1, Array2, Axis, array};
use serde_json::json;

fn number(text: &str) -> f64 {
    text.parse().expect("a number")
}

/// Two singles (20 and 27 cells) and one double (34 cells).
fn tiny() -> TrainView {
    let controls = controls(&gene_ids(2), &["c"], array![[1.0, 1.0]]);
    view(&controls, vec![row("A"), row("B"), row("A+B")], &array![[2.0, 0.0], [0.0, 4.0], [1.0, 2.0]])
}

#[test]
fn means_by_hand() {
    let check = |id: &str, given: &[(&str, serde_json::Value)], asked: &str, want: Array1<f64>| {
        let out = run(id, given, &tiny(), &[asked]);
        assert!(gap(&out.delta(0), &want) < 1e-14, "{id} {given:?} {asked}: {}", out.delta(0));
        assert_eq!(out.fallback(0), None, "{id}");
    };
    check("no_change", &[], "C", array![0.0, 0.0]);
    check("mean_pb", &[], "C", array![1.0, 2.0]);
    check("mean_pb", &[], "A+C", array![1.0, 2.0]);
    check("mean_pb", &[("over", json!("all"))], "C", array![1.0, 2.0]);
    check("mean_pb", &[("over", json!("singles"))], "A+C", array![1.0, 2.0]);
    // No triple in train: over all.
    check("mean_delta", &[], "A+C+D", array![1.0, 2.0]);
    check("mean_pb_ctrl", &[], "C", array![2.0 / 3.0, 4.0 / 3.0]);
    check("mean_pb_ctrl", &[("over", json!("all"))], "C", array![0.75, 1.5]);
    check("mean_cells", &[], "C", array![40.0 / 47.0, 108.0 / 47.0]);
    check("mean_cells", &[("over", json!("all"))], "C", array![74.0 / 81.0, 176.0 / 81.0]);
    let out = run("mean_pb", &[("over", json!("doubles"))], &tiny().subset(&[0, 1]), &["C"]);
    assert_eq!(out.fallback(0), Some(("mean_delta", "no train condition with that many targets")));
}

#[test]
fn sums_by_hand_and_their_fallbacks() {
    let check = |id: &str, asked: &str, want: Array1<f64>, fallback: Option<(&str, &str)>| {
        let out = run(id, &[], &tiny(), &[asked]);
        assert!(gap(&out.delta(0), &want) < 1e-14, "{id} {asked}: {}", out.delta(0));
        assert_eq!(out.fallback(0), fallback, "{id} {asked}");
    };
    check("additive", "A+B", array![2.0, 4.0], None);
    check("additive", "A", array![2.0, 0.0], None);
    check("additive", "A+C", array![3.0, 2.0], Some(("additive_partial", "target not in training")));
    check("additive", "C+D", array![2.0, 4.0], Some(("additive_partial", "target not in training")));
    check("additive", "C", array![1.0, 2.0], Some(("mean_delta", "target not in training")));
    check("additive_partial", "A+C", array![3.0, 2.0], None);
    check("matching_mean", "A+B", array![1.0, 2.0], None);
    check("matching_mean", "A+C", array![1.0 + 37.0 / 81.0, 88.0 / 81.0], None);
    // α = ⟨(1,2), (2,4)⟩ / ‖(2,4)‖² = 1/2.
    check("shrunk_additive", "A+B", array![1.0, 2.0], None);
    check("shrunk_additive", "A+C", array![3.0, 2.0], Some(("additive_partial", "target not in training")));
    let singles = run("shrunk_additive", &[], &tiny().subset(&[0, 1]), &["A+B"]);
    assert_eq!(singles.fallback(0), Some(("additive", "no train combination with all its singles")));
    assert!(gap(&singles.delta(0), &array![2.0, 4.0]) < 1e-14);
}

#[test]
fn other_contexts_lend_the_same_perturbation() {
    let controls = controls(&gene_ids(2), &["a", "b", "c"], array![[1.0, 1.0], [5.0, 0.0], [0.0, 9.0]]);
    let rows = vec![row_in(0, "A"), row_in(1, "A"), row_in(2, "A"), row_in(2, "B")];
    let train = view(&controls, rows, &array![[2.0, 0.0], [0.0, 4.0], [1.0, 1.0], [3.0, 5.0]]);
    let out =
        run_with("mean_other_context", &[], &train, &[row_in(1, "A"), row_in(0, "B"), row_in(2, "C")], &Priors::new());
    assert!(gap(&out.delta(0), &array![1.5, 0.5]) < 1e-14);
    assert!(gap(&out.delta(1), &array![3.0, 5.0]) < 1e-14);
    assert!(gap(&out.delta(2), &array![2.0, 3.0]) < 1e-14);
    assert_eq!(out.fallback(2), Some(("mean_delta", "not perturbed in another context")));
    // Not about constituents: a combination gets the mean as well, not the sum of its singles.
    let out = run_with("mean_other_context", &[], &train, &[row_in(2, "A+B")], &Priors::new());
    assert_eq!(out.fallback(0).map(|it| it.0), Some("mean_delta"));
    assert!(gap(&out.delta(0), &array![2.0, 3.0]) < 1e-14);
}

#[test]
fn planted_additive_doubles_give_one_and_shrunk_ones_their_factor() {
    for (factor, noise) in [(1.0, 0.0), (0.8, 0.0)] {
        let (train, held_out) = screen(40, 8, factor, noise);
        let asked: Vec<&str> = held_out.iter().map(|it| it.0.as_str()).collect();
        for variant in ["scalar", "scalar_l2", "two_term", "ordered", "gene_wise", "angle", "auto"] {
            let out = run("shrunk_additive", &[("variant", json!(variant))], &train, &asked);
            if variant == "scalar" {
                assert!((number(out.note("alpha")) - factor).abs() < 1e-6);
            }
            // The golden section ends in a bracket of 1e-6; the ridge on genes pulls to the same scalar.
            let tolerance = if variant == "scalar_l2" { 1e-5 } else { 1e-9 };
            for (at, (key, want)) in held_out.iter().enumerate() {
                assert!(gap(&out.delta(at), want) < tolerance, "{variant} {key}: {:e}", gap(&out.delta(at), want));
            }
        }
    }
}

#[test]
fn scalar_l2_minimises_the_mean_norm() {
    let (train, _) = screen(20, 8, 0.7, 0.8);
    let alpha = number(run("shrunk_additive", &[("variant", json!("scalar_l2"))], &train, &["G00+G03"]).note("alpha"));
    let deltas = train.deltas();
    let at = |key: &str| train.rows().iter().position(|it| it.raw == key).expect("in train");
    let loss = |alpha: f64| -> f64 {
        let doubles = train.rows().iter().enumerate().filter(|(_, it)| !it.perturbation.is_single());
        doubles
            .map(|(i, it)| {
                let targets = it.perturbation.targets();
                let sum = &deltas.row(at(&targets[0])) + &deltas.row(at(&targets[1]));
                let rest = &deltas.row(i) - &(sum * alpha);
                rest.dot(&rest).sqrt()
            })
            .sum()
    };
    assert!(loss(alpha) <= loss(alpha + 1e-3) && loss(alpha) <= loss(alpha - 1e-3));
}

#[test]
fn noise_in_the_singles_is_taken_out_of_alpha() {
    let (train, _) = screen(40, 8, 0.8, 0.0);
    let n = train.rows().len();
    let out = run("shrunk_additive", &[], &train.clone().with_noise(vec![0.0; n]), &["G00+G03"]);
    assert_eq!(out.note("alpha_noise_corrected"), out.note("alpha_scalar"));
    let out = run("shrunk_additive", &[], &train.clone().with_noise(vec![0.05; n]), &["G00+G03"]);
    assert!(number(out.note("alpha_noise_corrected")) > number(out.note("alpha_scalar")));
    let out = run("shrunk_additive", &[], &train.with_noise(vec![1e6; n]), &["G00+G03"]);
    assert_eq!(out.note("alpha_noise_corrected"), "undefined: noise exceeds signal");
}

/// `Y = G W Pᵀ + b` on given embeddings; the last `n_out` conditions are asked for.
fn planted(n: usize, n_out: usize) -> (TrainView, Vec<ViewRow>, Array2<f64>, Priors) {
    let n_genes = 30;
    let genes = gene_ids(n_genes);
    let (g, p) = (random(n_genes, 3, "planted g"), random(n, 2, "planted p"));
    let targets: Vec<String> = (0..n).map(|it| format!("T{it:02}")).collect();
    let w = random(3, 2, "planted w");
    let b = random(1, n_genes, "planted b");
    let deltas = p.dot(&w.t()).dot(&g.t()) + &b;
    let priors = Priors::new()
        .with(Embedding::new("g", genes.clone(), g).expect("valid"))
        .with(Embedding::new("p", targets.clone(), p).expect("valid"));
    let controls = controls(&genes, &["c"], random(1, n_genes, "planted control"));
    let rows: Vec<ViewRow> = targets.iter().map(|it| row(it)).collect();
    let train: Vec<usize> = (0..n - n_out).collect();
    let out: Vec<usize> = (n - n_out..n).collect();
    let all = view(&controls, rows.clone(), &deltas);
    (all.subset(&train), rows[n - n_out..].to_vec(), deltas.select(Axis(0), &out), priors)
}

#[test]
fn planted_linear_truth_is_recovered_without_penalty() {
    let (train, asked, want, priors) = planted(20, 5);
    let given = [("g", json!("g")), ("p", json!("p")), ("lambda", json!(1e-11))];
    let out = run_with("linear_joint", &given, &train, &asked, &priors);
    let by_choice = run_with("linear_joint", &given[..2], &train, &asked, &priors);
    let ridge = run_with("ridge", &[("embedding", json!("p")), ("lambda", json!(1e-8))], &train, &asked, &priors);
    for at in 0..asked.len() {
        assert!(gap(&out.delta(at), &want.row(at).to_owned()) < 1e-8);
        // The kernel form divides rounding by the penalty.
        assert!(gap(&ridge.delta(at), &want.row(at).to_owned()) < 1e-6);
        // The smallest penalty of the grid is 1e-4 of the signal.
        assert!(gap(&by_choice.delta(at), &want.row(at).to_owned()) < 1e-3);
        assert_eq!(out.fallback(at), None);
    }
    assert_eq!(by_choice.note("lambda"), "1.0000e-4");
}

/// The published model has no centre for P, so its exact case has none either.
#[test]
fn the_published_model_recovers_truth_through_the_origin() {
    let (train, asked, want, priors) = planted(20, 5);
    let b = random(1, 30, "planted b");
    let centre_free = |m: &Array2<f64>| m - &b;
    let train = view(train.controls(), train.rows().to_vec(), &centre_free(&train.deltas()));
    // Mirror images make the mean delta and the mean vector zero.
    let table = priors.embedding("p").expect("given");
    let ids: Vec<String> = table.ids().iter().flat_map(|it| [it.clone(), format!("minus {it}")]).collect();
    let values = Array2::from_shape_fn((ids.len(), 2), |(i, j)| {
        table.values()[[i / 2, j]] * if i % 2 == 0 { 1.0 } else { -1.0 }
    });
    let priors = priors.clone().with(Embedding::new("p", ids, values).expect("valid"));
    let mut rows = train.rows().to_vec();
    rows.extend(train.rows().iter().map(|it| row(&format!("minus {}", it.raw))));
    let deltas = ndarray::concatenate![Axis(0), train.deltas(), -train.deltas()];
    let train = view(train.controls(), rows, &deltas);
    let given = [("g", json!("g")), ("p", json!("p")), ("lambda", json!(1e-12))];
    let out = run_with("linear_published", &given, &train, &asked, &priors);
    for at in 0..asked.len() {
        assert!(gap(&out.delta(at), &centre_free(&want).row(at).to_owned()) < 1e-8);
    }
}

#[test]
fn nearest_neighbor_recovers_duplicates() {
    let (train, asked, _, priors) = planted(20, 3);
    // The asked conditions get vectors of train conditions.
    let table = priors.embedding("p").expect("given");
    let mut values = table.values().clone();
    for (at, from) in [(17, 4), (18, 0), (19, 16)] {
        let copy = values.row(from).to_owned();
        values.row_mut(at).assign(&copy);
    }
    let priors = priors.clone().with(Embedding::new("p", table.ids().to_vec(), values).expect("valid"));
    for (key, value) in [("distance", "euclidean"), ("distance", "cosine"), ("weights", "softmax")] {
        let given = [("embedding", json!("p")), ("k", json!(1)), (key, json!(value))];
        let out = run_with("knn", &given, &train, &asked, &priors);
        for (at, from) in [(0, 4), (1, 0), (2, 16)] {
            assert!(gap(&out.delta(at), &train.deltas().row(from).to_owned()) < 1e-15);
        }
    }
}

/// Deltas that have nothing to do with the vectors: no head may beat the mean by more than chance.
#[test]
fn permuted_labels_do_not_beat_the_mean() {
    let n = 60;
    let controls = controls(&gene_ids(25), &["c"], random(1, 25, "control"));
    let rows: Vec<ViewRow> = (0..n).map(|it| row(&format!("T{it:02}"))).collect();
    let ids: Vec<String> = rows.iter().map(|it| it.raw.clone()).collect();
    let deltas = random(n, 25, "unrelated");
    let priors = Priors::new().with(Embedding::new("noise", ids, random(n, 6, "noise")).expect("valid"));
    let all = view(&controls, rows.clone(), &deltas);
    let train = all.subset(&(0..40).collect::<Vec<_>>());
    let loss = |id: &str, given: &[(&str, serde_json::Value)]| -> f64 {
        let out = run_with(id, given, &train, &rows[40..], &priors);
        (0..20).map(|at| (&out.delta(at) - &deltas.row(40 + at)).mapv(|it| it * it).sum().sqrt()).sum::<f64>() / 20.0
    };
    let floor = loss("mean_pb", &[]);
    for (id, key) in [("knn", "embedding"), ("ridge", "embedding"), ("linear_joint", "p"), ("linear_published", "p")] {
        let loss = loss(id, &[(key, json!("noise"))]);
        assert!(loss > 0.98 * floor, "{id} {loss} beats the mean {floor} without information");
    }
    assert!(loss("random_embedding", &[]) > 0.98 * floor);
}

#[test]
fn targets_that_are_not_genes_use_indicators() {
    let (train, held_out) = screen(12, 8, 0.9, 0.05);
    // Effect coordinates in place of genes: no target is measured.
    let axes: Vec<String> = (0..12).map(|it| format!("PC{it}")).collect();
    let controls = controls(&axes, &["c"], Array2::zeros((1, 12)));
    let train = view(&controls, train.rows().to_vec(), &train.deltas());
    let (key, want) = &held_out[0];
    for (id, note) in [("linear_published", "p"), ("linear_joint", "p"), ("ridge", "embedding"), ("knn", "embedding")] {
        let out = run(id, &[], &train, &[key, "absent"]);
        assert_eq!(out.note(note), "targets", "{id}");
        assert_eq!(out.fallback(0), None, "{id}");
        assert_eq!(out.fallback(1), Some(("mean_delta", "target not in training")), "{id}");
        if id == "ridge" || id == "linear_joint" {
            let rest = &out.delta(0) - want;
            assert!(rest.dot(&rest).sqrt() < 0.5 * want.dot(want).sqrt(), "{id} is far from additive truth");
        }
        let measured =
            run(id, &[("g", json!("training"))][..usize::from(note == "p")], &screen(12, 8, 0.9, 0.05).0, &[key]);
        assert_eq!(measured.note(note), "training");
    }
}

/// Leave-one-out by refitting, for the joint model with everything fixed but the penalty.
#[test]
fn joint_leave_one_out_equals_refitting() {
    let (train, _, _, priors) = planted(16, 1);
    let noisy = &train.deltas() + &random(15, 30, "joint noise");
    let train = view(train.controls(), train.rows().to_vec(), &noisy);
    let relative = 0.37;
    let given = [("g", json!("g")), ("p", json!("p")), ("lambda", json!(relative))];
    let out = run_with("linear_joint", &given, &train, &[row("T15")], &priors);
    let reported = number(out.note("loo_l2"));
    let lambda = number(out.note("lambda_absolute"));
    let g = priors.embedding("g").expect("given").values();
    let p = priors.embedding("p").expect("given").values();
    let mut total = 0.0;
    for left_out in 0..15 {
        let keep: Vec<usize> = (0..15).filter(|it| *it != left_out).collect();
        let (y, x) = (noisy.select(Axis(0), &keep), p.select(Axis(0), &keep));
        let (b, centre) = (y.mean_axis(Axis(0)).expect("rows"), x.mean_axis(Axis(0)).expect("rows"));
        let (yc, xc) = ((&y - &b).t().to_owned(), &x - &centre);
        let system = cellstone_baselines::LinearSystem::new(&g.t().dot(g), &xc.t().dot(&xc), &g.t().dot(&yc).dot(&xc))
            .expect("decomposes");
        let predicted = g.dot(&system.joint(lambda).dot(&(&p.row(left_out) - &centre))) + &b;
        let rest = &noisy.row(left_out) - &predicted;
        total += rest.dot(&rest).sqrt();
    }
    assert!((reported - total / 15.0).abs() < 1e-5, "{reported} against {}", total / 15.0);
}

#[test]
fn choices_are_recorded() {
    let (train, _) = screen(30, 9, 0.8, 0.3);
    let asked = ["G00+G03"];
    for key in ["k", "lambda", "lambda_absolute", "loo_l2", "p", "n_train_with_vector"] {
        run("linear_joint", &[], &train, &asked).note(key);
    }
    for key in ["lambda", "loo_l2", "embedding"] {
        run("ridge", &[], &train, &asked).note(key);
    }
    for key in ["k", "rho", "loo_l2", "embedding"] {
        run("knn", &[], &train, &asked).note(key);
    }
    let auto = run("shrunk_additive", &[("variant", json!("auto"))], &train, &asked);
    for key in ["variant", "cv_l2", "alpha", "n_train_combinations"] {
        auto.note(key);
    }
}
