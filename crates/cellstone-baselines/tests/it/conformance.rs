//! What every entry of the registry must do, whatever it computes.

use crate::support::{controls, gene_ids, largest_gap, params, random, row, row_in, run_with, screen, view};
use cellstone_baselines::{Params, entries, make};
use cellstone_core::{Embedding, FitCtx, Native, Priors, QueryView, Seed, TrainView, ViewRow};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Every entry with its defaults, and with settings that take other paths.
fn cases() -> Vec<(String, Params)> {
    let mut out: Vec<(String, Params)> =
        entries().iter().map(|it| ((it.info)().id.into_owned(), Params::new())).collect();
    let more = |id: &str, given: &[(&str, serde_json::Value)]| (id.to_owned(), params(given));
    for variant in ["scalar_l2", "two_term", "ordered", "gene_wise", "angle", "auto"] {
        out.push(more("shrunk_additive", &[("variant", json!(variant))]));
    }
    for embedding in ["targets", "random", "prior"] {
        out.push(more("knn", &[("embedding", json!(embedding)), ("weights", json!("softmax"))]));
        out.push(more("ridge", &[("embedding", json!(embedding)), ("mean", json!("auto"))]));
        out.push(more("linear_published", &[("p", json!(embedding)), ("g", json!("random"))]));
        out.push(more("linear_joint", &[("p", json!(embedding))]));
    }
    for kernel in ["cosine", "rbf", "laplacian"] {
        out.push(more("ridge", &[("kernel", json!(kernel)), ("noise", json!(true))]));
    }
    out.push(more("knn", &[("distance", json!("cosine")), ("shrink", json!("auto"))]));
    out.push(more("linear_joint", &[("g", json!("prior")), ("p", json!("training"))]));
    out
}

/// Vectors for all genes but the last.
fn prior(n: usize) -> Priors {
    let ids = gene_ids(n);
    Priors::new().with(Embedding::new("prior", ids[..n - 1].to_vec(), random(n - 1, 4, "prior")).expect("valid"))
}

fn fit_predict(id: &str, given: &Params, train: &TrainView, query: &[ViewRow], priors: &Priors) -> Array2<f64> {
    let pairs: Vec<(&str, serde_json::Value)> = given.iter().map(|(key, it)| (key.as_str(), it.clone())).collect();
    run_with(id, &pairs, train, query, priors).prediction.profiles().clone()
}

fn query(n_genes: usize) -> Vec<ViewRow> {
    let last = format!("G{:02}", n_genes - 1);
    let keys = ["G00", "G00+G03", "G01+G02", "G09", "G00+G09", "absent", "absent+G00", "absent+other", "G00+G01+G02"];
    keys.iter().map(|it| row(it)).chain([row(&last)]).collect()
}

#[test]
fn ids_and_parameters_are_complete() {
    let mut seen = BTreeSet::new();
    for entry in entries() {
        let info = (entry.info)();
        assert!(seen.insert(info.id.to_string()), "{} twice", info.id);
        assert_eq!(info, (entry.info)());
        assert!(!info.name.is_empty() && !info.summary.is_empty());
        assert_eq!(*(entry.make)(&Params::new()).expect("defaults are valid").info(), info);
        for it in entry.params {
            assert!(!it.default.is_empty() && !it.range.is_empty() && !it.meaning.is_empty());
            // The stated default is a value the method takes, and stating it is the same as leaving it out.
            let value = serde_json::from_str(it.default).unwrap_or_else(|_| json!(it.default));
            assert!((entry.make)(&params(&[(it.name, value)])).is_ok(), "{} of {}", it.name, info.id);
            assert!((entry.make)(&params(&[(it.name, json!([]))])).is_err(), "{} of {}", it.name, info.id);
        }
    }
}

#[test]
fn wrong_names_and_values_are_told_before_any_data() {
    let message = |id: &str, given: &[(&str, serde_json::Value)]| {
        let error = make(id, &params(given)).err().expect("refused");
        assert!(error.is_config());
        format!("{error} | {}", error.hints().join("; "))
    };
    assert!(message("linear_publshed", &[]).ends_with("| did you mean `linear_published`?"));
    let text = message("shrunk_additive", &[("varient", json!("scalar"))]);
    assert!(text.contains("baseline `shrunk_additive` has no parameter `varient` (parameters: `variant`)"), "{text}");
    assert!(text.ends_with("did you mean `variant`?"), "{text}");
    let text = message("shrunk_additive", &[("variant", json!("gene_wize"))]);
    assert!(text.ends_with("did you mean `gene_wise`?"), "{text}");
    let text = message("knn", &[("k", json!(0))]);
    assert!(text.contains("parameter `k` of baseline `knn` is `0`, expected a whole number from 1"), "{text}");
    assert!(message("linear_published", &[("lambda", json!(-1.0))]).contains("expected a number from 0"));
    assert!(message("linear_published", &[("k", json!("auto"))]).contains("`\"auto\"`"));
    assert!(message("additive", &[("k", json!(1))]).contains("it has none"));
    let (train, _) = screen(8, 4, 0.8, 0.0);
    let priors = Priors::new();
    let knn = make("knn", &params(&[("embedding", json!("esm2"))])).expect("any name");
    let error = knn.fit(&train, &mut FitCtx::new(Seed::new(0), &priors)).err().expect("not given");
    assert!(error.is_config() && error.to_string().contains("embedding `esm2` not given"));
}

