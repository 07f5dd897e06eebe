//! Gene tables: as written by hand, damaged, and real.

use crate::common::{folder, message, put, shared};
use cellstone_core::genes::{Gene, GeneTable, IdKind, IdTarget, MapMode, Resolution};
use cellstone_io::{read_gene_aliases, read_gene_table};

#[test]
fn with_and_without_a_header() {
    let dir = folder();
    let path = dir.path().join("genes.csv.gz");
    let gene = |id: &str, symbol: &str| Gene::new(id, symbol).expect("a gene");
    let full = vec![
        gene("ENSG00000000001", "A").with_version(3).with_length(1200).with_biotype("protein_coding"),
        gene("ENSG00000000002", "").with_version(1).with_length(80),
    ];
    let full = GeneTable::new(full).expect("a table");
    for text in [
        "ENSG00000000001,A,3,1200,protein_coding\nENSG00000000002,ENSG00000000002,1,80,\n",
        "biotype,ensembl_id,name,symbol,length,version\nNA,ENSG00000000002,x,NA,80,1\n\
         protein_coding,ENSG00000000001,y,A,1200,3\n",
        "\u{feff}ensembl_id\tsymbol\tversion\tlength\tbiotype\r\nENSG00000000001.3\tA\t3\t1200\tprotein_coding\r\n\
         ENSG00000000002.1\t\t\t80\t\r\n",
    ] {
        put(&path, text);
        assert_eq!(read_gene_table(&path, None).expect("reads"), full, "{text}");
    }
    put(&path, "ENSG00000000001.3,A\n");
    let two = read_gene_table(&path, None).expect("two columns");
    assert_eq!(two.gene("ensg00000000001").and_then(Gene::version), Some(3));
}

#[test]
fn bad_tables_are_named() {
    let dir = folder();
    let (path, aliases) = (dir.path().join("g.csv"), dir.path().join("a.csv"));
    let check = |text: &str, want: &str| {
        put(&path, text);
        let error = read_gene_table(&path, None).expect_err("bad table");
        assert!(error.is_invalid_input());
        assert_eq!(message(&error, dir.path()), want);
    };
    check("", "`g.csv` is empty, expected a table with a header");
    check("ensembl_id,symbol\n", "`g.csv`: the gene table is empty, expected at least one gene");
    check("ensembl,symbol\nENSG1,A\n", "column `ensembl_id` not found in `g.csv` (columns: `ensembl`, `symbol`)");
    check("ENSG00000000001\n", "column `ensembl_id` not found in `g.csv` (columns: `ENSG00000000001`)");
    check("ensembl_id,ensembl_id\n", "`g.csv`: column `ensembl_id` stands at positions 1 and 2, expected once");
    check("ensembl_id,symbol\nENSG1\n", "`g.csv` line 2: 1 fields, expected 2 as in the header");
    check(
        "ensembl_id,symbol\n,A\n",
        "`g.csv` line 2: an empty gene id, expected an Ensembl id such as `ENSG00000141510`",
    );
    check(
        "ENSG00000000001,A,x\nENSG00000000002,B,2\n",
        "`g.csv` line 1: column `version` holds `x`, expected a whole number",
    );
    check(
        "ensembl_id,symbol\nENSG1,A\n\nENSG2,B\nENSG1.2,C\n",
        "`g.csv` line 5: gene `ENSG1` stands at line 2 already, expected once",
    );
    check(
        "ensembl_id,symbol\nENSG1,A\nENSG2,ENSG1\n",
        "`g.csv`: gene `ENSG2` has the symbol `ENSG1`, which is the id of another gene, expected a symbol",
    );
    put(&path, "ensembl_id,symbol\nENSG1,A\n");
    let check = |text: &str, want: &str| {
        put(&aliases, text);
        let error = read_gene_table(&path, Some(&aliases)).expect_err("bad aliases");
        assert_eq!(message(&error, dir.path()), want);
    };
    check("alias,gene\na,A\n", "column `symbol` not found in `a.csv` (columns: `alias`, `gene`)");
    check("alias,symbol\na,A\n,A\n", "`a.csv` line 3: column `alias` is empty, expected a name");
    check("alias,symbol\na,A\nb\n", "`a.csv` line 3: 1 fields, expected 2 as in the header");
    put(&aliases, "alias,symbol\n");
    assert!(!read_gene_table(&path, Some(&aliases)).expect("no alias is no error").has_aliases());
}

