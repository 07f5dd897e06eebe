//! The cells of a pretraining: which are learnt from, which decide when to stop, which are kept apart.

use super::config::{CellFilter, PretrainConfig, PretrainData};
use crate::data::in_file;
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, RowBlock, Scale, Var, quoted};
use cellstone_io::{OpenOptions, open_source};
use cellstone_rank::{PhenotypeCategory, PhenotypeValue};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a cell is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The network learns from it.
    Train,
    /// It decides when to stop.
    Validation,
    /// It is looked at once, at the end.
    HeldOut,
}

impl Part {
    /// The word in tables.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::HeldOut => "held_out",
        }
    }
}

/// A column as codes and their names.
type Coded = (Vec<Option<u32>>, Vec<String>);

/// An open file of cells and what its annotation says.
pub(crate) struct Corpus {
    pub(crate) source: Box<dyn CountSource>,
    /// What each cell is for; `None` for those outside `data.keep`.
    pub(crate) parts: Vec<Option<Part>>,
    /// Phenotypes in the order of the categories.
    phenotypes: Vec<Coded>,
}

impl Corpus {
    /// Opens the file and reads its annotation.
    ///
    /// # Errors
    /// As the reader says; if a column is missing, a value of a rule does not occur, or no cell is left to learn from.
    pub(crate) fn open(config: &PretrainConfig, path: &Path) -> Result<Self> {
        let options =
            OpenOptions { scale: Scale::Counts, matrix: Some(config.data.matrix.clone()), ..OpenOptions::default() };
        let source = open_source(path, &options)?;
        let file = path.display().to_string();
        let named = |error: Error| in_file(error, &file);
        if let Some((name, first, second)) = source.obs().first_duplicate() {
            let error =
                format!("cell id `{name}` stands at rows {first} and {second}, expected once (DuplicateCellId)");
            return Err(named(Error::invalid_input(error).with_hint("in Python: adata.obs_names_make_unique()")));
        }
        let parts = decide(source.obs(), &config.data).map_err(named)?;
        let column = |it: &String| source.obs().column(it).map(Column::to_codes);
        let phenotypes = config.data.phenotypes.iter().map(column).collect::<Result<_>>().map_err(named)?;
        Ok(Self { source, parts, phenotypes })
    }

    /// Cells of a part.
    pub(crate) fn count(&self, part: Part) -> usize {
        self.parts.iter().filter(|it| **it == Some(part)).count()
    }

    /// Phenotypes of a cell.
    pub(crate) fn phenotypes(&self, row: usize) -> Vec<Option<&str>> {
        self.phenotypes.iter().map(|(codes, names)| codes[row].map(|it| names[it as usize].as_str())).collect()
    }

    /// The values that training cells have, sorted, with ontology terms where a column `NAME_ontology_term_id` gives
    /// each value one.
    ///
    /// # Errors
    /// If no training cell has a value of a category.
    pub(crate) fn categories(&self, names: &[String]) -> Result<Vec<PhenotypeCategory>> {
        let train = || self.parts.iter().enumerate().filter(|it| *it.1 == Some(Part::Train)).map(|it| it.0);
        let one = |(name, (codes, values)): (&String, &Coded)| {
            let seen: BTreeSet<&str> =
                train().filter_map(|row| codes[row].map(|it| values[it as usize].as_str())).collect();
            if seen.is_empty() {
                return Err(Error::invalid_input(format!("no training cell has a value in column `{name}`")));
            }
            let terms = self.terms(name, codes, values);
            let value = |it: &str| PhenotypeValue { label: it.to_owned(), term: terms.get(it).cloned() };
            Ok(PhenotypeCategory { name: name.clone(), values: seen.into_iter().map(value).collect() })
        };
        names.iter().zip(&self.phenotypes).map(one).collect()
    }

    /// The term of each value; empty unless values and terms belong together one to one.
    fn terms(&self, name: &str, codes: &[Option<u32>], values: &[String]) -> BTreeMap<String, String> {
        let Some(column) = self.source.obs().get(&format!("{name}_ontology_term_id")) else { return BTreeMap::new() };
        let mut found: BTreeMap<String, String> = BTreeMap::new();
        for (row, code) in codes.iter().enumerate().filter(|it| self.parts[it.0].is_some()) {
            let (Some(code), Some(term)) = (code, column.text(row)) else { continue };
            let value = &values[*code as usize];
            if found.insert(value.clone(), term.clone()).is_some_and(|it| it != term) {
                return BTreeMap::new();
            }
        }
        let distinct: BTreeSet<&String> = found.values().collect();
        if distinct.len() == found.len() { found } else { BTreeMap::new() }
    }

