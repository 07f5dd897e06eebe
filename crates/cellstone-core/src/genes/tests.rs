//! A handful of genes whose names are known, and any table at all.

use super::*;
use proptest::prelude::*;

/// Two genes named `TWIN`, one without a symbol, aliases of every kind.
fn table() -> GeneTable {
    let gene = |id: &str, symbol: &str| Gene::new(id, symbol).expect("a gene");
    GeneTable::new(vec![
        gene("ENSG00000000003.5", "TP53"),
        gene("ENSG00000000002", "TWIN"),
        gene("ENSG00000000001", "TWIN"),
        gene("ENSG00000000004", "ENSG00000000004"),
        gene("ENSG00000000005", "MARCHF1"),
        gene("ENSG00000000006", "CFAP1"),
        gene("ENSG00000000007", "AC000001.1"),
        gene("ENSG00000000008_PAR_Y", "PAR1"),
        gene("ENSG00000000008", "PAR1X"),
        gene("ENSG00000000009", "CD99"),
        gene("ENSG00000000010", "CD99"),
    ])
    .expect("a table")
    .with_aliases([
        ("p53", "TP53"),
        ("p53", "TP53"),
        ("MARCH1", "MARCHF1"),
        ("MARCH1", "MTARC1"),
        ("MARCH9", "MARCHF1"),
        ("double", "TWIN"),
        ("CFAP1", "TP53"),
        ("GONE1", "GONE"),
        ("9606", "TP53"),
        // The alias source knows gene 6 by another symbol than the table, and an old one besides.
        ("ENSG00000000006", "CCDC1"),
        ("KIAA6", "CCDC1"),
        ("CCDC1", "TP53"),
        ("ENSG00000000099", "MARCHF1"),
        ("ENSG00000000009", "CD99"),
        ("MIC2", "CD99"),
        // What the table says of an id stands.
        ("ENSG00000000007", "CD99"),
    ])
    .expect("aliases")
}

#[test]
fn names_are_looked_for_in_order() {
    use Resolution::{Alias, Ambiguous, Exact, Symbol, Unknown, Versioned};
    let table = table();
    let check = |name: &str, id: Resolution<'_>, symbol: Resolution<'_>| {
        assert_eq!(table.resolve(name, IdTarget::Ensembl), id, "{name}");
        assert_eq!(table.resolve(name, IdTarget::Symbol), symbol, "{name}");
    };
    check(" ensg00000000003 ", Exact("ENSG00000000003"), Exact("TP53"));
    check("ENSG00000000003.17", Versioned("ENSG00000000003"), Versioned("TP53"));
    check("ENSG00000000003.17_PAR_Y", Versioned("ENSG00000000003"), Versioned("TP53"));
    check("ENSG00000000008.2_PAR_Y", Versioned("ENSG00000000008_PAR_Y"), Versioned("PAR1"));
    check("ENSG00000000004", Exact("ENSG00000000004"), Exact("ENSG00000000004"));
    check("TP53", Symbol("ENSG00000000003"), Symbol("TP53"));
    check("AC000001.1", Symbol("ENSG00000000007"), Symbol("AC000001.1"));
    check("p53", Alias("ENSG00000000003"), Alias("TP53"));
    check("MARCH9", Alias("ENSG00000000005"), Alias("MARCHF1"));
    check("ENSG00000000099.4", Alias("ENSG00000000005"), Alias("MARCHF1"));
    // Several genes of one symbol: which id is open, the symbol is not.
    let twins = || Ambiguous(vec!["ENSG00000000001", "ENSG00000000002"]);
    check("TWIN", twins(), Symbol("TWIN"));
    check("double", twins(), Alias("TWIN"));
    // The alias source names one of the two.
    check("CD99", Symbol("ENSG00000000009"), Symbol("CD99"));
    check("MIC2", Alias("ENSG00000000009"), Alias("CD99"));
    // One of the two symbols is not in the table, and may be the one that was meant.
    check("MARCH1", Ambiguous(vec!["MARCHF1", "MTARC1"]), Ambiguous(vec!["MARCHF1", "MTARC1"]));
    // A symbol wins over an alias, in the table and in the source of the aliases.
    check("CFAP1", Symbol("ENSG00000000006"), Symbol("CFAP1"));
    check("CCDC1", Alias("ENSG00000000006"), Alias("CFAP1"));
    check("KIAA6", Alias("ENSG00000000006"), Alias("CFAP1"));
    for name in ["", "tp53", "GONE", "GONE1", "9606", "ENSG00000000003.x", "ENSG00000000003.", "TP53.1", "ENSMUSG3"] {
        check(name, Unknown, Unknown);
    }
}

