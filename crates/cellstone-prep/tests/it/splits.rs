//! Splits against NumPy, and the properties every split has.

use crate::support::{golden, strings};
use cellstone_core::{Condition, ContextId, Part, Perturbation, Split};
use cellstone_prep::{
    SplitCondition, SplitMeta, SplitParams, make_splits, pool_hash, protocols, read_condition_list, split_from_json,
    split_to_json,
};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn list(names: &[String]) -> Vec<SplitCondition> {
    read_condition_list(&format!("ctrl\n{}\n", names.join("\n"))).expect("names")
}

fn make(protocol: &str, params: &SplitParams, conditions: &[SplitCondition], seed: u64) -> Vec<Split> {
    make_splits(protocol, params, conditions, seed).expect("splits")
}

fn without_control(split: &Split, part: Part) -> Vec<&str> {
    split.names(part).into_iter().filter(|it| *it != "ctrl").collect()
}

#[test]
fn doubles_are_those_of_numpy() {
    let file = golden("splits/norman_doubles.json");
    let (singles, doubles) = (strings(&file["singles"]), strings(&file["doubles"]));
    let conditions = list(&[singles.clone(), doubles].concat());
    for seed in 1..=5_u64 {
        let split = &make("norman_doubles", &SplitParams::default(), &conditions, seed)[0];
        let want = &file["seeds"][seed.to_string()];
        let mut train = strings(&want["train"]);
        assert_eq!(train.len(), 62);
        train.extend(singles.clone());
        train.sort();
        assert_eq!(without_control(split, Part::Train), train, "seed {seed}");
        assert_eq!(split.names(Part::Test), strings(&want["test"]), "seed {seed}");
        assert_eq!(split.names(Part::Val), strings(&want["val"]), "seed {seed}");
        assert_eq!((split.names(Part::Test).len(), split.names(Part::Val).len()), (31, 31));
        assert_eq!(split.part(&ContextId::default_context(), "ctrl"), Some(Part::Train));
        assert_eq!(split.name, format!("norman_doubles_s{seed}"));
    }
}

#[test]
fn simulation_splits_are_those_of_numpy() {
    let file = golden("splits/gears_simulation.json");
    let conditions = list(&strings(&file["names"]));
    for seed in 1..=5_u64 {
        let split = &make("gears_simulation", &SplitParams::default(), &conditions, seed)[0];
        let want = &file["seeds"][seed.to_string()];
        assert_eq!(without_control(split, Part::Train), strings(&want["train"]), "seed {seed}");
        assert_eq!(split.names(Part::Val), strings(&want["val"]), "seed {seed}");
        let groups = want["subgroups"].as_object().expect("groups");
        assert_eq!(split.subgroups.len(), groups.len());
        let mut n_test = 0;
        for (name, raws) in groups {
            n_test += strings(raws).len();
            assert_eq!(split.subgroups[name], strings(raws), "seed {seed}, {name}");
            assert!(strings(raws).iter().all(|it| split.subgroup(it) == Some(name)));
        }
        assert_eq!(split.names(Part::Test).len(), n_test);
    }
}

#[test]
fn simulation_sizes_of_singles() {
    for (n, want) in [(81, (54, 6, 21)), (1087, (733, 82, 272)), (1534, (1035, 115, 384))] {
        let names: Vec<String> = (0..n).map(|it| format!("G{it}+ctrl")).collect();
        for seed in [1, 2] {
            let split = &make("gears_simulation", &SplitParams::default(), &list(&names), seed)[0];
            let sizes = (
                without_control(split, Part::Train).len(),
                split.names(Part::Val).len(),
                split.names(Part::Test).len(),
            );
            assert_eq!(sizes, want);
        }
    }
}

#[test]
fn gene_folds_are_those_of_numpy() {
    let file = golden("splits/gene_kfold.json");
    let conditions = list(&strings(&file["genes"]));
    for seed in [0, 42] {
        let folds = make("gene_kfold", &SplitParams::default(), &conditions, seed);
        let want = file["seeds"][seed.to_string()].as_array().expect("folds");
        assert_eq!(folds.len(), want.len());
        for (fold, want) in folds.iter().zip(want) {
            assert_eq!(fold.names(Part::Test), strings(want), "seed {seed}");
        }
        let one = SplitParams { fold: Some(3), ..SplitParams::default() };
        assert_eq!(make("gene_kfold", &one, &conditions, seed), folds[3..4]);
    }
}

