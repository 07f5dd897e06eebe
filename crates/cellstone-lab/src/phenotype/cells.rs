//! What is known about every cell before its counts are read: phenotypes, donor, data set, age.

use super::config::{Category, PhenotypeConfig};
use crate::data::in_file;
use cellstone_core::{Column, CountSource, Error, ObsTable, Result, Scale, quoted};
use cellstone_io::{OpenOptions, open_source};
use cellstone_report::phenotype::schema::ExcludedRow;
use std::collections::BTreeMap;

/// Words that say that a phenotype is not known.
const UNKNOWN: [&str; 6] = ["", "unknown", "na", "nan", "n/a", "none"];

/// A label for every cell; `None` where it has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Labels {
    pub(crate) codes: Vec<Option<u32>>,
    /// Ids in an ontology where there are some, else normalised texts; sorted.
    pub(crate) ids: Vec<String>,
    /// Name of each id for people, as the file writes it.
    pub(crate) names: Vec<String>,
}

/// A group for every cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    pub(crate) codes: Vec<u32>,
    pub(crate) names: Vec<String>,
}

/// The annotation of all cells.
pub(crate) struct Cells {
    pub(crate) source: Box<dyn CountSource>,
    pub(crate) ids: Vec<String>,
    /// Whether a cell is inside `data.keep`.
    pub(crate) kept: Vec<bool>,
    /// One for each category of the study.
    pub(crate) labels: Vec<Labels>,
    /// Donor with its data set before it; the data set where no donor is known.
    pub(crate) donors: Groups,
    pub(crate) datasets: Groups,
    pub(crate) assays: Option<Groups>,
    pub(crate) ages: Option<Vec<f64>>,
    pub(crate) stages: Option<Vec<Option<String>>>,
    pub(crate) planted: Option<Vec<f64>>,
    pub(crate) planted_hits: Option<Vec<f64>>,
    /// What was left out.
    pub(crate) excluded: Vec<ExcludedRow>,
    /// What a reader should know: level and text.
    pub(crate) notes: Vec<(&'static str, String)>,
}

/// Opens the file of a study.
///
/// # Errors
/// As the reader says.
pub(crate) fn open(config: &PhenotypeConfig) -> Result<Box<dyn CountSource>> {
    let scale = if config.data.scale == "counts" { Scale::Counts } else { Scale::Effect };
    let options = OpenOptions { scale, matrix: Some(config.data.matrix.clone()), ..OpenOptions::default() };
    open_source(&config.data.path, &options)
}

impl Cells {
    /// Opens the file and reads its annotation.
    ///
    /// # Errors
    /// As the reader says; names the column that is missing or has no use.
    pub(crate) fn open(config: &PhenotypeConfig) -> Result<Self> {
        let source = open(config)?;
        let file = config.data.path.display().to_string();
        Self::read(config, source).map_err(|error| in_file(error, &file))
    }

    fn read(config: &PhenotypeConfig, source: Box<dyn CountSource>) -> Result<Self> {
        let (data, obs) = (&config.data, source.obs().clone());
        let (mut excluded, mut notes) = (Vec::new(), Vec::new());
        let kept = keep(config, &obs)?;
        let n_lost = kept.iter().filter(|it| !**it).count();
        if n_lost > 0 {
            excluded.push(excluded_row("", "outside data.keep", n_lost));
        }
        let labels = config.category.iter().map(|it| labels(it, &obs)).collect::<Result<Vec<_>>>()?;
        for (category, it) in config.category.iter().zip(&labels) {
            let unknown = it.codes.iter().zip(&kept).filter(|it| *it.1 && it.0.is_none()).count();
            if unknown > 0 {
                excluded.push(excluded_row(&category.name, "unknown label", unknown));
            }
        }
        let datasets = match &data.dataset_col {
            Some(it) => groups(obs.column(it)?),
            None => Groups { codes: vec![0; kept.len()], names: vec!["all".to_owned()] },
        };
        let donors = donors(config, &obs, &datasets, &mut notes)?;
        let assays = data.assay_col.as_ref().map(|it| obs.column(it).map(groups)).transpose()?;
        let numbers_of = |name: &Option<String>| name.as_ref().map(|it| numbers(&obs, it)).transpose();
        let texts = |name: &String| {
            let column = obs.column(name)?;
            Ok((0..kept.len()).map(|row| column.text(row)).collect::<Vec<_>>())
        };
        Ok(Self {
            ids: obs.index().to_vec(),
            ages: numbers_of(&data.age_col)?,
            planted: numbers_of(&data.planted_col)?,
            planted_hits: numbers_of(&data.planted_hit_col)?,
            stages: data.stage_col.as_ref().map(texts).transpose()?,
            kept,
            labels,
            donors,
            datasets,
            assays,
            excluded,
            notes,
            source,
        })
    }

    /// Number of cells of the file.
    pub(crate) fn n_obs(&self) -> usize {
        self.ids.len()
    }

    /// Groups of a column of obs; `None` for a column that is not there.
    pub(crate) fn groups_of(&self, name: &str) -> Result<Groups> {
        self.source.obs().column(name).map(groups)
    }

