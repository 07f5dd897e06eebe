//! The entries. A new encoder is a module and one entry here.

use super::list::{EncoderEntry, EncoderInputs, Need, OptionInfo};
use super::options::Reader;
use crate::bins::BinTies;
use crate::depth::{AidoCell, AidoCellOptions, DepthSource, DepthTarget, ListForm, ScFoundation, ScFoundationOptions};
use crate::genecompass::{GeneCompass, GeneCompassOptions, GeneCompassSpecies};
use crate::geneformer::{Geneformer, GeneformerOptions, GeneformerSeries};
use crate::polygene::{
    BinEdges, PolygeneV1, PolygeneV1Options, PolygeneV2, PolygeneV2Options, PolygeneVocab, PolygeneVocabSpec,
    StringRule, Truncation, UnknownPhenotype,
};
use crate::scbert::{Scbert, ScbertOptions};
use crate::scgpt::{Scgpt, ScgptOptions, ScgptValues};
use crate::scprint::{Scprint, ScprintGenes, ScprintOptions, ScprintValues};
use crate::sentence::{Cell2Sentence, GenePtSentence, SentenceOptions, SentenceTies};
use crate::uce::{Uce, UceOptions};
use cellstone_core::{Error, Result, Tokenizer};
use std::sync::Arc;

/// Declares an entry.
macro_rules! entry {
    ($id:literal, $summary:literal, $source:literal, $needs:expr, $options:expr, |$reader:ident| $make:expr) => {{
        fn make(inputs: &EncoderInputs) -> Result<Arc<dyn Tokenizer>> {
            let $reader = Reader::new($id, inputs, $options)?;
            Ok(Arc::new($make))
        }
        EncoderEntry { id: $id, summary: $summary, source: $source, needs: $needs, options: $options, make }
    }};
}

const fn option(name: &'static str, default: &'static str, values: &'static str, summary: &'static str) -> OptionInfo {
    OptionInfo { name, default, values, summary }
}

const FORM: OptionInfo = option("form", "nonzero", "nonzero, dense", "genes of the list that stand in a row");

