//! Directories of scGPT: `args.json`, `vocab.json`, `best_model.pt`.
//!
//! Source of the names and of what they mean: `bowang-lab/scGPT` : `scgpt/model/model.py`, `scgpt/tasks/cell_emb.py`.

use super::geneformer::described;
use super::open::{load, parsed, read_json};
use super::vocab::{check, table};
use crate::checkpoint::{Checkpoint, CheckpointEncoder, CheckpointVocab, EncoderConfig};
use crate::{NetworkConfig, ScGptConfig, Selected, read_weights};
use cellstone_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Appended to a vocabulary that lacks them, in this order.
const SPECIALS: [&str; 3] = ["<pad>", "<cls>", "<eoc>"];
const TABLE: &str = "encoder.embedding.weight";

/// Opens a directory that has an `args.json`.
pub(super) fn open(dir: &Path, on: &Selected) -> Result<Checkpoint> {
    let path = dir.join("args.json");
    let value: serde_json::Value = read_json(&path)?;
    refuse_others(&path, &value)?;
    let read: ScGptConfig = parsed(&path, value.clone())?;
    let tokens = table::<u32>(dir, &["vocab.json"])?.ok_or_else(|| {
        Error::invalid_input(format!("`{}` has no `vocab.json`, expected the one of the model", dir.display()))
    })?;
    let mut weights = read_weights(dir)?.without_prefix("module.");
    let rows = weights.get(TABLE).map(|it| it.shape[0]);
    let rows = rows.ok_or_else(|| {
        Error::invalid_input(format!(
            "weights in `{}`: no tensor `{TABLE}`, expected the table of genes",
            dir.display()
        ))
    })?;
    let network = NetworkConfig::ScGpt(ScGptConfig { n_tokens: rows, ..read });
    let tokens = with_specials(tokens);
    check(&network, &tokens, &format!("`{}` with special tokens", dir.join("vocab.json").display()))?;
    let (loaded, report) = load(dir, network.clone(), &mut weights, on)?;
    let encoder =
        EncoderConfig { id: "scgpt".to_owned(), options: options(&value), max_len: whole(&value, "max_seq_len") };
    Ok(Checkpoint {
        network: loaded,
        vocab: CheckpointVocab::Tokens(tokens),
        config: described("scgpt", network, encoder.clone(), dir),
        encoder: CheckpointEncoder { config: encoder, ..CheckpointEncoder::default() },
        report,
    })
}

fn with_specials(mut tokens: Vec<(String, u32)>) -> Vec<(String, u32)> {
    for special in SPECIALS {
        if !tokens.iter().any(|it| it.0 == special) {
            let next = tokens.iter().map(|it| it.1 + 1).max().unwrap_or(0);
            tokens.push((special.to_owned(), next));
        }
    }
    tokens
}

fn whole(value: &serde_json::Value, key: &str) -> Option<usize> {
    value.get(key).and_then(serde_json::Value::as_u64).map(|it| it as usize)
}

/// What the encoder must know of the arguments.
fn options(value: &serde_json::Value) -> BTreeMap<String, String> {
    let number = |key: &str| value.get(key).filter(|it| it.is_number()).map(ToString::to_string);
    let known = [("n_bins", number("n_bins")), ("pad_value", number("pad_value"))];
    known.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?))).collect()
}

/// Refuses networks of the same package that are computed otherwise.
fn refuse_others(path: &Path, value: &serde_json::Value) -> Result<()> {
    for key in ["input_emb_style", "input_style"] {
        let style = value.get(key).and_then(serde_json::Value::as_str);
        let known = if key == "input_style" { "binned" } else { "continuous" };
        if let Some(it) = style.filter(|it| *it != known) {
            return Err(Error::invalid_input(format!("`{}`: {key} `{it}`, expected `{known}`", path.display())));
        }
    }
    Ok(())
}
