//! Data for the tests: a source in memory, labels, and the golden files.

use cellstone_core::{Column, CountSource, Csr, ObsTable, Result, RowBlock, Scale, Var};
use cellstone_prep::{CellLabels, LabelColumns, ParseOptions};
use ndarray::Array2;
use std::path::PathBuf;

/// Cells in memory, given out in blocks of any length.
pub(crate) struct Memory {
    pub(crate) x: Csr<f32>,
    pub(crate) var: Var,
    pub(crate) obs: ObsTable,
    pub(crate) scale: Scale,
    pub(crate) block: usize,
}

impl Memory {
    pub(crate) fn new(dense: &Array2<f32>, scale: Scale) -> Self {
        let names = |prefix: &str, n: usize| (0..n).map(|it| format!("{prefix}{it}")).collect::<Vec<_>>();
        Self {
            x: Csr::from_dense(dense),
            var: Var::from_ids(names("g", dense.ncols())).expect("unique"),
            obs: ObsTable::new(names("cell", dense.nrows())),
            scale,
            block: 7,
        }
    }
}

impl CountSource for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn n_obs(&self) -> usize {
        self.x.shape().0
    }

    fn var(&self) -> &Var {
        &self.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        self.scale
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let n_obs = self.n_obs();
        let block = move |start: usize| {
            let rows: Vec<usize> = (start..(start + self.block).min(n_obs)).collect();
            Ok(RowBlock { start, x: self.x.select_rows(&rows) })
        };
        Ok(Box::new((start_row..n_obs).step_by(self.block).map(block)))
    }
}

/// An annotation of cells `cell0`, `cell1`, … with text columns.
pub(crate) fn obs(columns: &[(&str, &[&str])]) -> ObsTable {
    let n = columns[0].1.len();
    let mut obs = ObsTable::new((0..n).map(|it| format!("cell{it}")).collect());
    for (name, values) in columns {
        obs.insert(*name, Column::categorical(values)).expect("same length");
    }
    obs
}

/// Labels from conditions and, where given, batches and contexts.
pub(crate) fn labels(conditions: &[&str], batches: Option<&[&str]>, contexts: Option<&[&str]>) -> CellLabels {
    let mut columns = vec![("perturbation", conditions)];
    columns.extend(batches.map(|it| ("batch", it)));
    columns.extend(contexts.map(|it| ("cell_line", it)));
    let var = Var::from_ids(["A", "B"]).expect("unique");
    CellLabels::from_obs(&obs(&columns), &var, &LabelColumns::default(), &ParseOptions::default(), "memory")
        .expect("labels")
}

/// The text of a golden file.
pub(crate) fn golden(path: &str) -> serde_json::Value {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden").join(path);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).expect("golden files are json")
}

/// A list of strings in a golden file.
pub(crate) fn strings(value: &serde_json::Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|it| it.as_str().expect("text").to_owned()).collect()
}

/// A list of numbers in a golden file.
pub(crate) fn numbers(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|it| it.as_f64().expect("a number")).collect()
}
