//! A vocabulary of either kind, and every way to name its genes.

use super::*;
use cellstone_core::genes::{Gene, GeneTable, IdTarget};
use cellstone_core::{CellInput, Scale, Seed, Var};
use proptest::prelude::*;

fn vocab(target: IdTarget, keys: &[&str]) -> GeneVocab {
    let genes = keys.iter().zip(10..).map(|(it, token)| ((*it).to_owned(), token)).collect();
    GeneVocab::new("test", target, genes).expect("a vocabulary")
}

/// Genes 1 to 9: 5 and 6 share a symbol, 9 was called what 8 is called.
fn table() -> GeneTable {
    let gene = |id: u32, symbol: &str| Gene::new(&format!("ENSG{id:011}.3"), symbol).expect("a gene");
    let genes = vec![
        gene(1, "TP53"),
        gene(2, "C1orf112"),
        gene(3, "MARCHF1"),
        gene(4, "MTARC1"),
        gene(5, "TWIN"),
        gene(6, "TWIN"),
        gene(7, "PLCXD1"),
        gene(8, "NEWNAME"),
        gene(9, "RENAMED"),
    ];
    let aliases = [
        ("P53", "TP53"),
        ("MARCH1", "MARCHF1"),
        ("MARCH1", "MTARC1"),
        ("OLD8", "NEWNAME"),
        ("OLDER8", "NEWNAME"),
        ("NEWNAME", "RENAMED"),
        ("ENSG00000000099", "MARCHF1"),
    ];
    GeneTable::new(genes).expect("a table").with_aliases(aliases).expect("aliases")
}

const IDS: [&str; 6] =
    ["ENSG00000000001", "ENSG00000000002", "ENSG00000000003", "ENSG00000000005", "ENSG00000000007", "ENSGR0000000007"];

/// Rule and position of one name.
fn found(vocab: &GeneVocab, table: Option<&GeneTable>, name: &str) -> (String, Option<u32>) {
    let bound = vocab.bind(&Var::from_ids([name]).expect("one"), table).expect("binds");
    assert_eq!(bound.coverage().by_rule.len(), 1, "{name}");
    (bound.coverage().by_rule[0].0.clone(), bound.positions()[0])
}

fn check(vocab: &GeneVocab, table: Option<&GeneTable>, cases: &[(&str, &str, Option<u32>)]) {
    for (name, rule, at) in cases {
        assert_eq!(found(vocab, table, name), ((*rule).to_owned(), *at), "`{name}`");
    }
}

#[test]
fn names_find_ids() {
    let vocab = vocab(IdTarget::Ensembl, &IDS);
    let plain = [
        ("ENSG00000000001", "exact", Some(0)),
        (" ensg00000000001 ", "exact", Some(0)),
        ("ENSG00000000001.17", "version", Some(0)),
        ("ENSG00000000001_PAR_Y", "par_y", Some(0)),
        // The old spelling has a token of its own where the vocabulary lists it, and else is the gene on X.
        ("ENSGR0000000007", "exact", Some(5)),
        ("ENSG00000000007.2_PAR_Y", "par_y", Some(4)),
        ("ENSGR0000000003", "par_y", Some(2)),
        ("ENSG00000000004", "unmapped", None),
        ("TP53", "unmapped", None),
        ("NaN", "null_name", None),
        ("", "null_name", None),
        ("1-Mar", "excel_mangled", None),
    ];
    check(&vocab, None, &plain);
    let table = table();
    check(&vocab, Some(&table), &plain[..8]);
    let named = [
        ("TP53", "symbol", Some(0)),
        ("tp53", "symbol_upper", Some(0)),
        ("C1ORF112", "symbol_upper", Some(1)),
        ("P53", "alias", Some(0)),
        ("p53", "alias", Some(0)),
        ("ENSG00000000099.1", "alias", Some(2)),
        // Two genes; the vocabulary has one of them.
        ("TWIN", "only_candidate", Some(3)),
        ("twin", "only_candidate", Some(3)),
        ("MARCH1", "only_candidate", Some(2)),
        // An approved symbol, not the alias of another gene.
        ("NEWNAME", "unmapped", None),
        ("1-Mar", "excel_mangled", None),
        ("NOBODY", "unmapped", None),
    ];
    check(&vocab, Some(&table), &named);
    let both = self::vocab(IdTarget::Ensembl, &["ENSG00000000005", "ENSG00000000006"]);
    let neither = self::vocab(IdTarget::Ensembl, &["ENSG00000000001"]);
    check(&both, Some(&table), &[("TWIN", "ambiguous", None), ("MARCH1", "ambiguous_elsewhere", None)]);
    check(&neither, Some(&table), &[("TWIN", "ambiguous_elsewhere", None)]);
}