#[test]
fn modes_are_those_of_numpy() {
    let file = golden("splits/gears_modes.json");
    let conditions = list(&strings(&file["names"]));
    for seed in 1..=3_u64 {
        let modes = file["seeds"][seed.to_string()].as_object().expect("modes");
        assert_eq!(modes.len(), 6);
        for (mode, want) in modes {
            let split = &make("gears_modes", &variant(mode), &conditions, seed)[0];
            assert_eq!(without_control(split, Part::Train), strings(&want["train"]), "{mode}, seed {seed}");
            assert_eq!(split.names(Part::Val), strings(&want["val"]), "{mode}, seed {seed}");
            assert_eq!(split.names(Part::Test), strings(&want["test"]), "{mode}, seed {seed}");
            assert_eq!(split.name, format!("gears_modes_s{seed}_{mode}"));
        }
    }
}

/// Target genes of the conditions of a part.
fn genes_of<'a>(conditions: &'a [SplitCondition], split: &Split, part: Part) -> BTreeSet<&'a str> {
    let of_part = |it: &&SplitCondition| split.part(&it.context, &it.raw) == Some(part);
    let perturbations = conditions.iter().filter(of_part).filter_map(|it| it.condition.perturbation());
    perturbations.flat_map(|it| it.targets()).map(String::as_str).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn related_genes_are_held_out_together(
        n_genes in 6_usize..40,
        pairs in prop::collection::vec((0_usize..45, 0_usize..45), 1..25),
        doubles in prop::collection::btree_set((0_usize..40, 0_usize..40), 0..20),
        k in 2_usize..6,
        seed in 0_u64..50,
    ) {
        // Some edges lead through genes that nobody perturbed.
        let gene = |at: usize| format!("G{at:02}");
        let mut names: Vec<String> = (0..n_genes).map(gene).collect();
        let valid = |(a, b): &&(usize, usize)| a < b && *b < n_genes;
        names.extend(doubles.iter().filter(valid).map(|(a, b)| format!("{}+{}", gene(*a), gene(*b))));
        let conditions = list(&names);
        let edges: Vec<(String, String)> = pairs.iter().map(|(a, b)| (gene(*a), gene(*b))).collect();
        let params = SplitParams { k, edges: edges.clone(), ..SplitParams::default() };
        let Ok(splits) = make_splits("group_kfold", &params, &conditions, seed) else { return Ok(()) };
        prop_assert_eq!(&splits, &make("group_kfold", &params, &conditions, seed));
        prop_assert_eq!(splits.len(), k);
        let mut n_tested = std::collections::BTreeMap::<&str, usize>::new();
        for split in &splits {
            // The genes of the fold are those whose singles are test.
            let fold: BTreeSet<&str> =
                split.names(Part::Test).into_iter().filter(|it| !it.contains('+')).collect();
            prop_assert!(!fold.is_empty());
            prop_assert!(genes_of(&conditions, split, Part::Train).is_disjoint(&fold), "a held-out gene trains");
            for (a, b) in &edges {
                let known = |it: &String| names.contains(it);
                if known(a) && known(b) {
                    prop_assert_eq!(fold.contains(a.as_str()), fold.contains(b.as_str()), "an edge is cut");
                }
            }
            for name in &names {
                let part = split.part(&ContextId::default_context(), name);
                prop_assert!(part == Some(Part::Train) || part == Some(Part::Test));
                *n_tested.entry(name).or_default() += usize::from(part == Some(Part::Test));
            }
        }
        for (name, times) in n_tested {
            prop_assert!(times >= 1 && times <= name.split('+').count(), "{} is tested {} times", name, times);
        }
    }

    #[test]
    fn modes_hold_out_what_they_say(n_genes in 20_usize..60, seed in 0_u64..40, step in 1_usize..7) {
        let gene = |at: usize| format!("G{at:02}");
        let mut names: Vec<String> = (0..n_genes).map(gene).collect();
        names.extend((0..n_genes).map(|it| (it, (it + step) % n_genes)).filter(|(a, b)| a < b)
            .map(|(a, b)| format!("{}+{}", gene(a), gene(b))));
        let conditions = list(&names);
        for mode in ["single", "single_only", "combo_seen0", "combo_seen1", "combo_seen2", "no_test"] {
            let Ok(splits) = make_splits("gears_modes", &variant(mode), &conditions, seed) else { continue };
            let split = &splits[0];
            let named: usize = [Part::Train, Part::Val, Part::Test].map(|it| without_control(split, it).len()).iter().sum();
            prop_assert!(named <= names.len());
            prop_assert_eq!(split.names(Part::Test).is_empty(), mode == "no_test");
            let train = genes_of(&conditions, split, Part::Train);
            let single = |it: &&str| !it.contains('+');
            if matches!(mode, "single" | "single_only" | "combo_seen0") {
                let held_out = split.names(Part::Test).into_iter().filter(single).all(|it| !train.contains(it));
                prop_assert!(held_out, "a test gene trains under {}", mode);
            }
            if mode == "single_only" {
                prop_assert!(split.names(Part::Train).into_iter().all(|it| !it.contains('+')));
            }
        }
    }
}

