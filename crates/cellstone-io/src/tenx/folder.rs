//! 10x folders: `matrix.mtx`, `genes.tsv` or `features.tsv`, `barcodes.tsv`, gzipped or not, prefixed or not.

use super::features::{Features, Kept, TenxChoice, choose_genome};
use crate::cells::{RowsBuilder, check_unique_cells, plan_blocks};
use crate::memory::row_range;
use crate::mtx::{Entry, MtxReader, collect_rows};
use crate::text::Lines;
use cellstone_core::{CountSource, Csr, Error, ObsTable, Result, RowBlock, Scale, Var, check_values};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Up to this many entries (a quarter of a GiB) are held in memory rather than parsed twice.
const IN_MEMORY: u64 = 1 << 25;
const BLOCK_ENTRIES: u64 = 1 << 21;
const BLOCK_ROWS: usize = 8192;

/// A 10x mtx folder as cells x genes.
///
/// Up to 33 million entries are read once and kept; a larger matrix is read through once to check it and then
/// streamed, unless its entries do not come cell by cell: then it is kept in memory whatever its size.
/// Gene ids (first column) become the ids of [`Var`], gene names (second) its symbols.
#[derive(Debug)]
pub struct TenxMtx {
    name: String,
    files: Files,
    transposed: bool,
    kept: Kept,
    obs: ObsTable,
    store: Store,
    block_entries: u64,
}

#[derive(Debug)]
enum Store {
    Memory {
        x: Csr<f32>,
        indptr: Vec<u64>,
    },
    /// Entries of the file before each cell.
    Stream {
        indptr: Vec<u64>,
    },
}

#[derive(Debug, Clone)]
struct Files {
    matrix: PathBuf,
    features: PathBuf,
    barcodes: PathBuf,
}

impl TenxMtx {
    /// Opens a folder, or the matrix file itself where a folder holds several.
    ///
    /// A folder of folders is read as one folder per genome, as the version 2 pipeline writes them.
    ///
    /// # Errors
    /// If a file is missing or there are several sets of them, if the choice does not fit, or with file and line
    /// of whatever contradicts the rest: a size line, an index, a repeated barcode or gene id, a value that is no count.
    pub fn open(path: &Path, choice: &TenxChoice) -> Result<Self> {
        Self::open_with(path, choice, false, IN_MEMORY)
    }

    /// As [`TenxMtx::open`], for a matrix file whose rows are cells: `transposed` says so.
    ///
    /// # Errors
    /// As [`TenxMtx::open`].
    pub fn open_transposed(path: &Path, choice: &TenxChoice, transposed: bool) -> Result<Self> {
        Self::open_with(path, choice, transposed, IN_MEMORY)
    }

    /// As [`TenxMtx::open_transposed`], keeping at most `in_memory` entries rather than 33 million.
    ///
    /// # Errors
    /// As [`TenxMtx::open`].
    pub fn open_with(path: &Path, choice: &TenxChoice, transposed: bool, in_memory: u64) -> Result<Self> {
        let files = find_files(path, choice)?;
        let name = path.display().to_string();
        let features = read_features(&files.features)?;
        let barcodes = read_barcodes(&files.barcodes)?;
        check_unique_cells(&files.barcodes.display().to_string(), &barcodes)?;
        let mut reader = MtxReader::open(&files.matrix)?;
        check_size(&files, &reader, transposed, features.ids.len(), barcodes.len())?;
        let n_features = features.ids.len();
        let kept = features.keep(&files.features.display().to_string(), choice)?;
        let store = if reader.header().nnz <= in_memory {
            None
        } else {
            scan(&mut reader, barcodes.len(), transposed)?.map(|indptr| Store::Stream { indptr })
        };
        let obs = ObsTable::new(barcodes);
        let parts = Parts { files: &files, kept: &kept, obs: &obs, transposed };
        let store = match store {
            Some(it) => it,
            None => parts.load(n_features)?,
        };
        Ok(Self { name, files, transposed, kept, obs, store, block_entries: BLOCK_ENTRIES })
    }

    /// The same source in blocks of at most `entries` stored values (or one cell).
    #[must_use]
    pub fn with_block_entries(mut self, entries: u64) -> Self {
        self.block_entries = entries.max(1);
        self
    }

    /// Whether the matrix is read from the file block by block rather than kept in memory.
    pub fn is_streamed(&self) -> bool {
        matches!(self.store, Store::Stream { .. })
    }

    /// How many features were left out, by feature type.
    pub fn left_out(&self) -> &BTreeMap<String, usize> {
        &self.kept.left_out
    }

