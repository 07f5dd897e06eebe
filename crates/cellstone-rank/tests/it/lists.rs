//! Encoders over a fixed list of genes: scBERT, scFoundation, AIDO.Cell.

use crate::common::{cell, row, shared};
use crate::properties::{Subject, check};
use cellstone_core::{Encoded, Scale, Tokenizer, Var};
use cellstone_rank::{
    AidoCell, AidoCellOptions, DepthSource, DepthTarget, ListForm, ScFoundation, ScFoundationOptions, Scbert,
    ScbertOptions, measured_genes,
};

fn list(n: u32) -> Vec<(String, u32)> {
    (0..n).map(|it| (format!("GENE{it}"), it)).collect()
}

fn names(n: u32) -> Vec<String> {
    list(n).into_iter().map(|it| it.0).collect()
}

fn var(ids: &[&str]) -> Var {
    Var::from_ids(ids.iter().copied()).expect("unique")
}

#[test]
fn scbert_bins_by_hand() {
    let encoder = Scbert::new(list(6), ScbertOptions { min_genes: 3, ..ScbertOptions::default() }).expect("valid");
    assert_eq!(encoder.info().n_tokens, 7);
    assert_eq!(
        (encoder.token_name(5), encoder.token_name(6), encoder.token_name(7)),
        (Some("bin_5"), Some("<mask>"), None)
    );
    let bound = encoder.bind(&var(&["GENE4", "x", "GENE1", "GENE0", "GENE2"]), Scale::Counts).expect("binds");
    // N = 70,000 over the list, the unknown gene left out: 10,000 c / N is 1, 3, 7 and 9,989.
    let found = row(bound.encode(&cell(&[0, 1, 2, 3, 4], &[7.0, 1e6, 21.0, 49.0, 69_923.0], 1.07e6)));
    assert_eq!(found.input_ids, [3, 2, 5, 0, 1, 0, 0]);
    assert_eq!((found.n_genes, found.mapped), (4, 70_000.0));
    let Encoded::Rejected { reason, detail } = bound.encode(&cell(&[0, 1, 2], &[1.0, 1.0, 1.0], 3.0)) else {
        panic!("two genes of three")
    };
    assert_eq!((reason, detail.as_str()), ("too_few_genes", "2 expressed genes of the list, expected at least 3"));
}

#[test]
fn lists_without_order_are_refused() {
    let gap = vec![("A".to_owned(), 0), ("B".to_owned(), 2)];
    let error = Scbert::new(gap, ScbertOptions::default()).err().expect("refused").to_string();
    assert!(error.contains("no gene at place 1 (the next one is `B` at 2)"), "{error}");
    let encoder = ScFoundation::new(list(2), ScFoundationOptions::default()).expect("valid");
    let error = encoder.bind(&var(&["GENE0"]), Scale::LogNorm { target_sum: Some(1e4) }).err().expect("refused");
    assert_eq!(
        error.to_string(),
        "encoder `scfoundation` takes raw counts, the values are ln(1 + x), library size 10000"
    );
    assert_eq!(error.hints(), ["point to the layer that holds the counts"]);
}

fn close(found: &[f32], want: &[f64]) {
    assert_eq!(found.len(), want.len());
    let near = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() < 1e-6 * (1.0 + b.abs());
    assert!(found.iter().zip(want).all(near), "{found:?} {want:?}");
}

