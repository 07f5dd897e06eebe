//! Sentences: cell2sentence there and back, GenePT.

use crate::common::row;
use crate::properties::{Subject, check};
use cellstone_core::genes::IdTarget;
use cellstone_core::{CellInput, Encoded, Scale, Seed, Tokenizer, Var};
use cellstone_rank::{
    Cell2Sentence, GenePtSentence, GeneVocab, SentenceOptions, SentenceTies, fit_rank_inverse, read_sentence,
};
use std::collections::BTreeMap;

fn vocab(names: &[&str]) -> Vec<(String, u32)> {
    names.iter().enumerate().map(|(id, it)| ((*it).to_owned(), id as u32 + 10)).collect()
}

fn input(values: &[f32], seed: u64) -> CellInput<'_> {
    const COLUMNS: [u32; 6] = [0, 1, 2, 3, 4, 5];
    let n_counts = values.iter().map(|it| f64::from(*it)).sum();
    CellInput { columns: &COLUMNS[..values.len()], values, n_counts, phenotypes: &[], seed: Seed::new(seed) }
}

#[test]
fn sentences_by_hand() {
    let options = SentenceOptions { ties: SentenceTies::Symbol, ..SentenceOptions::default() };
    let c2s = Cell2Sentence::new(vocab(&["Cd3d", "LYZ", "GNLY", "Actb"]), options.clone()).expect("valid");
    let var = Var::from_ids(["GNLY", "CD3D", "none", "LYZ", "ACTB"]).expect("unique");
    let bound = c2s.bind(&var, Scale::Counts).expect("binds");
    let found = row(bound.encode(&input(&[2.0, 2.0, 9.0, 7.0, 0.0], 0)));
    assert_eq!(found.sentence.as_deref(), Some("LYZ CD3D GNLY"));
    assert_eq!(found.input_ids, [11, 10, 12]);
    let want = [3501.0_f64.ln() as f32, 1001.0_f64.ln() as f32, 1001.0_f64.ln() as f32];
    assert!(found.values.expect("values").iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-5));
    assert_eq!((found.n_genes, found.n_truncated, found.mapped), (3, 0, 11.0));
    let top = Cell2Sentence::new(vocab(&["CD3D", "LYZ", "GNLY"]), SentenceOptions { top_k: Some(2), ..options });
    let bound = top.expect("valid").bind(&var, Scale::Counts).expect("binds");
    let found = row(bound.encode(&input(&[2.0, 3.0, 9.0, 7.0], 0)));
    assert_eq!((found.sentence.as_deref(), found.n_truncated), (Some("LYZ CD3D"), 1));
    // Logarithms of any library size are in the same order.
    let log = top_log(&var);
    assert_eq!(log.as_deref(), Some("LYZ CD3D GNLY"));
    let rejected = bound.encode(&CellInput { columns: &[2], values: &[4.0], ..input(&[], 0) });
    assert!(matches!(rejected, Encoded::Rejected { reason: "no_known_gene", .. }));
}

fn top_log(var: &Var) -> Option<String> {
    let c2s = Cell2Sentence::new(vocab(&["CD3D", "LYZ", "GNLY"]), SentenceOptions::default()).expect("valid");
    let bound = c2s.bind(var, Scale::LogNorm { target_sum: Some(1e6) }).expect("binds");
    row(bound.encode(&input(&[0.5, 1.5, 9.0, 2.5], 0))).sentence
}

#[test]
fn ties_are_random_and_the_cells_own() {
    let c2s = Cell2Sentence::new(vocab(&["A", "B", "C"]), SentenceOptions::default()).expect("valid");
    assert!(c2s.info().is_random);
    let bound = c2s.bind(&Var::from_ids(["A", "B", "C"]).expect("unique"), Scale::Counts).expect("binds");
    let mut orders = BTreeMap::<String, u32>::new();
    for seed in 0..6000 {
        let found = row(bound.encode(&input(&[3.0, 3.0, 3.0], seed)));
        *orders.entry(found.sentence.expect("a sentence")).or_default() += 1;
    }
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|it| it.abs_diff(1000) < 120), "{orders:?}");
    // A larger value stands first whatever the draw.
    for seed in 0..200 {
        let found = row(bound.encode(&input(&[3.0, 4.0, 3.0], seed)));
        assert!(found.sentence.expect("a sentence").starts_with("B "));
    }
}

