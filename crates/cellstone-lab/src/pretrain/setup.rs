//! From a configuration and the training cells to vocabulary, network, objective.

use super::config::{MaskSettings, NetworkKind, PretrainConfig};
use super::corpus::Corpus;
use super::rows::Census;
use cellstone_core::{Error, Result};
use cellstone_model::{
    AdamWConfig, CheckpointConfig, CheckpointEncoder, CheckpointVocab, Decay, EncoderConfig, NetworkConfig, Objective,
    PolyGeneConfig, Schedule, Selected, Slot,
};
use cellstone_prep::{Expression, HvgFlavor, HvgParams, highly_variable_genes};
use cellstone_rank::{
    BinEdges, MeasuredGenes, PolygeneV2Options, PolygeneVocab, PolygeneVocabSpec, StringRule, Truncation,
    UnknownPhenotype,
};
use std::collections::BTreeMap;
use std::path::Path;

/// Vocabulary and encoder of a run.
pub(super) struct Made {
    pub(super) vocab: CheckpointVocab,
    pub(super) encoder: CheckpointEncoder,
}

impl Made {
    pub(super) fn polygene(&self) -> Result<&PolygeneVocab> {
        self.vocab.polygene()
    }
}

/// Refuses a precision that the networks do not compute in.
pub(super) fn check_precision(config: &PretrainConfig, on: &Selected) -> Result<()> {
    if config.train.precision == "f16" {
        return Err(Error::device(format!("train.precision = \"f16\": `{}` computes in f32 here", on.name()))
            .with_hint("half precision needs a graphics adapter that has it; set train.precision = \"auto\""));
    }
    Ok(())
}

/// The vocabulary: that of a file where one is named, else genes by variability and phenotypes of the training cells.
pub(super) fn vocabulary(config: &PretrainConfig, corpus: Option<&Corpus>) -> Result<Made> {
    let spec = match (&config.data.vocab, corpus) {
        (Some(path), _) => read_spec(path)?,
        (None, Some(corpus)) => own_spec(config, corpus)?,
        (None, None) => return Err(Error::config("data.vocab is missing")),
    };
    if corpus.is_some() {
        let names: Vec<String> = spec.categories.iter().map(|it| it.name.clone()).collect();
        if names != config.data.phenotypes {
            return Err(Error::config(format!(
                "data.phenotypes is {}, the vocabulary has {}",
                cellstone_core::quoted(&config.data.phenotypes),
                cellstone_core::quoted(&names)
            )));
        }
    }
    let encoder = CheckpointEncoder {
        config: EncoderConfig {
            id: config.network.kind.as_str().to_owned(),
            options: BTreeMap::from([
                ("truncate".to_owned(), config.encoder.truncate.clone()),
                ("unknown".to_owned(), "mask".to_owned()),
            ]),
            max_len: Some(config.encoder.max_len),
        },
        ..CheckpointEncoder::default()
    };
    Ok(Made { vocab: CheckpointVocab::Polygene(Box::new(PolygeneVocab::new(spec)?)), encoder })
}

fn read_spec(path: &Path) -> Result<PolygeneVocabSpec> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_str(&text).map_err(|it| {
        Error::invalid_input(format!("`{}`: no vocabulary of a PolyGene v2: {it}", path.display()))
            .with_hint("a run keeps its own in checkpoints/best/tokenizer/polygene.json")
    })
}

fn own_spec(config: &PretrainConfig, corpus: &Corpus) -> Result<PolygeneVocabSpec> {
    let training = corpus.training();
    let n = config.encoder.n_genes.min(cellstone_core::CountSource::var(&training).len());
    let params = HvgParams::top(HvgFlavor::SeuratV3, n);
    let table = highly_variable_genes(&Expression::Source(&training), None, &params)?;
    let ids = cellstone_core::CountSource::var(&training).ids();
    let edges = match config.encoder.edges.as_str() {
        "linear" => BinEdges::linear(),
        "binary" => BinEdges::binary(),
        "numbers" => BinEdges::new(config.encoder.edge_values.clone(), true)?,
        _ => BinEdges::cam(),
    };
    Ok(PolygeneVocabSpec {
        rule: StringRule::Normalized,
        categories: corpus.categories(&config.data.phenotypes)?,
        genes: table.order.iter().take(n).map(|it| ids[*it as usize].clone()).collect(),
        edges,
        added: Vec::new(),
    })
}