    fn parts(&self) -> Parts<'_> {
        Parts { files: &self.files, kept: &self.kept, obs: &self.obs, transposed: self.transposed }
    }

    /// A reader that stands at the first entry of `row`.
    fn reader_at(&self, entries_before: u64) -> Result<MtxReader> {
        let mut reader = MtxReader::open(&self.files.matrix)?;
        for _ in 0..entries_before {
            reader.next_entry()?;
        }
        Ok(reader)
    }

    fn stream_block(&self, reader: &mut MtxReader, indptr: &[u64], start: usize, end: usize) -> Result<RowBlock> {
        let nnz = (indptr[end] - indptr[start]) as usize;
        let parts = self.parts();
        let mut cells = RowsBuilder::with_capacity(self.kept.var.len(), end - start, nnz);
        for cell in start..end {
            for _ in indptr[cell]..indptr[cell + 1] {
                let Some(entry) = reader.next_entry()? else { return Err(reader.error("the file became shorter")) };
                let (found, feature) = parts.key(entry);
                if found as usize != cell {
                    return Err(reader.error("the file changed while it was read"));
                }
                if let Some(col) = self.kept.column_of[feature as usize] {
                    cells.push(col, entry.value);
                }
            }
            cells.end_row().map_err(|col| parts.repeated(cell, &self.kept.var.ids()[col as usize]))?;
        }
        let x = cells.finish()?;
        parts.check(&x, start)?;
        Ok(RowBlock { start, x })
    }
}

impl CountSource for TenxMtx {
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
        let indptr = match &self.store {
            Store::Memory { indptr, .. } | Store::Stream { indptr } => indptr,
        };
        let plan = plan_blocks(&self.name, indptr, start_row, BLOCK_ROWS, self.block_entries)?;
        if let Store::Memory { x, .. } = &self.store {
            return Ok(Box::new(
                plan.into_iter().map(|(start, end)| Ok(RowBlock { start, x: row_range(x, start, end)? })),
            ));
        }
        let mut reader = self.reader_at(indptr[start_row])?;
        Ok(Box::new(plan.into_iter().map(move |(start, end)| self.stream_block(&mut reader, indptr, start, end))))
    }
}

/// What reading the matrix needs to know.
#[derive(Clone, Copy)]
struct Parts<'a> {
    files: &'a Files,
    kept: &'a Kept,
    obs: &'a ObsTable,
    transposed: bool,
}

impl Parts<'_> {
    /// `(cell, feature)` of an entry.
    fn key(self, entry: Entry) -> (u32, u32) {
        if self.transposed { (entry.row, entry.col) } else { (entry.col, entry.row) }
    }

    /// The whole matrix, whatever the order of its entries.
    fn load(self, n_features: usize) -> Result<Store> {
        let mut reader = MtxReader::open(&self.files.matrix)?;
        let all = collect_rows(&mut reader, self.obs.n_rows(), n_features, |it| self.key(it))?
            .map_err(|(cell, feature)| self.repeated(cell as usize, &format!("number {}", feature + 1)))?;
        let x = if self.kept.var.len() == n_features { all } else { self.keep_columns(&all)? };
        self.check(&x, 0)?;
        let indptr = x.indptr().iter().map(|it| *it as u64).collect();
        Ok(Store::Memory { x, indptr })
    }

    fn keep_columns(self, all: &Csr<f32>) -> Result<Csr<f32>> {
        let mut cells = RowsBuilder::with_capacity(self.kept.var.len(), all.shape().0, all.nnz());
        for row in 0..all.shape().0 {
            let (features, values) = all.row(row);
            for (feature, value) in features.iter().zip(values) {
                if let Some(col) = self.kept.column_of[*feature as usize] {
                    cells.push(col, *value);
                }
            }
            cells.end_row().expect("invariant: rows of a Csr have no repeats");
        }
        cells.finish()
    }

    fn check(self, x: &Csr<f32>, start: usize) -> Result<()> {
        check_values(x, start, Scale::Counts)
            .map_err(|error| error.context(format!("`{}`", self.files.matrix.display())))
    }

    fn repeated(self, cell: usize, gene: &str) -> Error {
        Error::invalid_input(format!(
            "`{}`: cell `{}` has two entries for gene `{gene}`, expected one",
            self.files.matrix.display(),
            self.obs.index()[cell]
        ))
    }
}

/// Reads a matrix through; the entries before each cell, or `None` if they do not come cell by cell.
fn scan(reader: &mut MtxReader, n_cells: usize, transposed: bool) -> Result<Option<Vec<u64>>> {
    let mut indptr = vec![0_u64; n_cells + 1];
    let (mut last, mut ordered) = (0, true);
    while let Some(entry) = reader.next_entry()? {
        let cell = if transposed { entry.row } else { entry.col };
        ordered &= cell >= last;
        last = cell;
        indptr[cell as usize + 1] += 1;
    }
    for cell in 0..n_cells {
        indptr[cell + 1] += indptr[cell];
    }
    Ok(ordered.then_some(indptr))
}

fn check_size(files: &Files, reader: &MtxReader, transposed: bool, n_features: usize, n_cells: usize) -> Result<()> {
    let header = reader.header();
    let found = (header.n_rows, header.n_cols);
    let wanted = if transposed { (n_cells, n_features) } else { (n_features, n_cells) };
    if found == wanted {
        return Ok(());
    }
    let (first, second) = if transposed { ("barcodes", "features") } else { ("features", "barcodes") };
    let error = reader.error(format!(
        "the size line says {} x {}, expected {} {first} x {} {second} as in `{}` and `{}`",
        found.0,
        found.1,
        wanted.0,
        wanted.1,
        files.features.display(),
        files.barcodes.display()
    ));
    if found == (wanted.1, wanted.0) {
        return Err(error.with_hint("rows and columns are exchanged: set transpose"));
    }
    if found == (wanted.0 + 1, wanted.1) || found == (wanted.0, wanted.1 + 1) {
        return Err(error.with_hint("one line is missing: does a barcodes or features file lack its last line?"));
    }
    Err(error)
}

