//! The encoder against its definition, written out slowly.

use super::*;
use cellstone_core::{CellInput, Encoded, Scale, Seed, TokenRow, Tokenizer, Var};
use proptest::prelude::*;

fn dictionary(specials: &[&str], genes: &[&str]) -> Vec<(String, u32)> {
    specials.iter().chain(genes).zip(0..).map(|(it, id)| ((*it).to_owned(), id)).collect()
}

const SPECIALS: [&str; 4] = ["<pad>", "<mask>", "<cls>", "<eos>"];

fn options(series: GeneformerSeries, max_len: usize) -> GeneformerOptions {
    GeneformerOptions { max_len, ..GeneformerOptions::of(series) }
}

/// Genes A, B, C with tokens 4, 5, 6.
fn small(options: GeneformerOptions) -> Geneformer {
    let medians = [("A", 2.0), ("B", 1.0), ("C", 1.0)].map(|(gene, median)| (gene.to_owned(), median));
    Geneformer::new(dictionary(&SPECIALS, &["A", "B", "C"]), medians.to_vec(), options).expect("valid")
}

fn encode(encoder: &Geneformer, names: &[&str], values: &[f32], n_counts: f64) -> Encoded {
    let var = Var::from_ids(names.iter().copied()).expect("unique");
    let columns: Vec<u32> = (0..names.len() as u32).collect();
    let bound = encoder.bind(&var, Scale::Counts).expect("binds");
    bound.encode(&CellInput { columns: &columns, values, n_counts, phenotypes: &[], seed: Seed::new(0) })
}

fn row(encoded: Encoded) -> TokenRow {
    match encoded {
        Encoded::Row(row) => row,
        Encoded::Rejected { reason, detail } => panic!("{reason}: {detail}"),
    }
}

#[test]
fn the_vector_of_the_protocol() {
    let (names, values) = (["A", "B", "C", "unmapped"], [4.0, 2.0, 2.0, 12.0]);
    let first = row(encode(&small(options(GeneformerSeries::V1, 2048)), &names, &values, 20.0));
    assert_eq!(first.input_ids, [4, 5, 6]);
    assert_eq!((first.mapped / 20.0, first.n_genes, first.n_truncated, first.values), (0.4, 3, 0, None));
    let second = row(encode(&small(options(GeneformerSeries::V2, 4096)), &names, &values, 20.0));
    assert_eq!(second.input_ids, [2, 4, 5, 6, 3]);
    let info = small(GeneformerOptions::default()).info().clone();
    assert_eq!((info.id.as_ref(), info.max_len, info.n_tokens), ("geneformer_v2", Some(4096), 7));
}

#[test]
fn genes_are_cut_before_special_tokens_are_added() {
    let short = small(options(GeneformerSeries::V2, 4));
    let cut = row(encode(&short, &["A", "B", "C"], &[1.0, 3.0, 2.0], 6.0));
    assert_eq!((cut.input_ids.as_slice(), cut.n_genes, cut.n_truncated), (&[2, 5, 6, 3][..], 3, 1));
    assert_eq!(cut.mapped, 6.0);
}

#[test]
fn values_stand_beside_genes_and_zero_beside_special_tokens() {
    let of = |values: RankValues, series| {
        let encoder = small(GeneformerOptions { values, ..options(series, 10) });
        row(encode(&encoder, &["A", "B", "x"], &[4.0, 3.0, 3.0], 10.0)).values.expect("asked for")
    };
    assert_eq!(of(RankValues::Counts, GeneformerSeries::V2), [0.0, 3000.0, 4000.0, 0.0]);
    assert_eq!(of(RankValues::MedianScaled, GeneformerSeries::V1), [3000.0, 2000.0]);
}