#[test]
fn names_find_symbols() {
    let vocab = vocab(IdTarget::Symbol, &["TP53", "C1orf112", "MARCHF1", "TWIN", "OLD8", "MTARC1"]);
    check(
        &vocab,
        None,
        &[
            ("TP53", "exact", Some(0)),
            ("tp53", "symbol_upper", Some(0)),
            ("c1ORF112", "symbol_upper", Some(1)),
            ("ENSG00000000001", "unmapped", None),
            ("P53", "unmapped", None),
        ],
    );
    let table = table();
    check(
        &vocab,
        Some(&table),
        &[
            ("TP53", "exact", Some(0)),
            ("ENSG00000000001", "exact", Some(0)),
            ("ENSG00000000001.8", "version", Some(0)),
            ("ENSG00000000002", "exact", Some(1)),
            ("c1orf112", "symbol_upper", Some(1)),
            ("p53", "alias", Some(0)),
            // Both genes of the symbol are that symbol.
            ("ENSG00000000006", "exact", Some(3)),
            ("MARCH1", "ambiguous", None),
            // A key that is an old symbol is reached from the new one, from the id, and from another old one.
            ("NEWNAME", "symbol", Some(4)),
            ("ENSG00000000008", "exact", Some(4)),
            ("OLDER8", "alias", Some(4)),
            ("RENAMED", "unmapped", None),
        ],
    );
    // Two old symbols of one gene: each is reached by its own name alone.
    let two = self::vocab(IdTarget::Symbol, &["OLD8", "OLDER8"]);
    let cases = [("OLD8", "exact", Some(0)), ("OLDER8", "exact", Some(1)), ("NEWNAME", "ambiguous", None)];
    check(&two, Some(&table), &cases);
}

#[test]
fn the_model_has_a_map_of_its_own() {
    let rows = [
        ("ENSG00000000090", "ENSG00000000001"),
        ("OLDNAME", "ENSG00000000002"),
        ("TP53", "ENSG00000000005"),
        ("OLDNAME", "ENSG00000000002.4"),
        ("OLDNAME", "ENSG00000000004"),
    ];
    let vocab = vocab(IdTarget::Ensembl, &IDS).with_mapping(rows).expect("one gene each");
    let cases = [
        ("ENSG00000000090.2", "mapping", Some(0)),
        ("oldname", "mapping", Some(1)),
        ("ENSG00000000001", "exact", Some(0)),
    ];
    check(&vocab, None, &cases);
    check(&vocab, Some(&table()), &cases);
    check(&vocab, None, &[("TP53", "mapping", Some(3))]);
    // An approved symbol wins over the map.
    check(&vocab, Some(&table()), &[("TP53", "symbol", Some(0))]);
    let error = vocab.with_mapping([("x", IDS[0]), ("X", IDS[1])]).expect_err("two genes");
    assert_eq!(
        error.to_string(),
        "the map of vocabulary `test` leads from `X` to `ENSG00000000001` and to `ENSG00000000002`, expected one gene"
    );
}

#[test]
fn symbols_of_the_file_help_ids_that_say_nothing() {
    let symbols = vocab(IdTarget::Symbol, &["TP53", "TWIN"]);
    let names = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let ids = names(&["ENSG00000000001", "x", "ENSG00000000777"]);
    let var = Var::new(ids, Some(names(&["TP53", "nan", "TWIN"]))).expect("unique");
    let bound = symbols.bind(&var, None).expect("binds");
    assert_eq!(bound.positions(), [Some(0), None, Some(1)]);
    // A gene with an id of its own is not the gene whose symbol it shares.
    let ids = vocab(IdTarget::Ensembl, &["ENSG00000000005"]);
    let var = Var::new(names(&["ENSG00000000006", "gene-5"]), Some(names(&["TWIN", "TWIN"]))).expect("unique");
    let bound = ids.bind(&var, Some(&table())).expect("binds");
    assert_eq!(bound.positions(), [None, Some(0)]);
}