    /// The training cells alone: what everything that is estimated is estimated from.
    pub(crate) fn training(&self) -> TrainingCells<'_> {
        let rows: Vec<usize> = (0..self.parts.len()).filter(|it| self.parts[*it] == Some(Part::Train)).collect();
        TrainingCells {
            obs: ObsTable::new(rows.iter().map(|it| self.source.obs().index()[*it].clone()).collect()),
            corpus: self,
        }
    }
}

/// What every cell is for.
pub(crate) fn decide(obs: &ObsTable, data: &PretrainData) -> Result<Vec<Option<Part>>> {
    let mut parts = vec![Some(Part::Train); obs.n_rows()];
    for (column, values) in &data.keep {
        let kept = rows_with("data.keep", obs, column, values)?;
        parts.iter_mut().zip(kept).filter(|it| !it.1).for_each(|it| *it.0 = None);
    }
    let rules =
        [("data.validation", &data.validation, Part::Validation), ("data.held_out", &data.held_out, Part::HeldOut)];
    for (key, rule, part) in rules {
        let Some(CellFilter { column, values }) = rule else { continue };
        let chosen = rows_with(key, obs, column, values)?;
        let set = parts.iter_mut().zip(chosen).filter(|it| it.1 && it.0.is_some());
        let n = set.map(|it| *it.0 = Some(part)).count();
        if n == 0 {
            return Err(Error::invalid_input(format!(
                "{key} names {}, but data.keep leaves none of these cells",
                quoted(values)
            )));
        }
    }
    if !parts.contains(&Some(Part::Train)) {
        return Err(Error::invalid_input("no cell is left to learn from")
            .with_hint("look at data.keep, data.held_out and data.validation"));
    }
    Ok(parts)
}

/// Which rows have one of the values; every value must occur.
fn rows_with(key: &str, obs: &ObsTable, column: &str, values: &[String]) -> Result<Vec<bool>> {
    let (codes, names) = obs.column(column).map_err(|it| it.context(key))?.to_codes();
    for value in values {
        if !names.contains(value) {
            let error = Error::invalid_input(format!(
                "{key} names `{value}`, which is no value of column `{column}` (values: {})",
                quoted(&names)
            ));
            return Err(match cellstone_core::nearest(value, names.iter().map(String::as_str)) {
                Some(it) => error.with_hint(format!("did you mean `{it}`?")),
                None => error,
            });
        }
    }
    Ok(codes.iter().map(|it| it.is_some_and(|it| values.contains(&names[it as usize]))).collect())
}

/// A stream of the training cells.
pub(crate) struct TrainingCells<'a> {
    corpus: &'a Corpus,
    obs: ObsTable,
}

impl CountSource for TrainingCells<'_> {
    fn name(&self) -> &str {
        self.corpus.source.name()
    }

    fn n_obs(&self) -> usize {
        self.obs.n_rows()
    }

    fn var(&self) -> &Var {
        self.corpus.source.var()
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        self.corpus.source.scale()
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let parts = &self.corpus.parts;
        let mut next = 0;
        let chosen = self.corpus.source.blocks(0)?.map(move |block| {
            let block = block?;
            let rows: Vec<usize> =
                (0..block.x.shape().0).filter(|it| parts[block.start + it] == Some(Part::Train)).collect();
            let start = next;
            next += rows.len();
            Ok(RowBlock { start, x: block.x.select_rows(&rows) })
        });
        // A start inside the stream: what comes before is read and left out.
        let cut = chosen.filter_map(move |it: Result<RowBlock>| match it {
            Ok(it) if it.start + it.x.shape().0 <= start_row => None,
            Ok(it) if it.start < start_row => {
                let rows: Vec<usize> = (start_row - it.start..it.x.shape().0).collect();
                Some(Ok(RowBlock { start: start_row, x: it.x.select_rows(&rows) }))
            }
            other => Some(other),
        });
        Ok(Box::new(cut))
    }
}
