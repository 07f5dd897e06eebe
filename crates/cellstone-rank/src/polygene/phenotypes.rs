//! Phenotype categories: what a cell may be called, and how a name finds its token.

use super::text::{StringRule, phenotype_token};
use cellstone_core::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One value of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhenotypeValue {
    /// Its name.
    pub label: String,
    /// Its id in an ontology, such as `CL:0000084`, where it has one.
    pub term: Option<String>,
}

/// A category of phenotypes, such as `cell_type`, and its values in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhenotypeCategory {
    /// Name of the column.
    pub name: String,
    /// Its values.
    pub values: Vec<PhenotypeValue>,
}

impl PhenotypeCategory {
    /// A category whose values have names alone.
    pub fn from_labels<S: Into<String>>(name: impl Into<String>, labels: impl IntoIterator<Item = S>) -> Self {
        let values = labels.into_iter().map(|it| PhenotypeValue { label: it.into(), term: None }).collect();
        Self { name: name.into(), values }
    }
}

/// Finds the value ids of a category.
#[derive(Debug, Clone, Default)]
pub(super) struct CategoryIndex {
    /// Tokens by the string rule, and terms in capitals, to value ids.
    tokens: BTreeMap<String, u32>,
    terms: BTreeMap<String, u32>,
    /// Value ids, ascending.
    ids: Vec<u32>,
}

impl CategoryIndex {
    /// Enters a value; returns its token.
    pub(super) fn add(&mut self, category: &str, value: &PhenotypeValue, id: u32, rule: StringRule) -> Result<String> {
        let token = phenotype_token(&value.label, rule);
        if token.is_empty() {
            return Err(Error::invalid_input(format!(
                "phenotype `{}` of category `{category}` has no letter or digit that a token can be made of",
                value.label
            )));
        }
        let taken = |what: &str| {
            Error::invalid_input(format!("category `{category}` holds `{}` twice, as {what}", value.label))
                .with_hint("names that differ in case, spaces or punctuation alone are one phenotype")
        };
        if self.tokens.insert(token.clone(), id).is_some() {
            return Err(taken(&format!("token `{token}`")));
        }
        if let Some(term) = &value.term
            && self.terms.insert(term.trim().to_uppercase(), id).is_some()
        {
            return Err(taken(&format!("term `{term}`")));
        }
        self.ids.push(id);
        Ok(token)
    }

    /// The value id of a term or a name.
    pub(super) fn find(&self, text: &str, rule: StringRule) -> Option<u32> {
        let term = self.terms.get(&text.trim().to_uppercase());
        term.or_else(|| self.tokens.get(&phenotype_token(text, rule))).copied()
    }

    pub(super) fn ids(&self) -> &[u32] {
        &self.ids
    }
}
