//! scGPT: bins against NumPy, the law of the draw, rows.

use crate::common::{golden, row, shared};
use crate::properties::{Subject, check};
use cellstone_core::{CellInput, Scale, Seed, Tokenizer, Var};
use cellstone_rank::{BinTies, QuantileBins, Scgpt, ScgptOptions, ScgptValues};
use std::collections::BTreeSet;

fn vocab(n: u32) -> Vec<(String, u32)> {
    (0..n).map(|it| (format!("GENE{it}"), it)).collect()
}

fn names(vocab: &[(String, u32)]) -> Vec<String> {
    vocab.iter().map(|it| it.0.clone()).collect()
}

#[test]
fn golden_places_are_those_of_numpy() {
    let file = golden("scgpt/rows.json");
    let mut bins = QuantileBins::new(51).expect("enough bins");
    let (mut n_rows, mut n_values, mut n_open) = (0, 0, 0);
    for (at, case) in file.as_array().expect("rows").iter().enumerate() {
        let number = |it: &serde_json::Value, part: usize| it[part].as_f64().expect("a number");
        let case = case.as_array().expect("values");
        let values: Vec<f64> = case.iter().flat_map(|it| vec![number(it, 0); number(it, 1) as usize]).collect();
        bins.fit(&values);
        for it in case {
            let want = (number(it, 2) as u32, number(it, 3) as u32);
            assert_eq!(bins.place(number(it, 0)), want, "row {at}, value {}", it[0]);
            n_open += u32::from(want.0 - want.1 > 1);
            n_values += 1;
        }
        n_rows += 1;
    }
    assert!(n_rows > 2700 && n_values > 20_000 && n_open > 5000, "{n_rows} rows, {n_values} values, {n_open} open");
}

#[test]
fn draws_are_even_over_the_allowed_bins() {
    // 1 may be in any of 1..=15, 2 in any of 22..=29: see the row of the protocol.
    let counts = [1.0_f32, 1.0, 1.0, 2.0, 2.0, 3.0, 5.0, 8.0];
    let encoder = Scgpt::new(vocab(8), ScgptOptions::default()).expect("valid");
    let bound = encoder.bind(&Var::from_ids(names(&vocab(8))).expect("unique"), Scale::Counts).expect("binds");
    let columns: Vec<u32> = (0..8).collect();
    let mut seen = [[0_u32; 51]; 8];
    for seed in 0..20_000 {
        let cell =
            CellInput { columns: &columns, values: &counts, n_counts: 23.0, phenotypes: &[], seed: Seed::new(seed) };
        let row = row(bound.encode(&cell));
        for (gene, bin) in row.values.expect("bins")[1..].iter().enumerate() {
            seen[gene][*bin as usize] += 1;
        }
    }
    for (gene, range) in [(0, 1..=15), (1, 1..=15), (2, 1..=15), (3, 22..=29), (4, 22..=29), (5, 36..=36)] {
        let n_bins = range.clone().count();
        let want = 20_000.0 / n_bins as f64;
        let chi2: f64 = range.clone().map(|it| (f64::from(seen[gene][it]) - want).powi(2) / want).sum();
        // The 99.9 % quantile of chi-square is 36.1 at 14 degrees of freedom, and smaller at fewer.
        assert!(chi2 < 36.1, "gene {gene}: {chi2}");
        assert_eq!(seen[gene][range].iter().sum::<u32>(), 20_000, "gene {gene} has other bins");
    }
    // Genes of one cell are drawn apart from each other.
    let both = (0..20_000).filter(|seed| {
        let cell =
            CellInput { columns: &columns, values: &counts, n_counts: 23.0, phenotypes: &[], seed: Seed::new(*seed) };
        let bins = row(bound.encode(&cell)).values.expect("bins");
        bins[1] == bins[2]
    });
    let n = both.count() as f64;
    assert!((n - 20_000.0 / 15.0).abs() < 5.0 * (20_000.0_f64 / 15.0).sqrt(), "{n} pairs of equal bins");
}

