//! Train, validation and test parts of the conditions of a data set.

use crate::{ContextId, Error, Result};
use std::collections::BTreeMap;
use std::fmt;

/// The part a condition belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Seen by every fit.
    Train,
    /// For choices during training; never scored unless asked.
    Val,
    /// Scored.
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// A condition by its raw name, in one context or (`None`) in all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct SplitKey {
    /// The context; `None` means every context.
    pub context: Option<String>,
    /// The name in the file.
    pub raw: String,
}

/// Which condition is in which part, and how that came about. Controls are always train.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// Short name, unique among the splits of a run (for instance `norman_doubles_s1`).
    pub name: String,
    /// Id of the protocol.
    pub protocol: String,
    /// Seed of the protocol.
    pub seed: u64,
    parts: BTreeMap<SplitKey, Part>,
    /// Test subgroups (for instance `seen0`, `seen1`, `unseen_single`) to raw names.
    pub subgroups: BTreeMap<String, Vec<String>>,
}

impl Split {
    /// An empty split.
    pub fn new(name: impl Into<String>, protocol: impl Into<String>, seed: u64) -> Self {
        Self { name: name.into(), protocol: protocol.into(), seed, parts: BTreeMap::new(), subgroups: BTreeMap::new() }
    }

    /// Puts a condition, in all contexts, into a part.
    ///
    /// # Errors
    /// If it already is in another.
    pub fn assign(&mut self, raw: impl Into<String>, part: Part) -> Result<()> {
        self.assign_key(SplitKey { context: None, raw: raw.into() }, part)
    }

    /// Puts a condition of one context into a part.
    ///
    /// # Errors
    /// If it already is in another.
    pub fn assign_in(&mut self, context: &ContextId, raw: impl Into<String>, part: Part) -> Result<()> {
        self.assign_key(SplitKey { context: Some(context.as_str().to_owned()), raw: raw.into() }, part)
    }

    fn assign_key(&mut self, key: SplitKey, part: Part) -> Result<()> {
        match self.parts.insert(key.clone(), part) {
            Some(old) if old != part => Err(Error::invalid_input(format!(
                "condition `{}` is in two parts of split `{}`: {old} and {part}",
                key.raw, self.name
            ))),
            _ => Ok(()),
        }
    }

    /// The part of a condition in a context; `None` if the split does not name it.
    pub fn part(&self, context: &ContextId, raw: &str) -> Option<Part> {
        let own = SplitKey { context: Some(context.as_str().to_owned()), raw: raw.to_owned() };
        let any = SplitKey { context: None, raw: raw.to_owned() };
        self.parts.get(&own).or_else(|| self.parts.get(&any)).copied()
    }

    /// Everything the split names, sorted.
    pub fn entries(&self) -> impl Iterator<Item = (&SplitKey, Part)> {
        self.parts.iter().map(|(key, part)| (key, *part))
    }

    /// Raw names in a part, sorted, each once.
    pub fn names(&self, part: Part) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.entries().filter(|(_, it)| *it == part).map(|(key, _)| key.raw.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The test subgroup of a raw name, where the protocol has subgroups.
    pub fn subgroup(&self, raw: &str) -> Option<&str> {
        self.subgroups.iter().find(|(_, names)| names.iter().any(|it| it == raw)).map(|(name, _)| name.as_str())
    }
}