#[test]
fn scfoundation_by_hand() {
    let encode = |options: ScFoundationOptions, values: &[f32]| {
        let encoder = ScFoundation::new(list(4), options).expect("valid");
        assert_eq!((encoder.info().n_tokens, encoder.info().specials.pad), (7, Some(6)));
        assert_eq!(
            [3, 4, 5, 6, 7].map(|it| encoder.token_name(it)),
            [Some("GENE3"), Some("<target_depth>"), Some("<source_depth>"), Some("<pad>"), None]
        );
        let bound = encoder.bind(&var(&["GENE2", "x", "GENE0"]), Scale::Counts).expect("binds");
        bound.encode(&cell(&[0, 1, 2], values, 1000.0))
    };
    // N = 40: shares of 1/4 and 3/4.
    let (x0, x2) = (7501.0_f64.ln(), 2501.0_f64.ln());
    let depth = 40.0_f64.log10();
    let counts = [10.0, 5.0, 30.0];
    let found = row(encode(ScFoundationOptions::default(), &counts));
    assert_eq!(found.input_ids, [0, 2, 4, 5]);
    close(&found.values.expect("values"), &[x0, x2, 4.0, depth]);
    assert_eq!((found.n_genes, found.mapped), (2, 40.0));
    let dense = row(encode(ScFoundationOptions { form: ListForm::Dense, ..Default::default() }, &counts));
    assert_eq!(dense.input_ids, [0, 1, 2, 3, 4, 5]);
    close(&dense.values.expect("values"), &[x0, 0.0, x2, 0.0, 4.0, depth]);
    for (target, want) in [("f5", 200.0_f64.log10()), ("a1", depth + 1.0), ("t3.5", 3.5)] {
        let target: DepthTarget = target.parse().expect("a target");
        let found = row(encode(ScFoundationOptions { target, ..Default::default() }, &counts));
        close(&found.values.expect("values")[2..], &[want, depth]);
    }
    for (source, want) in [(DepthSource::Bulk, depth), (DepthSource::BulkReference, (x0 + x2).log10())] {
        let found = row(encode(ScFoundationOptions { source, ..Default::default() }, &counts));
        close(&found.values.expect("values")[2..], &[want, want]);
    }
    // A cell of one count: its depth is 0 and stands there all the same.
    let shallow = row(encode(ScFoundationOptions::default(), &[0.0, 0.0, 1.0]));
    close(&shallow.values.expect("values"), &[10_001.0_f64.ln(), 4.0, 0.0]);
    let none = encode(ScFoundationOptions::default(), &[0.0, 5.0, 0.0]);
    assert!(matches!(none, Encoded::Rejected { reason: "zero_depth", .. }));
    for bad in ["", "4", "t", "f0", "f-1", "x4", "tNaN"] {
        assert!(bad.parse::<DepthTarget>().is_err(), "{bad}");
    }
    assert_eq!("f5".parse::<DepthTarget>().expect("a target").to_string(), "f5");
}

#[test]
fn aido_cell_by_hand() {
    let encoder = AidoCell::new(list(3), AidoCellOptions::default()).expect("valid");
    let bound = encoder.bind(&var(&["GENE2", "GENE0"]), Scale::Counts).expect("binds");
    assert_eq!(measured_genes(bound.as_ref(), 3), [true, false, true]);
    let found = row(bound.encode(&cell(&[0, 1], &[10.0, 30.0], 40.0)));
    assert_eq!(found.input_ids, [0, 2, 3, 4]);
    close(&found.values.expect("values"), &[7501.0_f64.ln(), 2501.0_f64.ln(), 5.0, 5.0]);
    // Deep enough to show its depth.
    let deep = row(bound.encode(&cell(&[0], &[1e6], 1e6)));
    close(&deep.values.expect("values"), &[10_001.0_f64.ln(), 6.0, 6.0]);
    let free = AidoCell::new(list(3), AidoCellOptions { floor: 0.0, ..AidoCellOptions::default() }).expect("valid");
    let bound = free.bind(&var(&["GENE2"]), Scale::Counts).expect("binds");
    close(&row(bound.encode(&cell(&[0], &[100.0], 100.0))).values.expect("values")[1..], &[2.0, 2.0]);
}

#[test]
fn the_published_list_is_in_order() {
    let Some(path) = shared("vocab/scfoundation_gene_index_19264.tsv") else { return };
    let text = std::fs::read_to_string(path).expect("text");
    let pair = |line: &str| {
        let (gene, at) = line.split_once('\t').expect("two columns");
        (gene.to_owned(), at.trim().parse().expect("a place"))
    };
    let list: Vec<(String, u32)> = text.lines().skip(1).map(pair).collect();
    let encoder = ScFoundation::new(list.clone(), ScFoundationOptions::default()).expect("valid");
    assert_eq!((encoder.info().n_tokens, encoder.info().specials.pad), (19_267, Some(19_266)));
    assert_eq!(encoder.token_name(0), Some("A1BG"));
    let aido = AidoCell::new(list, AidoCellOptions::default()).expect("valid");
    assert_eq!(aido.info().max_len, Some(19_266));
}

#[test]
fn properties_hold() {
    let n = 50;
    let scbert = Scbert::new(list(n), ScbertOptions { min_genes: 4, ..ScbertOptions::default() }).expect("valid");
    check(&Subject { names_genes: false, ..Subject::of_symbols(&scbert, names(n)) });
    for form in [ListForm::NonZero, ListForm::Dense] {
        // In the dense form every gene stands in a row, so that ids say nothing of a cell.
        let names_genes = form == ListForm::NonZero;
        let options = ScFoundationOptions { form, ..ScFoundationOptions::default() };
        let foundation = ScFoundation::new(list(n), options).expect("valid");
        check(&Subject { names_genes, ..Subject::of_symbols(&foundation, names(n)) });
        let aido = AidoCell::new(list(n), AidoCellOptions { form, ..AidoCellOptions::default() }).expect("valid");
        check(&Subject { names_genes, ..Subject::of_symbols(&aido, names(n)) });
    }
}
