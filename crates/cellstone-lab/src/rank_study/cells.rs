//! What is known about every cell before its counts are read: type, donor, batch, and what is true about it.

use super::config::{Stratum, StudyConfig};
use super::gates::gate_cells;
use crate::data::in_file;
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, Scale, quoted};
use cellstone_io::{H5ad, OpenOptions, Uns, open_source};
use ndarray::Array2;
use std::collections::{BTreeMap, BTreeSet};

/// A label for every cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    pub(crate) codes: Vec<u32>,
    pub(crate) names: Vec<String>,
}

/// The annotation of all cells of all files.
pub(crate) struct Cells {
    /// The open files.
    pub(crate) sources: Vec<Box<dyn CountSource>>,
    /// File of each cell and its row there.
    pub(crate) places: Vec<(usize, usize)>,
    /// Unique over all files.
    pub(crate) ids: Vec<String>,
    /// `None` where a cell has no type or is outside `data.keep`.
    pub(crate) types: Vec<Option<u32>>,
    pub(crate) type_names: Vec<String>,
    /// Id of each type in the ontology.
    pub(crate) terms: Vec<Option<String>>,
    pub(crate) donors: Option<Labels>,
    pub(crate) batches: Option<Labels>,
    /// Coordinates in which likeness is known, `[n_cells, d]`.
    pub(crate) graded: Option<Array2<f64>>,
    /// What a reader should know: `(level, text)`.
    pub(crate) notes: Vec<(&'static str, String)>,
}

impl Cells {
    /// Opens the files and reads their annotation.
    ///
    /// # Errors
    /// As the readers say; names the file and the column that is missing or has no use.
    pub(crate) fn open(config: &StudyConfig) -> Result<Self> {
        let data = &config.data;
        let mut sources = Vec::new();
        for it in &data.file {
            let options =
                OpenOptions { scale: Scale::Counts, matrix: Some(data.matrix.clone()), ..OpenOptions::default() };
            sources.push(open_source(&it.path, &options)?);
        }
        let several = sources.len() > 1;
        let (mut places, mut ids) = (Vec::new(), Vec::new());
        for (file, source) in sources.iter().enumerate() {
            for (row, id) in source.obs().index().iter().enumerate() {
                places.push((file, row));
                ids.push(if several { format!("{}:{id}", data.file[file].name) } else { id.clone() });
            }
        }
        let mut cells = Self {
            sources,
            places,
            ids,
            types: Vec::new(),
            type_names: Vec::new(),
            terms: Vec::new(),
            donors: None,
            batches: None,
            graded: None,
            notes: Vec::new(),
        };
        cells.read_types(config)?;
        cells.apply_keep(config)?;
        cells.read_terms(config)?;
        cells.donors = data.donor_col.as_ref().map(|it| cells.required(config, it)).transpose()?;
        cells.batches = match &data.batch_col {
            Some(it) => Some(cells.required(config, it)?),
            None if several => Some(Labels {
                codes: cells.places.iter().map(|it| it.0 as u32).collect(),
                names: data.file.iter().map(|it| it.name.clone()).collect(),
            }),
            None => None,
        };
        cells.graded = config.graded.as_ref().map(|it| cells.numbers(config, &it.columns)).transpose()?;
        Ok(cells)
    }

    /// The labels that other-stratum pairs differ in.
    pub(crate) fn strata(&self, config: &StudyConfig) -> Option<&Labels> {
        match config.data.stratum? {
            Stratum::Donor => self.donors.as_ref(),
            Stratum::Batch => self.batches.as_ref(),
        }
    }

    fn obs(&self, file: usize) -> &ObsTable {
        self.sources[file].obs()
    }

