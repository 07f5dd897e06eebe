//! Writing a file again with what a step found, in bounded memory.

use super::rows::RowsOut;
use super::write::{Extras, WriteOptions, Written, write_rest};
use super::{AnyMatrix, H5ad, Matrix, MatrixKind, Uns};
use crate::h5::write::H5Out;
use cellstone_core::{Column, CountSource, Csr, Error, ObsTable, Result, Scale, Var};
use std::collections::BTreeMap;
use std::path::Path;

/// What a step adds to a file of cells, and what it keeps of it.
///
/// Everything added has the length of the input: it is cut together with the rest.
#[derive(Debug, Clone, Default)]
pub struct Additions {
    /// Columns of `obs`, one value per cell of the input; one of the same name is replaced.
    pub obs: Vec<(String, Column)>,
    /// Columns of `var`, one value per gene of the input.
    pub var: Vec<(String, Column)>,
    /// A row per cell of the input.
    pub obsm: BTreeMap<String, AnyMatrix>,
    /// A row per gene of the input.
    pub varm: BTreeMap<String, AnyMatrix>,
    /// Cells x cells.
    pub obsp: BTreeMap<String, AnyMatrix>,
    /// Unstructured annotation.
    pub uns: BTreeMap<String, Uns>,
    /// The cells that are kept, ascending; all unless said.
    pub keep_obs: Option<Vec<usize>>,
    /// The genes that are kept, ascending; all unless said.
    pub keep_var: Option<Vec<usize>>,
}

/// Writes the cells of `source` with everything their file holds, and what a step adds.
///
/// Where the source is an `.h5ad` file, its `X`, layers and `raw` are streamed as they are, whichever of them the step
/// read; `obsm`, `varm`, `obsp`, `varp` and `uns` come along. Values are stored as 32-bit floats: sparse matrices as
/// CSR, dense ones dense. From any other format come the counts and the names. The file appears under its name when
/// everything is written.
///
/// # Errors
/// If an addition does not have the length of its axis, if the input cannot be read, or as
/// [`super::H5adWriter::create`].
pub fn write_annotated(
    path: &Path,
    options: &WriteOptions,
    source: &dyn CountSource,
    input: &Path,
    additions: &Additions,
) -> Result<()> {
    write(path, options, source, input, additions, None)
}

/// Writes the cells of `source` as [`write_annotated`] does, with an `X` that `transform` makes of each block of the
/// source, whichever matrix that is.
///
/// Where the source is `raw`, whose genes are others, the file gets the genes of `raw`; what belongs to the genes of
/// `var` (layers, `varm`, `varp`) and `raw` itself are left out.
///
/// # Errors
/// As [`write_annotated`], and what `transform` fails with.
pub fn write_transformed(
    path: &Path,
    options: &WriteOptions,
    source: &dyn CountSource,
    input: &Path,
    additions: &Additions,
    transform: &mut Transform<'_>,
) -> Result<()> {
    write(path, options, source, input, additions, Some(transform))
}

/// What is done to every block of rows, in order.
pub type Transform<'a> = dyn FnMut(&mut Csr<f32>) -> Result<()> + 'a;

fn write(
    path: &Path,
    options: &WriteOptions,
    source: &dyn CountSource,
    input: &Path,
    additions: &Additions,
    transform: Option<&mut Transform<'_>>,
) -> Result<()> {
    let file = if is_h5ad(input) { Some(H5ad::open(input)?) } else { None };
    let mut var = match &file {
        Some(it) => it.var_table()?,
        None => var_table(source.var())?,
    };
    let mut extras = match &file {
        Some(it) => it.annotation_of_axes()?,
        None => Extras::default(),
    };
    // The step may have read `raw`, whose genes are others than those of `var`.
    let same_genes = var.index() == source.var().ids();
    if let (Some(file), Some(_), false) = (&file, &transform, same_genes) {
        var = file.raw_var_table()?;
        (extras.varm, extras.varp) = (BTreeMap::new(), BTreeMap::new());
    } else if additions.speak_of_genes() && !same_genes {
        return Err(Error::invalid_input(format!(
            "`{}`: the matrix that was read has other genes ({}) than var ({}): what was found for them has no place",
            input.display(),
            source.var().len(),
            var.n_rows()
        ))
        .with_hint("write a table (--out F.parquet or F.csv), or read X"));
    }
    let mut obs = source.obs().clone();
    for (table, columns) in [(&mut obs, &additions.obs), (&mut var, &additions.var)] {
        for (name, column) in columns {
            table.insert(name.clone(), column.clone())?;
        }
    }
    extras.obsm.extend(additions.obsm.clone());
    extras.varm.extend(additions.varm.clone());
    extras.obsp.extend(additions.obsp.clone());
    extras.uns.extend(additions.uns.clone());
    check_heights(&extras, source.n_obs(), var.n_rows())?;
    let cut = Cut { obs: additions.keep_obs.as_deref(), var: additions.keep_var.as_deref() };
    let mut out = H5Out::create(path, options.overwrite, options.gzip_level)?;
    let x = match (&file, transform) {
        (_, Some(transform)) => Some(copy(source, MatrixKind::Csr, cut.obs, cut.var, Some(transform), &mut out)?),
        (Some(file), None) if file.has(&Matrix::X) => Some(cut.stream(file, Matrix::X, &mut out)?),
        (Some(_), None) => None,
        (None, None) => Some(copy(source, MatrixKind::Csr, cut.obs, cut.var, None, &mut out)?),
    };
    let written = match &file {
        Some(file) if var.index() == file.var_table()?.index() => other_matrices(file, &cut, &mut out)?,
        _ => Written::default(),
    };
    cut.extras(&mut extras);
    write_rest(out, x, &written, &cut_table(&obs, cut.obs), &cut_table(&var, cut.var), &extras)
}