fn read_features(path: &Path) -> Result<Features> {
    let mut lines = Lines::open(path)?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    while let Some(text) = lines.next_text()? {
        if text.is_empty() {
            continue;
        }
        let fields: Vec<String> = text.split('\t').map(|it| it.trim().to_owned()).collect();
        if let Some(first) = rows.first()
            && first.len() != fields.len()
        {
            return Err(lines.error(format!(
                "{} columns, expected {} as in the first line",
                fields.len(),
                first.len()
            )));
        }
        rows.push(fields);
    }
    let width = rows.first().map_or(0, Vec::len);
    let mut columns = vec![Vec::with_capacity(rows.len()); width];
    for row in rows {
        for (column, field) in columns.iter_mut().zip(row) {
            column.push(field);
        }
    }
    let mut columns = columns.into_iter();
    let ids = columns.next().unwrap_or_default();
    Ok(Features { ids, symbols: columns.next(), types: columns.next(), genomes: None })
}

fn read_barcodes(path: &Path) -> Result<Vec<String>> {
    let mut lines = Lines::open(path)?;
    let mut barcodes = Vec::new();
    while let Some(text) = lines.next_text()? {
        let barcode = text.split('\t').next().unwrap_or_default().trim();
        if !barcode.is_empty() {
            barcodes.push(barcode.to_owned());
        }
    }
    Ok(barcodes)
}

/// The ending of a file name that makes it a matrix file, and what stands before it.
fn matrix_prefix(file_name: &str) -> Option<&str> {
    ["matrix.mtx", "matrix.mtx.gz"].into_iter().find_map(|it| file_name.strip_suffix(it))
}

fn find_files(path: &Path, choice: &TenxChoice) -> Result<Files> {
    let metadata = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if metadata.is_file() {
        return companions(path);
    }
    let matrices = matrices_in(path)?;
    match &matrices[..] {
        [only] => {
            let own = path.file_name().and_then(|it| it.to_str());
            match &choice.genome {
                Some(asked) if own != Some(asked) => Err(Error::config(format!(
                    "genome `{asked}` is asked for but `{}` does not say which genome it holds",
                    path.display()
                ))
                .with_hint("leave the genome out, or give the folder above one folder per genome")),
                _ => companions(only),
            }
        }
        [] => {
            let genomes = genome_folders(path)?;
            match choose_genome(&path.display().to_string(), &genomes, choice.genome.as_deref())? {
                Some(genome) => find_files(&path.join(&genome), &TenxChoice::default()),
                None => Err(Error::invalid_input(format!(
                    "no `matrix.mtx` or `matrix.mtx.gz` in `{}` (files: {})",
                    path.display(),
                    cellstone_core::quoted(&names_in(path)?)
                ))),
            }
        }
        many => {
            let names: Vec<String> = many.iter().filter_map(|it| it.file_name()?.to_str().map(str::to_owned)).collect();
            Err(Error::invalid_input(format!(
                "`{}` holds {} matrices ({})",
                path.display(),
                many.len(),
                cellstone_core::quoted(&names)
            ))
            .with_hint("give the path of one of the matrix files"))
        }
    }
}

fn companions(matrix: &Path) -> Result<Files> {
    let folder = matrix.parent().unwrap_or(Path::new("."));
    let name = matrix.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    let Some(prefix) = matrix_prefix(name) else {
        return Err(Error::invalid_input(format!(
            "`{}` does not end in `matrix.mtx` or `matrix.mtx.gz`",
            matrix.display()
        )));
    };
    let beside = |stems: &[&str]| -> Result<PathBuf> {
        let names: Vec<String> =
            stems.iter().flat_map(|it| [format!("{prefix}{it}.tsv"), format!("{prefix}{it}.tsv.gz")]).collect();
        names.iter().map(|it| folder.join(it)).find(|it| it.is_file()).ok_or_else(|| {
            Error::invalid_input(format!("none of {} beside `{}`", cellstone_core::quoted(&names), matrix.display()))
        })
    };
    Ok(Files { matrix: matrix.to_owned(), features: beside(&["features", "genes"])?, barcodes: beside(&["barcodes"])? })
}

fn matrices_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let names = names_in(folder)?;
    Ok(names.iter().filter(|it| matrix_prefix(it).is_some()).map(|it| folder.join(it)).collect())
}

fn genome_folders(folder: &Path) -> Result<Vec<String>> {
    let names = names_in(folder)?;
    let holds_matrix = |it: &String| {
        let inner = folder.join(it);
        inner.is_dir() && matrices_in(&inner).is_ok_and(|found| !found.is_empty())
    };
    Ok(names.into_iter().filter(holds_matrix).collect())
}

/// The names in a folder, sorted: the order of a directory is nobody's promise.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
