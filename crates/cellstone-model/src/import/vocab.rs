//! Vocabularies beside published weights, and whether they are those of the weights.

use super::open::read_json;
use crate::NetworkConfig;
use crate::checkpoint::{Checkpoint, CheckpointVocab};
use cellstone_core::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// The first of these files that a directory has, as pairs of name and value.
pub(super) fn table<T: serde::de::DeserializeOwned>(dir: &Path, names: &[&str]) -> Result<Option<Vec<(String, T)>>> {
    let Some(path) = names.iter().map(|it| dir.join(it)).find(|it| it.is_file()) else { return Ok(None) };
    let table: BTreeMap<String, T> = read_json(&path)?;
    Ok(Some(table.into_iter().collect()))
}

/// Number of token ids that a network knows.
pub(crate) fn n_ids(network: &NetworkConfig) -> usize {
    match network {
        NetworkConfig::Bert(it) => it.vocab_size,
        NetworkConfig::ScGpt(it) => it.n_tokens,
        NetworkConfig::PolyGene(it) => it.n_values,
    }
}

/// Refuses a vocabulary whose ids are not the rows of the table of a network.
pub(super) fn check(network: &NetworkConfig, tokens: &[(String, u32)], from: &str) -> Result<()> {
    let (n, knows) = (tokens.len(), n_ids(network));
    let mut seen = vec![false; knows];
    for (name, id) in tokens {
        match seen.get_mut(*id as usize) {
            Some(it) if !*it => *it = true,
            Some(_) => {
                return Err(Error::invalid_input(format!("{from}: id {id} of `{name}` stands twice, expected once")));
            }
            None => return Err(of_another(n, knows, from)),
        }
    }
    if n == knows { Ok(()) } else { Err(of_another(n, knows, from)) }
}

fn of_another(n: usize, knows: usize, from: &str) -> Error {
    Error::invalid_input(format!(
        "{from} has {n} tokens, the table of the network {knows} rows: the vocabulary is of another model"
    ))
    .with_hint("take the vocabulary that was published with these weights; equal sizes alone prove nothing")
}

impl Checkpoint {
    /// Sets the vocabulary of a checkpoint that was published without, or replaces the one beside it. `from` names it in
    /// messages.
    ///
    /// # Errors
    /// If it is of another model: its tokens are not the rows of the network's table, or the checkpoint has two streams.
    pub fn give_vocabulary(&mut self, tokens: Vec<(String, u32)>, from: &str) -> Result<()> {
        if let CheckpointVocab::Polygene(_) = self.vocab {
            return Err(Error::config(format!("{from}: a PolyGene v2 has its vocabulary in its checkpoint")));
        }
        check(self.network.config(), &tokens, from)?;
        if self.config.architecture == "geneformer" {
            super::geneformer::series(&mut self.encoder.config, &tokens);
        }
        self.vocab = CheckpointVocab::Tokens(tokens);
        Ok(())
    }
}