    /// A numeric column of obs.
    pub(crate) fn numbers_of(&self, name: &str) -> Result<Vec<f64>> {
        numbers(self.source.obs(), name)
    }
}

pub(crate) fn excluded_row(category: &str, reason: &str, n: usize) -> ExcludedRow {
    ExcludedRow { category: category.to_owned(), reason: reason.to_owned(), n: n as i64 }
}

/// Lower case, ends and runs of spaces gone.
fn normalized(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn keep(config: &PhenotypeConfig, obs: &ObsTable) -> Result<Vec<bool>> {
    let mut kept = vec![true; obs.n_rows()];
    for (column, values) in &config.data.keep {
        let (codes, names) = obs.column(column)?.to_codes();
        if let Some(lost) = values.iter().find(|it| !names.contains(it)) {
            return Err(Error::invalid_input(format!(
                "no cell has `{lost}` in column `{column}` of data.keep (there are {})",
                quoted(&names)
            )));
        }
        let is_in = |code: Option<u32>| code.is_some_and(|it| values.contains(&names[it as usize]));
        kept.iter_mut().zip(codes).for_each(|(kept, code)| *kept &= is_in(code));
    }
    Ok(kept)
}

/// Labels by ontology id where a cell has one, by normalised text elsewhere.
fn labels(category: &Category, obs: &ObsTable) -> Result<Labels> {
    let names = obs.column(category.column())?;
    let terms = category.term_col.as_ref().map(|it| obs.column(it)).transpose()?;
    let is_known = |it: &String| !UNKNOWN.contains(&normalized(it).as_str());
    let of_cell: Vec<Option<(String, String)>> = (0..obs.n_rows())
        .map(|row| {
            let name = names.text(row).filter(is_known);
            let term = terms.and_then(|it| it.text(row)).filter(is_known).map(|it| it.trim().to_owned());
            match (term, name) {
                (Some(term), name) => Some((term.clone(), name.unwrap_or(term))),
                (None, Some(name)) => Some((normalized(&name), name.trim().to_owned())),
                (None, None) => None,
            }
        })
        .collect();
    let all: BTreeMap<&String, &String> = of_cell.iter().flatten().map(|it| (&it.0, &it.1)).collect();
    let place: BTreeMap<&String, u32> = all.keys().copied().zip(0..).collect();
    Ok(Labels {
        codes: of_cell.iter().map(|it| it.as_ref().map(|it| place[&it.0])).collect(),
        ids: all.keys().map(|it| (*it).clone()).collect(),
        names: all.values().map(|it| (*it).clone()).collect(),
    })
}

/// A missing value is a group of its own.
fn groups(column: &Column) -> Groups {
    let texts: Vec<String> = (0..column.len()).map(|it| column.text(it).unwrap_or_else(|| "missing".into())).collect();
    from_texts(&texts)
}

fn from_texts(texts: &[String]) -> Groups {
    let place: BTreeMap<&String, u32> =
        texts.iter().collect::<std::collections::BTreeSet<_>>().into_iter().zip(0..).collect();
    Groups { codes: texts.iter().map(|it| place[it]).collect(), names: place.into_keys().cloned().collect() }
}

fn donors(
    config: &PhenotypeConfig,
    obs: &ObsTable,
    datasets: &Groups,
    notes: &mut Vec<(&'static str, String)>,
) -> Result<Groups> {
    let known: Vec<Option<String>> = match (&config.data.donor_col, &config.data.donor_until) {
        (Some(name), _) => {
            let column = obs.column(name)?;
            (0..obs.n_rows())
                .map(|row| column.text(row).filter(|it| !UNKNOWN.contains(&normalized(it).as_str())))
                .collect()
        }
        (None, Some(until)) => {
            // An id without the text is a donor of its own: a cell that was taken alone.
            obs.index()
                .iter()
                .map(|it| Some(it.split_once(until.as_str()).map_or(it.as_str(), |it| it.0).to_owned()))
                .collect()
        }
        (None, None) => {
            notes.push(("warning", "no donor is known: each data set counts as one donor".to_owned()));
            vec![None; obs.n_rows()]
        }
    };
    let n_missing = known.iter().filter(|it| it.is_none()).count();
    if n_missing > 0 && n_missing < known.len() {
        notes.push(("warning", format!("{n_missing} cells have no donor: their whole data set counts as one")));
    }
    // One name may stand for two donors in two data sets.
    let several = datasets.names.len() > 1;
    let text = |row: usize| {
        let dataset = &datasets.names[datasets.codes[row] as usize];
        match &known[row] {
            Some(it) if several => format!("{dataset}:{it}"),
            Some(it) => it.clone(),
            None => dataset.clone(),
        }
    };
    Ok(from_texts(&(0..obs.n_rows()).map(text).collect::<Vec<_>>()))
}

/// A column as numbers; NaN where missing.
fn numbers(obs: &ObsTable, name: &str) -> Result<Vec<f64>> {
    match obs.column(name)? {
        Column::Float(it) => Ok(it.clone()),
        Column::Int(it) => Ok(it.iter().map(|it| it.map_or(f64::NAN, |it| it as f64)).collect()),
        other => {
            let text = |row: usize| other.text(row).and_then(|it| it.trim().parse().ok()).unwrap_or(f64::NAN);
            let values: Vec<f64> = (0..other.len()).map(text).collect();
            if values.iter().any(|it| it.is_finite()) {
                return Ok(values);
            }
            Err(Error::invalid_input(format!("column `{name}` is {}, expected numbers", other.kind())))
        }
    }
}