pub(super) const ENTRIES: &[EncoderEntry] = &[
    entry!(
        "geneformer_v1",
        "genes by count over library size over corpus median, largest first",
        "jkobject/geneformer geneformer/tokenizer.py; doi:10.1038/s41586-023-06139-9",
        &[Need::Vocab, Need::Medians],
        GENEFORMER,
        |reader| geneformer(&reader, GeneformerSeries::V1)?
    ),
    entry!(
        "geneformer_v2",
        "genes by count over library size over corpus median, largest first",
        "jkobject/geneformer geneformer/tokenizer.py; doi:10.1038/s41586-023-06139-9",
        &[Need::Vocab, Need::Medians],
        GENEFORMER,
        |reader| geneformer(&reader, GeneformerSeries::V2)?
    ),
    entry!(
        "genecompass",
        "genes by log2(1 + count over corpus median), largest first, with these values",
        "xCompass-AI/GeneCompass preprocess/preprocess.py; doi:10.1038/s41422-024-01034-y",
        &[Need::Vocab, Need::Medians],
        &[option("species", "human", "human, mouse", "recorded with the rows")],
        |reader| {
            let options = GeneCompassOptions {
                max_len: reader.max_len().unwrap_or(2048),
                species: reader.text("species").map_or(Ok(GeneCompassSpecies::default()), str::parse)?,
                gene_table: reader.gene_table(),
            };
            GeneCompass::new(reader.vocab()?, reader.medians()?, options)?
        }
    ),
    entry!(
        "scgpt",
        "class token and expressed genes with the quantile bin of their value in the cell",
        "bowang-lab/scGPT scgpt/preprocess.py; doi:10.1038/s41592-024-02201-0",
        &[Need::Vocab],
        SCGPT,
        |reader| scgpt(&reader)?
    ),
    entry!(
        "scbert",
        "every gene of a fixed list with the whole part of log2(1 + CP10k), at most 5",
        "TencentAILabHealthcare/scBERT preprocess.py; doi:10.1038/s42256-022-00534-z",
        &[Need::Vocab],
        &[option("min_genes", "200", "a whole number", "cells with fewer expressed genes are rejected")],
        |reader| {
            reader.refuse_max_len()?;
            let min_genes = reader.parse("min_genes", 200)?;
            Scbert::new(reader.vocab()?, ScbertOptions { min_genes, gene_table: reader.gene_table() })?
        }
    ),
    entry!(
        "scfoundation",
        "log-normalised genes of a fixed list with target and source depth as two more tokens",
        "biomap-research/scFoundation model/get_embedding.py; doi:10.1038/s41592-024-02305-7",
        &[Need::Vocab],
        SCFOUNDATION,
        |reader| scfoundation(&reader)?
    ),
    entry!(
        "aido_cell",
        "log-normalised genes of a fixed list, at most 20, with the depth of the cell twice at the end",
        "genbio-ai/ModelGenerator huggingface/aido.cell; doi:10.1101/2024.11.28.625303",
        &[Need::Vocab],
        &[FORM, option("floor", "5", "a number", "least value of the depth tokens, logarithm to base ten")],
        |reader| {
            reader.refuse_max_len()?;
            let options = AidoCellOptions {
                form: form(&reader)?,
                floor: reader.parse("floor", 5.0)?,
                gene_table: reader.gene_table(),
            };
            AidoCell::new(reader.vocab()?, options)?
        }
    ),
    entry!(
        "uce",
        "genes drawn in proportion to ln(1 + count), grouped by chromosome, ordered by start",
        "snap-stanford/UCE eval_data.py; doi:10.1101/2023.11.28.568918",
        &[Need::Locations],
        &[option("n_draws", "1024", "a whole number", "genes drawn for a cell")],
        |reader| {
            let options = UceOptions {
                n_draws: reader.parse("n_draws", 1024)?,
                max_len: reader.max_len().unwrap_or(1536),
                gene_table: reader.gene_table(),
            };
            Uce::new(reader.locations()?, options)?
        }
    ),
    entry!(
        "scprint",
        "depth, cell and class tokens, then genes with their share of the counts of the row",
        "cantinilab/scPRINT scprint/model; doi:10.1038/s41467-025-58699-1",
        &[Need::Vocab],
        SCPRINT,
        |reader| scprint(&reader)?
    ),
    entry!(
        "cell2sentence",
        "symbols of expressed genes in capitals by falling value",
        "vandijklab/cell2sentence src/cell2sentence/utils.py; doi:10.1101/2023.09.11.557287",
        &[Need::Vocab],
        &[option("ties", "random", "random, symbol", "order of genes whose values are equal")],
        |reader| {
            let ties = [("random", SentenceTies::Random), ("symbol", SentenceTies::Symbol)];
            let options = SentenceOptions {
                top_k: reader.max_len(),
                ties: reader.choice("ties", &ties)?,
                gene_table: reader.gene_table(),
            };
            Cell2Sentence::new(reader.vocab()?, options)?
        }
    ),
    entry!(
        "genept_s",
        "a fixed beginning and the symbols of the first 1,000 genes by falling value",
        "yiqunchen/GenePT aorta_data_analysis.ipynb; doi:10.1101/2023.10.16.562533",
        &[Need::Vocab],
        &[],
        |reader| {
            let options = SentenceOptions {
                top_k: reader.max_len(),
                gene_table: reader.gene_table(),
                ..SentenceOptions::default()
            };
            GenePtSentence::new(reader.vocab()?, options)?
        }
    ),
    entry!(
        "polygene_v1",
        "five phenotypes, then the bin of every gene of a fixed list",
        "roholazandie/polygene gene_tokenizer.py",
        &[Need::Vocab, Need::Phenotypes],
        POLYGENE_V1,
        |reader| {
            reader.refuse_max_len()?;
            let threshold = reader.text("threshold").map(|_| reader.parse("threshold", 0.0)).transpose()?;
            let n_bins = reader.parse("n_bins", 10)?;
            let options = PolygeneV1Options { n_bins, threshold, gene_table: reader.gene_table() };
            PolygeneV1::new(reader.phenotypes()?, reader.ranked_genes()?, options)?
        }
    ),
    entry!(
        "polygene_v2",
        "phenotypes and binned expressed genes by rank, with a second stream of what they are",
        "louisleger/cellular-aging-map data_utils/tokenization.py",
        &[Need::Vocab, Need::Phenotypes],
        POLYGENE_V2,
        |reader| polygene_v2(&reader)?
    ),
];

