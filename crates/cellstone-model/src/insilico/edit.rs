//! Deleting and over-expressing genes in a row of tokens.

use crate::TokenKinds;
use crate::embed::kept;
use cellstone_core::{Error, Result, TokenRow, nearest};

/// What is done to genes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EditKind {
    /// Their tokens are removed: in a row by rank, every gene behind moves up.
    Delete,
    /// In a row by rank they move to the front, in the order given, and are inserted where they were absent; beside bins
    /// they get the highest.
    Overexpress,
}

impl EditKind {
    /// As a table has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Overexpress => "overexpress",
        }
    }
}

/// An edit of one or more genes at a time.
///
/// Idea: `jkobject/geneformer` : `geneformer/in_silico_perturber.py`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    kind: EditKind,
    keys: Vec<u32>,
    names: Vec<String>,
}

impl Edit {
    /// An edit of genes by their names in the vocabulary.
    ///
    /// # Errors
    /// If a name is not in the vocabulary (with the nearest), none is given, or one is given twice.
    pub fn new(kind: EditKind, names: &[String], kinds: &TokenKinds) -> Result<Self> {
        let mut keys = Vec::new();
        for name in names {
            let Some(key) = kinds.key(name) else {
                let error = Error::config(format!("gene `{name}` is not in the vocabulary of the model"));
                return Err(match nearest(name, kinds.genes().map(|it| it.1)) {
                    Some(it) => error.with_hint(format!("did you mean `{it}`?")),
                    None => error,
                });
            };
            if keys.contains(&key) {
                return Err(Error::config(format!("gene `{name}` is given twice, expected once")));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(Error::config("no gene to edit, expected at least one"));
        }
        if kinds.has_two_streams() && kind == EditKind::Overexpress {
            return Err(Error::config(
                "over-expression in a PolyGene v2 is not defined, expected a model of ranks or bins",
            ));
        }
        Ok(Self { kind, keys, names: names.to_vec() })
    }

    /// What is done.
    pub fn kind(&self) -> EditKind {
        self.kind
    }

    /// The genes, as given.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn touches(&self, key: u32) -> bool {
        self.keys.contains(&key)
    }

    /// How many of the genes a row has.
    pub fn n_present(&self, row: &TokenRow, kinds: &TokenKinds) -> usize {
        (0..row.input_ids.len()).filter(|it| kinds.gene(row, *it).is_some_and(|it| self.touches(it))).count()
    }

    /// The row after the edit. `max_len` cuts the last genes of a row that became too long; the token that ends a row
    /// stays its last.
    ///
    /// Rows should be whole: from a row that was cut, a deletion does not let the next gene in.
    #[must_use]
    pub fn apply(&self, row: &TokenRow, kinds: &TokenKinds, max_len: usize) -> TokenRow {
        let without = |row: &TokenRow| kept(row.clone(), |at| !kinds.gene(row, at).is_some_and(|it| self.touches(it)));
        let edited = match (self.kind, kinds.top_bin()) {
            (EditKind::Delete, _) => without(row),
            (EditKind::Overexpress, Some(top)) => self.raised(row, kinds, top),
            (EditKind::Overexpress, None) => self.first(without(row), kinds),
        };
        cut(edited, kinds, max_len)
    }

    /// In front of all other genes, behind the token of the cell.
    fn first(&self, mut row: TokenRow, kinds: &TokenKinds) -> TokenRow {
        let at = usize::from(kinds.specials().0.is_some_and(|it| row.input_ids.first() == Some(&it)));
        row.input_ids.splice(at..at, self.keys.iter().copied());
        // Values beside ranks are not read by the network; the places must match all the same.
        if let Some(values) = &mut row.values {
            let top = values.get(at).copied().unwrap_or(0.0);
            values.splice(at..at, std::iter::repeat_n(top, self.keys.len()));
        }
        row
    }

    /// In the highest bin; genes that were absent are inserted by id.
    fn raised(&self, row: &TokenRow, kinds: &TokenKinds, top: f32) -> TokenRow {
        let mut row = row.clone();
        let Some(values) = &mut row.values else { return row };
        for key in &self.keys {
            if let Some(at) = row.input_ids.iter().position(|it| it == key) {
                values[at] = top;
                continue;
            }
            let first = usize::from(kinds.specials().0.is_some_and(|it| row.input_ids.first() == Some(&it)));
            let behind = row.input_ids[first..].iter().position(|it| it > key);
            let at = behind.map_or(row.input_ids.len(), |it| first + it);
            row.input_ids.insert(at, *key);
            values.insert(at, top);
        }
        row
    }
}

/// A row of at most `max_len` tokens: the last genes go, the token that ends the row stays.
pub(super) fn cut(row: TokenRow, kinds: &TokenKinds, max_len: usize) -> TokenRow {
    let n = row.input_ids.len();
    if n <= max_len {
        return row;
    }
    let ends = kinds.specials().1.is_some_and(|it| row.input_ids.last() == Some(&it));
    let n_front = max_len - usize::from(ends);
    kept(row, |at| at < n_front || (ends && at == n - 1))
}
