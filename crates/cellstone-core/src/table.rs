//! Annotation of cells or genes: named columns of equal length, missing values explicit.

use crate::{Error, Result, nearest};
use std::collections::BTreeMap;

/// One annotation column.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Codes into categories; `None` is missing.
    Categorical {
        /// Index into `categories` for each row.
        codes: Vec<Option<u32>>,
        /// The categories, in the order of the file.
        categories: Vec<String>,
        /// Whether the order of the categories means something.
        ordered: bool,
    },
    /// Text.
    Str(Vec<Option<String>>),
    /// Whole numbers.
    Int(Vec<Option<i64>>),
    /// Real numbers; NaN is kept as such.
    Float(Vec<f64>),
    /// Truth values.
    Bool(Vec<Option<bool>>),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Categorical { codes, .. } => codes.len(),
            Self::Str(it) => it.len(),
            Self::Int(it) => it.len(),
            Self::Float(it) => it.len(),
            Self::Bool(it) => it.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A word for the kind of column, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Categorical { .. } => "categorical",
            Self::Str(_) => "text",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Bool(_) => "boolean",
        }
    }

    /// The value of a row as text; `None` where missing (NaN counts as missing).
    pub fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Categorical { codes, categories, .. } => codes[row].map(|it| categories[it as usize].clone()),
            Self::Str(it) => it[row].clone(),
            Self::Int(it) => it[row].map(|it| it.to_string()),
            Self::Float(it) => (!it[row].is_nan()).then(|| it[row].to_string()),
            Self::Bool(it) => it[row].map(|it| if it { "True" } else { "False" }.to_owned()),
        }
    }

    /// The column as codes into sorted-by-first-appearance text categories: `(code per row, categories)`.
    pub fn to_codes(&self) -> (Vec<Option<u32>>, Vec<String>) {
        if let Self::Categorical { codes, categories, .. } = self {
            return (codes.clone(), categories.clone());
        }
        let (mut seen, mut categories) = (BTreeMap::new(), Vec::new());
        let codes = (0..self.len())
            .map(|row| {
                self.text(row).map(|text| {
                    *seen.entry(text.clone()).or_insert_with(|| {
                        categories.push(text);
                        categories.len() as u32 - 1
                    })
                })
            })
            .collect();
        (codes, categories)
    }

    /// The given rows, in that order.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        fn pick<T: Clone>(all: &[T], rows: &[usize]) -> Vec<T> {
            rows.iter().map(|it| all[*it].clone()).collect()
        }
        match self {
            Self::Categorical { codes, categories, ordered } => {
                Self::Categorical { codes: pick(codes, rows), categories: categories.clone(), ordered: *ordered }
            }
            Self::Str(it) => Self::Str(pick(it, rows)),
            Self::Int(it) => Self::Int(pick(it, rows)),
            Self::Float(it) => Self::Float(pick(it, rows)),
            Self::Bool(it) => Self::Bool(pick(it, rows)),
        }
    }

    /// A categorical column from text, categories sorted by code point.
    pub fn categorical<S: AsRef<str>>(values: &[S]) -> Self {
        let mut categories: Vec<String> = values.iter().map(|it| it.as_ref().to_owned()).collect();
        categories.sort();
        categories.dedup();
        let code = |it: &S| categories.binary_search_by(|c| c.as_str().cmp(it.as_ref())).ok().map(|it| it as u32);
        let codes = values.iter().map(code).collect();
        Self::Categorical { codes, categories, ordered: false }
    }
}

/// The annotation of cells (`obs`) or genes (`var`): an index and named columns in file order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ObsTable {
    index: Vec<String>,
    names: Vec<String>,
    columns: Vec<Column>,
}

impl ObsTable {
    /// An annotation without columns.
    pub fn new(index: Vec<String>) -> Self {
        Self { index, names: Vec::new(), columns: Vec::new() }
    }

    /// Adds or replaces a column.
    ///
    /// # Errors
    /// If its length is not that of the index.
    pub fn insert(&mut self, name: impl Into<String>, column: Column) -> Result<()> {
        let name = name.into();
        if column.len() != self.index.len() {
            return Err(Error::invalid_input(format!(
                "column `{name}` has {} rows, expected {}",
                column.len(),
                self.index.len()
            )));
        }
        if let Some(at) = self.names.iter().position(|it| *it == name) {
            self.columns[at] = column;
        } else {
            self.names.push(name);
            self.columns.push(column);
        }
        Ok(())
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.index.len()
    }

    /// The row names.
    pub fn index(&self) -> &[String] {
        &self.index
    }

    /// The column names, in file order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A column, if there is one of that name.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.names.iter().position(|it| it == name).map(|at| &self.columns[at])
    }

    /// A column that must be there.
    ///
    /// # Errors
    /// Names the columns that are, with a hint at the nearest.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.get(name).ok_or_else(|| {
            let error = Error::invalid_input(format!("column `{name}` not found (columns: {})", quoted(&self.names)));
            match nearest(name, self.names.iter().map(String::as_str)) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error,
            }
        })
    }

    /// The given rows, in that order, with every column.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> Self {
        Self {
            index: rows.iter().map(|it| self.index[*it].clone()).collect(),
            names: self.names.clone(),
            columns: self.columns.iter().map(|it| it.select(rows)).collect(),
        }
    }

    /// The first repeated row name and the two rows it stands at.
    pub fn first_duplicate(&self) -> Option<(&str, usize, usize)> {
        let mut seen = BTreeMap::new();
        self.index
            .iter()
            .enumerate()
            .find_map(|(row, name)| seen.insert(name.as_str(), row).map(|first| (name.as_str(), first, row)))
    }
}

/// Names in back-ticks, at most a dozen of them.
pub fn quoted(names: &[String]) -> String {
    let mut text = names.iter().take(12).map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        text.push_str(&format!(" and {} more", names.len() - 12));
    }
    if names.is_empty() { "none".to_owned() } else { text }
}