#[test]
fn two_fits_and_any_number_of_threads_give_the_same_bits() {
    let (train, _) = screen(30, 9, 0.8, 0.3);
    let train = train.with_noise((0..33).map(|it| 0.1 + 0.01 * f64::from(it)).collect());
    let (query, priors) = (query(30), prior(30));
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().expect("pool");
    for (id, given) in cases() {
        let first = fit_predict(&id, &given, &train, &query, &priors);
        for threads in [1, 3] {
            let again = pool(threads).install(|| fit_predict(&id, &given, &train, &query, &priors));
            assert!(first.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()), "{id} {given:?}");
        }
    }
}

#[test]
fn order_follows_the_query_and_rows_do_not_depend_on_each_other() {
    let (train, _) = screen(30, 9, 0.8, 0.3);
    let (query, priors) = (query(30), prior(30));
    for (id, given) in cases() {
        let all = fit_predict(&id, &given, &train, &query, &priors);
        let backwards: Vec<ViewRow> = query.iter().rev().cloned().collect();
        let reversed = fit_predict(&id, &given, &train, &backwards, &priors);
        let alone = fit_predict(&id, &given, &train, &query[1..2], &priors);
        for (at, row) in all.rows().into_iter().enumerate() {
            assert_eq!(row, reversed.row(query.len() - 1 - at), "{id} {given:?}");
        }
        assert_eq!(alone.row(0), all.row(1), "{id} {given:?}");
    }
}

#[test]
fn permuting_genes_commutes() {
    let n = 24;
    let (train, _) = screen(n, 8, 0.8, 0.3);
    let (query, priors) = (query(n), prior(n));
    let order: Vec<usize> = (0..n).map(|it| (it * 7 + 3) % n).collect();
    let ids: Vec<String> = order.iter().map(|it| gene_ids(n)[*it].clone()).collect();
    let moved = controls(&ids, &["K562"], train.controls().profiles.select(Axis(1), &order));
    let profiles = train.profiles().select(Axis(1), &order);
    let permuted = TrainView::new(moved, train.rows().to_vec(), profiles, train.n_cells().to_vec()).expect("fits");
    for (id, given) in cases() {
        let want = fit_predict(&id, &given, &train, &query, &priors).select(Axis(1), &order);
        let have = fit_predict(&id, &given, &permuted, &query, &priors);
        assert!(largest_gap(&want, &have) < 1e-9, "{id} {given:?}: {:e}", largest_gap(&want, &have));
    }
}

#[test]
fn small_and_degenerate_data_do_not_panic() {
    let priors = prior(10);
    let asked = query(10);
    for n_genes in [1, 2, 10] {
        let ids = gene_ids(n_genes);
        let controls = controls(&ids, &["c"], Array2::zeros((1, n_genes)));
        let keys: [&[&str]; 5] = [
            &["G00"],
            &["G00+G01"],
            &["absent", "other"],
            &["G00", "G01", "G00+G01"],
            &["G00", "G01", "G02", "absent", "G00+G01", "G00+G02"],
        ];
        for keys in keys {
            for deltas in [Array2::zeros((keys.len(), n_genes)), random(keys.len(), n_genes, "small")] {
                let rows: Vec<ViewRow> = keys.iter().map(|it| row(it)).collect();
                let one_cell = TrainView::new(Arc::clone(&controls), rows, deltas, vec![1; keys.len()]).expect("fits");
                let noise = vec![0.0; keys.len()];
                for (id, given) in cases() {
                    fit_predict(&id, &given, &one_cell.clone().with_noise(noise.clone()), &asked, &priors);
                }
            }
        }
    }
}

#[test]
fn a_zero_variance_embedding_falls_back() {
    let (train, _) = screen(12, 5, 0.8, 0.1);
    let flat = Embedding::new("flat", gene_ids(12), Array2::from_elem((12, 3), 0.3)).expect("valid");
    let priors = Priors::new().with(flat);
    let singles = train.subset(&[0, 1, 2, 3, 4]);
    for (id, key) in [("knn", "embedding"), ("ridge", "embedding"), ("linear_joint", "p")] {
        let out = run_with(id, &[(key, json!("flat"))], &singles, &[row("G09")], &priors);
        assert_eq!(out.fallback(0), Some(("mean_delta", "embedding without variance")), "{id}");
    }
}