#[test]
fn columns_of_one_gene_are_summed_and_columns_may_decide_ties() {
    let tie = |tie, names: &[&str], values: &[f32]| {
        let encoder = small(GeneformerOptions { tie, ..options(GeneformerSeries::V1, 10) });
        row(encode(&encoder, names, values, 20.0)).input_ids
    };
    assert_eq!(tie(RankTie::Token, &["C", "x", "B", "A"], &[1.0, 9.0, 1.0, 2.0]), [4, 5, 6]);
    assert_eq!(tie(RankTie::Column, &["C", "x", "B", "A"], &[1.0, 9.0, 1.0, 2.0]), [6, 5, 4]);
    // ENSG ids with versions: two columns of the last gene, one of them first in the file.
    let ids = ["ENSG00000000001", "ENSG00000000002"];
    let medians = ids.iter().map(|it| ((*it).to_owned(), 1.0)).collect::<Vec<_>>();
    let shared = |tie| {
        let options = GeneformerOptions { tie, ..options(GeneformerSeries::V1, 10) };
        let encoder = Geneformer::new(dictionary(&[], &ids), medians.clone(), options).expect("valid");
        let names = ["ENSG00000000002.1", "ENSG00000000001", "ENSG00000000002.2"];
        row(encode(&encoder, &names, &[1.0, 3.0, 2.0], 6.0))
    };
    assert_eq!(shared(RankTie::Token).input_ids, [0, 1]);
    assert_eq!(shared(RankTie::Column).input_ids, [1, 0]);
    assert_eq!(shared(RankTie::Column).mapped, 6.0);
}

#[test]
fn cells_without_genes_are_rejected() {
    let encoder = small(GeneformerOptions::default());
    let reason = |names: &[&str], values: &[f32], n_counts| match encode(&encoder, names, values, n_counts) {
        Encoded::Rejected { reason, detail } => (reason, detail),
        Encoded::Row(row) => panic!("{row:?}"),
    };
    let (none, detail) = reason(&["x", "y"], &[1.0, 2.0], 3.0);
    assert_eq!(
        (none, detail.as_str()),
        ("no_known_gene", "2 expressed features, none of them a gene of the vocabulary")
    );
    assert_eq!(reason(&[], &[], 0.0).0, "no_known_gene");
    for total in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(reason(&["A"], &[1.0], total).0, "zero_depth", "{total}");
    }
    assert!(encoder.bind(&Var::from_ids(["A"]).expect("one"), Scale::LogNorm { target_sum: None }).is_err());
}

#[test]
fn bad_inputs_are_named() {
    let said = |specials: &[&str], medians: &[(&str, f64)], options: GeneformerOptions| {
        let medians = medians.iter().map(|it| (it.0.to_owned(), it.1)).collect();
        Geneformer::new(dictionary(specials, &["A"]), medians, options).err().expect("bad").to_string()
    };
    let first = options(GeneformerSeries::V1, 10);
    assert_eq!(
        said(&[], &[("A", 1.0)], GeneformerOptions::default()),
        "the dictionary of `geneformer_v2` has no `<cls>`"
    );
    let none = "none of the 1 genes in the dictionary of `geneformer_v1` has a median";
    assert_eq!(said(&[], &[("B", 1.0)], first.clone()), none);
    let zero = "gene `A` has the median 0, expected a positive number";
    assert_eq!(said(&[], &[("A", 0.0)], first.clone()), zero);
    assert_eq!(said(&[], &[("A", 1.0), ("A", 2.0)], first), "gene `A` has the medians 1 and 2, expected one");
    let short = "rows of `geneformer_v2` are to have 2 tokens, expected at least 3";
    assert_eq!(said(&SPECIALS, &[("A", 1.0)], options(GeneformerSeries::V2, 2)), short);
}

#[test]
fn genes_without_a_median_and_low_medians_are_told() {
    let medians = vec![("A".to_owned(), 7e-7), ("C".to_owned(), 1.0), ("Z".to_owned(), 1.0)];
    let encoder = Geneformer::new(dictionary(&SPECIALS, &["A", "B", "C"]), medians, GeneformerOptions::default());
    let encoder = encoder.expect("valid");
    assert_eq!((encoder.n_without_median(), encoder.low_medians(0.01)), (1, vec![("A", 7e-7)]));
    assert_eq!((encoder.token_name(5), encoder.vocab().keys()), (Some("B"), &["A".to_owned(), "C".to_owned()][..]));
}

