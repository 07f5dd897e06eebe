//! Where test data are, and what many tests say.

use cellstone_core::{CellInput, CountSource, Csr, Encoded, ObsTable, Result, RowBlock, Scale, Seed, TokenRow, Var};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// `shared/data/NAME` beside some folder above this crate; `None`, with the reason printed, where it is absent.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|it| it.join("shared/data").join(name)).find(|it| it.exists());
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "skipped: shared/data/{name} is not on this machine");
    }
    found
}

/// A golden file of `data-fixtures/golden/rank`.
pub(crate) fn golden(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data-fixtures/golden/rank").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("golden files are json")
}

/// A gzipped JSON object of names and numbers.
pub(crate) fn numbers_by_name(path: &Path) -> Vec<(String, f64)> {
    let file = std::fs::File::open(path).expect("a file");
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzipped text");
    let object: serde_json::Value = serde_json::from_str(&text).expect("json");
    let pairs = object.as_object().expect("an object").iter();
    pairs.map(|(name, it)| (name.clone(), it.as_f64().expect("a number"))).collect()
}

/// A gzipped JSON object of names and token ids.
pub(crate) fn tokens_by_name(path: &Path) -> Vec<(String, u32)> {
    numbers_by_name(path).into_iter().map(|(name, it)| (name, it as u32)).collect()
}

/// Encodes one row.
pub(crate) fn cell<'a>(columns: &'a [u32], values: &'a [f32], n_counts: f64) -> CellInput<'a> {
    CellInput { columns, values, n_counts, phenotypes: &[], seed: Seed::new(0) }
}

/// The row, or a panic with the reason.
pub(crate) fn row(encoded: Encoded) -> TokenRow {
    match encoded {
        Encoded::Row(row) => row,
        Encoded::Rejected { reason, detail } => panic!("{reason}: {detail}"),
    }
}

/// Counts in memory, given out in blocks of any length.
pub(crate) struct Memory {
    pub(crate) x: Csr<f32>,
    pub(crate) var: Var,
    pub(crate) obs: ObsTable,
    pub(crate) block: usize,
}

impl Memory {
    pub(crate) fn new(x: Csr<f32>, var: Var, block: usize) -> Self {
        let obs = ObsTable::new((0..x.shape().0).map(|it| format!("cell{it}")).collect());
        Self { x, var, obs, block }
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
        Scale::Counts
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
