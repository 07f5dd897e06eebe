//! Real cells and the published dictionaries, against the definition written out slowly. Skipped where they are absent.

use crate::common::{cell, numbers_by_name, row, shared, tokens_by_name};
use cellstone_core::genes::IdTarget;
use cellstone_core::{CountSource, Encoded, Scale, Tokenizer, Var};
use cellstone_io::{H5ad, OpenOptions, open_source, read_gene_table};
use cellstone_rank::{
    CoverageRule, Dictionary, GeneVocab, Geneformer, GeneformerOptions, GeneformerSeries, MedianOptions, corpus_genes,
    corpus_medians, is_excel_mangled, is_null_name,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

struct Published {
    tokens: Vec<(String, u32)>,
    medians: Vec<(String, f64)>,
    options: GeneformerOptions,
}

impl Published {
    fn read(series: GeneformerSeries) -> Option<Self> {
        let corpus = match series {
            GeneformerSeries::V1 => "gc30M",
            GeneformerSeries::V2 => "gc95M",
        };
        Some(Self {
            tokens: tokens_by_name(&shared(&format!("vocab/geneformer_{corpus}_token_dictionary.json.gz"))?),
            medians: numbers_by_name(&shared(&format!("vocab/geneformer_{corpus}_gene_median.json.gz"))?),
            options: GeneformerOptions::of(series),
        })
    }

    fn encoder(&self) -> Geneformer {
        Geneformer::new(self.tokens.clone(), self.medians.clone(), self.options.clone()).expect("published")
    }
}

fn counts(path: &Path) -> Box<dyn CountSource> {
    let options = OpenOptions { scale: Scale::Counts, ..OpenOptions::default() };
    open_source(path, &options).expect("counts")
}

/// The definition: every gene of the dictionary by its exact name, sorted by value and then token.
fn slowly(published: &Published, var: &Var, columns: &[u32], values: &[f32], total: f64) -> Vec<u32> {
    let tokens: BTreeMap<&str, u32> = published.tokens.iter().map(|it| (it.0.as_str(), it.1)).collect();
    let medians: BTreeMap<&str, f64> = published.medians.iter().map(|it| (it.0.as_str(), it.1)).collect();
    let mut genes: Vec<(f64, u32)> = Vec::new();
    for (col, count) in columns.iter().zip(values) {
        let name = var.ids()[*col as usize].split('.').next().expect("a name");
        if let (Some(token), Some(median)) = (tokens.get(name), medians.get(name)) {
            genes.push((f64::from(*count) / total * 10_000.0 / median, *token));
        }
    }
    genes.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let specials = published.options.special_tokens;
    genes.truncate(published.options.max_len - if specials { 2 } else { 0 });
    let ends = |id: u32| specials.then_some(id);
    ends(2).into_iter().chain(genes.into_iter().map(|it| it.1)).chain(ends(3)).collect()
}

/// Compares every `step`-th cell; gives mapped and all counts.
fn compare(published: &Published, source: &dyn CountSource, var: &Var, step: usize) -> (f64, f64) {
    let bound = published.encoder().bind(var, Scale::Counts).expect("binds");
    let (mut mapped, mut all) = (0.0, 0.0);
    for block in source.blocks(0).expect("opens") {
        let block = block.expect("reads");
        for at in 0..block.x.shape().0 {
            let (columns, values) = block.x.row(at);
            let total: f64 = values.iter().map(|it| f64::from(*it)).sum();
            let found = row(bound.encode(&cell(columns, values, total)));
            mapped += found.mapped;
            all += total;
            if (block.start + at).is_multiple_of(step) {
                let want = slowly(published, var, columns, values, total);
                assert_eq!(found.input_ids, want, "cell {}", block.start + at);
            }
        }
    }
    (mapped, all)
}

#[test]
fn real_counts_are_encoded_as_defined() {
    let Some(path) = shared("sc_mixology/sc_mixology_counts.h5ad") else { return };
    let source = counts(&path);
    for series in [GeneformerSeries::V1, GeneformerSeries::V2] {
        let Some(published) = Published::read(series) else { return };
        let (mapped, all) = compare(&published, source.as_ref(), source.var(), 23);
        let bound = published.encoder().bind(source.var(), Scale::Counts).expect("binds");
        CoverageRule::Strict.check(bound.coverage(), mapped, all).expect("a full transcriptome is covered");
    }
}

#[test]
fn symbols_lead_to_the_rows_of_ids() {
    let Some(path) = shared("pbmc3k/pbmc3k_2638x2767_counts.h5ad") else { return };
    let Some(published) = Published::read(GeneformerSeries::V2) else { return };
    let (Some(genes), Some(aliases)) =
        (shared("vocab/gencode_genes_homo_sapiens.csv.gz"), shared("vocab/hgnc_alias_to_symbol_bpcells.csv.gz"))
    else {
        return;
    };
    // The file names its genes by symbols of 2013 and keeps their ids in a column.
    let source = counts(&path);
    let table = H5ad::open(&path).and_then(|it| it.var_table()).expect("an annotation");
    let column = table.get("gene_ids").expect("ids");
    let ids = Var::from_ids((0..column.len()).map(|it| column.text(it).expect("an id"))).expect("unique");
    let (mapped, all) = compare(&published, source.as_ref(), &ids, 11);
    let by_id = published.encoder().bind(&ids, Scale::Counts).expect("binds");
    CoverageRule::Panel.check(by_id.coverage(), mapped, all).expect("a choice of genes");
    assert!(CoverageRule::Strict.check(by_id.coverage(), mapped, all).is_err(), "and no full transcriptome");
    let table = Arc::new(read_gene_table(&genes, Some(&aliases)).expect("a table"));
    let mut named = published;
    named.options.gene_table = Some(table);
    let by_symbol = named.encoder().bind(source.var(), Scale::Counts).expect("binds");
    let both = by_id.genes().iter().zip(by_symbol.genes()).filter(|it| it.0.is_some() && it.1.is_some());
    let (n, n_same) = both.fold((0, 0), |(n, same), it| (n + 1, same + usize::from(it.0 == it.1)));
    assert!(n as f64 > 0.95 * by_id.coverage().n_mapped as f64, "{n} genes by both names");
    assert!(n_same as f64 > 0.99 * f64::from(n), "{n_same} of {n} genes are the same by both names");
}

#[test]
fn published_dictionaries_are_sound() {
    let Some(first) = Published::read(GeneformerSeries::V1) else { return };
    let Some(second) = Published::read(GeneformerSeries::V2) else { return };
    let (first, second) = (first.encoder(), second.encoder());
    assert_eq!((first.info().n_tokens, first.vocab().len(), first.n_without_median()), (25_426, 25_424, 0));
    assert_eq!((second.info().n_tokens, second.vocab().len(), second.n_without_median()), (20_275, 20_271, 0));
    assert_eq!((first.low_medians(0.01).len(), second.low_medians(0.01).len()), (0, 55));
    assert_eq!((first.token_name(1), second.token_name(3)), (Some("<mask>"), Some("<eos>")));
    // Every id has a name: what reads published rows back stands on this.
    assert!((0..25_426).all(|it| first.token_name(it).is_some()));
    assert!((0..20_275).all(|it| second.token_name(it).is_some()));
    // Copies on Y in the old spelling are genes of their own in the first dictionary, and of X in the second.
    let var = Var::from_ids(["ENSGR0000002586", "ENSG00000002586", "ENSG00000002586.20_PAR_Y"]).expect("unique");
    let places = |it: &Geneformer| it.vocab().bind(&var, None).expect("binds").positions().to_vec();
    let (of_first, of_second) = (places(&first), places(&second));
    assert!(of_first.iter().all(Option::is_some) && of_first[0] != of_first[1] && of_first[1] == of_first[2]);
    assert!(of_second[0].is_some() && of_second.iter().all(|it| *it == of_second[0]));
}

#[test]
fn the_published_map_of_other_names_is_taken_in() {
    let Some(path) = shared("vocab/geneformer_gc95M_ensembl_mapping.json.gz") else { return };
    let Some(published) = Published::read(GeneformerSeries::V2) else { return };
    let mapping: BTreeMap<String, String> = {
        let file = std::fs::File::open(&path).expect("a file");
        serde_json::from_reader(flate2::read::GzDecoder::new(file)).expect("a map")
    };
    let genes = Dictionary::new(published.tokens.clone()).expect("published").genes();
    let vocab = GeneVocab::new("gc95M", IdTarget::Ensembl, genes).expect("published");
    let with_map = vocab.clone().with_mapping(&mapping).expect("one gene for each name");
    // Every name of the map leads somewhere; where it is no gene of the vocabulary itself, to where the map says.
    let bound = with_map.bind(&Var::from_ids(mapping.keys().cloned()).expect("unique"), None).expect("binds");
    let (mut n_own, mut n_mapped) = (0, 0);
    for ((name, key), found) in mapping.iter().zip(bound.positions()) {
        let Some(want) = vocab.position(key) else { continue };
        let own = vocab.position(name);
        let no_name = is_null_name(name) || is_excel_mangled(name);
        assert!(no_name || *found == own.or(Some(want)), "{name} leads to {found:?}, the map says {key}");
        n_own += usize::from(own.is_some());
        n_mapped += usize::from(own.is_none() && found.is_some());
    }
    assert!(n_own > 20_000 && n_mapped > 70_000, "{n_own} own, {n_mapped} mapped");
}

#[test]
fn medians_of_real_counts_are_those_of_sorting() {
    let Some(path) = shared("pbmc3k/pbmc3k_2638x2767_counts.h5ad") else { return };
    let source = counts(&path);
    let vocab = corpus_genes(&[source.var()], None).expect("genes");
    let found = corpus_medians(&[source.as_ref()], &vocab, None, &MedianOptions::default()).expect("counts");
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); source.var().len()];
    for block in source.blocks(0).expect("opens") {
        let block = block.expect("reads");
        for at in 0..block.x.shape().0 {
            let (columns, counts) = block.x.row(at);
            let total: f64 = counts.iter().map(|it| f64::from(*it)).sum();
            for (col, count) in columns.iter().zip(counts) {
                values[*col as usize].push((f64::from(*count) / total * 10_000.0) as f32);
            }
        }
    }
    assert_eq!(found.n_cells, 2638);
    for (name, values) in source.var().ids().iter().zip(&mut values) {
        values.sort_by(f32::total_cmp);
        let n = values.len();
        let it = found.genes.iter().find(|it| it.gene_id == *name);
        assert_eq!(it.map_or(0, |it| it.n_cells_detected) as usize, n, "{name}");
        if let Some(it) = it {
            assert_eq!(it.median, (f64::from(values[(n - 1) / 2]) + f64::from(values[n / 2])) / 2.0, "{name}");
        }
    }
}

#[test]
fn a_cell_of_another_species_is_rejected() {
    let Some(published) = Published::read(GeneformerSeries::V1) else { return };
    let var = Var::from_ids(["ENSMUSG00000059552"]).expect("one");
    let bound = published.encoder().bind(&var, Scale::Counts).expect("binds");
    let Encoded::Rejected { reason, .. } = bound.encode(&cell(&[0], &[5.0], 5.0)) else { panic!("a mouse") };
    assert_eq!(reason, "no_known_gene");
}
