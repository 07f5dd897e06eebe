//! The vocabulary of a checkpoint.

use cellstone_core::{Error, Result};
use cellstone_rank::PolygeneVocab;
use std::collections::BTreeMap;

/// Tokens and their ids.
#[derive(Debug, Clone)]
pub enum CheckpointVocab {
    /// One stream: names by id. Ids may have gaps; no id stands twice.
    Tokens(Vec<(String, u32)>),
    /// The two streams of PolyGene v2.
    Polygene(Box<PolygeneVocab>),
}

impl CheckpointVocab {
    /// Every token of the value stream and its id, by id.
    pub fn tokens(&self) -> Vec<(String, u32)> {
        match self {
            Self::Tokens(it) => {
                let mut all = it.clone();
                all.sort_by_key(|it| it.1);
                all
            }
            Self::Polygene(it) => {
                (0..it.n_values()).filter_map(|id| Some((it.value_name(id)?.to_owned(), id))).collect()
            }
        }
    }

    /// The id of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Tokens(it) => it.iter().find(|it| it.0 == token).map(|it| it.1),
            Self::Polygene(it) => (0..it.n_values()).find(|id| it.value_name(*id) == Some(token)),
        }
    }

    /// What an id stands for.
    pub fn name(&self, id: u32) -> Option<&str> {
        match self {
            Self::Tokens(it) => it.iter().find(|it| it.1 == id).map(|it| it.0.as_str()),
            Self::Polygene(it) => it.value_name(id),
        }
    }

    /// Number of ids a network must know: one more than the largest.
    pub fn n_ids(&self) -> u32 {
        match self {
            Self::Tokens(it) => it.iter().map(|it| it.1 + 1).max().unwrap_or(0),
            Self::Polygene(it) => it.n_values(),
        }
    }

    /// The vocabulary of a PolyGene v2.
    ///
    /// # Errors
    /// If the checkpoint is of another architecture.
    pub fn polygene(&self) -> Result<&PolygeneVocab> {
        match self {
            Self::Polygene(it) => Ok(it),
            Self::Tokens(_) => Err(Error::invalid_input(
                "the checkpoint has one stream of tokens, expected the two of a PolyGene v2: it has no phenotypes",
            )),
        }
    }

    /// Compares with another vocabulary.
    ///
    /// # Errors
    /// Names the first id at which they differ, as `this` and `other`.
    pub fn same_as(&self, other: &Self, this: &str, that: &str) -> Result<()> {
        let (ours, theirs): (BTreeMap<u32, String>, BTreeMap<u32, String>) =
            (swapped(self.tokens()), swapped(other.tokens()));
        differ(&ours, &theirs, "token", this, that)?;
        if let (Self::Polygene(a), Self::Polygene(b)) = (self, other) {
            let types = |it: &PolygeneVocab| {
                (0..it.n_types()).filter_map(|id| Some((id, it.type_name(id)?.to_owned()))).collect()
            };
            differ(&types(a), &types(b), "type", this, that)?;
        }
        Ok(())
    }
}

fn swapped(tokens: Vec<(String, u32)>) -> BTreeMap<u32, String> {
    tokens.into_iter().map(|(name, id)| (id, name)).collect()
}

fn differ(
    ours: &BTreeMap<u32, String>,
    theirs: &BTreeMap<u32, String>,
    what: &str,
    this: &str,
    that: &str,
) -> Result<()> {
    let name = |it: Option<&String>| it.map_or("nothing".to_owned(), |it| format!("`{it}`"));
    let Some(id) = ours.keys().chain(theirs.keys()).filter(|it| ours.get(it) != theirs.get(it)).min() else {
        return Ok(());
    };
    Err(Error::invalid_input(format!(
        "{what} {id} is {} in {this} and {} in {that}: the vocabularies are of two models ({} and {} {what}s)",
        name(ours.get(id)),
        name(theirs.get(id)),
        ours.len(),
        theirs.len()
    )))
}
