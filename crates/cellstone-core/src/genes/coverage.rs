//! How many names were found, how, and the first of those that were not.

use super::table::IdTarget;
use serde::Serialize;
use std::fmt;

/// How many names of a kind are shown.
pub(super) const EXAMPLES: usize = 5;

/// How well a table covers the names of a matrix. Every name is counted in one of the six kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Coverage {
    /// Number of names.
    pub n: usize,
    /// What they were mapped to.
    pub target: IdTarget,
    /// Names that are ids of the table.
    pub ensembl: usize,
    /// Names that are ids of the table but for their version.
    pub versioned: usize,
    /// Names that are symbols of the table.
    pub symbol: usize,
    /// Names that are aliases or previous symbols.
    pub alias: usize,
    /// Names that may be one of several; not mapped.
    pub ambiguous: usize,
    /// Names that lead to no gene; not mapped.
    pub unknown: usize,
    /// Names mapped to symbols whose gene has none: its id stands in for it.
    pub unnamed: usize,
    /// Ids that more than one name leads to.
    pub shared: usize,
    /// Names that lead to such ids.
    pub sharing: usize,
    /// The first aliases, with what they lead to.
    pub first_aliases: Vec<(String, String)>,
    /// The first ambiguous names, with what they may be.
    pub first_ambiguous: Vec<(String, Vec<String>)>,
    /// The first unknown names.
    pub first_unknown: Vec<String>,
    /// The first shared ids.
    pub first_shared: Vec<Shared>,
    /// What may be the matter with the names that were not found.
    pub hints: Vec<String>,
}

/// An id that several names lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shared {
    /// The id or symbol.
    pub id: String,
    /// Number of names.
    pub n: usize,
    /// The first of the names.
    pub names: Vec<String>,
}

impl Coverage {
    pub(super) fn new(n: usize, target: IdTarget) -> Self {
        Self {
            n,
            target,
            ensembl: 0,
            versioned: 0,
            symbol: 0,
            alias: 0,
            ambiguous: 0,
            unknown: 0,
            unnamed: 0,
            shared: 0,
            sharing: 0,
            first_aliases: Vec::new(),
            first_ambiguous: Vec::new(),
            first_unknown: Vec::new(),
            first_shared: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Names that were mapped.
    pub fn n_mapped(&self) -> usize {
        self.ensembl + self.versioned + self.symbol + self.alias
    }

    /// Share of the names that were mapped, from 0 to 1; `None` where there is no name.
    pub fn share(&self) -> Option<f64> {
        (self.n > 0).then(|| self.n_mapped() as f64 / self.n as f64)
    }

    /// Whether every name leads to a gene of its own.
    pub fn is_clean(&self) -> bool {
        self.n_mapped() == self.n && self.shared == 0
    }

    /// What is wrong, in one line; empty where nothing is.
    pub(super) fn faults(&self) -> String {
        let mut kinds = Vec::new();
        if self.unknown > 0 {
            kinds.push(format!("{} unknown ({})", self.unknown, self.unknown_names()));
        }
        if self.ambiguous > 0 {
            kinds.push(format!("{} ambiguous ({})", self.ambiguous, self.ambiguous_names()));
        }
        let mut parts = Vec::new();
        if !kinds.is_empty() {
            let left = self.n - self.n_mapped();
            parts.push(format!("{left} of {} genes have no {}: {}", self.n, self.target, kinds.join(", ")));
        }
        if self.shared > 0 {
            parts.push(self.shared_text());
        }
        parts.join("; ")
    }

    fn unknown_names(&self) -> String {
        let names = self.first_unknown.iter().map(|it| format!("`{it}`"));
        listed(names.collect(), self.unknown, ", ")
    }

    fn ambiguous_names(&self) -> String {
        let one = |(name, of): &(String, Vec<String>)| {
            let some = of.iter().take(EXAMPLES).map(|it| format!("`{it}`")).collect();
            format!("`{name}`: {}", listed(some, of.len(), " or "))
        };
        listed(self.first_ambiguous.iter().map(one).collect(), self.ambiguous, "; ")
    }

    fn shared_text(&self) -> String {
        let one = |it: &Shared| {
            let names = it.names.iter().map(|it| format!("`{it}`")).collect();
            format!("`{}` ({})", it.id, listed(names, it.n, ", "))
        };
        let shown = listed(self.first_shared.iter().map(one).collect(), self.shared, ", ");
        let (plural, stand) = if self.shared == 1 { ("", "stands") } else { ("s", "stand") };
        format!("{} {}{plural} {stand} for {} genes: {shown}", self.shared, self.target, self.sharing)
    }
}

/// Examples with dots behind them where there are more.
fn listed(mut shown: Vec<String>, n: usize, between: &str) -> String {
    if n > shown.len() {
        shown.push("…".to_owned());
    }
    shown.join(between)
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = if self.target == IdTarget::Ensembl { "an" } else { "a" };
        write!(f, "{} of {} genes have {a} {}", self.n_mapped(), self.n, self.target)?;
        if let Some(share) = self.share() {
            write!(f, " ({:.1} %)", share * 100.0)?;
        }
        let aliases = self.first_aliases.iter().map(|(name, id)| format!("`{name}` is `{id}`")).collect();
        for (n, what, names) in [
            (self.ensembl, "by Ensembl id", String::new()),
            (self.versioned, "by Ensembl id with a version", String::new()),
            (self.symbol, "by symbol", String::new()),
            (self.alias, "by alias or previous symbol", listed(aliases, self.alias, ", ")),
            (self.ambiguous, "ambiguous", self.ambiguous_names()),
            (self.unknown, "unknown", self.unknown_names()),
            (self.unnamed, "without a symbol, named by their id", String::new()),
        ] {
            if n > 0 {
                write!(f, "\n{n:>8} {what}")?;
                if !names.is_empty() {
                    write!(f, ": {names}")?;
                }
            }
        }
        if self.shared > 0 {
            write!(f, "\n{}", self.shared_text())?;
        }
        for it in &self.hints {
            write!(f, "\nhint: {it}")?;
        }
        Ok(())
    }
}
