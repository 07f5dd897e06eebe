//! A split as a file: `split.json`, with the hash of its pool.

use cellstone_core::{ContextId, Error, Part, Result, Split};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

const SCHEMA: u32 = 1;
const RNG: &str = "mt19937-legacy";

/// What a split file says besides the split.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitMeta {
    /// Hash of the data set, where it is known.
    pub dataset_hash: Option<String>,
    /// Raw names of the controls; they are train.
    pub control: Vec<String>,
    /// Name and version of the program.
    pub created_by: String,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    name: String,
    preset: String,
    seed: u64,
    pool_hash: String,
    dataset_hash: Option<String>,
    control: Vec<String>,
    train: Vec<String>,
    val: Vec<String>,
    test: Vec<String>,
    subgroups: BTreeMap<String, Vec<String>>,
    /// Conditions whose part holds in one context alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    contexts: BTreeMap<String, Parts>,
    rng: String,
    created_by: String,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Parts {
    train: Vec<String>,
    val: Vec<String>,
    test: Vec<String>,
}

impl Parts {
    fn list(&mut self, part: Part) -> &mut Vec<String> {
        match part {
            Part::Train => &mut self.train,
            Part::Val => &mut self.val,
            Part::Test => &mut self.test,
        }
    }
}

/// SHA-256, in hex, of the distinct raw names sorted by code point and joined by line feeds.
///
/// # Examples
/// ```
/// use cellstone_prep::pool_hash;
/// assert_eq!(pool_hash(["b", "a"]), pool_hash(["a", "b", "a"]));
/// assert_eq!(pool_hash(["abc"]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// ```
pub fn pool_hash<'a>(raws: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = raws.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    let digit = |it: u8| char::from_digit(u32::from(it), 16).unwrap_or('0');
    Sha256::digest(names.join("\n")).iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]).collect()
}

/// The text of `split.json`: sorted lists, the same bytes for the same split.
///
/// Conditions that a split places in one context alone stand under `contexts`.
///
/// # Errors
/// If the text cannot be made; names are always valid.
pub fn split_to_json(split: &Split, meta: &SplitMeta) -> Result<String> {
    let mut everywhere = Parts::default();
    let mut contexts: BTreeMap<String, Parts> = BTreeMap::new();
    for (key, part) in split.entries() {
        let parts = match &key.context {
            None => &mut everywhere,
            Some(it) => contexts.entry(it.clone()).or_default(),
        };
        parts.list(part).push(key.raw.clone());
    }
    let mut subgroups = split.subgroups.clone();
    for names in subgroups.values_mut() {
        names.sort();
    }
    let mut control = meta.control.clone();
    control.sort();
    let file = File {
        schema: SCHEMA,
        name: split.name.clone(),
        preset: split.protocol.clone(),
        seed: split.seed,
        pool_hash: pool_hash(split.entries().map(|(key, _)| key.raw.as_str())),
        dataset_hash: meta.dataset_hash.clone(),
        control,
        train: everywhere.train,
        val: everywhere.val,
        test: everywhere.test,
        subgroups,
        contexts,
        rng: RNG.to_owned(),
        created_by: meta.created_by.clone(),
    };
    let mut text = serde_json::to_string_pretty(&file).map_err(|error| {
        Error::invalid_input(format!("split `{}` cannot be written", split.name)).with_source(error)
    })?;
    text.push('\n');
    Ok(text)
}

/// Reads the text of `split.json`; `file` names it in messages.
///
/// # Errors
/// If the text is no split, has another schema, puts a condition into two parts, or its names do not have its pool hash.
pub fn split_from_json(text: &str, file: &str) -> Result<(Split, SplitMeta)> {
    let read: File = serde_json::from_str(text)
        .map_err(|error| Error::invalid_input(format!("`{file}` is no split: {error}")).with_source(error))?;
    if read.schema != SCHEMA {
        return Err(Error::invalid_input(format!("split `{file}` has schema {}, expected {SCHEMA}", read.schema)));
    }
    let mut split = Split::new(read.name, read.preset, read.seed);
    let everywhere = Parts { train: read.train, val: read.val, test: read.test };
    let all = std::iter::once((None, everywhere)).chain(read.contexts.into_iter().map(|(it, parts)| (Some(it), parts)));
    for (context, parts) in all {
        let context = context.map(ContextId::new);
        for (part, raws) in [(Part::Train, parts.train), (Part::Val, parts.val), (Part::Test, parts.test)] {
            for raw in raws {
                match &context {
                    None => split.assign(raw, part),
                    Some(it) => split.assign_in(it, raw, part),
                }
                .map_err(|error| error.context(format!("reading `{file}`")))?;
            }
        }
    }
    split.subgroups = read.subgroups;
    let found = pool_hash(split.entries().map(|(key, _)| key.raw.as_str()));
    if found != read.pool_hash {
        return Err(Error::invalid_input(format!(
            "the names in split `{file}` have pool hash {found}, expected {}",
            read.pool_hash
        ))
        .with_hint("the file was edited: make the split anew"));
    }
    Ok((split, SplitMeta { dataset_hash: read.dataset_hash, control: read.control, created_by: read.created_by }))
}