#[test]
fn among_symbols_an_id_may_stand_beside_its_version() {
    let rows = [("A", 0), ("ENSG00000283886", 1), ("ENSG00000283886.3", 2)].map(|it| (it.0.to_owned(), it.1));
    let vocab = GeneVocab::new("census", IdTarget::Symbol, rows.to_vec()).expect("fine");
    let token = |name: &str| vocab.position(name).map(|it| vocab.tokens()[it as usize]);
    assert_eq!(token("ENSG00000283886"), Some(1));
    assert_eq!(token("ENSG00000283886.3"), Some(2));
    assert_eq!(token("ENSG00000283886.1"), Some(1), "another version is the id");
    assert_eq!(token("A"), Some(0));
}

#[test]
fn bad_vocabularies_are_named() {
    let said = |target: IdTarget, rows: &[(&str, u32)]| {
        let rows = rows.iter().map(|it| (it.0.to_owned(), it.1)).collect();
        GeneVocab::new("v", target, rows).expect_err("bad").to_string()
    };
    assert_eq!(said(IdTarget::Symbol, &[]), "vocabulary `v` has no gene, expected at least one");
    assert_eq!(said(IdTarget::Symbol, &[("A", 1), ("B", 1)]), "vocabulary `v` gives token 1 to `A` and to `B`");
    assert_eq!(said(IdTarget::Symbol, &[("A", 1), (" ", 2)]), "vocabulary `v` has an empty name for token 2");
    let twice = [("ENSG00000000001.1", 1), ("ENSG00000000001", 2)];
    assert_eq!(
        said(IdTarget::Ensembl, &twice),
        "vocabulary `v` holds one gene twice: `ENSG00000000001.1` (token 1) and `ENSG00000000001` (token 2)"
    );
    let versions = [("ENSG00000000001.1", 1), ("ENSG00000000001.2", 2)];
    assert!(said(IdTarget::Symbol, &versions).contains("holds one gene twice"));
    assert!(Dictionary::new(vec![("a".into(), 1), ("b".into(), 1)]).is_err());
    assert!(Dictionary::new(vec![("a".into(), 1), ("a".into(), 2)]).is_err());
    assert!(Dictionary::new(Vec::new()).is_err());
}

fn cell<'a>(columns: &'a [u32], values: &'a [f32]) -> CellInput<'a> {
    CellInput { columns, values, n_counts: 100.0, phenotypes: &[], seed: Seed::new(0) }
}

#[test]
fn columns_of_one_gene_are_summed() {
    let vocab = vocab(IdTarget::Symbol, &["A", "B", "C"]);
    let var = Var::from_ids(["c", "B", "C", "x", "b", "A"]).expect("unique");
    let bound = vocab.bind(&var, None).expect("binds");
    assert!(bound.has_shared());
    assert_eq!((bound.coverage().n_shared, bound.coverage().n_hit, bound.coverage().n_mapped), (2, 3, 5));
    assert_eq!(bound.first_columns(), [Some(5), Some(1), Some(0)]);
    let mut out = vec![(9, 9.0)];
    let sum = bound.gather(&cell(&[0, 1, 2, 3, 5], &[1.0, 4.0, 2.0, 7.0, 3.0]), &mut out);
    assert_eq!((out.as_slice(), sum), (&[(0, 3.0), (1, 4.0), (2, 3.0)][..], 10.0));
    let log = bound.clone().on_scale(Scale::LogNorm { target_sum: None }).expect("can be added");
    log.gather(&cell(&[0, 1, 2], &[2.0_f32.ln_1p(), 0.5, 3.0_f32.ln_1p()]), &mut out);
    assert_eq!((out[0], out[1].0), ((1, 0.5), 2));
    assert!((out[1].1 - 6.0_f64.ln()).abs() < 1e-6, "ln(1 + 2 + 3), found {}", out[1].1);
    let error = bound.on_scale(Scale::Effect).expect_err("effects do not add up");
    assert!(error.to_string().starts_with("2 genes of the vocabulary have several columns each"), "{error}");
    assert_eq!(log.gather(&cell(&[], &[]), &mut out), 0.0);
    assert!(out.is_empty());
}