/// Choices of the encoder: a phenotype that no training cell has is masked.
pub(super) fn options(config: &PretrainConfig) -> PolygeneV2Options {
    PolygeneV2Options {
        max_len: config.encoder.max_len,
        truncate: match config.encoder.truncate.as_str() {
            "expression" => Truncation::Expression,
            "sample" => Truncation::Sample,
            _ => Truncation::Hvg,
        },
        unknown: UnknownPhenotype::Mask,
        gene_table: None,
    }
}

/// Genes to draw unexpressed ones from: those that some training cell expresses, by how many do.
pub(super) fn measured(vocab: &PolygeneVocab, census: &Census, mask: &MaskSettings) -> Result<MeasuredGenes> {
    let n = census.cells[0].max(1) as f64;
    let genes = MeasuredGenes::new((0..vocab.genes().len() as u32).collect())?;
    if mask.negatives == "uniform" {
        return Ok(genes);
    }
    genes.with_rates(&census.detected.iter().map(|it| (*it as f64 / n).min(1.0)).collect::<Vec<_>>())
}

/// The shape of the network.
pub(super) fn network_config(config: &PretrainConfig, vocab: &PolygeneVocab) -> NetworkConfig {
    let it = &config.network;
    match it.kind {
        NetworkKind::PolygeneV2 => NetworkConfig::PolyGene(PolyGeneConfig {
            n_values: vocab.n_values() as usize,
            n_types: vocab.n_types() as usize,
            d: it.d,
            d_inner: it.d_inner,
            n_layers: it.n_layers,
            n_heads: it.n_heads,
            dropout: it.dropout,
        }),
    }
}

/// What is minimized.
pub(super) fn objective(config: &PretrainConfig, vocab: &PolygeneVocab) -> Objective {
    let train = &config.train;
    if train.all_ids {
        return Objective::AllIds { smoothing: train.label_smoothing };
    }
    let slot = |(at, it): (usize, &cellstone_rank::PhenotypeCategory)| {
        let ids = vocab.category_ids(at);
        Slot { name: it.name.clone(), ids: ids[0]..ids[0] + ids.len() as u32 }
    };
    let mut slots: Vec<Slot> = vocab.categories().iter().enumerate().map(slot).collect();
    slots.push(Slot { name: "bins".into(), ids: vocab.bin_id(0)..vocab.bin_id(vocab.n_edges()) + 1 });
    Objective::Slots {
        slots,
        genes: train.gene_weight,
        phenotypes: train.phenotype_weight,
        smoothing: train.label_smoothing,
    }
}

/// The learning rate by step.
pub(super) fn schedule(config: &PretrainConfig, total: u64) -> Schedule {
    let decay = match config.train.decay.as_str() {
        "linear" => Decay::Linear,
        "constant" => Decay::Constant,
        _ => Decay::Cosine,
    };
    Schedule { peak: config.train.lr, warmup: config.train.warmup, total, decay }
}

/// Optimizer, learning rate, objective.
pub(super) fn training(
    config: &PretrainConfig,
    total: u64,
    checkpoint: &CheckpointConfig,
) -> Result<(AdamWConfig, Schedule, Objective)> {
    let clip = config.train.clip;
    let adamw = AdamWConfig {
        weight_decay: config.train.weight_decay,
        clip_norm: (clip > 0.0).then_some(clip),
        ..AdamWConfig::default()
    };
    let objective = checkpoint.objective.clone().ok_or_else(|| Error::config("a training without an objective"))?;
    Ok((adamw, schedule(config, total), objective))
}

/// Whether a run has a checkpoint to go on from; one that a kill left under another name counts.
pub(super) fn has_checkpoint(last: &Path) -> bool {
    let old = last.with_file_name("last.old");
    last.exists() || old.exists()
}