#[test]
fn names_that_differ_in_case_alone_collide() {
    let error = Cell2Sentence::new(vocab(&["Gm1", "GM1"]), SentenceOptions::default()).err().expect("refused");
    assert!(error.to_string().contains("`GM1`"), "{error}");
}

#[test]
fn there_and_back() {
    // Values on a line in the logarithm of their rank come back exactly, genes in their places.
    let names: Vec<String> = (0..40).map(|it| format!("G{it}")).collect();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    let c2s = Cell2Sentence::new(vocab(&refs), SentenceOptions::default()).expect("valid");
    let bound =
        c2s.bind(&Var::from_ids(names.clone()).expect("unique"), Scale::LogNorm { target_sum: None }).expect("binds");
    let rank_of = |gene: u32| (gene * 7 + 3) % 40;
    let columns: Vec<u32> = (0..30).collect();
    let mut ranks: Vec<u32> = columns.iter().map(|it| rank_of(*it)).collect();
    ranks.sort_unstable();
    let value = |gene: u32| {
        let rank = ranks.binary_search(&rank_of(gene)).expect("listed");
        (4.0 - 1.1 * (1.0 + rank as f64).log10()) as f32
    };
    let values: Vec<f32> = columns.iter().map(|it| value(*it)).collect();
    let cell = CellInput { columns: &columns, values: &values, n_counts: 0.0, phenotypes: &[], seed: Seed::new(1) };
    let found = row(bound.encode(&cell));
    let falling: Vec<f64> = found.values.expect("values").iter().map(|it| f64::from(*it)).collect();
    let fit = fit_rank_inverse(&[&falling]).expect("a line");
    assert!((fit.intercept - 4.0).abs() < 1e-5 && (fit.slope + 1.1).abs() < 1e-5 && fit.pearson > 0.999_999, "{fit:?}");
    let keys = GeneVocab::new("names", IdTarget::Symbol, vocab(&refs)).expect("unique");
    let read = read_sentence(found.sentence.as_deref().expect("a sentence"), &keys);
    assert_eq!((read.n_unknown, read.n_repeated), (0, 0));
    let back = fit.reconstruct(&read.genes, 40);
    for gene in 0..40 {
        let want = if gene < 30 { values[gene] } else { 0.0 };
        assert!((back[gene] - want).abs() < 1e-4, "gene {gene}: {} for {want}", back[gene]);
    }
}

#[test]
fn genept_sentences_have_their_beginning() {
    let genept = GenePtSentence::new(vocab(&["B", "A", "C"]), SentenceOptions::default()).expect("valid");
    assert_eq!((genept.info().max_len, genept.info().is_random), (Some(1000), false));
    let bound = genept.bind(&Var::from_ids(["A", "B", "C", "x"]).expect("unique"), Scale::Counts).expect("binds");
    let found = row(bound.encode(&input(&[1.0, 1.0, 3.0, 4.0], 5)));
    assert_eq!(found.sentence.as_deref(), Some("A cell with genes ranked by expression: C A B"));
    assert_eq!(bound.coverage().n_features - bound.coverage().n_mapped, 1, "the missing genes are counted");
}

#[test]
fn properties_hold() {
    let names: Vec<String> = (0..60).map(|it| format!("GENE{it}")).collect();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    for (top_k, ties) in
        [(None, SentenceTies::Random), (Some(9), SentenceTies::Random), (Some(9), SentenceTies::Symbol)]
    {
        let options = SentenceOptions { top_k, ties, gene_table: None };
        let c2s = Cell2Sentence::new(vocab(&refs), options.clone()).expect("valid");
        let genept = GenePtSentence::new(vocab(&refs), options).expect("valid");
        for scale in [Scale::Counts, Scale::LogNorm { target_sum: Some(1e4) }] {
            check(&Subject { scale, ..Subject::of_symbols(&c2s, names.clone()) });
            check(&Subject { scale, ..Subject::of_symbols(&genept, names.clone()) });
        }
    }
}