#[test]
fn groups_fill_folds_evenly() {
    let names: Vec<String> = (0..12).map(|it| format!("G{it:02}")).collect();
    let conditions = list(&names);
    let edge = |a: usize, b: usize| (names[a].clone(), names[b].clone());
    let edges = vec![edge(0, 1), edge(1, 2), edge(2, 3), edge(4, 5), edge(6, 7)];
    let params = SplitParams { k: 3, edges, ..SplitParams::default() };
    for seed in 0..5 {
        let splits = make("group_kfold", &params, &conditions, seed);
        let sizes: Vec<usize> = splits.iter().map(|it| it.names(Part::Test).len()).collect();
        assert_eq!(sizes, [4, 4, 4], "four of one family, two pairs, four alone");
    }
    let one = SplitParams { fold: Some(1), ..params.clone() };
    assert_eq!(make("group_kfold", &one, &conditions, 0), make("group_kfold", &params, &conditions, 0)[1..2]);
}

fn two_contexts() -> Vec<SplitCondition> {
    let mut conditions = Vec::new();
    for context in ["k562", "rpe1"] {
        for at in 0..10 {
            let targets = [format!("G{at}"), format!("G{}", (at + 1) % 10)];
            let n_targets = if at % 3 == 0 { 2 } else { 1 };
            conditions.push(SplitCondition {
                context: ContextId::new(context),
                raw: targets[..n_targets].join("+"),
                condition: Condition::Perturbed(Perturbation::new(targets[..n_targets].to_vec()).expect("distinct")),
            });
        }
        conditions.push(SplitCondition {
            context: ContextId::new(context),
            condition: Condition::Control,
            raw: "ctrl".into(),
        });
    }
    conditions
}

fn variant(name: &str) -> SplitParams {
    SplitParams { variant: Some(name.into()), fraction: 0.29, ..SplitParams::default() }
}

#[test]
fn a_context_is_left_out() {
    let conditions = two_contexts();
    let (k562, rpe1) = (ContextId::new("k562"), ContextId::new("rpe1"));
    let splits = make("leave_one_context_out", &SplitParams::default(), &conditions, 0);
    assert_eq!(splits.len(), 2);
    for it in conditions.iter().filter(|it| !it.condition.is_control()) {
        let want = if it.context == k562 { Part::Test } else { Part::Train };
        assert_eq!(splits[0].part(&it.context, &it.raw), Some(want));
    }
    assert_eq!(splits[0].part(&k562, "ctrl"), Some(Part::Train));
    let few = make("leave_one_context_out", &variant("few_shot"), &conditions, 0);
    let own = conditions.iter().filter(|it| it.context == rpe1 && !it.condition.is_control());
    let n_train = own.filter(|it| few[1].part(&rpe1, &it.raw) == Some(Part::Train)).count();
    assert_eq!(n_train, 2, "trunc(10 · 0.29)");
}

