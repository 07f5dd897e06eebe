//! Rows of a token table, a row group at a time.

use super::config::{CellFilter, PretrainConfig};
use super::corpus::{Part, decide};
use super::rows::Cell;
use crate::data::in_file;
use cellstone_core::{Column, Error, ObsTable, Result, Seed, TokenRow, cell_seed};
use cellstone_io::TokenFile;
use cellstone_rank::PolygeneVocab;
use std::ops::Range;
use std::path::Path;

/// An open token table of a PolyGene v2.
pub(crate) struct TokenRows {
    file: TokenFile,
    /// What each row is for.
    pub(crate) parts: Vec<Option<Part>>,
    /// Rows that are read together.
    pub(crate) groups: Vec<Range<usize>>,
    ids: Vec<String>,
    datasets: Option<Column>,
    truncated: Option<Column>,
    n_ids: [u32; 2],
    seed: Seed,
    name: String,
}

impl TokenRows {
    /// Opens a table and reads what it says of every row.
    ///
    /// # Errors
    /// As the reader says; if a column that a rule names is not carried along.
    pub(crate) fn open(config: &PretrainConfig, path: &Path, vocab: &PolygeneVocab, seed: Seed) -> Result<Self> {
        let file = TokenFile::open(path)?;
        let shown = path.display().to_string();
        let named = |error: Error| in_file(error, &shown);
        if !file.columns().iter().any(|it| it == "type_ids") {
            return Err(named(Error::invalid_input(
                "one stream of tokens, expected the two of polygene_v2 (column `type_ids`)",
            ))
            .with_hint("cargo xtask tokenize INPUT --encoder polygene_v2 …"));
        }
        let has = |name: &str| file.columns().iter().any(|it| it == name);
        let optional = |name: &str| has(name).then(|| file.column(name)).transpose();
        let ids = match optional("cell_id")? {
            Some(it) => (0..it.len()).map(|row| it.text(row).unwrap_or_default()).collect(),
            None => (0..file.n_rows()).map(|it| it.to_string()).collect(),
        };
        let mut obs = ObsTable::new(ids);
        let rules = [&config.data.held_out, &config.data.validation];
        let ruled = rules.into_iter().flatten().map(|CellFilter { column, .. }| column);
        for name in config.data.keep.keys().chain(ruled) {
            let stored = if has(&format!("obs.{name}")) { format!("obs.{name}") } else { name.clone() };
            let column = file
                .column(&stored)
                .map_err(|it| it.with_hint(format!("carry it along: cargo xtask tokenize … --obs {name}")))?;
            obs.insert(name, column)?;
        }
        Ok(Self {
            parts: decide(&obs, &config.data).map_err(named)?,
            groups: file.groups().collect(),
            datasets: optional("dataset_id")?,
            truncated: optional("n_truncated")?,
            n_ids: [vocab.n_values(), vocab.n_types()],
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            ids: obs.index().to_vec(),
            file,
            seed,
        })
    }

    /// The name of a row.
    pub(crate) fn id(&self, row: usize) -> &str {
        &self.ids[row]
    }

    /// The seed of a row's cell.
    pub(crate) fn cell_seed(&self, row: usize) -> Seed {
        let dataset = self.datasets.as_ref().and_then(|it| it.text(row));
        cell_seed(self.seed, dataset.as_deref().unwrap_or(&self.name), &self.ids[row])
    }

    /// The wanted rows of a group.
    pub(crate) fn read(&self, rows: &Range<usize>, wanted: &dyn Fn(Part) -> bool) -> Result<Vec<(Part, Cell)>> {
        let batch = self.file.rows(rows.clone())?;
        let mut cells = Vec::with_capacity(rows.len());
        for row in 0..batch.n_rows() {
            let at = batch.start + row;
            let Some(part) = self.parts[at].filter(|it| wanted(*it)) else { continue };
            let (ids, types) = (batch.tokens(row), batch.types(row).unwrap_or_default());
            self.check(at, ids, types)?;
            let n_truncated = match &self.truncated {
                Some(Column::Int(it)) => it[at].unwrap_or(0) as u32,
                // Nothing is known of genes behind the last one.
                _ => 1,
            };
            let tokens = TokenRow {
                input_ids: ids.to_vec(),
                type_ids: Some(types.to_vec()),
                n_truncated,
                ..TokenRow::default()
            };
            cells.push((part, Cell { seed: self.cell_seed(at), tokens, cut: None }));
        }
        Ok(cells)
    }

    /// Ids of another vocabulary.
    fn check(&self, row: usize, ids: &[u32], types: &[u32]) -> Result<()> {
        let [values, kinds] = self.n_ids;
        let wrong = ids.iter().find(|it| **it >= values).map(|it| (it, "value", values));
        let wrong = wrong.or_else(|| types.iter().find(|it| **it >= kinds).map(|it| (it, "type", kinds)));
        let Some((id, what, n)) = wrong else { return Ok(()) };
        Err(Error::invalid_input(format!(
            "`{}`: row {row} holds the {what} id {id}, expected below {n}: the table was made with another vocabulary",
            self.file.path().display()
        )))
    }
}
