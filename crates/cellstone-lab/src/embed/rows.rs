//! Tokens of cells: encoded as they are read, or from a table that was made before.

use cellstone_core::{
    BoundTokenizer, CellInput, Column, CountSource, Encoded, Error, ErrorKind, ObsTable, Result, Seed, TokenRow,
    Tokenizer, cell_seed,
};
use cellstone_io::TokenFile;
use cellstone_rank::CoverageRule;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where tokens come from.
pub enum TokenSource<'a> {
    /// Encoded on the way.
    Encode {
        /// The encoder of the model.
        tokenizer: Arc<dyn Tokenizer>,
        /// How much of the file must be found in the vocabulary.
        rule: CoverageRule,
        /// Keys random draws, together with the names of the cells.
        dataset_id: String,
        /// Of random draws.
        seed: Seed,
    },
    /// From a table.
    Table {
        /// The table.
        file: &'a TokenFile,
        /// Registry id of the encoder that the model reads; a table of another one is refused.
        encoder: String,
    },
}

/// The tokens of some cells of a file.
pub struct CellTokens<'a> {
    cells: &'a dyn CountSource,
    source: TokenSource<'a>,
    /// Cells that take part.
    chosen: Vec<bool>,
    cancel: &'a AtomicBool,
}

/// A cell of the file and its tokens, or why it has none.
pub(super) type CellRow = (usize, std::result::Result<TokenRow, String>);

impl<'a> CellTokens<'a> {
    /// The tokens of the cells that `chosen` marks; those that `filter_pass` of obs marks with 0 are left out.
    ///
    /// # Errors
    /// If a table was made with another encoder, or `filter_pass` holds something else than 0 and 1.
    pub fn new(
        cells: &'a dyn CountSource,
        source: TokenSource<'a>,
        mut chosen: Vec<bool>,
        cancel: &'a AtomicBool,
    ) -> Result<Self> {
        if let TokenSource::Table { file, encoder } = &source {
            check_encoder(file, encoder)?;
        }
        if let Some(column) = cells.obs().get("filter_pass") {
            for (row, chosen) in chosen.iter_mut().enumerate() {
                *chosen &= passes(column, row)?;
            }
        }
        if !chosen.contains(&true) {
            return Err(Error::invalid_input(format!(
                "`{}`: none of {} cells is chosen, expected at least one",
                cells.name(),
                cells.n_obs()
            )));
        }
        Ok(Self { cells, source, chosen, cancel })
    }

    /// The cells.
    pub fn cells(&self) -> &dyn CountSource {
        self.cells
    }

    /// Number of cells that take part.
    pub fn n_chosen(&self) -> usize {
        self.chosen.iter().filter(|it| **it).count()
    }

    /// Hands every chosen cell to `take`, in the order of the file, or of the table. Returns warnings.
    pub(super) fn each(&self, take: &mut dyn FnMut(CellRow) -> Result<()>) -> Result<Vec<String>> {
        match &self.source {
            TokenSource::Encode { tokenizer, rule, dataset_id, seed } => {
                let bound = tokenizer.bind(self.cells.var(), self.cells.scale())?;
                rule.check(bound.coverage(), 1.0, 1.0)?;
                let (mut mapped, mut total) = (0.0, 0.0);
                self.encoded(bound.as_ref(), dataset_id, *seed, &mut |row, n_counts| {
                    total += n_counts;
                    mapped += row.1.as_ref().map_or(0.0, |it| it.mapped);
                    take(row)
                })?;
                rule.check(bound.coverage(), mapped, total)
            }
            TokenSource::Table { file, .. } => self.listed(file, take).map(|()| Vec::new()),
        }
    }

    fn encoded(
        &self,
        bound: &dyn BoundTokenizer,
        dataset_id: &str,
        seed: Seed,
        take: &mut dyn FnMut(CellRow, f64) -> Result<()>,
    ) -> Result<()> {
        let ids = self.cells.obs().index();
        for block in self.cells.blocks(0)? {
            let block = block?;
            for row in 0..block.x.shape().0 {
                let at = block.start + row;
                if !self.chosen[at] {
                    continue;
                }
                self.check_cancel()?;
                let (columns, values) = block.x.row(row);
                let n_counts = values.iter().map(|it| f64::from(*it)).sum();
                let seed = cell_seed(seed, dataset_id, &ids[at]);
                let found = match bound.encode(&CellInput { columns, values, n_counts, phenotypes: &[], seed }) {
                    Encoded::Row(it) => Ok(it),
                    Encoded::Rejected { reason, detail } => Err(format!("{reason} ({detail})")),
                };
                take((at, found), n_counts)?;
            }
        }
        Ok(())
    }

