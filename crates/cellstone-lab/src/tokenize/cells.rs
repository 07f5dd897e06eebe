//! What the annotation of the cells says to an encoder: which cells count, their totals, their phenotypes.

use cellstone_core::{Column, Error, ObsTable, Result, TokenizerInfo};
use cellstone_io::ObsValues;
use rayon::prelude::*;

/// A column as codes and their names.
type Coded = (Vec<Option<u32>>, Vec<String>);

/// The annotation of all cells, ready to be looked up by row.
pub(super) struct Cells<'a> {
    ids: &'a [String],
    /// Whether a cell passed the filter of whoever made the file.
    passes: Option<Vec<bool>>,
    /// Totals that the file states.
    pub(super) n_counts: Option<Vec<f64>>,
    /// Codes and names of every phenotype that the encoder carries.
    phenotypes: Vec<Option<Coded>>,
}

impl<'a> Cells<'a> {
    /// Reads what there is; names must be unique.
    pub(super) fn new(obs: &'a ObsTable, info: &TokenizerInfo, columns: &[(String, String)]) -> Result<Self> {
        check_unique(obs.index())?;
        for (category, _) in columns {
            if !info.phenotypes.contains(category) {
                let known = cellstone_core::quoted(&info.phenotypes);
                return Err(Error::config(format!("`{}` has no phenotype `{category}` (it has: {known})", info.id)));
            }
        }
        let phenotypes = info.phenotypes.iter().map(|category| {
            let named = columns.iter().find(|it| it.0 == *category).map(|it| it.1.as_str());
            let column = match named {
                // A column that was asked for must be there; one that was not may be missing.
                Some(name) => Some(obs.column(name)?),
                None => obs.get(category),
            };
            Ok(column.map(Column::to_codes))
        });
        Ok(Self {
            ids: obs.index(),
            passes: obs.get("filter_pass").map(passes).transpose()?,
            n_counts: obs.get("n_counts").and_then(numbers),
            phenotypes: phenotypes.collect::<Result<_>>()?,
        })
    }

    pub(super) fn id(&self, row: usize) -> &'a str {
        &self.ids[row]
    }

    pub(super) fn passes(&self, row: usize) -> bool {
        self.passes.as_ref().is_none_or(|it| it[row])
    }

    /// Phenotypes of a cell, in the order of the encoder.
    pub(super) fn phenotypes<'b>(&'b self, row: usize) -> Vec<Option<&'b str>> {
        let name = |it: &'b Coded| it.0[row].map(|code| it.1[code as usize].as_str());
        self.phenotypes.iter().map(|it| it.as_ref().and_then(name)).collect()
    }

    /// Names of the phenotypes that the file does not have.
    pub(super) fn absent(&self, info: &TokenizerInfo) -> Vec<String> {
        info.phenotypes.iter().zip(&self.phenotypes).filter(|it| it.1.is_none()).map(|it| it.0.clone()).collect()
    }
}

/// Refuses names that stand twice: tokens and random draws are keyed by them.
fn check_unique(ids: &[String]) -> Result<()> {
    let mut order: Vec<u32> = (0..ids.len() as u32).collect();
    order.par_sort_unstable_by(|a, b| ids[*a as usize].cmp(&ids[*b as usize]).then(a.cmp(b)));
    let twice = order.windows(2).filter(|it| ids[it[0] as usize] == ids[it[1] as usize]).min_by_key(|it| it[1]);
    let Some(pair) = twice else { return Ok(()) };
    Err(Error::invalid_input(format!(
        "cell id `{}` stands at rows {} and {}, expected once (DuplicateCellId)",
        ids[pair[0] as usize], pair[0], pair[1]
    ))
    .with_hint("in Python: adata.obs_names_make_unique()"))
}

/// A column of ones and zeros, or of truth values.
fn passes(column: &Column) -> Result<Vec<bool>> {
    let whole = |it: f64| if it == 1.0 || it == 0.0 { Some(it == 1.0) } else { None };
    let values: Option<Vec<bool>> = match column {
        Column::Bool(it) => it.iter().copied().collect(),
        Column::Int(it) => it.iter().map(|it| it.and_then(|it| whole(it as f64))).collect(),
        Column::Float(it) => it.iter().map(|it| whole(*it)).collect(),
        Column::Categorical { .. } | Column::Str(_) => (0..column.len())
            .map(|row| match column.text(row).as_deref() {
                Some("1" | "True" | "true") => Some(true),
                Some("0" | "False" | "false") => Some(false),
                _ => None,
            })
            .collect(),
    };
    values.ok_or_else(|| {
        Error::invalid_input("column `filter_pass` of obs holds something else than 0 and 1")
            .with_hint("Geneformer reads this column as the mark of cells that passed a filter: rename it otherwise")
    })
}

/// A numeric column; others say nothing of totals.
fn numbers(column: &Column) -> Option<Vec<f64>> {
    match column {
        Column::Int(it) => it.iter().map(|it| it.map(|it| it as f64)).collect(),
        Column::Float(it) => Some(it.clone()),
        Column::Categorical { .. } | Column::Str(_) | Column::Bool(_) => None,
    }
}

/// The columns that rows carry along.
pub(super) fn carried(obs: &ObsTable, names: &[String]) -> Result<Vec<ObsValues>> {
    let mut seen = Vec::<&String>::new();
    for name in names {
        if seen.contains(&name) {
            return Err(Error::config(format!("column `{name}` of obs is asked for twice")));
        }
        seen.push(name);
    }
    names.iter().map(|it| Ok(ObsValues::new(it, obs.column(it)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_filters_are_checked() {
        let ids = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert!(check_unique(&ids(&["b", "a", "c"])).is_ok());
        let error = check_unique(&ids(&["b", "a", "c", "a", "b"])).expect_err("twice");
        assert_eq!(error.to_string(), "cell id `a` stands at rows 1 and 3, expected once (DuplicateCellId)");
        assert_eq!(passes(&Column::Int(vec![Some(1), Some(0)])).expect("marks"), [true, false]);
        assert_eq!(passes(&Column::categorical(&["True", "False"])).expect("marks"), [true, false]);
        assert!(passes(&Column::Float(vec![0.5])).is_err());
        assert!(passes(&Column::Int(vec![None])).is_err());
    }
}
