//! UCE and scPRINT.

use crate::common::{cell, row};
use crate::properties::{Subject, check};
use cellstone_core::{CellInput, Encoded, Scale, Seed, TokenRow, Tokenizer, Var};
use cellstone_rank::{GeneLocation, Scprint, ScprintGenes, ScprintOptions, ScprintValues, Uce, UceOptions};

const CHROMOSOMES: u32 = 143_574;

fn location(gene: &str, token: u32, chromosome: u32, start: i64) -> GeneLocation {
    GeneLocation { gene: gene.to_owned(), token, chromosome, start }
}

fn genome() -> Vec<GeneLocation> {
    vec![
        location("A", 13_470, 2, 500),
        location("B", 13_466, 2, 100),
        location("D", 13_469, 0, 900),
        // The same start: by symbol.
        location("C", 13_471, 0, 900),
        location("E", 13_468, 7, 1),
    ]
}

/// Chromosomes in order, with the genes that stand on them.
fn chromosomes(row: &TokenRow) -> Vec<(u32, Vec<u32>)> {
    assert_eq!(row.input_ids[0], 3);
    let mut found: Vec<(u32, Vec<u32>)> = Vec::new();
    let mut open = false;
    for id in &row.input_ids[1..] {
        match *id {
            2 => open = false,
            CHROMOSOMES.. => {
                assert!(!open, "a chromosome inside another");
                open = true;
                found.push((id - CHROMOSOMES, Vec::new()));
            }
            gene => {
                assert!(open, "a gene outside a chromosome");
                found.last_mut().expect("open").1.push(gene);
            }
        }
    }
    assert!(!open);
    found
}

#[test]
fn rows_are_grouped_by_chromosome_and_ordered_by_start() {
    let encoder = Uce::new(genome(), UceOptions::default()).expect("valid");
    let info = encoder.info();
    assert_eq!((info.n_tokens, info.max_len, info.specials.pad), (CHROMOSOMES + 8, Some(1536), Some(0)));
    assert_eq!(
        [0, 2, 3, 13_466, CHROMOSOMES + 7, CHROMOSOMES + 8, 1].map(|it| encoder.token_name(it)),
        [Some("<pad>"), Some("<chromosome_end>"), Some("<cls>"), Some("B"), Some("<chromosome_7>"), None, None]
    );
    let var = Var::from_ids(["E", "D", "C", "B", "A", "unknown"]).expect("unique");
    let bound = encoder.bind(&var, Scale::Counts).expect("binds");
    let columns: Vec<u32> = (0..6).collect();
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 1000.0];
    let mut orders = std::collections::BTreeMap::<Vec<u32>, u32>::new();
    let mut drawn = std::collections::BTreeMap::<u32, f64>::new();
    let n = 2000;
    for seed in 0..n {
        let cell =
            CellInput { columns: &columns, values: &values, n_counts: 1015.0, phenotypes: &[], seed: Seed::new(seed) };
        let row = row(bound.encode(&cell));
        assert_eq!(row.input_ids.len(), 1 + 1024 + 2 * 3);
        assert_eq!((row.n_genes, row.n_truncated, row.mapped), (5, 0, 15.0));
        let found = chromosomes(&row);
        for (chromosome, genes) in &found {
            let order: &[u32] = match chromosome {
                0 => &[13_471, 13_469],
                2 => &[13_466, 13_470],
                _ => &[13_468],
            };
            let place = |it: &u32| order.iter().position(|known| known == it).expect("on this chromosome");
            assert!(genes.iter().map(place).is_sorted());
            genes.iter().for_each(|it| *drawn.entry(*it).or_default() += 1.0);
        }
        *orders.entry(found.iter().map(|it| it.0).collect()).or_default() += 1;
    }
    // Chromosomes in all six orders alike.
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|it| it.abs_diff(333) < 80), "{orders:?}");
    // Genes in proportion to ln(1 + c).
    let weights = [(13_468, 1.0_f64), (13_469, 2.0), (13_471, 3.0), (13_466, 4.0), (13_470, 5.0)];
    let total: f64 = weights.iter().map(|it| it.1.ln_1p()).sum();
    for (gene, count) in weights {
        let want = count.ln_1p() / total;
        let got = drawn[&gene] / (n as f64 * 1024.0);
        assert!((got - want).abs() < 0.002, "gene {gene}: {got} for {want}");
    }
}

