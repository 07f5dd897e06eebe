//! What a directory is, told by the files in it.

use super::{geneformer, scgpt};
use crate::checkpoint::{self, Checkpoint};
use crate::weights::FILES;
use crate::{ImportReport, NetworkConfig, Selected};
use cellstone_core::{Error, Result, nearest, quoted};
use serde::de::DeserializeOwned;
use std::path::Path;

/// Opens a checkpoint: a directory of our own, one of Hugging Face with a BERT (Geneformer, PolyGene v1), or one of
/// scGPT (`args.json`, `vocab.json`, `best_model.pt`). Nothing in any of them is executed.
///
/// A directory of Geneformer need not hold its vocabulary: what is published does not. Then the vocabulary of the
/// checkpoint is empty until [`Checkpoint::give_vocabulary`].
///
/// # Errors
/// If the directory is none of these (it names what was looked for), a file is cut short, a tensor is missing, has
/// another shape or is not finite, or the vocabulary is of another model: its tokens are not the rows of the table.
pub fn open_checkpoint(dir: &Path, on: &Selected) -> Result<Checkpoint> {
    if !dir.is_dir() {
        let shown = dir.display();
        let what = if dir.exists() { "is a file" } else { "does not exist" };
        return Err(Error::invalid_input(format!("checkpoint `{shown}` {what}, expected a directory")));
    }
    let config = dir.join("config.json");
    if config.is_file() {
        let value: serde_json::Value = read_json(&config)?;
        if value.get("format").is_some() && value.get("network").is_some() {
            return checkpoint::read(dir, on);
        }
        return geneformer::open(dir, value, on);
    }
    if dir.join("args.json").is_file() {
        return scgpt::open(dir, on);
    }
    Err(Error::invalid_input(format!(
        "`{}` is no checkpoint: it has {}; looked for `config.json` (ours, or a BERT of Hugging Face) and `args.json` \
         (scGPT)",
        dir.display(),
        listed(dir)
    ))
    .with_hint(format!("weights are read from {}", FILES.join(", "))))
}

/// The files of a directory, for a message.
fn listed(dir: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(dir) else { return "no readable entries".to_owned() };
    let mut names: Vec<String> = entries.flatten().map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let n = names.len();
    names.truncate(6);
    match n {
        0 => "no files".to_owned(),
        7.. => format!("{} and {} more", quoted(&names), n - 6),
        _ => quoted(&names),
    }
}

/// A JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_str(&text).map_err(|error| {
        Error::invalid_input(format!("`{}`: {error}", path.display()))
            .with_hint("the file may be cut short: compare it with its source")
    })
}

/// A configuration of another program, with the key that is missing.
pub(super) fn parsed<T: DeserializeOwned>(path: &Path, value: serde_json::Value) -> Result<T> {
    let keys: Vec<String> = value.as_object().map(|it| it.keys().cloned().collect()).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| {
        let text = error.to_string();
        let missing = text.split('`').nth(1).unwrap_or_default();
        let error = Error::invalid_input(format!("`{}`: {text}", path.display()));
        match nearest(missing, keys.iter().map(String::as_str)) {
            Some(it) if text.contains("missing") => error.with_hint(format!("the nearest key is `{it}`")),
            _ => error,
        }
    })
}

/// A network from the weights of a directory, with everything that does not fit.
pub(super) fn load(
    dir: &Path,
    network: NetworkConfig,
    weights: &mut crate::Weights,
    on: &Selected,
) -> Result<(crate::Network, ImportReport)> {
    let found = crate::Network::load(network.clone(), weights, on);
    found.map_err(|error| {
        super::problems::all(&network, weights, error, on).context(format!("weights in `{}`", dir.display()))
    })
}