#[test]
fn coverage_is_judged_by_three_rules() {
    let keys: Vec<String> = (0..100).map(|it| format!("G{it}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let vocab = vocab(IdTarget::Symbol, &keys);
    let coverage = |n: usize, lost: usize| {
        let names = (0..n).map(|it| format!("G{it}")).chain((0..lost).map(|it| format!("lost{it}")));
        vocab.bind(&Var::from_ids(names).expect("unique"), None).expect("binds").coverage().clone()
    };
    let n = |rule: CoverageRule, hit: usize, lost: usize, counts: f64| {
        rule.check(&coverage(hit, lost), counts, 100.0).map(|it| it.len()).ok()
    };
    use CoverageRule::{Lenient, Panel, Strict};
    assert_eq!(n(Strict, 80, 0, 95.0), Some(0));
    assert_eq!(n(Strict, 79, 0, 94.9), Some(2));
    assert_eq!((n(Strict, 50, 0, 80.0), n(Strict, 49, 0, 80.0), n(Strict, 50, 0, 79.9)), (Some(2), None, None));
    assert_eq!((n(Lenient, 5, 0, 20.0), n(Lenient, 4, 0, 20.0), n(Lenient, 5, 0, 19.0)), (Some(2), None, None));
    assert_eq!((n(Panel, 9, 1, 0.0), n(Panel, 9, 2, 0.0), n(Panel, 9, 10, 0.0)), (Some(0), Some(1), None));
    assert!(Lenient.check(&coverage(90, 0), 0.0, 0.0).is_err(), "no counts at all");
    let error = Strict.check(&coverage(10, 7), 1.0, 100.0).expect_err("low");
    assert_eq!(
        error.to_string(),
        "1.0 % of the counts lead to genes of the vocabulary (f_count), expected at least 80 %; 10.0 % of the vocabulary \
         is in the file (f_vocab), expected at least 50 %; not found: `lost0`, `lost1`, `lost2`, `lost3`, `lost4`, …"
    );
    let twins = self::vocab(IdTarget::Ensembl, &["ENSG00000000005", "ENSG00000000006"]);
    let var = Var::from_ids(["ENSG00000000005", "ENSG00000000006", "zz", "TWIN"]).expect("unique");
    let bound = twins.bind(&var, Some(&table())).expect("binds");
    let error = Strict.check(bound.coverage(), 99.0, 100.0).expect_err("ambiguous");
    let said = "1 features may each be one of several genes of the vocabulary: `TWIN`";
    assert_eq!(error.to_string(), said);
    assert!(Lenient.check(bound.coverage(), 99.0, 100.0).is_ok());
    assert_eq!(
        coverage_text(bound.coverage()),
        "2 of 4 features lead to 2 of 2 genes of the vocabulary\n       2 exact\n       1 ambiguous\n       1 unmapped"
    );
}

proptest! {
    #[test]
    fn gathering_is_a_sum_by_gene(
        places in prop::collection::vec(prop::option::of(0_usize..150), 1..200),
        seed in 0_u64..1000,
    ) {
        // Column names: a key of the vocabulary in one of two spellings, or nothing that is known.
        let keys: Vec<String> = (0..150).map(|it| format!("ENSG{it:011}")).collect();
        let vocab = vocab(IdTarget::Ensembl, &keys.iter().map(String::as_str).collect::<Vec<_>>());
        let names = places.iter().enumerate().map(|(col, at)| match at {
            Some(at) => format!("{}.{col}", keys[*at]),
            None => format!("x{col}"),
        });
        let bound = vocab.bind(&Var::from_ids(names).expect("unique"), None).expect("binds");
        prop_assert_eq!(bound.positions().iter().map(|it| it.map(|it| it as usize)).collect::<Vec<_>>(), places.clone());
        let columns: Vec<u32> = (0..places.len() as u32).filter(|it| (u64::from(*it) * 7 + seed) % 3 != 0).collect();
        let values: Vec<f32> = columns.iter().map(|it| ((u64::from(*it) + seed) % 5 + 1) as f32).collect();
        let mut want = std::collections::BTreeMap::<u32, f64>::new();
        for (col, value) in columns.iter().zip(&values) {
            if let Some(at) = places[*col as usize] {
                *want.entry(at as u32).or_default() += f64::from(*value);
            }
        }
        let mut out = Vec::new();
        for _ in 0..2 {
            let sum = bound.gather(&cell(&columns, &values), &mut out);
            prop_assert_eq!(&out, &want.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(sum, want.values().sum::<f64>());
        }
    }
}
