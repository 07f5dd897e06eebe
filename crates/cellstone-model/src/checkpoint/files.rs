//! Writing and reading checkpoint directories.

use super::config::CheckpointConfig;
use super::encoder::CheckpointEncoder;
use super::folder::{self, Folder};
use super::vocab::CheckpointVocab;
use crate::run::Network;
use crate::train::TrainState;
use crate::weights::{ImportReport, Weights, read_weights};
use crate::{NetworkConfig, Selected};
use cellstone_core::{Error, Result};
use cellstone_rank::{PolygeneVocab, PolygeneVocabSpec};
use std::collections::BTreeMap;
use std::path::Path;

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
const VOCAB: &str = "vocab.json";
const POLYGENE: &str = "tokenizer/polygene.json";
const MEDIANS: &str = "tokenizer/medians.json";
const MAPPING: &str = "tokenizer/gene_mapping.json";
const MOMENTS: &str = "training/moments.safetensors";
const STATE: &str = "training/state.json";

/// A network with what is needed to read new files of cells.
#[derive(Debug)]
pub struct Checkpoint {
    /// The network on its device.
    pub network: Network,
    /// Its tokens.
    pub vocab: CheckpointVocab,
    /// The encoder that makes them.
    pub encoder: CheckpointEncoder,
    /// `config.json`; for directories of other programs what is known of it.
    pub config: CheckpointConfig,
    /// What became of the tensors.
    pub report: ImportReport,
}

/// What a later process needs to go on with training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingPart {
    /// Step, weights and moments.
    pub state: TrainState,
    /// The place in the data and whatever else the driver of the training keeps: JSON that it alone reads.
    pub driver: String,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct StateFile {
    step: u64,
    driver: String,
}

/// Writes a checkpoint directory. It is written beside `dir` and renamed: until all of it is on the disk, an earlier
/// checkpoint of that name stays as it is.
///
/// `weights` are those of [`Network::weights`](crate::Network::weights); `config.files` is filled in here.
///
/// # Errors
/// With the file that cannot be written, such as on a full disk; nothing half-written stays behind.
pub fn write(
    dir: &Path,
    config: &CheckpointConfig,
    weights: &Weights,
    vocab: &CheckpointVocab,
    encoder: &CheckpointEncoder,
    training: Option<&TrainingPart>,
) -> Result<()> {
    let mut out = Folder::beside(dir)?;
    out.weights(MODEL, weights)?;
    let tokens: BTreeMap<String, u32> = vocab.tokens().into_iter().collect();
    out.json(VOCAB, &tokens)?;
    if let CheckpointVocab::Polygene(it) = vocab {
        out.json(POLYGENE, it.spec())?;
    }
    if let Some(it) = &encoder.medians {
        out.json(MEDIANS, &it.iter().cloned().collect::<BTreeMap<String, f64>>())?;
    }
    if let Some(it) = &encoder.gene_mapping {
        out.json(MAPPING, &it.iter().cloned().collect::<BTreeMap<String, String>>())?;
    }
    if let Some(it) = training {
        out.weights(MOMENTS, &it.state.moments)?;
        out.json(STATE, &StateFile { step: it.state.step, driver: it.driver.clone() })?;
    }
    let config = CheckpointConfig { files: out.hashes(), encoder: encoder.config.clone(), ..config.clone() };
    out.json(CONFIG, &config)?;
    out.finish()
}

/// Reads `config.json` of a checkpoint directory.
///
/// # Errors
/// If there is none, it is no such file, or its format is newer than this program.
pub fn read_config(dir: &Path) -> Result<CheckpointConfig> {
    folder::recover(dir)?;
    let config: CheckpointConfig = folder::read_json(&dir.join(CONFIG))
        .map_err(|it| it.with_hint("a checkpoint is the directory that `pretrain` writes under RUN/checkpoints"))?;
    if config.format != 1 {
        return Err(Error::invalid_input(format!(
            "`{}`: format {}, expected 1",
            dir.join(CONFIG).display(),
            config.format
        )));
    }
    Ok(config)
}