#[test]
fn bad_tables_are_named() {
    let gene = |id: &str, symbol: &str| Gene::new(id, symbol);
    let said = |genes: Vec<Gene>| GeneTable::new(genes).expect_err("bad").to_string();
    let genes = [gene("ENSG1", "A"), gene("ENSG2", "B"), gene("ensg1.4", "C")];
    let genes: Vec<Gene> = genes.into_iter().map(|it| it.expect("a gene")).collect();
    assert_eq!(said(genes), "gene `ENSG1` stands at rows 1 and 3 of the gene table, expected once");
    let genes = [gene("ENSG1", "A"), gene("ENSG2", "ENSG1.2")].map(|it| it.expect("a gene"));
    assert_eq!(
        said(genes.into()),
        "gene `ENSG2` has the symbol `ENSG1.2`, which is the id of another gene, expected a symbol"
    );
    assert_eq!(said(Vec::new()), "the gene table is empty, expected at least one gene");
    let error = gene(" ", "A").expect_err("no id").to_string();
    assert_eq!(error, "an empty gene id, expected an Ensembl id such as `ENSG00000141510`");
    let error = table().with_aliases([("a", "")]).expect_err("half a row").to_string();
    assert_eq!(error, "an alias row holds `a` and ``, expected an alias and its symbol");
}

#[test]
fn coverage_counts_every_name_once() {
    let names = ["TP53", "ENSG00000000003.1", "p53", "TWIN", "MARCH1", "x", "ENSG00000000004", "ENSG00000000005"];
    let mapped = table().map(&names, IdTarget::Symbol, MapMode::Lenient).expect("lenient");
    let shown = "6 of 8 genes have a symbol (75.0 %)
       2 by Ensembl id
       1 by Ensembl id with a version
       2 by symbol
       1 by alias or previous symbol: `p53` is `TP53`
       1 ambiguous: `MARCH1`: `MARCHF1` or `MTARC1`
       1 unknown: `x`
       1 without a symbol, named by their id
1 symbol stands for 3 genes: `TP53` (`TP53`, `ENSG00000000003.1`, `p53`)";
    assert_eq!(mapped.report.to_string(), shown);
    assert_eq!(mapped.ids[6].as_deref(), Some("ENSG00000000004"));
    assert_eq!(mapped.kinds[4], IdKind::Ambiguous);
    let error = table().map(&names, IdTarget::Ensembl, MapMode::Strict).expect_err("strict");
    assert!(error.is_invalid_input());
    assert_eq!(
        error.to_string(),
        "3 of 8 genes have no Ensembl id: 1 unknown (`x`), 2 ambiguous (`TWIN`: `ENSG00000000001` or \
         `ENSG00000000002`; `MARCH1`: `MARCHF1` or `MTARC1`); 1 Ensembl id stands for 3 genes: `ENSG00000000003` \
         (`TP53`, `ENSG00000000003.1`, `p53`)"
    );
    assert_eq!(error.hints(), ["map leniently (without --strict) to keep the genes that are found"]);
    table().map(&["TP53", "TWIN"], IdTarget::Symbol, MapMode::Strict).expect("each of its own");
    let none: [&str; 0] = [];
    let empty = table().map(&none, IdTarget::Symbol, MapMode::Strict).expect("nothing is wrong with nothing");
    assert_eq!((empty.report.share(), empty.report.to_string().as_str()), (None, "0 of 0 genes have a symbol"));
}