#[test]
fn too_many_chromosomes_reject_the_cell() {
    let spread: Vec<GeneLocation> = (0..300).map(|it| location(&format!("G{it}"), 100 + it, it, 1)).collect();
    let encoder = Uce::new(spread, UceOptions::default()).expect("valid");
    let ids: Vec<String> = (0..300).map(|it| format!("G{it}")).collect();
    let bound = encoder.bind(&Var::from_ids(ids).expect("unique"), Scale::Counts).expect("binds");
    let columns: Vec<u32> = (0..300).collect();
    let Encoded::Rejected { reason, detail } = bound.encode(&cell(&columns, &[1.0; 300], 300.0)) else {
        panic!("1024 draws from 300 chromosomes leave more than 255")
    };
    assert_eq!(reason, "too_many_chromosomes");
    assert!(detail.contains("of 1536"), "{detail}");
    // As many as fit.
    let fits = row(bound.encode(&cell(&columns[..255], &[1.0; 255], 255.0)));
    assert!(fits.input_ids.len() <= 1536);
    let none = bound.encode(&cell(&[], &[], 5.0));
    assert!(matches!(none, Encoded::Rejected { reason: "no_known_gene", .. }));
}

#[test]
fn bad_genomes_are_refused() {
    let said = |genome, options| Uce::new(genome, options).err().expect("refused").to_string();
    let error = said(vec![location("A", 3, 0, 1)], UceOptions::default());
    assert_eq!(error, "gene `A` has the protein row 3, expected one above 3 and below 143574");
    assert!(said(vec![location("A", 5, 0, 1), location("A", 6, 0, 1)], UceOptions::default()).contains("`A`"));
    let error = said(genome(), UceOptions { n_draws: 9, max_len: 11, ..UceOptions::default() });
    assert_eq!(error, "9 draws in rows of at most 11, expected at least one draw and three places more than draws");
}

fn ensembl(n: u32) -> Vec<(String, u32)> {
    (0..n).map(|it| (format!("ENSG{it:011}"), it)).collect()
}

#[test]
fn scprint_by_hand() {
    let encode = |options: ScprintOptions, seed: u64| {
        let encoder = Scprint::new(ensembl(6), options).expect("valid");
        let var = Var::from_ids((0..5).map(|it| format!("ENSG{it:011}.{it}"))).expect("unique");
        let bound = encoder.bind(&var, Scale::Counts).expect("binds");
        let (columns, values) = ([0, 2, 3], [1.0, 2.0, 5.0]);
        row(bound.encode(&CellInput { seed: Seed::new(seed), ..cell(&columns, &values, 15.0) }))
    };
    let found = encode(ScprintOptions { n_classes: 1, ..ScprintOptions::default() }, 0);
    assert_eq!(found.input_ids, [6, 7, 8, 0, 2, 3]);
    assert_eq!(found.values, Some(vec![4.0, 0.0, 0.0, 0.125, 0.25, 0.625]));
    let two = encode(ScprintOptions { n_genes: 2, values: ScprintValues::Log2, ..ScprintOptions::default() }, 0);
    assert_eq!((two.input_ids, two.n_truncated), (vec![6, 7, 2, 3], 1));
    assert_eq!(two.values.expect("values")[2..], [3.0_f32.log2(), 6.0_f32.log2()]);
    // Gene 5 is not measured, so that it never fills a row.
    let filled = encode(ScprintOptions { fill: true, ..ScprintOptions::default() }, 0);
    assert_eq!(filled.input_ids, [6, 7, 0, 1, 2, 3, 4]);
    assert_eq!(filled.values.expect("values")[2..], [0.125, 0.0, 0.25, 0.625, 0.0]);
    let one = ScprintOptions { n_genes: 1, genes: ScprintGenes::Random, ..ScprintOptions::default() };
    let mut seen = [0_u32; 6];
    (0..3000).for_each(|seed| seen[encode(one.clone(), seed).input_ids[2] as usize] += 1);
    assert!([0, 2, 3].iter().all(|it| seen[*it].abs_diff(1000) < 110), "{seen:?}");
}

#[test]
fn properties_hold() {
    let genome: Vec<GeneLocation> =
        (0..50).map(|it| location(&format!("GENE{it}"), 10 + it, it % 5, i64::from(it * 37 % 50))).collect();
    let names: Vec<String> = genome.iter().map(|it| it.gene.clone()).collect();
    let uce = Uce::new(genome, UceOptions { n_draws: 64, max_len: 128, ..UceOptions::default() }).expect("valid");
    check(&Subject::of_symbols(&uce, names));
    let genes: Vec<String> = ensembl(50).into_iter().map(|it| it.0).collect();
    for options in [
        ScprintOptions::default(),
        ScprintOptions { n_genes: 7, values: ScprintValues::Log2, ..ScprintOptions::default() },
        ScprintOptions { n_genes: 9, genes: ScprintGenes::Random, n_classes: 2, ..ScprintOptions::default() },
    ] {
        let scprint = Scprint::new(ensembl(50), options).expect("valid");
        check(&Subject::new(&scprint, genes.clone()));
    }
}