#[test]
fn rows_begin_with_the_class_token() {
    let encoder =
        Scgpt::new(vocab(4), ScgptOptions { ties: BinTies::Upper, ..ScgptOptions::default() }).expect("valid");
    let info = encoder.info();
    assert_eq!((info.n_tokens, info.specials.pad, info.specials.cls), (7, Some(4), Some(5)));
    assert_eq!(
        [4, 5, 6, 7, 2].map(|it| encoder.token_name(it)),
        [Some("<pad>"), Some("<cls>"), Some("<eoc>"), None, Some("GENE2")]
    );
    let var = Var::from_ids(["GENE3", "other", "GENE0"]).expect("unique");
    let bound = encoder.bind(&var, Scale::Counts).expect("binds");
    let cell = |values| CellInput { columns: &[0, 1, 2], values, n_counts: 9.0, phenotypes: &[], seed: Seed::new(0) };
    let found = row(bound.encode(&cell(&[4.0, 9.0, 2.0])));
    // Two values: 49 edges are at or above the smaller and below the larger.
    assert_eq!((found.input_ids, found.values), (vec![5, 0, 3], Some(vec![-2.0, 1.0, 50.0])));
    assert_eq!((found.n_genes, found.n_truncated, found.mapped), (2, 0, 6.0));
    // Without a known gene the class token stands alone.
    let none = row(bound.encode(&CellInput { columns: &[1], values: &[3.0], ..cell(&[]) }));
    assert_eq!((none.input_ids, none.n_genes), (vec![5], 0));
}

#[test]
fn special_tokens_of_a_vocabulary_stay_where_they_are() {
    let mut vocab = vocab(3);
    vocab.extend([("<cls>".to_owned(), 9), ("<pad>".to_owned(), 7)]);
    let encoder = Scgpt::new(vocab, ScgptOptions::default()).expect("valid");
    let info = encoder.info();
    assert_eq!((info.specials.cls, info.specials.pad, info.n_tokens), (Some(9), Some(7), 11));
    assert_eq!(encoder.token_name(10), Some("<eoc>"));
}

#[test]
fn the_published_vocabularies_are_followed_by_special_tokens() {
    for name in ["scgpt_default_gene_vocab.json", "scgpt_default_census_vocab.json"] {
        let Some(path) = shared(&format!("vocab/{name}")) else { return };
        let text = std::fs::read_to_string(path).expect("text");
        let vocab: std::collections::BTreeMap<String, u32> = serde_json::from_str(&text).expect("names and ids");
        let n = vocab.len() as u32;
        assert_eq!(vocab.values().max(), Some(&(n - 1)), "{name}");
        let encoder = Scgpt::new(vocab.into_iter().collect(), ScgptOptions::default()).expect("valid");
        assert_eq!(encoder.info().n_tokens, n + 3, "{name}");
        let last = [n, n + 1, n + 2].map(|it| encoder.token_name(it));
        assert_eq!(last, [Some("<pad>"), Some("<cls>"), Some("<eoc>")], "{name}");
        let var = Var::from_ids(["CD3D", "LYZ", "MS4A1"]).expect("unique");
        let bound = encoder.bind(&var, Scale::Counts).expect("binds");
        assert_eq!(bound.coverage().n_mapped, 3, "{name}");
    }
}

