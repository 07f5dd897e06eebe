//! Named vectors: one row per gene, perturbation or cell.

use crate::{Error, Perturbation, Result};
use ndarray::{Array1, Array2, ArrayView1};
use std::collections::BTreeMap;

/// Vectors looked up by name, `[n_names, d]`.
#[derive(Debug, Clone)]
pub struct Embedding {
    name: String,
    ids: Vec<String>,
    values: Array2<f64>,
    at: BTreeMap<String, usize>,
}

impl Embedding {
    /// A checked embedding: one finite row per distinct id.
    ///
    /// # Errors
    /// Names the repeated id or the row that is not finite.
    pub fn new(name: impl Into<String>, ids: Vec<String>, values: Array2<f64>) -> Result<Self> {
        let name = name.into();
        if ids.len() != values.nrows() {
            return Err(Error::invalid_input(format!(
                "embedding `{name}` has {} ids but {} rows",
                ids.len(),
                values.nrows()
            )));
        }
        if let Some(row) = values.rows().into_iter().position(|it| it.iter().any(|v| !v.is_finite())) {
            return Err(Error::invalid_input(format!(
                "embedding `{name}` holds a non-finite value in the row of `{}`",
                ids[row]
            )));
        }
        let mut at = BTreeMap::new();
        for (row, id) in ids.iter().enumerate() {
            if at.insert(id.clone(), row).is_some() {
                return Err(Error::invalid_input(format!("embedding `{name}` has two rows for `{id}`")));
            }
        }
        Ok(Self { name, ids, values, at })
    }

    /// What it is called in a configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ids, in row order.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The vectors, `[n_names, d]`.
    pub fn values(&self) -> &Array2<f64> {
        &self.values
    }

    /// Length of a vector.
    pub fn width(&self) -> usize {
        self.values.ncols()
    }

    /// The vector of an id.
    pub fn get(&self, id: &str) -> Option<ArrayView1<'_, f64>> {
        self.at.get(id).map(|row| self.values.row(*row))
    }

    /// The sum of the vectors of the targets of a perturbation; `None` unless all are there.
    pub fn sum_of(&self, perturbation: &Perturbation) -> Option<Array1<f64>> {
        let mut sum = Array1::zeros(self.width());
        for target in perturbation.targets() {
            sum += &self.get(target)?;
        }
        Some(sum)
    }
}

/// Prior knowledge that methods may ask for by name.
#[derive(Debug, Clone, Default)]
pub struct Priors(BTreeMap<String, Embedding>);

impl Priors {
    /// No prior knowledge.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an embedding under its name.
    #[must_use]
    pub fn with(mut self, embedding: Embedding) -> Self {
        self.0.insert(embedding.name.clone(), embedding);
        self
    }

    /// The embedding of that name.
    ///
    /// # Errors
    /// Names those there are.
    pub fn embedding(&self, name: &str) -> Result<&Embedding> {
        self.0.get(name).ok_or_else(|| {
            let names: Vec<String> = self.0.keys().cloned().collect();
            Error::config(format!("embedding `{name}` not given (embeddings: {})", crate::quoted(&names)))
                .with_hint("add it under [[embedding]] with `name` and `path`")
        })
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