    fn listed(&self, file: &TokenFile, take: &mut dyn FnMut(CellRow) -> Result<()>) -> Result<()> {
        let named = |what: String| Error::invalid_input(format!("`{}`: {what}", file.path().display()));
        let at: BTreeMap<&str, usize> = self.cells.obs().index().iter().map(String::as_str).zip(0..).collect();
        let mut left = self.chosen.clone();
        for batch in file.batches(0) {
            let batch = batch?;
            let Some(names) = &batch.cell_ids else {
                return Err(named("no column `cell_id`, expected the names of the cells".to_owned()));
            };
            for (row, name) in names.iter().enumerate() {
                let Some(cell) = at.get(name.as_str()).copied() else {
                    return Err(named(format!("cell `{name}` is not in `{}`", self.cells.name()))
                        .with_hint("the table was made from another file of cells"));
                };
                if !self.chosen[cell] {
                    continue;
                }
                if !std::mem::take(&mut left[cell]) {
                    return Err(named(format!("cell `{name}` stands in more than one row")));
                }
                self.check_cancel()?;
                let tokens = TokenRow {
                    input_ids: batch.tokens(row).to_vec(),
                    type_ids: batch.types(row).map(<[u32]>::to_vec),
                    values: batch.values(row).map(<[f32]>::to_vec),
                    ..TokenRow::default()
                };
                take((cell, Ok(tokens)))?;
            }
        }
        for cell in (0..left.len()).filter(|it| left[*it]) {
            take((cell, Err("not in the token table".to_owned())))?;
        }
        Ok(())
    }

    fn check_cancel(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "stopped on request"));
        }
        Ok(())
    }
}

/// Refuses a table whose note names another encoder.
fn check_encoder(file: &TokenFile, encoder: &str) -> Result<()> {
    let note = file.tokenizer().and_then(|it| serde_json::from_str::<serde_json::Value>(it).ok());
    let Some(made_by) = note.as_ref().and_then(|it| it.pointer("/config/encoder/id")).and_then(|it| it.as_str()) else {
        return Ok(());
    };
    if made_by == encoder {
        return Ok(());
    }
    Err(Error::invalid_input(format!(
        "`{}` holds tokens of `{made_by}`, expected those of `{encoder}`, which the checkpoint reads",
        file.path().display()
    ))
    .with_hint("leave out --tokens, and they are made on the way"))
}

fn passes(column: &Column, row: usize) -> Result<bool> {
    match column.text(row).as_deref() {
        Some("1" | "1.0" | "true" | "True") => Ok(true),
        Some("0" | "0.0" | "false" | "False") => Ok(false),
        other => Err(Error::invalid_input(format!(
            "column `filter_pass` of obs holds {} in row {row}, expected 0 or 1",
            other.map_or("nothing".to_owned(), |it| format!("`{it}`"))
        ))),
    }
}

/// Marks the cells whose columns have the given values: all of them must.
///
/// # Errors
/// If there is no such column, or no cell with such a value.
pub fn chosen_cells(obs: &ObsTable, filters: &[(String, String)]) -> Result<Vec<bool>> {
    let mut out = vec![true; obs.n_rows()];
    for (name, value) in filters {
        let column = obs.column(name)?;
        let texts: Vec<Option<String>> = (0..out.len()).map(|it| column.text(it)).collect();
        if !texts.iter().flatten().any(|it| it == value) {
            let mut found: Vec<String> = texts.into_iter().flatten().collect();
            found.sort();
            found.dedup();
            found.truncate(10);
            return Err(Error::invalid_input(format!(
                "no cell has `{value}` in column `{name}` of obs (it has: {})",
                cellstone_core::quoted(&found)
            )));
        }
        for (out, text) in out.iter_mut().zip(texts) {
            *out &= text.as_deref() == Some(value);
        }
    }
    Ok(out)
}