const GENEFORMER: &[OptionInfo] = &[
    option("special_tokens", "as published", "true, false", "`<cls>` before and `<eos>` behind the genes"),
    option("tie", "token", "token, column", "what decides between genes of equal value"),
    option("values", "none", "none, counts, median_scaled", "what stands beside a gene"),
];

fn geneformer(reader: &Reader<'_>, series: GeneformerSeries) -> Result<Geneformer> {
    let published = GeneformerOptions::of(series);
    let options = GeneformerOptions {
        max_len: reader.max_len().unwrap_or(published.max_len),
        special_tokens: reader.parse("special_tokens", published.special_tokens)?,
        tie: reader.text("tie").map_or(Ok(published.tie), str::parse)?,
        values: reader.text("values").map_or(Ok(published.values), str::parse)?,
        gene_table: reader.gene_table(),
        gene_mapping: reader.gene_mapping(),
        ..published
    };
    Geneformer::new(reader.vocab()?, reader.medians()?, options)
}

const SCGPT: &[OptionInfo] = &[
    option("n_bins", "51", "a whole number from 3", "bins, the one of zeros counted"),
    option("ties", "random", "random, upper, lower, middle", "bin of a value on several edges"),
    option("values", "binned", "binned, log1p, normed_raw", "what stands beside a gene"),
    option("shuffle", "false", "true, false", "a cut row keeps the order of its draws"),
    option("pad_value", "-2", "a number", "value beside the class token"),
];

fn scgpt(reader: &Reader<'_>) -> Result<Scgpt> {
    let ties = [
        ("random", BinTies::Random),
        ("upper", BinTies::Upper),
        ("lower", BinTies::Lower),
        ("middle", BinTies::Middle),
    ];
    let values = [("binned", ScgptValues::Binned), ("log1p", ScgptValues::Log1p), ("normed_raw", ScgptValues::Normed)];
    let options = ScgptOptions {
        n_bins: reader.parse("n_bins", 51)?,
        max_len: Some(reader.max_len().unwrap_or(1200)),
        ties: reader.choice("ties", &ties)?,
        values: reader.choice("values", &values)?,
        shuffle: reader.parse("shuffle", false)?,
        pad_value: reader.parse("pad_value", -2.0)?,
        gene_table: reader.gene_table(),
    };
    Scgpt::new(reader.vocab()?, options)
}

fn form(reader: &Reader<'_>) -> Result<ListForm> {
    reader.choice("form", &[("nonzero", ListForm::NonZero), ("dense", ListForm::Dense)])
}

const SCFOUNDATION: &[OptionInfo] = &[
    FORM,
    option("target", "t4", "t, f or a and a number", "depth that is asked for: fixed, times, or more in log10"),
    option("source", "cell", "cell, bulk, bulk_reference", "what the depth of a sample is taken from"),
];