#[test]
fn the_control_of_another_context_is_irrelevant() {
    let ids = gene_ids(12);
    let rows = || -> Vec<ViewRow> {
        let keys = ["G00", "G01", "G02", "G03", "G00+G01", "G00+G02", "G01+G02"];
        keys.iter().map(|it| row_in(0, it)).chain(keys.iter().take(4).map(|it| row_in(1, it))).collect()
    };
    let first = controls(&ids, &["a", "b"], random(2, 12, "controls"));
    let mut shifted = random(2, 12, "controls");
    shifted.row_mut(1).mapv_inplace(|it| 3.0 * it + 2.0);
    let second = controls(&ids, &["a", "b"], shifted);
    let deltas = random(11, 12, "deltas");
    let asked = [row_in(0, "G02+G03"), row_in(0, "G05"), row_in(0, "G00+G05")];
    let priors = prior(12);
    for (id, given) in cases() {
        let one = fit_predict(&id, &given, &view(&first, rows(), &deltas), &asked, &priors);
        let two = fit_predict(&id, &given, &view(&second, rows(), &deltas), &asked, &priors);
        assert!(largest_gap(&one, &two) < 1e-12, "{id} {given:?}");
    }
}

#[test]
fn a_context_without_train_perturbations_gets_the_deltas_of_the_others() {
    let ids = gene_ids(6);
    let controls = controls(&ids, &["a", "b", "c"], random(3, 6, "controls"));
    let deltas = random(3, 6, "deltas");
    let train = view(&controls, vec![row_in(0, "G00"), row_in(0, "G01"), row_in(1, "G00")], &deltas);
    let want = deltas.mean_axis(Axis(0)).expect("rows");
    let priors = prior(6);
    for entry in entries() {
        let id = (entry.info)().id;
        let out = run_with(&id, &[], &train, &[row_in(2, "G03"), row_in(2, "G00+G01")], &priors);
        if id == "no_change" {
            assert_eq!(out.prediction.native()[0], Native::Yes);
            continue;
        }
        assert_eq!(out.fallback(0).map(|it| it.0), Some("mean_delta_other_contexts"), "{id}");
        assert!(crate::support::gap(&out.delta(0), &want) < 1e-15, "{id}");
        assert!(crate::support::gap(&out.delta(1), &want) < 1e-15, "{id}");
    }
}

#[test]
fn other_genes_or_contexts_and_requests_to_stop_are_errors() {
    let (train, _) = screen(8, 4, 0.8, 0.0);
    let priors = prior(8);
    let stop = AtomicBool::new(true);
    for (id, given) in cases() {
        let method = make(&id, &given).expect("known");
        let fitted = method.fit(&train, &mut FitCtx::new(Seed::new(0), &priors)).expect("fits");
        let genes = QueryView::new(controls(&gene_ids(7), &["K562"], Array2::zeros((1, 7))), vec![row("G00")]);
        assert!(fitted.predict(&genes).expect_err("other genes").is_invalid_input());
        let contexts = QueryView::new(controls(&gene_ids(8), &["RPE1"], Array2::zeros((1, 8))), vec![row("G00")]);
        assert!(fitted.predict(&contexts).expect_err("other contexts").is_invalid_input());
        let stopped = method.fit(&train, &mut FitCtx::new(Seed::new(0), &priors).with_cancel(&stop));
        assert!(stopped.err().expect("stopped").is_cancelled());
        let empty = method.fit(&train.subset(&[]), &mut FitCtx::new(Seed::new(0), &priors));
        assert!(empty.err().expect("nothing to train on").is_invalid_input());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn nothing_but_finite_values_comes_out(scale in 1e-6_f64..1e6, keep in 1_usize..20, seed in 0_u64..1000) {
        let (train, _) = screen(14, 7, 0.7, 0.5);
        let rows: Vec<usize> = (0..keep.min(train.rows().len())).collect();
        let scaled = TrainView::new(
            controls(&gene_ids(14), &["K562"], &train.controls().profiles * scale),
            train.rows().to_vec(), train.profiles() * scale, train.n_cells().to_vec(),
        ).expect("fits").subset(&rows);
        let priors = prior(14);
        for (id, given) in cases() {
            let mut ctx = FitCtx::new(Seed::new(seed), &priors);
            let fitted = make(&id, &given).expect("known").fit(&scaled, &mut ctx).expect("fits");
            let prediction = fitted.predict(&QueryView::new(Arc::clone(scaled.controls()), query(14))).expect("predicts");
            prop_assert!(prediction.profiles().iter().all(|it| it.is_finite()), "{} {:?}", id, given);
        }
    }
}

#[test]
fn a_missing_gene_vector_is_told() {
    let ids = gene_ids(3);
    let controls = controls(&ids, &["c"], array![[0.0, 1.0, 2.0]]);
    let train = view(&controls, vec![row("G00"), row("G01")], &array![[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]);
    let out = run_with("knn", &[("embedding", json!("prior"))], &train, &[row("G02"), row("G01")], &prior(3));
    assert_eq!(out.fallback(0), Some(("mean_delta", "no embedding")));
    assert_eq!(out.delta(0), array![0.5, 1.0, 0.0]);
    assert_eq!(out.fallback(1), None);
}