impl Additions {
    fn speak_of_genes(&self) -> bool {
        !self.var.is_empty() || !self.varm.is_empty() || self.keep_var.is_some()
    }
}

fn is_h5ad(path: &Path) -> bool {
    path.extension().is_some_and(|it| it.eq_ignore_ascii_case("h5ad"))
}

/// The genes as an annotation table: symbols where they are known.
///
/// # Errors
/// Never in practice: the symbols of a [`Var`] are as many as its ids.
pub fn var_table(var: &Var) -> Result<ObsTable> {
    let mut table = ObsTable::new(var.ids().to_vec());
    if let Some(symbols) = var.symbols() {
        table.insert("gene_symbol", Column::Str(symbols.iter().cloned().map(Some).collect()))?;
    }
    Ok(table)
}

/// Address and shape of a written matrix.
type Placed = (u64, (usize, usize));

/// Streams the layers and `raw` of a file.
fn other_matrices(file: &H5ad, cut: &Cut<'_>, out: &mut H5Out) -> Result<Written> {
    let mut written = Written::default();
    for name in file.keys("layers") {
        written.layers.push((name.clone(), cut.stream(file, Matrix::Layer(name), out)?.0));
    }
    if file.has(&Matrix::RawX) {
        written.raw = Some((cut.stream(file, Matrix::RawX, out)?.0, file.raw_var_table()?));
    }
    Ok(written)
}

fn copy(
    source: &dyn CountSource,
    kind: MatrixKind,
    obs: Option<&[usize]>,
    var: Option<&[usize]>,
    mut transform: Option<&mut Transform<'_>>,
    out: &mut H5Out,
) -> Result<Placed> {
    let mut rows = RowsOut::new(kind, var.map_or(source.var().len(), <[usize]>::len));
    for block in source.blocks(0)? {
        let mut block = block?;
        if let Some(transform) = &mut transform {
            transform(&mut block.x)?;
        }
        let x = cut_block(block.x, block.start, obs, var);
        rows.push(out, &x)?;
    }
    rows.finish(out)
}

fn cut_block(x: Csr<f32>, start: usize, obs: Option<&[usize]>, var: Option<&[usize]>) -> Csr<f32> {
    let x = match obs {
        None => x,
        Some(keep) => {
            let (from, to) =
                (keep.partition_point(|it| *it < start), keep.partition_point(|it| *it < start + x.shape().0));
            let local: Vec<usize> = keep[from..to].iter().map(|it| it - start).collect();
            x.select_rows(&local)
        }
    };
    match var {
        None => x,
        Some(keep) => x.select_cols(keep),
    }
}

fn cut_table(table: &ObsTable, keep: Option<&[usize]>) -> ObsTable {
    match keep {
        None => table.clone(),
        Some(rows) => table.select_rows(rows),
    }
}

/// The cells and genes that are kept.
struct Cut<'a> {
    obs: Option<&'a [usize]>,
    var: Option<&'a [usize]>,
}

impl Cut<'_> {
    /// Streams one matrix of a file as it is; `raw` keeps all its genes.
    fn stream(&self, file: &H5ad, matrix: Matrix, out: &mut H5Out) -> Result<Placed> {
        let var = if matrix == Matrix::RawX { None } else { self.var };
        let kind = file.matrix_info(&matrix)?.kind;
        copy(&file.source(matrix, Scale::Effect)?, kind, self.obs, var, None, out)
    }

    fn extras(&self, extras: &mut Extras) {
        let groups: [(&mut BTreeMap<String, AnyMatrix>, _, _); 4] = [
            (&mut extras.obsm, self.obs, None),
            (&mut extras.varm, self.var, None),
            (&mut extras.obsp, self.obs, self.obs),
            (&mut extras.varp, self.var, self.var),
        ];
        for (group, rows, columns) in groups {
            if rows.is_some() {
                group.values_mut().for_each(|it| *it = it.select(rows, columns));
            }
        }
    }
}

fn check_heights(extras: &Extras, n_obs: usize, n_vars: usize) -> Result<()> {
    let groups = [
        ("obsm", &extras.obsm, n_obs),
        ("varm", &extras.varm, n_vars),
        ("obsp", &extras.obsp, n_obs),
        ("varp", &extras.varp, n_vars),
    ];
    for (group, members, expected) in groups {
        if let Some((name, it)) = members.iter().find(|(_, it)| it.shape().0 != expected) {
            return Err(Error::invalid_input(format!("{group}/{name} has {} rows, expected {expected}", it.shape().0)));
        }
    }
    Ok(())
}