fn scfoundation(reader: &Reader<'_>) -> Result<ScFoundation> {
    reader.refuse_max_len()?;
    let sources =
        [("cell", DepthSource::Cell), ("bulk", DepthSource::Bulk), ("bulk_reference", DepthSource::BulkReference)];
    let options = ScFoundationOptions {
        form: form(reader)?,
        target: reader.text("target").map_or(Ok(DepthTarget::default()), str::parse)?,
        source: reader.choice("source", &sources)?,
        gene_table: reader.gene_table(),
    };
    ScFoundation::new(reader.vocab()?, options)
}

const SCPRINT: &[OptionInfo] = &[
    option("genes", "most", "most, random", "expressed genes that are kept if there are too many"),
    option("fill", "false", "true, false", "fills rows with measured genes that the cell does not express"),
    option("values", "share", "share, log2", "number beside a gene"),
    option("n_classes", "0", "a whole number", "class tokens, one per kind of label"),
];

/// `max_len` is the number of genes: the leading tokens come on top.
fn scprint(reader: &Reader<'_>) -> Result<Scprint> {
    let options = ScprintOptions {
        n_genes: reader.max_len().unwrap_or(2200),
        genes: reader.choice("genes", &[("most", ScprintGenes::Most), ("random", ScprintGenes::Random)])?,
        fill: reader.parse("fill", false)?,
        values: reader.choice("values", &[("share", ScprintValues::Share), ("log2", ScprintValues::Log2)])?,
        n_classes: reader.parse("n_classes", 0)?,
        gene_table: reader.gene_table(),
    };
    Scprint::new(reader.vocab()?, options)
}

const POLYGENE_V1: &[OptionInfo] = &[
    option("n_bins", "10", "a whole number from 2", "bins, that of genes not expressed counted"),
    option("threshold", "none", "a number above 0", "expressed or not from here on, in place of bins"),
];

const POLYGENE_V2: &[OptionInfo] = &[
    option("edges", "cam", "cam, linear, binary, or numbers with commas", "bins; cam and numbers are for counts"),
    option("edges_scale", "counts", "counts, lognorm", "what numbers given as edges are for"),
    option("rule", "normalized", "normalized, spaces", "how names of phenotypes become tokens"),
    option("truncate", "hvg", "hvg, expression, sample", "genes that a row keeps if there are too many"),
    option("unknown", "reject", "reject, mask", "what becomes of a phenotype that the vocabulary lacks"),
];

fn polygene_v2(reader: &Reader<'_>) -> Result<PolygeneV2> {
    let truncations =
        [("hvg", Truncation::Hvg), ("expression", Truncation::Expression), ("sample", Truncation::Sample)];
    let rules = [("normalized", StringRule::Normalized), ("spaces", StringRule::Spaces)];
    let options = PolygeneV2Options {
        max_len: reader.max_len().unwrap_or(2000),
        truncate: reader.choice("truncate", &truncations)?,
        unknown: reader.choice("unknown", &[("reject", UnknownPhenotype::Reject), ("mask", UnknownPhenotype::Mask)])?,
        gene_table: reader.gene_table(),
    };
    let spec = PolygeneVocabSpec {
        rule: reader.choice("rule", &rules)?,
        categories: reader.phenotypes()?,
        genes: reader.ranked_genes()?,
        edges: edges(reader)?,
        added: Vec::new(),
    };
    PolygeneV2::new(PolygeneVocab::new(spec)?, options)
}

fn edges(reader: &Reader<'_>) -> Result<BinEdges> {
    let for_logs = reader.choice("edges_scale", &[("counts", false), ("lognorm", true)])?;
    let text = match reader.text("edges") {
        None | Some("cam") => return Ok(BinEdges::cam()),
        Some("linear") => return Ok(BinEdges::linear()),
        Some("binary") => return Ok(BinEdges::binary()),
        Some(it) => it,
    };
    let values: Result<Vec<f64>> = text
        .split(',')
        .map(|it| {
            it.trim().parse().map_err(|_| Error::config(format!("bin edges `{text}`, expected numbers with commas")))
        })
        .collect();
    BinEdges::new(values?, !for_logs)
}