    fn column<'a>(&'a self, config: &StudyConfig, file: usize, name: &str) -> Result<&'a Column> {
        self.obs(file).column(name).map_err(|it| in_file(it, &config.data.file[file].path.display().to_string()))
    }

    /// A column over all files, `None` where a cell has no value; names sorted.
    fn labels(&self, config: &StudyConfig, name: &str) -> Result<(Vec<Option<u32>>, Vec<String>)> {
        let mut texts: Vec<Option<String>> = Vec::with_capacity(self.places.len());
        for file in 0..self.sources.len() {
            let column = self.column(config, file, name)?;
            let (codes, categories) = column.to_codes();
            texts.extend(codes.into_iter().map(|it| it.map(|it| categories[it as usize].trim().to_owned())));
        }
        let names: Vec<String> = texts.iter().flatten().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let code = |it: &String| names.binary_search(it).ok().map(|it| it as u32);
        Ok((texts.iter().map(|it| it.as_ref().and_then(code)).collect(), names))
    }

    /// A column that every typed cell must have a value in.
    fn required(&self, config: &StudyConfig, name: &str) -> Result<Labels> {
        let (codes, names) = self.labels(config, name)?;
        if let Some(at) = (0..codes.len()).find(|it| self.types[*it].is_some() && codes[*it].is_none()) {
            return Err(Error::invalid_input(format!("cell `{}` has no value in column `{name}`", self.ids[at])));
        }
        // Cells without a type are never taken: their label does not matter.
        Ok(Labels { codes: codes.into_iter().map(|it| it.unwrap_or(0)).collect(), names })
    }

    fn numbers(&self, config: &StudyConfig, names: &[String]) -> Result<Array2<f64>> {
        let mut values = Array2::zeros((self.places.len(), names.len()));
        for (at, name) in names.iter().enumerate() {
            for (cell, (file, row)) in self.places.iter().enumerate() {
                let value = match self.column(config, *file, name)? {
                    Column::Float(it) => it[*row],
                    Column::Int(it) => it[*row].map_or(f64::NAN, |it| it as f64),
                    other => other.text(*row).and_then(|it| it.parse().ok()).unwrap_or(f64::NAN),
                };
                if self.types[cell].is_some() && !value.is_finite() {
                    return Err(Error::invalid_input(format!(
                        "cell `{}` has no number in column `{name}` of graded.columns",
                        self.ids[cell]
                    )));
                }
                values[[cell, at]] = value;
            }
        }
        Ok(values)
    }

    fn read_types(&mut self, config: &StudyConfig) -> Result<()> {
        if let Some(column) = &config.data.type_col {
            (self.types, self.type_names) = self.labels(config, column)?;
            let n_without = self.types.iter().filter(|it| it.is_none()).count();
            if n_without > 0 {
                self.notes.push(("info", format!("{n_without} cells have no value in column `{column}`")));
            }
            return Ok(());
        }
        self.type_names = config.data.gate.iter().map(|it| it.name.clone()).collect();
        for it in &config.data.file {
            let (values, names) = proteins(config, &it.path)?;
            let file = it.path.display().to_string();
            let gated = gate_cells(values.view(), &names, &config.data.gate).map_err(|it| in_file(it, &file))?;
            self.types.extend(gated);
        }
        if self.types.len() != self.places.len() {
            return Err(Error::invalid_input("proteins and counts do not have the same number of cells"));
        }
        let n_without = self.types.iter().filter(|it| it.is_none()).count();
        self.notes.push((
            "info",
            format!(
                "types come from {} gates on proteins; {n_without} cells pass none or several",
                self.type_names.len()
            ),
        ));
        Ok(())
    }

    fn apply_keep(&mut self, config: &StudyConfig) -> Result<()> {
        let n_before = self.types.iter().flatten().count();
        for (column, values) in &config.data.keep {
            let (codes, names) = self.labels(config, column)?;
            if let Some(lost) = values.iter().find(|it| !names.contains(it)) {
                return Err(Error::invalid_input(format!(
                    "no cell has `{lost}` in column `{column}` of data.keep (there are {})",
                    quoted(&names)
                )));
            }
            let kept = |code: &Option<u32>| code.is_some_and(|it| values.contains(&names[it as usize]));
            self.types.iter_mut().zip(&codes).filter(|it| !kept(it.1)).for_each(|it| *it.0 = None);
        }
        let n_lost = n_before - self.types.iter().flatten().count();
        if n_lost > 0 {
            self.notes.push(("info", format!("{n_lost} cells are outside data.keep")));
        }
        Ok(())
    }

    /// The term of each type: from the table of the study, or the one that its cells agree on.
    fn read_terms(&mut self, config: &StudyConfig) -> Result<()> {
        let data = &config.data;
        if let Some(unknown) = data.terms.keys().find(|it| !self.type_names.contains(it)) {
            return Err(Error::invalid_input(format!(
                "data.terms names type `{unknown}`, which no cell has (there are {})",
                quoted(&self.type_names)
            )));
        }
        let mut terms: Vec<Option<String>> = self.type_names.iter().map(|it| data.terms.get(it).cloned()).collect();
        if let Some(column) = &data.term_col {
            let (codes, names) = self.labels(config, column)?;
            let mut of_type: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for (kind, code) in self.types.iter().zip(codes) {
                if let (Some(kind), Some(code)) = (kind, code) {
                    of_type.entry(*kind).or_default().insert(code);
                }
            }
            for (kind, codes) in of_type {
                let only: Vec<u32> = codes.into_iter().collect();
                let [code] = only[..] else {
                    let found: Vec<String> = only.iter().map(|it| names[*it as usize].clone()).collect();
                    let name = &self.type_names[kind as usize];
                    self.notes.push((
                        "warning",
                        format!("type `{name}` has several terms ({}): none is used", quoted(&found)),
                    ));
                    continue;
                };
                terms[kind as usize] = Some(names[code as usize].clone());
            }
        }
        self.terms = terms;
        Ok(())
    }
}

/// Protein counts and names of a file.
fn proteins(config: &StudyConfig, path: &std::path::Path) -> Result<(Array2<f64>, Vec<String>)> {
    let file = H5ad::open(path)?;
    let key = &config.data.protein_key;
    let name = format!("obsm/{key}");
    if let cellstone_io::AnyMatrix::Table(table) = file.element(&name)? {
        let mut values = Array2::zeros((table.n_rows(), table.names().len()));
        for (at, column) in table.names().iter().enumerate() {
            let column = table.column(column)?;
            for row in 0..table.n_rows() {
                values[[row, at]] = column.text(row).and_then(|it| it.parse().ok()).unwrap_or(f64::NAN);
            }
        }
        return Ok((values, table.names().to_vec()));
    }
    let values = file.obsm(key)?;
    let names = match file.uns()? {
        Uns::Group(mut it) => it.remove(&config.data.protein_names),
        _ => None,
    };
    let Some(Uns::Strs(names)) = names else {
        return Err(Error::invalid_input(format!(
            "`{}` has no list of names in uns/{}",
            path.display(),
            config.data.protein_names
        ))
        .with_hint("set data.protein_names to the key of uns with the names of the proteins"));
    };
    if names.len() != values.ncols() {
        return Err(Error::invalid_input(format!(
            "`{}` has {} proteins in obsm/{key} but {} names",
            path.display(),
            values.ncols(),
            names.len()
        )));
    }
    Ok((values, names))
}