#[test]
fn a_gene_and_a_context_are_left_out() {
    let conditions = two_contexts();
    let splits = make("leave_one_context_out", &variant("gene_and_context"), &conditions, 0);
    assert_eq!(splits.len(), 10);
    for split in &splits {
        let targets = |part: Part| -> BTreeSet<String> {
            let of_part = |it: &&SplitCondition| split.part(&it.context, &it.raw) == Some(part);
            let all = conditions.iter().filter(of_part).filter_map(|it| it.condition.perturbation());
            all.flat_map(|it| it.targets().to_vec()).collect()
        };
        let contexts = |part: Part| -> BTreeSet<&ContextId> {
            let of_part =
                |it: &&SplitCondition| split.part(&it.context, &it.raw) == Some(part) && !it.condition.is_control();
            conditions.iter().filter(of_part).map(|it| &it.context).collect()
        };
        assert!(contexts(Part::Test).is_disjoint(&contexts(Part::Train)));
        let single_targets: BTreeSet<String> = targets(Part::Test);
        let held_out = single_targets.difference(&targets(Part::Train)).count();
        assert!(held_out >= 1, "a gene of the fold trains nowhere");
    }
}

#[test]
fn every_protocol_is_a_partition_and_repeats_itself() {
    let conditions = two_contexts();
    let edges = vec![("G0".to_owned(), "G7".to_owned())];
    // The other modes of GEARS leave conditions out by design and need more of them: they have tests of their own.
    for info in protocols().iter().filter(|it| it.id != "gears_modes") {
        for params in [SplitParams::default(), variant("few_shot")] {
            let params = SplitParams { edges: edges.clone(), ..params };
            let splits = make(info.id, &params, &conditions, 3);
            assert_eq!(splits, make(info.id, &params, &conditions, 3), "{}", info.id);
            let names: BTreeSet<&str> = splits.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names.len(), splits.len(), "names are unique");
            for split in &splits {
                assert!(conditions.iter().all(|it| split.part(&it.context, &it.raw).is_some()), "{}", info.id);
                assert!(!split.names(Part::Test).is_empty());
                let text = split_to_json(split, &SplitMeta::default()).expect("text");
                assert_eq!(&split_from_json(&text, "split.json").expect("a split").0, split);
            }
        }
    }
    let simulation = |seed| make("gears_simulation", &SplitParams::default(), &conditions, seed);
    assert_ne!(simulation(1)[0].names(Part::Test), simulation(2)[0].names(Part::Test));
}

#[test]
fn no_held_out_gene_trains() {
    let conditions = two_contexts();
    let mut tested = BTreeSet::new();
    for split in make("gene_kfold", &SplitParams::default(), &conditions, 0) {
        let single =
            |part: Part| -> BTreeSet<&str> { split.names(part).into_iter().filter(|it| !it.contains('+')).collect() };
        for raw in split.names(Part::Train).into_iter().filter(|it| *it != "ctrl") {
            assert!(raw.split('+').all(|it| !single(Part::Test).contains(it)), "{raw}");
        }
        tested.extend(split.names(Part::Test).into_iter().map(str::to_owned));
    }
    assert_eq!(tested.len(), 10, "every condition is tested");
}

#[test]
fn combinations_are_tested_once() {
    let halves = make("combos_2fold", &SplitParams::default(), &two_contexts(), 0);
    assert_eq!(halves.len(), 2);
    let (first, second) = (halves[0].names(Part::Test), halves[1].names(Part::Test));
    assert_eq!((first.len(), second.len()), (2, 2));
    assert!(first.iter().all(|it| it.contains('+') && !second.contains(it)));
}