#[test]
fn real_human_names() {
    let Some(data) = shared("vocab") else { return };
    let (genes, aliases) =
        (data.join("gencode_genes_homo_sapiens.csv.gz"), data.join("hgnc_alias_to_symbol_bpcells.csv.gz"));
    assert_eq!(read_gene_aliases(&aliases).expect("reads").len(), 183_121);
    let table = read_gene_table(&genes, Some(&aliases)).expect("reads");
    assert_eq!(table.genes().len(), 78_894);
    let tp53 = table.gene("ENSG00000141510.17").expect("in every release");
    assert_eq!((tp53.symbol(), tp53.biotype()), (Some("TP53"), Some("protein_coding")));
    for (name, found) in [
        ("TP53", Resolution::Symbol("ENSG00000141510")),
        ("p53", Resolution::Alias("ENSG00000141510")),
        ("MARCH1", Resolution::Alias("ENSG00000145416")),
        ("GPR56", Resolution::Alias("ENSG00000205336")),
        // The annotation has the new symbol, the alias table the old one and the id.
        ("CCDC113", Resolution::Alias("ENSG00000103021")),
        // Two genes of the annotation, on X and on Y, of which the alias table names one.
        ("CD99", Resolution::Symbol("ENSG00000002586")),
        ("7157", Resolution::Unknown),
    ] {
        assert_eq!(table.resolve(name, IdTarget::Ensembl), found, "{name}");
    }
    assert_eq!(table.resolve("7SK", IdTarget::Symbol), Resolution::Symbol("7SK"));
    // A family of genes, whose common symbol the alias table leads elsewhere.
    assert_eq!(table.resolve("7SK", IdTarget::Ensembl).kind(), IdKind::Ambiguous);
    for gene in table.genes() {
        assert_eq!(table.resolve(gene.id(), IdTarget::Symbol), Resolution::Exact(gene.label()));
        assert_eq!(table.resolve(gene.label(), IdTarget::Symbol).id(), Some(gene.label()));
    }
    let names: Vec<&str> = table.genes().iter().map(Gene::id).collect();
    table.map(&names, IdTarget::Ensembl, MapMode::Strict).expect("every id is its own");
}

#[test]
fn real_vocabularies_are_covered() {
    let Some(data) = shared("vocab") else { return };
    let (genes, aliases) =
        (data.join("gencode_genes_homo_sapiens.csv.gz"), data.join("hgnc_alias_to_symbol_bpcells.csv.gz"));
    let with = read_gene_table(&genes, Some(&aliases)).expect("reads");
    let without = read_gene_table(&genes, None).expect("reads");
    let tokens = std::fs::read_to_string(data.join("scfoundation_gene_index_19264.tsv")).expect("text");
    let names: Vec<&str> = tokens.lines().skip(1).filter_map(|it| it.split('\t').next()).collect();
    let share = |table: &GeneTable| {
        let mapped = table.map(&names, IdTarget::Ensembl, MapMode::Lenient).expect("lenient");
        assert!(table.map(&names, IdTarget::Ensembl, MapMode::Strict).is_err());
        mapped.report.share().expect("there are names")
    };
    let (bare, all) = (share(&without), share(&with));
    assert!(names.len() > 19_000 && bare > 0.98 && all > 0.995, "{bare} {all}");
    let mouse = read_gene_table(&data.join("gencode_genes_mus_musculus.csv.gz"), None).expect("reads");
    let ids: Vec<&str> = mouse.genes().iter().map(Gene::id).collect();
    let report = with.map(&ids, IdTarget::Symbol, MapMode::Lenient).expect("lenient").report;
    assert_eq!((report.n_mapped(), report.hints.len()), (0, 1), "{report}");
}