#[test]
fn long_rows_are_cut_to_a_uniform_subset() {
    let options = ScgptOptions { max_len: Some(5), ..ScgptOptions::default() };
    let bind = |options| {
        let encoder = Scgpt::new(vocab(12), options).expect("valid");
        encoder.bind(&Var::from_ids(names(&vocab(12))).expect("unique"), Scale::Counts).expect("binds")
    };
    let (sorted, drawn) = (bind(options.clone()), bind(ScgptOptions { shuffle: true, ..options }));
    let columns: Vec<u32> = (0..12).collect();
    let values: Vec<f32> = (1..13).map(|it| it as f32).collect();
    let mut seen = [0_u32; 12];
    let mut n_unsorted = 0;
    for seed in 0..6000 {
        let cell =
            CellInput { columns: &columns, values: &values, n_counts: 78.0, phenotypes: &[], seed: Seed::new(seed) };
        let (a, b) = (row(sorted.encode(&cell)), row(drawn.encode(&cell)));
        assert_eq!((a.input_ids.len(), a.n_genes, a.n_truncated), (5, 12, 8));
        a.input_ids[1..].iter().for_each(|it| seen[*it as usize] += 1);
        assert!(a.input_ids[1..].is_sorted());
        let set = |ids: &[u32]| ids.iter().copied().collect::<BTreeSet<_>>();
        assert_eq!(set(&a.input_ids), set(&b.input_ids), "the same genes in another order");
        n_unsorted += u32::from(!b.input_ids[1..].is_sorted());
        // Bins are those of the whole cell.
        let pairs = |row: &cellstone_core::TokenRow| {
            let values = row.values.clone().expect("bins");
            row.input_ids.iter().copied().zip(values.into_iter().map(|it| it as i32)).collect::<BTreeSet<_>>()
        };
        assert_eq!(pairs(&a), pairs(&b));
    }
    assert!(seen.iter().all(|it| it.abs_diff(2000) < 150), "{seen:?}");
    assert!(n_unsorted > 5000, "{n_unsorted}");
}

#[test]
fn values_may_pass_through() {
    let var = Var::from_ids(["GENE0", "GENE1", "x"]).expect("unique");
    let encode = |values, scale, given: &[f32]| {
        let encoder = Scgpt::new(vocab(2), ScgptOptions { values, ..ScgptOptions::default() }).expect("valid");
        let cell =
            CellInput { columns: &[0, 1, 2], values: given, n_counts: 20.0, phenotypes: &[], seed: Seed::new(0) };
        row(encoder.bind(&var, scale).expect("binds").encode(&cell)).values.expect("values")
    };
    let log = Scale::LogNorm { target_sum: Some(1e4) };
    let close = |a: Vec<f32>, b: [f64; 3]| {
        assert!(a.iter().zip(b).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-4 * b.abs()), "{a:?} {b:?}");
    };
    close(encode(ScgptValues::Normed, Scale::Counts, &[1.0, 4.0, 15.0]), [-2.0, 500.0, 2000.0]);
    close(encode(ScgptValues::Log1p, Scale::Counts, &[1.0, 4.0, 15.0]), [-2.0, 501.0_f64.ln(), 2001.0_f64.ln()]);
    let logs = [501.0_f32.ln(), 2001.0_f32.ln(), 1.0];
    close(encode(ScgptValues::Log1p, log, &logs), [-2.0, f64::from(logs[0]), f64::from(logs[1])]);
    close(encode(ScgptValues::Normed, log, &logs), [-2.0, 500.0, 2000.0]);
}

#[test]
fn bad_choices_and_scales_are_refused() {
    let error = |options| Scgpt::new(vocab(2), options).err().expect("refused").to_string();
    assert!(error(ScgptOptions { n_bins: 2, ..ScgptOptions::default() }).contains("2 bins, expected at least 3"));
    assert!(error(ScgptOptions { max_len: Some(1), ..ScgptOptions::default() }).contains("max_len 1"));
    let encoder = Scgpt::new(vocab(2), ScgptOptions::default()).expect("valid");
    let error = encoder.bind(&Var::from_ids(["GENE0"]).expect("unique"), Scale::Cpm).err().expect("refused");
    assert!(error.to_string().contains("`scgpt` takes raw counts or ln(1 + x)"), "{error}");
    assert!(!error.hints().is_empty());
}

#[test]
fn properties_hold() {
    let genes = vocab(60);
    for (max_len, ties) in [(1200, BinTies::Random), (12, BinTies::Random), (30, BinTies::Middle)] {
        let options = ScgptOptions { max_len: Some(max_len), ties, ..ScgptOptions::default() };
        let encoder = Scgpt::new(genes.clone(), options).expect("valid");
        check(&Subject::of_symbols(&encoder, names(&genes)));
        let log = Scale::LogNorm { target_sum: Some(1e4) };
        check(&Subject { scale: log, ..Subject::of_symbols(&encoder, names(&genes)) });
    }
}