#[test]
fn bad_requests_say_what_to_do() {
    let conditions = two_contexts();
    let check =
        |protocol: &str, params: &SplitParams, conditions: &[SplitCondition], seed, message: &str, hint: &str| {
            let error = make_splits(protocol, params, conditions, seed).expect_err("refused");
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hints().first().map_or("", String::as_str), hint);
        };
    let plain = SplitParams::default();
    check(
        "norman_double",
        &plain,
        &conditions,
        0,
        "unknown split protocol `norman_double` (protocols: `norman_doubles`, `gears_simulation`, `gene_kfold`, `group_kfold`, `leave_one_context_out`, `combos_2fold`, `gears_modes`)",
        "did you mean `norman_doubles`?",
    );
    check(
        "gene_kfold",
        &SplitParams { k: 11, ..plain.clone() },
        &conditions,
        0,
        "k is 11, expected 2 to 10 for 10 target genes",
        "",
    );
    check(
        "gene_kfold",
        &SplitParams { fold: Some(5), ..plain.clone() },
        &conditions,
        0,
        "fold is 5, expected below 5",
        "",
    );
    check(
        "gene_kfold",
        &plain,
        &conditions,
        1 << 32,
        "seed of split protocol `gene_kfold` is 4294967296, expected at most 4294967295",
        "",
    );
    check(
        "leave_one_context_out",
        &variant("fewshot"),
        &conditions,
        0,
        "unknown variant `fewshot` of leave_one_context_out, expected `zero_shot`, `few_shot`, `gene_and_context`",
        "did you mean `few_shot`?",
    );
    check(
        "group_kfold",
        &plain,
        &conditions,
        0,
        "group_kfold needs the edges of a gene graph, found none",
        "give pairs of related genes (paralogs, complexes, STRING), or use gene_kfold",
    );
    let chain = (0..9).map(|it| (format!("G{it}"), format!("G{}", it + 1))).collect();
    check(
        "group_kfold",
        &SplitParams { edges: chain, ..plain.clone() },
        &conditions,
        0,
        "k is 5, expected 2 to 1 for 1 groups of target genes",
        "",
    );
    check(
        "gears_modes",
        &variant("combo_seen"),
        &conditions,
        0,
        "unknown variant `combo_seen` of gears_modes, expected `single`, `single_only`, `combo_seen0`, `combo_seen1`, `combo_seen2`, `no_test`",
        "did you mean `combo_seen0`?",
    );
    check(
        "gears_modes",
        &plain,
        &conditions,
        0,
        "gears_modes draws nothing for test from 10 conditions",
        "a tenth of the singles, or of the combinations, must be one or more",
    );
    let singles = read_condition_list("ctrl\nA\nB\nC").expect("names");
    check(
        "norman_doubles",
        &plain,
        &singles,
        0,
        "norman_doubles needs 4 doubles or more, found 0",
        "use gene_kfold for data of single perturbations",
    );
    check(
        "leave_one_context_out",
        &plain,
        &singles,
        0,
        "leave_one_context_out needs 2 contexts with perturbed cells or more, found 1",
        "name the column of cell lines or cell types with data.context_col",
    );
}

#[test]
fn files_are_checked() {
    let conditions = read_condition_list("ctrl\nA\nB\nC\nD\nE\nF\nG\nH").expect("names");
    let split = &make("gene_kfold", &SplitParams::default(), &conditions, 0)[0];
    let meta = SplitMeta {
        dataset_hash: Some("d".into()),
        control: vec!["ctrl".into()],
        created_by: "cellstone 0.1.0".into(),
    };
    let text = split_to_json(split, &meta).expect("text");
    assert_eq!(split_from_json(&text, "s.json").expect("a split"), (split.clone(), meta));
    assert!(text.contains(&pool_hash(["A", "B", "C", "D", "E", "F", "G", "H", "ctrl"])));
    let message = |text: &str| split_from_json(text, "s.json").expect_err("refused").to_string();
    assert!(message(&text.replace("\"B\",\n", "")).starts_with("the names in split `s.json` have pool hash"));
    assert_eq!(message(&text.replace("\"schema\": 1", "\"schema\": 9")), "split `s.json` has schema 9, expected 1");
    assert!(message("{}").starts_with("`s.json` is no split: missing field"));
    let test = split.names(Part::Test)[0];
    let twice = text.replace("\"val\": []", &format!("\"val\": [\"{test}\"]"));
    assert_eq!(
        message(&twice),
        format!("reading `s.json`: condition `{test}` is in two parts of split `gene_kfold_s0_f0`: val and test")
    );
}
