//! 10x `.h5` files, versions 2 and 3, as a stream of cells.
//!
//! The stored matrix is features x barcodes by columns, which is cells x genes by rows: nothing is transposed.

use super::features::{Features, Kept, TenxChoice, choose_genome};
use crate::cells::{RowsBuilder, check_unique_cells, plan_blocks};
use crate::h5::{Carry, H5File, Stored};
use cellstone_core::{CountSource, Error, ObsTable, Result, RowBlock, Scale, Var, check_values};
use std::collections::BTreeMap;
use std::path::Path;

/// Entries of a block: 8 bytes each as read, 8 more as handed on.
const BLOCK_ENTRIES: u64 = 1 << 21;
/// Cells of a block.
const BLOCK_ROWS: usize = 8192;

/// A 10x `.h5` file as cells x genes, streamed in blocks of at most two million entries.
///
/// Version 2 keeps one group per genome (`barcodes`, `genes`, `gene_names`, `data`, `indices`, `indptr`, `shape`);
/// version 3 one group `matrix` with `features/{id,name,feature_type,genome}`. Gene ids become the ids of
/// [`Var`], gene names its symbols. Source of the layout: 10x Genomics, "Feature-barcode matrices (HDF5)".
pub struct TenxH5 {
    name: String,
    version: u8,
    indices: Stored,
    data: Stored,
    indptr: Vec<u64>,
    kept: Kept,
    obs: ObsTable,
    block_entries: u64,
}

impl std::fmt::Debug for TenxH5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TenxH5({}, {} cells, {} genes)", self.name, self.n_obs(), self.kept.var.len())
    }
}

impl TenxH5 {
    /// Opens a file and checks everything but the entries themselves.
    ///
    /// # Errors
    /// If the file is no HDF5 or no 10x file, if the choice does not name one genome and one feature type that are
    /// there, or if lengths, barcodes or gene ids contradict each other.
    pub fn open(path: &Path, choice: &TenxChoice) -> Result<Self> {
        let name = path.display().to_string();
        let file = H5File::open(path)?;
        let (_, groups) = file.children("")?;
        let (group, version) = if groups.iter().any(|it| it == "matrix") {
            ("matrix".to_owned(), 3)
        } else {
            (choose_group(&file, &name, groups, choice)?, 2)
        };
        let matrix = Matrix { file: &file, group: &group };
        let barcodes = matrix.strings("barcodes")?;
        let features = if version == 3 { matrix.features_v3()? } else { matrix.features_v2()? };
        let shape: Vec<i64> = matrix.stored("shape")?.read_all()?;
        let indptr: Vec<usize> = matrix.stored("indptr")?.read_all()?;
        let (indices, data) = (matrix.stored("indices")?, matrix.stored("data")?);
        matrix.check_lengths(&shape, &indptr, features.ids.len(), barcodes.len(), [&indices, &data])?;
        check_unique_cells(&name, &barcodes)?;
        // The genome of a version 2 file was its group; version 3 says it feature by feature.
        let kept = features.keep(&name, choice)?;
        let indptr = indptr.into_iter().map(|it| it as u64).collect();
        let obs = ObsTable::new(barcodes);
        Ok(Self { name, version, indices, data, indptr, kept, obs, block_entries: BLOCK_ENTRIES })
    }

    /// The same source in blocks of at most `entries` stored values (or one cell).
    #[must_use]
    pub fn with_block_entries(mut self, entries: u64) -> Self {
        self.block_entries = entries.max(1);
        self
    }

    /// The version of the layout: 2 or 3.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// How many features were left out, by feature type, and by `genome NAME` for those of other genomes.
    pub fn left_out(&self) -> &BTreeMap<String, usize> {
        &self.kept.left_out
    }

    fn read_block(&self, carry: &mut (Carry, Carry), start: usize, end: usize) -> Result<RowBlock> {
        let from = self.indptr[start] as usize;
        let window = from..self.indptr[end] as usize;
        let features: Vec<u32> = self.indices.read_rows(window.clone(), &mut carry.0)?;
        let values: Vec<f32> = self.data.read_rows(window, &mut carry.1)?;
        let mut cells = RowsBuilder::with_capacity(self.kept.var.len(), end - start, features.len());
        for cell in start..end {
            let range = self.indptr[cell] as usize - from..self.indptr[cell + 1] as usize - from;
            for (feature, value) in features[range.clone()].iter().zip(&values[range]) {
                match self.kept.column_of.get(*feature as usize) {
                    Some(Some(column)) => cells.push(*column, *value),
                    Some(None) => {}
                    None => return Err(self.bad_feature(cell, *feature)),
                }
            }
            cells.end_row().map_err(|col| self.repeated(cell, col))?;
        }
        let x = cells.finish()?;
        check_values(&x, start, Scale::Counts).map_err(|error| error.context(format!("`{}`", self.name)))?;
        Ok(RowBlock { start, x })
    }

    fn bad_feature(&self, cell: usize, feature: u32) -> Error {
        Error::invalid_input(format!(
            "`{}`: cell `{}` has feature index {feature}, expected 0 to {}",
            self.name,
            self.obs.index()[cell],
            self.kept.column_of.len().saturating_sub(1)
        ))
    }