/// The definition.
fn slowly(cell: &[(u32, f64, f64)], n_counts: f64, max_len: usize) -> Vec<u32> {
    let mut genes: Vec<(f64, u32)> =
        cell.iter().map(|(token, c, m)| (((c / n_counts) * 10_000.0) / m, *token)).collect();
    genes.sort_by(|a, b| b.0.partial_cmp(&a.0).expect("finite").then(a.1.cmp(&b.1)));
    genes.into_iter().map(|it| it.1).take(max_len).collect()
}

proptest! {
    #[test]
    fn rows_equal_the_definition(
        // Counts of 400 columns, 0 often; medians from few, so that values tie, some of them tiny.
        counts in prop::collection::vec(prop::sample::select(vec![0_u32, 0, 1, 1, 1, 2, 3, 5, 200]), 400),
        medians in prop::collection::vec(prop::sample::select(vec![7.158e-7, 0.5, 1.0, 1.0, 2.0, 2.001_186_019, 3.9]), 300),
        order in Just((0_usize..400).collect::<Vec<_>>()).prop_shuffle(),
        n_counts in 1_u32..5000,
        max_len in 1_usize..400,
        shared in prop::bool::ANY,
    ) {
        let genes: Vec<String> = (0..300).map(|it| format!("ENSG{it:011}")).collect();
        let names: Vec<&str> = genes.iter().map(String::as_str).collect();
        let with_median = genes.iter().cloned().zip(medians.iter().copied()).collect();
        let encoder = Geneformer::new(dictionary(&SPECIALS, &names), with_median, options(GeneformerSeries::V1, max_len));
        let encoder = encoder.expect("valid");
        // Column `n` is gene `order[n]`; those from 300 on are unknown, or the first hundred genes once more.
        let name = |it: &usize| match (*it < 300, shared) {
            (true, _) => genes[*it].clone(),
            (false, true) => format!("{}.7", genes[it - 300]),
            (false, false) => format!("unknown{it}"),
        };
        let var = Var::from_ids(order.iter().map(name)).expect("unique");
        let bound = encoder.bind(&var, Scale::Counts).expect("binds");
        let columns: Vec<u32> = (0..400).filter(|it| counts[*it as usize] > 0).collect();
        let values: Vec<f32> = columns.iter().map(|it| counts[*it as usize] as f32).collect();
        let mut of_gene = vec![0.0; 300];
        for (col, count) in counts.iter().enumerate() {
            let gene = if order[col] < 300 { Some(order[col]) } else { shared.then(|| order[col] - 300) };
            if let Some(gene) = gene {
                of_gene[gene] += f64::from(*count);
            }
        }
        let cell: Vec<(u32, f64, f64)> =
            (0..300).filter(|it| of_gene[*it] > 0.0).map(|it| (it as u32 + 4, of_gene[it], medians[it])).collect();
        let input = CellInput {
            columns: &columns, values: &values, n_counts: f64::from(n_counts), phenotypes: &[], seed: Seed::new(0),
        };
        match bound.encode(&input) {
            Encoded::Row(row) => {
                prop_assert_eq!(&row.input_ids, &slowly(&cell, f64::from(n_counts), max_len));
                prop_assert_eq!(row.n_genes as usize, cell.len());
                prop_assert_eq!((row.n_genes - row.n_truncated) as usize, row.input_ids.len());
                prop_assert_eq!(row.mapped, of_gene.iter().sum::<f64>());
            }
            Encoded::Rejected { reason, .. } => {
                prop_assert!(cell.is_empty() && reason == "no_known_gene");
            }
        }
    }
}
