//! The genes of a matrix: unique ids, symbols, and how a target name finds its columns.

use crate::{Error, Result};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The columns of a matrix, in file order. Cloning is cheap.
#[derive(Clone, PartialEq)]
pub struct Var(Arc<Inner>);

#[derive(PartialEq)]
struct Inner {
    ids: Vec<String>,
    symbols: Option<Vec<String>>,
    /// Id or symbol to the columns that carry it, in file order.
    columns: BTreeMap<String, Vec<u32>>,
}

impl Var {
    /// Genes from unique ids and, where the file has them, symbols (which may repeat).
    ///
    /// # Errors
    /// Names a repeated id, or the two lengths if they differ.
    pub fn new(ids: Vec<String>, symbols: Option<Vec<String>>) -> Result<Self> {
        if let Some(symbols) = &symbols
            && symbols.len() != ids.len()
        {
            return Err(Error::invalid_input(format!("{} gene ids but {} symbols", ids.len(), symbols.len())));
        }
        let mut columns = BTreeMap::<String, Vec<u32>>::new();
        for (col, id) in ids.iter().enumerate() {
            if let Some(first) = columns.insert(id.clone(), vec![col as u32]) {
                return Err(Error::invalid_input(format!(
                    "gene id `{id}` stands at var rows {} and {col}, expected once",
                    first[0]
                ))
                .with_hint("in Python: adata.var_names_make_unique()"));
            }
        }
        for (col, symbol) in symbols.iter().flatten().enumerate() {
            if ids[col] != *symbol {
                // An id wins over a symbol of another gene that happens to be spelled the same.
                let slot = columns.entry(symbol.clone()).or_default();
                if !slot.contains(&(col as u32)) && slot.first().is_none_or(|it| ids[*it as usize] != *symbol) {
                    slot.push(col as u32);
                }
            }
        }
        Ok(Self(Arc::new(Inner { ids, symbols, columns })))
    }

    /// Genes known by one name each.
    ///
    /// # Errors
    /// Names a repeated id.
    pub fn from_ids<S: Into<String>>(ids: impl IntoIterator<Item = S>) -> Result<Self> {
        Self::new(ids.into_iter().map(Into::into).collect(), None)
    }

    /// Number of genes.
    pub fn len(&self) -> usize {
        self.0.ids.len()
    }

    /// Whether there is no gene.
    pub fn is_empty(&self) -> bool {
        self.0.ids.is_empty()
    }

    /// Unique ids in file order.
    pub fn ids(&self) -> &[String] {
        &self.0.ids
    }

    /// Symbols in file order, where the file has them.
    pub fn symbols(&self) -> Option<&[String]> {
        self.0.symbols.as_deref()
    }

    /// What a person calls the gene: its symbol, else its id.
    pub fn label(&self, col: usize) -> &str {
        self.0.symbols.as_ref().map_or(&self.0.ids[col], |it| &it[col])
    }

    /// Every column that carries `name` as id or symbol; empty where none does.
    pub fn columns_of(&self, name: &str) -> &[u32] {
        self.0.columns.get(name).map_or(&[], Vec::as_slice)
    }

    /// The chosen genes, in the given order.
    ///
    /// # Errors
    /// If a column is chosen twice.
    pub fn select(&self, cols: &[usize]) -> Result<Self> {
        let ids = cols.iter().map(|it| self.0.ids[*it].clone()).collect();
        let symbols = self.0.symbols.as_ref().map(|all| cols.iter().map(|it| all[*it].clone()).collect());
        Self::new(ids, symbols)
    }
}

impl std::fmt::Debug for Var {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Var({} genes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_columns() {
        let ids = vec!["E1".into(), "E2".into(), "E3".into()];
        let var = Var::new(ids, Some(vec!["A".into(), "B".into(), "A".into()])).expect("unique");
        assert_eq!(var.columns_of("A"), [0, 2]);
        assert_eq!(var.columns_of("E2"), [1]);
        assert!(var.columns_of("C").is_empty());
        assert_eq!(var.label(1), "B");
    }

    #[test]
    fn repeated_ids_are_named() {
        let error = Var::from_ids(["x", "y", "x"]).expect_err("repeated");
        assert_eq!(error.to_string(), "gene id `x` stands at var rows 0 and 2, expected once");
    }
}