    fn repeated(&self, cell: usize, col: u32) -> Error {
        Error::invalid_input(format!(
            "`{}`: cell `{}` has two entries for gene `{}`, expected one",
            self.name,
            self.obs.index()[cell],
            self.kept.var.ids()[col as usize]
        ))
    }
}

impl CountSource for TenxH5 {
    fn name(&self) -> &str {
        &self.name
    }

    fn n_obs(&self) -> usize {
        self.obs.n_rows()
    }

    fn var(&self) -> &Var {
        &self.kept.var
    }

    fn obs(&self) -> &ObsTable {
        &self.obs
    }

    fn scale(&self) -> Scale {
        Scale::Counts
    }

    fn blocks(&self, start_row: usize) -> Result<Box<dyn Iterator<Item = Result<RowBlock>> + Send + '_>> {
        let plan = plan_blocks(&self.name, &self.indptr, start_row, BLOCK_ROWS, self.block_entries)?;
        let mut carry = (Carry::default(), Carry::default());
        Ok(Box::new(plan.into_iter().map(move |(start, end)| self.read_block(&mut carry, start, end))))
    }
}

/// The group of a version 2 file: those that hold barcodes are genomes.
fn choose_group(file: &H5File, name: &str, mut groups: Vec<String>, choice: &TenxChoice) -> Result<String> {
    groups.sort();
    let is_genome =
        |it: &String| Matrix { file, group: it }.has("barcodes") && Matrix { file, group: it }.has("indptr");
    let genomes: Vec<String> = groups.iter().filter(|it| is_genome(it)).cloned().collect();
    if genomes.is_empty() {
        return Err(Error::invalid_input(format!(
            "`{name}` is no 10x file: expected a group `matrix`, or one per genome that holds `barcodes` (groups: {})",
            cellstone_core::quoted(&groups)
        ))
        .with_hint("an AnnData file must end in .h5ad; `inspect` says what a file holds"));
    }
    choose_genome(name, &genomes, choice.genome.as_deref())
        .map(|it| it.expect("invariant: a choice among some genomes is one of them"))
}

/// The group that holds the matrix.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    file: &'a H5File,
    group: &'a str,
}

impl Matrix<'_> {
    fn at(self, name: &str) -> String {
        format!("{}/{name}", self.group)
    }

    fn has(self, name: &str) -> bool {
        matches!(self.file.node(&self.at(name)), Ok(Some(_)))
    }

    fn stored(self, name: &str) -> Result<Stored> {
        let stored = self.file.stored(&self.at(name))?;
        if stored.shape().len() == 1 {
            return Ok(stored);
        }
        Err(Error::invalid_input(format!("{} has shape {:?}, expected one axis", stored.label(), stored.shape())))
    }

    fn strings(self, name: &str) -> Result<Vec<String>> {
        let name = self.at(name);
        self.file.strings(&name, &self.file.dataset(&name)?)
    }

    fn optional(self, name: &str) -> Result<Option<Vec<String>>> {
        self.has(name).then(|| self.strings(name)).transpose()
    }

    fn features_v2(self) -> Result<Features> {
        Ok(Features { ids: self.strings("genes")?, symbols: self.optional("gene_names")?, types: None, genomes: None })
    }

    fn features_v3(self) -> Result<Features> {
        let found = Features {
            ids: self.strings("features/id")?,
            symbols: self.optional("features/name")?,
            types: self.optional("features/feature_type")?,
            genomes: self.optional("features/genome")?,
        };
        for (what, column) in [("feature_type", &found.types), ("genome", &found.genomes)] {
            if let Some(column) = column
                && column.len() != found.ids.len()
            {
                return Err(Error::invalid_input(format!(
                    "{} has {} entries, expected {} as in `id`",
                    self.file.label(&self.at(&format!("features/{what}"))),
                    column.len(),
                    found.ids.len()
                )));
            }
        }
        Ok(found)
    }

    fn check_lengths(
        self,
        shape: &[i64],
        indptr: &[usize],
        n_features: usize,
        n_cells: usize,
        entries: [&Stored; 2],
    ) -> Result<()> {
        let wrong = |what: &str, found: String, expected: String| {
            Err(Error::invalid_input(format!("{} {found}, expected {expected}", self.file.label(&self.at(what)))))
        };
        if shape != [n_features as i64, n_cells as i64] {
            return wrong(
                "shape",
                format!("is {shape:?}"),
                format!("[{n_features}, {n_cells}] as there are features and barcodes"),
            );
        }
        if indptr.len() != n_cells + 1 {
            return wrong(
                "indptr",
                format!("has {} entries", indptr.len()),
                format!("{} for {n_cells} barcodes", n_cells + 1),
            );
        }
        if indptr[0] != 0 {
            return wrong("indptr", format!("starts with {}", indptr[0]), "0".to_owned());
        }
        if let Some(cell) = (0..n_cells).find(|it| indptr[*it] > indptr[it + 1]) {
            let found = format!("falls from {} to {} at cell {cell}", indptr[cell], indptr[cell + 1]);
            return wrong("indptr", found, "no fall".to_owned());
        }
        for stored in entries {
            if stored.len() != indptr[n_cells] {
                return Err(Error::invalid_input(format!(
                    "{} has {} entries, expected {} as indptr ends there",
                    stored.label(),
                    stored.len(),
                    indptr[n_cells]
                )));
            }
        }
        Ok(())
    }
}