/// Reads a checkpoint directory that [`write()`] wrote.
///
/// # Errors
/// With the file that is missing, cut short or changed; if the vocabulary is not that of the network, or a tensor is
/// missing or has another shape.
pub fn read(dir: &Path, on: &Selected) -> Result<Checkpoint> {
    let config = read_config(dir)?;
    folder::verify(dir, &config.files, |it| !it.starts_with("training/"))?;
    let vocab = read_vocab(dir)?;
    fits(dir, &config.network, &vocab)?;
    let mut weights = read_weights(&dir.join(MODEL))?;
    let (network, report) = Network::load(config.network.clone(), &mut weights, on)
        .map_err(|it| it.context(format!("`{}`", dir.join(MODEL).display())))?;
    let optional = |name: &str| dir.join(name).exists().then(|| dir.join(name));
    let medians = optional(MEDIANS).map(|it| folder::read_json::<BTreeMap<String, f64>>(&it)).transpose()?;
    let mapping = optional(MAPPING).map(|it| folder::read_json::<BTreeMap<String, String>>(&it)).transpose()?;
    let encoder = CheckpointEncoder {
        config: config.encoder.clone(),
        medians: medians.map(|it| it.into_iter().collect()),
        gene_mapping: mapping.map(|it| it.into_iter().collect()),
    };
    Ok(Checkpoint { network, vocab, encoder, config, report })
}

/// Reads what training needs to go on; `None` if the checkpoint is for use alone.
///
/// # Errors
/// With the file that is cut short or changed.
pub fn read_training(dir: &Path) -> Result<Option<TrainingPart>> {
    let config = read_config(dir)?;
    if !config.files.contains_key(STATE) {
        return Ok(None);
    }
    folder::verify(dir, &config.files, |_| true)?;
    let state: StateFile = folder::read_json(&dir.join(STATE))?;
    let (weights, moments) = (read_weights(&dir.join(MODEL))?, read_weights(&dir.join(MOMENTS))?);
    Ok(Some(TrainingPart { state: TrainState { step: state.step, weights, moments }, driver: state.driver }))
}

fn read_vocab(dir: &Path) -> Result<CheckpointVocab> {
    let tokens: BTreeMap<String, u32> = folder::read_json(&dir.join(VOCAB))?;
    let listed = CheckpointVocab::Tokens(tokens.into_iter().collect());
    if !dir.join(POLYGENE).exists() {
        return Ok(listed);
    }
    let spec: PolygeneVocabSpec = folder::read_json(&dir.join(POLYGENE))?;
    let made = CheckpointVocab::Polygene(Box::new(PolygeneVocab::new(spec)?));
    listed.same_as(&made, VOCAB, POLYGENE).map_err(|it| it.context(format!("`{}`", dir.display())))?;
    Ok(made)
}

/// Whether a network knows the ids of a vocabulary.
fn fits(dir: &Path, network: &NetworkConfig, vocab: &CheckpointVocab) -> Result<()> {
    let wrong = |what: &str, has: usize, knows: usize| {
        Error::invalid_input(format!("`{}`: the vocabulary has {has} {what}, the network {knows}", dir.display()))
            .with_hint("vocab.json and config.json are of two models")
    };
    let has = vocab.n_ids() as usize;
    match (network, vocab) {
        (NetworkConfig::PolyGene(it), CheckpointVocab::Polygene(vocab)) => {
            if it.n_values != has {
                return Err(wrong("value ids", has, it.n_values));
            }
            let types = vocab.n_types() as usize;
            if it.n_types == types { Ok(()) } else { Err(wrong("type ids", types, it.n_types)) }
        }
        (NetworkConfig::PolyGene(it), _) => Err(wrong("ids of one stream", has, it.n_values)),
        (NetworkConfig::Bert(it), _) if has > it.vocab_size => Err(wrong("ids", has, it.vocab_size)),
        (NetworkConfig::ScGpt(it), _) if has > it.n_tokens => Err(wrong("ids", has, it.n_tokens)),
        _ => Ok(()),
    }
}
