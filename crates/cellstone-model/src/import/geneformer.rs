//! Directories of Hugging Face with a BERT: Geneformer.
//!
//! Source of the names and of what they mean: `jkobject/geneformer` : `config.json`, `geneformer-12L-30M/config.json`.

use super::open::{load, parsed};
use super::vocab::{check, table};
use crate::checkpoint::{Checkpoint, CheckpointConfig, CheckpointEncoder, CheckpointVocab, EncoderConfig, Provenance};
use crate::{BertConfig, NetworkConfig, Selected, read_weights};
use cellstone_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a vocabulary may lie; upstream keeps it in the package, not beside the weights.
const VOCAB: [&str; 3] = ["vocab.json", "token_dictionary.json", "tokenizer/vocab.json"];
const MEDIANS: [&str; 3] = ["medians.json", "gene_median_dictionary.json", "tokenizer/medians.json"];
const MAPPING: [&str; 2] = ["ensembl_mapping_dict.json", "tokenizer/gene_mapping.json"];

/// Opens a directory whose `config.json` is `value`.
pub(super) fn open(dir: &Path, value: serde_json::Value, on: &Selected) -> Result<Checkpoint> {
    let path = dir.join("config.json");
    refuse_others(&path, &value)?;
    let bert: BertConfig = parsed(&path, value)?;
    let network = NetworkConfig::Bert(bert.clone());
    let tokens = table::<u32>(dir, &VOCAB)?.unwrap_or_default();
    if !tokens.is_empty() {
        check(&network, &tokens, &format!("the vocabulary in `{}`", dir.display()))?;
    }
    let mut weights = read_weights(dir)?.without_prefix("module.");
    let (loaded, report) = load(dir, network.clone(), &mut weights, on)?;
    let mut encoder = EncoderConfig {
        id: if bert.vocab_size == BertConfig::geneformer_v1().vocab_size { "geneformer_v1" } else { "geneformer_v2" }
            .to_owned(),
        max_len: Some(bert.max_position_embeddings),
        ..EncoderConfig::default()
    };
    series(&mut encoder, &tokens);
    Ok(Checkpoint {
        network: loaded,
        vocab: CheckpointVocab::Tokens(tokens),
        config: described("geneformer", network, encoder.clone(), dir),
        encoder: CheckpointEncoder {
            config: encoder,
            medians: table(dir, &MEDIANS)?,
            gene_mapping: table(dir, &MAPPING)?,
        },
        report,
    })
}

/// Which series a vocabulary is of: the second has a token for the cell.
pub(super) fn series(encoder: &mut EncoderConfig, tokens: &[(String, u32)]) {
    if !tokens.is_empty() {
        let has_cls = tokens.iter().any(|it| it.0 == "<cls>");
        (if has_cls { "geneformer_v2" } else { "geneformer_v1" }).clone_into(&mut encoder.id);
    }
}

/// What is known of a checkpoint of another program.
pub(super) fn described(
    architecture: &str,
    network: NetworkConfig,
    encoder: EncoderConfig,
    dir: &Path,
) -> CheckpointConfig {
    let name = dir.file_name().map(|it| it.to_string_lossy().into_owned());
    CheckpointConfig {
        format: 1,
        architecture: architecture.to_owned(),
        network,
        encoder,
        label_smoothing: 0.0,
        objective: None,
        files: BTreeMap::new(),
        provenance: Provenance { imported: name, ..Provenance::default() },
    }
}

/// Refuses what looks like such a directory and is computed otherwise.
fn refuse_others(path: &Path, value: &serde_json::Value) -> Result<()> {
    let wrong = |what: String| Error::invalid_input(format!("`{}`: {what}", path.display()));
    let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
    match text("model_type") {
        Some("bert") => {}
        Some(other) => return Err(wrong(format!("model_type `{other}`, expected `bert`"))),
        None if value.get("hidden_size").is_some() => {}
        None => {
            return Err(wrong(
                "neither `format` and `network` (ours) nor `model_type` (Hugging Face), expected one of them"
                    .to_owned(),
            ));
        }
    }
    if let Some(it) = text("position_embedding_type").filter(|it| *it != "absolute") {
        return Err(wrong(format!("position_embedding_type `{it}`, expected `absolute`")));
    }
    if value.get("is_decoder").and_then(serde_json::Value::as_bool) == Some(true) {
        return Err(wrong("is_decoder true, expected an encoder".to_owned()));
    }
    Ok(())
}