#[test]
fn the_matter_is_guessed_aloud() {
    let hints = |table: &GeneTable, name: &str| {
        table.map(&[name], IdTarget::Symbol, MapMode::Lenient).expect("lenient").report.hints
    };
    let bare = GeneTable::new(table().genes().to_vec()).expect("without aliases");
    assert_eq!(
        hints(&bare, "ENSMUSG00000059552.3"),
        ["ids that begin with `ENSMUSG` and not with `ENSG` are of another species: take its table"]
    );
    assert_eq!(hints(&bare, "17"), ["`17` is a number and no gene name: are these the names of the genes?"]);
    assert_eq!(hints(&bare, "MARCH9"), ["a table of aliases and previous symbols (HGNC) may know more names"]);
    for name in ["MARCH9", "x", "ENSG00000999999"] {
        assert!(hints(&table(), name).is_empty(), "{name}");
    }
}

/// Names that collide often: ids with and without version, symbols, aliases.
fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "A", "B", "C", "a", "D", "E", "ENSG1", "ENSG2", "ENSG3.2", "ensg4", "ENSG5", "ENSG9.1", "7",
    ])
    .prop_map(str::to_owned)
}

type Rows = (Vec<(u8, String)>, Vec<(String, String)>);

fn rows() -> impl Strategy<Value = Rows> {
    let genes = prop::collection::btree_map(1_u8..8, names(), 1..6).prop_map(|it| it.into_iter().collect::<Vec<_>>());
    (genes, prop::collection::vec((names(), names()), 0..8))
}

fn built((genes, aliases): &Rows) -> Option<GeneTable> {
    let genes = genes.iter().map(|(id, symbol)| Gene::new(&format!("ENSG{id}"), symbol).expect("has an id"));
    let table = GeneTable::new(genes.collect()).ok()?;
    Some(table.with_aliases(aliases.iter().map(|(a, s)| (a, s))).expect("no empty name"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_a_name_became_stays_what_it_is(rows in rows(), name in names()) {
        let Some(table) = built(&rows) else { return Ok(()) };
        for target in [IdTarget::Ensembl, IdTarget::Symbol] {
            let found = table.resolve(&name, target);
            if let Some(id) = found.id() {
                let again = table.resolve(id, target);
                prop_assert_eq!(again.id(), Some(id), "{} as {}", name, target);
                prop_assert!(matches!(again.kind(), IdKind::Ensembl | IdKind::Symbol));
            }
        }
        // The id decides the symbol; not the reverse, where genes share one.
        if let Some(id) = table.resolve(&name, IdTarget::Ensembl).id() {
            let symbol = table.resolve(id, IdTarget::Symbol).id();
            prop_assert_eq!(table.resolve(&name, IdTarget::Symbol).id(), symbol);
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(
        (rows, mixed) in rows().prop_flat_map(|it| {
            let (genes, aliases) = it.clone();
            (Just(it), (Just(genes).prop_shuffle(), Just(aliases).prop_shuffle()))
        }),
    ) {
        prop_assert_eq!(built(&rows), built(&mixed));
    }

    #[test]
    fn counts_add_up(rows in rows(), asked in prop::collection::vec(names(), 0..12)) {
        let Some(table) = built(&rows) else { return Ok(()) };
        for target in [IdTarget::Ensembl, IdTarget::Symbol] {
            let mapped = table.map(&asked, target, MapMode::Lenient).expect("lenient never fails");
            let report = &mapped.report;
            prop_assert_eq!(report.n_mapped() + report.ambiguous + report.unknown, asked.len());
            prop_assert_eq!(mapped.ids.iter().flatten().count(), report.n_mapped());
            let strict = table.map(&asked, target, MapMode::Strict);
            prop_assert_eq!(strict.is_ok(), report.is_clean());
        }
    }
}
